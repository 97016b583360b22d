"""A checkpoint whose tensors lie in a folder beside it: cut and joined, damaged, hostile, swept up."""

import pickle
import warnings

import pytest
import torch
import torch.distributed.checkpoint as dcp

from slowfast.utils.errors import UserError
from slowfast.weights import read_checkpoint, read_file
from slowfast.weights.shards import SHARDS, describe_shards, find_shard_damage, merge, remove_unused, split

PAYLOAD = {
    "epoch": 3,
    "model_state": {"a.weight": torch.arange(12.0).view(3, 4), "a.count": torch.tensor(7)},
    "optimizer_state": {"state": {0: {"exp_avg": torch.ones(3, 4)}}, "param_groups": [{"lr": 0.5, "params": [0]}]},
    "average_state": None,
    "scaler_state": {},
}


@pytest.fixture
def path(tmp_path):
    """A checkpoint in shards that one process has written."""
    folder = tmp_path / "shards_00000005_0"
    tensors, places, rest = split(PAYLOAD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of writing without other processes
        dcp.save(tensors, storage_writer=dcp.FileSystemWriter(folder))
    rest[SHARDS] = {"folder": folder.name, "files": describe_shards(folder, {}), "tensors": places}
    torch.save(rest, tmp_path / "best.pyth")
    return tmp_path / "best.pyth"


def test_cut_and_merged():
    tensors, places, rest = split(PAYLOAD)
    assert set(tensors) == {"model_state.a.weight", "model_state.a.count", "optimizer_state.state.0.exp_avg"}
    assert places["optimizer_state.state.0.exp_avg"] == ["optimizer_state", "state", 0, "exp_avg"]
    assert rest["model_state"] == {} and rest["epoch"] == 3 and rest["average_state"] is None
    merged = merge(rest, tensors, places)
    assert str(merged) == str(PAYLOAD)


def test_joined(path):
    whole = dict(read_checkpoint(path))
    assert str(whole["model_state"]) == str(PAYLOAD["model_state"])
    assert str(whole["optimizer_state"]) == str(PAYLOAD["optimizer_state"]) and SHARDS not in whole
    weights = read_checkpoint(path, parts=("model_state",))
    assert str(weights["model_state"]) == str(PAYLOAD["model_state"])
    assert weights["optimizer_state"]["state"] == {0: {}}


def test_what_is_wrong_is_named(path):
    content, folder = read_file(path), path.parent / "shards_00000005_0"
    assert find_shard_damage(content, path) is None
    shard = folder / "__0_0.distcp"
    whole = shard.read_bytes()
    for broken, text in (
        (whole[:-1], f"has a shard of another length, {shard}: {len(whole) - 1} bytes, {len(whole)} were written"),
        (b"X" + whole[1:], f"has a damaged shard, {shard}"),
    ):
        shard.write_bytes(broken)
        assert find_shard_damage(content, path) == text
    shard.unlink()
    with pytest.raises(UserError, match=rf"lacks its shard {shard}. Its shards have to lie beside it; copy the folder"):
        read_checkpoint(path)


def test_nothing_is_executed(path, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    content, folder = read_file(path), path.parent / "shards_00000005_0"
    (folder / ".metadata").write_bytes(pickle.dumps(Hostile()))
    content[SHARDS]["files"] = describe_shards(folder, {})
    torch.save(content, path)
    with pytest.raises(UserError, match=r"\.metadata cannot be read \(it asks for _?io.open\)"):
        read_checkpoint(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", ""])
def test_shards_lie_beside_the_file(path, name):
    content = read_file(path)
    content[SHARDS]["folder"] = name
    torch.save(content, path)
    with pytest.raises(UserError, match="shards must lie beside it"):
        read_checkpoint(path)


def test_folders_that_no_file_names_are_removed(path, tmp_path):
    for name in ("shards_00000004_0", "shards_00000005_1", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / "torn.pyth").write_bytes(b"PK")
    remove_unused(tmp_path)
    assert sorted(item.name for item in tmp_path.iterdir() if item.is_dir()) == ["other", "shards_00000005_0"]
    path.unlink()
    remove_unused(tmp_path)
    assert not (tmp_path / "shards_00000005_0").exists()
