"""Reading images at places between their elements, and putting elements back where they came from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....trace import Tracer
from ....trace.constants import as_proxy
from ...dispatch import FUNCTIONS, Primitive
from ...tensor import Tensor, wrap
from .images import _sizes


# -- windows back into images
def _fold_impl(x, sizes, window, dilation, padding, strides):
    n, rows, _ = x.shape
    channels = rows // math.prod(window)
    counts = [(m + 2 * p - (k - 1) * d - 1) // s + 1 for m, k, d, p, s in zip(sizes, window, dilation, padding, strides)]
    taps = np.reshape(x, (n, channels, *window, *counts))
    made: Any = np.zeros((n, channels, *[m + 2 * p for m, p in zip(sizes, padding)]), x.dtype)
    for i in range(window[0]):
        for j in range(window[1]):
            at = [slice(k * d, k * d + (c - 1) * s + 1, s) for k, d, c, s in zip((i, j), dilation, counts, strides)]
            if isinstance(x, Tracer):
                made = as_proxy(made).at[:, :, at[0], at[1]].add(taps[:, :, i, j])
            else:
                made[:, :, at[0], at[1]] += taps[:, :, i, j]
    return made[:, :, padding[0] : padding[0] + sizes[0], padding[1] : padding[1] + sizes[1]]


_fold = Primitive("Col2Im", _fold_impl)


def fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The image (N, C, H, W) of columns (N, C taps, places), as `unfold` gives them: what lies in one place is added.

    Raises `RuntimeError` where the numbers of taps or places do not fit.
    """
    sizes, window, strides = _sizes(output_size, 2), _sizes(kernel_size, 2), _sizes(stride, 2)
    dilations, paddings = _sizes(dilation, 2), _sizes(padding, 2)
    batched = input._data.ndim == 3
    if input._data.ndim not in (2, 3):
        raise RuntimeError(f"Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size, but got: {list(input.shape)}")
    rows, places = input._data.shape[-2:]
    counts = [(m + 2 * p - (k - 1) * d - 1) // s + 1 for m, k, d, p, s in zip(sizes, window, dilations, paddings, strides)]
    if rows % math.prod(window):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)="
            f"{rows} and kernel_size={window}."
        )
    if places != math.prod(counts):
        raise RuntimeError(
            f"Given output_size={sizes}, kernel_size={window}, dilation={dilations}, padding={paddings}, stride={strides}, expected size of input's "
            f"dimension 2 to match the calculated number of sliding blocks {counts[0]} * {counts[1]} = {math.prod(counts)}, but got {places}."
        )
    made = _fold(input if batched else input.unsqueeze(0), sizes=sizes, window=window, dilation=dilations, padding=paddings, strides=strides)
    return made if batched else made.squeeze(0)


# -- the places of the largest elements
def _put(x: Any, places: Any, size: int, how: str) -> Any:
    """Zeros (N, size) with the elements of x (N, P) in their places."""
    at = np.arange(x.shape[0])[:, None], places
    made: Any = np.zeros((x.shape[0], size), x.dtype)
    if isinstance(x, Tracer) or isinstance(places, Tracer):
        return getattr(as_proxy(made).at[at], how)(x)
    made[at] = x
    return made


# An element whose place another one took gets the gradient of that place all the same, as in torch.
_unpooled = Primitive(
    "MaxUnpool2D", lambda x, places, size: _put(x, places, size, "set"), rule=lambda xs, y, ts, size: _put(ts[0], xs[1], size, "add")
)


def _unpool(n: int):
    def max_unpool(
        input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
    ) -> Tensor:  # fmt: skip
        window, paddings = _sizes(kernel_size, n), _sizes(padding, n)
        strides = window if stride in (None, ()) else _sizes(stride, n)
        if input._data.shape != indices._data.shape:
            raise RuntimeError(f"Expected shape of indices to be same as that of the input tensor {list(input.shape)} but got {list(indices.shape)}")
        have = input._data.shape[-n:]
        usual = tuple([(m - 1) * s - 2 * p + k for m, s, p, k in zip(have, strides, paddings, window)])
        sizes = usual if output_size is None else tuple(output_size)[-n:]
        if any(not abs(a - b) < s for a, b, s in zip(sizes, usual, strides)):
            raise ValueError(f"invalid output_size {sizes}: each size must lie within the stride of {usual}")
        lead = input._data.shape[:-n]
        at = indices.reshape(math.prod(lead), math.prod(have))
        if type(at._data) is np.ndarray and at._data.size and not 0 <= at._data.min() <= at._data.max() < math.prod(sizes):
            raise RuntimeError(f"found an invalid max index: {at._data.max()} (output volumes are of size {' x '.join(map(str, sizes))})")
        return _unpooled(input.reshape(math.prod(lead), math.prod(have)), at, size=math.prod(sizes)).reshape(*lead, *sizes)

    max_unpool.__name__ = max_unpool.__qualname__ = f"max_unpool{n}d"
    max_unpool.__doc__ = f"Zeros with the elements in the places that `max_pool{n}d` with `return_indices` found them in."
    return max_unpool


max_unpool1d, max_unpool2d, max_unpool3d = map(_unpool, (1, 2, 3))


# -- grids
def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The places (N, H, W, 2) to read for affine maps theta (N, 2, 3), of an image of this size (N, C, H, W); in three dimensions likewise.

    Coordinates are from -1 to 1, the last axis of the image first.
    """
    n = len(size) - 2
    if n not in (2, 3) or tuple(theta.shape) != (size[0], n, n + 1):
        raise ValueError(f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size {tuple(size)}. Got {list(theta.shape)}.")
    dtype = theta._data.dtype
    lines = []
    for m in size[2:]:
        line = np.linspace(-1, 1, m) if m > 1 else np.zeros(1)
        lines.append(line if align_corners else line * ((m - 1) / m))
    mesh = np.meshgrid(*lines, indexing="ij")[::-1]
    base = np.stack([*mesh, np.ones_like(mesh[0])], -1).reshape(1, -1, n + 1).astype(dtype)
    return (wrap(base) @ theta.transpose(1, 2)).reshape(size[0], *size[2:], n)


def _reflected(x: Any, low: float, high: float) -> Any:
    """Coordinates folded back into [low, high]."""
    span = high - low
    if not span:
        return x * 0
    away = np.abs(x - low)
    turns = np.floor(away / span)
    rest = away - turns * span
    return np.where(turns % 2 == 0, rest + low, span - rest + low)


def _coordinates(g: Any, m: int, mode: str, align_corners: bool) -> Any:
    """Places on an axis of m elements, from coordinates between -1 and 1."""
    place = (g + 1) / 2 * (m - 1) if align_corners else ((g + 1) * m - 1) / 2
    if mode == "reflection":
        place = _reflected(place, 0.0, m - 1.0) if align_corners else _reflected(place, -0.5, m - 0.5)
    return np.clip(place, 0, m - 1) if mode != "zeros" else place


def _picked(x: Any, places: Sequence[Any], zeros: bool) -> Any:
    """The elements (N, C, P) at integer places (N, P), one array for each axis; zero outside."""
    sizes, flat, inside = x.shape[2:], 0, True
    for place, m in zip(places, sizes):
        inside = (place >= 0) & (place < m) & inside
        flat = flat * m + np.clip(place, 0, m - 1)
    rows = np.reshape(x, (x.shape[0], x.shape[1], math.prod(sizes)))
    index = np.broadcast_to(flat[:, None], (x.shape[0], x.shape[1], flat.shape[1]))
    found = np.take_along_axis(rows, index, 2)
    return np.where(inside[:, None], found, x.dtype.type(0)) if zeros else found


def _cubic_weights(t: Any) -> list[Any]:
    """The weights of four neighbours at distance t from the second, by Keys' kernel with a = -0.75."""
    a = -0.75

    def near(s):
        return ((a + 2) * s - (a + 3)) * s * s + 1

    def far(s):
        return ((a * s - 5 * a) * s + 8 * a) * s - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _grid_impl(x, grid, mode, padding_mode, align_corners):
    n = x.ndim - 2
    flat = np.reshape(grid, (grid.shape[0], -1, n))
    sizes = x.shape[2:]
    folding = "zeros" if mode == "bicubic" else padding_mode
    at = [_coordinates(flat[:, :, n - 1 - d], sizes[d], folding, align_corners) for d in range(n)]
    zeros = padding_mode == "zeros"
    if mode == "nearest":
        made = _picked(x, [np.rint(a).astype(np.int64) for a in at], zeros)
    else:
        firsts = [np.floor(a) for a in at]
        if mode == "bicubic":
            taps = [[(first.astype(np.int64) + k - 1, w) for k, w in enumerate(_cubic_weights(a - first))] for a, first in zip(at, firsts)]
        else:
            taps = [[(first.astype(np.int64), 1 - (a - first)), (first.astype(np.int64) + 1, a - first)] for a, first in zip(at, firsts)]
        made = 0
        for number in np.ndindex(*[len(t) for t in taps]):
            chosen = [taps[d][k] for d, k in enumerate(number)]
            places = [p for p, _ in chosen]
            if mode == "bicubic" and not zeros:
                places = [_coordinates_of_taps(p, m, padding_mode, align_corners) for p, m in zip(places, sizes)]
            weight = math.prod([w for _, w in chosen][1:], start=chosen[0][1])
            made = made + _picked(x, places, zeros) * weight[:, None]
    return np.reshape(made, (x.shape[0], x.shape[1], *grid.shape[1:-1]))


def _coordinates_of_taps(place: Any, m: int, mode: str, align_corners: bool) -> Any:
    if mode == "reflection":
        low, high = (0.0, m - 1.0) if align_corners else (-0.5, m - 0.5)
        place = np.rint(_reflected(place.astype(np.float64), low, high)).astype(np.int64)
    return np.clip(place, 0, m - 1)


_grids = {2: Primitive("GridSampler2D", _grid_impl), 3: Primitive("GridSampler3D", _grid_impl)}


def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:  # fmt: skip
    """The image (N, C, H, W) at places (N, H', W', 2) with coordinates from -1 to 1, the last axis of the image first; in three dimensions likewise.

    `mode` is bilinear, nearest or bicubic; outside of the image are zeros, or what `padding_mode`, "border" or "reflection", says.
    """
    n = input._data.ndim - 2
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '{padding_mode}'")
    if n not in (2, 3) or grid._data.ndim != n + 2 or grid._data.shape[-1] != n or grid._data.shape[0] != input._data.shape[0]:
        raise RuntimeError(
            f"grid_sampler(): expected grid and input to have the same batch size, and grid to have size {n} in last dimension, but got input with "
            f"sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if mode == "bicubic" and n != 2:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    return _grids[n](input, grid, mode=mode, padding_mode=padding_mode, align_corners=bool(align_corners))


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The distances of all pairs of rows, in the order (0, 1), (0, 2), ..., (1, 2), ..."""
    if input._data.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input._data.ndim}D")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    first, second = np.triu_indices(input._data.shape[0], 1)
    return FUNCTIONS["norm"](input[wrap(first)] - input[wrap(second)], p, 1)


__all__ = ["affine_grid", "fold", "grid_sample", "max_unpool1d", "max_unpool2d", "max_unpool3d", "pdist"]
