"""From a selector's scores to experts, and from their scores to one answer; arithmetic alone."""

# B clips, G groups, of which each has an expert, J experts asked for a clip, K classes
import torch

VOTES = ("maxlogit", "majority", "weighted", "weighted_prob")


def best_experts(selector_logits, count):
    """Numbers of the `count` best experts of each clip, best first, int64 (B, count); of equals the lower one first.

    Args: selector_logits: (B, G). count: TSTL.TOPK, at most G.
    """
    return selector_logits.argsort(dim=1, descending=True, stable=True)[:, :count]


def fuse(vote, selector_logits, experts, expert_logits):
    """One answer a clip from those of several experts, each of which scores all classes.

    maxlogit: the largest of the experts' scores, class by class. majority: what most experts answer, the lowest class
    of equals; the scores are those of the best expert alone and may disagree. weighted: as maxlogit, each expert's
    scores times its probability; where all scores are negative the least likely expert wins. weighted_prob: the mean of
    the experts' probabilities, weighted by the selector's; the scores are its logarithm.

    Args:
        vote: one of VOTES; all but the last as in the released code.
        selector_logits: (B, G); probabilities are over all G, those of weighted_prob over the J asked.
        experts: int64 (B, J), best first. expert_logits: (B, J, K), of these.
    Returns:
        (predictions int64 (B,), scores (B, K)).
    """
    weights = selector_logits.log_softmax(dim=1).gather(1, experts)[..., None]  # (B, J, 1), logarithms
    if vote == "majority":
        return _most_frequent(expert_logits.argmax(dim=2), expert_logits.shape[2]), expert_logits[:, 0]
    if vote == "weighted_prob":
        scores = (weights.log_softmax(dim=1) + expert_logits.log_softmax(dim=2)).logsumexp(dim=1)
    elif vote == "weighted":
        scores = (weights.exp() * expert_logits).amax(dim=1)
    else:
        assert vote == "maxlogit", f"vote '{vote}'"
        scores = expert_logits.amax(dim=1)
    return scores.argmax(dim=1), scores


def _most_frequent(answers, num_classes):
    """int64 (B, J) -> (B,), of equally frequent ones the lowest."""
    return torch.nn.functional.one_hot(answers, num_classes).sum(dim=1).argmax(dim=1)
