"""Elementwise functions as instructions: for each op's name, how it is computed on values of a dtype.

In registers a bool is an i1 (a mask, when there are lanes), in memory a byte.  Semantics are NumPy's: integers wrap, division by an integer zero
gives 0, shifts past the width give what an infinite shift would, maximum passes NaN on and fmax drops it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .complex import COMPLEX, ComplexValue, choose, is_true, part_dtype
from .emit import Emitter, Function, Value, suffix
from .shape_slopes import FUNCTIONS as SHAPE_SLOPES
from .special_library import FUNCTIONS as LIBRARY
from .threefry import random_bits
from .vmath import FUNCTIONS

_KINDS = {
    "f8": "double",
    "f4": "float",
    "f2": "half",
    "i8": "i64",
    "u8": "i64",
    "i4": "i32",
    "u4": "i32",
    "i2": "i16",
    "u2": "i16",
    "i1": "i8",
    "u1": "i8",
    "b1": "i1",
}


def kind_of(dtype: np.dtype) -> str:
    """The LLVM kind of a dtype in registers. Raises KeyError for complex ones, whose values are pairs."""
    return _KINDS[dtype.kind + str(dtype.itemsize)]


def has_kind(dtype: np.dtype) -> bool:
    """Whether kernels compute with values of a dtype."""
    return part_dtype(dtype).kind + str(part_dtype(dtype).itemsize) in _KINDS


def constant(e: Emitter, dtype: np.dtype, value) -> Value | ComplexValue:
    if dtype.kind == "c":
        value = complex(value)
        return ComplexValue(constant(e, part_dtype(dtype), value.real), constant(e, part_dtype(dtype), value.imag))
    return e.const(kind_of(dtype), value.item() if isinstance(value, np.generic) else value)


# -- tables: name -> (emitter, dtype of the arguments, *values) -> value
FLOAT: dict[str, Callable] = LIBRARY | SHAPE_SLOPES
INTEGER: dict[str, Callable] = {}
BOOL: dict[str, Callable] = {}


def _enter(table: dict, **functions: Callable) -> None:
    table.update({name.rstrip("_"): f for name, f in functions.items()})


def _compare(float_predicate: str, signed: str, unsigned: str):
    def as_float(e, d, a, b):
        return e.fcmp(float_predicate, a, b)

    def as_integer(e, d, a, b):
        return e.icmp(signed if d.kind == "i" else unsigned, a, b)

    return as_float, as_integer


for _name, _predicates in {
    "equal": ("oeq", "eq", "eq"),
    "not_equal": ("une", "ne", "ne"),
    "less": ("olt", "slt", "ult"),
    "less_equal": ("ole", "sle", "ule"),
    "greater": ("ogt", "sgt", "ugt"),
    "greater_equal": ("oge", "sge", "uge"),
}.items():
    FLOAT[_name], INTEGER[_name] = _compare(*_predicates)
    BOOL[_name] = INTEGER[_name]


def _true(e: Emitter, d: np.dtype, a: Value) -> Value:
    """Whether a value is not zero."""
    if d.kind == "c":
        return is_true(e, a)
    return a if d.kind == "b" else e.fcmp("une", a, constant(e, d, 0)) if d.kind == "f" else e.icmp("ne", a, constant(e, d, 0))


for _table in (FLOAT, INTEGER, BOOL):
    _enter(
        _table,
        logical_and=lambda e, d, a, b: e.and_(_true(e, d, a), _true(e, d, b)),
        logical_or=lambda e, d, a, b: e.or_(_true(e, d, a), _true(e, d, b)),
        logical_xor=lambda e, d, a, b: e.xor(_true(e, d, a), _true(e, d, b)),
        logical_not=lambda e, d, a: e.not_(_true(e, d, a)),
    )


def _sign(e, d, x):
    """-1, 0 or 1, and NaN of NaN."""
    one = constant(e, d, 1)
    s = e.select(e.fcmp("oeq", x, constant(e, d, 0)), constant(e, d, 0), e.copysign(one, x))
    return e.select(e.fcmp("uno", x, x), x, s)


def _bits(e, x):
    return e.bitcast(x, {"double": "i64", "float": "i32", "half": "i16"}[x.kind])


def _divmod_float(e, d, x, y):
    """NumPy's floor_divide and remainder: the remainder by fmod has the sign of y, and the quotient is what is left, rounded to a whole number."""
    zero = constant(e, d, 0)
    r = e.frem(x, y)
    q = e.fdiv(e.fsub(x, r), y)
    fix = e.and_(e.fcmp("une", r, zero), e.xor(e.fcmp("olt", y, zero), e.fcmp("olt", r, zero)))
    r = e.select(fix, e.fadd(r, y), r)
    q = e.select(fix, e.fsub(q, constant(e, d, 1)), q)
    r = e.select(e.fcmp("oeq", r, zero), e.copysign(zero, y), r)
    whole = e.floor(q)
    whole = e.select(e.fcmp("ogt", e.fsub(q, whole), constant(e, d, 0.5)), e.fadd(whole, constant(e, d, 1)), whole)
    q = e.select(e.fcmp("oeq", q, zero), e.copysign(zero, e.fdiv(x, y)), whole)
    return q, r


def _floor_divide(e, d, x, y):
    q, _ = _divmod_float(e, d, x, y)
    return e.select(e.fcmp("oeq", y, constant(e, d, 0)), e.fdiv(x, y), q)


def _nextafter(e, d, x, y):
    """The numbers of one sign are in the order of their bits: one step away from zero adds one to them."""
    zero, bits = constant(e, d, 0), _bits(e, x)
    one = e.const(bits.kind, 1)
    towards_zero = e.xor(e.fcmp("olt", x, y), e.fcmp("ogt", x, zero))
    stepped = e.bitcast(e.select(towards_zero, e.isub(bits, one), e.iadd(bits, one)), x.kind)
    stepped = e.select(e.fcmp("oeq", x, zero), e.copysign(e.bitcast(one, x.kind), y), stepped)
    equal = x if x.kind == "half" else y  # as NumPy: they may be zeros of different sign
    return e.select(e.fcmp("uno", x, y), e.fadd(x, y), e.select(e.fcmp("oeq", x, y), equal, stepped))


_enter(
    FLOAT,
    negative=lambda e, d, x: e.fneg(x),
    add=lambda e, d, a, b: e.fadd(a, b),
    subtract=lambda e, d, a, b: e.fsub(a, b),
    multiply=lambda e, d, a, b: e.fmul(a, b),
    divide=lambda e, d, a, b: e.fdiv(a, b),
    floor_divide=_floor_divide,
    remainder=lambda e, d, a, b: _divmod_float(e, d, a, b)[1],
    fmod=lambda e, d, a, b: e.frem(a, b),
    square=lambda e, d, x: e.fmul(x, x),
    sqrt=lambda e, d, x: e.sqrt(x),
    floor=lambda e, d, x: e.floor(x),
    ceil=lambda e, d, x: e.ceil(x),
    trunc=lambda e, d, x: e.ftrunc(x),
    rint=lambda e, d, x: e.rint(x),
    absolute=lambda e, d, x: e.fabs(x),
    sign=_sign,
    copysign=lambda e, d, a, b: e.copysign(a, b),
    nextafter=_nextafter,
    signbit=lambda e, d, x: e.icmp("slt", _bits(e, x), e.const(_bits(e, x).kind, 0)),
    maximum=lambda e, d, a, b: e.maximum(a, b),
    minimum=lambda e, d, a, b: e.minimum(a, b),
    fmax=lambda e, d, a, b: e.maxnum(a, b),
    fmin=lambda e, d, a, b: e.minnum(a, b),
    power=lambda e, d, a, b: FUNCTIONS["pow"](e, a, b),
    make_complex=lambda e, d, a, b: ComplexValue(a, b),
    isnan=lambda e, d, x: e.fcmp("uno", x, x),
    isinf=lambda e, d, x: e.fcmp("oeq", e.fabs(x), constant(e, d, np.inf)),
    isfinite=lambda e, d, x: e.fcmp("olt", e.fabs(x), constant(e, d, np.inf)),
)


def _signed(signed: str, unsigned: str):
    return lambda e, d, a, b: getattr(e, signed if d.kind == "i" else unsigned)(a, b)


def _safe_divisor(e, d, a, b):
    """A divisor that traps neither on zero nor on the most negative number by -1; the two cases, as masks."""
    zero = e.icmp("eq", b, constant(e, d, 0))
    if d.kind == "u":
        return e.select(zero, constant(e, d, 1), b), zero, None
    minus = e.icmp("eq", b, constant(e, d, -1))
    return e.select(e.or_(zero, minus), constant(e, d, 1), b), zero, minus


def _integer_divide(e, d, a, b, wanted):
    safe, zero, minus = _safe_divisor(e, d, a, b)
    nothing = constant(e, d, 0)
    if d.kind == "u":
        return e.select(zero, nothing, e.udiv(a, safe) if wanted == "quotient" else e.urem(a, safe))
    r = e.srem(a, safe)
    if wanted == "fmod":
        return e.select(e.or_(zero, minus), nothing, r)
    uneven = e.and_(e.icmp("ne", r, nothing), e.icmp("slt", e.xor(r, safe), nothing))
    if wanted == "remainder":
        return e.select(e.or_(zero, minus), nothing, e.select(uneven, e.iadd(r, safe), r))
    q = e.sdiv(a, safe)
    q = e.select(uneven, e.isub(q, constant(e, d, 1)), q)
    return e.select(zero, nothing, e.select(minus, e.isub(nothing, a), q))


def _shift(e, d, a, b, left):
    """Shifts by the width or more (and by negative amounts, which count as large) leave 0, or the sign."""
    width = constant(e, d, 8 * d.itemsize)
    within = e.icmp("ult", b, width)
    safe = e.select(within, b, constant(e, d, 0))
    if left:
        return e.select(within, e.shl(a, safe), constant(e, d, 0))
    if d.kind == "u":
        return e.select(within, e.lshr(a, safe), constant(e, d, 0))
    return e.ashr(a, e.select(within, b, constant(e, d, 8 * d.itemsize - 1)))


def _integer_sign(e, d, x):
    positive = e.select(e.icmp("ne", x, constant(e, d, 0)), constant(e, d, 1), constant(e, d, 0))
    return positive if d.kind == "u" else e.select(e.icmp("slt", x, constant(e, d, 0)), constant(e, d, -1), positive)


_enter(
    INTEGER,
    negative=lambda e, d, x: e.isub(constant(e, d, 0), x),
    add=lambda e, d, a, b: e.iadd(a, b),
    subtract=lambda e, d, a, b: e.isub(a, b),
    multiply=lambda e, d, a, b: e.imul(a, b),
    square=lambda e, d, x: e.imul(x, x),
    sign=_integer_sign,
    floor_divide=lambda e, d, a, b: _integer_divide(e, d, a, b, "quotient"),
    remainder=lambda e, d, a, b: _integer_divide(e, d, a, b, "remainder"),
    fmod=lambda e, d, a, b: _integer_divide(e, d, a, b, "fmod"),
    absolute=lambda e, d, x: x if d.kind == "u" else e.select(e.icmp("slt", x, constant(e, d, 0)), e.isub(constant(e, d, 0), x), x),
    maximum=_signed("smax", "umax"),
    minimum=_signed("smin", "umin"),
    fmax=_signed("smax", "umax"),
    fmin=_signed("smin", "umin"),
    bitwise_and=lambda e, d, a, b: e.and_(a, b),
    bitwise_or=lambda e, d, a, b: e.or_(a, b),
    bitwise_xor=lambda e, d, a, b: e.xor(a, b),
    invert=lambda e, d, x: e.not_(x),
    left_shift=lambda e, d, a, b: _shift(e, d, a, b, True),
    right_shift=lambda e, d, a, b: _shift(e, d, a, b, False),
    isnan=lambda e, d, x: e.const("i1", 0),
    isinf=lambda e, d, x: e.const("i1", 0),
    isfinite=lambda e, d, x: e.const("i1", 1),
    random_bits=random_bits,
)
_enter(
    BOOL,
    add=lambda e, d, a, b: e.or_(a, b),
    multiply=lambda e, d, a, b: e.and_(a, b),
    maximum=lambda e, d, a, b: e.or_(a, b),
    minimum=lambda e, d, a, b: e.and_(a, b),
    fmax=lambda e, d, a, b: e.or_(a, b),
    fmin=lambda e, d, a, b: e.and_(a, b),
    bitwise_and=lambda e, d, a, b: e.and_(a, b),
    bitwise_or=lambda e, d, a, b: e.or_(a, b),
    bitwise_xor=lambda e, d, a, b: e.xor(a, b),
    invert=lambda e, d, x: e.not_(x),
    absolute=lambda e, d, x: x,
    isnan=lambda e, d, x: e.const("i1", 0),
    isinf=lambda e, d, x: e.const("i1", 0),
    isfinite=lambda e, d, x: e.const("i1", 1),
)


def _table(dtype: np.dtype) -> dict[str, Callable]:
    return {"f": FLOAT, "i": INTEGER, "u": INTEGER, "b": BOOL, "c": COMPLEX}[dtype.kind]


def is_native(name: str, dtype: np.dtype) -> bool:
    """Whether a kernel can apply the function to values of this dtype."""
    if not has_kind(dtype):
        return False
    return name == "select" or name in _table(dtype) or dtype.kind == "f" and name in FUNCTIONS


def apply(e: Emitter, name: str, dtype: np.dtype, *args):
    """The function `name` of arguments of `dtype` (of a select: its branches); complex values are pairs."""
    if name == "select":
        return choose(e, *args) if dtype.kind == "c" else e.select(*args)
    known = _table(dtype).get(name)
    return _elementary(e, name, *args) if known is None else known(e, dtype, *args)


# So many times a module repeats the code of an elementary function. Programs that use one more often are unrolled loops, most of whose time goes into
# compiling them: a recurrence of 300 sines and its gradient take 1.6 s where all are inlined and 0.7 s with this. A call costs 2 ns.
MOST_INLINED = 12


def _elementary(e: Emitter, name: str, *args: Value) -> Value:
    module = e.function.module
    args = [e.splat(a) for a in args]
    key = "_".join([name, *(suffix(a.kind, a.lanes) for a in args)])
    module.uses[key] += 1
    if module.uses[key] <= MOST_INLINED:
        return FUNCTIONS[name](e, *args)
    if key not in module.shared:
        parameters = [(a.type, f"x{i}") for i, a in enumerate(args)]
        f = Function(module, f"elementary_{key}", parameters, result=args[0].type, attributes="noinline", linkage="internal")
        f.ret(FUNCTIONS[name](type(e)(f, e.lanes), *[f.parameter(f"x{i}") for i in range(len(args))]))
        module.shared[key] = f
    operands = ", ".join(a.typed for a in args)
    return e.function.let(args[0].kind, e.lanes, f"call {args[0].type} @{module.shared[key].name}({operands})")


# -- conversions
def convert(e: Emitter, x, source: np.dtype, target: np.dtype):
    """A value in another dtype, as `astype`; of a complex number that becomes real, the real part."""
    if source == target:
        return x
    if target.kind == "b":
        return _true(e, source, x)
    if target.kind == "c":
        part = part_dtype(target)
        if source.kind == "c":
            return x.map(lambda p: convert(e, p, part_dtype(source), part))
        return ComplexValue(convert(e, x, source, part), constant(e, part, 0))
    if source.kind == "c":
        return convert(e, x.re, part_dtype(source), target)
    to = kind_of(target)
    if source.kind == "b":
        return e.select(x, constant(e, target, 1), constant(e, target, 0))
    if source.kind == "f" and target.kind == "f":
        return e.fpext(x, to) if target.itemsize > source.itemsize else e.fptrunc(x, to)
    if source.kind == "f":
        return _to_integer(e, x, target)
    if target.kind == "f":
        return (e.sitofp if source.kind == "i" else e.uitofp)(x, to)
    if target.itemsize > source.itemsize:
        return (e.sext if source.kind == "i" else e.zext)(x, to)
    return e.trunc(x, to) if target.itemsize < source.itemsize else x


def _to_integer(e: Emitter, x: Value, target: np.dtype) -> Value:
    """Truncation; narrow integers by way of 32 or 64 bits, as C compilers and so NumPy do. What does not fit is as unspecified as in C."""
    to = kind_of(target)
    if target.itemsize == 8:
        return (e.fptosi if target.kind == "i" else e.fptoui)(x, to)
    wide = e.fptosi(x, "i64" if target == np.uint32 else "i32")
    return wide if wide.kind == to else e.trunc(wide, to)
