"""Layers that the backbones share: one idea a file, state-dict keys as in the published models."""
