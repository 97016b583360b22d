"""Other people's checkpoints: read without running anything in them, loaded with every entry accounted for."""

from slowfast.weights.fetch import fetch
from slowfast.weights.load import LoadReport, load_weights
from slowfast.weights.read import read_checkpoint, read_state_dict, state_dict_of

__all__ = ["LoadReport", "fetch", "load_weights", "read_checkpoint", "read_state_dict", "state_dict_of"]
