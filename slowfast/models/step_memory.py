"""How much memory a training step takes, without taking it: the step runs on tensors that have shapes alone."""

import weakref
from dataclasses import dataclass

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


@dataclass(frozen=True)
class StepMemory:
    """Bytes of one process.

    weights, frozen: of trained parameters, and of frozen ones and buffers. gradients: of all trained parameters.
    activations: the most that the step holds beside these at any moment, its clips included.
    peak: the most that all of these take together; less than their sum where gradients grow while activations go.
    """

    weights: int
    frozen: int
    gradients: int
    activations: int
    peak: int


def step_memory(model, loss, frames, labels, *, device="cpu", autocast=None, kept_gradients=False):
    """StepMemory of one forward and backward pass in training mode.

    Args:
        model: any module on any device, meta included; nothing of it is changed or computed.
        loss: function (model, frames, labels) -> 0-D loss; no value may decide what it does.
        frames: shape of the float32 clips (B, C, T, H, W).
        labels: real tensor, or shape of int64 ones.
        device: where the step would run; kernels differ. One that is not there cannot be asked for.
        autocast: dtype of the computation, None for float32.
        kept_gradients: gradients are there already, of micro-batches before this one, or in a distributed wrapper.
    """
    step, live = _Step(model, loss, kept_gradients), _LiveBytes()
    tensors = {**dict(step.named_parameters()), **dict(step.named_buffers())}
    labels = labels if isinstance(labels, torch.Tensor) else torch.zeros(labels, dtype=torch.int64)
    training = model.training
    model.train()
    try:
        with FakeTensorMode() as fake:
            state = {name: _like(tensor, device) for name, tensor in tensors.items()}
            labels = fake.from_tensor(labels).to(device)
            live.ignore(state.values())
            # gradients are counted by the step, in `live`, as they appear
            with live, torch.autocast(torch.device(device).type, dtype=autocast, enabled=autocast is not None):
                functional_call(step, state, (live, torch.empty(frames, device=device), labels))
    finally:
        model.train(training)
    weights = _bytes(parameter for parameter in model.parameters() if parameter.requires_grad)
    everything = _bytes(tensors.values())
    return StepMemory(
        weights=weights,
        frozen=everything - weights,
        gradients=weights,
        activations=live.most_activations,
        peak=everything + live.most,
    )


def _like(tensor, device):
    like = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
    return like.requires_grad_(tensor.requires_grad)


def _bytes(tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class _Step(nn.Module):
    """Forward and backward within one call, so that recomputed blocks, too, see the tensors that stand in."""

    def __init__(self, model, loss, kept_gradients):
        super().__init__()
        self.model = model
        self.loss = loss
        self.kept_gradients = kept_gradients

    def forward(self, live, frames, labels):
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                if self.kept_gradients:
                    parameter.grad = torch.zeros_like(parameter)
                    live.count_as_gradient(parameter)
                else:
                    parameter.register_post_accumulate_grad_hook(live.count_as_gradient)
        loss = self.loss(self.model, frames, labels)
        del frames
        loss.backward()


class _LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive, as operators make them and the last reference to them goes.

    most: largest sum so far. most_activations: the same without gradients.
    """

    def __init__(self):
        super().__init__()
        self.sizes = {}  # storage -> bytes counted
        self.gradients = {}  # storage -> bytes of these that are gradients
        self.now = self.most = self.most_activations = 0
        self.now_gradients = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_iter(out):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return out

    def ignore(self, tensors):
        """Leave out tensors, whatever views of them come up."""
        for tensor in tensors:
            self.sizes[tensor.untyped_storage()._cdata] = 0

    def count_as_gradient(self, parameter):
        """From now on a parameter's gradient is no activation."""
        key = parameter.grad.untyped_storage()._cdata
        if key not in self.gradients:
            self.gradients[key] = self.sizes.get(key, 0)
            self.now_gradients += self.gradients[key]

    def _count(self, storage):
        key = storage._cdata
        if key in self.sizes:
            return
        self.sizes[key] = storage.nbytes()
        self.now += self.sizes[key]
        self.most = max(self.most, self.now)
        self.most_activations = max(self.most_activations, self.now - self.now_gradients)
        weakref.finalize(storage, self._forget, key).atexit = False

    def _forget(self, key):
        self.now -= self.sizes.pop(key)
        self.now_gradients -= self.gradients.pop(key, 0)
