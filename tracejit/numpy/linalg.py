"""The functions of `numpy.linalg` that have a traced form."""
# ruff: noqa: I001
from numpy.linalg import (
    cross, diagonal, matmul, matrix_norm, matrix_power, matrix_transpose, multi_dot, norm, outer, tensordot, trace, vecdot, vector_norm,
)
from numpy.linalg import LinAlgError

__all__ = [
    "LinAlgError", "cross", "diagonal", "matmul", "matrix_norm", "matrix_power", "matrix_transpose", "multi_dot", "norm", "outer", "tensordot",
    "trace", "vecdot", "vector_norm",
]
