"""CAST shared out over two processes, its frozen experts too: the gradients of the whole model."""

from functools import partial

import pytest

from projects.cast.tests import test_registered  # noqa: F401 - gives CAST a small size
from tests.distributed.ranks import Ranks
from tests.engine.processes.test_sharding import check
from tests.models.sizes import small_cfg


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gradients_of_the_whole_model(precision, tmp_path):
    options = {"OUTPUT_DIR": str(tmp_path), "NUM_GPUS": 0, "TRAIN__PRECISION": precision, "MODEL__ACT_CHECKPOINT": True}
    job = partial(check, tolerance=2e-2)  # the exchange's positions travel with its block, rounded to bfloat16
    ranks = Ranks(job, small_cfg("CAST", **options), 2, tmp_path)
    assert ranks.wait() == [0, 0], ranks.errors
