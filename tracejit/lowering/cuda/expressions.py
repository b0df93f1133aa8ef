"""Expressions of a kernel's source as typed values: the part of the front end that computes.

Two operands of different types are converted as NumPy would; a plain number has the type of the other operand.  Where an operand of `and`, `or` or
`a if c else b` reads memory, it is computed only where it is wanted, behind a branch.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..cpu.emit import Function, Value
from ..cpu.scalar import INTEGER, kind_of
from .thread import DeviceThread
from .words import ATOMIC, BOOL, INT32, TYPES, WORDS, Typed, same, typed

Number = Typed | bool | int | float


class Array(NamedTuple):
    """Memory that is indexed: its address, the dtype of the elements, its shape where that is known."""

    pointer: Value
    dtype: np.dtype
    shape: tuple[int, ...] | None = None


class Range(NamedTuple):
    start: Number
    stop: Number
    step: int


class Expressions:
    """Writes expressions into a function. What names stand for is the business of the statements."""

    def __init__(self, thread: type[DeviceThread]):
        self.thread = thread
        self.shared: list[str] = []  # declarations
        self.names: dict[str, Any] = {}  # what a name stands for, unless it is a variable
        self.variables: dict[str, tuple[Value, np.dtype]] = {}
        self.function: Function
        self.emitter: DeviceThread

    def _number(self, node: ast.expr) -> Number:
        value = self._value(node)
        if not isinstance(value, Typed | bool | int | float):
            raise TypeError(f"{ast.unparse(node)} is not a number")
        return value

    def _condition(self, node: ast.expr) -> Value:
        return typed(self.emitter, self._number(node), BOOL).value

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            return node.value
        write = getattr(self, f"_{type(node).__name__}", None)
        if write is None:
            raise TypeError(f"no {type(node).__name__} in an expression")
        return write(node)

    def _Name(self, node: ast.Name) -> Any:
        return self._read(node.id)

    def _read(self, name: str) -> Any:
        if name in self.variables:
            place, dtype = self.variables[name]
            return Typed(self.emitter.load(place, kind_of(dtype), 8), dtype)
        if name in self.names:
            return self.names[name]
        raise KeyError(f"nothing is known of the name {name}")

    def _Tuple(self, node: ast.Tuple) -> tuple:
        return tuple(self._value(item) for item in node.elts)

    def _BinOp(self, node: ast.BinOp) -> Number:
        return self._operate(node.op, self._number(node.left), self._number(node.right))

    def _operate(self, op: ast.operator, a: Number, b: Number) -> Number:
        if not isinstance(a, Typed) and not isinstance(b, Typed):
            return _PLAIN[type(op)](a, b)
        e = self.emitter
        if isinstance(op, ast.LShift | ast.RShift):
            a = typed(e, a, None if isinstance(a, Typed) else b.dtype)
            name = "shl" if isinstance(op, ast.LShift) else "ashr" if a.dtype.kind == "i" else "lshr"
            return WORDS["shl" if name == "shl" else name](e, a, b)
        a, b = same(e, a, b)
        x, y, dtype = a.value, b.value, a.dtype
        if isinstance(op, ast.FloorDiv | ast.Mod) and dtype.kind in "iu":
            return Typed(INTEGER["floor_divide" if isinstance(op, ast.FloorDiv) else "remainder"](e, dtype, x, y), dtype)
        if isinstance(op, ast.Div) and dtype.kind != "f":
            raise TypeError("integers are divided by //")
        name = _OPERATORS[type(op)]
        if dtype.kind == "b" and name is not None and name[0] in "fi":
            raise TypeError("booleans are combined by &, | and ^")
        if name is None:
            raise TypeError(f"no {type(op).__name__}")
        return Typed(getattr(e, name if name.endswith(("or", "_")) else ("f" if dtype.kind == "f" else "i") + name)(x, y), dtype)

    def _UnaryOp(self, node: ast.UnaryOp) -> Number:
        x = self._number(node.operand)
        if not isinstance(x, Typed):
            return {ast.USub: lambda: -x, ast.UAdd: lambda: x, ast.Invert: lambda: ~x, ast.Not: lambda: not x}[type(node.op)]()
        e = self.emitter
        if isinstance(node.op, ast.Not):
            return Typed(e.not_(typed(e, x, BOOL).value), BOOL)
        if isinstance(node.op, ast.Invert):
            return Typed(e.not_(x.value), x.dtype)
        if isinstance(node.op, ast.UAdd):
            return x
        if x.dtype.kind == "f":
            return Typed(e.fneg(x.value), x.dtype)
        return Typed(e.isub(typed(e, 0, x.dtype).value, x.value), x.dtype)

    def _Compare(self, node: ast.Compare) -> Number:
        e = self.emitter
        left = self._number(node.left)
        holds: Typed | None = None
        for op, item in zip(node.ops, node.comparators):
            right = self._number(item)
            a, b = same(e, left, right)
            floating, signed, unsigned = _COMPARISONS[type(op)]
            if a.dtype.kind == "f":
                x = e.fcmp(floating, a.value, b.value)
            else:
                x = e.icmp(signed if a.dtype.kind == "i" else unsigned, a.value, b.value)
            holds = Typed(x if holds is None else e.and_(holds.value, x), BOOL)
            left = right
        return holds

    def _BoolOp(self, node: ast.BoolOp) -> Typed:
        condition = self._condition(node.values[0])
        for item in node.values[1:]:
            condition = self._also(condition, item, isinstance(node.op, ast.And))
        return Typed(condition, BOOL)

    def _also(self, condition: Value, item: ast.expr, both: bool) -> Value:
        e = self.emitter
        if not _has_effect(item):
            return (e.and_ if both else e.or_)(condition, self._condition(item))

        def rest() -> Value:
            return self._condition(item)

        def decided() -> Value:
            return e.const("i1", not both)

        return self._branch(condition, rest, decided) if both else self._branch(condition, decided, rest)

    def _IfExp(self, node: ast.IfExp) -> Typed:
        e = self.emitter
        condition = self._condition(node.test)
        if not _has_effect(node.body) and not _has_effect(node.orelse):
            return WORDS["select"](e, Typed(condition, BOOL), self._number(node.body), self._number(node.orelse))
        found: list[Typed] = []

        def written(item: ast.expr) -> Callable[[], Value]:
            def write() -> Value:
                found.append(typed(e, self._number(item), found[0].dtype if found else None))
                return found[-1].value

            return write

        value = self._branch(condition, written(node.body), written(node.orelse))
        return Typed(value, found[0].dtype)

    def _branch(self, condition: Value, then: Callable[[], Value], otherwise: Callable[[], Value]) -> Value:
        """One of two values, of which only that one is computed."""
        f = self.function
        before, yes, no, after = f.block, f.fresh_label("then"), f.fresh_label("else"), f.fresh_label("endif")
        f.cbr(condition, yes, no)
        arrivals = []
        for label, write in ((yes, then), (no, otherwise)):
            f.label(label, dominator=before)
            value = write()
            arrivals.append((value, f.block))
            f.br(after)
        f.label(after, dominator=before)
        phi = f.phi(arrivals[0][0].kind)
        for value, block in arrivals:
            phi.add(value, block)
        return phi.value

    # -- memory
    def _Subscript(self, node: ast.Subscript) -> Typed:
        return self._load(*self._element(node))

    def _load(self, array: Array, place: Value) -> Typed:
        return Typed(self.emitter.load(place, kind_of(array.dtype), array.dtype.itemsize), array.dtype)

    def _load_vector(self, array: Array, place: Value, count: int) -> tuple[Typed, ...]:
        wide = self.thread(self.function, count)
        found = wide.load(place, kind_of(array.dtype), self.thread.vector_alignment(array.dtype.itemsize, count))
        return tuple(Typed(wide.extract(found, k), array.dtype) for k in range(count))

    def _store_vector(self, array: Array, place: Value, *values: Number) -> None:
        count, kind = len(values), kind_of(array.dtype)
        wide = self.thread(self.function, count)
        made = Value("poison", kind, count)
        for k, value in enumerate(values):
            made = wide.insert(made, typed(self.emitter, value, array.dtype).value, k)
        wide.store(made, place, self.thread.vector_alignment(array.dtype.itemsize, count))

    def _element(self, node: ast.Subscript) -> tuple[Array, Value]:
        array, index = self._value(node.value), self._value(node.slice)
        if not isinstance(array, Array):
            raise TypeError(f"{ast.unparse(node.value)} is not an array")
        if type(index) is tuple:
            if array.shape is None or len(array.shape) != len(index):
                raise TypeError(f"{len(index)} indices of {ast.unparse(node.value)}")
            flat: Number = 0
            for i, extent in zip(index, array.shape):
                flat = self._operate(ast.Add(), self._operate(ast.Mult(), flat, extent), i)
            index = flat
        return array, self._place(array, index)

    def _place(self, array: Array, index: Number) -> Value:
        i = typed(self.emitter, index, None if isinstance(index, Typed) else INT32 if -(2**31) <= index < 2**31 else None)
        if i.dtype.kind == "u" and i.dtype.itemsize < 8:
            i = typed(self.emitter, i, np.dtype(np.int64))
        return self.emitter.at(array.pointer, kind_of(array.dtype), i.value)

    # -- calls and attributes
    def _Call(self, node: ast.Call) -> Any:
        if node.keywords:
            raise TypeError("calls have no keywords")
        name = _name(node.func)
        if name.startswith("cuda."):
            return self._cuda(name, node.args)
        if name in WORDS:
            return WORDS[name](self.emitter, *map(self._value, node.args))
        if name in ATOMIC:
            array, index, value = (self._value(a) for a in node.args)
            x = typed(self.emitter, value, array.dtype)
            return self.emitter.update(ATOMIC[name], self._place(array, index), x.value, array.dtype.kind == "i")
        if name in ("load_vector", "store_vector"):
            array, index, *rest = (self._value(a) for a in node.args)
            return (self._load_vector if name == "load_vector" else self._store_vector)(array, self._place(array, index), *rest)
        if name == "range":
            limits = [self._number(a) for a in node.args]
            start, stop, step = [0, limits[0], 1] if len(limits) == 1 else [*limits, 1][:3]
            if isinstance(step, Typed) or not step:
                raise TypeError("the step of a range is a constant")
            return Range(start, stop, step)
        if name in ("min", "max"):
            a, b = same(self.emitter, *(self._number(a) for a in node.args))
            if a.dtype.kind not in "iu":
                raise TypeError(f"{name} is for integers")
            return WORDS[("s" if a.dtype.kind == "i" else "u") + name](self.emitter, a, b)
        raise TypeError(f"there is no word {name}")

    def _cuda(self, name: str, args: Sequence[ast.expr]) -> Any:
        e = self.emitter
        if name in ("cuda.syncthreads", "cuda.syncwarp"):
            return e.barrier() if name == "cuda.syncthreads" else e.warp_barrier()
        if name in ("cuda.grid", "cuda.gridsize"):
            block, blocks = e.register("ntid.x"), e.register("nctaid.x")
            if name == "cuda.gridsize":
                return Typed(e.imul(blocks, block), INT32)
            return Typed(e.iadd(e.imul(e.register("ctaid.x"), block), e.register("tid.x")), INT32)
        if name in ("cuda.shared.array", "cuda.local.array"):
            shape = self._value(args[0])
            shape = shape if type(shape) is tuple else (shape,)
            dtype = in_memory(TYPES[ast.unparse(args[1])])
            count = int(np.prod(shape))
            if name == "cuda.local.array":
                return Array(self.function.alloca(kind_of(dtype), count, 16), dtype, shape)
            return Array(self._shared(kind_of(dtype), count), dtype, shape)
        raise TypeError(f"there is no word {name}")

    def _shared(self, kind: str, count: int) -> Value:
        pointer, text = self.thread.shared_memory(f"shared{len(self.shared)}", kind, count)
        self.shared.append(text)
        return pointer

    def _Attribute(self, node: ast.Attribute) -> Typed:
        name = ast.unparse(node)
        register = _REGISTERS.get(name.rpartition(".")[0])
        if register is None or node.attr not in "xyz":
            raise TypeError(f"there is no word {name}")
        return Typed(self.emitter.register(f"{register}.{node.attr}"), INT32)


_REGISTERS = {"cuda.threadIdx": "tid", "cuda.blockIdx": "ctaid", "cuda.blockDim": "ntid", "cuda.gridDim": "nctaid"}
_OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor",
}  # fmt: skip
_COMPARISONS = {
    ast.Eq: ("oeq", "eq", "eq"),
    ast.NotEq: ("une", "ne", "ne"),
    ast.Lt: ("olt", "slt", "ult"),
    ast.LtE: ("ole", "sle", "ule"),
    ast.Gt: ("ogt", "sgt", "ugt"),
    ast.GtE: ("oge", "sge", "uge"),
}
_PLAIN: dict[type, Callable] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.Div: lambda a, b: a / b,
    ast.LShift: lambda a, b: a << b,
    ast.RShift: lambda a, b: a >> b,
    ast.BitAnd: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b,
    ast.BitXor: lambda a, b: a ^ b,
}


def in_memory(dtype: np.dtype) -> np.dtype:
    """What elements of a dtype are in memory, and as arguments: booleans are bytes."""
    return dtype if dtype.kind != "b" else np.dtype(np.uint8)


def _name(node: ast.expr) -> str:
    """What is called."""
    return node.id if isinstance(node, ast.Name) else ast.unparse(node)


@functools.cache
def _pure_calls() -> frozenset[str]:
    return frozenset(name for name in (*WORDS, "min", "max") if not name.startswith("shuffle"))


def _has_effect(node: ast.expr) -> bool:
    """Whether an expression may not be computed where its value is not wanted: it reads memory, or waits for other threads."""
    return any(
        isinstance(n, ast.Subscript) or isinstance(n, ast.Call) and _name(n.func) not in _pure_calls() for n in ast.walk(node)
    )


__all__ = ["Array", "Expressions", "Number", "Range", "in_memory"]
