"""How a given value replaces a default: literals in strings, exact types, the nearest key for an unknown one."""

import ast
import difflib
import warnings

from slowfast.config.node import CfgNode, get, leaves, put

VALID_TYPES = (bool, int, float, str, list, tuple, type(None))


class Mismatch(Exception):
    """A value cannot replace a default; the message says what was got and what was expected."""


def apply_setting(cfg, setting):
    """Put one Setting into cfg.

    Returns:
        None, or the text of what is wrong; cfg is then unchanged.
    Source: PySlowFast's merging, except that a whole number is taken for a float key.
    """
    if not is_known(cfg, setting.key):
        return unknown_key(cfg, setting.key)
    try:
        value = coerce(decode(setting.value), get(cfg, setting.key))
    except Mismatch as mismatch:
        return f"{setting.key}: {mismatch}"
    put(cfg, setting.key, value)
    return None


def is_known(cfg, key):
    """Whether a dotted path names a key or a section."""
    node = cfg
    for name in key.split("."):
        if not isinstance(node, CfgNode) or name not in node:
            return False
        node = node[name]
    return True


def decode(value):
    """A string that is a Python literal becomes its value: '1e-4', '(1, 3)', 'None'; all else stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # a path such as 'C:\\data' is no literal, and no reason for a SyntaxWarning
            return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value


def coerce(value, default):
    """`value` in the type of `default`.

    Equal types pass, so does None on either side; list and tuple become each other, a whole number becomes a float.
    Raises: Mismatch.
    """
    if isinstance(default, CfgNode):
        if value == {} and isinstance(value, dict):
            return default
        raise Mismatch(f"got {_describe(value)}, expected a section of keys ({', '.join(list(default)[:3])}, ...)")
    kinds = type(value), type(default)
    if kinds[0] in VALID_TYPES and (kinds[0] is kinds[1] or type(None) in kinds):
        return value
    if kinds in ((list, tuple), (tuple, list)):
        return kinds[1](value)
    if kinds == (int, float):
        try:
            return float(value)
        except OverflowError:
            raise Mismatch(f"got a whole number of {len(str(abs(value)))} digits, expected a float") from None
    raise Mismatch(f"got {_describe(value)}, expected {_expected(value, default)}")


def unknown_key(cfg, key):
    """Message for a key that does not exist; names the nearest one that does."""
    by_upper = {name.upper(): name for name in leaves(cfg)}
    nearest = difflib.get_close_matches(key.upper(), by_upper, n=1)
    hint = f"did you mean {by_upper[nearest[0]]}?" if nearest else "no key has a similar name"
    return f"{key}: there is no such key; {hint}"


def _describe(value):
    if value is None:
        return "nothing (None)"
    if isinstance(value, dict):
        return "a section of keys"
    return f"{value!r} ({type(value).__name__})"


def _expected(value, default):
    text = f"{type(default).__name__} like {default!r}"
    if isinstance(default, bool) and str(value).lower() in ("true", "false", "0", "1", "yes", "no", "on", "off"):
        return f"{text}; write True or False"
    if isinstance(default, str):
        return f"{text}; to mean the text, quote it twice: '\"{value}\"'"
    if isinstance(default, list | tuple) and isinstance(value, str):
        return f"{text}; words in a list need quotes: \"['a', 'b']\""
    return text
