#!/usr/bin/env python
"""Make the groups of look-alike classes that TSTL's experts stand for: python projects/cast/group_classes.py WAY ...

--lists FILE: groups as they are given, JSON lists of class numbers or names. --confusion predictions.npz: classes that
a tested model confuses, clustered. --words: classes whose labels share words, clustered. Writes the groups as JSON
(class_to_head) and a picture of them beside it.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from projects.cast.tstl.clustering import cluster, confusion_similarity, word_similarity
from projects.cast.tstl.groups import checked_groups
from projects.cast.tstl.groups_picture import draw_groups
from slowfast.evaluation.metrics import confusion_matrix
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, UserError
from slowfast.utils.label_map import nearest, plain, read_classes


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--lists", metavar="FILE", help="JSON: [[class, ...], ...], classes by number or by name")
    way.add_argument("--confusion", metavar="FILE", help="predictions.npz of a test run, of one label a video")
    way.add_argument("--words", action="store_true", help="by the words of the labels in --names")
    parser.add_argument("--names", default="", metavar="FILE", help="class names, as DATA.CLASS_NAMES_PATH takes them")
    parser.add_argument("--num_groups", type=int, metavar="G", help="groups to make (not with --lists)")
    parser.add_argument("--largest", type=int, metavar="N", help="classes a group may have, default twice the mean")
    parser.add_argument("--out", required=True, metavar="FILE", help="JSON to write; the picture is FILE with .png")
    args = parser.parse_args(argv)
    if not args.lists and not args.num_groups:
        parser.error("--confusion and --words need --num_groups")
    if args.words and not args.names:
        parser.error("--words needs --names")
    return args


def main(argv=None):
    args = parse_args(argv)
    names = read_classes(args.names) if args.names else None
    if args.lists:
        groups, similarity = from_lists(args.lists, names), None
    else:
        groups, similarity = from_similarity(args, names)
    groups.write(args.out)
    picture = Path(args.out).with_suffix(".png")
    draw_groups(groups, picture, similarity)
    sizes = sorted(len(members) for members in groups.members)
    print(f"{groups.num_classes} classes in {groups.num_groups} groups of {sizes[0]} to {sizes[-1]}: {args.out}")
    print(f"picture: {picture}")
    return EXIT_DONE


def from_lists(path, names):
    """Groups of a JSON file of lists. Args: names: of the classes, or None where the lists hold numbers."""
    try:
        lists = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"--lists {path}: cannot be read: {error}") from None
    if not isinstance(lists, list) or not all(isinstance(members, list) for members in lists):
        raise UserError(f"--lists {path}: expected a JSON list of lists of classes")
    numbers = {plain(name): label for label, name in enumerate(names or ())}
    pairs = {}
    for group, members in enumerate(lists):
        for member in members:
            label = _number(member, numbers, path)
            if label in pairs:
                raise UserError(f"--lists {path}: class {member!r} is in groups {pairs[label]} and {group}")
            pairs[label] = group
    return checked_groups(
        pairs,
        f"--lists {path}",
        num_classes=len(names) if names else None,
        num_groups=len(lists),
        source=f"given lists ({Path(path).name})",
        class_names=names or (),
    )


def _number(member, numbers, path):
    if isinstance(member, int) and not isinstance(member, bool):
        return member
    if isinstance(member, str) and plain(member) in numbers:
        return numbers[plain(member)]
    told = nearest(plain(str(member)), numbers) if numbers else "; --names FILE tells the numbers of names"
    raise UserError(f"--lists {path}: {member!r} is no class{told}")


def from_similarity(args, names):
    """(Groups, similarity) by --confusion or --words."""
    if args.words:
        similarity, source = word_similarity(names), f"label words ({Path(args.names).name})"
    else:
        matrix, own_names = read_confusion(args.confusion)
        names = names or own_names
        if len(names) != len(matrix):
            raise UserError(f"--names {args.names}: {len(names)} names, but {args.confusion} has {len(matrix)} classes")
        similarity, source = confusion_similarity(matrix), f"confusions of {args.confusion}"
    pairs = dict(enumerate(cluster(similarity, args.num_groups, args.largest)))
    return checked_groups(pairs, "the clustering", source=source, class_names=names), similarity


def read_confusion(path):
    """(counts (K, K), class names) of a test run's predictions.npz. Raises: UserError: it is none, or unlabelled."""
    try:
        with np.load(path, allow_pickle=False) as file:
            scores, labels, names = file["scores"], file["labels"], file["class_names"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"--confusion {path}: is no predictions.npz of a test run ({error})") from None
    if labels.ndim != 1 or not len(labels) or labels.min() < 0:
        raise UserError(f"--confusion {path}: needs one known label a video, labels have shape {labels.shape}")
    return confusion_matrix(scores.argmax(axis=1), labels, scores.shape[1]), [str(name) for name in names]


if __name__ == "__main__":
    sys.exit(run_command(main))
