"""Reads YAML files into flat settings that remember file and line. Plain data only: nothing in a file can run code."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from slowfast.utils.errors import ConfigError

BASE_KEY = "_BASE_"


@dataclass(frozen=True)
class Setting:
    """One value that a user gave.

    key: dotted path. value: as read, before literals in strings are decoded; {} for an empty section.
    origin: where it stands, for messages ("configs/a.yaml:12" or "command line").
    """

    key: str
    value: Any
    origin: str


@dataclass(frozen=True)
class Reading:
    """What a file and its bases say: settings in the order in which they apply, and remarks worth a warning."""

    settings: list = field(default_factory=list)
    remarks: list = field(default_factory=list)


def read_yaml(path, named_by="--cfg"):
    """Read a cfg file after the files that its `_BASE_` names.

    Args:
        path: a .yaml file.
        named_by: what named it, for the message when it is missing.
    Returns:
        Reading, bases first.
    Raises:
        ConfigError: not a .yaml file, missing, unreadable, no mapping, a tag, or bases that lead back to themselves.
    """
    reading = Reading()
    _read_chain(Path(path), named_by, (), reading)
    return reading


def _read_chain(path, named_by, above, reading):
    """Append the settings of `path`'s bases, then its own. above: resolved files that led here."""
    resolved = path.resolve()
    if resolved in above:
        names = " -> ".join(file.name for file in (*above[above.index(resolved) :], resolved))
        raise ConfigError(f"{named_by}: the files lead back to themselves: {names}")
    document = _Document(path, _read_bytes(path, named_by))
    for base, line in document.bases:
        base_path = path.parent / os.path.expanduser(base)  # an absolute base stays as it is
        _read_chain(base_path, f"{path}:{line}: {BASE_KEY}", (*above, resolved), reading)
    reading.settings.extend(document.settings)
    reading.remarks.extend(document.remarks)


def _read_bytes(path, named_by):
    if path.suffix.lower() != ".yaml":
        raise ConfigError(f"{named_by}: '{path}' is not a .yaml file; a configuration is read from .yaml files only")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{named_by}: no file '{path}' (working directory: {Path.cwd()})") from None
    except OSError as error:
        raise ConfigError(f"{named_by}: cannot read '{path}': {error.strerror}") from None


class _Document:
    """One YAML file: its bases [(path, line)], settings and remarks."""

    def __init__(self, path, text):
        self.path = path
        self.bases, self.settings, self.remarks = [], [], []
        self.checked = set()  # mappings; an alias brings the same one a second time
        self.loader = None
        try:
            self.loader = yaml.SafeLoader(text)
            root = self.loader.get_single_node()
            if root is None or root.tag == "tag:yaml.org,2002:null":  # nothing but comments
                return
            if root.tag != "tag:yaml.org,2002:map":
                raise ConfigError(f"{self._at(root)}: a cfg file holds 'KEY: value' lines and sections of them")
            self._take_section(root, "")
        except yaml.YAMLError as error:
            raise ConfigError(self._explain(error)) from None
        finally:
            if self.loader is not None:
                self.loader.dispose()

    def _take_section(self, node, prefix, inside=()):
        """Append the settings of a mapping; of a key that is given twice the last one counts, as upstream's files need.

        inside: the mappings that this one stands in.
        """
        if node in inside:
            raise ConfigError(f"{self._at(node)}: section {prefix[:-1]} contains itself")
        if node not in self.checked:
            self.checked.add(node)
            self._check_names(node, prefix)
            self.loader.flatten_mapping(node)  # puts the pairs of '<<: *anchor' before the mapping's own
        pairs = {name_node.value: (name_node, value_node) for name_node, value_node in node.value}
        for name_node, value_node in pairs.values():
            key = prefix + name_node.value
            if key == BASE_KEY:
                self._take_bases(value_node)
            elif value_node.tag == "tag:yaml.org,2002:map" and value_node.value:
                self._take_section(value_node, f"{key}.", (*inside, node))
            else:
                self.settings.append(Setting(key, self._value(value_node, key), self._at(name_node)))

    def _check_names(self, node, prefix):
        lines = {}
        for name_node, _ in node.value:
            name, at = name_node.value, self._at(name_node)
            if name_node.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                raise ConfigError(f"{at}: a key is a word, got '{name}'")
            if "." in name:
                section, _, rest = name.partition(".")
                raise ConfigError(f"{at}: {name}: write '{section}:' and below it '  {rest}: ...'")
            if name in lines:
                self.remarks.append(f"{at}: {prefix}{name} already stands in line {lines[name]}; the last one counts")
            lines[name] = self._line(name_node)

    def _take_bases(self, node):
        """`_BASE_` is one file or a list of files that apply in this order."""
        value = self._value(node, BASE_KEY)
        for base in value if isinstance(value, list) else [value]:
            if not isinstance(base, str) or not base:
                raise ConfigError(f"{self._at(node)}: {BASE_KEY}: got {base!r}, expected the path of a .yaml file")
            self.bases.append((base, self._line(node)))

    def _value(self, node, key):
        try:
            return self.loader.construct_object(node, deep=True)
        except yaml.constructor.ConstructorError as error:
            raise ConfigError(f"{self._at(node)}: {key}: {error.problem}; {_PLAIN_VALUES}") from None
        except ValueError as error:  # a date such as 2024-99-99
            raise ConfigError(f"{self._at(node)}: {key}: {error}") from None

    def _line(self, node):
        return node.start_mark.line + 1

    def _at(self, node):
        return f"{self.path}:{self._line(node)}"

    def _explain(self, error):
        mark = getattr(error, "problem_mark", None)
        where = f"{self.path}:{mark.line + 1}" if mark else str(self.path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        return f"{where}: not readable as YAML: {problem}"


_PLAIN_VALUES = "a cfg holds plain values (numbers, words, True, False, None, lists) and cannot run code"
