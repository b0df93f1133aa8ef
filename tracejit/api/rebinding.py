"""What a traced function binds anew outside of itself: `self.u = self.u + dt * f(self.u)`, `self.t += dt`, `global total`.

To NumPy these are ordinary assignments; a traced value that stays in an attribute when its trace has ended means nothing.  So while a function is
traced its assignments are undone at the end, and their values become further results: `jit` makes the assignments after each run, once.  What such a
place holds before, an array, a number, or a tuple, list or dict of such, is a further argument: the function that advances it is not traced again at
each step.  A function is traced a second time when it turns out to advance something.

A Python number stays one.  Integers in variables (`nonlocal calls; calls += 1`) are left to Python, as lists that a function appends to: they change
once a trace, which is how traces are counted.  Under a bare `grad`, which computes at once, the values themselves are assigned.  A body of a loop,
and a function under `vmap`, cannot assign a traced value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import residence, tree
from ..errors import LeakedTracerError, TracejitError, at_user_line
from ..trace import Tracer
from ..trace.constants import active_traces
from .environment import Environment, is_tree_of_values
from .growth import Growth, Ledgers, Snapshot, grown, leaked
from .places import ABSENT, Place
from .recording import outside_value

_NUMBERS = (bool, int, float, complex)


class Effect(NamedTuple):
    """The place at `path` is bound to a tree of results; `kinds` has, for each leaf, the type of the Python number that it is, or None."""

    path: str
    kinds: tuple[type | None, ...]

    def apply(self, made: Any, environment: Environment) -> None:
        """Make the assignment, with the results of a run."""
        environment.places[self.path].set(self.value(made))

    def value(self, made: Any) -> Any:
        """What is assigned, of the results."""
        if not any(self.kinds):
            return made
        leaves, structure = tree.flatten(made)
        return structure.unflatten([x if k is None else _as_number(x, k) for x, k in zip(leaves, self.kinds)])


class Rebinding:
    """A function of (arguments, keyword arguments, values of the environment's states) whose assignments are undone when it returns; their values
    follow its result, where there are any.

    `effects` says what they are, `missing` which further places must be states, `added_to` which further lists must be ledgers.
    """

    def __init__(self, f: Callable, environment: Environment, what: str):
        self.__wrapped__, self.environment, self.what = f, environment, what
        self.effects: list[Effect | Growth] = []
        self.missing: list[str] = []
        self.added_to: list[str] = []
        self._growth: list[tuple[str, tuple | None, list]] = []

    def __call__(self, args: tuple, kwargs: dict, states: Sequence[Any] = ()) -> Any:
        changed, out = self._run(args, kwargs, states)
        known = {place.path for place in self.environment.states}
        self.effects, values = [], []
        self.missing = [p.path for p, old, _ in changed if p.loaded and p.path not in known and is_tree_of_values(old)]
        for place, _, new in changed:
            self.effects.append(Effect(place.path, tuple(map(_kind, tree.leaves(new)))))
            values.append(new)
        for path, keys, items in self._growth:
            growth, results = Growth.of(path, keys, items)
            self.effects.append(growth)
            values.append(results)
        return (out, tuple(values)) if values else out

    def _run(self, args: tuple, kwargs: dict, states: Sequence[Any]) -> tuple[list[tuple[Place, Any, Any]], Any]:
        places = list(self.environment.places.values())
        before = [place.get() for place in places]
        for place, value in zip(self.environment.states, states):
            place.set(value)
        begin = [place.get() for place in places]
        snapshot, ledgers = Snapshot(self.environment), Ledgers(self.environment.ledgers)
        left = {place.path for place in places}  # what is put back: all, unless the function returns
        try:
            try:
                out = self.__wrapped__(args, kwargs)
            finally:
                added = ledgers.take_away()
            self._note_growth(snapshot, added)
            changed = [(p, old, new) for p, old, new in _differences(places, begin) if is_effect(p, old, new, self.what)]
            left = {place.path for place in (*(p for p, _, _ in changed), *self.environment.states)}
        finally:
            snapshot.undo()
            for place, value in zip(places, before):
                if place.path in left and place.get() is not value:
                    place.set(value)
        return changed, out

    def _note_growth(self, snapshot: Snapshot, added: Sequence[tuple[Place, list, bool]]) -> None:
        """Note what was added to containers. `added` is what ledgers got, which stood for lists."""
        self._growth = [(place.path, None, items) for place, items, _ in added if items]
        for place, _, read in added:
            if read:
                raise leaked(place.path, self.what, "the function also reads")
        for path, keys, items in grown(snapshot, self.what):
            self._growth.append((path, keys, items))
            if type(self.environment.containers[path]) is list:
                self._refuse_without_place(path)
                self.added_to.append(path)

    def _refuse_without_place(self, path: str) -> None:
        place = self.environment.places.get(path)
        if place is None or place.get() is not self.environment.containers[path]:
            raise leaked(path, self.what, "stands where nothing can be put in its place")


class Assigning:
    """A function whose assignments outside of itself are done when it returns, with values that the context outside knows, where its trace is
    concrete.  Else they are `undone`, or refused with `TracejitError` where they hold what only the trace knows."""

    def __init__(self, f: Callable, what: str, undone: bool):
        self.__wrapped__, self.what, self.undone = f, what, undone

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace = active_traces()[-1]
        environment = Environment(self.__wrapped__)
        places, snapshot = list(environment.places.values()), Snapshot(environment)
        before = [place.get() for place in places]
        done: dict[str, Any] = {}
        finished = False
        try:
            out = self.__wrapped__(*args, **kwargs)
            for place, old, new in _differences(places, before):
                if is_effect(place, old, new, self.what):
                    done[place.path] = self._value(trace, place.path, new)
            self._settle(trace, snapshot)
            finished = True
        finally:
            if self.undone or not finished:
                snapshot.undo()
            for place, old, _ in list(_differences(places, before)):
                if place.path in done or not finished:
                    place.set(done[place.path] if finished and not self.undone else old)
        return out

    def _settle(self, trace: Any, snapshot: Snapshot) -> None:
        """Let what was added to containers be values that the context outside knows."""
        if not self.undone:
            for change in list(snapshot.changes()):
                change.replace_traced(lambda x, path=change.path: self._value(trace, path, x))

    def _value(self, trace: Any, path: str, new: Any) -> Any:
        if trace.values is not None:
            return Effect(path, tuple(map(_kind, tree.leaves(new)))).value(tree.map(lambda x: outside_value(trace, x), new))
        traced = _traced_in(new)
        if self.undone or traced is None or traced.owner is not trace:
            return new
        raise LeakedTracerError(
            at_user_line(
                f"`{path}` is bound to a value that is traced inside the {self.what} ({_origin(traced)}), which nobody hands over: "
                f"return the value, make it part of the loop's state, or write it into an array (`{path}[...] = value`)"
            )
        )


def apply(effects: Sequence[Effect | Growth], values: Sequence[Any], environment: Environment) -> None:
    """Make the assignments, with the values that a run gave."""
    for effect, value in zip(effects, values):
        effect.apply(value, environment)


def _differences(places: Sequence[Place], before: Sequence[Any]) -> Iterator[tuple[Place, Any, Any]]:
    for place, old in zip(places, before):
        new = place.get()
        if new is not old:
            yield place, old, new


def is_effect(place: Place, old: Any, new: Any, what: str) -> bool:
    """Whether an assignment is a part of the program. Raises `TracejitError` where it holds a traced value and cannot be."""
    if new is ABSENT:
        return False
    traced = _traced_in(new)
    if not is_tree_of_values(new):
        if traced is not None:
            raise TracejitError(
                at_user_line(
                    f"{what}: `{place.path}` is bound to a {type(new).__name__} that holds a traced value ({_origin(traced)}), which means "
                    "nothing when the trace has ended: return it, or bind arrays, or tuples, lists and dicts of them"
                )
            )
        return False
    if traced is not None:
        return True
    if residence.is_array(new):
        return residence.is_array(old) or isinstance(old, (*_NUMBERS, np.generic, Tracer)) or old is None or old is ABSENT
    number = isinstance(new, (*_NUMBERS, np.generic)) and (old is ABSENT or isinstance(old, (*_NUMBERS, np.generic, Tracer)))
    return number and (place.in_object or isinstance(new, (float, complex, np.inexact))) and not (type(new) is type(old) and new == old)


def _traced_in(x: Any, depth: int = 0) -> Tracer | None:
    """A proxy in a value: in containers and in objects."""
    if type(x) is Tracer:
        return x
    if depth > 4 or residence.is_array(x) or isinstance(x, (str, bytes, np.generic, type, *_NUMBERS)) or callable(x):
        return None
    items = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else getattr(x, "__dict__", {}).values()
    return next((found for item in list(items) if (found := _traced_in(item, depth + 1)) is not None), None)


def _origin(x: Tracer) -> str:
    node = getattr(x.owner, "builder", None) and x.owner.builder.producer.get(x.atom)
    return f"{x.type}" if not node else f"{x.type}, made at {node.source}"


def _as_number(x: Any, kind: type) -> Any:
    return Tracer(x.owner, x.atom, weak=True) if type(x) is Tracer else kind(x)


def _kind(x: Any) -> type | None:
    if type(x) is Tracer:
        return {"b": bool, "i": int, "f": float, "c": complex}[x.dtype.kind] if x.weak else None
    return type(x) if type(x) in _NUMBERS else None
