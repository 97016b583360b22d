"""The course of a training run: its epochs, what their steps look like, and when it validates; multigrid or plain."""

from dataclasses import dataclass

from slowfast.solver.multigrid import Phase, StepShape, ends_interval, long_cycle, long_cycle_lr, short_cycle


@dataclass(frozen=True)
class Course:
    """Epochs count from 0. A plain run is one phase of steps that are all alike.

    Args:
        phases: tuple of Phase, one after the other.
        plain: StepShape of plain training.
        lr_epochs, lr_factors: where the steps policy changes the learning rate, and to which factor on the base rate.
        batch_power: exponent of a phase's multiple of the batch in the learning rate of the other policies.
        frequency: validations and checkpoints a phase; None: by their periods.
    """

    phases: tuple
    plain: StepShape
    lr_epochs: list
    lr_factors: list
    batch_power: float = 1.0
    frequency: int | None = None

    @classmethod
    def from_cfg(cls, cfg, frame_divisor=1, crop_divisor=1):
        """Args: frame_divisor, crop_divisor: frames and px of which the model's clips must be multiples."""
        solver, multigrid = cfg.SOLVER, cfg.MULTIGRID
        frames, crop = cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE
        plain = StepShape(1, frames, crop)
        factors = tuple(multigrid.SHORT_CYCLE_FACTORS) if multigrid.SHORT_CYCLE else ()
        if multigrid.LONG_CYCLE:
            phases = long_cycle(
                num_frames=frames,
                crop_size=crop,
                sampling_rate=cfg.DATA.SAMPLING_RATE,
                steps=solver.STEPS,
                max_epoch=solver.MAX_EPOCH,
                epoch_factor=multigrid.EPOCH_FACTOR,
                long_factors=multigrid.LONG_CYCLE_FACTORS,
                short_factors=factors,
                frame_divisor=frame_divisor,
                crop_divisor=crop_divisor,
            )
            power = multigrid.LR_BATCH_POWER
            lr = long_cycle_lr(phases, solver.GAMMA, power)
            return cls(tuple(phases), plain, *lr, power, multigrid.EVAL_FREQ)
        factor = multigrid.EPOCH_FACTOR if factors else 1
        shapes = short_cycle(frames, crop, 1, full_crop=crop, factors=factors, crop_divisor=crop_divisor)
        phase = Phase(0, 0, int(solver.MAX_EPOCH * factor), shapes)
        return cls((phase,), plain, [int(epoch * factor) for epoch in solver.STEPS], solver.LRS)

    @property
    def max_epoch(self):
        """Epochs of the whole run."""
        return self.phases[-1].end

    @property
    def is_multigrid(self):
        return any(shape != self.plain for phase in self.phases for shape in phase.shapes)

    @property
    def signature(self):
        """Text that tells apart how epochs are cut into optimizer steps; "" for plain training."""
        if not self.is_multigrid:
            return ""
        cycles = [(phase.end, [(s.multiple, s.num_frames, s.crop_size) for s in phase.shapes]) for phase in self.phases]
        return str(cycles)

    def phase(self, epoch):
        """Phase of a whole or fractional epoch; beyond the end the last one."""
        return next((phase for phase in self.phases if epoch < phase.end), self.phases[-1])

    def is_due(self, epoch, period):
        """Whether what happens every `period` epochs of a plain run follows this epoch."""
        if epoch + 1 == self.max_epoch:
            return True
        if self.frequency is None:
            return (epoch + 1) % period == 0
        return ends_interval(self.phase(epoch), epoch, self.frequency)

    def lr_multiple(self, epoch):
        """Factor on the learning rate for the larger batches of the phase."""
        return self.phase(epoch).multiple ** self.batch_power

    def work(self, epoch, steps):
        """Work of the first `steps` optimizer steps of an epoch, in steps of plain training, by their pixels."""
        return self.phase(epoch).count(lambda shape: shape.pixels, steps) / self.plain.pixels

    def step_work(self, epoch, step):
        """Work of one optimizer step of an epoch, as `work` counts it."""
        return self.work(epoch, step + 1) - self.work(epoch, step)

    def work_left(self, steps_in, epoch, step):
        """Work from optimizer step `step` of an epoch to the end of the run, in steps of plain training.

        Args: steps_in: function epoch -> its optimizer steps; the same for all epochs of a phase.
        """
        work = -self.work(epoch, step)
        for phase in self.phases:
            epochs = phase.end - max(phase.start, epoch)
            if epochs > 0:
                work += epochs * self.work(phase.start, steps_in(phase.start))
        return work

    def steps(self, steps_in):
        """Optimizer steps of the whole run. Args: steps_in: see `work_left`."""
        return sum((phase.end - phase.start) * steps_in(phase.start) for phase in self.phases)

    def epoch_at(self, step, steps_in):
        """Fractional epoch of an optimizer step, counted from 0 over the whole run. Args: steps_in: see `work_left`."""
        for phase in self.phases:
            each = steps_in(phase.start)
            epochs = phase.end - phase.start
            if step < epochs * each:
                return phase.start + step / each
            step -= epochs * each
        return float(self.max_epoch)
