"""CAST as its golden cases describe it."""

import torch
from torch import nn

from projects.cast.model import CAST
from projects.cast.weights import load_expert
from slowfast.evaluation.ensemble import ViewEnsemble
from slowfast.evaluation.verb_noun import verb_noun_hits
from slowfast.parity.subject import Subject, builds
from slowfast.tasks.verb_noun import VerbNoun


@builds("CAST")
def build_cast(case):
    """One head, or verb and noun heads; the released network gives nouns first, ours verbs."""
    hyper = case.hyper_parameters
    model = cast_of(hyper)

    def run(inputs):
        logits = model(inputs["video"])
        if not hyper["composition"]:
            return {"logits": logits}
        verb, noun = logits.split([hyper["num_verbs"], hyper["num_nouns"]], dim=-1)
        return {"noun": noun, "verb": verb}

    features = {"spatial_pooled": "clip_ln_post", "temporal_pooled": "vmae_fc_norm"}
    for index in range(hyper["depth"]):
        features[f"block{index}_spatial_tokens"] = (f"blocks.{index}", 0)
        features[f"block{index}_temporal_tokens"] = (f"blocks.{index}", 1)
    return Subject(model, run, feature_modules=features)


def cast_of(hyper, kind=CAST):
    """CAST, or the `kind` of it, with a case's hyper-parameters."""
    return kind(
        (hyper["num_verbs"], hyper["num_nouns"]) if hyper["composition"] else hyper["num_classes"],
        hyper["num_frames"],
        hyper["image_size"],
        patch_size=hyper["patch_size"],
        embed_dim=hyper["embed_dim"],
        depth=hyper["depth"],
        num_heads=hyper["num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        in_channels=hyper["in_channels"],
        down_ratio=hyper["down_ratio"],
        adapter_ratio=hyper["adapter_ratio"],
        mlp_adapter_scale=hyper.get("mlp_adapter_scale", 0.5),
    )


@builds("CAST-evaluation")
def build_evaluation(case):
    """The merge of views and the counting of hits, as a test run does them."""
    heads = case.hyper_parameters["num_verbs"], case.hyper_parameters["num_nouns"]

    def run(inputs):
        logits = torch.cat([inputs["verb_scores"], inputs["noun_scores"]], dim=-1).detach()  # (V, views, K)
        num_videos, num_views, _ = logits.shape
        ensemble = ViewEnsemble(num_videos, num_views, sum(heads))
        probabilities = VerbNoun(heads).predict(lambda scores: scores, logits.flatten(0, 1))
        rows = torch.arange(num_videos * num_views)
        ensemble.add(rows // num_views, rows % num_views, probabilities)
        merged = torch.from_numpy(ensemble.finalize().scores)
        labels = torch.stack([inputs["verb_labels"], inputs["noun_labels"]], dim=1)
        hits = verb_noun_hits(merged, labels, heads, probabilities=True)
        outputs = {name: right.to(logits.dtype) for name, right in hits.items()}
        for name, part in zip(("verb", "noun"), merged.split(heads, dim=1)):
            outputs[f"{name}_probabilities"] = (part / num_views).to(logits.dtype)
            outputs[f"{name}_prediction"] = part.argmax(dim=1).to(logits.dtype)
        return outputs

    return Subject(nn.Module(), run, feature_modules={})


@builds("CAST-expert-load")
def build_from_experts(case):
    """CAST filled from the case's CLIP and VideoMAE weights, as training fills it from their files."""
    model = cast_of(case.hyper_parameters)
    filled = set()
    for source in ("clip", "videomae"):
        filled |= set(load_expert(model, case.tensors[source], source).filled)
    return Subject(
        model,
        lambda inputs: {"logits": model(inputs["video"])},
        feature_modules={},
        filled=filled,
        sources=("clip", "videomae"),
    )
