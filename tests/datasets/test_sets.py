"""Each registered set from small files in its publisher's layout: which frames, which labels, what is refused."""

import json

import cv2
import h5py
import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.datasets import build_dataset, sampling
from slowfast.datasets.collate import collate
from slowfast.utils.errors import ReadError, UserError
from tests.datasets.clips import write_video, x264

STEP = 3  # grey levels from one frame to the next


def grey(numbers, size=24):
    """uint8 (T, size, size, 3): frame n is STEP * n all over."""
    levels = (STEP * np.asarray(numbers)).astype(np.uint8)
    return np.repeat(levels, size * size * 3).reshape(len(levels), size, size, 3)


def write_pictures(folder, count, pattern="{:06d}.png"):
    folder.mkdir(parents=True)
    for number, frame in enumerate(grey(range(count))):
        cv2.imwrite(str(folder / pattern.format(number + 1)), frame)


def write_clip(path, count, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, grey(range(count)), crf=1, **options, **x264(keyint=10))


def write_pack(path, key, count):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "a") as file:
        frames = file.create_dataset(key, (count,), dtype=h5py.vlen_dtype(np.uint8))
        for number, frame in enumerate(grey(range(count))):
            frames[number] = cv2.imencode(".png", frame)[1].reshape(-1)


def seen(sample):
    """Frame numbers that a sample shows."""
    return np.rint(sample.frames[0, :, 8, 8].numpy() / STEP).astype(int).tolist()


@pytest.fixture
def build(tmp_path):
    def build_set(name, split, **options):
        keys = {
            "TRAIN.DATASET": name,
            "DATA.PATH_TO_DATA_DIR": tmp_path,
            "MODEL.NUM_CLASSES": 3,
            "DATA.NUM_FRAMES": 4,
            "DATA.SAMPLING_RATE": 2,
            "DATA.TRAIN_JITTER_SCALES": [24, 24],
            "DATA.TRAIN_CROP_SIZE": 16,
            "DATA.TEST_CROP_SIZE": 16,
            "TEST.NUM_ENSEMBLE_VIEWS": 1,
            "TEST.NUM_SPATIAL_CROPS": 1,
            **{key.replace("__", "."): value for key, value in options.items()},
        }
        return build_dataset(name, load_cfg(None, [str(part) for pair in keys.items() for part in pair]), split)

    return build_set


SSV2 = [{"id": "11", "template": "Closing [something]"}, {"id": "7", "template": "Opening [something]"}]


def write_ssv2_json(folder):
    labels = {"Opening something": "2", "Closing something": "0"}
    (folder / "something-something-v2-labels.json").write_text(json.dumps(labels))
    for split in ("train", "validation"):
        (folder / f"something-something-v2-{split}.json").write_text(json.dumps(SSV2))


@pytest.mark.parametrize("layout", ["webm", "mp4 in videos", "folders", "frame lists", "one pack", "packs", "csv"])
def test_ssv2_layouts(layout, build, tmp_path):
    """Twenty frames, four segments: bounds 0, 5, 10, 14, 19 (19 / 4 = 4.75, rounded), middles by hand."""
    if layout not in ("one pack", "packs", "csv"):
        write_ssv2_json(tmp_path)
    for name in ("11", "7"):
        if layout == "webm":
            write_video(tmp_path / f"{name}.webm", grey(range(20)), "libvpx-vp9", lossless=1)
        elif layout == "mp4 in videos":
            write_clip(tmp_path / f"videos/{name}.mp4", 20)
        elif layout == "one pack":
            write_pack(tmp_path / "Something-Something-v2-frames.h5", name, 20)
        elif layout == "packs":
            write_pack(tmp_path / f"seq_h5/{name}.h5", name, 20)
        elif layout == "csv":
            write_clip(tmp_path / f"{name}.mp4", 20)
        else:
            write_pictures(tmp_path / name, 20)
    for split in ("train", "val"):
        if layout == "frame lists":
            lines = [
                f'{name} {v} {n} {name}/{n + 1:06d}.png ""' for v, name in enumerate(("7", "11")) for n in range(20)
            ]
            (tmp_path / f"{split}.csv").write_text(
                "original_vido_id video_id frame_id path labels\n" + "\n".join(lines)
            )
        elif layout in ("one pack", "packs"):
            (tmp_path / f"{split}_videofolder.txt").write_text("11 999 0\n7 999 2\n")
        elif layout == "csv":
            (tmp_path / f"{split}.csv").write_text("11.mp4 0\n7.mp4 2\n")
    data = build("ssv2", "test", TEST__NUM_ENSEMBLE_VIEWS=4)
    assert [data[0, item, None].label for item in (0, 4)] == [0, 2]
    views = [[2, 7, 12, 16], [0, 5, 10, 14], [5, 10, 14, 19], [1, 6, 11, 15]]
    assert [seen(data[0, view, None]) for view in range(4)] == views
    assert seen(build("ssv2", "val")[0, 1, None]) == [2, 7, 12, 16]
    drawn = np.array([seen(build("ssv2", "train")[epoch, 0, None]) for epoch in range(12)])
    assert (drawn >= [0, 5, 10, 14]).all() and (drawn <= [5, 10, 14, 19]).all() and len(np.unique(drawn, axis=0)) > 3


DIRECTIONS = {"Pulling something from left to right": "0", "Pulling something from right to left": "2"}


def test_ssv2_is_mirrored_with_its_label_or_not_at_all(build, tmp_path):
    """Videos 11 and 7 are pulled to the right and to the left; mirrored, the other way."""
    (tmp_path / "something-something-v2-labels.json").write_text(json.dumps(DIRECTIONS))
    rows = [{"id": n, "template": name.replace("something", "[something]")} for n, name in zip(("11", "7"), DIRECTIONS)]
    (tmp_path / "something-something-v2-train.json").write_text(json.dumps(rows))
    for name in ("11", "7"):
        write_pictures(tmp_path / name, 20)
    plain = build("ssv2", "train", DATA__RANDOM_FLIP=True)
    assert not any(plain[epoch, 0, None].drawn.flipped for epoch in range(12))
    swapped = build("ssv2", "train", DATA__RANDOM_FLIP=True, DATA__FLIP_SWAPS_LABELS=True)
    for video, (as_is, mirrored) in enumerate(((0, 2), (2, 0))):
        samples = [swapped[epoch, video, None] for epoch in range(12)]
        assert {(sample.drawn.flipped, sample.label) for sample in samples} == {(False, as_is), (True, mirrored)}


def test_ssv2_that_cannot_be(build, tmp_path):
    with pytest.raises(UserError, match=r"has no list for 'val'"):
        build("ssv2", "val")
    write_ssv2_json(tmp_path)
    with pytest.raises(
        UserError, match=r"none of 2 videos looked for is there, the first: .*11\.webm.*DATA\.PATH_PREFIX"
    ):
        build("ssv2", "val")


OFFICIAL = "video_id,start_timestamp,stop_timestamp,start_frame,stop_frame,verb_class,noun_class\n"


@pytest.mark.parametrize("place", ["P01_01.mp4", "P01/videos/P01_01.MP4", "P01/rgb_frames/P01_01"])
def test_epic_pieces(place, build, tmp_path):
    """10 frames a second; from 1 s to 1.8 s: frames 10 to 17, in the official file's count from 1, 11 to 18."""
    if place.endswith("4"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        write_clip(tmp_path / "a.mp4", 40, fps=10).rename(tmp_path / place)
    else:
        write_pictures(tmp_path / place, 40, "frame_{:010d}.png")
    (tmp_path / "EPIC_100_validation.csv").write_text(OFFICIAL + "P01_01,00:00:01.00,00:00:01.80,11,18,2,7\n")
    data = build("epic_kitchens", "test", DATA__TARGET_FPS=10)
    sample = data[0, 0, None]
    assert sample.label == (2, 7)
    assert seen(sample) == [10, 12, 14, 17]  # the whole piece: 7 steps over 4 frames, truncated
    assert collate([sample, sample]).labels.tolist() == [[2, 7], [2, 7]]


def test_epic_piece_beyond_the_video(build, tmp_path):
    write_clip(tmp_path / "P01_01.mp4", 20, fps=10)
    (tmp_path / "EPIC_100_validation.csv").write_text(OFFICIAL + "P01_01,00:01:00.00,00:01:02.00,601,620,2,7\n")
    assert "no frame from second 60 to 62; it has 2.00 s" in build("epic_kitchens", "val")[0, 0, None].reason


def test_epic_files_of_their_own(build, tmp_path):
    write_clip(tmp_path / "P01_11_0.mp4", 9)
    (tmp_path / "train.csv").write_text("P01_11_0,2,7\n")
    (tmp_path / "val.csv").write_text("video,verb,noun\nP01_11_0.mp4,2,7\n")
    for split in ("train", "val"):
        assert build("epic_kitchens", split)[0, 0, None].label == (2, 7)


def test_epic_labels_out_of_range(build, tmp_path):
    write_clip(tmp_path / "P01_11_0.mp4", 9)
    (tmp_path / "train.csv").write_text("P01_11_0,2,7\n")
    keys = {"MODEL__NUM_CLASSES": 9, "TASK": "verb_noun"}
    assert build("epic_kitchens", "train", MODEL__HEAD_CLASSES=[3, 8], **keys).labels == [(2, 7)]
    with pytest.raises(UserError, match=r"train\.csv:1: noun 7 is out of range, expected 0 to 6"):
        build("epic_kitchens", "train", MODEL__HEAD_CLASSES=[3, 7], **keys)


def test_epic_groups(build, tmp_path):
    """Verb 2 and noun 5 are rare, nobody saw P02: by the annotations' own lists."""
    write_clip(tmp_path / "P01_01.mp4", 20, fps=10)
    rows = [("P01_01", 2, 7), ("P01_01", 3, 5), ("P02_01", 3, 7)]
    rows = "".join(f"n{i},{v},00:00:00.00,00:00:01.00,{a},{b}\n" for i, (v, a, b) in enumerate(rows))
    header = "narration_id,video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
    (tmp_path / "EPIC_100_validation.csv").write_text(header + rows)
    assert build("epic_kitchens", "test").groups == {}
    (tmp_path / "EPIC_100_tail_verbs.csv").write_text("verb\n2\n")
    (tmp_path / "EPIC_100_tail_nouns.csv").write_text("noun\n5\n")
    (tmp_path / "EPIC_100_unseen_participant_ids_validation.csv").write_text("participant_id\nP02\n")
    data = build("epic_kitchens", "test")
    assert data.clip_ids == ["n0", "n1", "n2"]
    tail, unseen = data.groups["tail"], data.groups["unseen"]
    assert tail["verb"].tolist() == [True, False, False] and tail["noun"].tolist() == [False, True, False]
    assert tail["action"].tolist() == [True, True, False]
    assert all(rows.tolist() == [False, False, True] for rows in unseen.values())


def test_ucf101_and_hmdb51(build, tmp_path):
    for name in ("Archery/v_a.avi", "YoYo/v_b.avi"):
        write_clip(tmp_path / "UCF-101" / name, 9)
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Archery\n2 YoYo\n")
    (lists / "trainlist01.txt").write_text("Archery/v_a.avi 1\n")
    (lists / "testlist01.txt").write_text("YoYo/v_b.avi\n")
    assert [build("ucf101", split)[0, 0, None].label for split in ("train", "val", "test")] == [0, 1, 1]
    (lists / "YoYo_test_split2.txt").write_text("v_b.avi 1\n")
    lists.rename(tmp_path / "test_train_splits")
    assert build("hmdb51", "train", DATA__SPLIT_NUMBER=2, DATA__PATH_PREFIX=tmp_path / "UCF-101")[0, 0, None].label == 0


FRAME_LABELS = ["", "", "1", "1", "0,1", "", "", "", "2", "2", "", ""]


def write_charades(folder):
    write_pictures(folder / "AAA", 12)
    lines = [f'AAA 0 {n} AAA/{n + 1:06d}.png "{label}"' for n, label in enumerate(FRAME_LABELS)]
    for split in ("train", "val"):
        (folder / f"{split}.csv").write_text("original_vido_id video_id frame_id path labels\n" + "\n".join(lines))


def test_charades_frame_lists(build, tmp_path):
    """A clip of 4 frames with stride 2 covers 7; its training labels are those of the frames it covers."""
    write_charades(tmp_path)
    assert build("charades", "val")[0, 0, None].label.tolist() == [1, 1, 1]
    data = build("charades", "train")
    for epoch in range(12):
        sample = data[epoch, 0, None]
        frames = seen(sample)
        assert frames == list(range(frames[0], frames[0] + 7, 2))
        shown = {int(n) for label in FRAME_LABELS[frames[0] : frames[-1] + 1] for n in label.split(",") if n}
        assert sample.label.tolist() == [float(n in shown) for n in range(3)]
    batch = collate([sample, sample])
    assert batch.labels.dtype == torch.float32 and batch.labels.shape == (2, 3)


def test_charades_clips_are_the_sources(build, tmp_path, reference_dir):
    """PySlowFast's numbers, for the views of a test."""
    write_charades(tmp_path)
    cases = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())["charades_frames"]["cases"]
    checked = 0
    for case in cases:
        if case["mode"] != "test" or case["NUM_SPATIAL_CROPS"] != 3:
            continue
        views = case["NUM_ENSEMBLE_VIEWS"]
        data = build(
            "charades",
            "test",
            DATA__SAMPLING_RATE=case["SAMPLING_RATE"],
            TEST__NUM_ENSEMBLE_VIEWS=views,
            TEST__NUM_SPATIAL_CROPS=3,
        )
        clip, _ = sampling.split_view(case["view"], 3)
        indices = data._indices(range(case["video_length"]), case["NUM_FRAMES"], case["SAMPLING_RATE"], clip, None)
        assert indices.tolist() == case["indices"]
        checked += 1
    assert checked


def test_charades_official_csv(build, tmp_path):
    """10 frames a second: a clip covers 0.6 s."""
    write_clip(tmp_path / "Charades_v1_480/AAA.mp4", 30, fps=10)
    text = "id,actions\nAAA,c001 0.00 0.90;c002 2.05 2.90\n"
    (tmp_path / "Charades_v1_train.csv").write_text(text)
    (tmp_path / "Charades_v1_test.csv").write_text(text)
    assert build("charades", "test")[0, 0, None].label.tolist() == [0, 1, 1]
    data = build("charades", "train")
    for epoch in range(8):
        sample = data[epoch, 0, None]
        first, last = seen(sample)[0] / 10, seen(sample)[-1] / 10
        assert sample.label.tolist() == [0, float(first <= 0.9), float(last >= 2.05)]


def test_xvit_kinetics(build, tmp_path):
    """A file a video; without a list of rates, SAMPLING_RATE counts stored frames."""
    for split in ("train", "val"):
        write_pack(tmp_path / f"seq_h5/{split}/run/a.h5", "x", 40)
    (tmp_path / "annotations").mkdir()
    for split in ("train", "val"):
        (tmp_path / f"annotations/{split}.txt").write_text("run/a,40,2\n")
    sample = build("kinetics", "test")[0, 0, None]
    assert (sample.label, seen(sample)) == (2, [0, 2, 4, 7])
    (tmp_path / "annotation").mkdir()
    (tmp_path / "annotation/val_fps.txt").write_text("run/a,60\n")
    assert seen(build("kinetics", "test")[0, 0, None]) == [0, 5, 10, 15]  # twice the rate, twice the span
    (tmp_path / "annotation/val_fps.txt").write_text("run/b,60\n")
    with pytest.raises(UserError, match="no line for 1 videos"):
        build("kinetics", "test")


def test_piece_of_a_video_without_times(build, tmp_path):
    from slowfast.datasets.readers import SegmentReader, open_reader

    write_pictures(tmp_path / "v", 10)
    with pytest.raises(ReadError, match="its frames have no times"):
        SegmentReader(open_reader(tmp_path / "v"), (0, 1))
    piece = SegmentReader(open_reader(tmp_path / "v"), (0.2, 0.6), fps=10)
    assert len(piece) == 4 and piece.size == (24, 24) and piece.get([3])[0, 0, 0, 0] == 5 * STEP
    with pytest.raises(IndexError):
        piece.get([4])
