"""Small TSTLs for tests: one trunk, members with random weights, and each member as a whole network of its own."""

import torch

from projects.cast.model import is_expert
from projects.cast.tests.sizes import CROP, FRAMES, SIZES
from projects.cast.tstl.member import TSTLMember
from projects.cast.tstl.model import TSTL

OF_CLASS = (0, 2, 1, 1, 0, 2, 2)  # 7 classes in 3 groups


def randomised(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2, generator=generator)
    return model


def small_tstl(of_class=OF_CLASS, seed=0, **options):
    return randomised(TSTL(len(of_class), FRAMES, CROP, of_class=of_class, **{**SIZES, **options}), seed).eval()


def small_member(num_classes, seed=0, **sizes):
    return randomised(TSTLMember(num_classes, FRAMES, CROP, **{**SIZES, **sizes}), seed).eval()


def whole_members(model, **sizes):
    """The selector and the experts of a TSTL, each as a TSTLMember of its own: the naive way, sixteen models."""
    trunk = {name: value for name, value in model.named_parameters() if is_expert(name)}
    members = []
    for place, tree in [("selector", model.selector), *((f"experts.{i}", e) for i, e in enumerate(model.experts))]:
        classes = model.num_groups if place == "selector" else len(model.class_to_group)
        member = TSTLMember(classes, FRAMES, CROP, **{**SIZES, **sizes})
        own = {name.removeprefix(f"{place}."): value for name, value in tree.named_parameters()}
        missing = member.load_state_dict({**trunk, **own}, strict=True)
        assert not missing.missing_keys
        members.append(member.eval())
    return members
