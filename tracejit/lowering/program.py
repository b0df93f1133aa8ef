"""`Program`: a graph made runnable.  Steps between two host calls are one native function; temporaries share one arena.

The native code runs with Python's lock held, so one arena a program is enough.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from ..config import config
from ..interpret import replay
from ..ir import Graph, Literal, Node
from .contract import contract
from .cpu import routines, scalar
from .cpu.program_code import Kernel, Place, Segments, compile_segments, multiplies
from .fuse import Item, Nest, fuse, reads
from .kernel import Buffer
from .memory import ALIGNMENT, Interval, plan
from .parallel import parallelize
from .partition import ROUTINES, Host, Library, Partition, Routine, partition
from .prepare import prepare
from .reuse import in_place

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
        return routines.LIBRARIES[node.op.kind].has_routine(node)
    if node.op.kind == "pointwise" and node.op.name in _ELEMENTWISE:
        return scalar.is_native(node.op.name, types[-2].dtype if node.op.name == "select" else types[0].dtype)
    return True


_NATIVE = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)  # keeps Python's lock


class Program:
    """A compiled graph. `run(args)` computes its outputs; `address` is its native function where it has no host steps.

    `own` numbers the outputs that must be arrays of their own; others may be an argument or the array of another output where these are equal.
    With `constants`, outputs that are constants are stored like the others: for bodies of loops.
    """

    def __init__(self, graph: Graph, own: Container[int] = (), constants: bool = False):
        self.graph = graph
        self.prepared = prepare(graph)
        self.partition: Partition = partition(self.prepared, native, own, constants)
        self.items: list[Item] = parallelize(fuse(self.partition), config.threads)
        for item in self.items:
            if isinstance(item, Routine):
                item.results += [Buffer(type, "temporary") for type in routines.LIBRARIES[item.node.op.kind].work(item.node)]
        self._lay_out()
        self.segments: Segments = compile_segments([s for s in self.schedule if not isinstance(s, Host)], self.storages, self._places)
        addresses = iter(self.segments.addresses)
        self._calls = [s if isinstance(s, Host) else _NATIVE(next(addresses)) for s in self.schedule]

    # -- layout
    def _lay_out(self) -> None:
        self.schedule: list[list[Nest | Library | Routine] | Host] = []
        for item in self.items:
            if isinstance(item, Host):
                self.schedule.append(item)
            elif self.schedule and isinstance(self.schedule[-1], list):
                self.schedule[-1].append(item)
            else:
                self.schedule.append([item])
        inputs = self.partition.inputs
        self.outputs: list[Buffer] = list(dict.fromkeys(b for b in self.partition.outputs if isinstance(b, Buffer) and b.role == "output"))
        self.arena_slot = len(inputs)
        self._places: dict[tuple[Nest | None, Buffer], Place] = {(None, b): Place(i, 0) for i, b in enumerate(inputs)}
        self._places |= {(None, b): Place(self.arena_slot + 1 + i, 0) for i, b in enumerate(self.outputs)}
        self._place_temporaries()

    def _place_temporaries(self) -> None:
        alive: dict[Buffer, list[int]] = {}
        for time, item in enumerate(self.items):
            for buffer in _touched(item):
                if buffer.role == "temporary":
                    alive.setdefault(buffer, [time, time])[1] = time
        across = {b for b, (first, last) in alive.items() if first != last}
        self.storages = {}
        same_memory = self._share(alive, across)
        wanted: list[tuple[Nest | None, Buffer, Interval]] = [
            (None, b, Interval(*alive[b], b.type.nbytes)) for b in alive if b in across and b not in same_memory
        ]
        needed = {*across, *self.partition.inputs, *self.outputs}
        for time, item in enumerate(self.items):
            if isinstance(item, Nest):
                storage = self.storages[item] = contract(item, needed)
                for buffer, how in storage.items():
                    if how.private and how.kept:
                        copies = item.chunks.counter.extent if item.chunks else 1
                        wanted.append((item, buffer, Interval(time, time, copies * math.prod(how.shape(buffer)) * buffer.type.dtype.itemsize)))
            else:  # made or read here alone: what a stage over no elements would have made is still read
                local = [b for b in _touched(item) if b.role == "temporary" and b not in across]
                wanted += [(None, b, Interval(time, time, b.type.nbytes)) for b in local]
        offsets, self.arena_bytes = plan(interval for _, _, interval in wanted)
        self._places |= {(nest, buffer): Place(self.arena_slot, offset) for (nest, buffer, _), offset in zip(wanted, offsets)}
        for new, old in same_memory.items():
            while old in same_memory:
                old = same_memory[old]
            self._places[None, new] = self._places[None, old]
        self._arena = _aligned(self.arena_bytes)
        self.arena_address = self._arena.ctypes.data

    def _share(self, alive: dict[Buffer, list[int]], across: set[Buffer]) -> dict[Buffer, Buffer]:
        """Temporaries that are computed in the memory of an older one, which then lives as long as they do: new -> old."""
        shared: dict[Buffer, Buffer] = {}
        for time, item in enumerate(self.items):
            if isinstance(item, Nest):
                dying = {b for b in across if alive[b][1] == time}
                born = {b for b in across if alive[b][0] == time}
                shared |= dict(in_place(item, dying, born))
        for new, old in reversed(shared.items()):  # the youngest first, so that a chain of them adds up
            alive[old][1] = max(alive[old][1], alive[new][1])
        return shared

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
        arena = self._arena if self.address is not None else _aligned(self.arena_bytes)
        slots = (ctypes.c_void_p * (self.arena_slot + 1 + len(made)))(
            *[a.ctypes.data for a in held], arena.ctypes.data, *[a.ctypes.data for a in made]
        )
        for step in self._calls:
            if isinstance(step, Host):
                self._call_host(step, slots)
            elif step(slots):
                outputs = replay(self.graph, list(args))  # the reference meaning raises the error, with the position that was out of range
                if any(isinstance(item, Routine) for item in self.items):
                    return outputs  # a factorisation at the edge of what is possible may fail under one rounding and not under another
                raise RuntimeError("compiled code reported an index out of range that the interpreter did not find")
        results = {b: a if a.ndim else a[()] for b, a in zip(self.outputs, made)}
        position = {b: i for i, b in enumerate(self.partition.inputs)}
        return [o.value if isinstance(o, Literal) else results[o] if o in results else args[position[o]] for o in self.partition.outputs]

    def _call_host(self, step: Host, slots) -> None:
        def array(buffer: Buffer) -> np.ndarray:
            place = self._places[None, buffer]
            memory = (ctypes.c_char * buffer.type.nbytes).from_address((slots[place.slot] or 0) + place.offset) if buffer.type.nbytes else b""
            return np.frombuffer(memory, buffer.type.dtype).reshape(buffer.shape)

        operands = [array(o)[()] if isinstance(o, Buffer) else o for o in step.operands]
        with np.errstate(all="ignore"):
            results = step.node.op.run(np, *operands, **step.node.params)
        for buffer, value in zip(step.results, results if step.node.op.multiple else (results,)):
            if buffer.type.size:
                array(buffer)[...] = value


def _aligned(size: int) -> np.ndarray:
    memory = np.empty(size + ALIGNMENT, np.uint8)
    return memory[-memory.ctypes.data % ALIGNMENT :][:size]


def _touched(item: Item) -> list[Buffer]:
    if isinstance(item, Nest):
        return list(dict.fromkeys(b for s in item.stages() for b in (s.buffer, *(e.data[0] for e in reads(s)))))
    if isinstance(item, Library):
        return [*(v.buffer for v in item.operands), item.result]
    return [*(o for o in item.operands if isinstance(o, Buffer)), *item.results]


def program(graph: Graph) -> Program:
    """The program of a graph, compiled once."""
    return graph.derived("program", lambda: Program(graph))


def execute(graph: Graph, args: Sequence[Any]) -> list[Any]:
    """The outputs of a graph on arrays, compiled."""
    return program(graph).run(args)


__all__ = ["Program", "execute", "native", "program"]
