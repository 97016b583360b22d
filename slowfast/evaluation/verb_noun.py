"""Scores of a verb and a noun a clip: hits of verb, noun and action, and what a test run tells of them.

V videos (or clips), scores of the verbs and then of the nouns side by side; labels are (verb, noun). Accuracies are in
percent. An action is right at k if its verb is among the k best verbs and its noun among the k best nouns, as CAST's
test and EPIC-KITCHENS-100 users count; `joint` ranks all pairs instead.
"""

import numpy as np
import torch

from slowfast.evaluation.metrics import label_ranks

HITS = (
    *("verb_top1", "verb_top5", "noun_top1", "noun_top5"),
    *("action_top1", "action_top5", "action_top5_joint"),
)
_ROWS_AT_ONCE = 256  # of verbs x nouns joint scores


def verb_noun_hits(scores, labels, head_classes, *, probabilities):
    """Which rows are right.

    Args:
        scores: (V, verbs + nouns), tensor or array.
        labels: integers (V, 2).
        head_classes: (verbs, nouns).
        probabilities: a pair's joint score is the product of probabilities, or else the sum of logits.
    Returns:
        dict of bool tensors (V,), by the names of HITS.
    """
    scores, labels = torch.as_tensor(scores), torch.as_tensor(labels).long()
    parts = dict(zip(("verb", "noun"), scores.split(list(head_classes), dim=1)))
    hits = {}
    for column, (name, part) in enumerate(parts.items()):
        ranks = label_ranks(part, labels[:, column])
        hits |= {f"{name}_top1": ranks < 1, f"{name}_top5": ranks < min(5, part.shape[1])}
    for k in ("top1", "top5"):
        hits[f"action_{k}"] = hits[f"verb_{k}"] & hits[f"noun_{k}"]
    joint = _joint_ranks(parts["verb"], parts["noun"], labels, probabilities)
    hits["action_top5_joint"] = joint < min(5, head_classes[0] * head_classes[1])
    return hits


def _joint_ranks(verb, noun, labels, probabilities):
    """Rank of each row's action among all pairs; int64 (V,)."""
    ranks = [torch.zeros(0, dtype=torch.int64, device=verb.device)]
    for v, n, own in zip(*(tensor.split(_ROWS_AT_ONCE) for tensor in (verb, noun, labels))):
        v, n = v[:, :, None], n[:, None, :]
        joint = (v * n if probabilities else v + n).flatten(1)
        ranks.append(label_ranks(joint, own[:, 0] * noun.shape[1] + own[:, 1]))
    return torch.cat(ranks)


def accuracies(hits, chosen=None):
    """dict "<hit>_acc" -> percent; NaN without rows.

    Args:
        hits: from `verb_noun_hits`.
        chosen: dict "verb", "noun", "action" -> bool (V,), the rows that count for each; None: all.
    """
    result = {}
    for name, right in hits.items():
        rows = right if chosen is None else right[torch.as_tensor(chosen[name.partition("_")[0]])]
        result[f"{name}_acc"] = 100.0 * float(rows.double().mean()) if len(rows) else float("nan")
    return result


def summarise(scores, labels, head_classes, *, probabilities, groups):
    """What test_results.json tells: accuracies over all clips, and over each group of clips.

    Args:
        scores, labels, head_classes, probabilities: as `verb_noun_hits`; labels below 0 are unknown.
        groups: name -> dict "verb", "noun", "action" -> bool (V,), the rows that count for each.
    Returns:
        dict; empty where no labels are known, as in a challenge's test set.
    """
    if (np.asarray(labels) < 0).any():
        return {}
    hits = verb_noun_hits(scores, labels, head_classes, probabilities=probabilities)
    counts = {name: {part: int(rows.sum()) for part, rows in chosen.items()} for name, chosen in groups.items()}
    return accuracies(hits) | {
        name: accuracies(hits, chosen) | {"num_videos": counts[name]} for name, chosen in groups.items()
    }


def submission(scores, clip_ids, head_classes, *, probabilities, levels):
    """The challenge's submission as a dict for JSON.

    Scores are written as logarithms of probabilities, since the challenge takes a softmax of what it gets.

    Args:
        scores: array (V, verbs + nouns), summed over the views.
        clip_ids: V narration ids.
        head_classes, probabilities: as `verb_noun_hits`.
        levels: dict "sls_pt", "sls_tl", "sls_td" -> 0 to 5, the supervision of pre-training, labels and data.
    Source: github.com/epic-kitchens/C1-Action-Recognition, format 0.2.
    """
    parts = torch.as_tensor(scores).double().split(list(head_classes), dim=1)
    if probabilities:
        parts = [(part / part.sum(dim=1, keepdim=True)).clamp_min(1e-12).log() for part in parts]
    rows = zip(clip_ids, *(part.tolist() for part in parts))
    results = {str(clip): {"verb": _numbered(verb), "noun": _numbered(noun)} for clip, verb, noun in rows}
    return {"version": "0.2", "challenge": "action_recognition", **levels, "results": results}


def _numbered(values):
    return {str(index): value for index, value in enumerate(values)}
