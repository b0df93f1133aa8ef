"""Complex numbers in kernels: a pair of vectors, one of real and one of imaginary parts, and the elementwise functions on such pairs.

Semantics are NumPy's: division by Smith's method, comparisons by real and then imaginary part, products without fused additions, so that z * conj(z)
is real.  exp, sin and their like are in vmath/complex_functions.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .emit import Emitter, Value
from .vmath import COMPLEX_FUNCTIONS, FUNCTIONS


class ComplexValue(NamedTuple):
    """A complex value in registers."""

    re: Value
    im: Value

    @property
    def kind(self) -> str:
        """The LLVM kind of each part."""
        return self.re.kind

    @property
    def lanes(self) -> int:
        return max(self.re.lanes, self.im.lanes)

    def map(self, function: Callable[[Value], Value]) -> ComplexValue:
        return ComplexValue(function(self.re), function(self.im))


def part_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of the parts of a complex dtype; any other dtype as it is.

    >>> part_dtype(np.dtype(np.complex64)), part_dtype(np.dtype(np.int8))
    (dtype('float32'), dtype('int8'))
    """
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def choose(e: Emitter, condition: Value, a: ComplexValue, b: ComplexValue) -> ComplexValue:
    """`a` where the condition holds, else `b`."""
    return ComplexValue(e.select(condition, a.re, b.re), e.select(condition, a.im, b.im))


# -- arithmetic
def _multiply(e, d, a, b):
    return ComplexValue(e.fsub(e.fmul(a.re, b.re), e.fmul(a.im, b.im)), e.fadd(e.fmul(a.re, b.im), e.fmul(a.im, b.re)))


def _divide(e, d, a, b):
    """Numerator and denominator are scaled by the larger part of the denominator; a quotient by 0 is that of both parts by 0."""
    steep = e.fcmp("ugt", e.fabs(b.im), e.fabs(b.re))
    large, small = e.select(steep, b.im, b.re), e.select(steep, b.re, b.im)
    p, q = e.select(steep, a.im, a.re), e.select(steep, a.re, a.im)
    ratio = e.fdiv(small, large)
    scale = e.fdiv(e.const(a.kind, 1.0), e.fadd(large, e.fmul(small, ratio)))
    turned = e.fmul(p, ratio)
    im = e.select(steep, e.fsub(turned, q), e.fsub(q, turned))
    quotient = ComplexValue(e.fmul(e.fadd(p, e.fmul(q, ratio)), scale), e.fmul(im, scale))
    divisor = e.fabs(b.re)
    by_zero = e.and_(e.fcmp("oeq", b.re, e.const(b.kind, 0.0)), e.fcmp("oeq", b.im, e.const(b.kind, 0.0)))
    return choose(e, by_zero, a.map(lambda x: e.fdiv(x, divisor)), quotient)


def _sign(e, d, z):
    """z / |z|: 0 at 0, a unit along the axis for one infinite part, NaN for two."""
    zero, infinity = e.const(z.kind, 0.0), e.const(z.kind, np.inf)
    length = FUNCTIONS["hypot"](e, z.re, z.im)
    far = e.fcmp("oeq", length, infinity)

    def part(x):
        endless = e.fcmp("oeq", e.fabs(x), infinity)
        along = e.select(far, e.select(endless, e.copysign(e.const(x.kind, 1.0), x), zero), e.fdiv(x, length))
        return e.select(e.fcmp("oeq", length, zero), zero, along)

    two = e.and_(e.fcmp("oeq", e.fabs(z.re), infinity), e.fcmp("oeq", e.fabs(z.im), infinity))
    lost = e.or_(two, e.fcmp("uno", length, length))
    nan = e.const(z.kind, np.nan)
    return choose(e, lost, ComplexValue(nan, nan), z.map(part))


def _power(e, d, a, b):
    return ComplexValue(*COMPLEX_FUNCTIONS["pow"](e, a, b))


# -- comparisons: of the real parts, and where these are equal of the imaginary ones
def _order(predicate: str, equal_predicate: str):
    def compare(e, d, a, b):
        first = e.and_(e.fcmp(predicate, a.re, b.re), e.fcmp("ord", a.im, b.im))
        return e.or_(first, e.and_(e.fcmp("oeq", a.re, b.re), e.fcmp(equal_predicate, a.im, b.im)))

    return compare


_at_least, _at_most = _order("ogt", "oge"), _order("olt", "ole")


def is_true(e: Emitter, z: ComplexValue) -> Value:
    """Whether a value is not zero."""
    zero = e.const(z.kind, 0.0)
    return e.or_(e.fcmp("une", z.re, zero), e.fcmp("une", z.im, zero))


def is_nan(e: Emitter, z: ComplexValue) -> Value:
    return e.fcmp("uno", z.re, z.im)


def _extremum(first_wins, passes_nan: bool):
    """The first of two equal; NaN wins, or loses."""

    def extremum(e, d, a, b):
        return choose(e, e.or_(first_wins(e, d, a, b), is_nan(e, a if passes_nan else b)), a, b)

    return extremum


def _any_part(test: str, value: float):
    return lambda e, d, z: e.or_(*[e.fcmp(test, e.fabs(x), e.const(x.kind, value)) for x in z])


# name -> (emitter, dtype of the arguments, *values) -> value
COMPLEX: dict[str, Callable] = {
    "negative": lambda e, d, z: z.map(e.fneg),
    "conjugate": lambda e, d, z: ComplexValue(z.re, e.fneg(z.im)),
    "real": lambda e, d, z: z.re,
    "imag": lambda e, d, z: z.im,
    "absolute": lambda e, d, z: FUNCTIONS["hypot"](e, z.re, z.im),
    "rint": lambda e, d, z: z.map(e.rint),
    "sign": _sign,
    "add": lambda e, d, a, b: ComplexValue(e.fadd(a.re, b.re), e.fadd(a.im, b.im)),
    "subtract": lambda e, d, a, b: ComplexValue(e.fsub(a.re, b.re), e.fsub(a.im, b.im)),
    "multiply": _multiply,
    "square": lambda e, d, z: _multiply(e, d, z, z),
    "divide": _divide,
    "power": _power,
    "equal": lambda e, d, a, b: e.and_(e.fcmp("oeq", a.re, b.re), e.fcmp("oeq", a.im, b.im)),
    "not_equal": lambda e, d, a, b: e.or_(e.fcmp("une", a.re, b.re), e.fcmp("une", a.im, b.im)),
    "less": _order("olt", "olt"),
    "less_equal": _at_most,
    "greater": _order("ogt", "ogt"),
    "greater_equal": _at_least,
    "maximum": _extremum(_at_least, True),
    "minimum": _extremum(_at_most, True),
    "fmax": _extremum(_at_least, False),
    "fmin": _extremum(_at_most, False),
    "logical_and": lambda e, d, a, b: e.and_(is_true(e, a), is_true(e, b)),
    "logical_or": lambda e, d, a, b: e.or_(is_true(e, a), is_true(e, b)),
    "logical_xor": lambda e, d, a, b: e.xor(is_true(e, a), is_true(e, b)),
    "logical_not": lambda e, d, z: e.not_(is_true(e, z)),
    "isnan": lambda e, d, z: is_nan(e, z),
    "isinf": _any_part("oeq", np.inf),
    "isfinite": lambda e, d, z: e.and_(*[e.fcmp("olt", e.fabs(x), e.const(x.kind, np.inf)) for x in z]),
}


def _elementary(function: Callable) -> Callable:
    return lambda e, d, *args: ComplexValue(*function(e, *args))


COMPLEX |= {name: _elementary(function) for name, function in COMPLEX_FUNCTIONS.items() if name != "pow"}


def across_lanes(e: Emitter, combine: str, z: ComplexValue) -> ComplexValue:
    """All lanes combined into one by the named function, pairwise by halves."""
    lanes = z.lanes
    while lanes > 1:
        lanes //= 2
        low, high = (ComplexValue(e.part(z.re, start, lanes), e.part(z.im, start, lanes)) for start in (0, lanes))
        z = COMPLEX[combine](Emitter(e.function, lanes), None, low, high)
    return z
