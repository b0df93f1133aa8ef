"""`sweeps`: a loop of unknown length that is run there, and back, and there again.  Reverse mode through `while_loop` is this.

The first sweep is a while loop: `bodies[0]` turns as long as `cond` holds, and leaves rows of values behind at each turn, on a tape that grows with
the turns.  Every further sweep visits the same turns in the opposite order to the one before it, reads the rows that earlier sweeps left at the
turn, and may leave rows of its own.  The results are the last states of all sweeps; the tapes live no longer than the operation.

What a sweep reads is chosen by `Sweep.reads`.  The arguments are the constants of the condition, and then for each sweep its constants and its state:

    cond(*cond_consts, *state 0) -> bool
    bodies[i](*consts i, *state i, *rows read) -> (*state i, *rows left)

With `rows`, as in `while_loop`, the states have a first axis of rows, each of which takes its own number of turns; further ones leave it alone.

The operation is closed under every transform, which is why it exists.  Its derivative carries tangents beside the values in each sweep; the
transpose of a linear chain of sweeps runs the sweeps of its fixed part and then the transposed ones, the last one first, each in the opposite
direction: twice as many, alternating as before.  `while_loop` is one sweep, its reverse mode two, that of its reverse mode four.

The tape is filled by the operation that empties it, from the loop's own inputs.  So what lies between the forward and the backward program is the
input of the loop and no tape: a `while_loop` inside a `scan` costs a tape for one turn of the scan at a time, at the price of one more run forwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import at_user_line
from ..interpret import replay, run_sweeps
from ..ir import Atom, Graph, Node, Var, live_nodes
from ..trace import type_of
from ..transforms.backward import transpose as transpose_graph
from ..transforms.batch import batch as batch_graph
from ..transforms.forward import push_forward
from .bodies import batched_body, build, captures_first, cut, grow, materialize, positions, split, to_keep
from .core import Linear, add_tangents, define, zeros
from .elementwise import select
from .lanes import may_fail, one_by_one
from .movement import broadcast_to, reshape
from .reduction import reduce_any


class Sweep(NamedTuple):
    """How many constants and state values a sweep has, and the rows that it reads: (number of an earlier sweep, number of the row)."""

    consts: int
    carry: int
    reads: tuple[tuple[int, int], ...] = ()

    def rows_left(self, body: Graph) -> int:
        return len(body.outputs) - self.carry


def rows_apart(rows: bool) -> dict[str, bool]:
    """The parameter of loops over rows that each end by themselves; others do not have it."""
    return {"rows": True} if rows else {}


def arguments(args: Sequence[Any], cond_consts: int, layout: Sequence[Sweep]) -> tuple[Sequence[Any], list[tuple[Sequence[Any], Sequence[Any]]]]:
    """The constants of the condition, and constants and state of each sweep."""
    for_cond, *rest = cut(args, cond_consts, *(n for s in layout for n in (s.consts, s.carry)))
    return for_cond, list(zip(rest[::2], rest[1::2]))


def _joined(groups: Sequence[tuple[Sequence[Any], Sequence[Any]]]) -> list[Any]:
    return [x for consts, state in groups for x in (*consts, *state)]


def _infer_sweeps(*types, cond, bodies, cond_consts, layout, limit, rows=False):
    _, groups = arguments(types, cond_consts, layout)
    for sweep, body, (consts, state) in zip(layout, bodies, groups):
        rows = [bodies[j].out_types[layout[j].carry + r] for j, r in sweep.reads]
        have, want = [t.strong for t in (*consts, *state, *rows)], [t.strong for t in body.in_types]
        if have != want or [t.strong for t in body.out_types[: sweep.carry]] != [t.strong for t in state]:
            raise TypeError(at_user_line(f"sweeps: a body takes {', '.join(map(str, want))}, got {', '.join(map(str, have))}"))
    return tuple(t.strong for _, state in groups for t in state)


def _run_sweeps(xp, *args, cond, bodies, cond_consts, layout, limit, rows=False):
    for_cond, groups = arguments(args, cond_consts, layout)
    steps = [lambda *a, body=body: replay(body, a) for body in bodies]
    return run_sweeps(lambda *a: replay(cond, a)[0], steps, for_cond, groups, [s.reads for s in layout], limit)


def _show_sweeps(*args, cond, bodies, cond_consts, layout, limit, rows=False):
    def listed(items) -> str:
        return f"({', '.join(items)}{',' * (len(items) == 1)})"

    for_cond, groups = arguments(args, cond_consts, layout)
    pairs = listed([f"({listed(consts)}, {listed(state)})" for consts, state in groups])
    given = [cond, listed(bodies), listed(for_cond), pairs, str([s.reads for s in layout]), str(limit and tuple(limit))]
    return f"tracejit.interpret.run_sweeps({', '.join(given)})"


# ------------------------------------------------------------------------------------------------------------------------ forward mode
def _jvp_sweeps(primals, outs, tangents, cond, bodies, cond_consts, layout, limit, rows=False):
    """Tangents go round with the state, and are left in rows beside the values that they belong to."""
    for_cond, groups = arguments(primals, cond_consts, layout)
    _, moved = arguments(tangents, cond_consts, layout)
    rows_marked: list[list[bool]] = []  # of each sweep: which of its rows have tangents
    states_marked: list[list[bool]] = []
    new_bodies, new_layout, new_groups = [], [], []
    for sweep, body, (consts, state), (t_consts, t_state) in zip(layout, bodies, groups, moved):
        place = slice(sweep.consts, sweep.consts + sweep.carry)

        def reached(flags, body=body):
            return split(body, positions(flags)).reached

        flags = [t is not None for t in (*t_consts, *t_state)] + [rows_marked[j][r] for j, r in sweep.reads]
        flags = grow(flags, place, lambda f, n=sweep.carry: [i in reached(f) for i in range(n)])
        ends = reached(tuple(flags)) if any(flags) else ()
        rows_marked.append([sweep.carry + r in ends for r in range(sweep.rows_left(body))])
        states_marked.append(flags[place])
        moving_consts, moving = materialize(t_consts, consts, flags[: sweep.consts]), materialize(t_state, state, flags[place])
        reads = list(sweep.reads)
        for j, r in sweep.reads:
            if rows_marked[j][r]:
                reads.append((j, len(rows_marked[j]) + sum(rows_marked[j][:r])))
        new_body, outside = dual_body(body, sweep, flags, rows_marked[-1])
        new_bodies.append(captures_first(new_body, sweep.consts + len(moving_consts), len(outside)))
        new_groups.append(([*consts, *moving_consts, *outside], [*state, *moving]))
        new_layout.append(Sweep(sweep.consts + len(moving_consts) + len(outside), sweep.carry + len(moving), tuple(reads)))
    ignored = [Var(type_of(x)) for x in new_groups[0][1][layout[0].carry :]]
    results = sweeps(
        *for_cond,
        *_joined(new_groups),
        cond=Graph((*cond.inputs, *ignored), cond.nodes, cond.outputs),
        bodies=tuple(new_bodies),
        cond_consts=cond_consts,
        layout=tuple(new_layout),
        limit=limit,
        **rows_apart(rows),
    )
    out: list[Any] = []
    for old, marked, ends in zip(layout, states_marked, cut(results, *(s.carry for s in new_layout))):
        found = iter(ends[old.carry :])
        out += [next(found) if m else None for m in marked]
    return tuple(out)


def dual_body(body: Graph, sweep: Sweep, flags: Sequence[bool], rows_marked: Sequence[bool]) -> tuple[Graph, list[Any]]:
    """A body on values and tangents: constants, state and rows, each with the marked tangents behind them."""
    groups = [slice(0, sweep.consts), slice(sweep.consts, sweep.consts + sweep.carry), slice(sweep.consts + sweep.carry, None)]

    def function(*args):
        at, values, given = 0, [], [None] * len(flags)
        for g in groups:
            count, marked = len(flags[g]), [i + g.start for i, f in enumerate(flags[g]) if f]
            values += args[at : at + count]
            for i, t in zip(marked, args[at + count :]):
                given[i] = t
            at += count + len(marked)
        out, moved = push_forward(body, dict(zip(body.inputs, values)), given)
        moved = [zeros(t) if m is None else m for m, t in zip(moved, body.out_types)]
        n = sweep.carry
        kept = [[m for m, f in zip(moved[:n], flags[groups[1]]) if f], [m for m, f in zip(moved[n:], rows_marked) if f]]
        return [*out[:n], *kept[0], *out[n:], *kept[1]]

    types = []
    for g in groups:
        types += [*body.in_types[g], *(t for t, f in zip(body.in_types[g], flags[g]) if f)]
    return build(types, function)


# ----------------------------------------------------------------------------------------------------------------------------- reverse mode
class _Halves:
    """A body that is linear in some inputs, taken apart: the fixed part, and the linear part, which reads values of the fixed one."""

    def __init__(self, body: Graph, moving: Sequence[bool]):
        self.moving = [v for v, m in zip(body.inputs, moving) if m]
        linear = set(self.moving)
        self.fixed_nodes, self.linear_nodes = [], []
        for node in body.nodes:
            if any(a in linear for a in node.inputs if type(a) is Var):
                self.linear_nodes.append(node)
                linear.update(node.outputs)
            else:
                self.fixed_nodes.append(node)
        self.read = [a for n in self.linear_nodes for a in n.inputs if type(a) is Var and a not in linear]


class _Transposing:
    """The transpose of sweeps that are linear in some of their inputs: fixed sweeps, and then the transposed ones, the last one first."""

    def __init__(self, cts, inputs, bodies, cond_consts, layout):
        self.layout, self.bodies = layout, bodies
        self.for_cond, self.groups = arguments(inputs, cond_consts, layout)
        self.cts = cut(list(cts), *(s.carry for s in layout))
        self.rows_moving: list[list[bool]] = []
        self.marks: list[list[bool]] = []
        self.halves: list[_Halves] = []
        for sweep, body, (consts, state) in zip(layout, bodies, self.groups):
            place = slice(sweep.consts, sweep.consts + sweep.carry)
            flags = [isinstance(x, Linear) for x in (*consts, *state)] + [self.rows_moving[j][r] for j, r in sweep.reads]
            flags = grow(flags, place, lambda f, body=body, n=sweep.carry: reached_outputs(body, f)[:n])
            self.marks.append(flags)
            self.rows_moving.append(reached_outputs(body, flags)[sweep.carry :])
            self.halves.append(_Halves(body, flags))
        self._fixed_sweeps()
        self.found: dict[int, tuple[int, tuple[int, ...]]] = {}  # of each sweep: its transposed one, and the parts of the state that move
        arrived: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for i in reversed(range(len(layout))):
            self._transposed_sweep(i, arrived)

    def _fixed_sweeps(self) -> None:
        """The sweeps without what is linear.  They leave the rows that fixed sweeps read, and what the transposed ones need."""
        self.new_bodies: list[Graph] = []
        self.new_layout: list[Sweep] = []
        self.new_groups: list[tuple[list, list]] = []
        number: dict[tuple[int, int], tuple[int, int]] = {}  # (sweep, row) -> the same row among those of the fixed sweeps
        self.sources: list[dict[Var, tuple[int, int]]] = []  # of each sweep: values of its body that lie on a tape -> where
        self.again: list[list[Node]] = []
        for i, (sweep, body, halves, flags) in enumerate(zip(self.layout, self.bodies, self.halves, self.marks)):
            fixed = [v for v, m in zip(body.inputs, flags) if not m]
            consts = set(fixed[: flags[: sweep.consts].count(False)])
            given_rows = {v: number[at] for v, at in zip(body.inputs[sweep.consts + sweep.carry :], sweep.reads) if at in number}
            lies = dict(given_rows)
            kept, again = to_keep(body, halves.fixed_nodes, halves.read, consts, lies)
            rows: list[Atom] = []
            for r, (a, m) in enumerate(zip(body.outputs[sweep.carry :], self.rows_moving[i])):
                if not m:
                    number[i, r] = i, len(rows)
                    rows.append(a)
            for v in kept:
                if v in rows:
                    lies[v] = i, rows.index(v)
                else:
                    lies[v] = i, len(rows)
                    rows.append(v)
            self.sources.append(lies)
            self.again.append(again)
            place = slice(sweep.consts, sweep.consts + sweep.carry)
            outputs = [a for a, m in zip(body.outputs, flags[place]) if not m] + rows
            self.new_bodies.append(Graph(tuple(fixed), live_nodes(halves.fixed_nodes, tuple(outputs)), tuple(outputs)))
            given = [[x for x, m in zip(group, flags[at:]) if not m] for group, at in zip(self.groups[i], (0, sweep.consts))]
            self.new_groups.append((given[0], given[1]))
            self.new_layout.append(Sweep(len(given[0]), len(given[1]), tuple(given_rows.values())))

    def _transposed_sweep(self, i: int, arrived: dict[tuple[int, int], list[tuple[int, int]]]) -> None:
        """The transpose of sweep i. `arrived` says where the cotangents of rows are: (sweep, row) -> rows of transposed sweeps."""
        sweep, halves, flags, lies = self.layout[i], self.halves[i], self.marks[i], self.sources[i]
        consts, state = self.groups[i]
        place = slice(sweep.consts, sweep.consts + sweep.carry)
        fixed_consts = [(v, x) for v, x, m in zip(self.bodies[i].inputs, consts, flags) if not m]
        moving_state = positions(flags[place])
        sums = [zeros(x.type) for x in consts if isinstance(x, Linear)]
        cotangents = [(r, at) for r, m in enumerate(self.rows_moving[i]) if m for at in arrived.get((i, r), ())]
        nodes = (*self.again[i], *halves.linear_nodes)
        read = {a for node in nodes for a in node.inputs}
        stored = [v for v in lies if v in read]
        linear = Graph((*halves.moving, *(v for v, _ in fixed_consts), *stored), nodes, self.bodies[i].outputs)

        def function(*args):
            fixed, k, acc, rows, c = cut(args, len(fixed_consts), len(moving_state), len(sums), len(stored), len(cotangents))
            ct: list[Any] = [None] * len(linear.outputs)
            for at, x in zip(moving_state, k):
                ct[at] = x
            for (r, _), x in zip(cotangents, c):
                ct[sweep.carry + r] = add_tangents(ct[sweep.carry + r], x)
            back = transpose_graph(linear, len(halves.moving), [*fixed, *rows], ct)
            back_consts, rest = back[: len(acc)], back[len(acc) :]
            dense = [zeros(v.type) if b is None else b for b, v in zip(rest, halves.moving[len(acc) :])]
            return [*dense[: len(k)], *map(add_tangents, acc, back_consts), *dense[len(k) :]]

        out_types = [t.strong for t in self.bodies[i].out_types]
        state_types = [out_types[s] for s in moving_state]
        types = [*(v.type for v, _ in fixed_consts), *state_types, *map(type_of, sums), *(v.type for v in stored)]
        body, outside = build([*types, *(out_types[sweep.carry + r] for r, _ in cotangents)], function)
        begin = [zeros(t) if self.cts[i][s] is None else self.cts[i][s] for s, t in zip(moving_state, state_types)]
        own = len(self.new_layout)
        self.new_bodies.append(captures_first(body, len(fixed_consts), len(outside)))
        self.new_groups.append(([*(x for _, x in fixed_consts), *outside], [*begin, *sums]))
        reads = (*(lies[v] for v in stored), *(at for _, at in cotangents))
        self.new_layout.append(Sweep(len(fixed_consts) + len(outside), len(begin) + len(sums), reads))
        for q, row in enumerate(row for row, m in zip(sweep.reads, flags[place.stop :]) if m):
            arrived.setdefault(row, []).append((own, q))
        self.found[i] = own, moving_state

    def cotangents(self, results: Sequence[Any]) -> list[Any]:
        """One for each input, from the results of the new sweeps."""
        ends = cut(results, *(s.carry for s in self.new_layout))
        back: list[Any] = [None] * len(self.for_cond)
        for i, (consts, state) in enumerate(self.groups):
            own, moving_state = self.found[i]
            sums = iter(ends[own][len(moving_state) :])
            back += [next(sums) if isinstance(x, Linear) else None for x in consts]
            found = dict(zip(moving_state, ends[own]))
            back += [found.get(s) if isinstance(x, Linear) else None for s, x in enumerate(state)]
        return back


def reached_outputs(body: Graph, flags: Sequence[bool]) -> list[bool]:
    """Which outputs depend on the marked inputs."""
    linear = {v for v, m in zip(body.inputs, flags) if m}
    for node in body.nodes:
        if any(a in linear for a in node.inputs if type(a) is Var):
            linear.update(node.outputs)
    return [type(a) is Var and a in linear for a in body.outputs]


def transpose_sweeps(cts, *inputs, cond, bodies, cond_consts, layout, limit, rows=False):
    """Cotangents of all inputs; see `_Transposing`."""
    made = _Transposing(cts, inputs, bodies, cond_consts, layout)
    fixed_state = [v for v, m in zip(cond.inputs[cond_consts:], made.marks[0][layout[0].consts :]) if not m]
    results = sweeps(
        *made.for_cond,
        *_joined(made.new_groups),
        cond=Graph((*cond.inputs[:cond_consts], *fixed_state), cond.nodes, cond.outputs),
        bodies=tuple(made.new_bodies),
        cond_consts=cond_consts,
        layout=tuple(made.new_layout),
        limit=limit,
        **rows_apart(rows),
    )
    return tuple(made.cotangents(results))


# --------------------------------------------------------------------------------------------------------------------------------- batches
def _batch_sweeps(args, batched, cond, bodies, cond_consts, layout, limit, rows=False):
    """Every example turns until all are done.  Those that are done keep their states, in all sweeps: the first leaves a row that says which turn.
    Where a turn too many might fail, the examples run one by one."""
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    for_cond, groups = arguments(args, cond_consts, layout)
    b_cond, b_groups = arguments(list(batched), cond_consts, layout)
    cond_batched, new_bodies, new_layout, new_groups = False, [], [], []
    rows_marked: list[list[bool]] = []
    states_marked: list[bool] = []
    for i, (sweep, body, (consts, state), (b_consts, b_state)) in enumerate(zip(layout, bodies, groups, b_groups)):
        place = slice(sweep.consts, sweep.consts + sweep.carry)
        flags = [*b_consts, *b_state, *(rows_marked[j][r] for j, r in sweep.reads)]
        flags = grow(flags, place, lambda f, body=body, k=sweep.carry: batched_body(body, f, n, ())[2][:k])
        if i == 0:
            cond_batched = batched_body(cond, (*b_cond, *flags[place]), n, ())[2][0]
            if cond_batched and any([may_fail(b) for b in bodies]):
                params = {"cond": cond, "bodies": bodies, "cond_consts": cond_consts, "layout": layout, "limit": limit, **rows_apart(rows)}
                return one_by_one(sweeps, args, batched, params)
        if cond_batched:
            flags[place] = [True] * sweep.carry
        rows_marked.append(list(batched_body(body, tuple(flags), n, ())[2][sweep.carry :]))
        states_marked += flags[place]
        spread = [s if b or not f else broadcast_to(s, shape=(n, *type_of(s).shape)) for s, b, f in zip(state, b_state, flags[place])]
        extra = list(for_cond) if cond_batched and i == 0 else []
        holds = None if not cond_batched else (cond, b_cond) if i == 0 else ()
        step = _batched_step(body, sweep, flags, n, holds)
        types = [t._replace(shape=(n, *t.shape)) if f else t for t, f in zip(body.in_types, flags)]
        reads = sweep.reads
        if cond_batched and i:
            reads = (*reads, (0, len(rows_marked[0])))
            types.append(cond.out_types[0]._replace(shape=(n,)))
        new_body, outside = build([*map(type_of, extra), *types], step)
        new_bodies.append(captures_first(new_body, len(extra) + sweep.consts, len(outside)))
        new_groups.append(([*extra, *consts, *outside], spread))
        new_layout.append(Sweep(len(extra) + sweep.consts + len(outside), sweep.carry, reads))
    b_first = states_marked[: layout[0].carry]

    def condition(*a):
        (holds,), (m,) = batch_graph(cond, a, (*b_cond, *b_first))
        return [reduce_any(holds, axes=(0,)) if m else holds]

    new_cond, cond_outside = build([*map(type_of, for_cond), *map(type_of, new_groups[0][1])], condition)
    results = sweeps(
        *for_cond,
        *cond_outside,
        *_joined(new_groups),
        cond=captures_first(new_cond, cond_consts, len(cond_outside)),
        bodies=tuple(new_bodies),
        cond_consts=cond_consts + len(cond_outside),
        layout=tuple(new_layout),
        limit=limit,
        **rows_apart(cond_batched),
    )
    return tuple(r if f else broadcast_to(r, shape=(n, *type_of(r).shape)) for r, f in zip(results, states_marked))


def _batched_step(body: Graph, sweep: Sweep, flags: Sequence[bool], n: int, holds: tuple | None):
    """A body for a batch of n.  `holds`: None where all examples turn alike; (cond, its marks), whose constants come first, where the sweep asks who
    goes on, and leaves the answer as its last row; () where that row is what it reads last."""
    place = slice(sweep.consts, sweep.consts + sweep.carry)
    extra = len(holds[1]) if holds else 0

    def step(*args):
        inputs = args[extra : extra + len(flags)]
        out, marks = batch_graph(body, inputs, flags)
        rows = out[sweep.carry :]
        out = [o if m or not f else broadcast_to(o, shape=(n, *type_of(o).shape)) for o, m, f in zip(out, marks, flags[place])]
        if holds is None:
            return [*out, *rows]
        going = batch_graph(holds[0], (*args[:extra], *inputs[place]), (*holds[1], *flags[place]))[0][0] if holds else args[-1]
        kept = [select(reshape(going, shape=(n, *(1,) * (type_of(o).ndim - 1))), o, s) for o, s in zip(out, inputs[place])]
        return [*kept, *rows, *([going] if holds else ())]

    return step


sweeps = define(
    "sweeps",
    infer=_infer_sweeps,
    run=_run_sweeps,
    jvp=_jvp_sweeps,
    transpose=transpose_sweeps,
    batch=_batch_sweeps,
    kind="sweeps",
    multiple=True,
    dear=True,
    show=_show_sweeps,
)
