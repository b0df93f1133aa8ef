"""How much work a program is: floating-point operations of its graph, bytes that its compiled form moves.

Counts are of the reference meaning of each operation (a product of n by m and m by k matrices takes 2 n m k), so two ways to compile one graph count
the same.  A `while` loop counts as one turn, since the number of turns is not known.  Factorisations by the leading terms in Golub and Van Loan,
"Matrix Computations".
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..ir import ArrayType, Graph, Node
from .fuse import Nest, reads
from .steps import Library

_FREE = frozenset({
    "broadcast_to", "concatenate", "conjugate", "convert", "dynamic_slice",
    "gather", "imag", "iota", "make_complex", "mask_gradient", "offset", "pad",
    "real", "reshape", "reverse", "select", "slice", "stop_gradient", "transpose", "dynamic_update_slice", "scatter_set", "slice_update",
})  # fmt: skip
_ONE = frozenset({
    "absolute", "add", "bitwise_and", "bitwise_or", "bitwise_xor", "ceil", "copysign", "divide", "equal", "floor", "floor_divide", "fmax", "fmin",
    "fmod", "greater", "greater_equal", "invert", "isfinite", "isinf", "isnan", "left_shift", "less", "less_equal", "logical_and", "logical_not",
    "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative", "not_equal", "remainder", "right_shift", "rint", "sign", "signbit",
    "sqrt", "square", "subtract", "trunc",
})  # fmt: skip
_COMPLEX = 4  # real operations for one of complex numbers: between 2 for a sum and 6 for a product


class Costs(NamedTuple):
    """`flops` without `transcendentals`, which are evaluations of functions such as `exp`; `loops` tells that a `while` loop was counted once."""

    flops: int = 0
    transcendentals: int = 0
    loops: bool = False

    def plus(self, other: Costs, times: int = 1) -> Costs:
        return Costs(self.flops + times * other.flops, self.transcendentals + times * other.transcendentals, self.loops or other.loops)


def costs(graph: Graph) -> Costs:
    """The work of one run of a graph."""
    total = Costs()
    for node in graph.nodes:
        total = total.plus(_of_node(node))
    return total


def _of_node(node: Node) -> Costs:
    params, kind = node.params, node.op.kind
    inner = [costs(g) for _, value in params.items() for g in (value if isinstance(value, tuple) else (value,)) if isinstance(g, Graph)]
    if kind == "scan":
        return Costs().plus(inner[0], params["length"])
    if kind == "switch":
        return max(inner, key=lambda c: c.flops + c.transcendentals)
    if inner:
        total = Costs(loops=kind == "while")
        for each in inner:
            total = total.plus(each)
        return total
    out = node.outputs[0].type
    weight = _COMPLEX if any(a.type.dtype.kind == "c" for a in (*node.inputs, *node.outputs)) else 1
    if kind == "dot":
        return Costs(2 * weight * _product(node))
    if node.op.name == "conv_general":  # each element of the result is a sum over channels and taps
        return Costs(2 * weight * out.size * (node.inputs[1].type.size // max(1, out.shape[0] * out.shape[2])))
    if kind == "lapack":
        return Costs(weight * _factorisation(node))
    if kind == "fft":
        return Costs(round(5 * max(t.type.size for t in (*node.inputs, *node.outputs)) * math.log2(max(2, out.shape[-1]))))
    if node.op.name in _FREE:
        return Costs()
    if kind in ("reduce", "host", "write"):
        return Costs(weight * max((a.type.size for a in node.inputs), default=0))
    return Costs(weight * out.size) if node.op.name in _ONE else Costs(0, weight * out.size)


def _product(node: Node) -> int:
    """Multiplications of a contraction: for each element of the result one for each contracted index."""
    shape = node.inputs[0].type.shape
    return node.outputs[0].type.size * math.prod(shape[axis] for axis in node.params["contract"][0])


def _factorisation(node: Node) -> int:
    matrix: ArrayType = node.inputs[0].type
    *stack, m, n = matrix.shape
    each = {
        "cholesky": n**3 / 3,
        "det": 2 * n**3 / 3,
        "slogdet": 2 * n**3 / 3,
        "factor": 2 * n**3 / 3,
        "inverse": 2 * n**3,
        "qr": 2 * m * n * n - 2 * n**3 / 3,
        "eigh": 9 * n**3,
        "eigvalsh": 4 * n**3 / 3,
        "svd": 4 * m * n * n + 22 * n**3,
        "singular_values": 4 * m * n * n - 4 * n**3 / 3,
        "solve": 2 * n**3 / 3,
    }.get(node.op.name, 0.0)
    if node.op.name in ("solve", "triangular_solve", "factored_solve"):
        columns = node.outputs[0].type.size // max(1, math.prod(stack) * n)
        each += (1 if node.op.name == "triangular_solve" else 2) * n * n * columns
    return round(math.prod(stack) * each)


def bytes_moved(program) -> int:
    """Bytes that the steps of a program read and write: each step reads every buffer that it needs once, and writes what it makes once.

    What lives within one loop nest (registers, tiles) does not count. Rows of loops in native code count once, not once a turn.
    """
    total = 0
    for item in program.items:
        if isinstance(item, Nest):
            stored = {b for (nest, b) in program.plan.places if nest is None}
            touched = dict.fromkeys(b for s in item.stages() for b in (s.buffer, *(e.data[0] for e in reads(s))))
            total += sum(b.type.nbytes for b in touched if b in stored)
        elif isinstance(item, Library):
            total += sum(v.buffer.type.nbytes for v in item.operands) + item.result.type.nbytes
        else:
            total += sum(o.type.nbytes for o in item.operands if hasattr(o, "role")) + sum(b.type.nbytes for b in item.results)
    return total


__all__ = ["Costs", "bytes_moved", "costs"]
