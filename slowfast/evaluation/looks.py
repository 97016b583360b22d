"""Looks inside a model after a test: pictures that only its own class knows how to draw, one function a class."""

from slowfast.utils.registry import register_in

LOOKS = {}  # class name of a model -> function of (model, cfg, dataset, device)


def looks_inside(class_name):
    """Decorator: this function of (model, cfg, dataset, device) draws a tested model of that class.

    It is called in one process, with the model in evaluation mode on the device, and gives texts for the log.
    """
    return register_in(LOOKS, class_name, "looks inside")


def look_inside(model, cfg, dataset, device):
    """What the model's class draws; list of texts for the log, empty where there is nothing to see."""
    function = LOOKS.get(type(model).__name__)
    return function(model, cfg, dataset, device) if function else []
