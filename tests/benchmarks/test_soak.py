"""The soak of a loader: what it measures, and when it calls memory flat."""

import json

import pytest

from benchmarks import soak
from slowfast.utils.errors import UserError


def test_a_short_soak(small_set, tmp_path, capsys):
    command = [str(small_set), "--clips", "80", "--workers", "1", "--tolerance", "9", "--out", str(tmp_path / "s.json")]
    opts = ["--opts", "DATA.TRAIN_JITTER_SCALES", "[16,16]", "DATA.TRAIN_CROP_SIZE", "16"]
    assert soak.main(command + opts) == 0
    result = json.loads((tmp_path / "s.json").read_text())
    assert result["videos"] == 48 and len(result["parts"]) <= soak.PARTS
    assert result["parts"][-1]["clips"] == 80 and result["parts"][-1]["mib"].keys() == {"loader", "worker 0"}
    assert all(mib > 50 for part in result["parts"] for mib in part["mib"].values())
    assert "| 80 |" in capsys.readouterr().out


def test_too_few_videos(tmp_path):
    with pytest.raises(UserError, match="0 videos below"):
        soak.main([str(tmp_path)])


@pytest.mark.parametrize(("end", "flat"), [(102.0, True), (103.0, False), (60.0, True)])
def test_growth_counts_from_the_second_part(end, flat):
    parts = [{"mib": {"loader": mib, "worker 0": 50.0}} for mib in (10.0, 100.0, 300.0, end)]
    verdict = soak.judge(parts, 0.02)
    assert verdict["flat"] is flat and verdict["growth"]["loader"] == pytest.approx(end / 100 - 1, abs=1e-3)
