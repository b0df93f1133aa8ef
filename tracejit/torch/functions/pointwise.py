"""Functions of each element by itself. A line of a table is a whole function."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ... import ops as _ops  # noqa: F401  (fills the table of operations)
from ...ops import elementwise
from .. import dtypes
from ..dispatch import Primitive, function
from ..tensor import Tensor
from .keywords import written_out
from .operands import cast, require_tensor


# -- of one tensor
def _unary(name: str, node: str, fn: Callable, floating: bool = True, inplace: bool = True, aliases: tuple[str, ...] = (), rule=None) -> Callable:
    def impl(x, dtype=None):
        return fn(cast(x, dtype))

    primitive = Primitive(node, impl, rule=rule, ufunc=fn if isinstance(fn, np.ufunc) else None)

    def of_tensor(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if not isinstance(input, Tensor):
            require_tensor(input, name)
        try:
            if floating and input._data.dtype.kind not in "fc":
                made = primitive(input, dtype=dtypes.get_default_dtype().numpy)
            else:
                made = primitive.of_one(input)
        except TypeError as error:
            raise _undefined(name, input, error) from None
        return made if out is None else written_out(made, out, name)

    of_tensor.__name__ = of_tensor.__qualname__ = name
    of_tensor.__doc__ = f"As `torch.{name}`, of each element."
    return function(name, *aliases, inplace=inplace)(of_tensor)


def _undefined(name: str, input: Tensor, error: TypeError) -> Exception:
    """What to raise where NumPy has no function for the dtype."""
    if name == "neg" and input._data.dtype.kind == "b":
        return RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` "
            "operator instead."
        )
    if name == "bitwise_not":
        return TypeError(f"~ (operator.invert) is only implemented on integer and Boolean-type tensors, got {input.dtype}")
    return error


def _unchanged(x):
    if x.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported: convert it first, x.int()")
    return x + 0


def _frac(x):
    return x - np.trunc(x)


def _sgn(x):
    if x.dtype.kind == "b":
        return np.logical_or(x, False)
    return np.where(x == x, np.sign(x), x.dtype.type(0)) if x.dtype.kind in "fc" else np.sign(x)


def _of_reals(name: str, fn: Callable, kinds: str = "biuf") -> Callable:
    """A function that is not defined for complex numbers, or for more."""

    def of_reals(x):
        if x.dtype.kind not in kinds:
            raise NotImplementedError(f"{name} is not defined for tensors of dtype {dtypes.of(x.dtype)}: convert them, or use .real, .imag or .abs()")
        return fn(x)

    return of_reals


def _whole(name: str, ufunc: np.ufunc) -> Callable:
    return _of_reals(name, lambda x: ufunc(x) if x.dtype.kind == "f" else x + 0, "iuf")


def _rsqrt(x):
    return 1 / np.sqrt(x)


def _angle(x):
    return np.angle(x) if x.dtype.kind == "c" else np.where(np.isnan(x), x, np.where(x < 0, x.dtype.type(math.pi), x.dtype.type(0)))


def _special(name: str) -> Callable:
    def fn(x):
        from scipy import special

        made = getattr(special, name)(x)
        return made.astype(x.dtype) if made.dtype != x.dtype and x.dtype.kind == "f" else made  # SciPy has no half precision

    return fn


def _sigmoid_slope(xs, y, ts, dtype=None):
    """Rounded as torch rounds it."""
    return cast(ts[0], dtype) * (1 - y) * y


def _rsqrt_slope(xs, y, ts, dtype=None):
    return cast(ts[0], dtype) * (-0.5 * y * y * y)


def _reciprocal_slope(xs, y, ts, dtype=None):
    return cast(ts[0], dtype) * (-(y * y))


sin = _unary("sin", "Sin", np.sin)
cos = _unary("cos", "Cos", np.cos)
tan = _unary("tan", "Tan", np.tan)
asin = _unary("asin", "Asin", np.arcsin, aliases=("arcsin",))
acos = _unary("acos", "Acos", np.arccos, aliases=("arccos",))
atan = _unary("atan", "Atan", np.arctan, aliases=("arctan",))
sinh = _unary("sinh", "Sinh", np.sinh)
cosh = _unary("cosh", "Cosh", np.cosh)
tanh = _unary("tanh", "Tanh", np.tanh)
asinh = _unary("asinh", "Asinh", np.arcsinh, aliases=("arcsinh",))
acosh = _unary("acosh", "Acosh", np.arccosh, aliases=("arccosh",))
atanh = _unary("atanh", "Atanh", np.arctanh, aliases=("arctanh",))
exp = _unary("exp", "Exp", np.exp)
exp2 = _unary("exp2", "Exp2", np.exp2)
expm1 = _unary("expm1", "Expm1", np.expm1)
log = _unary("log", "Log", np.log)
log2 = _unary("log2", "Log2", np.log2)
log10 = _unary("log10", "Log10", np.log10)
log1p = _unary("log1p", "Log1P", np.log1p)
sqrt = _unary("sqrt", "Sqrt", np.sqrt)
rsqrt = _unary("rsqrt", "Rsqrt", _rsqrt, rule=_rsqrt_slope)
reciprocal = _unary("reciprocal", "Reciprocal", lambda x: 1 / x, rule=_reciprocal_slope)
sigmoid = _unary("sigmoid", "Sigmoid", lambda x: elementwise.logistic(x) if x.dtype.kind == "f" else 1 / (1 + np.exp(-x)), rule=_sigmoid_slope)
erf = _unary("erf", "Erf", _of_reals("erf", elementwise.erf))
erfc = _unary("erfc", "Erfc", _of_reals("erfc", elementwise.erfc))
erfinv = _unary("erfinv", "Erfinv", _special("erfinv"))
lgamma = _unary("lgamma", "Lgamma", _special("gammaln"))
digamma = _unary("digamma", "Digamma", _special("psi"))
i0 = _unary("i0", "I0", np.i0)
sinc = _unary("sinc", "Sinc", np.sinc)
neg = _unary("neg", "Neg", np.negative, floating=False, aliases=("negative",))
abs = _unary("abs", "Abs", np.absolute, floating=False, aliases=("absolute",))
sign = _unary("sign", "Sign", _of_reals("sign", _sgn), floating=False)
sgn = _unary("sgn", "Sgn", _sgn, floating=False)
square = _unary("square", "PowBackward0", lambda x: np.square(x.astype(np.int64) if x.dtype.kind == "b" else x), floating=False)
floor = _unary("floor", "Floor", _whole("floor", np.floor), floating=False)
ceil = _unary("ceil", "Ceil", _whole("ceil", np.ceil), floating=False)
trunc = _unary("trunc", "Trunc", _whole("trunc", np.trunc), floating=False, aliases=("fix",))
frac = _unary("frac", "Frac", _of_reals("frac", _frac, "f"), floating=False)
deg2rad = _unary("deg2rad", "Deg2Rad", lambda x: x * (math.pi / 180))
rad2deg = _unary("rad2deg", "Rad2Deg", lambda x: x * (180 / math.pi))
angle = _unary("angle", "Angle", _angle, inplace=False)
bitwise_not = _unary("bitwise_not", "BitwiseNot", np.invert, floating=False)
logical_not = _unary("logical_not", "LogicalNot", np.logical_not, floating=False)
isnan = _unary("isnan", "Isnan", np.isnan, floating=False, inplace=False)
isinf = _unary("isinf", "Isinf", np.isinf, floating=False, inplace=False)
isfinite = _unary("isfinite", "Isfinite", np.isfinite, floating=False, inplace=False)
isposinf = _unary("isposinf", "Isposinf", np.isposinf, floating=False, inplace=False)
isneginf = _unary("isneginf", "Isneginf", np.isneginf, floating=False, inplace=False)
signbit = _unary("signbit", "Signbit", np.signbit, floating=False, inplace=False)
_conj = _unary("conj", "Conj", lambda x: np.conjugate(x) if x.dtype.kind == "c" else x, floating=False, inplace=False, aliases=("conj_physical",))
positive = _unary("positive", "Alias", _unchanged, floating=False, inplace=False)

_round = Primitive("Round", lambda x, decimals: np.round(x, decimals) if x.dtype.kind == "f" else x + 0)


@function("round", inplace=True)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """Round half to even, to `decimals` digits. Raises `NotImplementedError` for complex numbers and booleans, and for digits of integers."""
    kind = input._data.dtype.kind
    if kind in "cb" or kind in "iu" and decimals:
        raise NotImplementedError(f'"round_cpu" not implemented for \'{input.dtype.legacy}\'{" with decimals" if decimals else ""}: convert it first')
    return _round(input, decimals=decimals)


@function("resolve_conj", "resolve_neg")
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugates are computed at once."""
    return input


_real = Primitive("Real", np.real, view=True)
_imag = Primitive("Imag", np.imag, view=True)


@function("real")
def real(input: Tensor) -> Tensor:
    """The real part, in the memory of a complex tensor."""
    return _real(input) if input._data.dtype.kind == "c" else input


@function("imag")
def imag(input: Tensor) -> Tensor:
    """The imaginary part, in the memory of a complex tensor. Raises `RuntimeError` for a real one."""
    if input._data.dtype.kind != "c":
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return _imag(input)


def _of_parts(x, y):
    unit = np.complex128(1j) if x.dtype == np.float64 else np.complex64(1j)
    if type(x) is not np.ndarray or type(y) is not np.ndarray:
        return x + y * unit
    made = np.empty(np.broadcast_shapes(x.shape, y.shape), unit.dtype)  # a product with 1j would make NaN of infinities
    made.real, made.imag = x, y
    return made


_complex = Primitive("Complex", _of_parts)


@function("complex", method=False)
def complex_(real: Tensor, imag: Tensor) -> Tensor:
    """The complex tensor of two real ones, of one floating dtype."""
    if real._data.dtype.kind != "f" or imag._data.dtype != real._data.dtype:
        raise RuntimeError(f"Expected both inputs to be Half, Float or Double tensors of one dtype but got {real.dtype} and {imag.dtype}")
    return _complex(real, imag)


_nan_to_num = Primitive("NanToNum", lambda x, nan, posinf, neginf: np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf))


@function("nan_to_num", inplace=True)
def nan_to_num(input: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """Replace NaN and infinities."""
    return _nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)


_logit = Primitive("Logit", lambda x, eps, dtype=None: _log_odds(_clipped(cast(x, dtype), eps)))


def _log_odds(x):
    return np.log(x / (1 - x))


def _clipped(x, eps):
    return x if eps is None else np.clip(x, eps, 1 - eps)


@function("logit", inplace=True)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), of x between eps and 1 - eps."""
    if input._data.dtype.kind not in "fc":
        return _logit(input, eps=eps, dtype=dtypes.get_default_dtype().numpy)
    return _logit(input, eps=eps)


Tensor.__neg__, Tensor.__abs__, Tensor.__invert__, Tensor.__pos__ = neg, abs, bitwise_not, positive
Tensor.real = property(real, doc=real.__doc__)
Tensor.imag = property(imag, doc=imag.__doc__)
