"""Derivatives at a point as linear maps: what `linearize` and `vjp` return beside the value.

A map is a linear program and the residuals that it reads.  It is a container whose leaves are the residuals: compiled functions can return it, it can
be kept, pickled, copied and passed on, and forward and backward pass may be compiled apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import tree
from ..errors import at_user_line
from ..interpret import replay
from ..ir import ArrayType, is_inexact
from ..ir.types import refusal
from ..ops.core import zeros
from ..ops.elementwise import convert
from ..trace import type_of
from ..transforms import backward
from ..transforms.forward import Linearized, instantiate
from .placement import require_beside
from .recording import as_value
from .results import own


class Linear:
    """What a linear map is beside its residuals: its program, and the trees of its arguments and results. Two are the same only if they are one."""

    __slots__ = ("what", "graph", "active", "reached", "in_types", "in_structure", "out_types", "out_structure")

    def __init__(
        self, what: str, linear: Linearized, in_types: Sequence[ArrayType], in_structure: Any, out_types: Sequence[ArrayType], out_structure: Any
    ):
        self.what, self.graph, self.active, self.reached = what, linear.graph, linear.active, linear.reached
        self.in_types, self.in_structure = tuple(in_types), in_structure
        self.out_types, self.out_structure = tuple(out_types), out_structure


class Pushforward:
    """The derivative of a function at a point: `push(*tangents)` gives the tangent of the result."""

    __slots__ = ("linear", "residuals")

    def __init__(self, linear: Linear, residuals: Sequence[Any]):
        self.linear, self.residuals = linear, list(residuals)

    def __call__(self, *tangents: Any) -> Any:
        linear = self.linear
        primals = linear.in_structure.unflatten([zeros(t.strong) for t in linear.in_types])
        moved = matching_tangents(linear.what, primals, tangents, linear.in_types)
        require_beside(linear.what, "tangents", moved, "values of the forward pass", self.residuals)
        out: list[Any] = [None] * len(linear.out_types)
        for i, t in zip(linear.reached, replay(linear.graph, [*(moved[i] for i in linear.active), *self.residuals])):
            out[i] = t
        results = [instantiate(t, type_) for t, type_ in zip(out, linear.out_types)]
        return linear.out_structure.unflatten(own(results, [*moved, *self.residuals], tree.leaves(tangents)))

    def __repr__(self) -> str:
        return f"<derivative by {self.linear.what}>"


class Pullback:
    """The transposed derivative of a function at a point: `pull(ct)` gives the tuple of cotangents of its arguments."""

    __slots__ = ("linear", "residuals")

    def __init__(self, linear: Linear, residuals: Sequence[Any]):
        self.linear, self.residuals = linear, list(residuals)

    def __call__(self, ct: Any) -> tuple:
        linear = self.linear
        check_structure(linear.what, "out", linear.out_structure.unflatten([zeros(t.strong) for t in linear.out_types]), "cotangent", ct)
        cts = [
            matching(c, t, lambda i=i: f"{linear.what}: cotangent{tree.paths(ct)[i]}")
            for i, (c, t) in enumerate(zip(tree.leaves(ct), linear.out_types))
            if i in linear.reached
        ]
        require_beside(linear.what, "cotangents", cts, "values of the forward pass", self.residuals)
        back = backward.transpose(linear.graph, len(linear.active), self.residuals, cts)
        return linear.in_structure.unflatten(cotangents(linear.in_types, linear.active, self.residuals, back, cts, tree.leaves(ct)))

    def __repr__(self) -> str:
        return f"<pullback of {self.linear.what}>"


for _map in (Pushforward, Pullback):
    tree.register_node(_map, lambda x: (x.residuals, x.linear), _map)


def cotangents(
    types: Sequence[ArrayType], active: Sequence[int], residuals: Sequence[Any], back: Sequence[Any], cts: Sequence[Any], beside: Sequence[Any]
) -> list:
    """A cotangent for each argument leaf, from those of the active ones, which were made from `cts`; they live where something of `beside` does."""
    found = dict(zip(active, back))
    return own([instantiate(found.get(i), type_.strong) for i, type_ in enumerate(types)], [*cts, *residuals], beside)


def check_structure(what: str, name_a: str, a: Any, name_b: str, b: Any) -> None:
    try:
        tree.check_same_structure(name_a, a, name_b, b)
    except ValueError as error:
        raise ValueError(at_user_line(f"{what}: {error}")) from None


def matching_tangents(what: str, primals: Any, tangents: Any, types: Sequence[ArrayType]) -> list:
    """The leaves of `tangents` as arrays of the primals' types; None for leaves that have no tangents."""
    check_structure(what, "primals", primals, "tangents", tangents)
    result = []
    for i, (type_, t) in enumerate(zip(types, tree.leaves(tangents))):
        result.append(matching(t, type_, lambda i=i: f"{what}: tangents{tree.paths(tangents)[i]}") if is_inexact(type_.dtype) else None)
    return result


def matching(t: Any, type_: ArrayType, where: Callable[[], str]):
    """`t` as an array of type `type_`. Raises when its shape differs or its dtype cannot be converted without loss of kind."""
    try:
        have = type_of(t)
    except TypeError:
        raise TypeError(at_user_line(f"{where()} cannot be used: {refusal(t)}")) from None
    if have.shape != type_.shape:
        raise ValueError(at_user_line(f"{where()} has shape {have.shape}, expected {type_.shape}"))
    t = as_value(t)
    if have.dtype != type_.dtype:
        if not have.weak and (have.dtype.kind == "c") > (type_.dtype.kind == "c"):
            raise TypeError(at_user_line(f"{where()} has dtype {have.dtype}, expected {type_.dtype}"))
        t = convert(t, dtype=type_.dtype)
    return t
