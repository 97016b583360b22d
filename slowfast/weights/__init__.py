"""Other people's checkpoints: read without running anything in them, loaded with every entry accounted for."""

from slowfast.weights.load import LoadReport, load_weights
from slowfast.weights.read import read_checkpoint, read_state_dict

__all__ = ["LoadReport", "load_weights", "read_checkpoint", "read_state_dict"]
