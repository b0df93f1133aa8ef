"""`least_squares` and `curve_fit`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import tree
from ...api import custom_root, stop_gradient
from ...errors import at_user_line
from ...trace import type_of
from ..delegate import refuse
from .levenberg import FEW_CALLS, FLAT, SETTLED, SHORT, Tolerances, cost, levenberg
from .minimization import STATIONARY, OptimizeResult
from .systems import with_jacobian
from .unknowns import differentiable_where, problem, unknowns

METHODS = ("trf", "dogbox", "lm")
MESSAGES = {
    FEW_CALLS: "The maximum number of function evaluations is exceeded.",
    FLAT: "`gtol` termination condition is satisfied.",
    SETTLED: "`ftol` termination condition is satisfied.",
    SHORT: "`xtol` termination condition is satisfied.",
}


def least_squares(
    fun: Callable,
    x0: Any,
    jac: Any = "2-point",
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    loss: str = "linear",
    max_nfev: int | None = None,
    args: tuple = (),
    kwargs: dict[str, Any] | None = None,
) -> OptimizeResult:
    """As `scipy.optimize.least_squares`: x that makes the sum of squares of fun(x, *args, **kwargs), a vector, smallest, within `bounds`.

    The methods "trf", "dogbox" and "lm" are the same here: Levenberg-Marquardt, which keeps components at their bounds. x0 is a vector or
    any other tree of arrays; the Jacobian is derived, exactly, unless `jac` is a function. Fields: x, cost, fun, jac, grad, optimality, active_mask,
    nfev, njev, status, success, message.

    x is differentiable in args, bounds and what `fun` closes over, by the implicit function theorem, to any order; not in x0. Where the iteration
    ended elsewhere its derivatives are NaN.
    Raises `ValueError` for other methods and losses, and for residuals that are known not to be finite at x0.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.optimize import least_squares
    >>> t = np.array([0.0, 1.0, 2.0])
    >>> rate = lambda y: least_squares(lambda k: np.exp(-k * t) - y, 1.0).x[0]
    >>> y = np.exp(-0.7 * t)
    >>> rate(y).round(6), tj.jit(tj.grad(rate))(y)[1:].round(4)
    (np.float64(0.7), array([-1.0138, -1.0069]))
    """
    if method not in METHODS:
        raise ValueError(at_user_line(f"least_squares: method is one of {', '.join(map(repr, METHODS))}, got {method!r}"))
    if loss != "linear":
        raise ValueError(at_user_line(f"least_squares: the loss is 'linear', got {loss!r}: write a robust one with minimize"))
    start, restore = unknowns(x0, "least_squares")
    n = start.shape[0]
    low, high = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds
    limits = tuple(np.broadcast_to(_vector(x), (n,)) + 0.0 for x in (low, high))

    def residual(x: Any) -> Any:
        y = _vector(fun(restore(x), *args, **(kwargs or {})))
        return np.reshape(y, (-1,)).astype(type_of(start).dtype)

    def jacobian(x: Any) -> Any:
        return np.reshape(jac(restore(x), *args, **(kwargs or {})), (-1, n))

    both = problem(with_jacobian(residual, jacobian if callable(jac) else None), start)
    tolerances = Tolerances(*(0.0 if t is None else t for t in (gtol, ftol, xtol)), max_nfev or 100 * n)
    cut = tuple(map(stop_gradient, limits))

    def stationary(x: Any) -> Any:
        residuals, matrix = both.live(x)
        return x - np.clip(x - residuals @ matrix, *limits)

    def solve(_: Callable, x: Any):
        last = levenberg(both.cut, x, tolerances, cut)
        return last.x, last

    x, last = custom_root(stationary, start, solve, has_aux=True)
    left = np.max(np.abs(last.x - np.clip(last.x - last.residuals @ last.jacobian, *cut)))
    x = differentiable_where(x, (last.status > FEW_CALLS) | (left <= STATIONARY * np.maximum(1.0, cost(last.residuals))))
    residuals, matrix = both.live(x)
    gradient = residuals @ matrix
    active = np.where(last.x <= cut[0], -1, np.where(last.x >= cut[1], 1, 0))
    fields = {"x": restore(x), "cost": cost(residuals), "fun": residuals, "jac": matrix, "grad": gradient, "optimality": left}
    counts = {"active_mask": active, "nfev": last.calls, "njev": last.calls, "status": last.status}
    return OptimizeResult(fields | counts, MESSAGES, (FLAT, SETTLED, SHORT))


def _vector(y: Any) -> Any:
    """Numbers in a list, or a tree of arrays, as a vector; an array as it is."""
    if hasattr(y, "dtype") or np.ndim(y) == 0 and not isinstance(y, dict):
        return y + 0.0
    return tree.ravel(tree.map(lambda x: x + 0.0, y))[0]


def curve_fit(
    f: Callable,
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    jac: Any = None,
    *,
    full_output: bool = False,
    **options: Any,
) -> tuple[Any, Any]:
    """As `scipy.optimize.curve_fit`: the parameters p that fit f(xdata, *p) to `ydata`, a vector, and their covariance.

    `sigma` is a vector of standard deviations or a covariance matrix. Options are those of `least_squares`. Both results are differentiable in xdata,
    ydata, sigma and what `f` closes over. Parameters are NaN where the fit did not converge.
    Raises `ValueError` where `f` does not tell how many parameters it has and there is no `p0`, `TypeError` for `full_output` and `jac`.

    >>> import numpy as np
    >>> from tracejit.scipy.optimize import curve_fit
    >>> t = np.linspace(0.0, 1.0, 5)
    >>> curve_fit(lambda t, a, b: a * np.exp(b * t), t, 2.0 * np.exp(0.5 * t))[0].round(6)
    array([2. , 0.5])
    """
    refuse("curve_fit", full_output=full_output, jac=jac)
    if p0 is None:
        parameters = list(inspect.signature(f).parameters.values())
        if any(p.kind is p.VAR_POSITIONAL for p in parameters) or len(parameters) < 2:
            raise ValueError(at_user_line("curve_fit: unable to determine the number of fit parameters: give p0"))
        p0 = np.ones(len(parameters) - 1)
    start = unknowns(p0, "curve_fit").start
    n = start.shape[0]
    whiten = _whitening(sigma)
    found = least_squares(lambda p: whiten(f(xdata, *(p[i] for i in range(n))) - ydata), start, bounds=bounds, method=method or "trf", **options)
    parameters = found.x * np.where(found.success, 1.0, np.nan)
    covariance = np.linalg.pinv(np.transpose(found.jac) @ found.jac)
    free = type_of(found.fun).size - n
    if not absolute_sigma:
        covariance = covariance * (2 * found.cost / free if free > 0 else np.inf)
    return parameters, covariance


def _whitening(sigma: Any) -> Callable[[Any], Any]:
    if sigma is None:
        return lambda r: r
    sigma = sigma if hasattr(sigma, "dtype") else np.asarray(sigma, float)
    if type_of(sigma).ndim < 2:
        return lambda r: r / sigma
    factor = np.linalg.cholesky(sigma)
    return lambda r: np.linalg.solve(factor, r)
