"""Lists of the data sets other than Kinetics, in the layouts that their publishers give."""

import json

import pytest

from slowfast.datasets.annotations.charades import read_charades_csv
from slowfast.datasets.annotations.epic import UNKNOWN, Action, read_epic_csv, seconds
from slowfast.datasets.annotations.frame_lists import is_frame_list, read_frame_list
from slowfast.datasets.annotations.splits import read_hmdb51_split, read_ucf101_split
from slowfast.datasets.annotations.ssv2 import read_ssv2_json
from slowfast.datasets.annotations.xvit import locate_xvit_pack, locate_xvit_ssv2, read_xvit_rates
from slowfast.utils.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write_file


def test_ssv2_json(write):
    labels = write("labels.json", {"Holding something next to something": "1", "Closing something": "0"})
    entries = [
        {"id": "78687", "label": "holding potato next to jar", "template": "Holding [something] next to [something]"},
        {"id": 42, "template": "Closing [something]", "placeholders": ["door"]},
    ]
    assert read_ssv2_json(write("train.json", entries), labels, 2) == [("78687", 1), ("42", 0)]
    wrong = [*entries, {"id": "1", "template": "Eating [something]"}, {"id": "2"}]
    with pytest.raises(UserError, match=r"t\.json:3: template 'Eating something' is not in .*\(1 more"):
        read_ssv2_json(write("t.json", wrong), labels)
    assert len(read_ssv2_json(write("t.json", wrong), labels, skip_bad_lines=True)) == 2
    with pytest.raises(UserError, match="label 1 is out of range, expected 0 to 0"):
        read_ssv2_json(write("t.json", entries), labels, 1)
    for content in ("{", {"a": 1}, []):
        with pytest.raises(UserError, match=r"t\.json"):
            read_ssv2_json(write("t.json", content), labels)


FRAME_LIST = """original_vido_id video_id frame_id path labels
AAAAA 0 0 AAAAA/000001.jpg ""
AAAAA 0 1 AAAAA/000002.jpg "3,17"
BBBBB 1 0 BBBBB/000001.jpg "5"
"""


def test_frame_list(write):
    path = write("train.csv", FRAME_LIST)
    assert is_frame_list(path) and not is_frame_list(write("other.csv", "a.mp4 1\n"))
    assert read_frame_list(path) == {
        "AAAAA": (["AAAAA/000001.jpg", "AAAAA/000002.jpg"], [(), (3, 17)]),
        "BBBBB": (["BBBBB/000001.jpg"], [(5,)]),
    }
    for line, told in (
        ("CCCCC 2 0", "got 3 fields"),
        ('CCCCC 2 0 c.jpg "3,x"', "'x' is no whole number"),
        ('CCCCC 2 0 c.jpg "18"', "'18' is no whole number from 0 below 18"),
    ):
        with pytest.raises(UserError, match=rf"bad\.csv:5: .*{told}"):
            read_frame_list(write("bad.csv", FRAME_LIST + line + "\n"), 18)
        assert len(read_frame_list(write("bad.csv", FRAME_LIST + line + "\n"), 18, skip_bad_lines=True)) == 2


def test_epic_short(write):
    expected = [Action("P01_11_0", (2, 7)), Action("P02_01_3", (0, 299))]
    assert read_epic_csv(write("train.csv", "P01_11_0,2,7\nP02_01_3,0,299\n")) == expected
    assert read_epic_csv(write("train.csv", "video,verb,noun\nP01_11_0, 2, 7\nP02_01_3,0,299\n"), 97, 300) == expected


# Header and first row of the published EPIC_100_train.csv.
OFFICIAL = """narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,\
stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns
P01_01_0,P01,P01_01,00:00:01.089,00:00:00.14,00:00:03.37,8,202,open door,open,3,door,3,['door']
P01_01_1,P01,P01_01,00:00:02.629,00:01:04.37,01:00:06.17,262,370,"turn on, light",turn-on,6,light,114,"['light', 'a']"
"""


def test_epic_official(write):
    assert read_epic_csv(write("EPIC_100_train.csv", OFFICIAL)) == [
        Action("P01_01", (3, 3), (0.14, 3.37), 8, 202, "P01_01_0"),
        Action("P01_01", (6, 114), (64.37, 3606.17), 262, 370, "P01_01_1"),
    ]
    assert seconds("01:02:03.5") == 3723.5


def test_epic_without_labels(write):
    """The challenge's test set; a list for training needs them."""
    text = "narration_id,video_id,start_timestamp,stop_timestamp\nP01_01_0,P01_01,00:00:00.14,00:00:03.37\n"
    path = write("EPIC_100_test_timestamps.csv", text)
    assert read_epic_csv(path, 97, 300, labelled=False)[0].label == UNKNOWN
    with pytest.raises(UserError, match="no column verb_class, noun_class"):
        read_epic_csv(path, 97, 300)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("P01,1,2\nP01,1\n", r"e\.csv:2: .*video,verb,noun"),
        ("P01,1,2\nP01,x,2\n", r"e\.csv:2: verb 'x' is no whole number"),
        (
            "P01,1,2\nP01,1,300\n",
            r"e\.csv:2: noun 300 is out of range, expected 0 to 299 \(nouns of MODEL\.HEAD_CLASSES: 300\)",
        ),
        (OFFICIAL.replace("00:00:03.37", "00:00:00.10"), r"e\.csv:2: stop_timestamp 00:00:00\.10 is not after"),
        (OFFICIAL.replace("00:00:03.37", "3.37"), r"e\.csv:2: time '3\.37' is not HH:MM:SS"),
        (OFFICIAL.replace("noun_class,", "noun_number,"), r"e\.csv:1: the header has no column noun_class"),
        ("", r"e\.csv: the list is empty"),
    ],
)
def test_epic_that_does_not_fit(write, text, told):
    with pytest.raises(UserError, match=told):
        read_epic_csv(write("e.csv", text), 97, 300)


def test_ucf101(write, tmp_path):
    write("classInd.txt", "1 ApplyEyeMakeup\n2 Archery\n3 YoYo\n")
    write("trainlist02.txt", "Archery/v_Archery_g08_c01.avi 2\nYoYo/v_YoYo_g25_c05.avi 3\n")
    write("testlist02.txt", "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\n")
    assert read_ucf101_split(tmp_path, "train", 2, 3) == [
        ("Archery/v_Archery_g08_c01.avi", 1),
        ("YoYo/v_YoYo_g25_c05.avi", 2),
    ]
    for split in ("val", "test"):
        assert read_ucf101_split(tmp_path, split, 2) == [("ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi", 0)]
    with pytest.raises(UserError, match=r"the list has 3 classes, MODEL\.NUM_CLASSES is 2"):
        read_ucf101_split(tmp_path, "train", 2, 2)
    with pytest.raises(UserError, match=r"trainlist01\.txt"):
        read_ucf101_split(tmp_path, "train", 1)
    for line, told in (("Dance/a.avi 2", "a class of classInd.txt"), ("Archery/a.avi 3", "label 3 is not Archery's")):
        write("trainlist03.txt", line + "\n")
        with pytest.raises(UserError, match=rf"trainlist03\.txt:1: .*{told}"):
            read_ucf101_split(tmp_path, "train", 3)


def test_hmdb51(write, tmp_path):
    write("brush_hair_test_split1.txt", "a b.avi 1 \nc.avi 2 \nd.avi 0 \n")
    write("wave_test_split1.txt", "w.avi 1\n")
    write("wave_test_split2.txt", "w.avi 2\n")
    assert read_hmdb51_split(tmp_path, "train", 1, 2) == [("brush_hair/a b.avi", 0), ("wave/w.avi", 1)]
    assert read_hmdb51_split(tmp_path, "test", 1) == read_hmdb51_split(tmp_path, "val", 1) == [("brush_hair/c.avi", 0)]
    with pytest.raises(UserError, match=r"no file '<class>_test_split3\.txt' \(DATA\.SPLIT_NUMBER 3\)"):
        read_hmdb51_split(tmp_path, "train", 3)
    write("wave_test_split1.txt", "w.avi 1\nx.avi 4\n")
    with pytest.raises(UserError, match=r"wave_test_split1\.txt:2: got 'x\.avi 4'"):
        read_hmdb51_split(tmp_path, "train", 1)


# Columns of the published Charades_v1_train.csv.
CHARADES = """id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length
46GP8,HR43,Kitchen,6,7,Yes,"A person, cooking.",food;stove,"He ""cooks"".",c092 11.90 21.20;c147 0.00 12.60,24.83
N11GT,0KZ7,Stairs,5,7,Yes,script,broom,text,,18.33
"""


def test_charades(write):
    assert read_charades_csv(write("c.csv", CHARADES), 157) == [
        ("46GP8", [(92, 11.9, 21.2), (147, 0.0, 12.6)]),
        ("N11GT", []),
    ]
    for old, new, told in (
        ("c147", "147", r"c\.csv:2: got action '147 0\.00 12\.60'"),
        ("c147", "c157", r"c\.csv:2: label 157 is out of range"),
        ("21.20", "late", r"c\.csv:2: .*late"),
        ("46GP8", "", r"c\.csv:2: the column 'id' is empty"),
        ("actions", "acts", r"c\.csv:1: the header has no column actions"),
    ):
        with pytest.raises(UserError, match=told):
            read_charades_csv(write("c.csv", CHARADES.replace(old, new)), 157)


def test_xvit_layouts(write, tmp_path):
    """From the facts on how its loaders find packs and rates."""
    assert locate_xvit_pack(tmp_path, "test")("a/b") == tmp_path / "val/a/b.h5"
    (tmp_path / "seq_h5/train").mkdir(parents=True)
    assert locate_xvit_pack(tmp_path, "train")("a/b") == tmp_path / "seq_h5/train/a/b.h5"
    assert locate_xvit_ssv2(tmp_path)("12") == tmp_path / "seq_h5/12.h5/12"
    write("Something-Something-v2-frames.h5", "")
    assert locate_xvit_ssv2(tmp_path)("12") == tmp_path / "Something-Something-v2-frames.h5/12"
    assert read_xvit_rates(tmp_path, "train") is None
    write("annotation/train_fps.txt", "a/b,25\nc d,29.97\n")
    assert read_xvit_rates(tmp_path, "train") == {"a/b": 25.0, "c d": 29.97}
    for line in ("a/b,fast", "a/b,0", "a/b,nan"):
        write("annotations/val_fps.txt", line)
        with pytest.raises(UserError, match=r"val_fps\.txt:1: "):
            read_xvit_rates(tmp_path, "val")
