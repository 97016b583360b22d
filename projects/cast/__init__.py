"""CAST, as one self-contained project over the core.

`PROJECTS: [projects.cast]` in a YAML imports this package in every process: `add_config` adds the sections CAST,
VIS and TSTL, and what is imported here registers itself.
"""

from projects.cast import exchange_pictures, model, parity, spatial_expert, tstl, weights
from projects.cast.config import add_config

__all__ = ["add_config", "exchange_pictures", "model", "parity", "spatial_expert", "tstl", "weights"]
