"""`scan(*consts, *carry, *xs)` runs `body(consts, carry, x) -> (carry, y)` along the first axis of the xs; it gives the last carry and stacked ys.

Reverse mode is a scan backwards over stacked residuals; those that do not change in the loop are handed over whole.  `base` is the body that a body
with residuals was made of, and `strands` the number of parts that lowering cuts the rows of the state into.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import at_user_line
from ..interpret import replay, run_scan
from ..ir import ArrayType, Graph, Var
from ..ir.types import INT
from ..trace import type_of
from ..trace.constants import active_traces, known, plain
from ..transforms.backward import transpose as transpose_graph
from .bodies import batched_body, build, captures_first, cut, grow, materialize, parts, positions, split, to_keep
from .core import Linear, define, move_axis, zeros
from .movement import broadcast_to, iota


def counted(x: Any) -> Any:
    """Whole numbers start, start + 1, ... that a loop in a trace scans over, as an operation: compiled code then counts, where it would read an
    array. Anything else as it is."""
    traces = active_traces()
    if not traces or not known(x) or type_of(x).dtype != INT or len(type_of(x).shape) != 1:
        return x
    numbers = plain(x)
    if not numbers.size or (np.diff(numbers) != 1).any():
        return x
    count = traces[-1].emit(iota, (), {"shape": numbers.shape, "axis": 0, "dtype": INT})
    return count + int(numbers[0]) if numbers[0] else count


def _infer_scan(*types, body, consts, carry, length, reverse, base=None, strands=1):
    for t in types[consts + carry :]:
        if t.ndim == 0 or t.shape[0] != length:
            raise ValueError(at_user_line(f"scan: arrays to scan over must have {length} elements along their first axis, got {t}"))
    given = [*types[: consts + carry], *(ArrayType(t.shape[1:], t.dtype) for t in types[consts + carry :])]
    want = body.in_types
    if [t.strong for t in given] != [t.strong for t in want]:
        raise TypeError(at_user_line(f"scan: the body takes {', '.join(map(str, want))}, got {', '.join(map(str, given))}"))
    out = [t.strong for t in body.out_types]
    return (*out[:carry], *(ArrayType((length, *t.shape), t.dtype) for t in out[carry:]))


def _run_scan(xp, *args, body, consts, carry, length, reverse, base=None, strands=1):
    if length == 0:
        rows = [xp.empty((0, *t.shape), t.dtype) for t in body.out_types[carry:]]
        return (*args[consts : consts + carry], *rows)
    return run_scan(lambda *a: replay(body, a), *parts(args, consts, carry), length, reverse)


def _show_scan(*args, body, consts, carry, length, reverse, base=None, strands=1):
    fixed, state, xs = (f"({', '.join(p)}{',' * (len(p) == 1)})" for p in parts(args, consts, carry))
    return f"tracejit.interpret.run_scan({body}, {fixed}, {state}, {xs}, {length}, {reverse})"


def _jvp_scan(primals, outs, tangents, body, consts, carry, length, reverse, base=None):
    place = slice(consts, consts + carry)

    def turn(flags):
        reached = split(body, positions(flags)).reached
        return [i in reached for i in range(carry)]

    flags = grow([t is not None for t in tangents], place, turn)
    made = split(body, positions(flags))
    n = len(outs)
    # What the way back reads of the constants and rows of the loop it takes from where they are; the rest is kept, one row a turn.
    inputs = made.forward.inputs
    read = [a for a in made.forward.outputs[n:] if type(a) is Var]
    constants = dict(zip((*inputs[:consts], *inputs[len(body.inputs) :]), (*primals[:consts], *made.outside)))
    given = dict(zip(inputs[consts + carry :], primals[consts + carry :]))
    results = {a: i for i, a in enumerate(made.forward.outputs[:n]) if i >= carry and type(a) is Var and a not in constants and a not in given}
    kept, again = to_keep(made.forward, made.forward.nodes, read, constants, {*given, *results})
    forward = made.forward.derived(("rows", tuple(kept)), lambda: Graph(inputs, made.forward.nodes, (*made.forward.outputs[:n], *kept)))
    fixed, state, xs = parts(primals, consts, carry)
    full = scan(
        *fixed,
        *made.outside,
        *state,
        *xs,
        body=captures_first(forward, consts, len(made.outside)),
        consts=consts + len(made.outside),
        carry=carry,
        length=length,
        reverse=reverse,
        base=body,
    )
    taken = {a for node in again for a in node.inputs} | set(read)
    whole_of = {v: x for v, x in constants.items() if v in taken}
    row_of = {v: x for v, x in given.items() if v in taken}
    row_of |= {v: full[i] for v, i in results.items() if v in taken} | dict(zip(kept, full[n:]))
    whole, rows = list(whole_of.values()), list(row_of.values())
    recall = Graph((*whole_of, *row_of), tuple(again), made.forward.outputs[n:])
    f_consts, f_carry, f_xs = flags[:consts], flags[place], flags[consts + carry :]
    t_consts, t_carry, t_xs = (materialize(t, p, f) for t, p, f in zip(parts(tangents, consts, carry), (fixed, state, xs), (f_consts, f_carry, f_xs)))
    y_reached = [i for i in range(carry, n) if i in made.reached]
    counts = len(t_consts), len(whole), len(t_carry), len(t_xs)

    def make():
        types = [*(type_of(t) for t in t_consts), *(type_of(w) for w in whole), *(type_of(t) for t in t_carry)]
        types += [ArrayType(type_of(x).shape[1:], type_of(x).dtype) for x in (*t_xs, *rows)]

        def function(*args):
            c, w, k, x = cut(args, *counts)
            r = args[sum(counts) :]
            out = made.moved(n, [*c, *k, *x], replay(recall, [*w, *r]))
            kept = [zeros(body.out_types[i]) if out[i] is None else out[i] for i in positions(f_carry)]
            return [*kept, *(out[i] for i in y_reached)]

        return build(types, function)

    linear, outside = make()
    results = scan(
        *t_consts,
        *whole,
        *outside,
        *t_carry,
        *t_xs,
        *rows,
        body=captures_first(linear, len(t_consts) + len(whole), len(outside)),
        consts=len(t_consts) + len(whole) + len(outside),
        carry=len(t_carry),
        length=length,
        reverse=reverse,
    )
    result: list[Any] = [None] * n
    for i, t in zip((*positions(f_carry), *y_reached), results):
        result[i] = t
    return tuple(result)


def _transpose_scan(cts, *inputs, body, consts, carry, length, reverse, base=None):
    # The state of a linear loop is linear, also where it starts from a constant: that is a zero.
    moving = [isinstance(x, Linear) or consts <= i < consts + carry for i, x in enumerate(inputs)]
    m_consts, m_xs = moving[:consts], moving[consts + carry :]
    fixed_consts = [x for x, m in zip(inputs[:consts], m_consts) if not m]
    fixed_xs = [x for x, m in zip(inputs[consts + carry :], m_xs) if not m]
    outs = _infer_scan(
        *[x.type if isinstance(x, Linear) else type_of(x) for x in inputs], body=body, consts=consts, carry=carry, length=length, reverse=reverse
    )
    full = [zeros(t) if ct is None else ct for ct, t in zip(cts, outs)]
    y_arrived = [i for i in range(carry, len(outs)) if cts[i] is not None]
    sums = [zeros(x.type) for x, m in zip(inputs[:consts], m_consts) if m]
    linear_inputs = positions(moving)
    ordered = Graph((*(body.inputs[i] for i in linear_inputs), *(v for v, m in zip(body.inputs, moving) if not m)), body.nodes, body.outputs)
    n_sums, n_ys = len(sums), len(y_arrived)

    def function(*args):
        fc, k, acc, y, fx = cut(args, len(fixed_consts), carry, n_sums, n_ys, len(fixed_xs))
        ct = [*k, *[None] * (len(outs) - carry)]
        for i, c in zip(y_arrived, y):
            ct[i] = c
        back = transpose_graph(ordered, len(linear_inputs), [*fc, *fx], ct, start=acc)
        got_consts, got_carry, got_xs = cut(back, n_sums, carry, len(back) - n_sums - carry)
        state = [zeros(v.type) if c is None else c for c, v in zip(got_carry, body.inputs[consts : consts + carry])]
        rows = [zeros(body.inputs[i].type) if c is None else c for c, i in zip(got_xs, linear_inputs[n_sums + carry :])]
        return [*state, *got_consts, *rows]

    types = [
        *map(type_of, fixed_consts),
        *(t.strong for t in body.out_types[:carry]),
        *map(type_of, sums),
        *(body.out_types[i].strong for i in y_arrived),
    ]
    types += [ArrayType(type_of(x).shape[1:], type_of(x).dtype) for x in fixed_xs]
    turned, outside = build(types, function)
    results = scan(
        *fixed_consts,
        *outside,
        *full[:carry],
        *sums,
        *(full[i] for i in y_arrived),
        *fixed_xs,
        body=captures_first(turned, len(fixed_consts), len(outside)),
        consts=len(fixed_consts) + len(outside),
        carry=carry + n_sums,
        length=length,
        reverse=not reverse,
    )
    got = [*results[carry : carry + n_sums], *results[:carry], *results[carry + n_sums :]]
    back: list[Any] = [None] * len(inputs)
    for i, ct in zip(linear_inputs, got):
        if isinstance(inputs[i], Linear):
            back[i] = ct
    return tuple(back)


def batch_scan(args, batched, body, consts, carry, length, reverse, base=None, apply=None):
    """The rule of scan, and of ops like it: `apply` is what the batched loop is an application of."""
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    place = slice(consts, consts + carry)

    def turn(flags):
        return batched_body(body, flags, n, ())[2][:carry]

    flags = grow(list(batched), place, turn)
    inner, outside, marks = batched_body(body, tuple(flags), n, tuple(flags[place]))
    fixed, state, xs = parts(args, consts, carry)
    state = [s if b or not f else broadcast_to(s, shape=(n, *type_of(s).shape)) for s, b, f in zip(state, batched[place], flags[place])]
    xs = [move_axis(x, 0, 1) if b else x for x, b in zip(xs, batched[consts + carry :])]
    results = (apply or scan)(
        *fixed,
        *outside,
        *state,
        *xs,
        body=captures_first(inner, consts, len(outside)),
        consts=consts + len(outside),
        carry=carry,
        length=length,
        reverse=reverse,
    )
    out = []
    for i, (r, m) in enumerate(zip(results, marks)):
        if not m:
            out.append(broadcast_to(r, shape=(n, *type_of(r).shape)))
        else:
            out.append(r if i < carry else move_axis(r, 1, 0))
    return tuple(out)


scan = define(
    "scan",
    infer=_infer_scan,
    run=_run_scan,
    jvp=_jvp_scan,
    transpose=_transpose_scan,
    batch=batch_scan,
    kind="scan",
    multiple=True,
    dear=True,
    show=_show_scan,
)
