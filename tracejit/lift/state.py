"""What a loop or branch changes, while its body is traced: variables by value, arrays that are written in place by what is in them.

A variable that is bound anew (`s = s + x`) is carried as a value: the body finds a proxy of its own trace in it.  An array that is written into is
carried as contents: the very proxy, with everything that shares its memory, stands for an input of the body's trace, and afterwards for the result.
So aliases stay what they are: views, attributes and arguments of the caller see the writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..errors import TracejitError
from ..ir import ArrayType
from ..ops.elementwise import convert
from ..trace import Trace, Tracer, type_of
from ..trace.constants import as_proxy, constant
from ..trace.creation import tracing
from ..trace.views import OutsideWriteError, assign, put_back_undecided, rebind, root, undecided
from .liveness import Facts
from .places import UNSET, Containers, Grown, Item, Scope, Variable


class Stays(TracejitError):
    """A loop or branch cannot be compiled as one: it stays Python's. The text says why."""


class Leaves(NamedTuple):
    """A value as arrays. `types` have their `weak` flags."""

    values: list[Any]
    structure: tree.Structure
    types: list[ArrayType]


def leaves_of(value: Any) -> Leaves | None:
    """The arrays of a value, as they are now; None where it holds something else, or none."""
    if value is UNSET:
        return None
    flat, structure = tree.flatten(value)
    if not flat:
        return None
    try:
        types = [type_of(x) for x in flat]
    except TypeError:
        return None
    return Leaves([Tracer(x.owner, x.atom, x.weak) if type(x) is Tracer else x for x in flat], structure, types)


def as_operand(x: Any, dtype: np.dtype) -> Any:
    """A leaf as an operand of an op, in this dtype."""
    value = x if type(x) is Tracer else np.asarray(x)[()] if np.ndim(x) == 0 else np.asarray(x)
    return value if type_of(value).dtype == dtype else convert(value, dtype=dtype)


def promoted(a: ArrayType, b: ArrayType) -> ArrayType:
    """The type of a variable that is either; a Python number yields to an array's dtype, as in an operation of the two."""
    if a.dtype == b.dtype:
        return ArrayType(a.shape, a.dtype, a.weak and b.weak)
    if a.weak and b.weak:
        return ArrayType(a.shape, np.result_type(a.dtype, b.dtype), True)
    return ArrayType(a.shape, np.result_type(*(t.dtype.type(0).item() if t.weak else t.dtype for t in (a, b))))


def described(value: Any) -> str:
    """What messages call a value that cannot be carried."""
    if value is UNSET:
        return "not assigned"
    return repr(value) if value is None or isinstance(value, str) else f"a {type(value).__qualname__}"


def same_plain(a: Any, b: Any) -> bool:
    """Whether two values are one to a program: the same object, or equal numbers or texts of one type."""
    return a is b or type(a) is type(b) and isinstance(a, (bool, int, float, complex, str, bytes, tuple, frozenset)) and _equal(a, b)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same_plain, a, b))
    return a == b and repr(a) == repr(b)  # 0.0 and -0.0 are two


class Slot:
    """A place, what was in it, and how it is carried: `leaves` is None where it is to stay what it is."""

    def __init__(self, place: Variable | Item, by_contents: bool = False):
        self.place, self.entry = place, place.get()
        self.leaves = None if by_contents else leaves_of(self.entry)
        self.by_contents = by_contents
        self.born = False  # it has no value before; the body gives it one
        self.holder: Tracer | None = None  # the array that is in the place when the body begins, if it is one

    @property
    def types(self) -> list[ArrayType]:
        return self.leaves.types if self.leaves else []

    def enter(self, trace: Trace) -> list[Tracer]:
        """Put proxies of the body's trace into the place."""
        if self.leaves is None or self.born:
            self.place.set(self.entry)
            self.holder = self.entry if self.by_contents else None
            return [trace.input(t.strong) for t in self.types]
        inputs = [trace.input(t) for t in self.types]
        value = self.leaves.structure.unflatten([Tracer(t.owner, t.atom, t.weak) for t in inputs])
        self.place.set(value)
        self.holder = value if type(self.entry) is Tracer and self.entry.ndim else None
        return inputs

    def written(self, inputs: Sequence[Tracer]) -> bool:
        """Whether the body has written into the array of a variable that is carried as a value."""
        return self.holder is not None and not self.by_contents and self.holder.atom is not inputs[0].atom

    def leave(self, results: Sequence[Any]) -> None:
        """Put the results of the loop or branch into the place."""
        made = []
        for x, t in zip(results, self.types):
            x = Tracer(x.owner, x.atom, t.weak) if type(x) is Tracer else constant(x)
            made.append(x)
        self.place.set(self.leaves.structure.unflatten(made))


class State:
    """The slots and written arrays of a loop or branch, found by looking at its source, and by tracing it."""

    def __init__(self, facts: Facts, scope: Scope, skip: Sequence[str] = ()):
        self.facts, self.scope = facts, scope
        self.by_value: set[Any] = set()  # variables that are carried as values although they hold an array that is written
        self.targets: list[Tracer] = []
        self.items: dict[Any, Item] = {}
        self.skip = frozenset(skip)
        self.notes: dict[str, str] = {}  # why a variable is not assigned afterwards
        self.exchanged: list[Tracer] = []  # arrays that are given each other's names in every turn
        self.refresh()

    def refresh(self) -> None:
        """Look at the places as they are now."""
        self._find_targets()
        places = [self.scope.variable(n) for n in self.facts.bound if n not in self.skip]
        self.slots = [Slot(p, self._by_contents(p)) for p in (*places, *self.items.values())]

    def _find_targets(self) -> None:
        for path in self.facts.written:
            if path[0] not in self.by_value:
                value = self.scope.at(path)
                if type(value) is Tracer and value.ndim:
                    self.add_target(root(value))

    def add_target(self, x: Tracer) -> bool:
        """Carry the contents of an array. Whether that is new."""
        if any(x is t for t in self.targets):
            return False
        self.targets.append(x)
        return True

    def _by_contents(self, place: Variable | Item) -> bool:
        value = place.get()
        return type(value) is Tracer and bool(value.ndim) and place.key not in self.by_value and self.is_target(value)

    def is_target(self, x: Tracer) -> bool:
        owner = root(x)
        return any(owner is t for t in self.targets)

    def carry_by_value(self, slot: Slot) -> None:
        """The variable is bound to another array in the body: its array is not what is written into in every turn."""
        self.by_value.add(slot.place.key)
        self.targets = [t for t in self.targets if t is not root(slot.entry)]

    @contextmanager
    def inside(self, trace: Trace, as_inputs: bool) -> Iterator[tuple[list[list[Tracer]], list[Tracer]]]:
        """While it runs, code finds proxies of `trace` in the places, and may write into the arrays; afterwards all is as it was."""
        saved = [(x.owner, x.atom, x.home) for x in self.targets]
        variables = self.scope.save(self.facts.assigned)
        containers = self.containers()
        marked = undecided()
        try:
            with tracing(trace, None):
                inputs = [slot.enter(trace) for slot in self.slots] if as_inputs else []
                contents = []
                for x in self.targets:
                    if as_inputs:
                        contents.append(trace.input(x.type.strong))
                        rebind(x, trace, contents[-1].atom, trace)
                    else:
                        x.home = trace
                self.now = containers
                yield inputs, contents
        finally:
            put_back_undecided(marked)
            for x, (owner, atom, home) in zip(self.targets, saved):
                rebind(x, owner, atom, home)
            containers.restore()
            self.scope.put_back(variables)
            for slot in self.slots:
                slot.place.set(slot.entry)

    def containers(self) -> Containers:
        return Containers(self.scope.values(self.facts.read))

    def found_items(self) -> bool:
        """Whether items of containers have changed that were not known to; they are, from now on."""
        try:
            new = [item for item in self.now.changes() if item.key not in self.items and item.key not in {s.place.key for s in self.slots}]
        except Grown as grown:
            raise Stays(str(grown)) from None
        self.items.update((item.key, item) for item in new)
        return bool(new)

    def finish_targets(self, results: Sequence[Any]) -> None:
        for x, value in zip(self.targets, results):
            assign(x, as_proxy(value), decided=True)

    def discover(self, error: OutsideWriteError, trace: Trace) -> None:
        """Carry the array that the error tells of, if it is from outside of `trace`. Raises the error otherwise."""
        home = error.target.home or error.target.owner
        if home.depth >= trace.depth or not self.add_target(error.target):
            raise error


__all__ = ["Leaves", "Slot", "State", "Stays", "as_operand", "described", "leaves_of", "promoted", "same_plain"]
