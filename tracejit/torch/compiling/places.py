"""Places outside of a compiled function that it reads or binds anew, and how it is told quickly that all of them hold what they held.

`Watch` is a generated function: a compiled training step has some hundred of these comparisons, 30 ns each.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any, NamedTuple

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


class Watch:
    """A generated comparison of many places with what they held. `space` has the containers and what is expected, under the names that it uses."""

    def __init__(self, watches: list[tuple[str, Any, Any, Any]]):
        self.space: dict[str, Any] = {}
        self._place: dict[tuple[int, Any], str] = {}
        self._names = names = {}  # of containers and keys, by identity

        def name(x: Any) -> str:
            found = names.get(id(x))
            if found is None:
                found = names[id(x)] = f"c{len(names)}"
                self.space[found] = x
            return found

        tests = []
        for i, (kind, container, key, value) in enumerate(watches):
            self.space[f"v{i}"] = value
            if kind == "item":
                self._place[id(container), key if not isinstance(key, Tensor) else id(key)] = f"v{i}"
                tests.append(f"{name(container)}[{key!r}] is v{i}" if type(key) in (str, int) else f"{name(container)}[{name(key)}] is v{i}")
            elif kind == "state":
                self._place[id(container), key] = f"v{i}"
                tests.append(f"{name(container)}[{key!r}] is v{i}" if key in container else f"{key!r} not in {name(container)}")
            elif kind == "cell":
                self._place[id(container), key] = f"v{i}"
                tests.append(f"{name(container.cell)}.cell_contents is v{i}")
            elif kind == "attr":
                tests.append(f"{name(container)}.{key} is v{i}")
            elif kind == "len":
                tests.append(f"len({name(container)}) == {value}")
            else:
                tests.append(f"{name(container)}.tobytes() == v{i}")
        lines = ["def unchanged():", "    try:", "        return (", *[f"            {t} and" for t in tests], "            True)"]
        lines += ["    except (KeyError, IndexError, AttributeError, ValueError):", "        return False"]
        exec(compile("\n".join(lines), f"<look at {len(tests)} places>", "exec"), self.space)
        self.unchanged: Callable[[], bool] = self.space["unchanged"]

    def of_tensor(self, t: Tensor) -> tuple[str, str]:
        """The names in `space` of a tensor's attributes and of its storage: where another tensor takes its place, that one's come there."""
        return self._names[id(t.__dict__)], self._place[id(t.__dict__), "_storage"]

    def of_place(self, container: Any, key: Any) -> str:
        """The name in `space` of what a place holds."""
        return self._place[id(container), key if not isinstance(key, Tensor) else id(key)]
