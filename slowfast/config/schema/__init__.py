"""The keys that have an effect: one file a section, each with add(cfg), defaults, units and meanings."""

from slowfast.config.schema import (
    aug,
    benchmark,
    bn,
    checkpoint,
    data,
    data_loader,
    dist,
    eva_video,
    general,
    model,
    multigrid,
    solver,
    tensorboard,
    test,
    train,
    video_mae,
    video_vit,
    vit_llama,
    weights,
    xvit,
)

SECTIONS = (
    general,
    train,
    test,
    data,
    aug,
    data_loader,
    model,
    bn,
    solver,
    multigrid,
    xvit,
    video_vit,
    video_mae,
    vit_llama,
    eva_video,
    benchmark,
    checkpoint,
    dist,
    weights,
    tensorboard,
)


def add_all(cfg):
    """Add every honoured key with its default to an empty CfgNode."""
    for section in SECTIONS:
        section.add(cfg)
