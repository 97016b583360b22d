"""Loading: precedence, command line, all problems at once, frozen and safe to hand to other processes."""

import logging
import multiprocessing
import pickle

import pytest

from slowfast.config import get_cfg, load_cfg
from slowfast.config.node import leaves
from slowfast.utils.errors import ConfigError, UserError


def problems(*args, **kwargs):
    with pytest.raises(ConfigError) as caught:
        load_cfg(*args, **kwargs)
    return caught.value.problems


def test_defaults_alone():
    assert load_cfg(None) == get_cfg()


def test_precedence(write):
    write("SOLVER: {BASE_LR: 0.2, MOMENTUM: 0.2, DAMPENING: 0.2}\nNUM_SHARDS: 2\nSHARD_ID: 1\n", "base.yaml")
    path = write("_BASE_: base.yaml\nSOLVER: {MOMENTUM: 0.3, DAMPENING: 0.3}\n")
    cfg = load_cfg(path, ["SOLVER.DAMPENING", "0.4", "NUM_SHARDS", "3"], num_shards=4, shard_id=3)
    assert (cfg.SOLVER.BASE_LR, cfg.SOLVER.MOMENTUM, cfg.SOLVER.DAMPENING) == (0.2, 0.3, 0.4)
    assert (cfg.NUM_SHARDS, cfg.SHARD_ID) == (4, 3)
    assert cfg.SOLVER.WEIGHT_DECAY == 1e-4
    assert load_cfg(path, num_shards=None, shard_id=0).SHARD_ID == 0


def test_changes_from_the_base(write):
    base = write("SOLVER: {BASE_LR: 0.2, MOMENTUM: 0.2}\n", "base.yaml")
    path = write("_BASE_: base.yaml\nSOLVER: {MOMENTUM: 0.3, BASE_LR: 0.2}\n")
    cfg = load_cfg(path, ["SOLVER.STEPS", "[0, 2]"], num_shards=4)
    assert cfg.changes.since == str(base)
    assert cfg.changes.values == {
        "SOLVER.MOMENTUM": (0.2, 0.3),
        "SOLVER.STEPS": ([], [0, 2]),
        "NUM_SHARDS": (1, 4),
    }
    assert pickle.loads(pickle.dumps(cfg)).changes == cfg.clone().changes == cfg.changes


def test_changes_without_a_base(write):
    path = write("SOLVER: {MOMENTUM: 0.3}\n")
    cfg = load_cfg(path, ["SOLVER.BASE_LR", "0.4"])
    assert (cfg.changes.since, cfg.changes.values) == (str(path), {"SOLVER.BASE_LR": (0.1, 0.4)})
    assert load_cfg(None, ["NUM_SHARDS", 2]).changes.values == {"NUM_SHARDS": (1, 2)}
    assert get_cfg().changes is None


def test_literals_from_file_and_command_line(write):
    path = write("SOLVER:\n  BASE_LR: 1e-4\n  BETAS: [0.8, 0.9]\n  CLIP_GRAD_L2NORM: 1\nDATA: {MEAN: '(0, 0, 1)'}\n")
    cfg = load_cfg(path, ["SOLVER.STEPS", "(0, 2)", "TRAIN.ENABLE", "False", "SOLVER.COSINE_END_LR", "0"])
    assert (cfg.SOLVER.BASE_LR, cfg.SOLVER.BETAS, cfg.SOLVER.CLIP_GRAD_L2NORM) == (1e-4, (0.8, 0.9), 1)
    assert (cfg.DATA.MEAN, cfg.SOLVER.STEPS, cfg.TRAIN.ENABLE) == ([0, 0, 1], [0, 2], False)
    assert type(cfg.SOLVER.COSINE_END_LR) is float


def test_keys_share_no_lists(write):
    mean = [0.5, 0.5, 0.5]
    cfg = load_cfg(write("XVIT: {LOCATIONS_LIST: &list [1, 2]}\nSOLVER: {LRS: *list}\n"), ["DATA.MEAN", mean]).clone()
    cfg.SOLVER.LRS.append(3)
    cfg.DATA.MEAN.append(0.5)
    assert cfg.XVIT.LOCATIONS_LIST == [1, 2] and len(mean) == 3


def test_frozen_after_loading():
    cfg = load_cfg(None)
    with pytest.raises(AttributeError):
        cfg.TRAIN.BATCH_SIZE = 1
    with pytest.raises(AttributeError):
        cfg.merge_from_list(["TRAIN.BATCH_SIZE", 1])


def describe(cfg, results):
    results.put((cfg.is_frozen(), cfg.TRAIN.is_frozen(), leaves(cfg)))


def test_a_spawned_process_gets_the_same_cfg():
    cfg = load_cfg(None, ["SOLVER.BETAS", "(0.5, 0.25)"])
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=describe, args=(cfg, results))
    process.start()
    assert results.get(timeout=60) == (True, True, leaves(cfg))
    process.join()


def test_what_was_dumped_loads_as_the_same_cfg(write, caplog):
    opts = ["SOLVER.BETAS", "(0.5, 0.25)", "SOLVER.CLIP_GRAD_VAL", "0.5", "DATA.PATH_LABEL_SEPARATOR", "' '"]
    cfg = load_cfg(None, [*opts, "TRAIN.PRECISION", "bf16", "DATA.PATH_PREFIX", "a: b # c"])
    again = load_cfg(write(cfg.dump()))
    ours, theirs = leaves(cfg), leaves(again)
    factors = "MULTIGRID.LONG_CYCLE_FACTORS"  # a list of tuples; YAML knows lists only
    assert [list(pair) for pair in ours.pop(factors)] == theirs.pop(factors)
    assert ours == theirs and {k: type(v) for k, v in ours.items()} == {k: type(v) for k, v in theirs.items()}
    assert caplog.records == []


def test_all_problems_at_once_with_their_places(write):
    write("TRAIN:\n  BATCH_SIZE: many\n", "base.yaml")
    path = write("_BASE_: base.yaml\nMODEL:\n  NUM_CLASES: 5\nSOLVER: {BASE_LR: -1}\nTEST:\n")
    folder = path.parent
    assert problems(path, ["TEST.SCORES", "best", "NUM_GPUS", "1.5", "SHARD_ID"], num_shards="2", shard_id=0.5) == [
        "command line: overrides come in pairs KEY VALUE, 'SHARD_ID' has no value; write SHARD_ID VALUE",
        f"{folder}/base.yaml:2: TRAIN.BATCH_SIZE: got 'many' (str), expected int like 64",
        f"{folder}/cfg.yaml:3: MODEL.NUM_CLASES: there is no such key; did you mean MODEL.NUM_CLASSES?",
        f"{folder}/cfg.yaml:5: TEST: got nothing (None), expected a section of keys (ENABLE, DATASET, BATCH_SIZE, ...)",
        "command line: NUM_GPUS: got 1.5 (float), expected int like 1",
        "--shard_id: SHARD_ID: got 0.5 (float), expected int like 0",
        "command line: TEST.SCORES: got 'best', expected one of 'softmax', 'logits'",
        f"{folder}/cfg.yaml:4: SOLVER.BASE_LR: got -1.0, expected 0 or more",
    ]


def test_a_problem_is_the_users_and_one_line():
    (problem,) = problems(None, ["TRIAN.ENABLE", "True"])
    assert issubclass(ConfigError, UserError) and "\n" not in problem


def test_an_earlier_mistake_is_told_even_if_a_later_setting_replaces_it(write):
    assert len(problems(write("TRAIN: {BATCH_SIZE: x}"), ["TRAIN.BATCH_SIZE", "2"])) == 1


def test_the_type_of_a_key_is_its_defaults_whatever_was_set_before():
    (problem,) = problems(None, ["TRAIN.BATCH_SIZE", "None", "TRAIN.BATCH_SIZE", "many", "TRAIN.BATCH_SIZE", "4"])
    assert "got 'many' (str), expected int like 64" in problem


@pytest.mark.parametrize(
    "opts, dangling, advice",
    [
        (["TRAIN.ENABLE"], "TRAIN.ENABLE", "write TRAIN.ENABLE VALUE"),
        (["TEST.ENABLE", "True", "TRAIN.ENABLE"], "TRAIN.ENABLE", "write TRAIN.ENABLE VALUE"),
        (["TRAIN.ENABLE", "TEST.ENABLE", "True"], "TRAIN.ENABLE", "write TRAIN.ENABLE VALUE"),
        (["NUM_GPUS", "1", "TRAIN.ENABLE", "TEST.ENABLE", "True"], "TRAIN.ENABLE", "write TRAIN.ENABLE VALUE"),
        (["TRAIN.ENABLE=False"], "TRAIN.ENABLE=False", "write TRAIN.ENABLE False"),
    ],
)
def test_an_odd_number_of_overrides_shows_the_key_without_value(opts, dangling, advice):
    (problem,) = problems(None, opts)
    assert problem == f"command line: overrides come in pairs KEY VALUE, '{dangling}' has no value; {advice}"


def test_a_missing_file_is_told_together_with_the_command_lines_problems(tmp_path):
    found = problems(tmp_path / "no.yaml", ["TRAIN.BATCH_SIZE", "x", "A_KEY_OF_A_PROJECT_IN_THE_FILE", "1"])
    assert len(found) == 2 and "no file" in found[0] and "TRAIN.BATCH_SIZE" in found[1]


def test_a_base_on_the_command_line_is_an_unknown_key():
    assert "_BASE_: there is no such key" in problems(None, ["_BASE_", "a.yaml"])[0]


def test_a_key_given_twice_warns_and_the_last_counts(write, caplog):
    path = write("SOLVER:\n  BASE_LR: 0.75\n  BASE_LR: 0.65\n")
    with caplog.at_level(logging.WARNING, logger="slowfast"):
        assert load_cfg(path).SOLVER.BASE_LR == 0.65
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}:3: SOLVER.BASE_LR already stands in line 2; the last one counts"
    ]


XVIT_YAML = """
TRAIN:
  ENABLE: True
  DATASET: kinetics
  BATCH_SIZE: 8
  EVAL_PERIOD: 5
  CHECKPOINT_PERIOD: 5
  AUTO_RESUME: True
  MIXUP_ALPHA: 0.0
DATA:
  USE_OFFSET_SAMPLING: True
  USE_XVIT_AGUMENTATION: False
  RANDAUGMENT: False
  RAND_CROP: 0.0
  NUM_FRAMES: 8
  SAMPLING_RATE: 16
  TRAIN_JITTER_SCALES: [256, 320]
  TRAIN_CROP_SIZE: 224
  TEST_CROP_SIZE: 224
  INPUT_CHANNEL_NUM: [3]
  DECODING_BACKEND: pyav
  MEAN: [0.5, 0.5, 0.5]
  STD: [0.5, 0.5, 0.5]
  PATH_LABEL_SEPARATOR: ","
XVIT:
  USE_XVIT: True
  BASE_MODEL: vit_base_patch16_224
  CONSENSUS_TYPE: vit
  NUM_SEGMENTS: 8
  SHIFT_DIV: 8
  LOCATIONS_LIST: [0, 1, 2]
  PRETRAIN: True
  BACKBONE:
    DROP_PATH_RATE: 0.1
    NORM_LAYER: LN
TEMPORAL_HEAD:
  NUM_HIDDEN_LAYERS: 2
  HIDDEN_DROPOUT_PROB: 0.1
SOLVER:
  BASE_LR: 5e-2
  LR_POLICY: cosine
  CLIP_GRADIENT: -1.0
  FREEZE_BACKBONE: False
MODEL:
  MODEL_NAME: XViT
  ARCH: xvit
  NUM_CLASSES: 400
  SINGLE_PATHWAY_ARCH: [xvit]
  LOSS_FUNC: cross_entropy
TEST:
  ENABLE: True
  NUM_ENSEMBLE_VIEWS: 1
NUM_GPUS: 8
OUTPUT_DIR: ./tmp
"""


def test_a_yaml_in_the_style_of_xvit_loads(write, caplog):
    cfg = load_cfg(write(XVIT_YAML))
    assert cfg.XVIT.BASE_MODEL == "vit_base_patch16_224" and cfg.XVIT.BACKBONE.DROP_PATH_RATE == 0.1
    assert (cfg.TEMPORAL_HEAD.NUM_HIDDEN_LAYERS, cfg.SOLVER.BASE_LR) == (2, 0.05)
    told = " ".join(record.getMessage() for record in caplog.records)
    assert len(caplog.records) == 3
    assert all(key in told for key in ("MODEL.ARCH", "MODEL.SINGLE_PATHWAY_ARCH", "DATA.DECODING_BACKEND"))


def test_xvits_augmentations_are_honoured_but_for_one(write, caplog):
    options = [
        *("DATA.AUTOAUGMENT", True, "DATA.RANDAUGMENT", True, "DATA.RAND_CROP", 0.25),
        *("DATA.USE_XVIT_AGUMENTATION", True, "TRAIN.MIXUP_ALPHA", 0.4, "TRAIN.BATCH_SIZE", 64),
    ]
    load_cfg(write(XVIT_YAML), options)
    assert len(caplog.records) == 3  # as without them
    (problem,) = problems(write(XVIT_YAML), ["DATA.COLORAUGMENT", True])
    assert "would change training" in problem and "use AUG.COLOR_STRENGTHS" in problem
