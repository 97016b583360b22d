"""TSTL: a selector sends each clip to the expert of its group of look-alike classes, all over one frozen CAST trunk."""

from projects.cast.tstl import member, model, parity, stages, task, weights

__all__ = ["member", "model", "parity", "stages", "task", "weights"]
