"""Which classes look alike: similarities from a confusion matrix or from label words, and clusters of them."""

# K classes, G groups
import re

import numpy as np

from slowfast.utils.errors import UserError

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")  # "YoYo" is two words, "TaiChi" too
SHORTEST_STEM = 4  # letters; longer words are the same if they agree in as many of their first ones
STOP_WORDS = {"a", "an", "and", "at", "from", "in", "into", "of", "on", "or", "something", "the", "to", "with"}


def confusion_similarity(matrix):
    """How often either class of a pair is taken for the other, float64 (K, K), symmetric, zero on the diagonal.

    Args: matrix: counts (K, K), rows: true classes.
    """
    matrix = np.asarray(matrix, np.float64)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1.0)
    similarity = (shares + shares.T) / 2
    np.fill_diagonal(similarity, 0.0)
    return similarity


def word_similarity(names):
    """Cosine of the words of two labels, rare words counting more, float64 (K, K), zero on the diagonal."""
    bags = [_stems(name) for name in names]
    words = sorted(set().union(*bags))
    counts = np.array([[word in bag for word in words] for bag in bags], np.float64)  # (K, words)
    rows = counts * np.log(1.0 + len(names) / np.maximum(counts.sum(axis=0), 1.0))
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, 0.0)
    return similarity


def _stems(name):
    words = {word.lower() for word in WORD.findall(name)} - STOP_WORDS
    return {word[:SHORTEST_STEM] for word in words}


def cluster(similarity, num_groups, largest=None):
    """Group of each class, a list (K,), groups in the order of their first class.

    Average-linkage agglomeration: the two groups that are most alike are joined, of equals those with the fewest
    classes, until `num_groups` are left.

    Args:
        similarity: (K, K), symmetric.
        largest: classes that a group may have; None: twice as many as K / G, so that no group swallows all others.
    Raises: UserError: there are fewer classes than groups, or `largest` leaves no way to have so few groups.
    """
    count = len(similarity)
    if not 1 <= num_groups <= count:
        raise UserError(f"--num_groups {num_groups}: {count} classes can be in 1 to {count} groups")
    largest = largest or -(-2 * count // num_groups)
    if largest * num_groups < count:
        raise UserError(f"--largest {largest}: {num_groups} groups of {largest} do not hold {count} classes; raise it")
    clusters = [[label] for label in range(count)]
    sums = np.array(similarity, np.float64)  # of similarities between the members of two clusters
    while len(clusters) > num_groups:
        first, second = _most_alike(clusters, sums, largest)
        clusters[first] += clusters.pop(second)
        sums[first] += sums[second]
        sums[:, first] += sums[:, second]
        sums = np.delete(np.delete(sums, second, axis=0), second, axis=1)
    group_of = {label: number for number, members in enumerate(sorted(map(sorted, clusters))) for label in members}
    return [group_of[label] for label in range(count)]


def _most_alike(clusters, sums, largest):
    """Numbers (lower, higher) of the clusters to join. Raises: UserError where none may be."""
    sizes = np.array([len(members) for members in clusters])
    together = sizes[:, None] + sizes[None]
    allowed = np.triu(together <= largest, k=1)
    if not allowed.any():
        raise UserError(f"--largest {largest}: {len(clusters)} groups are left and no two fit into one; raise it")
    means = sums / (sizes[:, None] * sizes[None])
    places = np.argwhere(allowed)
    keys = np.lexsort((together[allowed], -means[allowed].round(12)))
    return places[keys[0]].tolist()
