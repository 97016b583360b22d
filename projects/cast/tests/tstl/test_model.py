"""The one model: equal to sixteen, frozen matrices called once for the whole batch, deltas once a group of clips."""

from collections import Counter

import pytest
import torch

from projects.cast.model import is_expert
from projects.cast.tests.sizes import clip
from projects.cast.tests.tstl.models import OF_CLASS, small_member, small_tstl, whole_members
from projects.cast.tstl.routing import VOTES, best_experts, fuse
from slowfast.models.complexity import gmacs
from slowfast.weights import frozen_digest

BATCH = 7


def naive(model, clips, **sizes):
    """Each clip by itself through whole networks: (predictions, scores)."""
    selector, *experts = whole_members(model, **sizes)
    answers = []
    for one in clips.split(1):
        scores = selector(one)
        chosen = best_experts(scores, model.topk)
        logits = torch.stack([experts[number](one)[0] for number in chosen[0].tolist()])
        answers.append(fuse(model.vote, scores, chosen, logits[None]))
    return [torch.cat(parts) for parts in zip(*answers)]


@pytest.mark.parametrize("topk", [1, 2, 3])
@pytest.mark.parametrize("vote", VOTES)
@torch.no_grad()
def test_equals_the_naive_way(vote, topk):
    model = small_tstl(vote=vote, topk=topk)
    clips = clip(BATCH)
    predictions, scores = model.answer(clips)
    expected_predictions, expected = naive(model, clips)
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(predictions, expected_predictions)
    torch.testing.assert_close(model(clips), scores)


@torch.no_grad()
def test_exchange_in_some_blocks_and_clips_of_other_sizes():
    model, clips = small_tstl(exchange_blocks=[1], topk=2), clip(3, frames=4, crop=24)
    torch.testing.assert_close(model(clips), naive(model, clips, exchange_blocks=[1])[1], rtol=1e-5, atol=1e-5)


def counted_calls(model, clips):
    """{module: sizes of the first axis of its calls} of one forward pass."""
    calls, handles = {}, []
    for name, module in model.named_modules():
        if not list(module.children()):
            handles.append(
                module.register_forward_hook(
                    lambda module, inputs, output, name=name: calls.setdefault(name, []).append(len(inputs[0]))
                )
            )
    with torch.no_grad():
        model(clips)
    for handle in handles:
        handle.remove()
    return calls


def test_frozen_matrices_are_called_once_for_all_experts_and_deltas_once_a_group_of_clips():
    model, clips = small_tstl(), clip(BATCH)
    with torch.no_grad():
        chosen = best_experts(model.select(clips, model.embed(clips))[0], 1).flatten().tolist()
    assert len(set(chosen)) > 1  # else this shows nothing
    calls = counted_calls(model, clips)
    trunk = [name for name in calls if is_expert(f"{name}.") and not name.startswith("blocks.")]
    assert trunk and all(calls[name] in ([BATCH], [4 * BATCH]) for name in trunk)  # frames: four a clip
    inside = [name for name in calls if name.startswith("blocks.") and is_expert(f"{name}.")]
    assert len(inside) >= 3 * 8
    for name in inside:  # the selector's pass, then that of all experts together
        assert calls[name] in ([BATCH] * 2, [4 * BATCH] * 2), name
    for number, clips_of in Counter(chosen).items():
        for unit in ("head", "blocks.0.T_Adapter.D_fc1", "blocks.2.cross_t_down", "vmae_fc_norm"):
            assert calls[f"experts.{number}.{unit}"] == [clips_of]
    for number in set(range(model.num_groups)) - set(chosen):
        assert not [name for name in calls if name.startswith(f"experts.{number}.")]


@torch.no_grad()
def test_three_experts_asked_share_the_trunk_too():
    calls = counted_calls(small_tstl(topk=3), clip(BATCH))
    assert calls["blocks.1.mlp.fc1"] == [BATCH, 3 * BATCH]
    assert all(calls[f"experts.{number}.head"] == [BATCH] for number in range(3))


def test_the_trunk_is_a_members_trunk():
    """So that their SHA-256 can be compared."""
    model, member = small_tstl(), small_member(4)
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in member.named_parameters():
            if is_expert(name):
                value.copy_(parameters[name])
    assert frozen_digest(model) == frozen_digest(member)
    assert model.num_groups == 3 and model.class_to_group.tolist() == list(OF_CLASS)


@torch.no_grad()
def test_members_with_parameters_of_the_trunk_of_their_own():
    model = small_tstl(topk=3)
    parameters = dict(model.named_parameters())
    own = {
        "experts.1.blocks.0.attn.qkv.weight": parameters["blocks.0.attn.qkv.weight"] + 0.1,
        "experts.2.clip_class_embedding": parameters["clip_class_embedding"] * 2,
        "selector.blocks.1.clip_attn.in_proj_weight": parameters["blocks.1.clip_attn.in_proj_weight"] * 0.5,
    }
    before = model(clip(BATCH))
    model.adopt(own)
    model.load_state_dict(own, strict=False)
    after = model(clip(BATCH))
    torch.testing.assert_close(after, naive(model, clip(BATCH))[1], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(before, after, atol=1e-3)
    assert set(own) <= set(model.state_dict())


def test_cost_without_computing():
    """One pass of the selector and one of an expert, whose embedding is shared."""
    shape = clip(1).shape
    one = gmacs(small_member(7), shape)
    assert one < gmacs(small_tstl(), shape) < 2 * one < gmacs(small_tstl(topk=3), shape) < 4 * one
