"""Numbers over a whole set, from the verdicts on its lines: pure counting."""

from collections import Counter, defaultdict

import numpy as np

from slowfast.datasets.scan.verdicts import EVALUATION, STATUSES, TRAIN, role

_MANY = 15.0  # times as many videos in the largest class as in the smallest
_HEADS = ("verb", "noun")
_NAMED = 12  # classes that a note names


def count_splits(verdicts):
    """dict split -> dict: "lines", "well" (lines without any problem), a number for each status, "wrong_labels",
    "leaks", "classes", "seconds" and "bytes" (of the files, each once), "cleaned" None.
    """
    splits = defaultdict(list)
    for verdict in verdicts:
        splits[verdict.split].append(verdict)
    return {split: _count(lines) for split, lines in splits.items()}


def _count(lines):
    statuses = Counter(verdict.status for verdict in lines)
    files = {verdict.record.path: verdict.bytes or 0 for verdict in lines}
    return {
        "lines": len(lines),
        "well": sum(verdict.is_well for verdict in lines),
        **{status: statuses[status] for status in STATUSES},
        "wrong_labels": sum(bool(verdict.label_problem) for verdict in lines),
        "leaks": sum(bool(verdict.leak) for verdict in lines),
        "classes": len({n for v in lines if not v.label_problem for n in class_numbers(v.record.label)} - {None}),
        "seconds": sum(verdict.seconds or 0.0 for verdict in lines),
        "bytes": sum(files.values()),
    }


def class_numbers(label):
    """The classes that a line counts for: numbers, or (head, number) for labels of several heads."""
    if isinstance(label, tuple):
        return list(enumerate(label))
    if isinstance(label, list):
        return sorted({entry[0] if isinstance(entry, (tuple, list)) else entry for entry in label})
    return [label]


def count_classes(verdicts, num_classes=None):
    """dict class -> dict split -> (lines, lines without a problem), in the order of the classes.

    Args:
        num_classes: classes without any line are counted too, if it is an int and labels have one head.
    """
    splits = list(dict.fromkeys(verdict.split for verdict in verdicts))
    several = any(isinstance(verdict.record.label, tuple) for verdict in verdicts)
    classes = range(num_classes) if isinstance(num_classes, int) and not several else ()
    counts = {number: {split: [0, 0] for split in splits} for number in classes}
    for verdict in verdicts:
        for number in class_numbers(verdict.record.label):
            cell = counts.setdefault(number, {split: [0, 0] for split in splits})[verdict.split]
            cell[0] += 1
            cell[1] += verdict.is_well
    order = sorted(counts, key=lambda number: (number is None, number))
    return {number: {split: tuple(cell) for split, cell in counts[number].items()} for number in order}


def class_notes(classes, names=None):
    """What is odd about how lines are spread over the classes, as texts.

    Args:
        classes: what `count_classes` returns.
        names: dict class -> name, or None.
    """
    splits = list(next(iter(classes.values()), {}))
    train, evaluated = ([s for s in splits if role(s) == kind] for kind in (TRAIN, EVALUATION))
    total = {number: {s: cell[0] for s, cell in row.items()} for number, row in classes.items()}
    notes = []
    if train:
        none = [n for n, row in total.items() if not any(row[s] for s in train)]
        tested = [n for n in none if any(total[n][s] for s in evaluated)]
        rest = [n for n in none if n not in set(tested)]
        if tested:
            notes.append(f"{_classes(tested, names)} tested on, but without a single training video")
        if rest:
            notes.append(f"{_classes(rest, names)} without a single video")
        sizes = [sum(row[s] for s in train) for n, row in total.items() if n not in set(none)]
        if sizes and max(sizes) > _MANY * min(sizes):
            notes.append(f"the largest class has {max(sizes):,} training videos, the smallest {min(sizes):,}")
    return notes


def _classes(numbers, names):
    named = ", ".join(class_name(number, names) for number in numbers[:_NAMED])
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"{len(numbers)} class{'es' if len(numbers) > 1 else ''} ({named}{more})"


def class_name(number, names=None):
    """A class in words: its name in dict number -> name, else its number. Two heads are taken for verb and noun."""
    if isinstance(number, tuple):
        head, number = number
        return f"{_HEADS[head] if head < len(_HEADS) else f'head {head + 1}'} {number}"
    if number is None:
        return "no class"
    return (names or {}).get(number, str(number))


def histogram(values, bins=24):
    """(edges, counts) over round numbers; the last bin takes all that lies beyond 1.5 times the 99th percentile.

    Args:
        values: numbers, at least one.
    Returns:
        float64 (B + 1,), ints (B,); the last edge is inf where values lie beyond.
    """
    values = np.asarray(values, dtype=np.float64)
    low, high = values.min(), min(values.max(), 1.5 * np.percentile(values, 99))
    step = _round_step((high - low) / bins)
    first = np.floor(low / step) * step
    edges = first + step * np.arange(int(np.floor((high - first) / step)) + 2)
    counts = np.histogram(np.minimum(values, edges[-1]), edges)[0]
    if values.max() > edges[-1]:
        edges[-1] = np.inf
    return edges, counts


def _round_step(step):
    """The next 1, 2 or 5 times a power of ten."""
    if step <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(step))
    return float(power * next(m for m in (1, 2, 5, 10) if m * power >= step * (1 - 1e-9)))


def most_common(values, limit=12):
    """[(value, count)] by value; beyond `limit` values the rarest are put together under None, at the end."""
    counts = Counter(values)
    kept = dict(counts.most_common(limit))
    rest = sum(counts.values()) - sum(kept.values())
    return [(value, kept[value]) for value in sorted(kept)] + ([(None, rest)] if rest else [])
