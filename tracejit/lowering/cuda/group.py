"""Threads that work on one turn together: when they wait for one another, and how they add up."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..cpu.emit import Value
from ..fuse import Loop, reads
from ..index import Counter
from ..kernel import Buffer
from ..steps import Stage
from .elements import Elements, Number, joined, memory_dtype, parts
from .schedule import stages
from .source import CASTS


class Group(Elements):
    """The threads of a group, in a kernel in the making."""

    def __init__(self, launch, geometry, by_value):
        super().__init__(launch, geometry, by_value)
        self.unsynced: dict[Buffer, object] = {}  # written, or read across threads, since the threads of the group last waited for one another

    def _in_memory(self, b: Buffer) -> bool:
        how = self.storage[b]
        return b not in self.homes and not how.register and b not in self.numbers

    def _wait_for(self, item: Loop | Stage) -> None:
        """Before an item that reads what other threads have written, or writes what they read."""
        if self.group == 1:
            return
        inside = list(stages([item]))
        touched = {b: self._places(inside, b) for s in inside for b in (s.buffer, *(e.data[0] for e in reads(s))) if self._in_memory(b)}
        if any(b in self.unsynced and (place is None or self.unsynced[b] != place) for b, place in touched.items()):
            self._sync()

    def _places(self, inside: list[Stage], b: Buffer) -> object:
        """Where the stages touch a buffer as a function of the thread, or None where that is not one place."""
        found = {s.target for s in inside if s.buffer is b} | {e.data[1] for s in inside for e in reads(s) if e.data[0] is b}
        if len(found) != 1 or len({tuple(c.extent for c in s.counters) for s in inside}) != 1:
            return None
        (at,) = found
        counters = [c for c in inside[0].counters if c not in self.launch.counters]
        names = {c: k for k, c in enumerate(counters)}
        if not counters or not all(len(i.terms) <= 1 and all(isinstance(a, Counter) for a, _ in i.terms) for i in at):
            return None
        return tuple(c.extent for c in counters), tuple((i.constant, *((names.get(a, a), k) for a, k in i.terms)) for i in at)

    def _wrote(self, inside: Iterable[Stage], through: Counter | None = None) -> None:
        inside = list(inside)
        for s in inside:
            if self._in_memory(s.buffer):
                self.unsynced[s.buffer] = self._places(inside, s.buffer) if through is not None else None

    def _read_across(self, inside: Iterable[Stage]) -> None:
        """Arrays of this launch that threads have read: they must not be changed before all are done."""
        if self.group == 1:
            return
        inside = list(inside)
        made = {s.buffer for s in self.launch.stages()}
        for s in inside:
            for e in reads(s):
                b = e.data[0]
                if b in made and self._in_memory(b) and b not in self.unsynced:
                    self.unsynced[b] = self._places(inside, b)

    def _settle(self) -> None:
        """At the end of a turn: the next one writes again to what this one reads."""
        if self.group > 1 and self.unsynced:
            self._sync()

    def _sync(self) -> None:
        whole_block = self.group == self.launch.block
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
        with self._indented(f"if lane % {warp} == 0:"):
            for array, v in zip(stored, parts(value)):
                self.s.line(f"{array}[lane // {warp}] = {self._as_stored(v)}")
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
