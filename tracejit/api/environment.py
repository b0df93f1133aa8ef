"""What a function reads besides its arguments: closed-over values, globals, attributes of objects, and the functions that it calls.

A compiled function must not go on with values that have changed.  An `Environment` is a look at all of them at one moment: a `fingerprint`, equal for
two moments when a program traced at the one may run at the other, and `watches`, which tell quickly that nothing has been rebound since.

Looked at are the names that the code of the function loads, and of the user's functions, classes and modules that it reaches through them.  Libraries
are taken as they are.  Arrays count by shape and dtype: their contents are read at each call.
"""

from __future__ import annotations

import array
import collections
import dis
import enum
import functools
import operator
import sys
import types
import weakref
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from .. import residence
from ..ir import supported
from ..trace import Tracer
from ..trace.constants import is_constant, released
from ..trace.ledger import Ledger
from ..trace.stand_ins import standing_for
from ..trace.user_code import in_library
from .places import (
    ABSENT,
    Place,
    contents_of,
    in_array,
    in_cell,
    in_class,
    in_dict,
    in_sequence,
    in_slot,
    length,
    records_of,
    same_items,
    unchanged,
)
from .statics import identity

_VALUES = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), slice, range, np.generic, np.dtype, enum.Enum)
_BYTES = (bytearray, memoryview, array.array)
_PACKAGE = f"{__name__.partition('.')[0]}."
_ALL = "*"  # among names: every attribute
_REFLECTION = frozenset(("getattr", "hasattr", "vars", "attrgetter", "asdict", "astuple", "fields", "replace", "__dict__", "__getattribute__"))
_LIMIT = 20_000  # items of containers that have watches of their own; those of longer ones are compared in one go, 20 ns each


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The globals and the attributes that some code loads, and both that it binds, with the functions defined in it. Code that may ask for an
    attribute by a name that it computes loads all (`_ALL`); of `globals()["name"]` the names that it spells out are known."""
    spaces, attributes, bound = set(), set(), set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            spaces.add(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"):
            attributes.add(instruction.argval)
        elif instruction.opname in ("STORE_ATTR", "STORE_GLOBAL"):
            bound.add(instruction.argval)
    if not _REFLECTION.isdisjoint(spaces | attributes):
        attributes.add(_ALL)
    if "globals" in spaces:
        spaces.update([c for c in code.co_consts if isinstance(c, str)])
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner = _names(constant)
            spaces |= inner[0]
            attributes |= inner[1]
            bound |= inner[2]
    return frozenset(spaces), frozenset(attributes), frozenset(bound)


@functools.lru_cache(maxsize=4096)
def _globals_bound(code: types.CodeType) -> frozenset[str]:
    """The globals that some code binds."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_GLOBAL"}
    return frozenset(found.union(*[_globals_bound(c) for c in code.co_consts if isinstance(c, types.CodeType)]))


def is_tree_of_values(x: Any) -> bool:
    """Whether x, an array, a number, None, or a tuple, list or dict of such, could be an argument of a compiled function."""
    if x is None or isinstance(x, (bool, int, float, complex, np.generic, Tracer)):
        return True
    if residence.is_array(x):
        return supported(x.dtype)
    if type(x) is dict:
        return len(x) <= _LIMIT and all(map(is_tree_of_values, x.values()))
    return isinstance(x, (tuple, list)) and len(x) <= _LIMIT and all(map(is_tree_of_values, x))


class Fingerprint:
    """A hashable record of an environment: ((path, description), ...). It keeps alive what it describes by identity."""

    __slots__ = ("items", "_hash", "_kept")

    def __init__(self, items: tuple, kept: list):
        self.items, self._kept, self._hash = items, kept, hash(items)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and self._hash == other._hash and self.items == other.items

    def changed(self, other: Fingerprint) -> frozenset[str]:
        """The paths that are not the same in both."""
        mine, others = dict(self.items), dict(other.items)
        return frozenset(path for path in (*mine, *others) if mine.get(path) != others.get(path))

    def objects(self) -> Iterator[tuple[str, Any]]:
        """What is described by which object it is, with its path."""
        by_identity = {id(x): x for x in self._kept}
        for path, (kind, *what) in self.items:
            if kind == "object":
                yield path, by_identity[what[0]]

    def differences(self, other: Fingerprint) -> Iterator[str]:
        """How `other`, an earlier environment, differed."""
        before = dict(other.items)
        now = dict(self.items)
        for path in dict.fromkeys((*now, *before)):
            if now.get(path) != before.get(path):
                yield f"`{path}` {_said(now.get(path))} was {_said(before.get(path))}"


def _said(description: tuple | None) -> str:
    if description is None:
        return "(not read)"
    kind, *what = description
    if kind == "value":
        return str(what[0][1])
    if kind == "array":
        return f"({np.dtype(what[2])}{list(what[1])})"
    return f"({kind})"


class Environment:
    """A look at what `f` reads, now, and through its static arguments ((place, value), ...); paths in `ignored` are left out, and those in `states`,
    whose places are listed in `states` instead. `places` are all that the function might bind anew, by path.
    `arrays` are the arrays among it, each once, in an order that equal fingerprints share; where a proxy stands for one, `targets` has that for its
    number. `containers` are the lists and dicts by path; `ledgers` are the places of those lists which the function is known to do nothing but add
    to (the paths in `added_to`), whose items are left out."""

    __slots__ = ("arrays", "containers", "fingerprint", "ledgers", "places", "states", "targets", "watches")

    def __init__(
        self, f: Any, statics: tuple = (), ignored: frozenset[str] = frozenset(), states: frozenset[str] = frozenset(),
        added_to: frozenset[str] = frozenset(),
    ):  # fmt: skip
        names: frozenset[str] = frozenset()
        while True:
            look = _Look(names, ignored, states, added_to)
            look.at(f, getattr(f, "__name__", type(f).__name__))
            for place, value in statics:
                if not isinstance(value, _VALUES):  # an object may change, and is the same static argument then
                    look.at(value, f"argument {place}")
            if look.found <= names:  # attribute names of functions that were reached late apply to objects that were reached early
                break
            names |= look.found
        look.at_bound()
        self.arrays: list[np.ndarray] = look.arrays
        self.targets: dict[int, Tracer] = look.targets
        self.fingerprint = Fingerprint(tuple(look.items), look.kept)
        self.watches: list[tuple] = look.watches
        self.places: dict[str, Place] = look.places
        self.states: list[Place] = look.states
        self.containers: dict[str, Any] = look.containers
        self.ledgers: list[Place] = look.ledgers

    def defaults(self, before: Environment) -> set[str]:
        """The paths of items that have come into default dicts since an earlier look, by being asked for, and of their keys."""
        found = {p for p, place in self.places.items() if isinstance(place.container, collections.defaultdict) and p not in before.places}
        return found | {f"{path}<key>" for path, x in self.containers.items() if any([self.places[p].container is x for p in found])}

    def target(self, number: int) -> Any:
        """What is written into for an array: itself, or a proxy that stands for it here."""
        return self.targets[number] if number in self.targets else standing_for(self.arrays[number])

    def unchanged(self) -> bool:
        """Whether nothing has been rebound. A change to something equal counts as one."""
        return unchanged(self.watches)


class _Look:
    """One walk over what a function reads. `names` are the attributes that are looked at in objects, `found` those that the code reached loads."""

    def __init__(self, names: frozenset[str], ignored: frozenset[str], state_paths: frozenset[str], added_to: frozenset[str]):
        self.names, self.ignored, self.state_paths, self.added_to, self.found = names, ignored, state_paths, added_to, set()
        self.containers: dict[str, Any] = {}
        self.ledgers: list[Place] = []
        self.places: dict[str, Place] = {}
        self.states: list[Place] = []
        self._bound: set[str] = set()  # names that the code binds
        self._bindable: list[tuple[Callable, Any, Callable[[str], bool], str]] = []  # where: how it is read, the container, which names it takes
        self.items: list[tuple[str, tuple]] = []
        self.arrays: list[np.ndarray] = []
        self.targets: dict[int, Tracer] = {}
        self.watches: list[tuple] = []
        self.kept: list[Any] = []
        self._seen: dict[int, int] = {}
        self._alive: list[Any] = []
        self._own: dict[str, Any] | None = None  # the globals of the first function: their names need no module in front

    def watch(self, read, container: Any, key: Any, path: str) -> None:
        if path in self.ignored:
            return
        value = read(container, key)
        if type(value) is types.ModuleType and in_library(getattr(value, "__file__", None) or ""):
            return  # `np` is not bound to something else
        place = Place(read, container, key, path)
        if read is not in_class:
            self.places.setdefault(path, place)
        if path in self.state_paths and is_tree_of_values(value):
            self.states.append(place)
            self.note(path, "state")
            return
        if path in self.added_to and type(value) is list:
            self.ledgers.append(place)
            self.containers[path] = value
            self.note(path, "ledger")
            self.watches.append((read, container, key, value))
            return
        self.watches.append((read, container, key, value))
        if value is not ABSENT:
            self.at(value, path)

    def at_bound(self) -> None:
        """Note the places that are bound and never read."""
        for read, container, takes, prefix in self._bindable:
            for name in sorted(self._bound):
                path = prefix + name
                if path not in self.places and takes(name):
                    self.places[path] = Place(read, container, name, path, loaded=False)

    def note(self, path: str, *description: Any) -> None:
        self.items.append((path, description))

    def note_identity(self, path: str, kind: str, x: Any) -> None:
        """Describe `x` by which object it is. The fingerprint keeps it alive, so that no other gets its identity."""
        self.note(path, kind, id(x))
        self.kept.append(x)

    def at(self, x: Any, path: str) -> None:
        """Note `x`, and all that is read through it."""
        from .compilation import Jit  # the two modules need each other

        proxy = x if is_constant(x) else None  # an array that a function around this one closes over, say
        if proxy is not None:
            x = released(proxy)
        if isinstance(x, _VALUES):
            self.note(path, "value", identity(x))
            return
        number = self._seen.get(id(x))
        if number is not None:
            self.note(path, "again", number)
            return
        self._seen[id(x)] = len(self._seen)
        self._alive.append(x)  # so that identities stay apart while the walk lasts
        if isinstance(x, np.ndarray) and x.dtype.hasobject:
            self._objects(x, path)
        elif residence.is_array(x):
            self.note(path, "array", x.shape, x.dtype.str, type(x), len(self.arrays))
            if proxy is not None:
                self.targets[len(self.arrays)] = proxy
            self.arrays.append(x)
        elif type(x) is Tracer:
            self.note_identity(path, "traced", x)
        elif type(x) is Ledger:
            self.containers[path] = x
            self.note(path, "ledger")
        elif isinstance(x, types.FunctionType):
            self._function(x, path)
        elif type(x) is Jit:
            self.note(path, "jit", x.statics)
            self.at(x.f, path)
        elif isinstance(x, types.MethodType):
            self.at(x.__func__, f"{path}.__func__")
            self.at(x.__self__, f"{path}.__self__")
        elif isinstance(x, functools.partial):
            for name in ("func", "args", "keywords"):
                self.at(getattr(x, name), f"{path}.{name}")
        elif type(x) is weakref.ref:
            self.at(x(), path)
        elif isinstance(x, property):
            self.at(x.fget, path)
        elif isinstance(x, (staticmethod, classmethod)):
            self.at(x.__func__, path)
        elif isinstance(x, functools.cached_property):
            self.at(x.func, path)
        elif isinstance(x, (list, tuple, dict, set, frozenset, collections.deque)):
            self._container(x, path) if len(x) <= _LIMIT else self._long_container(x, path)
        elif isinstance(x, _BYTES):
            self.note(path, "contents", type(x), bytes(x))
            self.watches.append((contents_of, x, None, None))
        elif isinstance(x, (operator.attrgetter, operator.methodcaller)):
            self.note_identity(path, "object", x)
            self.found.add(_ALL)
        elif isinstance(x, (Mapping, Sequence)) and _of_library(type(x)) and len(x) <= _LIMIT:  # UserDict, mappingproxy, ChainMap
            self._container(x, path)
        else:
            self._object(x, path)

    def _function(self, f: types.FunctionType, path: str) -> None:
        code = f.__code__
        self.note(path, "function", code)
        if not in_library(code.co_filename):  # a library's own globals stay what they are
            spaces, attributes, bound = _names(code)
            self.found |= attributes
            self._bound |= bound
            if self._own is None:
                self._own = f.__globals__
            prefix = "" if f.__globals__ is self._own else f"{f.__module__}."
            for name in sorted(spaces):
                if name in f.__globals__:
                    self.watch(in_dict, f.__globals__, name, prefix + name)
            if bound:
                self._bindable.append((in_dict, f.__globals__, _globals_bound(code).__contains__, prefix))
        for which in ("__defaults__", "__kwdefaults__"):  # of a library's functions, too: it may make many of one code
            if getattr(f, which):
                self.watch(in_slot, f, which, f"{path}.{which}")
        for name, cell in zip(code.co_freevars, f.__closure__ or ()):
            self.watch(in_cell, cell, None, name if name != "__class__" else f"{path}.__class__")

    def _objects(self, x: np.ndarray, path: str) -> None:
        """An array of objects, or of records that have some."""
        self.note(path, "objects", type(x), x.shape, x.dtype)
        if x.dtype == object:
            for place in range(x.size):
                self.watch(in_array, x, place, f"{path}.flat[{place}]")
        else:
            self.note(path, "records", repr(x.tolist()))
            self.watches.append((records_of, x, None, None))

    def _long_container(self, x: Any, path: str) -> None:
        """A container of more items than are watched one by one. Its items are described by which objects they are."""
        kept = list(x.items()) if isinstance(x, dict) else list(x)
        items = [item for pair in kept for item in pair] if isinstance(x, dict) else kept
        self.kept.append(items)
        self.note(path, "long", type(x), tuple(map(id, items)))
        self.watches.append((same_items, x, items, True))
        for place, item in enumerate(items):
            if not isinstance(item, _VALUES):
                self.at(item, f"{path}<item {place}>")

    def _container(self, x: Any, path: str) -> None:
        if isinstance(x, (list, collections.deque, collections.UserList, MutableMapping)):
            self.containers[path] = x
        self.note(path, "container", type(x), None if isinstance(x, collections.defaultdict) else len(x))  # it grows by being read
        if isinstance(x, Mapping):
            self.watches.append((length, x, None, len(x)))
            for key in list(x):
                self.at(key, f"{path}<key>")
                self.watch(in_dict, x, key, f"{path}[{key!r}]")
        elif isinstance(x, tuple):
            for place, item in enumerate(x):
                self.at(item, f"{path}[{place}]")
        elif isinstance(x, Sequence):
            self.watches.append((length, x, None, len(x)))
            for place in range(len(x)):
                self.watch(in_sequence, x, place, f"{path}[{place}]")
        else:
            self.watches.append((length, x, None, len(x)))
            for item in x:
                self.kept.append(item)
            self.note(path, "set", frozenset(map(id, x)))

    def _object(self, x: Any, path: str) -> None:
        """Attributes of an object, a class or a user's module, and the methods of the user's classes."""
        if isinstance(x, types.ModuleType):
            self.note(path, "module", x.__name__)
            if in_library(getattr(x, "__file__", None) or "<frozen>"):
                return
        elif isinstance(x, type):
            self.note_identity(path, "class", x)
            self._methods(x)
            return
        else:
            self._methods(type(x))
            library = _of_library(type(x))
            foreign = library and not type(x).__module__.startswith(_PACKAGE)  # whose methods may read any array of it
            for base in type(x).__mro__:
                slots = vars(base).get("__slots__", ())
                for name in (slots,) if isinstance(slots, str) else slots:
                    wanted = name in self.names or _ALL in self.names and name not in ("__dict__", "__weakref__")
                    if wanted or foreign and type(getattr(x, name, None)) is np.ndarray:
                        self.watch(in_slot, x, name, f"{path}.{name}")
            if library:  # which attributes its methods read is not known, but those that the user's code reads are
                self.note_identity(path, "object", x)
            else:
                self.note_identity(path, "object of", type(x))
            if foreign and type(getattr(x, "__dict__", None)) is dict:
                for name in [name for name, value in x.__dict__.items() if type(value) is np.ndarray and name not in self.names]:
                    self.watch(in_dict, x.__dict__, name, f"{path}.{name}")
            if type(getattr(x, "__dict__", None)) is not dict:
                return
            if not _of_library(type(x)):
                self._bindable.append((in_dict, x.__dict__, functools.partial(_is_no_property, type(x)), f"{path}."))
        named = self.names if _ALL not in self.names or isinstance(x, types.ModuleType) else {*self.names, *x.__dict__}
        for name in sorted(named):
            if name in x.__dict__ or hasattr(type(x), name):  # an attribute of the class may be hidden by one of the object
                self.watch(in_dict, x.__dict__, name, f"{path}.{name}")

    def _methods(self, kind: type) -> None:
        for base in kind.__mro__:
            if not _of_library(base):
                for name, value in sorted(vars(base).items(), key=_first):
                    if name in self.names or (name.startswith("__") and isinstance(value, types.FunctionType)):
                        self.watch(in_class, base, name, f"{base.__name__}.{name}")


def _is_no_property(kind: type, name: str) -> bool:
    return not hasattr(getattr(kind, name, None), "__set__")


def _first(pair: tuple) -> Any:
    return pair[0]


def _of_library(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    if module is None or kind.__module__ == "__main__":
        return False
    return in_library(getattr(module, "__file__", None) or "<frozen>")
