"""docs/scaling.md holds what is computed; the model against numbers from elsewhere."""

import json

import pytest

from benchmarks import scaling
from benchmarks import scaling_model as model
from benchmarks.scaling_measured import predicted_bytes


@pytest.fixture(scope="module")
def figures():
    return json.loads(scaling.FIGURES.read_text())


@pytest.fixture(scope="module")
def works(figures):
    return {work["name"]: model.Workload(**work) for work in figures["workloads"]}


def test_the_page_holds_the_tables_that_are_computed(figures, works):
    assert scaling.outdated(scaling.PAGE.read_text(), scaling.tables([*works.values()], figures["measured"])) == []


def test_a_changed_number_is_found(figures, works):
    wanted = scaling.tables([*works.values()], figures["measured"])
    page = scaling.PAGE.read_text()
    assert scaling.outdated(page.replace("630,000", "640,000"), wanted) == ["storage"]
    assert scaling.updated(page.replace("630,000", "640,000"), wanted) == page


def test_a_recipe_is_what_the_figures_say(works):
    found = model.describe("XViT-B")
    assert found == works["XViT-B"]
    assert 3 * 2 * 0.98 < found.flops / 281.4e9 < 3 * 2 * 1.02  # three times the forward pass of docs/performance.md


def test_sizes_of_the_papers(works):
    assert works["EVA-1B"].parameters == pytest.approx(1.0e9, rel=0.02) == works["EVA-1B"].trained
    assert works["CAST-B"].trained == pytest.approx(0.209 * works["CAST-B"].parameters, rel=0.02)
    assert [works[name].batch for name in works] == [64, 576, 256]


def test_what_is_sent_by_hand():
    """Four processes, 10 parameters of which 8 lie in blocks, 6 are trained."""
    work = model.Workload("", 1.0, 1, 4, 10, 6, 8, 4, 2, 0, 2.0, 0, "RandAugment")
    assert model.sent_bytes(work, 4, "ddp") == (0.0, 2 * 3 / 4 * 6 * 4)
    assert model.sent_bytes(work, 4, "fsdp", micro=3) == (3 / 4 * (2 * 8 * 2 + 2 * 4) * 3, 3 / 4 * 6 * 4)


def test_more_gpus_never_make_a_gpu_more_efficient(works):
    for work in works.values():
        for parallel in ("ddp", "fsdp"):
            for network in model.NETWORKS:
                steps = [model.step_time(work, processes, network, parallel) for processes in (8, 64, 512)]
                assert all(0 < step.efficiency <= 1 for step in steps)
                assert steps[2].efficiency <= steps[0].efficiency


def test_measured_bytes_are_those_predicted(figures):
    for name, found in figures["measured"].items():
        if found["processes"] > 1:
            assert found["sent"] == pytest.approx(predicted_bytes(found["parallel"], found["processes"]), rel=0.05), (
                name
            )
