"""The steps of a program: loop nests, calls into libraries, routines on whole arrays, and NumPy's own functions on the host.

`partition` makes them from a graph; `fuse` and what follows turn the stages into kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ir import Literal, Node, Var
from .index import Counter, Index
from .kernel import Buffer, Expression

# Kinds of ops on whole arrays that a routine of a library computes, and the library.
ROUTINES = {
    "lapack": "LAPACK",
    "fft": "pocketfft",
    "sort": "NumPy's sort",
    "mersenne": "MT19937",
    "taps": "convolution kernel",
    "picture": "convolution kernel",
    "pool": "pooling kernel",
    "winograd": "convolution kernel",
    "scan": "native loop",
    "while": "native loop",
    "sweeps": "native loop",
    "switch": "native branches",
}


@dataclass(eq=False)
class Stage:
    """A loop nest: for all `counters`, store `expression` at `target` of `buffer`, or combine it into what is there.

    A reduction combines into its identity, which fusion stores first; with `into`, the stage changes an array that was made before.
    """

    buffer: Buffer
    counters: list[Counter]
    target: tuple[Index, ...]
    expression: Expression
    combine: str | None = None
    node: Node | None = None
    into: bool = False


@dataclass
class View:
    """Strided access to a stored array: element strides and offset for the axes of `shape`."""

    buffer: Buffer
    shape: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]


@dataclass(eq=False)
class Library:
    """A call into a library: a product of arrays."""

    node: Node
    operands: list[View]
    result: Buffer


@dataclass(frozen=True)
class Progression:
    """Whole numbers start, start + 1, ... that a loop scans over: they are counted, not stored."""

    start: int


@dataclass(eq=False)
class Routine:
    """An op on whole arrays that a routine of a library or native code computes. The results end with its work arrays; one that is also an operand is
    changed in place."""

    node: Node
    operands: list[Buffer | Progression]
    results: list[Buffer]


@dataclass(eq=False)
class Host:
    """An op without a native form: its `run` is called with NumPy arrays."""

    node: Node
    operands: list[Buffer | Any]
    results: list[Buffer]


Step = Stage | Library | Routine | Host


@dataclass
class Partition:
    """The stored program: input buffers, steps in order, and for each output its buffer, or an input position, or a constant."""

    inputs: list[Buffer]
    steps: list[Step]
    outputs: list[Buffer | Literal]
    buffers: dict[Var, Buffer] = field(default_factory=dict)


def identity(combine: str, dtype: np.dtype) -> Any:
    """What a reduction starts from."""
    if combine in ("add", "logical_or"):
        return 0
    if combine in ("multiply", "logical_and"):
        return 1
    if dtype.kind in "fc":
        infinity = -np.inf if combine == "maximum" else np.inf
        return complex(infinity, infinity) if dtype.kind == "c" else infinity
    if dtype.kind == "b":
        return combine == "minimum"
    info = np.iinfo(dtype)
    return info.min if combine == "maximum" else info.max
