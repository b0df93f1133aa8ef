"""Expressions in other loop counters, and with other reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from .. import index as ix
from ..fuse import Loop
from ..index import Computed, Counter, Index, Quotient
from ..kernel import Buffer, Expression, load, make
from ..steps import Stage
from .control import Deciding


def in_terms_of(index: Index, counters: Mapping[Counter, Index], expression: Callable[[Expression], Expression] = lambda e: e) -> Index:
    """An index with positions in the place of counters; `expression` maps what is inside of computed atoms.

    Neighbouring parts of one number become that number again: 4 * (i // 4) + i % 4 is i.

    >>> i, j, k = Counter(3), Counter(4), Counter(12)
    >>> in_terms_of(ix.of(i) * 4 + ix.of(j), {i: ix.of(k) // 4, j: ix.of(k) % 4}) == ix.of(k)
    True
    """
    total = Index(constant=index.constant)
    for atom, coefficient in index.terms:
        if isinstance(atom, Counter):
            found = counters.get(atom)
            part = ix.of(atom) if found is None else found
        elif isinstance(atom, Computed):
            part = Index(((Computed(expression(atom.expression), atom.high), 1),))
        else:
            inner = in_terms_of(atom.index, counters, expression)
            part = inner // atom.divisor if isinstance(atom, Quotient) else inner % atom.divisor
        total = total + part * coefficient
    return total


class Rewriter:
    """Maps stages to stages with positions in the place of counters; `read(buffer, index)` stands for a load, whose index is mapped already."""

    def __init__(self, counters: Mapping[Counter, Index], read: Callable[[Buffer, tuple[Index, ...]], Expression] = load):
        self.counters, self.read = counters, read
        self.known: dict[Expression, Expression] = {}

    def index(self, index: Index) -> Index:
        return in_terms_of(index, self.counters, self.expression)

    def expression(self, e: Expression) -> Expression:
        found = self.known.get(e)
        if found is None:
            found = self.known[e] = self._made(e)
        return found

    def _made(self, e: Expression) -> Expression:
        if e.op == "load":
            return self.read(e.data[0], tuple(map(self.index, e.data[1])))
        data = e.data
        if e.op == "index":
            data = self.index(data)
        elif e.op == "guard":
            data = tuple((kind, self.index(i), n) for kind, i, n in data)
        return make(e.op, e.dtype, tuple(map(self.expression, e.args)), data)

    def stage(self, stage: Stage, counters: list[Counter] | None = None) -> Stage:
        """The stage, in the loops of the given counters."""
        target = tuple(map(self.index, stage.target))
        return replace(stage, counters=stage.counters if counters is None else counters, target=target, expression=self.expression(stage.expression))

    def block(self, body: list[Loop | Stage]) -> list[Loop | Stage]:
        return [self.stage(item) if isinstance(item, Stage) else self.loop(item) for item in body]

    def loop(self, loop: Loop) -> Loop:
        decided = {"condition": self.expression(loop.condition)} if isinstance(loop, Deciding) else {}
        return replace(loop, body=self.block(loop.body), **decided)
