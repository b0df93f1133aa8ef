"""Shape and order of axes: nothing here computes, and compiled code moves nothing for most of it."""
from __future__ import annotations

import builtins
import math
import operator as python_operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..errors import at_user_line
from ..ops import movement
from ..trace import Tracer
from .axes import axis_index
from .promotion import as_array
from .register import implements


def _new_shape(shape, size: int) -> tuple[int, ...]:
    """`shape` as a tuple, its one -1 replaced by what `size` leaves."""
    shape = tuple(map(python_operator.index, shape)) if np.iterable(shape) else (python_operator.index(shape),)
    unknown = [d for d, n in enumerate(shape) if n < 0]
    if not unknown:
        return shape
    rest = math.prod(n for n in shape if n >= 0)
    if len(unknown) > 1:
        raise ValueError(at_user_line("can only specify one unknown dimension"))
    if rest == 0 or size % rest:
        raise ValueError(at_user_line(f"cannot reshape array of size {size} into shape {shape}"))
    return tuple(size // rest if n < 0 else n for n in shape)


@implements(np.reshape)
def reshape(a, /, shape=None, order="C", *, newshape=None, copy=None):
    """As `numpy.reshape`, with the orders C and F."""
    x = as_array(a)
    shape = _new_shape(newshape if shape is None else shape, x.size)
    if order == "F" and builtins.max(x.ndim, len(shape)) > 1:
        return transpose(movement.reshape(transpose(x), shape=shape[::-1]))
    if order not in ("C", "F", "A"):
        raise ValueError(at_user_line(f"order must be one of 'C', 'F', 'A', got {order!r}"))
    return movement.reshape(x, shape=shape)


@implements(np.ravel)
def ravel(a, order="C"):
    """As `numpy.ravel`; the order K is C, since memory order does not exist here."""
    x = as_array(a)
    return reshape(x, (x.size,), order="C" if order == "K" else order)


@implements(np.transpose, np.permute_dims)
def transpose(a, axes=None):
    """As `numpy.transpose`."""
    x = as_array(a)
    if axes is None:
        return movement.transpose(x, permutation=tuple(range(x.ndim))[::-1])
    axes = tuple(axes) if np.iterable(axes) else (axes,)
    if len(axes) != x.ndim:
        raise ValueError(at_user_line("axes don't match array"))
    if len({axis_index(a, x.ndim) for a in axes}) != len(axes):
        raise ValueError(at_user_line("repeated axis in transpose"))
    return movement.transpose(x, permutation=tuple(axis_index(a, x.ndim) for a in axes))


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x, /):
    """As `numpy.matrix_transpose`."""
    if np.ndim(x) < 2:
        raise ValueError(at_user_line(f"Input array must be at least 2-dimensional, but it is {np.ndim(x)}"))
    return swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a, axis1, axis2):
    """As `numpy.swapaxes`."""
    x = as_array(a)
    order = list(range(x.ndim))
    i, j = axis_index(axis1, x.ndim), axis_index(axis2, x.ndim)
    order[i], order[j] = j, i
    return movement.transpose(x, permutation=tuple(order))


@implements(np.moveaxis)
def moveaxis(a, source, destination):
    """As `numpy.moveaxis`."""
    x = as_array(a)
    source = normalize_axis_tuple(source, x.ndim, "source")
    destination = normalize_axis_tuple(destination, x.ndim, "destination")
    if len(source) != len(destination):
        raise ValueError(at_user_line("`source` and `destination` arguments must have the same number of elements"))
    order = [d for d in range(x.ndim) if d not in source]
    for to, axis in sorted(zip(destination, source)):
        order.insert(to, axis)
    return movement.transpose(x, permutation=tuple(order))


@implements(np.rollaxis)
def rollaxis(a, axis, start=0):
    """As `numpy.rollaxis`."""
    x = as_array(a)
    axis = axis_index(axis, x.ndim)
    start = axis_index(start, x.ndim + 1)
    order = [d for d in range(x.ndim) if d != axis]
    order.insert(start - (axis < start), axis)
    return movement.transpose(x, permutation=tuple(order))


@implements(np.squeeze)
def squeeze(a, axis=None):
    """As `numpy.squeeze`."""
    x = as_array(a)
    if x.ndim == 0 and axis in (0, -1):
        return x
    gone = [d for d, n in enumerate(x.shape) if n == 1] if axis is None else normalize_axis_tuple(axis, x.ndim)
    if builtins.any(x.shape[d] != 1 for d in gone):
        raise ValueError(at_user_line("cannot select an axis to squeeze out which has size not equal to one"))
    return movement.reshape(x, shape=tuple(n for d, n in enumerate(x.shape) if d not in gone))


@implements(np.expand_dims)
def expand_dims(a, axis):
    """As `numpy.expand_dims`."""
    x = as_array(a)
    axis = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = x.ndim + len(axis)
    new = normalize_axis_tuple(axis, ndim)
    extents = iter(x.shape)
    return movement.reshape(x, shape=tuple(1 if d in new else next(extents) for d in range(ndim)))


@implements(np.broadcast_to)
def broadcast_to(array, shape, subok=False):
    """As `numpy.broadcast_to`."""
    shape = tuple(map(python_operator.index, shape)) if np.iterable(shape) else (python_operator.index(shape),)
    return movement.broadcast_to(as_array(array), shape=shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*args, subok=False):
    """As `numpy.broadcast_arrays`."""
    arrays = [as_array(a) for a in args]
    shape = _common_shape(arrays)
    return tuple(movement.broadcast_to(x, shape=shape) for x in arrays)


def _common_shape(arrays) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*[x.shape for x in arrays])
    except ValueError:
        shapes = ", ".join(str(x.shape) for x in arrays)
        raise ValueError(at_user_line(f"shape mismatch: objects cannot be broadcast to a single shape, got {shapes}")) from None


def _at_least(name: str, widen):
    def at_least(*arys):
        results = tuple(_widened(as_array(a), widen) for a in arys)
        return results[0] if len(results) == 1 else results
    at_least.__name__ = name
    return at_least


def _widened(x, widen):
    return movement.reshape(x, shape=widen(x.shape))


atleast_1d = implements(np.atleast_1d)(_at_least("atleast_1d", lambda s: s or (1,)))
atleast_2d = implements(np.atleast_2d)(_at_least("atleast_2d", lambda s: (1,) * (2 - len(s)) + s))
atleast_3d = implements(np.atleast_3d)(_at_least("atleast_3d", lambda s: {0: (1, 1, 1), 1: (1, *s, 1), 2: (*s, 1)}.get(len(s), s)))


@implements(np.flip)
def flip(m, axis=None):
    """As `numpy.flip`."""
    x = as_array(m)
    return movement.reverse(x, axes=tuple(range(x.ndim)) if axis is None else tuple(sorted(normalize_axis_tuple(axis, x.ndim))))


@implements(np.fliplr)
def fliplr(m):
    """As `numpy.fliplr`."""
    if np.ndim(m) < 2:
        raise ValueError(at_user_line("Input must be >= 2-d."))
    return flip(m, 1)


@implements(np.flipud)
def flipud(m):
    """As `numpy.flipud`."""
    if np.ndim(m) < 1:
        raise ValueError(at_user_line("Input must be >= 1-d."))
    return flip(m, 0)


@implements(np.rot90)
def rot90(m, k=1, axes=(0, 1)):
    """As `numpy.rot90`."""
    x = as_array(m)
    if len(axes) != 2:
        raise ValueError(at_user_line("len(axes) must be 2."))
    if axes[0] == axes[1] or abs(axes[0] - axes[1]) == x.ndim:
        raise ValueError(at_user_line("Axes must be different."))
    first, second = (axis_index(a, x.ndim) for a in axes)
    turns = k % 4
    if turns == 0:
        return x
    if turns == 2:
        return flip(x, (first, second))
    return swapaxes(flip(x, second), first, second) if turns == 1 else flip(swapaxes(x, first, second), second)


@implements(np.copy)
def copy(a, order="K", subok=False):
    """As `numpy.copy`: a traced value is never changed in place, so its copy is itself."""
    x = as_array(a)
    return x if type(x) is Tracer else np.copy(x)


def lined(x, axis) -> tuple:
    """x and the axis to work along: x in one line where no axis is named, or where it has none."""
    if axis is None or x.ndim == 0:
        x, axis = ravel(x), 0 if axis is None else axis
    return x, axis_index(axis, x.ndim)


def part(x, start: int, stop: int, axis: int):
    """The part of x from `start` to `stop` along one axis."""
    starts = tuple(start if d == axis else 0 for d in range(x.ndim))
    stops = tuple(stop if d == axis else n for d, n in enumerate(x.shape))
    return movement.slice_(x, start=starts, stop=stops, step=(1,) * x.ndim)




@implements(np.shape)
def shape(a):
    """As `numpy.shape`."""
    return as_array(a).shape


@implements(np.ndim)
def ndim(a):
    """As `numpy.ndim`."""
    return as_array(a).ndim


@implements(np.size)
def size(a, axis=None):
    """As `numpy.size`."""
    x = as_array(a)
    if axis is None:
        return x.size
    return math.prod(x.shape[axis_index(d, x.ndim)] for d in (axis if isinstance(axis, tuple) else (axis,)))
