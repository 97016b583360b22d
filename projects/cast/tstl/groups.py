"""Groups of look-alike classes: which class belongs to which group, and so to which expert."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write_text

ADVICE = "Make the file with projects/cast/group_classes.py"


@dataclass(frozen=True)
class Groups:
    """A partition of the classes.

    Args:
        of_class: group of each class, tuple (K,) of numbers from 0 on without gaps.
        source: in words, where the groups come from.
        class_names: K strings, or () where they are not known.
    """

    of_class: tuple
    source: str = ""
    class_names: tuple = field(default=())

    @property
    def num_classes(self):
        return len(self.of_class)

    @property
    def num_groups(self):
        return max(self.of_class) + 1

    @property
    def members(self):
        """Classes of each group, a list of lists."""
        found = [[] for _ in range(self.num_groups)]
        for label, group in enumerate(self.of_class):
            found[group].append(label)
        return found

    @property
    def names(self):
        """A name a group: its number and its first class."""
        named = [self.class_names[group[0]] if self.class_names else f"class {group[0]}" for group in self.members]
        return [f"{number}: {name} +{len(self.members[number]) - 1}" for number, name in enumerate(named)]

    def content(self):
        """What the file holds: num_groups, class_to_head, source, class_names."""
        return {
            "source": self.source,
            "num_groups": self.num_groups,
            "class_to_head": {str(label): group for label, group in enumerate(self.of_class)},
            "class_names": list(self.class_names),
        }

    def write(self, path):
        atomic_write_text(path, json.dumps(self.content(), indent=1) + "\n")


def read_groups(path, num_classes=None):
    """Groups of a JSON file with `class_to_head`: class number -> group number.

    Args: num_classes: what MODEL.NUM_CLASSES says; None: any number.
    Raises: UserError naming the file: it cannot be read, leaves classes out, names unknown ones, has an empty group, or
        is for another number of classes.
    """
    if not path:
        raise UserError(
            f"TSTL.GROUPS_PATH is empty; name the JSON file that says which class is in which group. {ADVICE}"
        )
    try:
        content = json.loads(Path(path).read_text())
        pairs = {int(label): int(group) for label, group in content["class_to_head"].items()}
        names = tuple(str(name) for name in content.get("class_names", ()))
    except OSError as error:
        raise UserError(f"TSTL.GROUPS_PATH: cannot read {path}: {error.strerror}. {ADVICE}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f'TSTL.GROUPS_PATH: {path} is no JSON with "class_to_head": {{"0": group, ...}} ({error!r}). {ADVICE}'
        ) from None
    return checked_groups(
        pairs,
        f"TSTL.GROUPS_PATH: {path}",
        num_classes=num_classes,
        num_groups=content.get("num_groups"),
        source=str(content.get("source", "")),
        class_names=names,
    )


def checked_groups(pairs, origin, *, num_classes=None, num_groups=None, source="", class_names=()):
    """Groups of a dict class -> group.

    Args: origin: what messages call it. num_classes, num_groups: that there have to be; None: any.
    Raises: UserError, as `read_groups`.
    """
    if not pairs:
        raise UserError(f"{origin} names no class. {ADVICE}")
    wanted = range(max(pairs) + 1 if num_classes is None else num_classes)
    unknown = sorted(pairs.keys() - set(wanted))
    missing = sorted(set(wanted) - pairs.keys())
    problems = []
    if unknown:
        problems.append(f"names {_some(unknown)}, but the classes are 0 to {len(wanted) - 1} (MODEL.NUM_CLASSES)")
    if missing:
        problems.append(f"leaves out {_some(missing)} of {len(wanted)} classes")
    heads = set(pairs.values())
    expected = range(max(heads, default=0) + 1 if num_groups is None else int(num_groups))
    if empty := sorted(set(expected) - heads):
        problems.append(f"has no class in group(s) {', '.join(map(str, empty))}: an expert would have nothing to learn")
    if strange := sorted(heads - set(expected)):
        problems.append(f"has groups {', '.join(map(str, strange))} outside 0 to {len(expected) - 1}")
    if class_names and len(class_names) != len(wanted):
        problems.append(f"has {len(class_names)} class names for {len(wanted)} classes")
    if problems:
        raise UserError(f"{origin} {'; it '.join(problems)}. {ADVICE}")
    return Groups(tuple(pairs[label] for label in wanted), source, tuple(class_names))


def _some(labels, limit=8):
    more = ", ..." if len(labels) > limit else ""
    return f"{len(labels)} class(es) ({', '.join(map(str, labels[:limit]))}{more})"
