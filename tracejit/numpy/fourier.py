"""`numpy.fft` on traced values: cutting or padding to the length asked for, then the primitive of `ops.fft`."""

from __future__ import annotations

import operator

import numpy as np

from ..errors import at_user_line
from ..ir.types import FLOAT
from ..ops import movement
from ..ops.fft import SWAPPED
from ..ops.fft import fft as transform
from .axes import axis_index
from .promotion import as_array, cast
from .register import implements, refuse, static
from .shaping import part
from .taking import roll
from .ufuncs import conjugate


# -- arguments
def _samples(a):
    """`a` in a precision that transforms have: integers in double, halves in single."""
    x = as_array(a)
    if x.dtype.kind in "fc":
        return cast(x, np.dtype(np.float32)) if x.dtype == np.float16 else x
    return cast(x, FLOAT)


def _norm(norm) -> str:
    if norm is None:
        return "backward"
    if norm not in SWAPPED:
        raise ValueError(at_user_line(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".'))
    return norm


def _length(n, function: str) -> int:
    n = operator.index(static(n, function, "n"))
    if n < 1:
        raise ValueError(at_user_line(f"Invalid number of FFT data points ({n}) specified."))
    return n


def _resized(x, n: int, axis: int):
    """The first n entries along an axis, zeros where there are fewer."""
    have = x.shape[axis]
    if n <= have:
        return x if n == have else part(x, 0, n, axis)
    still = (0,) * x.ndim
    return movement.pad(x, low=still, high=tuple(n - have if d == axis else 0 for d in range(x.ndim)), interior=still, value=0)


def _lengths_and_axes(function: str, x, s, axes, inverse_real: bool = False) -> tuple[list[int], list[int]]:
    """What to transform: for each axis its length. Raises `ValueError` where `s` and `axes` do not match."""
    if axes is None:
        axes = range(x.ndim) if s is None else range(-len(s), 0)
    axes = [axis_index(axis, x.ndim) for axis in axes]
    given = [None] * len(axes) if s is None else list(s)
    if len(given) != len(axes):
        raise ValueError(at_user_line("Shape and axes have different lengths."))
    lengths = []
    for place, (n, axis) in enumerate(zip(given, axes)):
        default = 2 * (x.shape[axis] - 1) if inverse_real and place == len(axes) - 1 and n is None else x.shape[axis]
        lengths.append(_length(default if n is None or n == -1 else n, function))
    return lengths, axes


# -- transforms of one axis
def _as_complex(x):
    return x if x.dtype.kind == "c" else cast(x, np.dtype(f"c{2 * x.dtype.itemsize}"))


def _complex(kind: str, x, n: int, axis: int, norm: str):
    x = _as_complex(x)
    return transform(_resized(x, n, axis), kind=kind, axes=(axis,), length=n, norm=norm)


def _real(x, n: int, axis: int, norm: str):
    if x.dtype.kind == "c":
        raise TypeError(at_user_line("rfft of complex samples would drop their imaginary parts: use fft, or np.real"))
    return transform(_resized(x, n, axis), kind="rfft", axes=(axis,), length=n, norm=norm)


def _inverse_real(x, n: int, axis: int, norm: str):
    return transform(_resized(x, n // 2 + 1, axis), kind="irfft", axes=(axis,), length=n, norm=norm)


def _one_axis(name: str, kernel, inverse: bool = False):
    """The traced version of a transform of one axis; `inverse` ones go by default to the even number of samples."""

    @implements(getattr(np.fft, name))
    def function(a, n=None, axis=-1, norm=None, out=None):
        refuse(f"np.fft.{name}", out=out)
        x = _samples(a)
        axis = axis_index(axis, x.ndim)
        default = 2 * (x.shape[axis] - 1) if inverse else x.shape[axis]
        result = kernel(x, _length(default if n is None else n, f"np.fft.{name}"), axis, _norm(norm))
        return cast(result, np.dtype(np.float16)) if inverse and as_array(a).dtype == np.float16 else result

    function.__name__ = name
    function.__doc__ = f"As `numpy.fft.{name}`."
    return function


fft = _one_axis("fft", lambda *args: _complex("fft", *args))
ifft = _one_axis("ifft", lambda *args: _complex("ifft", *args))
rfft = _one_axis("rfft", _real)
irfft = _one_axis("irfft", _inverse_real, inverse=True)
hfft = _one_axis("hfft", lambda x, n, axis, norm: _inverse_real(conjugate(x), n, axis, SWAPPED[norm]), inverse=True)
ihfft = _one_axis("ihfft", lambda x, n, axis, norm: conjugate(_real(x, n, axis, SWAPPED[norm])))


# -- transforms of several axes
def _complex_axes(kind: str, x, lengths: list[int], axes: list[int], norm: str):
    """All axes in one step where each comes once."""
    x = _as_complex(x)
    if len(set(axes)) == len(axes) and axes:
        for n, axis in zip(lengths, axes):
            x = _resized(x, n, axis)
        return transform(x, kind=kind, axes=tuple(axes), length=lengths[-1], norm=norm)
    for n, axis in zip(lengths[::-1], axes[::-1]):
        x = _complex(kind, x, n, axis, norm)
    return x


def _several_axes(name: str, kernel, default_axes, inverse_real: bool = False):
    @implements(getattr(np.fft, name))
    def function(a, s=None, axes=default_axes, norm=None, out=None):
        refuse(f"np.fft.{name}", out=out)
        x = _samples(a)
        lengths, axes = _lengths_and_axes(f"np.fft.{name}", x, s, axes, inverse_real)
        return kernel(x, lengths, axes, _norm(norm))

    function.__name__ = name
    function.__doc__ = f"As `numpy.fft.{name}`."
    return function


def _real_axes(x, lengths: list[int], axes: list[int], norm: str):
    x = _real(x, lengths[-1], axes[-1], norm)
    return _complex_axes("fft", x, lengths[:-1], axes[:-1], norm) if axes[:-1] else x


def _inverse_real_axes(x, lengths: list[int], axes: list[int], norm: str):
    if axes[:-1]:   # in NumPy's order, the first axis first
        x = _complex_axes("ifft", x, lengths[-2::-1], axes[-2::-1], norm)
    return _inverse_real(x, lengths[-1], axes[-1], norm)


for _suffix, _axes in (("n", None), ("2", (-2, -1))):
    _several_axes(f"fft{_suffix}", lambda *args: _complex_axes("fft", *args), _axes)
    _several_axes(f"ifft{_suffix}", lambda *args: _complex_axes("ifft", *args), _axes)
    _several_axes(f"rfft{_suffix}", _real_axes, _axes)
    _several_axes(f"irfft{_suffix}", _inverse_real_axes, _axes, inverse_real=True)


# -- the order of frequencies
def _shift(x, axes, backwards: bool):
    x = as_array(x)
    axes = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, (int, np.integer)) else tuple(axes)
    return roll(x, tuple((-(x.shape[d] // 2) if backwards else x.shape[d] // 2) for d in axes), axes)


@implements(np.fft.fftshift)
def fftshift(x, axes=None):
    """As `numpy.fft.fftshift`."""
    return _shift(x, axes, backwards=False)


@implements(np.fft.ifftshift)
def ifftshift(x, axes=None):
    """As `numpy.fft.ifftshift`."""
    return _shift(x, axes, backwards=True)
