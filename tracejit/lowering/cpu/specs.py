"""What one native call takes and what it gives back: two trees of small frozen dataclasses.

Containers stand for themselves on both sides.  `PyScalar` and `Static` describe arguments only, `Argument`, `SameAs` and `Constant` results only.
Leaves are numbered depth first, a dictionary's children in the order of `keys`.  Argument leaves are the arrays and Python numbers, whose data the
native program reads; result leaves are the arrays, whose data it writes.
"""
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np


@dataclass(frozen=True)
class Array:
    """An ndarray (exactly) of this shape and native dtype.

    As an argument it may be read-only; with shape () the dtype's NumPy scalar is accepted as well.  One that is strided or not aligned is copied,
    which takes the time of `np.ascontiguousarray`, unless it is also a result: then it is a miss.
    As a result it is new; with shape () it is a NumPy scalar, as ufuncs return.

    >>> Array((3,), "f8") == Array((3,), np.float64)
    True
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "dtype", np.dtype(self.dtype))

    @property
    def nbytes(self) -> int:
        """The size of its data."""
        size = self.dtype.itemsize
        for n in self.shape:
            size *= n
        return size


@dataclass(frozen=True)
class PyScalar:
    """A Python number of exactly this type; an int that does not fit into 64 bits is a miss."""

    kind: Literal["bool", "int", "float", "complex"]


@dataclass(frozen=True)
class Tuple:
    """A tuple (exactly) of as many items."""

    children: Sequence["Spec"]


@dataclass(frozen=True)
class List:
    """A list (exactly) of as many items."""

    children: Sequence["Spec"]


@dataclass(frozen=True)
class Dict:
    """A dict (exactly) with these keys and no others, as an argument in any order, as a result in this one."""

    keys: Sequence[Any]
    children: Sequence["Spec"]


@dataclass(frozen=True)
class NamedTuple:
    """An instance of exactly `cls`.  A result is made as `cls._make(children)` makes it: no `__new__` or `__init__` of a subclass is called."""

    cls: type
    children: Sequence["Spec"]


@dataclass(frozen=True)
class Registered:
    """An instance of exactly `cls`: `flatten(x)` gives (children, metadata, ...) with metadata equal to these; a result is
    `unflatten(metadata, children)`. Both are Python functions, which are called."""

    cls: type
    flatten: Callable[[Any], tuple]
    unflatten: Callable[[Any, tuple], Any]
    metadata: Any
    children: Sequence["Spec"]


@dataclass(frozen=True)
class Nothing:
    """None."""


@dataclass(frozen=True)
class Static:
    """The very object `value`, or an equal int, str or float of exactly its type (a float with the same bits)."""

    value: Any


@dataclass(frozen=True)
class Argument:
    """The object that was passed as argument leaf `leaf`."""

    leaf: int


@dataclass(frozen=True)
class SameAs:
    """The object that result leaf `leaf` is."""

    leaf: int


@dataclass(frozen=True)
class Constant:
    """The object `value`."""

    value: Any


Spec = Array | PyScalar | Tuple | List | Dict | NamedTuple | Registered | Nothing | Static | Argument | SameAs | Constant


@dataclass(frozen=True)
class Watch:
    """A place outside of the arguments in which the very object `value` must still stand, or an array in which there must be what is in the array
    `value`, both in C order; a call is a miss where there is something else.

    `kind` says what `container[key]` is: the contents of a closure cell (without a key), the value of a key in a dict, an attribute, an item of a
    list; or its length, `value`, a list's or a dict's. With `absent`, nothing may stand in the cell or under the key.
    """

    kind: Literal["cell", "dict", "attribute", "item", "list_length", "dict_length", "contents"]
    container: Any
    key: Any
    value: Any
    absent: bool = False


def leaves(specs: Iterable[Spec]) -> Iterator[Array | PyScalar]:
    """The numbered leaves of some trees, in order: those that have a data pointer in the native program's slots.

    >>> [leaf.shape for leaf in leaves([Dict(("w", "b"), (Array((2, 3), "f4"), Nothing())), Array((), "f8")])]
    [(2, 3), ()]
    """
    for spec in specs:
        if isinstance(spec, Array | PyScalar):
            yield spec
        elif isinstance(spec, Tuple | List | Dict | NamedTuple | Registered):
            yield from leaves(spec.children)
