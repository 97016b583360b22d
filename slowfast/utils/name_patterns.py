"""Lists of patterns over the dotted names of parameters, each of which must match something."""

import difflib
from fnmatch import fnmatchcase

from slowfast.utils.errors import ConfigError


def matches(pattern, name):
    """Whether a pattern covers a name: the name itself, a module above it, or a wildcard over the whole name.

    "blocks.1" covers blocks.1.mlp.fc1.weight but nothing of blocks.10; "*.bias" and "*adapter*" are wildcards as in
    file names (*, ?, [...]).
    """
    return name == pattern or name.startswith(f"{pattern}.") or fnmatchcase(name, pattern)


def matching(patterns, names, key):
    """The names that at least one pattern covers, as a set.

    Args:
        patterns: strings as in `matches`.
        names: dotted names.
        key: config key that the patterns come from, for the message.
    Raises:
        ConfigError: a pattern covers nothing; names the pattern and the nearest names.
    """
    names, found, problems = list(names), set(), []
    for pattern in patterns:
        covered = {name for name in names if matches(pattern, name)}
        found |= covered
        if not covered:
            problems.append(f"{key}: '{pattern}' matches no parameter; {_hint(pattern, names)}")
    if problems:
        raise ConfigError(problems)
    return found


def _hint(pattern, names):
    """Names that look like the pattern, modules included."""
    parts = [name.split(".") for name in names]
    known = dict.fromkeys(".".join(words[:end]) for words in parts for end in range(len(words), 0, -1))
    bare = pattern.strip("*.")
    inside = [name for name in known if bare and bare.lower() in name.lower()]
    near = inside or difflib.get_close_matches(bare, known, n=3, cutoff=0.5)
    if near:
        return f"near it: {', '.join(sorted(near, key=len)[:3])}; patterns cover whole names, '*' stands for any text"
    return f"the parameters' first names are {', '.join(dict.fromkeys(words[0] for words in parts))}"
