"""The places that a loop or branch may change: variables, items of containers, attributes of objects, contents of arrays.

A body is run with proxies in these places to see what it does, and afterwards they hold again what they held.  Variables are closure cells of the
body (`rewrite`), so they are read and bound from here.  Lists, dicts and objects are compared with what they were; what differs becomes a place too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..trace import Tracer
from ..trace.constants import is_constant


class _Unset:
    def __repr__(self) -> str:
        return "<not assigned>"


UNSET = _Unset()
_MOST = 2000  # objects that are looked at in search of containers and traced values


class Variable:
    """A variable of the user's function, or a `global` one."""

    def __init__(self, name: str, cell: CellType | None, space: dict[str, Any]):
        self.name, self._cell, self._space = name, cell, space

    @property
    def internal(self) -> bool:
        """Whether it is no variable of the user's, but the result or a flag of a jump (`jumps`): it is set before it is read."""
        return self.name.startswith("_tj_")

    def get(self) -> Any:
        if self._cell is None:
            return self._space.get(self.name, UNSET)
        try:
            return self._cell.cell_contents
        except ValueError:
            return UNSET

    def set(self, value: Any) -> None:
        if self._cell is None:
            if value is UNSET:
                self._space.pop(self.name, None)
            else:
                self._space[self.name] = value
        elif value is UNSET:
            if self.get() is not UNSET:
                del self._cell.cell_contents
        else:
            self._cell.cell_contents = value

    @property
    def key(self) -> Any:
        return self.name


class Item:
    """An item of a list or dict, or an attribute of an object, which is an item of its `__dict__`."""

    internal = False

    def __init__(self, container: list | dict, key: Any, name: str):
        self.container, self.at, self.name = container, key, name

    def get(self) -> Any:
        if isinstance(self.container, dict):
            return self.container.get(self.at, UNSET)
        return self.container[self.at]

    def set(self, value: Any) -> None:
        if value is UNSET:
            self.container.pop(self.at, None)
        else:
            self.container[self.at] = value

    @property
    def key(self) -> Any:
        return id(self.container), self.at


class Grown(Exception):
    """A container has other keys, or another length, than before. The text says which."""


class Containers:
    """Lists, dicts and objects that may be reached from some values, as they are now."""

    def __init__(self, values: dict[str, Any]):
        self.found: list[tuple[list | dict | set, Any, str]] = []  # each with a copy of what is in it, and a name for messages
        self.traced = False  # whether a traced value was met
        self._seen: set[int] = set()
        self._left = _MOST
        for name, value in values.items():
            self._visit(value, name, 0)

    def _visit(self, x: Any, name: str, depth: int) -> None:
        if type(x) is Tracer:
            self.traced = self.traced or not is_constant(x)
            return
        if x is None or depth > 6 or isinstance(x, (int, float, complex, str, bytes, np.ndarray, np.generic, ModuleType, type, BuiltinFunctionType)):
            return
        if id(x) in self._seen or self._left <= 0:
            return
        self._seen.add(id(x))
        self._left -= 1
        if isinstance(x, FunctionType):
            for n, cell in zip(x.__code__.co_freevars, x.__closure__ or ()):
                if not n.startswith("_tj"):
                    try:
                        self._visit(cell.cell_contents, n, depth + 1)
                    except ValueError:  # not assigned yet
                        continue
        elif isinstance(x, MethodType):
            self._visit(x.__self__, name, depth + 1)
        elif isinstance(x, dict):
            self.found.append((x, dict(x), name))
            for k, v in list(x.items()):
                self._visit(v, f"{name}[{k!r}]", depth + 1)
        elif isinstance(x, list):
            self.found.append((x, list(x), name))
            for i, v in enumerate(x):
                self._visit(v, f"{name}[{i}]", depth + 1)
        elif isinstance(x, tuple):
            for i, v in enumerate(x):
                self._visit(v, f"{name}[{i}]", depth + 1)
        elif isinstance(x, set):
            self.found.append((x, set(x), name))
        else:
            own = getattr(x, "__dict__", None)
            if isinstance(own, dict):
                self.found.append((own, dict(own), name))
                for k, v in list(own.items()):
                    self._visit(v, f"{name}.{k}", depth + 1)

    def changes(self) -> Iterator[Item]:
        """The items that are other objects than they were. Raises `Grown` where there are more or fewer."""
        for x, before, name in self.found:
            if isinstance(x, list):
                if len(x) != len(before):
                    raise Grown(f"the list `{name}` {'grows' if len(x) > len(before) else 'shrinks'}")
                yield from (Item(x, i, f"{name}[{i}]") for i, (a, b) in enumerate(zip(x, before)) if a is not b)
            elif isinstance(x, dict):
                if x.keys() != before.keys():
                    raise Grown(f"`{name}` gets or loses {sorted(map(str, x.keys() ^ before.keys()))[0]!r}")
                yield from (Item(x, k, f"{name}[{k!r}]") for k in x if x[k] is not before[k])
            elif x != before:
                raise Grown(f"the set `{name}` changes")

    def restore(self) -> None:
        for x, before, _ in self.found:
            if isinstance(x, list):
                if len(x) != len(before) or any(a is not b for a, b in zip(x, before)):
                    x[:] = before
            elif isinstance(x, dict):
                if x.keys() != before.keys() or any(x[k] is not before[k] for k in x):
                    x.clear()
                    x.update(before)
            elif x != before:
                x.clear()
                x.update(before)


class Scope:
    """What the functions that a loop or branch was cut into can reach: their closure cells and globals."""

    def __init__(self, *parts: FunctionType):
        self.space = parts[0].__globals__
        self.cells: dict[str, CellType] = {}
        for part in parts:
            self.cells.update(zip(part.__code__.co_freevars, part.__closure__ or ()))

    def variable(self, name: str) -> Variable:
        return Variable(name, self.cells.get(name), self.space)

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        found = {name: self.variable(name).get() for name in names if not name.startswith("_tj")}
        return {name: value for name, value in found.items() if value is not UNSET}

    def save(self, names: Iterable[str]) -> dict[str, Any]:
        """What variables hold, for `put_back`."""
        return {name: self.variable(name).get() for name in names}

    def put_back(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            self.variable(name).set(value)

    def at(self, path: tuple[str, ...]) -> Any:
        """What stands at a path like `("self", "u")`, or None."""
        value = self.variable(path[0]).get()
        for name in path[1:]:
            own = getattr(value, "__dict__", None)
            value = own.get(name) if isinstance(own, dict) else None
        return value
