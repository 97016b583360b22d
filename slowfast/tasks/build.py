"""The registry of tasks. Only a task knows what a label means."""

from slowfast.config.derive import task_name
from slowfast.utils.registry import Registry

TASK_REGISTRY = Registry("task", "TASK")


def build_task(cfg):
    """The task that TASK names, or the one that the data set implies."""
    return TASK_REGISTRY.get(task_name(cfg)).from_cfg(cfg)
