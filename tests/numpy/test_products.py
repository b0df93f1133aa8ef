"""Products of arrays, `einsum` and norms against NumPy, with broadcasting, vectors, empty and mismatched shapes."""

import numpy as np
import pytest

import tracejit.numpy  # noqa: F401

rng = np.random.default_rng(0)
SHAPES = [(), (4,), (3,), (4, 3), (3, 4), (2, 4, 3), (2, 3, 4), (5, 1, 3, 4), (0, 4), (4, 0)]
ARRAYS = [rng.standard_normal(s) for s in SHAPES]


@pytest.mark.parametrize(
    "f",
    [
        np.matmul,
        np.dot,
        np.inner,
        np.vdot,
        np.outer,
        np.kron,
        np.vecdot,
        lambda x, y: np.tensordot(x, y, 1),
        lambda x, y: np.tensordot(x, y, 2),
        lambda x, y: np.tensordot(x, y, ((0,), (-1,))),
        lambda x, y: np.tensordot(x, y, 0),
        lambda x, y: x @ y,
    ],
)
@pytest.mark.parametrize("x", ARRAYS, ids=lambda x: str(x.shape))
def test_pairs(agrees, f, x):
    for y in ARRAYS:
        agrees(f, x, y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["matvec", "vecmat"])
def test_matrix_and_vector(agrees, name):
    for x in ARRAYS:
        for y in ARRAYS:
            agrees(getattr(np, name), x, y)


@pytest.mark.parametrize("a", ["?", "i1", "u8", "f4", "c8"])
@pytest.mark.parametrize("b", ["?", "i4", "f2", "f8", "c16"])
def test_dtypes(agrees, a, b):
    x, y = (abs(rng.standard_normal((3, 3)) * 2).astype(d) for d in (a, b))
    for f in (
        np.matmul,
        np.dot,
        np.inner,
        np.vdot,
        np.outer,
        lambda x, y: np.einsum("ij,jk", x, y),
        lambda x, y: np.einsum("ij,ij->j", x, y),
        np.vecdot,
    ):
        agrees(f, x, y, rtol=1e-2 if "f2" in (a, b) else 1e-5)


def test_other_products(agrees):
    x, y = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    agrees(np.cross, x, y)
    agrees(lambda x, y: np.cross(x.T, y.T, axis=0), x, y)
    agrees(lambda x, y: np.cross(x.T, y, axisa=0, axisc=0), x, y)
    agrees(lambda x, y: np.linalg.multi_dot([x, y.T, x, y.T[:, 0]]), x, y)
    agrees(lambda x, y: np.linalg.multi_dot([x[0], y.T]), x, y)
    square = x[:3]
    for n in (0, 1, 2, 5):
        agrees(lambda v, n=n: np.linalg.matrix_power(v, n), square)
    agrees(lambda v: np.linalg.matrix_power(v, 2), x)
    agrees(lambda v: v.dot(v.T), x)
    agrees(lambda v, w: np.linalg.outer(v, w), x[0], y[0])
    agrees(lambda v: np.linalg.trace(v) + np.linalg.diagonal(v).sum() + np.linalg.matrix_transpose(v), square)
    agrees(lambda x, y: np.matmul(x, y.T, dtype=np.float32), x, y)
    agrees(lambda x, y: np.vecdot(x, y, axis=0), x, y)


A, B, C = rng.standard_normal((4, 5)), rng.standard_normal((5, 6)), rng.standard_normal((3, 4, 5))
D, V = rng.standard_normal((3, 5, 2)), rng.standard_normal(5)
FORMULAS = [
    ("ij,jk", A, B),
    ("ij,jk->ki", A, B),
    ("ij , jk -> ik", A, B),
    ("aij,ajk->aik", C, D),
    ("aij,ajk", C, D),
    ("ii", A[:, :4]),
    ("ii->i", A[:, :4]),
    ("ij->", A),
    ("ij->j", A),
    ("ji", A),
    ("ij,ij->ij", A, A),
    ("...j,jk->...k", C, B),
    ("...ij,...jk", C, D),
    ("i,j", V, V),
    ("ij,jk,kl->il", A, B, B.T),
    ("aij,ij,j->a", C, A, V),
    ("ij,ij", A, A),
    ("i...->...", C),
    ("...", C),
    ("aij,akj->a", C, C),
    ("ba,ab", A, A.T),
    ("iij->j", C[:, :3]),
    ("iii->i", C[:, :3, :3]),
    ("ij,j->", A, V),
    (",ij->ij", np.float64(2), A),
    ("ij,kj->ijk", A, C[:, 0]),
    ("i,i,i->i", V, V, V),
    ("ab,bc,cd,de->ae", A, B, B.T, B),
    ("ij,jk->ik", A[:, :1], B),
    ("aB,Ba->", A, A.T),
    ("ij,jk", A, A),
    ("ij->ik", A),
    ("ijk", A),
    ("i->ii", V),
    ("i$", A),
    ("ij,jk", A),
    ("ij", A, A),
    ("...i->i...", C),
]


@pytest.mark.parametrize("formula, operands", [(f, x) for f, *x in FORMULAS], ids=[f for f, *_ in FORMULAS])
def test_einsum(agrees, formula, operands):
    agrees(lambda *x: np.einsum(formula, *x), *operands, rtol=1e-9, atol=1e-12)


def test_einsum_in_lists(agrees):
    agrees(lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]), A, B)
    agrees(lambda x, y: np.einsum(x, [0, 1], y, [1, 2]), A, B)
    agrees(lambda x, y: np.einsum(x, [Ellipsis, 0, 1], y, [1, 2]), C, B)
    agrees(lambda x, y: np.einsum("ij,jk", x, y, optimize=True), A, B)
    agrees(lambda x, y: np.einsum("ij,jk,kl,lm", x, y, y.T, y, optimize="optimal"), A, B, atol=1e-10)


@pytest.mark.parametrize("ord", [None, 0, 1, 2, 3, 0.5, -1, -2, np.inf, -np.inf, "fro", "x"])
@pytest.mark.parametrize("dtype", ["i4", "f4", "f8", "c16"])
def test_norm(agrees, ord, dtype):
    x = (rng.standard_normal((3, 4)) * 3 + 1).astype(dtype)
    agrees(lambda v: np.linalg.norm(v[0], ord), x)
    agrees(lambda v: np.linalg.norm(v, ord, axis=1, keepdims=True), x)
    if ord not in (2, -2):  # those of a matrix need singular values
        agrees(lambda v: np.linalg.norm(v, ord), x)
        agrees(lambda v: np.linalg.norm(v, ord, axis=(1, 0)), x)
        agrees(lambda v: np.linalg.matrix_norm(v, ord=ord), x)
    if not isinstance(ord, str) and ord is not None:
        agrees(lambda v: np.linalg.vector_norm(v, ord=ord), x)
        agrees(lambda v: np.linalg.vector_norm(v, ord=ord, axis=(0, 1), keepdims=True), x)
    agrees(lambda v: np.linalg.norm(v, ord, axis=(0, 1, 2)), np.ones((2, 2, 2)))
