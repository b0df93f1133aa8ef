"""Products of arrays, all of them `dot_general` with axes in some order."""
from __future__ import annotations

import math
import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ops import elementwise as ops
from ..ops import movement
from ..ops.dot import dot_general
from ..trace import dispatch
from .axes import axis_index
from .loops import elementwise
from .promotion import as_array, cast, promote
from .register import implements, refuse
from .shaping import moveaxis, part, ravel
from .ufuncs import multiply


def _gufunc(ufunc: np.ufunc, body):
    """The traced version of a generalized ufunc of two arrays; `body` gets them in one dtype, their core axes last."""
    inside = elementwise(ufunc, body)

    def call(x, y, /, *, axis=None, axes=None, keepdims=False, **options):
        if axis is not None:
            if axes is not None:
                raise TypeError(at_user_line("cannot specify both 'axis' and 'axes'"))
            axes = [axis, axis]
        out = ()
        if axes is not None:
            first, second, *out = ((d,) if isinstance(d, int) else tuple(d) for d in axes)
            x, y = moveaxis(x, first, _last(first)), moveaxis(y, second, _last(second))
        result = inside(x, y, **options)
        if keepdims:
            return movement.reshape(result, shape=(*result.shape, 1))
        return moveaxis(result, _last(out[0]), out[0]) if out else result
    call.__name__ = call.__qualname__ = ufunc.__name__
    call.__doc__ = inside.__doc__
    dispatch.ufuncs[ufunc] = call
    return call


def _last(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(-len(axes), 0))


def _broadcast_lead(name: str, x, y, core_x: int, core_y: int):
    """Both with the same leading axes, and the numbers of these."""
    lead_x, lead_y = x.shape[:x.ndim - core_x], y.shape[:y.ndim - core_y]
    try:
        lead = np.broadcast_shapes(lead_x, lead_y)
    except ValueError:
        raise ValueError(at_user_line(f"{name}: operands could not be broadcast together with shapes {x.shape} {y.shape}")) from None
    x = movement.broadcast_to(x, shape=(*lead, *x.shape[x.ndim - core_x:]))
    y = movement.broadcast_to(y, shape=(*lead, *y.shape[y.ndim - core_y:]))
    return x, y, tuple(range(len(lead)))


def _check_core(name: str, x, y, axis_x: int, axis_y: int, rows: int = 1) -> None:
    """The axes -1 or -2 that are contracted must exist and have one size, and x must have the axes of `rows`."""
    if x.ndim < rows or y.ndim < -axis_y:
        raise ValueError(at_user_line(f"{name}: an operand does not have enough dimensions: shapes {x.shape} and {y.shape}"))
    if x.shape[axis_x] != y.shape[axis_y]:
        n, m = x.shape[axis_x], y.shape[axis_y]
        raise ValueError(at_user_line(f"{name}: shapes {x.shape} and {y.shape} do not match: size {m} is different from {n}"))


def _matmul(x, y):
    _check_core("matmul", x, y, -1, -2 if y.ndim > 1 else -1)
    if y.ndim <= 2:   # a free axis of x for each of its leading axes: one large product
        return dot_general(x, y, contract=((x.ndim - 1,), (max(y.ndim - 2, 0),)), batch=((), ()))
    if x.ndim == 1:
        return dot_general(x, y, contract=((0,), (y.ndim - 2,)), batch=((), ()))
    x, y, lead = _broadcast_lead("matmul", x, y, 2, 2)
    return dot_general(x, y, contract=((x.ndim - 1,), (y.ndim - 2,)), batch=(lead, lead))


def _matvec(x, y):
    _check_core("matvec", x, y, -1, -1, rows=2)
    x, y, lead = _broadcast_lead("matvec", x, y, 2, 1)
    return dot_general(x, y, contract=((x.ndim - 1,), (y.ndim - 1,)), batch=(lead, lead))


def _vecmat(x, y):
    _check_core("vecmat", x, y, -1, -2)
    x, y, lead = _broadcast_lead("vecmat", _conjugate(x), y, 1, 2)
    return dot_general(x, y, contract=((x.ndim - 1,), (y.ndim - 2,)), batch=(lead, lead))


def _vecdot(x, y):
    _check_core("vecdot", x, y, -1, -1)
    x, y, lead = _broadcast_lead("vecdot", _conjugate(x), y, 1, 1)
    return dot_general(x, y, contract=((x.ndim - 1,), (y.ndim - 1,)), batch=(lead, lead))


def _conjugate(x):
    return ops.conjugate(x) if x.dtype.kind == "c" else x


matmul = _gufunc(np.matmul, _matmul)
vecdot = _gufunc(np.vecdot, _vecdot)
matvec = _gufunc(np.matvec, _matvec)
vecmat = _gufunc(np.vecmat, _vecmat)
implements(np.linalg.matmul)(lambda x1, x2, /: matmul(x1, x2))
implements(np.linalg.vecdot)(lambda x1, x2, /, *, axis=-1: vecdot(x1, x2, axis=axis))


@implements(np.dot)
def dot(a, b, out=None):
    """As `numpy.dot`."""
    refuse("np.dot", out=out)
    x, y = promote(as_array(a), as_array(b))
    if x.ndim == 0 or y.ndim == 0:
        return ops.multiply(x, y)
    axis = max(y.ndim - 2, 0)
    _aligned(x, y, x.ndim - 1, axis)
    return dot_general(x, y, contract=((x.ndim - 1,), (axis,)), batch=((), ()))


def _aligned(x, y, i: int, j: int) -> None:
    if x.shape[i] != y.shape[j]:
        shapes = [str(v.shape).replace(" ", "") for v in (x, y)]
        raise ValueError(at_user_line(f"shapes {shapes[0]} and {shapes[1]} not aligned: {x.shape[i]} (dim {i}) != {y.shape[j]} (dim {j})"))


@implements(np.inner)
def inner(a, b, /):
    """As `numpy.inner`."""
    x, y = promote(as_array(a), as_array(b))
    if x.ndim == 0 or y.ndim == 0:
        return ops.multiply(x, y)
    _aligned(x, y, x.ndim - 1, y.ndim - 1)
    return dot_general(x, y, contract=((x.ndim - 1,), (y.ndim - 1,)), batch=((), ()))


@implements(np.vdot)
def vdot(a, b, /):
    """As `numpy.vdot`: flat, the first argument conjugated."""
    x, y = promote(as_array(a), as_array(b))
    return dot(ravel(_conjugate(x)), ravel(y))


@implements(np.outer)
def outer(a, b, out=None):
    """As `numpy.outer`."""
    refuse("np.outer", out=out)
    x, y = ravel(a), ravel(b)
    return multiply(movement.reshape(x, shape=(x.size, 1)), movement.reshape(y, shape=(1, y.size)))


@implements(np.linalg.outer)
def linalg_outer(x1, x2, /):
    """As `numpy.linalg.outer`."""
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(at_user_line(f"Input arrays must be one-dimensional, but they are x1.ndim={np.ndim(x1)} and x2.ndim={np.ndim(x2)}."))
    return outer(x1, x2)


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a, b, axes=2):
    """As `numpy.tensordot`."""
    x, y = promote(as_array(a), as_array(b))
    if np.iterable(axes):
        axes_x, axes_y = (tuple(side) if np.iterable(side) else (side,) for side in axes)
    else:
        n = python_operator.index(axes)
        axes_x, axes_y = tuple(range(-n, 0)), tuple(range(n))
    if len(axes_x) != len(axes_y) or any(x.shape[i] != y.shape[j] for i, j in zip(axes_x, axes_y)):
        raise ValueError(at_user_line("shape-mismatch for sum"))
    axes_x, axes_y = (tuple(axis_index(d, v.ndim) for d in side) for v, side in ((x, axes_x), (y, axes_y)))
    return dot_general(x, y, contract=(axes_x, axes_y), batch=((), ()))


@implements(np.kron)
def kron(a, b):
    """As `numpy.kron`."""
    x, y = as_array(a), as_array(b)
    ndim = max(x.ndim, y.ndim)
    sx, sy = ((1,) * (ndim - v.ndim) + v.shape for v in (x, y))
    x = movement.reshape(x, shape=tuple(n for m in sx for n in (m, 1)))
    y = movement.reshape(y, shape=tuple(n for m in sy for n in (1, m)))
    return movement.reshape(multiply(x, y), shape=tuple(n * m for n, m in zip(sx, sy)))


@implements(np.linalg.cross)
def linalg_cross(x1, x2, /, *, axis=-1):
    """As `numpy.linalg.cross`."""
    x, y = as_array(x1), as_array(x2)
    if x.shape[axis] != 3 or y.shape[axis] != 3:
        raise ValueError(at_user_line(f"Both input arrays must be (arrays of) 3-dimensional vectors, but they are {x.shape[axis]} and "
                                      f"{y.shape[axis]} dimensional instead."))
    return cross(x, y, axis=axis)


@implements(np.cross)
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """As `numpy.cross`; of two vectors in the plane it is a number."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = promote(as_array(a), as_array(b))
    if x.ndim < 1 or y.ndim < 1:
        raise ValueError(at_user_line("At least one array has zero dimension"))
    x, y = moveaxis(x, axisa, -1), moveaxis(y, axisb, -1)
    if x.shape[-1] not in (2, 3) or y.shape[-1] not in (2, 3):
        raise ValueError(at_user_line("incompatible dimensions for cross product\n(dimension must be 2 or 3)"))
    if x.shape[-1] == y.shape[-1] == 2:
        return _element(x, 0) * _element(y, 1) - _element(x, 1) * _element(y, 0)
    x, y = _in_space(x), _in_space(y)
    first, second = (1, 2, 0), (2, 0, 1)
    result = (_picked(x, first) * _picked(y, second)) - (_picked(x, second) * _picked(y, first))
    return moveaxis(result, -1, axisc)


def _element(x, i: int):
    return movement.reshape(part(x, i, i + 1, x.ndim - 1), shape=x.shape[:-1])


def _in_space(x):
    """Vectors in the plane get a third element, 0."""
    still = (0,) * x.ndim
    return movement.pad(x, low=still, high=(*still[1:], 1), interior=still, value=0) if x.shape[-1] == 2 else x


def _picked(x, order: tuple[int, ...]):
    """The elements of the last axis in a rotated order."""
    k, n = order[0], len(order)
    last = x.ndim - 1
    return movement.concatenate(part(x, k, n, last), part(x, 0, k, last), axis=last)


@implements(np.linalg.multi_dot)
def multi_dot(arrays, *, out=None):
    """As `numpy.linalg.multi_dot`, in the order of least work."""
    refuse("np.linalg.multi_dot", out=out)
    arrays = [as_array(a) for a in arrays]
    if len(arrays) < 2:
        raise ValueError(at_user_line("Expecting at least two arrays."))
    first_is_row, last_is_column = arrays[0].ndim == 1, arrays[-1].ndim == 1
    sizes = [1 if first_is_row else arrays[0].shape[0], *(x.shape[0] for x in arrays[1:]), 1 if last_is_column else arrays[-1].shape[1]]
    best: dict[tuple[int, int], tuple[float, int]] = {(i, i): (0.0, i) for i in range(len(arrays))}
    for length in range(1, len(arrays)):
        for i in range(len(arrays) - length):
            j = i + length
            best[i, j] = min((best[i, k][0] + best[k + 1, j][0] + math.prod((sizes[i], sizes[k + 1], sizes[j + 1])), k) for k in range(i, j))

    def product(i: int, j: int):
        if i == j:
            return arrays[i]
        k = best[i, j][1]
        return dot(product(i, k), product(k + 1, j))
    return product(0, len(arrays) - 1)


@implements(np.linalg.matrix_power)
def matrix_power(a, n):
    """As `numpy.linalg.matrix_power`."""
    x = as_array(a)
    n = python_operator.index(n)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise np.linalg.LinAlgError(at_user_line("Last 2 dimensions of the array must be square"))
    if n < 0:
        x, n = np.linalg.inv(x), -n
    if n == 0:
        return movement.broadcast_to(cast(np.eye(x.shape[-1]), x.dtype), shape=x.shape)
    result = None
    while n:
        if n & 1:
            result = x if result is None else matmul(result, x)
        n >>= 1
        if n:
            x = matmul(x, x)
    return result
