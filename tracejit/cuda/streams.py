"""Streams, in which work on a device is done in order, and events, which are points in them.

Compiled functions queue their work in the current stream, which is that of CuPy: `with tracejit.stream(s)` and `with cupy_stream` are the same thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .backend import backend
from .errors import CudaError


class Event:
    """A point in a stream. With `timing`, two of them tell the time between (`elapsed`)."""

    __slots__ = ("handle",)

    def __init__(self, timing: bool = False):
        self.handle = backend().event(timing)

    def record(self, stream: Stream | None = None) -> Event:
        """Set it behind all that is queued now, in the current stream if none is given."""
        self.handle.record(backend().current_stream() if stream is None else stream.handle)
        return self

    def synchronize(self) -> None:
        """Wait until the stream has come here."""
        self.handle.synchronize()

    @property
    def done(self) -> bool:
        """Whether the stream has come here."""
        return bool(self.handle.done)

    def elapsed(self, later: Event) -> float:
        """Seconds from here to a later event; both with `timing`."""
        later.synchronize()
        return backend().elapsed(self.handle, later.handle)


class Stream:
    """A queue of work on the current device; over a stream of another library (CuPy, PyTorch, anything with `__cuda_stream__`, or its address) it
    stands for that.

    `with tracejit.stream(s):` makes it the current one.
    """

    __slots__ = ("handle",)

    def __init__(self, foreign: Any = None):
        self.handle = foreign.handle if type(foreign) is Stream else backend().stream(foreign)

    def synchronize(self) -> None:
        """Wait for all that is queued in it."""
        self.handle.synchronize()

    def record(self, event: Event | None = None) -> Event:
        """An event behind all that is queued in it now."""
        return (Event() if event is None else event).record(self)

    def wait(self, event: Event) -> None:
        """What is queued from now on begins after the event."""
        self.handle.wait_event(event.handle)

    @property
    def done(self) -> bool:
        """Whether nothing in it waits or runs."""
        return bool(self.handle.done)

    def __enter__(self) -> Stream:
        self.handle.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.handle.__exit__(*exception)


@contextmanager
def stream(s: Any) -> Iterator[Stream]:
    """`with tracejit.stream(s):` queues what follows in the stream s: a `Stream`, or one of another library. Raises `CudaError` where CUDA cannot be
    used."""
    if s is None:
        raise CudaError("stream: a stream is needed; make one with `tracejit.cuda.Stream()`")
    with Stream(s) as entered:
        yield entered


__all__ = ["Event", "Stream", "stream"]
