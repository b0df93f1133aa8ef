"""A launch as the source of one kernel.

    def kernel(b0, b1, x2):
        ...

`b` are buffers and `x` numbers passed by value; sizes are part of the source.  Elements of complex arrays are pairs of floats, a bool is a byte, and
unsigned integers travel as signed ones: see `Parameter`.  The words of the source are those of `device_functions.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from .. import index as ix
from ..contract import Storage
from ..cpu import scalar
from ..cpu.complex import ComplexValue, part_dtype
from ..cpu.emit import Value
from ..fuse import Loop, reads
from ..index import Computed, Counter, Index, Quotient
from ..invariants import invariants
from ..kernel import Buffer, Expression, children, load, loads
from ..partition import Stage, identity
from . import functions
from .rewrite import in_terms_of
from .schedule import SIMULATED, WRITTEN_OUT, Geometry, InOrder, Launch, Until, collides, is_atomic, stages
from .source import CASTS, Source, SourceEmitter

# Positions below this are computed in 32 bits: what a grid steps beyond the last one still fits.
SMALL_POSITIONS = 1 << 30
# Elementwise kernels of at least so many turns, and at most so many operations, compute several elements at once: more loads are then in flight.
MANY_TURNS, FEW_OPERATIONS = 1 << 18, 40

Number = Value | ComplexValue


class Parameter(NamedTuple):
    """What a kernel takes: an array (`by_value` false), or a number; `dtype` is that of the elements as the source sees them."""

    buffer: Buffer | None  # None: where an index out of range is reported
    name: str
    dtype: np.dtype
    by_value: bool


class Kernel(NamedTuple):
    """The source of a kernel, what it takes, its blocks and threads."""

    source: str
    parameters: tuple[Parameter, ...]
    turns: int  # of its outer loops, in groups
    groups: int  # that a block has
    threads: int  # of a block
    checks: bool  # whether its last parameter, an int32 array of one element, tells of an index out of range


def memory_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of the elements that source reads and writes.

    >>> [memory_dtype(np.dtype(d)).name for d in (np.bool_, np.uint32, np.complex64, np.float32)]
    ['uint8', 'int32', 'float32', 'float32']
    """
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(f"i{dtype.itemsize}") if dtype.kind == "u" else part_dtype(dtype)


def write(launch: Launch, geometry: Geometry, by_value: Iterable[Buffer] = ()) -> Kernel:
    """The kernel of a launch; `by_value` are the inputs of shape () that are numbers, not arrays."""
    return _Writer(launch, geometry, set(by_value)).kernel()


class _Writer:
    def __init__(self, launch: Launch, geometry: Geometry, by_value: set[Buffer]):
        self.launch, self.geometry = launch, geometry
        self.storage = launch.storage
        self.s = Source()
        self.e = SourceEmitter(self.s)
        self.group = launch.group
        self.groups = launch.block // launch.group
        memory = [b for b, how in self.storage.items() if not how.private]
        largest = max([launch.turns, *(math.prod(b.shape) * (1 + (b.type.dtype.kind == "c")) for b in self.storage)])
        self.kind = "i32" if largest < SMALL_POSITIONS else "i64"
        self.counters: dict[Counter, Value] = {}
        self.mapping: dict[Counter, Index] = {}  # counters that are part of a position in several loops numbered through
        self.scopes: list[dict] = [{}]
        self.sources: dict[Expression, frozenset[Buffer]] = {}
        self.cells: dict[tuple[Buffer, int], list[Value]] = {}
        self.arrays: dict[Buffer, str] = {}
        self.numbers: dict[Buffer, Number] = {}
        self.shared: list[str] = []
        self.declarations: list[str] = []
        self.exchanges: dict[str, str] = {}
        self.parameters: list[Parameter] = []
        self.checks = False
        self.unsynced: dict[Buffer, object] = {}  # written, or read across threads, since the threads of the group last waited for one another
        for number, b in enumerate(memory):
            self._parameter(b, f"{'x' if b in by_value else 'b'}{number}", b in by_value)
        self._find_cells()

    def _parameter(self, b: Buffer, name: str, by_value: bool) -> None:
        dtype = memory_dtype(b.type.dtype)
        if not by_value:
            self.arrays[b] = name
            self.parameters.append(Parameter(b, name, dtype, False))
        elif b.type.dtype.kind == "c":
            kind = scalar.kind_of(dtype)
            self.numbers[b] = ComplexValue(Value(f"{name}_re", kind), Value(f"{name}_im", kind))
            self.parameters += [Parameter(b, f"{name}_re", dtype, True), Parameter(b, f"{name}_im", dtype, True)]
        else:
            self.numbers[b] = Value(f"({name} != 0)", "i1") if b.type.dtype.kind == "b" else Value(name, scalar.kind_of(b.type.dtype))
            self.parameters.append(Parameter(b, name, dtype, True))

    def kernel(self) -> Kernel:
        launch = self.launch
        self._grid()
        parameters = list(self.parameters)
        if self.checks:
            parameters.append(Parameter(None, "status", np.dtype(np.int32), False))
        head = [f"def kernel({', '.join(p.name for p in parameters)}):"]
        constants = [f"{name} = {text}" for text, name in self.s.constants.items()]
        source = "\n".join([*constants, *head, *self.shared, *self.declarations, *self.s.lines]) + "\n"
        return Kernel(source, tuple(parameters), launch.turns if launch.outer else 1, self.groups, launch.block, self.checks)

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
        if not launch.outer:
            self._block(launch.body)
            return
        turn = Counter(launch.turns)
        self._number_through(launch.outer, turn)
        copies = self._copies()
        s.line(f"first = {CASTS[self.kind]}({first})")
        s.line(f"step = {CASTS[self.kind]}({step})")
        if copies > 1:
            self._several_at_once(turn, copies)
            return
        with s.loop(self.kind, "first", str(launch.turns), "step") as i:
            self.counters[turn] = i
            with self._scope():
                self._block(launch.body)
                self._settle()

    def _copies(self) -> int:
        """How many elements a thread computes at once."""
        launch, unrolled = self.launch, self.geometry.unrolled
        many = launch.turns >= (MANY_TURNS if self.geometry is not SIMULATED else self.geometry.small)
        simple = self.group == 1 and all(isinstance(item, Stage) and not item.into for item in launch.body)
        return unrolled if many and simple and sum(_size(s.expression) for s in stages(launch.body)) <= FEW_OPERATIONS else 1

    def _several_at_once(self, turn: Counter, copies: int) -> None:
        """Elements a step apart are computed side by side, and only then stored; what is left over, one by one."""
        s, n, kind = self.s, self.launch.turns, self.kind
        s.line("i0 = first")
        with s.block(f"while i0 + {copies - 1} * step < {n}:"):
            lines = [Value(s.effect(kind, f"{CASTS[kind]}(i0 + {u} * step)").name, kind) if u else Value("i0", kind) for u in range(copies)]
            scopes: list[dict] = [{} for _ in lines]
            for stage in self.launch.body:
                for own, i in zip(scopes, lines):
                    self.counters[turn] = i
                    self.scopes.append(own)
                    own["value", stage] = self._value(stage.expression)
                    self.scopes.pop()
                for own, i in zip(scopes, lines):
                    self.counters[turn] = i
                    self.scopes.append(own)
                    self._store(stage, own["value", stage])
                    self.scopes.pop()
            s.line(f"i0 = {CASTS[kind]}(i0 + {copies} * step)")
        with s.loop(kind, "i0", str(n), "step") as i:
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

    @contextmanager
    def _scope(self) -> Iterator[None]:
        self.scopes.append({})
        yield
        self.scopes.pop()

    @contextmanager
    def _indented(self, head: str) -> Iterator[None]:
        with self.s.block(head), self._scope():
            yield

    # -- values that are one number in each turn of a group: kept in variables, which all of its threads have
    def _find_cells(self) -> None:
        uses: dict[Buffer, list[tuple[tuple[Loop, ...], tuple[Index, ...], Stage, bool]]] = {}

        def visit(body: list, path: tuple[Loop, ...]) -> None:
            for item in body:
                if isinstance(item, Loop):
                    visit(item.body, (*path, item))
                else:
                    for e in reads(item):
                        uses.setdefault(e.data[0], []).append((path, e.data[1], item, False))
                    uses.setdefault(item.buffer, []).append((path, item.target, item, True))

        visit(self.launch.body, ())
        outer = set(self.launch.outer)
        self.homes: dict[Buffer, tuple[Loop, ...]] = {}
        for b, found in uses.items():
            writers = [stage for _, _, stage, writes in found if writes]
            how = self.storage[b]
            if b in self.launch.registers or how.private and not how.kept and not how.register:
                self.homes[b] = _common([path for path, *_ in found])
                continue
            if how.register or not any(w.combine and not w.into for w in writers) or any(w.into for w in writers):
                continue
            common = _common([path for path, *_ in found])
            while common and (self._distributed(common[-1]) or len(common) > 1 and self._distributed(common[-2])):
                common = common[:-1]
            at = found[0][1]
            around = outer | {loop.counter for loop in common}
            if all(i == at for _, i, *_ in found) and all(c in around for i in at for c in i.counters()):
                self.homes[b] = common

    def _get_cell(self, b: Buffer, at: tuple[Index, ...]) -> Number:
        parts = [self.s.read(v) for v in self._cell(b, at)]
        return ComplexValue(*parts) if len(parts) == 2 else parts[0]

    def _cell(self, b: Buffer, at: tuple[Index, ...]) -> list[Value]:
        key = b, self._element(b, at)
        if key not in self.cells:  # set in a branch or loop in front of this, where it was made first
            dtype = part_dtype(b.type.dtype)
            zero = scalar.constant(self.e, dtype, 0)
            self.cells[key] = [self._declared(zero) for _ in range(2 if b.type.dtype.kind == "c" else 1)]
        return self.cells[key]

    def _declared(self, zero: Value) -> Value:
        """A variable of the whole kernel."""
        name = self.s.fresh("a")
        self.declarations.append(f"    {name} = {self._typed(zero)}")
        return Value(name, zero.kind)

    def _set_cell(self, b: Buffer, at: tuple[Index, ...], value: Number) -> None:
        for variable, v in zip(self._cell(b, at), _parts(value)):
            self.s.line(f"{variable.name} = {self._typed(v)}")
        self._forget(b)

    def _element(self, b: Buffer, at: tuple[Index, ...]) -> int:
        """Which element of an array in registers is meant."""
        if b not in self.launch.registers:
            return 0
        return self._rewritten(self.storage[b].position(b, at)).constant

    @staticmethod
    def _typed(v: Value) -> str:
        """A value as a variable takes it: constants of integers with their type."""
        return v.name if v.kind in ("double", "float", "half", "i1") or v.name.isidentifier() else f"{CASTS[v.kind]}({v.name})"

    # -- blocks
    def _distributed(self, loop: Loop) -> bool:
        """Whether the turns of a loop inside of a group go across its threads."""
        return self.group > 1 and self._chain(loop) is not None

    def _chain(self, loop: Loop) -> list[Loop] | None:
        """Nested loops from this one inwards whose turns may all be numbered through."""
        chain = [loop]
        while len(chain[-1].body) == 1 and isinstance(chain[-1].body[0], Loop):
            chain.append(chain[-1].body[0])
        if any(isinstance(x, InOrder) for x in chain):
            return None
        inside = chain[-1].body
        if not all(isinstance(item, Stage) for item in inside):
            return None
        if len(chain) > 1:
            counters = [x.counter for x in chain]
            for stage in inside:
                used = [any(c in i.counters() for i in stage.target) for c in counters]
                if stage.into or (any(used) and not all(used)):
                    return None
        return chain

    def _block(self, body: list[Loop | Stage], path: tuple[Loop, ...] = ()) -> None:
        last = {b: max(k for k, item in enumerate(body) if _changes(item, b)) for b, home in self.homes.items() if home == path and _any(body, b)}
        for k, item in enumerate(body):
            if isinstance(item, Stage):
                self._statement(item)
            elif self.group == 1:
                self._serial(item, path)
            else:
                chain = self._chain(item)
                if chain is None:
                    self._serial(item, path)
                elif any(self._in_order(s, [x.counter for x in chain]) for s in chain[-1].body):
                    self._wait_for(item)
                    with self._indented("if lane == 0:"):
                        self._alone(item)
                    self._wrote(stages([item]))
                else:
                    self._across(chain)
            for b, place in last.items():
                if place == k and not self.storage[b].private:
                    self._store_cell(b, item)

    def _in_order(self, stage: Stage, counters: list[Counter]) -> bool:
        """Whether the turns of a stage must go one after the other."""
        if stage.into:
            return any(collides(stage, c) for c in counters) and not is_atomic(stage)
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
        if isinstance(loop, Until):
            self._until(loop, (*path, loop))
            return
        with self.s.loop(self.kind, "0", str(loop.counter.extent), "1") as i:
            self.counters[loop.counter] = i
            with self._scope():
                self._block(loop.body, (*path, loop))
                self._settle()

    def _until(self, loop: Until, path: tuple[Loop, ...]) -> None:
        self._settle()
        with self._indented("while True:"):
            self._block(loop.body[: loop.tested], path)
            holds = self._value(load(loop.holds, ()))
            with self._indented(f"if not {holds.name}:"):
                self.s.line("break")
            self._block(loop.body[loop.tested :], path)
            self._settle()

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

    def _across(self, chain: list[Loop]) -> None:
        """Loops whose turns, numbered through, go across the threads of the group."""
        self._wait_for(chain[0])
        self._hoist(chain[0])
        through = Counter(math.prod(x.counter.extent for x in chain))
        self._number_through([x.counter for x in chain], through)
        counters = {x.counter for x in chain}
        inside = chain[-1].body
        reduced = [s for s in inside if s.combine and not any(c in i.counters() for i in s.target for c in counters)]
        partial = {s: [self.s.variable(v.kind, self._typed(v)) for v in _parts(self._identity(s))] for s in reduced}
        with self.s.loop(self.kind, "lane", str(through.extent), str(self.group)) as i:
            self.counters[through] = i
            with self._scope():
                for stage in inside:
                    value = self._value(stage.expression)
                    if stage in partial:
                        variables = partial[stage]
                        old = [self.s.read(v) for v in variables]
                        new = self._combine(stage, ComplexValue(*old) if len(old) == 2 else old[0], value)
                        for variable, v in zip(variables, _parts(new)):
                            self.s.assign(variable, v)
                    else:
                        self._store(stage, value)
        self._wrote((s for s in inside if s not in partial), through)
        self._read_across(inside)
        for stage, variables in partial.items():
            self._finish(stage, variables)

    def _finish(self, stage: Stage, variables: list[Value]) -> None:
        """The sum over the threads of the group, into the number that the turns before have left."""
        parts = [self.s.read(v) for v in variables]
        total = self._over_group(stage, ComplexValue(*parts) if len(parts) == 2 else parts[0])
        if stage.buffer in self.homes:
            self._set_cell(stage.buffer, stage.target, self._combine(stage, self._get_cell(stage.buffer, stage.target), total))
            return
        with self._indented("if lane == 0:"):
            self._store(stage, total)
        self._wrote([stage])

    def _store_cell(self, b: Buffer, item: Loop | Stage) -> None:
        stage = next(s for s in stages([item]) if s.buffer is b)
        position = self.storage[b].position(b, stage.target)
        value = self._get_cell(b, stage.target)
        if self.group == 1:
            self._write(b, position, value)
        else:
            with self._indented("if lane == 0:"):
                self._write(b, position, value)
            self._wrote([stage])

    # -- statements
    def _statement(self, stage: Stage) -> None:
        """One that every thread of the group comes to: all compute its value, one of them stores it."""
        if stage.buffer in self.homes:
            self._wait_for(stage)
            value = self._value(stage.expression)
            self._store(stage, value)
            return
        if self.group == 1 or self.storage[stage.buffer].register:
            if self.group > 1:
                self._wait_for(stage)
            self._store(stage, self._value(stage.expression))
            return
        self._wait_for(stage)
        value = self._value(stage.expression)
        self._read_across([stage])
        if stage.into:
            self._sync()  # all have read what is changed now
        with self._indented("if lane == 0:"):
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

    def _atomically(self, stage: Stage) -> bool:
        """Whether another thread may change the same place at the same time."""
        return stage.into and any(c in a.expression.counters for i in stage.target for a in i.computed() for c in self._parallel())

    def _parallel(self) -> Iterable[Counter]:
        return [*self.launch.outer, *self.mapping]

    def _combine(self, stage: Stage, old: Number, value: Number) -> Number:
        return functions.apply(self.e, stage.combine, stage.buffer.type.dtype, old, value)

    def _identity(self, stage: Stage) -> Number:
        dtype = stage.buffer.type.dtype
        return scalar.constant(self.e, dtype, identity(stage.combine, dtype))

    def _forget(self, b: Buffer) -> None:
        """What was computed from an array that has changed is computed anew."""
        for scope in self.scopes:
            for key in [k for k in scope if isinstance(k, Expression) and self._is_from(k, b)]:
                del scope[key]

    def _is_from(self, x: Expression, b: Buffer) -> bool:
        known = self.sources.get(x)
        if known is None:
            known = self.sources[x] = frozenset(e.data[0] for e in loads(x))
        return b in known

    def _hoist(self, loop: Loop) -> None:
        for x in invariants(loop):
            self._value(x)

    # -- the threads of a group
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
        counters = [c for c in inside[0].counters if c not in self.launch.outer]
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
        stored = [self._shared_array(dtype, warps, f"sums_{dtype.name}_{k}") for k in range(len(_parts(value)))]
        self.s.line("cuda.syncthreads()")
        with self._indented(f"if lane % {warp} == 0:"):
            for array, v in zip(stored, _parts(value)):
                self.s.line(f"{array}[lane // {warp}] = {self._as_stored(v)}")
        self.s.line("cuda.syncthreads()")
        self.unsynced.clear()
        total: Number | None = None
        for k in range(warps):
            parts = [self._as_number(self.s.effect(v.kind, f"{array}[{k}]"), v.kind) for array, v in zip(stored, _parts(value))]
            each = ComplexValue(*parts) if len(parts) == 2 else parts[0]
            total = each if total is None else self._combine(stage, total, each)
        return total

    def _over_warp(self, stage: Stage, value: Number, lanes: int) -> Number:
        step = lanes // 2
        while step:
            others = [self._shuffled(v, step) for v in _parts(value)]
            value = self._combine(stage, value, ComplexValue(*others) if len(others) == 2 else others[0])
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

    def _shared_array(self, dtype: np.dtype, size: int, name: str) -> str:
        line = f"    {name} = cuda.shared.array({size}, {dtype.name})"
        if line not in self.shared:
            self.shared.append(line)
        return name

    # -- expressions
    def _value(self, x: Expression) -> Number:
        for scope in reversed(self.scopes):
            found = scope.get(x)
            if found is not None:
                return found
        value = getattr(self, f"_{x.op}")(x)
        self.scopes[-1][x] = value
        return value

    def _const(self, x: Expression) -> Number:
        return scalar.constant(self.e, x.dtype, np.frombuffer(x.data, x.dtype)[0])

    def _apply(self, x: Expression) -> Number:
        args = [self._value(a) for a in x.args]
        return functions.apply(self.e, x.data, x.args[1].dtype if x.data == "select" else x.args[0].dtype, *args)

    def _convert(self, x: Expression) -> Number:
        return scalar.convert(self.e, self._value(x.args[0]), x.args[0].dtype, x.dtype)

    def _index(self, x: Expression) -> Value:
        return self.e.sext(self._position(x.data), "i64")

    def _guard(self, x: Expression) -> Number:
        """A branch where memory is read under the tests, else a choice."""
        inside, outside = x.args
        holds = self._tests(x.data)
        if not _touches_memory(inside):
            return functions.apply(self.e, "select", x.dtype, holds, self._value(inside), self._value(outside))
        names = [self.s.fresh("g") for _ in range(2 if x.dtype.kind == "c" else 1)]
        for head, branch in ((f"if {holds.name}:", inside), ("else:", outside)):
            with self._indented(head):
                for name, v in zip(names, _parts(self._value(branch))):
                    self.s.line(f"{name} = {self._typed(v)}")
        kind = scalar.kind_of(part_dtype(x.dtype))
        return ComplexValue(*[Value(n, kind) for n in names]) if len(names) == 2 else Value(names[0], kind)

    def _tests(self, tests) -> Value:
        result = None
        for kind, index, n in tests:
            if kind == "divisible":
                kind, index, n = "eq", index % n, 0
            test = self.e.icmp({"ge": "sge", "lt": "slt", "eq": "eq"}[kind], self._position(index), self.e.const(self.kind, n))
            result = test if result is None else self.e.and_(result, test)
        return result

    def _checked(self, x: Expression) -> Value:
        """An index as NumPy takes it. One out of range is reported, and element 0 read in its place."""
        e, at, n = self.e, self._value(x.args[0]), x.data
        at = e.select(e.icmp("slt", at, e.const("i64", 0)), e.iadd(at, e.const("i64", n)), at)
        outside = e.or_(e.icmp("slt", at, e.const("i64", 0)), e.icmp("sge", at, e.const("i64", n)))
        self.checks = True
        with self._indented(f"if {outside.name}:"):
            self.s.line("status[0] = 1")
        return e.select(outside, e.const("i64", 0), at)

    def _load(self, x: Expression) -> Number:
        b, at = x.data
        if b in self.numbers:
            return self.numbers[b]
        if b in self.homes:
            return self._get_cell(b, at)
        how = self.storage[b]
        return self._register(b) if how.register else self._read(b, how.position(b, at))

    def _register(self, b: Buffer) -> Number:
        return next(scope[b] for scope in reversed(self.scopes) if b in scope)

    # -- positions and memory
    def _position(self, index: Index) -> Value:
        index = self._rewritten(index)
        e, kind = self.e, self.kind
        total = e.const(kind, index.constant)
        for atom, coefficient in index.terms:
            value = self._atom(atom)
            total = e.iadd(total, e.imul(value, e.const(kind, coefficient)) if coefficient != 1 else value)
        return total

    def _rewritten(self, index: Index) -> Index:
        """In the counters that the source has."""
        return in_terms_of(index, self.mapping)

    def _atom(self, atom) -> Value:
        e, kind = self.e, self.kind
        if isinstance(atom, Counter):
            return self.counters[atom]
        if isinstance(atom, Computed):
            at = self._value(atom.expression)
            return e.trunc(at, kind) if kind != at.kind else at
        at = self._position(atom.index)
        divisor = e.const(kind, atom.divisor)
        if atom.index.low >= 0:
            return (e.udiv if isinstance(atom, Quotient) else e.urem)(at, divisor)
        shift = -(atom.index.low // atom.divisor)
        moved = e.iadd(at, e.const(kind, shift * atom.divisor))
        return e.isub(e.udiv(moved, divisor), e.const(kind, shift)) if isinstance(atom, Quotient) else e.urem(moved, divisor)

    def _array(self, b: Buffer) -> tuple[str, str]:
        """The name of a buffer in memory, and what is in front of its first element."""
        how: Storage = self.storage[b]
        if not how.private:
            return self.arrays[b], ""
        size = math.prod(how.shape(b)) * (2 if b.type.dtype.kind == "c" else 1)
        if b not in self.arrays:
            self.arrays[b] = self._shared_array(memory_dtype(b.type.dtype), size * self.groups, f"s{len(self.arrays)}")
        return self.arrays[b], f"{size} * (cuda.threadIdx.x // {self.group}) + " if self.groups > 1 else ""

    def _read(self, b: Buffer, position: Index) -> Number:
        name, start = self._array(b)
        at, dtype = self._position(position).name, b.type.dtype
        kind = scalar.kind_of(part_dtype(dtype))
        if dtype.kind == "c":
            return ComplexValue(self.s.effect(kind, f"{name}[{start}2 * {at}]"), self.s.effect(kind, f"{name}[{start}2 * {at} + 1]"))
        return self.s.effect(kind, f"{name}[{start}{at}]" + (" != 0" if dtype.kind == "b" else ""))

    def _write(self, b: Buffer, position: Index, value: Number) -> None:
        name, start = self._array(b)
        at = self._position(position).name
        places = [f"{start}2 * {at}", f"{start}2 * {at} + 1"] if b.type.dtype.kind == "c" else [f"{start}{at}"]
        for place, v in zip(places, _parts(value)):
            self.s.line(f"{name}[{place}] = {self._as_stored(v)}")

    def _as_stored(self, v: Value) -> str:
        return f"uint8(1 if {v.name} else 0)" if v.kind == "i1" else self._typed(v)

    def _as_number(self, v: Value, kind: str) -> Value:
        return self.e.icmp("ne", Value(v.name, "i8"), self.e.const("i8", 0)) if kind == "i1" else v

    def _atomic(self, stage: Stage, position: Index, value: Number) -> None:
        name, start = self._array(stage.buffer)
        word = {"add": "add", "multiply": "mul", "maximum": "max", "minimum": "min"}[stage.combine]
        at = self._position(position).name
        parts = _parts(value)
        for k, v in enumerate(parts):
            place = f"{start}{at}" if len(parts) == 1 else f"{start}2 * {at} + {k}"
            self.s.line(f"atomic_{word}({name}, {place}, {self._typed(v)})")


def _common(paths: list[tuple[Loop, ...]]) -> tuple[Loop, ...]:
    """The loops that all paths begin with."""
    common = paths[0]
    for path in paths:
        common = tuple(x for x, y in zip(common, path) if x is y)
    return common


def _parts(value: Number) -> tuple[Value, ...]:
    return tuple(value) if isinstance(value, ComplexValue) else (value,)


def _changes(item: Loop | Stage, b: Buffer) -> bool:
    return any(s.buffer is b for s in stages([item]))


def _any(body: list[Loop | Stage], b: Buffer) -> bool:
    return any(_changes(item, b) for item in body)


def _walk(x: Expression) -> set[Expression]:
    seen: set[Expression] = set()
    stack = [x]
    while stack:
        e = stack.pop()
        if e not in seen:
            seen.add(e)
            stack.extend(children(e))
    return seen


def _size(x: Expression) -> int:
    return len(_walk(x))


def _touches_memory(x: Expression) -> bool:
    return any(e.op in ("load", "checked") for e in _walk(x))


__all__ = ["Kernel", "Parameter", "memory_dtype", "write"]
