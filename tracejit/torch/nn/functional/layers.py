"""What layers with weights compute: affine maps, convolutions, embeddings, normalisations; and dropout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .... import nn
from ....api import stop_gradient
from ....trace import Tracer
from ...dispatch import FUNCTIONS, Primitive
from ...functions.operands import as_float, require_tensor
from ...inplace import overwrite
from ...modes import no_grad
from ...tensor import Tensor

_linear = Primitive("Addmm", lambda b, x, w: np.matmul(x, np.transpose(w)) + b, native=True)


def _require_one_dtype(name: str, input: Tensor, *parameters: Tensor | None) -> None:
    """Refuse parameters of another dtype than the input's; those of half-precision inputs may have single precision."""
    for p in parameters:
        if p is not None and p._data.dtype != input._data.dtype and (input._data.dtype, p._data.dtype) != (np.float16, np.float32):
            raise RuntimeError(
                f"{name}: mixed dtype: the input is {input.dtype} and a parameter {p.dtype}. Convert the input, x.to({p.dtype}), or the module, "
                f"module.to({input.dtype})"
            )


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`input @ weight.T + bias`: input (*, in), weight (out, in), bias (out,)."""
    require_tensor(input, "linear")
    if bias is None:
        return FUNCTIONS["matmul"](input, weight.t() if weight._data.ndim == 2 else weight)
    if input._data.ndim < 2:
        return FUNCTIONS["matmul"](input, weight.t()) + bias
    if input._data.ndim > 2:
        return linear(input.reshape(-1, input._data.shape[-1]), weight, bias).view(*input._data.shape[:-1], weight._data.shape[0])
    x, w, b = input._data, weight._data, bias._data
    if w.ndim == 2 and x.shape[1] == w.shape[1] and b.shape == w.shape[:1] and x.dtype == w.dtype == b.dtype:
        return _linear(bias, input, weight)
    return FUNCTIONS["addmm"](bias, input, weight.t())  # says what does not fit


_bilinear = Primitive("Trilinear", lambda x, y, w: np.einsum("...i,oij,...j->...o", x, w, y))


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`input1 @ weight[o] @ input2` for each output o, plus the bias."""
    _require_one_dtype("bilinear", input1, input2, weight, bias)
    made = _bilinear(input1, input2, weight)
    return made if bias is None else made + bias


# -- convolutions
def _conv_impl(x, w, *b, strides, padding, dilation, groups):
    return nn.conv(x, w, *b, strides=strides, padding=padding, dilation=dilation, groups=groups)


def _conv_transpose_impl(x, w, *b, strides, padding, output_padding, dilation, groups):
    return nn.conv_transpose(x, w, *b, strides=strides, padding=padding, output_padding=output_padding, dilation=dilation, groups=groups)


_convolution = Primitive("Convolution", _conv_impl, native=True)
_transposed = Primitive("Convolution", _conv_transpose_impl, native=True)


def _static(value: Any, n: int) -> Any:
    if isinstance(value, str):
        return value
    return tuple(map(int, value)) * (n if len(value) == 1 else 1) if isinstance(value, (tuple, list)) else (int(value),) * n


def _check(n: int, input: Tensor, weight: Tensor, channels: int) -> bool:
    """Whether the input has a batch. Raises `RuntimeError` where shapes or dtypes do not fit."""
    require_tensor(input, f"conv{n}d")
    shape = list(input._data.shape)
    if len(shape) not in (n + 1, n + 2):
        raise RuntimeError(f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to conv{n}d, but got input of size: {shape}")
    if input._data.dtype != weight._data.dtype:
        raise RuntimeError(f"Input type ({input.dtype}) and weight type ({weight.dtype}) should be the same: convert one, x.to({weight.dtype})")
    if shape[-n - 1] != channels:
        raise RuntimeError(
            f"Given weight of size {list(weight._data.shape)}, expected input{shape} to have {channels} channels, "
            f"but got {shape[-n - 1]} channels instead"
        )
    return len(shape) == n + 2


def _apply(n: int, primitive: Primitive, input: Tensor, weight: Tensor, bias: Tensor | None, channels: int, static: dict[str, Any]) -> Tensor:
    batched = _check(n, input, weight, channels)
    given = (input if batched else input.unsqueeze(0), weight) + (() if bias is None else (bias,))
    try:
        made = primitive(*given, **static)
    except ValueError as error:
        raise RuntimeError(str(error)) from None
    return made if batched else made.squeeze(0)


def _conv(n: int):
    def conv(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
    ) -> Tensor:
        static = dict(strides=_static(stride, n), padding=_static(padding, n), dilation=_static(dilation, n), groups=int(groups))
        if padding == "same" and max(static["strides"]) > 1:
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        _check(n, input, weight, weight._data.shape[1] * groups)
        spans = [(k - 1) * d + 1 for k, d in zip(weight._data.shape[2:], static["dilation"])]
        if not isinstance(padding, str):
            sizes = [m + 2 * p for m, p in zip(input._data.shape[-n:], static["padding"])]
            if any(m < s for m, s in zip(sizes, spans)):
                raise RuntimeError(
                    f"Calculated padded input size per channel: ({' x '.join(map(str, sizes))}). Kernel size: ({' x '.join(map(str, spans))}). "
                    "Kernel size can't be greater than actual input size"
                )
        return _apply(n, _convolution, input, weight, bias, weight._data.shape[1] * groups, static)

    conv.__name__ = conv.__qualname__ = f"conv{n}d"
    conv.__doc__ = f"The convolution over {n} dimensions: input (N, C, ...) or (C, ...), weight (O, C / groups, ...), bias (O,)."
    return conv


def _conv_transpose(n: int):
    def conv_transpose(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Tensor:
        static = dict(strides=_static(stride, n), padding=_static(padding, n), output_padding=_static(output_padding, n),
                      dilation=_static(dilation, n), groups=int(groups))  # fmt: skip
        return _apply(n, _transposed, input, weight, bias, weight._data.shape[0], static)

    conv_transpose.__name__ = conv_transpose.__qualname__ = f"conv_transpose{n}d"
    conv_transpose.__doc__ = f"The transpose of a convolution over {n} dimensions: input (N, C, ...), weight (C, O / groups, ...), bias (O,)."
    return conv_transpose


conv1d, conv2d, conv3d = map(_conv, (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_conv_transpose, (1, 2, 3))


# -- embeddings
def _embedding_impl(weight, indices, padding):
    rows = np.take(weight, indices, axis=0)
    return rows if padding is None else np.where((indices == padding)[..., None], stop_gradient(rows), rows)


def _shared_slope(xs, out, ts, padding):
    """Places that share a row share its gradient."""
    _, indices, share = xs
    tangent = np.take(ts[0], indices, axis=0) * share[..., None]
    return tangent if padding is None else np.where((indices == padding)[..., None], tangent.dtype.type(0), tangent)


_embedding = Primitive("Embedding", _embedding_impl)
_shared_embedding = Primitive("Embedding", lambda weight, indices, share, padding: np.take(weight, indices, axis=0), rule=_shared_slope)


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None, norm_type: float = 2.0,
    scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """Rows of `weight` at integer `input`; the row `padding_idx` gets no gradient. With `max_norm` rows that are used are shortened in place; with
    `scale_grad_by_freq` the gradient of a row is divided by how often it is used."""
    if input._data.dtype.kind not in "iu":
        raise RuntimeError(
            f"Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got {input.dtype} instead"
        )
    if sparse:
        raise NotImplementedError("embedding: sparse gradients are not available; leave sparse=False, which gives the same numbers")
    entries = weight._data.shape[0]
    places = input._array
    if isinstance(places, np.ndarray) and places.size and not (places.min() >= 0 and places.max() < entries):
        raise IndexError(f"index out of range in self: embedding has {entries} rows, got an index {places[(places < 0) | (places >= entries)][0]}")
    if type(places) is Tracer:  # programs complain of indices from `entries` on, and count those below zero from the end
        input = FUNCTIONS["where"](input < 0, entries, input)
    if padding_idx is not None:
        if not -entries <= padding_idx < entries:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= entries
    if max_norm is not None:
        with no_grad():
            rows = weight._array
            lengths = np.sum(np.abs(rows) ** norm_type, axis=1, keepdims=True) ** (1 / norm_type)
            used = np.isin(np.arange(entries), places)[:, None]
            overwrite(weight, np.where(used & (lengths > max_norm), rows * (max_norm / (lengths + 1e-7)), rows).astype(rows.dtype))
    if scale_grad_by_freq:
        with no_grad():
            used, every = input.reshape(-1), FUNCTIONS["ones"](input._data.size, dtype=weight.dtype)
            share = 1 / FUNCTIONS["zeros"](entries, dtype=weight.dtype).index_add(0, used, every)[input]
        return _shared_embedding(weight, input, share, padding=padding_idx)
    return _embedding(weight, input, padding=padding_idx)


# -- normalisations
def _batch_norm_impl(x, *parameters, affine, given, epsilon):
    parameters = list(parameters)
    weight, bias = (parameters.pop(0) if has else None for has in affine)
    statistics = nn.BatchStatistics(*parameters) if given else None
    return nn.batch_norm(x, weight, bias, statistics, training=not given, epsilon=epsilon)[0].astype(x.dtype)


_batch_norm = Primitive("NativeBatchNorm", _batch_norm_impl, native=True)
_instance_norm = Primitive("NativeBatchNorm", lambda x, epsilon: nn.group_norm(x, x.shape[1], epsilon=epsilon))


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None, bias: Tensor | None = None,
    training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Normalise each channel (the second dimension): in training by the batch, and the running statistics are moved in place; else by those."""
    shape = input._data.shape
    channels = shape[1] if len(shape) > 1 else 0
    if len(shape) > 1 and training and math.prod(shape) == channels:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.shape}")
    for name, t in (("weight", weight), ("bias", bias), ("running_mean", running_mean), ("running_var", running_var)):
        if t is not None and t._data.shape != (channels,):
            raise RuntimeError(f"{name} should contain {channels} elements not {t._data.size}")
    _require_one_dtype("batch_norm", input, weight, bias, running_mean, running_var)
    if shape == (0,):
        return input.clone()
    if len(shape) < 2:
        raise IndexError(f"Dimension out of range (expected to be in range of [-1, 0], but got 1): batch_norm takes (N, C, ...), got {list(shape)}")
    if training and running_mean is not None:
        with no_grad():
            array, axes = input.detach()._array, (0, *range(2, len(shape)))
            n = math.prod(shape) // shape[1]
            for old, new in ((running_mean, np.mean(array, axis=axes)), (running_var, np.var(array, axis=axes) * (n / max(1, n - 1)))):
                overwrite(old, ((1 - momentum) * old._array + momentum * new).astype(old._data.dtype))
    given = not training
    if given and running_mean is None:
        raise RuntimeError("Expected running_mean and running_var to be defined when training=False")
    operands = [t for t in (weight, bias) if t is not None] + ([running_mean, running_var] if given else [])
    return _batch_norm(input, *operands, affine=(weight is not None, bias is not None), given=given, epsilon=as_float(eps))


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, weight: Tensor | None = None, bias: Tensor | None = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Normalise each channel of each example by itself, or by the running statistics unless `use_input_stats`."""
    shape = input._data.shape
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if math.prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    _require_one_dtype("instance_norm", input, weight, bias, running_mean, running_var)
    if running_mean is not None:
        with no_grad():
            array, axes = input.detach()._array, tuple(range(2, len(shape)))
            n = math.prod(shape[2:])
            means, variances = np.mean(array, axis=axes), np.var(array, axis=axes) * (n / max(1, n - 1))
            for old, new in ((running_mean, means), (running_var, variances)):
                overwrite(old, ((1 - momentum) * old._array + momentum * np.mean(new, axis=0)).astype(old._data.dtype))
    made = _instance_norm(input, epsilon=as_float(eps))
    column = (-1, *(1,) * (len(shape) - 2))
    made = made if weight is None else made * weight.view(*column)
    return made if bias is None else made + bias.view(*column)


def _affine(parameters: tuple, affine: tuple[bool, bool]) -> list[Any]:
    rest = list(parameters)
    return [rest.pop(0) if has else None for has in affine]


def _layer_norm_impl(x, *parameters, axes, affine, epsilon):
    weight, bias = _affine(parameters, affine)
    return nn.layer_norm(x, weight, bias, axes=axes, epsilon=epsilon)


def _group_norm_impl(x, *parameters, groups, affine, epsilon):
    weight, bias = _affine(parameters, affine)
    return nn.group_norm(x, groups, weight, bias, epsilon=epsilon)


_layer_norm = Primitive("NativeLayerNorm", _layer_norm_impl, native=True)
_group_norm = Primitive("NativeGroupNorm", _group_norm_impl, native=True)
_rms_norm = Primitive("FusedRmsNorm", lambda x, *w, axes, epsilon: nn.rms_norm(x, *w, axes=axes, epsilon=epsilon))


def _normalized(name: str, input: Tensor, normalized_shape: Sequence[int], *parameters: Tensor | None) -> int:
    shape = tuple(normalized_shape)
    if not shape or tuple(input._data.shape[-len(shape) :]) != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*{''.join(f', {n}' for n in shape)}], but got input of size"
            f"{list(input._data.shape)}"
        )
    for t in parameters:
        if t is not None and t._data.shape != shape:
            raise RuntimeError(f"{name}: expected weight and bias of shape {list(shape)}, got {list(t._data.shape)}")
    return len(shape)


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalise over the last dimensions, which have `normalized_shape`."""
    n = _normalized("layer_norm", input, normalized_shape, weight, bias)
    _require_one_dtype("layer_norm", input, weight, bias)
    operands = [t for t in (weight, bias) if t is not None]
    return _layer_norm(input, *operands, axes=n, affine=(weight is not None, bias is not None), epsilon=as_float(eps))


def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """The input over its root mean square over the last dimensions; `eps` is that of the dtype by default."""
    n = _normalized("rms_norm", input, normalized_shape, weight)
    epsilon = as_float(np.finfo(input._data.dtype).eps if eps is None else eps)
    return _rms_norm(input, *(() if weight is None else (weight,)), axes=n, epsilon=epsilon)


def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Normalise groups of channels, each by itself."""
    channels = input._data.shape[1]
    if channels % num_groups:
        raise RuntimeError(
            f"Expected number of channels in input to be divisible by num_groups, but got input of shape {list(input._data.shape)} and "
            f"num_groups={num_groups}"
        )
    _require_one_dtype("group_norm", input, weight, bias)
    operands = [t for t in (weight, bias) if t is not None]
    return _group_norm(input, *operands, groups=int(num_groups), affine=(weight is not None, bias is not None), epsilon=as_float(eps))


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divide by a power of the mean square over `size` neighbouring channels (Krizhevsky et al., 2012)."""
    return _local_response(input, size=int(size), alpha=float(alpha), beta=float(beta), k=float(k))


def _local_response_impl(x, size, alpha, beta, k):
    around = ((0, 0), (size // 2, (size - 1) // 2), *((0, 0),) * (x.ndim - 2))
    squares = np.pad(x * x, around)
    total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return x / (k + alpha * total / size) ** beta


_local_response = Primitive("Div", _local_response_impl)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """The input over its norm along `dim`, which counts as `eps` at least."""
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)


# -- dropout
def _check_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _drop(input: Tensor, shape: Sequence[int], p: float, training: bool, inplace: bool) -> Tensor:
    _check_probability(p)
    if not training or p == 0 or input._data.size == 0:
        return input
    if p == 1:
        noise = FUNCTIONS["zeros"](*shape, dtype=input.dtype, device=input.device)
    else:
        whole = tuple(shape) == input._data.shape
        room = FUNCTIONS["empty_like"](input) if whole else FUNCTIONS["empty"](*shape, dtype=input.dtype, device=input.device)
        noise = room.bernoulli_(1 - p).div_(1 - p)  # drawn in the order of the memory
    return input.mul_(noise) if inplace else input * noise


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability `p` in training, and scale the others by 1 / (1 - p)."""
    return _drop(input, tuple(input._data.shape), p, training, inplace)


def _feature_dropout(n: int):
    def feature_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        ndim = input._data.ndim
        shape = tuple(input._data.shape)
        if n == 1 and ndim == 2 or ndim == n + 1:  # without a batch
            return _drop(input.unsqueeze(0), (1, shape[0], *(1,) * (ndim - 1)), p, training, inplace).squeeze(0)
        return _drop(input, (*shape[:2], *(1,) * (ndim - 2)), p, training, inplace)

    feature_dropout.__name__ = feature_dropout.__qualname__ = f"dropout{n}d"
    feature_dropout.__doc__ = "Zero whole channels with probability `p` in training, and scale the others by 1 / (1 - p)."
    return feature_dropout


dropout1d, dropout2d, dropout3d = map(_feature_dropout, (1, 2, 3))
ALPHA = 1.7580993408473766  # selu goes down to -ALPHA


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean and variance of what `selu` gives."""
    _check_probability(p)
    if not training or p == 0:
        return input
    kept = FUNCTIONS["empty_like"](input).bernoulli_(1 - p)
    return scaled_to_selu(input, kept, p, inplace)


def scaled_to_selu(input: Tensor, kept: Tensor, p: float, inplace: bool) -> Tensor:
    """The input where `kept` is 1 and -ALPHA where it is 0, scaled and shifted to the mean and variance that it had (Klambauer et al. 2017)."""
    a = 1 / math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p)) if p < 1 else 0.0
    shift = (kept - 1) * (ALPHA * a) + ALPHA * a * p
    return input.mul_(kept * a).add_(shift) if inplace else input * (kept * a) + shift


__all__ = [
    "alpha_dropout", "batch_norm", "bilinear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "dropout",
    "dropout1d", "dropout2d", "dropout3d", "embedding", "group_norm", "instance_norm", "layer_norm", "linear", "local_response_norm", "normalize",
    "rms_norm",
]  # fmt: skip
