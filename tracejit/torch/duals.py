"""Forward mode on tensors: dual numbers, a tensor with its derivative along some direction.

A `Level` is one direction, or a batch of directions at once; transformations inside of one another have a level each, so the derivatives of one are
never taken for those of another.  A dual tensor is its value as ever, with a `Dual`: the level, the tensor as it is below that level, and its
tangent, a tensor like any other.  `push` is what `dispatch.Primitive` calls where a level is active: it derives the tangents of the results from the
rules of the operations (`transforms.forward`) and computes them by primitives, so tangents are recorded for backward, and pushed on at the levels
below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from ..ir import ArrayType, Graph, Var
from ..ops.core import zeros
from ..trace import Trace
from ..trace.trace import type_of
from ..transforms.batch import batch as batch_graph
from ..transforms.forward import push_forward
from .dispatch import Primitive
from .modes import state
from .nodes import PrimitiveNode, Saved
from .plan import Plan
from .tensor import Tensor, wrap

_numbers = count(1).__next__


class Level:
    """A direction of forward mode; with `batch`, so many at once: tangents then have an axis of that extent in front."""

    __slots__ = ("number", "batch")

    def __init__(self, batch: int | None = None):
        self.number, self.batch = _numbers(), batch


class Dual(NamedTuple):
    """What a tensor is at a level: `primal` is the tensor below it, `tangent` its derivative."""

    level: Level
    primal: Tensor
    tangent: Tensor


@contextmanager
def entered(batch: int | None = None) -> Iterator[Level]:
    """A new level inside of those that are active."""
    before, level = state.levels, Level(batch)
    state.levels = (*before, level)
    try:
        yield level
    finally:
        state.levels = before


def dual_of(t: Any) -> Dual | None:
    """What a tensor is at the innermost active level that it has a tangent at; None for any other value."""
    if not isinstance(t, Tensor):
        return None
    found = t._dual
    if found is None and t._base is not None and t._base._dual:
        found = _seen_through(t)
    while found and found.level not in state.levels:
        found = found.primal._dual
    return found or None


def _seen_through(view: Tensor) -> Dual | None:
    """The tangent that the base of a view got after the view was made, through another view."""
    base = view._base
    steps, duals, below = view._chain[len(base._chain) :], [], base._dual
    while below:
        duals.append(below)
        below = below.primal._dual
    found: Any = None
    for d in reversed(duals):
        found = Dual(d.level, below_of(view, found), _along(steps, d.tangent, d.level.batch))
    return found


def below_of(t: Tensor, dual: Dual | None = None) -> Tensor:
    """The tensor itself, as it is at a lower level, where `dual` is what it has."""
    made = Tensor._sharing(t._data, t._storage, t._chain)
    made._base, made._history, made._no_grad_view, made._inference = t._base, t._history, t._no_grad_view, t._inference
    if t._requires:
        made._requires = True
        made._node, made._nr = t._edge
    made._dual = dual or ()  # no more than this: nothing is looked up at its base
    return made


def lifted(t: Tensor, primal: Tensor, tangent: Tensor, level: Level) -> Tensor:
    """Make `t` the dual of a tensor and its tangent."""
    t._dual = Dual(level, primal, tangent)
    return t


# -- what functions do to tangents
def push(primitive: Primitive, operands: Sequence[Any], results: Sequence[Tensor], static: dict[str, Any]) -> None:
    """Give the results of a primitive their tangents, where operands have some."""
    duals = [dual_of(t) for t in operands]
    if not any(duals):
        return
    _push(primitive, operands, duals, results, static)
    if state.grad:
        _remember(operands, duals, results)


def _push(primitive: Primitive, operands: Sequence[Any], duals: Sequence[Dual | None], results: Sequence[Tensor], static: dict[str, Any]) -> None:
    level = max((d.level for d in duals if d), key=lambda level: level.number)
    moving = [d is not None and d.level is level for d in duals]
    primals = [d.primal if m else t for t, d, m in zip(operands, duals, moving)]
    tangents = [d.tangent if m else None for d, m in zip(duals, moving)]
    lower = [dual_of(t) for t in primals]
    below = [below_of(r) for r in results]
    if any(lower):
        _push(primitive, primals, lower, below, static)
    for r, b, t in zip(results, below, _moved(primitive, primals, below, tangents, static, level.batch)):
        if t is not None:
            r._dual = Dual(level, b, t)
        elif b._dual:
            r._dual = b._dual


def _moved(primitive: Primitive, primals, results: Sequence[Tensor], tangents, static: dict[str, Any], batch: int | None) -> Sequence[Tensor | None]:
    """The tangents of the results at one level."""
    if primitive.view and results and results[0]._storage is primals[0]._storage:
        return _viewed(primitive, tangents[0], static, batch)
    pushed = pushed_plan(primitive, primals, tangents, static, batch)
    plan = pushed.plan
    given = [*[_value(primals[i]) for i in plan.operands], *[results[i] for i in plan.results], *[t for t in tangents if t is not None]]
    made = iter(pushed.primitive(*given)) if plan.reached else iter(())
    return [next(made) if i in plan.reached else None for i in range(len(results))]


def _value(x: Any) -> Any:
    """An operand that is no tensor as the rules take it: a NumPy number."""
    return x if isinstance(x, Tensor) else np.asarray(x)[()]


class Pushed(NamedTuple):
    """The forward derivative of a primitive on given types: a `Plan` that takes tangents in the place of cotangents, and as a primitive."""

    plan: Plan
    primitive: Primitive


def pushed_plan(primitive: Primitive, primals: Sequence[Any], tangents: Sequence[Any], static: dict[str, Any], batch: int | None) -> Pushed:
    """The forward derivative for operands of these types, made when it is first needed."""
    arrays = [t._data if isinstance(t, Tensor) else t for t in primals]
    wanted = tuple(i for i, t in enumerate(tangents) if t is not None)
    types = [type_of(a) for a in arrays]
    key = ("pushed", batch, wanted, tuple(types), *static.items())
    found = primitive.plans.get(key)
    if found is None:
        with np.errstate(all="ignore"):
            plan = _forward_plan(primitive, types, wanted, static)
        run = plan if batch is None else _batched(plan, len(wanted), batch)
        found = primitive.plans[key] = Pushed(plan, Primitive(f"{primitive.name}Forward", lambda *values: tuple(run(*values))))
    return found


def _forward_plan(primitive: Primitive, types: Sequence[ArrayType], wanted: Sequence[int], static: dict[str, Any]) -> Plan:
    name = primitive.name
    trace = Trace(f"torch.{name}")
    made = primitive.impl(*[trace.input(t) for t in types], **static)
    multiple = isinstance(made, (tuple, list))
    graph, outside = trace.finish(tuple(made) if multiple else (made,))
    ahead = Trace(f"derivative of torch.{name}")
    xs = [ahead.input(t) for t in types]
    ys = [ahead.input(t.strong) for t in graph.out_types]
    tangents: list[Any] = [None] * len(graph.inputs)
    for i in wanted:
        tangents[i] = ahead.input(types[i].strong)
    if primitive.rule is None:
        values: dict[Var, Any] = dict(zip(graph.inputs, [*xs, *outside]))
        for atom, y in zip(graph.outputs, ys):
            if type(atom) is Var and atom not in values:
                values[atom] = y
        out = push_forward(graph, values, tangents)[1]
    else:
        out = primitive.rule(xs, ys if multiple else ys[0], tangents[: len(types)], **static)
        out = list(out) if multiple else [out]
    reached = tuple(i for i, t in enumerate(out) if t is not None and graph.out_types[i].dtype.kind in "fc")
    full, constants = ahead.finish([out[i] for i in reached])
    used = {a for n in full.nodes for a in n.inputs if type(a) is Var} | {a for a in full.outputs if type(a) is Var}
    n, m = len(types), len(types) + len(ys)
    operands = tuple(i for i in range(n) if full.inputs[i] in used)
    results = tuple(i for i in range(len(ys)) if full.inputs[n + i] in used)
    inputs = (*[full.inputs[i] for i in operands], *[full.inputs[n + i] for i in results], *full.inputs[m:])
    return Plan(f"{name}Forward", Graph(inputs, full.nodes, full.outputs), operands, results, (), reached, constants)


def _batched(plan: Plan, moving: int, n: int):
    """The plan for n tangents at once."""
    graph = plan.graph
    held = len(plan.operands) + len(plan.results)
    marks = [*[False] * held, *[True] * moving, *[False] * len(plan.constants)]

    def run(*values: Any) -> list[Any]:
        made, flags = batch_graph(graph, [*values, *plan.constants], marks)
        return [x if f else np.broadcast_to(x, (n, *t.shape)) + zeros(t) for x, f, t in zip(made, flags, graph.out_types)]

    return run


# -- views
def _viewed(primitive: Primitive, tangent: Tensor, static: dict[str, Any], batch: int | None) -> Sequence[Tensor]:
    """The view of a tangent, which lies in its memory as the view of the primal lies in the primal's."""
    made = primitive(tangent, **static) if batch is None else _batched_view(primitive, tangent, static, batch)
    return made if isinstance(made, tuple) else (made,)


def _batched_view(primitive: Primitive, tangent: Tensor, static: dict[str, Any], n: int) -> Any:
    """As above, where the tangent has an axis of n directions in front."""
    one = type_of(tangent._data)
    key = ("viewed", n, one, *static.items())
    found = primitive.plans.get(key)
    if found is None:
        trace = Trace(f"torch.{primitive.name}")
        made = primitive.impl(trace.input(one._replace(shape=one.shape[1:])), **static)
        multiple = isinstance(made, (tuple, list))
        graph, outside = trace.finish(tuple(made) if multiple else (made,))

        def view(x: Any) -> Any:
            made = batch_graph(graph, [x, *outside], [True, *[False] * len(outside)])[0]
            return tuple(made) if multiple else made[0]

        found = primitive.plans[key] = Primitive(primitive.name, view, view=True)
    return found(tangent)


def _along(steps: Sequence[tuple], tangent: Tensor, batch: int | None) -> Tensor:
    for primitive, static, number in steps:
        made = _viewed(primitive, tangent, dict(static), batch)
        tangent = made[0 if number is None else number]
    return tangent


# -- writes
def written(t: Tensor, result: Tensor) -> None:
    """After `result` was written into t: the tangent of t becomes that of the result, in the memory of the tangent that it had."""
    own, new = dual_of(t), dual_of(result)
    if own is None and new is None:
        return
    level = max((d.level for d in (own, new) if d), key=lambda level: level.number)
    have = own.tangent if own and own.level is level else None
    came = new.tangent if new and new.level is level else None
    lower = own.primal if have is not None else below_of(t, own)
    written(lower, new.primal if came is not None else below_of(result, new))
    if have is None and t._base is not None:
        have = _along(t._chain[len(t._base._chain) :], _with_zeros(t._base, level), level.batch)
    if have is None:
        have = came
    elif came is None:
        have.zero_()
    else:
        have.copy_(came)
    t._dual = Dual(level, below_of(t, lower._dual or None), have)


def _with_zeros(base: Tensor, level: Level) -> Tensor:
    """The tangent of a base at a level, zeros where it has none."""
    found = base._dual
    while found:
        if found.level is level:
            return found.tangent
        found = found.primal._dual
    shape = base._data.shape if level.batch is None else (level.batch, *base._data.shape)
    made = wrap(np.zeros(shape, base._data.dtype))
    if base._dual and base._dual.level.number > level.number:
        raise RuntimeError(
            "a view is written into by an outer derivative in forward mode, while its base has a tangent of an inner one. "
            "Write into a clone of the base"
        )
    base._dual = Dual(level, below_of(base, base._dual or None), made)
    return made


# -- the way back
class SavedDual(Saved):
    """A saved tensor that has a tangent: the gradient that it is read for has one too."""

    __slots__ = ("dual",)

    def __init__(self, saved: Saved, dual: Dual):
        for name in Saved.__slots__:
            setattr(self, name, getattr(saved, name))
        self.dual = dual

    def as_tensor(self, node: Any) -> Tensor:
        found = super().as_tensor(node)
        made = below_of(found)
        made._dual = Dual(self.dual.level, below_of(found, self.dual.primal._dual or None), self.dual.tangent)
        return made


def _remember(operands: Sequence[Any], duals: Sequence[Dual | None], results: Sequence[Tensor]) -> None:
    """Keep tangents beside what the node of the results has saved."""
    node = next((r._node for r in results if r._node is not None), None)
    if not isinstance(node, PrimitiveNode) or not node.saved:
        return
    plan = node.plan
    beside = [*[duals[i] for i in plan.operands], *[dual_of(results[i]) for i in plan.results]]
    node.saved = [SavedDual(s, d) if d else s for s, d in zip(node.kept(), beside)]


def without_graph(t: Tensor) -> Tensor:
    """The tensor without its history for backward, and so its tangents."""
    made = t.detach()
    if t._dual:
        made._dual = Dual(t._dual.level, without_graph(t._dual.primal), without_graph(t._dual.tangent))
    return made
