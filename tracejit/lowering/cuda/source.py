"""Kernels written as Python source: the same operations as `lowering/cpu/emit.py`, on single numbers.

`SourceEmitter` has the methods of `Emitter`, so every formula that is written for vectors (`cpu/scalar.py`, `cpu/vmath/`, `cpu/complex.py`,
`cpu/threefry.py`) writes source for a GPU thread as well.  What the words of the source mean on a device, and in the simulator, is in
`device_functions.py`.

Integers have no sign, as in LLVM: a value of kind i32 is an int32, and operations on unsigned numbers are functions of their own.  Sums and products
of integers are cast, since Python's and Numba's are wider.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from ..cpu.emit import BITS, FLOATS, Value

CASTS = {
    "double": "float64",
    "float": "float32",
    "half": "float16",
    "i64": "int64",
    "i32": "int32",
    "i16": "int16",
    "i8": "int8",
    "i1": "boolean",
}
_BITS_NAMES = {
    ("double", "i64"): "bits_f64",
    ("float", "i32"): "bits_f32",
    ("half", "i16"): "bits_f16",
    ("i64", "double"): "float_i64",
    ("i32", "float"): "float_i32",
    ("i16", "half"): "float_i16",
}
_UNSIGNED = {"i64": "uint64", "i32": "uint32", "i16": "uint16", "i8": "uint8"}


class Source:
    """The text of one kernel in the making.

    A pure value is written once on each path: `scope()` forgets, at its end, what was computed inside.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, str] = {}  # text of a typed constant -> its name
        self._depth = 1
        self._count = 0
        self._known: list[dict[str, Value]] = [{}]

    def fresh(self, hint: str = "v") -> str:
        self._count += 1
        return f"{hint}{self._count}"

    def line(self, text: str) -> None:
        self.lines.append("    " * self._depth + text)

    def let(self, kind: str, text: str) -> Value:
        """A pure value: equal texts are one."""
        for known in reversed(self._known):
            if text in known:
                return known[text]
        value = self._known[-1][text] = self.effect(kind, text)
        return value

    def effect(self, kind: str, text: str) -> Value:
        """A value that must be computed here: a read of memory or of a variable."""
        name = self.fresh()
        self.line(f"{name} = {text}")
        return Value(name, kind)

    def variable(self, kind: str, start: str, hint: str = "a") -> Value:
        """A variable, which `assign` changes and `read` reads."""
        name = self.fresh(hint)
        self.line(f"{name} = {start}")
        return Value(name, kind)

    def assign(self, variable: Value, value: Value) -> None:
        self.line(f"{variable.name} = {value.name}")

    def read(self, variable: Value) -> Value:
        return self.effect(variable.kind, variable.name)

    def number(self, kind: str, value) -> str:
        """A constant. Floats are named and typed outside of the kernel, where Numba takes them as they are."""
        if kind == "i1":
            return "True" if value else "False"
        if kind not in FLOATS:
            bits = BITS[kind]
            return str((int(value) + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1)))
        value = float(value)
        text = repr(value) if math.isfinite(value) else f'float("{value}")'
        return self.constants.setdefault(f"{CASTS[kind]}({text})", f"c{len(self.constants)}")

    @contextmanager
    def scope(self) -> Iterator[None]:
        """What is computed inside is not known behind it."""
        self._known.append({})
        yield
        self._known.pop()

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Indented lines behind `head`, as in "if v1:"."""
        self.line(head)
        self._depth += 1
        start = len(self.lines)
        with self.scope():
            yield
        if len(self.lines) == start:
            self.line("pass")
        self._depth -= 1

    @contextmanager
    def loop(self, kind: str, start: str, end: str, step: str) -> Iterator[Value]:
        """start, start + step, ... below `end`: while loops compile to fewer instructions than ranges, whose step may be of either sign."""
        i = self.fresh("i")
        self.line(f"{i} = {CASTS[kind]}({start})")
        with self.block(f"while {i} < {end}:"):
            yield Value(i, kind)
            self.line(f"{i} = {CASTS[kind]}({i} + {step})")


class SourceEmitter:
    """The operations, each a line of source."""

    lanes = 1

    def __init__(self, source: Source):
        self.source = source

    def _let(self, kind: str, text: str) -> Value:
        return self.source.let(kind, text)

    # -- constants and shape
    def const(self, kind: str, value) -> Value:
        return Value(self.source.number(kind, value.item() if isinstance(value, np.generic) else value), kind)

    def lane_constants(self, kind: str, values: Sequence) -> Value:
        return self.const(kind, values[0])

    @staticmethod
    def splat(value: Value) -> Value:
        return value

    @staticmethod
    def any(mask: Value) -> Value:
        return mask

    all = any

    def single(self) -> SourceEmitter:
        """The emitter for single numbers: this one."""
        return self

    # -- arithmetic
    def fadd(self, a: Value, b: Value) -> Value:
        return self._let(a.kind, f"{a.name} + {b.name}")

    def fsub(self, a: Value, b: Value) -> Value:
        return self._let(a.kind, f"{a.name} - {b.name}")

    def fmul(self, a: Value, b: Value) -> Value:
        return self._let(a.kind, f"{a.name} * {b.name}")

    def fdiv(self, a: Value, b: Value) -> Value:
        return self._let(a.kind, f"divide({a.name}, {b.name})")

    def fneg(self, a: Value) -> Value:
        return self._let(a.kind, f"-{a.name}")

    def frem(self, a: Value, b: Value) -> Value:
        return self.call("fmod", a, b)

    def call(self, name: str, *args: Value) -> Value:
        """A function of the vocabulary, of floats or doubles; of halves by way of float."""
        kind = args[0].kind
        if kind == "half":
            return self.fptrunc(self.call(name, *[self.fpext(a, "float") for a in args]), "half")
        return self._let(kind, f"{name}({', '.join(a.name for a in args)})")

    libm = call

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        return self.call("fma", a, b, c)

    def sqrt(self, a: Value) -> Value:
        return self.call("sqrt", a)

    def floor(self, a: Value) -> Value:
        return self.call("floor", a)

    def ceil(self, a: Value) -> Value:
        return self.call("ceil", a)

    def ftrunc(self, a: Value) -> Value:
        return self.call("trunc", a)

    def rint(self, a: Value) -> Value:
        return self.call("rint", a)

    def fabs(self, a: Value) -> Value:
        return self.call("fabs", a)

    def copysign(self, a: Value, sign: Value) -> Value:
        return self.call("copysign", a, sign)

    def maxnum(self, a: Value, b: Value) -> Value:
        return self.select(self.fcmp("uno", a, a), b, self.select(self.fcmp("olt", a, b), b, a))

    def minnum(self, a: Value, b: Value) -> Value:
        return self.select(self.fcmp("uno", a, a), b, self.select(self.fcmp("ogt", a, b), b, a))

    def maximum(self, a: Value, b: Value) -> Value:
        return self.select(self.fcmp("uno", b, b), b, self.select(self.fcmp("ogt", b, a), b, a))

    def minimum(self, a: Value, b: Value) -> Value:
        return self.select(self.fcmp("uno", b, b), b, self.select(self.fcmp("olt", b, a), b, a))

    def _integer(self, text: str, kind: str) -> Value:
        return self._let(kind, f"{CASTS[kind]}({text})")

    def iadd(self, a: Value, b: Value) -> Value:
        if "0" in (a.name, b.name):
            return b if a.name == "0" else a
        return self._integer(f"{a.name} + {b.name}", a.kind)

    def isub(self, a: Value, b: Value) -> Value:
        return self._integer(f"{a.name} - {b.name}", a.kind)

    def imul(self, a: Value, b: Value) -> Value:
        return self._integer(f"{a.name} * {b.name}", a.kind)

    def sdiv(self, a: Value, b: Value) -> Value:
        return self._function("sdiv", a, b)

    def udiv(self, a: Value, b: Value) -> Value:
        return self._function("udiv", a, b)

    def srem(self, a: Value, b: Value) -> Value:
        return self._function("srem", a, b)

    def urem(self, a: Value, b: Value) -> Value:
        return self._function("urem", a, b)

    def _function(self, name: str, a: Value, b: Value) -> Value:
        """An integer function of the vocabulary, whose operands are typed even where they are constants."""
        return self._integer(f"{name}({self._typed(a)}, {self._typed(b)})", a.kind)

    @staticmethod
    def _typed(a: Value) -> str:
        return a.name if a.name.isidentifier() else f"{CASTS[a.kind]}({a.name})"

    def smax(self, a: Value, b: Value) -> Value:
        return self.select(self.icmp("sgt", a, b), a, b)

    def smin(self, a: Value, b: Value) -> Value:
        return self.select(self.icmp("slt", a, b), a, b)

    def umax(self, a: Value, b: Value) -> Value:
        return self.select(self.icmp("ugt", a, b), a, b)

    def umin(self, a: Value, b: Value) -> Value:
        return self.select(self.icmp("ult", a, b), a, b)

    def _bitwise(self, sign: str, a: Value, b: Value) -> Value:
        text = f"{a.name} {sign} {b.name}"
        return self._let("i1", text) if a.kind == "i1" else self._integer(text, a.kind)

    def and_(self, a: Value, b: Value) -> Value:
        return self._bitwise("&", a, b)

    def or_(self, a: Value, b: Value) -> Value:
        return self._bitwise("|", a, b)

    def xor(self, a: Value, b: Value) -> Value:
        return self._bitwise("^", a, b)

    def not_(self, a: Value) -> Value:
        return self._let("i1", f"not {a.name}") if a.kind == "i1" else self._integer(f"~{a.name}", a.kind)

    def shl(self, a: Value, b: Value) -> Value:
        return self._function("shl", a, b)

    def lshr(self, a: Value, b: Value) -> Value:
        return self._function("lshr", a, b)

    def ashr(self, a: Value, b: Value) -> Value:
        return self._function("ashr", a, b)

    def intrinsic(self, name: str, *args: Value) -> Value:
        """An intrinsic of LLVM that formulas ask for by name: the funnel shift."""
        return self._let(args[0].kind, f"{name}({', '.join(map(self._typed, args))})")

    # -- comparison, selection, conversion
    def fcmp(self, predicate: str, a: Value, b: Value) -> Value:
        if a.name == b.name and predicate in ("uno", "ord"):
            predicate = "une" if predicate == "uno" else "oeq"
        return self._let("i1", _FLOAT_TESTS[predicate].format(a.name, b.name))

    def icmp(self, predicate: str, a: Value, b: Value) -> Value:
        if predicate[0] == "u":
            return self._let("i1", f"{predicate}({self._typed(a)}, {self._typed(b)})")
        return self._let("i1", f"{a.name} {_INTEGER_TESTS[predicate]} {b.name}")

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        if a.name == b.name:
            return a
        if a.kind == "i1":
            return self._let("i1", f"({a.name} if {condition.name} else {b.name})")
        return self._let(a.kind, f"select({condition.name}, {self._typed_integer(a)}, {self._typed_integer(b)})")

    def _typed_integer(self, a: Value) -> str:
        return a.name if a.kind in FLOATS or a.kind == "i1" else self._typed(a)

    def bitcast(self, a: Value, kind: str) -> Value:
        return a if a.kind == kind else self._let(kind, f"{_BITS_NAMES[a.kind, kind]}({self._typed_integer(a)})")

    def _cast(self, a: Value, kind: str) -> Value:
        return a if a.kind == kind else self._let(kind, f"{CASTS[kind]}({a.name})")

    def sitofp(self, a: Value, kind: str) -> Value:
        return self._cast(a, kind)

    def uitofp(self, a: Value, kind: str) -> Value:
        return self._let(kind, f"{CASTS[kind]}({_UNSIGNED[a.kind]}({a.name}))") if a.kind in _UNSIGNED else self._cast(a, kind)

    def fptosi(self, a: Value, kind: str) -> Value:
        return self._cast(self.fpext(a, "float") if a.kind == "half" else a, kind)

    def fptoui(self, a: Value, kind: str) -> Value:
        wide = self.fpext(a, "float") if a.kind == "half" else a
        return self._let(kind, f"{CASTS[kind]}({_UNSIGNED[kind]}({wide.name}))")

    fpext = fptrunc = _cast

    def sext(self, a: Value, kind: str) -> Value:
        return self.select(a, self.const(kind, -1), self.const(kind, 0)) if a.kind == "i1" else self._cast(a, kind)

    def zext(self, a: Value, kind: str) -> Value:
        if a.kind == "i1":
            return self.select(a, self.const(kind, 1), self.const(kind, 0))
        return a if a.kind == kind else self._let(kind, f"{CASTS[kind]}({_UNSIGNED[a.kind]}({a.name}))")

    def trunc(self, a: Value, kind: str) -> Value:
        return self._let("i1", f"({a.name} & 1) != 0") if kind == "i1" else self._cast(a, kind)

    # -- control
    def beyond_reach(self, name: str, large: Value, x: Value, fast: Value) -> Value:
        """A trigonometric function: the device's own, which reduces every argument."""
        return self.call(name, x)

    def repeated(self, start: Sequence[Value], step: Callable[[list[Value]], tuple[list[Value], Value]]) -> list[Value]:
        """The last values of a loop; see `Emitter.repeated`."""
        source = self.source
        variables = [source.variable(v.kind, v.name) for v in start]
        with source.block("while True:"):
            following, active = step([source.read(v) for v in variables])
            for variable, value in zip(variables, following):
                source.assign(variable, value)
            with source.block(f"if not {active.name}:"):
                source.line("break")
        return [source.read(v) for v in variables]


_FLOAT_TESTS = {
    "oeq": "{0} == {1}",
    "ogt": "{0} > {1}",
    "oge": "{0} >= {1}",
    "olt": "{0} < {1}",
    "ole": "{0} <= {1}",
    "one": "({0} < {1}) | ({0} > {1})",
    "ord": "({0} == {0}) & ({1} == {1})",
    "uno": "({0} != {0}) | ({1} != {1})",
    "ueq": "not (({0} < {1}) | ({0} > {1}))",
    "ugt": "not ({0} <= {1})",
    "uge": "not ({0} < {1})",
    "ult": "not ({0} >= {1})",
    "ule": "not ({0} > {1})",
    "une": "{0} != {1}",
}
_INTEGER_TESTS = {"eq": "==", "ne": "!=", "sgt": ">", "sge": ">=", "slt": "<", "sle": "<="}
