"""Which of NumPy's functions return views: what is written into their results is written into their arguments, too."""

from __future__ import annotations

import numpy as np

from ..trace import Tracer, dispatch
from ..trace.views import ReadOnlyView, link
from .register import implements

dispatch.views.update(
    (np.reshape, np.ravel, np.transpose, np.permute_dims, np.matrix_transpose, np.linalg.matrix_transpose, np.swapaxes, np.moveaxis, np.rollaxis),
    (np.squeeze, np.expand_dims, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.flip, np.fliplr, np.flipud, np.rot90, np.real, np.imag),
    (np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit, np.unstack, np.broadcast_to, np.broadcast_arrays),
    (np.diagonal, np.linalg.diagonal, np.diag),
)


def _read_only(function) -> None:
    """The traced version of `function`, with results that are views which NumPy does not let be written."""
    traced = dispatch.functions[function]

    def view(x, /, *args, **kwargs):
        part = traced(x, *args, **kwargs)
        if type(part) is Tracer and type(x) is Tracer:
            link(part, ReadOnlyView(lambda base: traced(base, *args, **kwargs)), (x,), {})
        return part

    view.__name__, view.__doc__ = traced.__name__, traced.__doc__
    implements(function)(view)


_diag = dispatch.functions[np.diag]


@implements(np.diag)
def diag(v, k=0):
    """As `numpy.diag`: the diagonal of a matrix is a view that cannot be written."""
    return dispatch.functions[np.diagonal](v, k) if np.ndim(v) == 2 else _diag(v, k)


for function in (np.diagonal, np.linalg.diagonal):
    _read_only(function)
