"""Where the values stand that a function reads or binds: variables, attributes, items. Each kind of place has a function that reads it."""

from __future__ import annotations

import itertools
import operator
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

ABSENT = object()


def unchanged(watches: Sequence[tuple]) -> bool:
    """Whether in every place ((read, container, key, value), ...) there is the object that was there."""
    for read, container, key, value in watches:
        if read(container, key) is not value:
            return False
    return True


class Place(NamedTuple):
    """Where a value stands that the function reads or binds: a variable of a module or of the function around it, an attribute, an item. `loaded`:
    whether it is read."""

    read: Callable[[Any, Any], Any]
    container: Any
    key: Any
    path: str
    loaded: bool = True

    def get(self) -> Any:
        """The value, or `ABSENT`."""
        return self.read(self.container, self.key)

    def set(self, value: Any) -> None:
        if value is ABSENT:
            if self.read is in_dict:
                self.container.pop(self.key, None)
            elif self.read is in_cell:
                del self.container.cell_contents
            else:
                object.__delattr__(self.container, self.key)
        elif self.read is in_cell:
            self.container.cell_contents = value
        elif self.read is in_slot and type(self.container) is not types.FunctionType:
            object.__setattr__(self.container, self.key, value)  # also in a frozen dataclass
        elif self.read in (in_slot, in_class):
            setattr(self.container, self.key, value)
        elif self.read is in_array:
            self.container.flat[self.key] = value
        else:
            self.container[self.key] = value

    @property
    def in_object(self) -> bool:
        """Whether it belongs to an object or container, as opposed to a variable."""
        return self.read is not in_cell and not (self.read is in_dict and "__builtins__" in self.container)


def in_dict(container: Mapping, key: Any) -> Any:
    return container.get(key, ABSENT)


def in_cell(cell: types.CellType, key: None) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return ABSENT


def in_slot(instance: Any, name: str) -> Any:
    return getattr(instance, name, ABSENT)


def in_class(kind: type, name: str) -> Any:
    return kind.__dict__.get(name, ABSENT)


def in_sequence(container: Sequence, place: int) -> Any:
    return container[place] if place < len(container) else ABSENT


def contents_of(x: Any, key: None) -> bytes:
    return bytes(x)  # a new object: they are looked at again at every call


def in_array(container: np.ndarray, place: int) -> Any:
    return container.flat[place] if place < container.size else ABSENT


def records_of(x: np.ndarray, key: None) -> str:
    return repr(x.tolist())  # a new object, as the bytes of `contents_of`


def same_items(container: Any, items: list) -> bool:
    """Whether a container has these very items, of a dict its keys and values in turn."""
    now = itertools.chain.from_iterable(container.items()) if isinstance(container, dict) else container
    count = 2 * len(container) if isinstance(container, dict) else len(container)
    return count == len(items) and all(map(operator.is_, now, items))


def length(container: Any, key: None) -> Any:
    return len(container)  # small integers are one object each; a false alarm costs another look


__all__ = [
    "ABSENT", "Place", "contents_of", "in_array", "in_cell", "in_class", "in_dict", "in_sequence", "in_slot", "length", "records_of", "same_items",
    "unchanged",
]  # fmt: skip
