#!/usr/bin/env python
"""The tables of docs/scaling.md: python benchmarks/scaling.py [--check | --measure]

Without an option the tables are computed anew and written into the page. --check computes them and names those that are
others in the page. --measure takes the measured figures of docs/results/scaling.json anew, on two and four processes;
it counts bytes on the loopback device, so give it a network of its own:
unshare -n sh -c "ip link set lo up && python benchmarks/scaling.py --measure"
"""

import argparse
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks import scaling_measured
from benchmarks import scaling_model as model
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, EXIT_LOST
from slowfast.utils.io import atomic_write_text

REPO = Path(__file__).resolve().parents[1]
PAGE, FIGURES = REPO / "docs/scaling.md", REPO / "docs/results/scaling.json"
GPUS = (8, 64, 512)
PARALLEL = {"XViT-B": ("ddp",), "CAST-B": ("ddp",), "EVA-1B": ("ddp", "fsdp")}
BLOCK = r"<!-- table: {} -->\n(.*?)<!-- end -->"


def tables(works, measured):
    """name -> Markdown. Args: works: Workloads; measured: figures of `scaling_measured.measure`."""
    return {
        "recipes": _recipes(works),
        **{f"steps over {network}": _steps(works, network) for network in model.NETWORKS},
        "memory": _memory(works),
        "loading": _loading(works),
        "storage": _storage(),
        "checkpoints": _checkpoints(works),
        "measured": _measured(measured),
    }


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _recipes(works):
    header = ["", "TFLOP a clip", "parameters", "trained", "clips a GPU", "clips a step", "gradients (ddp)"]
    header += ["a process sends, ddp", "fsdp"]
    rows = []
    for work in works:
        sent = [sum(model.sent_bytes(work, 64, parallel)) / model.GB for parallel in ("ddp", "fsdp")]
        rows.append(
            [work.name, f"{work.flops / 1e12:.2f}", f"{work.parameters / 1e6:.0f} M", f"{work.trained / 1e6:.0f} M"]
            + [work.clips, work.batch, f"{work.trained * model.FP32 / model.GB:.2f} GB"]
            + [f"{value:.2f} GB" for value in sent]
        )
    return table(header, rows)


def _steps(works, network):
    header = ["", "GPUs", "clips a step", "micro-steps", "computing", "sending", "of it not hidden", "loading", "step"]
    header += ["efficiency", "clips/s", "video read"]
    rows = []
    for work in works:
        for parallel in PARALLEL[work.name]:
            for processes in GPUS:
                step = model.step_time(work, processes, network, parallel)
                rows.append(
                    [f"{work.name}, {parallel}", processes, step.clips, model.micro_steps(work, processes)]
                    + [_ms(value) for value in (step.compute, step.sending, step.exposed, step.loading, step.seconds)]
                    + [
                        f"{step.efficiency:.2f}",
                        f"{step.clips / step.seconds:,.0f}",
                        f"{model.video_gb_s(step):.1f} GB/s",
                    ]
                )
    return table(header, rows)


def _ms(seconds):
    return f"{1e3 * seconds:,.0f} ms"


def _memory(works):
    header = ["GiB of a GPU", "activations", *(f"ddp, {n} GPUs" for n in GPUS[:1]), *(f"fsdp, {n} GPUs" for n in GPUS)]
    rows = []
    for work in works:
        sizes = [model.memory_bytes(work, GPUS[0], "ddp"), *(model.memory_bytes(work, n, "fsdp") for n in GPUS)]
        rows.append([work.name, *(f"{size / model.GIB:.1f}" for size in (work.activations, *sizes))])
    return table(header, rows)


def _loading(works):
    header = ["", "augmentation", "a GPU takes, clips/s", "a core gives", "cores a GPU needed", "there are"]
    rows = []
    for work in works:
        taken = work.clips / model.compute_seconds(work)
        rows.append(
            [
                *(work.name, work.augmentation, f"{taken:.0f}", f"{model.loader_clips_per_s(work, cores=1):.0f}"),
                *(f"{model.cores_needed(work):.1f}", model.CORES_A_GPU),
            ]
        )
    return table(header, rows)


VIDEOS = 630_000


def _storage():
    frames_tb = VIDEOS * model.VIDEO_FRAMES * model.JPEG_KB / 1e9
    rows = [
        ["H.264 files", f"{VIDEOS:,}", f"{VIDEOS * model.VIDEO_MB / 1e6:.2f} TB", "one open a clip"],
        ["the same in HDF5 packs of 1,000", f"{VIDEOS // 1000}", f"{VIDEOS * model.VIDEO_MB / 1e6:.2f} TB", "none"],
        ["JPEG frames in HDF5 packs of 1,000", f"{VIDEOS // 1000}", f"{frames_tb:.1f} TB", "none"],
        ["JPEG frames as files", f"{VIDEOS * model.VIDEO_FRAMES:,}", f"{frames_tb:.1f} TB", "16 opens a clip"],
    ]
    return table(["0.63 M videos as", "files", "size", "metadata"], rows)


def _checkpoints(works):
    header = ["", "a checkpoint", "of it a shard of 64", "written by all in", f"share of {model.SAVE_MINUTES} minutes"]
    rows = []
    for work in works:
        size = model.checkpoint_bytes(work)
        seconds = size / (model.WRITE_GB_S * model.GB)
        share = seconds / (60 * model.SAVE_MINUTES)
        rows.append(
            [work.name, f"{size / model.GB:.1f} GB", f"{size / 64 / 1e6:.0f} MB", f"{seconds:.1f} s", f"{share:.2%}"]
        )
    return table(header, rows)


def _measured(measured):
    header = ["", "sent a step, MB: predicted", "measured", "ratio", "memory of a process, MiB: predicted", "measured"]
    header += ["ratio", "step, measured"]
    rows = []
    for name, found in measured.items():
        sent, taken = (f"{found[key] / 1e6:.1f}" for key in ("sent_predicted", "sent"))
        ratio = f"{found['sent'] / found['sent_predicted']:.2f}" if found["sent_predicted"] else ""
        sizes = [found["memory_predicted"], found["memory"]]
        rows.append(
            [
                *(name, *((sent, taken, ratio) if ratio else ("", "", ""))),
                *(*(f"{size / 2**20:.0f}" for size in sizes), f"{sizes[1] / sizes[0]:.2f}"),
                f"{found['seconds']:.2f} s",
            ]
        )
    return table(header, rows)


def outdated(page, wanted):
    """Names of the tables that a page's text has otherwise, or not at all."""
    return [
        name
        for name, text in wanted.items()
        if (found := re.search(BLOCK.format(re.escape(name)), page, re.S)) is None or found[1] != text
    ]


def updated(page, wanted):
    """The page's text with the tables in their places."""
    for name, text in wanted.items():
        block = f"<!-- table: {name} -->\n{text}<!-- end -->"
        page = re.sub(BLOCK.format(re.escape(name)), lambda _, block=block: block, page, flags=re.S)
    return page


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare with the page; exit code 1 where it is outdated")
    what.add_argument("--measure", action="store_true", help="take the measured figures anew, too")
    args = parser.parse_args(argv)
    measured = scaling_measured.measure() if args.measure else json.loads(FIGURES.read_text())["measured"]
    works = [model.describe(name) for name in model.RECIPES]
    wanted = tables(works, measured)
    if args.check:
        names = outdated(PAGE.read_text(), wanted)
        print("\n".join(f"{PAGE}: the table '{name}' is not what is computed" for name in names) or "all as computed")
        return EXIT_LOST if names else EXIT_DONE
    figures = {"workloads": [asdict(work) for work in works], "measured": measured}
    atomic_write_text(FIGURES, json.dumps(figures, indent=2) + "\n")
    atomic_write_text(PAGE, updated(PAGE.read_text(), wanted))
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
