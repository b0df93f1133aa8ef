"""Which arrays a variable may hold behind a loop or branch that binds it to one or another.

Behind `if c: v = u` the variable is a new proxy with the right contents.  Whether what is written into it is in `u`, too, depends on the condition:
such a write is an error.  Here is noted which arrays a proxy may be, for the loops and branches around, and who else has these arrays.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple
from weakref import ref

from ..errors import is_library
from ..trace import Tracer
from ..trace.views import is_shared, mark_undecided, root
from .places import Containers
from .state import Slot, State


class _Choice(NamedTuple):
    """What a proxy that a loop or branch (`event`) has made may be: one of `arrays`, or a new one. `shared`: perhaps the same one as another proxy
    that was made there."""

    proxy: ref
    event: object
    arrays: tuple[Tracer, ...]
    shared: bool


_choices: dict[int, _Choice] = {}  # by identity of the proxy


def is_array(x: Any) -> bool:
    """Whether x can share memory: a number cannot."""
    return type(x) is Tracer and x.ndim > 0


def _remember(proxy: Tracer, event: object, arrays: Sequence[Tracer], shared: bool) -> None:
    key = id(proxy)
    _choices[key] = _Choice(ref(proxy, lambda _: _choices.pop(key, None)), event, tuple(arrays), shared)


def _choice(owner: Tracer) -> _Choice | None:
    found = _choices.get(id(owner))
    return found if found is not None and found.proxy() is owner else None


def origins(x: Tracer) -> list[Tracer]:
    """The arrays that own the memory of x, for all that is known: itself or what it is a view of, and what that may be."""
    found: list[Tracer] = []
    todo = [root(x)]
    while todo:
        owner = todo.pop()
        if not any([owner is f for f in found]):
            found.append(owner)
            choice = _choice(owner)
            todo += choice.arrays if choice else ()
    return found


def may_be_one(x: Tracer, y: Tracer, known: dict[tuple[int, int], bool] | None = None) -> bool:
    """Whether two proxies may share memory. What one loop or branch has bound to two names is as different as it was in there."""
    a, b = root(x), root(y)
    if a is b:
        return True
    known = {} if known is None else known
    key = id(a), id(b)
    if key not in known:
        p, q = _choice(a), _choice(b)
        if p and q and p.event is q.event:
            known[key] = p.shared and q.shared
        else:
            pairs = [*((c, b) for c in (p.arrays if p else ())), *((a, c) for c in (q.arrays if q else ()))]
            known[key] = any(may_be_one(c, d, known) for c, d in pairs)
    return known[key]


def outside(x: Tracer, depth: int) -> list[Tracer]:
    """The arrays from outside of a trace of this depth that x may be."""
    return [owner for owner in origins(x) if (owner.home or owner.owner).depth < depth]


def note(state: State, made: Sequence[tuple[Slot, Sequence[Tracer]]], ways: Sequence[Mapping[int, Any]]) -> None:
    """Note what the variables that a loop or branch has bound may be.

    `made` has the slots that hold new proxies now, each with the arrays from outside that it may be. A way is what the slots hold, by identity of the
    slot, on one side, or behind a turn: names of one object there stay names of one object.
    """
    if not made:
        return
    event, shared = object(), {}
    for (s, _), (t, _) in combinations(made, 2):
        pairs = [(way.get(id(s)), way.get(id(t))) for way in ways]
        if all([is_array(a) and a is b for a, b in pairs]):
            t.place.set(s.place.get())
        elif any([is_array(a) and is_array(b) and may_be_one(a, b) for a, b in pairs]):
            shared[id(s)], shared[id(t)] = t, s
    for slot, arrays in made:
        now = slot.place.get()
        _remember(now, event, arrays, id(slot) in shared)
        if id(slot) in shared:
            mark_undecided(now, _reason(state, slot, f"`{shared[id(slot)].place.name}` shares"))
        for array in {id(owner): owner for x in arrays for owner in origins(x)}.values():
            other = next(others(array, now), None)
            if other is not None or is_shared(array):
                reason = _reason(state, slot, f"`{other}` shares" if other else "views share")
                mark_undecided(now, reason)
                mark_undecided(array, reason, beside=now)


def _reason(state: State, slot: Slot, what: str) -> str:
    name = slot.place.name
    return (
        f"whether {what} memory with `{name}` depends on a traced condition at line {state.facts.line}, so what a write changes is not known: "
        f"write into a copy (`{name} = {name}.copy()`)"
    )


def others(array: Tracer, now: Tracer, name: str | None = None) -> Iterator[str]:
    """What else of the user's function that is running shares the memory of an array that `now` may be: variables, items, attributes. Not what holds
    `now` itself; with a name, only that is left out."""
    frame = sys._getframe(1)
    while is_library(frame.f_code.co_filename):
        frame = frame.f_back
    function, variables = frame.f_code.co_qualname, {}
    while frame is not None:
        if frame.f_code.co_qualname == function:
            variables |= frame.f_locals
        frame = frame.f_back

    def shares(v: Any, called: str) -> bool:
        left_out = v is now if name is None else called == name
        return is_array(v) and not left_out and any([owner is array for owner in origins(v)]) and may_be_one(v, now)

    yield from (n for n, value in variables.items() if shares(value, n))
    for container, _, path in Containers(variables).found:
        items = container.items() if isinstance(container, dict) else enumerate(container) if isinstance(container, list) else ()
        yield from (called for key, value in items if shares(value, called := f"{path}[{key!r}]"))


__all__ = ["is_array", "may_be_one", "note", "origins", "others", "outside"]
