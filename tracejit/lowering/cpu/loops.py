"""Loops and branches in native code.

The steps of a body stand in the function of the loop, which LLVM optimises whole: numbers and small arrays of the state are variables on the stack,
which become registers, and constants of the loop are read in front of it.

A large array of the state is in one of three places:
    where it is changed    its next value is made from it by updates alone: one array, changed in place
    one that takes turns   a scan passes its memory on to another part of the state, or to be written anew (`u, v = v, f(u)`): arrays change
                           roles, and it is known beforehand where each ends up
    two arrays             the next value is written into the other one, and read there in the next turn

A scan over rows that do not look at one another (`apart.py`) may be cut into strands: the loop's function is then that of one strand, and threads run
several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ir import ArrayType, Graph, Node
from ...ir.types import BOOL
from ...ops.bodies import parts
from ..apart import Apart, apart
from ..overwrite import origins
from ..plan import SMALL_BYTES, Plan
from ..steps import Progression, Routine
from .emit import Emitter, Function, Value

_BYTES = ArrayType((), BOOL).dtype  # one byte


def plan_of(graph: Graph, donated: dict[int, int], in_strand: bool = False) -> Plan:
    """The plan of a body in which the outputs in `donated` are made in the memory of an input, as far as that is possible."""

    def make() -> Plan:
        from ..program import TARGET

        wanted = donated
        while True:
            plan = Plan(graph, TARGET, range(len(graph.outputs)), wanted, in_strand)
            got = {k: i for k, i in plan.overwritten().items() if wanted.get(k) == i}
            if got == wanted:
                return plan
            wanted = got  # an input that was overwritten on the way to somewhere else is left alone

    return graph.derived(("body", tuple(sorted(donated.items())), in_strand), make)


def _origins(graph: Graph) -> dict[int, int]:
    """For each output that is an input changed by updates alone, that input."""

    def make() -> dict[int, int]:
        from ..prepare import prepare
        from ..program import TARGET

        return origins(prepare(graph), TARGET.overwrites)

    return graph.derived("origins", make)


def _is_small(type_: ArrayType) -> bool:
    return type_.nbytes <= SMALL_BYTES


def is_native(*graphs: Graph) -> bool:
    types = [t for g in graphs for t in (*g.in_types, *g.out_types)]
    return all(t.size for t in types) and all(plan_of(g, {}).is_native for g in graphs)


def arena(*plans: Plan) -> ArrayType:
    """Memory for the temporaries of bodies that never run at once."""
    return ArrayType((max(1, *(p.arena_bytes for p in plans)),), _BYTES)


class Writer:
    """Writes into the function of a loop: steps of bodies, copies, and the status that they leave."""

    def __init__(self, code, f: Function):
        self.code, self.f, self.e = code, f, Emitter(f, 1)
        self.status = f.alloca("i64", 1, 8)
        self.e.store(self.e.const("i64", 0), self.status, 8)

    def body(self, plan: Plan, inputs: Sequence[Value], outputs: Sequence[Value], memory: Value) -> None:
        """The steps of a body on arrays at these addresses; `memory` is for its temporaries."""
        slots: dict[int, Value] = dict(enumerate([*inputs, memory]))
        number = {b: plan.arena_slot + 1 + i for i, b in enumerate(plan.outputs)}
        slots |= {number[b]: at for b, at in zip(plan.partition.outputs, outputs) if b in number}
        result = self.code.steps(self.f, plan.items, plan, slots.__getitem__)
        self.e.store(self.e.or_(self.e.load(self.status, "i64", 8), result), self.status, 8)

    def copy(self, target: Value, source: Value, type_: ArrayType) -> None:
        if target != source:
            self.f.module.declare("llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", "i64", "i1"])
            to, origin = (f"ptr align {type_.dtype.itemsize} {at.name}" for at in (target, source))
            self.f.do(f"call void @llvm.memcpy.p0.p0.i64({to}, {origin}, i64 {type_.nbytes}, i1 false)")

    def variable(self, type_: ArrayType, start: Value | None = None) -> Value:
        """Memory on the stack, which may start as a copy."""
        at = self.f.alloca("i8", type_.nbytes)
        if start is not None:
            self.copy(at, start, type_)
        return at

    def at_hand(self, operands: Sequence[Value], types: Sequence[ArrayType]) -> list[Value]:
        """Constants of a loop, small ones on the stack."""
        return [self.variable(t, x) if _is_small(t) else x for x, t in zip(operands, types)]

    def outcome(self) -> Value:
        return self.e.load(self.status, "i64", 8)


class State:
    """Where the state of a loop is: `current` is what a turn reads, `next` what it writes."""

    def __init__(self, w: Writer, types: Sequence[ArrayType], source: dict[int, int], turns: int | None):
        """`source`: for each part whose next value is made in the memory of a part, that part. `turns`: their number, where it is known."""
        self.w, self.types, self.source, self.turns = w, types, source, turns
        n = range(len(types))
        self.small = [k for k in n if _is_small(types[k])]
        self.fixed = [k for k in n if k not in self.small and source.get(k) == k]
        passed_on = {i for k, i in source.items() if i != k}
        self.rotating = [k for k in n if k not in self.small and k not in self.fixed and (k in source or k in passed_on)]
        self.double = [k for k in n if k not in self.small and k not in self.fixed and k not in self.rotating]
        self.current: list[Any] = [None] * len(types)
        self.next: list[Any] = [None] * len(types)
        self.phis: list[tuple[Any, Value]] = []  # and what each becomes in the next turn

    def enter(self, operands: Sequence[Value], results: Sequence[Value], spares: dict[int, Value]) -> None:
        """Write what stands in front of the loop. `spares`: a second array for each part that needs one."""
        self.results, self.spares, self.operands = results, spares, operands
        for k in self.small:
            self.current[k] = self.w.variable(self.types[k], operands[k])
            self.next[k] = self.current[k] if self.source.get(k) == k else self.w.variable(self.types[k])
        for k in self.fixed:
            self.current[k] = self.next[k] = results[k]
            self.w.copy(results[k], operands[k], self.types[k])
        self._start_of_rotation()
        for k, at in self.start.items():
            if k in self.rotating:
                self.w.copy(at, operands[k], self.types[k])

    def _freed(self, k: int) -> int:
        """The part whose memory is free after a turn that writes part k anew: the last of those that pass k's memory on."""
        to = {i: m for m, i in self.source.items() if m in self.rotating}
        while k in to:
            k = to[k]
        return k

    def _start_of_rotation(self) -> None:
        """The array that each rotating part begins in, so that after the last turn it is in its result. Parts written anew have a spare array too."""
        anew = [k for k in self.rotating if k not in self.source]
        place: dict[Any, Value] = {k: self.results[k] for k in self.rotating} | {("spare", k): self.spares[k] for k in anew}
        period, now = 0, dict(place)
        history = [now]
        while not period or now != place:
            now = self._rotated(now, anew)
            history.append(now)
            period += 1
        # After `turns` turns what began in history[s] is in history[s + turns]: begin where that comes out as `place`.
        self.start = history[-(self.turns or 0) % period]

    def _rotated(self, place: dict[Any, Value], anew: Sequence[int]) -> dict[Any, Value]:
        moved = {k: place[self.source[k]] if k in self.source else place["spare", k] for k in self.rotating}
        return moved | {("spare", k): place[self._freed(k)] for k in anew}

    def head(self, before: str) -> None:
        """Write the phis at the start of the loop's block."""
        f = self.w.f

        def phi(start: Value) -> Any:
            made = f.phi("ptr")
            made.add(start, before)
            return made

        moving = {k: phi(at) for k, at in self.start.items()}
        now = {k: p.value for k, p in moving.items()}
        after = self._rotated(now, [k for k in self.rotating if k not in self.source])
        self.phis += [(p, after[k]) for k, p in moving.items()]
        for k in self.rotating:
            self.current[k], self.next[k] = now[k], after[k]
        for k in self.double:
            # The last turn must write into the results, so the first writes there if the number of turns is odd.
            first, second = (self.results[k], self.spares[k]) if self.turns is None or self.turns % 2 else (self.spares[k], self.results[k])
            current, following, other = phi(self.operands[k]), phi(first), phi(second)
            self.phis += [(current, following.value), (following, other.value), (other, following.value)]
            self.current[k], self.next[k] = current.value, following.value

    def turn(self) -> None:
        """Go on: what was written is read next."""
        for k in self.small:
            self.w.copy(self.current[k], self.next[k], self.types[k])
        for phi, value in self.phis:
            phi.add(value, self.w.f.block)

    def leave(self) -> None:
        """Bring what is elsewhere into the results."""
        for k in self.small:
            self.w.copy(self.results[k], self.current[k], self.types[k])
        if self.turns is None:
            f = self.w.f
            f.module.declare("llvm.memmove.p0.p0.i64", "void", ["ptr", "ptr", "i64", "i1"])
            for k in self.double:
                f.do(f"call void @llvm.memmove.p0.p0.i64({self.results[k].typed}, {self.current[k].typed}, i64 {self.types[k].nbytes}, i1 false)")


def spares(types: Sequence[ArrayType], source: dict[int, int]) -> list[int]:
    """The parts of a state that need a second array."""
    return [k for k, t in enumerate(types) if not _is_small(t) and k not in source]


class _Loop:
    """What loops have in common: they need no addresses."""

    @staticmethod
    def symbols() -> dict[str, int]:
        return {}


class Scan(_Loop):
    """`scan`: a counted loop."""

    @staticmethod
    def has_routine(node: Node) -> bool:
        return node.params["length"] > 0 and is_native(node.params["body"])

    @staticmethod
    def _body(node: Node) -> Graph:
        """What a turn of one strand computes."""
        body, strands = node.params["body"], node.params.get("strands", 1)
        rows = Scan._apart(node)
        return body if rows is None else rows.part(body, rows.rows // strands)

    @staticmethod
    def _apart(node: Node) -> Apart | None:
        p = node.params
        return apart(p["body"], p["consts"], p["carry"]) if p.get("strands", 1) > 1 else None

    @staticmethod
    def _plan(node: Node) -> Plan:
        """Parts of the state are changed in place; large ones may be made in the memory of another part too, each part's memory used once."""
        body, consts, carry = Scan._body(node), node.params["consts"], node.params["carry"]
        donated: dict[int, int] = {}
        for k, i in sorted(_origins(body).items(), key=lambda pair: pair[1] != pair[0] + consts):
            if k < carry and consts <= i < consts + carry and i not in donated.values() and (i == k + consts or not _is_small(body.out_types[k])):
                donated[k] = i
        return plan_of(body, donated, node.params.get("strands", 1) > 1)

    @staticmethod
    def _source(node: Node) -> dict[int, int]:
        return {k: i - node.params["consts"] for k, i in Scan._plan(node).overwritten().items()}

    @staticmethod
    def overwrites(node: Node) -> list[tuple[int, int]]:
        return [(k + node.params["consts"], k) for k, i in Scan._source(node).items() if i == k]

    @staticmethod
    def _work(node: Node) -> list[ArrayType]:
        """The work arrays of a strand."""
        types = [t.strong for t in Scan._body(node).out_types[: node.params["carry"]]]
        return [*(types[k] for k in spares(types, Scan._source(node))), arena(Scan._plan(node))]

    @staticmethod
    def work(node: Node) -> list[ArrayType]:
        return [ArrayType((node.params.get("strands", 1), *t.shape), t.dtype) for t in Scan._work(node)]

    @staticmethod
    def write(code, f: Function, step: Routine, operands: Sequence[Value | Progression], results: Sequence[Value]) -> Value:
        rows = Scan._apart(step.node)
        if rows is None:
            return Scan._write_turns(code, f, step, operands, results)
        arrays = list(dict.fromkeys(x for x in (*operands, *results) if isinstance(x, Value)))
        labels = [f"p{i}" for i in range(len(arrays))]
        own = Function(code.module, f"{f.name}_strand", [*(("ptr", p) for p in labels), ("i64", "strand")], "i64", linkage="internal")
        given = dict(zip(arrays, map(own.parameter, labels)))
        body, carry = Scan._body(step.node), step.node.params["carry"]
        e, number = Emitter(own, 1), own.parameter("strand")
        moved: dict[tuple[Value, int], Value] = {}

        def part(x: Value | Progression, nbytes: int) -> Value | Progression:
            """The strand's part of an array, of so many bytes."""
            if isinstance(x, Progression) or not nbytes:
                return given.get(x, x)
            if (x, nbytes) not in moved:
                moved[x, nbytes] = e.gep(given[x], "i8", e.imul(number, e.const("i64", nbytes)))
            return moved[x, nbytes]

        def of_rows(x, type_: ArrayType, has: bool) -> Value | Progression:
            return part(x, type_.nbytes if has else 0)

        inputs = [of_rows(*a) for a in zip(operands, body.in_types, rows.inputs)]
        outputs = [of_rows(*a) for a in zip(results, body.out_types, rows.outputs)]
        for k in range(carry):
            if not rows.outputs[k]:  # the same in every strand: the first one's stays
                first = e.icmp("eq", number, e.const("i64", 0))
                outputs[k] = e.select(first, outputs[k], own.alloca("i8", body.out_types[k].nbytes))
        work = [part(x, t.nbytes) for x, t in zip(results[len(outputs) :], Scan._work(step.node))]
        own.ret(Scan._write_turns(code, own, step, inputs, [*outputs, *work]))
        return code.in_chunks(f, own.name, arrays, step.node.params["strands"])

    @staticmethod
    def _write_turns(code, f: Function, step: Routine, operands: Sequence[Value | Progression], results: Sequence[Value]) -> Value:
        """The loop of a strand. The rows of arrays stand as far from one another as those of all strands together."""
        p, plan, body = step.node.params, Scan._plan(step.node), Scan._body(step.node)
        consts, carry, length = p["consts"], p["carry"], p["length"]
        types, source = [t.strong for t in body.out_types], Scan._source(step.node)
        fixed, state, xs = parts(operands, consts, carry)
        ys, spare, memory = results[carry : len(types)], results[len(types) : -1], results[-1]
        w = Writer(code, f)
        e = w.e
        fixed = w.at_hand(fixed, body.in_types)
        place = State(w, types[:carry], source, length)
        place.enter(state, results[:carry], dict(zip(spares(types[:carry], source), spare)))
        before, loop, done = f.block, f.fresh_label("scan"), f.fresh_label("done")
        f.br(loop)
        f.label(loop, dominator=before)
        turn = f.phi("i64")
        turn.add(e.const("i64", 0), before)
        place.head(before)
        at = e.isub(e.const("i64", length - 1), turn.value) if p["reverse"] else turn.value

        def row(x: Value | Progression, type_: ArrayType) -> Value:
            if isinstance(x, Progression):
                number = w.variable(type_)
                e.store(e.iadd(at, e.const("i64", x.start)), number, 8)
                return number
            return e.gep(x, "i8", e.imul(at, e.const("i64", type_.nbytes)))

        rows = [row(x, t) for x, t in zip(xs, p["body"].in_types[consts + carry :])]
        w.body(plan, [*fixed, *place.current, *rows], [*place.next, *(row(y, t) for y, t in zip(ys, p["body"].out_types[carry:]))], memory)
        following = f.let("i64", 1, f"add nuw nsw {turn.value.typed}, 1")
        turn.add(following, f.block)
        place.turn()
        f.cbr(e.icmp("slt", following, e.const("i64", length)), loop, done)
        f.label(done, dominator=before)
        place.leave()
        return w.outcome()


class While(_Loop):
    """`while_loop`."""

    @staticmethod
    def has_routine(node: Node) -> bool:
        return is_native(node.params["cond"], node.params["body"])

    @staticmethod
    def _plan(node: Node) -> Plan:
        consts = node.params["body_consts"]
        return plan_of(node.params["body"], {k: i for k, i in _origins(node.params["body"]).items() if i == k + consts})

    @staticmethod
    def _source(node: Node) -> dict[int, int]:
        return {k: k for k in While._plan(node).overwritten()}

    @staticmethod
    def overwrites(node: Node) -> list[tuple[int, int]]:
        before = node.params["cond_consts"] + node.params["body_consts"]
        return [(before + k, k) for k in While._source(node)]

    @staticmethod
    def work(node: Node) -> list[ArrayType]:
        types = [t.strong for t in node.params["body"].out_types]
        return [*(types[k] for k in spares(types, While._source(node))), arena(plan_of(node.params["cond"], {}), While._plan(node))]

    @staticmethod
    def write(code, f: Function, step: Routine, operands: Sequence[Value], results: Sequence[Value]) -> Value:
        limit = step.node.params["limit"]
        p, test, plan = step.node.params, plan_of(step.node.params["cond"], {}), While._plan(step.node)
        types, source = [t.strong for t in p["body"].out_types], While._source(step.node)
        for_cond, for_body, state = parts(operands, p["cond_consts"], p["body_consts"])
        n, memory = len(types), results[-1]
        w = Writer(code, f)
        e = w.e
        for_cond, for_body = w.at_hand(for_cond, p["cond"].in_types), w.at_hand(for_body, p["body"].in_types)
        flag = f.alloca("i8", 1)
        place = State(w, types, source, None)
        place.enter(state, results[:n], dict(zip(spares(types, source), results[n:-1])))
        before, loop = f.block, f.fresh_label("while")
        inside, done = f.fresh_label("turn"), f.fresh_label("done")
        f.br(loop)
        f.label(loop, dominator=before)
        turn = f.phi("i64")
        turn.add(e.const("i64", 0), before)
        place.head(before)
        w.body(test, [*for_cond, *place.current], [flag], memory)
        # After an index out of range the state means nothing, and might never end the loop.
        goes_on = e.and_(e.icmp("ne", e.load(flag, "i8", 1), e.const("i8", 0)), e.icmp("eq", w.outcome(), e.const("i64", 0)))
        f.cbr(goes_on, inside, done)
        f.label(inside, dominator=loop)
        if limit is not None:
            within, beyond = f.fresh_label("within"), f.fresh_label("beyond")
            f.cbr(e.icmp("slt", turn.value, e.const("i64", limit.steps)), within, beyond, likely=True)
            f.label(beyond, dominator=inside)
            e.store(e.const("i64", 1), w.status, 8)
            f.br(done)
            f.label(within, dominator=inside)
        w.body(plan, [*for_body, *place.current], place.next, memory)
        turn.add(f.let("i64", 1, f"add nuw nsw {turn.value.typed}, 1"), f.block)
        place.turn()
        f.br(loop)
        f.label(done, dominator=loop)
        place.leave()
        return w.outcome()


class Switch(_Loop):
    """`switch`: one of several bodies."""

    @staticmethod
    def has_routine(node: Node) -> bool:
        return is_native(*node.params["branches"])

    @staticmethod
    def _source(node: Node) -> dict[int, int]:
        """The results that every branch makes in the memory of the same operand: result -> input of the branches."""
        branches = node.params["branches"]
        common = set(_origins(branches[0]).items()).intersection(*(_origins(b).items() for b in branches[1:]))
        donated: dict[int, int] = {}
        for k, i in sorted(common):
            if i not in donated.values():
                donated[k] = i
        while True:
            made = [plan_of(b, donated).overwritten() for b in branches]
            if all(m == donated for m in made):
                return donated
            donated = {k: i for k, i in donated.items() if all(m.get(k) == i for m in made)}

    @staticmethod
    def overwrites(node: Node) -> list[tuple[int, int]]:
        return [(i + 1, k) for k, i in Switch._source(node).items()]

    @staticmethod
    def work(node: Node) -> list[ArrayType]:
        return [arena(*(plan_of(b, Switch._source(node)) for b in node.params["branches"]))]

    @staticmethod
    def write(code, f: Function, step: Routine, operands: Sequence[Value], results: Sequence[Value]) -> Value:
        branches, source = step.node.params["branches"], Switch._source(step.node)
        w = Writer(code, f)
        e = w.e
        index, *given = operands
        *results, memory = results
        for k, i in source.items():
            w.copy(results[k], given[i], branches[0].out_types[k])
            given[i] = results[k]
        chosen = e.smin(e.smax(e.load(index, "i64", 8), e.const("i64", 0)), e.const("i64", len(branches) - 1))
        done = f.fresh_label("chosen")
        for k, branch in enumerate(branches):
            before, last = f.block, k == len(branches) - 1
            if not last:
                this, other = f.fresh_label("branch"), f.fresh_label("other")
                f.cbr(e.icmp("eq", chosen, e.const("i64", k)), this, other)
                f.label(this, dominator=before)
            w.body(plan_of(branch, source), given, results, memory)
            f.br(done)
            if not last:
                f.label(other, dominator=before)
        f.label(done)
        return w.outcome()
