"""Fourier transforms, as `torch.fft`. Results have the precision of the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes
from .absent import of_module
from .dispatch import Primitive
from .functions.keywords import let_write
from .functions.operands import axes as _axes
from .functions.operands import axis as _axis
from .tensor import Tensor, wrap

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2",
    "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2",
    "rfftfreq", "rfftn",
]  # fmt: skip

_NORMS = (None, "backward", "ortho", "forward")


def _check(norm: Any) -> None:
    if norm not in _NORMS:
        raise RuntimeError(f'Invalid normalization mode: "{norm}": one of {", ".join(map(repr, _NORMS[1:]))}')


def _node(name: str) -> str:
    kind = "FftR2C" if name in ("rfft", "rfft2", "rfftn", "ihfft") else "FftC2R" if name in ("irfft", "irfft2", "irfftn", "hfft") else "FftC2C"
    return f"{kind}Backward0"


def _floating(input: Tensor) -> Tensor:
    return input if input._data.dtype.kind in "fc" else input.to(dtypes.get_default_dtype())


def _one(name: str, text: str) -> Callable:
    f = getattr(np.fft, name)
    primitive = Primitive(_node(name), lambda x, n, axis, norm: f(x, n, axis, norm))

    def transform(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
        _check(norm)
        if n is not None and n < 1:
            raise RuntimeError(f"Invalid number of data points ({n}) specified")
        return primitive(_floating(input), n=n, axis=_axis(dim, input._data.ndim), norm=norm)

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = text
    return transform


def _many(name: str, text: str, plane: bool) -> Callable:
    f = getattr(np.fft, name)
    primitive = Primitive(_node(name), lambda x, s, axes, norm: f(x, s, axes, norm))

    def transform(input: Tensor, s: Any = None, dim: Any = (-2, -1) if plane else None, norm: str | None = None) -> Tensor:
        _check(norm)
        n = input._data.ndim
        if dim is None:
            dim = tuple(range(n - len(s), n)) if s is not None else tuple(range(n))
        places = _axes(dim, n)
        shape = None if s is None else tuple([input._data.shape[d] if k == -1 else k for k, d in zip(s, places)])
        return primitive(_floating(input), s=shape, axes=places, norm=norm)

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = text
    return transform


fft = _one("fft", "The Fourier transform along a dimension.")
ifft = _one("ifft", "Undo `fft`.")
rfft = _one("rfft", "The first half of the Fourier transform of real numbers.")
irfft = _one("irfft", "Undo `rfft`: `n` is the number of results.")
hfft = _one("hfft", "The Fourier transform of a Hermitian signal, which is real.")
ihfft = _one("ihfft", "Undo `hfft`.")
fft2 = _many("fft2", "The Fourier transform along two dimensions.", True)
ifft2 = _many("ifft2", "Undo `fft2`.", True)
rfft2 = _many("rfft2", "`rfft` along the last and `fft` along another dimension.", True)
irfft2 = _many("irfft2", "Undo `rfft2`.", True)
fftn = _many("fftn", "The Fourier transform along several dimensions.", False)
ifftn = _many("ifftn", "Undo `fftn`.", False)
rfftn = _many("rfftn", "`rfft` along the last and `fft` along the other dimensions.", False)
irfftn = _many("irfftn", "Undo `rfftn`.", False)


def _places(input: Tensor, s: Any, dim: Any) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """The dimensions, and the lengths along them, None where they are those of the tensor."""
    n = input._data.ndim
    if dim is None:
        dim = tuple(range(n)) if s is None else tuple(range(n - len(s), n))
    places = _axes(dim, n)
    if s is not None and len(s) != len(places):
        raise RuntimeError(f"When given, dim and shape arguments must have the same length, got {len(places)} and {len(s)}")
    return places, tuple([None if k == -1 else k for k in s]) if s is not None else (None,) * len(places)


def hfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`hfft` along the last and `fft` along the other dimensions."""
    places, lengths = _places(input, s, dim)
    for d, n in zip(places[:-1], lengths[:-1]):
        input = fft(input, n, d, norm)
    return hfft(input, lengths[-1], places[-1], norm)


def ihfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """Undo `hfftn`: `ihfft` along the last and `ifft` along the other dimensions."""
    places, lengths = _places(input, s, dim)
    input = ihfft(input, lengths[-1], places[-1], norm)
    for d, n in zip(places[:-1], lengths[:-1]):
        input = ifft(input, n, d, norm)
    return input


def hfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`hfftn` along two dimensions."""
    return hfftn(input, s, dim, norm)


def ihfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """Undo `hfft2`."""
    return ihfftn(input, s, dim, norm)


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The frequencies of the results of `fft`.

    >>> from tracejit import torch
    >>> torch.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    made = wrap(np.fft.fftfreq(n, d).astype(_dtype(dtype)))
    return made.requires_grad_(requires_grad)


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The frequencies of the results of `rfft`."""
    made = wrap(np.fft.rfftfreq(n, d).astype(_dtype(dtype)))
    return made.requires_grad_(requires_grad)


def _dtype(dtype: Any) -> np.dtype:
    return dtypes.get_default_dtype().numpy if dtype is None else dtypes.as_numpy(dtype)


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """With frequency zero in the middle."""
    places = _axes(tuple(range(input._data.ndim)) if dim is None else dim, input._data.ndim)
    return input.roll([input._data.shape[d] // 2 for d in places], places)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """Undo `fftshift`."""
    places = _axes(tuple(range(input._data.ndim)) if dim is None else dim, input._data.ndim)
    return input.roll([-(input._data.shape[d] // 2) for d in places], places)


let_write(globals(), [name for name in __all__ if "shift" not in name])
__getattr__ = of_module(globals())
