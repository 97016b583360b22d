"""Stage 1 and 2: which runs there are, what videos and labels they see, losses by weights, one trunk in a process."""

import gc

import pytest
import torch

from projects.cast.tests.tstl.conftest import OF_CLASS
from projects.cast.tstl import weights
from projects.cast.tstl.losses import batch_all_triplet, semi_hard_triplet
from projects.cast.tstl.member import Features
from projects.cast.tstl.stages import expert_numbers, runs
from projects.cast.tstl.task import StageTask
from slowfast.config import load_cfg
from slowfast.datasets.build import build_dataset
from slowfast.engine.series import runs_of
from slowfast.models import build_model
from slowfast.tasks import build_task
from slowfast.utils.errors import ConfigError, UserError
from slowfast.weights import frozen_digest, start


@pytest.fixture
def stage(repo, words):
    """stage(yaml, KEY=value): a loaded toy configuration."""
    return lambda name, **changes: load_cfg(repo / f"projects/cast/configs/Toy/tstl_{name}.yaml", words(**changes))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ("all", [0, 1, 2, 3]),
        (2, [2]),
        ([3, 0], [3, 0]),
        ("1-3", [1, 2, 3]),
        ("0,2-3", [0, 2, 3]),
        ((1,), [1]),
    ],
)
def test_experts_by_number_list_and_range(value, expected):
    assert expert_numbers(value, 4) == expected


@pytest.mark.parametrize("value", [4, -1, "2-5", "some", [], [1, 1], "3-1", 1.5])
def test_other_experts_are_refused(value):
    with pytest.raises(ConfigError, match=r"TSTL\.EXPERTS: got"):
        expert_numbers(value, 4)


def test_a_run_an_expert(stage):
    made = runs_of(stage("experts", TSTL__EXPERTS="0,2", OUTPUT_DIR="out"))
    assert [(cfg.TSTL.EXPERTS, cfg.OUTPUT_DIR) for cfg in made] == [(0, "out/expert_00"), (2, "out/expert_02")]
    assert all(cfg.is_frozen() for cfg in made)
    selector = stage("selector", MODEL__NUM_CLASSES=3)
    assert runs_of(selector) == [selector]


def labels_of(cfg, split="train"):
    return build_dataset("tstl", cfg, split).labels


def test_what_each_stage_sees(stage):
    everything = labels_of(stage("single"))
    assert sorted(set(everything)) == list(range(24)) and len(everything) == 48
    assert build_dataset("tstl", stage("single"), "val").class_names == list(map(str, range(24)))
    assert build_dataset("tstl", stage("selector", MODEL__NUM_CLASSES=3), "val").class_names[2] == "2: class 2 +7"
    assert labels_of(stage("selector", MODEL__NUM_CLASSES=3)) == [OF_CLASS[label] for label in everything]
    for cfg in runs(stage("experts")):
        dataset = build_dataset("tstl", cfg, "train")
        assert dataset.labels == [label for label in everything if OF_CLASS[label] == cfg.TSTL.EXPERTS]
        assert [record.video_id for record in dataset.records] == list(range(16)) and dataset.num_videos == 16
        assert dataset[0, 15, None].label == dataset.labels[15]
    for cfg in runs(stage("experts", TSTL__EXPERT_VIDEOS="all")):
        assert labels_of(cfg) == everything


def test_keys_that_do_not_fit(stage, tmp_path):
    with pytest.raises(ConfigError, match=r"NUM_CLASSES: got 24, but a selector's classes are the 3 groups"):
        labels_of(stage("selector", MODEL__NUM_CLASSES=24))
    with pytest.raises(UserError, match="leaves out 1 class"):
        runs_of(stage("experts", MODEL__NUM_CLASSES=25))
    with pytest.raises(ConfigError, match=r"TSTL\.STAGE: got 'both', expected one of '', 'selector', 'experts'"):
        labels_of(stage("single", TSTL__STAGE="both"))
    with pytest.raises(ConfigError, match="one expert for one run"):
        labels_of(stage("experts"))
    with pytest.raises(UserError, match=r"a verb and a noun .*HEAD_CLASSES \[verbs, nouns\]"):
        labels_of(stage("single", MODEL__HEAD_CLASSES=[]))


def test_an_expert_without_videos(stage, tmp_path, actions):
    (tmp_path / "train.csv").write_text(
        "".join(line for line in open(actions / "train.csv") if int(line.strip().rsplit(",", 1)[1]) % 3 != 1)
    )
    cfg = runs(stage("experts", DATA__PATH_TO_DATA_DIR=tmp_path, DATA__PATH_PREFIX=actions))[1]
    with pytest.raises(
        UserError, match=r"TSTL\.EXPERTS 1: the train split has no video of the classes of group 1 \(1, 4"
    ):
        labels_of(cfg)


class Fixed(torch.nn.Module):
    """Gives the same logits and features for all clips."""

    def __init__(self, logits, fused):
        super().__init__()
        self.logits, self.fused = logits, fused

    def forward(self, clip, with_features=False):
        return (self.logits, Features(self.fused, None, None)) if with_features else self.logits


def test_losses_are_mixed_by_weights():
    generator = torch.Generator().manual_seed(0)
    logits, fused = torch.randn(6, 3, generator=generator), torch.randn(6, 5, generator=generator)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    parts = (
        torch.nn.functional.cross_entropy(logits, labels),
        batch_all_triplet(fused, labels, 0.7),
        semi_hard_triplet(fused, labels, 0.7, root=True),
    )
    task = StageTask(3, cross_entropy=0.5, batch_all=2.0, semi_hard=3.0, margin=0.7, root=True)
    loss, counts = task.loss(Fixed(logits, fused), None, labels)
    torch.testing.assert_close(loss, 0.5 * parts[0] + 2.0 * parts[1] + 3.0 * parts[2])
    assert counts["top5"] == 6
    with torch.no_grad():  # as validation
        torch.testing.assert_close(task.loss(Fixed(logits, fused), None, labels)[0], 0.5 * parts[0] + 0.5 * parts[1])
    shares = torch.nn.functional.one_hot(labels, 3).float() * 0.9 + 0.1 / 3
    soft = torch.nn.functional.cross_entropy(logits, shares)
    torch.testing.assert_close(StageTask(3).loss(Fixed(logits, fused), None, shares)[0], soft)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"TSTL__MARGIN": -1.0}, r"TSTL\.MARGIN: got -1\.0"),
        ({"TSTL__CE_WEIGHT": 0.0}, "nothing to minimise"),
        ({"TSTL__BATCH_ALL_WEIGHT": 1.0, "MIXUP__ENABLE": True, "AUG__ENABLE": True}, "mixed clips have no one label"),
        ({"MODEL__MODEL_NAME": "CAST"}, "needs MODEL.MODEL_NAME TSTLMember"),
    ],
)
def test_wrong_losses(stage, changes, told):
    with pytest.raises(ConfigError, match=told):
        build_task(stage("selector", MODEL__NUM_CLASSES=3, **changes))


def test_members_of_a_process_share_one_trunk(stage):
    weights._kept.clear()
    experts = runs(stage("experts"))
    first, second = build_model(experts[0]), build_model(experts[1])
    assert "CLIP from" in start(first, experts[0])[0]
    assert "the trunk is the one that this process has" in start(second, experts[1])[0]
    assert frozen_digest(first) == frozen_digest(second)
    names = {name for name, p in first.named_parameters() if not p.requires_grad}
    ours, theirs = dict(first.named_parameters()), dict(second.named_parameters())
    assert names and all(ours[name].data_ptr() == theirs[name].data_ptr() for name in names)
    assert not any(ours[name].data_ptr() == theirs[name].data_ptr() for name in ours.keys() - names)
    del first, second, ours, theirs
    gc.collect()
    weights._kept.clear()
