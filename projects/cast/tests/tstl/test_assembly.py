"""Selector and experts made elsewhere become one file, which says what differed, and answers as they do."""

import json

import pytest
import torch

from projects.cast import import_experts
from projects.cast.model import is_expert
from projects.cast.tests.sizes import CROP, FRAMES, SIZES, clip
from projects.cast.tests.tstl.models import OF_CLASS, small_member
from projects.cast.tstl.groups import Groups
from projects.cast.tstl.routing import best_experts
from slowfast.config import load_cfg
from slowfast.engine.saving.initial import load_test_weights
from slowfast.models import build_model
from slowfast.utils.command_line import run_command
from slowfast.weights import frozen_digest, without_frozen

CLASSES, GROUPS = len(OF_CLASS), max(OF_CLASS) + 1


@pytest.fixture
def trunk():
    return {name: p for name, p in small_member(2, seed=9).state_dict().items() if is_expert(name)}


@pytest.fixture
def members(trunk):
    """The selector, then the experts, over one trunk."""
    made = [small_member(GROUPS if number == 0 else CLASSES, seed=number) for number in range(GROUPS + 1)]
    for member in made:
        member.load_state_dict(trunk, strict=False)
    return made


@pytest.fixture
def files(tmp_path, members):
    """files(): writes all members as whole public checkpoints; their paths."""

    def write():
        for number, member in enumerate(members):
            torch.save({"module": member.state_dict(), "epoch": 3}, tmp_path / f"member_{number}.pt")
        return [str(tmp_path / f"member_{number}.pt") for number in range(len(members))]

    return write


@pytest.fixture
def words(tmp_path, trunk):
    """Overrides of a small TSTL whose trunk is a file of its own."""
    torch.save({**small_member(2).state_dict(), **trunk}, tmp_path / "trunk.pt")
    Groups(OF_CLASS).write(tmp_path / "groups.json")
    sizes = {f"CAST.{name.upper()}": value for name, value in SIZES.items()}
    options = {
        "PROJECTS": ["projects.cast"],
        "MODEL.MODEL_NAME": "TSTL",
        "MODEL.NUM_CLASSES": CLASSES,
        "TRAIN.ENABLE": False,
        "TRAIN.CHECKPOINT_FILE_PATH": tmp_path / "trunk.pt",
        "TSTL.GROUPS_PATH": tmp_path / "groups.json",
        "TSTL.TOPK": 2,
        "TSTL.VOTE": "weighted_prob",
        "DATA.NUM_FRAMES": FRAMES,
        "DATA.TRAIN_CROP_SIZE": CROP,
        "DATA.TEST_CROP_SIZE": CROP,
        "DATA.INPUT_CHANNEL_NUM": [3],
        "OUTPUT_DIR": tmp_path / "out",
        **sizes,
    }
    (tmp_path / "empty.yaml").write_text("PROJECTS: [projects.cast]\n")
    return [str(word) for pair in options.items() for word in pair]


def put_together(tmp_path, words, paths, *further):
    """Exit code of the command."""
    command = ["--cfg", str(tmp_path / "empty.yaml"), "--selector", paths[0], "--experts", *paths[1:], *words, *further]
    return run_command(lambda: import_experts.main(command))


def loaded(tmp_path, words, *further):
    """The model as a test run loads it."""
    path = str(tmp_path / "out" / "tstl.pyth")
    cfg = load_cfg(tmp_path / "empty.yaml", [*words, "TEST.CHECKPOINT_FILE_PATH", path, *further])
    model = build_model(cfg)
    load_test_weights(model, cfg)
    return model.eval()


@torch.no_grad()
def answers_of(members, clips, topk=2):
    selector, *experts = members
    scores = selector(clips)
    chosen = best_experts(scores, topk)
    weights = scores.softmax(dim=1).gather(1, chosen)
    probabilities = torch.stack([expert(clips).softmax(dim=1) for expert in experts], dim=1)  # (B, G, K)
    asked = probabilities.gather(1, chosen[..., None].expand(-1, -1, CLASSES))
    return (weights / weights.sum(dim=1, keepdim=True))[..., None].mul(asked).sum(dim=1)


@torch.no_grad()
def test_public_files_become_one(tmp_path, words, files, members, capsys):
    assert put_together(tmp_path, words, files()) == 0
    told = capsys.readouterr().out
    assert "experts.2:" in told and "the same" in told and "DIFFER" not in told
    model = loaded(tmp_path, words)
    torch.testing.assert_close(model(clip(6)).exp(), answers_of(members, clip(6)), rtol=1e-4, atol=1e-5)
    content = torch.load(tmp_path / "out" / "tstl.pyth", weights_only=True)
    assert (
        content["tstl"]["trunk_sha256"] == content["frozen_sha256"] == frozen_digest(model) == frozen_digest(members[0])
    )
    assert content["tstl"]["groups"]["class_to_head"] == {str(k): g for k, g in enumerate(OF_CLASS)}
    trunk = {name for name in members[0].state_dict() if is_expert(name)}
    assert not trunk & set(content["model_state"])


@torch.no_grad()
def test_what_differs_from_the_trunk_is_told_and_kept(tmp_path, words, files, members, capsys):
    members[2].blocks[1].attn.qkv.weight += 0.3
    members[2].clip_positional_embedding *= 1.5
    assert put_together(tmp_path, words, files()) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("experts.1:"))
    assert "2 of the trunk DIFFER, kept: clip_positional_embedding, blocks.1.attn.qkv.weight" in line or (
        "2 of the trunk DIFFER, kept: blocks.1.attn.qkv.weight, clip_positional_embedding" in line
    )
    model = loaded(tmp_path, words)
    assert sorted(model.own[2]) == ["blocks.1.attn.qkv.weight", "clip_positional_embedding"]
    torch.testing.assert_close(model(clip(6)).exp(), answers_of(members, clip(6)), rtol=1e-4, atol=1e-5)


def as_trained(member, **section):
    """A checkpoint as stage 1 and 2 write it, without the trunk."""
    payload = {"model_state": member.state_dict(), "cfg": json.dumps({"TSTL": section})}
    return without_frozen(payload, member, frozen_digest(member))


@torch.no_grad()
def test_runs_without_the_trunk(tmp_path, words, members, capsys):
    places = [tmp_path / "selector", *(tmp_path / "experts" / f"expert_{number:02d}" for number in range(GROUPS))]
    for number, (place, member) in enumerate(zip(places, members)):
        section = {"STAGE": "experts", "EXPERTS": number - 1} if number else {"STAGE": "selector", "EXPERTS": None}
        (place / "checkpoints").mkdir(parents=True)
        torch.save(as_trained(member, **section), place / "checkpoints" / "best.pyth")
    assert put_together(tmp_path, words, [str(tmp_path / "selector"), str(tmp_path / "experts")]) == 0
    torch.testing.assert_close(
        loaded(tmp_path, words)(clip(6)).exp(), answers_of(members, clip(6)), rtol=1e-4, atol=1e-5
    )
    mixed_up = [str(place) for place in (places[0], places[1], places[3], places[2])]
    assert put_together(tmp_path, words, mixed_up) == 2
    assert "was trained as experts.2, but is given as experts.1" in capsys.readouterr().err
    places[2].rename(tmp_path / "elsewhere")
    assert put_together(tmp_path, words, [str(tmp_path / "selector"), str(tmp_path / "experts")]) == 2
    assert "1 of 3 experts are missing: 1. Train them with TSTL.EXPERTS 1" in capsys.readouterr().err


def test_an_expert_of_another_trunk(tmp_path, words, files, members, capsys):
    paths = files()
    torch.save(as_trained(small_member(CLASSES, seed=77)), paths[2])
    assert put_together(tmp_path, words, paths) == 2
    assert "was trained over another trunk: SHA-256" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_expert(tmp_path, words, files, capsys):
    assert put_together(tmp_path, words, files()[:-1]) == 2
    assert "2 given, TSTL.GROUPS_PATH has 3 groups" in capsys.readouterr().err
    assert put_together(tmp_path, words, [*files()[:-1], str(tmp_path / "none.pt")]) == 2
    assert "none.pt" in capsys.readouterr().err


def test_groups_of_other_classes(tmp_path, words, files, capsys):
    assert put_together(tmp_path, words, files(), "MODEL.NUM_CLASSES", "9") == 2
    assert "leaves out 2 class(es) (7, 8) of 9" in capsys.readouterr().err


def test_experts_of_other_classes_and_a_selector_of_other_groups(tmp_path, words, files, members, capsys):
    members[1].head = torch.nn.Linear(SIZES["embed_dim"], CLASSES + 1)
    assert put_together(tmp_path, words, files()) == 2
    assert "this expert knows 8, but there are 7 classes (MODEL.NUM_CLASSES)" in capsys.readouterr().err
    members[0].head = torch.nn.Linear(SIZES["embed_dim"], GROUPS + 2)
    assert put_together(tmp_path, words, files()) == 2
    assert "this selector knows 5, but there are 3 groups (TSTL.GROUPS_PATH)" in capsys.readouterr().err


def test_what_was_put_together_is_tested_with_its_own_groups_and_trunk(tmp_path, words, files, capsys):
    assert put_together(tmp_path, words, files()) == 0
    Groups((0, 2, 1, 1, 0, 2, 1)).write(tmp_path / "others.json")
    assert run_command(lambda: loaded(tmp_path, words, "TSTL.GROUPS_PATH", str(tmp_path / "others.json"))) == 2
    assert "or others in each" in capsys.readouterr().err
    torch.save(small_member(2, seed=3).state_dict(), tmp_path / "other.pt")
    others = ["TRAIN.CHECKPOINT_FILE_PATH", str(tmp_path / "other.pt")]
    assert run_command(lambda: loaded(tmp_path, words, *others)) == 2
    assert "another SHA-256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("TSTL.TOPK", "4", "TSTL.TOPK: got 4, expected 1 to 3"),
        ("TSTL.VOTE", "loudest", "expected one of maxlogit, majority"),
        ("TRAIN.ENABLE", "True", "put together from trained members"),
        ("MODEL.MODEL_NAME", "CAST", "expected TSTL"),
        ("TSTL.GROUPS_PATH", "", "TSTL.GROUPS_PATH is empty"),
    ],
)
def test_wrong_keys(tmp_path, words, files, capsys, key, value, told):
    assert put_together(tmp_path, words, files(), key, value) == 2
    assert told in capsys.readouterr().err


@torch.no_grad()
def test_the_selectors_trunk_in_a_whole_file(tmp_path, words, files, members):
    """Nothing but the members' files is at hand, when they are put together and when they are tested."""
    words = [*words, "TRAIN.CHECKPOINT_FILE_PATH", ""]
    command = ["--cfg", str(tmp_path / "empty.yaml"), "--whole", "--selector", files()[0], "--experts", *files()[1:]]
    assert run_command(lambda: import_experts.main([*command, *words])) == 0
    model = loaded(tmp_path, words)
    assert frozen_digest(model) == frozen_digest(members[0])
    torch.testing.assert_close(model(clip(6)).exp(), answers_of(members, clip(6)), rtol=1e-4, atol=1e-5)


def test_other_files(tmp_path, words, files, capsys):
    paths = files()
    torch.save({"conv.weight": torch.zeros(2, 2)}, paths[1])
    assert put_together(tmp_path, words, paths) == 2
    assert "is no member of a TSTL with one head: it lacks" in capsys.readouterr().err
