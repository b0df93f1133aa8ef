"""Products of a small constant matrix with vectors in registers, in as few operations as its symmetries allow.

The matrices of Winograd's convolutions come from pairs of points a and -a, so they have pairs of rows (or of columns) that are the sum and the
difference of two sparser ones: each pair is computed once and added and subtracted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .emit import Emitter, Value


def apply(e: Emitter, matrix: np.ndarray, values: Sequence[Value]) -> list[Value]:
    """`matrix @ values`, where each value is a vector."""
    columns = _pairs(matrix.T)
    if columns:
        return _by_pairs_of_columns(e, matrix, values, columns)
    rows = _pairs(matrix)
    made: dict[int, Value] = {}
    for i, j in rows:
        even, odd = (_combined(e, (matrix[i] + sign * matrix[j]) / 2, values) for sign in (1, -1))
        made[i], made[j] = e.fadd(even, odd), e.fsub(even, odd)
    return [made[i] if i in made else _combined(e, row, values) for i, row in enumerate(matrix)]


def _pairs(matrix: np.ndarray) -> list[tuple[int, int]]:
    """Rows that differ in signs only, and in some of them."""
    pairs: list[tuple[int, int]] = []
    free = list(range(len(matrix)))
    while free:
        i = free.pop(0)
        for j in free:
            same, opposite = matrix[i] == matrix[j], matrix[i] == -matrix[j]
            if (same | opposite).all() and not same.all() and not opposite.all():
                pairs.append((i, j))
                free.remove(j)
                break
    return pairs


def _by_pairs_of_columns(e: Emitter, matrix: np.ndarray, values: Sequence[Value], pairs: list[tuple[int, int]]) -> list[Value]:
    columns, sources = [], []
    for k in sorted(set(range(matrix.shape[1])) - {k for pair in pairs for k in pair}):
        columns.append(matrix[:, k])
        sources.append(values[k])
    for i, j in pairs:
        a, b = matrix[:, i], matrix[:, j]
        columns += [np.where(a == b, a, 0), np.where(a == b, 0, a)]
        sources += [e.fadd(values[i], values[j]), e.fsub(values[i], values[j])]
    return [_combined(e, row, sources) for row in np.stack(columns, 1)]


def _combined(e: Emitter, factors: np.ndarray, values: Sequence[Value]) -> Value:
    """The sum of the values times their factors; factors of 1 are additions, and come first."""
    kind = values[0].kind
    terms = sorted(((c, v) for c, v in zip(factors, values) if c), key=lambda t: (t[0] != 1, t[0] != -1))
    total: Value | None = None
    for factor, value in terms:
        if total is None:
            total = value if factor == 1 else e.fmul(e.const(kind, float(factor)), value)
        elif abs(factor) == 1:
            total = e.fadd(total, value) if factor == 1 else e.fsub(total, value)
        else:
            total = e.fma(e.const(kind, float(factor)), value, total)
    return e.const(kind, 0.0) if total is None else total


__all__ = ["apply"]
