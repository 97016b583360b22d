"""From files and overrides to one checked, frozen configuration."""

import logging

from slowfast.config import legacy, schema
from slowfast.config.check import find_problems
from slowfast.config.merge import Mismatch, apply_setting, coerce, decode, is_known
from slowfast.config.node import CfgNode
from slowfast.config.projects import import_modules
from slowfast.config.yaml_reader import BASE_KEY, Reading, Setting, read_yaml
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

    Precedence: defaults < keys of PROJECTS < bases < file < opts < num_shards and shard_id.

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
    reading = _attempt(problems, Reading([], []), read_yaml, path) if path is not None else Reading([], [])
    opts = list(opts)
    cfg = get_cfg()
    for module in _attempt(problems, [], _import_projects, [*reading.settings, *_pairs(opts)]):
        if hasattr(module, "add_config"):
            module.add_config(cfg)
    keys_known = not problems  # without the file or a project, a key of theirs is not the user's mistake

    settings = [*reading.settings, *_attempt(problems, [], _overrides, cfg, opts)]
    settings += [
        Setting(key, value, f"--{key.lower()}")
        for key, value in (("NUM_SHARDS", num_shards), ("SHARD_ID", shard_id))
        if value is not None
    ]
    origins = {}
    for setting in settings:
        if not keys_known and not is_known(cfg, setting.key):
            continue
        problem = apply_setting(cfg, setting)
        origins[setting.key] = setting.origin
        if problem:
            problems.append(f"{setting.origin}: {problem}")

    refusals, remarks = legacy.review(cfg)
    found = dict([*refusals, *find_problems(cfg)])  # a value that is not allowed at all says so instead
    problems += [_with_origin(key, text, origins) for key, text in found.items()]
    if problems:
        raise ConfigError(problems)
    for remark in [*reading.remarks, *(_with_origin(key, text, origins) for key, text in remarks)]:
        logger.warning(remark)
    cfg.freeze()
    return cfg


def _attempt(problems, otherwise, function, *args):
    """function(*args); a ConfigError is collected, so that the user sees all problems at once."""
    try:
        return function(*args)
    except ConfigError as error:
        problems.extend(error.problems)
        return otherwise


def _import_projects(settings):
    """The modules of the last PROJECTS among the settings."""
    names = [setting for setting in settings if setting.key == "PROJECTS"]
    if not names:
        return []
    try:
        return import_modules(coerce(decode(names[-1].value), []))
    except Mismatch as mismatch:
        raise ConfigError(f"{names[-1].origin}: PROJECTS: {mismatch}") from None


def _pairs(opts):
    return [Setting(key, value, COMMAND_LINE) for key, value in zip(opts[::2], opts[1::2])]


def _overrides(cfg, opts):
    """Settings of the command line. Raises: ConfigError that shows which key has no value."""
    pairs = _pairs(opts)
    if any(setting.key == BASE_KEY for setting in pairs):
        raise ConfigError(f"{COMMAND_LINE}: {BASE_KEY} stands in .yaml files only")
    if len(opts) % 2 == 0:
        return pairs
    swallowed = [setting.key for setting in pairs if isinstance(setting.value, str) and is_known(cfg, setting.value)]
    dangling = swallowed[0] if swallowed else opts[-1]
    advice = f"write '{dangling.replace('=', ' ', 1)}'" if "=" in str(dangling) else f"write {dangling} VALUE"
    raise ConfigError(f"{COMMAND_LINE}: overrides come in pairs KEY VALUE, '{dangling}' has no value; {advice}")


def _with_origin(key, text, origins):
    return f"{origins[key]}: {key}: {text}" if key in origins else f"{key}: {text}"
