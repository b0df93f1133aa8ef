"""How to go backwards through a function, derived from the rules of the operations that it is made of.

A function is traced on the types of its operands, its derivative is pushed forward through the graph (`transforms.forward`), and the linear part is
transposed (`transforms.backward`).  Everything nonlinear that the way back needs is written in terms of operands and results: cheap things are
computed again, so what a node keeps for backward are operands and results, by reference, as in torch.  The whole is one graph, a `Plan`, that is made
once for the types; on arrays it runs as `running.Running`, on tensors it is a function of its own with derivatives of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import residence
from ..interpret import replay
from ..ir import ArrayType, Graph, Var, is_inexact
from ..ops.core import zeros
from ..trace import Trace, Tracer
from ..trace.tracer import same
from ..transforms import backward
from ..transforms.forward import push_forward
from .running import Running

_ARITHMETIC = frozenset(("Add", "Sub", "Mul", "Div", "DivBackward2"))  # whose nodes have an operand also where that is a number


class Plan:
    """The way back through a function on operands of given types.

    `graph` takes the operands and results that are numbered in `operands` and `results`, and the cotangents of those results that have one
    (`out_types` gives the type for these, None for the others); it gives the cotangents of the operands numbered in `reached`.
    """

    __slots__ = ("name", "graph", "operands", "results", "out_types", "reached", "constants", "batched", "running", "back", "shown", "_again")

    def __init__(self, name, graph, operands, results, out_types, reached, constants, native=False, shown=None):
        self.name, self.graph, self.operands, self.results = name, graph, operands, results
        self.out_types, self.reached, self.constants = out_types, reached, constants
        self.batched: dict[int, Any] = {}  # for so many cotangents at once (see batched.py)
        self.running = Running(f"backward of torch.{name}", graph, constants, at_once=native)
        self.back: Callable | None = None  # of a node with one result: see recorder.py
        self.shown = shown  # the operands that torch's node has, or None for all: it has none for places, masks and most numbers
        self._again = None

    def __call__(self, *values: Any) -> Sequence[Any]:
        """The cotangents, from saved values and cotangents: arrays or proxies."""
        for x in values:
            if type(x) is Tracer:
                return replay(self.graph, [*values, *self.constants])
        return self.running(*values)

    @property
    def again(self):
        """The plan as a function of tensors, which is differentiated in turn."""
        if self._again is None:
            from .dispatch import Primitive

            self._again = Primitive(f"{self.name.partition('Backward')[0]}BackwardBackward0", lambda *values: tuple(self(*values)))
        return self._again


class Forward(NamedTuple):
    """A function of arrays as a graph, whose last inputs are constants; `multiple`: it gives a tuple."""

    graph: Graph
    constants: list[Any]
    multiple: bool


def forward_graph(name: str, impl: Callable, types: Sequence[ArrayType], static: dict[str, Any]) -> Forward:
    """The graph of `impl` for operands of these types."""
    trace = Trace(f"torch.{name}")
    made = impl(*[trace.input(t) for t in types], **static)
    multiple = isinstance(made, (tuple, list))
    return Forward(*trace.finish(tuple(made) if multiple else (made,)), multiple)


def make_plan(
    name: str, forward: Forward, types: Sequence[ArrayType], wanted: Sequence[int], static: dict[str, Any], rule: Callable | None, native: bool
) -> Plan:
    """The plan of a function for operands of these types, of which those numbered in `wanted` need a gradient.

    `rule(primals, results, tangents, **static)` is the derivative where the function has a convention of its own, in the form of an op's `jvp`.
    `native`: as native code from the first run on, also where it is small.
    """
    graph, outside, multiple = forward
    back = Trace(f"backward of torch.{name}")
    xs = [back.input(t) for t in types]
    ys = [back.input(t.strong) for t in graph.out_types]
    cts = [back.input(t.strong) if is_inexact(t.dtype) else None for t in graph.out_types]
    moving = Trace(f"derivative of torch.{name}")
    tangents: list[Any] = [None] * len(graph.inputs)
    for i in wanted:
        tangents[i] = moving.input(graph.inputs[i].type.strong)
    if rule is None:
        values: dict[Var, Any] = dict(zip(graph.inputs, [*xs, *outside]))
        for atom, y in zip(graph.outputs, ys):
            if type(atom) is Var and atom not in values:
                values[atom] = y
        _, out = push_forward(graph, values, tangents)
    else:
        out = rule(xs, ys if multiple else ys[0], tangents[: len(types)], **static)
        out = list(out) if multiple else [out]
    reached = [i for i, t in enumerate(out) if t is not None and cts[i] is not None]
    linear, residuals = moving.finish([out[i] for i in reached])
    grads = backward.transpose(linear, len(wanted), residuals, [_conjugate(cts[i]) for i in reached])
    # A derivative that is zero everywhere (of `sign`, say) is a gradient of zeros, as in torch.
    moving_results = any(c is not None for c in cts)
    kept = [(i, zeros(types[i].strong) if g is None else _conjugate(g)) for i, g in zip(wanted, grads) if g is not None or moving_results]
    full, constants = back.finish([g for _, g in kept])
    used = {a for n in full.nodes for a in n.inputs if type(a) is Var} | {a for a in full.outputs if type(a) is Var}
    n, m = len(types), len(types) + len(ys)
    operands = tuple(i for i in range(n) if full.inputs[i] in used)
    results = tuple(i for i in range(len(ys)) if full.inputs[n + i] in used)
    inputs = (*[full.inputs[i] for i in operands], *[full.inputs[n + i] for i in results], *full.inputs[m:])
    out_types = tuple(None if c is None else y.type.strong for c, y in zip(cts, ys))
    reached_operands = tuple([i for i, _ in kept])
    way = Graph(inputs, full.nodes, full.outputs)
    shown = None if name in _ARITHMETIC else tuple([i for i, t in enumerate(types) if i in wanted or is_inexact(t.dtype) and not t.weak])
    return Plan(name, way, operands, results, out_types, reached_operands, constants, native, shown)


def _conjugate(x: Any) -> Any:
    """torch's gradient of a complex number is the conjugate of the transposed derivative: the direction of steepest ascent."""
    return np.conjugate(x) if x is not None and x.dtype.kind == "c" else x


def own(x: Any, operands: Sequence[Any]) -> Any:
    """A result as an array or proxy of its own, that shares memory with no operand."""
    if type(x) is Tracer:
        return same(x) if x.part_of is not None or any(x is a for a in operands) else x
    if type(x) in residence.classes:
        return residence.copied(x)
    if type(x) is not np.ndarray:
        return x[...] if isinstance(x, np.generic) else np.array(x)
    return x if x.base is None and not any(x is a for a in operands) else x.copy()
