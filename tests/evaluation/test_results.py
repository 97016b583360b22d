"""What a test run writes, read back."""

import hashlib
import json
import math
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from slowfast.evaluation.ensemble import ViewEnsemble
from slowfast.evaluation.results import RunRecord, describe_checkpoint, write_test_results
from slowfast.utils.errors import UserError

LABELS = [0, 2, 1, 2, 0]  # of the listed videos
NAMES = ["falling", "lying", "sitting", "standing", "walking", "jumping", "waving"]
RIGHT = {0: 0, 1: 2, 2: 1, 4: 3}  # best class of each readable video: 3 of 4 are right


def record(**changes):
    made = RunRecord(
        title="XViT on kinetics",
        paths=[f"clips/{i} é.mp4" for i in range(5)],
        labels=LABELS,
        class_names=NAMES,
        num_views=2,
        scores="softmax",
        ensemble_method="sum",
        frame_order="forward",
        world_size=3,
        checkpoint={"path": "/c.pyth", "sha256": "0" * 64, "epoch": 4},
        config={"DATA": {"MEAN": (0.45, float("inf")), "X": None}},
        provenance={"code": {"commit": "abc", "dirty": True}, "versions": {"python": "3"}},
    )
    return replace(made, **changes)


def ensemble(readable=RIGHT):
    """Two views a video; the true class of video 4 ranks second. The others cannot be read."""
    made = ViewEnsemble(5, 2, len(NAMES))
    for video, best in readable.items():
        scores = torch.full((2, len(NAMES)), 0.01)
        scores[:, LABELS[video]] = 0.2
        scores[:, best] = 0.7
        made.add([video, video], [0, 1], scores)
    for video in sorted(set(range(5)) - set(readable)):
        made.add_unreadable(video, f"clips/{video} é.mp4", "no video stream")
    return made


def read(folder):
    return json.loads((folder / "test_results.json").read_text(), parse_constant=pytest.fail)


def test_results_tell_scores_losses_and_provenance(tmp_path):
    returned = write_test_results(tmp_path, ensemble(), record())
    told = read(tmp_path)
    assert told["top1_acc"] == returned["top1_acc"] == 75.0
    assert told["top5_acc"] == 100.0
    assert told["coverage"] == "4 of 5 videos scored"
    assert (told["num_videos"], told["num_videos_listed"], told["num_views"], told["num_unreadable"]) == (4, 5, 2, 1)
    assert told["unreadable"] == [{"path": "clips/3 é.mp4", "reason": "no video stream"}]
    assert told["notes"] == ["1 listed video(s) could not be read and are not in the accuracies"]
    assert (told["scores"], told["ensemble_method"], told["frame_order"]) == ("softmax", "sum", "forward")
    assert told["world_size"] == 3
    assert told["checkpoint"] == {"path": "/c.pyth", "sha256": "0" * 64, "epoch": 4}
    assert told["code"] == {"commit": "abc", "dirty": True} and told["versions"] == {"python": "3"}
    assert told["config"] == {"DATA": {"MEAN": [0.45, "inf"], "X": None}}
    assert told["finished_at"].endswith("+00:00")
    falling, lying, *_, waving = told["per_class_accuracy"]
    assert falling == {"label": 0, "class": "falling", "accuracy": 50.0, "num_correct": 1, "num_videos": 2}
    assert lying["accuracy"] == 100.0
    assert waving == {"label": 6, "class": "waving", "accuracy": None, "num_correct": 0, "num_videos": 0}


def test_predictions_load_without_pickle(tmp_path):
    write_test_results(tmp_path, ensemble(), record())
    with np.load(tmp_path / "predictions.npz", allow_pickle=False) as stored:
        assert set(stored) == {"scores", "labels", "video_ids", "paths", "class_names"}
        assert stored["scores"].shape == (4, 7) and stored["scores"].dtype == np.float32
        assert stored["scores"].argmax(axis=1).tolist() == list(RIGHT.values())
        np.testing.assert_allclose(stored["scores"][0].max(), 1.4)  # summed over two views, not divided
        assert stored["labels"].tolist() == [0, 2, 1, 0]
        assert stored["video_ids"].tolist() == [0, 1, 2, 4]
        assert stored["paths"].tolist()[-1] == "clips/4 é.mp4"
        assert stored["class_names"].tolist() == NAMES


def test_picture_is_written_and_nothing_else(tmp_path):
    write_test_results(tmp_path, ensemble(), record())
    with Image.open(tmp_path / "confusion_matrix.png") as image:
        assert image.format == "PNG"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["confusion_matrix.png", "predictions.npz", "test_results.json"]


def test_upstream_form_of_results(tmp_path):
    write_test_results(tmp_path, ensemble(), record(), save_results_path="sub/results.pkl")
    with open(tmp_path / "sub" / "results.pkl", "rb") as file:
        stored = pickle.load(file)
    assert isinstance(stored, list) and len(stored) == 2
    assert stored[0].dtype == torch.float32 and stored[0].shape == (4, 7)
    assert stored[1].dtype == torch.int64 and stored[1].tolist() == [0, 2, 1, 0]


def test_nothing_readable_has_no_accuracy(tmp_path):
    returned = write_test_results(tmp_path, ensemble({}), record())
    told = read(tmp_path)
    assert told["top1_acc"] is None and told["num_videos"] == 0 and told["num_unreadable"] == 5
    assert math.isnan(returned["top1_acc"])
    assert np.load(tmp_path / "predictions.npz")["paths"].shape == (0,)


def test_incomplete_views_write_nothing(tmp_path):
    broken = ViewEnsemble(5, 2, len(NAMES))
    with pytest.raises(RuntimeError, match="5 videos without all their views"):
        write_test_results(tmp_path, broken, record())
    assert not list(tmp_path.iterdir())


def test_notes_say_what_a_reader_must_know(tmp_path):
    made = ViewEnsemble(2, 1, 3)
    made.add([0, 1], [0, 0], torch.eye(3)[:2])
    told = write_test_results(
        tmp_path,
        made,
        record(paths=["a", "b"], labels=[0, 1], class_names=NAMES[:3], checkpoint=None, frame_order="reversed"),
    )
    assert told["notes"] == [
        "top5_acc is over all 3 classes and therefore always 100",
        "random weights were tested, not a checkpoint",
        "a control: the frames of every clip were reversed",
    ]
    assert told["top5_acc"] == 100.0


def test_checkpoint_is_named_by_its_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.pyth").write_bytes(b"weights")
    expected = {"path": str(tmp_path / "c.pyth"), "sha256": hashlib.sha256(b"weights").hexdigest(), "epoch": 7}
    assert describe_checkpoint("c.pyth", 7) == expected


def config(names_path=""):
    return SimpleNamespace(
        TEST=SimpleNamespace(
            SCORES="logits", NUM_ENSEMBLE_VIEWS=3, NUM_SPATIAL_CROPS=1, DATASET="kinetics", FRAME_ORDER="shuffled"
        ),
        DATA=SimpleNamespace(ENSEMBLE_METHOD="max", CLASS_NAMES_PATH=names_path, PATH_TO_DATA_DIR=""),
        MODEL=SimpleNamespace(MODEL_NAME="XViT", NUM_CLASSES=2),
        TASK="classification",
        TRAIN=SimpleNamespace(DATASET="kinetics"),
    )


def test_record_from_configuration(tmp_path):
    (tmp_path / "names.txt").write_text("no\nyes\n")
    rows = [SimpleNamespace(path="a.mp4", label=1), SimpleNamespace(path="b.mp4", label=0)]
    dataset = SimpleNamespace(records=rows, labels=[row.label for row in rows], num_views=3)
    made = RunRecord.from_cfg(config(tmp_path / "names.txt"), dataset, None, world_size=2)
    assert made.title == "XViT on kinetics, 3 x 1 views, max of logits, frames shuffled"
    assert (made.paths, made.labels, made.class_names) == (["a.mp4", "b.mp4"], [1, 0], ["no", "yes"])
    assert (made.num_views, made.scores, made.ensemble_method, made.world_size) == (3, "logits", "max", 2)
    assert set(made.provenance) == {"code", "versions"}
    (tmp_path / "names.txt").write_text("no\n")
    with pytest.raises(UserError, match="CLASS_NAMES_PATH"):
        RunRecord.from_cfg(config(tmp_path / "names.txt"), dataset, None, world_size=2)


def test_a_verb_and_a_noun(tmp_path):
    ensemble = ViewEnsemble(3, 1, 5)
    scores = np.array([[0.9, 0.1, 0.2, 0.7, 0.1], [0.4, 0.6, 0.5, 0.3, 0.2], [0.3, 0.7, 0.1, 0.1, 0.8]], np.float32)
    ensemble.add([0, 1, 2], [0, 0, 0], scores)
    everywhere = dict.fromkeys(("verb", "noun", "action"), np.array([False, True, True]))
    record = RunRecord(
        title="",
        paths=["a", "b", "c"],
        labels=[(0, 1), (1, 0), (0, 2)],
        class_names=list("01234"),
        num_views=1,
        scores="softmax",
        ensemble_method="sum",
        frame_order="forward",
        world_size=1,
        checkpoint=None,
        config={},
        head_classes=(2, 3),
        clip_ids=["P01_1", "P01_2", "P02_1"],
        groups={"unseen": everywhere},
    )
    told = write_test_results(tmp_path, ensemble, record)
    assert told["verb_top1_acc"] == told["action_top1_acc"] == pytest.approx(200 / 3) and told["noun_top1_acc"] == 100
    assert told["unseen"]["action_top1_acc"] == 50
    stored = np.load(tmp_path / "predictions.npz")
    assert stored["head_classes"].tolist() == [2, 3] and stored["clip_ids"].tolist() == ["P01_1", "P01_2", "P02_1"]
    assert not (tmp_path / "confusion_matrix.png").exists()
