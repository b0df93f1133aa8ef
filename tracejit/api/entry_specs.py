"""The trees that a native entry checks and builds, from the arguments of a call and the structure of its result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import tree
from ..ir import Graph, Literal
from ..lowering.cpu.specs import Argument, Array, Constant, Dict, List, NamedTuple, Nothing, PyScalar, Registered, SameAs, Spec, Static, Tuple

_SCALARS = {bool: "bool", int: "int", float: "float", complex: "complex"}


def argument_specs(positional: Iterable[Any]) -> list[Spec] | None:
    """What an entry for these arguments takes, or None where it cannot take them: containers that it does not know."""
    from .compilation import Static as StaticArgument

    try:
        return [Static(a.value) if type(a) is StaticArgument else _argument(a) for a in positional]
    except _Unknown:
        return None


class _Unknown(Exception):
    """A container that the entry cannot walk, or a leaf that it cannot read."""


def _argument(x: Any) -> Spec:
    kind = type(x)
    if kind is np.ndarray or isinstance(x, np.generic):
        if not x.dtype.isnative:
            raise _Unknown
        return Array(x.shape, x.dtype)
    if kind in _SCALARS:
        return PyScalar(_SCALARS[kind])
    return _container(x, _argument)


def _container(x: Any, leaf) -> Spec:
    """A container whose items `leaf` describes, in the order in which `tree` has them."""
    kind = type(x)
    if x is None:
        return Nothing()
    if kind is tuple:
        return Tuple([leaf(c) for c in x])
    if kind is list:
        return List([leaf(c) for c in x])
    if kind is dict:
        keys = _sorted_keys(x)
        return Dict(keys, [leaf(x[k]) for k in keys])
    functions = tree.registration(kind)
    if functions is not None:
        children, metadata, *_ = functions[0](x)
        return Registered(kind, *functions, metadata, [leaf(c) for c in children])
    if isinstance(x, tuple) and hasattr(kind, "_fields") and hasattr(kind, "_make"):
        return NamedTuple(kind, [leaf(c) for c in x])
    raise _Unknown


def _sorted_keys(x: dict) -> list:
    """A dict's keys in the order of its leaves."""
    spec = tree.structure(x, is_leaf=lambda node: node is not x)
    return list(spec.entries())


def result_specs(structure: tree.Structure, graph: Graph, program: Any, arguments: int, more: int = 0) -> list[Spec] | None:
    """What an entry builds: new arrays, arguments that are passed through, and constants; the tree of results, and `more` outputs that follow it.
    None where it cannot build the container.

    The leaves of the result are visited in the order of `tree`; the native program numbers its distinct output buffers in the order in which they
    first appear.
    """
    inputs = {b: i for i, b in enumerate(program.partition.inputs)}
    number = {b: i for i, b in enumerate(program.outputs)}
    seen: set = set()
    skeleton = structure.unflatten([_Leaf(i) for i in range(structure.num_leaves)])

    def describe(x: Any) -> Spec:
        if type(x) is not _Leaf:
            return _container(x, describe)
        out = program.partition.outputs[x.number]
        if isinstance(out, Literal):
            return Constant(out.value)
        if out in inputs:
            if inputs[out] >= arguments:
                raise _Unknown  # a captured array: the slow way returns the very array
            return Argument(inputs[out])
        if out in seen:
            return SameAs(number[out])
        seen.add(out)
        return Array(out.shape, out.type.dtype)

    try:
        return [describe(skeleton), *[describe(_Leaf(structure.num_leaves + i)) for i in range(more)]]
    except _Unknown:
        return None


class _Leaf:
    """Stands for the leaf `number` of a result."""

    __slots__ = ("number",)

    def __init__(self, number: int):
        self.number = number
