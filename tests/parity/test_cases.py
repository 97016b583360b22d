"""Golden cases, rebuilt and compared: the committed ones always, the others where reference data is at hand."""

from pathlib import Path

import pytest
import torch

from slowfast.parity import BUILDERS, check_case, read_case

COMMITTED = sorted((Path(__file__).parent / "data").glob("*.json"))
HOW = [(torch.float32, "sdpa"), (torch.float32, "explicit"), (torch.float64, "sdpa"), (torch.float64, "explicit")]


@pytest.mark.parametrize("dtype, attention", HOW, ids=lambda value: str(value).removeprefix("torch."))
@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_case(path, dtype, attention):
    result = check_case(read_case(path), dtype=dtype, attention=attention)
    assert result.passed, str(result)


def test_every_committed_case_has_a_builder_and_gradients():
    assert COMMITTED
    for case in map(read_case, COMMITTED):
        assert case.system in BUILDERS
        assert case.tensors["grad"] and case.tensors["grad_input"] and case.tensors["feature"]


@pytest.mark.parametrize("dtype, attention", HOW, ids=lambda value: str(value).removeprefix("torch."))
@pytest.mark.parametrize("pattern", ["xvit_*.json"])
def test_reference_cases(reference_dir, pattern, dtype, attention):
    paths = sorted((reference_dir / "parity").glob(pattern))
    assert paths
    results = {path.stem: check_case(read_case(path), dtype=dtype, attention=attention) for path in paths}
    assert all(result.passed for result in results.values()), {name: str(result) for name, result in results.items()}
