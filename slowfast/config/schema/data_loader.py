"""DATA_LOADER: worker processes and their queues."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.DATA_LOADER = CfgNode()
    cfg.DATA_LOADER.NUM_WORKERS = 8  # worker processes of each training process; 0 = load in the process itself
    cfg.DATA_LOADER.PREFETCH_FACTOR = 2  # batches that each worker prepares ahead
    cfg.DATA_LOADER.PIN_MEMORY = True  # page-locked batches, for faster copies to a GPU; no effect on the CPU
