"""`root`: systems of equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import tree
from ...api import custom_root, jacfwd
from ...errors import at_user_line
from ...trace import type_of
from ..delegate import refuse
from .levenberg import FEW_CALLS, Tolerances, levenberg
from .minimization import OptimizeResult
from .unknowns import differentiable_where, problem, settings, unknowns

METHODS = ("hybr", "lm")
SOLVED, CALLS, NO_PROGRESS = 1, 2, 4
MESSAGES = {
    SOLVED: "The solution converged.",
    CALLS: "The number of calls to function has reached its limit.",
    NO_PROGRESS: "The iteration is not making good progress: it ended where no small step makes the residuals smaller.",
}


def with_jacobian(f: Callable, jac: Any) -> Callable:
    """The residuals, a vector, and their Jacobian; f is called once."""

    def both(x: Any) -> tuple[Any, Any]:
        if jac is not None:
            return f(x), jac(x)

        def twice(x):
            y = f(x)
            return y, y

        jacobian, y = jacfwd(twice, has_aux=True)(x)
        return y, jacobian

    return both


def root(fun: Callable, x0: Any, args: Any = (), method: str = "hybr", jac: Any = None, tol: float | None = None, callback: Any = None,
         options: dict[str, Any] | None = None) -> OptimizeResult:  # fmt: skip
    """As `scipy.optimize.root`: x where all of fun(x, *args), as many numbers as x has, are zero.

    The methods "hybr" and "lm" are the same here: Newton's steps, damped as Levenberg and Marquardt do where they do not lead downhill. x0 is a
    vector or any other tree of arrays; the Jacobian is derived, unless `jac` is a function (or True, where `fun` returns a pair).
    Options: `xtol`, `maxfev`. Fields: x, fun, jac, nit, nfev, njev, status, success, message.

    The root is differentiable in args and what `fun` closes over, by the implicit function theorem, to any order; not in x0. Where none was found
    its derivatives are NaN.
    Raises `ValueError` for other methods and unknown options, and where `fun` does not return as many numbers as it takes.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.optimize import root
    >>> f = lambda a: root(lambda x: np.stack([x[0] ** 2 + x[1] ** 2 - a, x[0] - x[1]]), np.ones(2)).x
    >>> f(8.0).round(6), tj.jacfwd(f)(8.0).round(6)
    (array([2., 2.]), array([0.125, 0.125]))
    """
    refuse("root", callback=callback)
    if method not in METHODS:
        raise ValueError(at_user_line(f"root: method is one of {', '.join(map(repr, METHODS))}, got {method!r}"))
    args = args if isinstance(args, tuple) else (args,)
    start, restore = unknowns(x0, "root")
    n = start.shape[0]
    o = settings("root", options, {"xtol": 1.49012e-8 if tol is None else tol, "maxfev": 200 * (n + 1)})

    def vector(y: Any) -> Any:
        flat = _flat(y, start)
        if type_of(flat).shape != (n,):
            raise ValueError(at_user_line(f"root: the function returns {type_of(flat).size} numbers for {n} unknowns"))
        return flat

    def residual(x: Any) -> Any:
        y = fun(restore(x), *args)
        return vector(y[0] if jac is True else y)

    def jacobian(x: Any) -> Any:
        matrix = fun(restore(x), *args)[1] if jac is True else jac(restore(x), *args)
        return np.reshape(_array(matrix), (n, n)) + 0.0

    both = problem(with_jacobian(residual, jacobian if jac is True or callable(jac) else None), start)
    equations = problem(residual, start)

    def solve(_: Callable, x: Any):
        last = levenberg(both.cut, x, Tolerances(0.0, 0.0, o["xtol"], o["maxfev"]))
        return last.x, last

    x, last = custom_root(equations.live, start, solve, has_aux=True)
    size = np.sqrt(np.sum(last.jacobian * last.jacobian)) * (np.sqrt(last.x @ last.x) + o["xtol"])
    solved = np.sqrt(last.residuals @ last.residuals) <= np.maximum(o["xtol"], 1e-12) * size
    status = np.where(solved, SOLVED, np.where(last.status == FEW_CALLS, CALLS, NO_PROGRESS))
    x = differentiable_where(x, solved)
    value, matrix = both.live(x)
    fields = {"x": restore(x), "fun": restore(value), "jac": matrix, "nit": last.turns, "nfev": last.calls, "njev": last.calls, "status": status}
    return OptimizeResult(fields, MESSAGES, (SOLVED,))


def _array(x: Any) -> Any:
    """Nested lists of numbers as an array."""
    return np.stack([_array(row) for row in x]) if isinstance(x, (list, tuple)) else x


def _flat(y: Any, like: Any) -> Any:
    if isinstance(y, (list, tuple)):
        y = [x + 0.0 for x in y]
    return tree.ravel(y)[0].astype(type_of(like).dtype)
