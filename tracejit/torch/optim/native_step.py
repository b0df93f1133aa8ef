"""The step of an optimizer as one native program over all of its parameters.

The rule that NumPy runs parameter by parameter is traced on proxies of them all, as a compiled training step traces it, and becomes one function
that reads and writes parameters and state where they lie.  A step of Adam on the four parameters of a small network takes 6 us in place of 75, one
on the 11.7 million of a ResNet-18 a third of the time: a kernel passes over the memory once.

What the program was made for is looked at before each step (`_unchanged`): the same parameters in the same memory, the same options but for the
learning rate, which is an argument, a gradient for each.  Where that does not hold, NumPy makes the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...api.variant import MISS
from ...errors import is_library
from ...ir import ArrayType, Graph
from ...trace import Trace
from ...trace.constants import active_traces
from ...trace.trace import type_of
from ..modes import state as modes
from ..running import EXACT, WORTH, saving
from ..storage import Place
from ..tensor import Tensor, wrap

if TYPE_CHECKING:
    from .optimizer import Optimizer

TRACED_AT = 16  # the step at which it is found out what a program would save
PROGRAMS = 8  # of one optimizer, before it is left to NumPy: its options change again and again


class NativeStep:
    """The program of an optimizer, made when it has paid. A copy has none: its parameters lie elsewhere."""

    def __init__(self) -> None:
        self.steps, self.due, self.programs = 0, TRACED_AT, 0
        self.entry: Callable | None = None
        self.fits = True  # as far as is known

    def __reduce__(self):
        return NativeStep, ()

    def run(self, optimizer: Optimizer, place: Place | None) -> bool:
        """Make the step, if there is a program for it; False where it is left to NumPy."""
        if not self.fits or active_traces() or modes.levels:
            return False
        if self.entry is None:
            self.steps += 1
            if self.steps < self.due or not self._make(optimizer):
                return False
        gradients = self._gradients(optimizer)
        if gradients is None:
            return False
        found = self.entry(gradients, self._rates(optimizer))
        if found is MISS:
            return False
        for target, scratch in self.copies:
            np.copyto(target, scratch)
        for p in self.params:
            storage = p._storage
            storage.version += 1
            storage.written_at = place
        return True

    # -- whether it is for this step
    def _gradients(self, optimizer: Optimizer) -> tuple | None:
        """The gradients, if all else is as it was."""
        if _options(optimizer) != self.options:
            self.entry = None
            return None
        found = []
        for p, x, entries, tensors, arrays in self.known:
            grad = p._grad
            if grad is None or grad._data.base is not None or grad._storage.cleared == grad._storage.version:
                return None
            if p._data is not x or optimizer.state.get(p) is not entries or entries is not None and list(entries.values()) != tensors:
                self.entry = None
                return None
            for t, a in zip(tensors, arrays):
                if t._data is not a:
                    self.entry = None
                    return None
            found.append(grad._data)
        return tuple(found)

    @staticmethod
    def _rates(optimizer: Optimizer) -> tuple[float, ...]:
        from .optimizer import scalar

        return tuple([float(scalar(group["lr"])) for group in optimizer.param_groups])

    # -- making it
    def _make(self, optimizer: Optimizer) -> bool:
        kind = type(optimizer)
        if not all([is_library(f.__code__.co_filename) for f in (kind.update, kind.advance, kind.start)]):
            self.fits = False  # a user's rule may decide by values
            return False
        listed = [(p, group) for group in optimizer.param_groups for p in group["params"]]
        arrays = [a for p, _ in listed for a in (p._data, *[t._data for t in _entries(optimizer, p).values()])]
        gradients = [p._grad._data for p, _ in listed if p._grad is not None]
        self.due = self.steps + TRACED_AT
        if len(gradients) < len(listed) or not _fit(listed, arrays, gradients, optimizer):
            return False
        graph = _graph(optimizer, listed)
        saved, working = saving(graph)
        if not all([n.op.elementwise or n.op.name in EXACT for n in working]):
            self.fits = False  # sums and products of matrices come out in other bits than before
            return False
        worth = WORTH / 8 * len(working) / saved  # it is long, and takes long to compile
        if self.steps < worth:
            self.due = math.ceil(worth)
            return False
        self.programs += 1
        self.fits = self.programs <= PROGRAMS
        self.options = _options(optimizer)
        self.params = [p for p, _ in listed]
        self.known = []
        for p, _ in listed:
            tensors = list(_entries(optimizer, p).values())
            self.known.append((p, p._data, optimizer.state.get(p), tensors, [t._data for t in tensors]))
        return self.fits and self._compile(graph, arrays, gradients, len(optimizer.param_groups))

    def _compile(self, graph: Graph, arrays: list[np.ndarray], gradients: list[np.ndarray], groups: int) -> bool:
        from ...lowering.cpu.entry import compile_entry
        from ...lowering.cpu.specs import Array, PyScalar, Tuple
        from ...lowering.in_memory import over_inputs
        from ...lowering.program import Program

        program = Program(graph, range(len(graph.outputs)))
        if program.address is None:
            self.fits = False
            return False
        first = len(gradients) + groups
        memory = [a if over else np.empty_like(a) for a, over in zip(arrays, over_inputs(program, range(first, first + len(arrays))))]
        self.copies = [(a, m) for a, m in zip(arrays, memory) if m is not a]
        arguments = [Tuple([Array(g.shape, g.dtype) for g in gradients]), Tuple([PyScalar("float")] * groups)]
        captured = [*[a.ctypes.data for a in arrays], program.arena_address, *[m.ctypes.data for m in memory]]
        self.entry = compile_entry("optimizer step", arguments, Tuple([]), program.address, captured, MISS, keep=(program, arrays, memory)).call
        return True


def _entries(optimizer: Optimizer, p: Tensor) -> dict[str, Tensor]:
    """What is remembered of a parameter; nothing, for a rule that remembers nothing."""
    return optimizer.state.get(p, {})


def _options(optimizer: Optimizer) -> list[Any]:
    """What decides the program besides the tensors."""
    return [[(k, v if k != "params" else list(map(id, v))) for k, v in group.items() if k != "lr"] for group in optimizer.param_groups]


def _fit(listed: list, arrays: list[Any], gradients: list[Any], optimizer: Optimizer) -> bool:
    """Whether all are arrays in memory of their own that a program can read and write, and options are plain."""
    for group in optimizer.param_groups:
        if any([isinstance(v, Tensor) for k, v in group.items() if k != "lr"]):
            return False
    if not all([type(a) is np.ndarray and a.flags.c_contiguous and a.flags.aligned and a.dtype.isnative for a in (*arrays, *gradients)]):
        return False
    if not all([a.flags.writeable and type(a.base) is not np.ndarray for a in arrays]) or len({id(a) for a in arrays}) < len(arrays):
        return False
    return all([p in optimizer.state or not optimizer.counts_steps for p, _ in listed])


def _graph(optimizer: Optimizer, listed: list) -> Graph:
    """The rule on all parameters. Inputs: gradients, learning rates, and then each parameter with its state; outputs: what becomes of these."""
    trace = Trace(f"{type(optimizer).__name__}.step")
    gradients = [trace.input(type_of(p._grad._data).strong) for p, _ in listed]
    rates = {id(group): {**group, "lr": trace.input(ArrayType((), np.dtype(np.float64)))} for group in optimizer.param_groups}
    outputs: list[Any] = []
    with np.errstate(all="ignore"):
        for (p, group), gradient in zip(listed, gradients):
            x = trace.input(type_of(p._data).strong)
            entries = {name: wrap(trace.input(type_of(t._data).strong)) for name, t in _entries(optimizer, p).items()}
            optimizer.change(x, gradient, entries, rates[id(group)])
            outputs += [x, *[t._data for t in entries.values()]]
    graph, outside = trace.finish(outputs)
    assert not outside
    return graph
