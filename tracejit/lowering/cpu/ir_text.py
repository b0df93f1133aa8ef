"""LLVM IR text: values, modules, functions with blocks and fresh names.  The operations that fill them are in emit.py.

A `Module` collects declarations, constant tables and functions.  A `Function` owns the instructions of one function, block after block, and the
supply of fresh names.  Text rather than `llvmlite.ir`: an instruction takes about 2 us to write, and every attribute and form of constant that LLVM
has can be said.

An instruction without side effects is written once per dominating path: asking for it again returns the first value, so callers need no CSE.
"""

import re
import struct
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

FLOATS = ("half", "float", "double")
BITS = {"half": 16, "float": 32, "double": 64, "i64": 64, "i32": 32, "i16": 16, "i8": 8, "i1": 1, "ptr": 64}
INTEGER_OF = {"half": "i16", "float": "i32", "double": "i64"}  # same width: bit patterns, comparison masks
_SUFFIX = {"half": "f16", "float": "f32", "double": "f64", "ptr": "p0"}  # how intrinsics spell a kind


class Value(NamedTuple):
    """An SSA value or a literal: its text, its LLVM scalar type (`kind`) and how many lanes of it there are (1 is a scalar)."""

    name: str
    kind: str
    lanes: int = 1

    @property
    def type(self) -> str:
        return type_text(self.kind, self.lanes)

    @property
    def typed(self) -> str:
        """Type and name, as an operand of a call is written."""
        return f"{type_text(self.kind, self.lanes)} {self.name}"

    @property
    def literal(self) -> bool:
        return self.name[0] not in "%@"


@lru_cache(None)
def type_text(kind: str, lanes: int) -> str:
    """The LLVM type of `lanes` values of a kind.

    >>> type_text("double", 8), type_text("i32", 1)
    ('<8 x double>', 'i32')
    """
    return kind if lanes == 1 else f"<{lanes} x {kind}>"


@lru_cache(None)
def suffix(kind: str, lanes: int) -> str:
    """How the name of an overloaded intrinsic spells a type.

    >>> suffix("float", 4), suffix("i1", 1)
    ('v4f32', 'i1')
    """
    scalar = _SUFFIX.get(kind, kind)
    return scalar if lanes == 1 else f"v{lanes}{scalar}"


def literal(kind: str, value) -> str:
    """The text of a scalar constant, bit-exact for floating point.

    >>> literal("double", 1.0), literal("float", -0.0), literal("i64", -3), literal("i1", True)
    ('0x3FF0000000000000', '0x8000000000000000', '-3', 'true')
    """
    if kind == "double":
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if kind == "float":  # LLVM spells a float as the double of the same value
        return literal("double", struct.unpack("<f", struct.pack("<f", value))[0])
    if kind == "half":
        return f"0xH{struct.unpack('<H', struct.pack('<e', value))[0]:04X}"
    if kind == "i1":
        return "true" if value else "false"
    return str(int(value))


class Module:
    """The text of one LLVM module in the making.

    >>> module = Module()
    >>> Function(module, "nothing", []).ret()
    >>> print(module.text())
    define void @nothing() nounwind "prefer-vector-width"="512" {
    entry:
      ret void
    }
    """

    def __init__(self):
        self._declarations: dict[str, str] = {}
        self._constants: dict[str, str] = {}  # contents -> name
        self.functions: list[Function] = []
        self.uses: Counter[str] = Counter()  # of elementary functions, by name and type
        self.shared: dict[str, Function] = {}  # the functions that hold the code of those that are used often

    def declare(self, name: str, result: str, arguments: Sequence[str], attributes: str = "") -> None:
        """Declare an external function or an intrinsic; again with the same name does nothing."""
        if name not in self._declarations:
            self._declarations[name] = f"declare {result} @{name}({', '.join(arguments)}){' ' if attributes else ''}{attributes}"

    def declare_data(self, name: str) -> None:
        """Declare external memory."""
        self._declarations.setdefault(name, f"@{name} = external global i8")

    def table(self, kind: str, values: Sequence) -> Value:
        """A pointer to a constant array, 64-byte aligned; equal tables are stored once."""
        contents = f"[{len(values)} x {kind}] [{', '.join(f'{kind} {literal(kind, value)}' for value in values)}], align 64"
        name = self._constants.setdefault(contents, f"@table{len(self._constants)}")
        return Value(name, "ptr")

    def text(self) -> str:
        constants = [f"{name} = private unnamed_addr constant {contents}" for contents, name in self._constants.items()]
        return "\n".join([*constants, *self._declarations.values(), *(function.text() for function in self.functions)])


class Phi:
    """A phi whose incoming values may be added after it was written, as a loop's own next value must be.  `value` is what it stands for."""

    def __init__(self, value: Value):
        self.value = value
        self._incoming: list[str] = []

    def add(self, value: Value, block: str) -> None:
        """On arrival from `block` the phi is `value`, which has the phi's own type."""
        if (value.kind, value.lanes) != (self.value.kind, self.value.lanes):
            raise TypeError(f"a phi of {self.value.type} cannot take {value.typed}")
        self._incoming.append(f"[ {value.name}, %{block} ]")

    def __str__(self) -> str:
        return f"  {self.value.name} = phi {self.value.type} {', '.join(self._incoming)}"


def _parameter(declared: str, label: str) -> Value:
    """The value of a parameter declared as `ptr noalias`, say, or `<8 x double>`."""
    vector = re.match(r"<(\d+) x (\w+)>", declared)
    return Value(f"%{label}", vector[2], int(vector[1])) if vector else Value(f"%{label}", declared.split()[0])


class Function:
    """One function definition: parameters, blocks, fresh names.

    Arguments: `parameters`, pairs (LLVM type with any attributes, name), as in `("ptr noalias", "x")`; `result`, the LLVM return type;
    `attributes`, more function attributes; `linkage`, as in "internal".

    The function begins in block "entry".  `label` opens the next block; every block ends with one of `br`, `cbr`, `ret`.
    """

    def __init__(
        self, module: Module, name: str, parameters: Sequence[tuple[str, str]], result: str = "void", attributes: str = "", linkage: str = ""
    ):
        self.module = module
        self.name = name
        # Without the width attribute LLVM splits 512-bit vectors in two on the Intel machines where that once paid.
        declarator = f"@{name}({', '.join(f'{kind} %{label}' for kind, label in parameters)})"
        head = ["define", linkage, result, declarator, "nounwind", '"prefer-vector-width"="512"', attributes]
        self._head = " ".join(part for part in head if part)
        self._parameters = {label: _parameter(kind, label) for kind, label in parameters}
        self._prologue: list[str] = []  # allocas and splats of parameters: they dominate everything
        self._scratch: dict[str, Value] = {}
        self._splats: dict[tuple[str, int], Value] = {}  # of parameters
        self._lines: list[str | Phi] = []
        self._count = 0
        self._labels = 0
        self.block = "entry"
        self._known: dict[str, Value] = {}  # pure instructions available here: text -> value
        self._known_at_end: dict[str, dict[str, Value]] = {}
        module.functions.append(self)

    def never_inline(self) -> None:
        """Keep calls of the function calls."""
        if not self._head.endswith(" noinline"):
            self._head += " noinline"

    def parameter(self, name: str) -> Value:
        return self._parameters[name]

    def fresh(self) -> str:
        """A new SSA name."""
        self._count += 1
        return f"%t{self._count}"

    def fresh_label(self, hint: str) -> str:
        """A new block name that starts with `hint`."""
        self._labels += 1
        return f"{hint}{self._labels}"

    # Instructions

    def let(self, kind: str, lanes: int, text: str) -> Value:
        """A pure instruction: written once, however often it is asked for on this path."""
        value = self._known.get(text)
        if value is None:
            value = self._known[text] = self.effect(kind, lanes, text)
        return value

    def effect(self, kind: str, lanes: int, text: str) -> Value:
        """An instruction with a result that must not be shared (loads, calls with side effects)."""
        self._count += 1
        name = f"%t{self._count}"
        self._lines.append(f"  {name} = {text}")
        return Value(name, kind, lanes)

    def do(self, text: str) -> None:
        """An instruction without a result."""
        self._lines.append(f"  {text}")

    def call(self, callee: str | Value, result: str, arguments: Sequence[Value], pure: bool = False) -> Value | None:
        """Call a C function by name, declaring it, or through a pointer; `result` is "void" or the kind of its scalar result.

        Equal pure calls are shared.
        """
        if isinstance(callee, str):
            self.module.declare(callee, result, [argument.type for argument in arguments], "nounwind")
            callee = Value(f"@{callee}", "ptr")
        text = f"call {result} {callee.name}({', '.join(argument.typed for argument in arguments)})"
        if result == "void":
            self.do(text)
            return None
        return self.let(result, 1, text) if pure else self.effect(result, 1, text)

    def alloca(self, kind: str, count: int, align: int = 64) -> Value:
        """Stack memory for `count` elements, reserved once on entry wherever this is called."""
        name = self.fresh()
        self._prologue.append(f"  {name} = alloca {kind}, i64 {count}, align {align}")
        return Value(name, "ptr")

    def scratch(self, label: str, count: int) -> Value:
        """Bytes of stack memory that all who ask for the label share."""
        if label not in self._scratch:
            self._scratch[label] = self.alloca("i8", count)
        return self._scratch[label]

    def splat(self, value: Value, lanes: int) -> Value:
        """A scalar in every lane.  Parameters are splatted once, on entry, which dominates every block; other values once on a path."""
        vector = type_text(value.kind, lanes)
        key = (value.name, lanes)
        if key in self._splats:
            return self._splats[key]
        first = f"insertelement {vector} poison, {value.typed}, i64 0"
        rest = "{0} {1}, {0} poison, <{2} x i32> zeroinitializer"
        if value.name[1:] not in self._parameters:
            lane = self.let(value.kind, lanes, first)
            return self.let(value.kind, lanes, f"shufflevector {rest.format(vector, lane.name, lanes)}")
        lane, splat = self.fresh(), self.fresh()
        self._prologue += [f"  {lane} = {first}", f"  {splat} = shufflevector {rest.format(vector, lane, lanes)}"]
        return self._splats.setdefault(key, Value(splat, value.kind, lanes))

    # Control flow

    def label(self, name: str, dominator: str | None = None) -> str:
        """Begin block `name`.  Values computed on the way to the end of `dominator`, if given, are shared with this block; returns `name`."""
        self._known_at_end[self.block] = self._known
        self._known = dict(self._known_at_end[dominator]) if dominator is not None else {}
        self._lines.append(f"{name}:")
        self.block = name
        return name

    def br(self, target: str) -> None:
        self.do(f"br label %{target}")

    def cbr(self, condition: Value, then: str, otherwise: str, likely: bool | None = None) -> None:
        """Branch on a scalar i1; `likely` tells LLVM which way is the usual one, which keeps rare blocks out of line."""
        weights = "" if likely is None else f', !prof !{{!"branch_weights", i32 {2000 if likely else 1}, i32 {1 if likely else 2000}}}'
        self.do(f"br i1 {condition.name}, label %{then}, label %{otherwise}{weights}")

    def phi(self, kind: str, lanes: int = 1) -> Phi:
        """A phi at this point, which must be the start of a block."""
        phi = Phi(Value(self.fresh(), kind, lanes))
        self._lines.append(phi)
        return phi

    def ret(self, value: Value | None = None) -> None:
        self.do("ret void" if value is None else f"ret {value.typed}")

    def text(self) -> str:
        return "\n".join([f"{self._head} {{", "entry:", *self._prologue, *map(str, self._lines), "}"])
