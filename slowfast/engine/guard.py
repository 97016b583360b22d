"""Stops a run whose loss is no longer a number, and says where."""

import torch

from slowfast.utils.errors import UserError


class LossGuard:
    """Looks at each loss one step late, when reading it no longer makes a GPU wait.

    Call `watch` for each micro-batch, and `check` before the next step and before anything is saved or reported.
    """

    def __init__(self):
        self.pending = []

    def watch(self, loss, *, step, epoch, lr, video_ids):
        """Args: loss 0-D tensor; step, epoch: of this step, from 0; video_ids: tensor, rows of the train split."""
        self.pending.append((loss.detach(), step, epoch, lr, video_ids))

    def check(self, last_checkpoint=None):
        """Raises: UserError naming step, lr and videos of the first loss that is not finite."""
        pending, self.pending = self.pending, []
        for loss, step, epoch, lr, video_ids in pending:
            if not torch.isfinite(loss):
                raise UserError(
                    f"the loss is {loss.item()} at step {step + 1} (epoch {epoch + 1}) with lr {lr:.3g}; "
                    f"row numbers (from 0) of its videos in the train split: {video_ids.tolist()}. "
                    f"Last good checkpoint: {last_checkpoint or 'none yet'}. Lower SOLVER.BASE_LR, set "
                    "SOLVER.CLIP_GRAD_L2NORM, or compute in another TRAIN.PRECISION (fp32, bf16)."
                )
