"""What multigrid training asks of a configuration."""

from itertools import pairwise


def find_multigrid_problems(cfg):
    """Yields (key, text) for MULTIGRID's own values and for what does not go with them."""
    yield from _factors(cfg.MULTIGRID)
    if not cfg.TRAIN.ENABLE or not (cfg.MULTIGRID.LONG_CYCLE or cfg.MULTIGRID.SHORT_CYCLE):
        return
    if cfg.TASK == "masked_pretraining":
        for cycle in ("LONG_CYCLE", "SHORT_CYCLE"):
            if cfg.MULTIGRID[cycle]:
                yield f"MULTIGRID.{cycle}", "got True, but TASK masked_pretraining hides tokens of clips of one size"
    if cfg.SOLVER.MAX_EPOCH * cfg.MULTIGRID.EPOCH_FACTOR < 1:
        text = f"expected enough for one epoch of SOLVER.MAX_EPOCH {cfg.SOLVER.MAX_EPOCH}"
        yield "MULTIGRID.EPOCH_FACTOR", f"got {cfg.MULTIGRID.EPOCH_FACTOR}, {text}"
    if cfg.SOLVER.LR_DELAY_STEPS:
        text = f"got {cfg.SOLVER.LR_DELAY_STEPS}, expected 0 with MULTIGRID, whose epochs differ in their steps"
        yield "SOLVER.LR_DELAY_STEPS", text
    if cfg.MULTIGRID.LONG_CYCLE:
        yield from _stages(cfg.SOLVER)


def _factors(multigrid):
    pairs = multigrid.LONG_CYCLE_FACTORS
    if not pairs or not all(_is_list(pair) and len(pair) == 2 and all(map(_is_part, pair)) for pair in pairs):
        example = "pairs (of the frames, of the crop) of numbers above 0, at most 1, such as (0.5, 0.7071)"
        yield "MULTIGRID.LONG_CYCLE_FACTORS", f"got {pairs!r}, expected {example}"
    parts = multigrid.SHORT_CYCLE_FACTORS
    if not parts or not all(map(_is_part, parts)):
        yield "MULTIGRID.SHORT_CYCLE_FACTORS", f"got {parts!r}, expected numbers above 0, at most 1"


def _stages(solver):
    steps = solver.STEPS
    ascends = all(a < b for a, b in pairwise(steps))
    if len(steps) < 2 or steps[0] != 0 or not ascends or steps[-1] >= solver.MAX_EPOCH:
        text = "whatever the policy, MULTIGRID.LONG_CYCLE runs through its shapes once between two of them"
        yield (
            "SOLVER.STEPS",
            f"got {steps}, expected at least two ascending epochs of plain training, the first 0, the last, where "
            f"fine-tuning begins, less than SOLVER.MAX_EPOCH {solver.MAX_EPOCH}: {text}",
        )


def _is_list(value):
    return isinstance(value, list | tuple)


def _is_part(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
