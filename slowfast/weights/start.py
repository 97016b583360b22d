"""What a model starts from when no checkpoint is named: other people's parts, put together by a function of its own."""

from slowfast.utils.registry import register_in

STARTS = {}  # class name of a model -> function of (model, cfg)


def starts_from(class_name):
    """Decorator: this function of (model, cfg) fills a model of that class before training; it gives texts for the log.

    It is asked where neither the run's own checkpoints nor TRAIN.CHECKPOINT_FILE_PATH are to be loaded, and before a
    checkpoint that holds the trained part of a model alone.
    """
    return register_in(STARTS, class_name, "starts")


def start(model, cfg):
    """Fill `model` if its class has a start; list of texts for the log, empty where there is none."""
    function = STARTS.get(type(model).__name__)
    return function(model, cfg) if function else []
