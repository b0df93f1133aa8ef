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

from ...ir import ArrayType, Node
from . import lapack, loops, mersenne, numpy_sort, picture_products, pocketfft, tape, taps, winograd

LIBRARIES = {"lapack": lapack, "fft": pocketfft, "sort": numpy_sort, "mersenne": mersenne, "taps": taps, "picture": picture_products, "winograd": winograd}
LOOPS = {"scan": loops.Scan, "while": loops.While, "sweeps": tape.Sweeps, "switch": loops.Switch}
ALL = LIBRARIES | LOOPS


def has_routine(node: Node) -> bool:
    """Whether native code computes the node."""
    return ALL[node.op.kind].has_routine(node)


def work(node: Node) -> list[ArrayType]:
    """The types of the work arrays that the node's routine needs."""
    return ALL[node.op.kind].work(node)


def overwrites(node: Node) -> list[tuple[int, int]]:
    """The pairs (operand, result) of a loop or branch that may be one array."""
    return LOOPS[node.op.kind].overwrites(node) if node.op.kind in LOOPS and has_routine(node) else []
