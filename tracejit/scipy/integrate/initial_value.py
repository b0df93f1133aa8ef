"""Initial value problems as users call them: `odeint`, `solve_ivp`, `rk4`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import tree
from ...api import closure_convert, scan
from ...api.implicit import known_value
from ...errors import at_user_line
from ...trace import type_of
from ..delegate import refuse
from ..results import Result
from .adaptive import MESSAGES, REACHED, Control, Solution, integrate
from .adjoint import integrate_with_adjoint
from .runge_kutta import PAIRS, classical_step

ADJOINTS = ("discrete", "continuous")


class OdeResult(Result):
    """What `solve_ivp` returns: fields `t`, `y` (a row for each component), `nfev`, `status`, `success`, `message` as in SciPy.

    >>> solve_ivp(lambda t, y: -y, (0.0, 1.0), [1.0]).message
    'The solver successfully reached the end of the integration interval.'
    """


def _vector_field(f: Callable, y0: Any, what: str) -> tuple[Callable, Any, Callable, list[Any]]:
    """`f(t, y)` of trees as a function of a vector (and what f closes over), the first value as a vector, and the way back to trees."""
    if not tree.leaves(y0):
        raise ValueError(at_user_line(f"{what}: y0 has no elements"))
    structure = tree.structure(y0)
    flat, unravel = tree.ravel(tree.map(_inexact, y0))
    shapes = [type_of(x).shape for x in tree.leaves(y0)]

    def slope(t: Any, y: Any) -> Any:
        out = f(t, unravel(y))
        if tree.structure(out) != structure and len(shapes) == 1 and isinstance(out, (list, tuple)):
            out = structure.unflatten([np.stack([x + 0.0 for x in out])])  # a list of components, as SciPy takes
        got = [type_of(x).shape for x in tree.leaves(out)]
        if tree.structure(out) != structure or got != shapes:
            raise ValueError(at_user_line(f"{what}: the function returns {tree.structure(out)} of shapes {got}, expected those of y0: {shapes}"))
        vector = tree.ravel(out)[0]
        if type_of(vector).dtype.kind == "c" and type_of(flat).dtype.kind != "c":
            raise TypeError(at_user_line(f"{what}: the function is complex and y0 is real: pass y0 as a complex array"))
        return vector.astype(type_of(flat).dtype)

    converted, consts = closure_convert(slope, 0.0, flat)
    return (lambda t, y, *consts: converted(t + 0.0, y, *consts)), flat, unravel, consts


def _inexact(x: Any) -> Any:
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return x.astype(np.complex128 if type_of(x).dtype.kind == "c" else np.float64)


def _times(t: Any, what: str) -> Any:
    t = t if hasattr(t, "dtype") else np.stack([x + 0.0 for x in t]) if len(t) else np.zeros(0)
    if type_of(t).ndim != 1 or type_of(t).shape[0] < 1:
        raise ValueError(at_user_line(f"{what}: times are a vector of at least one, got shape {type_of(t).shape}"))
    values = known_value(t)
    if values is not None:
        steps = np.diff(values)
        if not (np.all(steps >= 0) or np.all(steps <= 0)):
            raise ValueError(at_user_line(f"{what}: times must rise or fall, got {np.array2string(values, threshold=10)}"))
    return t.astype(np.float64)


def _solve(method: str, f: Callable, y0: Any, times: Any, consts: list, control: Control, adjoint: str, what: str) -> Solution:
    if adjoint not in ADJOINTS:
        raise ValueError(at_user_line(f"{what}: adjoint is one of {', '.join(map(repr, ADJOINTS))}, got {adjoint!r}"))
    if adjoint == "continuous":
        return integrate_with_adjoint(PAIRS[method], f, y0, times, consts, control)
    return integrate(PAIRS[method], lambda t, y: f(t, y, *consts), y0, times, control)


def odeint(
    func: Callable,
    y0: Any,
    t: Any,
    *params: Any,
    args: tuple = (),
    rtol: float = 1.49012e-8,
    atol: float = 1.49012e-8,
    mxstep: int | None = None,
    tfirst: bool = False,
    adjoint: str = "discrete",
) -> Any:
    """The solution of dy/dt = func(y, t, *params) at the times `t`, with y(t[0]) = y0; differentiable in y0, t, params and what func closes over.

    `y0` is a tree of floats (or complex numbers), and so is the result, with an axis for the times in front. Parameters may also be given as
    SciPy's tuple `args=`, and `tfirst` swaps y and t. Steps are those of
    Dormand and Prince of order five, not those of LSODA: for problems that are not stiff.
    `adjoint` says how reverse mode works: "discrete" goes back over the steps that were taken, on a tape of them; "continuous" solves the
    adjoint problem backwards, with memory that does not grow with the steps, to the same tolerances.
    Where a step gets too small, or more than `mxstep` are needed between two times, raises `RuntimeError`, or under `jit` and `vmap`, where that is
    not known yet, gives NaN from there on.
    Raises `ValueError` where times do not rise or fall, or `func` does not return something like y0.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.integrate import odeint
    >>> decay = lambda k: odeint(lambda y, t, k: -k * y, 1.0, np.array([0.0, 1.0]), k)[-1]
    >>> np.round([decay(2.0), tj.grad(decay)(2.0)], 6)
    array([ 0.135335, -0.135335])
    """
    given = (*params, *args)
    times = _times(t, "odeint")
    f, flat, unravel, consts = _vector_field((lambda t, y: func(t, y, *given)) if tfirst else (lambda t, y: func(y, t, *given)), y0, "odeint")
    control = Control(rtol, atol, most=mxstep or None)
    found = _solve("RK45", f, flat, times, consts, control, adjoint, "odeint")
    status = known_value(found.status)
    if status is not None and status != REACHED:
        raise RuntimeError(at_user_line(f"odeint: {MESSAGES[int(status)]}"))
    return _rows(found.y, unravel)


def _rows(ys: Any, unravel: Any) -> Any:
    """Rows that are flat trees as a tree of stacked arrays."""
    count, pieces, start = type_of(ys).shape[0], [], 0
    for shape in unravel.shapes:
        size = int(np.prod(shape, dtype=int))
        pieces.append(np.reshape(ys[:, start : start + size], (count, *shape)))
        start += size
    return unravel.structure.unflatten(pieces)


def solve_ivp(
    fun: Callable,
    t_span: Any,
    y0: Any,
    method: str = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: Any = None,
    vectorized: bool = False,
    args: tuple | None = None,
    *,
    rtol: float = 1e-3,
    atol: float = 1e-6,
    first_step: float | None = None,
    max_step: float = np.inf,
    max_steps: int | None = None,
    adjoint: str = "discrete",
) -> OdeResult:
    """As `scipy.integrate.solve_ivp` with the methods "RK45" and "RK23": dy/dt = fun(t, y, *args) over `t_span`, with y(t_span[0]) = y0, a vector.

    Without `t_eval` the result has the two ends of `t_span`, since how many steps a solver takes is no shape that can be compiled. Differentiable in
    y0, t_span, t_eval, args and what `fun` closes over; `adjoint` as in `odeint`. `max_steps` bounds the steps between two output times.
    After a failure `success` is false, `message` says why, and y is NaN from there on.
    Raises `ValueError` for other methods and for times outside of `t_span`, `TypeError` for `dense_output` and `events`.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.integrate import solve_ivp
    >>> found = tj.jit(lambda y0: solve_ivp(lambda t, y: -y, (0.0, 1.0), y0, t_eval=np.array([0.5, 1.0])))(np.ones(1))
    >>> found.y.round(2), bool(found.success)
    (array([[0.61, 0.37]]), True)
    """
    refuse("solve_ivp", dense_output=dense_output, events=events, vectorized=vectorized)
    if method not in PAIRS:
        raise ValueError(at_user_line(f"solve_ivp: method is one of {', '.join(map(repr, PAIRS))}, got {method!r}"))
    if type_of(y0 := y0 if hasattr(y0, "dtype") else np.stack([x + 0.0 for x in y0])).ndim != 1:
        raise ValueError(at_user_line(f"solve_ivp: y0 is a vector, got shape {type_of(y0).shape}"))
    first, last = t_span
    wanted = [first + 0.0, last + 0.0] if t_eval is None else _times(t_eval, "solve_ivp")
    ends = _times([first, last], "solve_ivp")
    if t_eval is not None:
        _require_inside(ends, wanted)
    times = ends if t_eval is None else np.concatenate([ends[:1], wanted, ends[1:]])
    given = args or ()
    f, flat, _, consts = _vector_field(lambda t, y: fun(t, y, *given), y0, "solve_ivp")
    found = _solve(method, f, flat, times, consts, Control(rtol, atol, first_step, max_step, max_steps), adjoint, "solve_ivp")
    rows = found.y if t_eval is None else found.y[1:-1]
    fields = {"t": times if t_eval is None else wanted, "y": np.transpose(rows), "nfev": found.calls, "njev": 0, "nlu": 0}
    return OdeResult(fields | {"sol": None, "t_events": None, "y_events": None, "status": found.status}, messages=MESSAGES, successful=(REACHED,))


def _require_inside(ends: Any, wanted: Any) -> None:
    ends, values = known_value(ends), known_value(wanted)
    if ends is None or values is None:
        return
    if np.any(values < min(ends)) or np.any(values > max(ends)):
        raise ValueError(at_user_line("solve_ivp: values in `t_eval` are not within `t_span`"))
    if np.any(np.diff(values) * np.sign(ends[1] - ends[0]) <= 0):
        raise ValueError(at_user_line("solve_ivp: values in `t_eval` are not properly sorted"))


def rk4(func: Callable, y0: Any, t: Any, *params: Any, steps: int = 1, checkpoint_every: int | str | None = None) -> Any:
    """The solution of dy/dt = func(y, t, *params) at the times `t` by Kutta's method of order four, with `steps` equal steps between two times.

    Arguments and result as in `odeint`. It is a `scan`: the fastest there is where the length of the steps is known. `checkpoint_every` as there.

    >>> import numpy as np, tracejit as tj
    >>> from tracejit.scipy.integrate import rk4
    >>> rk4(lambda y, t: -y, 1.0, np.array([0.0, 0.5, 1.0]), steps=8).round(6)
    array([1.      , 0.606531, 0.367879])
    """
    times = _times(t, "rk4")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ValueError(at_user_line(f"rk4: steps is a number, at least 1, got {steps!r}"))
    f, flat, unravel, consts = _vector_field(lambda t, y: func(y, t, *params), y0, "rk4")

    def turn(y: Any, at: tuple):
        start, h = at
        return classical_step(lambda t, y: f(t, y, *consts), start, y, h), None

    def interval(y: Any, ends: tuple):
        start, end = ends
        h = (end - start) / steps
        if steps == 1:
            y = turn(y, (start, h))[0]
        else:
            y = scan(lambda y, i: turn(y, (start + i * h, h)), y, np.arange(float(steps)))[0]
        return y, y

    _, rows = scan(interval, flat, (times[:-1], times[1:]), checkpoint_every=checkpoint_every)
    return _rows(np.concatenate([flat[None], rows]), unravel)
