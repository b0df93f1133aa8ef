"""Formulas instead of instructions: a `Num` is a value with the emitter that it belongs to, so `a * b + 1.0` writes a multiplication and an addition.

Python numbers become constants of the other operand's kind.  Integers are bit patterns: `>>` is the logical shift, and arithmetic wraps.
Comparisons are ordered (false for NaN) except `!=`, which holds for NaN; they give `Num`s of kind i1, to be combined with `&`, `|`, `~`.

Formats: `x.format` holds what a formula needs to know of its floating-point kind, so that one formula serves float and double.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..emit import FLOATS, Emitter, Value
from . import coefficients, special_coefficients

COEFFICIENTS = coefficients.COEFFICIENTS | special_coefficients.COEFFICIENTS
CONSTANTS = {kind: parts | special_coefficients.CONSTANTS.get(kind, {}) for kind, parts in coefficients.CONSTANTS.items()}


class Format(NamedTuple):
    """Properties of an IEEE format."""

    bits: str  # the integer kind of its bit patterns
    mantissa: int  # explicit bits
    bias: int
    least_normal: float
    greatest: float

    @property
    def shifter(self) -> float:
        """x + shifter - shifter is x rounded to an integer, and the low bits of x + shifter are that integer, for |x| < 2^(mantissa - 1)."""
        return 1.5 * 2.0**self.mantissa

    @property
    def one(self) -> int:
        """The bits of 1.0."""
        return self.bias << self.mantissa

    @property
    def sign(self) -> int:
        """The bits of -0.0, as a signed integer."""
        return -(1 << {"i32": 31, "i64": 63}[self.bits])


FORMATS = {
    "float": Format("i32", 23, 127, 2.0**-126, (2.0 - 2.0**-23) * 2.0**127),
    "double": Format("i64", 52, 1023, 2.0**-1022, (2.0 - 2.0**-52) * 2.0**1023),
}


class Num:
    """A value in a formula."""

    __slots__ = ("emitter", "value")

    def __init__(self, emitter: Emitter, value: Value):
        self.emitter = emitter
        self.value = value

    @property
    def kind(self) -> str:
        return self.value.kind

    @property
    def format(self) -> Format:
        return FORMATS[self.value.kind]

    def _coerce(self, other) -> Value:
        return other.value if isinstance(other, Num) else self.emitter.const(self.value.kind, other)

    def _binary(self, real: str, integer: str, other, swap: bool = False) -> "Num":
        a, b = self.value, self._coerce(other)
        if swap:
            a, b = b, a
        return Num(self.emitter, getattr(self.emitter, real if a.kind in FLOATS else integer)(a, b))

    def _compare(self, predicate: str, other) -> "Num":
        return Num(self.emitter, self.emitter.fcmp(predicate, self.value, self._coerce(other)))

    def __add__(self, other):
        return self._binary("fadd", "iadd", other)

    def __radd__(self, other):
        return self._binary("fadd", "iadd", other, swap=True)

    def __sub__(self, other):
        return self._binary("fsub", "isub", other)

    def __rsub__(self, other):
        return self._binary("fsub", "isub", other, swap=True)

    def __mul__(self, other):
        return self._binary("fmul", "imul", other)

    def __rmul__(self, other):
        return self._binary("fmul", "imul", other, swap=True)

    def __truediv__(self, other):
        return self._binary("fdiv", "sdiv", other)

    def __rtruediv__(self, other):
        return self._binary("fdiv", "sdiv", other, swap=True)

    def __neg__(self):
        return Num(self.emitter, self.emitter.fneg(self.value))

    def __abs__(self):
        return Num(self.emitter, self.emitter.fabs(self.value))

    def __and__(self, other):
        return self._binary("and_", "and_", other)

    def __or__(self, other):
        return self._binary("or_", "or_", other)

    def __xor__(self, other):
        return self._binary("xor", "xor", other)

    def __invert__(self):
        return Num(self.emitter, self.emitter.not_(self.value))

    def __lshift__(self, other):
        return self._binary("shl", "shl", other)

    def __rshift__(self, other):
        return self._binary("lshr", "lshr", other)

    def __lt__(self, other):
        return self._compare("olt", other)

    def __le__(self, other):
        return self._compare("ole", other)

    def __gt__(self, other):
        return self._compare("ogt", other)

    def __ge__(self, other):
        return self._compare("oge", other)

    def __eq__(self, other):
        return self._compare("oeq", other)

    def __ne__(self, other):
        return self._compare("une", other)

    __hash__ = None  # equality is an instruction, not a truth

    def is_nan(self) -> "Num":
        return self != self

    def bits(self) -> "Num":
        """The bit pattern as an integer of the same width."""
        return Num(self.emitter, self.emitter.bitcast(self.value, self.format.bits))

    def real(self, kind: str) -> "Num":
        """The number with this bit pattern."""
        return Num(self.emitter, self.emitter.bitcast(self.value, kind))

    def has_bits(self, mask: int) -> "Num":
        """Is any of these bits set?  (An i1.)"""
        zero = self.emitter.const(self.kind, 0)
        return Num(self.emitter, self.emitter.icmp("ne", (self & mask).value, zero))

    def convert(self, kind: str) -> "Num":
        """To another floating-point kind."""
        widen = ("half", "float", "double").index(kind) > ("half", "float", "double").index(self.kind)
        return Num(self.emitter, (self.emitter.fpext if widen else self.emitter.fptrunc)(self.value, kind))

    def like(self, number) -> "Num":
        """A constant of this kind."""
        return Num(self.emitter, self.emitter.const(self.kind, number))

    def constant(self, name: str) -> tuple[float, ...]:
        """The parts of a named constant for this kind, from coefficients.py."""
        return CONSTANTS[self.kind][name]

    def polynomial(self, name: str) -> "Num":
        """The named table of coefficients.py evaluated here.

        Long ones run as two chains, of even and odd powers: half the latency, which counts where a loop carries it, at the same throughput.
        """
        coefficients = COEFFICIENTS[name][self.kind]
        if len(coefficients) <= 8:
            return self._horner(coefficients)
        square = self * self
        return fma(square._horner(coefficients[1::2]), self, square._horner(coefficients[0::2]))

    def polynomial_by_horner(self, name: str) -> "Num":
        """The same in one chain, for tables whose even and odd powers cancel."""
        return self._horner(COEFFICIENTS[name][self.kind])

    def _horner(self, coefficients: Sequence[float]) -> "Num":
        total = self.like(coefficients[-1])
        for c in coefficients[-2::-1]:
            total = fma(total, self, c)
        return total


def fma(a: Num, b, c) -> Num:
    """a * b + c rounded once; `b` and `c` may be Python numbers."""
    return Num(a.emitter, a.emitter.fma(a.value, a._coerce(b), a._coerce(c)))


def where(condition: Num, a, b) -> Num:
    """`a` where the condition holds, else `b`; one of the two must be a Num."""
    model = a if isinstance(a, Num) else b
    return Num(model.emitter, model.emitter.select(condition.value, model._coerce(a), model._coerce(b)))


def sqrt(x: Num) -> Num:
    return Num(x.emitter, x.emitter.sqrt(x.value))


def rint(x: Num) -> Num:
    return Num(x.emitter, x.emitter.rint(x.value))


def copysign(magnitude, sign: Num) -> Num:
    return Num(sign.emitter, sign.emitter.copysign(sign._coerce(magnitude), sign.value))


def clamp(x: Num, low: float, high: float) -> Num:
    """Into [low, high]; NaN stays."""
    x = where(x > high, high, x)
    return where(x < low, low, x)


def two_sum(a: Num, b: Num) -> tuple[Num, Num]:
    """a + b as rounded sum and error, where |a| >= |b| or a = 0 (Dekker)."""
    total = a + b
    return total, (a - total) + b


def two_product(a: Num, b: Num) -> tuple[Num, Num]:
    """a * b as rounded product and error."""
    product = a * b
    return product, fma(a, b, -product)
