"""Functions with rules of the user's own: `custom_derivative` gives values that were computed already and has the derivative that a rule says;
`custom_batch` is a call with its own way to be batched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ir import ArrayType, Graph, Var
from ..trace import type_of
from ..transforms.batch import batch as batch_graph
from . import call as call_module
from .bodies import build, cut
from .core import define
from .movement import broadcast_to


class Rule:
    """The derivative of a function of flat arguments: `jvp(args, outs, tangents)` gives the tangents of the outs; a zero tangent is None.

    `outside` is called where a tangent reaches the values by another way than through the arguments; it raises the error.
    """

    __slots__ = ("jvp", "outside")

    def __init__(self, jvp: Callable[[Sequence, Sequence, Sequence], Sequence[Any]], outside: Callable[[], None]):
        self.jvp, self.outside = jvp, outside


def _batched_rule(rule: Rule, flags: tuple[bool, ...], n: int) -> Rule:
    """The rule of a batch of n: of one example each, batched. `flags` mark the arguments that differ between examples; all outs do."""

    def jvp(args, outs, tangents):
        active = [i for i, t in enumerate(tangents) if t is not None]
        values = [*args, *outs, *(tangents[i] for i in active)]
        marks = [*flags, *[True] * len(outs), *(flags[i] for i in active)]
        types = [type_of(v)._replace(shape=type_of(v).shape[m:]) for v, m in zip(values, marks)]
        reached: list[int] = []

        def one_example(*flat):
            a, o, moving = cut(flat, len(args), len(outs), len(active))
            given: list[Any] = [None] * len(args)
            for i, t in zip(active, moving):
                given[i] = t
            result = rule.jvp(a, o, given)
            reached.extend(i for i, t in enumerate(result) if t is not None)
            return [result[i] for i in reached]

        graph, outside = build(types, one_example)
        results, marked = batch_graph(graph, [*values, *outside], [*marks, *[False] * len(outside)])
        moved: list[Any] = [None] * len(outs)
        for i, r, m in zip(reached, results, marked):
            moved[i] = r if m else broadcast_to(r, shape=(n, *type_of(r).shape))
        return moved

    return Rule(jvp, rule.outside)


# -- custom_derivative(*values, *args, count, rule): the `count` values
def _jvp(primals, outs, tangents, count, rule):
    if any(t is not None for t in tangents[:count]):
        rule.outside()
    return tuple(rule.jvp(primals[count:], outs, tangents[count:]))


def _batch(args, batched, count, rule):
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    values = [v if b else broadcast_to(v, shape=(n, *type_of(v).shape)) for v, b in zip(args[:count], batched)]
    return tuple(custom_derivative(*values, *args[count:], count=count, rule=_batched_rule(rule, tuple(batched[count:]), n)))


def _values(*types: ArrayType, count: int, rule: Rule) -> Graph:
    inputs = tuple([Var(t.strong) for t in types])
    return Graph(inputs, (), inputs[:count])


custom_derivative = define(
    "custom_derivative",
    infer=lambda *types, count, rule: tuple(t.strong for t in types[:count]),
    run=lambda xp, *args, count, rule: tuple(args[:count]),
    jvp=_jvp,
    batch=_batch,
    inline=_values,
    multiple=True,
    show=lambda *args, count, rule: ", ".join(args[:count]),
)


# -- custom_batch(*args, graph, rule): a call whose batch is rule(n, args, batched) -> (results, marks)
def _batch_by_rule(args, batched, graph, rule):
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    results, marks = rule(n, args, batched)
    return tuple(r if m else broadcast_to(r, shape=(n, *type_of(r).shape)) for r, m in zip(results, marks))


custom_batch = define(
    "custom_batch",
    infer=lambda *types, graph, rule: call_module.call.infer(*types, graph=graph),
    run=lambda xp, *args, graph, rule: call_module.call.run(xp, *args, graph=graph),
    jvp=lambda primals, outs, tangents, graph, rule: call_module.call.jvp(primals, outs, tangents, graph=graph),
    transpose=lambda cts, *inputs, graph, rule: call_module.call.transpose(cts, *inputs, graph=graph),
    batch=_batch_by_rule,
    inline=lambda *types, graph, rule: graph,
    multiple=True,
    show=lambda *args, graph, rule: f"{graph}({', '.join(args)})",
)
