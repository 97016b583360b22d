"""Class-balanced batches: P classes, K clips of each, for any number of processes; only numbers, no data."""

import numpy as np

from slowfast.datasets.samplers import TrainBatchSampler
from slowfast.utils.errors import UserError
from slowfast.utils.rng import numpy_rng


class BalancedBatchSampler(TrainBatchSampler):
    """Micro-batches of P different classes, K different clips of each, in a new random order each epoch.

    The rule: class c, of n videos, is cut into portions of K, ceil(n / K) of them. An epoch has N batches, as few as
    hold all portions without a class twice in a batch, rounded up to whole optimizer steps. What is left of its N * P
    places goes to the classes with the fewest portions, one after the other. So a class with M portions in an epoch
    shows each of its videos M * K // n times or once more, and never less than once; which ones come once more is drawn
    anew in each epoch. A class of fewer than K videos shows some of them several times in a portion.

    Args:
        labels: class of each video, integers.
        classes: P. clips: K.
        accumulate, rank, world_size, seed: as of `TrainBatchSampler`; a process's micro-batch is P * K clips.
    Raises:
        UserError: there are fewer than P classes, or fewer than P * K videos.
    """

    def __init__(self, labels, classes, clips, accumulate=1, rank=0, world_size=1, seed=0):
        labels = np.asarray(labels)
        self.members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self.classes, self.clips = classes, clips
        if len(self.members) < classes or len(labels) < classes * clips:
            raise UserError(
                f"TRAIN.BALANCED_BATCH: {classes} classes x {clips} clips do not fit the train split of {len(labels)} "
                f"videos in {len(self.members)} classes; lower one of the two and TRAIN.BATCH_SIZE with it"
            )
        portions = [-(-len(own) // clips) for own in self.members]
        steps = -(-max(max(portions), -(-sum(portions) // classes)) // (world_size * accumulate))
        self.batches = steps * world_size * accumulate
        super().__init__(self.batches * classes * clips, classes * clips, accumulate, rank, world_size, seed)
        self.least = portions

    def portions(self, epoch):
        """How many portions each class has in an epoch, int64, in the order of the class numbers."""
        counts, places = np.array(self.least), self.batches * self.classes
        low, high = 0, self.batches  # how far the smallest can be filled up, all alike
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if np.maximum(counts, middle).sum() <= places else (low, middle - 1)
        counts = np.maximum(counts, low)
        order = numpy_rng(self.seed, "more portions", epoch).permutation(len(counts))
        counts[order[counts[order] == low][: places - counts.sum()]] += 1
        return counts

    def _order(self, epoch):
        rng = numpy_rng(self.seed, "balanced order", epoch)
        batches = [[] for _ in range(self.batches)]
        counts, place = self.portions(epoch), 0
        for number in rng.permutation(len(self.members)):
            shown = self._shown(self.members[number], counts[number] * self.clips, rng)
            for portion in shown.reshape(-1, self.clips):  # consecutive places: no class twice in a batch
                batches[place % self.batches].append(portion)
                place += 1
        return np.concatenate([np.concatenate(batches[number]) for number in rng.permutation(self.batches)]).tolist()

    def _shown(self, videos, count, rng):
        """`count` of a class's videos, each as often as any other or once more, none twice in a portion if possible."""
        shown = rng.permutation(videos)
        while len(shown) < count:
            begun = shown[len(shown) - len(shown) % self.clips :]  # of a portion that the next round goes on with
            following = rng.permutation(videos)
            shown = np.concatenate([shown, following[np.argsort(np.isin(following, begun), kind="stable")]])
        return shown[:count]
