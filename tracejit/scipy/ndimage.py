"""`scipy.ndimage` on traced values: linear filters, as sums of shifted arrays.

Results have the dtype of the input, as SciPy's; they are computed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..numpy.promotion import as_array
from .delegate import refuse, scipy_function

__all__ = [
    "convolve", "convolve1d", "correlate", "correlate1d", "gaussian_filter", "gaussian_filter1d", "laplace", "prewitt", "sobel", "uniform_filter",
    "uniform_filter1d",
]  # fmt: skip

_ndimage = scipy_function("scipy.ndimage")
_PADDING = {
    "reflect": "symmetric", "grid-mirror": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap", "grid-wrap": "wrap",
    "constant": "constant", "grid-constant": "constant",
}  # fmt: skip


def _padded(x: Any, widths: Sequence[tuple[int, int]], mode: str, cval: float) -> Any:
    if mode not in _PADDING:
        raise ValueError(at_user_line(f"boundary mode {mode!r} is not one of {', '.join(_PADDING)}"))
    return np.pad(x, widths, _PADDING[mode], **({"constant_values": cval} if _PADDING[mode] == "constant" else {}))


def _correlated(x: Any, weights: Any, mode: str, cval: float, origins: Sequence[int]) -> Any:
    before = [n // 2 + o for n, o in zip(weights.shape, origins)]
    if any(b < 0 or b >= n for b, n in zip(before, weights.shape)):
        raise ValueError(at_user_line("invalid origin"))
    padded = _padded(x, [(b, n - 1 - b) for b, n in zip(before, weights.shape)], mode, cval)
    total = None
    for at in np.ndindex(*weights.shape):
        part = weights[at] * padded[tuple([slice(k, k + n) for k, n in zip(at, x.shape)])]
        total = part if total is None else total + part
    return total


def _entered(x: Any) -> tuple[Any, np.dtype]:
    """The array to compute with, and the dtype of the result."""
    x = as_array(x)
    return x if x.dtype.kind == "c" else x.astype(float), x.dtype


def _origins(origin: Any, ndim: int) -> list[int]:
    return [int(o) for o in np.broadcast_to(origin, ndim)]


@_ndimage
def correlate(input, weights, output=None, mode="reflect", cval=0.0, origin=0):
    """As `scipy.ndimage.correlate`."""
    refuse("correlate", output=output)
    x, dtype = _entered(input)
    weights = as_array(weights)
    if weights.ndim != x.ndim:
        raise RuntimeError(at_user_line(f"filter weights array has incorrect shape: {weights.ndim} axes for an input of {x.ndim}"))
    return _correlated(x, weights, mode, cval, _origins(origin, x.ndim)).astype(dtype)


@_ndimage
def convolve(input, weights, output=None, mode="reflect", cval=0.0, origin=0):
    """As `scipy.ndimage.convolve`.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(convolve)(np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.0, -1.0]))
    array([1., 3., 2.])
    """
    weights = as_array(weights)
    origins = [-o - (n % 2 == 0) for o, n in zip(_origins(origin, weights.ndim), weights.shape)]
    return correlate(input, weights[(slice(None, None, -1),) * weights.ndim], output, mode, cval, origins)


@_ndimage
def correlate1d(input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    """As `scipy.ndimage.correlate1d`."""
    refuse("correlate1d", output=output)
    x, dtype = _entered(input)
    shape, origins = [1] * x.ndim, [0] * x.ndim
    shape[axis], origins[axis] = -1, int(origin)
    return _correlated(x, np.reshape(as_array(weights), shape), mode, cval, origins).astype(dtype)


@_ndimage
def convolve1d(input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    """As `scipy.ndimage.convolve1d`."""
    weights = as_array(weights)
    return correlate1d(input, weights[::-1], axis, output, mode, cval, -int(origin) - (weights.shape[0] % 2 == 0))


def _axes(x: Any, axes: Any) -> list[int]:
    return list(range(x.ndim)) if axes is None else [int(a) % x.ndim for a in np.atleast_1d(axes)]


@_ndimage
def gaussian_filter1d(input, sigma, axis=-1, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None):
    """As `scipy.ndimage.gaussian_filter1d`, of order 0, 1 or 2."""
    if radius is None:
        radius = int(truncate * sigma + 0.5)
    at = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (at / sigma) ** 2)
    weights = weights / np.sum(weights)
    if order == 1:
        weights = weights * -at / sigma**2
    elif order == 2:
        weights = weights * (at**2 / sigma**4 - 1 / sigma**2)
    elif order != 0:
        raise ValueError(at_user_line(f"gaussian_filter1d: the derivative of order {order} has no traced form: 0, 1 and 2 have one"))
    return correlate1d(input, weights[::-1], axis, output, mode, cval)


@_ndimage
def gaussian_filter(input, sigma, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None, axes=None):
    """As `scipy.ndimage.gaussian_filter`.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(lambda x: gaussian_filter(x, 1.0))(np.ones((3, 3))).round(12)[1]
    array([1., 1., 1.])
    """
    refuse("gaussian_filter", output=output)
    x, dtype = _entered(input)
    chosen = _axes(x, axes)

    def each(value: Any) -> list:
        return list(value) if isinstance(value, (tuple, list, np.ndarray)) else [value] * len(chosen)

    for axis, s, o, m, r in zip(chosen, each(sigma), each(order), each(mode), each(radius)):
        x = gaussian_filter1d(x, s, axis, o, None, m, cval, truncate, radius=r)
    return x.astype(dtype)


@_ndimage
def uniform_filter1d(input, size, axis=-1, output=None, mode="reflect", cval=0.0, origin=0):
    """As `scipy.ndimage.uniform_filter1d`."""
    return correlate1d(input, np.full(size, 1.0 / size), axis, output, mode, cval, origin)


@_ndimage
def uniform_filter(input, size=3, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None):
    """As `scipy.ndimage.uniform_filter`."""
    refuse("uniform_filter", output=output)
    x, dtype = _entered(input)
    chosen = _axes(x, axes)
    for axis, n, o in zip(chosen, np.broadcast_to(size, len(chosen)), np.broadcast_to(origin, len(chosen))):
        x = uniform_filter1d(x, int(n), axis, None, mode, cval, int(o))
    return x.astype(dtype)


@_ndimage
def laplace(input, output=None, mode="reflect", cval=0.0, *, axes=None):
    """As `scipy.ndimage.laplace`."""
    refuse("laplace", output=output)
    x, dtype = _entered(input)
    return sum(correlate1d(x, [1.0, -2.0, 1.0], axis, None, mode, cval) for axis in _axes(x, axes)).astype(dtype)


def _gradient(input: Any, axis: int, smoothing: Sequence[float], mode: str, cval: float) -> Any:
    x, dtype = _entered(input)
    x = correlate1d(x, [-1.0, 0.0, 1.0], axis, None, mode, cval)
    for other in range(x.ndim):
        if other != axis % x.ndim:
            x = correlate1d(x, smoothing, other, None, mode, cval)
    return x.astype(dtype)


@_ndimage
def sobel(input, axis=-1, output=None, mode="reflect", cval=0.0):
    """As `scipy.ndimage.sobel`."""
    refuse("sobel", output=output)
    return _gradient(input, axis, [1.0, 2.0, 1.0], mode, cval)


@_ndimage
def prewitt(input, axis=-1, output=None, mode="reflect", cval=0.0):
    """As `scipy.ndimage.prewitt`."""
    refuse("prewitt", output=output)
    return _gradient(input, axis, [1.0, 1.0, 1.0], mode, cval)
