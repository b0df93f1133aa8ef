"""What a traced function adds to containers outside of itself: `self.history.append(x.sum())`, `cache["activation"] = h`.

A traced value in a list means nothing once its trace has ended. So what was added is taken back when the function returns; under `jit` it is a
further result, and each run adds it. A list that is added to is another one at each call: it is no part of what tells programs apart, as long as
the function does nothing but add (a `Ledger` stands for it and notes that). What holds no traced value is left to Python, once a trace, which is
how traces are counted. Where the values are known, under a bare `grad`, they are put in the place of the proxies at once.

All that cannot be done in each run (`insert`, `pop` beside an added value, a list that is also read, bodies of loops) is an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .. import tree
from ..errors import LeakedTracerError, at_user_line
from ..trace import Tracer
from ..trace.constants import is_constant
from ..trace.ledger import Ledger
from .environment import Environment
from .places import Place


class Growth(NamedTuple):
    """The container at `path` gets further items, at its end or, in a mapping, under `keys`.

    `leaves` are those of the items that are the same in each run, with None in place of the results.
    """

    path: str
    keys: tuple | None
    leaves: tuple
    places: tuple[int, ...]
    structure: tree.Structure

    @classmethod
    def of(cls, path: str, keys: tuple | None, items: Sequence[Any]) -> tuple[Growth, list[Tracer]]:
        """The growth by these items, and the traced values among them, which are the results that it takes."""
        leaves, structure = tree.flatten(list(items))
        places = tuple([i for i, x in enumerate(leaves) if type(x) is Tracer])
        fixed = tuple([None if type(x) is Tracer else x for x in leaves])
        return cls(path, keys, fixed, places, structure), [leaves[i] for i in places]

    def apply(self, values: Sequence[Any], environment: Environment) -> None:
        """Add the items, with the results of a run."""
        leaves = list(self.leaves)
        for i, value in zip(self.places, values):
            leaves[i] = value
        items = self.structure.unflatten(leaves)
        container = environment.containers[self.path]
        if self.keys is None:
            container.extend(items)
        else:
            container.update(zip(self.keys, items))


class Change(NamedTuple):
    """A container that is not what it was: `before` are its items then, a list or a dict."""

    path: str
    container: Any
    before: list | dict

    def added(self) -> tuple[tuple | None, list] | None:
        """The keys, where there are keys, and the items that have come, if that is all that has happened to the container."""
        known, now = len(self.before), _items(self.container)
        if isinstance(now, dict):
            keys = tuple(now)
            return (keys[known:], [now[k] for k in keys[known:]]) if keys[:known] == tuple(self.before) else None
        bounded = isinstance(self.container, deque) and self.container.maxlen is not None
        return (None, now[known:]) if not bounded and all([a is b for a, b in zip(self.before, now)]) and len(now) > known else None

    def replace_traced(self, value_of: Callable[[Any], Any]) -> None:
        """Put `value_of(x)` in the place of each item x that holds a proxy and was not there."""
        old = set(map(id, _values(self.before)))
        now = _items(self.container)
        for key, item in now.items() if isinstance(now, dict) else enumerate(now):
            if id(item) not in old and holds_traced(item):
                now[key] = value_of(item)
        _fill(self.container, now)

    def undo(self) -> None:
        """Let the container have the items that it had."""
        _fill(self.container, self.before)


class Snapshot:
    """What was in the containers of an environment."""

    def __init__(self, environment: Environment):
        self._before = [(path, x, _items(x)) for path, x in environment.containers.items()]

    def changes(self) -> Iterator[Change]:
        """The containers that hold proxies which they did not hold. Items that were replaced are not looked at: they have places of their own."""
        for path, container, before in self._before:
            now = _items(container)
            if len(now) != len(before) or (isinstance(before, dict) and now.keys() != before.keys()):
                old = set(map(id, _values(before)))
                if any([id(x) not in old and holds_traced(x) for x in _values(now)]):
                    yield Change(path, container, before)

    def undo(self) -> None:
        """Take back what holds proxies; those of constants, whose values are known, may stay."""
        for change in list(self.changes()):
            if any([not is_constant(leaf) for leaf in tree.leaves(list(_values(_items(change.container)))) if type(leaf) is Tracer]):
                change.undo()


def grown(snapshot: Snapshot, what: str) -> list[tuple[str, tuple | None, list]]:
    """What was added to containers: path, keys and items; it is taken back. Raises `LeakedTracerError` where anything else was done to them."""
    found = []
    for change in list(snapshot.changes()):
        added = change.added()
        change.undo()
        if added is None:
            raise leaked(change.path, what, "is changed in another way than by adding to its end")
        found.append((change.path, *added))
    return found


def leaked(path: str, what: str, why: str) -> LeakedTracerError:
    """The error for a container that cannot get what a run computes."""
    return LeakedTracerError(
        at_user_line(
            f"{what}: a traced value is put into `{path}`, which {why}. It means nothing when the trace has ended: return it from the function, "
            f"make it part of a loop's state, or write it into an array."
        )
    )


class Ledgers:
    """Ledgers in the places of the lists that are only added to."""

    def __init__(self, places: Sequence[Place]):
        self._standing = [(place, place.get(), Ledger(place.get())) for place in places]
        for place, _, ledger in self._standing:
            place.set(ledger)

    def take_away(self) -> list[tuple[Place, list, bool]]:
        """Put the lists back. What was added to each, and whether it was read."""
        found = []
        for place, original, ledger in self._standing:
            if place.get() is ledger:
                place.set(original)
            found.append((place, list.__getitem__(ledger, slice(len(original), None)), ledger.read))
        return found


def holds_traced(x: Any) -> bool:
    """Whether there is a proxy among the leaves of x."""
    return any([type(leaf) is Tracer for leaf in tree.leaves(x)])


def _items(x: Any) -> list | dict:
    """What is in a container; a ledger does not count it as reading."""
    return dict(x) if isinstance(x, Mapping) else list.copy(x) if isinstance(x, list) else list(x)


def _fill(x: Any, items: list | dict) -> None:
    """Let a container have these items."""
    if isinstance(items, dict):
        x.clear()
        x.update(items)
    elif isinstance(x, list):
        list.__setitem__(x, slice(None), items)
    else:
        x.clear()
        x.extend(items)


def _values(items: list | dict) -> Any:
    return items.values() if isinstance(items, dict) else items


__all__ = ["Growth", "Ledgers", "Snapshot", "grown", "holds_traced", "leaked"]
