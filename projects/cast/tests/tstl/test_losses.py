"""Triplet losses against loops over all triplets, and what batches without triplets cost."""

import itertools
import math
from pathlib import Path

import pytest
import torch

from projects.cast.tstl.losses import batch_all_triplet, semi_hard_triplet
from slowfast.parity import check_case, read_case


def batch(labels, dim=5, seed=0):
    embeddings = torch.randn(len(labels), dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return embeddings.requires_grad_(), torch.tensor(labels)


def looped_batch_all(x, labels, margin):
    values = [
        math.dist(x[a], x[p]) - math.dist(x[a], x[n]) + margin
        for a, p, n in itertools.permutations(range(len(x)), 3)
        if labels[a] == labels[p] != labels[n]
    ]
    values = [value for value in values if value > 1e-8]
    return sum(values) / len(values) if values else 0.0


def looped_semi_hard(x, labels, margin, power):
    def distance(i, j):
        return math.dist(x[i], x[j]) ** power

    values = []
    for a, p in itertools.permutations(range(len(x)), 2):
        negatives = [distance(a, n) for n in range(len(x)) if labels[n] != labels[a]]
        if labels[a] == labels[p] and negatives:
            farther = [value for value in negatives if value > distance(a, p)]
            values.append(max(distance(a, p) - (min(farther) if farther else max(negatives)) + margin, 0.0))
    return sum(values) / len(values) if values else 0.0


LABELS = [[0, 0, 1, 1, 2, 2, 3], [4, 4, 4, 4, 1], [0, 1], [7, 7], [0, 1, 2], [5]]


@pytest.mark.parametrize("margin", [0.2, 1.0, 6.0])
@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_losses_are_those_of_the_loops(labels, margin):
    embeddings, tensor = batch(labels)
    rows = embeddings.tolist()
    assert batch_all_triplet(embeddings, tensor, margin).item() == pytest.approx(looped_batch_all(rows, labels, margin))
    for root, power in ((False, 2), (True, 1)):
        got = semi_hard_triplet(embeddings, tensor, margin, root=root).item()
        assert got == pytest.approx(looped_semi_hard(rows, labels, margin, power))


@pytest.mark.parametrize("labels", [[7, 7, 7], [0, 1, 2], [5]], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_batches_without_triplets_cost_nothing(labels, dtype):
    for loss in (batch_all_triplet, semi_hard_triplet, lambda x, y: semi_hard_triplet(x, y, root=True)):
        embeddings, tensor = batch(labels)
        embeddings = embeddings.detach().to(dtype).requires_grad_()
        value = loss(embeddings, tensor)
        value.backward()
        assert value.item() == 0.0
        assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))


def test_equal_embeddings_have_finite_gradients():
    embeddings = torch.ones(6, 4, requires_grad=True)
    for loss in (batch_all_triplet, lambda x, y: semi_hard_triplet(x, y, root=True)):
        value = loss(embeddings, torch.tensor([0, 0, 1, 1, 2, 2]))
        value.backward()
        assert value.item() == pytest.approx(1.0) and embeddings.grad.isfinite().all()


def test_gradients_are_the_differences():
    for loss in (batch_all_triplet, semi_hard_triplet, lambda x, y: semi_hard_triplet(x, y, root=True)):
        embeddings, labels = batch([0, 0, 1, 1, 2, 2])
        assert torch.autograd.gradcheck(lambda x, loss=loss, labels=labels: loss(x, labels), embeddings)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_committed_case(dtype):
    result = check_case(read_case(Path(__file__).parent / "data" / "tstl_losses_a.json"), dtype=dtype)
    assert result.passed, str(result)


def test_golden_cases(reference_dir):
    paths = sorted((reference_dir / "parity").glob("tstl_losses_*.json"))
    assert paths
    for path in paths:
        result = check_case(read_case(path))
        assert result.passed, f"{path.stem}: {result}"
