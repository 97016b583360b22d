"""From a config to batches of real files; what is refused, and that workers and processes change nothing."""

import pickle

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.datasets import build_dataset, construct_loader
from slowfast.datasets.kinetics import Kinetics
from slowfast.utils.errors import ConfigError, UserError
from tests.datasets.clips import moving_texture, write_video

NUM_VIDEOS = 11


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eleven videos of different lengths; number 4 is not a video. train.csv and val.csv list them all."""
    folder = tmp_path_factory.mktemp("set")
    lines = []
    for number in range(NUM_VIDEOS):
        path = folder / f"clip {number}.mp4"
        if number == 4:
            path.write_text("not a video")
        else:
            write_video(path, moving_texture(12 + number, 32, 48, seed=number))
        lines.append(f"{path.name} {number % 3}")
    for split in ("train", "val"):
        (folder / f"{split}.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture
def load(folder):
    def load_with(**options):
        keys = {
            "DATA.PATH_TO_DATA_DIR": folder,
            "MODEL.NUM_CLASSES": 3,
            "DATA.NUM_FRAMES": 4,
            "DATA.SAMPLING_RATE": 2,
            "DATA.TRAIN_JITTER_SCALES": [26, 30],
            "DATA.TRAIN_CROP_SIZE": 24,
            "DATA.TEST_CROP_SIZE": 20,
            "DATA_LOADER.NUM_WORKERS": 0,
            "TRAIN.BATCH_SIZE": 2,
            "TEST.BATCH_SIZE": 4,
            "TEST.NUM_ENSEMBLE_VIEWS": 2,
            **{name.replace("__", "."): value for name, value in options.items()},
        }
        return load_cfg(None, [str(part) for pair in keys.items() for part in pair])

    return load_with


def contents(batches):
    """Everything in a list of batches, comparable."""
    return [
        {
            "frames": batch.frames.tolist() if len(batch) else None,
            **{name: getattr(batch, name).tolist() for name in ("labels", "video_ids", "view_ids")},
            "lost": batch.unreadable + batch.replaced,
        }
        for batch in batches
    ]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_same_samples_for_any_number_of_workers(load, split):
    alone, with_workers = (
        contents(construct_loader(load(DATA_LOADER__NUM_WORKERS=workers), split)) for workers in (0, 2)
    )
    assert alone == with_workers and len(alone) > 4


def test_resumed_epoch_gives_the_same_samples(load):
    whole, rest = construct_loader(load(), "train"), construct_loader(load(DATA_LOADER__NUM_WORKERS=2), "train")
    whole.batch_sampler.set_position(1, 0)
    rest.batch_sampler.set_position(1, 3)
    assert contents(whole)[3:] == contents(rest)
    rest.batch_sampler.set_position(1, 1)
    assert contents(whole)[1:] == contents(rest), "the same workers, asked again"


def test_effective_batch_of_several_processes(load):
    """4 clips a machine and step; two processes of one machine, or two machines, take two or four each."""
    one = construct_loader(load(TRAIN__BATCH_SIZE=4), "train")
    two = [construct_loader(load(TRAIN__BATCH_SIZE=4), "train", rank=rank, world_size=2) for rank in range(2)]
    for whole, *parts in zip(one, *two):
        assert torch.equal(whole.frames, torch.cat([part.frames for part in parts]))
        assert [len(part) for part in parts] == [2, 2]
    machines = construct_loader(load(TRAIN__BATCH_SIZE=4, NUM_SHARDS=2), "train", rank=1, world_size=2)
    assert [len(batch) for batch in machines] == [4]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_each_view_of_each_video_once(load, world_size):
    seen, lost = [], []
    for rank in range(world_size):
        for batch in construct_loader(load(), "test", rank=rank, world_size=world_size):
            seen += zip(batch.video_ids.tolist(), batch.view_ids.tolist())
            lost += [video.video_id for video in batch.unreadable]
    assert sorted(seen) == [(video, view) for video in range(NUM_VIDEOS) if video != 4 for view in range(6)]
    assert lost == [4] * 6


def test_validation_and_training_with_a_bad_file(load):
    val = list(construct_loader(load(), "val"))
    assert [video.path.endswith("clip 4.mp4") for batch in val for video in batch.unreadable] == [True]
    assert sum(len(batch) for batch in val) == NUM_VIDEOS - 1
    assert {batch.frames.shape[1:] for batch in val} == {(3, 4, 24, 24)}
    train = list(construct_loader(load(TRAIN__BATCH_SIZE=11), "train"))
    assert len(train) == 1 and len(train[0]) == 11 and train[0].unreadable == []
    [(path, reason)] = train[0].replaced
    assert path.endswith("clip 4.mp4") and reason


@pytest.mark.parametrize("workers", [0, 1])
def test_a_user_error_in_a_worker_stays_one_line(folder, load, workers, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.mp4").write_text("not a video")
    (tmp_path / "train.csv").write_text("0.mp4 0\n1.mp4 1\n2.mp4 2\n")
    cfg = load(DATA__PATH_TO_DATA_DIR=tmp_path, DATA_LOADER__NUM_WORKERS=workers)
    with pytest.raises(UserError, match=r"^3 unreadable training videos in a row") as caught:
        list(construct_loader(cfg, "train"))
    assert type(caught.value) is UserError and "\n" not in str(caught.value)


def test_workers_can_be_spawned(load):
    cfg = load(DATA_LOADER__NUM_WORKERS=1)
    loader = construct_loader(cfg, "val")
    loader.multiprocessing_context = "spawn"
    assert contents(loader) == contents(construct_loader(load(), "val"))


def test_names_in_any_case_and_crops_of_a_single_view(load):
    for name in ("kinetics", "Kinetics", "KINETICS"):
        assert type(build_dataset(name, load(), "val")) is Kinetics
    data = pickle.loads(pickle.dumps(build_dataset("kinetics", load(TEST__NUM_SPATIAL_CROPS=1), "test")))
    assert data.num_views == 2
    assert data[0, 0, None].frames.shape == (3, 4, 20, 20)
    single = data.transforms[1]
    assert (single.short_side, single.crop_size) == (26, 20), "functional.json, test_views: TRAIN_JITTER_SCALES[0]"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"DATA__PATH_TO_DATA_DIR": ""}, r"DATA\.PATH_TO_DATA_DIR is empty"),
        ({"DATA__PATH_TO_DATA_DIR": "/nowhere"}, r"DATA\.PATH_TO_DATA_DIR: no folder /nowhere"),
        ({"DATA__PATH_PREFIX": "/nowhere"}, r"none of 11 videos.*/nowhere/clip 0\.mp4.*DATA\.PATH_PREFIX"),
        ({"MODEL__NUM_CLASSES": 2}, r"train\.csv:3: label 2 is out of range.*MODEL\.NUM_CLASSES 2"),
        ({"TRAIN__BATCH_SIZE": 12}, r"train split has 11 videos.*TRAIN\.BATCH_SIZE"),
    ],
)
def test_refusals(load, options, told):
    with pytest.raises(UserError, match=told):
        construct_loader(load(**options), "train")


def test_a_missing_list_is_named(load, tmp_path):
    (tmp_path / "train.csv").write_text("a.mp4 0\n")
    for split in ("val", "test"):
        with pytest.raises(UserError, match=rf"DATA\.PATH_TO_DATA_DIR: no {split}\.csv in {tmp_path}"):
            construct_loader(load(DATA__PATH_TO_DATA_DIR=tmp_path), split)


def test_unregistered_data_set(load):
    with pytest.raises(
        ConfigError, match=r"TRAIN\.DATASET.*'kinetic'.*Did you mean 'Kinetics'.*Registered: .*Kinetics"
    ):
        build_dataset("kinetic", load(), "train")
