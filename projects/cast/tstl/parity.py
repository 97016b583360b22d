"""TSTL as its golden cases describe it: the network, its losses, and how answers are fused."""

import torch
from torch import nn

from projects.cast.parity import cast_of
from projects.cast.tstl.losses import batch_all_triplet, semi_hard_triplet
from projects.cast.tstl.member import TSTLMember
from projects.cast.tstl.routing import best_experts, fuse
from slowfast.parity.subject import Subject, builds


@builds("TSTL")
def build_member(case):
    """The network of selector and experts with its features."""
    model = cast_of(case.hyper_parameters, TSTLMember)

    def run(inputs):
        logits, features = model(inputs["video"], with_features=True)
        return {
            "logits": logits,
            "features": features.fused,
            "spatial": features.spatial,
            "temporal": features.temporal,
        }

    modules = {"spatial_pooled": "clip_ln_post", "temporal_pooled": "vmae_fc_norm"}
    for index in range(case.hyper_parameters["depth"]):
        modules[f"block{index}_spatial_tokens"] = (f"blocks.{index}", 0)
        modules[f"block{index}_temporal_tokens"] = (f"blocks.{index}", 1)
    return Subject(model, run, feature_modules=modules)


@builds("TSTL-losses")
def build_losses(case):
    """Both triplet losses and their gradients, scenario by scenario.

    Where no triplet exists the semi-hard loss has to be 0, whatever the case documents of the released code; where two
    embeddings are equal its gradient depends on which of them is picked and is not compared.
    """
    corrected = {}
    for name, scenario in case.scenarios.items():
        embeddings, labels = (case.tensors["input"][f"{name}/{part}"] for part in ("embeddings", "labels"))
        if len(labels.unique()) in (1, len(labels)):
            corrected[f"output/{name}/semi_hard"] = torch.zeros(1)
            corrected[f"grad_input/{name}/semi_hard"] = torch.zeros_like(embeddings)
        elif not scenario.get("semi_hard_gradient_comparable", True):
            corrected[f"grad_input/{name}/semi_hard"] = None

    def run(inputs):
        outputs = {}
        for name, scenario in case.scenarios.items():
            embeddings, labels = inputs[f"{name}/embeddings"], inputs[f"{name}/labels"]
            for kind, loss in (("batch_all", batch_all_triplet), ("semi_hard", semi_hard_triplet)):
                value = loss(embeddings, labels, scenario["margin"])
                outputs[f"{name}/{kind}"] = value.reshape(1)
                outputs[f"grad_input/{name}/{kind}"] = torch.autograd.grad(value, embeddings)[0]
        return outputs

    return Subject(nn.Module(), run, feature_modules={}, corrected=corrected)


@builds("TSTL-routing")
def build_routing(case):
    """Every vote of the case for every number of experts of the case."""
    hyper = case.hyper_parameters
    ways = [(f"top{k}_{vote}", vote, k) for k in hyper["k_values"] for vote in ("maxlogit", "majority")]
    ways.append((f"weighted_top{hyper['weighted_k']}", "weighted", hyper["weighted_k"]))

    def run(inputs):
        outputs, scores = {}, inputs["expert_logits"].transpose(0, 1)  # (B, G, K)
        for name, vote, count in ways:
            experts = best_experts(inputs["selector_logits"], count)
            chosen = scores.gather(1, experts[..., None].expand(-1, -1, scores.shape[2]))
            outputs[f"{name}_prediction"], outputs[f"{name}_logits"] = fuse(
                vote, inputs["selector_logits"], experts, chosen
            )
        return outputs

    return Subject(nn.Module(), run, feature_modules={})
