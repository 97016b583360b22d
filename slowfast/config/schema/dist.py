"""DIST: what the processes of one run do together, and when they leave."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.DIST = CfgNode()
    cfg.DIST.TIMEOUT_SEC = 600  # seconds without progress after which a stuck process ends the run
    cfg.DIST.PREEMPT_DEADLINE_SEC = 120  # seconds from SIGUSR1 or SIGTERM until the run leaves, saved or not
    cfg.DIST.FIND_UNUSED_PARAMETERS = False  # for models whose loss does not depend on every trained parameter; slower
    cfg.DIST.COMM_HOOK = ""  # "" | bf16: gradients are rounded to bfloat16 on their way between processes
    cfg.DIST.CPU_OFFLOAD = False  # with TRAIN.PARALLEL fsdp: a GPU's part lies in CPU memory and is updated there
