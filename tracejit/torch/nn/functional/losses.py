"""Losses. `reduction` is "mean", "sum" or "none"."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ...dispatch import FUNCTIONS, Primitive
from ...functions.operands import as_float, axis, cast, require_tensor
from ...tensor import Tensor


def _reduction(size_average: Any, reduce: Any, reduction: str) -> str:
    """The reduction, from the older arguments where these are given. Raises `ValueError` for unknown ones."""
    if size_average is not None or reduce is not None:
        warnings.warn("size_average and reduce args will be deprecated, please use reduction=... instead.", stacklevel=3)
        return "none" if reduce is False else "mean" if size_average is not False else "sum"
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _reduced(values: Any, reduction: str) -> Any:
    """Of an array or a tensor."""
    return values if reduction == "none" else values.mean() if reduction == "mean" else values.sum()


def _warn_size(name: str, input: Tensor, target: Tensor) -> None:
    if input._data.shape != target._data.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely lead to incorrect results "
            f"due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )
        try:
            np.broadcast_shapes(input._data.shape, target._data.shape)
        except ValueError:
            raise RuntimeError(f"{name}: input of size {list(input._data.shape)} and target of size {list(target._data.shape)} do not fit") from None


_mse = Primitive("MseLoss", lambda x, y, reduction: _reduced((x - y) * (x - y), reduction), native=True)


def _smooth_l1_impl(x, y, reduction, beta):
    z = np.abs(x - y)
    return _reduced(np.where(z < beta, 0.5 * z * z / beta, z - cast(0.5 * beta, x.dtype)), reduction)


def _huber_impl(x, y, reduction, delta):
    z = np.abs(x - y)
    return _reduced(np.where(z <= delta, 0.5 * z * z, delta * (z - cast(0.5 * delta, x.dtype))), reduction)


_smooth_l1, _huber = Primitive("SmoothL1Loss", _smooth_l1_impl), Primitive("HuberLoss", _huber_impl)


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None) -> Tensor:
    """The squared difference."""
    _warn_size("mse_loss", input, target)
    how = _reduction(size_average, reduce, reduction)
    if weight is not None:
        total = weight * (input - target) ** 2
        return total.sum() / weight.expand_as(total).sum() if how == "mean" else _reduced(total, how)
    return _mse(input, target, reduction=how)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None) -> Tensor:
    """The absolute difference."""
    _warn_size("l1_loss", input, target)
    how = _reduction(size_average, reduce, reduction)
    values = (input - target).abs()
    if weight is not None:
        values = values * weight
        return values.sum() / weight.expand_as(values).sum() if how == "mean" else _reduced(values, how)
    return _reduced(values, how)


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0) -> Tensor:
    """Half the squared difference over `beta` below it, the absolute difference less half of `beta` beyond."""
    _warn_size("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    return _smooth_l1(input, target, reduction=_reduction(size_average, reduce, reduction), beta=as_float(beta))


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None) -> Tensor:
    """Half the squared difference up to `delta`, linear with the same slope beyond."""
    _warn_size("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    how = _reduction(None, None, reduction)
    if weight is not None:
        values = weight * _huber(input, target, reduction="none", delta=as_float(delta))
        return values.sum() / weight.expand_as(values).sum() if how == "mean" else _reduced(values, how)
    return _huber(input, target, reduction=how, delta=as_float(delta))


# -- probabilities
def _bce_impl(x, y, *w, reduction):
    low = x.dtype.type(-100)
    values = -(y * np.maximum(np.log(x), low) + (1 - y) * np.maximum(np.log1p(-x), low))
    return _reduced(values * w[0] if w else values, reduction)


def _bce_slope(xs, out, ts, reduction):
    """torch keeps the slope finite at 0 and 1."""
    x, y, *w = xs
    tangent = 0
    if ts[0] is not None:
        tangent = ts[0] * ((x - y) / np.maximum((1 - x) * x, x.dtype.type(1e-12)))
    if ts[1] is not None:
        tangent = tangent + ts[1] * (np.log1p(-x) - np.log(x))
    return _reduced(tangent * w[0] if w else tangent, reduction)


def _bce_logits_impl(x, y, *rest, weighted, positive, reduction):
    rest = list(rest)
    weight, pos_weight = (rest.pop(0) if has else None for has in (weighted, positive))
    rest_of = np.logaddexp(-x, x.dtype.type(0))  # whose derivative at zero is 1/2, which that of a maximum is not
    values = (1 - y) * x + (rest_of if pos_weight is None else (1 + (pos_weight - 1) * y) * rest_of)
    return _reduced(values if weight is None else values * weight, reduction)


_bce = Primitive("BinaryCrossEntropy", _bce_impl, rule=_bce_slope, native=True)
_bce_logits = Primitive("BinaryCrossEntropyWithLogits", _bce_logits_impl, native=True)


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean") -> Tensor:
    """`-(y log x + (1 - y) log(1 - x))` of probabilities x, logarithms cut at -100."""
    if input._data.shape != target._data.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    values = input._array
    if isinstance(values, np.ndarray) and values.size and not (values.min() >= 0 and values.max() <= 1):
        raise RuntimeError("all elements of input should be between 0 and 1")
    return _bce(input, target, *(() if weight is None else (weight,)), reduction=_reduction(size_average, reduce, reduction))


def binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None) -> Tensor:
    """`binary_cross_entropy` of sigmoids, without overflow; `pos_weight` multiplies the part of the ones."""
    if input._data.shape != target._data.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    rest = [t for t in (weight, pos_weight) if t is not None]
    how = _reduction(size_average, reduce, reduction)
    return _bce_logits(input, target, *rest, weighted=weight is not None, positive=pos_weight is not None, reduction=how)


# -- classes
def _nll_impl(x, target, *weight, ignore_index, reduction):
    valid = target != ignore_index
    at = np.where(valid, target, 0)
    picked = np.take_along_axis(x, np.expand_dims(at, 1), axis=1)[:, 0]
    scale = valid.astype(x.dtype) if not weight else np.where(valid, np.take(weight[0], at), x.dtype.type(0))
    values = np.where(valid, -picked * scale, x.dtype.type(0))
    if reduction == "mean":
        return np.sum(values) / np.sum(scale)
    return _reduced(values, reduction)


_nll = Primitive("NllLoss", _nll_impl, native=True)
_nll2d = Primitive("NllLoss2D", _nll_impl, native=True)


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean") -> Tensor:
    """Minus the entry of the right class: input (N, C, ...) or (C,) of log-probabilities, target (N, ...) or () of integers.

    `weight` has a factor for each class, and the mean is a weighted one; targets equal to `ignore_index` do not count.
    """
    how = _reduction(size_average, reduce, reduction)
    require_tensor(target, "nll_loss", "target")
    if target._data.dtype.kind not in "iu":
        raise RuntimeError(f"expected scalar type Long but found {target.dtype}: class targets are integers, y.long()")
    shape, classes = input._data.shape, input._data.shape[1 if input._data.ndim > 1 else 0]
    wanted = (shape[0], *shape[2:]) if len(shape) > 1 else ()
    if target._data.shape != wanted:
        if len(shape) <= 2 and target._data.ndim == 1 and len(shape) == 2:
            raise ValueError(f"Expected input batch_size ({shape[0]}) to match target batch_size ({target._data.shape[0]}).")
        raise RuntimeError(f"Expected target size {list(wanted)}, got {list(target._data.shape)}")
    if weight is not None and weight._data.shape != (classes,):
        raise RuntimeError(f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of shape: "
                           f"{list(weight._data.shape)}")  # fmt: skip
    values = target._array
    if isinstance(values, np.ndarray):
        if values.size and not (values.min() >= 0 and values.max() < classes):
            wrong = (values != ignore_index) & ((values < 0) | (values >= classes))
            if wrong.any():
                raise IndexError(f"Target {values[wrong][0]} is out of bounds.")
    else:  # programs complain of indices from `classes` on, and count those below zero from the end
        target = FUNCTIONS["where"]((target < 0) & (target != ignore_index), classes, target)
    operands = () if weight is None else (weight,)
    if len(shape) == 1:
        made = _nll(input.unsqueeze(0), target.unsqueeze(0), *operands, ignore_index=int(ignore_index), reduction=how)
        return made.squeeze(0) if how == "none" else made
    return (_nll if len(shape) < 4 else _nll2d)(input, target, *operands, ignore_index=int(ignore_index), reduction=how)


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
) -> Tensor:
    """Minus the log-softmax of the right class: input (N, C, ...) or (C,) of logits, target of numbers (N, ...), or of probabilities like input.

    `weight`, `ignore_index` as in `nll_loss`; `label_smoothing` mixes the targets with the uniform distribution.
    """
    how = _reduction(size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    dim = 1 if input._data.ndim > 1 else 0
    classes = input._data.shape[dim]
    logs = FUNCTIONS["log_softmax"](input, dim)
    column = None if weight is None else weight.view(*(-1 if d == dim else 1 for d in range(input._data.ndim)))
    if target._data.dtype.kind == "f":
        if target._data.shape != input._data.shape:
            if target._data.ndim == input._data.ndim:
                raise RuntimeError(f"The size of the input, {list(input._data.shape)}, must be that of the probabilities, {list(target._data.shape)}")
            raise RuntimeError(f"expected target dtype to be Long or Byte, but got {target.dtype.legacy}: classes are integers, y.long(), and "
                               f"probabilities of the input's shape, {list(input._data.shape)}, not {list(target._data.shape)}")  # fmt: skip
        if label_smoothing:
            target = target * (1 - label_smoothing) + label_smoothing / classes
        values = -(logs * target * column if column is not None else logs * target)
        if how == "none":
            return values.sum(dim)
        return values.sum() / (values._data.size // classes) if how == "mean" else values.sum()
    plain = nll_loss(logs, target, weight, None, ignore_index, None, how)
    if not label_smoothing:
        return plain
    valid = (target != ignore_index).to(input.dtype)
    smooth = -(logs * column if column is not None else logs).sum(dim) * valid
    if how == "mean":
        count = valid.sum() if weight is None else (FUNCTIONS["take"](weight, target.clamp(0, classes - 1)) * valid).sum()
        smooth = smooth.sum() / count
    elif how == "sum":
        smooth = smooth.sum()
    return plain * (1 - label_smoothing) + smooth * (label_smoothing / classes)


def _xlogy(x, y):
    safe = np.where(x == 0, x.dtype.type(1), y)
    return np.where(x == 0, x.dtype.type(0), x * np.log(safe))


_kl_values = Primitive("Sub", lambda x, y: _xlogy(y, y) - y * x)


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False) -> Tensor:
    """The divergence of the target distribution from the input's, given as log-probabilities; `log_target`: the target is too.

    "batchmean" divides the sum by the first extent.
    """
    batch = reduction == "batchmean" and size_average is None and reduce is None
    how = "sum" if batch else _reduction(size_average, reduce, reduction)
    values = target.exp() * (target - input) if log_target else _kl_values(input, target)
    made = _reduced(values, how)
    return made / input._data.shape[0] if batch and input._data.ndim else made


# -- of pairs and triples
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The scalar product along `dim` over the product of the norms, each of which counts as `eps` at least."""
    x1, x2 = FUNCTIONS["broadcast_tensors"](x1, x2)
    return _cosine(x1, x2, axis=axis(dim, x1._data.ndim), epsilon=float(eps))


def _length(x, axis, epsilon):
    return np.sqrt(np.maximum(np.sum(x * x, axis=axis, keepdims=True), x.dtype.type(epsilon * epsilon)))


_cosine = Primitive(
    "SumBackward1", lambda x, y, axis, epsilon: np.sum(x / _length(x, axis, epsilon) * (y / _length(y, axis, epsilon)), axis=axis)
)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of `x1 - x2 + eps` along the last dimension."""
    return FUNCTIONS["norm"](x1 - x2 + eps, p, -1, keepdim)


def cosine_embedding_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean") -> Tensor:
    """`1 - cos` where the target is 1, `max(0, cos - margin)` where it is -1."""
    similar = cosine_similarity(input1, input2, -1, 1e-12 ** 0.5)
    zero = FUNCTIONS["zeros_like"](similar)
    values = FUNCTIONS["where"](target == 1, 1 - similar, zero) + FUNCTIONS["where"](target == -1, (similar - margin).clamp_min(0), zero)
    return _reduced(values, _reduction(size_average, reduce, reduction))


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None, reduce=None, reduction="mean"
) -> Tensor:
    """How far the positive is from the anchor more than the negative less `margin`, zero at least; `swap` takes the nearer of two negatives."""
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=lambda a, b: pairwise_distance(a, b, p, eps), margin=margin, swap=swap,
        reduction=_reduction(size_average, reduce, reduction),
    )  # fmt: skip


def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean") -> Tensor:
    """`triplet_margin_loss` with a distance of one's own."""
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = FUNCTIONS["minimum"](far, distance(positive, negative))
    return _reduced((near - far + margin).clamp_min(0), _reduction(None, None, reduction))


def margin_ranking_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean") -> Tensor:
    """`max(0, -y (x1 - x2) + margin)`."""
    if not input1._data.ndim == input2._data.ndim == target._data.ndim:
        raise RuntimeError(f"margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: {input1.shape}, "
                           f"input2: {input2.shape}, target: {target.shape}")  # fmt: skip
    return _reduced((-target * (input1 - input2) + margin).clamp_min(0), _reduction(size_average, reduce, reduction))


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean") -> Tensor:
    """The input where the target is 1, `max(0, margin - x)` where it is -1."""
    zero = FUNCTIONS["zeros_like"](input)
    values = FUNCTIONS["where"](target != 1, (margin - input).clamp_min(0), zero) + FUNCTIONS["where"](target != -1, input, zero)
    return _reduced(values, _reduction(size_average, reduce, reduction))


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean") -> Tensor:
    """`log(1 + exp(-y x))`."""
    return _reduced((-target * input).exp().log1p(), _reduction(size_average, reduce, reduction))


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean") -> Tensor:
    """`binary_cross_entropy_with_logits`, averaged over the classes (the last dimension)."""
    from .activations import logsigmoid

    values = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    values = values if weight is None else values * weight
    return _reduced(values.mean(-1), _reduction(size_average, reduce, reduction))


# -- of distributions
def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean") -> Tensor:
    """The negative log-likelihood of the target under normal distributions with means `input` and variances `var`; `full` adds the constant."""
    how = _reduction(None, None, reduction)
    if not isinstance(var, Tensor):
        var = FUNCTIONS["full_like"](input, float(var))
    elif var._data.shape != input._data.shape:
        if input._data.shape[:-1] == var._data.shape:
            var = var.unsqueeze(-1)
        elif input._data.shape[:-1] != var._data.shape[:-1] or var._data.shape[-1:] != (1,):
            raise ValueError("var is of incorrect size")
    if isinstance(var._array, np.ndarray) and (var._array < 0).any():
        raise ValueError("var has negative entry/entries")
    # The variance is cut without telling the derivative, as torch does it.
    safe = var + (var.detach().clamp_min(eps) - var.detach())
    values = 0.5 * (safe.log() + (input - target) ** 2 / safe)
    return _reduced(values + 0.5 * math.log(2 * math.pi) if full else values, how)


def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"
) -> Tensor:
    """The negative log-likelihood of counts under Poisson distributions, whose logarithmic rates (or rates) are the input.

    `full` adds Stirling's approximation of the term that only depends on the target.
    """
    values = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        values = values + FUNCTIONS["where"](target <= 1, FUNCTIONS["zeros_like"](stirling), stirling)
    return _reduced(values, _reduction(size_average, reduce, reduction))


__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "gaussian_nll_loss",
    "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss", "multilabel_soft_margin_loss", "nll_loss",
    "pairwise_distance", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip
