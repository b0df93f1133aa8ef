"""`scipy.signal` on traced values: convolutions, correlations and linear filters."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import at_user_line
from ..numpy.promotion import as_array, promote
from .delegate import scipy_function

__all__ = ["convolve", "correlate", "fftconvolve", "lfilter", "oaconvolve"]

_signal = scipy_function("scipy.signal")
_SHIFTED = 64  # elements of a kernel up to which a convolution is a sum of shifted arrays, and not by Fourier transforms


def _operands(what: str, in1: Any, in2: Any) -> tuple[Any, Any]:
    a, b = promote(as_array(in1), as_array(in2))
    if a.ndim != b.ndim:
        raise ValueError(at_user_line(f"{what}: in1 has {a.ndim} axes, in2 has {b.ndim}"))
    return a, b


def _shifted(a: Any, b: Any) -> Any:
    """The full convolution as a sum over the elements of the smaller operand."""
    if a.size < b.size:
        a, b = b, a
    shape = [n + m - 1 for n, m in zip(a.shape, b.shape)]
    total = None
    for at in np.ndindex(*b.shape):
        part = np.pad(a * b[at], [(k, n - k - m) for k, n, m in zip(at, shape, a.shape)])
        total = part if total is None else total + part
    return total


def _by_fft(a: Any, b: Any, axes: tuple[int, ...]) -> Any:
    lengths = [a.shape[k] + b.shape[k] - 1 for k in axes]
    if a.dtype.kind == "c":
        return np.fft.ifftn(np.fft.fftn(a, lengths, axes) * np.fft.fftn(b, lengths, axes), lengths, axes)
    full = np.fft.irfftn(np.fft.rfftn(a, lengths, axes) * np.fft.rfftn(b, lengths, axes), lengths, axes)
    return full.astype(a.dtype) if a.dtype.kind == "f" else full


def _part(what: str, full: Any, a: Any, b: Any, mode: str, axes: tuple[int, ...]) -> Any:
    """What `mode` keeps of the full convolution along `axes`."""
    if mode == "full":
        return full
    if mode not in ("same", "valid"):
        raise ValueError(at_user_line(f"{what}: mode must be 'full', 'same' or 'valid', got {mode!r}"))
    small, large = zip(*[sorted((a.shape[k], b.shape[k])) for k in axes])
    if mode == "valid" and not (all(a.shape[k] >= b.shape[k] for k in axes) or all(a.shape[k] <= b.shape[k] for k in axes)):
        raise ValueError(at_user_line(f"{what}: for mode='valid' one operand must be at least as large as the other along each axis"))
    cut: list[slice] = [slice(None)] * a.ndim
    for k, s, n in zip(axes, small, large):
        size = a.shape[k] if mode == "same" else n - s + 1
        begin = (full.shape[k] - size) // 2
        cut[k] = slice(begin, begin + size)
    return full[tuple(cut)]


@_signal
def convolve(in1, in2, mode="full", method="auto"):
    """As `scipy.signal.convolve`, of any number of axes.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(convolve)(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0]))
    array([0., 1., 2., 3.])
    """
    a, b = _operands("convolve", in1, in2)
    axes = tuple(range(a.ndim))
    direct = method == "direct" or method == "auto" and (min(a.size, b.size) <= _SHIFTED or a.dtype.kind in "biu")
    return _part("convolve", _shifted(a, b) if direct else _by_fft(a, b, axes), a, b, mode, axes)


@_signal
def correlate(in1, in2, mode="full", method="auto"):
    """As `scipy.signal.correlate`."""
    b = as_array(in2)
    return convolve(in1, np.conj(b[(slice(None, None, -1),) * b.ndim]), mode, method)


@_signal
def fftconvolve(in1, in2, mode="full", axes=None):
    """As `scipy.signal.fftconvolve`."""
    a, b = _operands("fftconvolve", in1, in2)
    chosen = range(a.ndim) if axes is None else np.atleast_1d(axes)
    along = tuple([int(k) % a.ndim for k in chosen])
    return _part("fftconvolve", _by_fft(a, b, along), a, b, mode, along)


@_signal
def oaconvolve(in1, in2, mode="full", axes=None):
    """As `scipy.signal.oaconvolve`, without blocks."""
    return fftconvolve(in1, in2, mode, axes)


@_signal
def lfilter(b, a, x, axis=-1, zi=None):
    """As `scipy.signal.lfilter`: the direct form II transposed, as a loop over the samples. The first coefficient of `a` divides all others.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(lambda x: lfilter([0.5], [1.0, -0.5], x))(np.array([1.0, 0.0, 0.0]))
    array([0.5  , 0.25 , 0.125])
    """
    from ..api.control import scan  # which is made of what this package stands on

    b, a, x = promote(np.atleast_1d(as_array(b)), np.atleast_1d(as_array(a)), as_array(x))
    if b.ndim != 1 or a.ndim != 1 or not x.ndim:
        raise ValueError(at_user_line(f"lfilter: b and a have one axis, x at least one, got {b.shape}, {a.shape} and {x.shape}"))
    if x.dtype.kind not in "fc":
        b, a, x = (v.astype(float) for v in (b, a, x))
    order = max(a.size, b.size)
    b, a = (np.pad(v / a[0], (0, order - v.size)) for v in (b, a))
    rows = np.moveaxis(x, axis, 0)
    start = np.zeros((order - 1, *rows.shape[1:]), x.dtype) if zi is None else np.moveaxis(as_array(zi).astype(x.dtype), axis, 0)

    def step(z, value):
        y = b[0] * value + z[0] if order > 1 else b[0] * value
        following = [b[k] * value - a[k] * y + (z[k] if k < order - 1 else 0) for k in range(1, order)]
        return (np.stack(following) if following else z), y

    last, ys = scan(step, start, rows)
    y = np.moveaxis(ys, 0, axis)
    return y if zi is None else (y, np.moveaxis(last, 0, axis))
