"""Which items make which batch, for any number of processes; only numbers, no data."""

from slowfast.utils.errors import UserError
from slowfast.utils.rng import numpy_rng


class TrainBatchSampler:
    """Batches of (epoch, index, None) for training, in a new random order each epoch.

    Optimizer step s of an epoch sees items order[s * E : (s + 1) * E], E = batch_size * world_size * accumulate,
    however E is made up; micro-batch m of rank r is that slice's [(m * world_size + r) * batch_size:][:batch_size]. The
    rest of the order, less than E items, is left out of that epoch.

    Args:
        num_samples: items of the split.
        batch_size: clips a process and micro-step.
        accumulate: micro-batches an optimizer step.
        rank, world_size: this process among all.
        seed: RNG_SEED.
    Raises:
        UserError: the split holds less than one effective batch.
    """

    def __init__(self, num_samples, batch_size, accumulate=1, rank=0, world_size=1, seed=0):
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.rank = rank
        self.world_size = world_size
        self.seed = seed
        self.effective_batch = batch_size * world_size * accumulate
        self.steps_per_epoch = num_samples // self.effective_batch
        if self.steps_per_epoch == 0:
            raise UserError(
                f"the train split has {num_samples} videos, fewer than one optimizer step takes "
                f"({self.effective_batch} = {batch_size} clips a process * {world_size} processes * {accumulate} "
                "micro-batches); lower TRAIN.BATCH_SIZE or SOLVER.ACCUMULATE_STEPS"
            )
        self.set_position(0, 0)

    def set_position(self, epoch, step):
        """The next iteration yields the batches of `epoch` from optimizer step `step` on."""
        self.epoch, self.step = epoch, step

    def __len__(self):
        """Micro-batches of this process that are left of the epoch."""
        return (self.steps_per_epoch - self.step) * self.accumulate

    def __iter__(self):
        epoch, step = self.epoch, self.step
        order = self._order(epoch)
        for start in range(self._first(step, self.rank), self.steps_per_epoch * self.effective_batch, self._stride()):
            yield [(epoch, index, None) for index in order[start : start + self.batch_size]]

    def step_items(self, epoch, step, rank):
        """Indices of all clips that process `rank` sees in one optimizer step."""
        order, first = self._order(epoch), self._first(step, rank)
        starts = [first + micro * self._stride() for micro in range(self.accumulate)]
        return [index for start in starts for index in order[start : start + self.batch_size]]

    def _order(self, epoch):
        return numpy_rng(self.seed, "order", epoch).permutation(self.num_samples).tolist()

    def _first(self, step, rank):
        """Place in the order of a process's first clip of an optimizer step."""
        return step * self.effective_batch + rank * self.batch_size

    def _stride(self):
        """Places from one micro-batch to the process's next one."""
        return self.batch_size * self.world_size


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
