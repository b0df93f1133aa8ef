"""Which of NumPy's functions return views: what is written into their results is written into their arguments, too."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from ..ops.movement import reshape
from ..trace import Tracer, dispatch
from ..trace.tracer import same
from ..trace.views import Reading, link
from .register import implements, operator

dispatch.views.update(
    (np.reshape, np.ravel, np.transpose, np.permute_dims, np.matrix_transpose, np.linalg.matrix_transpose, np.swapaxes, np.moveaxis, np.rollaxis),
    (np.squeeze, np.expand_dims, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.flip, np.fliplr, np.flipud, np.rot90, np.real, np.imag),
    (np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit, np.unstack, np.broadcast_to, np.broadcast_arrays),
    (np.diagonal, np.linalg.diagonal, np.diag),
)


_ravel = dispatch.functions[np.ravel]


@implements(np.ravel)
def ravel(a, order="C"):
    """As `numpy.ravel`: a view of an array that is contiguous, else a copy."""
    line = _ravel(a, order)
    if type(line) is Tracer and line.part_of is not None:
        reshaped = line if line.part_of[1] is reshape else line.part_of[0]  # the order F ends in a transpose
        if reshaped.part_of is not None and reshaped.part_of[1] is reshape:
            reshaped.part_of = reshaped.part_of[0], _RAVEL, *reshaped.part_of[2:]
    return line


_RAVEL = Reading("ravel", reshape, reshape.view)


@operator("contiguous")
def contiguous(x):
    """As `numpy.ascontiguousarray`: a view of an array that is contiguous, else a copy."""
    made = same(x)
    link(made, _RAVEL, (x,), {"shape": x.shape})
    return made


_diag = dispatch.functions[np.diag]


@implements(np.diag)
def diag(v, k=0):
    """As `numpy.diag`: the diagonal of a matrix is a view that cannot be written."""
    return dispatch.functions[np.diagonal](v, k) if np.ndim(v) == 2 else _diag(v, k)


def _read_only(function: Callable) -> None:
    """Results of `function` become views that NumPy does not let be written."""
    traced = dispatch.functions[function]

    @functools.wraps(traced)
    def view(x, /, *args, **kwargs):
        part = traced(x, *args, **kwargs)
        if type(part) is Tracer and type(x) is Tracer:
            link(part, Reading(traced.__name__, lambda base: traced(base, *args, **kwargs)), (x,), {})
        return part

    implements(function)(view)


for function in (np.diagonal, np.linalg.diagonal):
    _read_only(function)
