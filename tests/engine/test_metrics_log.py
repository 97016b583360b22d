"""metrics.jsonl over a run that is killed and goes on."""

import json
import os

import pytest

from slowfast.engine import metrics_log
from slowfast.engine.metrics_log import MetricsLog, Progress, Throughput, format_seconds
from slowfast.utils.errors import UserError


def _lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_appends_and_tells_nan_as_null(tmp_path):
    log = MetricsLog(tmp_path)
    log.write("train", 1, {"loss": 2.5})
    log.write("val", 1, {"loss": float("nan")})
    log.close()
    assert _lines(tmp_path) == [
        {"split": "train", "step": 1, "loss": 2.5},
        {"split": "val", "step": 1, "loss": None},
    ]


@pytest.mark.parametrize("in_epoch, kept", [(False, 3), (True, 1)])
def test_lines_that_will_be_written_again_are_dropped(tmp_path, in_epoch, kept):
    log = MetricsLog(tmp_path)
    for split, step in [("train", 4), ("train_epoch", 4), ("val", 4), ("train", 5)]:
        log.write(split, step, {})
    log.close()
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"split": "tra\n')  # torn by a full disk or a power cut
        file.write('{"split": "train", "step": 6, "lo')  # killed while writing
    MetricsLog(tmp_path, step=4, in_epoch=in_epoch).close()
    assert len(_lines(tmp_path)) == kept


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_full_disk(tmp_path, goes_on, caplog):
    log = MetricsLog(tmp_path, goes_on=goes_on)
    log.file = open("/dev/full", "w")
    if goes_on:
        with caplog.at_level("ERROR", logger="slowfast"):
            log.write("train", 1, {})
            log.write("train", 2, {})
        assert caplog.text.count(f"cannot write {tmp_path}/metrics.jsonl: No space left on device. Going on") == 1
    else:
        with pytest.raises(UserError, match=r"metrics.jsonl: No space left on device. Free space"):
            log.write("train", 1, {})
    log.close()


def test_other_processes_write_nothing(tmp_path):
    log = MetricsLog(tmp_path, tensorboard_dir=tmp_path / "tb", enabled=False)
    log.write("train", 1, {"loss": 1.0})
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_holds_the_numbers(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = MetricsLog(tmp_path, tensorboard_dir=tmp_path / "tb")
    log.write("train", 3, {"loss": 0.75, "note": "text stays out"})
    log.close()
    events = EventAccumulator(str(tmp_path / "tb")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(3, 0.75)]


def test_throughput_of_a_window():
    throughput = Throughput()
    throughput.start -= 2.0  # as if two seconds had passed
    throughput.waited(0.5)
    for clips, work in ((6, 1.0), (10, 4.0)):
        throughput.step(clips, work)
    window = throughput.window()
    assert window["clips_per_s"] == pytest.approx(8.0, rel=0.05)
    assert window["data_wait"] == pytest.approx(0.25, rel=0.05)
    assert window["work_s"] == pytest.approx(0.4, rel=0.05)
    assert throughput.window()["clips_per_s"] == 0


def test_format_seconds():
    assert format_seconds(3725.4) == "1:02:05"


def test_progress_without_a_terminal_is_plain_lines(monkeypatch):
    lines = []
    monkeypatch.setattr(metrics_log, "get_logger", lambda: type("Log", (), {"info": lines.append}))
    monkeypatch.setattr(metrics_log.sys.stderr, "isatty", lambda: False, raising=False)
    for enabled in (True, False):
        progress = Progress(2, "epoch 3/20", enabled=enabled)
        progress.advance()
        progress.report("loss 1.5")
        progress.close()
    assert lines == ["epoch 3/20 loss 1.5"]
