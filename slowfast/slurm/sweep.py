"""A sweep file: which runs it stands for, as overrides of one configuration."""

import itertools
import re
from pathlib import Path

import yaml

from slowfast.config import load_cfg
from slowfast.utils.errors import ConfigError, UserError

SHARED = ("NUM_GPUS", "NUM_PROCS", "NUM_SHARDS", "SHARD_ID")  # an array asks for the same nodes for all its tasks
NAME_LENGTH = 80  # characters of a run's folder name that tell of its values


def read_sweep(path):
    """The runs of a sweep file, as lists of (KEY, value).

    A mapping KEY: [values] stands for every combination, the last key changing fastest; a list of mappings KEY: value
    for one run each.

    Raises: UserError: the file cannot be read, or is neither.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--array {path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"--array {path}: is no YAML: {error}") from None
    if isinstance(content, dict) and content:
        lists = {str(key): value for key, value in content.items()}
        wrong = [key for key, values in lists.items() if not isinstance(values, list) or not values]
        if wrong:
            raise UserError(f"--array {path}: {wrong[0]}: got {lists[wrong[0]]!r}, expected a list of values to try")
        return [list(zip(lists, values)) for values in itertools.product(*lists.values())]
    if isinstance(content, list) and content and all(isinstance(run, dict) and run for run in content):
        return [[(str(key), value) for key, value in run.items()] for run in content]
    raise UserError(
        f"--array {path}: expected KEY: [values] (all combinations), or a list of runs, each with KEY: value; "
        "docs/slurm.md has examples"
    )


def sweep_words(path, cfg_path, opts, output_dir):
    """Words to put behind run_net.py's for each run of a sweep; every run's configuration is loaded and checked.

    Args:
        opts: overrides that all runs share.
        output_dir: folder that holds a folder for each run, unless the sweep sets OUTPUT_DIR itself.
    Returns: list of ([KEY, VALUE, ...], cfg).
    Raises: ConfigError naming the file and the run; all runs' problems at once.
    """
    runs, problems = [], []
    for number, pairs in enumerate(read_sweep(path)):
        problems += [
            f"--array {path}: run {number}: {key}: is the same for all runs of an array; submit those apart"
            for key, _ in pairs
            if key in SHARED
        ]
        if "OUTPUT_DIR" not in dict(pairs):
            pairs = [*pairs, ("OUTPUT_DIR", str(Path(output_dir) / _folder_name(number, pairs)))]
        words = [str(word) for pair in pairs for word in pair]
        try:
            runs.append((words, load_cfg(cfg_path, [*opts, *words])))
        except ConfigError as error:
            problems += [f"--array {path}: run {number}: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    folders = [cfg.OUTPUT_DIR for _, cfg in runs]
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice is not None:
        raise ConfigError(f"--array {path}: several runs would write to OUTPUT_DIR {twice}; give each its own")
    return runs


def _folder_name(number, pairs):
    """ "03_BASE_LR=0.1_RNG_SEED=2": sorts as the array's tasks do, and tells them apart."""
    values = "_".join(f"{key.rpartition('.')[2]}={value}" for key, value in pairs)
    return f"{number:02d}_{re.sub(r'[^A-Za-z0-9_.=-]+', '-', values)[:NAME_LENGTH]}"
