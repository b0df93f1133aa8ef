"""Programs of many short steps as CUDA graphs: one launch for all of them.

A launch takes Python and the driver a few microseconds, more than many kernels take to run.  A graph has the addresses of everything in it, so it is
recorded for the arrays of a call and replayed for calls on the same ones, as those of a training step that changes its parameters in place.  Its
results are in memory of its own, which its next replay overwrites: a recording is replayed only while nothing holds the results of its last one.
There are two, since a loop holds the results of one call until it has those of the next.
"""

from __future__ import annotations

import operator
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ...cuda.errors import CudaError

# Calls in a row on the same arrays before they are recorded, which takes about as long as ten calls.
WORTH_RECORDING = 3
# Programs of fewer steps gain nothing.
FEW_STEPS = 3
RECORDINGS = 2


class Replays:
    """The recorded calls of one program: `prepare(args)` gives the list of a call's values, `launch(values)` queues its steps, and `results(values)`
    are its outputs."""

    def __init__(self, backend: Any, prepare: Callable, launch: Callable, results: Callable):
        self.backend, self.prepare, self.launch, self.results = backend, prepare, launch, results
        self._key: tuple | None = None
        self._same = 0
        self._recordings: list[_Recording] = []
        self._refused = False  # by the driver or a library, in a first attempt
        self._lock = threading.Lock()  # from the choice of a recording until its results are held

    def run(self, args: Sequence[Any], key: tuple) -> list[Any] | None:
        """The results by replay; None where the call must run step by step. `key` tells calls on the same arrays and numbers from others."""
        if self._refused:
            return None
        with self._lock:
            return self._run(args, key)

    def _run(self, args: Sequence[Any], key: tuple) -> list[Any] | None:
        if key != self._key:
            self._key, self._same, self._recordings = key, 1, []
            return None
        self._same += 1
        if self._same <= WORTH_RECORDING:
            return None
        free = next((r for r in self._recordings if not r.is_held()), None)
        if free is None:
            if len(self._recordings) == RECORDINGS:
                return None
            try:
                free = _Recording(self, args)
            except CudaError as error:
                self._refused = True
                warnings.warn(f"a program cannot become a CUDA graph, so its steps are launched one by one: {error}", RuntimeWarning, stacklevel=2)
                return None
            self._recordings.append(free)
        self.backend.replay(free.graph)
        return list(free.results)


class _Recording:
    """A graph, every value in it, so that their addresses stay taken, and its results."""

    def __init__(self, program: Replays, args: Sequence[Any]):
        values = self._values = program.prepare(args)
        self.graph = program.backend.record(lambda: program.launch(values))
        self.results = program.results(values)
        self._own = [r for r in self.results if not any(r is a for a in args)]  # not made in the memory of an argument
        self._references = list(map(sys.getrefcount, self._own))

    def is_held(self) -> bool:
        """Whether someone else has one of the results."""
        return any(map(operator.gt, map(sys.getrefcount, self._own), self._references))


__all__ = ["FEW_STEPS", "Replays"]
