"""TSTL: a selector sends each clip to the expert of its group of look-alike classes, all over one frozen CAST trunk."""

from projects.cast.tstl import member, parity

__all__ = ["member", "parity"]
