"""The rows of `cases` for linear algebra: stacks of matrices far from the points where their derivatives grow."""
from __future__ import annotations

import numpy as np

import tracejit.ops.linalg  # noqa: F401  (defines the ops)
from tracejit.ops import core

from .cases import Case, array, rows

REAL, COMPLEX, ANY = "f", "c", "fc"


def general(rng, dtype, *shape):
    return array(rng, dtype, shape, -1, 1)


def regular(rng, dtype, *shape):
    """Square matrices far from singular, with distinct eigenvalues."""
    return (general(rng, dtype, *shape) * dtype.type(0.4) + np.diag(np.arange(2, shape[-1] + 2)).astype(dtype))


def tall(rng, dtype, *shape):
    """Matrices of full rank with distinct singular values."""
    return general(rng, dtype, *shape) * dtype.type(0.3) + np.eye(*shape[-2:], dtype=dtype) * np.arange(1, shape[-1] + 1, dtype=dtype)


def positive(rng, dtype, *shape):
    x = general(rng, dtype, *shape)
    return x @ np.conj(x.mT) + np.eye(shape[-1], dtype=dtype) * dtype.type(2)


def hermitian(rng, dtype, *shape):
    x = regular(rng, dtype, *shape)
    return x + np.conj(x.mT)


def case(name, *arguments, kinds=ANY, smooth=True, **params) -> Case:
    """Each of `arguments` is (function, shape)."""
    def make(rng, dtype):
        if dtype.kind not in kinds:
            raise TypeError(f"this row is for dtypes of the kinds {kinds}")
        return tuple(function(rng, dtype, *shape) for function, shape in arguments)
    return Case(core.by_name[name], make, params, smooth, " ".join(str(shape) for _, shape in arguments))


def row(name, *cases: Case) -> None:
    rows[name] = list(cases)


BOTH = True, False
SQUARES = (3, 3), (1, 1), (2, 3, 3)
OBLONG = (4, 3), (3, 4), (3, 3), (2, 3, 2)

row("cholesky", *[case("cholesky", (positive, s)) for s in SQUARES])
row("triangular_solve", *[case("triangular_solve", (regular, a), (general, b), lower=lower, transposed=transposed, unit=unit)
                          for a, b in (((3, 3), (3, 2)), ((6, 2, 2), (6, 2, 1))) for lower in BOTH for transposed in BOTH for unit in BOTH])
row("solve", *[case("solve", (regular, a), (general, b)) for a, b in (((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 1)))])
row("factor", *[case("factor", (regular, s), smooth=False) for s in SQUARES])


def factored(a_shape, b_shape, transposed) -> Case:
    def make(rng, dtype):
        if dtype.kind not in ANY:
            raise TypeError("systems are of floats or complex numbers")
        a = regular(rng, dtype, *a_shape)
        return a, *core.by_name["factor"].run(np, a), general(rng, dtype, *b_shape)
    return Case(core.by_name["factored_solve"], make, {"transposed": transposed}, False, f"{a_shape} {b_shape}")


row("factored_solve", *[factored(a, b, t) for a, b in (((3, 3), (3, 2)), ((3, 3), (3, 1)), ((2, 3, 3), (2, 3, 1))) for t in BOTH])
row("inverse", *[case("inverse", (regular, s), strict=strict) for s in SQUARES for strict in BOTH])
LARGER = (4, 4), (2, 4, 4)
row("cofactors", *[case("cofactors", (regular, s)) for s in LARGER])
row("cofactor_slope", *[case("cofactor_slope", (regular, s), (general, s)) for s in LARGER])
row("expm_slope", *[case("expm_slope", (regular, s), (general, s)) for s in SQUARES])
for _name in ("det", "slogdet", "expm"):
    row(_name, *[case(_name, (regular, s)) for s in SQUARES])
row("lu", *[case("lu", (tall, s)) for s in OBLONG])


def pivots(rng, dtype, *shape):
    if dtype.kind != "i":
        raise TypeError("pivots are integers")
    return np.stack([rng.integers(i, shape[-1], shape[:-1]) for i in range(shape[-1])], axis=-1)


row("permutation", *[case("permutation", (pivots, s), kinds="i", size=s[-1] + more) for s in ((3,), (2, 4)) for more in (0, 2)])
row("qr", *[case("qr", (tall, s), full=False) for s in OBLONG], *[case("qr", (tall, s), full=True, smooth=s[-2] <= s[-1]) for s in OBLONG])
# Some phases and signs of vectors are arbitrary, and so are the columns that complete a basis: there no differences are taken.
row("svd", *[case("svd", (tall, s), kinds=REAL, full=False) for s in OBLONG], *[case("svd", (tall, s), smooth=False, full=True) for s in OBLONG],
    *[case("svd", (tall, s), kinds=COMPLEX, smooth=False, full=False) for s in OBLONG])
row("singular_values", *[case("singular_values", (tall, s)) for s in OBLONG])
row("eigh", *[case("eigh", (hermitian, s), kinds=kind, smooth=kind == REAL, lower=lower) for s in SQUARES for kind in ANY for lower in BOTH])
row("eigvalsh", *[case("eigvalsh", (hermitian, s), lower=lower) for s in SQUARES for lower in BOTH])
row("eig", *[case("eig", (regular, s), kinds=kind, smooth=kind == COMPLEX) for s in SQUARES for kind in ANY])
row("eigvals", *[case("eigvals", (regular, s)) for s in SQUARES])
row("pinv", *[case("pinv", (tall, s), rcond=None, hermitian=False) for s in OBLONG],
    case("pinv", (regular, (3, 3)), smooth=False, rcond=1e-6, hermitian=True))
row("lstsq", *[case("lstsq", (tall, a), (general, b), rcond=None)
                for a, b in (((4, 3), (4, 2)), ((3, 4), (3, 1)), ((2, 3, 2), (2, 3, 1)))])
row("sylvester", *[case("sylvester", (regular, a), (regular, b), (general, q))
                   for a, b, q in (((3, 3), (2, 2), (3, 2)), ((2, 3, 3), (2, 3, 3), (2, 3, 3)))])
row("sqrtm", *[case("sqrtm", (positive, s)) for s in SQUARES])


def _gaps(shape):
    def gap(rng, dtype, *shape):
        return array(rng, dtype, shape, 0.5, 3)
    return case("over_gap", (general, shape), (gap, shape))


row("over_gap", _gaps((3, 4)), _gaps((0, 3)))
