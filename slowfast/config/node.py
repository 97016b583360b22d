"""The configuration object: a tree of keys with attribute access that can be frozen."""

from dataclasses import dataclass

from yacs.config import CfgNode as YacsNode


@dataclass(frozen=True)
class Changes:
    """How a configuration differs from what it builds on.

    since: the files of its `_BASE_`, else its own file, else "the defaults". values: {key: (value there, value here)}.
    """

    since: str
    values: dict


class CfgNode(YacsNode):
    """YACS' node, with freezing that also covers cfg["KEY"] = ... and merge_from_list.

    Pickling and copying keep the frozen state and the changes.
    """

    CHANGES = "__changes__"

    @property
    def changes(self):
        """Changes of a loaded configuration from the one that it builds on; None where it was not loaded."""
        return self.__dict__.get(self.CHANGES)

    def __setitem__(self, key, value):
        self._refuse_if_frozen(key)
        super().__setitem__(key, value)

    def __delitem__(self, key):
        self._refuse_if_frozen(key)
        super().__delitem__(key)

    def __reduce__(self):
        return _rebuild, (dict(self), self.is_frozen(), self.changes)

    def _refuse_if_frozen(self, key):
        if self.is_frozen():
            raise AttributeError(f"the configuration is frozen: {key} cannot change; clone() and defrost() make a copy")


def _rebuild(items, frozen, changes):
    node = CfgNode()
    dict.update(node, items)
    node.__dict__[CfgNode.IMMUTABLE] = frozen
    node.__dict__[CfgNode.CHANGES] = changes
    return node


def is_section(value):
    """Whether a value is a section of keys; a project may have made it from YACS' or fvcore's class."""
    return isinstance(value, YacsNode)


def leaves(node, prefix=""):
    """All keys of a tree as {dotted path: value}, in the tree's order; sections themselves are not listed."""
    found = {}
    for name, value in node.items():
        if is_section(value):
            found.update(leaves(value, f"{prefix}{name}."))
        else:
            found[prefix + name] = value
    return found


def has(node, key):
    """Whether a dotted path names a key or a section."""
    for name in key.split("."):
        if not is_section(node) or name not in node:
            return False
        node = node[name]
    return True


def get(node, key):
    """The value of a dotted key. Raises: KeyError when it does not exist."""
    for name in key.split("."):
        node = node[name]
    return node


def put(node, key, value):
    """Set a dotted key, making the sections above it where they are missing."""
    *sections, name = key.split(".")
    for section in sections:
        if section not in node:
            node[section] = CfgNode()
        node = node[section]
    node[name] = value
