"""A launch as the source of one kernel.

    def kernel(b0, b1, x2):
        ...

`b` are buffers and `x` numbers passed by value; sizes are part of the source.  Elements of complex arrays are pairs of floats, a bool is a byte, and
unsigned integers travel as signed ones: see `Parameter`.  The words of the source are those of `device_functions.py`.
"""

from __future__ import annotations

import math
from collections import Counter as Tally
from collections.abc import Iterable
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from .. import index as ix
from ..contract import uses
from ..cpu import scalar
from ..cpu.emit import Value
from ..fuse import Loop, reads
from ..index import Counter, Index
from ..kernel import Buffer, Expression, load, loads, size
from ..steps import Stage
from .control import Deciding
from .control_source import ControlFlow
from .elements import Number, Parameter, joined, memory_dtype, parts
from .group import Spread
from .schedule import MANY_TURNS, SIMULATED, WRITTEN_OUT, Geometry, InOrder, Launch, collides, is_atomic, stages
from .source import CASTS
from .spread import any_in_order, counters_of

# Elementwise kernels of many turns, and of at most so many operations, compute several elements at once: more loads are then in flight.
FEW_OPERATIONS = 40


# Turns of a sum that are written one behind the other.
AT_ONCE = 4


class Kernel(NamedTuple):
    """The source of a kernel, what it takes, its blocks and threads."""

    source: str
    parameters: tuple[Parameter, ...]
    turns: int  # of its outer loops, in groups
    groups: int  # that a block has
    threads: int  # of a block
    aligned: frozenset[Buffer]  # those whose memory must begin at a multiple of 16 bytes
    checks: bool  # whether its last parameter, an int32 array of one element, tells of an index out of range


def write(launch: Launch, geometry: Geometry, by_value: Iterable[Buffer] = ()) -> Kernel:
    """The kernel of a launch; `by_value` are the inputs of shape () that are numbers, not arrays."""
    return _Writer(launch, geometry, set(by_value)).kernel()


class _Writer(ControlFlow):
    def __init__(self, launch: Launch, geometry: Geometry, by_value: set[Buffer]):
        super().__init__(launch, geometry, by_value)
        self.aligned: set[Buffer] = set()  # what is read or written as vectors
        self.partial: dict[Stage, list[Value]] = {}  # of the sums over the threads of the group: what each thread has
        self.turn: Value | None = None  # the number of the launch's turn
        self._find_cells()

    def kernel(self) -> Kernel:
        launch = self.launch
        self._grid()
        parameters = list(self.parameters)
        if self.checks:
            parameters.append(Parameter(None, "status", np.dtype(np.int32), False))
        head = [f"def kernel({', '.join(p.name for p in parameters)}):"]
        constants = [f"{name} = {text}" for text, name in self.s.constants.items()]
        source = "\n".join([*constants, *head, *self.shared, *self.declarations, *self.s.lines]) + "\n"
        turns = launch.turns if launch.outer or launch.sections else 1
        return Kernel(source, tuple(parameters), turns, self.groups, launch.block, frozenset(self.aligned), self.checks)

    # -- the grid
    def _grid(self) -> None:
        launch, s, groups = self.launch, self.s, self.groups
        thread = "cuda.threadIdx.x"
        if self.group == 1:
            first, step = f"cuda.blockIdx.x * {launch.block} + {thread}", f"cuda.gridDim.x * {launch.block}"
        elif groups == 1:
            first, step = "cuda.blockIdx.x", "cuda.gridDim.x"
        else:
            first, step = f"cuda.blockIdx.x * {groups} + {thread} // {self.group}", f"cuda.gridDim.x * {groups}"
        if self.group > 1:
            s.line(f"lane = {CASTS[self.kind]}({thread} % {self.group})" if groups > 1 else f"lane = {CASTS[self.kind]}({thread})")
        if not launch.outer and not launch.sections:
            self._block(launch.body)
            return
        s.line(f"first = {CASTS[self.kind]}({first})")
        s.line(f"step = {CASTS[self.kind]}({step})")
        if launch.sections:
            self._sections()
            return
        turn = Counter(launch.turns)
        self._number_through(launch.outer, turn)
        copies = self._copies()
        if copies > 1:
            self._several_at_once(turn, copies)
            return
        with s.loop(self.kind, "first", str(launch.turns), "step") as i:
            self.turn = self.counters[turn] = i
            with self._scope():
                self._block(launch.body)
                self._settle()

    def _sections(self) -> None:
        """Launches side by side: each has a part of the turns."""
        start = 0
        with self.s.loop(self.kind, "first", str(self.launch.turns), "step") as i:
            for section in self.launch.sections:
                turn = Counter(section.turns)
                self._number_through(section.outer, turn)
                with self._indented(f"if ({i.name} >= {start}) & ({i.name} < {start + section.turns}):"):
                    self.turn = self.counters[turn] = self.e.isub(i, self.e.const(self.kind, start)) if start else i
                    self._block(section.body)
                start += section.turns

    def _copies(self) -> int:
        """How many elements a thread computes at once."""
        launch, unrolled = self.launch, self.geometry.unrolled
        many = launch.turns >= (MANY_TURNS if self.geometry is not SIMULATED else self.geometry.small)
        simple = self.group == 1 and all(isinstance(item, Stage) and not item.into for item in launch.body)
        return unrolled if many and simple and sum(size(s.expression) for s in stages(launch.body)) <= FEW_OPERATIONS else 1

    def _several_at_once(self, turn: Counter, copies: int) -> None:
        """Elements computed side by side, and only then stored; what is left over, one by one.

        They are neighbours, read and written as vectors, where an array is gone through in the order of the turns; else they are a step apart.
        """
        s, n, kind = self.s, self.launch.turns, self.kind
        in_order = self._in_turn_order(turn)
        width = min(8, 16 // max(e.dtype.itemsize for e in in_order)) if in_order else 1
        s.line("i0 = first")
        if width > 1:
            with s.block(f"while i0 < {n // width}:"):
                base = s.effect(kind, f"{CASTS[kind]}(i0 * {width})")
                lines = [self.e.iadd(base, self.e.const(kind, u)) if u else base for u in range(width)]
                self._side_by_side(turn, lines, in_order)
                s.line(f"i0 = {CASTS[kind]}(i0 + step)")
            rest = f"{n // width * width} + first"
        else:
            with s.block(f"while i0 + {copies - 1} * step < {n}:"):
                lines = [Value(s.effect(kind, f"{CASTS[kind]}(i0 + {u} * step)").name, kind) if u else Value("i0", kind) for u in range(copies)]
                self._side_by_side(turn, lines, set())
                s.line(f"i0 = {CASTS[kind]}(i0 + {copies} * step)")
            rest = "i0"
        with s.loop(kind, rest, str(n), "step") as i:
            self.counters[turn] = i
            with self._scope():
                self._block(self.launch.body)

    def _number_through(self, counters: list[Counter], through: Counter) -> None:
        """The counters of nested loops as parts of one that numbers all of their turns."""
        at, inside = ix.of(through), through.extent
        for position, c in enumerate(counters):
            inside //= c.extent
            part = at // inside
            self.mapping[c] = part if position == 0 else part % c.extent

    def _in_turn_order(self, turn: Counter) -> set[Expression]:
        """The reads, and the places written as reads, of one number of an array at each turn, in the order of the turns."""
        found = set()
        for stage in self.launch.body:
            for e in [*loads(stage.expression), load(stage.buffer, stage.target)]:
                how = self.storage[e.data[0]]
                is_whole = not how.private and e.data[0] not in self.numbers and e.dtype.kind != "c" and e.data[0].type.size == turn.extent
                if is_whole and self._rewritten(how.position(*e.data)) == ix.of(turn):
                    found.add(e)
        return found

    def _side_by_side(self, turn: Counter, lines: list[Value], vectors: set[Expression]) -> None:
        """The stages for several turns at once; `vectors` are read and written together."""
        self.aligned.update(e.data[0] for e in vectors)
        scopes: list[dict] = [{} for _ in lines]
        for e in dict.fromkeys(e for stage in self.launch.body for e in loads(stage.expression) if e in vectors):
            names = [self.s.fresh("w") for _ in lines]
            self.s.line(f"{', '.join(names)} = load_vector({self.arrays[e.data[0]]}, {lines[0].name}, {len(lines)})")
            for own, name in zip(scopes, names):
                kind = scalar.kind_of(e.dtype)
                own[e] = self._as_number(Value(name, kind), kind)
        for stage in self.launch.body:
            values = []
            for own, i in zip(scopes, lines):
                self.counters[turn] = i
                self.scopes.append(own)
                values.append(self._value(stage.expression))
                self.scopes.pop()
            written = load(stage.buffer, stage.target)
            if written in vectors:
                stored = ", ".join(self._as_stored(v) for v in values)
                self.s.line(f"store_vector({self.arrays[stage.buffer]}, {lines[0].name}, {stored})")
            for own, i, value in zip(scopes, lines, values):
                self.counters[turn] = i
                self.scopes.append(own)
                if written in vectors:
                    own[written] = value
                else:
                    self._store(stage, value)
                self.scopes.pop()

    # -- values that are one number in each turn of a group: kept in variables, which all of its threads have
    def _find_cells(self) -> None:
        outer = self.launch.counters
        self.homes: dict[Buffer, tuple[Loop, ...]] = {}
        for b, found in uses(self.launch.body).items():
            writers = [u.stage for u in found if u.writes]
            how = self.storage[b]
            if b in self.launch.registers or how.private and not how.kept and not how.register:
                self.homes[b] = _common([u.path for u in found])
                continue
            if how.register or not any(w.combine and not w.into for w in writers) or any(w.into for w in writers):
                continue
            common = _common([u.path for u in found])
            while common and (self._is_spread(common[-1]) or len(common) > 1 and self._is_spread(common[-2])):
                common = common[:-1]
            at = found[0].index
            around = outer | {loop.counter for loop in common}
            if all(u.index == at for u in found) and all(c in around for i in at for c in i.counters()):
                self.homes[b] = common

    # -- blocks
    def _block(self, body: list[Loop | Stage], path: tuple[Loop, ...] = ()) -> None:
        last = {b: max(k for k, item in enumerate(body) if _changes(item, b)) for b, home in self.homes.items() if home == path and _any(body, b)}
        for k, item in enumerate(body):
            if isinstance(item, Stage):
                self._statement(item)
            elif self.group == 1:
                self._serial(item, path)
            else:
                spread = self._spread(item)
                if spread is None:
                    self._serial(item, path)
                elif any(self._in_order(s, [x.counter for x in spread.loops]) for s in spread.loops[-1].body if isinstance(s, Stage)):
                    self._wait_for(item)
                    with self._indented(f"if {self.lane} == 0:"):
                        self._alone(item)
                    self._wrote(stages([item]))
                else:
                    self._across(spread, path)
            for b, place in last.items():
                if place == k and not self.storage[b].private:
                    self._store_cell(b, item)

    def _in_order(self, stage: Stage, counters: list[Counter]) -> bool:
        """Whether the turns of a stage must go one after the other."""
        if stage.into:
            return any(collides(stage, c) for c in counters) and not is_atomic(stage)
        if not self._in_memory(stage.buffer):
            return False
        return not stage.combine and not all(any(c in i.counters() for i in stage.target) for c in counters if c.extent > 1)

    def _serial(self, loop: Loop, path: tuple[Loop, ...]) -> None:
        """A loop that every thread of the group runs; written out where that keeps arrays in registers."""
        if self.launch.registers and loop.counter.extent <= WRITTEN_OUT and not isinstance(loop, InOrder):
            for turn in range(loop.counter.extent):
                self.mapping[loop.counter] = Index(constant=turn)
                with self._scope():
                    self._block(loop.body, (*path, loop))
            return
        self._hoist(loop)
        self._expect_changes(loop)
        if isinstance(loop, Deciding):
            self._decide(loop, (*path, loop))
            return
        partial, self.partial = self.partial, {**self.partial, **self._running(loop)}
        self._turns(loop.counter, "0", 1, loop.body, (*path, loop))
        finished, self.partial = self.partial, partial
        for stage in finished.keys() - partial.keys():
            self._store(stage, joined([self.s.read(v) for v in finished[stage]]))

    def _turns(self, counter: Counter, first: str, step: int, body: list[Loop | Stage], path: tuple[Loop, ...]) -> None:
        """The turns first, first + step, ... of a loop. Those that only add up are written several at once: more loads are then in flight."""
        only_adds = all(isinstance(item, Stage) and item in self.partial for item in body)
        several = AT_ONCE if only_adds and counter.extent % (AT_ONCE * step) == 0 else 1
        with self.s.loop(self.kind, first, str(counter.extent), str(several * step)) as i:
            for k in range(several):
                self.counters[counter] = self.e.iadd(i, self.e.const(self.kind, k * step)) if k else i
                with self._scope():
                    self._block(body, path)
                    self._settle()

    def _running(self, loop: Loop) -> dict[Stage, list[Value]]:
        """Variables for what a thread adds up in a loop, where that is in memory, which nothing else in the loop touches."""
        if self.group > 1 or any_in_order([loop]):
            return {}
        inside, counters = list(stages([loop])), counters_of([loop])
        touched = Tally(b for s in inside for b in {s.buffer, *(e.data[0] for e in reads(s))})
        return {
            s: self._start(s)
            for s in inside
            if s.combine and not s.into and s not in self.partial and self._in_memory(s.buffer) and touched[s.buffer] == 1
            and not any(i.counters() & counters for i in s.target)
        }

    def _start(self, stage: Stage) -> list[Value]:
        """Variables with what a sum starts from."""
        return [self.s.variable(v.kind, self._typed(v)) for v in parts(self._identity(stage))]

    def _alone(self, item: Loop | Stage) -> None:
        """By one thread."""
        if isinstance(item, Stage):
            self._store(item, self._value(item.expression))
            return
        with self.s.loop(self.kind, "0", str(item.counter.extent), "1") as i:
            self.counters[item.counter] = i
            with self._scope():
                for inner in item.body:
                    self._alone(inner)

    def _across(self, spread: Spread, path: tuple[Loop, ...]) -> None:
        """Loops whose turns, numbered through, go across the threads of the group."""
        loops, lanes = spread
        self._wait_for(loops[0], spread)
        self._hoist(loops[0])
        through = Counter(math.prod(x.counter.extent for x in loops))
        self._number_through([x.counter for x in loops], through)
        inside = list(stages(loops[-1].body))
        partial = self.partial
        self.partial = {s: self._start(s) for s in self._sums_over(loops)}
        groups = self.group // lanes
        with self._shared_by(lanes) as first:
            self._turns(through, first, groups, loops[-1].body, (*path, *loops))
        finished, self.partial = self.partial, partial
        self._wrote((s for s in inside if s not in finished), spread)
        self._read_across(inside, spread)
        for stage, variables in finished.items():
            self._finish(stage, variables)

    def _finish(self, stage: Stage, variables: list[Value]) -> None:
        """The sum over the threads of the group, into the number that the turns before have left."""
        total = self._over_group(stage, joined([self.s.read(v) for v in variables]))
        if stage in self.partial:  # it goes on over the turns outside
            self._add_up(stage, self._combine(stage, joined([self.s.read(v) for v in self.partial[stage]]), total))
            return
        if stage.buffer in self.homes:
            self._set_cell(stage.buffer, stage.target, self._combine(stage, self._get_cell(stage.buffer, stage.target), total))
            return
        with self._indented(f"if {self.lane} == 0:"):
            self._store(stage, total)
        self._wrote([stage])

    def _add_up(self, stage: Stage, total: Number) -> None:
        """A partial sum, which one of the threads has that share a turn."""
        with nullcontext() if self.group == 1 else self._indented(f"if {self.lane} == 0:"):
            for variable, v in zip(self.partial[stage], parts(total)):
                self.s.assign(variable, v)

    def _store_cell(self, b: Buffer, item: Loop | Stage) -> None:
        stage = next(s for s in stages([item]) if s.buffer is b)
        position = self.storage[b].position(b, stage.target)
        value = self._get_cell(b, stage.target)
        if self.group == 1:
            self._write(b, position, value)
        else:
            with self._indented(f"if {self.lane} == 0:"):
                self._write(b, position, value)
            self._wrote([stage])

    # -- statements
    def _statement(self, stage: Stage) -> None:
        """One that every thread of the group comes to: all compute its value, one of them stores it."""
        if stage in self.partial:
            old = joined([self.s.read(v) for v in self.partial[stage]])
            x = stage.expression
            if stage.combine == "add" and x.dtype.kind == "f" and (x.op, x.data) == ("apply", "multiply"):  # as libraries add up products
                self._add_up(stage, self.e.fma(*map(self._value, x.args), old))
            else:
                self._add_up(stage, self._combine(stage, old, self._value(x)))
            return
        if stage.buffer in self.homes:
            self._wait_for(stage)
            value = self._value(stage.expression)
            self._read_across([stage])
            self._store(stage, value)
            return
        if self.group == 1 or self.storage[stage.buffer].register:
            self._wait_for(stage)
            value = self._value(stage.expression)
            self._read_across([stage])
            self._store(stage, value)
            return
        self._wait_for(stage)
        value = self._value(stage.expression)
        self._read_across([stage])
        if stage.into:
            self._sync()  # all have read what is changed now
        with self._indented(f"if {self.lane} == 0:"):
            self._store(stage, value)
        self._wrote([stage])
        if not stage.into:
            self.scopes[-1][load(stage.buffer, stage.target)] = value

    def _store(self, stage: Stage, value: Number) -> None:
        """By this thread: in its registers, or in memory."""
        b, target = stage.buffer, stage.target
        storage = self.storage[b]
        if b in self.homes:
            if stage.combine:
                value = self._combine(stage, self._get_cell(b, target), value)
            self._set_cell(b, target, value)
            return
        if storage.register:
            if stage.combine:
                value = self._combine(stage, self._register(b), value)
            self._forget(b)
            self.scopes[-1][b] = value
            return
        position = storage.position(b, target)
        if stage.combine and self._atomically(stage):
            self._atomic(stage, position, value)
        else:
            if stage.combine:
                value = self._combine(stage, self._read(b, position), value)
            self._write(b, position, value)
        self._forget(b)
        if not stage.into and not stage.combine:
            self.scopes[-1][load(b, target)] = value

    def _write(self, b: Buffer, position: Index, value: Number) -> None:
        """What is the same in all turns of a launch is given out by the first."""
        how = self.storage[b]
        if self.turn is None or how.private or any(c in self.launch.counters for c in position.counters()):
            super()._write(b, position, value)
            return
        with self._indented(f"if {self.turn.name} == 0:"):
            super()._write(b, position, value)

    def _atomically(self, stage: Stage) -> bool:
        """Whether another thread may change the same place at the same time."""
        return stage.into and any(c in a.expression.counters for i in stage.target for a in i.computed() for c in self._parallel())

    def _parallel(self) -> Iterable[Counter]:
        return [*self.launch.counters, *self.mapping]


def _common(paths: list[tuple[Loop, ...]]) -> tuple[Loop, ...]:
    """The loops that all paths begin with."""
    common = paths[0]
    for path in paths:
        common = tuple(x for x, y in zip(common, path) if x is y)
    return common


def _changes(item: Loop | Stage, b: Buffer) -> bool:
    return any(s.buffer is b for s in stages([item]))


def _any(body: list[Loop | Stage], b: Buffer) -> bool:
    return any(_changes(item, b) for item in body)


__all__ = ["Kernel", "Parameter", "memory_dtype", "write"]
