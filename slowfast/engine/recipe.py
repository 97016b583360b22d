"""The resolved recipe of a training run: what the optimizer really does, told at the start and stored."""

import json
from pathlib import Path

from slowfast.config import derive
from slowfast.solver.schedules import build_schedule
from slowfast.utils.io import atomic_write_text


def resolve_recipe(cfg, model, optimizer, course, steps_in):
    """What follows from configuration, model and data for the optimizer, as plain numbers and words.

    Args:
        optimizer: from `build_optimizer`, over the model's trained parameters.
        course: Course of the run.
        steps_in: function epoch -> optimizer steps.
    Returns:
        dict, ready for JSON; "changes" holds {key: [value in the base, value here]}.
    """
    base, start, end = derive.scaled_lr(cfg)
    schedule = build_schedule(cfg, course, base, start, end, steps_per_epoch=steps_in(0))
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    defaults = {name: value for name, value in optimizer.defaults.items() if name in _SHOWN_DEFAULTS}
    return {
        "optimizer": type(optimizer).__name__,
        **defaults,
        "effective_batch": derive.effective_batch(cfg),
        "loss": cfg.MODEL.LOSS_FUNC,
        "label_smoothing": derive.label_smoothing(cfg),
        "lr": {"base": base, "warmup_start": start, "cosine_end": end, "scale": derive.lr_scale(cfg)},
        "lr_at_step": _landmarks(cfg, schedule, course, steps_in),
        "steps_per_epoch": steps_in(0),
        "steps": course.steps(steps_in),
        "epochs": course.max_epoch,
        "moving_average": cfg.SOLVER.EMA_DECAY,
        "groups": [_describe_group(group, base) for group in optimizer.param_groups],
        "frozen": {"tensors": len(frozen), "parameters": sum(parameter.numel() for parameter in frozen)},
        "base": cfg.changes.since if cfg.changes else None,
        "changes": {key: list(pair) for key, pair in (cfg.changes.values if cfg.changes else {}).items()},
    }


_SHOWN_DEFAULTS = ("betas", "eps", "momentum", "dampening", "nesterov")


def _landmarks(cfg, schedule, course, steps_in):
    """{step: learning rate} at the start, around the end of the warm-up, half way, and at the last step."""
    last = course.steps(steps_in) - 1
    warm = round(cfg.SOLVER.WARMUP_EPOCHS * steps_in(0))
    steps = sorted({0, min(max(warm - 1, 0), last), min(warm, last), (last + 1) // 2, last})
    return {step: schedule(course.epoch_at(step, steps_in)) for step in steps}


def _describe_group(group, base_lr):
    return {
        "lr": base_lr * group["lr_scale"],
        "lr_scale": group["lr_scale"],
        "weight_decay": group["weight_decay"],
        "tensors": len(group["params"]),
        "parameters": sum(parameter.numel() for parameter in group["params"]),
        "names": group["names"],
    }


def recipe_text(recipe):
    """The recipe as a table for the log."""
    settings = ", ".join(f"{name} {recipe[name]}" for name in _SHOWN_DEFAULTS if name in recipe)
    lines = [
        f"recipe: {recipe['optimizer']} ({settings}), {recipe['effective_batch']} clips a step, "
        f"loss {recipe['loss']}, smoothing {recipe['label_smoothing']:g}, "
        f"moving average {recipe['moving_average'] or 'off'}",
        f"learning rate {recipe['lr']['base']:g} (SOLVER.BASE_LR x {recipe['lr']['scale']:g}): "
        + ", ".join(f"{lr:.3g} at step {step}" for step, lr in recipe["lr_at_step"].items()),
        f"{'lr':>10} {'of base':>8} {'decay':>8} {'tensors':>8} {'parameters':>12}  first of them",
    ]
    for group in recipe["groups"]:
        lines.append(
            f"{group['lr']:>10.3g} {group['lr_scale']:>8.4f} {group['weight_decay']:>8g} {group['tensors']:>8} "
            f"{group['parameters']:>12,}  {group['names'][0]}"
        )
    frozen = recipe["frozen"]
    lines.append(f"{'frozen':>28} {frozen['tensors']:>8} {frozen['parameters']:>12,}")
    if recipe["base"]:
        lines.append(f"changed from {recipe['base']}: {len(recipe['changes']) or 'nothing'}")
        lines += [f"  {key}: {before!r} -> {here!r}" for key, (before, here) in recipe["changes"].items()]
    return "\n".join(lines)


def write_recipe(output_dir, recipe):
    """OUTPUT_DIR/recipe.json."""
    atomic_write_text(Path(output_dir) / "recipe.json", json.dumps(recipe, indent=2) + "\n")
