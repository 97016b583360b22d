"""The command that turns a test run's scores into the challenge's file."""

import json
import zipfile

import numpy as np
import pytest

from slowfast.utils.errors import UserError
from tools.epic_submission import main


def test_zip_and_json(tmp_path, capsys):
    scores = np.array([[0.9, 0.1, 0.2, 0.7, 0.1]], np.float32)
    path = tmp_path / "predictions.npz"
    np.savez(path, scores=scores, head_classes=[2, 3], clip_ids=["P01_11_0"])
    assert main([str(path), str(tmp_path / "out.zip"), "--sls_td", "4"]) == 0
    assert main([str(path), str(tmp_path / "out.json"), "--sls_td", "4"]) == 0
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        told = json.loads(archive.read("test.json"))
    assert told == json.loads((tmp_path / "out.json").read_text())
    assert told["sls_td"] == 4 and list(told["results"]) == ["P01_11_0"]
    assert "1 clips, 2 verbs, 3 nouns" in capsys.readouterr().out


def test_what_is_no_such_run(tmp_path):
    np.savez(tmp_path / "p.npz", scores=np.zeros((1, 5)))
    with pytest.raises(UserError, match="has no head_classes, clip_ids"):
        main([str(tmp_path / "p.npz"), str(tmp_path / "o.zip")])
    with pytest.raises(UserError, match="cannot be read"):
        main([str(tmp_path / "gone.npz"), str(tmp_path / "o.zip")])
    with pytest.raises(UserError, match=r"name a \.zip"):
        main([str(tmp_path / "p.npz"), str(tmp_path / "o.txt")])
