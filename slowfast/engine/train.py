"""The training loop: epochs of optimizer steps, validation, checkpoints."""

from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from slowfast.config import derive
from slowfast.datasets.build import construct_loader
from slowfast.datasets.transforms.build import describe_training
from slowfast.engine.batch_norm import set_batch_norm
from slowfast.engine.feed import Feed
from slowfast.engine.memory_plan import fit_batch
from slowfast.engine.metrics_log import MetricsLog, Progress, Throughput, format_seconds
from slowfast.engine.multigrid import batch_norm_setting, build_course, course_text, describe_course, sampler_phases
from slowfast.engine.plan import describe
from slowfast.engine.processes import preemption, watchdog
from slowfast.engine.processes.agreement import Agreement
from slowfast.engine.processes.data_parallel import wrap_for_training
from slowfast.engine.processes.preemption import Preempted
from slowfast.engine.recipe import recipe_text, resolve_recipe, write_recipe
from slowfast.engine.start import build_empty, shares_out, start_training
from slowfast.engine.validate import averages, validate
from slowfast.solver.multigrid import BatchNormSetting
from slowfast.solver.schedules import build_schedule
from slowfast.tasks import build_task
from slowfast.utils import distributed, memory
from slowfast.utils.errors import EXIT_DONE, EXIT_LOST, EXIT_PREEMPTED
from slowfast.utils.io import atomic_write_text
from slowfast.utils.logging import get_logger


def train(cfg, device):
    """Train until SOLVER.MAX_EPOCH, from the last checkpoint if there is one.

    Args:
        cfg: frozen configuration.
        device: this process's torch.device.
    Returns:
        exit code: 0; 1 if validation lost more than TEST.MAX_UNREADABLE videos; 75 if SIGUSR1 or SIGTERM ended it.
    Raises:
        UserError: unusable data or checkpoint; a loss that is not finite; a checkpoint that cannot be written.
    """
    with preemption.politely():
        trainer = Trainer(fit_batch(cfg, device), device)
        try:
            while trainer.state.epoch < trainer.course.max_epoch:
                trainer.train_epoch()
                trainer.finish_epoch()
            return trainer.conclude()
        except Preempted:
            return trainer.leave()
        finally:
            trainer.log.close()


class Trainer:
    """The parts of one training run, put together, and what is done with them in an epoch."""

    def __init__(self, cfg, device):
        self.cfg = cfg
        self.device = device
        self.main = distributed.is_main()
        self.task = build_task(cfg)
        ranks = {"rank": distributed.rank(), "world_size": distributed.world_size()}
        self.course = build_course(cfg)
        self.train_loader = construct_loader(cfg, "train", **ranks, phases=sampler_phases(self.course))
        self.val_loader = construct_loader(cfg, "val", **ranks)
        self.steps_in = self.train_loader.batch_sampler.steps_in
        lrs = derive.scaled_lr(cfg)
        self.schedule = build_schedule(cfg, self.course, *lrs, steps_per_epoch=self.steps_in(0))
        self.state, self.step, self.checkpoints = start_training(cfg, device, self.task, self.course.signature, lrs[0])
        model, optimizer = self.state.model, self.state.optimizer
        self.batch_norm = BatchNormSetting()  # what the model was built with
        self._set_batch_norm()
        self.step.model = self._wrap(model)  # only now, so that all processes hold the same weights
        self.agreement = Agreement(device)
        self.throughput = Throughput()
        self.replaced = {}  # path of an unreadable training video -> how often another was drawn in its place
        self.lost = 0  # videos that the last validation could not read
        self.log = MetricsLog.from_cfg(cfg, self.state, enabled=self.main)
        if self.main:
            model = build_empty(cfg) if shares_out(cfg) else model  # to be counted
            atomic_write_text(Path(cfg.OUTPUT_DIR) / "config.yaml", cfg.dump())
            get_logger().info(describe(cfg, model, {"train": self.train_loader, "val": self.val_loader}))
            recipe = resolve_recipe(cfg, model, optimizer, self.course, self.steps_in)
            recipe["augmentation"] = describe_training(cfg, self.train_loader.dataset)
            recipe["multigrid"] = describe_course(cfg, self.course, self.train_loader.batch_sampler, model)
            get_logger().info(recipe_text(recipe))
            if recipe["multigrid"]:
                get_logger().info(course_text(recipe["multigrid"], self.schedule))
            write_recipe(cfg.OUTPUT_DIR, recipe)

    def _wrap(self, model):
        if shares_out(self.cfg):
            return model
        dist = self.cfg.DIST
        unused = dist.FIND_UNUSED_PARAMETERS
        return wrap_for_training(model, self.device, find_unused_parameters=unused, comm_hook=dist.COMM_HOOK)

    def _set_batch_norm(self):
        """What the running epoch's phase asks for; nothing is touched where it is that already."""
        cfg, state = self.cfg, self.state
        setting = batch_norm_setting(self.course, state.epoch, self.train_loader.batch_sampler.batch_size, cfg)
        if setting != self.batch_norm:
            set_batch_norm(state.model, setting, self.device, everywhere=cfg.BN.GLOBAL_SYNC)
            self.batch_norm = setting

    def train_epoch(self):
        """The optimizer steps that are left of the running epoch, with reports and checkpoints on the way."""
        cfg, state, steps = self.cfg, self.state, self.steps_in(self.state.epoch)
        self._set_batch_norm()
        state.model.train()
        self.train_loader.batch_sampler.set_position(state.epoch, state.step_in_epoch)
        self.throughput = Throughput()
        feed = Feed.from_cfg(cfg, self.train_loader, self.device, self.throughput.waited, train_task=self.task)
        batches = iter(feed)
        title = f"epoch {state.epoch + 1}/{self.course.max_epoch}"
        progress = Progress(steps, title, done=state.step_in_epoch, enabled=self.main)
        window = {}
        while state.step_in_epoch < steps:
            lr = self.schedule(state.epoch + state.step_in_epoch / steps)
            watchdog.beat("loading", self._rows, epoch=state.epoch + 1, step=state.step + 1)
            micro_batches = list(islice(batches, cfg.SOLVER.ACCUMULATE_STEPS))
            sums = self.step(micro_batches, lr=lr, step=state.step, epoch=state.epoch)
            self.throughput.step(sums["clips"], self.course.step_work(state.epoch, state.step_in_epoch))
            self._name_replaced(micro_batches)
            window = {name: window.get(name, 0.0) + value for name, value in sums.items()}
            state.finish_step()
            progress.advance()
            saves = _is_due(state.step, cfg.TRAIN.CHECKPOINT_PERIOD_ITERS)
            due = saves or _is_due(state.step, cfg.LOG_PERIOD) or state.step_in_epoch == steps
            stop = self._agree(settle=due)
            if due or stop:
                self._report(window, lr, progress)
                window = {}
            if stop:
                raise Preempted
            if saves and state.step_in_epoch < steps:
                self.checkpoints.save(state)
        progress.close()

    def _rows(self, rank, position):
        """Videos that a process has in the running step, for the watchdog."""
        return self.train_loader.batch_sampler.step_items(self.state.epoch, self.state.step_in_epoch, rank)

    def _agree(self, *, settle):
        """Whether all leave now. Raises: UserError where the loss of any process is no number; both a step late."""
        guard = self.step.guard
        outcome = self.agreement.exchange(nonfinite=guard.nonfinite(), stop=preemption.requested(), settle=settle)
        if outcome["nonfinite"]:
            self.checkpoints.finish()
            guard.stop(self.cfg.OUTPUT_DIR, self.step.precision.scaler, self.checkpoints.last())
        return outcome["stop"]

    def finish_epoch(self):
        """Validate and save as the periods say. A kill in between loses nothing: the epoch is saved before, too."""
        cfg, state = self.cfg, self.state
        validates = self.course.is_due(state.epoch, cfg.TRAIN.EVAL_PERIOD)
        saves = self.course.is_due(state.epoch, cfg.TRAIN.CHECKPOINT_PERIOD)
        self._report_epoch()
        if saves and validates:
            self.checkpoints.save(state, epoch_done=True)
        better = self._validate() if validates else False
        state.finish_epoch()
        if saves:
            self.checkpoints.save(state, best=better)
        elif better:
            self.checkpoints.save_best(state)

    def _validate(self):
        """True if the result is the best so far."""
        cfg, state = self.cfg, self.state
        averaged = state.average is not None and cfg.SOLVER.EMA_EVALUATE
        with state.average.applied(state.model) if averaged else nullcontext():
            model = self._whole_model()
            metrics, unreadable = validate(model, self.task, self.val_loader, cfg, self.device, self.step.precision)
        self.lost = len(unreadable)
        metrics |= {"epoch": state.epoch + 1, "unreadable": self.lost}
        value = metrics[self.task.primary_metric]
        better = state.best is None or _is_better(self.task, value, state.best)
        if better:
            state.best = value
        self.log.write("val", state.step, metrics | {"best": state.best})
        self._tell(
            f"epoch {state.epoch + 1}/{self.course.max_epoch} validation loss {metrics['loss']:.4f} "
            f"{_accuracies(metrics)} over {metrics['clips']} videos, best {state.best:.4g}"
        )
        return better

    def _whole_model(self):
        """The model as it can be evaluated without waiting for other processes, whose shares may be uneven."""
        if not shares_out(self.cfg):
            return self.state.model
        from slowfast.engine.processes.sharding import filled_copy

        return filled_copy(build_empty(self.cfg), self.state.model, self.device)

    def _report(self, window, lr, progress):
        """One reduction over the processes; progress, metrics.jsonl and TensorBoard."""
        state, steps = self.state, self.steps_in(self.state.epoch)
        self.checkpoints.check()
        speed = self.throughput.window()
        shared = {"data_wait": speed["data_wait"] / distributed.world_size(), "clips_per_s": speed["clips_per_s"]}
        totals = distributed.all_reduce_sums({**window, **shared}, self.device)
        state.add_sums({name: totals[name] for name in window})
        work_left = self.course.work_left(self.steps_in, state.epoch, state.step_in_epoch)
        values = {
            **_window_averages(totals),
            **{name: totals[name] for name in shared},
            "lr": lr,
            "epoch": state.epoch + state.step_in_epoch / steps,
            "eta_s": round(work_left * speed["work_s"]),
            "peak_memory_mib": memory.peak_bytes(self.device) // 2**20,
        }
        self.log.write("train", state.step, values)
        progress.report(
            f"step {state.step_in_epoch}/{steps} loss {values['loss']:.4f} {_accuracies(values)} "
            f"lr {lr:.2e}, {values['clips_per_s']:.1f} clips/s, {values['data_wait']:.0%} waiting for data, "
            f"ETA {format_seconds(values['eta_s'])}"
        )

    def _report_epoch(self):
        state = self.state
        values = {**_window_averages(state.sums), "epoch": state.epoch + 1}
        self.log.write("train_epoch", state.step, values)
        self._tell(
            f"epoch {state.epoch + 1}/{self.course.max_epoch} training loss {values['loss']:.4f} "
            f"{_accuracies(values)} over {values['clips']} clips"
        )

    def _name_replaced(self, micro_batches):
        for path, reason in (video for batch, _ in micro_batches for video in batch.replaced):
            if path not in self.replaced:
                get_logger().warning(f"unreadable training video {path}, another is drawn in its place: {reason}")
            self.replaced[path] = self.replaced.get(path, 0) + 1

    def leave(self):
        """Save where all processes were asked to leave; the exit code that says "start me again"."""
        state = self.state
        self.checkpoints.finish()
        if not self.checkpoints.holds(state):
            self.checkpoints.save(state, epoch_done=state.step_in_epoch == self.steps_in(state.epoch))
            self.checkpoints.finish()
        if self.main:
            saved = self.checkpoints.saved_step == state.step
            text = "saved" if saved else f"NOT saved (last checkpoint: {self.checkpoints.last() or 'none'})"
            preemption.write_marker(self.cfg.OUTPUT_DIR, f"asked to leave, {text} after {state.step} steps")
            self._tell(f"left as asked after {state.step} steps, {text}; the same command goes on")
        return EXIT_PREEMPTED

    def conclude(self):
        """Say how it ended; the exit code."""
        self.checkpoints.finish()
        shares = distributed.gather_objects(self.replaced)
        videos = {path for share in shares for path in share}
        if videos:
            draws = sum(sum(share.values()) for share in shares)
            self._tell(f"{len(videos)} unreadable training video(s) were replaced {draws} time(s); named above")
        best = "not measured" if self.state.best is None else f"{self.state.best:.4g}"
        self._tell(f"training done: best {self.task.primary_metric} {best}, {self.checkpoints.folder}")
        if self.lost > self.cfg.TEST.MAX_UNREADABLE:
            self._tell(f"validation could not read {self.lost} video(s), TEST.MAX_UNREADABLE allows fewer")
            return EXIT_LOST
        return EXIT_DONE

    def _tell(self, text):
        if self.main:
            get_logger().info(text)


def _is_better(task, value, best):
    """Compares values of the task's primary metric."""
    return value < best if getattr(task, "lower_is_better", False) else value > best


def _is_due(count, period):
    return period > 0 and count % period == 0


def _window_averages(totals):
    """Sums of `train_step` -> values per clip and per step."""
    means = averages({name: totals[name] for name in totals if name not in _PER_STEP})
    return {**means, "grad_norm": totals["grad_norm"] / totals["steps"]}


_PER_STEP = ("grad_norm", "steps", "data_wait", "clips_per_s")


def _accuracies(values):
    return " ".join(
        f"{name.removesuffix('_acc')} {value:.2f}" for name, value in values.items() if "_acc" in name or name == "map"
    )
