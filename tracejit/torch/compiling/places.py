"""Places outside of a compiled function that it reads or binds anew, and how it is told quickly that all of them hold what they held.

A compiled training step of a small network has some 400 of them.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any, NamedTuple

from ...api.environment import ABSENT, in_cell, in_class, in_dict, in_sequence, in_slot, length
from ...api.variant import MISS
from ...api.watching import split
from ...lowering.cpu import abi, specs
from ...lowering.cpu.entry import compile_entry
from ...lowering.cpu.llvm import compile_module
from ...lowering.cpu.table import Call
from ..tensor import Tensor

CONTENTS = "cell_contents"


class Number(NamedTuple):
    """The place of a number that is an input: an argument has no container, and its position as the key; in a tuple it has an index."""

    container: Any
    key: Any
    index: int | None

    def value(self, flat: Sequence[Any]) -> Any:
        """The number itself, in a call with these arguments."""
        held = flat[self.key] if self.container is None else self.container[self.key]
        return held if self.index is None else held[self.index]

    def put(self, flat: list[Any], value: Any) -> None:
        """Let `value` stand there."""
        target = flat if self.container is None else self.container
        if self.index is not None:
            held = target[self.key]
            value = (*held[: self.index], value, *held[self.index + 1 :])
        target[self.key] = value


class Variable(MutableMapping):
    """A variable of a function around, as a mapping of one item, which is what a place that a function binds anew looks like everywhere else."""

    def __init__(self, cell: types.CellType):
        self.cell = cell

    def __getitem__(self, key: str) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:  # it has no value
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        self.cell.cell_contents = value

    def __delitem__(self, key: str) -> None:
        del self.cell.cell_contents

    def __iter__(self) -> Iterator[str]:
        return iter([CONTENTS] * len(self))

    def __len__(self) -> int:
        return int(CONTENTS in self)


class Fluid(NamedTuple):
    """What differs from call to call: attributes of arguments, by the identity of their dictionaries, which are compared elsewhere; tensors that are
    replaced, likewise; and places that hold them, by container and key."""

    arguments: frozenset[int]
    tensors: frozenset[int]
    places: frozenset[tuple[int, Any]]


class Watch:
    """Compares many places with what they held. What stays is compared by native code; what is replaced by each call by a generated function, whose
    `space` has the containers and what is expected, under the names that it uses."""

    def __init__(self, watches: list[tuple[str, Any, Any, Any]], fluid: Fluid):
        staying, moving = [], []
        for watch in watches:
            kind, container, key, value = watch
            if kind == "state" and id(container) in fluid.arguments:
                continue
            if kind == "state" and id(container) in fluid.tensors or kind == "bytes" or (id(container), _hashable(key)) in fluid.places:
                moving.append(watch)
            else:
                staying.append(watch)
        found = [_native(*watch) if abi.supported() else None for watch in staying]
        native = [n for n in found if n is not None]
        self._others = [_look(*watch) for watch, n in zip(staying, found) if n is None]
        self._native = _watcher(native) if native else None
        self.space: dict[str, Any] = {}
        self._place: dict[tuple[int, Any], str] = {}
        self._names: dict[int, str] = {}  # of containers and keys, by identity
        self._moved = self._generated(moving)

    def unchanged(self) -> bool:
        """Whether all places hold what they held."""
        if self._native is not None and self._native() is not True:
            return False
        for read, container, key, value in self._others:
            now = read(container, key)
            if now is not value and (read is not _size or now != value):
                return False
        return self._moved()

    def _name(self, x: Any) -> str:
        found = self._names.get(id(x))
        if found is None:
            found = self._names[id(x)] = f"c{len(self._names)}"
            self.space[found] = x
        return found

    def _generated(self, watches: list[tuple[str, Any, Any, Any]]) -> Callable[[], bool]:
        tests = []
        for i, (kind, container, key, value) in enumerate(watches):
            self.space[f"v{i}"] = value
            self._place[id(container), _hashable(key)] = f"v{i}"
            if kind == "bytes":
                tests.append(f"{self._name(container)}.tobytes() == v{i}")
            elif kind == "cell":
                tests.append(f"{self._name(container.cell)}.cell_contents is v{i}")
            elif kind == "state" and key not in container:
                tests.append(f"{key!r} not in {self._name(container)}")
            else:
                spelled = repr(key) if type(key) in (str, int) else self._name(key)
                tests.append(f"{self._name(container)}[{spelled}] is v{i}")
        lines = ["def unchanged():", "    try:", "        return (", *[f"            {t} and" for t in tests], "            True)"]
        lines += ["    except (KeyError, IndexError, AttributeError, ValueError):", "        return False"]
        exec(compile("\n".join(lines), f"<look at {len(tests)} places>", "exec"), self.space)
        return self.space["unchanged"]

    def of_tensor(self, t: Tensor) -> tuple[str, str]:
        """The names in `space` of a tensor's attributes and of its storage: where another tensor takes its place, that one's come there."""
        return self._names[id(t.__dict__)], self._place[id(t.__dict__), "_storage"]

    def of_place(self, container: Any, key: Any) -> str:
        """The name in `space` of what a place holds."""
        return self._place[id(container), _hashable(key)]


def _hashable(key: Any) -> Any:
    return id(key) if isinstance(key, Tensor) else key


def _size(container: Any, key: None) -> int:
    return len(container)


def _look(kind: str, container: Any, key: Any, value: Any) -> tuple:
    """A watch as (read, container, key, value)."""
    if kind == "cell":
        return in_cell, container.cell, None, value
    if kind == "len":
        return _size, container, None, value
    if kind == "attr":
        return in_class if isinstance(container, type) else in_slot, container, key, value
    if isinstance(container, dict):
        return in_dict, container, key, value if kind == "item" or key in container else ABSENT
    return in_sequence, container, key, value


def _native(kind: str, container: Any, key: Any, value: Any) -> specs.Watch | None:
    """A watch for native code, or None. A tensor is found as a key by its identity."""
    if kind == "len" and isinstance(container, dict) and type(container).__len__ is dict.__len__:
        return specs.Watch("dict_length", container, None, value)
    if kind == "item" and isinstance(key, Tensor) and type(container).get is dict.get:
        return specs.Watch("dict", container, key, value)
    native, _ = split([(length, container, None, value) if kind == "len" else _look(kind, container, key, value)])
    return native[0] if native else None


def _watcher(watches: list[Any]) -> Callable[[], Any]:
    """A builtin function that gives True where nothing has changed: 5 ns a place."""
    program = _nothing()
    call = Call(watches=watches)
    return compile_entry("unchanged", [], specs.Constant(True), program.address("nothing"), [], MISS, call=call, keep=(program,)).call


@functools.cache
def _nothing() -> Any:
    return compile_module("define i64 @nothing(ptr %slots) { ret i64 0 }", {}, ["nothing"])
