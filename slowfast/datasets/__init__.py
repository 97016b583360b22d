"""Data sets: importing this package registers them all."""

from slowfast.datasets import kinetics
from slowfast.datasets.build import DATASET_REGISTRY, build_dataset, construct_loader

__all__ = ["DATASET_REGISTRY", "build_dataset", "construct_loader", "kinetics"]
