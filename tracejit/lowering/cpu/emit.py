"""Writing LLVM IR text with explicit vectors.

Vocabulary: a `Module` collects declarations, constant tables and functions; a `Function` owns the instructions of one function, block after block,
and the supply of fresh names; an `Emitter` is a view on a function that writes operations on values of one width.  One emitter class serves every
width: with `lanes=1` it writes scalar instructions, with more it writes the same instructions on vectors, so an expression is written down once.

    module = Module()
    f = Function(module, "axpy", [("i64", "n"), ("ptr", "x"), ("ptr", "y")])
    e = Emitter(f, 8)
    x = e.load(f.parameter("x"), "double", 8)
    e.store(e.fma(e.const("double", 2.0), x, e.load(f.parameter("y"), "double", 8)), f.parameter("y"), 8)
    f.ret()
    module.text()

Text rather than `llvmlite.ir`: a vector operation takes about 2 us to write, and every attribute and form of constant that LLVM has can be said.
Arithmetic is strict IEEE: no instruction carries a fast-math flag unless the emitter was made with one, and never `nnan` or `ninf`.
An instruction without side effects is written once per dominating path: asking for it again returns the first value, so callers need no CSE.
"""

import struct
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

    def declare(self, name: str, result: str, arguments: Sequence[str], attributes: str = "") -> None:
        """Declare an external function or an intrinsic; again with the same name does nothing."""
        if name not in self._declarations:
            self._declarations[name] = f"declare {result} @{name}({', '.join(arguments)}){' ' if attributes else ''}{attributes}"

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
        self._parameters = {label: Value(f"%{label}", kind.split()[0]) for kind, label in parameters}
        self._prologue: list[str] = []  # allocas and splats of parameters: they dominate everything
        self._splats: dict[tuple[str, int], Value] = {}  # of parameters
        self._lines: list[str | Phi] = []
        self._count = 0
        self._labels = 0
        self.block = "entry"
        self._known: dict[str, Value] = {}  # pure instructions available here: text -> value
        self._known_at_end: dict[str, dict[str, Value]] = {}
        module.functions.append(self)

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
        weights = "" if likely is None else f", !prof !{{!\"branch_weights\", i32 {2000 if likely else 1}, i32 {1 if likely else 2000}}}"
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


class Emitter:
    """Operations on values of `lanes` lanes, written into a function.

    Scalar operands (lanes=1) are splatted where a vector is needed, once on each path.  Operand kinds must agree, as in LLVM: nothing is converted.
    `flags` are fast-math flags for floating-point arithmetic, for instance "contract"; comparisons and selects never carry any.
    """

    def __init__(self, function: Function, lanes: int, flags: str = ""):
        self.function = function
        self.lanes = lanes
        self.flags = f" {flags}" if flags else ""

    # Constants and shape

    def const(self, kind: str, value) -> Value:
        """The constant `value` in every lane."""
        return self.splat(Value(literal(kind, value), kind))

    def splat(self, value: Value) -> Value:
        """A scalar in every lane; a value of this width as it is."""
        if value.lanes == self.lanes:
            return value
        if value.lanes != 1:
            raise TypeError(f"a value of {value.lanes} lanes where {self.lanes} are needed: {value.typed}")
        if value.literal:
            return Value(f"splat ({value.typed})", value.kind, self.lanes)
        return self.function.splat(value, self.lanes)

    def iota(self, kind: str) -> Value:
        """0, 1, 2, ... across the lanes."""
        return self.lane_constants(kind, range(self.lanes))

    def lane_constants(self, kind: str, values: Sequence) -> Value:
        """A constant with a value of its own in each lane."""
        if self.lanes == 1:
            return Value(literal(kind, values[0]), kind)
        return Value("<" + ", ".join(f"{kind} {literal(kind, value)}" for value in values) + ">", kind, self.lanes)

    def extract(self, vector: Value, lane: int | Value) -> Value:
        """One lane as a scalar."""
        if vector.lanes == 1:
            return vector
        index = lane.typed if isinstance(lane, Value) else f"i64 {lane}"
        return self.function.let(vector.kind, 1, f"extractelement {vector.typed}, {index}")

    def insert(self, vector: Value, value: Value, lane: int | Value) -> Value:
        """`vector` with one lane replaced."""
        if vector.lanes == 1:
            return value
        index = lane.typed if isinstance(lane, Value) else f"i64 {lane}"
        return self.function.let(vector.kind, vector.lanes, f"insertelement {vector.typed}, {value.typed}, {index}")

    def shuffle(self, vector: Value, lanes: Sequence[int]) -> Value:
        """The vector of the given lanes of `vector`, as long as the list."""
        order = ", ".join(f"i32 {lane}" for lane in lanes)
        return self.function.let(vector.kind, len(lanes), f"shufflevector {vector.typed}, {vector.type} poison, <{len(lanes)} x i32> <{order}>")

    # Arithmetic

    def _binary(self, op: str, a: Value, b: Value) -> Value:
        a, b = self.splat(a), self.splat(b)
        return self.function.let(a.kind, self.lanes, f"{op} {type_text(a.kind, self.lanes)} {a.name}, {b.name}")

    def intrinsic(self, name: str, *args: Value, flags: str = "") -> Value:
        """A pure intrinsic `llvm.<name>` overloaded on the type of its operands, all of one type, as its result is."""
        args = tuple(map(self.splat, args))
        kind, lanes = args[0].kind, self.lanes
        text = type_text(kind, lanes)
        full = f"llvm.{name}.{suffix(kind, lanes)}"
        self.function.module.declare(full, text, [text] * len(args))
        return self.function.let(kind, lanes, f"call{flags} {text} @{full}({', '.join(f'{text} {arg.name}' for arg in args)})")

    def fadd(self, a: Value, b: Value) -> Value:
        return self._binary(f"fadd{self.flags}", a, b)

    def fsub(self, a: Value, b: Value) -> Value:
        return self._binary(f"fsub{self.flags}", a, b)

    def fmul(self, a: Value, b: Value) -> Value:
        return self._binary(f"fmul{self.flags}", a, b)

    def fdiv(self, a: Value, b: Value) -> Value:
        return self._binary(f"fdiv{self.flags}", a, b)

    def frem(self, a: Value, b: Value) -> Value:
        """C's fmod, lane by lane through libm."""
        return self._binary(f"frem{self.flags}", a, b)

    def fneg(self, a: Value) -> Value:
        a = self.splat(a)
        return self.function.let(a.kind, self.lanes, f"fneg {a.typed}")

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, rounded once."""
        return self.intrinsic("fma", a, b, c, flags=self.flags)

    def sqrt(self, a: Value) -> Value:
        return self.intrinsic("sqrt", a, flags=self.flags)

    def floor(self, a: Value) -> Value:
        return self.intrinsic("floor", a)

    def ceil(self, a: Value) -> Value:
        return self.intrinsic("ceil", a)

    def ftrunc(self, a: Value) -> Value:
        """Towards zero, staying in floating point."""
        return self.intrinsic("trunc", a)

    def rint(self, a: Value) -> Value:
        """To the nearest integer, ties to even."""
        return self.intrinsic("rint", a)

    def fabs(self, a: Value) -> Value:
        return self.intrinsic("fabs", a)

    def copysign(self, a: Value, sign: Value) -> Value:
        return self.intrinsic("copysign", a, sign)

    def maxnum(self, a: Value, b: Value) -> Value:
        """The larger; where one is NaN, the other (np.fmax)."""
        return self.intrinsic("maxnum", a, b)

    def minnum(self, a: Value, b: Value) -> Value:
        """The smaller; where one is NaN, the other (np.fmin)."""
        return self.intrinsic("minnum", a, b)

    def maximum(self, a: Value, b: Value) -> Value:
        """The larger; NaN where either is (np.maximum); the first of two equal.  Three instructions, llvm.maximum orders zeros with nine."""
        return self.select(self.fcmp("uno", b, b), b, self.select(self.fcmp("ogt", b, a), b, a))

    def minimum(self, a: Value, b: Value) -> Value:
        """The smaller; NaN where either is (np.minimum); the first of two equal."""
        return self.select(self.fcmp("uno", b, b), b, self.select(self.fcmp("olt", b, a), b, a))

    def iadd(self, a: Value, b: Value) -> Value:
        return self._binary("add", a, b)

    def isub(self, a: Value, b: Value) -> Value:
        return self._binary("sub", a, b)

    def imul(self, a: Value, b: Value) -> Value:
        return self._binary("mul", a, b)

    def sdiv(self, a: Value, b: Value) -> Value:
        """Rounds towards zero; the caller keeps zero divisors and MIN / -1 away, which trap."""
        return self._binary("sdiv", a, b)

    def udiv(self, a: Value, b: Value) -> Value:
        return self._binary("udiv", a, b)

    def srem(self, a: Value, b: Value) -> Value:
        return self._binary("srem", a, b)

    def urem(self, a: Value, b: Value) -> Value:
        return self._binary("urem", a, b)

    def smax(self, a: Value, b: Value) -> Value:
        return self.intrinsic("smax", a, b)

    def smin(self, a: Value, b: Value) -> Value:
        return self.intrinsic("smin", a, b)

    def umax(self, a: Value, b: Value) -> Value:
        return self.intrinsic("umax", a, b)

    def umin(self, a: Value, b: Value) -> Value:
        return self.intrinsic("umin", a, b)

    def and_(self, a: Value, b: Value) -> Value:
        return self._binary("and", a, b)

    def or_(self, a: Value, b: Value) -> Value:
        return self._binary("or", a, b)

    def xor(self, a: Value, b: Value) -> Value:
        return self._binary("xor", a, b)

    def not_(self, a: Value) -> Value:
        """All bits flipped; logical negation of an i1."""
        return self._binary("xor", a, self.const(a.kind, True if a.kind == "i1" else -1))

    def shl(self, a: Value, b: Value) -> Value:
        """The caller keeps `b` below the width: LLVM leaves larger shifts undefined."""
        return self._binary("shl", a, b)

    def lshr(self, a: Value, b: Value) -> Value:
        return self._binary("lshr", a, b)

    def ashr(self, a: Value, b: Value) -> Value:
        return self._binary("ashr", a, b)

    # Comparison, selection, conversion

    def fcmp(self, predicate: str, a: Value, b: Value) -> Value:
        """An i1 a lane; predicates as in LLVM: oeq ogt oge olt ole one ord uno ueq ugt uge ult ule une."""
        a, b = self.splat(a), self.splat(b)
        return self.function.let("i1", self.lanes, f"fcmp {predicate} {a.typed}, {b.name}")

    def icmp(self, predicate: str, a: Value, b: Value) -> Value:
        """An i1 a lane; predicates eq ne sgt sge slt sle ugt uge ult ule."""
        a, b = self.splat(a), self.splat(b)
        return self.function.let("i1", self.lanes, f"icmp {predicate} {a.typed}, {b.name}")

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """`a` in the lanes where the condition holds, else `b`; a scalar condition chooses for all lanes at once."""
        a, b = self.splat(a), self.splat(b)
        return self.function.let(a.kind, self.lanes, f"select {condition.typed}, {a.typed}, {b.typed}")

    def _convert(self, op: str, a: Value, kind: str) -> Value:
        a = self.splat(a)
        if a.kind == kind:
            return a
        return self.function.let(kind, self.lanes, f"{op} {a.typed} to {type_text(kind, self.lanes)}")

    def bitcast(self, a: Value, kind: str) -> Value:
        """The same bits as another kind of the same width."""
        return self._convert("bitcast", a, kind)

    def sitofp(self, a: Value, kind: str) -> Value:
        return self._convert("sitofp", a, kind)

    def uitofp(self, a: Value, kind: str) -> Value:
        return self._convert("uitofp", a, kind)

    def fptosi(self, a: Value, kind: str) -> Value:
        """Towards zero; undefined where the value does not fit, as in C and NumPy."""
        return self._convert("fptosi", a, kind)

    def fptoui(self, a: Value, kind: str) -> Value:
        return self._convert("fptoui", a, kind)

    def fpext(self, a: Value, kind: str) -> Value:
        return self._convert("fpext", a, kind)

    def fptrunc(self, a: Value, kind: str) -> Value:
        """To a narrower kind, rounded once."""
        a = self.splat(a)
        if (a.kind, kind) != ("double", "half"):
            return self._convert("fptrunc", a, kind)
        # No processor does this in one step, and LLVM calls a routine that is not in the process.  Rounding to odd on the way keeps the second
        # rounding right: an inexact float gets its last bit set, after a step back where it was rounded away from zero.
        near = self.fptrunc(a, "float")
        back, bits = self.fpext(near, "double"), self.bitcast(near, "i32")
        away = self.fcmp("ogt", self.fabs(back), self.fabs(a))
        odd = self.or_(self.iadd(bits, self.sext(away, "i32")), self.zext(self.fcmp("une", back, a), "i32"))
        return self._convert("fptrunc", self.bitcast(odd, "float"), "half")

    def sext(self, a: Value, kind: str) -> Value:
        return self._convert("sext", a, kind)

    def zext(self, a: Value, kind: str) -> Value:
        return self._convert("zext", a, kind)

    def trunc(self, a: Value, kind: str) -> Value:
        """The low bits of an integer."""
        return self._convert("trunc", a, kind)

    # Memory

    def gep(self, pointer: Value, kind: str, index: Value) -> Value:
        """The address of element `index`; a vector of indices (or of pointers) gives a vector of addresses."""
        lanes = max(pointer.lanes, index.lanes)
        return self.function.let("ptr", lanes, f"getelementptr {kind}, {pointer.typed}, {index.typed}")

    def load(self, pointer: Value, kind: str, align: int) -> Value:
        """`lanes` adjacent elements from a scalar address."""
        return self.function.effect(kind, self.lanes, f"load {type_text(kind, self.lanes)}, {pointer.typed}, align {align}")

    def store(self, value: Value, pointer: Value, align: int) -> None:
        value = self.splat(value)
        self.function.do(f"store {value.typed}, {pointer.typed}, align {align}")

    def masked_load(self, pointer: Value, kind: str, align: int, mask: Value, otherwise: Value) -> Value:
        """Adjacent elements where the mask holds, `otherwise` elsewhere, whose memory is not touched."""
        return self._masked_read("load", pointer, kind, align, mask, otherwise)

    def masked_store(self, value: Value, pointer: Value, align: int, mask: Value) -> None:
        """Write the lanes where the mask holds; other memory is not touched."""
        self._masked_write("store", value, pointer, align, mask)

    def gather(self, pointers: Value, kind: str, align: int, mask: Value, otherwise: Value) -> Value:
        """One element from each lane's own address where the mask holds."""
        if self.lanes == 1:
            return self.masked_load(pointers, kind, align, mask, otherwise)
        return self._masked_read("gather", self.splat(pointers), kind, align, mask, otherwise)

    def scatter(self, value: Value, pointers: Value, align: int, mask: Value) -> None:
        """Write each lane to its own address where the mask holds, in lane order where addresses repeat."""
        if self.lanes == 1:
            return self.masked_store(value, pointers, align, mask)
        return self._masked_write("scatter", value, self.splat(pointers), align, mask)

    # The intrinsics have vector forms only, so a scalar travels as <1 x T>, which LLVM turns into a branch.  Alignment is written as the operand
    # it was before LLVM 22; later parsers upgrade that to an attribute.

    def _masked_read(self, which: str, pointer: Value, kind: str, align: int, mask: Value, otherwise: Value) -> Value:
        mask, otherwise = self._as_vector(self.splat(mask)), self._as_vector(self.splat(otherwise))
        vector = f"<{self.lanes} x {kind}>"
        name = f"llvm.masked.{which}.v{self.lanes}{suffix(kind, 1)}.{suffix('ptr', pointer.lanes)}"
        self.function.module.declare(name, vector, [pointer.type, "i32", f"<{self.lanes} x i1>", vector])
        arguments = f"{pointer.typed}, i32 {align}, <{self.lanes} x i1> {mask.name}, {vector} {otherwise.name}"
        result = self.function.effect(kind, self.lanes, f"call {vector} @{name}({arguments})")
        return result if self.lanes > 1 else self.function.let(kind, 1, f"extractelement {vector} {result.name}, i64 0")

    def _masked_write(self, which: str, value: Value, pointer: Value, align: int, mask: Value) -> None:
        value, mask = self._as_vector(self.splat(value)), self._as_vector(self.splat(mask))
        vector = f"<{self.lanes} x {value.kind}>"
        name = f"llvm.masked.{which}.v{self.lanes}{suffix(value.kind, 1)}.{suffix('ptr', pointer.lanes)}"
        self.function.module.declare(name, "void", [vector, pointer.type, "i32", f"<{self.lanes} x i1>"])
        self.function.do(f"call void @{name}({vector} {value.name}, {pointer.typed}, i32 {align}, <{self.lanes} x i1> {mask.name})")

    def _as_vector(self, value: Value) -> Value:
        if self.lanes > 1:
            return value
        return self.function.let(value.kind, 1, f"insertelement <1 x {value.kind}> poison, {value.typed}, i64 0")

    # Across lanes

    def reduce(self, op: str, vector: Value) -> Value:
        """All lanes combined into one scalar by the method named `op`, pairwise by halves: `e.reduce("fadd", v)`, `e.reduce("maximum", v)`.

        One tree for every operation: deterministic, log2(lanes) deep, and with that method's own treatment of NaN.
        """
        lanes = vector.lanes
        while lanes > 1:
            lanes //= 2
            narrow = Emitter(self.function, lanes, self.flags.strip())
            vector = getattr(narrow, op)(self._part(vector, 0, lanes), self._part(vector, lanes, lanes))
        return vector

    def _part(self, vector: Value, start: int, lanes: int) -> Value:
        return self.extract(vector, start) if lanes == 1 else self.shuffle(vector, range(start, start + lanes))

    def reduce_in_order(self, start: Value, vector: Value) -> Value:
        """start + v[0] + v[1] + ..., rounded in that order."""
        for lane in range(vector.lanes):
            start = Emitter(self.function, 1).fadd(start, self.extract(vector, lane))
        return start

    def any(self, mask: Value) -> Value:
        """A scalar i1: does the mask hold in some lane?"""
        return self._reduce_mask("or", mask)

    def all(self, mask: Value) -> Value:
        """A scalar i1: does the mask hold in every lane?"""
        return self._reduce_mask("and", mask)

    def _reduce_mask(self, op: str, mask: Value) -> Value:
        if mask.lanes == 1:
            return mask
        name = f"llvm.vector.reduce.{op}.{suffix('i1', mask.lanes)}"
        self.function.module.declare(name, "i1", [mask.type])
        return self.function.let("i1", 1, f"call i1 @{name}({mask.typed})")

    def libm(self, name: str, *args: Value) -> Value:
        """A function of the C library (by its double name), lane by lane: for what has no vector form and for rare arguments."""
        args = tuple(map(self.splat, args))
        kind = args[0].kind
        symbol = name + ("f" if kind == "float" else "")
        result = Value("poison", kind, self.lanes)
        for lane in range(self.lanes):
            scalar = self.function.call(symbol, kind, [self.extract(arg, lane) for arg in args], pure=True)
            result = self.insert(result, scalar, lane)
        return result
