"""Loops and branches that Python drives: each turn is a program, and a condition is waited for.

`body(graph)` gives the compiled function of a graph.  See `loops.py` for those that stay on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...interpret import run_scan, run_sweeps, run_while
from ...ir import Graph
from ...ops.bodies import parts
from ...ops.sweeps import Sweep, arguments
from ...ops.while_loop import Limit

Bodies = Callable[[Graph], Callable[..., list[Any]]]


def _scan(bodies: Bodies, args: Sequence[Any], body: Graph, consts: int, carry: int, length: int, reverse: bool, base: Graph | None = None):
    if not length:
        return (*args[consts : consts + carry], *(np.empty((0, *t.shape), t.dtype) for t in body.out_types[carry:]))
    return run_scan(bodies(body), *parts(args, consts, carry), length, reverse)


def _while(
    bodies: Bodies, args: Sequence[Any], cond: Graph, body: Graph, cond_consts: int, body_consts: int, limit: Limit | None, rows: bool = False
):
    return run_while(_test(bodies, cond), bodies(body), *parts(args, cond_consts, body_consts), limit)


def _sweeps(
    bodies: Bodies,
    args: Sequence[Any],
    cond: Graph,
    bodies_: tuple[Graph, ...],
    cond_consts: int,
    layout: Sequence[Sweep],
    limit: Limit | None,
    rows: bool = False,
):
    for_cond, groups = arguments(args, cond_consts, layout)
    return run_sweeps(_test(bodies, cond), [bodies(b) for b in bodies_], for_cond, groups, [s.reads for s in layout], limit)


def _test(bodies: Bodies, cond: Graph) -> Callable[..., bool]:
    holds = bodies(cond)
    return lambda *args: bool(holds(*args)[0])


def _switch(bodies: Bodies, args: Sequence[Any], branches: tuple[Graph, ...]):
    index, *operands = args
    return tuple(bodies(branches[min(max(int(index), 0), len(branches) - 1)])(*operands))


LOOPS = {
    "scan": _scan,
    "while": _while,
    "sweeps": lambda body, args, *, bodies, **params: _sweeps(body, args, bodies_=bodies, **params),
    "switch": _switch,
}
