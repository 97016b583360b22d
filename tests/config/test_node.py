"""CfgNode: freezing, copying, pickling; dotted paths."""

import copy
import pickle

import pytest
from yacs.config import CfgNode as YacsNode

from slowfast.config import CfgNode, get_cfg
from slowfast.config.node import get, has, leaves, put


@pytest.fixture
def frozen():
    cfg = get_cfg()
    cfg.freeze()
    return cfg


def set_attribute(cfg):
    cfg.TRAIN.ENABLE = False


def set_item(cfg):
    cfg["TRAIN"]["ENABLE"] = False


def add_key(cfg):
    cfg.NEW = 1


def delete(cfg):
    del cfg["TASK"]


def merge(cfg):
    cfg.merge_from_list(["SOLVER.BASE_LR", 0.5])


@pytest.mark.parametrize("change", [set_attribute, set_item, add_key, delete, merge])
def test_frozen_refuses_every_way_of_changing(frozen, change):
    before = leaves(frozen)
    with pytest.raises(AttributeError):
        change(frozen)
    assert leaves(frozen) == before


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda cfg: pickle.loads(pickle.dumps(cfg)), CfgNode.clone])
def test_duplicates_are_equal_separate_and_as_frozen(frozen, duplicate):
    other = duplicate(frozen)
    assert other == frozen and type(other.TRAIN) is CfgNode
    assert other.is_frozen() and other.XVIT.BACKBONE.is_frozen()
    other.defrost()
    other.XVIT.BACKBONE.DROP_PATH_RATE = 0.5
    other.DATA.MEAN[0] = 9.0
    assert frozen.XVIT.BACKBONE.DROP_PATH_RATE == 0.0 and frozen.DATA.MEAN[0] == 0.45


def test_dotted_paths():
    node = CfgNode({"A": {"B": {"C": 1}}, "D": 2})
    node.E = YacsNode({"F": 3})
    assert leaves(node) == {"A.B.C": 1, "D": 2, "E.F": 3}
    assert get(node, "A.B.C") == 1
    assert has(node, "A.B") and has(node, "E.F")
    assert not has(node, "A.C") and not has(node, "D.B") and not has(node, "")
    put(node, "A.X.Y", 4)
    assert node.A.X.Y == 4 and node.A.B.C == 1
    with pytest.raises(KeyError):
        get(node, "A.Z")
