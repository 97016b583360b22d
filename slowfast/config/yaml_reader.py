"""Reads YAML files into flat settings that remember file and line. Plain data only: nothing in a file can run code."""

from dataclasses import dataclass
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

    settings: list
    remarks: list


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
    reading = Reading([], [])
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
        base_path = path.parent / Path(base).expanduser()  # an absolute base stays as it is
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
        self.loader = None
        try:
            self.loader = yaml.SafeLoader(text)
            root = self.loader.get_single_node()
            if root is None:  # nothing but comments
                return
            if not isinstance(root, yaml.MappingNode):
                raise ConfigError(f"{self._at(root)}: a cfg file holds 'KEY: value' lines and sections of them")
            self._take_section(root, "")
        except yaml.YAMLError as error:
            raise ConfigError(self._explain(error)) from None
        finally:
            if self.loader is not None:
                self.loader.dispose()

    def _take_section(self, node, prefix, inside=()):
        if node in inside:
            raise ConfigError(f"{self._at(node)}: section {prefix[:-1]} contains itself")
        self.loader.flatten_mapping(node)  # '<<: *anchor'
        for name_node, value_node in self._last_of_each(node, prefix):
            key = prefix + name_node.value
            if key == BASE_KEY:
                self._take_bases(value_node)
            elif isinstance(value_node, yaml.MappingNode) and value_node.value:
                self._take_section(value_node, f"{key}.", (*inside, node))
            else:
                self.settings.append(Setting(key, self._value(value_node, key), self._at(name_node)))

    def _last_of_each(self, node, prefix):
        """The pairs of a mapping; of a key that is given twice the last one counts, as upstream's files need."""
        pairs = {}
        for name_node, value_node in node.value:
            if name_node.tag != "tag:yaml.org,2002:str":
                raise ConfigError(f"{self._at(name_node)}: a key is a word, got '{name_node.value}'")
            if "." in name_node.value:
                section, _, rest = name_node.value.partition(".")
                raise ConfigError(
                    f"{self._at(name_node)}: {name_node.value}: write '{section}:' and below it '  {rest}: ...'"
                )
            if name_node.value in pairs:
                self.remarks.append(
                    f"{self._at(name_node)}: {prefix}{name_node.value} already stands in line "
                    f"{self._line(pairs[name_node.value][0])}; the last one counts"
                )
            pairs[name_node.value] = name_node, value_node
        return list(pairs.values())

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
        except yaml.constructor.ConstructorError:
            raise ConfigError(f"{self._at(node)}: {key}: {_TAGS_REFUSED}") from None
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


_TAGS_REFUSED = (
    "only plain values (numbers, words, True, False, None, lists) are read, never a tag such as !!python/object; "
    "a cfg cannot run code"
)
