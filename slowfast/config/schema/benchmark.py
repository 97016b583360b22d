"""BENCHMARK: the job that measures loader, model and whole step."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.BENCHMARK = CfgNode()
    cfg.BENCHMARK.ENABLE = False  # run the benchmark job
    cfg.BENCHMARK.NUM_WARMUP = 3  # iterations before measuring
    cfg.BENCHMARK.NUM_ITERS = 20  # measured iterations
    cfg.BENCHMARK.NUM_EPOCHS = 5  # passes over the data set at most
    cfg.BENCHMARK.LOG_PERIOD = 100  # iterations between two log lines
    cfg.BENCHMARK.SHUFFLE = True  # read clips in random order
