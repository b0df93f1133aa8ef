"""Graph to values: the reference meaning of every program, the first tier, and the heart of every pass.

`replay` applies a graph to whatever it is given.  On arrays, NumPy computes at once; on proxies, the graph outside grows: so one function is both the
interpreter and the way in which one graph is inlined into another.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .ir import Graph, Literal, Var
from .trace import bind


def last_uses(graph: Graph) -> list[tuple[Var, ...]]:
    """For each node, the variables that nothing after it reads: their values can be freed."""
    seen = {a for a in graph.outputs if isinstance(a, Var)}
    result = []
    for node in reversed(graph.nodes):
        ending = {a for a in (*node.inputs, *node.outputs) if isinstance(a, Var) and a not in seen}
        seen |= ending
        result.append(tuple(ending))
    result.reverse()
    return result


def replay(graph: Graph, args: Sequence[Any]) -> list[Any]:
    """The outputs of `graph` on `args`, one for each input, in the ambient context.

    >>> import numpy as np, tracejit as tj
    >>> replay(tj.trace(lambda x: np.sin(x) * 2.0)(0.0), [np.float64(0.5)])
    [np.float64(0.958851077208406)]
    """
    if len(args) != len(graph.inputs):
        raise ValueError(f"the graph has {len(graph.inputs)} inputs, got {len(args)} values")
    env: dict[Var, Any] = dict(zip(graph.inputs, args))
    with np.errstate(all="ignore"):
        for node, dead in zip(graph.nodes, last_uses(graph)):
            results = bind(node.op, [env[a] if type(a) is Var else a.value for a in node.inputs], node.params)
            if node.op.multiple:
                env.update(zip(node.outputs, results))
            else:
                env[node.outputs[0]] = results
            for var in dead:
                env.pop(var, None)
    return [a.value if type(a) is Literal else env[a] for a in graph.outputs]


def run_scan(body: Callable, consts: Sequence[Any], carry: Sequence[Any], xs: Sequence[Any], length: int, reverse: bool) -> tuple:
    """The op `scan` as a Python loop: `body(*consts, *carry, *rows)` gives the next carry and then the rows of the results."""
    rows = []
    for i in reversed(range(length)) if reverse else range(length):
        out = _tuple(body(*consts, *carry, *(x[i] for x in xs)))
        carry = out[: len(carry)]
        rows.append(out[len(carry) :])
    if reverse:
        rows.reverse()
    return (*carry, *(np.stack(column) for column in zip(*rows)))


def run_while(cond: Callable, body: Callable, cond_consts: Sequence[Any], body_consts: Sequence[Any], carry: Sequence[Any]) -> tuple:
    """The op `while_loop` as a Python loop."""
    while cond(*cond_consts, *carry):
        carry = _tuple(body(*body_consts, *carry))
    return tuple(carry)


def _tuple(out: Any) -> tuple:
    return tuple(out) if isinstance(out, (tuple, list)) else (out,)
