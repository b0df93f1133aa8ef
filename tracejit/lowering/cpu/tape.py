"""`sweeps` in native code: the first sweep pushes its rows on a tape that grows by doubling, the others read it from end to end and back.

A tape is one block of memory: a record a turn, in which each row has its place.  A body writes its rows straight into the record and reads them
there.  The tapes are freed before the routine returns, also where a body reports an error or memory runs out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache

from ...ir import ArrayType, Graph, Node
from ...ops.sweeps import Sweep, arguments
from ..steps import Routine
from . import loops
from .emit import Emitter, Function, Value

# Turns that the first block has room for.
FIRST_TURNS = 32
_ALIGNMENT = 16


@cache
def _allocator() -> dict[str, int]:
    """CPython's raw allocator: it needs no lock, and `tracemalloc` sees what it hands out."""
    names = {"tape_resize": ctypes.pythonapi.PyMem_RawRealloc, "tape_free": ctypes.pythonapi.PyMem_RawFree}
    return {name: ctypes.cast(function, ctypes.c_void_p).value for name, function in names.items()}


def record(types: Sequence[ArrayType]) -> tuple[list[int], int]:
    """Where each row is in a record, and the size of the record. The widest items come first, so that all are aligned.

    >>> import numpy as np
    >>> record([ArrayType((), np.dtype(bool)), ArrayType((3,), np.dtype(float))])
    ([24, 0], 32)
    """
    offsets, size = [0] * len(types), 0
    for i in sorted(range(len(types)), key=lambda i: -types[i].dtype.itemsize):
        offsets[i] = size
        size += types[i].nbytes
    unit = max((min(t.dtype.itemsize, _ALIGNMENT) for t in types), default=1)
    return offsets, -(-size // unit) * unit


class _Tape:
    """The tape of one sweep: a slot that holds the block, its capacity in turns, and the places of the rows in a record."""

    def __init__(self, f: Function, sweep: Sweep, body: Graph):
        self.f, self.e = f, Emitter(f, 1)
        self.offsets, self.size = record(body.out_types[sweep.carry :])
        self.block = f.alloca("ptr", 1, 8)
        self.room = f.alloca("i64", 1, 8)
        self.e.store(Value("null", "ptr"), self.block, 8)
        self.e.store(self.e.const("i64", 0), self.room, 8)

    def resize(self, turns: Value, failed: str) -> None:
        """Make room for so many turns; on to `failed` where there is no memory. What the tape holds is kept."""
        f, e = self.f, self.e
        size = e.imul(turns, e.const("i64", self.size))
        block = f.call("tape_resize", "ptr", [e.load(self.block, "ptr", 8), size])
        enough, before = f.fresh_label("enough"), f.block
        f.cbr(f.let("i1", 1, f"icmp eq {block.typed}, null"), failed, enough, likely=False)
        f.label(enough, dominator=before)
        e.store(block, self.block, 8)
        e.store(turns, self.room, 8)

    def ensure(self, turn: Value, failed: str) -> None:
        """Make room for one more turn than `turn`, doubling."""
        f, e = self.f, self.e
        room = e.load(self.room, "i64", 8)
        before, full, ready = f.block, f.fresh_label("full"), f.fresh_label("ready")
        f.cbr(e.icmp("eq", turn, room), full, ready, likely=False)
        f.label(full, dominator=before)
        self.resize(e.smax(e.imul(room, e.const("i64", 2)), e.const("i64", FIRST_TURNS)), failed)
        f.br(ready)
        f.label(ready, dominator=before)

    def row(self, turn: Value, number: int) -> Value:
        """Where row `number` of a turn is."""
        e = self.e
        at = e.iadd(e.imul(turn, e.const("i64", self.size)), e.const("i64", self.offsets[number]))
        return e.gep(e.load(self.block, "ptr", 8), "i8", at)

    def rows(self, turn: Value) -> list[Value]:
        return [self.row(turn, i) for i in range(len(self.offsets))]

    def free(self) -> None:
        self.f.call("tape_free", "void", [self.e.load(self.block, "ptr", 8)])


class Sweeps:
    """`sweeps`; the interface is that of loops in `routines`."""

    @staticmethod
    def symbols() -> dict[str, int]:
        return _allocator()

    @staticmethod
    def has_routine(node: Node) -> bool:
        return loops.is_native(node.params["cond"], *node.params["bodies"])

    @staticmethod
    def overwrites(node: Node) -> list[tuple[int, int]]:
        return []

    @staticmethod
    def work(node: Node) -> list[ArrayType]:
        """A second array for each large part of the states, and memory for the bodies."""
        p = node.params
        second = [t for s, b in zip(p["layout"], p["bodies"]) for t in _seconds(s, b)]
        return [*second, loops.arena(*(loops.plan_of(g, {}) for g in (p["cond"], *p["bodies"])))]

    @staticmethod
    def write(code, f: Function, step: Routine, operands: Sequence[Value], results: Sequence[Value]) -> Value:
        return _Writer(code, f, step.node, operands, results).write()


def _states(sweep: Sweep, body: Graph) -> list[ArrayType]:
    return [t.strong for t in body.out_types[: sweep.carry]]


def _seconds(sweep: Sweep, body: Graph) -> list[ArrayType]:
    types = _states(sweep, body)
    return [types[k] for k in loops.spares(types, {})]


class _Writer:
    def __init__(self, code, f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]):
        p = node.params
        self.f, self.e, self.w = f, Emitter(f, 1), loops.Writer(code, f)
        self.layout, self.bodies, self.limit = p["layout"], p["bodies"], p["limit"]
        for_cond, groups = arguments(operands, p["cond_consts"], self.layout)
        self.for_cond = self.w.at_hand(for_cond, p["cond"].in_types)
        self.groups = [(self.w.at_hand(consts, b.in_types), state) for (consts, state), b in zip(groups, self.bodies)]
        *results, self.memory = results
        self.ends = []  # results and second arrays of each sweep's state
        seconds = iter(results[sum(s.carry for s in self.layout) :])
        made = iter(results)
        for s, b in zip(self.layout, self.bodies):
            last = [next(made) for _ in range(s.carry)]
            self.ends.append((last, {k: next(seconds) for k in loops.spares(_states(s, b), {})}))
        self.test = loops.plan_of(p["cond"], {})
        self.plans = [loops.plan_of(b, {}) for b in self.bodies]
        self.tapes = [_Tape(f, s, b) for s, b in zip(self.layout, self.bodies)]
        self.flag = f.alloca("i8", 1)
        self.count = f.alloca("i64", 1, 8)
        self.e.store(self.e.const("i64", 0), self.count, 8)

    def write(self) -> Value:
        f, e = self.f, self.e
        self.failed, end = f.fresh_label("failed"), f.fresh_label("end")
        self._first()
        for number in range(1, len(self.layout)):
            self._further(number)
        f.br(end)
        f.label(self.failed)
        e.store(e.const("i64", 1), self.w.status, 8)
        f.br(end)
        f.label(end)
        for tape in self.tapes:
            if tape.size:
                tape.free()
        return self.w.outcome()

    def _enter(self, number: int) -> loops.State:
        """The state of a sweep, in front of its loop."""
        place = loops.State(self.w, _states(self.layout[number], self.bodies[number]), {}, None)
        place.enter(self.groups[number][1], *self.ends[number])
        return place

    def _turn(self, number: int, turn: Value, place: loops.State) -> None:
        """One turn of a sweep: on to the failure where the body reports one."""
        f, e, sweep = self.f, self.e, self.layout[number]
        read = [self.tapes[j].row(turn, r) for j, r in sweep.reads]
        written = self.tapes[number].rows(turn)
        self.w.body(self.plans[number], [*self.groups[number][0], *place.current, *read], [*place.next, *written], self.memory)
        before, well = f.block, f.fresh_label("well")
        f.cbr(e.icmp("eq", self.w.outcome(), e.const("i64", 0)), well, self.failed, likely=True)
        f.label(well, dominator=before)

    def _first(self) -> None:
        f, e = self.f, self.e
        place = self._enter(0)
        before, loop, inside, done = f.block, f.fresh_label("there"), f.fresh_label("turn"), f.fresh_label("done")
        f.br(loop)
        f.label(loop, dominator=before)
        turn = f.phi("i64")
        turn.add(e.const("i64", 0), before)
        place.head(before)
        self.w.body(self.test, [*self.for_cond, *place.current], [self.flag], self.memory)
        f.cbr(e.icmp("ne", e.load(self.flag, "i8", 1), e.const("i8", 0)), inside, done)
        f.label(inside, dominator=loop)
        if self.limit is not None:
            within = f.fresh_label("within")
            f.cbr(e.icmp("slt", turn.value, e.const("i64", self.limit.steps)), within, self.failed, likely=True)
            f.label(within, dominator=inside)
        if self.tapes[0].size:
            self.tapes[0].ensure(turn.value, self.failed)
        self._turn(0, turn.value, place)
        turn.add(e.iadd(turn.value, e.const("i64", 1)), f.block)
        place.turn()
        f.br(loop)
        f.label(done, dominator=loop)
        place.leave()
        e.store(turn.value, self.count, 8)

    def _further(self, number: int) -> None:
        f, e = self.f, self.e
        count = e.load(self.count, "i64", 8)
        if self.tapes[number].size:
            self.tapes[number].resize(e.smax(count, e.const("i64", 1)), self.failed)
        place = self._enter(number)
        before, loop, inside, done = f.block, f.fresh_label("sweep"), f.fresh_label("turn"), f.fresh_label("done")
        f.br(loop)
        f.label(loop, dominator=before)
        step = f.phi("i64")
        step.add(e.const("i64", 0), before)
        place.head(before)
        f.cbr(e.icmp("slt", step.value, count), inside, done)
        f.label(inside, dominator=loop)
        turn = e.isub(e.isub(count, e.const("i64", 1)), step.value) if number % 2 else step.value
        self._turn(number, turn, place)
        step.add(e.iadd(step.value, e.const("i64", 1)), f.block)
        place.turn()
        f.br(loop)
        f.label(done, dominator=loop)
        place.leave()
