"""Products of arrays as products of matrices: (m, k) by (k, n), or stacks of them, (batch, m, k) by (batch, k, n)."""

from __future__ import annotations

import math

from ..ir import Atom, Builder
from ..ops.dot import as_matrices, dot_general
from ..ops.elementwise import convert, equal
from ..ops.movement import iota, reshape, transpose

Axes = tuple[tuple[int, ...], tuple[int, ...]]


def matrix_product(builder: Builder, x: Atom, y: Atom, contract: Axes, batch: Axes = ((), ()), source=None) -> Atom:
    """`dot_general(x, y)` by a product of matrices, with the transposes and reshapes around it; the other factor where one is the identity."""
    simple = _product_with_identity(builder, x, y, contract, batch, source)
    if simple is not None:
        return simple
    nb, nc = len(batch[0]), len(contract[0])
    px, py = as_matrices(len(x.type.shape), len(y.type.shape), contract, batch)
    shape_x, shape_y = [x.type.shape[p] for p in px], [y.type.shape[p] for p in py]
    free_x, shared, free_y = shape_x[nb : len(shape_x) - nc], shape_y[nb : nb + nc], shape_y[nb + nc :]
    lead = [math.prod(shape_x[:nb])] if nb else []
    m, k, n = math.prod(free_x), math.prod(shared), math.prod(free_y)

    def matrices(a: Atom, permutation, shape) -> Atom:
        (moved,) = builder.emit(transpose, (a,), {"permutation": permutation}, source)
        return builder.emit(reshape, (moved,), {"shape": tuple(shape)}, source)[0]

    operands = matrices(x, px, (*lead, m, k)), matrices(y, py, (*lead, k, n))
    axes = {"contract": ((2,), (1,)), "batch": ((0,), (0,))} if nb else {"contract": ((1,), (0,)), "batch": ((), ())}
    (product,) = builder.emit(dot_general, operands, axes, source)
    return builder.emit(reshape, (product,), {"shape": (*shape_x[:nb], *free_x, *free_y)}, source)[0]


def _is_identity(builder: Builder, atom: Atom) -> bool:
    """Whether the value is the identity matrix as a comparison of positions, which is what the unit tangents of a Jacobian are."""
    while made := builder.produced_by(atom, transpose) or builder.produced_by(atom, convert):
        (atom,) = made.inputs
    made = builder.produced_by(atom, equal)
    if made is None or len(atom.type.shape) != 2 or atom.type.shape[0] != atom.type.shape[1]:
        return False
    counts = [builder.produced_by(a, iota) for a in made.inputs]
    return all(counts) and {c.params["axis"] for c in counts} == {0, 1} and all(c.params["shape"] == atom.type.shape for c in counts)


def _product_with_identity(builder: Builder, x: Atom, y: Atom, contract: Axes, batch: Axes, source) -> Atom | None:
    """The other factor with its axes in the order of the product's, where one of the two is the identity; else None."""
    (contract_x, contract_y) = contract
    if len(contract_x) != 1 or batch[0]:
        return None
    if _is_identity(builder, y):
        other, last, rank = x, contract_x[0], len(x.type.shape)
        permutation = (*(d for d in range(rank) if d != last), last)
    elif _is_identity(builder, x):
        other, first, rank = y, contract_y[0], len(y.type.shape)
        permutation = (first, *(d for d in range(rank) if d != first))
    else:
        return None
    return builder.emit(transpose, (other,), {"permutation": permutation}, source)[0]


__all__ = ["matrix_product"]
