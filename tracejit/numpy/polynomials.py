"""NumPy's polynomials as coefficient arrays, the highest power first."""
from __future__ import annotations

import operator as python_operator

import numpy as np

from ..errors import at_user_line
from ..ir.types import FLOAT
from ..ops import elementwise as ops
from ..ops import movement
from . import reductions
from .constants import filled
from .joining import concatenate
from .mathematics import convolve
from .matrices import diag
from .products import outer
from .promotion import as_array, cast, common_dtype
from .register import implements, known
from .shaping import atleast_1d, expand_dims, part, ravel
from .windows import vander


def _lined_up(a, b):
    """Both padded in front to one length, in one dtype."""
    x, y = (ravel(as_array(v)) for v in (a, b))
    n = max(x.size, y.size)
    dtype = common_dtype(x, y)
    return [movement.pad(cast(v, dtype), low=(n - v.size,), high=(0,), interior=(0,), value=0) for v in (x, y)]


@implements(np.polyadd)
def polyadd(a1, a2):
    """As `numpy.polyadd`."""
    x, y = _lined_up(a1, a2)
    return ops.add(x, y)


@implements(np.polysub)
def polysub(a1, a2):
    """As `numpy.polysub`."""
    x, y = _lined_up(a1, a2)
    return ops.subtract(x, y)


@implements(np.polymul)
def polymul(a1, a2):
    """As `numpy.polymul`."""
    return convolve(a1, a2)


@implements(np.polydiv)
def polydiv(u, v):
    """As `numpy.polydiv`, with as many places in the remainder as its degree may need: its zeros are not known while tracing."""
    x, y = (atleast_1d(as_array(a)) for a in (u, v))
    dtype = common_dtype(x, y, 0.0)
    x, y = cast(x, dtype), cast(y, dtype)
    m, n = x.size - 1, y.size - 1
    if m < n:
        return filled(x, (1,), 0, dtype), x
    lead = movement.reshape(part(y, 0, 1, 0), shape=())
    quotient = []
    for k in range(m - n + 1):
        factor = x[k] / lead
        quotient.append(factor)
        x = concatenate([part(x, 0, k, 0), part(x, k, k + n + 1, 0) - factor * y, part(x, k + n + 1, m + 1, 0)])
    rest = part(x, m - n + 1, m + 1, 0) if n else filled(x, (1,), 0, dtype)
    values = known(rest)
    if values is not None:   # NumPy drops leading zeros of the remainder
        small = np.abs(values) <= 1e-14
        drop = min(int(np.argmin(small)) if not small.all() else rest.size - 1, rest.size - 1)
        rest = part(rest, drop, rest.size, 0)
    return concatenate([expand_dims(q, 0) for q in quotient]), rest


@implements(np.polyder)
def polyder(p, m=1):
    """As `numpy.polyder`."""
    m = python_operator.index(m)
    if m < 0:
        raise ValueError(at_user_line("Order of derivative must be positive (see polyint)"))
    x = as_array(p)
    for _ in range(m):
        n = x.shape[0] - 1
        powers = np.arange(n, 0, -1)
        x = part(x, 0, max(n, 0), 0) * (powers if x.ndim == 1 else powers.reshape(-1, *(1,) * (x.ndim - 1)))
    return x


@implements(np.polyint)
def polyint(p, m=1, k=None):
    """As `numpy.polyint`."""
    m = python_operator.index(m)
    if m < 0:
        raise ValueError(at_user_line("Order of integral must be positive (see polyder)"))
    constants = filled(p, (m,), 0, FLOAT) if k is None else atleast_1d(as_array(k))
    if constants.size == 1 and m > 1:
        constants = movement.broadcast_to(constants, shape=(m,))
    if constants.size < m:
        raise ValueError(at_user_line("k must be a scalar or a rank-1 array of length 1 or >m."))
    x = as_array(p)
    for i in range(m):
        raised = x / np.arange(x.shape[0], 0, -1)
        x = concatenate([raised, part(constants, i, i + 1, 0)])
    return x


@implements(np.poly)
def poly(seq_of_zeros):
    """As `numpy.poly`. Complex roots give complex coefficients, unless their values are known and come in pairs."""
    roots = atleast_1d(as_array(seq_of_zeros))
    paired = roots.ndim == 2 and roots.dtype.kind != "c"   # the eigenvalues of a real matrix
    if roots.ndim == 2 and roots.shape[0] == roots.shape[1] and roots.shape[0]:
        roots = np.linalg.eigvals(roots)
    elif roots.ndim != 1:
        raise ValueError(at_user_line("input must be 1d or non-empty square 2d array."))
    if roots.size == 0:
        return 1.0
    dtype = common_dtype(roots, np.empty((), FLOAT)) if roots.dtype.kind in "biu" else roots.dtype
    x = filled(roots, (1,), 1, dtype)
    for i in range(roots.size):
        x = convolve(x, concatenate([filled(roots, (1,), 1, dtype), cast(-part(roots, i, i + 1, 0), dtype)]))
    if dtype.kind != "c":
        return x
    values = known(roots)
    paired = paired or values is not None and np.all(np.sort(values) == np.sort(np.conjugate(values)))
    return ops.real(x) if paired else x


@implements(np.roots)
def roots(p):
    """As `numpy.roots`. Where the coefficients are not known while tracing, the first is taken not to be zero."""
    x = atleast_1d(as_array(p))
    if x.ndim != 1:
        raise ValueError(at_user_line("Input must be a rank-1 array."))
    trailing = 0
    values = known(x)
    if values is not None:
        nonzero = np.flatnonzero(values)
        if nonzero.size == 0:
            return np.array([])
        trailing = x.size - int(nonzero[-1]) - 1
        x = part(x, int(nonzero[0]), int(nonzero[-1]) + 1, 0)
    x = x if x.dtype.kind in "fc" else cast(x, FLOAT)
    n = x.size
    if n < 2:
        return np.zeros(trailing) if trailing else np.array([])
    first_row = -(part(x, 1, n, 0) / part(x, 0, 1, 0))
    companion = concatenate([expand_dims(first_row, 0), part(diag(filled(x, (n - 2,), 1, x.dtype), -1), 1, n - 1, 0)]) if n > 2 \
        else expand_dims(first_row, 0)
    found = np.linalg.eigvals(companion)
    return concatenate([found, filled(found, (trailing,), 0, found.dtype)]) if trailing else found


@implements(np.polyfit)
def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    """As `numpy.polyfit`."""
    order = python_operator.index(deg) + 1
    x, y = (as_array(v) + 0.0 for v in (x, y))
    if deg < 0:
        raise ValueError(at_user_line("expected deg >= 0"))
    if x.ndim != 1:
        raise TypeError(at_user_line("expected 1D vector for x"))
    if x.size == 0:
        raise TypeError(at_user_line("expected non-empty vector for x"))
    if y.ndim not in (1, 2):
        raise TypeError(at_user_line("expected 1D or 2D array for y"))
    if x.shape[0] != y.shape[0]:
        raise TypeError(at_user_line("expected x and y to have same length"))
    left, right = vander(x, order), y
    if w is not None:
        weights = as_array(w) + 0.0
        if weights.ndim != 1:
            raise TypeError(at_user_line("expected a 1-d array for weights"))
        if weights.shape[0] != y.shape[0]:
            raise TypeError(at_user_line("expected w and y to have the same length"))
        left = left * expand_dims(weights, 1)
        right = right * (expand_dims(weights, 1) if right.ndim == 2 else weights)
    scale = ops.sqrt(reductions.sum(left * left, 0))
    left = left / scale
    rcond = x.size * float(np.finfo(x.dtype).eps) if rcond is None else rcond
    found, residuals, rank, singular = np.linalg.lstsq(left, right, rcond)
    coefficients = found / (expand_dims(scale, 1) if found.ndim == 2 else scale)
    if full:
        return coefficients, residuals, rank, singular, rcond
    if not cov:
        return coefficients
    inverse = np.linalg.inv(left.T @ left) / outer(scale, scale)
    factor = 1
    if cov != "unscaled":
        if x.size <= order:
            raise ValueError(at_user_line("the number of data points must exceed order to scale the covariance matrix"))
        factor = reductions.sum(ops.square(right - left @ found), 0) / (x.size - order)
    return coefficients, inverse * factor if y.ndim == 1 else expand_dims(inverse, 2) * factor
