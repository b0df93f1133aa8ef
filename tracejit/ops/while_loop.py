"""`while_loop(*cond_consts, *body_consts, *carry)` runs `body(body_consts, carry) -> carry` as long as `cond(cond_consts, carry)` holds.

With `rows`, as batching makes it, the state has a first axis of rows, whose number of turns is each one's own: the condition is `reduce_any` over the
conditions of the rows, and a turn leaves the rows alone whose condition does not hold.

In forward mode the tangents go round with the state.  That loop is linear in the tangents, and its transpose is `sweeps`: forwards with the values
that the way back needs on a tape, and back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import at_user_line
from ..interpret import replay, run_while
from ..trace import type_of
from ..transforms.batch import batch as batch_graph
from ..transforms.forward import push_forward
from .bodies import batched_body, build, captures_first, cut, grow, materialize, parts, positions, split
from .core import define, zeros
from .elementwise import select
from .lanes import may_fail, one_by_one
from .movement import broadcast_to, reshape
from .reduction import reduce_any
from .sweeps import Sweep, rows_apart, transpose_sweeps


class Limit(NamedTuple):
    """How many turns a loop may take, and the user's line that said so."""

    steps: int
    where: str


def _infer_while(*types, cond, body, cond_consts, body_consts, limit, rows=False):
    out = tuple(t.strong for t in body.out_types)
    if out != tuple(t.strong for t in types[cond_consts + body_consts :]):
        raise TypeError(
            at_user_line(f"while_loop: the body turns {', '.join(map(str, types[cond_consts + body_consts :]))} into {', '.join(map(str, out))}")
        )
    return out


def _run_while(xp, *args, cond, body, cond_consts, body_consts, limit, rows=False):
    return run_while(lambda *a: replay(cond, a)[0], lambda *a: replay(body, a), *parts(args, cond_consts, body_consts), limit)


def _show_while(*args, cond, body, cond_consts, body_consts, limit, rows=False):
    groups = (f"({', '.join(p)}{',' * (len(p) == 1)})" for p in parts(args, cond_consts, body_consts))
    return f"tracejit.interpret.run_while({cond}, {body}, {', '.join(groups)}, {limit and tuple(limit)})"


def _jvp_while(primals, outs, tangents, cond, body, cond_consts, body_consts, limit, rows=False):
    """Forward mode: the tangents go round with the state."""
    for_cond, for_body, state = parts(primals, cond_consts, body_consts)
    _, t_body, t_state = parts(tangents, cond_consts, body_consts)
    n, place = len(state), slice(body_consts, body_consts + len(state))

    def turn(flags):
        reached = split(body, positions(flags)).reached
        return [i in reached for i in range(n)]

    flags = grow([t is not None for t in (*t_body, *t_state)], place, turn)
    active, f_state = positions(flags), flags[place]
    moving_consts = materialize(t_body, for_body, flags[:body_consts])
    moving = materialize(t_state, state, f_state)
    nc, nm = len(moving_consts), len(moving)

    def both(*args):
        consts, t_consts, values, ts = cut(args, body_consts, nc, n, nm)
        given: list[Any] = [None] * (body_consts + n)
        for i, t in zip(active, (*t_consts, *ts)):
            given[i] = t
        out, moved = push_forward(body, dict(zip(body.inputs, (*consts, *values))), given)
        return [*out, *(zeros(t) if m is None else m for m, t, f in zip(moved, body.out_types, f_state) if f)]

    types = [*map(type_of, for_body), *map(type_of, moving_consts), *map(type_of, state), *map(type_of, moving)]
    new_body, outside = build(types, both)
    new_cond, cond_outside = build(
        [*map(type_of, for_cond), *map(type_of, state), *map(type_of, moving)], lambda *a: replay(cond, a[: cond_consts + n])
    )
    results = while_loop(
        *for_cond,
        *cond_outside,
        *for_body,
        *moving_consts,
        *outside,
        *state,
        *moving,
        cond=captures_first(new_cond, cond_consts, len(cond_outside)),
        body=captures_first(new_body, body_consts + nc, len(outside)),
        cond_consts=cond_consts + len(cond_outside),
        body_consts=body_consts + nc + len(outside),
        limit=limit,
        **rows_apart(rows),
    )
    result: list[Any] = [None] * n
    for i, t in zip(positions(f_state), results[n:]):
        result[i] = t
    return tuple(result)


def _transpose_while(cts, *inputs, cond, body, cond_consts, body_consts, limit, rows=False):
    layout = (Sweep(body_consts, len(body.outputs)),)
    return transpose_sweeps(cts, *inputs, cond=cond, bodies=(body,), cond_consts=cond_consts, layout=layout, limit=limit, rows=rows)


def _batch_while(args, batched, cond, body, cond_consts, body_consts, limit, rows=False):
    """Every example turns until all are done; those that are done keep their state. Where a turn too many might fail, they run one by one."""
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    for_cond, for_body, state = parts(args, cond_consts, body_consts)
    b_cond, b_body, b_state = parts(list(batched), cond_consts, body_consts)
    flags = grow([*b_body, *b_state], slice(body_consts, body_consts + len(state)), lambda f: batched_body(body, f, n, ())[2])
    b_state = flags[body_consts:]
    _, _, (cond_batched,) = batched_body(cond, (*b_cond, *b_state), n, ())
    if cond_batched and may_fail(body):
        params = {"cond": cond, "body": body, "cond_consts": cond_consts, "body_consts": body_consts, "limit": limit, **rows_apart(rows)}
        return one_by_one(while_loop, args, batched, params)
    if cond_batched:
        b_state = [True] * len(state)
    state = [
        s if b else broadcast_to(s, shape=(n, *type_of(s).shape)) if f else s for s, b, f in zip(state, batched[cond_consts + body_consts :], b_state)
    ]

    def condition(*a):
        (holds,), (m,) = batch_graph(cond, a, (*b_cond, *b_state))
        if m:
            return [reduce_any(holds, axes=(0,))]
        return [holds]

    def step(*a):
        c, b, k = parts(a, cond_consts if cond_batched else 0, body_consts)
        out, marks = batch_graph(body, (*b, *k), (*flags[:body_consts], *b_state))
        out = [o if m or not f else broadcast_to(o, shape=(n, *type_of(o).shape)) for o, m, f in zip(out, marks, b_state)]
        if not cond_batched:
            return out
        (holds,), _ = batch_graph(cond, (*c, *k), (*b_cond, *b_state))
        return [select(reshape(holds, shape=(n, *(1,) * (type_of(o).ndim - 1))), o, s) for o, s in zip(out, k)]

    extra = for_cond if cond_batched else ()
    new_cond, cond_outside = build([*map(type_of, for_cond), *map(type_of, state)], condition)
    new_body, body_outside = build([*map(type_of, extra), *map(type_of, for_body), *map(type_of, state)], step)
    before = len(extra) + body_consts
    results = while_loop(
        *for_cond,
        *cond_outside,
        *extra,
        *for_body,
        *body_outside,
        *state,
        cond=captures_first(new_cond, cond_consts, len(cond_outside)),
        body=captures_first(new_body, before, len(body_outside)),
        cond_consts=cond_consts + len(cond_outside),
        body_consts=before + len(body_outside),
        limit=limit,
        **rows_apart(cond_batched),
    )
    return tuple(r if f else broadcast_to(r, shape=(n, *type_of(r).shape)) for r, f in zip(results, b_state))


while_loop = define(
    "while_loop",
    infer=_infer_while,
    run=_run_while,
    jvp=_jvp_while,
    transpose=_transpose_while,
    batch=_batch_while,
    kind="while",
    multiple=True,
    dear=True,
    show=_show_while,
)
