"""Writing while training goes on: a copy in CPU buffers that are kept, and a thread that writes it."""

import threading

import torch


class BackgroundWriter:
    """One write at a time, from a copy of what it was given, so that the original may change at once."""

    def __init__(self):
        self.buffers = {}  # where in the payload -> CPU tensor, used again by the next write
        self.thread = None
        self.error = None

    def submit(self, payload, write):
        """Copy `payload` and call write(copy) in a thread.

        The thread before must be done; see `wait`. The first call allocates the buffers, later ones only copy.

        Args:
            payload: containers of tensors and plain values.
            write: what it raises comes out of `wait`.
        """
        assert self.thread is None, "wait() before the next submit()"
        copy = self._copy(payload)
        ready = None
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            ready = torch.cuda.Event()
            ready.record()  # copies run in the stream's order: the next step cannot overtake them
        self.thread = threading.Thread(target=self._run, args=(copy, ready, write), name="checkpoint")
        self.thread.start()

    def _run(self, copy, ready, write):
        try:
            if ready is not None:
                ready.synchronize()
            write(copy)
        except Exception as error:
            self.error = error

    def busy(self):
        return self.thread is not None and self.thread.is_alive()

    def wait(self):
        """Until the last write is done. Raises: what it raised."""
        if self.thread is None:
            return
        self.thread.join()
        error, self.thread, self.error = self.error, None, None
        if error is not None:
            raise error

    def _copy(self, value, where=()):
        if hasattr(value, "to_local"):  # a DTensor, of which this process holds a part
            part = self._copy(value.detach().to_local(), where)
            layout = {"shape": value.shape, "stride": value.stride()}
            return type(value).from_local(part, value.device_mesh, value.placements, run_check=False, **layout)
        if isinstance(value, torch.Tensor):
            return self._buffer(value, where).copy_(value.detach(), non_blocking=value.is_cuda)
        if isinstance(value, dict):
            return type(value)((key, self._copy(item, (*where, key))) for key, item in value.items())
        if isinstance(value, list | tuple):
            return type(value)(self._copy(item, (*where, index)) for index, item in enumerate(value))
        return value

    def _buffer(self, tensor, where):
        buffer = self.buffers.get(where)
        if buffer is None or buffer.shape != tensor.shape or buffer.dtype != tensor.dtype:
            buffer = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
            self.buffers[where] = buffer
        return buffer
