"""Exponential moving average of what training changes in a model."""

from contextlib import contextmanager

import torch

from slowfast.utils.distributed import local_part


class MovingAverage:
    """average <- decay * average + (1 - decay) * model, after each optimizer step.

    Covers trained parameters and buffers; integer buffers are copied. Frozen parameters have no second copy. Of a model
    that is shared out over processes, each averages its own part.

    Args:
        model: bare module, on its device; the average starts as a copy of it.
        decay: share of the average that an update keeps, in (0, 1).
    Source: Polyak & Juditsky 1992; https://arxiv.org/abs/1703.01780 for the exponential form.
    """

    def __init__(self, model, decay):
        self.decay = decay
        self.average = {}
        self.restart(model)

    def restart(self, model):
        """Begin anew as a copy of the model, e.g. after weights were loaded into it."""
        self.average = {name: tensor.clone() for name, tensor in _changing(model).items()}

    @torch.no_grad()
    def update(self, model):
        for name, tensor in _changing(model).items():
            if tensor.is_floating_point():
                local_part(self.average[name]).lerp_(local_part(tensor), 1.0 - self.decay)
            else:
                local_part(self.average[name]).copy_(local_part(tensor))

    @contextmanager
    def applied(self, model):
        """Inside the block the model holds the average, afterwards its own weights again, bit by bit."""
        own = {name: tensor.clone() for name, tensor in _changing(model).items()}
        _put(model, self.average)
        try:
            yield
        finally:
            _put(model, own)

    def state_dict(self):
        return dict(self.average)

    def load_state_dict(self, state):
        """Raises: ValueError where the state is of another model, or another set of parameters was trained."""
        if state.keys() != self.average.keys():
            raise ValueError("its moving average covers other parameters than are trained now")
        for name, tensor in self.average.items():
            local_part(tensor).copy_(local_part(state[name]))


def _changing(model):
    """Trained parameters and buffers by name, as detached tensors that share the model's memory."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen}


@torch.no_grad()
def _put(model, tensors):
    for name, tensor in _changing(model).items():
        local_part(tensor).copy_(local_part(tensors[name]))
