"""`Plan`: the steps of a graph and where each of their values is.

What is compiled from a plan is a program of its own (`program`) or the body of a loop or branch inside another one (`cpu/loops`).  Temporaries share
one arena by liveness; in a body, small ones are on the stack, where LLVM turns them into registers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

from ..config import config
from ..ir import ArrayType, Graph, Node
from ..ops.lanes import node_may_fail
from .apart import cut_loops
from .collapse import collapse
from .contract import Storage, contract
from .fuse import Item, Nest, fuse, reads
from .kernel import Buffer
from .memory import Interval, plan
from .parallel import parallelize
from .partition import partition
from .prepare import prepare
from .pull import pull
from .reuse import in_place
from .steps import Host, Library, Partition, Routine, View

# In the body of a loop, values of up to this many bytes are on the stack: 32 doubles.
SMALL_BYTES = 256


class Place(NamedTuple):
    """Where a buffer is: a slot of the argument table and bytes from there; without a slot, on the stack."""

    slot: int | None
    offset: int


class Target(NamedTuple):
    """What the target can do: `native(node)`, whether it computes a node itself; `overwrites(node)`, the pairs (operand, result) of a routine that
    may be one array; `work(node)`, the types of a routine's work arrays."""

    native: Callable[[Node], bool]
    overwrites: Callable[[Node], list[tuple[int, int]]]
    work: Callable[[Node], list[ArrayType]]


class Plan:
    """Arguments are those of `partition.Partitioner`; `donated` is given for the body of a loop, and None for a program. `in_strand`: one of
    several threads runs it, and takes no other.

    Slots number the inputs, then the arena (`arena_slot`), then the outputs.
    """

    def __init__(
        self, graph: Graph, target: Target, own: Container[int] = (), donated: Mapping[int, int] | None = None, in_strand: bool = False
    ):
        self.is_body, self.in_strand = donated is not None, in_strand
        self.prepared = prepare(graph) if self.is_body else cut_loops(prepare(graph))
        self.partition: Partition = partition(self.prepared, target.native, own, self.is_body, donated, target.overwrites)
        self.items: list[Item] = parallelize(collapse(pull(fuse(self.partition))), 1 if in_strand else config.threads)
        for item in self.items:
            if isinstance(item, Routine):
                item.results += [Buffer(type, "temporary") for type in target.work(item.node)]
        inputs = self.partition.inputs
        self.outputs: list[Buffer] = list(dict.fromkeys(b for b in self.partition.outputs if isinstance(b, Buffer) and b.role == "output"))
        self.arena_slot = len(inputs)
        self.places: dict[tuple[Nest | None, Buffer], Place] = {(None, b): Place(i, 0) for i, b in enumerate(inputs)}
        self.places |= {(None, b): Place(self.arena_slot + 1 + i, 0) for i, b in enumerate(self.outputs)}
        self.storages: dict[Nest, dict[Buffer, Storage]] = {}
        self._place_temporaries()

    @property
    def is_native(self) -> bool:
        """Whether no step needs Python."""
        return not any(isinstance(item, Host) for item in self.items)

    def overwritten(self) -> dict[int, int]:
        """The outputs that are made in the memory of an input: output -> input."""
        position = {b: i for i, b in enumerate(self.partition.inputs)}
        return {k: position[b] for k, b in enumerate(self.partition.outputs) if isinstance(b, Buffer) and b in position}

    def _place_temporaries(self) -> None:
        alive: dict[Buffer, list[int]] = {}
        for time, item in enumerate(self.items):
            for buffer in touched(item):
                if buffer.role == "temporary":
                    alive.setdefault(buffer, [time, time])[1] = time
        across = {b for b, (first, last) in alive.items() if first != last}
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
                local = [b for b in touched(item) if b.role == "temporary" and b not in across]
                wanted += [(None, b, Interval(time, time, b.type.nbytes)) for b in local]
        if self.is_body:
            self.places |= {(nest, b): Place(None, interval.size) for nest, b, interval in wanted if interval.size <= SMALL_BYTES}
            wanted = [w for w in wanted if w[2].size > SMALL_BYTES]
        offsets, self.arena_bytes = plan(interval for _, _, interval in wanted)
        self.places |= {(nest, buffer): Place(self.arena_slot, offset) for (nest, buffer, _), offset in zip(wanted, offsets)}
        self.same_memory: dict[Buffer, Buffer] = {}
        for new, old in same_memory.items():
            while old in same_memory:
                old = same_memory[old]
            self.same_memory[new] = old
            self.places[None, new] = self.places[None, old]

    def _share(self, alive: dict[Buffer, list[int]], across: set[Buffer]) -> dict[Buffer, Buffer]:
        """Temporaries that are computed in the memory of an older one, which then lives as long as they do: new -> old."""
        shared: dict[Buffer, Buffer] = {}
        dying: dict[int, set[Buffer]] = {}
        born: dict[int, set[Buffer]] = {}
        for b in across:
            born.setdefault(alive[b][0], set()).add(b)
            dying.setdefault(alive[b][1], set()).add(b)
        for time, item in enumerate(self.items):
            if isinstance(item, Nest) and time in dying and time in born:
                shared |= dict(in_place(item, dying[time], born[time]))
        for new, old in reversed(shared.items()):  # the youngest first, so that a chain of them adds up
            alive[old][1] = max(alive[old][1], alive[new][1])
        return shared


def may_fail(item: Item) -> bool:
    """Whether a step may raise, not end, or report positions that it computes and that are out of range. After a failure no later step is run."""
    if isinstance(item, (Routine, Host)):
        return isinstance(item, Host) or node_may_fail(item.node)
    stages = item.stages() if isinstance(item, Nest) else ()
    return any(i.computed() for s in stages for i in (*s.target, *[i for e in reads(s) for i in e.data[1]]))


def touched(item: Item) -> list[Buffer]:
    """The buffers that an item reads or makes."""
    if isinstance(item, Nest):
        return list(dict.fromkeys(b for s in item.stages() for b in (s.buffer, *(e.data[0] for e in reads(s)))))
    operands = (o.buffer if isinstance(o, View) else o for o in item.operands)
    results = [item.result] if isinstance(item, Library) else item.results
    return [*(o for o in operands if isinstance(o, Buffer)), *results]
