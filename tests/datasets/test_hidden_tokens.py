"""What a clip of masked pre-training hides depends on seed, epoch and video alone."""

import pytest
import torch

from slowfast.datasets.build import build_dataset, construct_loader

PRETRAINING = {
    "TASK": "masked_pretraining",
    "TEST__ENABLE": False,
    "VIDEO_VIT__PATCH_SIZE": 8,
    "VIDEO_VIT__TUBELET_SIZE": 2,
    "VIDEO_MAE__MASK_RATIO": 0.75,
}


@pytest.fixture
def cfg(tiny_cfg):
    return tiny_cfg(**PRETRAINING)


def test_the_label_is_a_tube_mask(cfg):
    sample = build_dataset("kinetics", cfg, "train")[0, 3, None]
    mask = torch.zeros(2 * 16, dtype=torch.bool)  # 4 frames of 32 px
    mask[sample.label] = True
    assert sample.label.dtype == torch.int64
    assert (mask[:16] == mask[16:]).all() and mask[:16].sum() == 12


def test_a_draw_depends_on_epoch_and_video_alone(cfg, tiny_cfg):
    dataset = build_dataset("kinetics", cfg, "train")
    labels = {(epoch, index): dataset[epoch, index, None].label for epoch in (0, 1) for index in (0, 1)}
    again = build_dataset("kinetics", cfg, "train")
    for (epoch, index), label in reversed(labels.items()):
        assert torch.equal(again[epoch, index, None].label, label)
    assert len({tuple(label.tolist()) for label in labels.values()}) == 4
    other_seed = build_dataset("kinetics", tiny_cfg(**PRETRAINING, RNG_SEED=5), "train")
    assert not torch.equal(other_seed[0, 0, None].label, labels[0, 0])


def test_two_processes_see_the_masks_of_one(cfg):
    def by_video(world_size):
        batches = [
            batch
            for rank in range(world_size)
            for batch in construct_loader(cfg, "train", rank=rank, world_size=world_size)
        ]
        return {
            video: label for batch in batches for video, label in zip(batch.video_ids.tolist(), batch.labels.tolist())
        }

    one = by_video(1)
    assert len(one) == 32 and by_video(2) == one


def test_validation_hides_the_same_at_every_pass(cfg):
    passes = [torch.cat([batch.labels for batch in construct_loader(cfg, "val")]) for _ in range(2)]
    assert torch.equal(*passes) and passes[0].shape == (16, 24)


def test_pixels_are_those_of_any_other_task(cfg, tiny_cfg):
    plain = build_dataset("kinetics", tiny_cfg(), "train")[0, 3, None]
    assert torch.equal(build_dataset("kinetics", cfg, "train")[0, 3, None].frames, plain.frames)
    assert isinstance(plain.label, int)
