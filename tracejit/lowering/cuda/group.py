"""Threads that work on one turn together: when they wait for one another, and how they add up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from ..cpu.emit import Value
from ..fuse import Loop, reads
from ..kernel import Buffer, Expression, loads
from ..steps import Stage
from .elements import Elements, Number, joined, memory_dtype, parts
from .schedule import SIMULATED, stages
from .source import CASTS


class Spread(NamedTuple):
    """Loops that stand in one another, whose turns, numbered through, go across the threads of a group: `lanes` of them share a turn."""

    loops: list[Loop]
    lanes: int


class Group(Elements):
    """The threads of a group, in a kernel in the making."""

    def __init__(self, launch, geometry, by_value):
        super().__init__(launch, geometry, by_value)
        self.made = {s.buffer for s in launch.stages()}
        self.lane = "lane"  # the number of the thread in its group
        self.unsynced: dict[Buffer, object] = {}  # written, or read across threads, since the threads of the group last waited for one another

    @contextmanager
    def _shared_by(self, lanes: int) -> Iterator[str]:
        """Lines that each part of the group, of so many threads, runs for itself: gives the number of the part."""
        outer = self.group, self.lane, self.unsynced
        part = self.lane
        if lanes > 1:
            part, own = self.s.fresh("part"), self.s.fresh("lane")
            self.s.line(f"{part} = {CASTS[self.kind]}({self.lane} // {lanes})")
            self.s.line(f"{own} = {CASTS[self.kind]}({self.lane} % {lanes})")
            self.lane = own
        self.group, self.unsynced = lanes, {}
        yield part
        self.group, self.lane, self.unsynced = outer

    def _in_memory(self, b: Buffer) -> bool:
        how = self.storage[b]
        return b not in self.homes and not how.register and b not in self.numbers

    def _wait_for(self, item: Loop | Stage, spread: Spread | None = None) -> None:
        """Before an item that reads what other threads have written, or writes what they read."""
        if self.group == 1:
            return
        inside = list(stages([item]))
        touched = {b: self._place(inside, b, spread) for s in inside for b in (s.buffer, *(e.data[0] for e in reads(s))) if self._in_memory(b)}
        if any(b in self.unsynced and (place is None or self.unsynced[b] != place) for b, place in touched.items()):
            self._sync()

    def _wait_to_read(self, expressions: Iterable[Expression]) -> None:
        """Before all threads of the group compute something for themselves."""
        if self.group == 1:
            return
        read = {e.data[0] for x in expressions for e in loads(x) if self._in_memory(e.data[0])}
        if any(b in self.unsynced for b in read):
            self._sync()
        self.unsynced.update((b, None) for b in read if b in self.made)

    def _place(self, inside: list[Stage], b: Buffer, spread: Spread | None) -> object:
        """Where the stages touch a buffer as a function of the thread, or None where that is not one place, or of several threads."""
        if spread is None or spread.lanes > 1:
            return None
        found = {s.target for s in inside if s.buffer is b} | {e.data[1] for s in inside for e in reads(s) if e.data[0] is b}
        if len(found) != 1:
            return None
        (at,) = found
        names = {x.counter: k for k, x in enumerate(spread.loops)}
        if not all(len(i.terms) <= 1 and all(a in names for a, _ in i.terms) for i in at):
            return None
        return tuple(x.counter.extent for x in spread.loops), tuple((i.constant, *((names[a], k) for a, k in i.terms)) for i in at)

    def _wrote(self, inside: Iterable[Stage], spread: Spread | None = None) -> None:
        inside = list(inside)
        for s in inside:
            if self._in_memory(s.buffer):
                self.unsynced[s.buffer] = self._place(inside, s.buffer, spread)

    def _read_across(self, inside: Iterable[Stage], spread: Spread | None = None) -> None:
        """Arrays of this launch that threads have read: they must not be changed before all are done."""
        if self.group == 1:
            return
        inside = list(inside)
        for s in inside:
            for e in reads(s):
                b = e.data[0]
                if b in self.made and self._in_memory(b):
                    place = self._place(inside, b, spread)
                    self.unsynced[b] = place if self.unsynced.get(b, place) == place else None

    def _settle(self) -> None:
        """At the end of a turn: the next one writes again to what this one reads."""
        if self.group > 1 and self.unsynced:
            self._sync()

    def _sync(self) -> None:
        # Numba's simulator knows one barrier, which is for all threads.
        whole_block = self.group == self.launch.block or self.geometry is SIMULATED
        self.s.line("cuda.syncthreads()" if whole_block else "cuda.syncwarp()")
        self.unsynced.clear()

    def _over_group(self, stage: Stage, value: Number) -> Number:
        """A sum over all threads of the group, which all get: a butterfly of shuffles in each warp, and another one over the sums of the warps."""
        warp = self.geometry.warp
        value = self._over_warp(stage, value, min(warp, self.group))
        if self.group <= warp:
            return value
        warps = self.group // warp
        dtype = memory_dtype(stage.buffer.type.dtype)
        stored = [self._shared_array(dtype, warps, f"sums_{dtype.name}_{k}") for k in range(len(parts(value)))]
        self.s.line("cuda.syncthreads()")
        with self._indented(f"if {self.lane} % {warp} == 0:"):
            for array, v in zip(stored, parts(value)):
                self.s.line(f"{array}[{self.lane} // {warp}] = {self._as_stored(v)}")
        self.s.line("cuda.syncthreads()")
        self.unsynced.clear()
        total: Number | None = None
        for k in range(warps):
            each = joined([self._as_number(self.s.effect(v.kind, f"{array}[{k}]"), v.kind) for array, v in zip(stored, parts(value))])
            total = each if total is None else self._combine(stage, total, each)
        return total

    def _over_warp(self, stage: Stage, value: Number, lanes: int) -> Number:
        step = lanes // 2
        while step:
            value = self._combine(stage, value, joined([self._shuffled(v, step) for v in parts(value)]))
            step //= 2
        return value

    def _shuffled(self, v: Value, step: int) -> Value:
        """The value of the lane whose number differs in one bit. Shuffles move 32 and 64 bits."""
        e = self.e
        wide = {"half": "float", "i16": "i32", "i8": "i32", "i1": "i32"}.get(v.kind)
        if wide is None:
            exchange = self._exchange(v.kind)
            return self.s.effect(v.kind, f"shuffle_xor({self._typed(v)}, {step}, {exchange})")
        moved = self._shuffled(e.fpext(v, wide) if v.kind == "half" else (e.zext if v.kind == "i1" else e.sext)(v, wide), step)
        return e.fptrunc(moved, "half") if v.kind == "half" else e.trunc(moved, v.kind)

    def _exchange(self, kind: str) -> str:
        return self._shared_array(np.dtype(CASTS[kind]), self.launch.block, f"exchange_{CASTS[kind]}")
