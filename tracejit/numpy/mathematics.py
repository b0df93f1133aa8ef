"""Mathematical functions that are not ufuncs: parts of complex numbers, rounding, running sums, differences, integrals, interpolation."""
from __future__ import annotations

import functools
import math

import numpy as np

from ..errors import at_user_line
from ..ir.types import FLOAT
from ..ops import cumulative, movement
from ..ops import elementwise as ops
from ..ops.indexing import gather
from ..ops.sorting import argsort
from ..ops.sorting import searchsorted as search
from ..trace import Tracer
from . import reductions
from .axes import axis_index
from .comparing import where
from .constants import filled
from .joining import concatenate
from .products import dot
from .promotion import as_array, astype, cast, checked_dtype, common_dtype, promote
from .register import implements, known, refuse, static
from .shaping import lined, part, ravel
from .ufuncs import absolute, arctan2, divide, multiply, not_equal, remainder, rint, subtract, trunc


# -- complex numbers
@implements(np.real)
def real(val):
    """As `numpy.real`."""
    x = as_array(val)
    return ops.real(x) if x.dtype.kind == "c" else x


@implements(np.imag)
def imag(val):
    """As `numpy.imag`."""
    x = as_array(val)
    return ops.imag(x) if x.dtype.kind == "c" else filled(x, x.shape, 0, x.dtype)


@implements(np.angle)
def angle(z, deg=False):
    """As `numpy.angle`; at 0 its slope is 0."""
    z = as_array(z)
    result = arctan2(imag(z), real(z)) if z.dtype.kind == "c" else arctan2(0, z)
    return multiply(result, 180 / math.pi) if deg else result


@implements(np.real_if_close)
def real_if_close(a, tol=100):
    """As `numpy.real_if_close`; the values of complex numbers must be known while tracing."""
    x = as_array(a)
    if x.dtype.kind != "c":
        return x
    values = known(x)
    if values is None:
        raise TypeError(at_user_line("np.real_if_close of a traced complex array depends on its values: use np.real"))
    return real(x) if np.isrealobj(np.real_if_close(values, tol)) else x


# -- rounding
@implements(np.round, np.around)
def round(a, decimals=0, out=None):
    """As `numpy.round`."""
    refuse("np.round", out=out)
    x, decimals = as_array(a), static(decimals, "np.round", "decimals")
    if x.dtype.kind == "b":
        if decimals != 0:
            raise TypeError(at_user_line("np.round of booleans to decimals is not defined"))
        x = cast(x, np.dtype(np.float16))
    if x.dtype.kind in "iu":
        if decimals >= 0:
            return x
        scale = x.dtype.type(10 ** -decimals)
        return astype(multiply(rint(divide(x, scale)), 10.0 ** -decimals), x.dtype)
    if decimals == 0:
        return ops.rint(x)
    scale = x.dtype.type(10.0 ** abs(decimals))
    if decimals > 0:
        return ops.divide(ops.rint(ops.multiply(x, scale)), scale)
    return ops.multiply(ops.rint(ops.divide(x, scale)), scale)


@implements(np.fix)
def fix(x, out=None):
    """As `numpy.fix`."""
    refuse("np.fix", out=out)
    return trunc(x)


@implements(np.sinc)
def sinc(x):
    """As `numpy.sinc`, with derivatives of every order at 0: near 0 the even Taylor polynomial, whose error is below one rounding."""
    x = as_array(x)
    if x.dtype.kind not in "fc":
        x = cast(x, FLOAT)
    y = multiply(math.pi, x)
    small = ops.less(ops.absolute(y), ops.absolute(y).dtype.type(_SINC_RADIUS))
    square = ops.square(y)
    series = y.dtype.type(_SINC_SERIES[-1])
    for coefficient in _SINC_SERIES[-2::-1]:
        series = ops.add(ops.multiply(series, square), y.dtype.type(coefficient))
    far = ops.select(small, y.dtype.type(1), y)
    return ops.select(small, series, ops.divide(ops.sin(far), far))


_SINC_RADIUS = 0.25                                                       # the next term is 0.25^14 / 15! = 3e-21
_SINC_SERIES = [(-1) ** k / math.factorial(2 * k + 1) for k in range(7)]   # sin(y) / y in powers of y^2


@implements(np.i0)
def i0(x):
    """As `numpy.i0`."""
    import scipy.special
    return scipy.special.i0(x)


# -- running sums and products
def _running(name: str, op, wide: bool):
    def running(a, axis=None, dtype=None, out=None):
        refuse(f"np.{name}", out=out)
        x = as_array(a)
        x = cast(x, checked_dtype(dtype) if dtype is not None else reductions.wide(x.dtype) if wide else x.dtype)
        x, axis = lined(x, axis)
        return op(x, axis=axis, reverse=False)
    running.__name__ = name
    return running


cumsum = implements(np.cumsum)(_running("cumsum", cumulative.cumsum, True))
cumprod = implements(np.cumprod)(_running("cumprod", cumulative.cumprod, True))


def _array_api_running(name: str, running, start: int):
    def cumulative_(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
        refuse(f"np.{name}", out=out)
        x = as_array(x)
        if axis is None:
            if x.ndim > 1:
                raise ValueError(at_user_line("For arrays which have more than one dimension ``axis`` argument is required."))
            axis = 0
        result = running(x, axis, dtype)
        if not include_initial:
            return result
        axis = axis_index(axis, x.ndim)
        low = tuple(int(d == axis) for d in range(x.ndim))
        return movement.pad(result, low=low, high=(0,) * x.ndim, interior=(0,) * x.ndim, value=start)
    cumulative_.__name__ = name
    return cumulative_


cumulative_sum = implements(np.cumulative_sum)(_array_api_running("cumulative_sum", cumsum, 0))
cumulative_prod = implements(np.cumulative_prod)(_array_api_running("cumulative_prod", cumprod, 1))


def _running_without_nan(name: str, running, neutral: int):
    def nan_running(a, axis=None, dtype=None, out=None):
        x = as_array(a)
        return running(ops.select(ops.isnan(x), x.dtype.type(neutral), x) if x.dtype.kind in "fc" else x, axis, dtype, out)
    nan_running.__name__ = name
    return nan_running


nancumsum = implements(np.nancumsum)(_running_without_nan("nancumsum", cumsum, 0))
nancumprod = implements(np.nancumprod)(_running_without_nan("nancumprod", cumprod, 1))


# -- differences and integrals
@implements(np.diff)
def diff(a, n=1, axis=-1, prepend=np._NoValue, append=np._NoValue):
    """As `numpy.diff`."""
    if n < 0:
        raise ValueError(at_user_line(f"order must be non-negative but got {n!r}"))
    x = as_array(a)
    if n == 0:
        return x
    if x.ndim == 0:
        raise ValueError(at_user_line("diff requires input that is at least one dimensional"))
    axis = axis_index(axis, x.ndim)
    ends = [None if end is np._NoValue else _end(end, x.shape, axis) for end in (prepend, append)]
    pieces = [piece for piece in (ends[0], x, ends[1]) if piece is not None]
    x = concatenate(pieces, axis) if len(pieces) > 1 else x
    for _ in range(n):
        m = x.shape[axis]
        first, last = part(x, 0, max(m - 1, 0), axis), part(x, min(1, m), m, axis)
        x = not_equal(last, first) if x.dtype.kind == "b" else subtract(last, first)
    return x


def _end(value, shape: tuple[int, ...], axis: int):
    value = as_array(value)
    return value if value.ndim else movement.broadcast_to(value, shape=tuple(1 if d == axis else m for d, m in enumerate(shape)))


@implements(np.ediff1d)
def ediff1d(ary, to_end=None, to_begin=None):
    """As `numpy.ediff1d`."""
    x = ravel(ary)
    steps = subtract(part(x, min(1, x.size), x.size, 0), part(x, 0, max(x.size - 1, 0), 0))
    pieces = [steps] if to_begin is None else [ravel(to_begin), steps]
    if to_end is not None:
        pieces.append(ravel(to_end))
    return concatenate([cast(piece, x.dtype) for piece in pieces])


@implements(np.gradient)
def gradient(f, *varargs, axis=None, edge_order=1):
    """As `numpy.gradient`."""
    x = as_array(f)
    if edge_order > 2:
        raise ValueError(at_user_line("'edge_order' greater than 2 not supported"))
    axes = tuple(range(x.ndim)) if axis is None else tuple(axis_index(d, x.ndim) for d in (axis if isinstance(axis, tuple) else (axis,)))
    steps = [1.0] * len(axes) if not varargs else list(varargs) * (len(axes) if len(varargs) == 1 and np.ndim(varargs[0]) == 0 else 1)
    if len(steps) != len(axes):
        raise TypeError(at_user_line("invalid number of arguments"))
    if x.dtype.kind not in "fc":
        x = cast(x, FLOAT)
    results = [_slope(x, d, step, edge_order) for d, step in zip(axes, steps)]
    return results[0] if len(results) == 1 else tuple(results)


def _slope(x, axis: int, step, edge_order: int):
    """The slope of the parabola through three neighbours inside, of that or of the line through two at the ends."""
    n = x.shape[axis]
    if n < edge_order + 1:
        raise ValueError(at_user_line("Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are required."))
    step = as_array(step)
    if step.ndim == 0:
        step = cast(step, common_dtype(x)) if step.dtype.kind != "c" else step
        inside = divide(subtract(part(x, 2, n, axis), part(x, 0, n - 2, axis)), multiply(2, step))
        return concatenate([_end_slope(x, axis, step, step, edge_order, False), inside, _end_slope(x, axis, step, step, edge_order, True)], axis)
    if step.ndim > 1:
        raise ValueError(at_user_line("distances must be either scalars or 1d"))
    if step.size != n:
        raise ValueError(at_user_line("when 1d, distances must match the length of the corresponding dimension"))
    widths = diff(step if step.dtype.kind in "fc" else cast(step, FLOAT))

    def width(i, j):
        return movement.reshape(part(widths, i, j, 0), shape=tuple(j - i if d == axis else 1 for d in range(x.ndim)))
    left, right = width(0, n - 2), width(1, n - 1)
    inside = (part(x, 0, n - 2, axis) * (-right / (left * (left + right))) + part(x, 1, n - 1, axis) * ((right - left) / (left * right))
              + part(x, 2, n, axis) * (left / (right * (left + right))))
    first = _end_slope(x, axis, width(0, 1), width(min(1, n - 2), min(2, n - 1)), edge_order, False)
    last = _end_slope(x, axis, width(n - 2, n - 1), width(max(n - 3, 0), max(n - 2, 1)), edge_order, True)
    return cast(concatenate([first, inside, last], axis), x.dtype)


def _end_slope(x, axis: int, near, far, edge_order: int, at_end: bool):
    """The slope at one end, from the widths of the two intervals next to it; the far end mirrors the near one."""
    n = x.shape[axis]
    places = [n - 1, n - 2, n - 3] if at_end else [0, 1, 2]
    a, b = (part(x, i, i + 1, axis) for i in places[:2])
    if edge_order == 1:
        return divide(subtract(a, b) if at_end else subtract(b, a), near)
    c = part(x, places[2], places[2] + 1, axis)
    both = near + far
    slope = a * (-(2 * near + far) / (near * both)) + b * (both / (near * far)) + c * (-near / (far * both))
    return -slope if at_end else slope


@implements(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """As `numpy.trapezoid`."""
    y = as_array(y)
    axis = axis_index(axis, y.ndim)
    if x is None:
        width = dx
    else:
        x = as_array(x)
        width = diff(x, axis=-1 if x.ndim == 1 else axis)
        if x.ndim == 1:
            width = movement.reshape(width, shape=tuple(width.size if d == axis else 1 for d in range(y.ndim)))
    n = y.shape[axis]
    both = part(y, 1, n, axis) + part(y, 0, n - 1, axis)
    return reductions.sum(divide(multiply(width, both), 2.0), axis)


@implements(np.unwrap)
def unwrap(p, discont=None, axis=-1, *, period=2 * math.pi):
    """As `numpy.unwrap`."""
    x = as_array(p)
    axis = axis_index(axis, x.ndim)
    step = diff(x, axis=axis)
    discont = period / 2 if discont is None else discont
    whole = common_dtype(step, period).kind in "iu"
    half = period // 2 if whole else period / 2
    folded = (step + half) % period - half
    if not whole or period % 2 == 0:   # a jump of half a period keeps its direction
        folded = where((folded == -half) & (step > 0), half, folded)
    jumps = where(abs(step) < discont, 0, folded - step)
    n = x.ndim
    shift = movement.pad(cumsum(jumps, axis), low=tuple(int(d == axis) for d in range(n)), high=(0,) * n, interior=(0,) * n, value=0)
    return x + shift


# -- interpolation and filters
@implements(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    """As `numpy.interp`. At a knot the slope is the one of the interval to its right; outside it is 0."""
    if period is not None:
        return _periodic(x, xp, fp, period)
    complex_values = as_array(fp).dtype.kind == "c"
    x, xp = (cast(as_array(v), FLOAT) for v in (x, xp))
    fp = cast(as_array(fp), np.dtype(complex) if complex_values else FLOAT)
    if xp.ndim != 1 or fp.shape != xp.shape:
        raise ValueError(at_user_line("fp and xp are not of the same length." if fp.ndim == xp.ndim == 1 else "Data points must be 1-D sequences"))
    n = xp.size
    if n == 0:
        raise ValueError(at_user_line("array of sample points is empty"))
    if n == 1:
        result = movement.broadcast_to(movement.reshape(fp, shape=()), shape=x.shape)
    else:
        at = _within(search(xp, x, side="right") - 1, n - 2)
        x0, x1, f0, f1 = (gather(v, i, axes=(0,), mode="clip") for v, i in ((xp, at), (xp, at + 1), (fp, at), (fp, at + 1)))
        result = f0 + (f1 - f0) / (x1 - x0) * (x - x0)
    first, last = (movement.reshape(part(v, i, i + 1, 0), shape=()) for v, i in ((xp, 0), (xp, n - 1)))
    below, above = (movement.reshape(part(fp, i, i + 1, 0), shape=()) for i in (0, n - 1))
    result = where(x < first, below if left is None else cast(as_array(left), fp.dtype), result)
    return where(x > last, above if right is None else cast(as_array(right), fp.dtype), result)


def _periodic(x, xp, fp, period):
    """The knots, brought into one period and sorted, with one more beyond either end."""
    if type(period) is not Tracer and period == 0:
        raise ValueError(at_user_line("period must be a non-zero value"))
    period = absolute(period)
    x, xp = (remainder(cast(as_array(v), FLOAT), period) for v in (x, xp))
    fp = as_array(fp)
    if xp.ndim != 1 or fp.ndim != 1:
        raise ValueError(at_user_line("Data points must be 1-D sequences"))
    if xp.shape != fp.shape:
        raise ValueError(at_user_line("fp and xp are not of the same length."))
    n, order = xp.size, argsort(xp, axis=0, descending=False)
    xp, fp = (gather(v, order, axes=(0,), mode="clip") for v in (xp, fp))
    xp = concatenate([part(xp, n - 1, n, 0) - period, xp, part(xp, 0, 1, 0) + period])
    fp = concatenate([part(fp, n - 1, n, 0), fp, part(fp, 0, 1, 0)])
    return interp(x, xp, fp)


def _within(i, largest: int):
    return ops.minimum(ops.maximum(i, np.int64(0), tie=0.5), np.int64(largest), tie=0.5)


_SHORT = 32   # filters of up to this length are added up shift by shift, in one loop; longer ones are products with a matrix of windows


@implements(np.convolve)
def convolve(a, v, mode="full"):
    """As `numpy.convolve`."""
    x, y = promote(ravel(a), ravel(v))
    if x.size == 0 or y.size == 0:
        raise ValueError(at_user_line(f"{'a' if x.size == 0 else 'v'} cannot be empty"))
    if y.size > x.size:
        x, y = y, x
    return _slide(x, movement.reverse(y, axes=(0,)), mode)


@implements(np.correlate)
def correlate(a, v, mode="valid"):
    """As `numpy.correlate`."""
    x, y = promote(ravel(a), ravel(v))
    y = ops.conjugate(y) if y.dtype.kind == "c" else y
    if x.size == 0 or y.size == 0:
        raise ValueError(at_user_line(f"{'a' if x.size == 0 else 'v'} cannot be empty"))
    if y.size > x.size:
        return movement.reverse(_slide(y, x, mode), axes=(0,))
    return _slide(x, y, mode)


def _slide(x, y, mode: str):
    """The sums of x[i + k] y[k], for the positions i that `mode` asks for."""
    n, m = x.size, y.size
    margins = {"full": (m - 1, m - 1), "valid": (0, 0), "same": (m // 2, (m - 1) // 2)}
    if mode not in margins:
        raise ValueError(at_user_line(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})"))
    low, high = margins[mode]
    padded = movement.pad(x, low=(low,), high=(high,), interior=(0,), value=0)
    count = n + low + high - m + 1
    if m <= _SHORT:
        terms = [ops.multiply(part(padded, k, k + count, 0), part(y, k, k + 1, 0)) for k in range(m)]
        return functools.reduce(ops.add if x.dtype.kind != "b" else ops.logical_or, terms)
    windows = gather(padded, np.add.outer(np.arange(count), np.arange(m)), axes=(0,), mode="clip")
    return dot(windows, y)


@implements(np.polyval)
def polyval(p, x):
    """As `numpy.polyval`: Horner's rule, coefficients from the highest power."""
    coefficients, x = as_array(p), as_array(x)
    result = filled(x, x.shape, 0, x.dtype)
    for i in range(coefficients.shape[0]):
        result = result * x + movement.reshape(part(coefficients, i, i + 1, 0), shape=coefficients.shape[1:])
    return result


@implements(np.isreal)
def isreal(x):
    """As `numpy.isreal`."""
    return imag(x) == 0


@implements(np.iscomplex)
def iscomplex(x):
    """As `numpy.iscomplex`."""
    return imag(x) != 0

