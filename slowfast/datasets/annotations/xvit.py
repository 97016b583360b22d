"""XViT's lists: `path,frames,label` for Kinetics, `name frames label` for Something-Something, rates a video."""

from pathlib import Path

from slowfast.datasets.annotations.lines import numbered_lines
from slowfast.utils.errors import UserError


def find_xvit_list(folder, split):
    """PATH_TO_DATA_DIR/annotations/{train,val}.txt, or None; the test reads val."""
    path = Path(folder) / "annotations" / f"{'train' if split == 'train' else 'val'}.txt"
    return path if path.is_file() else None


def locate_xvit_pack(folder, split):
    """Function name -> HDF5 file of a Kinetics video in XViT's folders."""
    part = "train" if split == "train" else "val"
    root = Path(folder) / "seq_h5" / part
    root = root if root.is_dir() else Path(folder) / part
    return lambda name: root / f"{name}.h5"


def locate_xvit_ssv2(folder):
    """Function name -> pack of a Something-Something video: in the one file of all, or in a file of its own."""
    single = Path(folder) / "Something-Something-v2-frames.h5"
    if single.is_file():
        return lambda name: single / name
    return lambda name: Path(folder) / "seq_h5" / f"{name}.h5" / name


def read_xvit_rates(folder, split):
    """dict path of the list -> frames a second, from {train,val}_fps.txt; None where there is no such file.

    The file lies in `annotation` (so the public code) or `annotations`.
    Raises: UserError: a line that does not fit.
    """
    name = f"{'train' if split == 'train' else 'val'}_fps.txt"
    path = next((p for sub in ("annotation", "annotations") if (p := Path(folder) / sub / name).is_file()), None)
    if path is None:
        return None
    rates = {}
    for number, line in numbered_lines(path, "one 'path,fps' per line"):
        video, _, text = line.replace("\t", ",").rpartition("," if "," in line else " ")
        try:
            rates[video.strip()] = float(text)
        except ValueError:
            raise UserError(f"{path}:{number}: got {line!r}, expected 'path,fps'") from None
        if not rates[video.strip()] > 0:
            raise UserError(f"{path}:{number}: {text} frames a second, expected more than 0")
    return rates
