"""Gamma, Poisson and binomial numbers in torch's stream, one after the other: how many uniform numbers each takes depends on what those are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ops.elementwise import exp, log
from ..ops.gamma_path import gamma_path
from ..trace import Tracer
from . import random
from .dispatch import Primitive
from .modes import DecidesByValues, state
from .tensor import Tensor, wrap

_DOUBLE = np.dtype(np.float64)
# The derivative of a gamma number by its shape is implicit; its value is what was drawn.
_path = Primitive("StandardGamma", lambda shape, drawn: exp(gamma_path(shape, log(drawn))))


def standard_gamma(concentration: Tensor, dtype: Any = None) -> Tensor:
    """Gamma numbers of rate one, differentiated by their shapes. They are computed in double precision with `dtype` float64, whatever the shapes are.

    Raises `RuntimeError` under `vmap`, which cannot know how many numbers to draw.
    """
    shapes = _values(concentration, "gamma numbers")
    made = np.array([_gamma(float(a), shapes.dtype if dtype is None else _DOUBLE) for a in shapes.ravel().tolist()], dtype or shapes.dtype)
    drawn = wrap(made.reshape(shapes.shape))
    return _path(concentration if dtype is None else concentration.double(), drawn) if concentration.requires_grad and state.grad else drawn


def poisson(rate: Tensor, generator: Any = None) -> Tensor:
    """Counts with these means. Raises `RuntimeError` for a negative one."""
    rates = _values(rate, "counts")
    if (rates < 0).any():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    with _Uniforms(random.default_generator if generator is None else generator) as draw:
        counts = [_transformed_rejection(x, draw) if x >= 10 else _product_of_uniforms(x, draw) for x in rates.ravel().tolist()]
    return wrap(np.array(counts, rates.dtype).reshape(rates.shape))


def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """How many of `count` trials succeed, each with probability `prob`; both of one dtype."""
    if count._data.dtype != prob._data.dtype:
        raise ValueError(f"count and prob must have the same dtype, got {count.dtype} and {prob.dtype}")
    counts, probs = np.broadcast_arrays(_values(count, "counts"), _values(prob, "counts"))
    with _Uniforms(random.default_generator if generator is None else generator) as draw:
        made = [_binomial(n, p, draw) for n, p in zip(counts.ravel().tolist(), probs.ravel().tolist())]
    return wrap(np.array(made, probs.dtype).reshape(probs.shape))


class _Uniforms:
    """Uniform numbers one at a time, of which many are drawn at once. In the end the stream goes on behind the last that was taken."""

    def __init__(self, source: Any):
        self.source = source
        self.taken = 0

    def __enter__(self) -> _Uniforms:
        self.before = self.source.state()
        self.ready = iter(())
        return self

    def __call__(self) -> float:
        self.taken += 1
        for x in self.ready:
            return x
        self.ready = iter(self.source.uniform(1024, _DOUBLE).tolist())
        return next(self.ready)

    def __exit__(self, *exception: Any) -> None:
        self.source.set(self.before)
        self.source.uniform(self.taken, _DOUBLE)


def _values(t: Tensor, what: str) -> np.ndarray:
    array = t.detach()._array
    if type(array) is not Tracer:
        return array
    if state.recordings:
        raise RuntimeError(f"vmap: {what} are drawn by rejection, which depends on values: draw them outside, or for all examples at once")
    raise DecidesByValues(at_user_line(f"{what} are drawn by rejection, which depends on values"))


def _uniform() -> float:
    return float(random.default_generator.uniform(1, _DOUBLE)[0])


def _normal() -> float:
    return float(random.default_generator.normals_in_turn(1)[0])


def _gamma(a: float, dtype: np.dtype) -> float:
    """Marsaglia and Tsang (2000); a shape below 1 is raised by 1, and a power of a uniform number makes up for that. What torch computes in the dtype
    of the shape is rounded to that."""
    of = dtype.type
    scale = 1.0
    if a < 1:
        if a == 0:
            return float(np.finfo(dtype).tiny)
        scale = (1 - _uniform()) ** float(of(1) / of(a))
        a = float(of(a) + of(1))
    d = float(of(a) - of(np.float32(1) / np.float32(3)))
    c = 1 / math.sqrt(float(of(9) * of(d)))
    while True:
        x = _normal()
        while 1 + c * x <= 0:
            x = _normal()
        v = (1 + c * x) ** 3
        u = 1 - _uniform()
        if u < 1 - 0.0331 * x**4 or math.log(u) < 0.5 * x * x + d * (1 - v + math.log(v)):
            return max(scale * d * v, float(np.finfo(dtype).tiny))


def _product_of_uniforms(rate: float, draw: Callable[[], float]) -> int:
    """Knuth's method."""
    if rate == 0:
        return 0
    least, product, count = math.exp(-rate), draw(), 0
    while product > least:
        product *= draw()
        count += 1
    return count


def _transformed_rejection(rate: float, draw: Callable[[], float]) -> int:
    """Hörmann (1993), for rates of at least 10."""
    root, logarithm = math.sqrt(rate), math.log(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    alpha, limit = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = draw() - 0.5, draw()
        left = 0.5 - abs(u)
        k = math.floor((2 * a / left + b) * u + rate + 0.43)
        if left >= 0.07 and v <= limit:
            return k
        if k < 0 or left < 0.013 and v > left:
            continue
        if math.log(v) + math.log(alpha) - math.log(a / (left * left) + b) <= -rate + k * logarithm - math.lgamma(k + 1):
            return k


def _binomial(count: float, prob: float, draw: Callable[[], float]) -> float:
    if count <= 0 or prob <= 0:
        return 0
    if prob >= 1:
        return count
    least = min(prob, 1 - prob)
    made = _binomial_rejection(count, least, draw) if count * least >= 10 else _sum_of_waits(count, least, draw)
    return made if prob <= 0.5 else count - made


def _sum_of_waits(count: float, prob: float, draw: Callable[[], float]) -> int:
    """How many waiting times for a success fit into so many trials."""
    logarithm, passed, found = math.log1p(-prob), 0, 0
    while True:
        u = draw()
        passed += math.ceil(math.log(u) / logarithm) if u else math.inf
        if passed > count:
            return found
        found += 1


def _binomial_rejection(count: float, prob: float, draw: Callable[[], float]) -> int:
    """Hörmann (1993), for means of at least 10."""
    root = math.sqrt(count * prob * (1 - prob))
    b = 1.15 + 2.53 * root
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    limit, odds, alpha = 0.92 - 4.2 / b, prob / (1 - prob), (2.83 + 5.1 / b) * root
    m = math.floor((count + 1) * prob)
    while True:
        u, v = draw() - 0.5, draw()
        left = 0.5 - abs(u)
        k = math.floor((2 * a / left + b) * u + count * prob + 0.5)
        if left >= 0.07 and v <= limit:
            return k
        if not 0 <= k <= count:
            continue
        bound = (
            (m + 0.5) * math.log((m + 1) / (odds * (count - m + 1))) + (count + 1) * math.log((count - m + 1) / (count - k + 1))
            + (k + 0.5) * math.log(odds * (count - k + 1) / (k + 1)) + _tail(m) + _tail(count - m) - _tail(k) - _tail(count - k)
        )  # fmt: skip
        if math.log(v * alpha / (a / (left * left) + b)) <= bound:
            return k


def _tail(k: float) -> float:
    """What Stirling's formula leaves of log(k!)."""
    return math.lgamma(k + 1) - (k + 0.5) * math.log(k + 1) + (k + 1) - 0.5 * math.log(2 * math.pi)
