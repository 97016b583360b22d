"""The registry of backbones and the one way to build one from a config."""

from slowfast.models.layers.block import set_act_checkpoint
from slowfast.models.trainable import select_trainable
from slowfast.utils.errors import ConfigError
from slowfast.utils.registry import Registry

MODEL_REGISTRY = Registry("model", "MODEL.MODEL_NAME")


def build_model(cfg):
    """The backbone that MODEL.MODEL_NAME names, bare: on the current default device (CPU, or meta), in training mode.

    Every registered model maps a normalised float clip (B, C, T, H, W) to logits (B, K), in training and in evaluation
    alike, unless its own documentation names another output, which then is for a task of its own; what else its task
    passes has a default. It has `from_cfg(cfg)`. What the optimizer may ask of it:

    - `no_weight_decay()`: set of names of parameters without weight decay, each of which exists; optional.
    - `num_layers` and `layer_of(parameter name)`: the number L of its layers, and the parameter's depth, from 0 (patch
      and position embeddings) over i + 1 (layer i) to L + 1 (what follows the layers); for layer-wise learning rates.

    `clip_divisors(cfg)`, a classmethod that gives the (frames, px) of which its clips must be multiples, says that it
    takes clips of other lengths and sizes than the configured ones, too.

    `layers.block.wrapping_units(model)` gives the modules that a sharding wrapper takes one by one.

    With MODEL.COMPILE its first step of each input shape compiles it; parameters and their names stay what they are.

    Raises: ConfigError for an unregistered name, or for sizes that the model cannot take.
    """
    model = MODEL_REGISTRY.get(cfg.MODEL.MODEL_NAME).from_cfg(cfg)
    if cfg.MODEL.ACT_CHECKPOINT_KEEP:
        set_act_checkpoint(model, True, cfg.MODEL.ACT_CHECKPOINT_KEEP)
    select_trainable(model, trainable=cfg.MODEL.TRAINABLE, freeze=cfg.MODEL.FREEZE)
    if cfg.MODEL.COMPILE:
        model.compile()
    return model


def clip_divisors(cfg):
    """(frames, px) of which the clips of MODEL.MODEL_NAME must be multiples.

    Raises: ConfigError: it takes clips of the configured length and size alone.
    """
    model = MODEL_REGISTRY.get(cfg.MODEL.MODEL_NAME)
    if not hasattr(model, "clip_divisors"):
        able = ", ".join(name for name, known in sorted(MODEL_REGISTRY) if hasattr(known, "clip_divisors"))
        raise ConfigError(
            f"MODEL.MODEL_NAME: '{cfg.MODEL.MODEL_NAME}' takes clips of one size alone; switch MULTIGRID.LONG_CYCLE "
            f"and MULTIGRID.SHORT_CYCLE off, or take one of {able}"
        )
    return model.clip_divisors(cfg)
