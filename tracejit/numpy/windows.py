"""Arrays read more than once: sliding windows, repetition into a new size, Vandermonde matrices."""
from __future__ import annotations

import math
import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ir.types import INT
from ..ops import elementwise as ops
from ..ops import movement
from ..ops.indexing import gather
from .axes import axis_index
from .constants import filled, positions
from .joining import stack
from .promotion import as_array, cast, common_dtype
from .register import implements
from .shaping import broadcast_to, expand_dims, part, ravel, reshape


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    """As `numpy.lib.stride_tricks.sliding_window_view`; the result is a value, not a view."""
    x = as_array(x)
    sizes = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    sizes = tuple(map(python_operator.index, sizes))
    if any(n < 0 for n in sizes):
        raise ValueError(at_user_line("`window_shape` cannot contain negative values"))
    if axis is None:
        axes = tuple(range(x.ndim))
        if len(sizes) != len(axes):
            raise ValueError(at_user_line(f"Since axis is None, must provide window_shape for all dimensions of `x`; got {len(sizes)} "
                                          f"window_shape elements and `x.ndim` is {x.ndim}."))
    else:
        axes = tuple(axis_index(d, x.ndim) for d in (axis if np.iterable(axis) else (axis,)))
        if len(sizes) != len(axes):
            raise ValueError(at_user_line(f"Must provide matching length window_shape and axis; got {len(sizes)} window_shape elements and "
                                          f"{len(axes)} axes elements."))
    for d, n in zip(axes, sizes):
        places = x.shape[d] - n + 1
        if places < 1:
            raise ValueError(at_user_line("window shape cannot be larger than input array shape"))
        at = ops.add(positions(x, (places, 1), 0), positions(x, (1, n), 1))
        found = gather(x, at, axes=(d,), mode="clip")   # (place, within, other axes): the place goes to d, the element within to the end
        others = [*range(2, found.ndim)]
        others.insert(d, 0)
        x = movement.transpose(found, permutation=(*others, 1))
    return x


@implements(np.resize)
def resize(a, new_shape):
    """As `numpy.resize`: the elements are repeated until the shape is full."""
    x = ravel(a)
    shape = tuple(map(python_operator.index, new_shape)) if np.iterable(new_shape) else (python_operator.index(new_shape),)
    if any(n < 0 for n in shape):
        raise ValueError(at_user_line("all elements of `new_shape` must be non-negative"))
    size = math.prod(shape)
    if x.size == 0 or size == 0:
        return filled(x, shape, 0, x.dtype)
    times = -(-size // x.size)
    repeated = ravel(broadcast_to(expand_dims(x, 0), (times, x.size)))
    return reshape(part(repeated, 0, size, 0), shape)


@implements(np.vander)
def vander(x, N=None, increasing=False):
    """As `numpy.vander`: columns by repeated multiplication, which has derivatives at 0."""
    x = as_array(x)
    if x.ndim != 1:
        raise ValueError(at_user_line("x must be a one-dimensional array or sequence."))
    n = x.size if N is None else python_operator.index(N)
    x = cast(x, common_dtype(x, np.empty((), INT)))
    columns = [filled(x, x.shape, 1, x.dtype)]
    while len(columns) < n:
        columns.append(ops.multiply(columns[-1], x))
    if n == 0:
        return filled(x, (x.size, 0), 0, x.dtype)
    columns = columns[:n]
    return stack(columns if increasing else columns[::-1], axis=1)
