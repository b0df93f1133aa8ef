"""`switch(index, *operands)` applies one of several graphs with equal types; an index outside is moved to the nearer end."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import at_user_line
from ..interpret import replay
from ..ir import Graph
from ..ir.types import INT
from ..trace import type_of
from ..transforms.backward import transpose as transpose_graph
from ..transforms.batch import batch as batch_graph
from .bodies import batched_body, build, same_captures, split
from .core import Linear, define, zeros
from .elementwise import equal, mask_gradient, maximum, minimum, select
from .lanes import may_fail, one_by_one
from .movement import broadcast_to, reshape


def _infer_switch(index, *types, branches):
    if index.shape != () or index.dtype != INT:
        raise TypeError(at_user_line(f"switch: the index must be one int64, got {index}"))
    return tuple(t.strong for t in branches[0].out_types)


def _run_switch(xp, index, *operands, branches):
    return tuple(replay(branches[min(max(int(index), 0), len(branches) - 1)], list(operands)))


def _show_switch(index, *operands, branches):
    return f"({', '.join(branches)},)[min(max({index}, 0), {len(branches) - 1})]({', '.join(operands)})"


def _jvp_switch(primals, outs, tangents, branches):
    index, *operands = primals
    active = tuple(i for i, t in enumerate(tangents[1:]) if t is not None)
    parts = [split(b, active) for b in branches]
    n = len(outs)
    if not any(p.reached for p in parts):
        return (None,) * n
    reached = sorted(set().union(*[p.reached for p in parts]))
    residual_types = [[a.type.strong for a in p.forward.outputs[n:]] for p in parts]

    def forward(k):
        def function(*args):
            out = replay(parts[k].forward, [*args, *parts[k].outside])
            return [v for j, types in enumerate(residual_types) for v in (out[n:] if j == k else map(zeros, types))]

        return build(branches[k].in_types, function)

    rows = same_captures([forward(k) for k in range(len(branches))])
    residuals = switch(index, *operands, *rows[1], branches=rows[0]) if any(residual_types) else ()
    offsets = np.cumsum([0, *map(len, residual_types)])
    moving = [tangents[i + 1] for i in active]
    types = [*map(type_of, moving), *(t for ts in residual_types for t in ts)]

    def linear(k):
        def function(*args):
            out = parts[k].moved(n, args[: len(moving)], args[len(moving) + offsets[k] : len(moving) + offsets[k + 1]])
            return [zeros(outs_type[i]) if out[i] is None else out[i] for i in reached]

        return build(types, function)

    outs_type = [t.strong for t in branches[0].out_types]
    graphs, outside = same_captures([linear(k) for k in range(len(branches))])
    results = switch(index, *moving, *residuals, *outside, branches=graphs)
    result: list[Any] = [None] * n
    for i, t in zip(reached, results):
        result[i] = t
    return tuple(result)


def _transpose_switch(cts, index, *inputs, branches):
    moving = [isinstance(x, Linear) for x in inputs]
    fixed = [x for x, m in zip(inputs, moving) if not m]
    arrived = [i for i, ct in enumerate(cts) if ct is not None]
    types = [*(branches[0].out_types[i].strong for i in arrived), *map(type_of, fixed)]
    linear_types = [x.type.strong for x, m in zip(inputs, moving) if m]

    def turned(branch):
        ordered = Graph(
            (*(v for v, m in zip(branch.inputs, moving) if m), *(v for v, m in zip(branch.inputs, moving) if not m)), branch.nodes, branch.outputs
        )

        def function(*args):
            ct: list[Any] = [None] * len(cts)
            for i, c in zip(arrived, args):
                ct[i] = c
            back = transpose_graph(ordered, len(linear_types), args[len(arrived) :], ct)
            return [zeros(t) if b is None else b for b, t in zip(back, linear_types)]

        return build(types, function)

    graphs, outside = same_captures([turned(b) for b in branches])
    results = iter(switch(index, *(cts[i] for i in arrived), *fixed, *outside, branches=graphs))
    return (None, *(next(results) if m else None for m in moving))


def _batch_switch(args, batched, branches):
    index, *operands = args
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    flags = tuple(batched[1:])
    if not batched[0]:
        everything = (True,) * len(branches[0].outputs)
        graphs, outside = same_captures([batched_body(b, flags, n, everything)[:2] for b in branches])
        return switch(index, *operands, *outside, branches=graphs)
    if any([may_fail(b) for b in branches]):
        return one_by_one(switch, args, batched, {"branches": branches})
    # One index an example: all branches are computed, each on operands whose derivative flows only where it was chosen.
    last = len(branches) - 1
    index = minimum(maximum(index, np.int64(0), tie=0.0), np.int64(last), tie=0.0)
    results: list[Any] = [None] * len(branches[0].outputs)
    for k, branch in enumerate(branches):
        chosen = equal(index, np.int64(k))

        def column(x, chosen=chosen):
            return reshape(chosen, shape=(n, *(1,) * (type_of(x).ndim - 1)))

        safe = []
        for x, b in zip(operands, flags):
            x = x if b else broadcast_to(x, shape=(n, *type_of(x).shape))
            safe.append(mask_gradient(column(x), x) if type_of(x).dtype.kind in "fc" else x)
        out, marks = batch_graph(branch, safe, (True,) * len(safe))
        for i, (o, m) in enumerate(zip(out, marks)):
            o = o if m else broadcast_to(o, shape=(n, *type_of(o).shape))
            results[i] = o if results[i] is None else select(column(o), o, results[i])
    return tuple(results)


switch = define(
    "switch",
    infer=_infer_switch,
    run=_run_switch,
    jvp=_jvp_switch,
    transpose=_transpose_switch,
    batch=_batch_switch,
    kind="switch",
    multiple=True,
    dear=True,
    show=_show_switch,
)
