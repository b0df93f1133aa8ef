"""Integrals of functions: `quad` (adaptive Gauss-Kronrod) and `fixed_quad` (Gauss-Legendre).

`quad` looks for a partition of the interval by bisecting, again and again, the part with the largest estimate of the error: a native loop on values
without derivative.  The integral is then computed on that partition, whose points move with the limits, so it differentiates in limits and parameters
like a sum.

Source: Piessens, de Doncker-Kapenga, Ueberhuber, Kahaner, QUADPACK (1983): the rule of 21 points, the estimate of its error, and the way to infinity.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ...api import closure_convert, fori_loop, stop_gradient, vmap, while_loop
from ...api.implicit import known_value
from ...errors import at_user_line
from ...trace import Tracer, type_of
from ..delegate import refuse

__all__ = ["IntegrationWarning", "fixed_quad", "quad"]

# The points of Kronrod's rule in [0, 1), outermost first; every second one, from the second on, is a point of Gauss's rule of ten points.
_POINTS = np.array([
    0.995657163025808080735527280689003, 0.973906528517171720077964012084452, 0.930157491355708226001207180059508,
    0.865063366688984510732096688423493, 0.780817726586416897063717578345042, 0.679409568299024406234327365114874,
    0.562757134668604683339000099272694, 0.433395394129247190799265943165784, 0.294392862701460198131126603103866,
    0.148874338981631210884826001129720, 0.0,
])  # fmt: skip
_KRONROD = np.array([
    0.011694638867371874278064396062192, 0.032558162307964727478818972459390, 0.054755896574351996031381300244580,
    0.075039674810919952767043140916190, 0.093125454583697605535065465083366, 0.109387158802297641899210590325805,
    0.123491976262065851077958109831074, 0.134709217311473325928054001771707, 0.142775938577060080797094273138717,
    0.147739104901338491374841515972068, 0.149445554002916905664936468389821,
])  # fmt: skip
_GAUSS = np.array([
    0.066671344308688137593568809893332, 0.149451349150580593145776339657697, 0.219086362515982043995534934228163,
    0.269266719309996355091226921569469, 0.295524224714752870173892994651338,
])  # fmt: skip


def _mirrored(half: np.ndarray, sign: float) -> np.ndarray:
    return np.concatenate([sign * half, half[:-1][::-1]])


POINTS, KRONROD = _mirrored(_POINTS, -1.0), _mirrored(_KRONROD, 1.0)
GAUSS = np.zeros(21)
GAUSS[1:20:2] = np.concatenate([_GAUSS, _GAUSS[::-1]])
EPS, TINY = np.finfo(float).eps, np.finfo(float).tiny


class IntegrationWarning(UserWarning):
    """An integral is not as accurate as was asked for."""


def _values(f: Callable, left: Any, right: Any) -> tuple[Any, Any]:
    """f at the points of the rule in [left, right], and half of the length."""
    half = (right - left) / 2
    return vmap(f)((left + right) / 2 + half * POINTS), half


def _estimate(f: Callable, left: Any, right: Any) -> tuple[Any, Any]:
    """The integral over [left, right] and an estimate of its error."""
    y, half = _values(f, left, right)
    integral = KRONROD @ y
    spread = half * (KRONROD @ np.abs(y - integral / 2))
    error = np.abs(half * (integral - GAUSS @ y))
    usable = spread > 0
    error = np.where(usable, spread * np.minimum(1.0, (200 * error / np.where(usable, spread, 1.0)) ** 1.5), error)
    size = half * (KRONROD @ np.abs(y))
    return half * integral, np.where(size > TINY / (50 * EPS), np.maximum(50 * EPS * size, error), error)


def _partition(f: Callable, epsabs: Any, epsrel: Any, limit: int) -> tuple[Any, Any, Any, Any]:
    """How many parts of [0, 1] are enough, their ends (`limit` of them, of which the others have no length), and the error that remains."""
    value, error = _estimate(f, 0.0, 1.0)
    place = np.arange(limit)
    first = place == 0

    def unsettled(state):
        count, _, _, values, errors = state
        return (count < limit) & (np.sum(errors) > np.maximum(epsabs, epsrel * np.abs(np.sum(values))))

    def bisect(state):
        count, left, right, values, errors = state
        worst = np.argmax(errors)
        low, high = left[worst], right[worst]
        middle = (low + high) / 2
        (value_low, error_low), (value_high, error_high) = _estimate(f, low, middle), _estimate(f, middle, high)
        here, new = place == worst, place == count

        def put(array, at_worst, at_new):
            return np.where(here, at_worst, np.where(new, at_new, array))

        return (
            count + 1,
            put(left, low, middle),
            put(right, middle, high),
            put(values, value_low, value_high),
            put(errors, error_low, error_high),
        )

    start = (1, np.zeros(limit), np.where(first, 1.0, 0.0), np.where(first, value, 0.0), np.where(first, error, 0.0))
    count, left, right, _, errors = while_loop(unsettled, bisect, start)
    return count, left, right, np.sum(errors)


def _from_unit(f: Callable, a: Any, b: Any) -> Callable:
    """The function on [0, 1] whose integral is that of f from a to b; limits that are infinite are known."""
    low, high = known_value(a), known_value(b)
    below, above = low is not None and np.isinf(low), high is not None and np.isinf(high)
    if below and above and low == high:
        return lambda u: 0.0 * u
    if (below and low > 0) or (above and high < 0):
        backwards = _from_unit(f, b, a)
        return lambda u: -backwards(u)
    if below and above:
        return lambda u: (f((1 - u) / u) + f(-(1 - u) / u)) / u**2
    if above:
        return lambda u: f(a + (1 - u) / u) / u**2
    if below:
        return lambda u: f(b - (1 - u) / u) / u**2
    return lambda u: (b - a) * f(a + (b - a) * u)


def quad(
    func: Callable,
    a: Any,
    b: Any,
    args: Any = (),
    full_output: int = 0,
    epsabs: float = 1.49e-8,
    epsrel: float = 1.49e-8,
    limit: int = 50,
    points: Any = None,
    weight: Any = None,
) -> tuple[Any, Any]:
    """As `scipy.integrate.quad`: the integral of func(x, *args) from a to b, and an estimate of its absolute error.

    Limits may be infinite where they are known while tracing. Differentiable in a, b, args and what `func` closes over; derivatives are computed on
    the partition that the function itself asked for. `func` gives one float for one float, and is called with 21 at a time by `vmap`.
    Where `limit` parts do not suffice the estimate is larger than what was asked for, which is an `IntegrationWarning` outside of compiled functions.
    Raises `TypeError` for `full_output`, `points` and `weight`.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.integrate import quad
    >>> gauss = lambda s: quad(lambda x: np.exp(-s * x * x), -np.inf, np.inf)[0]
    >>> np.round([gauss(1.0) ** 2, tj.grad(gauss)(1.0)], 6)
    array([ 3.141593, -0.886227])
    """
    refuse("quad", full_output=bool(full_output), points=points, weight=weight)
    if isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or limit < 1:
        raise ValueError(at_user_line(f"quad: limit is a number of parts, at least 1, got {limit!r}"))
    args = args if isinstance(args, tuple) else (args,)
    converted, consts = closure_convert(lambda x: func(x, *args), 0.0)
    out = type_of(converted(0.5, *map(stop_gradient, consts)))
    if out.shape or out.dtype.kind not in "fiub":
        raise TypeError(at_user_line(f"quad: the function must return one real number, got {out}"))
    a, b = (x if type(x) is Tracer else np.float64(x) for x in (a, b))

    def function(parameters):
        return lambda x: converted(x + 0.0, *parameters) + 0.0

    def on_unit(cut):
        return _from_unit(function([cut(c) for c in consts]), cut(a), cut(b))

    count, left, right, error = _partition(on_unit(stop_gradient), epsabs, epsrel, int(limit))
    f = on_unit(lambda x: x)

    def add(i, state):
        total, left, right = state  # the ends go round as well: a plain array has no element number i
        y, half = _values(f, left[i], right[i])
        return total + half * (KRONROD @ y), left, right

    integral, _, _ = fori_loop(0, count, add, (0.0, left, right))
    known = known_value(np.stack([integral, error]))
    if known is not None and not known[1] <= max(epsabs, epsrel * abs(known[0])):
        message = f"quad: {limit} parts give an estimated error of {known[1]:.2g}: raise `limit`, or integrate over the parts of a difficult function"
        warnings.warn(at_user_line(message), IntegrationWarning, stacklevel=2)
    return integral, error


def fixed_quad(func: Callable, a: Any, b: Any, args: tuple = (), n: int = 5) -> tuple[Any, None]:
    """As `scipy.integrate.fixed_quad`: Gauss's rule of n points for a function of arrays; limits are finite.

    >>> import numpy as np
    >>> fixed_quad(np.cos, 0.0, np.pi / 2)[0].round(8)
    np.float64(1.0)
    """
    for limit in (a, b):
        value = known_value(limit)
        if value is not None and not np.isfinite(value):
            raise ValueError(at_user_line("fixed_quad: Gaussian quadrature is only available for finite limits"))
    points, weights = np.polynomial.legendre.leggauss(n)
    y = (b - a) * (points + 1) / 2 + a
    return (b - a) / 2 * np.sum(weights * func(y, *args), axis=-1), None
