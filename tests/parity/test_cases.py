"""Golden cases, rebuilt and compared: the committed ones always, the others where reference data is at hand."""

from itertools import product
from pathlib import Path

import pytest
import torch

from slowfast.models.layers.attention import IMPLEMENTATIONS
from slowfast.parity import BUILDERS, check_case, read_case

COMMITTED = sorted((Path(__file__).parent / "data").glob("*.json"))
DTYPES = [torch.float32, torch.float64]
HOW = [
    dict(zip(("dtype", "attention", "act_checkpoint"), way)) for way in product(DTYPES, IMPLEMENTATIONS, (False, True))
]
in_every_way = pytest.mark.parametrize("how", HOW, ids=lambda how: "-".join(map(str, how.values())))


@in_every_way
@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_case(path, how):
    result = check_case(read_case(path), **how)
    assert result.passed, str(result)


def test_every_committed_case_has_a_builder_and_gradients():
    assert COMMITTED
    for case in map(read_case, COMMITTED):
        assert case.system in BUILDERS
        assert case.tensors["grad"] and case.tensors["grad_input"] and case.tensors["feature"]


@in_every_way
@pytest.mark.parametrize(
    "pattern",
    ["xvit_*.json", "videomae_finetune_*.json", "videomae_pretrain_*.json", "vit_llama_*.json", "eva_*.json"],
)
def test_reference_cases(reference_dir, pattern, how):
    paths = sorted((reference_dir / "parity").glob(pattern))
    assert paths
    results = {path.stem: check_case(read_case(path), **how) for path in paths}
    assert all(result.passed for result in results.values()), {name: str(result) for name, result in results.items()}
