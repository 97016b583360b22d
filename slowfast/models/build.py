"""The registry of backbones and the one way to build one from a config."""

from slowfast.utils.registry import Registry

MODEL_REGISTRY = Registry("model", "MODEL.MODEL_NAME")


def build_model(cfg):
    """The backbone that MODEL.MODEL_NAME names, bare: on the current default device (CPU, or meta), in training mode.

    Every registered model maps a normalised float clip (B, C, T, H, W) to logits (B, K), in training and in evaluation
    alike, and has `from_cfg(cfg)`.
    Raises: ConfigError for an unregistered name, or for sizes that the model cannot take.
    """
    return MODEL_REGISTRY.get(cfg.MODEL.MODEL_NAME).from_cfg(cfg)
