"""LAPACK called from native code: results, errors, dtypes, stacks."""

import numpy as np
import pytest

import tracejit as tj
from tracejit.ops import linalg

rng = np.random.default_rng(0)
PROGRAMS = {
    "cholesky": lambda a, b: np.linalg.cholesky(a @ np.conj(a.mT)),
    "inv": lambda a, b: np.linalg.inv(a),
    "solve": lambda a, b: np.linalg.solve(a, b),
    "solve, transposed": lambda a, b: np.linalg.solve(a, b) + np.linalg.solve(a.mT, b),
    "det": lambda a, b: np.linalg.det(a),
    **{
        f"triangular_solve {lower} {transposed} {unit}": lambda a, b, how=(lower, transposed, unit): linalg.triangular_solve(
            a, b, **dict(zip(("lower", "transposed", "unit"), how))
        )
        for lower in (True, False)
        for transposed in (True, False)
        for unit in (True, False)
    },
}


def matrices(dtype, lead, n, k):
    a, b = rng.standard_normal((*lead, n, n)) + 3 * np.eye(n), rng.standard_normal((*lead, n, k))
    if dtype[0] == "c":
        a, b = a + 1j * rng.standard_normal(a.shape), b + 1j * rng.standard_normal(b.shape)
    return a.astype(dtype), b.astype(dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_routines(name, dtype):
    f = PROGRAMS[name]
    compiled = tj.jit(f)
    for lead, n, k in (((), 5, 1), ((), 4, 3), ((3,), 3, 2), ((2, 2), 2, 1), ((), 1, 1)):
        a, b = matrices(dtype, lead, n, k)
        single = dtype in ("f4", "c8")
        np.testing.assert_allclose(compiled(a, b), f(a, b), rtol=2e-3 if single else 1e-10, atol=1e-4 if single else 1e-12)
        assert "LAPACK" in str(compiled.kernels(a, b)) and "host" not in str(compiled.kernels(a, b))


SPECTRA = {
    "qr": np.linalg.qr, "qr complete": lambda a: np.linalg.qr(a, "complete"), "svd": np.linalg.svd, "svdvals": np.linalg.svdvals,
    "svd reduced": lambda a: np.linalg.svd(a, full_matrices=False), "eigh": np.linalg.eigh, "eigh U": lambda a: np.linalg.eigh(a, "U"),
    "eigvalsh": np.linalg.eigvalsh,
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("name", SPECTRA)
def test_spectra(name, dtype):
    """The same signs and phases as NumPy's, also in single precision, which NumPy computes in double."""
    f = SPECTRA[name]
    compiled = tj.jit(lambda a: leaves(f(a)))
    for shape in ((4, 4), (1, 1), (3, 2, 2), *(((5, 3), (3, 5), (2, 1, 4), (40, 30)) if name[0] != "e" else ((40, 40),))):
        a = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if dtype[0] == "c" else 0)
        a = a.astype(dtype)
        assert "host" not in str(compiled.kernels(a))
        for got, want in zip(compiled(a), leaves(f(a)), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 if dtype in ("f4", "c8") else 1e-12)


def leaves(result):
    return tuple(result) if isinstance(result, tuple) else (result,)


def test_what_is_not_a_number():
    for f in (np.linalg.svdvals, np.linalg.eigvalsh):
        try:
            want = f(np.full((3, 3), np.nan))
        except np.linalg.LinAlgError:
            with pytest.raises(np.linalg.LinAlgError):
                tj.jit(f)(np.full((3, 3), np.nan))
        else:
            np.testing.assert_array_equal(tj.jit(f)(np.full((3, 3), np.nan)), want)


@pytest.mark.parametrize("a", [
    np.zeros((3, 3)), np.ones((2, 2)), -np.eye(3), np.eye(3)[[1, 0, 2]], np.full((1, 1), np.nan), rng.standard_normal((4, 5, 5)),
    rng.standard_normal((6, 6)).astype("f4"),
], ids=lambda a: str(a.shape))
def test_determinants(a):
    compiled = tj.jit(lambda a: (*np.linalg.slogdet(a), np.linalg.det(a)))
    assert "host" not in str(compiled.kernels(a))
    with np.errstate(all="ignore"):
        for got, want in zip(compiled(a), (*np.linalg.slogdet(a), np.linalg.det(a)), strict=True):
            assert np.asarray(got).dtype == np.asarray(want).dtype
            np.testing.assert_allclose(got, want, rtol=1e-4 if a.dtype == "f4" else 1e-11)


def test_arguments_stay_as_they_are():
    a, b = matrices("f8", (), 4, 2)
    before = a.copy(), b.copy()
    tj.jit(lambda a, b: (np.linalg.solve(a, b), np.linalg.inv(a), np.linalg.cholesky(a @ a.T)))(a, b)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


def test_gradient_is_native():
    a, b = matrices("f8", (), 4, 1)
    gradient = tj.jit(tj.grad(lambda a: np.sum(np.linalg.solve(a, b)) + np.log(np.diag(np.linalg.cholesky(a @ a.T))).sum()))
    assert "host" not in str(gradient.kernels(a))
    logarithm = tj.jit(tj.grad(lambda a: np.linalg.slogdet(a)[1]))
    assert "host" not in str(logarithm.kernels(a))
    np.testing.assert_allclose(logarithm(a), np.linalg.inv(a).T, rtol=1e-9)
    assert np.isnan(logarithm(np.zeros((3, 3)))).all()
    np.testing.assert_allclose(gradient(a), tj.grad(lambda a: np.sum(np.linalg.solve(a, b)) + np.linalg.slogdet(a)[1])(a), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("f, bad", [
    (np.linalg.inv, np.ones((3, 3))), (np.linalg.cholesky, -np.eye(2)), (lambda a: np.linalg.solve(a, np.ones(2)), np.zeros((2, 2))),
    (np.linalg.cholesky, np.stack([np.eye(2), -np.eye(2), np.eye(2)])),
], ids=["inv", "cholesky", "solve", "cholesky of a stack"])
def test_failures_raise(f, bad):
    compiled = tj.jit(f)
    for _ in range(2):
        with pytest.raises(np.linalg.LinAlgError):
            compiled(bad)
        np.testing.assert_allclose(compiled(np.zeros_like(bad) + np.eye(bad.shape[-1])), f(np.zeros_like(bad) + np.eye(bad.shape[-1])))


def test_edge_of_definiteness():
    """A matrix that one rounding makes definite and another does not gives the interpreter's result, or its error: nothing else."""
    compiled = tj.jit(lambda x: np.linalg.cholesky(np.outer(x, x) * (1.0 / 3.0)))
    for x in rng.standard_normal((40, 6)):
        try:
            assert np.isfinite(compiled(x)).all()
        except np.linalg.LinAlgError:
            pass
