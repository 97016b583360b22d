"""What one process notices and all must act on at the same step: a loss that is no number, a request to leave."""

from collections import deque

import torch
import torch.distributed as dist

from slowfast.utils import distributed


class Agreement:
    """One small maximum over all processes a step, read a step later, when it makes no one wait.

    Args:
        device: where the process group's backend works.
    """

    NAMES = ("nonfinite", "stop")

    def __init__(self, device):
        self.device = device
        self.running = deque()  # (values on the CPU as soon as `wait` has returned, wait)

    def exchange(self, *, nonfinite, stop, settle=False):
        """Start this step's exchange.

        Args:
            nonfinite: 0-D bool tensor on the device; stop: bool. Of this process.
            settle: wait for this step's outcome, too, not only for those before it.
        Returns:
            dict name -> True if any process has said so; the same in every process that calls at the same step.
        """
        values = torch.stack([nonfinite.float(), torch.full((), float(stop), device=self.device)])
        self.running.append(self._start(values))
        outcome = dict.fromkeys(self.NAMES, False)
        while len(self.running) > (0 if settle or outcome["stop"] else 1):  # nothing is saved before it is known
            values, wait = self.running.popleft()
            wait()
            for name, value in zip(self.NAMES, values.tolist()):
                outcome[name] |= value > 0
        return outcome

    def _start(self, values):
        work = dist.all_reduce(values, dist.ReduceOp.MAX, async_op=True) if distributed.is_initialized() else None
        if self.device.type != "cuda":
            return values, work.wait if work is not None else lambda: None
        if work is not None:
            work.wait()  # only the GPU's stream waits
        copy = torch.empty(values.shape, pin_memory=True).copy_(values, non_blocking=True)
        done = torch.cuda.Event()
        done.record()
        return copy, done.synchronize
