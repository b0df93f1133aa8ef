"""What the grid asks of one application of an operation. Each function raises `AssertionError`."""
from __future__ import annotations

import itertools

import numpy as np

import tracejit as tj
from tracejit.ir import ArrayType, Builder, Literal, array_type, is_inexact
from tracejit.ir.printer import to_source
from tracejit.tools import check_grads

from .cases import Case


def tuple_of(op, result) -> tuple:
    return tuple(result) if op.multiple else (result,)


def run(case: Case, args) -> tuple:
    with np.errstate(all="ignore"):
        return tuple_of(case.op, case.op.run(np, *args, **case.params))


def same(got, want, what: str, rtol: float = 0.0) -> None:
    """Equal dtype, shape and values; NaN equals NaN and 0.0 is not -0.0, unless `rtol` allows rounding."""
    assert array_type(got).strong == array_type(want).strong, f"{what}: {array_type(got)} instead of {array_type(want)}"
    if rtol:
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol, err_msg=what)
    else:
        np.testing.assert_array_equal(got, want, err_msg=what)
        if is_inexact(np.asarray(want).dtype):
            real, other = np.real(np.asarray(got)), np.real(np.asarray(want))
            np.testing.assert_array_equal(np.signbit(real) | np.isnan(real), np.signbit(other) | np.isnan(other), err_msg=f"{what}: sign of zero")


def type_rule(case: Case, args) -> None:
    """`infer` says what `run` gives."""
    types = tuple_of(case.op, case.op.infer(*map(array_type, args), **case.params))
    for said, got in zip(types, run(case, args), strict=True):
        assert said.strong == array_type(got), f"{case}: the type rule says {said}, the result is {array_type(got)}"


def layouts(case: Case, args) -> None:
    """The memory layout of the arguments does not matter, and `run` leaves them as they are."""
    want, before = run(case, args), [np.array(a) for a in args]
    for view in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2], lambda a: np.flip(np.flip(a).copy())):
        for got, value in zip(run(case, [view(a)[()] if np.ndim(a) else a for a in args]), want):
            same(got, value, f"{case} on another layout", rtol=_rounding(case, value))
    for a, b in zip(args, before):
        np.testing.assert_array_equal(a, b, err_msg=f"{case} changed its argument")


# Series that end when all elements of an array have converged, so an element's last terms depend on its neighbours: their stated accuracy.
_SLOPES, _SLOPES_ACCURACY = ("betainc_slope", "gammainc_slope"), 1e-13


def _rounding(case: Case, value) -> float:
    """How far equal results may be apart: sums are taken in another order, and NumPy's own functions round differently in vectors and alone."""
    dtype = np.asarray(value).dtype
    if not is_inexact(dtype):
        return 0.0
    rounds = case.op.dear or dtype.kind == "c" or case.op.name in ("absolute", "call")
    sums = case.op.kind in ("dot", "reduce") or case.op.name in ("conv_general", "window_sum", *_SLOPES)
    accuracy = _SLOPES_ACCURACY if case.op.name in _SLOPES else 0.0
    return max((30 if sums else 4 if rounds else 0) * float(np.finfo(dtype).eps), accuracy)


def gradients(case: Case, args) -> None:
    """Forward mode against differences, reverse against forward, and both once more on the derivative."""
    check_grads(_free(case, args), args[case.fixed:], order=2)


def _free(case: Case, args):
    """The application as a function of the arguments that it has derivatives in."""
    return lambda *xs: case.op(*args[:case.fixed], *xs, **case.params)


def tangent_types(case: Case, args) -> None:
    """Tangents and cotangents have the shapes and dtypes of what they belong to."""
    f, free = _free(case, args), args[case.fixed:]
    with np.errstate(all="ignore"):
        out, moved = tj.jvp(f, free, free)
        _, pull = tj.vjp(f, *free)
    for y, t in zip(tuple_of(case.op, out), tuple_of(case.op, moved), strict=True):
        assert array_type(t) == array_type(y), f"{case}: the tangent of {array_type(y)} is {array_type(t)}"
    for x, ct in zip(free, pull(out)):
        assert array_type(ct) == array_type(x), f"{case}: the cotangent of {array_type(x)} is {array_type(ct)}"


def batching(case: Case, make) -> None:
    """`vmap` over each set of arguments against a Python loop. `make()` gives arguments."""
    examples = [make() for _ in range(3)]
    n = len(examples[0])
    every = itertools.product((True, False), repeat=n) if n <= 3 else [(True,) * n, *(tuple(j != i for j in range(n)) for i in range(n))]
    for marks in every:
        if not any(marks):
            continue
        chosen = [[e[i] if marks[i] else examples[0][i] for i in range(n)] for e in examples]
        with np.errstate(all="ignore"):
            want = [run(case, args) for args in chosen]
            args = [np.stack([c[i] for c in chosen]) if marks[i] else chosen[0][i] for i in range(n)]
            got = tuple_of(case.op, tj.vmap(lambda *xs: case.op(*xs, **case.params), in_axes=tuple(0 if m else None for m in marks))(*args))
        for i, part in enumerate(got):
            same(part, np.stack([w[i] for w in want]), f"{case} batched in {marks}", rtol=_rounding(case, part))


def printed(case: Case, args) -> None:
    """The printed source runs, and gives what the op gives; also with each 0-d argument as a literal."""
    for literal in (None, *(i for i, a in enumerate(args) if np.ndim(a) == 0)):
        b = Builder()
        atoms = [Literal(np.asarray(a)[()]) if i == literal else b.input(array_type(a).strong) for i, a in enumerate(args)]
        graph = b.finish(b._append(case.op, tuple(atoms), case.params, None))
        source, space = to_source(graph), {}
        exec(source, space)
        with np.errstate(all="ignore"):
            got = space["f"](*[np.asarray(a) for i, a in enumerate(args) if i != literal])
        for part, want in zip(got if len(graph.outputs) > 1 else (got,), run(case, args), strict=True):
            same(part, want, f"{case} printed as\n{source}", rtol=_rounding(case, want))


def identities(case: Case, args, literals) -> None:
    """What the builder simplifies an application to has the type and the value of the application, whichever argument is which literal."""
    if case.op.simplify is None and case.op.multiple:  # nothing is replaced: the literals would only make loops endless
        return
    for i, literal in itertools.product(range(len(args)), literals):
        if np.ndim(args[i]):
            continue
        given = [literal if j == i else a for j, a in enumerate(args)]
        if any(np.asarray(a).dtype != np.asarray(b).dtype for a, b in zip(given, args)):
            continue
        b = Builder()
        atoms = [Literal(np.asarray(a)[()]) if j == i else b.input(array_type(a)) for j, a in enumerate(given)]
        try:
            want = run(case, given)
        except (ValueError, IndexError):   # negative powers of integers
            continue
        graph = b.finish(b.emit(case.op, tuple(atoms), case.params))
        got = tj.interpret.replay(graph, [a for j, a in enumerate(given) if j != i])
        for part, value in zip(got, want, strict=True):
            same(part, value, f"{case} with argument {i} the literal {literal!r}", rtol=_rounding(case, value) if case.op.name == "power" else 0.0)


def compiled(case: Case, args) -> None:
    """`jit` against `run`."""
    if not args:
        return
    with np.errstate(all="ignore"):
        got = tuple_of(case.op, tj.jit(lambda *xs: case.op(*xs, **case.params))(*args))
    for part, want in zip(got, run(case, args), strict=True):
        same(part, want, f"{case} compiled", rtol=_rounding(case, want))


def compiled_gradient(case: Case, args) -> None:
    """The compiled gradient of the sum of squares of the results against the interpreted one."""
    def total(*xs):
        results = tuple_of(case.op, case.op(*xs, **case.params))
        return sum(np.sum(np.real(y * np.conj(y))) for y in results if is_inexact(y.dtype))

    moving = tuple(i for i, a in enumerate(args) if i >= case.fixed and is_inexact(np.asarray(a).dtype))
    if not moving:
        return
    with np.errstate(all="ignore"):
        for i, got, want in zip(moving, tj.jit(tj.grad(total, argnums=moving))(*args), tj.grad(total, argnums=moving)(*args), strict=True):
            same(got, want, f"{case}: compiled gradient of argument {i}", rtol=1e-12)


def has_tangent(case: Case, args) -> bool:
    """Whether an argument and a result are differentiable, and there is at least one element to move."""
    results = tuple_of(case.op, case.op.infer(*map(array_type, args), **case.params))
    return any(is_inexact(np.asarray(a).dtype) for a in args) and any(is_inexact(t.dtype) for t in results)


__all__ = ["ArrayType", "batching", "compiled", "gradients", "has_tangent", "identities", "layouts", "printed", "run", "same", "type_rule"]
