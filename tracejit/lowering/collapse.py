"""Loops that go through memory without a gap become one loop.

Where everything inside of two nested loops stands at positions in which the outer counter counts whole turns of the inner one, or does not depend on
either, one counter serves: an update of weights of 512 x 512 x 3 x 3 runs along 2.4 million numbers and not along rows of three (10 ms becomes 1.8),
and pictures of 8 x 8 fill whole vectors.  This happens after fusion, so stages meet in the loops that they have in common first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from . import index as ix
from .fuse import Item, Loop, Nest
from .index import Counter, Index, Quotient, Remainder
from .kernel import Expression, children, make
from .steps import Stage


def collapse(items: list[Item]) -> list[Item]:
    """The items with such loops of their nests merged."""
    return [replace(item, body=[_collapsed(i) for i in item.body]) if isinstance(item, Nest) else item for item in items]


def _collapsed(item: Loop | Stage) -> Loop | Stage:
    if isinstance(item, Stage):
        return item
    loop = Loop(item.counter, [_collapsed(i) for i in item.body])
    if len(loop.body) == 1 and isinstance(loop.body[0], Loop):
        return _merged(loop.counter, loop.body[0]) or loop
    return loop


def _merged(outer: Counter, inner: Loop) -> Loop | None:
    """One loop in place of `inner` and the one around it."""
    stages = list(Nest([inner]).stages())
    if not all(_is_even(i, outer, inner.counter) for s in stages for i in _positions(s)):
        return None
    both = Counter(outer.extent * inner.counter.extent)
    turn = ix.of(both)
    return _moved(inner, both, {outer: turn // inner.counter.extent, inner.counter: turn % inner.counter.extent})


def _is_even(position: Index, outer: Counter, inner: Counter) -> bool:
    """Whether a position counts whole turns of the inner loop by the outer counter, and has both nowhere else."""
    if position.coefficient(outer) != position.coefficient(inner) * inner.extent:
        return False
    return not any(c in a.expression.counters if isinstance(a, ix.Computed) else c in a.index.counters()
                   for a, _ in position.terms if not isinstance(a, Counter) for c in (outer, inner))  # fmt: skip


def _positions(stage: Stage) -> list[Index]:
    """All positions that the stage reads, writes, tests or counts."""
    found = [ix.flatten(stage.target, stage.buffer.shape)]
    seen: set[Expression] = set()
    stack = [stage.expression, *(c.expression for i in stage.target for c in i.computed())]
    while stack:
        e = stack.pop()
        if e not in seen:
            seen.add(e)
            stack.extend(children(e))
            if e.op == "load":
                found.append(ix.flatten(e.data[1], e.data[0].shape))
            elif e.op == "index":
                found.append(e.data)
            elif e.op == "guard":
                found += [i for _, i, _ in e.data]
    return found


def _moved(loop: Loop, counter: Counter, places: dict[Counter, Index]) -> Loop:
    """The loop with another counter, in terms of which `places` gives those that were."""
    at = _rewriter(places)

    def item(i: Loop | Stage) -> Loop | Stage:
        if isinstance(i, Loop):
            return Loop(i.counter, [item(inner) for inner in i.body])
        counters = list(dict.fromkeys(counter if c in places else c for c in i.counters))
        index, expression = at
        return replace(i, counters=counters, target=tuple(map(index, i.target)), expression=expression(i.expression))

    return Loop(counter, [item(i) for i in loop.body])


def _rewriter(places: dict[Counter, Index]) -> tuple[Callable[[Index], Index], Callable[[Expression], Expression]]:
    """Functions that put other indices in the place of counters, in an index and in an expression."""
    memo: dict[Expression, Expression] = {}

    def index(i: Index) -> Index:
        total = Index(constant=i.constant)
        for atom, c in i.terms:
            if isinstance(atom, Quotient):
                found = index(atom.index) // atom.divisor
            elif isinstance(atom, Remainder):
                found = index(atom.index) % atom.divisor
            else:
                found = places.get(atom) or Index(((atom, 1),))
            total = total + found * c
        return total

    def expression(e: Expression) -> Expression:
        if not any(c in places for c in e.counters):
            return e
        if e not in memo:
            data = e.data
            if e.op == "index":
                data = index(data)
            elif e.op == "load":
                data = (data[0], tuple(map(index, data[1])))
            elif e.op == "guard":
                data = tuple((kind, index(i), n) for kind, i, n in data)
            memo[e] = make(e.op, e.dtype, tuple(map(expression, e.args)), data)
        return memo[e]

    return index, expression


__all__ = ["collapse"]
