"""Derivatives of Python functions: `jvp`, `linearize`, `vjp`, `grad` and what is made of them.

Every one of them traces the function once with its values known, so that Python's own control flow works, and then transforms the graph.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import residence, tree
from ..errors import at_user_line
from ..interpret import replay
from ..ir import ArrayType, Var, is_inexact
from ..ir.types import INT
from ..ops.core import zeros
from ..ops.elementwise import convert, equal
from ..ops.elementwise import stop_gradient as stop_gradient_op
from ..ops.movement import iota, reshape
from ..trace import Trace, Tracer, constant_beside, type_of
from ..trace.constants import active_traces, copied_on_write
from ..transforms import backward, forward
from ..transforms.forward import differentiable, instantiate
from .linear_maps import Linear, Pullback, Pushforward, check_structure, cotangents, matching, matching_tangents
from .placement import require_beside, require_together
from .recording import (
    Recording,
    abstract,
    argument_paths,
    as_value,
    check_leaves,
    defined_at,
    is_abstract,
    name_of,
    record,
    record_types,
    require_callable,
)
from .results import own
from .vectorization import vmap


def _record(f: Callable, what: str, args: Any, has_aux: bool = False) -> tuple[list, Any, Recording]:
    flat, structure = tree.flatten(args)
    check_leaves(flat, lambda: argument_paths(args), f, what)
    flat = [
        x if type(x) is Tracer else x if isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic) else as_value(x) for x in flat
    ]
    made = record(f, what, flat, structure, concrete=True, has_aux=has_aux)
    require_together(flat, made.outside, f, what, lambda: argument_paths(args))
    return flat, structure, made


def _values(made: Recording) -> dict[Var, Any]:
    return made.trace.values


def _rebuild(made: Recording, outputs: Sequence[Any]) -> Any:
    """The tree of results. An array that was made inside the function and is not computed is given away as a copy: its own one never changes."""
    return made.structure.unflatten(
        [x.copy() if i in made.made_here and isinstance(x, np.ndarray) and not x.flags.writeable else x for i, x in enumerate(outputs)]
    )


def _kind(x: Any) -> str:
    return type(x).__qualname__


def _linearize(f: Callable, what: str, args: Any, active: Sequence[int] | None = None, has_aux: bool = False):
    """Outputs, linear program, recording and structure of the arguments."""
    flat, structure, made = _record(f, what, args, has_aux)
    if active is None:
        active = differentiable(made.graph.in_types[: len(flat)])
    outputs, linear = forward.linearize(made.graph, _values(made), active, name_of(f))
    outputs = residence.gathered(outputs, (*flat, *made.outside))
    return outputs, linear, made, structure, flat


# ------------------------------------------------------------------------------------------------------------------ forward
def jvp(f: Callable, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False):
    """The value of `f` and its derivative along `tangents`.

    `primals` and `tangents` are tuples of arguments: trees of arrays with equal structures, shapes and dtypes.  The tangent of an integer or bool
    leaf is not read: it may be anything, such as None's place filled by a zero.  Returns `(out, out_tangent)`, or `(out, out_tangent, aux)` when `f`
    returns `(out, aux)` and `has_aux` is set. Raises `TypeError` or `ValueError` when primals and tangents do not match.

    >>> import numpy as np, tracejit as tj
    >>> tj.jvp(np.sin, (0.0,), (2.0,))
    (np.float64(0.0), np.float64(2.0))
    """
    require_callable(f, "jvp")
    what = f"jvp of {name_of(f)}"
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError(
            at_user_line(f"{what}: primals and tangents are tuples of arguments, such as (x,) and (t,), got {_kind(primals)} and {_kind(tangents)}")
        )
    primals, tangents = tuple(primals), tuple(tangents)
    flat, structure, made = _record(f, what, primals, has_aux)
    moved = matching_tangents(what, primals, tangents, [type_of(x) for x in flat])
    require_beside(what, "tangents", moved, "primals", flat)
    outputs, out = forward.push_forward(made.graph, _values(made), [*moved, *[None] * len(made.outside)])
    outputs = residence.gathered(outputs, (*flat, *made.outside))
    pushed = own([instantiate(t, type_) for t, type_ in zip(out, made.graph.out_types)], [*flat, *moved, *made.outside, *outputs])
    results = _rebuild(made, outputs), _rebuild(made, pushed)
    return (*results, made.aux) if has_aux else results


def linearize(f: Callable, *primals: Any):
    """The value of `f` at `primals` and its derivative there as a function: `out, push = linearize(f, x)`; `push(t)` is the derivative along t.

    `f` is computed once; `push` costs no more than the linear part, however often it is called.

    >>> import numpy as np, tracejit as tj
    >>> out, push = tj.linearize(lambda x: x ** 2, 3.0)
    >>> push(1.0), push(10.0)
    (np.float64(6.0), np.float64(60.0))
    """
    require_callable(f, "linearize")
    what = f"linearize of {name_of(f)}"
    outputs, linear, made, structure, flat = _linearize(f, what, primals)
    return _rebuild(made, outputs), Pushforward(_description(what, linear, made, structure, flat), linear.residuals)


def _description(what: str, linear: forward.Linearized, made: Recording, structure: Any, flat: Sequence[Any]) -> Linear:
    return Linear(what, linear, [type_of(x) for x in flat], structure, made.graph.out_types, made.structure)


# ------------------------------------------------------------------------------------------------------------------ reverse
def vjp(f: Callable, *primals: Any, has_aux: bool = False):
    """The value of `f` and its pullback: `out, pull = vjp(f, x, y)`; `pull(ct)` is the tuple of cotangents of x and y for a cotangent of `out`.

    `ct` has the structure, shapes and dtypes of `out`.  The cotangent of an integer or bool leaf is an array of zeros of its own dtype.
    With `has_aux`, `f` returns `(out, aux)` and `vjp` returns `(out, pull, aux)`.
    Arrays of the caller that the pullback needs are kept by reference, not copied: do not overwrite them before it is called.

    >>> import numpy as np, tracejit as tj
    >>> out, pull = tj.vjp(np.multiply, 2.0, 3.0)
    >>> pull(1.0)
    (np.float64(3.0), np.float64(2.0))
    """
    require_callable(f, "vjp")
    what = f"vjp of {name_of(f)}"
    outputs, linear, made, structure, flat = _linearize(f, what, primals, has_aux=has_aux)
    pull = Pullback(_description(what, linear, made, structure, flat), linear.residuals)
    out = _rebuild(made, outputs)
    return (out, pull, made.aux) if has_aux else (out, pull)


def value_and_grad(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False) -> Callable:
    """A function that gives the value of `f` and its gradient with respect to the arguments numbered in `argnums`.

    `f` returns a real 0-d array, or `(value, aux)` with `has_aux`; then the result is `((value, aux), gradient)`.  The gradient has the structure,
    shapes and dtypes of the argument (a tuple of them when `argnums` is a sequence).  Keyword arguments are passed on and held fixed.
    For a complex argument of a real function it is the derivative by HIPS autograd's and JAX's convention, d/dx - i d/dy.
    Raises `TypeError` for integer arguments and for results that are not real scalars, unless `holomorphic`.

    >>> import numpy as np, tracejit as tj
    >>> tj.value_and_grad(lambda x: np.sum(x * x))(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    require_callable(f, "grad")
    what = f"grad of {name_of(f)}"

    @functools.wraps(f)
    def value_and_gradient(*args, **kwargs):
        numbers, chosen = choose(what, f, args, argnums)
        _require_differentiable(what, f, chosen, numbers, holomorphic)
        require_together(tree.leaves((args, kwargs)), (), f, what, lambda: argument_paths(args, kwargs))
        function = with_fixed(f, args, kwargs, numbers)
        outputs, linear, made, structure, flat = _linearize(function, what, chosen, has_aux=has_aux)
        _require_scalar(what, f, made, outputs, holomorphic)
        type_ = made.graph.out_types[0]
        one = constant_beside(outputs[0], type_.dtype.type(1))
        back = backward.transpose(linear.graph, len(linear.active), linear.residuals, [one] if linear.reached else [])
        gradient = structure.unflatten(cotangents([type_of(x) for x in flat], linear.active, linear.residuals, back, [], flat))
        value = _rebuild(made, outputs)
        return ((value, made.aux) if has_aux else value), gradient if isinstance(argnums, Sequence) else gradient[0]

    return value_and_gradient


def grad(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False) -> Callable:
    """The gradient of `f` as a function of the same arguments: see `value_and_grad`. With `has_aux` it gives `(gradient, aux)`.

    >>> import numpy as np, tracejit as tj
    >>> tj.grad(np.sin)(0.0)
    np.float64(1.0)
    """
    both = value_and_grad(f, argnums, has_aux, holomorphic)

    @functools.wraps(f)
    def gradient(*args, **kwargs):
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return gradient


def choose(what: str, f: Callable, args: tuple, argnums: int | Sequence[int]) -> tuple[tuple[int, ...], tuple]:
    """The positions of the arguments in question, counted from the front, and the arguments."""
    numbers = tuple(argnums) if isinstance(argnums, Sequence) else (argnums,)
    for n in numbers:
        if not isinstance(n, (int, np.integer)):
            raise TypeError(at_user_line(f"{what}: argnums is an integer or a sequence of integers, got {argnums!r}"))
        if not -len(args) <= n < len(args):
            raise TypeError(at_user_line(f"{what}: argnums={argnums} but {defined_at(f)} was called with {len(args)} positional arguments"))
    numbers = tuple(n % len(args) for n in numbers)
    if len(set(numbers)) < len(numbers):
        raise ValueError(at_user_line(f"{what}: argnums={argnums} has the same argument twice"))
    return numbers, tuple(args[n] for n in numbers)


def with_fixed(f: Callable, args: tuple, kwargs: dict, numbers: tuple[int, ...]) -> Callable:
    """`f` as a function of the arguments numbered in `numbers` alone. The others are copied where it writes into them."""

    def function(*chosen):
        full = list(map(copied_on_write, args))
        for n, x in zip(numbers, chosen):
            full[n] = x
        return f(*full, **{name: copied_on_write(x) for name, x in kwargs.items()})

    return functools.wraps(f)(function)


def _require_differentiable(what: str, f: Callable, chosen: tuple, numbers: tuple[int, ...], holomorphic: bool) -> None:
    def paths() -> list[str]:
        return argument_paths(chosen, numbers=numbers)

    types = check_leaves(tree.leaves(chosen), paths, f, what)
    _require_inexact(what, f, types, paths)
    for type_ in types:
        if holomorphic and type_.dtype.kind != "c":
            raise TypeError(at_user_line(f"{what}: holomorphic=True needs complex arguments, got dtype {type_.dtype}"))


def _require_inexact(what: str, f: Callable, types: Sequence[ArrayType], paths: Callable[[], list[str]]) -> None:
    for i, type_ in enumerate(types):
        if not is_inexact(type_.dtype):
            raise TypeError(
                at_user_line(
                    f"{what}: argument {paths()[i]} of {defined_at(f)} has dtype {type_.dtype}, "
                    "and only floats and complex numbers have derivatives. "
                    f"Pass it as a float (`1.0`, `x.astype(float)`), or leave it out of `argnums`."
                )
            )


def _require_real(what: str, f: Callable, has: str, leaves: Sequence[Any], holomorphic: bool) -> None:
    """Raise where a Jacobian of real rows or columns would miss half of a derivative."""
    if not holomorphic and any(type_of(x).dtype.kind == "c" for x in leaves):
        advice = "Pass `holomorphic=True` if it is holomorphic, or separate real and imaginary parts."
        raise TypeError(at_user_line(f"{what}: {defined_at(f)} {has}. {advice}"))


def _require_scalar(what: str, f: Callable, made: Recording, outputs: list, holomorphic: bool) -> None:
    if len(outputs) != 1 or made.graph.out_types[0].shape != () or made.structure.num_nodes != 1:
        got = "a tree" if made.structure.num_nodes != 1 else f"shape {made.graph.out_types[0].shape}" if outputs else "nothing"
        raise TypeError(
            at_user_line(f"{what}: {defined_at(f)} must return one number (a 0-d array), got {got}. Sum it, use `has_aux=True`, or `jacrev`.")
        )
    dtype = made.graph.out_types[0].dtype
    if holomorphic:
        if dtype.kind != "c":
            raise TypeError(at_user_line(f"{what}: with holomorphic=True {defined_at(f)} must return a complex number, got dtype {dtype}"))
    elif dtype.kind != "f":
        advice = (
            "Take its real part, or pass `holomorphic=True`." if dtype.kind == "c" else "Convert it to float, but know that its derivative is zero."
        )
        raise TypeError(at_user_line(f"{what}: {defined_at(f)} must return a real float, got dtype {dtype}. {advice}"))


def linear_transpose(f: Callable, *primals: Any) -> Callable:
    """The transpose of a function that is linear in all its arguments; `primals` give shapes and dtypes only (`ShapeDtype` will do).

    Returns a function from a cotangent of the result to the tuple of cotangents of the arguments.
    Raises `TypeError` where `f` is not linear: where its derivative depends on its arguments, or where it is not zero at zero.

    >>> import numpy as np, tracejit as tj
    >>> tj.linear_transpose(lambda x: 3.0 * x[:2], np.zeros(3))(np.array([1.0, 2.0]))
    (array([3., 6., 0.]),)
    """
    require_callable(f, "linear_transpose")
    what = f"linear_transpose of {name_of(f)}"
    flat, structure = tree.flatten(primals, is_leaf=is_abstract)
    _require_inexact(what, f, check_leaves(flat, lambda: argument_paths(primals), f, what, abstract), lambda: argument_paths(primals))
    made = record_types(f, what, primals, {})
    linear, residuals = _linear_part(f, what, made, len(flat))
    skeleton = made.structure.unflatten(range(len(made.graph.outputs)))

    def transposed(ct: Any):
        check_structure(what, "out", skeleton, "cotangent", ct)
        cts = [
            matching(c, t, lambda i=i: f"{what}: cotangent{tree.paths(ct)[i]}")
            for i, (c, t) in enumerate(zip(tree.leaves(ct), made.graph.out_types))
        ]
        back = backward.transpose(linear.graph, len(flat), residuals, [cts[i] for i in linear.reached])
        return structure.unflatten(own([instantiate(b, t.strong) for b, t in zip(back, made.graph.in_types)], [*cts, *residuals]))

    return transposed


def _linear_part(f: Callable, what: str, made: Recording, n: int) -> tuple[forward.Linearized, list]:
    """The linear program that a linear function of its first `n` inputs is, and the values that it reads. Raises `TypeError` where the function is
    not linear."""
    at_zero = [zeros(t.strong) for t in made.graph.in_types[:n]]
    out = replay(made.graph, [*at_zero, *made.outside])
    if any(np.any(x) for x in out if type(x) is not Tracer):
        raise TypeError(at_user_line(f"{what}: {defined_at(f)} is not linear: it is not zero at zero"))
    # The derivative of a linear function is the function itself: it reads nothing that depends on where it is taken.
    point = Trace(what)
    primals = [point.input(t.strong) for t in made.graph.in_types[:n]]
    _, linear = forward.linearize(made.graph, dict(zip(made.graph.inputs, [*primals, *made.outside])), range(n), what)
    read, outside = point.finish(linear.residuals)
    for node in read.nodes:
        if any(a in read.inputs[:n] for a in node.inputs):
            raise TypeError(
                at_user_line(
                    f"{what}: {defined_at(f)} is not linear: its derivative depends on the argument, by way of {node.op.name} at {node.source}"
                )
            )
    if any(a in read.inputs[:n] for a in read.outputs):
        raise TypeError(at_user_line(f"{what}: {defined_at(f)} is not linear: its derivative depends on the argument"))
    return linear, replay(read, [*at_zero, *outside])


# ---------------------------------------------------------------------------------------------------------------- jacobians
def _basis(flat: Sequence[Any]) -> list:
    """Unit tangents of all leaves at once: leaf i is an array of shape (total, *shape).

    In a trace they are a comparison of positions, made in the outermost one, of which compiled code computes what it needs, where an array would be
    read.
    """
    types = [type_of(x) for x in flat]
    total, at, result = sum(t.size for t in types), 0, []
    traces = active_traces()
    for t in types:
        positions = ({"shape": (total, t.size), "axis": axis, "dtype": INT} for axis in range(2))
        row, column = (traces[0].emit(iota, (), p) if traces else iota(**p) for p in positions)
        result.append(reshape(convert(equal(row, column + at), dtype=t.dtype), shape=(total, *t.shape)))
        at += t.size
    return result if traces else residence.gathered(result, flat)


def _split(stacked: Any, types: Sequence[ArrayType], axis: int):
    """The rows of a stacked derivative, one block for each leaf, with the leaf's shape in place of the row axis."""
    at, blocks = 0, []
    shape = type_of(stacked).shape
    for t in types:
        index = (slice(None),) * axis + (slice(at, at + t.size),)
        blocks.append(np.reshape(stacked[index], (*shape[:axis], *t.shape, *shape[axis + 1 :])))
        at += t.size
    return blocks


def jacfwd(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False) -> Callable:
    """The Jacobian of `f` in forward mode, one pass for each element of the argument: for tall Jacobians.

    The result has the structure of the output, each leaf holding the structure of the argument, with leaves of shape `(*out.shape, *arg.shape)`.
    Raises `TypeError` for complex arguments unless `holomorphic`: of other functions one pass would find the derivative along the real axis alone.

    >>> import numpy as np, tracejit as tj
    >>> tj.jacfwd(lambda x: np.array([2.0, 3.0]) * x)(np.ones(2))
    array([[2., 0.],
           [0., 3.]])
    """
    require_callable(f, "jacfwd")
    what = f"jacfwd of {name_of(f)}"

    @functools.wraps(f)
    def jacobian(*args, **kwargs):
        numbers, chosen = choose(what, f, args, argnums)
        _require_differentiable(what, f, chosen, numbers, holomorphic)
        _require_real(what, f, "has complex arguments", tree.leaves(chosen), holomorphic)
        function = with_fixed(f, args, kwargs, numbers)
        flat, structure = tree.flatten(chosen)
        types = [type_of(x) for x in flat]
        aux = None
        if has_aux:
            function, aux = _without_aux(function), function(*chosen)[1]
        push = linearize(function, *chosen)[1]
        columns = vmap(lambda units: push(*structure.unflatten(units)), out_axes=-1)(_basis(flat))
        result = tree.map(lambda column: _argument_tree(_split(column, types, type_of(column).ndim - 1), structure, argnums), columns)
        return (result, aux) if has_aux else result

    return jacobian


def _without_aux(f: Callable) -> Callable:
    return functools.wraps(f)(lambda *args: f(*args)[0])


def _argument_tree(blocks: list, structure, argnums):
    found = structure.unflatten(blocks)
    return found if isinstance(argnums, Sequence) else found[0]


def jacrev(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False) -> Callable:
    """The Jacobian of `f` in reverse mode, one pass for each element of the output: for wide Jacobians. The result is that of `jacfwd`.

    A real function may have complex arguments, as for `grad`. Raises `TypeError` for complex results unless `holomorphic`.

    >>> import numpy as np, tracejit as tj
    >>> tj.jacrev(lambda x: np.sum(x) * x)(np.ones(2))
    array([[3., 1.],
           [1., 3.]])
    """
    require_callable(f, "jacrev")
    what = f"jacrev of {name_of(f)}"

    @functools.wraps(f)
    def jacobian(*args, **kwargs):
        numbers, chosen = choose(what, f, args, argnums)
        _require_differentiable(what, f, chosen, numbers, holomorphic)
        out, pull, *aux = vjp(with_fixed(f, args, kwargs, numbers), *chosen, has_aux=has_aux)
        flat, out_structure = tree.flatten(out)
        _require_real(what, f, "has complex results", flat, holomorphic)
        structure = tree.structure(chosen)
        types = [type_of(x) for x in flat]
        rows = tree.leaves(vmap(lambda units: pull(out_structure.unflatten(units)))(_basis(flat)))
        blocks = [_split(row, types, 0) for row in rows]  # [argument leaf][output leaf]
        result = out_structure.unflatten([_argument_tree([b[o] for b in blocks], structure, argnums) for o in range(len(flat))])
        return (result, *aux) if has_aux else result

    return jacobian


def hessian(f: Callable, argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False) -> Callable:
    """The matrix of second derivatives, forward over reverse.

    >>> import numpy as np, tracejit as tj
    >>> tj.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return jacfwd(jacrev(f, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)


def hvp(f: Callable) -> Callable:
    """Hessian-vector products of a scalar function: `hvp(f)(x, v, *rest)` is the Hessian of `f(x, *rest)` in x times v, at the cost of a few
    gradients.

    `x` and `v` are trees of equal structure. It has the signature of the `hessp=` of `scipy.optimize.minimize`.

    >>> import numpy as np, tracejit as tj
    >>> tj.hvp(lambda x: np.sum(x ** 3))(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """
    require_callable(f, "hvp")

    @functools.wraps(f)
    def product(x, v, *rest, **kwargs):
        return jvp(lambda y: grad(f)(y, *rest, **kwargs), (x,), (v,))[1]

    return product


def stop_gradient(x: Any) -> Any:
    """`x`, a tree of arrays, as constants: no derivative flows through the result.

    >>> import tracejit as tj
    >>> tj.grad(lambda x: x * tj.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree.map(lambda leaf: stop_gradient_op(leaf) if type(leaf) is Tracer and is_inexact(leaf.dtype) else leaf, x)


__all__ = ["grad", "hessian", "hvp", "jacfwd", "jacrev", "jvp", "linear_transpose", "linearize", "stop_gradient", "value_and_grad", "vjp"]
