"""Loops and branches in native code: their bodies are programs of their own, called through their addresses.

A body's results go into one of two buffers a part of the state, and the next turn reads them there: nothing is copied from turn to turn.
Each class has the interface of `routines`.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from typing import Any

from ...ir import ArrayType, Graph, Node
from ...ir.types import BOOL
from ...ops.bodies import parts
from .emit import Emitter, Function, Value

_serial = itertools.count()
_programs: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


class _Body:
    """The program of a body and the name under which native code calls it."""

    def __init__(self, graph: Graph):
        from ..program import Program

        self.program = Program(graph, range(len(graph.outputs)), constants=True)
        self.name = f"body{next(_serial)}"
        _programs[self.name] = self.program


def _body(graph: Graph) -> _Body:
    return graph.derived("native body", lambda: _Body(graph))


def symbols() -> dict[str, int]:
    """Address and arena of every body that is alive."""
    found: dict[str, int] = {}
    for name, program in list(_programs.items()):
        if program.address is not None:
            found |= {name: program.address, f"{name}_arena": program.arena_address}
    return found


def _is_native(*graphs: Graph) -> bool:
    types = [t for g in graphs for t in (*g.in_types, *g.out_types)]
    return all(t.size for t in types) and all(_body(g).program.address is not None for g in graphs)


class _Call:
    """Calls of one body from a function: its table of slots, and the status that all its calls leave."""

    def __init__(self, f: Function, graph: Graph):
        self.f, self.e, self.name = f, Emitter(f, 1), _body(graph).name
        self.count = len(graph.inputs)
        self.slots = f.alloca("ptr", self.count + 1 + len(graph.outputs), 8)
        self.status = f.alloca("i64", 1, 8)
        self.e.store(self.e.const("i64", 0), self.status, 8)
        f.module.declare(self.name, "i64", ["ptr"])
        f.module.declare_data(f"{self.name}_arena")
        self._set(self.count, Value(f"@{self.name}_arena", "ptr"))

    def _set(self, slot: int, pointer: Value) -> None:
        self.e.store(pointer, self.e.gep(self.slots, "ptr", self.e.const("i64", slot)), 8)

    def give(self, first: int, inputs: Sequence[Value]) -> None:
        """Pointers of the inputs from number `first` on."""
        for i, pointer in enumerate(inputs, first):
            self._set(i, pointer)

    def run(self, results: Sequence[Value]) -> None:
        for i, pointer in enumerate(results, self.count + 1):
            self._set(i, pointer)
        result = self.f.effect("i64", 1, f"call i64 @{self.name}({self.slots.typed})")
        self.e.store(self.e.or_(self.e.load(self.status, "i64", 8), result), self.status, 8)

    def outcome(self) -> Value:
        return self.e.load(self.status, "i64", 8)


class _Swap:
    """Two buffers for each part of the state. `current` is what this turn reads; the first turn reads the operands themselves."""

    def __init__(self, f: Function, before: str, operands: Sequence[Value], first: Sequence[Value], second: Sequence[Value]):
        self.phis = [[f.phi("ptr") for _ in operands] for _ in range(3)]
        for phis, starts in zip(self.phis, (operands, first, second)):
            for phi, start in zip(phis, starts):
                phi.add(start, before)
        self.current, self.next, self.other = ([phi.value for phi in phis] for phis in self.phis)

    def turn(self, block: str) -> None:
        """Go on from the end of `block`: what was written is read next."""
        for phis, values in zip(self.phis, (self.next, self.other, self.next)):
            for phi, value in zip(phis, values):
                phi.add(value, block)


class Scan:
    """`scan`: a counted loop."""

    @staticmethod
    def symbols() -> dict[str, int]:
        return symbols()

    @staticmethod
    def has_routine(node: Node) -> bool:
        return node.params["length"] > 0 and _is_native(node.params["body"])

    @staticmethod
    def work(node: Node) -> list[ArrayType]:
        return [t.strong for t in node.params["body"].out_types[: node.params["carry"]]]

    @staticmethod
    def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
        p, e = node.params, Emitter(f, 1)
        body, carry, length = p["body"], p["carry"], p["length"]
        fixed, state, xs = parts(operands, p["consts"], carry)
        last, ys, spare = results[:carry], results[carry : len(body.outputs)], results[len(body.outputs) :]
        call = _Call(f, body)
        call.give(0, fixed)
        # The last turn must write into the results, so the first writes there if the number of turns is odd.
        first, second = (last, spare) if length % 2 else (spare, last)
        before, loop, done = f.block, f.fresh_label("scan"), f.fresh_label("done")
        f.br(loop)
        f.label(loop, dominator=before)
        turn = f.phi("i64")
        turn.add(e.const("i64", 0), before)
        swap = _Swap(f, before, state, first, second)
        at = e.isub(e.const("i64", length - 1), turn.value) if p["reverse"] else turn.value

        def row(pointer: Value, type_: ArrayType) -> Value:
            return e.gep(pointer, "i8", e.imul(at, e.const("i64", type_.nbytes)))

        call.give(p["consts"], swap.current)
        call.give(p["consts"] + carry, [row(x, t) for x, t in zip(xs, body.in_types[p["consts"] + carry :])])
        call.run([*swap.next, *(row(y, t) for y, t in zip(ys, body.out_types[carry:]))])
        following = e.iadd(turn.value, e.const("i64", 1))
        turn.add(following, f.block)
        swap.turn(f.block)
        f.cbr(e.icmp("slt", following, e.const("i64", length)), loop, done)
        f.label(done, dominator=before)
        return call.outcome()


class While:
    """`while_loop`."""

    @staticmethod
    def symbols() -> dict[str, int]:
        return symbols()

    @staticmethod
    def has_routine(node: Node) -> bool:
        return _is_native(node.params["cond"], node.params["body"])

    @staticmethod
    def work(node: Node) -> list[ArrayType]:
        return [*(t.strong for t in node.params["body"].out_types), ArrayType((), BOOL)]

    @staticmethod
    def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
        p, e = node.params, Emitter(f, 1)
        for_cond, for_body, state = parts(operands, p["cond_consts"], p["body_consts"])
        n = len(state)
        last, spare, flag = results[:n], results[n : 2 * n], results[2 * n]
        test, body = _Call(f, p["cond"]), _Call(f, p["body"])
        test.give(0, for_cond)
        body.give(0, for_body)
        before, loop, inside, done = f.block, f.fresh_label("while"), f.fresh_label("turn"), f.fresh_label("done")
        f.br(loop)
        f.label(loop, dominator=before)
        swap = _Swap(f, before, state, last, spare)
        test.give(len(for_cond), swap.current)
        test.run([flag])
        f.cbr(e.icmp("ne", e.load(flag, "i8", 1), e.const("i8", 0)), inside, done)
        f.label(inside, dominator=loop)
        body.give(len(for_body), swap.current)
        body.run(swap.next)
        swap.turn(f.block)
        f.br(loop)
        f.label(done, dominator=loop)
        f.module.declare("llvm.memmove.p0.p0.i64", "void", ["ptr", "ptr", "i64", "i1"])
        for target, source, t in zip(last, swap.current, p["body"].out_types):
            f.do(f"call void @llvm.memmove.p0.p0.i64({target.typed}, {source.typed}, i64 {t.nbytes}, i1 false)")
        return e.or_(test.outcome(), body.outcome())


class Switch:
    """`switch`: one of several bodies."""

    @staticmethod
    def symbols() -> dict[str, int]:
        return symbols()

    @staticmethod
    def has_routine(node: Node) -> bool:
        return _is_native(*node.params["branches"])

    @staticmethod
    def work(node: Node) -> list[ArrayType]:
        return []

    @staticmethod
    def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
        e, branches = Emitter(f, 1), node.params["branches"]
        index, *rest = operands
        chosen = e.smin(e.smax(e.load(index, "i64", 8), e.const("i64", 0)), e.const("i64", len(branches) - 1))
        calls = [_Call(f, b) for b in branches]
        done = f.fresh_label("chosen")
        for k, call in enumerate(calls):
            before = f.block
            if k < len(calls) - 1:
                this, other = f.fresh_label("branch"), f.fresh_label("other")
                f.cbr(e.icmp("eq", chosen, e.const("i64", k)), this, other)
                f.label(this, dominator=before)
            call.give(0, rest)
            call.run(results)
            f.br(done)
            if k < len(calls) - 1:
                f.label(other, dominator=before)
        f.label(done)
        status = calls[0].outcome()
        for call in calls[1:]:
            status = e.or_(status, call.outcome())
        return status
