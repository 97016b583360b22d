"""How answers of several experts become one."""

from pathlib import Path

import pytest
import torch

from projects.cast.tstl.routing import VOTES, best_experts, fuse
from slowfast.parity import check_case, read_case

SELECTOR = torch.tensor([[0.0, 2.0, 1.0, 2.0]])


def test_experts_by_rank_and_of_equals_the_lower():
    assert best_experts(SELECTOR, 3).tolist() == [[1, 3, 2]]
    assert best_experts(torch.zeros(2, 5), 5).tolist() == [[0, 1, 2, 3, 4]] * 2


def fused(vote, *rows):
    """Of the experts 1, 3, 2 in this order."""
    prediction, scores = fuse(vote, SELECTOR, best_experts(SELECTOR, len(rows)), torch.tensor([rows]))
    return prediction.item(), scores[0].tolist()


def test_maxlogit():
    assert fused("maxlogit", [1.0, 2.0, 0.0], [4.0, 1.0, 0.0], [0.0, 3.0, 1.0]) == (0, [4.0, 3.0, 1.0])


def test_majority_takes_the_lowest_of_equals_and_keeps_the_best_experts_scores():
    assert fused("majority", [0.0, 0.0, 9.0], [0.0, 5.0, 0.0]) == (1, [0.0, 0.0, 9.0])
    assert fused("majority", [0.0, 0.0, 9.0], [0.0, 5.0, 0.0], [0.0, 0.0, 3.0])[0] == 2


def test_weighted_lets_an_unlikely_expert_win_where_all_are_negative_and_weighted_prob_does_not():
    selector = torch.tensor([[6.0, 0.0]])
    experts, logits = best_experts(selector, 2), torch.tensor([[[-4.0, -1.0, -3.0], [-1.0, -5.0, -5.0]]])
    probability = selector.softmax(dim=1)[0]
    prediction, scores = fuse("weighted", selector, experts, logits)
    expected = torch.maximum(probability[0] * logits[0, 0], probability[1] * logits[0, 1])
    torch.testing.assert_close(scores[0], expected)
    assert prediction.item() == 0  # the answer of the expert that the selector gives 0.2 %
    assert fuse("weighted_prob", selector, experts, logits)[0].item() == 1


def test_weighted_prob_is_the_mixture_of_the_probabilities():
    generator = torch.Generator().manual_seed(0)
    selector, logits = torch.randn(5, 7, generator=generator), torch.randn(5, 3, 4, generator=generator)
    experts = best_experts(selector, 3)
    weights = selector.softmax(dim=1).gather(1, experts)
    mixture = (weights[..., None] / weights.sum(dim=1)[:, None, None] * logits.softmax(dim=2)).sum(dim=1)
    prediction, scores = fuse("weighted_prob", selector, experts, logits)
    torch.testing.assert_close(scores.exp(), mixture)
    torch.testing.assert_close(scores.softmax(dim=1), mixture)  # so that a test run averages these
    assert torch.equal(prediction, mixture.argmax(dim=1))


@pytest.mark.parametrize("vote", VOTES)
def test_one_expert_answers_alone(vote):
    generator = torch.Generator().manual_seed(1)
    selector, logits = torch.randn(6, 3, generator=generator), torch.randn(6, 1, 4, generator=generator).abs()
    prediction, _ = fuse(vote, selector, best_experts(selector, 1), logits)
    assert torch.equal(prediction, logits[:, 0].argmax(dim=1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_committed_case(dtype):
    result = check_case(read_case(Path(__file__).parent / "data" / "tstl_routing_a.json"), dtype=dtype)
    assert result.passed, str(result)


def test_golden_cases(reference_dir):
    paths = sorted((reference_dir / "parity").glob("tstl_routing_*.json"))
    assert paths
    for path in paths:
        result = check_case(read_case(path))
        assert result.passed, f"{path.stem}: {result}"
