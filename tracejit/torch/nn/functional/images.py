"""Pooling, resizing, padding, and moving elements between channels and places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .... import nn
from ...dispatch import Primitive
from ...functions.operands import require_tensor
from ...tensor import Tensor


# -- pooling
def _sizes(value: Any, n: int) -> tuple[int, ...]:
    return tuple(map(int, value)) * (n if len(value) == 1 else 1) if isinstance(value, (tuple, list)) else (int(value),) * n


def _max_pool_impl(x, window, strides, padding, dilation, ceil_mode, indices):
    return nn.max_pool(x, window, strides=strides, padding=padding, dilation=dilation, ceil_mode=ceil_mode, return_indices=indices)


def _avg_pool_impl(x, window, strides, padding, ceil_mode, count_include_pad, divisor):
    how = dict(strides=strides, padding=padding, ceil_mode=ceil_mode, count_include_pad=count_include_pad)
    if x.dtype.kind == "f":
        return nn.avg_pool(x, window, **how, divisor=divisor)
    sums = nn.avg_pool(x.astype(np.float64), window, **how, divisor=1)
    if divisor is None:
        ones = np.ones(x.shape)
        divisor = np.rint(nn.avg_pool(ones, window, **how, divisor=1) / nn.avg_pool(ones, window, **how))
    return np.trunc(sums / divisor).astype(x.dtype)


_MAX_NODES = {1: "MaxPool2DWithIndices", 2: "MaxPool2DWithIndices", 3: "MaxPool3DWithIndices"}
_max_pools = {n: Primitive(name, _max_pool_impl) for n, name in _MAX_NODES.items()}
_avg_pools = {n: Primitive(f"AvgPool{max(n, 2)}D", _avg_pool_impl) for n in (1, 2, 3)}
_adaptive_avg = {n: Primitive(f"AdaptiveAvgPool{max(n, 2)}D", lambda x, sizes: nn.adaptive_avg_pool(x, sizes)) for n in (1, 2, 3)}
_adaptive_max = {
    n: Primitive(f"AdaptiveMaxPool{max(n, 2)}D", lambda x, sizes, indices: nn.adaptive_max_pool(x, sizes, return_indices=indices))
    for n in (1, 2, 3)
}


def _run(primitive: Primitive, input: Tensor, n: int, name: str, **static: Any) -> Any:
    require_tensor(input, name)
    if input._data.ndim not in (n + 1, n + 2):
        raise RuntimeError(f"{name}: Expected {n + 1}D or {n + 2}D input tensor, but got input of shape {list(input._data.shape)}")
    try:
        return primitive(input, **static)
    except ValueError as error:
        raise RuntimeError(str(error)) from None


def _max_pool(n: int):
    def max_pool(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:  # fmt: skip
        window = _sizes(kernel_size, n)
        static = dict(window=window, strides=_sizes(stride, n) if stride not in (None, ()) else window, padding=_sizes(padding, n),
                      dilation=_sizes(dilation, n), ceil_mode=bool(ceil_mode), indices=bool(return_indices))  # fmt: skip
        return _run(_max_pools[n], input, n, f"max_pool{n}d", **static)

    max_pool.__name__ = max_pool.__qualname__ = f"max_pool{n}d"
    max_pool.__doc__ = f"The largest element of each window over the last {n} dimensions."
    return max_pool


def _require_floats(input: Tensor, name: str, *others: np.dtype) -> None:
    """Raise `NotImplementedError` for a tensor that is neither floating nor of one of some other dtypes."""
    if isinstance(input, Tensor) and input._data.dtype.kind != "f" and input._data.dtype not in others:
        raise NotImplementedError(f'"{name}" not implemented for \'{input.dtype.legacy}\': convert it, x.float()')


def _avg_pool(n: int):
    def avg_pool(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:  # fmt: skip
        window = _sizes(kernel_size, n)
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero")
        static = dict(window=window, strides=_sizes(stride, n) if stride not in (None, ()) else window, padding=_sizes(padding, n),
                      ceil_mode=bool(ceil_mode), count_include_pad=bool(count_include_pad), divisor=divisor_override)  # fmt: skip
        _require_floats(input, f"avg_pool{max(n, 2)}d", np.dtype(np.int64))
        return _run(_avg_pools[n], input, n, f"avg_pool{n}d", **static)

    avg_pool.__name__ = avg_pool.__qualname__ = f"avg_pool{n}d"
    avg_pool.__doc__ = f"The mean of each window over the last {n} dimensions."
    return avg_pool


def _targets(size: Any, n: int) -> tuple[int | None, ...]:
    return tuple(size) if isinstance(size, (tuple, list)) else (size,) * n


def _adaptive_avg_pool(n: int):
    def pool(input: Tensor, output_size: Any) -> Tensor:
        sizes = _targets(output_size, n)
        name = f"adaptive_avg_pool{n}d"
        if all(size == 1 for size in sizes) and n > 1 and input._data.ndim in (n + 1, n + 2):
            return input.mean(tuple(range(-n, 0)), keepdim=True)  # as torch does it
        _require_floats(input, f"adaptive_avg_pool{max(n, 2)}d")
        return _run(_adaptive_avg[n], input, n, name, sizes=sizes)

    pool.__name__ = pool.__qualname__ = f"adaptive_avg_pool{n}d"
    pool.__doc__ = f"Means over the last {n} dimensions, cut into `output_size` parts."
    return pool


def _adaptive_max_pool(n: int):
    def pool(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        return _run(_adaptive_max[n], input, n, f"adaptive_max_pool{n}d", sizes=_targets(output_size, n), indices=bool(return_indices))

    pool.__name__ = pool.__qualname__ = f"adaptive_max_pool{n}d"
    pool.__doc__ = f"The largest elements over the last {n} dimensions, cut into `output_size` parts."
    return pool


max_pool1d, max_pool2d, max_pool3d = map(_max_pool, (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, (1, 2, 3))
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg_pool, (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_max_pool, (1, 2, 3))


def _lp_pool(n: int):
    def pool(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
        window = _sizes(kernel_size, n)
        means = (avg_pool1d, avg_pool2d, avg_pool3d)[n - 1](input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
        return (means.sign() * means.abs().relu()).mul(math.prod(window)).pow(1.0 / norm_type)

    pool.__name__ = pool.__qualname__ = f"lp_pool{n}d"
    pool.__doc__ = f"The p-norm of each window over the last {n} dimensions."
    return pool


lp_pool1d, lp_pool2d, lp_pool3d = map(_lp_pool, (1, 2, 3))


# -- resizing
def _cubic(t: np.ndarray) -> np.ndarray:
    """The weights of four neighbours at distance t from the second, by Keys' kernel with a = -0.75."""
    a = -0.75

    def near(s):
        return ((a + 2) * s - (a + 3)) * s * s + 1

    def far(s):
        return ((a * s - 5 * a) * s + 8 * a) * s - 4 * a

    return np.stack([far(t + 1), near(t), near(1 - t), far(2 - t)])


def _sources(n: int, m: int, mode: str, align_corners: bool, scale: float | None) -> tuple[np.ndarray, np.ndarray]:
    """For m places of the result the places to read on an axis of n, and their weights, each (neighbours, m)."""
    step = 1 / scale if scale else n / m
    at = np.arange(m)
    if mode == "nearest":
        return np.minimum(np.floor(at * np.float32(step)).astype(np.int64), n - 1)[None], np.ones((1, m))
    if mode == "nearest-exact":
        return np.minimum(np.floor((at + 0.5) * np.float32(step)).astype(np.int64), n - 1)[None], np.ones((1, m))
    if align_corners:
        place = at * ((n - 1) / (m - 1) if m > 1 else 0.0)
    else:
        place = (at + 0.5) * step - 0.5
        place = place if mode == "cubic" else np.maximum(place, 0)
    first = np.floor(place).astype(np.int64)
    if mode == "cubic":
        return np.clip(first + np.arange(-1, 3)[:, None], 0, n - 1), _cubic(place - first)
    first = np.minimum(first, n - 1)
    rest = place - first
    return np.stack([first, np.minimum(first + 1, n - 1)]), np.stack([1 - rest, rest])


def _resize_impl(x, sizes, mode, align_corners, scales):
    if x.dtype == np.uint8 and mode in ("linear", "cubic"):
        made = _resize_impl(x.astype(np.float32), sizes, mode, align_corners, scales)
        return np.clip(np.rint(made), 0, 255).astype(np.uint8)
    for d, (m, scale) in enumerate(zip(sizes, scales), x.ndim - len(sizes)):
        places, weights = _sources(x.shape[d], m, mode, align_corners, scale)
        if len(places) == 1:
            x = np.take(x, places[0], axis=d)
        else:
            columns = weights.astype(x.dtype).reshape(*weights.shape, *(1,) * (x.ndim - d - 1))
            x = sum(np.take(x, p, axis=d) * w for p, w in zip(places, columns))
    return x


_MODES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
_resizes = {
    name: Primitive(node, _resize_impl)
    for name, node in {
        "nearest1": "UpsampleNearest1D", "nearest2": "UpsampleNearest2D", "nearest3": "UpsampleNearest3D",
        "nearest-exact1": "UpsampleNearestExact1D", "nearest-exact2": "UpsampleNearestExact2D", "nearest-exact3": "UpsampleNearestExact3D",
        "linear1": "UpsampleLinear1D", "bilinear2": "UpsampleBilinear2D", "bicubic2": "UpsampleBicubic2D", "trilinear3": "UpsampleTrilinear3D",
    }.items()
}  # fmt: skip


def interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    """Resize the last dimensions of a tensor (N, C, ...) to `size`, or by `scale_factor`.

    Modes: nearest, nearest-exact, linear, bilinear, bicubic, trilinear, area. Pictures of uint8, which nearest, bilinear and bicubic take, are
    computed in float32 and rounded once, so that a colour may be one off torch's, which rounds after each dimension.
    """
    n = input._data.ndim - 2
    if antialias:
        raise NotImplementedError("interpolate: antialias=True is not available; blur the input first, or use mode='area'")
    if (size is None) == (scale_factor is None):
        raise ValueError("either size or scale_factor should be defined" if size is None else "only one of size or scale_factor should be defined")
    if mode in ("nearest", "nearest-exact", "area") and align_corners is not None:
        raise ValueError("align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear")
    scales: tuple[float | None, ...] = (None,) * n
    if size is not None:
        sizes = _sizes(size, n)
    else:
        factors = tuple(map(float, scale_factor)) if isinstance(scale_factor, (tuple, list)) else (float(scale_factor),) * n
        sizes = tuple(math.floor(m * f) for m, f in zip(input._data.shape[2:], factors))
        scales = (None,) * n if recompute_scale_factor else factors
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[n - 1](input, sizes)
    if f"{mode}{n}" not in _resizes:
        raise NotImplementedError(f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {n + 2}D) for the modes: nearest | linear | "
                                  f"bilinear | bicubic | trilinear | area | nearest-exact (got {mode})")  # fmt: skip
    kind = "cubic" if mode == "bicubic" else "linear" if mode in _MODES else mode
    if mode in _MODES:
        _require_floats(input, f"upsample_{mode}{n}d", *[np.dtype(np.uint8)] * (n == 2))
    return _resizes[f"{mode}{n}"](input, sizes=sizes, mode=kind, align_corners=bool(align_corners), scales=scales)


def upsample(input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None) -> Tensor:
    """The older name of `interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners)


# -- padding
_PADS = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _pad_impl(x, pairs, mode, value):
    grow = tuple((max(0, a), max(0, b)) for a, b in pairs)
    options = {"constant_values": x.dtype.type(value)} if mode == "constant" else {}
    cuts = any(min(pair) < 0 for pair in pairs)
    if cuts and mode == "circular":  # goes round what is left, where reflections and edges are those of the whole
        return np.pad(_cut(x, pairs), grow, mode=_PADS[mode])
    made = np.pad(x, grow, mode=_PADS[mode], **options)
    return _cut(made, pairs) if cuts else made


def _cut(x, pairs):
    """Without as many elements at the ends as negative paddings say."""
    return x[tuple([slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(x.shape, pairs)])]


_pads = {mode: Primitive("ConstantPadNd" if mode == "constant" else f"{mode.title()}Pad", _pad_impl) for mode in _PADS}


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Pad the last dimensions: `pad` has two numbers for each, the last dimension first; negative ones cut."""
    if len(pad) % 2 or len(pad) // 2 > input._data.ndim:
        raise RuntimeError(f"Padding length must be divisible by 2 and at most twice the number of dimensions of the input, got {list(pad)}")
    if mode not in _PADS:
        raise NotImplementedError(f"Unrecognised padding mode {mode}: use one of {', '.join(_PADS)}")
    given = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)][::-1]
    for (a, b), n in zip(given, input._data.shape[input._data.ndim - len(given) :]):
        most = n - 1 if mode == "reflect" else n if mode == "circular" else None
        if most is not None and max(a, b) > most:
            raise RuntimeError(
                f"Argument #4: Padding size should be less than the corresponding input dimension, but got: padding ({a}, {b}) of input "
                f"{list(input._data.shape)}"
            )
        if n + a + b < (mode in ("reflect", "replicate")):
            raise RuntimeError(f"input of shape {list(input._data.shape)} is too small for padding ({a}, {b}). Calculated output extent: {n + a + b}")
    pairs = ((0, 0),) * (input._data.ndim - len(given)) + tuple(given)
    return _pads[mode](input, pairs=pairs, mode=mode, value=0.0 if value is None else float(value))


# -- between channels and places
def _pixel_shuffle_impl(x, factor):
    *lead, c, h, w = x.shape
    split = np.reshape(x, (*lead, c // factor**2, factor, factor, h, w))
    n = len(lead)
    moved = np.transpose(split, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return np.reshape(moved, (*lead, c // factor**2, h * factor, w * factor))


def _pixel_unshuffle_impl(x, factor):
    *lead, c, h, w = x.shape
    split = np.reshape(x, (*lead, c, h // factor, factor, w // factor, factor))
    n = len(lead)
    moved = np.transpose(split, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return np.reshape(moved, (*lead, c * factor**2, h // factor, w // factor))


_pixel_shuffle, _pixel_unshuffle = Primitive("PixelShuffle", _pixel_shuffle_impl), Primitive("PixelUnshuffle", _pixel_unshuffle_impl)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r^2, H, W) as (*, C, H r, W r) (Shi et al., 2016)."""
    if input._data.ndim < 3 or input._data.shape[-3] % upscale_factor**2:
        raise RuntimeError(
            f"pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but got input of shape "
            f"{list(input._data.shape)} and upscale_factor={upscale_factor}"
        )
    return _pixel_shuffle(input, factor=int(upscale_factor))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) as (*, C r^2, H, W)."""
    if input._data.ndim < 3 or any(n % downscale_factor for n in input._data.shape[-2:]):
        raise RuntimeError(
            f"pixel_unshuffle expects height and width to be divisible by downscale_factor, but got input of shape {list(input._data.shape)} and "
            f"downscale_factor={downscale_factor}"
        )
    return _pixel_unshuffle(input, factor=int(downscale_factor))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of all groups in turn (Zhang et al., 2018)."""
    n, c, *rest = input._data.shape
    return input.reshape(n, groups, c // groups, *rest).transpose(1, 2).reshape(n, c, *rest)


def _unfold_impl(x, window, dilation, padding, strides):
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    sizes = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(x.shape[2:], window, dilation, strides)]
    pieces = []
    for i in range(window[0]):
        for j in range(window[1]):
            at = [slice(k * d, k * d + (m - 1) * s + 1, s) for k, d, m, s in zip((i, j), dilation, sizes, strides)]
            pieces.append(x[:, :, at[0], at[1]])
    return np.reshape(np.stack(pieces, 2), (x.shape[0], x.shape[1] * len(pieces), sizes[0] * sizes[1]))


_unfold = Primitive("Im2Col", _unfold_impl)


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The windows of an image (N, C, H, W) as columns (N, C taps, places)."""
    return _unfold(input, window=_sizes(kernel_size, 2), dilation=_sizes(dilation, 2), padding=_sizes(padding, 2), strides=_sizes(stride, 2))


__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "channel_shuffle", "interpolate", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d", "max_pool2d",
    "max_pool3d", "pad", "pixel_shuffle", "pixel_unshuffle", "unfold", "upsample",
]  # fmt: skip
