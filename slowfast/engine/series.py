"""One configuration that stands for several runs, one after the other: a function a model."""

SERIES = {}  # MODEL.MODEL_NAME -> function of cfg


def runs_in_series(model_name):
    """Decorator: this function of a cfg with that MODEL.MODEL_NAME gives the frozen cfgs of its runs, each complete and
    with an OUTPUT_DIR of its own, so that each resumes by itself."""

    def register(function):
        assert model_name not in SERIES, f"two series for '{model_name}'"
        SERIES[model_name] = function
        return function

    return register


def runs_of(cfg):
    """The cfgs that a loaded cfg stands for: itself, unless its model has a series."""
    function = SERIES.get(cfg.MODEL.MODEL_NAME)
    return function(cfg) if function else [cfg]
