"""`linear_call(*residuals, *xs)`: a linear function of the xs whose transpose is another function that was given, or derived, rather than looked up
op by op.

Both directions are Python functions of ambient values, called when they are needed: on arrays, so that Python's control flow works, or on proxies.
A compiled program inlines the graph of the direction that it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import LeakedTracerError, at_user_line
from ..interpret import replay
from ..ir import ArrayType, Graph
from ..trace import Tracer, type_of
from ..transforms.backward import transpose as transpose_graph
from ..transforms.batch import batch as batch_graph
from ..transforms.forward import linearize, push_forward
from .bodies import build
from .core import Linear, define, zeros
from .movement import broadcast_to


class Direction:
    """One direction of a linear function: `direction(residuals, xs)` is the list of results; a zero among the xs and the results may be None.

    `unit` says that the transpose of the other direction applies this one as a whole, so that its own transpose is again the other one. Without it
    the operations that it is made of are what is differentiated and transposed further.
    """

    __slots__ = ("function", "what", "unit", "_graphs")

    def __init__(self, function: Callable[[list, list], Sequence[Any]], what: str, unit: bool = False):
        self.function, self.what, self.unit = function, what, unit
        self._graphs: dict[tuple, tuple[Graph, list]] = {}

    def __call__(self, residuals: Sequence[Any], xs: Sequence[Any], out_types: Sequence[ArrayType]) -> list[Any]:
        """The results with arrays in place of None."""
        results = self.function(list(residuals), list(xs))
        return [zeros(t) if r is None else r for r, t in zip(results, out_types, strict=True)]

    def graph(self, types: Sequence[ArrayType], residuals: int, out_types: Sequence[ArrayType]) -> tuple[Graph, list[Any]]:
        """The graph for these types, and the values from outside that its last inputs stand for."""
        key = (tuple(types), residuals)
        found = self._graphs.get(key)
        if found is None:
            try:
                found = build(types, lambda *args: self(args[:residuals], args[residuals:], out_types))
            except LeakedTracerError as error:
                raise _leaked(self.what) from error
            if not any(type(x) is Tracer for x in found[1]):
                self._graphs[key] = found
        return found


def _leaked(what: str) -> LeakedTracerError:
    return LeakedTracerError(at_user_line(f"{what} reads a traced value of a function whose trace has ended: pass it as an argument instead"))


def derived(backward: Direction, x_types: tuple[ArrayType, ...], ct_types: tuple[ArrayType, ...]) -> Direction:
    """The direction whose transpose `backward` is. It raises `TypeError` when it is needed and `backward` is not linear in the cotangents."""

    def forward(residuals: list, xs: list) -> list:
        graph, outside = backward.graph([*map(type_of, residuals), *ct_types], len(residuals), x_types)
        values = dict(zip(graph.inputs, [*residuals, *(zeros(t) for t in ct_types), *outside]))
        places = range(len(residuals), len(residuals) + len(ct_types))
        require_linear(graph, places, backward.what, "in the cotangents", _INSTEAD)
        _, linear = linearize(graph, values, places, backward.what)
        return transpose_graph(linear.graph, len(ct_types), linear.residuals, [xs[i] for i in linear.reached])

    return Direction(forward, f"forward mode of {backward.what}")


_INSTEAD = (
    ", so that the derivative in forward mode cannot be derived from it: give a `jvp` rule too, or use reverse mode alone (`grad`, `vjp`, `jacrev`)"
)


def require_linear(graph: Graph, places: Sequence[int], what: str, where: str, instead: str = "") -> None:
    """Raise `TypeError` where the derivative of a graph with respect to the inputs in these places depends on them."""

    def find():
        def function(*args):
            _, linear = linearize(graph, dict(zip(graph.inputs, args)), places, what)
            return linear.residuals

        read, _ = build(graph.in_types, function)
        moving = {read.inputs[i] for i in places}
        for node in read.nodes:
            if any(a in moving for a in node.inputs):
                return f"it goes through {node.op.name} at {node.source}"
        return "its derivative depends on where it is taken" if any(a in moving for a in read.outputs) else ""

    reason = graph.derived(("linear in", tuple(places)), find)
    if reason:
        raise TypeError(at_user_line(f"{what} is not linear {where} ({reason}){instead}"))


def _run(xp, *args, residuals, forward, backward, out_types):
    return tuple(forward(args[:residuals], args[residuals:], out_types))


def _jvp(primals, outs, tangents, residuals, forward, backward, out_types):
    if any(t is not None for t in tangents[:residuals]):
        graph, outside = forward.graph([type_of(p).strong for p in primals], residuals, out_types)
        values = dict(zip(graph.inputs, [*primals, *outside]))
        return tuple(push_forward(graph, values, [*tangents, *[None] * len(outside)])[1])
    moving = [zeros(type_of(p)) if t is None else t for t, p in zip(tangents[residuals:], primals[residuals:])]
    return tuple(linear_call(*primals[:residuals], *moving, residuals=residuals, forward=forward, backward=backward, out_types=out_types))


def _transpose(cts, *inputs, residuals, forward, backward, out_types):
    if any(isinstance(x, Linear) for x in inputs[:residuals]):
        raise TypeError(at_user_line(f"{forward.what} is not linear in its residuals, so it cannot be transposed with respect to them"))
    xs = inputs[residuals:]
    x_types = tuple((x.type if isinstance(x, Linear) else type_of(x)).strong for x in xs)
    if backward.unit:
        arrived = [zeros(t) if ct is None else ct for ct, t in zip(cts, out_types)]
        back = linear_call(*inputs[:residuals], *arrived, residuals=residuals, forward=backward, backward=forward, out_types=x_types)
    else:
        back = backward.function(list(inputs[:residuals]), list(cts))
    return (*[None] * residuals, *(b if isinstance(x, Linear) else None for b, x in zip(back, xs, strict=True)))


def _batch(args, batched, residuals, forward, backward, out_types):
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    flags = tuple(batched[:residuals])
    xs = [x if b else broadcast_to(x, shape=(n, *type_of(x).shape)) for x, b in zip(args[residuals:], batched[residuals:])]
    x_types = tuple(type_of(x)._replace(shape=type_of(x).shape[1:]) for x in xs)
    return tuple(
        linear_call(
            *args[:residuals],
            *xs,
            residuals=residuals,
            forward=_batched(forward, flags, n, x_types, out_types),
            backward=_batched(backward, flags, n, out_types, x_types),
            out_types=tuple(t._replace(shape=(n, *t.shape)) for t in out_types),
        )
    )


def _batched(direction: Direction, flags: tuple[bool, ...], n: int, x_types: Sequence[ArrayType], out_types: Sequence[ArrayType]) -> Direction:
    def function(residuals: list, xs: list) -> list:
        xs = [zeros(t._replace(shape=(n, *t.shape))) if x is None else x for x, t in zip(xs, x_types)]
        types = [type_of(r)._replace(shape=type_of(r).shape[f:]) for r, f in zip(residuals, flags)]
        graph, outside = direction.graph([*types, *x_types], len(residuals), out_types)
        results, marks = batch_graph(graph, [*residuals, *xs, *outside], [*flags, *[True] * len(xs), *[False] * len(outside)])
        return [r if m else broadcast_to(r, shape=(n, *type_of(r).shape)) for r, m in zip(results, marks)]

    return Direction(function, direction.what, direction.unit)


def _inline(*types, residuals, forward, backward, out_types):
    """The graph of the forward direction; None where it reads arrays from outside, which a program cannot hold: then `run` is called."""
    graph, outside = forward.graph([t.strong for t in types], residuals, out_types)
    if any(type(x) is Tracer for x in outside):
        raise _leaked(forward.what)
    return None if outside else graph


linear_call = define(
    "linear_call",
    infer=lambda *types, residuals, forward, backward, out_types: tuple(out_types),
    run=_run,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    inline=_inline,
    multiple=True,
)


def by_graph(graph: Graph, what: str, unit: bool = False) -> Direction:
    """The direction that a graph of residuals and xs computes."""
    return Direction(lambda residuals, xs: replay(graph, [*residuals, *xs]), what, unit)
