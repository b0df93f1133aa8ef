"""Distributions of counts: Poisson, binomial, geometric and their relatives. They give integers, and have no derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..api.control import scan, while_loop
from ..errors import at_user_line
from ..ops.elementwise import (
    absolute,
    convert,
    exp,
    expm1,
    floor,
    isfinite,
    less,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    power,
    select,
    sqrt,
)
from ..ops.reduction import reduce_any
from ..ops.special import gammaln
from ..trace import type_of
from .draws import FLOAT, detached, discrete, draw, fitting, integral, parameter
from .flat import spread, unit
from .gammas import log_gamma
from .inversion import inside, waiting
from .keys import as_key, fold_in
from .rejection import in_blocks, until_accepted

ZERO, ONE = np.float64(0), np.float64(1)
SMALL_MEAN = 10.0  # below it the distribution is searched from 0 on; from it on, rejection takes less than two turns
_LARGEST = 2.0**62  # counts beyond do not fit


def _counts(x: Any, dtype: np.dtype) -> Any:
    """Whole numbers in double precision as integers; -1, or its wrapped form, where there is no distribution."""
    return convert(convert(select(isfinite(x), minimum(x, np.float64(_LARGEST), tie=0.0), -ONE), dtype=np.dtype(np.int64)), dtype=dtype)


def _search(key: Any, first: Any, ratio: Any, parameters: tuple, shape: tuple[int, ...]) -> Any:
    """The smallest k whose distribution function exceeds a uniform number: P(0) is `first`, and P(k) / P(k-1) is `ratio(k, *parameters)`.

    The first of the parameters says for which elements to search; the others get 0.
    """

    def block(key, wanted, first, *parameters, shape):
        u = unit(key, shape, FLOAT)
        axes = tuple(range(len(shape)))

        def beyond(k, probability, total):
            # Once a term no longer changes the sum, the rest of the interval is rounding.
            return logical_and(wanted, logical_and(u >= total, probability > total * 2.0**-60))

        def turn(state):
            k, found, probability, total = state
            k = k + ONE
            going = beyond(k, probability, total)
            probability = probability * ratio(k, *parameters)
            return k, found + convert(going, dtype=FLOAT), probability, select(going, total + probability, total)

        start = ZERO, np.zeros(shape)[()], first, first
        return while_loop(lambda s: reduce_any(beyond(s[0], s[2], s[3]), axes=axes), turn, start)[1]

    wanted, *others = parameters
    return in_blocks(key, block, [spread(x, shape) for x in (wanted, first, *others)], shape, FLOAT)


# -- Poisson
def poisson(key: Any, lam: Any, shape: Any = None, dtype: Any = np.int64) -> Any:
    """Counts of rate `lam`, by search below 10 and by Hörmann's transformed rejection (PTRS, 1993) from there on; -1 for a rate that is none.

    >>> import tracejit as tj
    >>> tj.random.poisson(tj.random.key(0), 4.0, (5,)).dtype
    dtype('int64')
    """
    return discrete(_poisson, "poisson", key, shape, dtype, lam)


def _poisson(key, lam, *, shape, dtype):
    lam = spread(lam, shape)
    small = logical_and(lam >= 0, lam < SMALL_MEAN)
    large = logical_and(lam >= SMALL_MEAN, lam < _LARGEST)
    rate = select(small, lam, ONE)
    searched = _search(fold_in(key, 0), exp(-rate), lambda k, rate: rate / k, (small, rate), shape)
    rejected = until_accepted(fold_in(key, 1), _ptrs, (large, select(large, lam, np.float64(SMALL_MEAN))), shape, FLOAT)
    return _counts(select(small, searched, select(large, rejected, np.float64(np.nan))), dtype)


def _ptrs(key, wanted, lam, *, shape, dtype):
    b = 0.931 + 2.53 * sqrt(lam)
    a = -0.059 + 0.02483 * b
    u, v = unit(fold_in(key, 0), shape, dtype) - 0.5, inside(fold_in(key, 1), shape=shape, dtype=dtype)
    us = 0.5 - absolute(u)
    k = floor((2 * a / us + b) * u + lam + 0.43)
    quick = logical_and(us >= 0.07, v <= 0.9277 - 3.6224 / (b - 2))
    slow = logical_and(k >= 0, logical_or(us >= 0.013, v <= us))
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    k_inside = maximum(k, ZERO, tie=0.0)
    fits = log(v * inverse / (a / (us * us) + b)) <= k_inside * log(lam) - lam - gammaln(k_inside + 1)
    return k, logical_or(logical_not(wanted), logical_or(quick, logical_and(slow, fits)))


def negative_binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = np.int64) -> Any:
    """Failures before the n-th success of probability `p`; n need not be whole. A Poisson number whose rate is a gamma number."""
    return discrete(_negative_binomial, "negative_binomial", key, shape, dtype, n, p)


def _negative_binomial(key, n, p, *, shape, dtype):
    rate = exp(log_gamma(fold_in(key, 0), n, shape=shape, dtype=FLOAT)) * ((1 - p) / p)
    return _poisson(fold_in(key, 1), rate, shape=shape, dtype=dtype)


# -- binomial
def binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = np.int64) -> Any:
    """Successes of probability `p` among `n`, by search where n min(p, 1-p) is below 10, else by Hörmann's rejection (BTRS, 1993).

    >>> import tracejit as tj
    >>> 0 <= tj.random.binomial(tj.random.key(0), 20, 0.3) <= 20
    np.True_
    """
    return discrete(_binomial, "binomial", key, shape, dtype, n, p)


def _binomial(key, n, p, *, shape, dtype):
    n, p = spread(floor(n), shape), spread(p, shape)
    proper = logical_and(logical_and(n >= 0, n < _LARGEST), logical_and(p >= 0, p <= 1))
    n, p = select(proper, n, ONE), select(proper, p, ZERO)
    flipped = p > 0.5
    q = select(flipped, 1 - p, p)
    small = n * q < SMALL_MEAN
    n_small, q_small = select(small, n, ONE), select(small, q, ZERO)
    odds = q_small / (1 - q_small)
    first = exp(n_small * log1p(-q_small))
    searched = _search(fold_in(key, 0), first, lambda k, n, odds: odds * (n - k + 1) / k, (small, n_small, odds), shape)
    large = logical_not(small)
    usual = (large, select(large, n, np.float64(100)), select(large, q, np.float64(0.5)))
    rejected = until_accepted(fold_in(key, 1), _btrs, usual, shape, FLOAT)
    found = minimum(select(small, searched, rejected), n, tie=0.0)
    return _counts(select(proper, select(flipped, n - found, found), np.float64(np.nan)), dtype)


def _btrs(key, wanted, n, p, *, shape, dtype):
    deviation = sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    u, v = unit(fold_in(key, 0), shape, dtype) - 0.5, inside(fold_in(key, 1), shape=shape, dtype=dtype)
    us = 0.5 - absolute(u)
    k = floor((2 * a / us + b) * u + n * p + 0.5)
    quick = logical_and(us >= 0.07, v <= 0.92 - 4.2 / b)
    within = logical_and(k >= 0, k <= n)
    at = minimum(maximum(k, ZERO, tie=0.0), n, tie=0.0)
    mode = floor((n + 1) * p)
    scaled = log(v * ((2.83 + 5.1 / b) * deviation) / (a / (us * us) + b))
    bound = gammaln(mode + 1) + gammaln(n - mode + 1) - gammaln(at + 1) - gammaln(n - at + 1) + (at - mode) * log(p / (1 - p))
    return k, logical_or(logical_not(wanted), logical_or(quick, logical_and(within, scaled <= bound)))


def multinomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = np.int64) -> Any:
    """How many of `n` fall into each class: `p` (..., k) are the probabilities, the result has shape `shape` + (k,), `shape` being that of the batch.

    >>> import numpy as np, tracejit as tj
    >>> tj.random.multinomial(tj.random.key(0), 10, np.array([0.2, 0.3, 0.5])).sum()
    np.int64(10)
    """
    dtype = integral(dtype, "multinomial")
    n, p = (detached(parameter(x, FLOAT, "multinomial")) for x in (n, p))
    if not type_of(p).ndim:
        raise ValueError(at_user_line("multinomial: p has at least one axis, got a number"))
    batch = np.broadcast_shapes(type_of(n).shape, type_of(p).shape[:-1])
    shape = batch if shape is None else fitting("multinomial", shape, batch)
    return draw(_multinomial, as_key(key, "multinomial"), (n, p), (*shape, type_of(p).shape[-1]), dtype)


def _multinomial(key, n, p, *, shape, dtype):
    """Class after class, each binomial among what the ones before have left."""
    batch = shape[:-1]
    p = np.moveaxis(spread(p, shape), -1, 0)
    after = np.flip(np.cumsum(np.flip(p, 0), 0), 0)
    share = select(after > 0, p / select(after > 0, after, ONE), ZERO)

    def turn(state, row):
        number, left = state
        share, last = row
        count = convert(_binomial(fold_in(key, number), left, minimum(share, ONE, tie=0.0), shape=batch, dtype=np.dtype(np.int64)), dtype=FLOAT)
        count = select(last, left, count)
        return (number + 1, left - count), count

    last = np.arange(shape[-1]) == shape[-1] - 1
    counts = scan(turn, (np.int64(0), spread(n, batch)), (share, last))[1]
    return _counts(np.moveaxis(counts, 0, -1), dtype)


# -- waiting times and ranks
def geometric(key: Any, p: Any, shape: Any = None, dtype: Any = np.int64) -> Any:
    """Trials up to the first success of probability `p`: 1, 2, ..."""
    return discrete(_geometric, "geometric", key, shape, dtype, p)


def _geometric(key, p, *, shape, dtype):
    proper = logical_and(p > 0, p <= 1)
    found = floor(waiting(key, shape=shape, dtype=FLOAT) / -log1p(-select(proper, p, np.float64(0.5)))) + 1
    return _counts(select(proper, found, np.float64(np.nan)), dtype)


def logseries(key: Any, p: Any, shape: Any = None, dtype: Any = np.int64) -> Any:
    """P(k) proportional to p^k / k, for k = 1, 2, ... (Kemp 1981)."""
    return discrete(_logseries, "logseries", key, shape, dtype, p)


def _logseries(key, p, *, shape, dtype):
    u, v = (inside(fold_in(key, i), shape=shape, dtype=FLOAT) for i in range(2))
    q = -expm1(u * log1p(-p))
    return _counts(select(less(v, p), floor(1 + log(v) / log(q)), ONE), dtype)


def zipf(key: Any, a: Any, shape: Any = None, dtype: Any = np.int64) -> Any:
    """P(k) proportional to k^-a, for k = 1, 2, ... and a > 1 (Devroye 1986, X.6.1)."""
    return discrete(_zipf, "zipf", key, shape, dtype, a)


def _zipf(key, a, *, shape, dtype):
    a = spread(a, shape)
    proper = logical_and(a > 1, isfinite(a))
    found = until_accepted(key, _zipf_candidate, (select(proper, a, np.float64(2)),), shape, FLOAT)
    return _counts(select(proper, found, np.float64(np.nan)), dtype)


def _zipf_candidate(key, a, *, shape, dtype):
    u, v = (inside(fold_in(key, i), shape=shape, dtype=dtype) for i in range(2))
    k = floor(power(u, -1 / (a - 1)))
    b = power(np.float64(2), a - 1)
    ratio = power(1 + 1 / k, a - 1)
    return k, logical_and(k < _LARGEST, v * k * (ratio - 1) / (b - 1) <= ratio / b)


__all__ = ["binomial", "geometric", "logseries", "multinomial", "negative_binomial", "poisson", "zipf"]
