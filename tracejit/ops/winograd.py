"""Convolutions with 3 x 3 taps and stride 1 in fewer multiplications (Winograd 1980; Lavin & Gray 2015, arXiv:1509.09308).

A tile of m x m results depends on (m + 2) x (m + 2) elements d of x, and is

    A' [sum over channels of (G g G') * (B' d B)] A        ' transposes, * multiplies element by element, g are the 3 x 3 taps

so that each channel costs (m + 2)^2 multiplications in place of 9 m^2: 16 for 36 with m = 2, 36 for 144 with m = 4.  For each of the (m + 2)^2 places
that is one product of matrices, weights by tiles.  The derivative by the taps is the same formula transposed,
G' [sum over tiles of (A c A') * (B' d B)] G with the tile c of the cotangent; that by x is another such convolution, with the taps in reverse and
exchanged axes.

    winograd_product(x, w, low, out, tile, turned)     x (examples, channels, *positions)   w (outputs, channels, 3, 3)   -> (examples, outputs, *out)
    winograd_outer(x, y, low, tile)                    y (examples, outputs, *positions)                                  -> (outputs, channels, 3, 3)

`low`: zeros in front of x along both axes, or elements cut off where negative.  `turned`: w is (channels, outputs, 3, 3) with the taps in reverse.

Errors.  The matrices come from the points 0, 1, -1 and infinity for m = 2, and for m = 4 from 0, +-sqrt(1/2), +-sqrt(2) and infinity in place of
Lavin & Gray's 0, +-1, +-2: a wide spread of the points' powers is what loses digits (Barabasz et al. 2018, arXiv:1803.10986).  Against float64 the
root mean square error is that of the direct sum in float32 times 0.4 to 0.7 (m = 2), and times 1.2 to 2.2 (m = 4; 2.7 to 4.7 with the integers), for
512 to 64 channels; the largest error is at most about twice the direct sum's.  In float64 m is 2.  An infinity or NaN in x reaches all results of the
tiles that read it, as in other libraries that use the formula.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..config import config
from ..ir import ArrayType
from .core import Op

POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2.0), -math.sqrt(2.0))}
# Convolutions of fewer multiplications, or of fewer channels or outputs, are taken directly: there the transforms cost more than they save.
FEWEST, NARROWEST = 1_000_000, 16


def matrices(tile: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """B', G and A' for tiles of 2 or 4, in float64: (t, t), (t, 3) and (tile, t) with t = tile + 2."""
    points = np.array(POINTS[tile])
    n = tile + 2
    others = [np.delete(points, i) for i in range(n - 1)]
    b = np.zeros((n, n))
    for i, rest in enumerate(others):
        b[i, : n - 1] = np.poly(rest)[::-1]
    b[-1] = np.poly(points)[::-1]
    g, a = np.zeros((n, 3)), np.zeros((tile, n))
    for i, (p, rest) in enumerate(zip(points, others)):
        g[i] = p ** np.arange(3) / np.prod(p - rest)
        a[:, i] = p ** np.arange(tile)
    g[-1, -1] = a[-1, -1] = 1.0
    # What should be a zero or a simple fraction, or the same for p and -p, may be off by a rounding.
    return tuple(np.round(m * 12, 14) / 12 for m in (b, g, a))


def tile_for(dtype: np.dtype, channels: int, outputs: int, places: tuple[int, ...], examples: int) -> int | None:
    """The length of the tiles that a convolution of 3 x 3 taps is best taken by, or None where directly is best."""
    allowed = {np.dtype(np.float32): config.winograd, np.dtype(np.float64): min(config.winograd, 2)}.get(dtype, 0)
    if min(channels, outputs) < NARROWEST or 9 * channels * outputs * examples * math.prod(places) < FEWEST:
        return None
    costs = {m: (m + 2) ** 2 * math.prod(-(-q // m) for q in places) for m in (2, 4) if m <= allowed}
    best = min(costs, key=costs.get, default=None)
    # Short of a third saved, the transforms eat it up.
    return best if best and 3 * costs[best] <= 2 * 9 * math.prod(places) else None


def _tiles(array: np.ndarray, low: tuple[int, int], counts: tuple[int, int], step: int, length: int) -> np.ndarray:
    """Windows of `length` every `step` elements over the last two axes, with zeros around: (*, rows, columns, length, length)."""
    padded = array
    for d, (before, count) in enumerate(zip(low, counts), array.ndim - 2):
        cut = (slice(None),) * d + (slice(max(0, -before), None),)
        padded = padded[cut]
        need = (count - 1) * step + length
        width = [(0, 0)] * array.ndim
        width[d] = (max(0, before), max(0, need - max(0, before) - padded.shape[d]))
        padded = np.pad(padded, width)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (length, length), axis=(-2, -1))
    return windows[..., : (counts[0] - 1) * step + 1 : step, : (counts[1] - 1) * step + 1 : step, :, :]


def _between(matrix: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """matrix @ inner @ matrix' over the last two axes."""
    matrix = matrix.astype(inner.dtype)
    return matrix @ inner @ matrix.T


def _run_product(xp, x, w, low, out, tile, turned):
    b, g, a = matrices(tile)
    if turned:
        w = w.swapaxes(0, 1)[..., ::-1, ::-1]
    counts = tuple(-(-q // tile) for q in out)
    tiles = _between(b, _tiles(x, low, counts, tile, tile + 2))
    products = np.einsum("ncijuv,ocuv->noijuv", tiles, _between(g, w), optimize=True)
    y = _between(a, products).swapaxes(3, 4)
    return np.ascontiguousarray(y.reshape(*y.shape[:2], *(c * tile for c in counts))[:, :, : out[0], : out[1]])


def _run_outer(xp, x, y, low, tile):
    b, g, a = matrices(tile)
    counts = tuple(-(-q // tile) for q in y.shape[2:])
    tiles, factors = _between(b, _tiles(x, low, counts, tile, tile + 2)), _between(a.T, _tiles(y, (0, 0), counts, tile, tile))
    return np.ascontiguousarray(_between(g.T, np.einsum("ncijuv,noijuv->ocuv", tiles, factors, optimize=True)))


def _infer_product(x: ArrayType, w: ArrayType, low: Any, out: tuple[int, ...], tile: int, turned: bool) -> ArrayType:
    return ArrayType((x.shape[0], w.shape[1 if turned else 0], *out), x.dtype)


# Neither has rules of its own: programs are differentiated and batched before they are compiled.
winograd_product = Op("winograd_product", infer=_infer_product, run=_run_product, kind="winograd", dear=True)
winograd_outer = Op(
    "winograd_outer",
    infer=lambda x, y, low, tile: ArrayType((y.shape[1], x.shape[1], 3, 3), x.dtype),
    run=_run_outer,
    kind="winograd",
    dear=True,
)
__all__ = ["matrices", "tile_for", "winograd_outer", "winograd_product"]
