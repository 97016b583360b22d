"""Configuration: keys and defaults (schema/, legacy), loading, checks, and what follows from several keys (derive)."""

from slowfast.config.load import get_cfg, load_cfg
from slowfast.config.node import CfgNode
from slowfast.config.projects import import_projects

__all__ = ["CfgNode", "get_cfg", "import_projects", "load_cfg"]
