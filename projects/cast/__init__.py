"""CAST and TSTL, as one self-contained project over the core.

`PROJECTS: [projects.cast]` in a YAML imports this package in every process. The core then calls `add_config(cfg)` if it
is defined, so that the project adds its keys, and whatever the package imports registers itself.
"""
