"""Pictures of what a model receives, of a small toy set."""

import numpy as np
import pytest

from slowfast.datasets.build import construct_loader
from slowfast.engine.shown import shown_batches
from tools.show_batch import main

MIXED = {
    "AUG__ENABLE": True,
    "AUG__NUM_SAMPLE": 2,
    "MIXUP__ENABLE": True,
    "MODEL__LOSS_FUNC": "soft_cross_entropy",
}


def test_every_split_and_view(repo, tiny_options, tmp_path):
    options = tiny_options | {
        "TEST.NUM_SPATIAL_CROPS": 3,
        "MODEL.LOSS_FUNC": "soft_cross_entropy",
        "MIXUP.ENABLE": True,
    }
    words = [str(word) for pair in options.items() for word in pair]
    assert main(["--cfg", str(repo / "configs/Toy/xvit_toy.yaml"), "--num", "2", *words]) == 0
    names = {"train", "val", *(f"test_view_{view:02d}" for view in range(6))}
    written = {path.name for path in (tmp_path / "run/batches").iterdir()}
    assert written == {name + ending for name in names for ending in (".png", ".mp4")}


def test_what_is_shown_is_what_training_gets(tiny_cfg):
    """Two clips of each of two videos, with their mixed labels and frames as the batch of the epoch has them."""
    cfg = tiny_cfg(**MIXED)
    name, heading, clips = next(shown_batches(cfg, epoch=3, num=2))
    assert (name, heading) == ("train", "training, epoch 3, first batch of 8 clips")
    loader = construct_loader(cfg, "train")
    loader.batch_sampler.set_position(3, 0)
    batch = next(iter(loader))
    assert [clip.numbers for clip in clips] == [batch.indices[place].tolist() for place in (0, 4, 1, 5)]
    assert all(f"video {batch.video_ids[place]}, " in clip.title for clip, place in zip(clips, (0, 4, 1, 5)))
    assert "clip 1 of it" in clips[1].title and "0.53 of it, the rest of video 20" in clips[1].details
    assert clips[0].frames.shape == (4, 32, 32, 3) and clips[0].source.shape == (32, 32, 3)


def test_evaluation_is_shown_as_it_is(tiny_cfg):
    cfg = tiny_cfg()
    shown = {name: clips for name, _, clips in shown_batches(cfg, epoch=0, num=3)}
    data = construct_loader(cfg, "val").dataset
    for number, clip in enumerate(shown["val"]):
        stored = data[0, number, None].frames.permute(1, 2, 3, 0).numpy()
        assert np.abs(clip.frames.astype(int) - stored).max() <= 1
    for clip in shown["test_view_01"]:  # 8 of the 12 frames, the second of two clips
        assert clip.numbers == [2, 4, 6, 9] and "mirrored" not in clip.details


def test_what_masked_pretraining_hides_is_grey(tiny_cfg):
    """Half of four patches of 16 px: two of them are grey in every frame, the others are the clip's."""
    options = {
        "VIDEO_VIT__PATCH_SIZE": 16,
        "VIDEO_VIT__EMBED_DIM": 48,
        "VIDEO_VIT__DEPTH": 1,
        "VIDEO_VIT__NUM_HEADS": 3,
    }
    cfg = tiny_cfg(
        TASK="masked_pretraining",
        MODEL__MODEL_NAME="VideoMAE",
        MODEL__LOSS_FUNC="mse",
        TEST__ENABLE=False,
        VIDEO_MAE__MASK_RATIO=0.5,
        **options,
    )
    _, _, clips = next(shown_batches(cfg, epoch=0, num=1))
    patches = clips[0].frames.reshape(4, 2, 16, 2, 16, 3)
    grey = (np.abs(patches.astype(int) - 127) <= 1).all(axis=(0, 2, 4, 5))
    assert grey.sum() == 2 and clips[0].title.startswith("4 tokens hidden")


@pytest.mark.parametrize("words", [["--num", "0"], ["--epoch", "-1"]])
def test_usage(words):
    with pytest.raises(SystemExit):
        main(["--cfg", "any.yaml", *words])
