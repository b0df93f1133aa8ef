"""Linear systems, inverses and determinants of `numpy.linalg`."""
from __future__ import annotations

import functools
import math

import numpy as np

from ..errors import at_user_line
from ..ir.types import COMPLEX, FLOAT
from ..ops import linalg
from .promotion import as_array, cast, common_dtype, promote
from .register import implements, static


def inexact(x):
    """x as an array that LAPACK takes: integers and booleans become float64. Raises `LinAlgError` where x is no matrix."""
    x = as_array(x)
    if x.ndim < 2:
        raise np.linalg.LinAlgError(at_user_line(f"{x.ndim}-dimensional array given. Array must be at least two-dimensional"))
    return x if x.dtype.kind in "fc" else cast(x, FLOAT)


def square(x):
    """`inexact`, and square. Raises `LinAlgError` for other matrices."""
    x = inexact(x)
    if x.shape[-1] != x.shape[-2]:
        raise np.linalg.LinAlgError(at_user_line("Last 2 dimensions of the array must be square"))
    return x


_WIDE = {np.dtype(np.float32): FLOAT, np.dtype(np.complex64): COMPLEX}
_NARROW = {wide: narrow for narrow, wide in _WIDE.items()}


def in_double(arrays: int = 1):
    """Decorator: single precision is computed in double and the results are rounded, as in NumPy. The first `arrays` arguments are arrays."""
    def enter(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            given = [as_array(x) for x in args[:arrays]]
            wide = _WIDE.get(common_dtype(*given))
            if wide is None:
                return function(*args, **kwargs)
            result = function(*[cast(x, _WIDE.get(x.dtype, x.dtype)) for x in given], *args[arrays:], **kwargs)
            if isinstance(result, tuple):
                return type(result)(*[cast(x, _NARROW[x.dtype]) for x in result])
            return cast(result, _NARROW[result.dtype])
        return call
    return enter


def stacked(name: str, *arrays):
    """Stacks of matrices with their leading axes broadcast together."""
    try:
        lead = np.broadcast_shapes(*[x.shape[:-2] for x in arrays])
    except ValueError:
        shapes = " ".join(str(x.shape) for x in arrays)
        raise ValueError(at_user_line(f"{name}: operands could not be broadcast together with shapes {shapes}")) from None
    return [x if x.shape[:-2] == lead else np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in arrays]


@implements(np.linalg.solve)
@in_double(2)
def solve(a, b):
    """As `numpy.linalg.solve`."""
    a, b = promote(square(a), as_array(b))
    if a.dtype.kind not in "fc":
        a, b = cast(a, FLOAT), cast(b, FLOAT)
    vector = b.ndim == 1
    if vector:
        b = b[:, None]
    if b.ndim < 2 or b.shape[-2] != a.shape[-1]:
        raise ValueError(at_user_line(f"solve: {a.shape[-1]} equations do not match right sides of shape {b.shape[:-1] if vector else b.shape}"))
    x = _folded_solve(a, b) if a.ndim == 2 < b.ndim else linalg.linear_solve(*stacked("solve", a, b))
    return x[..., 0] if vector else x


def _folded_solve(a, b):
    """One matrix, many right sides: they are more columns."""
    lead, n, k = b.shape[:-2], *b.shape[-2:]
    columns = np.reshape(np.moveaxis(b, -2, 0), (n, math.prod(lead) * k))
    return np.moveaxis(np.reshape(linalg.linear_solve(a, columns), (n, *lead, k)), 0, -2)


@implements(np.linalg.inv)
@in_double()
def inv(a):
    """As `numpy.linalg.inv`."""
    return linalg.inverse(square(a), strict=True)


@implements(np.linalg.det)
@in_double()
def det(a):
    """As `numpy.linalg.det`. Its derivatives exist also where the matrix is singular."""
    return linalg.det(square(a))


@implements(np.linalg.slogdet)
@in_double()
def slogdet(a):
    """As `numpy.linalg.slogdet`."""
    from .decompositions import SlogdetResult
    return SlogdetResult(*linalg.slogdet(square(a)))


def known_number(x, function: str, name: str):
    """A tolerance, which must be known while tracing, as a Python number."""
    x = static(x, function, name)
    return x if x is None else float(x)


@implements(np.linalg.pinv)
def pinv(a, rcond=None, hermitian=False, *, rtol=np._NoValue):
    """As `numpy.linalg.pinv`; the tolerance must be a number that is known while tracing."""
    if rtol is not np._NoValue:
        if rcond is not None:
            raise ValueError(at_user_line("`rtol` and `rcond` can't be both set."))
        rcond = np.finfo(as_array(a).dtype).eps * max(as_array(a).shape[-2:]) if rtol is None else rtol
    a = inexact(a)
    rcond = known_number(rcond, "np.linalg.pinv", "rcond")
    if a.size == 0:
        return np.zeros((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)
    return linalg.pinv(a, rcond=rcond, hermitian=bool(hermitian))


@implements(np.linalg.lstsq)
def lstsq(a, b, rcond=None):
    """As `numpy.linalg.lstsq`. The residuals have the shape that they have for a matrix of full rank."""
    a, b = promote(inexact(a), as_array(b))
    if a.ndim != 2:
        raise np.linalg.LinAlgError(at_user_line(f"{a.ndim}-dimensional array given. Array must be two-dimensional"))
    vector = b.ndim == 1
    columns = b[:, None] if vector else b
    if columns.ndim != 2 or columns.shape[0] != a.shape[0]:
        raise np.linalg.LinAlgError(at_user_line("Incompatible dimensions"))
    x, rank, s = linalg.lstsq(a, columns, rcond=known_number(rcond, "np.linalg.lstsq", "rcond"))
    m, n = a.shape
    if m > n:
        residuals = np.sum(np.square(np.abs(columns - a @ x)), axis=0)
    else:
        residuals = np.zeros(0, s.dtype)
    return x[:, 0] if vector else x, residuals, rank, s


@implements(np.linalg.tensorsolve)
def tensorsolve(a, b, axes=None):
    """As `numpy.linalg.tensorsolve`."""
    a, b = as_array(a), as_array(b)
    if axes is not None:
        moved = [d % a.ndim for d in axes]
        a = np.transpose(a, (*[d for d in range(a.ndim) if d not in moved], *moved))
    shape = a.shape[b.ndim:]
    if math.prod(shape) != math.prod(a.shape[:b.ndim]):
        raise np.linalg.LinAlgError(at_user_line("Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])"))
    return np.reshape(solve(np.reshape(a, (-1, math.prod(shape))), np.ravel(b)), shape)


@implements(np.linalg.tensorinv)
def tensorinv(a, ind=2):
    """As `numpy.linalg.tensorinv`."""
    a = as_array(a)
    if ind <= 0:
        raise ValueError(at_user_line("Invalid ind argument."))
    rows, columns = a.shape[:ind], a.shape[ind:]
    return np.reshape(inv(np.reshape(a, (math.prod(rows), math.prod(columns)))), (*columns, *rows))


@implements(np.linalg.matrix_rank)
def matrix_rank(A, tol=None, hermitian=False, *, rtol=None):
    """As `numpy.linalg.matrix_rank`."""
    if tol is not None and rtol is not None:
        raise ValueError(at_user_line("`tol` and `rtol` can't be both set."))
    x = as_array(A)
    if x.ndim < 2:
        return np.any(np.not_equal(x, 0)).astype(np.int64)
    s = np.linalg.svd(x, compute_uv=False, hermitian=hermitian)
    if tol is None:
        relative = max(x.shape[-2:]) * np.finfo(s.dtype).eps if rtol is None else as_array(rtol)[..., None]
        tol = np.max(s, axis=-1, keepdims=True) * relative
    else:
        tol = as_array(tol)[..., None]
    return np.count_nonzero(s > tol, axis=-1)


@implements(np.linalg.cond)
def cond(x, p=None):
    """As `numpy.linalg.cond`: infinite for singular matrices."""
    x = inexact(x)
    if x.size == 0:
        raise np.linalg.LinAlgError(at_user_line("cond is not defined on empty arrays"))
    if p is None or p in (2, -2):
        s = np.linalg.svd(x, compute_uv=False)
        ratio = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    else:
        inverse = linalg.inverse(square(x), strict=False)
        ratio = np.linalg.norm(x, p, axis=(-2, -1)) * np.linalg.norm(inverse, p, axis=(-2, -1))
    undefined = np.isnan(ratio) & ~np.any(np.isnan(x), axis=(-2, -1))
    return np.where(undefined, ratio.dtype.type(np.inf), ratio)
