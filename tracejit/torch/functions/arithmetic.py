"""Arithmetic: functions of two tensors or a tensor and a number, by elements, and the operators made of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ...ops.divisor import checked_divisor
from ...trace import Tracer
from .. import dtypes
from ..dispatch import Primitive, function, into_first
from ..tensor import Tensor
from .keywords import written_out
from .operands import cast, common, operand, require_ordered


def _binary(node: str, fn: Callable, rule=None) -> Primitive:
    def impl(x, y, dtype=None):
        return fn(x, y) if dtype is None else fn(cast(x, dtype), cast(y, dtype))

    return Primitive(node, impl, rule=rule, ufunc=fn if isinstance(fn, np.ufunc) else None)


def _operator_of(f: Callable, primitive: Primitive, kinds: str) -> Callable:
    """The operator of a function. Two tensors of one dtype, or a tensor and a Python number that does not change its dtype, need no promotion."""

    def method(self: Tensor, other: Any) -> Any:
        if isinstance(other, Tensor):
            d = self._data.dtype
            plain = d is other._data.dtype and d.kind in kinds
        elif isinstance(other, _OPERANDS):
            plain = self._data.dtype.kind == "f" and (type(other) is float or type(other) is int)
        else:
            return NotImplemented
        if plain:
            try:
                return primitive.of_two(self, other)
            except ValueError as error:
                raise _mismatch(self, other, error) from None
        return f(self, other)

    return method


def _written_operator_of(f: Callable, primitive: Primitive, name: str, kinds: str) -> Callable:
    """The operator that writes into its first operand, quicker where the same holds and nothing is recorded."""
    written = into_first(f, name)

    def method(self: Tensor, other: Any) -> Any:
        if isinstance(other, Tensor):
            d = self._data.dtype
            plain = d is other._data.dtype and d.kind in kinds
        elif isinstance(other, _OPERANDS):
            plain = self._data.dtype.kind == "f" and (type(other) is float or type(other) is int)
        else:
            return NotImplemented
        return self if plain and primitive.into_first(self, other) else written(self, other)

    return method


def _written_method_of(operator: Callable, written: Callable) -> Callable:
    """The method that writes into its first operand: the operator, where there are no options."""

    @functools.wraps(written)
    def method(self: Tensor, other: Any, **options: Any) -> Tensor:
        made = NotImplemented if options else operator(self, other)
        return written(self, other, **options) if made is NotImplemented else made

    return method


def _apply(primitive: Primitive, x: Any, y: Any, name: str, floating: bool = False) -> Tensor:
    if not isinstance(y, Tensor):
        y = operand(y, name)
    if not isinstance(x, Tensor):
        x = operand(x, name)
    dtype = common(x, y, floating)
    try:
        return primitive(x, y) if dtype is None else primitive(x, y, dtype=dtype)
    except OverflowError:  # a number beside smaller integers wraps round, as they do
        d = dtype or (x if isinstance(x, Tensor) else y)._data.dtype
        return primitive(*[t if isinstance(t, Tensor) else _wrapped(t, d) for t in (x, y)], **({} if dtype is None else {"dtype": dtype}))
    except ValueError as error:
        raise _mismatch(x, y, error) from None
    except TypeError as error:
        if "ufunc" not in str(error):
            raise
        kind = dtypes.of(dtype if dtype is not None else (x if isinstance(x, Tensor) else y)._data.dtype)
        raise NotImplementedError(f'"{name}" not implemented for \'{kind.legacy}\': convert the tensors first, x.long()') from None


def _wrapped(x: int, dtype: np.dtype) -> np.ndarray:
    return np.asarray(x % (1 << 64), np.uint64).astype(dtype)


def _mismatch(x: Any, y: Any, error: ValueError) -> Exception:
    """torch's error for shapes that do not broadcast."""
    a, b = [t._data.shape if isinstance(t, Tensor) else () for t in (x, y)]
    for back in range(1, min(len(a), len(b)) + 1):
        if a[-back] != b[-back] and 1 not in (a[-back], b[-back]):
            place = max(len(a), len(b)) - back
            return RuntimeError(
                f"The size of tensor a ({a[-back]}) must match the size of tensor b ({b[-back]}) at non-singleton dimension {place}: "
                f"shapes {list(a)} and {list(b)}"
            )
    return error


_add, _sub, _mul, _div = (_binary(n, f) for n, f in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Div", np.true_divide)))
_rsub = _binary("RsubBackward1", lambda x, y: np.subtract(y, x))


def _scaled(other: Any, alpha: Any, input: Any) -> Any:
    """alpha * other. Raises `RuntimeError` for a fraction beside integers."""
    if type(alpha) is int and alpha == 1:
        return other
    if isinstance(alpha, float) and not any((t._data.dtype.kind if isinstance(t, Tensor) else "i") in "fc" for t in (input, other)):
        if not isinstance(other, float):
            raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    return mul(other, alpha) if isinstance(other, Tensor) else other * alpha


@function("add", inplace=True)
def add(input: Tensor, other: Any, *, alpha: Any = 1, out: Tensor | None = None) -> Tensor:
    """input + alpha * other."""
    made = _apply(_add, input, _scaled(other, alpha, input), "add")
    return made if out is None else written_out(made, out, "add")


@function("sub", "subtract", inplace=True)
def sub(input: Tensor, other: Any, *, alpha: Any = 1, out: Tensor | None = None) -> Tensor:
    """input - alpha * other. Raises `RuntimeError` for booleans."""
    if isinstance(input, Tensor) and input._data.dtype.kind == "b" and (not isinstance(other, Tensor) or other._data.dtype.kind == "b"):
        raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not supported. Use the `~` or `logical_not()` operator instead.")
    made = _apply(_sub, input, _scaled(other, alpha, input), "sub")
    return made if out is None else written_out(made, out, "sub")


@function("rsub")
def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """other - alpha * input."""
    if input._data.dtype.kind == "b" and not (isinstance(other, Tensor) and other._data.dtype.kind != "b"):
        raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not supported. Use the `~` or `logical_not()` operator instead.")
    return _apply(_rsub, input if type(alpha) is int and alpha == 1 else mul(input, alpha), other, "rsub")


@function("mul", "multiply", inplace=True)
def mul(input: Tensor, other: Any, *, out: Tensor | None = None) -> Tensor:
    """input * other."""
    made = _apply(_mul, input, other, "mul")
    return made if out is None else written_out(made, out, "mul")


_div_trunc = _binary("DivBackward2", lambda x, y: np.trunc(x / y) if x.dtype.kind == "f" else np.sign(x) * np.sign(y) * (np.abs(x) // np.abs(y)))
_floor_divide = _binary("FloorDivide", np.floor_divide)


@function("div", "divide", "true_divide", inplace=True)
def div(input: Tensor, other: Any, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """input / other; with `rounding_mode` "trunc" or "floor", rounded to whole numbers."""
    if rounding_mode is None:
        made = _apply(_div, input, other, "div", floating=True)
    elif rounding_mode == "floor":
        made = floor_divide(input, other)
    elif rounding_mode == "trunc":
        other = _refuse_zero(input, other)
        made = _apply(_div_trunc, *[t if isinstance(t, Tensor) else _as_operand(t) for t in (input, other)], "div")
    else:
        raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")
    return made if out is None else written_out(made, out, "div")


def _as_operand(x: Any) -> Any:
    """A number as a 0-d tensor, for functions that ask for the dtypes of both operands."""
    from .operands import tensor_of

    return tensor_of(x)


@function("floor_divide", inplace=True)
def floor_divide(input: Tensor, other: Any) -> Tensor:
    """The floor of input / other. Raises `RuntimeError` for a division of integers by zero."""
    other = _refuse_zero(input, other)
    return _apply(_floor_divide, input, other, "floor_divide")


_nonzero_divisor = Primitive("Clone", checked_divisor)


def _refuse_zero(x: Any, y: Any) -> Any:
    """The divisor y. Integers have no infinity to give for a division by zero: it raises `RuntimeError`, in a program when that runs."""
    arrays = [t._array if isinstance(t, Tensor) else t for t in (x, y)]
    if any((t.dtype.kind if hasattr(t, "dtype") else "f" if isinstance(t, float) else "i") in "fc" for t in arrays):
        return y
    divisor = arrays[1]
    if type(divisor) is Tracer:
        return y if divisor.dtype.kind == "b" else _nonzero_divisor(y) if isinstance(y, Tensor) else checked_divisor(y)
    if (type(divisor) is np.ndarray or not isinstance(y, Tensor)) and not np.all(divisor):
        raise RuntimeError("ZeroDivisionError: integers are divided by zero. Convert them first, x.float(), for infinities and NaN")
    return y


_remainder = _binary("RemainderBackward1", np.remainder)
_fmod = _binary("FmodBackward1", np.fmod)
_atan2 = _binary("Atan2", np.arctan2)
_hypot = _binary("Hypot", np.hypot)


def _log_of_sum(x, y):
    if x.dtype.kind != "c":
        return np.logaddexp(x, y)
    x_first = np.real(x) >= np.real(y)
    large, small = np.where(x_first, x, y), np.where(x_first, y, x)
    return large + np.log(1 + np.exp(small - large))


_logaddexp = _binary("Logaddexp", _log_of_sum)
_logaddexp2 = _binary("Logaddexp2", np.logaddexp2)
_maximum = _binary("Maximum", np.maximum)
_minimum = _binary("Minimum", np.minimum)


def _chosen_slope(first: Callable) -> Callable:
    """The derivative of a choice between two: of equal ones the first counts, and NaN does not."""

    def slope(xs, y, ts, dtype=None):
        x, other = (cast(v, dtype) for v in xs)
        from_x = first(x, other) | (other != other)
        tx, ty = (None if t is None else cast(t, dtype) for t in ts)
        nothing = y.dtype.type(0)
        moved = None if tx is None else np.where(from_x, tx, nothing)
        return moved if ty is None else np.where(from_x, nothing, ty) if moved is None else moved + np.where(from_x, nothing, ty)

    return slope


_fmax = _binary("Fmax", np.fmax, rule=_chosen_slope(np.greater_equal))
_fmin = _binary("Fmin", np.fmin, rule=_chosen_slope(np.less_equal))
_copysign = _binary("Copysign", np.copysign)
_xlogy = _binary("Xlogy", lambda x, y: np.where(x == 0, np.where(np.isnan(y), y, 0 * x), x * np.log(np.where(x == 0, 1 + 0 * y, y))))
_nextafter = _binary("Nextafter", np.nextafter)
_ldexp = _binary("Ldexp", lambda x, y: x * np.exp2(y if hasattr(y, "dtype") else x.dtype.type(y)))


_ORDERED = ("maximum", "minimum", "fmax", "fmin", "remainder", "fmod")


def _two(
    primitive: Primitive, *names: str, floating: bool = False, inplace: bool = True, divides: bool = False, of_floats: bool = False
) -> Callable:
    name = names[0]

    def of_two(input: Tensor, other: Any, *, out: Tensor | None = None) -> Tensor:
        if name in _ORDERED:
            require_ordered(input, name)
            require_ordered(other, name)
        if divides:
            other = _refuse_zero(input, other)
        if of_floats:
            for t in (input, other):
                if isinstance(t, Tensor) and t._data.dtype.kind not in "fc":
                    raise NotImplementedError(f'"{name}_cpu" not implemented for \'{t.dtype.legacy}\': convert the tensors first, x.float()')
        made = _apply(primitive, input, other, name, floating)
        return made if out is None else written_out(made, out, name)

    of_two.__name__ = of_two.__qualname__ = name
    of_two.__doc__ = f"As `torch.{name}`, elementwise with broadcasting."
    return function(*names, inplace=inplace)(of_two)


remainder = _two(_remainder, "remainder", divides=True)
fmod = _two(_fmod, "fmod", divides=True)
atan2 = _two(_atan2, "atan2", "arctan2", floating=True)
hypot = _two(_hypot, "hypot", of_floats=True)
logaddexp = _two(_logaddexp, "logaddexp", inplace=False, of_floats=True)
logaddexp2 = _two(_logaddexp2, "logaddexp2", inplace=False, of_floats=True)
maximum = _two(_maximum, "maximum", inplace=False)
minimum = _two(_minimum, "minimum", inplace=False)
fmax = _two(_fmax, "fmax", inplace=False)
fmin = _two(_fmin, "fmin", inplace=False)
copysign = _two(_copysign, "copysign", floating=True)
xlogy = _two(_xlogy, "xlogy", floating=True)
nextafter = _two(_nextafter, "nextafter", of_floats=True)
ldexp = _two(_ldexp, "ldexp", floating=True)
bitwise_and = _two(_binary("BitwiseAnd", np.bitwise_and), "bitwise_and")
bitwise_or = _two(_binary("BitwiseOr", np.bitwise_or), "bitwise_or")
bitwise_xor = _two(_binary("BitwiseXor", np.bitwise_xor), "bitwise_xor")
bitwise_left_shift = _two(_binary("LeftShift", np.left_shift), "bitwise_left_shift")
bitwise_right_shift = _two(_binary("RightShift", np.right_shift), "bitwise_right_shift")
gcd = _two(_binary("Gcd", np.gcd), "gcd")
lcm = _two(_binary("Lcm", np.lcm), "lcm")

def _power(x, exponent, dtype=None):
    x = cast(x, dtype)
    if type(x) is np.ndarray and x.dtype.kind in "iufc":  # torch's cases: products take 1 us for 2000 numbers, np.power 40
        if exponent == 2:
            return np.square(x)
        if exponent == 3:
            return x * x * x
    return np.power(x, exponent)


_pow_number = Primitive("Pow", _power)


def _power_of_number(y, base, dtype=None):
    y = cast(y, dtype)
    return _power_of_two(y.dtype.type(base) if y.dtype.kind == "i" else base, y)


_pow_of_number = Primitive("PowBackward2", _power_of_number)


def _power_of_two(x, y):
    if getattr(x, "dtype", y.dtype if hasattr(y, "dtype") else None).kind != "i":  # one of them may be a number
        return np.power(x, y)
    whole = np.power(x, np.maximum(y, 0))  # reciprocals of integers are cut off: that of 1 is 1, and of -1 is -1
    return np.where(y >= 0, whole, np.where(np.abs(x) == 1, np.where(y % 2 == 0, x * x, x), x - x))


_pow = _binary("PowBackward1", _power_of_two)


@function("pow", inplace=True)
def pow(input: Any, exponent: Any, *, out: Tensor | None = None) -> Tensor:
    """input ** exponent. Raises `RuntimeError` for integers to negative powers."""
    exponent = operand(exponent, "pow")
    if not isinstance(input, Tensor) and isinstance(exponent, Tensor) and isinstance(input, (bool, int, float, complex)):
        made = _pow_of_number(exponent, base=input, dtype=common(input, exponent))
    elif isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        if input._data.dtype.kind in "iub" and isinstance(exponent, int) and exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        made = _pow_number(input, exponent=exponent, dtype=common(input, exponent))
    else:
        made = _apply(_pow, input, exponent, "pow")
    return made if out is None else written_out(made, out, "pow")


@function("float_power", inplace=True)
def float_power(input: Any, exponent: Any) -> Tensor:
    """input ** exponent in double precision."""
    x, y = [t if isinstance(t, Tensor) else operand(t, "float_power") for t in (input, exponent)]
    complex_ = any((t._data.dtype.kind == "c") if isinstance(t, Tensor) else isinstance(t, complex) for t in (x, y))
    d = dtypes.complex128 if complex_ else dtypes.float64
    return pow(*[t.to(d) if isinstance(t, Tensor) else t if isinstance(t, complex) else float(t) for t in (x, y)])


_addcmul = Primitive("Addcmul", lambda x, a, b, value, dtype=None: cast(x, dtype) + value * cast(a, dtype) * cast(b, dtype))
_addcdiv = Primitive("Addcdiv", lambda x, a, b, value, dtype=None: cast(x, dtype) + value * (cast(a, dtype) / cast(b, dtype)))
_lerp = Primitive("Lerp", lambda x, y, w: x + w * (y - x))


def _combined(primitive: Primitive, input: Tensor, a: Tensor, b: Tensor, value: Any) -> Tensor:
    """A function of three tensors and a number, in the dtype that the tensors have in common."""
    dtype = dtypes.result_dtype([t._data for t in (input, a, b)])
    if isinstance(value, float) and dtype.kind in "iu":
        value = int(value)
    static = {} if all(t._data.dtype == dtype for t in (input, a, b)) else {"dtype": dtype}
    return primitive(input, a, b, value, **static)


@function("addcmul", inplace=True)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""
    return _combined(_addcmul, input, tensor1, tensor2, value)


@function("addcdiv", inplace=True)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value * tensor1 / tensor2. Raises `RuntimeError` for a division of integers."""
    if all(t._data.dtype.kind in "biu" for t in (tensor1, tensor2)):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported: write (input + value * torch.trunc(tensor1 / tensor2)).to(input.dtype), or "
            "convert the tensors to a floating dtype"
        )
    return _combined(_addcdiv, input, tensor1, tensor2, value)


@function("lerp", inplace=True)
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight * (end - input). Raises `RuntimeError` where the dtypes differ."""
    for name, t in (("end", end), ("weight", weight)):
        if isinstance(t, Tensor) and t._data.dtype != input._data.dtype:
            raise RuntimeError(f"expected dtype {input.dtype} for `{name}` but got dtype {t.dtype}: convert one, x.to(y.dtype)")
    return _lerp(input, end, weight)


# -- operators
def _operator(f: Callable) -> Callable:
    def method(self: Tensor, other: Any) -> Any:
        return f(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    return method


def _reflected(f: Callable) -> Callable:
    def method(self: Tensor, other: Any) -> Any:
        return f(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    return method


def _written(f: Callable, name: str) -> Callable:
    written = into_first(f, name)

    def method(self: Tensor, other: Any) -> Any:
        return written(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    return method


_OPERANDS = (Tensor, bool, int, float, complex, np.ndarray, np.generic, Tracer)


def _reflected_div(self: Tensor, other: Any) -> Any:
    """other / self as torch rounds it: the reciprocal, times a number."""
    if not isinstance(other, _OPERANDS):
        return NotImplemented
    return self.reciprocal() * other if isinstance(other, (bool, int, float, complex)) else div(other, self)


def _reflected_sub(self: Tensor, other: Any) -> Any:
    return rsub(self, other) if isinstance(other, _OPERANDS) else NotImplemented


_OPERATORS = {
    "add": add, "sub": sub, "mul": mul, "truediv": div, "floordiv": floor_divide, "mod": remainder, "pow": pow, "and": bitwise_and, "or": bitwise_or,
    "xor": bitwise_xor, "lshift": bitwise_left_shift, "rshift": bitwise_right_shift,
}  # fmt: skip
for _name, _f in _OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _operator(_f))
    setattr(Tensor, f"__r{_name}__", _reflected(_f))
    setattr(Tensor, f"__i{_name}__", _written(_f, f"__i{_name}__"))
for _name, _f, _primitive in (("add", add, _add), ("sub", sub, _sub), ("mul", mul, _mul), ("truediv", div, _div)):
    _kinds = "fc" if _name == "truediv" else "iufc"
    setattr(Tensor, f"__{_name}__", _operator_of(_f, _primitive, _kinds))
    _written_operator = _written_operator_of(_f, _primitive, f"__i{_name}__", _kinds)
    setattr(Tensor, f"__i{_name}__", _written_operator)
    setattr(Tensor, f"{_f.__name__}_", _written_method_of(_written_operator, getattr(Tensor, f"{_f.__name__}_")))
    if _name in ("add", "mul"):
        setattr(Tensor, f"__r{_name}__", getattr(Tensor, f"__{_name}__"))
Tensor.__rsub__ = _reflected_sub
Tensor.__rtruediv__ = Tensor.__rdiv__ = _reflected_div
