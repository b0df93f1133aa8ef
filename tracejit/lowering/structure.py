"""When two nests are the same kernel: a key of all that their code depends on, with counters and buffers numbered in the order of their first use.

Repeated layers and unrolled loops give many equal nests; the key is ten times cheaper to make than the code.
"""

from __future__ import annotations

from collections.abc import Hashable

from .contract import Storage
from .fuse import Loop, Nest
from .index import Computed, Counter, Index, Quotient
from .kernel import Buffer, Expression


def structure(nest: Nest, storage: dict[Buffer, Storage]) -> Hashable:
    """Equal for nests whose kernels are equal, given that their buffers are passed in the order of `storage`."""
    return _Key(nest, storage).key


class _Key:
    def __init__(self, nest: Nest, storage: dict[Buffer, Storage]):
        self.buffers = {b: i for i, b in enumerate(storage)}
        self.counters: dict[Counter, int] = {}
        self.expressions: dict[Expression, int] = {}
        self.rows: list[Hashable] = [(b.type.dtype.str, b.shape, s) for b, s in storage.items()]
        if nest.chunks:
            self.rows.append(("chunks", self._counter(nest.chunks.counter), nest.chunks.turns))
        self._block(nest.body)
        self.key = tuple(self.rows)

    def _block(self, body: list) -> None:
        for item in body:
            if isinstance(item, Loop):
                self.rows.append(("loop", self._counter(item.counter), item.counter.extent))
                self._block(item.body)
                self.rows.append("end")
            else:
                target = tuple(map(self._index, item.target))
                self.rows.append(("stage", self.buffers[item.buffer], target, self._expression(item.expression), item.combine, item.into))

    def _counter(self, counter: Counter) -> tuple[int, int]:
        return self.counters.setdefault(counter, len(self.counters)), counter.extent

    def _index(self, index: Index) -> Hashable:
        return index.constant, *((self._atom(a), c) for a, c in index.terms)

    def _atom(self, atom) -> Hashable:
        if isinstance(atom, Counter):
            return self._counter(atom)
        if isinstance(atom, Computed):
            return "computed", self._expression(atom.expression), atom.high
        return isinstance(atom, Quotient), self._index(atom.index), atom.divisor

    def _expression(self, x: Expression) -> int:
        """The number of an expression, whose row is written when it is first met."""
        known = self.expressions.get(x)
        if known is None:
            args = tuple(map(self._expression, x.args))
            data = x.data
            if x.op == "load":
                data = (self.buffers[data[0]], *map(self._index, data[1]))
            elif x.op == "index":
                data = self._index(data)
            elif x.op == "guard":
                data = tuple((kind, self._index(i), n) for kind, i, n in data)
            known = self.expressions[x] = len(self.expressions)
            self.rows.append((x.op, x.dtype.str, data, args))
        return known
