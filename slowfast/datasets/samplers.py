"""Which items make which batch, for any number of processes; only numbers, no data."""

from slowfast.utils.errors import UserError
from slowfast.utils.rng import numpy_rng

PLAIN = ((None, ((1, None),)),)  # one phase without end, all of whose steps are alike


class TrainBatchSampler:
    """Batches of (epoch, index, shape) for training, in a new random order each epoch.

    Optimizer step s of an epoch sees the next E items of the order, E = multiple * batch_size * world_size *
    accumulate, however E is made up; with b = multiple * batch_size, micro-batch m of rank r is that slice's
    [(m * world_size + r) * b:][:b]. The rest of the order, too little for another step, is left out of that epoch.

    Args:
        num_samples: items of the split.
        batch_size: clips a process and micro-step.
        accumulate: micro-batches an optimizer step.
        rank, world_size: this process among all.
        seed: RNG_SEED.
        phases: (end, cycle) of consecutive epochs, `end` the first epoch after them, None for no end; `cycle` holds
            (multiple, shape) of the optimizer steps, taken in turn from each epoch's first one.
    Raises:
        UserError: the split holds less than one effective batch.
    """

    def __init__(self, num_samples, batch_size, accumulate=1, rank=0, world_size=1, seed=0, phases=PLAIN):
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.rank = rank
        self.world_size = world_size
        self.seed = seed
        self.phases = phases
        self.effective_batch = batch_size * world_size * accumulate
        for end, ((multiple, _), *_) in phases:
            if num_samples < multiple * self.effective_batch:
                until = "" if end is None else f" * {multiple} in multigrid's phase until epoch {end}"
                raise UserError(
                    f"the train split has {num_samples} videos, fewer than one optimizer step takes "
                    f"({multiple * self.effective_batch} = {batch_size} clips a process * {world_size} processes * "
                    f"{accumulate} micro-batches{until}); lower TRAIN.BATCH_SIZE or SOLVER.ACCUMULATE_STEPS"
                )
        self.set_position(0, 0)

    def set_position(self, epoch, step):
        """The next iteration yields the batches of `epoch` from optimizer step `step` on."""
        self.epoch, self.step = epoch, step

    def __len__(self):
        """Micro-batches of this process that are left of the epoch."""
        return (self.steps_in(self.epoch) - self.step) * self.accumulate

    def steps_in(self, epoch):
        """Optimizer steps of an epoch."""
        sizes = [multiple * self.effective_batch for multiple, _ in self._cycle(epoch)]
        cycles, rest = divmod(self.num_samples, sum(sizes))
        steps = cycles * len(sizes)
        for size in sizes:  # of the last, incomplete cycle
            rest -= size
            if rest < 0:
                return steps
            steps += 1
        raise AssertionError("a cycle left over from whole cycles is incomplete")

    def __iter__(self):
        epoch, order = self.epoch, self._order(self.epoch)
        for step in range(self.step, self.steps_in(epoch)):
            for items, shape in self._micro_batches(order, epoch, step, self.rank):
                yield [(epoch, index, shape) for index in items]

    def step_items(self, epoch, step, rank):
        """Indices of all clips that process `rank` sees in one optimizer step."""
        return [index for items, _ in self._micro_batches(self._order(epoch), epoch, step, rank) for index in items]

    def _micro_batches(self, order, epoch, step, rank):
        """(indices, shape) of each micro-batch that process `rank` sees in one optimizer step."""
        cycle = self._cycle(epoch)
        cycles, place = divmod(step, len(cycle))
        multiples = [multiple for multiple, _ in cycle]
        first = (cycles * sum(multiples) + sum(multiples[:place])) * self.effective_batch
        clips, shape = multiples[place] * self.batch_size, cycle[place][1]
        for micro in range(self.accumulate):
            start = first + (micro * self.world_size + rank) * clips
            yield order[start : start + clips], shape

    def _order(self, epoch):
        return numpy_rng(self.seed, "order", epoch).permutation(self.num_samples).tolist()

    def _cycle(self, epoch):
        return next(cycle for end, cycle in self.phases if end is None or epoch < end)


class EvalBatchSampler:
    """Batches of (0, index, None) that cover each item exactly once over all processes, without padding.

    Each process takes one contiguous share; shares differ by at most one item, so processes may differ by one batch.

    Args:
        num_items: videos, or videos times views.
        batch_size: clips a process and step.
        rank, world_size: this process among all.
    """

    def __init__(self, num_items, batch_size, rank=0, world_size=1):
        self.num_items = num_items
        self.batch_size = batch_size
        self.world_size = world_size
        self.items = self._share(rank)

    def __len__(self):
        return -(-len(self.items) // self.batch_size)

    def __iter__(self):
        for start in range(0, len(self.items), self.batch_size):
            yield [(0, index, None) for index in self.items[start : start + self.batch_size]]

    def batch_items(self, batch, rank):
        """Items of one batch, counted from 0, of process `rank`; none beyond its last."""
        return list(self._share(rank)[batch * self.batch_size : (batch + 1) * self.batch_size])

    def _share(self, rank):
        return range(self.num_items * rank // self.world_size, self.num_items * (rank + 1) // self.world_size)
