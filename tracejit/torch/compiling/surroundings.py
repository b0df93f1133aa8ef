"""What a compiled function reads besides the arrays: the objects that it reaches, at one moment.

From the function, its closure, the globals that its code names, its default arguments and the arguments of the call, everything is walked through:
functions of the user, containers, modules, optimizers, objects of the user's classes and the tensors in all of them.  `items` describe what was found
(structure, flags and plain values, but no contents of tensors): a program that was recorded in equal surroundings may run in these.  Tensors,
storages, containers and numbers are listed in an order that equal surroundings share, so a program refers to them by position.

`places` looks quickly whether everything is still the same object.
"""

from __future__ import annotations

import collections
import functools
import types
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ... import residence
from ...api.environment import _globals_bound as globals_bound
from ...api.environment import _names as names_in
from ...api.statics import identity
from ...trace.user_code import in_library
from .. import dtypes
from ..modes import state
from ..random import Generator
from ..storage import Storage
from ..tensor import Tensor
from .ledgers import Entry
from .places import CONTENTS, Fluid, Number, Variable, Watch

_VALUES = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), slice, range, np.generic, np.dtype, dtypes.dtype)
_COMPARED = 4096  # bytes of a plain array, which Python may have read, that are compared at every call
PACKAGE = __name__.partition(".torch")[0] + ".torch"
_UNREAD = frozenset(("_non_persistent_buffers_set",))  # changes only with `_buffers`
TENSOR_STATE = ("_requires", "_node", "_grad", "_storage")
_ASKING, _NUMBERS = frozenset(("isinstance", "type")), frozenset(("int", "float", "complex", "bool", "numbers", "Number", "Integral", "Real"))
_MAKING = frozenset(("__init__", "__new__", "__init_subclass__", "__post_init__"))  # run when a class is called, not when its objects are used


class Surroundings:
    """One walk from `f` and the leaves of its arguments. `moving` are the paths of numbers that are inputs of the program, and of lists that it only
    adds to."""

    def __init__(self, f: Any, leaves: Iterable[Any], moving: frozenset[str] | set[str]):
        self.moving = moving
        self.items: list[tuple[str, Any]] = []
        self.tensors: list[Tensor] = []
        self.storages: list[Storage] = []
        self.arrays: list[np.ndarray] = []
        self.containers: list[Any] = []
        self.functions: list[types.FunctionType] = []
        self.classes: list[type] = []
        self.modules: list[types.ModuleType] = []
        self.sets: list[set] = []
        self.generators: list[Generator] = []
        self.opaque: list[Any] = []  # objects of this library without a dictionary, which are not looked into
        self.numbers: list[Number] = []
        self.watches: list[tuple[str, Any, Any, Any]] = []
        self.plain: dict[str, int | float] = {}  # numbers that are part of the description, by path
        self.place_of: dict[tuple[int, Any], str] = {}  # their paths, by container and key
        self.list_at: dict[int, str] = {}  # the paths of lists
        self._reached: collections.Counter[int] = collections.Counter()  # how often each list was
        self.arguments: list[int | None] = []  # which tensor each leaf of the arguments is
        self.alone: set[int] = set()  # tensors among the arguments that share memory with nothing else that was found
        self._seen: dict[int, int] = {}
        self._storage_numbers: dict[int, int] = {}
        self._variables: dict[int, Variable] = {}  # by their cells
        self._foreign: list[tuple[str, Any]] = []
        self._alive: list[Any] = []
        self.described: list[Any] = []  # by which object they are: whoever keeps `key` has to keep them alive
        self._names: set[str] = set()
        self._names_matter = False
        self._own: dict[str, Any] | None = None
        leaves = list(leaves)
        together = collections.Counter(id(t._storage) for t in {id(x): x for x in leaves if isinstance(x, Tensor)}.values())
        self._alone = {number for number, count in together.items() if count == 1}
        while True:  # attribute names of functions that were reached late apply to objects that were reached early
            known = set(self._names)
            self._clear()
            self.asks_types = False
            self._at(f, getattr(f, "__name__", type(f).__name__))
            self.first_argument = len(self.tensors)
            for i, leaf in enumerate(leaves):
                self._argument(leaf, i)
            if not self._names_matter or self._names <= known:
                break
        self.leaves = leaves
        self.key = tuple(self.items)

    def _clear(self) -> None:
        for held in (self.items, self.tensors, self.storages, self.arrays, self.containers, self.numbers, self.watches, self.arguments, self._seen,
                     self._storage_numbers, self.alone, self.plain, self.place_of, self.list_at, self._foreign, self._reached,
                     self._variables, self.functions, self.classes, self.modules, self.sets, self.generators,
                     self.described, self.opaque):  # fmt: skip
            held.clear()
        self._own, self._names_matter = None, False

    # -- what was found
    def storage_number(self, storage: Storage) -> int | None:
        """The position of a storage, where it was found."""
        return self._storage_numbers.get(id(storage))

    @functools.cached_property
    def movable(self) -> frozenset[str]:
        """The paths of numbers that could be inputs: none where the function may ask for their types, which proxies do not have."""
        return frozenset() if self.asks_types else frozenset(self.place_of.values())

    def holds(self, x: Any) -> bool:
        """Whether an object was found."""
        return id(x) in self._seen

    def objects(self) -> list[tuple[str, Any]]:
        """The objects of libraries that were found, with their paths."""
        return list(self._foreign)

    def tensor_number(self, t: Tensor) -> int | None:
        """The position of a tensor, where it was found."""
        return self._position.get(id(t))

    @functools.cached_property
    def _position(self) -> dict[int, int]:
        return {id(t): i for i, t in enumerate(self.tensors)}

    def contents(self) -> list[Any]:
        """What the containers, and then the sets hold, for `put_back`."""
        return [*[dict(c) if isinstance(c, Mapping) else list(c) for c in self.containers], *map(frozenset, self.sets)]

    def put_back(self, before: list[Any]) -> bool:
        """Let the containers hold what they held. Whether any of them held something else, but for what tensors note about themselves."""
        changed = False
        states = {id(t.__dict__) for t in self.tensors}
        for container, held in zip([*self.containers, *self.sets], before):
            if isinstance(container, (set, frozenset)):
                if container != held:
                    container.clear()
                    container.update(held)
                    changed = True
            elif isinstance(container, Mapping):
                if len(container) != len(held) or any([container.get(k, held) is not v for k, v in held.items()]):
                    now = dict(container)
                    container.clear()
                    container.update(held)
                    names = (*TENSOR_STATE, "_data", "_chain") if id(container) in states else (*now, *held)
                    changed = changed or any([now.get(k) is not held.get(k) for k in names])
            elif len(container) != len(held) or any([a is not b for a, b in zip(container, held)]):
                container.clear()
                container.extend(held)
                changed = True
        return changed

    def differences(self, other: Surroundings) -> list[str]:
        """Where `other`, seen earlier, was different."""
        now, before = dict(self.items), dict(other.items)
        return [path for path in dict.fromkeys((*now, *before)) if now.get(path) != before.get(path)]

    # -- the walk
    def _note(self, path: str, *description: Any) -> None:
        self.items.append((path, description))

    def _by_identity(self, x: Any, path: str, kind: str) -> None:
        self._note(path, kind, id(x))
        self.described.append(x)

    def _argument(self, leaf: Any, place: int) -> None:
        path = f"argument {place}"
        if isinstance(leaf, Tensor):
            if id(leaf) not in self._seen and id(leaf._storage) in self._alone and id(leaf._storage) not in self._storage_numbers:
                self.alone.add(len(self.tensors))
            self._at(leaf, path)
            self.arguments.append(self._position_of(leaf))
            return
        self.arguments.append(None)
        if type(leaf) in (int, float, complex) and path in self.moving:
            self._note(path, "number", type(leaf))
            self.numbers.append(Number(None, place, None))
        else:
            if type(leaf) in (int, float):
                self.place_of[id(self), place] = path
            self._at(leaf, path)

    def _position_of(self, t: Tensor) -> int:
        return next(i for i, x in enumerate(self.tensors) if x is t)

    def _watched(self, kind: str, container: Any, key: Any, value: Any, path: str) -> None:
        if type(value) in (int, float, complex) and kind in ("item", "cell") and (path in self.moving or _is_rate(container, key, value)):
            self._note(path, "number", type(value))
            self.numbers.append(Number(container, key, None))
            return
        if type(value) is tuple and kind in ("item", "cell") and value and all(type(x) in (int, float) for x in value):
            self._pair(container, key, value, path)
            return
        if type(value) is types.ModuleType and in_library(getattr(value, "__file__", None) or ""):
            self.modules.append(value)
            return
        if type(value) in (int, float) and kind in ("item", "cell"):
            self.place_of[id(container), key] = path
        self.watches.append((kind, container, key, value))
        self._at(value, path)

    def _pair(self, container: Any, key: Any, values: tuple, path: str) -> None:
        """A tuple of numbers, some of which may be inputs: the decay rates of Adam, which some schedules change."""
        paths = [f"{path}[{i}]" for i in range(len(values))]
        if self.moving.isdisjoint(paths) and not _is_rate(container, key, values):
            self.place_of |= {(id(container), key, i): p for i, p in enumerate(paths)}
            self.watches.append(("item" if not isinstance(container, Variable) else "cell", container, key, values))
            self._at(values, path)
            return
        self._note(path, "numbers", len(values))
        for i, (value, inner) in enumerate(zip(values, paths)):
            self._note(inner, "number", type(value))
            self.numbers.append(Number(container, key, i))

    def _at(self, x: Any, path: str) -> None:
        if isinstance(x, _VALUES):
            if type(x) in (int, float):
                self.plain[path] = x
            self._note(path, "value", identity(x) if not isinstance(x, dtypes.dtype) else x)
            return
        number = self._seen.get(id(x))
        if type(x) is list:
            self._reached[id(x)] += 1
            self.list_at.setdefault(id(x), path)
        if number is not None:
            self._note(path, "again", number)
            return
        self._seen[id(x)] = len(self._seen)
        self._alive.append(x)
        inner = getattr(type(x), "compiled_from", None)
        if inner is not None:
            self._at(object.__getattribute__(x, inner), path)
        elif isinstance(x, Tensor):
            self._tensor(x, path)
        elif isinstance(x, np.ndarray):
            self._array(x, path)
        elif isinstance(x, types.FunctionType):
            self._function(x, path)
        elif isinstance(x, types.MethodType):
            self._at(x.__func__, f"{path}.__func__")
            self._at(x.__self__, f"{path}.__self__")
        elif isinstance(x, functools.partial):
            for name in ("func", "args", "keywords"):
                self._at(getattr(x, name), f"{path}.{name}")
        elif isinstance(x, weakref.ref):
            self._at(x(), path)
        elif isinstance(x, property):
            self._at(x.fget, path)
        elif isinstance(x, (staticmethod, classmethod)):
            self._at(x.__func__, path)
        elif isinstance(x, (list, tuple, dict, collections.deque)):
            self._container(x, path)
        elif isinstance(x, (set, frozenset)):
            self._note(path, "set", type(x), len(x), frozenset(map(id, x)))
            self.described.extend(x)
            self.sets.append(x)
            self.watches.append(("len", x, None, len(x)))
        elif isinstance(x, types.ModuleType):
            self._python_module(x, path)
        elif isinstance(x, Generator):
            self._by_identity(x, path, "generator")
            self.generators.append(x)
        elif isinstance(x, type):
            self._by_identity(x, path, "class")
            self.classes.append(x)
            self._methods(x, path, True)
        else:
            self._object(x, path)

    def _tensor(self, t: Tensor, path: str) -> None:
        storage = t._storage
        shared = self._storage_numbers.get(id(storage))
        if shared is None:
            self._storage_numbers[id(storage)] = shared = len(self.storages)
            self.storages.append(storage)
        where = None if len(self.tensors) in self.alone else (shared, storage._array.shape, t._chain)
        device = str(t.device) if residence.classes else "cpu"
        self._note(path, "tensor", type(t), t._data.shape, t._data.dtype.str, device, t._requires, t._node is None, where)
        self.tensors.append(t)
        state = t.__dict__
        self.containers.append(state)
        for name in TENSOR_STATE:
            self.watches.append(("state", state, name, state.get(name)))
        self._at(t._grad, f"{path}.grad")
        if t._requires:
            self._gradient_hooks(state, path)

    def _gradient_hooks(self, state: dict[str, Any], path: str) -> None:
        """The hooks of a leaf, which may come and go."""
        node = state.get("_kept_accumulator")
        self.watches.append(("state", state, "_kept_accumulator", node))
        if node is None:
            return
        extras = node.extras
        self.watches += [("attr", extras, "post_accumulate", extras.post_accumulate), ("len", extras.on_gradient, None, len(extras.on_gradient))]
        for hooks in (*extras.on_gradient.values(), extras.post_accumulate):
            if hooks is not None:
                self.watches.append(("len", hooks, None, len(hooks)))
                for number, hook in list(hooks.items()):
                    self._watched("item", hooks, number, hook, f"{path}<hook>")

    def _array(self, x: np.ndarray, path: str) -> None:
        small = x.nbytes <= _COMPARED and not x.dtype.hasobject
        self._by_identity(x, path, "array")
        self._note(path, "contents", x.shape, x.dtype.str, x.tobytes() if small else None)
        self.arrays.append(x)
        if small:
            self.watches.append(("bytes", x, None, x.tobytes()))

    def _function(self, f: types.FunctionType, path: str) -> None:
        code = f.__code__
        self._note(path, "function", code)
        self.functions.append(f)
        users = not in_library(code.co_filename)
        if users:
            spaces, attributes, _ = names_in(code)
            self._names |= attributes
            if "type" in spaces:
                self._names.add("__class__")
            self.asks_types = self.asks_types or not (_ASKING.isdisjoint(spaces) or _NUMBERS.isdisjoint(spaces))
            if self._own is None:
                self._own = f.__globals__
            prefix = "" if f.__globals__ is self._own else f"{f.__module__}."
            for name in sorted(spaces):
                if name in f.__globals__:
                    self._watched("item", f.__globals__, name, f.__globals__[name], prefix + name)
                else:  # a builtin, which a global may come to hide
                    self.watches.append(("state", f.__globals__, name, None))
            if globals_bound(code) and not any(c is f.__globals__ for c in self.containers):
                self.containers.append(f.__globals__)
            self.watches.append(("attr", f, "__code__", code))
            if f.__dict__:
                self._names_matter = True
                self.containers.append(f.__dict__)
                for name in sorted(self._names & f.__dict__.keys()):
                    self._watched("item", f.__dict__, name, f.__dict__[name], f"{path}.{name}")
        for which in ("__defaults__", "__kwdefaults__"):
            if getattr(f, which):
                self._watched("attr", f, which, getattr(f, which), f"{path}.{which}")
            elif users:
                self.watches.append(("attr", f, which, None))
        for name, cell in zip(code.co_freevars, f.__closure__ or ()):
            try:
                value = cell.cell_contents
            except ValueError:  # a variable that has no value yet
                continue
            self._variable(cell, value, name if name != "__class__" else f"{path}.__class__")

    def _variable(self, cell: types.CellType, value: Any, path: str) -> None:
        """A variable of a function around, which this one may bind anew."""
        if id(cell) not in self._variables:
            self._variables[id(cell)] = variable = Variable(cell)
            self.containers.append(variable)
        self._watched("cell", self._variables[id(cell)], CONTENTS, value, path)

    def ledgers(self) -> list[Entry]:
        """The lists that the function only adds to, with all of their places."""
        places: dict[int, list[tuple[Any, Any]]] = {}
        for kind, container, key, value in self.watches:
            if type(value) is list and kind in ("item", "cell"):
                places.setdefault(id(value), []).append((container, key))
        lists = [x for x in self.containers if type(x) is list and self.list_at.get(id(x)) in self.moving]
        return [Entry(x, self.list_at[id(x)], tuple(places[id(x)])) for x in lists if len(places.get(id(x), ())) == self._reached[id(x)]]

    def _container(self, x: Any, path: str) -> None:
        if type(x) is list and path in self.moving:
            self._note(path, "ledger")
            self.containers.append(x)
            return
        self._note(path, "container", type(x), len(x))
        if isinstance(x, tuple):
            for place, item in enumerate(x):
                self._at(item, f"{path}[{place}]")
            return
        self.containers.append(x)
        self.watches.append(("len", x, None, len(x)))
        if isinstance(x, Mapping):
            for place, (key, value) in enumerate(list(x.items())):
                if isinstance(key, Tensor):
                    self._at(key, f"{path}<key {place}>")
                    self._watched("item", x, key, value, f"{path}[tensor {place}]")
                else:
                    self._note(f"{path}<key {place}>", "key", key if isinstance(key, _VALUES) else id(key))
                    self.described.append(key)
                    self._watched("item", x, key, value, f"{path}[{key!r}]")
        else:
            for place, value in enumerate(x):
                self._watched("item", x, place, value, f"{path}[{place}]")

    def _python_module(self, x: types.ModuleType, path: str) -> None:
        self._note(path, "module", x.__name__)
        self.modules.append(x)
        if not in_library(getattr(x, "__file__", None) or "<frozen>"):
            self._names_matter = True
            for name in sorted(self._names & x.__dict__.keys()):
                self._watched("item", x.__dict__, name, x.__dict__[name], f"{path}.{name}")

    def _object(self, x: Any, path: str) -> None:
        kind = type(x)
        known = _is_torch(kind)
        if not known and of_library(kind):
            self._by_identity(x, path, "object")
            self._foreign.append((path, x))
            return
        self._by_identity(kind, path, "object of")
        self._names_matter = self._names_matter or not known
        self._methods(kind, path, "__class__" in self._names)
        for base in kind.__mro__:
            slots = vars(base).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name in self._names and hasattr(x, name):
                    self._watched("attr", x, name, getattr(x, name), f"{path}.{name}")
        space = getattr(x, "__dict__", None)
        if type(space) is not dict:
            if known:
                self.opaque.append(x)
            return
        self.containers.append(space)
        if known:
            self.watches.append(("len", space, None, len(space)))
        for name, value in list(space.items()):
            if name in _UNREAD or name in getattr(kind, "not_compiled", ()):
                continue
            if known or name in self._names or "*" in self._names:
                self._note(f"{path}.{name}", "attribute")
                self._watched("item", space, name, value, f"{path}.{name}")

    def _methods(self, kind: type, path: str, may_be_called: bool) -> None:
        for base in kind.__mro__:
            if of_library(base):
                continue
            self._names_matter = True
            for name, value in sorted(vars(base).items(), key=lambda pair: pair[0]):
                special = name.startswith("__") and name not in ("__dict__", "__weakref__") and (may_be_called or name not in _MAKING)
                called = name in self._names or name == "forward" or special
                if called and (isinstance(value, (types.FunctionType, property, staticmethod, classmethod)) or name in self._names):
                    self._watched("attr", base, name, value, f"{base.__name__}.{name}") if not isinstance(value, (staticmethod, classmethod)) else (
                        self._at(value, f"{base.__name__}.{name}")
                    )

    # -- later
    def watch(self, fluid: Fluid) -> Watch:
        """Tells quickly whether nothing has been replaced since, but for what is `fluid`."""
        return Watch(self.watches, fluid)

    def reads(self, name: str) -> bool:
        """Whether some code of the user's that was found loads an attribute of this name."""
        return name in self._names or "*" in self._names


def switches() -> tuple[bool, bool, dtypes.dtype]:
    """What programs depend on besides: whether gradients are recorded, inference mode, and the default dtype."""
    return state.grad, state.inference, dtypes.get_default_dtype()


def _is_rate(container: Any, key: Any, value: Any) -> bool:
    """Whether a value of a parameter group is one that schedulers change from step to step: the learning rate; and the momentum, or the decay rates
    of Adam, where a schedule is there that changes them, too."""
    if type(container) is not dict or "params" not in container:
        return False
    if key == "lr":
        return type(value) is float
    return "base_momentum" in container and (key == "momentum" and type(value) is float or key == "betas" and type(value) is tuple)


def _is_torch(kind: type) -> bool:
    return any(base.__module__.startswith(PACKAGE) for base in kind.__mro__)


def of_library(kind: type) -> bool:
    """Whether a class is not the user's."""
    import sys

    module = sys.modules.get(kind.__module__)
    if module is None or kind.__module__ == "__main__":
        return False
    return in_library(getattr(module, "__file__", None) or "<frozen>")
