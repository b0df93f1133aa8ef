"""`binomial_scan`: a `scan` whose reverse mode keeps a given number of states, and runs the turns between them again: binomial checkpointing.

With c states kept, each turn is run forwards at most r + 1 times, where r is the least number with C(c + r, c) >= n for n turns: no schedule does
better (Griewank and Walther, "Revolve", ACM TOMS 26, 2000).  Twelve states are enough for 1,820 turns at r = 4 and for 18,564 at r = 6.

The derivative carries tangents beside the values.  Its transpose goes through the turns backwards: for each it takes up the last state that is kept
at or before the turn, runs forwards from there, keeping states on the way as the schedule says, and then runs the one turn backwards.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb
from typing import Any

import numpy as np

from ..interpret import replay
from ..ir import ArrayType, Graph, live_nodes
from ..trace import type_of
from ..transforms.backward import transpose as transpose_graph
from .bodies import build, captures_first, cut, grow, materialize, parts, positions, split
from .core import Linear, add_tangents, define, zeros
from .movement import concatenate, reshape
from .scan import batch_scan, scan
from .sweeps import Sweep, dual_body, reached_outputs
from .while_loop import while_loop


def repetitions(length: int, slots: int) -> int:
    """How often a turn is run again at most: the least r with C(slots + r, slots) >= length."""
    r = 0
    while comb(slots + r, slots) < length:
        r += 1
    return r


def _first_part(length: int, slots: int) -> int:
    """How far to run from a kept state before the next one is kept, with `slots` states for `length` turns, the one at the beginning included."""
    r = repetitions(length, slots)
    return max(1, min(comb(slots + r - 1, slots), length - comb(slots + r - 2, slots - 1))) if slots > 1 else length


@lru_cache(maxsize=256)
def schedule(length: int, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """For each turn, taken from the last to the first: the slot to start from and its position; and the states to keep on the way.

    The second array has a row (turn, position, slot) for each of those, in the order in which they are met, and one more that is never met.

    >>> starts, kept = schedule(4, 2)
    >>> starts.tolist(), kept.tolist()
    ([[0, 0], [0, 0], [1, 2], [0, 0]], [[3, 2, 1], [1, 1, 1], [-1, -1, 2]])
    """
    starts, kept, stack = np.zeros((length, 2), np.int64), [], [0]
    for turn in reversed(range(length)):
        while stack[-1] > turn:
            stack.pop()
        starts[turn] = len(stack) - 1, stack[-1]
        while len(stack) < slots and turn > stack[-1]:
            stack.append(stack[-1] + _first_part(turn + 1 - stack[-1], slots - len(stack) + 1))
            kept.append((turn, stack[-1], len(stack) - 1))
    return starts, np.array([*kept, (-1, -1, slots)], np.int64)


def _jvp(primals, outs, tangents, body, consts, carry, length, reverse, slots):
    place = slice(consts, consts + carry)

    def reached(flags):
        return split(body, positions(flags)).reached

    flags = grow([t is not None for t in tangents], place, lambda f: [i in reached(f) for i in range(carry)])
    ends = reached(tuple(flags))
    rows_marked = [i in ends for i in range(carry, len(outs))]
    dual, outside = dual_body(body, Sweep(consts, carry), flags, rows_marked)
    given = [
        (list(p), materialize(t, p, f))
        for p, t, f in zip(parts(primals, consts, carry), parts(tangents, consts, carry), parts(flags, consts, carry))
    ]
    before = sum(map(len, given[0]))
    results = binomial_scan(
        *given[0][0], *given[0][1], *outside, *given[1][0], *given[1][1], *given[2][0], *given[2][1],
        body=captures_first(dual, before, len(outside)), consts=before + len(outside), carry=sum(map(len, given[1])),
        length=length, reverse=reverse, slots=slots,
    )  # fmt: skip
    _, t_carry, _, t_rows = cut(results, carry, len(given[1][1]), len(outs) - carry, sum(rows_marked))
    result: list[Any] = [None] * len(outs)
    marked = [*positions(flags[place]), *(carry + i for i in positions(rows_marked))]
    for i, t in zip(marked, (*t_carry, *t_rows)):
        result[i] = t
    return tuple(result)


def _transpose(cts, *inputs, body, consts, carry, length, reverse, slots):
    place = slice(consts, consts + carry)
    moving = grow([isinstance(x, Linear) for x in inputs], place, lambda f: reached_outputs(body, f)[:carry])
    fixed = [None if m else x for x, m in zip(inputs, moving)]
    f_consts, f_state, f_xs = ([x for x, m in zip(p, q) if not m] for p, q in zip(parts(fixed, consts, carry), parts(moving, consts, carry)))
    linear_inputs = positions(moving)
    fixed_inputs = [v for v, m in zip(body.inputs, moving) if not m]
    ordered = Graph((*(body.inputs[i] for i in linear_inputs), *fixed_inputs), body.nodes, body.outputs)
    kept_outputs = tuple(a for a, m in zip(body.outputs, moving[place]) if not m)
    step = Graph(tuple(fixed_inputs), live_nodes(body.nodes, kept_outputs), kept_outputs)
    state_types = [t.strong for t, m in zip(body.out_types, moving[place]) if m]
    moving_state = positions(moving[place])
    sums = [zeros(x.type) for x, m in zip(inputs[:consts], moving) if m]
    arrived = [i for i in range(carry, len(cts)) if cts[i] is not None]
    starts, kept = schedule(length, slots)
    n = len(f_consts), len(f_xs), 1, 1, len(f_state), len(state_types), len(sums), 3, len(arrived), len(f_xs)

    def turn_back(*args):
        c, xs, (table,), (at,), store, ct, acc, (turn, slot, position), y, x = cut(args, *n)
        state, store, at = _forwards(step, c, xs, table, at, store, turn, slot, position, length, reverse, slots)
        given: list[Any] = [None] * len(cts)
        for i, t in zip((*moving_state, *arrived), (*ct, *y)):
            given[i] = t
        back = transpose_graph(ordered, len(linear_inputs), [*c, *state, *x], given)
        dense = [zeros(v.type) if b is None else b for b, v in zip(back, ordered.inputs)]
        b_consts, b_state, b_xs = back[: len(acc)], dense[len(acc) : len(acc) + len(ct)], dense[len(acc) + len(ct) :]
        return [at, *store, *b_state, *map(add_tangents, acc, b_consts), *b_xs]

    # A slot for each kept state, and one that takes what is not to be kept. The first state is kept throughout.
    stores = []
    for s in f_state:
        t = type_of(s)
        stores.append(concatenate(reshape(s, shape=(1, *t.shape)), zeros(ArrayType((slots, *t.shape), t.dtype)), axis=0))
    begin = [zeros(t) if cts[i] is None else cts[i] for i, t in zip(moving_state, state_types)]
    rows = [np.arange(length), *starts.T]
    rows = [np.ascontiguousarray(r[::-1] if reverse else r) for r in rows]
    whole = [*f_consts, *f_xs, kept]
    state = [np.int64(0), *stores, *begin, *sums]
    xs = [*rows, *(cts[i] for i in arrived), *f_xs]
    types = [*map(type_of, whole), *map(type_of, state), *(ArrayType(type_of(x).shape[1:], type_of(x).dtype) for x in xs)]
    turned, outside = build([t.strong for t in types], turn_back)
    results = scan(
        *whole, *outside, *state, *xs,
        body=captures_first(turned, len(whole), len(outside)), consts=len(whole) + len(outside), carry=len(state), length=length, reverse=not reverse,
    )  # fmt: skip
    _, _, b_state, b_consts, b_xs = cut(results, 1, len(stores), len(begin), len(sums), len(results) - len(state))
    result: list[Any] = [None] * len(inputs)
    for i, ct in zip(linear_inputs, (*b_consts, *b_state, *b_xs)):
        if isinstance(inputs[i], Linear):
            result[i] = ct
    return tuple(result)


def _forwards(step, consts, xs, table, at, stores, turn, slot, position, length, reverse, slots):
    """The fixed state at the beginning of `turn`, from the one in `slot`, which is that of `position`; the stores and the place in the table after
    it."""
    count = len(stores)

    def condition(i, *rest):
        return [i < turn]

    def advance(i, at, *rest):
        state, stores = rest[:count], rest[count:]
        state = replay(step, [*consts, *state, *(x[length - 1 - i if reverse else i] for x in xs)])
        met = (table[at, 0] == turn) & (table[at, 1] == i + 1)
        place = np.where(met, table[at, 2], slots)
        return [i + 1, at + met, *state, *(store.at[place].set(s) for store, s in zip(stores, state))]

    begin = [position, at, *(store[slot] for store in stores), *stores]
    types = [type_of(x).strong for x in begin]
    (test, test_outside), (body, body_outside) = build(types, condition), build(types, advance)
    results = while_loop(
        *test_outside, *body_outside, *begin,
        cond=captures_first(test, 0, len(test_outside)), body=captures_first(body, 0, len(body_outside)),
        cond_consts=len(test_outside), body_consts=len(body_outside), limit=None,
    )  # fmt: skip
    return results[2 : 2 + count], results[2 + count :], results[1]


binomial_scan = define(
    "binomial_scan",
    infer=lambda *types, slots, **params: scan.infer(*types, **params),
    run=lambda xp, *args, slots, **params: scan.run(xp, *args, **params),
    jvp=_jvp,
    transpose=_transpose,
    batch=lambda args, batched, slots, **params: batch_scan(args, batched, **params, apply=lambda *a, **p: binomial_scan(*a, **p, slots=slots)),
    inline=lambda *types, slots, **params: build(types, lambda *args: scan(*args, **params))[0],
    kind="call",
    multiple=True,
    dear=True,
)
