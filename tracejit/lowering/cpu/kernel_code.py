"""A nest as one LLVM function: loops, loads, stores and accumulators around the instructions of `scalar.py`.

The innermost loops run over vectors: whole ones first, then one masked turn of the same body for the rest, so body and tail round alike.  What does
not depend on the innermost counter is computed in front of it.  The text depends on the structure of the nest alone, so equal nests are one function.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from ...ir.types import INT
from ..contract import Storage
from ..fuse import Loop, Nest
from ..index import Computed, Counter, Index, Quotient
from ..invariants import invariants
from ..kernel import Buffer, Expression, children, loads
from ..spans import Span, outcome, spans
from ..steps import Stage, identity
from . import scalar
from .access import Cell, access, memory_kind
from .complex import across_lanes, part_dtype
from .emit import Emitter, Function, Module, Value
from .llvm import lanes as native_lanes

# A reduction keeps this many vectors of partial results when its body is small: additions in flight hide their latency of 4 cycles.
PARTIAL_SUMS = 4
SMALL_BODY = 10


class Context(NamedTuple):
    """Where an expression is computed: under which mask, and whether that mask comes from a guard (then memory may be touched only under it)."""

    emitter: Emitter
    counter: Counter | None = None  # the one that runs across the lanes
    base: Value | None = None  # its value in the first lane
    mask: Value | None = None
    guarded: bool = False
    span: Span | None = None  # the turns of `counter` that the code is for


def _is_cell(storage: Storage) -> bool:
    """Whether the value is one number on the stack."""
    return storage.private and not storage.kept and not storage.register


def in_memory(storage: dict[Buffer, Storage]) -> list[Buffer]:
    """The buffers that a kernel takes pointers to, in the order of its parameters."""
    return [b for b, s in storage.items() if not s.register and not _is_cell(s)]


class KernelCode:
    """Writes one nest into a module as `name(ptr buffer0, ptr buffer1, ...) -> i64`, which is 0 or, after an index out of range, 1."""

    def __init__(self, module: Module, name: str, nest: Nest, storage: dict[Buffer, Storage]):
        self.storage = storage
        self.cells = dict.fromkeys(b for b, s in storage.items() if _is_cell(s))  # in order: equal programs have equal text
        self.buffers = in_memory(storage)
        self.chunks = nest.chunks
        parameters = [("ptr", f"b{i}") for i in range(len(self.buffers))] + ([("i64", "chunk")] if self.chunks else [])
        self.function = Function(module, name, parameters, "i64", linkage="internal")
        self.scalar = Emitter(self.function, 1)
        self.counters: dict[Counter, Value] = {}
        self.pointers = {b: self.function.parameter(f"b{i}") for i, b in enumerate(self.buffers)}
        if self.chunks:
            self.counters[self.chunks.counter] = self.function.parameter("chunk")
            for b, s in storage.items():  # every chunk has rows of its own
                if s.private and b in self.pointers:
                    self.pointers[b] = self._own_part(b, s)
        self.pointers |= {b: self.function.alloca(memory_kind(b.type.dtype), 1) for b in self.cells}
        self.scopes: list[dict] = [{}]
        self.sources: dict[Expression, frozenset[Buffer]] = {}
        self.flag = self.function.alloca("i8", 1)
        self.scalar.store(self.scalar.const("i8", 0), self.flag, 1)
        if self.chunks:
            self._block(nest.body[:-1])
            self._chunk_loop(nest.body[-1])
        else:
            self._block(nest.body)
        outside = self.scalar.load(self.flag, "i8", 1)
        self.function.ret(self.scalar.zext(outside, "i64"))

    def _own_part(self, buffer: Buffer, storage: Storage) -> Value:
        size = math.prod(storage.shape(buffer)) * buffer.type.dtype.itemsize
        return self.scalar.gep(self.pointers[buffer], "i8", self.scalar.imul(self.function.parameter("chunk"), self.scalar.const("i64", size)))

    def _chunk_loop(self, loop: Loop) -> None:
        """The turns of this chunk: `turns` of them from chunk * turns on, fewer in the last chunk."""
        e, n, turns = self.scalar, loop.counter.extent, self.chunks.turns
        first = e.imul(self.function.parameter("chunk"), e.const("i64", turns))
        if all(isinstance(inner, Stage) for inner in loop.body):
            self._vector_loop(loop, (first, turns))
        else:
            self._scalar_loop(loop, (first, e.smin(e.iadd(first, e.const("i64", turns)), e.const("i64", n))))

    # -- statements
    def _block(self, body: list) -> None:
        for item in body:
            if isinstance(item, Stage):
                self._statement(item, Context(self.scalar))
            elif all(isinstance(inner, Stage) for inner in item.body):
                self._vector_loop(item)
            else:
                self._scalar_loop(item)

    def _statement(self, stage: Stage, c: Context) -> None:
        """Store or combine in memory."""
        value = self._value(stage.expression, c)
        storage = self.storage[stage.buffer]
        if storage.register:
            if stage.combine:
                old = self._register(stage.buffer)
                value = scalar.apply(_of(c, old, value, self.scalar), stage.combine, stage.buffer.type.dtype, old, value)
            self._forget(stage)
            self.scopes[-1][stage.buffer] = value
            return
        position = storage.position(stage.buffer, stage.target)
        if stage.combine:
            old = self._read(stage.buffer, position, c)
            value = scalar.apply(_of(c, old, value, self.scalar), stage.combine, stage.buffer.type.dtype, old, value)
        self._write(stage.buffer, position, value, c)
        self._forget(stage)

    def _forget(self, stage: Stage) -> None:
        """What was computed from an array that the stage has changed is computed anew."""
        if stage.into:
            for scope in self.scopes:
                stale = [key for key in scope if type(key) is tuple and self._is_from(key[0], stage.buffer)]
                for key in stale:
                    del scope[key]

    def _is_from(self, x: Expression, buffer: Buffer) -> bool:
        known = self.sources.get(x)
        if known is None:
            known = self.sources[x] = frozenset(e.data[0] for e in loads(x))
        return buffer in known

    # -- loops
    def _scalar_loop(self, loop: Loop, bounds: tuple[Value, Value] | None = None) -> None:
        counter, n = loop.counter, loop.counter.extent
        self._hoist(loop)

        def body(i: Value) -> None:
            self.counters[counter] = i
            self.scopes.append({})
            self._block(loop.body)
            self.scopes.pop()

        if bounds:
            self._turn(*bounds, 1, body)
        else:
            self._count(0, n, 1, body)

    def _count(self, start: int, end: int, step: int, body) -> None:
        """`body(i)` for i = start, start + step, ... below `end`; at least one turn, and no loop where there is one only."""
        first = self.scalar.const("i64", start)
        if start + step >= end:
            body(first)
        else:
            self._turn(first, self.scalar.const("i64", end), step, body)

    def _turn(self, start: Value, end: Value, step: int, body) -> None:
        """The same for bounds that the program computes."""
        f, e = self.function, self.scalar
        before, name = f.block, f.fresh_label("loop")
        f.br(name)
        f.label(name, dominator=before)
        i = f.phi("i64")
        i.add(start, before)
        body(i.value)
        following = e.iadd(i.value, e.const("i64", step))
        i.add(following, f.block)
        done = f.fresh_label("done")
        f.cbr(e.icmp("slt", following, end), name, done)
        f.label(done, dominator=before)

    def _vector_loop(self, loop: Loop, chunk: tuple[Value, int] | None = None) -> None:
        counter, n = loop.counter, loop.counter.extent
        width = _lanes(loop)
        e = Emitter(self.function, width)
        self._hoist(loop)
        reduced = [s for s in loop.body if s.combine and not any(counter in i.counters() for i in s.target)]
        whole, rest = n // width * width, n % width
        copies = PARTIAL_SUMS if reduced and whole >= 2 * PARTIAL_SUMS * width and _weight(loop) <= SMALL_BODY else 1
        sums = {s: [self._new_partial(s, e) for _ in range(copies)] for s in reduced}

        def turn(base: Value, mask: Value | None, copy: int, span: Span | None = None) -> None:
            c = Context(e, counter, base, mask, span=span)
            self.counters[counter] = base
            self.scopes.append({})
            for stage in loop.body:
                if stage in sums:
                    self._accumulate(stage, sums[stage][copy], c)
                else:
                    self._statement(stage, c)
            self.scopes.pop()

        def turns(base: Value, span: Span) -> None:
            for copy in range(copies):
                turn(self.scalar.iadd(base, self.scalar.const("i64", copy * width)) if copy else base, None, copy, span)

        block = copies * width
        bulk = whole // block * block
        parts = spans([test for x in _expressions(loop) if x.op == "guard" for test in x.data], counter, bulk, block)

        def remainder() -> None:
            if bulk < whole:
                self._count(bulk, whole, width, lambda base: turn(base, None, 0))
            if rest:
                turn(self.scalar.const("i64", whole), e.lane_constants("i1", [lane < rest for lane in range(width)]), 0)

        if chunk:
            self._chunk_turns(*chunk, bulk, block, parts, turns, remainder if bulk < n else None)
        else:
            for span in parts:
                self._count(span.start, span.stop, block, functools.partial(turns, span=span))
            remainder()
        for stage, cells in sums.items():
            self._finish(stage, cells, e)

    def _chunk_turns(self, first: Value, length: int, bulk: int, block: int, parts: list[Span], turns, remainder) -> None:
        """The whole blocks of this chunk, whose length is a multiple of a block; the last chunk does the remainder of the loop too."""
        e = self.scalar
        end = e.iadd(first, e.const("i64", length))
        for span in parts:
            bounds = e.smax(first, e.const("i64", span.start)) if span.start else first, e.smin(end, e.const("i64", span.stop))
            self._when(e.icmp("slt", *bounds), functools.partial(self._turn, *bounds, block, functools.partial(turns, span=span)))
        if remainder:
            self._when(e.icmp("sge", end, e.const("i64", bulk)), remainder)

    def _when(self, condition: Value, body) -> None:
        f = self.function
        before, then, after = f.block, f.fresh_label("then"), f.fresh_label("after")
        f.cbr(condition, then, after)
        f.label(then, dominator=before)
        self.scopes.append({})
        body()
        self.scopes.pop()
        f.br(after)
        f.label(after, dominator=before)

    @staticmethod
    def _new_partial(stage: Stage, e: Emitter) -> Cell:
        dtype = stage.buffer.type.dtype
        return Cell(e, dtype, scalar.constant(e, dtype, identity(stage.combine, dtype)))

    def _accumulate(self, stage: Stage, cell: Cell, c: Context) -> None:
        e, dtype = c.emitter, stage.buffer.type.dtype
        old = cell.get(e)
        new = scalar.apply(e, stage.combine, dtype, old, self._value(stage.expression, c))
        cell.set(e, new if c.mask is None else scalar.apply(e, "select", dtype, c.mask, new, old))

    def _finish(self, stage: Stage, cells: list[Cell], e: Emitter) -> None:
        """Combine the partial results and what the outer turns have left in memory."""
        dtype = stage.buffer.type.dtype
        partial = [cell.get(e) for cell in cells]
        while len(partial) > 1:
            partial = [scalar.apply(e, stage.combine, dtype, a, b) for a, b in zip(partial[::2], partial[1::2])]
        total = across_lanes(e, stage.combine, partial[0]) if dtype.kind == "c" else e.reduce(_ACROSS[stage.combine][dtype.kind], partial[0])
        c = Context(self.scalar)
        position = self.storage[stage.buffer].position(stage.buffer, stage.target)
        self._write(stage.buffer, position, scalar.apply(self.scalar, stage.combine, dtype, self._read(stage.buffer, position, c), total), c)

    def _hoist(self, loop: Loop) -> None:
        """Compute in front of a loop what does not depend on it."""
        for x in invariants(loop):
            self._value(x, Context(self.scalar))

    # -- expressions
    def _value(self, x: Expression, c: Context) -> Value:
        if x.op == "const":
            return scalar.constant(self.scalar, x.dtype, np.frombuffer(x.data, x.dtype)[0])
        mask = None if c.mask is None else c.mask.name
        for scope in reversed(self.scopes):
            found = scope.get((x, mask)) or scope.get((x, None))
            if found is not None:
                return found
        value = getattr(self, f"_{x.op}")(x, c)
        self.scopes[-1][x, mask] = value
        return value

    def _apply(self, x: Expression, c: Context) -> Value:
        args = [self._value(a, c) for a in x.args]
        dtype = x.args[1].dtype if x.data == "select" else x.args[0].dtype
        return scalar.apply(_of(c, *args, self.scalar), x.data, dtype, *args)

    def _convert(self, x: Expression, c: Context) -> Value:
        value = self._value(x.args[0], c)
        return scalar.convert(_of(c, value, self.scalar), value, x.args[0].dtype, x.dtype)

    def _index(self, x: Expression, c: Context) -> Value:
        return self._position(x.data, c)

    def _guard(self, x: Expression, c: Context) -> Value:
        open_ = []
        for test in x.data:
            known = outcome(test, c.counter, c.span) if c.span else None
            if known is False:
                return self._value(x.args[1], c)
            if known is None:
                open_.append(test)
        if not open_:
            return self._value(x.args[0], c)
        holds = self._tests(open_, c)
        mask = holds if c.mask is None else c.emitter.and_(c.emitter.splat(c.mask), c.emitter.splat(holds))
        inside = self._value(x.args[0], c._replace(mask=mask, guarded=True))
        outside = self._value(x.args[1], c)
        return scalar.apply(_of(c, holds, inside, outside, self.scalar), "select", x.dtype, holds, inside, outside)

    def _tests(self, tests, c: Context) -> Value:
        result = None
        for kind, index, n in tests:
            if kind == "divisible":
                kind, index, n = "eq", index % n, 0
            at = self._position(index, c)
            e = _of(c, at, self.scalar)
            test = e.icmp({"ge": "sge", "lt": "slt", "eq": "eq"}[kind], at, e.const("i64", n))
            result = test if result is None else _of(c, result, test, self.scalar).and_(result, test)
        return result

    def _checked(self, x: Expression, c: Context) -> Value:
        """An index as NumPy takes it. One out of range sets the flag and reads element 0; the caller sees the flag before it sees the result."""
        at, n = self._value(x.args[0], c), x.data
        e = _of(c, at, self.scalar)
        at = e.select(e.icmp("slt", at, e.const("i64", 0)), e.iadd(at, e.const("i64", n)), at)
        outside = e.icmp("uge", at, e.const("i64", n))
        wrong = outside if c.mask is None else c.emitter.and_(c.emitter.splat(outside), c.emitter.splat(c.mask))
        s = self.scalar
        s.store(s.or_(s.load(self.flag, "i8", 1), s.zext(c.emitter.any(wrong), "i8")), self.flag, 1)
        return e.select(outside, e.const("i64", 0), at)

    def _load(self, x: Expression, c: Context) -> Value:
        buffer, index = x.data
        storage = self.storage[buffer]
        if storage.register:
            return self._register(buffer)
        return self._read(buffer, storage.position(buffer, index), c)

    def _register(self, buffer: Buffer) -> Value:
        return next(scope[buffer] for scope in reversed(self.scopes) if buffer in scope)

    # -- positions and memory
    def _position(self, index: Index, c: Context) -> Value:
        """An index as an i64, in every lane where it depends on the vector counter."""
        s, e = self.scalar, c.emitter
        total = s.const("i64", index.constant)
        varying = None
        for atom, coefficient in index.terms:
            value = self._atom(atom, c)
            wide = value.lanes > 1
            term = (e if wide else s).imul(value, s.const("i64", coefficient)) if coefficient != 1 else value
            if wide:
                varying = term if varying is None else e.iadd(varying, term)
            else:
                total = s.iadd(total, term)
        return total if varying is None else e.iadd(varying, total)

    def _atom(self, atom, c: Context) -> Value:
        if isinstance(atom, Counter):
            base = self.counters[atom]
            return c.emitter.iadd(base, c.emitter.iota("i64")) if atom is c.counter and c.emitter.lanes > 1 else base
        if isinstance(atom, Computed):
            return self._value(atom.expression, c)
        at = self._position(atom.index, c)
        e = _of(c, at, self.scalar)
        # Never negative: operands of quotients and remainders are positions in arrays. 32 bits, where they fit, divide by a constant with two
        # multiplications.
        if atom.index.low >= 0 and atom.index.high < 1 << 31:
            divide = e.udiv if isinstance(atom, Quotient) else e.urem
            return e.zext(divide(e.trunc(at, "i32"), e.const("i32", atom.divisor)), "i64")
        divide = e.sdiv if isinstance(atom, Quotient) else e.srem
        shift = -(atom.index.low // atom.divisor) if atom.index.low < 0 else 0
        moved = divide(e.iadd(at, e.const("i64", shift * atom.divisor)), e.const("i64", atom.divisor))
        return e.isub(moved, e.const("i64", shift)) if shift and isinstance(atom, Quotient) else moved

    def _depends(self, atom, c: Context) -> bool:
        if isinstance(atom, Counter):
            return atom is c.counter
        return c.counter in (atom.expression.counters if isinstance(atom, Computed) else atom.index.counters())

    def _across(self, position: Index, c: Context) -> str:
        """How a position moves across the lanes: "same", "adjacent" or "scattered"."""
        varying = [(a, k) for a, k in position.terms if self._depends(a, c)]
        if not varying:
            return "same"
        return "adjacent" if len(varying) == 1 and varying[0][1] == 1 and isinstance(varying[0][0], Counter) else "scattered"

    def _read(self, buffer: Buffer, position: Index, c: Context) -> Value:
        pointer = self.pointers[buffer]
        one, lanes = access(self.scalar, buffer.type.dtype), access(c.emitter, buffer.type.dtype)
        how = self._across(position, c)
        if how == "same" and not c.guarded:
            return one.load(one.address(pointer, self._position(position, c)))
        if how == "same" and c.mask.lanes == 1:
            return one.load(one.address(pointer, self._position(position, c)), c.mask)
        if how == "adjacent":
            first = self._position(position, c._replace(counter=None))
            if first.lanes == 1:  # an index that was read under a mask is in every lane, though it is the same in all
                return lanes.load(one.address(pointer, first), c.mask)
        return lanes.gather(lanes.address(pointer, c.emitter.splat(self._position(position, c))), c.mask)

    def _write(self, buffer: Buffer, position: Index, value: Value, c: Context) -> None:
        pointer = self.pointers[buffer]
        one, lanes = access(self.scalar, buffer.type.dtype), access(c.emitter, buffer.type.dtype)
        how = self._across(position, c)
        if how == "same":
            one.store(value, one.address(pointer, self._position(position, c)))
        elif how == "adjacent" and (first := self._position(position, c._replace(counter=None))).lanes == 1:
            lanes.store(value, one.address(pointer, first), c.mask)
        else:
            lanes.scatter(value, lanes.address(pointer, self._position(position, c)), c.mask)


def _of(c: Context, *values) -> Emitter:
    """The emitter for values, the last of which is the scalar one: scalar where all are."""
    *values, single = values
    return c.emitter if any(v.lanes > 1 for v in values) else single


_ACROSS = {
    "add": {"f": "fadd", "i": "iadd", "u": "iadd", "b": "or_"},
    "multiply": {"f": "fmul", "i": "imul", "u": "imul", "b": "and_"},
    "maximum": {"f": "maximum", "i": "smax", "u": "umax", "b": "or_"},
    "minimum": {"f": "minimum", "i": "smin", "u": "umin", "b": "and_"},
    "logical_or": {"b": "or_"},
    "logical_and": {"b": "and_"},
}


def _expressions(loop: Loop) -> set[Expression]:
    seen: set[Expression] = set()
    stack = [s.expression for s in loop.body]
    while stack:
        x = stack.pop()
        if x not in seen:
            seen.add(x)
            stack.extend(children(x))
    return seen


def _weight(loop: Loop) -> int:
    return sum(x.op in ("apply", "convert", "guard") for x in _expressions(loop))


def _collides(stage: Stage, counter: Counter) -> bool:
    """Whether two turns may write to one place, so that they must go in order: where the counter chooses a computed position, or none."""
    computed = any(counter in c.expression.counters for i in stage.target for c in i.computed())
    return computed or not stage.combine and not any(counter in i.counters() for i in stage.target)


def _lanes(loop: Loop) -> int:
    """As many lanes as a native vector has of the widest float, or the widest number where there are no floats; fewer for a short loop."""
    if any(s.into and _collides(s, loop.counter) for s in loop.body):
        return 1
    dtypes = {part_dtype(x.dtype) for x in _expressions(loop) if x.op != "index"} | {part_dtype(s.buffer.type.dtype) for s in loop.body}
    floats = {d for d in dtypes if d.kind == "f"}
    width = native_lanes(max((d.itemsize for d in floats or dtypes), default=INT.itemsize))
    while width > 1 and width // 2 >= loop.counter.extent:
        width //= 2
    return width
