"""Programs of graphs on the current device, each made once."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ..ir import Graph
from .backend import backend
from .running import placed


def make(graph: Graph, own: Container[int] = (), by_value: frozenset[int] = frozenset(), into: Mapping[int, int] = MappingProxyType({})) -> Any:
    """The program of a graph. `own` numbers the outputs that must be arrays of their own, `by_value` the inputs that are NumPy scalars.

    The outputs in `into` (output -> input) may be made in the memory of an input, whose contents the caller does not need any more.
    """
    from ..lowering.cuda.program import Program

    return Program(graph, own, by_value, into=into)


def program(graph: Graph, by_value: frozenset[int] = frozenset()) -> Any:
    """The program of a graph on the current device, made once."""
    return graph.derived(("cuda program", backend().current_device(), by_value), lambda: make(graph, (), by_value))


def execute(graph: Graph, args: Sequence[Any], by_value: frozenset[int] = frozenset()) -> list[Any]:
    """The outputs of a graph on arrays of the current device, and on NumPy scalars where `by_value` says so; compiled."""
    return program(graph, by_value).run(args)


def execute_anywhere(graph: Graph, args: Sequence[Any]) -> list[Any]:
    """The outputs of a graph on arrays of which at least one lives on a device, and numbers and constants of the host."""
    device = backend()
    by_value = frozenset([i for i, x in enumerate(args) if np.ndim(x) == 0 and type(x) is not device.array])
    values = [t.dtype.type(x) if i in by_value else device.contiguous(placed(device, x)) for i, (x, t) in enumerate(zip(args, graph.in_types))]
    return execute(graph, values, by_value)


__all__ = ["execute", "execute_anywhere", "make", "program"]
