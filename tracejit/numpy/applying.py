"""Functions applied along axes."""
from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ops import movement
from ..trace import Tracer
from .axes import axis_index
from .joining import concatenate
from .promotion import as_array
from .register import implements
from .shaping import expand_dims


@implements(np.apply_along_axis)
def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """As `numpy.apply_along_axis`. Where values are known, `func1d` is called for each slice and may look at them; else once, for all slices."""
    x = as_array(arr)
    axis = axis_index(axis, x.ndim)
    lead = x.shape[:axis] + x.shape[axis + 1:]
    count = math.prod(lead)
    if count == 0:
        raise ValueError(at_user_line("Cannot apply_along_axis when any iteration dimensions are 0"))
    order = (*(d for d in range(x.ndim) if d != axis), axis)
    rows = movement.reshape(movement.transpose(x, permutation=order), shape=(count, x.shape[axis]))

    def applied(row):
        return as_array(func1d(row, *args, **kwargs))
    if type(x) is Tracer and not x.owner.knows(x.atom):
        from ..api import vmap
        results = vmap(applied)(rows)
    else:
        found = [applied(movement.reshape(movement.slice_(rows, start=(i, 0), stop=(i + 1, x.shape[axis]), step=(1, 1)), shape=(x.shape[axis],)))
                 for i in range(count)]
        results = concatenate([expand_dims(r, 0) for r in found])
    inner = results.shape[1:]
    results = movement.reshape(results, shape=(*lead, *inner))
    k, m = len(lead), len(inner)
    return movement.transpose(results, permutation=(*range(axis), *range(k, k + m), *range(axis, k)))


@implements(np.apply_over_axes)
def apply_over_axes(func, a, axes):
    """As `numpy.apply_over_axes`."""
    x = as_array(a)
    ndim = x.ndim
    for axis in np.atleast_1d(np.asarray(axes)).tolist():
        axis = axis + ndim if axis < 0 else axis
        result = as_array(func(x, axis))
        if result.ndim != x.ndim:
            result = expand_dims(result, axis)
            if result.ndim != x.ndim:
                raise ValueError(at_user_line("function is not returning an array of the correct shape"))
        x = result
    return x
