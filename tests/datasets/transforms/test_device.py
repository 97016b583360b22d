"""Erasing and mixing of batches: against the published numbers, by hand, and for any layout of processes."""

import json

import numpy as np
import pytest
import torch

from slowfast.datasets.collate import ClipBatch
from slowfast.datasets.transforms.device import ClipInput, Mixing, RandomErasing, cutmix_box, remaining_share
from slowfast.datasets.transforms.normalize import Normalize
from slowfast.solver.losses import soft_targets

CLASSES = 7
NORMALIZE = Normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])


def batch(ids, epoch=3, repetition=0):
    """Clips (3, 2, 10, 12), each of one value that its id decides; label = id % 7."""
    ids = torch.tensor(ids)
    frames = (17 * ids % 256).to(torch.uint8).view(-1, 1, 1, 1, 1).expand(-1, 3, 2, 10, 12).contiguous()
    return ClipBatch(frames, ids % CLASSES, ids, torch.full_like(ids, repetition), epoch=epoch)


def join(*parts):
    fields = ("frames", "labels", "video_ids", "view_ids")
    return ClipBatch(
        **{name: torch.cat([getattr(part, name) for part in parts]) for name in fields}, epoch=parts[0].epoch
    )


def targets(labels, smoothing):
    return soft_targets(labels, CLASSES, smoothing)


def clip_input(mixing=None, erasing=None, **options):
    return ClipInput(NORMALIZE, erasing, mixing, soft_labels=targets, **options)


def test_cutmix_boxes_are_the_sources(reference_dir):
    for case in json.loads((reference_dir / "parity/loss_targets_a.json").read_text())["cutmix_boxes"]:
        box = cutmix_box(*case["image"], case["lam"], case["centre_row"], case["centre_col"])
        assert list(box) == case["box_rows"] + case["box_cols"]
        assert remaining_share(*case["image"], box) == pytest.approx(case["corrected_lam"], abs=1e-12)
    for case in json.loads((reference_dir / "parity/slowfast/functional.json").read_text())["mixup"]["cutmix_boxes"]:
        drawn = np.random.RandomState(case["numpy_seed"])
        row = drawn.randint(case["h"])
        box = cutmix_box(case["h"], case["w"], case["lam"], row, drawn.randint(case["w"]))
        assert list(box) == case["box_y0_y1_x0_x1"]
        assert remaining_share(case["h"], case["w"], box) == pytest.approx(case["lam_corrected"], abs=1e-12)


class Fixed(Mixing):
    """Mixing whose draw is given."""

    drawn = (1.0, None)

    def draw(self, height, width, rng):
        return self.drawn


def test_targets_are_the_sources(reference_dir):
    """One share for the whole batch, the partner from its other end."""
    facts = json.loads((reference_dir / "parity/loss_targets_a.json").read_text())["targets"]
    more = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())["mixup"]["targets"]
    for case in (*facts, *more):
        mixing = Fixed(1.0, smoothing=case["smoothing"], group_size=0)
        object.__setattr__(mixing, "drawn", (case["lam"], None))
        classes = case["num_classes"]
        apply = ClipInput(NORMALIZE, None, mixing, soft_labels=lambda labels, s, n=classes: soft_targets(labels, n, s))
        given = batch(list(range(len(case["labels"]))))
        given.labels = torch.tensor(case["labels"])
        mixed, frames = apply(given)
        expected = torch.tensor(case.get("mixed_target", case.get("targets")))
        torch.testing.assert_close(mixed.labels, expected, rtol=1e-6, atol=1e-6)
        plain = NORMALIZE(given.frames)
        torch.testing.assert_close(frames, case["lam"] * plain + (1 - case["lam"]) * plain.flip(0))
        if "logits" in case:
            loss = torch.nn.functional.cross_entropy(
                torch.tensor(case["logits"], dtype=torch.float64), mixed.labels.double()
            )
            assert loss.item() == pytest.approx(case["soft_target_cross_entropy"], rel=1e-6)


def test_cutmix_pastes_the_partner():
    mixing = Fixed(0.0, 1.0, group_size=4)
    object.__setattr__(mixing, "drawn", (0.8, (2, 6, 3, 9)))
    given = batch([1, 2, 3, 4])
    mixed, frames = clip_input(mixing)(given)
    plain = NORMALIZE(given.frames)
    for place in range(4):
        expected = plain[place].clone()
        expected[:, :, 2:6, 3:9] = plain[3 - place][:, :, 2:6, 3:9]
        assert torch.equal(frames[place], expected)
    torch.testing.assert_close(mixed.labels[0], 0.8 * targets(given.labels, 0)[0] + 0.2 * targets(given.labels, 0)[3])


def test_shares_follow_the_recipe():
    """Beta(0.8, 0.8) half of the time, cutmix the other half; none at all in a tenth of the groups."""
    mixing = Mixing(0.8, 1.0, probability=0.9, switch_probability=0.5)
    drawn = [mixing.draw(100, 120, np.random.default_rng(seed)) for seed in range(4000)]
    mixed = np.array([share for share, box in drawn if box is None and share < 1])
    assert np.mean([share == 1.0 and box is None for share, box in drawn]) == pytest.approx(0.1, abs=0.02)
    assert np.mean([box is not None for _, box in drawn]) == pytest.approx(0.45, abs=0.03)
    assert mixed.mean() == pytest.approx(0.5, abs=0.03)
    assert mixed.var() == pytest.approx(1 / (4 * (2 * 0.8 + 1)), abs=0.01)  # of Beta(a, a)
    for share, box in drawn:
        assert box is None or share == remaining_share(100, 120, box)
    only = Mixing(0.8, 1.0, switch_probability=0.0)
    assert all(only.draw(9, 9, np.random.default_rng(seed))[1] is None for seed in range(200))
    assert all(Mixing(0.0, 1.0).draw(9, 9, np.random.default_rng(seed))[1] for seed in range(20))


def test_groups():
    assert [list(group) for group in Mixing(1.0).groups(6)] == [[0, 1], [2, 3], [4, 5]]
    assert [list(group) for group in Mixing(1.0, group_size=0).groups(5)] == [[0, 1, 2, 3, 4]]
    assert [list(group) for group in Mixing(1.0, group_size=4).groups(6)] == [[0, 1, 2, 3], [4, 5]]
    apart = Mixing(1.0, group_size=4).groups(12, repetitions=2)
    assert [list(group) for group in apart] == [[0, 1, 2, 3], [4, 5], [6, 7, 8, 9], [10, 11]]


@pytest.mark.parametrize("erasing", [None, RandomErasing(0.5)])
def test_any_layout_gives_the_same(erasing):
    """8 clips in one batch, in two processes, in four micro-batches; in another epoch others."""
    ids = [5, 90, 12, 3, 77, 41, 8, 19]
    apply = clip_input(Mixing(0.8, 1.0, smoothing=0.1), erasing, seed=4)
    whole, frames = apply(batch(ids))
    for size in (4, 2):
        parts = [apply(batch(ids[start : start + size])) for start in range(0, 8, size)]
        assert torch.equal(torch.cat([part for _, part in parts]), frames)
        assert torch.equal(torch.cat([part.labels for part, _ in parts]), whole.labels)
    for other in (apply(batch(ids, epoch=4)), clip_input(Mixing(0.8, 1.0), erasing, seed=5)(batch(ids))):
        assert not torch.equal(other[1], frames)


def test_clips_of_a_video_are_drawn_apart():
    apply = clip_input(Mixing(0.8, 1.0), RandomErasing(1.0), repetitions=2)
    mixed, frames = apply(join(batch([5, 90]), batch([5, 90], repetition=1)))
    assert not torch.equal(frames[:2], frames[2:]) and not torch.equal(mixed.labels[:2], mixed.labels[2:])


def test_erased_boxes():
    """2 % to a third of the picture, aspect ratios 0.3 to 3.3, in half of the clips."""
    rule = RandomErasing(0.5)
    found = [rule.boxes(100, 120, np.random.default_rng(seed)) for seed in range(2000)]
    assert np.mean([bool(boxes) for boxes in found]) == pytest.approx(0.5, abs=0.04)
    y, x, h, w = np.array([boxes[0] for boxes in found if boxes]).T
    assert (y + h <= 100).all() and (x + w <= 120).all() and {0, 1} <= set(y) | set(x)
    area, aspect = h * w / 12000, h / w
    assert 0.018 < area.min() < 0.03 and 0.28 < area.max() < 0.345
    assert 0.28 < aspect.min() < 0.35 and 2.8 < aspect.max() < 3.6
    several = [len(RandomErasing(1.0, max_count=3).boxes(100, 120, np.random.default_rng(seed))) for seed in range(200)]
    assert set(several) == {1, 2, 3}


@pytest.mark.parametrize("mode", ["pixel", "rand", "const"])
def test_what_is_put_in_the_box(mode):
    given = batch([4] * 60)
    given.video_ids = torch.arange(60)
    _, frames = clip_input(erasing=RandomErasing(1.0, mode))(given)
    plain, noise = NORMALIZE(given.frames), []
    for clip, before in zip(frames, plain):
        erased = (clip != before).any(dim=0)  # (T, H, W)
        assert torch.equal(erased[0], erased[1])
        rows, columns = erased[0].nonzero().unbind(1)
        box = clip[:, :, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert erased[0].sum() == box[0, 0].numel()
        if mode == "const":
            assert not box.any()
        else:
            colours = len(box.flatten(1).unique(dim=1).T)
            assert colours == 1 if mode == "rand" else colours == box[0].numel()
            noise += box.flatten().tolist() if mode == "pixel" else box[:, 0, 0, 0].tolist()
    if noise:
        assert np.mean(noise) == pytest.approx(0, abs=0.25) and np.std(noise) == pytest.approx(1, abs=0.15)


def test_evaluation_only_normalises():
    given = batch([1, 2])
    same, frames = ClipInput(NORMALIZE)(given)
    assert same is given and torch.equal(frames, NORMALIZE(given.frames))
    empty = ClipBatch(None, torch.empty(0, dtype=torch.int64), torch.empty(0), torch.empty(0))
    assert clip_input(Mixing(1.0))(empty) == (empty, None)
