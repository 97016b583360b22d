"""--dry_run: everything checked and said, nothing written."""

import torch

from slowfast.models import build_model


def test_what_a_run_will_do(run_net, tmp_path):
    ended = run_net("--dry_run", TRAIN__BATCH_SIZE=4, SOLVER__ACCUMULATE_STEPS=2, SOLVER__BASE_LR=0.5)
    assert ended.returncode == 0, ended.stderr
    for part in (
        "XViT, 0.03 M parameters, 0.03 M trainable",
        "GFLOPs a view",
        "32 videos, 8 batches a process",
        "16 videos, 2 view(s) a video, 8 batches a process",
        "8 clips an optimizer step (4 a machine x 1 machine(s) x 2 micro-steps)",
        "0.5 after scaling",
        "MiB predicted at most in each process",
        "4 x 4 x 32² px",
        "weights 0, gradients 0, optimizer 0, activations",
        "4 an epoch, 2 epochs",
        "TrainTransform(crop=JitteredCrop(scales=(32, 32), crop_size=32, inverse_scale=False), flip=False",
        "first train batch: frames (4, 3, 4, 32, 32)",
        "first test batch: frames (4, 3, 4, 32, 32)",
    ):
        assert part in ended.stdout
    assert not (tmp_path / "run").exists()


def test_a_batch_that_cannot_be_read(run_net, small_set, tmp_path):
    """Paths that lead nowhere are found before anything is trained."""
    for split in ("train", "val"):
        (tmp_path / f"{split}.csv").write_text("".join(f"nowhere/{i}.mp4 0\n" for i in range(40)))
    ended = run_net("--dry_run", DATA__PATH_TO_DATA_DIR=tmp_path)
    assert ended.returncode == 2
    assert "nowhere/" in ended.stderr and "DATA.PATH_PREFIX" in ended.stderr and "Traceback" not in ended.stderr


def test_weights_are_tried(run_net, tmp_path, tiny_cfg):
    """A file that does not fit is refused before a run is queued; one that does is reported."""
    torch.save(build_model(tiny_cfg()).state_dict(), tmp_path / "weights.pth")
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "foreign.pth")
    ended = run_net("--dry_run", TRAIN__CHECKPOINT_FILE_PATH=tmp_path / "weights.pth")
    assert ended.returncode == 0 and "100.0 % of the backbone's" in ended.stdout, ended.stderr
    ended = run_net("--dry_run", TRAIN__CHECKPOINT_FILE_PATH=tmp_path / "foreign.pth")
    assert ended.returncode == 2 and "foreign.pth" in ended.stderr
    ended = run_net("--dry_run", TRAIN__ENABLE=False)
    assert ended.returncode == 2 and "TEST.CHECKPOINT_FILE_PATH" in ended.stderr
    assert not (tmp_path / "run").exists()
