"""`Program`: a graph made runnable.  Steps between two host calls are one native function; temporaries share one arena.

The native code runs with Python's lock held, so one arena a program is enough.
"""

from __future__ import annotations

import ctypes
from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from ..interpret import replay
from ..ir import Graph, Literal, Node
from ..trace.constants import outside_of_traces
from .cpu import routines, scalar
from .cpu.program_code import Kernel, Segments, compile_segments, multiplies
from .fuse import Item, Nest
from .kernel import Buffer
from .memory import ALIGNMENT
from .plan import Plan, Target
from .steps import ROUTINES, Host, Library, Partition, Routine

_ELEMENTWISE = frozenset({*scalar.FLOAT, *scalar.INTEGER, *scalar.BOOL, *scalar.COMPLEX, *scalar.FUNCTIONS})


def native(node: Node) -> bool:
    """Whether the CPU target computes the node itself; else its `run` is called."""
    types = [a.type for a in (*node.inputs, *node.outputs)]
    if node.op.kind == "host" or not all(scalar.has_kind(t.dtype) for t in types):
        return False
    if node.op.kind == "dot":
        # An empty product is a sum of nothing, and BLAS multiplies floats and complex numbers only.
        return multiplies(types[0].dtype) and all(t.size for t in types)
    if node.op.kind in ROUTINES:
        return routines.has_routine(node)
    if node.op.kind == "pointwise" and node.op.name in _ELEMENTWISE:
        return scalar.is_native(node.op.name, types[-2].dtype if node.op.name == "select" else types[0].dtype)
    return True


TARGET = Target(native, routines.overwrites, routines.work)
_NATIVE = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)  # keeps Python's lock


class Program:
    """A compiled graph. `run(args)` computes its outputs; `address` is its native function where it has no host steps.

    `own` numbers the outputs that must be arrays of their own; others may be an argument or the array of another output where these are equal.
    """

    def __init__(self, graph: Graph, own: Container[int] = ()):
        self.graph = graph
        self.plan = Plan(graph, TARGET, own)
        self.partition: Partition = self.plan.partition
        self.items: list[Item] = self.plan.items
        self.storages, self.outputs, self.arena_slot = self.plan.storages, self.plan.outputs, self.plan.arena_slot
        self.schedule: list[list[Nest | Library | Routine] | Host] = []
        for item in self.items:
            if isinstance(item, Host):
                self.schedule.append(item)
            elif self.schedule and isinstance(self.schedule[-1], list):
                self.schedule[-1].append(item)
            else:
                self.schedule.append([item])
        self._arena = _aligned(self.plan.arena_bytes)
        self.arena_address = self._arena.ctypes.data
        self.segments: Segments = compile_segments([s for s in self.schedule if not isinstance(s, Host)], self.plan)
        addresses = iter(self.segments.addresses)
        self._calls = [s if isinstance(s, Host) else _NATIVE(next(addresses)) for s in self.schedule]

    # -- what was built
    @property
    def address(self) -> int | None:
        """The native function `i64 (ptr slots)` over inputs, arena and outputs; None where there are host steps or nothing to compute."""
        return self.segments.addresses[0] if len(self.schedule) == 1 and not isinstance(self.schedule[0], Host) else None

    @property
    def kernels(self) -> list[Kernel]:
        return self.segments.kernels

    @property
    def host_ops(self) -> list[str]:
        """Names of the ops that have no native form here."""
        return [item.node.op.name for item in self.items if isinstance(item, Host)]

    # -- running
    def run(self, args: Sequence[Any]) -> list[Any]:
        """The outputs on arrays and scalars of the graph's input types, which may be strided. Raises what NumPy raises for an index out of range."""
        held = [np.ascontiguousarray(a, b.type.dtype) for a, b in zip(args, self.partition.inputs, strict=True)]
        made = [np.empty(b.shape, b.type.dtype) for b in self.outputs]
        # Between host steps another thread may run the same program, so those have an arena for each call.
        arena = self._arena if self.address is not None else _aligned(self.plan.arena_bytes)
        slots = (ctypes.c_void_p * (self.arena_slot + 1 + len(made)))(
            *[a.ctypes.data for a in held], arena.ctypes.data, *[a.ctypes.data for a in made]
        )
        for step in self._calls:
            if isinstance(step, Host):
                self._call_host(step, slots)
            elif step(slots):
                outputs = replay(self.graph.pure, list(args))  # the reference meaning raises the error, with the position that was out of range
                if any(isinstance(item, Routine) for item in self.items):
                    return outputs  # a factorisation at the edge of what is possible may fail under one rounding and not under another
                raise RuntimeError("compiled code reported an index out of range that the interpreter did not find")
        results = {b: a if a.ndim else a[()] for b, a in zip(self.outputs, made)}
        position = {b: i for i, b in enumerate(self.partition.inputs)}
        return [o.value if isinstance(o, Literal) else results[o] if o in results else args[position[o]] for o in self.partition.outputs]

    def _call_host(self, step: Host, slots) -> None:
        def array(buffer: Buffer) -> np.ndarray:
            place = self.plan.places[None, buffer]
            memory = (ctypes.c_char * buffer.type.nbytes).from_address((slots[place.slot] or 0) + place.offset) if buffer.type.nbytes else b""
            return np.frombuffer(memory, buffer.type.dtype).reshape(buffer.shape)

        operands = [array(o)[()] if isinstance(o, Buffer) else o for o in step.operands]
        with np.errstate(all="ignore"), outside_of_traces():
            results = step.node.op.run(np, *operands, **step.node.params)
        for buffer, value in zip(step.results, results if step.node.op.multiple else (results,)):
            if buffer.type.size:
                array(buffer)[...] = value


def _aligned(size: int) -> np.ndarray:
    memory = np.empty(size + ALIGNMENT, np.uint8)
    return memory[-memory.ctypes.data % ALIGNMENT :][:size]


def program(graph: Graph) -> Program:
    """The program of a graph, compiled once."""
    return graph.derived("program", lambda: Program(graph))


def execute(graph: Graph, args: Sequence[Any]) -> list[Any]:
    """The outputs of a graph on arrays, compiled."""
    return program(graph).run(args)


__all__ = ["Program", "execute", "native", "program"]
