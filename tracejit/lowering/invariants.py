"""What a loop computes anew in every turn, though it is the same in all."""

from __future__ import annotations

from collections.abc import Callable

from .fuse import Loop
from .index import Counter
from .kernel import Buffer, Expression, children
from .steps import Stage


def invariants(loop: Loop, enters: Callable[[Loop], bool] = lambda loop: True) -> list[Expression]:
    """The largest parts of a loop's expressions that do not depend on it, but for constants: to be computed in front of it.

    Reads under a guard are left where they are, and so are reads of what the loop makes, and the expressions in loops inside that are not to be
    entered.
    """
    made: set[Buffer] = set()
    inside: set[Counter] = set()
    expressions: list[Expression] = []
    _gather(loop, made, inside, expressions, enters)
    steady: dict[Expression, bool] = {}
    found: list[Expression] = []
    seen: set[Expression] = set()

    def is_steady(x: Expression) -> bool:
        known = steady.get(x)
        if known is None:
            known = steady[x] = not (x.counters & inside) and not (x.op == "load" and x.data[0] in made) and all(map(is_steady, children(x)))
        return known

    def walk(x: Expression) -> None:
        if x in seen:
            return
        seen.add(x)
        if is_steady(x):
            if x.op != "const":
                found.append(x)
        elif x.op == "guard":
            walk(x.args[1])
        else:
            for a in children(x):
                walk(a)

    for x in expressions:
        walk(x)
    return found


def _gather(
    item: Loop | Stage, made: set[Buffer], inside: set[Counter], expressions: list[Expression], enters: Callable[[Loop], bool]
) -> None:
    if isinstance(item, Stage):
        made.add(item.buffer)
        expressions.append(item.expression)
        return
    inside.add(item.counter)
    found = expressions if enters(item) else []
    for inner in item.body:
        _gather(inner, made, inside, found, enters)
