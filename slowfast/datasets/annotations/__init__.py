"""Lists of videos: files of paths and labels -> records, one file a family of formats; no video is opened here."""

from slowfast.datasets.annotations.kinetics import read_kinetics_csv
from slowfast.datasets.annotations.record import Record

__all__ = ["Record", "read_kinetics_csv"]
