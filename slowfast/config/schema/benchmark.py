"""BENCHMARK: the job that measures loader, model and whole step."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.BENCHMARK = CfgNode()
    cfg.BENCHMARK.ENABLE = False  # run the benchmark job
    cfg.BENCHMARK.NUM_WARMUP = 3  # iterations before measuring
    cfg.BENCHMARK.NUM_ITERS = 20  # measured iterations
