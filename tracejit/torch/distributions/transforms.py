"""Transforms of random variables: functions with an inverse, and the logarithm of the factor by which they change volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..dispatch import FUNCTIONS
from ..dtypes import finfo
from ..nn.functional import logsigmoid, pad, softplus
from ..tensor import Size, Tensor


def summed(t: Tensor, dimensions: int) -> Tensor:
    """The sum over so many of the last dimensions."""
    return t.sum(tuple(range(-dimensions, 0))) if dimensions > 0 else t


class Transform:
    """A function of tensors. Subclasses define `_call`, `_inverse` and `log_abs_det_jacobian`.

    A value has `domain_dim` dimensions, and what becomes of it `codomain_dim`: none for functions that work by elements. `sign` is whether one
    rises or falls.
    """

    bijective = True
    sign: Any = 1
    domain_dim = codomain_dim = 0

    def __init__(self, cache_size: int = 0):
        self._cache_size = cache_size  # torch's; nothing is cached
        self._inverted: Transform | None = None

    @property
    def event_dim(self) -> int:
        """The dimensions of a value, where they stay as many."""
        return self.domain_dim

    @property
    def inv(self) -> Transform:
        """The inverse."""
        if self._inverted is None:
            self._inverted = _Inverse(self)
        return self._inverted

    def __call__(self, x: Tensor) -> Tensor:
        return self._call(x)

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} defines no `_call`")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no inverse")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The logarithm of the absolute value of the determinant of the Jacobian, at x, which becomes y."""
        raise NotImplementedError(f"{type(self).__name__} has no log_abs_det_jacobian")

    def forward_shape(self, shape: Sequence[int]) -> Size:
        """The shape of what becomes of a tensor of this shape."""
        return Size(shape)

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        """The shape of a tensor of which one of this shape becomes."""
        return Size(shape)

    def with_cache(self, cache_size: int = 1) -> Transform:
        """Itself."""
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Inverse(Transform):
    def __init__(self, of: Transform):
        super().__init__()
        self._inverted, self.bijective = of, of.bijective
        self.domain_dim, self.codomain_dim = of.codomain_dim, of.domain_dim

    sign = property(lambda self: self._inverted.sign, doc="As that of what it inverts.")

    def _call(self, x: Tensor) -> Tensor:
        return self._inverted._inverse(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self._inverted._call(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self._inverted.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Sequence[int]) -> Size:
        return self._inverted.inverse_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        return self._inverted.forward_shape(shape)

    def __repr__(self) -> str:
        return f"_InverseTransform({self._inverted!r})"


# -- by elements
class ExpTransform(Transform):
    """y = exp(x)."""

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class PowerTransform(Transform):
    """y = x^exponent, of positive numbers."""

    def __init__(self, exponent: Any, cache_size: int = 0):
        super().__init__(cache_size)
        self.exponent = exponent if isinstance(exponent, Tensor) else FUNCTIONS["tensor"](float(exponent))

    sign = property(lambda self: self.exponent.sign(), doc="Whether it rises.")

    def _call(self, x: Tensor) -> Tensor:
        return x.pow(self.exponent)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Sequence[int]) -> Size:
        return Size(FUNCTIONS["broadcast_shapes"](tuple(shape), tuple(self.exponent.shape)))

    inverse_shape = forward_shape


class SigmoidTransform(Transform):
    """y = 1 / (1 + exp(-x)), kept away from 0 and 1."""

    def _call(self, x: Tensor) -> Tensor:
        return clipped_sigmoid(x)

    def _inverse(self, y: Tensor) -> Tensor:
        y = y.clamp(finfo(y.dtype).tiny, 1.0 - finfo(y.dtype).eps)
        return y.log() - FUNCTIONS["log1p"](-y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -softplus(-x) - softplus(x)


def clipped_sigmoid(x: Tensor) -> Tensor:
    """The sigmoid function, above 0 and below 1."""
    return x.sigmoid().clamp(finfo(x.dtype).tiny, 1.0 - finfo(x.dtype).eps)


class SoftplusTransform(Transform):
    """y = log(1 + exp(x))."""

    def _call(self, x: Tensor) -> Tensor:
        return softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-FUNCTIONS["expm1"](-y)).log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -softplus(-x)


class TanhTransform(Transform):
    """y = tanh(x)."""

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))


class AbsTransform(Transform):
    """y = |x|, which has no inverse: what it gives for one is the positive number."""

    bijective = False

    def _call(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class AffineTransform(Transform):
    """y = loc + scale * x; `event_dim` dimensions belong to one value.

    >>> from tracejit import torch
    >>> torch.distributions.AffineTransform(1.0, 2.0).inv(torch.tensor(5.0))
    tensor(2.)
    """

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0):
        super().__init__(cache_size)
        self.loc, self.scale = loc, scale
        self.domain_dim = self.codomain_dim = event_dim

    @property
    def sign(self) -> Any:
        """Whether it rises."""
        if isinstance(self.scale, Tensor):
            return self.scale.sign()
        return 1 if self.scale > 0 else -1 if self.scale < 0 else 0

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if isinstance(self.scale, Tensor):
            return summed(self.scale.abs().log().expand(x.shape), self.event_dim)
        return summed(FUNCTIONS["full_like"](x, math.log(abs(self.scale))), self.event_dim)

    def forward_shape(self, shape: Sequence[int]) -> Size:
        given = [tuple(t.shape) for t in (self.loc, self.scale) if isinstance(t, Tensor)]
        return Size(FUNCTIONS["broadcast_shapes"](tuple(shape), *given))

    inverse_shape = forward_shape


# -- vectors
class SoftmaxTransform(Transform):
    """y = exp(x - max x), divided by its sum. It has no inverse: what it gives for one is log y."""

    bijective = False
    domain_dim = codomain_dim = 1

    def _call(self, x: Tensor) -> Tensor:
        powers = (x - x.max(-1, True)[0]).exp()
        return powers / powers.sum(-1, True)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()


class StickBreakingTransform(Transform):
    """Vectors of n numbers to n + 1 probabilities, each a part of what the ones before have left."""

    domain_dim = codomain_dim = 1

    @staticmethod
    def _left(n: int, like: Tensor) -> Tensor:
        return FUNCTIONS["arange"](n, 0, -1, dtype=like.dtype)

    def _call(self, x: Tensor) -> Tensor:
        parts = clipped_sigmoid(x - self._left(x.shape[-1], x).log())
        return pad(parts, [0, 1], value=1) * pad((1 - parts).cumprod(-1), [1, 0], value=1)

    def _inverse(self, y: Tensor) -> Tensor:
        y = y[..., :-1]
        left = (1 - y.cumsum(-1)).clamp(min=finfo(y.dtype).tiny)
        return y.log() - left.log() + self._left(y.shape[-1], y).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        x = x - self._left(x.shape[-1], x).log()
        return (-x + logsigmoid(x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Sequence[int]) -> Size:
        return Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        return Size((*shape[:-1], shape[-1] - 1))


# -- of other transforms
class ComposeTransform(Transform):
    """One transform after the other."""

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0):
        super().__init__(cache_size)
        self.parts = list(parts)
        dim = self.parts[-1].codomain_dim if self.parts else 0
        for part in reversed(self.parts):
            dim = max(dim + part.domain_dim - part.codomain_dim, part.domain_dim)
        self.domain_dim = dim
        for part in self.parts:
            dim = max(dim + part.codomain_dim - part.domain_dim, part.codomain_dim)
        self.codomain_dim = dim
        self.bijective = all([part.bijective for part in self.parts])

    @property
    def sign(self) -> Any:
        """Whether it rises."""
        made: Any = 1
        for part in self.parts:
            made = made * part.sign
        return made

    def _call(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part._inverse(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        total: Any = FUNCTIONS["zeros_like"](summed(x, self.domain_dim))
        dim = self.domain_dim
        for part in self.parts:
            after = part(x)
            total = total + summed(part.log_abs_det_jacobian(x, after), dim - part.domain_dim)
            dim += part.codomain_dim - part.domain_dim
            x = after
        return total

    def forward_shape(self, shape: Sequence[int]) -> Size:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return Size(shape)

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return Size(shape)

    def __repr__(self) -> str:
        return "ComposeTransform(\n    " + ",\n    ".join([repr(part) for part in self.parts]) + "\n)"


class IndependentTransform(Transform):
    """A transform for which so many more dimensions belong to one value."""

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0):
        super().__init__(cache_size)
        self.base_transform, self.reinterpreted_batch_ndims = base_transform, reinterpreted_batch_ndims
        self.domain_dim = base_transform.domain_dim + reinterpreted_batch_ndims
        self.codomain_dim = base_transform.codomain_dim + reinterpreted_batch_ndims
        self.bijective = base_transform.bijective

    sign = property(lambda self: self.base_transform.sign, doc="Whether it rises.")

    def _call(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform._inverse(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return summed(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Sequence[int]) -> Size:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


identity_transform = ComposeTransform([])
