"""Functions defined by equations: `custom_root`, `custom_linear_solve`, `fixed_point`.

How the solution was found does not matter to its derivative.  Where f(x, p) = 0, the derivative of x solves (df/dx) dx = -(df/dp) dp:
one linear solve in forward mode, one with the transposed matrix in reverse mode, whatever the number of iterations was.  So the solver runs on values
whose derivative is cut, and its result gets the derivative that the equation says (see `ops/custom.py`); linear solves have linear solves for
derivatives, to any order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..errors import at_user_line
from ..interpret import replay
from ..ir import ArrayType, Graph, is_inexact
from ..ops.bodies import build
from ..ops.core import zeros
from ..ops.custom import Rule, custom_derivative
from ..ops.custom_linear import Direction, linear_call, require_linear
from ..ops.elementwise import stop_gradient
from ..trace import Tracer, type_of
from ..transforms.backward import transpose as transpose_graph
from ..transforms.forward import linearize, push_forward
from .control import while_loop
from .recording import as_value, check_leaves, check_result, defined_at, name_of, record, require_callable
from .vectorization import vmap

# Systems of up to so many unknowns are solved with their matrix by `fixed_point`: a batch of so many products costs less than iterations do.
DENSE_UNKNOWNS = 128

Solver = Callable[[Callable[[Any], Any], Any], Any]  # (matvec, b) -> x


class _System(NamedTuple):
    """Linear equations matvec(x) = b. `graph` takes x and then what the matrix is made of, and gives matvec(x)."""

    graph: Graph
    structure: tree.Structure
    types: tuple[ArrayType, ...]
    what: str
    solve: Solver
    transpose_solve: Solver | None
    symmetric: bool = False

    def transposed(self) -> _System:
        if self.symmetric:
            return self
        if self.transpose_solve is None:
            raise TypeError(at_user_line(f"{self.what}: reverse mode needs `transpose_solve=`, or `symmetric=True` where the matrix is symmetric"))
        n = len(self.types)

        def function(*args):
            # The derivative of a linear function is the same everywhere: taken at the cotangents, it needs no other arrays.
            _, linear = linearize(self.graph, dict(zip(self.graph.inputs, args)), range(n), self.what)
            back = transpose_graph(linear.graph, n, linear.residuals, [args[i] for i in linear.reached])
            return [zeros(t) if b is None else b for b, t in zip(back, self.types)]

        graph = self.graph.derived(("transposed system", n), lambda: build(self.graph.in_types, function)[0])
        return self._replace(graph=graph, solve=self.transpose_solve, transpose_solve=self.solve)

    def matvec(self, consts: Sequence[Any]) -> Callable[[Any], Any]:
        """The matrix as a function of trees."""

        def product(x: Any) -> Any:
            leaves = _matching(x, self.structure, self.types, f"{self.what}: the argument of matvec")
            return self.structure.unflatten(replay(self.graph, [*leaves, *consts]))

        return product


def _matching(x: Any, structure: tree.Structure, types: Sequence[ArrayType], what: str) -> list[Any]:
    """The leaves of a tree. Raises `TypeError` where it has another structure, or its leaves other shapes."""
    leaves, have = tree.flatten(x)
    if have != structure:
        raise TypeError(at_user_line(f"{what} has the structure {have}, expected {structure}"))
    values = [as_value(v) for v in leaves]
    for path, v, t in zip(tree.paths(x), values, types):
        if type_of(v).shape != t.shape:
            raise TypeError(at_user_line(f"{what}{path} has shape {type_of(v).shape}, expected {t.shape}"))
    return [v.astype(t.dtype) if type_of(v).dtype != t.dtype else v for v, t in zip(values, types)]


def _cut(values: Sequence[Any]) -> list[Any]:
    return [stop_gradient(v) if type(v) is Tracer else v for v in values]


def _never() -> None:
    raise AssertionError("a solution whose derivative was cut has a tangent")


def _solution(system: _System, consts: Sequence[Any], b: Sequence[Any], found: Any = None) -> list[Any]:
    """The solution of a system for flat arrays, with its derivative. `found` is the solution where it has been computed already."""
    if found is None:
        found = system.solve(system.matvec(_cut(consts)), system.structure.unflatten(_cut(b)))
    values = _cut(_matching(found, system.structure, system.types, f"{system.what}: the result of {defined_at(system.solve)}"))
    n = len(consts)

    def jvp(args: Sequence, outs: Sequence, tangents: Sequence) -> Sequence[Any]:
        moved_consts, right = tangents[:n], list(tangents[n:])
        if any(t is not None for t in moved_consts):
            known = dict(zip(system.graph.inputs, [*outs, *args[:n]]))
            _, moved = push_forward(system.graph, known, [*[None] * len(outs), *moved_consts])
            right = [r if m is None else -m if r is None else r - m for r, m in zip(right, moved)]
        return _solve_for_tangent(system, args[:n], right)

    if any(type(x) is Tracer for x in (*values, *consts, *b)):
        values = custom_derivative(*values, *consts, *b, count=len(values), rule=Rule(jvp, _never))
    return list(values)


def _solve_for_tangent(system: _System, consts: Sequence[Any], right: Sequence[Any]) -> Sequence[Any]:
    """The solution for a right side that is linear in tangents, as an operation that transposes to the transposed system."""
    if all(r is None for r in right):
        return right

    def dense(values: Sequence[Any]) -> list[Any]:
        return [zeros(t) if v is None else v for v, t in zip(values, system.types)]

    return linear_call(
        *consts,
        *dense(right),
        residuals=len(consts),
        forward=Direction(lambda c, r: _solution(system, c, r), system.what),
        backward=Direction(lambda c, ct: _solution(system.transposed(), c, dense(ct)), f"the transpose of {system.what}"),
        out_types=system.types,
    )


def _pair(found: Any, solve: Callable, what: str) -> tuple[Any, Any]:
    if not isinstance(found, tuple) or len(found) != 2:
        raise TypeError(at_user_line(f"{what} with has_aux=True: {defined_at(solve)} must return a pair (solution, aux)"))
    return found[0], tree.map(lambda x: stop_gradient(x) if type(x) is Tracer else x, found[1])


def _unknowns(x: Any, f: Callable, what: str) -> tuple[list[Any], tree.Structure, tuple[ArrayType, ...]]:
    """The leaves of a tree of floats, its structure, and their types."""
    leaves, structure = tree.flatten(x)
    types = tuple(t.strong for t in check_leaves(leaves, lambda: tree.paths(x), f, what))
    for path, t in zip(tree.paths(x), types):
        if not is_inexact(t.dtype):
            raise TypeError(
                at_user_line(f"{what}: unknowns are floats or complex numbers, but{path and f' {path}'} has dtype {t.dtype}: pass it as a float")
            )
    return [as_value(v) for v in leaves], structure, types


def _equations(f: Callable, structure: tree.Structure, types: Sequence[ArrayType], what: str) -> tuple[Graph, list[Any]]:
    """The graph of a function that gives as many equations as it takes unknowns, and what it closes over."""
    made = record(f, what, list(types), tree.structure((structure.unflatten(range(len(types))),)), concrete=False)
    shapes = [t.shape for t in made.graph.out_types]
    if made.structure != structure or shapes != [t.shape for t in types]:
        raise TypeError(
            at_user_line(
                f"{what}: {defined_at(f)} returns {made.structure} of {', '.join(map(str, made.graph.out_types))}, "
                f"expected what it takes: {structure} of {', '.join(map(str, types))}"
            )
        )
    return made.graph, made.outside


def custom_linear_solve(
    matvec: Callable[[Any], Any], b: Any, solve: Solver, transpose_solve: Solver | None = None, symmetric: bool = False, has_aux: bool = False
) -> Any:
    """The x for which `matvec(x) = b`, found by `solve(matvec, b)` and differentiated as the solution of linear equations.

    `matvec` is a linear function of a tree like `b`; what it closes over is what the matrix is made of, and has derivatives too. Reverse mode calls
    `transpose_solve(vecmat, ct)`, or `solve` itself where the matrix is `symmetric` (A = A^T, also where it is complex). With `has_aux`, the solvers
    return pairs, and the result is the pair (x, aux), where aux has no derivative.
    Raises `TypeError` where `matvec` is not linear or changes shapes, and in reverse mode where there is no `transpose_solve`.

    >>> import numpy as np, tracejit as tj
    >>> diagonal = np.array([2.0, 4.0])
    >>> def solve(matvec, b):
    ...     return b / matvec(np.ones(2))
    >>> tj.grad(lambda b: tj.custom_linear_solve(lambda x: diagonal * x, b, solve, symmetric=True)[0])(np.ones(2))
    array([0.5, 0. ])
    """
    what = f"custom_linear_solve of {name_of(matvec)}" if callable(matvec) else "custom_linear_solve"
    for f in (matvec, solve) if transpose_solve is None else (matvec, solve, transpose_solve):
        require_callable(f, "custom_linear_solve")
    right, structure, types = _unknowns(b, matvec, what)
    graph, consts = _equations(matvec, structure, types, what)
    require_linear(graph, range(len(types)), f"{what}: {defined_at(matvec)}", "in its argument")
    if any(np.any(y) for y in replay(graph, [*map(zeros, types), *consts]) if type(y) is not Tracer):
        raise TypeError(at_user_line(f"{what}: {defined_at(matvec)} is not linear: it is not zero at zero"))
    found = solve(_System(graph, structure, types, what, solve, None).matvec(_cut(consts)), structure.unflatten(_cut(right)))
    if not has_aux:
        system = _System(graph, structure, types, what, solve, transpose_solve, symmetric)
        return structure.unflatten(_solution(system, consts, right, found))
    found, aux = _pair(found, solve, what)
    transposed = None if transpose_solve is None else _first(transpose_solve)
    system = _System(graph, structure, types, what, _first(solve), transposed, symmetric)
    return structure.unflatten(_solution(system, consts, right, found)), aux


def _first(solve: Callable) -> Solver:
    """A solver that returns a pair as one that returns the solution."""
    return functools.wraps(solve)(lambda matvec, b: solve(matvec, b)[0])


def custom_root(f: Callable[[Any], Any], initial_guess: Any, solve: Callable, tangent_solve: Solver | None = None, has_aux: bool = False) -> Any:
    """A root of `f`, found by `solve(f, initial_guess)` and differentiated by the implicit function theorem.

    `f` takes a tree and returns one like it; derivatives are taken with respect to what it closes over, and the root does not depend on the guess.
    `tangent_solve(g, y)` solves `g(x) = y` for a linear g, the derivative of f at the root or its transpose; without it the matrix is made and
    factorised. With `has_aux`, `solve` returns a pair, and the result is the pair (root, aux).
    Raises `TypeError` where `f` or `solve` return something of another structure or shape.

    >>> import numpy as np, tracejit as tj
    >>> def newton(f, x):
    ...     for _ in range(20):
    ...         x = x - f(x) / tj.grad(f)(x)
    ...     return x
    >>> root = lambda a: tj.custom_root(lambda x: x**2 - a, 1.0, newton)
    >>> root(4.0), tj.grad(root)(4.0)
    (np.float64(2.0), np.float64(0.25))
    """
    for function in (f, solve) if tangent_solve is None else (f, solve, tangent_solve):
        require_callable(function, "custom_root")
    what = f"custom_root of {name_of(f)}"
    guess, structure, types = _unknowns(initial_guess, f, what)
    graph, consts = _equations(f, structure, types, what)
    fixed = _cut(consts)

    def equations(x: Any) -> Any:
        leaves = _matching(x, structure, types, f"{what}: the argument of {name_of(f)}")
        return structure.unflatten(replay(graph, [*leaves, *fixed]))

    found, aux = solve(equations, structure.unflatten(_cut(guess))), None
    if has_aux:
        found, aux = _pair(found, solve, what)
    values = _cut(_matching(found, structure, types, f"{what}: the result of {defined_at(solve)}"))
    solver = tangent_solve or dense_solve
    n = len(types)

    def jvp(args: Sequence, outs: Sequence, tangents: Sequence) -> Sequence[Any]:
        at_root = dict(zip(graph.inputs, [*outs, *args]))
        _, moved = push_forward(graph, dict(at_root), [*[None] * n, *tangents])
        _, linear = linearize(graph, at_root, range(n), what)
        system = _System(_square(linear.graph, linear.reached, types), structure, types, f"tangent_solve in {what}", solver, solver)
        return _solve_for_tangent(system, linear.residuals, [None if m is None else -m for m in moved])

    if any(type(x) is Tracer for x in (*values, *consts)):
        values = custom_derivative(*values, *consts, count=n, rule=Rule(jvp, _never))
    root = structure.unflatten(values)
    return (root, aux) if has_aux else root


def _square(graph: Graph, reached: Sequence[int], types: Sequence[ArrayType]) -> Graph:
    """A linear graph with all its outputs, also those that do not move."""

    def function(*args):
        out: list[Any] = [zeros(t) for t in types]
        for i, y in zip(reached, replay(graph, args)):
            out[i] = y
        return out

    return graph.derived("square", lambda: build(graph.in_types, function)[0])


def dense_solve(matvec: Callable[[Any], Any], b: Any) -> Any:
    """The x for which `matvec(x) = b`, by the matrix of the linear function: n products for n unknowns, and a factorisation.

    >>> import numpy as np
    >>> dense_solve(lambda x: {"u": 2 * x["u"], "v": x["u"][:1] + x["v"]}, {"u": np.array([2.0, 4.0]), "v": np.array([3.0])})
    {'u': array([1., 2.]), 'v': array([2.])}
    """
    flat, unravel = tree.ravel(b)
    columns = vmap(lambda unit: tree.ravel(matvec(unravel(unit)))[0], out_axes=1)(np.eye(unravel.size, dtype=type_of(flat).dtype))
    return unravel(np.linalg.solve(columns, flat))


def fixed_point(f: Callable, x0: Any, *params: Any, tol: float = 1e-10, max_steps: int = 1000) -> Any:
    """The x for which `x = f(x, *params)`, by iterating from `x0`; differentiated with respect to `params` and what `f` closes over, not to `x0`.

    x is a tree of floats. The iteration stops when no element changes by more than `tol * (1 + |x|)`, or a few units in the last place. Derivatives
    solve linear equations: with their matrix up to 128 unknowns, else by an iteration of the same kind, which converges where this one does.
    Where `max_steps` do not suffice, raises `RuntimeError`, or under `jit` and `vmap`, where the values are not known yet, gives NaN.

    >>> import numpy as np, tracejit as tj
    >>> solve = lambda a: tj.fixed_point(lambda x, a: 0.5 * (x + a / x), 1.0, a)
    >>> solve(9.0), tj.grad(solve)(9.0).round(12)
    (np.float64(3.0), np.float64(0.166666666667))
    """
    require_callable(f, "fixed_point")
    what = f"fixed_point of {name_of(f)}"
    _, structure, types = _unknowns(x0, f, what)

    def residual(x: Any) -> Any:
        out = f(x, *params)
        leaves, out_structure = tree.flatten(out)
        check_result(leaves, out, f, what)
        if out_structure != structure:
            raise TypeError(at_user_line(f"{what}: {defined_at(f)} returns {out_structure}, expected what it takes: {structure}"))
        return tree.map(np.subtract, out, x)

    def settle(change: Callable[[Any], Any], x: Any) -> Any:
        return _iterate(change, x, types, tol, max_steps, what)

    def tangent_solve(matvec: Callable, y: Any) -> Any:
        if sum(t.size for t in types) <= DENSE_UNKNOWNS:
            return dense_solve(matvec, y)
        return settle(lambda v: tree.map(np.subtract, matvec(v), y), tree.map(np.negative, y))

    return custom_root(residual, x0, settle, tangent_solve)


def _iterate(change: Callable, x: Any, types: Sequence[ArrayType], tol: float, max_steps: int, what: str) -> Any:
    """x + change(x), again and again until it stays."""
    limits = [max(tol, 8 * float(np.finfo(t.dtype).eps)) for t in types]

    def moves(x: Any, step: Any) -> Any:
        going = [np.any(~(np.abs(s) <= limit * (1 + np.abs(v)))) for v, s, limit in zip(tree.leaves(x), tree.leaves(step), limits)]
        return np.any(np.stack(going)) if going else np.bool_(False)

    def turn(state: tuple) -> tuple:
        count, x, step = state
        x = tree.map(np.add, x, step)
        return count + 1, x, change(x)

    count, x, step = while_loop(lambda s: (s[0] < max_steps) & moves(s[1], s[2]), turn, (0, x, change(x)))
    failed = moves(x, step)
    known = known_value(failed)
    if known is None:
        return tree.map(lambda v: np.where(failed, np.nan, v), x)
    if known:
        raise RuntimeError(at_user_line(f"{what}: not settled after {max_steps} steps: raise `max_steps` or `tol`, or start nearer"))
    return x


def known_value(x: Any) -> Any:
    """The value behind a proxy through all traces outside, or None where it is not known yet."""
    while type(x) is Tracer:
        if not x.owner.knows(x.atom):
            return None
        x = x.owner.ambient(x.atom)
    return x


__all__ = ["custom_linear_solve", "custom_root", "dense_solve", "fixed_point"]
