"""Which parameters of a model are trained: name patterns, applied before anything counts, wraps or optimises them."""

from slowfast.utils.name_patterns import matching


def select_trainable(model, *, trainable=(), freeze=()):
    """Switch off the gradients of what is not to be trained.

    A frozen parameter gets no gradient, no optimizer state and no place in DDP's buckets. Buffers, such as the running
    statistics of batch norms, and dropout are not touched. What the model itself has frozen stays frozen.

    Args:
        model: any module, not yet wrapped.
        trainable: patterns (`utils.name_patterns`); where there are any, only what they cover is trained.
        freeze: patterns; what they cover is frozen, even where `trainable` covers it.
    Raises:
        ConfigError: a pattern that covers no parameter.
    """
    parameters = dict(model.named_parameters())
    kept = matching(trainable, parameters, "MODEL.TRAINABLE") if trainable else set(parameters)
    kept -= matching(freeze, parameters, "MODEL.FREEZE")
    for name, parameter in parameters.items():
        if name not in kept:
            parameter.requires_grad_(False)
