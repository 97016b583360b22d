"""How much memory a process has taken."""

import resource
import sys

import torch


def peak_mib(device):
    """Peak memory in MiB: of the CUDA allocator on a GPU, of the whole process (resident) on a CPU."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 2**20 if sys.platform == "darwin" else peak / 2**10)
