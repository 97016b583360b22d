"""Other people's checkpoints: read without running anything in them, loaded with every entry accounted for."""

from slowfast.weights import eva, llama, vits  # noqa: F401 - register rules and starts
from slowfast.weights.classes import class_rows
from slowfast.weights.fetch import fetch
from slowfast.weights.load import NEW, LoadReport, has_other_classes, load_pretrained, load_weights
from slowfast.weights.read import read_checkpoint, read_file, read_state_dict, state_dict_of
from slowfast.weights.rules import WeightRules, weight_rules
from slowfast.weights.start import start, starts_from
from slowfast.weights.trained_part import complete, fill_frozen, frozen_digest, source_of, without_frozen

__all__ = [
    "NEW",
    "LoadReport",
    "WeightRules",
    "class_rows",
    "complete",
    "fetch",
    "fill_frozen",
    "frozen_digest",
    "has_other_classes",
    "load_pretrained",
    "load_weights",
    "read_checkpoint",
    "read_file",
    "read_state_dict",
    "source_of",
    "start",
    "starts_from",
    "state_dict_of",
    "weight_rules",
    "without_frozen",
]
