"""Comparisons, logic, `where`, `clamp`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...trace import Tracer
from .. import dtypes
from ..dispatch import FUNCTIONS, Primitive, function, into_first
from ..tensor import Tensor
from .arithmetic import _mismatch, _operator_of
from .operands import cast, common, operand, require_ordered, tensor_of


def _comparison(ufunc: np.ufunc, *names: str) -> Callable:
    def impl(x, y, dtype=None):
        return ufunc(x, y) if dtype is None else ufunc(cast(x, dtype), cast(y, dtype))

    primitive = Primitive(names[0].capitalize(), impl, ufunc=ufunc)
    ordered = names[0] in ("lt", "le", "gt", "ge")

    def compare(input: Tensor, other: Any) -> Tensor:
        other = operand(other, names[0])
        if ordered:
            require_ordered(input, names[0])
            require_ordered(other, names[0])
        dtype = common(input, other)
        try:
            return primitive(_plain(input), _plain(other)) if dtype is None else primitive(_plain(input), _plain(other), dtype=dtype)
        except ValueError as error:
            raise _mismatch(input, other, error) from None

    compare.__name__ = compare.__qualname__ = names[0]
    compare.__doc__ = f"As `torch.{names[0]}`: a tensor of booleans."
    compare.primitive = primitive
    return function(*names)(compare)


def _plain(x: Any) -> Any:
    """A tensor without history: no derivative goes through a comparison."""
    return x.detach() if isinstance(x, Tensor) and x._requires else x


eq = _comparison(np.equal, "eq")
ne = _comparison(np.not_equal, "ne", "not_equal")
lt = _comparison(np.less, "lt", "less")
le = _comparison(np.less_equal, "le", "less_equal")
gt = _comparison(np.greater, "gt", "greater")
ge = _comparison(np.greater_equal, "ge", "greater_equal")
logical_and = _comparison(np.logical_and, "logical_and")
logical_or = _comparison(np.logical_or, "logical_or")
logical_xor = _comparison(np.logical_xor, "logical_xor")


for _name, _f in {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}.items():
    setattr(Tensor, f"__{_name}__", _operator_of(_f, _f.primitive, "biuf"))
Tensor.__hash__ = object.__hash__
for _names, _f in {
    ("eq",): eq, ("ne", "not_equal"): ne, ("lt", "less"): lt, ("le", "less_equal"): le, ("gt", "greater"): gt, ("ge", "greater_equal"): ge,
    ("logical_and",): logical_and, ("logical_or",): logical_or, ("logical_xor",): logical_xor,
}.items():  # fmt: skip
    for _name in _names:
        setattr(Tensor, f"{_name}_", into_first(_f, f"{_name}_"))


@function("equal")
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements."""
    return input._data.shape == other._data.shape and bool(np.all(input._array == other._array))


@function("isclose")
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Where |input - other| <= atol + rtol * |other|."""
    from ..tensor import wrap

    if input._data.dtype != other._data.dtype:
        raise RuntimeError(f"{input.dtype.legacy} did not match {other.dtype.legacy}: convert one, x.to(y.dtype)")
    return wrap(np.isclose(input._array, other._array, rtol=rtol, atol=atol, equal_nan=equal_nan))


@function("allclose")
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close, as `isclose`."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


def _where_impl(c, x, y, dtype=None):
    return np.where(c, cast(x, dtype), cast(y, dtype))


_where = Primitive("Where", _where_impl)


@function("where", method=False)
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """The elements of `input` where the condition holds, else those of `other`; with the condition alone, the places where it holds."""
    if input is None and other is None:
        from .indexing import nonzero

        return nonzero(condition, as_tuple=True)
    if condition._data.dtype.kind != "b" and condition._data.dtype != np.uint8:
        raise RuntimeError(f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}: write x != 0")
    x, y = operand(input, "where"), operand(other, "where")
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        x, y = tensor_of(x), tensor_of(y)
    dtype = common(x, y)
    return _where(condition, x, y) if dtype is None else _where(condition, x, y, dtype=dtype)


Tensor.where = lambda self, condition, other: where(condition, self, other)


def _clamp_impl(x, *bounds, low, high, dtype=None):
    x = cast(x, dtype)
    bounds = [cast(b, dtype) for b in bounds]
    if low:
        x = np.where(_beyond(np.less, x, bounds[0]), bounds[0], x)
    if high:
        x = np.where(_beyond(np.greater, x, bounds[-1]), bounds[-1], x)
    return x


def _beyond(compare, x, bound):
    """Where x is beyond a bound, or the bound is NaN: there the result is too."""
    if isinstance(bound, (np.ndarray, Tracer)):
        return compare(x, bound) | (bound != bound) if bound.dtype.kind == "f" else compare(x, bound)
    return compare(x, bound) if bound == bound else np.ones(x.shape, bool)


_clamp, _clamp_numbers = Primitive("Clamp", _clamp_impl), Primitive("ClampBackward1", _clamp_impl)
_clamp_low, _clamp_low_number = Primitive("ClampMinBackward1", _clamp_impl), Primitive("ClampMin", _clamp_impl)
_clamp_high, _clamp_high_number = Primitive("ClampMaxBackward1", _clamp_impl), Primitive("ClampMax", _clamp_impl)


@function("clamp", "clip", inplace=True)
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """The elements, limited to [min, max]: numbers or tensors. The gradient at a bound is 1."""
    of_tensors = isinstance(min, Tensor) or isinstance(max, Tensor)
    return _limited(_clamp if of_tensors else _clamp_numbers, input, min, max)


def _limited(primitive: Primitive, input: Tensor, min: Any, max: Any) -> Tensor:
    bounds = [operand(b, "clamp") for b in (min, max) if b is not None]
    if not bounds:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    require_ordered(input, "clamp")
    dtype = dtypes.result_dtype([t._data if isinstance(t, Tensor) else t for t in (input, *bounds)])
    dtype = None if dtype == input._data.dtype and not any(isinstance(b, Tensor) and b._data.dtype != dtype for b in bounds) else dtype
    static = {} if dtype is None else {"dtype": dtype}
    return primitive(input, *bounds, low=min is not None, high=max is not None, **static)


@function("clamp_min", inplace=True)
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """The elements, `min` at least."""
    return _limited(_clamp_low if isinstance(min, Tensor) else _clamp_low_number, input, min, None)


@function("clamp_max", inplace=True)
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """The elements, `max` at most."""
    return _limited(_clamp_high if isinstance(max, Tensor) else _clamp_high_number, input, None, max)


_heaviside = Primitive("Heaviside", lambda x, v: np.where(x == 0, v, (x > 0).astype(x.dtype)))


@function("heaviside", inplace=True)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below zero, `values` at zero, 1 above. Raises `RuntimeError` where the dtypes differ."""
    if input._data.dtype != values._data.dtype:
        raise RuntimeError(f"heaviside is not yet implemented for tensors with different dtypes: {input.dtype} and {values.dtype}")
    return _heaviside(input.detach(), values)


@function("isreal")
def isreal(input: Tensor) -> Tensor:
    """Where the imaginary part is zero."""
    from ..tensor import wrap

    return wrap(np.isreal(input._array))


@function("is_floating_point")
def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is floating."""
    return input._data.dtype.kind == "f"


@function("is_complex")
def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex."""
    return input._data.dtype.kind == "c"


@function("is_nonzero")
def is_nonzero(input: Tensor) -> bool:
    """Whether a tensor of one element is not zero."""
    return bool(input)


@function("is_tensor", method=False)
def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor."""
    return isinstance(obj, Tensor)


def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype that an operation on the two, tensors or numbers, has."""
    return dtypes.of(dtypes.result_dtype([x._data if isinstance(x, Tensor) else x for x in (tensor1, tensor2)]))


def promote_types(type1: dtypes.dtype, type2: dtypes.dtype) -> dtypes.dtype:
    """The dtype that tensors of the two dtypes have in common."""
    return dtypes.of(dtypes.promote(type1.numpy, type2.numpy))


def can_cast(from_: dtypes.dtype, to: dtypes.dtype) -> bool:
    """Whether a result of dtype `from_` may be written into a tensor of dtype `to`."""
    return from_.category <= to.category


FUNCTIONS.update(result_type=result_type, promote_types=promote_types, can_cast=can_cast)
