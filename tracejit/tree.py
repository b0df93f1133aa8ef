"""Trees: nested containers of arrays, which every transform accepts where it accepts an array.

A tree is a leaf, or a dict, list, tuple, named tuple, deque, registered dataclass or other registered class whose items are trees.
`None` is a container without leaves. A dict's leaves come in the order of its sorted keys, so two dicts that differ only in insertion
order have equal structures; what is rebuilt from a structure has its keys in the order in which the original had them.

The walking itself is optree's, in C++ (2 us for a dict of two leaves). This module adds the namespace that tracejit registers classes in,
dataclasses with static fields, `ravel`, paths that read like the code that reaches the leaf, and errors that say where two trees part.
"""
from __future__ import annotations

import builtins
import dataclasses
import math
import operator
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import optree

__all__ = ["Structure", "Unravel", "check_same_structure", "differences", "flatten", "is_leaf", "leaves", "leaves_with_path", "map", "paths",
           "ravel", "register_dataclass", "register_node", "structure", "unflatten"]

NAMESPACE = "tracejit"

Structure = optree.PyTreeSpec
"""What a tree is apart from its leaves: hashable, comparable, picklable."""


# ------------------------------------------------------------------------------------------------------------- flatten and rebuild
def flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list, Structure]:
    """The leaves of `tree`, left to right, and its structure. `is_leaf(node)` may stop the walk at a node.

    >>> flatten({"w": 1.0, "b": (2.0, None)})[0]
    [2.0, 1.0]
    """
    return optree.tree_flatten(tree, is_leaf, namespace=NAMESPACE)


def unflatten(structure: Structure, leaves: Iterable) -> Any:
    """The tree with this structure and these leaves. Raises ValueError when there are too few or too many.

    >>> unflatten(structure({"w": 0, "b": 0}), [1.0, 2.0])
    {'w': 2.0, 'b': 1.0}
    """
    return structure.unflatten(leaves)


def leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list:
    """The leaves of `tree`, left to right.

    >>> leaves([1, (2, None), {"a": 3}])
    [1, 2, 3]
    """
    return optree.tree_leaves(tree, is_leaf, namespace=NAMESPACE)


def is_leaf(tree: Any) -> bool:
    """Whether `tree` is a leaf, not a container.

    >>> is_leaf(1.0), is_leaf((1.0,)), is_leaf(None)
    (True, False, False)
    """
    return optree.tree_is_leaf(tree, namespace=NAMESPACE)


def structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> Structure:
    """The structure of `tree`.

    >>> structure({"b": 1, "a": 2}) == structure({"a": 0, "b": 0})
    True
    """
    return optree.tree_structure(tree, is_leaf, namespace=NAMESPACE)


def map(f: Callable, tree: Any, *rest: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """The tree of `f(leaf, *others)`: `others` are what the trees in `rest` hold at that leaf's place, which may be whole subtrees.

    Raises ValueError, with the path of the first difference, when a tree in `rest` does not have at least the structure of `tree`.

    >>> map(lambda w, g: w - 0.5 * g, {"w": 1.0, "b": 2.0}, {"b": 4.0, "w": 2.0})
    {'w': 0.0, 'b': 0.0}
    """
    first, spec = flatten(tree, is_leaf)
    columns = [first]
    for position, other in enumerate(rest, 1):
        try:
            columns.append(spec.flatten_up_to(other))
        except ValueError:
            _raise_mismatch("trees[0]", tree, f"trees[{position}]", other, is_leaf=is_leaf, prefix=True)
            raise
    return spec.unflatten(builtins.map(f, *columns))


# ----------------------------------------------------------------------------------------------------------------- paths
def paths(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[str]:
    """One string a leaf: the code that reaches the leaf from the tree.

    >>> paths({"w": [1, (2, 3)]})
    ['["w"][0]', '["w"][1][0]', '["w"][1][1]']
    """
    accessors = optree.tree_accessors(tree, is_leaf, namespace=NAMESPACE)
    return ["".join(builtins.map(_format_entry, accessor)) for accessor in accessors]


def leaves_with_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[tuple[str, Any]]:
    """Pairs of a leaf's path (see `paths`) and the leaf.

    >>> leaves_with_path({"w": [1.0], "b": 2.0})
    [('["b"]', 2.0), ('["w"][0]', 1.0)]
    """
    return list(zip(paths(tree, is_leaf), leaves(tree, is_leaf)))


def _format_entry(entry: optree.PyTreeEntry) -> str:
    if isinstance(entry, (optree.NamedTupleEntry, optree.StructSequenceEntry)):
        return f".{entry.field}"
    key = entry.entry
    if isinstance(entry, optree.GetItemEntry):
        return f"[{_quoted(key) if isinstance(key, str) else repr(key)}]"
    return f".{key}" if isinstance(key, str) else f"[{key!r}]"


def _quoted(text: str) -> str:
    import json  # 3 ms

    return json.dumps(text, ensure_ascii=False)


# ------------------------------------------------------------------------------------------------------------ differences
def check_same_structure(name_a: str, a: Any, name_b: str, b: Any) -> None:
    """Raises ValueError unless `a` and `b` have equal structures; the message has the path of the first difference and what each tree holds there.

    >>> check_same_structure("params", {"w": (1.0, 2.0)}, "grads", {"w": [1.0]})
    Traceback (most recent call last):
    ValueError: grads["w"]: expected tuple of length 2 as in params, got list of length 1
    """
    expected, actual = structure(a), structure(b)
    if expected == actual:
        return
    _raise_mismatch(name_a, a, name_b, b)
    raise ValueError(f"{name_b} has the structure {actual}, expected that of {name_a}, {expected}")


def differences(a: Any, b: Any, is_leaf: Callable[[Any], bool] | None = None) -> Iterator[tuple[str, str, str]]:
    """The places where two trees differ in structure: the path, and what `a` and `b` hold there.

    >>> list(differences({"w": (1.0, 2.0)}, {"w": [1.0]}))
    [('["w"]', 'tuple of length 2', 'list of length 1')]
    """
    return _differences(a, b, "", is_leaf, False)


def _raise_mismatch(name_a: str, a: Any, name_b: str, b: Any, is_leaf: Callable[[Any], bool] | None = None, prefix: bool = False) -> None:
    for path, expected, actual in _differences(a, b, "", is_leaf, prefix):
        raise ValueError(f"{name_b}{path}: expected {expected} as in {name_a}, got {actual}") from None


def _differences(a: Any, b: Any, path: str, is_leaf: Callable[[Any], bool] | None, prefix: bool) -> Iterator[tuple[str, str, str]]:
    """Paths where `b` differs from `a`, with a description of both.

    With `prefix`, whatever `b` holds at a leaf of `a` is right, and all kinds of dict are alike.
    """
    node_a, node_b = _one_level(a, is_leaf), _one_level(b, is_leaf)
    if node_a is None and (prefix or node_b is None):
        return
    if node_a is None or node_b is None:
        yield path, _describe(a, node_a), _describe(b, node_b)
        return
    alike = prefix and isinstance(a, dict) and isinstance(b, dict)
    if not alike and node_a.type is not node_b.type or len(node_a.children) != len(node_b.children) or set(node_a.entries) != set(node_b.entries):
        yield path, _describe(a, node_a), _describe(b, node_b)
        return
    if not alike and not isinstance(a, dict) and node_a.metadata != node_b.metadata:
        yield path, f"{_describe(a, node_a)} with {node_a.metadata!r}", f"{_describe(b, node_b)} with {node_b.metadata!r}"
        return
    other = dict(zip(node_b.entries, node_b.children))
    for entry, child in zip(node_a.entries, node_a.children):
        step = _format_entry(node_a.path_entry_type(entry, node_a.type, node_a.kind))
        yield from _differences(child, other[entry], path + step, is_leaf, prefix)


def _one_level(node: Any, is_leaf: Callable[[Any], bool] | None) -> Any:
    """The node's own items, or None for a leaf."""
    if optree.tree_is_leaf(node, is_leaf, namespace=NAMESPACE):
        return None
    return optree.tree_flatten_one_level(node, namespace=NAMESPACE)


def _describe(node: Any, level: Any) -> str:
    if node is None:
        return "None"
    name = type(node).__name__
    if level is None:
        if hasattr(node, "shape") and hasattr(node, "dtype"):
            name = f"{node.dtype}[{','.join(builtins.map(str, node.shape))}]"
        return f"a leaf ({name})"
    if isinstance(node, dict):
        return f"{name} with keys {', '.join(builtins.map(repr, level.entries))}" if node else f"empty {name}"
    if isinstance(node, (tuple, list)) and not optree.is_namedtuple(node):
        return f"{name} of length {len(node)}"
    return name


# ----------------------------------------------------------------------------------------------------- one flat array for a tree
@dataclasses.dataclass(frozen=True)
class Unravel:
    """The way back from `ravel`'s flat array: `unravel(flat)` is a tree of new arrays with the original shapes and dtypes.

    It holds no arrays, is hashable and can be pickled, so it can be a static argument of a jitted function.
    """
    structure: Structure
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[np.dtype, ...]

    @property
    def size(self) -> int:
        """The number of elements that it expects."""
        return sum(builtins.map(math.prod, self.shapes))

    def __call__(self, flat: Any) -> Any:
        if np.shape(flat) != (self.size,):
            raise ValueError(f"unravel: expected an array of shape ({self.size},), got shape {np.shape(flat)}")
        pieces, start = [], 0
        for shape, dtype in zip(self.shapes, self.dtypes):
            stop = start + math.prod(shape)
            pieces.append(_as_dtype(np.reshape(flat[start:stop], shape), dtype))
            start = stop
        return self.structure.unflatten(pieces)


def ravel(tree: Any) -> tuple[Any, Unravel]:
    """All leaves of `tree` as one flat array, and the function that turns such an array back into a tree.

    The flat array's dtype is NumPy's promotion of the leaves' dtypes (Python scalars are weak), float64 for a tree without leaves.
    Both directions can be traced, so this adapts a function of a tree to a solver that knows only vectors.
    Raises TypeError for a leaf that is not a number or an array of numbers.

    >>> flat, unravel = ravel({"w": np.ones((2, 2)), "b": np.zeros(1)})
    >>> flat, unravel(2 * flat)["w"].shape
    (array([0., 1., 1., 1., 1.]), (2, 2))
    """
    items, spec = flatten(tree)
    if not items:
        return np.zeros(0), Unravel(spec, (), ())
    scalars_or_dtypes = [_scalar_or_dtype(leaf, tree, position) for position, leaf in enumerate(items)]
    promoted = np.result_type(*scalars_or_dtypes)
    dtypes = tuple(promoted if _is_python_scalar(x) else x for x in scalars_or_dtypes)
    flat = np.concatenate([_promote(np.ravel(leaf), promoted) for leaf in items])
    return flat, Unravel(spec, tuple(tuple(np.shape(leaf)) for leaf in items), dtypes)


def _is_python_scalar(x: Any) -> bool:
    return type(x) in (bool, int, float, complex)


def _scalar_or_dtype(leaf: Any, tree: Any, position: int) -> Any:
    """What `np.result_type` should see: a Python scalar itself, which is weak, or an array's dtype."""
    if _is_python_scalar(leaf):
        return leaf
    dtype = getattr(leaf, "dtype", None)
    if dtype is None or np.dtype(dtype).kind not in "biufc":
        found = type(leaf).__name__ if dtype is None else f"{type(leaf).__name__} of dtype {dtype}"
        raise TypeError(f"ravel: tree{paths(tree)[position]} is {found}, not an array of numbers")
    return np.dtype(dtype)


def _promote(x: Any, dtype: np.dtype) -> Any:
    return x if x.dtype == dtype else x.astype(dtype)


def _as_dtype(x: Any, dtype: np.dtype) -> Any:
    """A copy of `x` in `dtype`; a real dtype takes the real part, which is exact for what `ravel` made complex."""
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = np.real(x)
    return x.astype(dtype)


# ------------------------------------------------------------------------------------------------------------ new kinds of node
def register_dataclass(cls: type | None = None, *, meta_fields: Sequence[str] = ()) -> Any:
    """Makes a dataclass a container: its fields are items of the tree, but for `meta_fields`, which belong to the structure.

    A decorator, with or without arguments, or a function; it returns the class. What `meta_fields` hold must be hashable. A rebuilt
    object gets its fields directly: `__init__` and `__post_init__` do not run, because inside a transform the fields hold tracers.
    Raises TypeError for a class that is no dataclass, ValueError for an unknown name in `meta_fields` or a class registered already.

    >>> @register_dataclass(meta_fields=["activation"])
    ... @dataclasses.dataclass
    ... class Layer:
    ...     weight: np.ndarray
    ...     activation: str = "relu"
    >>> map(lambda x: 2 * x, Layer(3.0))
    Layer(weight=6.0, activation='relu')
    """
    if cls is None:
        return lambda c: register_dataclass(c, meta_fields=meta_fields)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise TypeError(f"register_dataclass: {cls!r} is not a dataclass; put @dataclass below @register_dataclass")
    fields = [field.name for field in dataclasses.fields(cls)]
    unknown = [name for name in meta_fields if name not in fields]
    if unknown:
        raise ValueError(f"register_dataclass: {cls.__name__} has no field {unknown[0]!r}; its fields are {', '.join(fields)}")
    meta = tuple(meta_fields)
    data = tuple(name for name in fields if name not in meta)

    read = operator.attrgetter(*data) if len(data) > 1 else lambda x: tuple([getattr(x, name) for name in data])
    new, put, names = object.__new__, object.__setattr__, data + meta

    def flatten_fields(x: Any) -> tuple:
        static = tuple([getattr(x, name) for name in meta]) if meta else ()
        for name, value in zip(meta, static):
            if not isinstance(value, Hashable):
                raise TypeError(f"{cls.__name__}.{name} belongs to the structure and must be hashable, got {type(value).__name__}: "
                                "make it a data field or a tuple")
        return read(x), static, data

    def unflatten_fields(static: tuple, children: Iterable) -> Any:
        x = new(cls)
        for name, value in zip(names, (*children, *static) if static else children):
            put(x, name, value)  # works for frozen dataclasses too
        return x

    return _register(cls, flatten_fields, unflatten_fields)


def register_node(cls: type, flatten: Callable[[Any], tuple], unflatten: Callable[[Any, tuple], Any]) -> type:
    """Makes any class a container.

    `flatten(x)` returns `(children, metadata)` or `(children, metadata, names)`, and `unflatten(metadata, children)` builds the object.
    `metadata` is part of the structure and must be hashable; `names` are attribute names or indices, used in paths.
    Raises ValueError for a class that is registered already.

    >>> class Interval:
    ...     def __init__(self, low, high):
    ...         self.low, self.high = low, high
    >>> _ = register_node(Interval, lambda x: ((x.low, x.high), None, ("low", "high")), lambda _, children: Interval(*children))
    >>> leaves_with_path([Interval(0.0, 1.0)])
    [('[0].low', 0.0), ('[0].high', 1.0)]
    """
    return _register(cls, flatten, unflatten)


def registration(cls: type) -> tuple[Callable[[Any], tuple], Callable[[Any, tuple], Any]] | None:
    """The functions `flatten` and `unflatten` that a class was registered with, or None.

    >>> registration(dict) is None
    True
    """
    found = optree.register_pytree_node.get(cls, namespace=NAMESPACE)
    return (found.flatten_func, found.unflatten_func) if found is not None and found.kind == optree.PyTreeKind.CUSTOM else None


def _register(cls: type, flatten: Callable[[Any], tuple], unflatten: Callable[[Any, tuple], Any]) -> type:
    return optree.register_pytree_node(cls, flatten, unflatten, namespace=NAMESPACE)
