"""CAST, as one self-contained project over the core.

`PROJECTS: [projects.cast]` in a YAML imports this package in every process: `add_config` adds the section CAST, and
what is imported here registers itself.
"""

from projects.cast import model, parity, spatial_expert, weights
from projects.cast.config import add_config

__all__ = ["add_config", "model", "parity", "spatial_expert", "weights"]
