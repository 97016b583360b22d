"""Data sets: importing this package registers them all."""

from slowfast.datasets import charades, epic_kitchens, folders, kinetics, ssv2, ucf_hmdb
from slowfast.datasets.build import DATASET_REGISTRY, build_dataset, construct_loader

__all__ = [
    "DATASET_REGISTRY",
    "build_dataset",
    "charades",
    "construct_loader",
    "epic_kitchens",
    "folders",
    "kinetics",
    "ssv2",
    "ucf_hmdb",
]
