"""Signals: Fourier transforms of windows of a signal, their inverse, and two more windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes, fft
from ..dispatch import FUNCTIONS, function
from ..tensor import Tensor, wrap


def _padded_window(window: Tensor | None, win_length: int, n_fft: int, like: Tensor) -> Tensor:
    """The window of n_fft elements, in whose middle the given one lies."""
    from ..nn.functional import pad

    if window is None:
        window = FUNCTIONS["ones"](win_length, dtype=like.dtype.to_real() if like.is_complex() else like.dtype)
    left = (n_fft - win_length) // 2
    return window if win_length == n_fft else pad(window, (left, n_fft - win_length - left))


def _lengths(n_fft: int, hop_length: int | None, win_length: int | None, window: Tensor | None, name: str) -> tuple[int, int]:
    hop, win = n_fft // 4 if hop_length is None else hop_length, n_fft if win_length is None else win_length
    if n_fft <= 0 or hop <= 0:
        raise RuntimeError(f"{name}: expected n_fft > 0 and hop_length > 0, got n_fft={n_fft} and hop_length={hop}")
    if not 0 < win <= n_fft:
        raise RuntimeError(f"{name}: expected 0 < win_length <= n_fft, but got win_length={win}")
    if window is not None and tuple(window.shape) != (win,):
        raise RuntimeError(f"{name}: expected a 1D window tensor of size equal to win_length={win}, but got window with size {list(window.shape)}")
    return hop, win


@function("stft")
def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Tensor | None = None, center: bool = True,
    pad_mode: str = "reflect", normalized: bool = False, onesided: bool | None = None, return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """The Fourier transforms of windows of n_fft elements, `hop_length` apart, of signals (*, L): (*, frequencies, windows).

    With `center` the signal is padded, so that the windows are around the places 0, hop, 2 hop, ... `onesided` leaves out what a real signal's
    transform has twice. `return_complex=False` gives real and imaginary parts along a last dimension.
    """
    from ..nn.functional import pad

    hop, win = _lengths(n_fft, hop_length, win_length, window, "stft")
    complex_in = input.is_complex() or (window is not None and window.is_complex())
    if return_complex is None:
        if not complex_in:
            raise RuntimeError("stft requires the return_complex parameter be given for real inputs, and will further require return_complex=True.")
        return_complex = True
    onesided = not complex_in if onesided is None else onesided
    if onesided and complex_in:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    if input._data.ndim not in (1, 2):
        raise RuntimeError(f"stft: expected a 1D or 2D tensor, but got {input._data.ndim}D tensor")
    x = input if input._data.ndim == 2 else input.unsqueeze(0)
    if center:
        half = n_fft // 2
        x = pad(x.unsqueeze(1), (half, half), pad_mode).squeeze(1)
    if x._data.shape[1] < n_fft:
        raise RuntimeError(f"stft: expected 0 < n_fft <= {x._data.shape[1]}, but got n_fft={n_fft}")
    frames = x.unfold(1, n_fft, hop) * _padded_window(window, win, n_fft, input)
    made = (fft.rfft if onesided else fft.fft)(frames, norm="ortho" if normalized else None).transpose(1, 2)
    made = made if input._data.ndim == 2 else made.squeeze(0)
    return made if return_complex else FUNCTIONS["view_as_real"](made)


@function("istft")
def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Tensor | None = None, center: bool = True,
    normalized: bool = False, onesided: bool | None = None, length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The signal whose `stft` is nearest to `input`: windows are added where they overlap, and divided by the sum of the squared windows.

    Raises `RuntimeError` where that sum is zero.
    """
    hop, win = _lengths(n_fft, hop_length, win_length, window, "istft")
    if not input.is_complex():
        raise RuntimeError("istft requires a complex-valued input tensor matching the output from stft with return_complex=True.")
    if input._data.ndim not in (2, 3):
        raise RuntimeError(f"istft expected a tensor with 2 or 3 dimensions, but got {input._data.ndim}")
    z = input if input._data.ndim == 3 else input.unsqueeze(0)
    onesided = z._data.shape[1] != n_fft if onesided is None else onesided
    if onesided and return_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex: istft(return_complex=True) needs onesided=False")
    if z._data.shape[1] != (n_fft // 2 + 1 if onesided else n_fft):
        raise RuntimeError(
            f"istft(): expected the frequency dimension (3rd to the last) of the input tensor to match {'n_fft / 2 + 1' if onesided else 'n_fft'}, "
            f"but got {z._data.shape[1]}"
        )
    norm = "ortho" if normalized else None
    z = z.transpose(1, 2)
    if return_complex:
        frames = fft.ifft(z, norm=norm)
    else:
        frames = fft.irfft(z[..., : n_fft // 2 + 1], n_fft, norm=norm)
    weights = _padded_window(window, win, n_fft, frames)
    count = frames._data.shape[1]
    total = n_fft + hop * (count - 1)
    places = wrap((np.arange(count)[:, None] * hop + np.arange(n_fft)).reshape(-1))
    flat = (frames * weights).reshape(frames._data.shape[0], -1)
    signal = FUNCTIONS["zeros"](frames._data.shape[0], total, dtype=flat.dtype).index_add(1, places, flat)
    squares = (weights * weights).expand(count, n_fft).reshape(-1)
    envelope = FUNCTIONS["zeros"](total, dtype=squares.dtype).index_add(0, places, squares)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - (n_fft // 2 if center else 0)
    signal, envelope = signal[:, start:end], envelope[start:end]
    lowest = envelope.detach().abs()
    if isinstance(lowest._array, np.ndarray) and lowest._data.size and lowest.min().item() < 1e-11:
        raise RuntimeError("window overlap add min: 0: the window does not cover the signal; use a smaller hop_length")
    made = signal / envelope
    if length is not None and made._data.shape[1] < length:
        from ..nn.functional import pad

        made = pad(made, (0, length - made._data.shape[1]))
    return made if input._data.ndim == 3 else made.squeeze(0)


def _window_of(values: np.ndarray, dtype: Any, requires_grad: bool) -> Tensor:
    made = wrap(values.astype(dtypes.get_default_dtype().numpy if dtype is None else dtypes.as_numpy(dtype)))
    return made.requires_grad_() if requires_grad else made


@function("bartlett_window", method=False)
def bartlett_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A triangle."""
    n = window_length + (1 if periodic else 0)
    return _window_of(np.ones(window_length) if window_length == 1 else np.bartlett(n)[:window_length], dtype, requires_grad)


@function("kaiser_window", method=False)
def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The window of Kaiser with shape `beta`."""
    n = window_length + (1 if periodic else 0)
    return _window_of(np.ones(window_length) if window_length == 1 else np.kaiser(n, beta)[:window_length], dtype, requires_grad)
