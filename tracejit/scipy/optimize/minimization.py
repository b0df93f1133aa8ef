"""`minimize`: minima of functions of many variables, as SciPy has it, in native loops and with derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import tree
from ...api import custom_root, stop_gradient, value_and_grad
from ...errors import at_user_line
from ...trace import type_of
from ..delegate import refuse
from ..results import Result
from .descent import ARRIVED, MESSAGES, Limits, bfgs, lbfgs, newton_cg
from .unknowns import differentiable_where, problem, settings, unknowns

METHODS = {"bfgs": "BFGS", "l-bfgs-b": "L-BFGS-B", "newton-cg": "Newton-CG"}
STATIONARY = 1e-5  # a gradient so small, beside 1 and the value, is one of a minimum although rounding ended the search


class OptimizeResult(Result):
    """What the solvers here return: SciPy's fields, also as a tree through `jit` and `vmap`.

    >>> minimize(lambda x: x @ x, [1.0, 2.0]).message
    'Optimization terminated successfully.'
    """


def minimize(
    fun: Callable,
    x0: Any,
    args: Any = (),
    method: str | None = None,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    constraints: Any = None,
    tol: float | None = None,
    callback: Any = None,
    options: dict[str, Any] | None = None,
) -> OptimizeResult:
    """As `scipy.optimize.minimize` with the methods "BFGS", "L-BFGS-B" (the default where there are bounds) and "Newton-CG".

    x0 is a vector, as in SciPy, or any other tree of arrays, which `fun` then takes. Gradients and Hessian products are derived, unless `jac` is a
    function (or True, where `fun` returns a pair); a `jac` that names a scheme of differences is replaced by the exact derivative. `bounds` is a pair
    for each unknown, None where there is none, or a pair of arrays with attributes `lb` and `ub`.
    Options: `gtol`, `maxiter`; `ftol`, `maxcor` (L-BFGS-B); `xtol` (Newton-CG).
    Fields: x, fun, jac, nit, nfev, njev, status, success, message, and `hess_inv` (BFGS) or `nhev` (Newton-CG).

    The minimum is differentiable in args, bounds and what `fun` closes over, by the implicit function theorem, to any order; not in x0. Where the
    search ended elsewhere its derivatives are NaN.
    Raises `ValueError` for other methods and unknown options, `TypeError` where `fun` does not return one real number and for `hess`, `hessp`,
    `constraints` and `callback`.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.optimize import minimize
    >>> nearest = lambda a: minimize(lambda x: np.sum((x - a) ** 2) + x[0] ** 4, np.zeros(2), options={"gtol": 1e-9}).x
    >>> tj.jit(tj.jacrev(nearest))(np.array([3.0, 1.0])).round(6)
    array([[0.142857, 0.      ],
           [0.      , 1.      ]])
    """
    refuse("minimize", hess=hess, hessp=hessp, constraints=constraints or None, callback=callback)
    name = METHODS.get(str(method).lower()) if method is not None else ("BFGS" if bounds is None else "L-BFGS-B")
    if name is None:
        raise ValueError(at_user_line(f"minimize: method is one of {', '.join(map(repr, METHODS.values()))}, got {method!r}"))
    if bounds is not None and name != "L-BFGS-B":
        raise ValueError(at_user_line(f'minimize: bounds need the method "L-BFGS-B", got {name!r}'))
    args = args if isinstance(args, tuple) else (args,)
    start, restore = unknowns(x0, "minimize")
    both = problem(_value_and_gradient(fun, args, jac, restore), start)
    limits = None if bounds is None else _bounds(bounds, start)
    run = _method(name, both.cut, tol, options, None if limits is None else tuple(map(stop_gradient, limits)), 200 * start.shape[0])

    def residual(x: Any) -> Any:
        gradient = both.live(x)[1]
        return gradient if limits is None else x - np.clip(x - gradient, *limits)

    def solve(_: Callable, start: Any):
        last = run(start)
        return last.point.x, last

    x, last = custom_root(residual, start, solve, has_aux=True)
    small = np.max(np.abs(last.point.gradient)) <= STATIONARY * np.maximum(1.0, np.abs(last.point.value))
    x = differentiable_where(x, (last.status == ARRIVED) | small)
    value, gradient = both.live(x)
    fields = {"x": restore(x), "fun": value, "jac": restore(gradient), "nit": last.turns, "nfev": last.calls, "njev": last.calls}
    if name == "BFGS":
        fields["hess_inv"] = last.memory
    elif name == "Newton-CG":
        fields["nhev"] = last.products
    return OptimizeResult(fields | {"status": last.status}, MESSAGES, (ARRIVED,))


def _value_and_gradient(fun: Callable, args: tuple, jac: Any, restore: Callable) -> Callable:
    def number(value: Any) -> Any:
        if type_of(value).size != 1 or type_of(value).dtype.kind not in "fiub":
            raise TypeError(at_user_line(f"minimize: the function must return one real number, got {type_of(value)}"))
        return np.reshape(value, ()) + 0.0

    def both(x: Any) -> tuple[Any, Any]:
        if jac is True:
            value, gradient = fun(restore(x), *args)
        elif callable(jac):
            value, gradient = fun(restore(x), *args), jac(restore(x), *args)
        else:
            return value_and_grad(lambda x: number(fun(restore(x), *args)))(x)
        flat = tree.ravel(gradient)[0]
        if type_of(flat).shape != type_of(x).shape:
            raise ValueError(at_user_line(f"minimize: the gradient has {type_of(flat).size} elements, expected {type_of(x).size}"))
        return number(value), flat.astype(type_of(x).dtype)

    return both


def _bounds(bounds: Any, start: Any) -> tuple[Any, Any]:
    """The lower and upper bounds as vectors."""
    n = start.shape[0]
    if hasattr(bounds, "lb"):
        low, high = bounds.lb, bounds.ub
    else:
        pairs = list(bounds)
        if len(pairs) != n:
            raise ValueError(at_user_line(f"minimize: {len(pairs)} bounds for {n} unknowns"))
        low = np.stack([-np.inf if pair[0] is None else pair[0] + 0.0 for pair in pairs])
        high = np.stack([np.inf if pair[1] is None else pair[1] + 0.0 for pair in pairs])
    return np.broadcast_to(low, (n,)) + 0.0, np.broadcast_to(high, (n,)) + 0.0


def _method(name: str, both: Callable, tol: Any, options: Any, bounds: Any, turns: int) -> Callable:
    what = f"minimize with the method {name!r}"
    if name == "BFGS":
        o = settings(what, options, {"gtol": 1e-5 if tol is None else tol, "maxiter": turns})
        return lambda start: bfgs(both, start, Limits(gradient=o["gtol"], turns=o["maxiter"]))
    if name == "Newton-CG":
        o = settings(what, options, {"xtol": 1e-5 if tol is None else tol, "maxiter": turns})
        return lambda start: newton_cg(both, start, Limits(change=o["xtol"], turns=o["maxiter"]))
    o = settings(what, options, {"gtol": 1e-5 if tol is None else tol, "ftol": 2.22e-9 if tol is None else tol, "maxiter": 15000, "maxcor": 10})
    limits = Limits(gradient=o["gtol"], decrease=o["ftol"], turns=o["maxiter"])
    return lambda start: lbfgs(both, start, limits, o["maxcor"], bounds)
