"""From files and overrides to one checked, frozen configuration."""

import logging
from pathlib import Path

from slowfast.config import legacy, schema
from slowfast.config.check import find_problems, find_remarks
from slowfast.config.merge import Mismatch, apply_setting, coerce, decode
from slowfast.config.node import CfgNode, Changes, get, has, leaves
from slowfast.config.projects import import_modules
from slowfast.config.yaml_reader import Reading, Setting, read_yaml
from slowfast.utils.errors import ConfigError

COMMAND_LINE = "command line"

logger = logging.getLogger("slowfast")


def get_cfg():
    """All keys with their defaults, as a CfgNode that is not frozen; projects' keys are not among them."""
    cfg = CfgNode()
    schema.add_all(cfg)
    legacy.add(cfg)
    return cfg


def load_cfg(path, opts=(), *, num_shards=None, shard_id=None):
    """The configuration of one run.

    Precedence: defaults and keys of PROJECTS < bases < file < opts < num_shards and shard_id.

    Args:
        path: a .yaml file, or None for the defaults alone.
        opts: overrides (KEY, VALUE, KEY, VALUE, ...); a value may be a string or the value itself.
        num_shards, shard_id: NUM_SHARDS and SHARD_ID from the launcher; None = as configured.
    Returns:
        frozen CfgNode. Keys that have no effect are named once each by a warning of the logger "slowfast".
    Raises:
        ConfigError: everything that is wrong, one line for each problem.
    """
    problems = []
    reading = _attempt(problems, read_yaml, path) if path is not None else None
    reading = reading or Reading()
    opts = list(opts)
    cfg = get_cfg()
    for module in _attempt(problems, _import_projects, [*reading.settings, *_pairs(opts)]) or []:
        if hasattr(module, "add_config"):
            module.add_config(cfg)
    all_keys_known = not problems  # a key of a file or project that cannot be read is not the user's mistake

    overrides, dangling = _overrides(cfg, opts)
    settings = [*reading.settings, *overrides, *_launcher_settings(num_shards, shard_id)]
    if not all_keys_known:
        settings = [setting for setting in settings if has(cfg, setting.key)]
    defaults = cfg.clone()
    problems += dangling + _merge(cfg, settings)

    origins = {setting.key: setting.origin for setting in settings}
    refusals, remarks = legacy.review(cfg)
    found = dict(refusals) | dict(find_problems(cfg))  # a value that is never allowed says so instead
    problems += [_with_origin(key, text, origins) for key, text in found.items()]
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    for remark in (*reading.remarks, *(_with_origin(*pair, origins) for pair in (*remarks, *find_remarks(cfg)))):
        logger.warning(remark)
    cfg.__dict__[CfgNode.CHANGES] = _changes(cfg, defaults, path or "", reading.settings)
    cfg.freeze()
    return cfg


def _changes(cfg, before, path, settings):
    """How cfg differs from `before`, all defaults, once that took the bases' `settings`; without bases, the file's."""
    files = [setting.origin.rpartition(":")[0] for setting in settings]
    bases = {file for file in files if file != str(Path(path))} or set(files)
    _merge(before, [setting for setting, file in zip(settings, files) if file in bases])
    values = {key: (get(before, key), value) for key, value in leaves(cfg).items() if value != get(before, key)}
    return Changes(", ".join(dict.fromkeys(file for file in files if file in bases)) or "the defaults", values)


def _attempt(problems, function, *args):
    """function(*args), or None when it raises ConfigError, whose problems are collected with the others."""
    try:
        return function(*args)
    except ConfigError as error:
        problems.extend(error.problems)
        return None


def _import_projects(settings):
    """The modules of the last PROJECTS among the settings."""
    chosen = [setting for setting in settings if setting.key == "PROJECTS"][-1:]
    try:
        return import_modules(name for setting in chosen for name in coerce(decode(setting.value), []))
    except Mismatch as mismatch:
        raise ConfigError(f"{chosen[0].origin}: PROJECTS: {mismatch}") from None


def _pairs(opts):
    return [Setting(key, value, COMMAND_LINE) for key, value in zip(opts[::2], opts[1::2])]


def _overrides(cfg, opts):
    """(settings of the command line, problems): of an odd number, those before the key that has no value."""
    pairs = _pairs(opts)
    if len(opts) % 2 == 0:
        return pairs, []
    swallowed = [n for n, pair in enumerate(pairs) if isinstance(pair.value, str) and has(cfg, pair.value)]
    position = swallowed[0] if swallowed else len(pairs)
    key = opts[2 * position]
    advice = f"write {key.replace('=', ' ', 1)}" if "=" in key else f"write {key} VALUE"
    return pairs[:position], [f"{COMMAND_LINE}: overrides come in pairs KEY VALUE, '{key}' has no value; {advice}"]


def _launcher_settings(num_shards, shard_id):
    given = (("NUM_SHARDS", num_shards), ("SHARD_ID", shard_id))
    return [Setting(key, value, f"--{key.lower()}") for key, value in given if value is not None]


def _merge(cfg, settings):
    """Put settings into cfg in order; returns the problems."""
    defaults = cfg.clone()
    found = [(setting.origin, apply_setting(cfg, setting, defaults)) for setting in settings]
    return [f"{origin}: {problem}" for origin, problem in found if problem]


def _with_origin(key, text, origins):
    return f"{origins[key]}: {key}: {text}" if key in origins else f"{key}: {text}"
