"""What a benchmark task is, and what each system's version of it hands to the stopwatch.

A task file (`benchmarks/tasks/NAME.py`) has one function per system, named as in `systems.SYSTEMS`. The function takes the task's data
(a dict of NumPy arrays), puts it where its system wants it, applies that system's decorators and returns `Prepared`, having run nothing
yet. A system without a function in the file takes no part in the task. `TASKS` lists the sizes and dtypes the file is run at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Data = dict[str, np.ndarray]


@dataclass(frozen=True)
class Prepared:
    """One call, ready to be timed.

    ``call(*args)`` does the work; ``wait``, where given, blocks until that call's output has been computed (for systems that return
    early). ``result()`` is run when all timing is over and returns the values that are compared across systems, a nest of dicts, lists
    and tuples of arrays; without it the output of one more call is compared.
    """

    call: Callable[..., Any]
    args: tuple = ()
    wait: Callable[[Any], Any] | None = None
    result: Callable[[], Any] | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        """The values to compare, as NumPy arrays keyed by their path."""
        return flatten(self.call(*self.args) if self.result is None else self.result())


@dataclass(frozen=True)
class Task:
    """A task at one size and dtype.

    ``tolerance`` bounds, for every array of the result, the largest absolute difference from the reference over the reference's largest
    magnitude; the reference is the task's NumPy version run in float64, or what its file calls ``reference``. ``in_process`` is False where the
    work happens in child processes, so that a first call and a memory peak of the worker would mean nothing. ``compared`` names the time whose
    ratio to the best peer's is reported: of a steady call, or of the first one where the task is what a compiler takes.
    """

    name: str
    title: str
    make_data: Callable[[], Data]
    tolerance: float
    in_process: bool = True
    not_peers: tuple[str, ...] = ()
    compared: Literal["steady_min_seconds", "first_call_seconds"] = "steady_min_seconds"
    versions: Mapping[str, Callable[[Data], Prepared]] = field(default_factory=dict)


def in_float64(data: Data) -> Data:
    """The same data with every floating array widened, for the reference run."""
    return {name: array.astype(np.float64) if array.dtype.kind == "f" else array for name, array in data.items()}


def flatten(result: Any, path: str = "result") -> dict[str, np.ndarray]:
    """The arrays of a nested result as NumPy arrays, keyed by their path (``result/0/weights``)."""
    if isinstance(result, Mapping):
        items = result.items()
    elif isinstance(result, list | tuple):
        items = enumerate(result)
    else:
        detached = result.detach() if hasattr(result, "detach") else result
        return {path: np.array(detached)}
    arrays: dict[str, np.ndarray] = {}
    for key, value in items:
        arrays |= flatten(value, f"{path}/{key}")
    return arrays


def disagreement(result: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> float:
    """The largest scaled difference over all arrays; infinite where names, shapes or finiteness differ."""
    if result.keys() != reference.keys():
        return np.inf
    worst = 0.0
    for name, expected in reference.items():
        actual = result[name]
        if actual.shape != expected.shape or not np.all(np.isfinite(actual)):
            return np.inf
        if expected.size:
            scale = np.max(np.abs(expected)) or 1.0
            worst = max(worst, float(np.max(np.abs(actual - expected)) / scale))
    return worst
