"""One configuration that stands for several runs, one after the other: a function a model."""

from slowfast.utils.registry import register_in

SERIES = {}  # MODEL.MODEL_NAME -> function of cfg


def runs_in_series(model_name):
    """Decorator: this function of a cfg with that MODEL.MODEL_NAME gives the frozen cfgs of its runs, each complete and
    with an OUTPUT_DIR of its own, so that each resumes by itself."""
    return register_in(SERIES, model_name, "series")


def runs_of(cfg):
    """The cfgs that a loaded cfg stands for: itself, unless its model has a series."""
    function = SERIES.get(cfg.MODEL.MODEL_NAME)
    return function(cfg) if function else [cfg]
