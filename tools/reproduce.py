#!/usr/bin/env python
"""Check a claim over several seeds, each a real run of run_net.py: python tools/reproduce.py NAME

Writes docs/results/NAME.json: the claim, each seed's figures, commands, machine and versions.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from slowfast.utils.command_line import run_command
from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write_text
from slowfast.utils.provenance import code_version, versions

REPO = Path(__file__).resolve().parents[1]
SEEDS = (1, 2, 3)
TOY = "data/toy"
TOY_SMALL = "data/toy_32"
TOY_VERB_NOUN = "data/toy_verb_noun"
TOY_LLAMA = "data/toy_llama"
OPPOSITE = np.array([1, 0, 3, 2, 5, 4, 7, 6])  # the toy set's classes come in opposite pairs


@dataclass(frozen=True)
class Experiment:
    """One claim.

    Args:
        claim: in words, with its bounds.
        prepare: commands that make the data, words after `python`.
        run: command of a seed, words after `python`; RNG_SEED and OUTPUT_DIR are added.
        tests: name -> further overrides for a test of the trained model; its figures are stored under the name.
        holds: (figures of a seed, as `run_seed` gives them) -> True where the claim holds for that seed.
    """

    claim: str
    prepare: tuple
    run: tuple
    tests: dict
    holds: callable


@dataclass(frozen=True)
class Further:
    """A command on a finished run. words: after `python`. file: JSON it writes into the run's folder, whose `entry` is
    stored as `key`."""

    words: tuple
    file: str
    entry: str
    key: str


@dataclass(frozen=True)
class Chain:
    """One claim about several models, some of which start from others' weights.

    Args:
        claim, prepare, holds: as of Experiment.
        runs: name -> command of a seed, words after `python`, in this order; RNG_SEED and OUTPUT_DIR are added, and
            "{NAME}" in a word stands for the best weights of the run NAME, "{folder}" for the folder that
            holds a folder for each run.
        told: names of the runs whose accuracies are stored, under the run's name.
        after: name of a run -> further command on it, with the run's OUTPUT_DIR.
    """

    claim: str
    prepare: tuple
    runs: dict
    told: tuple
    holds: callable
    after: dict = field(default_factory=dict)


def toy_figures(folder):
    """Top-1 and the share of clips called their opposite class, percent, from a test's files."""
    predictions = np.load(folder / "predictions.npz")
    called = predictions["scores"].argmax(axis=1)
    return {
        "top1_acc": round(100.0 * float((called == predictions["labels"]).mean()), 2),
        "opposite": round(100.0 * float((called == OPPOSITE[predictions["labels"]]).mean()), 2),
    }


def _videomae_run(name, *overrides):
    return ("tools/run_net.py", "--cfg", f"configs/Toy/{name}.yaml", "DATA.PATH_TO_DATA_DIR", TOY_SMALL, *overrides)


def _toy_run(name, *overrides):
    return ("tools/run_net.py", "--cfg", f"configs/Toy/{name}.yaml", "DATA.PATH_TO_DATA_DIR", TOY, *overrides)


def _cast_run(name, *overrides):
    config = f"projects/cast/configs/Toy/{name}.yaml"
    return ("tools/run_net.py", "--cfg", config, "DATA.PATH_TO_DATA_DIR", TOY_VERB_NOUN, *overrides)


MAKE_TOY = ("tools/prepare/make_toy_dataset.py", "--out", TOY)
CAST_EXPERTS = ("CAST.CLIP_PATH", "{spatial_expert}", "CAST.VIDEOMAE_PATH", "{temporal_expert}")
TSTL_MEMBERS = ("--selector", "{folder}/selector", "--experts", "{folder}/experts")
NOUNS = ("DATA.PATH_TO_DATA_DIR", f"{TOY_VERB_NOUN}/nouns", "DATA.PATH_PREFIX", TOY_VERB_NOUN)

MAKE_VERB_NOUN = (
    *("tools/prepare/make_toy_dataset.py", "--kind", "verb_noun", "--out", TOY_VERB_NOUN),
    *("--size", "32", "--train_per_class", "80", "--val_per_class", "10"),
)

EXPERIMENTS = {
    "toy_tstl": Chain(
        claim="toy TSTL, six experts of four actions each: the selector finds the group of >= 90 % of the clips; "
        "routed top-1 beside that of a single CAST trained on as many clips is reported, not claimed",
        prepare=(MAKE_VERB_NOUN,),
        runs={
            "spatial_expert": _cast_run("spatial_expert", *NOUNS),
            "temporal_expert": _cast_run("temporal_expert"),
            "single": _cast_run("tstl_single", *CAST_EXPERTS),
            "selector": _cast_run("tstl_selector", *CAST_EXPERTS),
            "experts": _cast_run("tstl_experts", *CAST_EXPERTS),
            "members": (
                *("projects/cast/import_experts.py", "--cfg", "projects/cast/configs/Toy/tstl.yaml", *TSTL_MEMBERS),
                *CAST_EXPERTS,
            ),
            "routed": _cast_run("tstl", *CAST_EXPERTS, "TEST.CHECKPOINT_FILE_PATH", "{folder}/members/tstl.pyth"),
        },
        told=("single", "selector", "routed"),
        after={
            "routed": Further(
                (
                    *("projects/cast/tstl_report.py", "--cfg", "projects/cast/configs/Toy/tstl.yaml"),
                    *("--single", "{folder}/single/predictions.npz"),
                    *("DATA.PATH_TO_DATA_DIR", TOY_VERB_NOUN, *CAST_EXPERTS),
                    *("TEST.CHECKPOINT_FILE_PATH", "{folder}/members/tstl.pyth"),
                ),
                *("tstl_report/report.json", "overall", "report"),
            )
        },
        holds=lambda figures: figures["selector"]["top1_acc"] >= 90,
    ),
    "toy_cast": Chain(
        claim="toy CAST from frozen experts: action top-1 >= 90 % and not below CAST without exchange; the spatial "
        "expert alone is at chance on the two verbs, 50 +- 10 %",
        prepare=(MAKE_VERB_NOUN,),
        runs={
            "spatial_expert": _cast_run("spatial_expert", *NOUNS),
            "temporal_expert": _cast_run("temporal_expert"),
            "cast": _cast_run("cast", *CAST_EXPERTS),
            "no_exchange": _cast_run("cast", *CAST_EXPERTS, "CAST.EXCHANGE_BLOCKS", "[]"),
            "spatial_alone": _cast_run("spatial_alone", "TRAIN.CHECKPOINT_FILE_PATH", "{spatial_expert}"),
            "temporal_alone": _cast_run("temporal_alone", "TRAIN.CHECKPOINT_FILE_PATH", "{temporal_expert}"),
        },
        told=("cast", "no_exchange", "spatial_alone", "temporal_alone"),
        after={
            "cast": Further(
                (
                    *("projects/cast/exchange_correlation.py", "--cfg", "projects/cast/configs/Toy/cast.yaml"),
                    *("DATA.PATH_TO_DATA_DIR", TOY_VERB_NOUN, *CAST_EXPERTS),
                ),
                *("exchange_correlation.json", "blocks", "correlation"),
            )
        },
        holds=lambda figures: (
            figures["cast"]["action_top1_acc"] >= 90
            and figures["cast"]["action_top1_acc"] >= figures["no_exchange"]["action_top1_acc"]
            and abs(figures["spatial_alone"]["verb_top1_acc"] - 50) <= 10
        ),
    ),
    "toy_vit_llama": Chain(
        claim="toy ViT-LLaMA: the best of a frozen layer trained on text, a frozen random one, an MLP of equally many "
        "trained parameters, and no layer reaches top-1 >= 90 %; which of them is best is reported, not claimed",
        prepare=(MAKE_TOY, ("tools/prepare/make_toy_llama.py", "--out", TOY_LLAMA)),
        runs={
            "frozen_trained": _toy_run("vit_llama_toy", "VIT_LLAMA.PATH", TOY_LLAMA),
            "frozen_random": _toy_run("vit_llama_toy", "VIT_LLAMA.PATH", "", "VIT_LLAMA.RANDOM", "True"),
            "mlp": _toy_run("vit_llama_toy", "VIT_LLAMA.BETWEEN", "mlp"),
            "no_layer": _toy_run("vit_llama_toy", "MODEL.MODEL_NAME", "VideoViT"),
        },
        told=("frozen_trained", "frozen_random", "mlp", "no_layer"),
        holds=lambda figures: (
            max(figures[run]["top1_acc"] for run in ("frozen_trained", "frozen_random", "mlp", "no_layer")) >= 90
        ),
    ),
    "toy_multigrid": Chain(
        claim="toy XViT by multigrid: <= 0.6 of the FLOPs of 50 epochs of plain training, top-1 not more than 2 points "
        "below its",
        prepare=(MAKE_TOY,),
        runs={"plain": _toy_run("xvit_toy", "SOLVER.MAX_EPOCH", "50"), "multigrid": _toy_run("xvit_toy_multigrid")},
        told=("plain", "multigrid"),
        holds=lambda figures: (
            figures["multigrid"]["compute"] <= 0.6
            and figures["multigrid"]["top1_acc"] >= figures["plain"]["top1_acc"] - 2
        ),
    ),
    "toy_xvit": Experiment(
        claim="toy XViT: top-1 >= 90 %; reversed clips called the opposite class >= 80 %; shuffled frames <= 60 %",
        prepare=(MAKE_TOY,),
        run=("tools/run_net.py", "--cfg", "configs/Toy/xvit_toy.yaml", "DATA.PATH_TO_DATA_DIR", TOY),
        tests={
            "forward": (),
            "reversed": ("TEST.FRAME_ORDER", "reversed"),
            "shuffled": ("TEST.FRAME_ORDER", "shuffled"),
        },
        holds=lambda figures: (
            figures["forward"]["top1_acc"] >= 90
            and figures["reversed"]["opposite"] >= 80
            and figures["shuffled"]["top1_acc"] <= 60
        ),
    ),
    "toy_video_vit": Experiment(
        claim="toy VideoViT from scratch: top-1 >= 90 % after 20 epochs",
        prepare=(MAKE_TOY,),
        run=("tools/run_net.py", "--cfg", "configs/Toy/video_vit_toy.yaml", "DATA.PATH_TO_DATA_DIR", TOY),
        tests={"forward": ()},
        holds=lambda figures: figures["forward"]["top1_acc"] >= 90,
    ),
    "toy_eva_video": Experiment(
        claim="toy EVAVideo from scratch: top-1 >= 90 % after 20 epochs",
        prepare=(MAKE_TOY,),
        run=("tools/run_net.py", "--cfg", "configs/Toy/eva_video_toy.yaml", "DATA.PATH_TO_DATA_DIR", TOY),
        tests={"forward": ()},
        holds=lambda figures: figures["forward"]["top1_acc"] >= 90,
    ),
    "toy_videomae": Chain(
        claim="toy VideoViT, 4 epochs, weights drawn at VideoMAE's 0.02 where none are loaded: top-1 is higher from "
        "its masked pre-training than from scratch; scratch drawn at 0.1, which suits the width, is reported beside",
        prepare=(("tools/prepare/make_toy_dataset.py", "--size", "32", "--out", TOY_SMALL),),
        runs={
            "pretraining": _videomae_run("videomae_toy_pretrain"),
            "pretrained": _videomae_run("videomae_toy", "TRAIN.CHECKPOINT_FILE_PATH", "{pretraining}"),
            "scratch": _videomae_run("videomae_toy"),
            "scratch_drawn_wider": _videomae_run("videomae_toy", "VIDEO_VIT.INIT_STD", "0.1"),
        },
        told=("pretrained", "scratch", "scratch_drawn_wider"),
        holds=lambda figures: figures["pretrained"]["top1_acc"] > figures["scratch"]["top1_acc"],
    ),
}


def run_seed(name, experiment, seed):
    """All runs of one seed, in a fresh folder: dict with "seed" and what `train_and_test` gives."""
    folder = REPO / "outputs" / "reproduce" / name / f"{time.strftime('%Y%m%d_%H%M%S')}_seed_{seed}"
    return {"seed": seed, **train_and_test(experiment, seed, folder)}


def run_chain(name, chain, seed):
    """All runs of one seed, in a fresh folder: dict with "seed" and the accuracies of each of `told`.

    Multigrid adds "compute": multiply-additions of its forward passes, over those of as many epochs of plain training.
    """
    folder = REPO / "outputs" / "reproduce" / name / f"{time.strftime('%Y%m%d_%H%M%S')}_seed_{seed}"
    places = {run: str(folder / run / "checkpoints" / "best.pyth") for run in chain.runs} | {"folder": str(folder)}
    figures = {"seed": seed}
    for run, words in chain.runs.items():
        further = chain.after.get(run)
        for command in (words, *([further.words] if further else [])):
            filled = [word.format(**places) for word in command]
            _python(*filled, "RNG_SEED", str(seed), "OUTPUT_DIR", str(folder / run))
        if run in chain.told:
            result = json.loads((folder / run / "test_results.json").read_text())
            figures[run] = {key: round(value, 2) for key, value in result.items() if key.endswith("_acc")}
            recipe = folder / run / "recipe.json"  # of what was trained
            multigrid = recipe.exists() and json.loads(recipe.read_text())["multigrid"]
            if multigrid:
                figures[run]["compute"] = round(multigrid["gflops"] / multigrid["plain_gflops"], 4)
        if further:
            figures[run][further.key] = json.loads((folder / run / further.file).read_text())[further.entry]
    return figures


def train_and_test(experiment, seed, folder, *overrides):
    """dict with "train_seconds" and the figures of each test, by its name."""
    common = (*experiment.run, "RNG_SEED", str(seed), *overrides)
    start = time.perf_counter()
    _python(*common, "OUTPUT_DIR", str(folder), "TEST.ENABLE", "False")
    figures = {"train_seconds": round(time.perf_counter() - start, 1)}
    weights = str(folder / "checkpoints" / (folder / "checkpoints" / "last").read_text().strip())
    for test, further in experiment.tests.items():
        test_folder = folder / test
        options = ("TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", weights, "OUTPUT_DIR", str(test_folder))
        _python(*common, *options, *further)
        figures[test] = toy_figures(test_folder)
    return figures


def _python(*words):
    print("$ python", *words, flush=True)
    ended = subprocess.run([sys.executable, *words], cwd=REPO)
    if ended.returncode:
        raise UserError(f"this command ended with exit code {ended.returncode}: python {' '.join(words)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="", help=f"one of: {', '.join(EXPERIMENTS)}")
    name = parser.parse_args().name
    if name not in EXPERIMENTS:
        raise UserError(f"'{name}' is not a known experiment; make reproduce NAME=... takes: {', '.join(EXPERIMENTS)}")
    experiment = EXPERIMENTS[name]
    for command in experiment.prepare:
        _python(*command)
    run = run_chain if isinstance(experiment, Chain) else run_seed
    seeds = [run(name, experiment, seed) for seed in SEEDS]
    holds = [experiment.holds(figures) for figures in seeds]
    result = {
        "claim": experiment.claim,
        "holds": all(holds),
        "command": f"make reproduce NAME={name}",
        "seeds": seeds,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, no GPU used",
        "code": code_version(),
        "versions": versions(),
    }
    path = REPO / "docs" / "results" / f"{name}.json"
    atomic_write_text(path, json.dumps(result, indent=2) + "\n")
    print(f"{'holds' if all(holds) else 'DOES NOT HOLD'} for {sum(holds)} of {len(SEEDS)} seeds: {path}")
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(run_command(main))
