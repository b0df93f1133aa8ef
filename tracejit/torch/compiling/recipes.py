"""What a compiled function returns and leaves behind, as recipes: each run makes it of the outputs of the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import residence
from ..modes import state
from ..nodes import Node
from ..storage import Storage
from ..tensor import Tensor, along
from .surroundings import Surroundings

_new = object.__new__


class Effect(NamedTuple):
    """`containers[container][key]` is bound to what `recipe` makes; None takes the key away. A list is extended by a tuple of recipes (`EXTEND`); a
    tensor, which its attributes stand for, is given other memory (`MEMORY`)."""

    container: int
    key: Any
    recipe: Any


EXTEND = object()
MEMORY = object()


class Known(NamedTuple):
    """The very object."""

    value: Any


class Found(NamedTuple):
    """A tensor of the surroundings, by position."""

    number: int


class Made(NamedTuple):
    """A new tensor over an output of the program, or over the memory of a storage that was found (`outside`)."""

    number: int
    chain: tuple
    requires: bool
    outside: bool = False
    node: int | None = None  # which differentiable result it is; -1 where the graph behind it was freed inside


class MadeOf(NamedTuple):
    """A view of a tensor that was found, by position."""

    number: int
    chain: tuple
    requires: bool
    node: int | None = None


class Array(NamedTuple):
    """An output of the program as an array or a Python number of this type."""

    number: int
    kind: type | None


class Several(NamedTuple):
    """A tuple, list or dictionary; `keys` are those of a dictionary."""

    kind: type
    items: tuple
    keys: tuple | None = None


class Instance(NamedTuple):
    """An object of a class of the user's that was made inside, by its attributes."""

    kind: type
    names: tuple[str, ...]
    values: tuple


def build(recipe: Any, outputs: Sequence[Any], look: Surroundings, nodes: Sequence[Any] = ()) -> Any:
    """What a recipe makes of the outputs of a run."""
    kind = type(recipe)
    if kind is Made:
        if recipe.outside:
            storage = look.storages[recipe.number]
            made = Tensor._sharing(along(recipe.chain, storage._array), storage, recipe.chain)
        else:
            root = outputs[recipe.number]
            if type(root) is not np.ndarray and type(root) not in residence.classes:
                root = np.asarray(root)
            storage = _new(Storage)
            storage._array = root
            made = _new(Tensor)
            made._data, made._storage = root, storage
            if state.inference:
                made._inference = True
            if recipe.chain:
                made._data, made._chain = along(recipe.chain, root), recipe.chain
        return _connected(made, recipe, nodes) if recipe.requires else made
    if kind is MadeOf:
        t = look.tensors[recipe.number]
        made = Tensor._sharing(along(recipe.chain, t._data), t._storage, (*t._chain, *recipe.chain))
        return _connected(made, recipe, nodes) if recipe.requires else made
    if kind is Known:
        return recipe.value
    if kind is Found:
        return look.tensors[recipe.number]
    if kind is Array:
        value = outputs[recipe.number]
        return value if recipe.kind is None else recipe.kind(value)
    if kind is Instance:
        made = object.__new__(recipe.kind)
        made.__dict__.update(zip(recipe.names, [build(r, outputs, look, nodes) for r in recipe.values]))
        return made
    items = [build(r, outputs, look, nodes) for r in recipe.items]
    if recipe.keys is not None:
        made = dict(zip(recipe.keys, items))
        return made if recipe.kind is dict else recipe.kind(made)
    return recipe.kind._make(items) if hasattr(recipe.kind, "_make") else recipe.kind(items)


def _connected(made: Tensor, recipe: Made | MadeOf, nodes: Sequence[Node]) -> Tensor:
    made._requires = True
    if recipe.node is not None:
        made._node, made._nr = nodes[recipe.node], max(recipe.node, 0)
    return made
