"""A program as text for people: its loop nests as Python-like code, library calls and host calls, with the lines of the user's program that they
come from."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from .contract import Storage, whole
from .fuse import Loop, Nest
from .index import Computed, Counter, Index, Quotient, strides
from .kernel import Buffer, Expression
from .steps import ROUTINES, Host, Library, Progression, Routine, Stage, View

_INFIX = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
    "logical_and": "and",
    "logical_or": "or",
    "power": "**",
    "remainder": "%",
    "floor_divide": "//",
}


def show(program) -> str:
    """The steps of a `Program`, in order.

    >>> import numpy as np, tracejit as tj
    >>> print(tj.jit(lambda x: np.sum(np.exp(x) * 2.0)).kernels(np.ones(5)))  # doctest: +ELLIPSIS
    # kernel: one thread...
    y = 0.0
    for i in range(5):
        y += exp(a[i]) * 2.0
    """
    return _Printer(program).text()


class _Printer:
    def __init__(self, program):
        self.program = program
        self.names: dict[Buffer, str] = {}
        self.counters: dict[Counter, str] = {}
        for i, b in enumerate(program.partition.inputs):
            self.names[b] = _letter(i)
        for i, b in enumerate(program.outputs):
            self.names[b] = "y" if len(program.outputs) == 1 else f"y{i}"

    def text(self) -> str:
        lines: list[str] = []
        for item in self.program.items:
            if lines:
                lines.append("")
            lines += self._nest(item) if isinstance(item, Nest) else [self._library(item)] if isinstance(item, Library) else [self._whole(item)]
        return "\n".join(lines)

    def _name(self, buffer: Buffer) -> str:
        return self.names.setdefault(buffer, f"t{len(self.names)}")

    def _library(self, item: Library) -> str:
        x, y = map(self._view, item.operands)
        return f"# library: matrix product{_at(item)}\n{self._name(item.result)}[...] = {x} @ {y}"

    def _view(self, view: View) -> str:
        if not view.offset and view.strides == strides(view.shape):
            return self._name(view.buffer)
        return f"{self._name(view.buffer)}<shape {view.shape}, strides {view.strides}, offset {view.offset}>"

    def _whole(self, item: Routine | Host) -> str:
        operands = [self._operand(o) for o in item.operands]
        results = ", ".join(map(self._name, item.results[: len(item.node.outputs)]))
        native = isinstance(item, Routine)
        strands = item.node.params.get("strands", 1)
        parts = f" in {strands} strands" if strands > 1 else ""
        how = f"# library: {ROUTINES[item.node.op.kind]}{parts}{_at(item)}" if native else f"# host call{_at(item)}: this op has no native form"
        return f"{how}\n{results} = {item.node.op.name}({', '.join(operands)})"

    def _operand(self, operand: Buffer | Progression | Any) -> str:
        if isinstance(operand, Progression):
            return f"range({operand.start}, ...)"
        return self._name(operand) if isinstance(operand, Buffer) else repr(operand)

    # -- nests
    def _nest(self, nest: Nest) -> list[str]:
        self.storage: dict[Buffer, Storage] = self.program.storages[nest]
        sources = dict.fromkeys(
            f"{s.node.source.filename.rpartition('/')[2]}:{s.node.source.line}" for s in nest.stages() if s.node is not None and s.node.source
        )
        threads = f"{nest.chunks.counter.extent} chunks of {nest.chunks.turns} turns" if nest.chunks else "one thread"
        lines = [f"# kernel: {threads}{', from ' if sources else ''}{', '.join(sources)}"]
        for buffer, how in self.storage.items():
            if how.private and not how.register and how.kept:
                lines.append(f"{self._name(buffer)} = empty({how.shape(buffer)}, {buffer.type.dtype})")
        if nest.chunks:
            self.counters[nest.chunks.counter] = "chunk"
        self._block(nest.body, "", lines)
        return lines

    def _block(self, body: list, pad: str, lines: list[str]) -> None:
        for item in body:
            if isinstance(item, Loop):
                name = self.counters.setdefault(item.counter, _counter_name(len(self.counters)))
                lines.append(f"{pad}for {name} in range({item.counter.extent}):")
                self._block(item.body, pad + "    ", lines)
            else:
                lines.append(pad + self._stage(item))

    def _stage(self, stage: Stage) -> str:
        target, value = self._place(stage.buffer, stage.target), self._expression(stage.expression)
        if stage.combine in ("add", "multiply"):
            return f"{target} {_INFIX[stage.combine]}= {value}"
        return f"{target} = {value}" if stage.combine is None else f"{target} = {stage.combine}({target}, {value})"

    def _place(self, buffer: Buffer, index: tuple[Index, ...]) -> str:
        how = self.storage.get(buffer) or whole(buffer)
        flat = how.position(buffer, index)
        if len(how.kept) > 1 and not any(_is_part(a) for a, _ in flat.terms) and any(_is_part(a) for d in how.kept for a, _ in index[d].terms):
            return f"{self._name(buffer)}.flat[{self._index(flat)}]"
        at = [self._index(index[d]) for d in how.kept]
        return f"{self._name(buffer)}[{', '.join(at)}]" if at else self._name(buffer)

    def _expression(self, x: Expression, inside: bool = False) -> str:
        if x.op == "const":
            value = np.frombuffer(x.data, x.dtype)[0].item()
            return repr(value)
        if x.op == "load":
            return self._place(*x.data)
        if x.op == "index":
            return self._index(x.data)
        if x.op == "convert":
            return f"{x.dtype}({self._expression(x.args[0])})"
        if x.op == "checked":
            return f"checked({self._expression(x.args[0])}, {x.data})"
        if x.op == "guard":
            tests = " and ".join(self._test(*t) for t in x.data)
            return f"({self._expression(x.args[0])} if {tests} else {self._expression(x.args[1])})"
        if x.data in _INFIX:
            text = f" {_INFIX[x.data]} ".join(self._expression(a, True) for a in x.args)
            return f"({text})" if inside else text
        if x.data == "select":
            c, a, b = (self._expression(a, True) for a in x.args)
            return f"({a} if {c} else {b})"
        if x.data == "negative":
            return f"-{self._expression(x.args[0], True)}"
        return f"{x.data}({', '.join(map(self._expression, x.args))})"

    def _test(self, kind: str, index: Index, n: int) -> str:
        at = self._index(index)
        return {"ge": f"{at} >= {n}", "lt": f"{at} < {n}", "divisible": f"({at}) % {n} == 0"}[kind]

    def _index(self, index: Index) -> str:
        terms = [self._atom(a) if c == 1 else f"{c} * {self._atom(a)}" for a, c in index.terms]
        if index.constant or not terms:
            terms.append(str(index.constant))
        return " + ".join(terms).replace("+ -", "- ")

    def _atom(self, atom) -> str:
        if isinstance(atom, Counter):
            return self.counters.setdefault(atom, _counter_name(len(self.counters)))
        if isinstance(atom, Computed):
            return self._expression(atom.expression)
        return f"({self._index(atom.index)}) {'//' if isinstance(atom, Quotient) else '%'} {atom.divisor}"


def _is_part(atom) -> bool:
    """Whether an atom is a quotient or a remainder."""
    return not isinstance(atom, Counter | Computed)


def _letter(i: int) -> str:
    return string.ascii_lowercase[i] if i < 8 else f"x{i}"


def _counter_name(i: int) -> str:
    return "ijklmn"[i] if i < 6 else f"i{i}"


def _at(item: Library | Routine | Host) -> str:
    source = item.node.source
    return f", from {source.filename.rpartition('/')[2]}:{source.line}" if source else ""
