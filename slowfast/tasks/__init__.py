"""What a label means: loss, predictions and counts, one file a task. Importing registers them."""

from slowfast.tasks import classification, masked_pretraining, multi_label, verb_noun  # noqa: F401
from slowfast.tasks.build import TASK_REGISTRY, build_task

__all__ = ["TASK_REGISTRY", "build_task"]
