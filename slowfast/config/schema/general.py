"""Top-level keys: what runs where, seed, outputs, logging."""


def add(cfg):
    cfg.TASK = ""  # registered task; "" = classification
    cfg.PROJECTS = []  # packages to import in every process, e.g. ["projects.cast"]; each may add keys and register
    cfg.OUTPUT_DIR = "."  # folder of everything that a run writes
    cfg.NUM_GPUS = 1  # processes (one GPU each) on this machine; without CUDA or with 0 the run is on the CPU
    cfg.NUM_PROCS = 1  # gloo processes on this machine when the run is on the CPU
    cfg.NUM_THREADS = 0  # CPU threads that compute in each process; 0 = this machine's cores over its processes
    cfg.NUM_SHARDS = 1  # machines
    cfg.SHARD_ID = 0  # this machine's index, in [0, NUM_SHARDS)
    cfg.DIST_BACKEND = "nccl"  # nccl | gloo, for GPU processes; CPU processes always use gloo
    cfg.RNG_SEED = 1  # the one source of every random draw
    cfg.LOG_PERIOD = 10  # optimizer steps between two log lines
    cfg.LOG_MODEL_INFO = True  # print parameters and GFLOPs of the model at the start
