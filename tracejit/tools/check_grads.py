"""`check_grads`: are the derivatives of a function right?

Forward mode is compared with central differences along a random direction, reverse mode with forward mode by inner products: <u, J v> = <J^T u, v>.
For the order above, the same is asked of the function's own derivative, in each of the modes.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..api import jvp, vjp
from ..ir import is_inexact
from ..trace import type_of


class Tolerance(NamedTuple):
    """`step` of the differences, relative and absolute error against them, relative error between the modes: for one precision."""

    step: float
    rtol: float
    atol: float
    between_modes: float


# The step is the cube root of the precision, which balances truncation (step^2) with cancellation (precision / step).
TOLERANCES = {
    "float16": Tolerance(1e-1, 1e-1, 1e-1, 5e-2),
    "float32": Tolerance(5e-3, 1e-2, 1e-2, 1e-3),
    "float64": Tolerance(6e-6, 1e-6, 1e-6, 1e-9),
}


def check_grads(f: Callable, args: Sequence[Any], order: int = 2, modes: Sequence[str] = ("fwd", "rev"),
                rtol: float | None = None, atol: float | None = None, eps: float | None = None) -> None:
    """Check derivatives of `f` at `args` up to `order`, in forward ("fwd") and reverse ("rev") mode.

    `args` is the sequence of arguments, each a tree of arrays; leaves and results that are integer or bool are held fixed and ignored.
    Directions are random (always the same ones), of unit length.  `f` must be smooth around `args`: a kink within a step makes the differences wrong.

    Tolerances follow the lowest precision among the leaves; the comparison with differences passes if |error| <= atol + rtol * |difference|:

        float64   eps 6e-6   rtol 1e-6   atol 1e-6
        float32   eps 5e-3   rtol 1e-2   atol 1e-2
        float16   eps 1e-1   rtol 1e-1   atol 1e-1

    Forward and reverse mode must agree to 1e-9, 1e-3 and 5e-2 of the sum of the absolute terms, or to `rtol` if that is given.
    Raises `AssertionError` that names the mode, the order, the leaf and both numbers.

    >>> import numpy as np, tracejit as tj
    >>> tj.check_grads(lambda x, n: np.sum(np.sin(x) ** n), (np.array([0.3, 0.8]), 3))
    """
    unknown = set(modes) - {"fwd", "rev"}
    if unknown or not modes:
        raise ValueError(f"check_grads: modes are 'fwd' and 'rev', got {tuple(modes)}")
    if order < 1:
        raise ValueError(f"check_grads: order must be at least 1, got {order}")
    leaves, structure = tree.flatten(tuple(args))
    paths = tree.paths(tuple(args))
    moving = [i for i, x in enumerate(leaves) if is_inexact(type_of(x).dtype)]
    if not moving:
        raise ValueError("check_grads: no argument is a float or complex array")

    def flat(xs: list) -> list:
        """`f` from the leaves that move to the results that do."""
        full = list(leaves)
        for i, x in zip(moving, xs):
            full[i] = x
        return [y for y in tree.leaves(f(*structure.unflatten(full))) if is_inexact(type_of(y).dtype)]

    out = f(*args)
    results = [f"result{path}" for path, y in tree.leaves_with_path(out) if is_inexact(type_of(y).dtype)]
    point = [np.asarray(leaves[i]) for i in moving]
    chosen = _tolerance([*point, *(y for y in tree.leaves(out) if is_inexact(type_of(y).dtype))], rtol, atol, eps)
    _check(flat, point, [f"args{paths[i]}" for i in moving], results, order, (), tuple(modes), chosen)


def _tolerance(arrays: Sequence[Any], rtol: float | None, atol: float | None, eps: float | None) -> Tolerance:
    precision = min(np.finfo(type_of(x).dtype).bits for x in arrays)
    known = TOLERANCES[f"float{precision}"]
    return Tolerance(eps or known.step, known.rtol if rtol is None else rtol, known.atol if atol is None else atol, rtol or known.between_modes)


def _check(f: Callable, point: list, names: list[str], results: list[str], order: int, above: tuple[str, ...], modes: tuple[str, ...],
           allowed: Tolerance) -> None:
    """Check `f`, a function from a list of arrays to a list of arrays; `above` are the modes that made it, the last first."""
    rng = np.random.default_rng(len(above))
    v = _direction(rng, point)
    y, moved = jvp(f, (point,), (v,))
    u = _direction(rng, y)
    slope = _difference(f, point, v, allowed.step)
    if "fwd" in modes:
        for name, got, want in zip(results, moved, slope):
            _compare("fwd", above, name, "jvp", got, "central difference", want, allowed)
    if "rev" in modes:
        back = vjp(f, point)[1](u)[0]
        for i, (name, got) in enumerate(zip(names, back)):
            alone = [d if j == i else np.zeros_like(d) for j, d in enumerate(v)]
            if "fwd" in modes:
                other, want = "jvp", jvp(f, (point,), (alone,))[1]
                slack = allowed.between_modes * (_terms(u, want) + _terms([got], [v[i]])) + np.finfo(np.float64).tiny
            else:
                other, want = "central difference", _difference(f, point, alone, allowed.step)
                slack = allowed.atol + allowed.rtol * (_terms(u, want) + _terms([got], [v[i]]))
            left, right = _inner([got], [v[i]]), _inner(u, want)
            if not abs(left - right) <= slack:
                raise AssertionError(f"{_title('rev', above)}, {name}: vjp gives {left!r} along a random direction, {other} gives {right!r} "
                                     f"(allowed error {slack:.2g})")
    if order > 1:
        if "fwd" in modes:
            _check(lambda xs: jvp(f, (xs,), (v,))[1], point, names, results, order - 1, ("fwd", *above), modes, allowed)
        if "rev" in modes:
            _check(lambda xs: vjp(f, xs)[1](u)[0], point, names, [f"gradient of {n}" for n in names], order - 1, ("rev", *above), modes, allowed)


def _direction(rng: np.random.Generator, like: Sequence[Any]) -> list:
    """A random direction of unit length in the space of `like`."""
    parts = []
    for x in like:
        part = rng.standard_normal(x.shape)
        parts.append(part + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else part)
    norm = np.sqrt(sum(np.sum(np.abs(p) ** 2) for p in parts)) or 1.0
    return [np.asarray(p / norm, x.dtype) for p, x in zip(parts, like)]


def _difference(f: Callable, point: list, v: list, step: float) -> list:
    high = f([np.asarray(x + step * d, x.dtype) for x, d in zip(point, v)])
    low = f([np.asarray(x - step * d, x.dtype) for x, d in zip(point, v)])
    return [(np.asarray(h).astype(np.result_type(h, np.float64)) - lo) / (2 * step) for h, lo in zip(high, low)]


def _compare(mode: str, above: tuple[str, ...], name: str, one: str, got: Any, other: str, want: Any, allowed: Tolerance) -> None:
    slack = allowed.atol + allowed.rtol * np.abs(want)
    wrong = ~(np.abs(got - want) <= slack)   # so that NaN is wrong
    if np.any(wrong):
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f"{name}[{', '.join(map(str, at))}]" if at else name
        raise AssertionError(f"{_title(mode, above)}, {where}: {one} gives {np.asarray(got)[at]!r}, {other} gives {np.asarray(want)[at]!r} "
                             f"(allowed error {np.asarray(slack)[at]:.2g})")


def _title(mode: str, above: tuple[str, ...]) -> str:
    return f"check_grads: {' over '.join((mode, *above))}, order {len(above) + 1}"


def _inner(a: Sequence[Any], b: Sequence[Any]) -> float:
    """The real part of the sum of products, not conjugated: the pairing in which gradients of complex arguments are d/dx - i d/dy."""
    return float(sum(np.sum(np.asarray(x) * y).real for x, y in zip(a, b)))


def _terms(a: Sequence[Any], b: Sequence[Any]) -> float:
    return float(sum(np.sum(np.abs(np.asarray(x) * y)) for x, y in zip(a, b)))
