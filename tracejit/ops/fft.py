"""`fft(x, kind, axes, length, norm)`: discrete Fourier transforms of whole axes.

    fft, ifft   complex to complex (a real x counts as complex), over any number of axes, the last first
    rfft        real to complex over one axis: the n // 2 + 1 frequencies that are not negative
    irfft       complex to real over one axis: the inverse of rfft

`length` is the number of samples along the last of `axes`, which of n // 2 + 1 frequencies alone would not be known.
`norm` is NumPy's: "backward", "ortho" or "forward".  Cutting and padding to other lengths is what `tracejit.numpy` does before.
"""

from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType
from ..trace import type_of
from .core import define
from .elementwise import conjugate, multiply, real

# A real transform and its inverse are transposes of one another but for their scale: "backward" is to the one what "forward" is to the other.
SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def _infer(x, kind, axes, length, norm):
    size = x.dtype.itemsize // (2 if x.dtype.kind == "c" else 1)
    if x.dtype.kind not in "fc" or size < 4 or x.dtype.kind == "c" and kind == "rfft":
        raise TypeError(at_user_line(f"{kind} is not defined for dtype {x.dtype}"))
    if length < 1 or any(x.shape[a] < 1 for a in axes):
        raise ValueError(at_user_line(f"Invalid number of FFT data points ({min(length, *(x.shape[a] for a in axes))}) specified."))
    shape, last = list(x.shape), axes[-1]
    if kind == "irfft":
        if x.shape[last] != length // 2 + 1:
            raise ValueError(at_user_line(f"irfft to {length} samples needs {length // 2 + 1} frequencies, got {x.shape[last]}"))
        shape[last] = length
        return ArrayType(tuple(shape), np.dtype(f"f{size}"))
    shape[last] = length // 2 + 1 if kind == "rfft" else shape[last]
    return ArrayType(tuple(shape), np.dtype(f"c{2 * size}"))


def _run(xp, x, kind, axes, length, norm):
    if kind == "irfft":
        return xp.fft.irfft(x, length, axes[-1], norm)
    transform = getattr(xp.fft, kind)
    for axis in reversed(axes):
        x = transform(x, axis=axis, norm=norm)
    return x


def _transpose(ct, x, kind, axes, length, norm):
    """The matrix of a complex transform is symmetric. Those of the real ones leave out frequencies that each sample is made of twice."""
    if kind in ("fft", "ifft"):
        back = fft(ct, kind=kind, axes=axes, length=length, norm=norm)
        return (real(back) if x.type.dtype.kind == "f" else back,)
    if kind == "rfft":
        return (fft(_weighted(conjugate(ct), axes[-1], length, 0.5), kind="irfft", axes=axes, length=length, norm=SWAPPED[norm]),)
    back = _weighted(conjugate(fft(ct, kind="rfft", axes=axes, length=length, norm=SWAPPED[norm])), axes[-1], length, 2.0)
    return (back if x.type.dtype.kind == "c" else real(back),)


def _weighted(spectrum, axis: int, length: int, factor: float):
    """Half a spectrum, with the frequencies that stand for a pair (all but 0 and, of an even number of samples, the last) times `factor`."""
    type_ = type_of(spectrum)
    weights = np.full(type_.shape[axis], factor, type_.dtype)
    weights[0] = 1
    if length % 2 == 0:
        weights[-1] = 1
    return multiply(spectrum, weights.reshape([-1 if d == axis else 1 for d in range(type_.ndim)]))


def _show(x, kind, axes, length, norm):
    if len(axes) > 1:
        return f"np.fft.{kind}n({x}, axes={axes}, norm={norm!r})"
    return f"np.fft.{kind}({x}, {length}, {axes[0]}, {norm!r})"


fft = define(
    "fft",
    infer=_infer,
    run=_run,
    jvp=lambda primals, out, tangents, **params: fft(tangents[0], **params),
    transpose=_transpose,
    batch=lambda args, batched, axes, **params: fft(args[0], axes=tuple(a + 1 for a in axes), **params),
    kind="fft",
    show=_show,
    dear=True,
)
__all__ = ["SWAPPED", "fft"]
