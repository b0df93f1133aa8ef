"""Operations on explicit vectors, written as LLVM IR text.

One `Emitter` class serves every width: with `lanes=1` it writes scalar instructions, with more it writes the same instructions on vectors, so an
expression is written down once.  An emitter is a view on a `Function` (ir_text.py), whose blocks several emitters of different widths may fill.

    module = Module()
    f = Function(module, "axpy", [("ptr", "x"), ("ptr", "y")])
    e = Emitter(f, 8)
    x = e.load(f.parameter("x"), "double", 8)
    e.store(e.fma(e.const("double", 2.0), x, e.load(f.parameter("y"), "double", 8)), f.parameter("y"), 8)
    f.ret()
    module.text()

Arithmetic is strict IEEE: no instruction carries a fast-math flag unless the emitter was made with one, and never `nnan` or `ninf`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .ir_text import BITS, FLOATS, INTEGER_OF, Function, Module, Phi, Value, literal, suffix, type_text

__all__ = ["BITS", "FLOATS", "INTEGER_OF", "Emitter", "Function", "Module", "Phi", "Value", "lane_loop", "literal", "suffix", "type_text"]


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

    def single(self) -> Emitter:
        """The emitter for single numbers in the same function."""
        return self if self.lanes == 1 else Emitter(self.function, 1, self.flags.strip())

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

    def interleave(self, a: Value, b: Value) -> Value:
        """a[0], b[0], a[1], b[1], ... of two vectors."""
        a, b = self.splat(a), self.splat(b)
        order = ", ".join(f"i32 {lane}, i32 {self.lanes + lane}" for lane in range(self.lanes))
        return self.function.let(a.kind, 2 * self.lanes, f"shufflevector {a.typed}, {b.typed}, <{2 * self.lanes} x i32> <{order}>")

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
            vector = getattr(narrow, op)(self.part(vector, 0, lanes), self.part(vector, lanes, lanes))
        return vector

    def part(self, vector: Value, start: int, lanes: int) -> Value:
        """Adjacent lanes; one is a scalar."""
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
        if self.lanes == 1:
            return self.function.call(symbol, kind, args, pure=True)
        callee = lane_loop(self.function.module, symbol, kind, self.lanes, len(args))
        return self.function.let(kind, self.lanes, f"call {type_text(kind, self.lanes)} @{callee}({', '.join(arg.typed for arg in args)})")


    # Control

    def beyond_reach(self, name: str, large: Value, x: Value, fast: Value) -> Value:
        """`fast`, but libm's function of `x` in the `large` lanes: a rare block of its own.  Ends the current block."""
        function = self.function
        before, rare, after = function.block, function.fresh_label("huge"), function.fresh_label("reduced")
        function.cbr(self.any(large), rare, after, likely=False)
        function.label(rare, dominator=before)
        exact = self.select(large, self.libm(name, x), fast)
        function.br(after)
        function.label(after, dominator=before)
        result = function.phi(x.kind, self.lanes)
        result.add(fast, before)
        result.add(exact, rare)
        return result.value

    def repeated(self, start: Sequence[Value], step: Callable[[list[Value]], tuple[list[Value], Value]]) -> list[Value]:
        """The last values of a loop over all lanes in which `step(values)` gives the next ones, and the lanes that are not done.

        Lanes that are done must keep their values.  Ends the current block.
        """
        function = self.function
        start = [self.splat(value) for value in start]
        before, body, after = function.block, function.fresh_label("term"), function.fresh_label("summed")
        function.br(body)
        function.label(body, dominator=before)
        phis = [function.phi(value.kind, self.lanes) for value in start]
        following, active = step([phi.value for phi in phis])
        following = [self.splat(value) for value in following]
        for phi, first, value in zip(phis, start, following):
            phi.add(first, before)
            phi.add(value, function.block)
        function.cbr(self.any(active), body, after)
        function.label(after, dominator=body)
        return following


def lane_loop(module: Module, symbol: str, kind: str, lanes: int, arity: int, trailing: Sequence[Value] = ()) -> str:
    """The name of a vector function that calls the scalar function `symbol` in a loop over lanes, written once a module.

    `trailing` are constants that every call passes after the lane's arguments.

    Out of line, because unrolled into its caller it would cost more to compile (8 lanes: 24 instructions) than the loop costs to run.
    """
    name = f"{symbol}.lanes{lanes}"
    if any(function.name == name for function in module.functions):
        return name
    vector = type_text(kind, lanes)
    f = Function(module, name, [(vector, f"x{i}") for i in range(arity)], vector, linkage="internal")
    scalar, wide = Emitter(f, 1), Emitter(f, lanes)
    out, places = f.alloca(kind, lanes), [f.alloca(kind, lanes) for _ in range(arity)]
    for i, place in enumerate(places):
        wide.store(f.parameter(f"x{i}"), place, 64)
    f.br("loop")
    f.label("loop")
    lane = f.phi("i64")
    align = BITS[kind] // 8
    result = f.call(symbol, kind, [*(scalar.load(scalar.gep(place, kind, lane.value), kind, align) for place in places), *trailing])
    scalar.store(result, scalar.gep(out, kind, lane.value), align)
    following = scalar.iadd(lane.value, scalar.const("i64", 1))
    lane.add(scalar.const("i64", 0), "entry")
    lane.add(following, "loop")
    f.cbr(scalar.icmp("slt", following, scalar.const("i64", lanes)), "loop", "done")
    f.label("done")
    f.ret(wide.load(out, kind, 64))
    return name
