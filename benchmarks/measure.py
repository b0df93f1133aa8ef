"""Stopwatch and memory gauge of one worker process."""

from __future__ import annotations

import resource
import statistics
import sys
import time
import timeit
from collections.abc import Callable
from pathlib import Path

from benchmarks.task import Prepared

REPEAT_SECONDS = 0.01  # one repeat lasts at least this long, so that the clock's own cost (50 ns) vanishes
MIN_REPEATS = 5
MAX_REPEATS = 500


def first_call(prepared: Prepared) -> float:
    """Seconds from calling to having the output, tracing and compiling included."""
    start = time.perf_counter()
    output = prepared.call(*prepared.args)
    if prepared.wait is not None:
        prepared.wait(output)
    return time.perf_counter() - start


def steady_calls(prepared: Prepared, seconds: float) -> dict[str, float | int]:
    """Time repeats of an inner loop for about ``seconds``; returns the fastest and the median seconds per call.

    The loop's text spells the arguments out (``call(a0, a1)``), because ``call(*args)`` alone would add 30 ns to calls that take 200.
    Garbage collection stays on, as it is for users.
    """
    names = [f"a{position}" for position in range(len(prepared.args))]
    statement = f"call({', '.join(names)})"
    if prepared.wait is not None:
        statement = f"wait({statement})"
    variables = dict(zip(names, prepared.args, strict=True), call=prepared.call, wait=prepared.wait)
    timer = timeit.Timer(statement, setup="import gc; gc.enable()", globals=variables)

    number, elapsed = _calibrate(timer.timeit)
    repeats = min(max(MIN_REPEATS, round(seconds / elapsed)), MAX_REPEATS)
    samples = [elapsed_now / number for elapsed_now in timer.repeat(repeats, number)]
    return {"min": min(samples), "median": statistics.median(samples), "repeats": repeats, "calls_per_repeat": number}


def _calibrate(time_calls: Callable[[int], float]) -> tuple[int, float]:
    """The number of calls that fills one repeat and the seconds it takes; running it also warms everything up."""
    number = 1
    time_calls(number)
    while (elapsed := time_calls(number)) < REPEAT_SECONDS:
        number = max(number + 1, min(10 * number, round(1.2 * number * REPEAT_SECONDS / max(elapsed, 1e-9))))
    return number, elapsed


class MemoryPeak:
    """Bytes by which this process's resident memory has at most grown since the gauge was made.

    Linux keeps a resettable high-water mark per address space (`VmHWM`). `ru_maxrss` would do elsewhere, but it cannot be reset and, on
    Linux, a child inherits its parent's, so there it is not used.
    """

    def __init__(self) -> None:
        if sys.platform == "linux":
            Path("/proc/self/clear_refs").write_text("5")
        self.method = "VmHWM" if sys.platform == "linux" else "ru_maxrss"
        self._baseline = self._high_water()

    def grown_bytes(self) -> int:
        return self._high_water() - self._baseline

    def _high_water(self) -> int:
        if self.method == "VmHWM":
            lines = Path("/proc/self/status").read_text().splitlines()
            return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
