"""How a given value replaces a default: literals in strings, exact types, the nearest key for an unknown one."""

import ast
import copy
import difflib
import warnings

from slowfast.config.node import get, has, is_section, leaves, put

VALID_TYPES = (bool, int, float, str, list, tuple, type(None))


class Mismatch(Exception):
    """A value cannot replace a default; the message says what was got and what was expected."""


def apply_setting(cfg, setting, defaults):
    """Put one Setting into cfg.

    Args:
        defaults: a cfg whose types count.
    Returns:
        None, or the text of what is wrong; cfg is then unchanged.
    Source: PySlowFast's merging, except that a whole number is taken for a float key.
    """
    if not has(defaults, setting.key):
        return unknown_key(defaults, setting.key)
    default = get(defaults, setting.key)
    try:
        value = coerce(decode(setting.value), default)
    except Mismatch as mismatch:
        return f"{setting.key}: {mismatch}"
    if not is_section(default):
        put(cfg, setting.key, copy.deepcopy(value))  # an alias in YAML would share one list between keys
    return None


def decode(value):
    """A string that is a Python literal becomes its value: '1e-4', '(1, 3)', 'None'; all else stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # text with a backslash is no literal, and no reason for a SyntaxWarning
            return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value


def coerce(value, default):
    """`value` in the type of `default`.

    Equal types pass, so does None on either side; list and tuple become each other, a whole number becomes a float.
    A section takes only an empty section.
    Raises: Mismatch.
    """
    if is_section(default):
        if isinstance(value, dict) and not value:
            return default
        raise Mismatch(f"got {_describe(value)}, expected a section of keys ({', '.join(list(default)[:3])}, ...)")
    got, expected = type(value), type(default)
    if got in VALID_TYPES and (got is expected or type(None) in (got, expected)):
        return value
    if (got, expected) in ((list, tuple), (tuple, list)):
        return expected(value)
    if (got, expected) == (int, float):
        try:
            return float(value)
        except OverflowError:
            raise Mismatch("got a whole number too large for a float") from None
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
    if isinstance(default, bool):
        return f"{text}; write True or False"
    if isinstance(default, str) and not isinstance(value, dict):
        return f"{text}; to mean the text, quote it twice: '\"{value}\"'"
    if isinstance(default, list | tuple) and isinstance(value, str):
        return f"{text}; words in a list need quotes: \"['a', 'b']\""
    return text
