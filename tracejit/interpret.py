"""Graph to values: the reference meaning of every program, the first tier, and the heart of every pass.

`replay` applies a graph to whatever it is given.  On arrays, NumPy computes at once; on proxies, the graph outside grows: so one function is both the
interpreter and the way in which one graph is inlined into another.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .errors import LocatedLinAlgError, at_user_line, replaying
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


@replaying
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
            try:
                results = bind(node.op, [env[a] if type(a) is Var else a.value for a in node.inputs], node.params)
            except np.linalg.LinAlgError as error:  # NumPy's own, of a program that runs long after the line that asked for it
                if type(error) is LocatedLinAlgError or node.source is None:
                    raise
                raise LocatedLinAlgError(at_user_line(str(error), node.source)) from error
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


def run_while(
    cond: Callable,
    body: Callable,
    cond_consts: Sequence[Any],
    body_consts: Sequence[Any],
    carry: Sequence[Any],
    limit: tuple[int, str] | None = None,
) -> tuple:
    """The op `while_loop` as a Python loop. `limit` is a number of turns and the line that set it: raises `RuntimeError` where more are needed."""
    turns = 0
    while cond(*cond_consts, *carry):
        if limit is not None and turns == limit[0]:
            raise RuntimeError(too_many_turns(limit))
        carry = _tuple(body(*body_consts, *carry))
        turns += 1
    return tuple(carry)


def too_many_turns(limit: tuple[int, str]) -> str:
    """What is said of a loop that needs more turns than it may take."""
    advice = "Pass a larger `max_steps`, or none: reverse mode does not need it."
    return f"{limit[1]}: while_loop: the condition still holds after max_steps={limit[0]} turns. {advice}"


def run_sweeps(
    cond: Callable,
    bodies: Sequence[Callable],
    cond_consts: Sequence[Any],
    groups: Sequence[tuple[Sequence[Any], Sequence[Any]]],
    reads: Sequence[Sequence[tuple[int, int]]],
    limit: tuple[int, str] | None = None,
) -> tuple:
    """The op `sweeps` as Python loops: `groups` are the constants and the first state of each sweep, `reads` the rows that it reads."""
    tapes: list[list[tuple]] = []  # of each sweep: the rows of each turn

    def first(*args):
        out = _tuple(bodies[0](*args))
        tapes[0].append(out[len(groups[0][1]) :])
        return out[: len(groups[0][1])]

    tapes.append([])
    states = list(run_while(cond, first, cond_consts, *groups[0], limit))
    turns = range(len(tapes[0]))
    for number, (body, (consts, carry), read) in enumerate(zip(bodies[1:], groups[1:], reads[1:]), 1):
        tapes.append([()] * len(turns))
        for turn in reversed(turns) if number % 2 else turns:
            out = _tuple(body(*consts, *carry, *(tapes[j][turn][r] for j, r in read)))
            carry, tapes[number][turn] = out[: len(carry)], out[len(carry) :]
        states += carry
    return tuple(states)


def _tuple(out: Any) -> tuple:
    return tuple(out) if isinstance(out, (tuple, list)) else (out,)
