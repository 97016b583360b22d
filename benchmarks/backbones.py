#!/usr/bin/env python
"""Time and memory of a training step of the base-size backbones, side by side with other ways to compute the same.

python benchmarks/backbones.py

Each model takes the same training step (float32, one clip, CPU) with fused and with explicitly written attention and
the same weights; VideoViT also against transformers' VideoMAE (pip install "transformers>=5"; left out without it).
Steps of the compared models take turns and the median counts, so that a machine's other work falls on all alike; memory
is that of a process of its own, gradients included. Prints Markdown.

With --eva_blocks N: EVA's 1.0 B video model with N of its 40 blocks instead, 8 frames; its memory is counted above
weights and gradients, and with recomputed activations too.
"""

import argparse
import platform
import statistics
import sys
import time
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import torch
import torch.nn.functional as F

from slowfast.models.complexity import count_parameters, gmacs
from slowfast.models.eva_video import SIZES as EVA_SIZES
from slowfast.models.eva_video import EVAVideo
from slowfast.models.layers.attention import set_attention
from slowfast.models.layers.block import set_act_checkpoint
from slowfast.models.video_vit import VideoViT
from slowfast.models.vit import SIZES
from slowfast.models.xvit import XViT
from slowfast.utils.command_line import run_command
from slowfast.utils.memory import peak_bytes, reset_peak, return_freed

MODELS = ("VideoViT", "XViT")
NUM_CLASSES = 174
CPU = torch.device("cpu")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("small", "base", "large"), default="base", help="default: base")
    parser.add_argument("--eva_blocks", type=int, default=0, metavar="N", help="EVAVideo alone, at its full width")
    parser.add_argument("--frames", type=int, help="frames of the clip (default: 16, with --eva_blocks 8)")
    parser.add_argument("--crop", type=int, default=224, help="px, height and width of the clip (default: 224)")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps of each model (default: 5)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: torch's own")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: processor time, for --threads 1 on a busy machine"
    )
    args = parser.parse_args(argv)
    args.frames = args.frames or (8 if args.eva_blocks else 16)
    return args


def main(argv=None):
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    clip = torch.randn(1, 3, args.frames, args.crop, args.crop, generator=torch.Generator().manual_seed(1))
    way = f"{args.threads} thread(s), {args.clock} time, median of {args.repeats} steps"
    print(f"{machine()}; float32, clip {tuple(clip.shape)}, {way}\n")
    if args.eva_blocks:
        print(eva_table(args, clip))
        return 0
    print(
        "| model | M params | GFLOPs | step, fused (s) | explicit (s) | ratio | peak, fused (MiB) | explicit | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in MODELS:
        print(twin_row(name, args, clip), flush=True)
    print(f"\nThe time shift takes {shift_share(args, clip):.2%} of an XViT block's forward and backward pass.\n")
    print(transformers_line(args, clip))
    return 0


def machine():
    """Processor, its number, Python and torch, in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = f"{len(names)} x {names[0]}" if names else platform.processor()
    return f"{name}, Python {platform.python_version()}, torch {torch.__version__}"


def build(name, size, num_frames, crop_size):
    """A registered backbone at a published size (EVAVideo: with this many blocks), drawn from a fixed seed."""
    torch.manual_seed(0)
    if name == "EVAVideo":
        width, _, heads, mlp_dim = EVA_SIZES["giant"]
        sizes = {"embed_dim": width, "depth": size, "num_heads": heads, "mlp_dim": mlp_dim}
        return EVAVideo(NUM_CLASSES, num_frames, crop_size, **sizes, head_init_scale=1.0)
    sizes = dict(zip(("embed_dim", "depth", "num_heads"), SIZES[size]))
    if name == "VideoViT":
        return VideoViT(NUM_CLASSES, num_frames, crop_size, **sizes, head_init_scale=1.0)
    width, depth, heads = SIZES[size]
    everywhere = {"num_segments": num_frames, "shift_div": 4, "shift_blocks": range(depth)}
    head = {"head_heads": heads, "head_mlp_dim": width}
    return XViT(NUM_CLASSES, num_frames, **sizes, **everywhere, **head, dropout=0.0)


def train_step(logits):
    """Forward by calling logits(), then the backward pass of a cross-entropy; gradients stay where they are."""
    F.cross_entropy(logits(), torch.zeros(1, dtype=torch.long)).backward()


def median_times(steps, repeats, clock=time.perf_counter):
    """Median seconds, by `clock`, of each function in `steps` (name -> function); they take turns, after a warm-up."""
    times = {name: [] for name in steps}
    for index in range(repeats + 1):
        for name, step in steps.items():
            start = clock()
            step()
            if index:
                times[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def twin_row(name, args, clip):
    """One row of the table: fused attention against the explicit twin, which is the same model switched over."""
    model = build(name, args.size, args.frames, args.crop)

    def step(attention):
        set_attention(model, attention)
        model.zero_grad(set_to_none=True)
        train_step(lambda: model(clip))

    seconds = median_times(
        {way: lambda way=way: step(way) for way in ("sdpa", "explicit")}, args.repeats, CLOCKS[args.clock]
    )
    peaks = {way: peak_above_weights(name, way, args) for way in seconds}
    cells = [
        f"{name}-{args.size[0].upper()}",
        f"{count_parameters(model)[0] / 1e6:.1f}",
        f"{gmacs(model, clip.shape):.1f}",
        *(f"{seconds[way]:.2f}" for way in seconds),
        f"{seconds['sdpa'] / seconds['explicit']:.2f}",
        *(f"{peaks[way] / 2**20:.0f}" for way in peaks),
        f"{peaks['sdpa'] / peaks['explicit']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


EVA_WAYS = {"explicit": ("explicit", False), "fused": ("sdpa", False), "fused, recomputed": ("sdpa", True)}


def eva_table(args, clip):
    """EVAVideo in each of EVA_WAYS: seconds of a step, and memory above weights and gradients."""
    model = build("EVAVideo", args.eva_blocks, args.frames, args.crop)
    gradients = 4 * count_parameters(model)[1]

    def step(way):
        attention, recomputed = EVA_WAYS[way]
        set_attention(model, attention)
        set_act_checkpoint(model, recomputed)
        model.zero_grad(set_to_none=True)
        train_step(lambda: model(clip))

    seconds = median_times({way: lambda way=way: step(way) for way in EVA_WAYS}, args.repeats, CLOCKS[args.clock])
    lines = [f"EVAVideo, 1.0 B geometry, {args.eva_blocks} blocks\n"]
    lines += ["| | step (s) | ratio | above weights and gradients (MiB) | ratio |", "|---|---|---|---|---|"]
    peaks = {}
    for way, (attention, recomputed) in EVA_WAYS.items():
        peaks[way] = peak_above_weights("EVAVideo", attention, args, args.eva_blocks, recomputed) - gradients
        cells = f"{seconds[way]:.2f}", f"{seconds[way] / seconds['explicit']:.2f}"
        cells += f"{peaks[way] / 2**20:.0f}", f"{peaks[way] / peaks['explicit']:.2f}"
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def peak_above_weights(name, attention, args, size=None, recomputed=False):
    """Bytes that a training step takes at most beyond the built model, gradients included; in a fresh process."""
    sizes = (size or args.size, args.frames, args.crop)
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_of_step, (name, attention, recomputed, *sizes, args.threads))


def _peak_of_step(name, attention, recomputed, size, num_frames, crop_size, threads):
    torch.set_num_threads(threads)
    return_freed()  # as a run on the CPU does
    model = build(name, size, num_frames, crop_size)
    set_attention(model, attention)
    set_act_checkpoint(model, recomputed)
    clip = torch.randn(1, 3, num_frames, crop_size, crop_size)
    reset_peak(CPU)
    before = peak_bytes(CPU)
    train_step(lambda: model(clip))
    return peak_bytes(CPU) - before


def shift_share(args, clip):
    """Time of shifting keys and values, forward and backward, over that of a whole block of XViT."""
    encoder = build("XViT", args.size, args.frames, args.crop).base_model
    block = encoder.blocks[0]
    num_tokens = encoder.patch_embed.grid(clip.shape[3:])[0] ** 2 + 1
    x = torch.randn(args.frames, num_tokens, encoder.cls_token.shape[-1], requires_grad=True)
    keys, values = torch.randn_like(x, requires_grad=True), torch.randn_like(x, requires_grad=True)
    cotangent = torch.randn_like(x)
    shift = block.attn.mix_keys_values
    steps = {
        "block": lambda: torch.autograd.backward(block(x), cotangent),
        "shift": lambda: torch.autograd.backward([shift(keys), shift(values)], [cotangent, cotangent]),
    }
    seconds = median_times(steps, max(args.repeats, 5), CLOCKS[args.clock])
    return seconds["shift"] / seconds["block"]


def transformers_line(args, clip):
    """What comparing VideoViT with transformers' VideoMAE gives, in one sentence."""
    ours = build("VideoViT", args.size, args.frames, args.crop)
    try:
        theirs = transformers_twin(ours, args.frames, args.crop)
    except ImportError:
        return "transformers is not installed: VideoViT was not compared with its VideoMAE."
    import transformers

    with torch.no_grad():
        frames_first = clip.transpose(1, 2)  # (B, T, C, H, W)
        logits = ours.eval()(clip)
        difference = (logits - theirs.eval()(frames_first).logits).abs().max().item()

    def step(model, logits):
        model.zero_grad(set_to_none=True)
        train_step(logits)

    steps = {
        "ours": lambda: step(ours, lambda: ours(clip)),
        "theirs": lambda: step(theirs, lambda: theirs(frames_first).logits),
    }
    seconds = median_times(steps, args.repeats, CLOCKS[args.clock])
    return (
        f"VideoViT against VideoMAE of transformers {transformers.__version__} (fused attention), same weights: logits "
        f"up to {logits.abs().max():.2f} differ by {difference:.1e} at most; step {seconds['ours']:.2f} s against "
        f"{seconds['theirs']:.2f} s, ratio {seconds['ours'] / seconds['theirs']:.2f}."
    )


def transformers_twin(model, num_frames, crop_size):
    """transformers' VideoMAEForVideoClassification with the sizes and weights of `model`, a mean-pooling VideoViT.

    Raises: ImportError without transformers.
    """
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    block, (tubelet, patch, _) = model.blocks[0], model.patch_embed.patch
    config = VideoMAEConfig(
        image_size=crop_size,
        patch_size=patch,
        tubelet_size=tubelet,
        num_frames=num_frames,
        hidden_size=model.head.in_features,
        num_hidden_layers=len(model.blocks),
        num_attention_heads=block.attn.num_heads,
        intermediate_size=block.mlp.fc1.out_features,
        layer_norm_eps=block.norm1.eps,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        use_mean_pooling=True,
        num_labels=model.head.out_features,
        attn_implementation="sdpa",
    )
    twin = VideoMAEForVideoClassification(config)
    twin.fc_norm.eps = model.fc_norm.eps  # not in its configuration
    state = model.state_dict()
    twin.load_state_dict(dict(chain.from_iterable(_renamed(name, state[name]) for name in state)))
    return twin


RENAMED = {
    "patch_embed.proj": "videomae.embeddings.patch_embeddings.projection",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
    "attn.proj": "attention.output.dense",
    "fc_norm": "fc_norm",
    "head": "classifier",
}


def _renamed(name, tensor):
    """(transformers' name, tensor) of one parameter of ours; three of them for the joint projection."""
    where = ""
    if name.startswith("blocks."):
        _, index, name = name.split(".", 2)
        where = f"videomae.encoder.layer.{index}."
    inner = where + "attention.attention."
    if name == "attn.qkv.weight":
        return [(f"{inner}{part}.weight", rows) for part, rows in zip(("query", "key", "value"), tensor.chunk(3))]
    if name in ("attn.q_bias", "attn.v_bias"):
        return [(f"{inner}{'query' if name == 'attn.q_bias' else 'value'}.bias", tensor)]
    module, _, kind = name.rpartition(".")
    return [(f"{where}{RENAMED[module]}.{kind}", tensor)]


if __name__ == "__main__":
    sys.exit(run_command(main))
