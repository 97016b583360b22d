"""From decoded frames to the model's input: scale, crop, flip on the CPU, normalisation on the device."""

from slowfast.datasets.transforms.normalize import Normalize
from slowfast.datasets.transforms.views import CropTransform, Drawn, TrainTransform

__all__ = ["CropTransform", "Drawn", "Normalize", "TrainTransform"]
