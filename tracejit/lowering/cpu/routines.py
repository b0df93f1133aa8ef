"""The modules that call routines of libraries for ops on whole arrays, by the kind of the op.

Each has
    symbols()                             the addresses that its calls need, by name
    has_routine(node)                     whether it can compute a node
    work(node)                            the types of the work arrays that it needs
    write(f, node, operands, results)     write the calls into a function; the status that comes back, 0 if all went well

Loops and branches have those but `write`; `overwrites(node)`, the pairs (operand, result) that may be one array; and
    write(code, f, step, operands, results)    where `code` (program_code.ModuleCode) writes the steps of their bodies
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from ...ir import ArrayType, Node

LIBRARIES = {
    "lapack": "lapack",
    "fft": "pocketfft",
    "sort": "numpy_sort",
    "mersenne": "mersenne",
    "taps": "taps",
    "picture": "picture_products",
    "pool": "pooling",
    "winograd": "winograd",
}
LOOPS = {"scan": ("loops", "Scan"), "while": ("loops", "While"), "sweeps": ("tape", "Sweeps"), "switch": ("loops", "Switch")}
KINDS = LIBRARIES.keys() | LOOPS.keys()


@cache
def of(kind: str) -> Any:
    """What computes ops of a kind. It is imported when a program first has one: all of them take 10 ms."""
    if kind in LOOPS:
        module, name = LOOPS[kind]
        return getattr(import_module(f".{module}", __package__), name)
    return import_module(f".{LIBRARIES[kind]}", __package__)


def has_routine(node: Node) -> bool:
    """Whether native code computes the node."""
    return of(node.op.kind).has_routine(node)


def work(node: Node) -> list[ArrayType]:
    """The types of the work arrays that the node's routine needs."""
    return of(node.op.kind).work(node)


def overwrites(node: Node) -> list[tuple[int, int]]:
    """The pairs (operand, result) of a loop or branch that may be one array."""
    return of(node.op.kind).overwrites(node) if node.op.kind in LOOPS and has_routine(node) else []
