"""Elements of arrays and expressions of them, as lines of a kernel: where each value is, what it is computed from, and under which index."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from ..contract import Storage
from ..cpu import scalar
from ..cpu.complex import ComplexValue, part_dtype
from ..cpu.emit import Value
from ..index import Computed, Counter, Index, Quotient
from ..kernel import Buffer, Expression, loads, operations
from ..steps import Stage, identity
from . import functions
from .rewrite import in_terms_of
from .schedule import Geometry, Launch
from .source import CASTS, Source, SourceEmitter

# Positions below this are computed in 32 bits: what a grid steps beyond the last one still fits.
SMALL_POSITIONS = 1 << 30

Number = Value | ComplexValue


class Parameter(NamedTuple):
    """What a kernel takes: an array (`by_value` false), or a number; `dtype` is that of the elements as the source sees them."""

    buffer: Buffer | None  # None: where an index out of range is reported
    name: str
    dtype: np.dtype
    by_value: bool


def memory_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of the elements that source reads and writes.

    >>> [memory_dtype(np.dtype(d)).name for d in (np.bool_, np.uint32, np.complex64, np.float32)]
    ['uint8', 'int32', 'float32', 'float32']
    """
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(f"i{dtype.itemsize}") if dtype.kind == "u" else part_dtype(dtype)


class Elements:
    """The state of a kernel in the making, and its values."""

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
        for number, b in enumerate(memory):
            self._parameter(b, f"{'x' if b in by_value else 'b'}{number}", b in by_value)

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
    def _get_cell(self, b: Buffer, at: tuple[Index, ...]) -> Number:
        return joined([self.s.read(v) for v in self._cell(b, at)])

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
        for variable, v in zip(self._cell(b, at), parts(value)):
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
                for name, v in zip(names, parts(self._value(branch))):
                    self.s.line(f"{name} = {self._typed(v)}")
        kind = scalar.kind_of(part_dtype(x.dtype))
        return joined([Value(n, kind) for n in names])

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
        return self.arrays[b], f"{size} * (cuda.threadIdx.x // {self.launch.group}) + " if self.groups > 1 else ""

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
        for place, v in zip(places, parts(value)):
            self.s.line(f"{name}[{place}] = {self._as_stored(v)}")

    def _as_stored(self, v: Value) -> str:
        return f"uint8(1 if {v.name} else 0)" if v.kind == "i1" else self._typed(v)

    def _as_number(self, v: Value, kind: str) -> Value:
        return self.e.icmp("ne", Value(v.name, "i8"), self.e.const("i8", 0)) if kind == "i1" else v

    def _atomic(self, stage: Stage, position: Index, value: Number) -> None:
        name, start = self._array(stage.buffer)
        word = {"add": "add", "multiply": "mul", "maximum": "max", "minimum": "min"}[stage.combine]
        at = self._position(position).name
        numbers = parts(value)
        for k, v in enumerate(numbers):
            place = f"{start}{at}" if len(numbers) == 1 else f"{start}2 * {at} + {k}"
            self.s.line(f"atomic_{word}({name}, {place}, {self._typed(v)})")


def parts(value: Number) -> tuple[Value, ...]:
    return tuple(value) if isinstance(value, ComplexValue) else (value,)


def joined(values: Sequence[Value]) -> Number:
    """The number that has these parts."""
    return ComplexValue(*values) if len(values) == 2 else values[0]


def _touches_memory(x: Expression) -> bool:
    return any(e.op in ("load", "checked") for e in operations(x))


__all__ = ["Elements", "Number", "Parameter", "joined", "memory_dtype", "parts"]
