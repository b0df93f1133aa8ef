"""What all solvers here do with the user's function: vectors in place of trees, closed-over values apart, and derivatives only of true solutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ... import tree
from ...api import closure_convert, custom, stop_gradient
from ...errors import at_user_line
from ...trace import Tracer, type_of


class Unknowns(NamedTuple):
    """The start of a solver as a vector of floats, and the way back to what the user's function takes."""

    start: Any
    restore: Callable[[Any], Any]


def unknowns(x0: Any, what: str) -> Unknowns:
    """A vector or a number becomes a vector, as in SciPy; any other tree keeps its structure. The start has no derivative."""
    if isinstance(x0, (list, tuple)) and all(not isinstance(x, (list, tuple, dict)) and np.ndim(x) == 0 for x in x0):
        x0 = np.stack([x + 0.0 for x in x0]) if len(x0) else np.zeros(0)
    leaves = tree.leaves(x0)
    if not leaves or not sum(type_of(x).size for x in leaves):
        raise ValueError(at_user_line(f"{what}: x0 has no elements"))
    for path, x in zip(tree.paths(x0), leaves):
        if type_of(x).dtype.kind not in "fiub":
            raise TypeError(at_user_line(f"{what}: unknowns are real numbers, x0{path} has dtype {type_of(x).dtype}"))
    floats = [stop_gradient(x) if type(x) is Tracer else np.asarray(x) for x in leaves]
    floats = [x if x.dtype.kind == "f" else x.astype(np.float64) for x in floats]
    if tree.is_leaf(x0) and floats[0].ndim <= 1:
        return Unknowns(np.reshape(floats[0], (-1,)), lambda v: v)
    return Unknowns(*tree.ravel(tree.structure(x0).unflatten(floats)))


class Problem(NamedTuple):
    """A function of a vector with its closed-over values: `cut` is for iterations, `live` has derivatives with respect to them."""

    cut: Callable[[Any], Any]
    live: Callable[[Any], Any]


def problem(f: Callable[[Any], Any], start: Any) -> Problem:
    """`f` traced once, for vectors like `start`."""
    converted, consts = closure_convert(f, start)
    fixed = [stop_gradient(c) if type(c) is Tracer else c for c in consts]
    return Problem(lambda x: converted(x, *fixed), lambda x: converted(x, *consts))


def _marked(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    return primals[0], tangents[0] * np.where(primals[1], 1.0, np.nan)


# The implicit function theorem holds at solutions only. Where a solver stopped elsewhere, its x has a value, and derivatives that are NaN.
differentiable_where = custom(lambda x, solved: x, jvp=_marked)


def settings(what: str, options: dict[str, Any] | None, defaults: dict[str, Any]) -> dict[str, Any]:
    """The defaults with what the user gave in their places. Raises `ValueError` for an option that does not exist."""
    options = {name: value for name, value in (options or {}).items() if not (name == "disp" and not value)}
    unknown = sorted(options.keys() - defaults.keys())
    if unknown:
        raise ValueError(at_user_line(f"{what}: there is no option {unknown[0]!r}; options are {', '.join(defaults)}"))
    return defaults | options
