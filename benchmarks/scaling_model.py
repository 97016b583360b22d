"""What a training step on N GPUs takes, computed: memory, seconds by what they are spent on, bytes sent and saved.

Everything about hardware is a named constant below, from data sheets or assumed; nothing here was measured on a GPU.
Everything about models follows from the recipes' own configs, the loader's time from docs/performance.md.
"""

import math
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from slowfast.config import load_cfg
from slowfast.config.derive import effective_batch
from slowfast.engine.memory_plan import plan_memory
from slowfast.engine.processes.data_parallel import BUCKET_MIB
from slowfast.models import build_model
from slowfast.models.complexity import count_parameters
from slowfast.models.layers.block import wrapping_units

GB, GIB = 1e9, 2**30
FP32, BF16 = 4, 2  # bytes

# A DGX H100: NVIDIA's data sheets of H100 SXM and DGX H100.
GPU_TFLOPS = 989.0  # bf16, dense
GPU_MEMORY_GIB = 80.0
GPUS_A_NODE = 8
NVLINK_GB_S = 450.0  # of a GPU, one way
CORES_A_GPU = 14  # 2 x 56 a node
NETWORKS = {"8 x 400 Gb/s": 400.0, "1 x 100 Gb/s": 12.5}  # of a node, GB/s one way: the DGX's own; one plain port

# Assumed.
COMPUTE_SHARE = 0.40  # of the peak, that a vision transformer reaches
LINK_SHARE = 0.75  # of a link's rate, that collectives reach
HOP_SECONDS = 8e-6  # of a ring, from one process to the next
HIDDEN_SHARE = 0.8  # of a backward pass (ddp) or of both passes (fsdp), beside which collectives can run
WRITE_GB_S = 5.0  # to a shared file system, all nodes together
SAVE_MINUTES = 30  # between two checkpoints
VIDEO_MB = 0.6  # a file of 10 s, short side 256 px, H.264 at about 0.5 Mb/s
JPEG_KB = 36.0  # a frame of 340 x 256 px at quality 90
VIDEO_FRAMES = 300

# Measured, of one core, milliseconds a clip: docs/performance.md, "Augmentation", a key frame every 32.
DECODE_MS = 24.2
AUGMENT_MS = {"random resized crop": 5.0, "RandAugment": 22.6}


@dataclass(frozen=True)
class Workload:
    """A recipe on one GPU.

    flops: of a clip, forward and backward, recomputation included (a multiply-addition is two). clips: of a GPU and
    micro-step; batch: of an optimizer step. parameters, trained: scalars. in_units: parameters of the wrapping_units;
    largest_unit: of the largest; num_units: how many. activations: bytes of a micro-step, bf16. moments: that the
    optimizer keeps of a trained scalar; average: 1 if a moving average is kept. augmentation: key of AUGMENT_MS.
    """

    name: str
    flops: float
    clips: int
    batch: int
    parameters: int
    trained: int
    in_units: int
    largest_unit: int
    num_units: int
    activations: int
    moments: float
    average: int
    augmentation: str


RECIPES = {
    "XViT-B": "configs/Kinetics/xvit_b16_k400.yaml",
    "CAST-B": "projects/cast/configs/cast_b16_k400.yaml",
    "EVA-1B": "configs/Kinetics/eva_video_1b_k722.yaml",
}


def describe(name):
    """Workload of a recipe in bf16; its model is built without memory."""
    cfg = load_cfg(RECIPES[name], ["TRAIN.PRECISION", "bf16", "NUM_PROCS", GPUS_A_NODE])
    with torch.device("meta"):
        model = build_model(cfg)
        clip = torch.empty(1, 3, cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TRAIN_CROP_SIZE)
    with FlopCounterMode(display=False) as counter:
        model(clip).sum().backward()
    parameters, trained = count_parameters(model)
    units = [count_parameters(unit)[0] for unit in wrapping_units(model)]
    plan = plan_memory(cfg, model, torch.device("cpu"))
    return Workload(
        name,
        flops=counter.get_total_flops(),
        clips=cfg.TRAIN.BATCH_SIZE // GPUS_A_NODE,
        batch=recipe_batch(cfg),
        parameters=parameters,
        trained=trained,
        in_units=sum(units),
        largest_unit=max(units),
        num_units=len(units),
        activations=plan.step.activations,
        moments=plan.optimizer / plan.step.weights,
        average=int(cfg.SOLVER.EMA_DECAY > 0),
        augmentation="RandAugment" if cfg.AUG.ENABLE else "random resized crop",
    )


def recipe_batch(cfg):
    """Clips of an optimizer step on as many machines as the recipe's header names."""
    return effective_batch(cfg) * RECIPE_NODES.get(cfg.MODEL.MODEL_NAME, 1)


RECIPE_NODES = {"CAST": 2, "EVAVideo": 16}


def micro_steps(work, processes):
    """As many as keep the recipe's batch; at least one, with which it may grow."""
    return max(1, work.batch // (work.clips * processes))


def compute_seconds(work):
    """Of a micro-step, forward and backward."""
    return work.flops * work.clips / (GPU_TFLOPS * 1e12 * COMPUTE_SHARE)


def sent_bytes(work, processes, parallel, *, micro=1, unit_bytes=BF16):
    """Bytes that each process sends in an optimizer step, by ring algorithms: (for each micro-step, once).

    ddp: gradients of what is trained are reduced and gathered as float32. fsdp: blocks are gathered twice in the
    computation's type, the rest once as float32; gradients are reduced as float32.
    """
    part = (processes - 1) / processes
    if parallel == "ddp":
        return 0.0, 2 * part * work.trained * FP32
    gathered = 2 * work.in_units * unit_bytes + (work.parameters - work.in_units) * FP32
    return part * gathered * micro, part * work.trained * FP32


def bus_gb_s(processes, network):
    """Rate at which a ring over all GPUs sends; it has a lane for each port between nodes."""
    return LINK_SHARE * min(NVLINK_GB_S, NETWORKS[network] if processes > GPUS_A_NODE else NVLINK_GB_S)


@dataclass(frozen=True)
class Step:
    """Seconds of an optimizer step: computing, sending in all, sending that nothing hides, loading.

    clips: over all processes.
    """

    compute: float
    sending: float
    exposed: float
    loading: float
    clips: int

    @property
    def seconds(self):
        return max(self.compute + self.exposed, self.loading)

    @property
    def efficiency(self):
        """Share of the step in which a GPU computes."""
        return self.compute / self.seconds


def step_time(work, processes, network, parallel):
    """Step of `processes` GPUs."""
    micro = micro_steps(work, processes)
    rate = bus_gb_s(processes, network) * GB
    hops = HOP_SECONDS * (min(processes, GPUS_A_NODE) - 1 + math.ceil(processes / GPUS_A_NODE) - 1)
    compute = compute_seconds(work)
    each, once = sent_bytes(work, processes, parallel, micro=micro)
    if parallel == "ddp":
        sending = once / rate + 2 * math.ceil(work.trained * FP32 / (BUCKET_MIB * 2**20)) * hops
        hidden = HIDDEN_SHARE * compute * 2 / 3  # beside the last backward pass
    else:
        gathers = 2 * (work.num_units + 1) * micro
        sending = (each + once) / rate + (gathers + work.num_units + 1) * hops
        hidden = HIDDEN_SHARE * compute * micro
    loading = micro * work.clips / loader_clips_per_s(work)
    return Step(compute * micro, sending, max(0.0, sending - hidden), loading, processes * work.clips * micro)


def loader_clips_per_s(work, cores=CORES_A_GPU):
    """Clips that a GPU's share of the cores delivers."""
    return cores * 1e3 / (DECODE_MS + AUGMENT_MS[work.augmentation])


def cores_needed(work):
    """Cores a GPU whose loader keeps up with a GPU that only computes."""
    return work.clips / compute_seconds(work) / loader_clips_per_s(work, cores=1)


def memory_bytes(work, processes, parallel):
    """Of a process at most: what it keeps, and activations; fsdp: and what is gathered. A sum, so an upper bound."""
    kept = FP32 * (work.parameters + work.trained * (1 + work.moments + work.average))
    if parallel == "ddp":
        return kept + work.activations
    gathered = FP32 * (work.parameters - work.in_units) + work.largest_unit * (3 * BF16 + FP32)
    if micro_steps(work, processes) > 1:  # whole gradients until the last micro-step
        return (kept - FP32 * work.trained) / processes + FP32 * work.trained + work.activations + gathered
    return kept / processes + work.activations + gathered


def checkpoint_bytes(work):
    """Weights, moments, moving average, float32."""
    return FP32 * (work.parameters + work.trained * (work.moments + work.average))


def video_gb_s(step):
    """Rate at which all processes together read compressed video."""
    return step.clips / step.seconds * VIDEO_MB / 1e3
