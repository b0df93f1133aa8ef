"""Arrays made from other arrays, or from nested lists that hold traced values."""
from __future__ import annotations

import builtins
import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ops import movement
from ..trace import Tracer
from .constants import filled, positions
from .joining import concatenate
from .promotion import as_array, astype, cast, checked_dtype, common_dtype, holds_tracer, kind_of, operand, promote, strong_dtype
from .register import implements, operator
from .shaping import broadcast_to, expand_dims


def stack_nested(x):
    """A nested list or tuple with traced values, as one array. Raises `ValueError` where it is ragged."""
    leaves: list = []
    shape = _nested_shape(x, leaves)
    if len({leaf.shape for leaf in leaves}) > 1:   # rows beside lists of numbers
        return _stacked(x)
    leaves = promote(*leaves)
    inner = leaves[0].shape
    flat = concatenate([movement.reshape(leaf, shape=(1, *inner)) for leaf in leaves])
    return movement.reshape(flat, shape=shape)


def _stacked(x):
    """The same, one level of nesting after the other."""
    if not isinstance(x, (list, tuple)):
        return as_array(x)
    parts = promote(*map(_stacked, x))
    return concatenate([movement.reshape(part, shape=(1, *part.shape)) for part in parts])


def _nested_shape(x, leaves: list) -> tuple[int, ...]:
    if not isinstance(x, (list, tuple)):
        leaves.append(as_array(x))
        return leaves[-1].shape
    shapes = {_nested_shape(item, leaves) for item in x}
    if len(shapes) > 1:
        raise ValueError(at_user_line(f"setting an array element with a sequence. The parts have the different shapes {sorted(shapes)}"))
    return (len(x), *(shapes.pop() if shapes else ()))


def array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, like=None):
    """As `numpy.array`, for nested lists that may hold traced values."""
    if not holds_tracer(object):
        return np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin)
    x = as_array(object)
    x = x if dtype is None else cast(x, checked_dtype(dtype))
    x = np.copy(x) if copy and x is object else x   # what is written into it later must not reach the original
    return movement.reshape(x, shape=(1,) * (ndmin - x.ndim) + x.shape) if x.ndim < ndmin else x


def asarray(a, dtype=None, order=None, *, device=None, copy=None, like=None):
    """As `numpy.asarray`, for nested lists that may hold traced values."""
    if not holds_tracer(a):
        return np.asarray(a, dtype, order, device=device, copy=copy)
    return array(a, dtype, copy=copy)


def from_dlpack(x, /, *, device=None, copy=None):
    """As `numpy.from_dlpack`. Raises `TracerConversionError` for a traced value, which has no memory to share."""
    return x.__dlpack__() if type(x) is Tracer and x.owner.depth else np.from_dlpack(x, device=device, copy=copy)


operator("array")(array)
operator("astype")(astype)
implements(np.astype)(lambda x, dtype, /, *, copy=True, device=None: astype(x, dtype))


# -- like another array
def _like(name: str, value):
    def like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
        x = as_array(a)
        return filled(x, x.shape if shape is None else _shape(shape), value, x.dtype if dtype is None else checked_dtype(dtype))
    like.__name__ = name
    return like


zeros_like = implements(np.zeros_like)(_like("zeros_like", 0))
ones_like = implements(np.ones_like)(_like("ones_like", 1))
empty_like = implements(np.empty_like)(_like("empty_like", 0))


def _shape(shape) -> tuple[int, ...]:
    return tuple(map(python_operator.index, shape)) if np.iterable(shape) else (python_operator.index(shape),)


@implements(np.full_like)
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    """As `numpy.full_like`."""
    x = as_array(a)
    value = astype(fill_value, x.dtype if dtype is None else dtype)
    return broadcast_to(value, x.shape if shape is None else shape)


def full(shape, fill_value, dtype=None, order="C", *, device=None, like=None):
    """As `numpy.full`, with a fill value that may be traced."""
    if not holds_tracer(fill_value):
        return np.full(shape, fill_value, dtype, order, device=device)
    value = as_array(fill_value)
    return broadcast_to(astype(value, value.dtype if dtype is None else dtype), shape)


operator("full")(full)


# -- grids
@implements(np.meshgrid)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    """As `numpy.meshgrid`."""
    if indexing not in ("xy", "ij"):
        raise ValueError(at_user_line("Valid values for `indexing` are 'xy' and 'ij'."))
    n = len(xi)
    arrays = [movement.reshape(x, shape=tuple(x.size if e == d else 1 for e in range(n))) for d, x in enumerate(map(as_array, xi))]
    if indexing == "xy" and n > 1:
        arrays = [movement.transpose(x, permutation=(1, 0, *range(2, n))) for x in arrays]
    if sparse:
        return tuple(arrays)
    shape = np.broadcast_shapes(*[x.shape for x in arrays])
    return tuple(movement.broadcast_to(x, shape=shape) for x in arrays)


@implements(np.linspace)
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    """As `numpy.linspace`, with traced ends."""
    if num < 0:
        raise ValueError(at_user_line(f"Number of samples, {num}, must be non-negative."))
    start, stop = operand(start), operand(stop)
    real = common_dtype(start, stop, 0.0)
    start, stop = cast(as_array(start), real), cast(as_array(stop), real)
    gaps = num - 1 if endpoint else num
    delta = stop - start
    step = delta / gaps if gaps > 0 else np.full((), np.nan)
    lead = (num,) + (1,) * builtins.max(start.ndim, stop.ndim)
    count = positions(delta, lead, 0)
    y = cast(count, real) * (expand_dims(step, 0) if gaps > 0 else 0 * expand_dims(delta, 0)) + expand_dims(start, 0)
    if endpoint and num > 1:   # the last sample is `stop` itself
        from .comparing import where
        y = where(count == num - 1, expand_dims(stop, 0), y)
    if axis != 0:
        from .shaping import moveaxis
        y = moveaxis(y, 0, axis)
    if dtype is not None:
        from .ufuncs import floor
        y = astype(floor(y) if np.dtype(dtype).kind in "iu" else y, dtype)
    return (y, step) if retstep else y


@implements(np.result_type)
def result_type(*arrays_and_dtypes):
    """As `numpy.result_type`."""
    kinds = [kind_of(a) for a in arrays_and_dtypes]
    if None in kinds:
        examples = [a if k is None else np.empty((), strong_dtype(k)) for a, k in zip(arrays_and_dtypes, kinds)]
        return np.result_type(*examples)
    return common_dtype(*arrays_and_dtypes)


@implements(np.can_cast)
def can_cast(from_, to, casting="safe"):
    """As `numpy.can_cast`."""
    return np.can_cast(from_.dtype if type(from_) is Tracer else from_, to.dtype if type(to) is Tracer else to, casting)


@implements(np.iscomplexobj)
def iscomplexobj(x):
    """As `numpy.iscomplexobj`."""
    return as_array(x).dtype.kind == "c"


@implements(np.isrealobj)
def isrealobj(x):
    """As `numpy.isrealobj`."""
    return not iscomplexobj(x)
