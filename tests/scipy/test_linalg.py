"""`tracejit.scipy.linalg`: SciPy's results on traced values, and derivatives."""

import numpy as np
import pytest
import scipy.linalg

import tracejit as tj
import tracejit.scipy.linalg as tsl

rng = np.random.default_rng(5)
SQUARE = rng.standard_normal((3, 3)) + 2 * np.eye(3)
COMPLEX = SQUARE + 0.5j * rng.standard_normal((3, 3))
POSITIVE = SQUARE @ SQUARE.T + np.eye(3)
HERMITIAN = COMPLEX @ COMPLEX.conj().T + np.eye(3)
TALL, WIDE, VECTOR, OTHER = rng.standard_normal((4, 3)), rng.standard_normal((3, 4)), rng.standard_normal(3), rng.standard_normal(4)

# name: (function of the module and the arguments, arguments); the functions return arrays or tuples of them
PROGRAMS = {
    "expm": (lambda la, a: la.expm(a), (SQUARE,)),
    "expm, stack": (lambda la, a: la.expm(a), (np.stack([SQUARE, POSITIVE / 5]),)),
    "expm, complex": (lambda la, a: la.expm(a), (COMPLEX,)),
    "expm_frechet": (lambda la, a, e: la.expm_frechet(a, e), (SQUARE, POSITIVE)),
    "cosm": (lambda la, a: la.cosm(a), (SQUARE,)),
    "sinm": (lambda la, a: la.sinm(a), (COMPLEX,)),
    "sqrtm": (lambda la, a: np.real(la.sqrtm(a)), (POSITIVE,)),
    "lu": (lambda la, a: la.lu(a), (SQUARE,)),
    "lu, tall": (lambda la, a: la.lu(a), (TALL,)),
    "lu, wide": (lambda la, a: la.lu(a, permute_l=True), (WIDE,)),
    "lu, indices": (lambda la, a: la.lu(a, p_indices=True), (SQUARE,)),
    "lu_factor": (lambda la, a: la.lu_factor(a), (SQUARE,)),
    "lu_solve": (lambda la, a, b: la.lu_solve(la.lu_factor(a), b), (SQUARE, VECTOR)),
    "lu_solve, transposed": (lambda la, a, b: la.lu_solve(la.lu_factor(a), b, trans=1), (SQUARE, WIDE)),
    "lu_solve, conjugated": (lambda la, a, b: la.lu_solve(la.lu_factor(a), b, trans=2), (COMPLEX, COMPLEX)),
    "cho_factor": (lambda la, a: la.cho_factor(a)[0], (POSITIVE,)),
    "cho_solve": (lambda la, a, b: la.cho_solve(la.cho_factor(a), b), (POSITIVE, VECTOR)),
    "cho_solve, lower": (lambda la, a, b: la.cho_solve(la.cho_factor(a, lower=True), b), (POSITIVE, WIDE)),
    "cho_solve, complex": (lambda la, a, b: la.cho_solve(la.cho_factor((a + a.conj().T) / 2), b), (HERMITIAN, COMPLEX)),
    "cholesky": (lambda la, a: la.cholesky(a), (POSITIVE,)),
    "cholesky, lower": (lambda la, a: la.cholesky(a, lower=True), (POSITIVE,)),
    "solve_triangular": (lambda la, a, b: la.solve_triangular(a, b), (SQUARE, VECTOR)),
    "solve_triangular, lower": (lambda la, a, b: la.solve_triangular(a, b, lower=True, trans="T", unit_diagonal=True), (SQUARE, WIDE)),
    "solve_triangular, conjugated": (lambda la, a, b: la.solve_triangular(a, b, trans=2), (COMPLEX, COMPLEX)),
    "solve": (lambda la, a, b: la.solve(a, b), (SQUARE, VECTOR)),
    "solve, transposed": (lambda la, a, b: la.solve(a, b, transposed=True), (SQUARE, VECTOR)),
    "solve, positive": (lambda la, a, b: la.solve(a, b, assume_a="pos"), (POSITIVE, WIDE)),
    "solve, symmetric": (lambda la, a, b: la.solve(a, b, assume_a="sym"), (POSITIVE, WIDE)),
    "solve, hermitian": (lambda la, a, b: la.solve(a, b, assume_a="her", lower=True), (HERMITIAN, COMPLEX)),
    "inv": (lambda la, a: la.inv(a), (SQUARE,)),
    "det": (lambda la, a: la.det(a), (SQUARE,)),
    "lstsq": (lambda la, a, b: la.lstsq(a, b)[0], (TALL, OTHER)),
    "pinv": (lambda la, a: la.pinv(a), (WIDE,)),
    "qr": (lambda la, a: la.qr(a, mode="economic"), (TALL,)),
    "qr, full": (lambda la, a: la.qr(a)[1], (TALL,)),
    "qr, r": (lambda la, a: la.qr(a, mode="r")[0], (WIDE,)),
    "svd": (lambda la, a: la.svd(a, full_matrices=False), (WIDE,)),
    "svdvals": (lambda la, a: la.svdvals(a), (WIDE,)),
    "polar": (lambda la, a: la.polar(a), (TALL,)),
    "polar, left": (lambda la, a: la.polar(a, side="left"), (WIDE,)),
    "eigh": (lambda la, a: la.eigh(a), (POSITIVE,)),
    "eigh, some": (lambda la, a: la.eigh(a, subset_by_index=[1, 2], eigvals_only=True), (POSITIVE,)),
    "eigh, generalized": (lambda la, a, b: la.eigvalsh(a, b), (SQUARE + SQUARE.T, POSITIVE)),
    "eigh, generalized vectors": (lambda la, a, b: np.abs(la.eigh(a, b)[1]), (SQUARE + SQUARE.T, POSITIVE)),
    "eigvals": (lambda la, a: np.sum(la.eigvals(a) ** 3), (SQUARE,)),
    "norm": (lambda la, a: la.norm(a, 2), (SQUARE,)),
    "block_diag": (lambda la, a, b: la.block_diag(a, b, 2.0), (SQUARE, VECTOR)),
    "toeplitz": (lambda la, c: la.toeplitz(c), (VECTOR + 1j,)),
    "toeplitz, row": (lambda la, c, r: la.toeplitz(c, r), (VECTOR, OTHER)),
    "hankel": (lambda la, c, r: la.hankel(c, r), (VECTOR, OTHER)),
    "circulant": (lambda la, c: la.circulant(c), (VECTOR,)),
    "solve_sylvester": (lambda la, a, b, q: la.solve_sylvester(a, b, q), (POSITIVE, POSITIVE, SQUARE)),
    "solve_continuous_lyapunov": (lambda la, a, q: la.solve_continuous_lyapunov(a, q), (SQUARE, POSITIVE)),
}


def leaves(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_derivatives(name):
    f, args = PROGRAMS[name]
    want = leaves(f(scipy.linalg, *args))
    for got in (leaves(tj.jit(lambda *xs: f(tsl, *xs))(*args)), leaves(tj.jvp(lambda *xs: f(tsl, *xs), args, args)[0]), leaves(f(tsl, *args))):
        for x, y in zip(got, want, strict=True):
            assert (np.shape(x), np.asarray(x).dtype) == (np.shape(y), np.asarray(y).dtype)
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-11)
    tj.check_grads(lambda *xs: f(tsl, *xs), args, order=2, rtol=5e-6, atol=5e-6)


def test_vmap():
    stack = np.stack([POSITIVE, 2 * POSITIVE])
    for f in (lambda a: tsl.cho_solve(tsl.cho_factor(a), VECTOR), lambda a: tsl.lu_solve(tsl.lu_factor(a), VECTOR), tsl.expm, tsl.sqrtm):
        np.testing.assert_allclose(tj.vmap(f)(stack), np.stack([np.asarray(f(a)) for a in stack]), rtol=1e-10, atol=1e-12)


def test_single_precision_stays():
    a, b = POSITIVE.astype("f4"), VECTOR.astype("f4")
    for f in (lambda a, b: tsl.cho_solve(tsl.cho_factor(a), b), lambda a, b: tsl.lu_solve(tsl.lu_factor(a), b), lambda a, b: tsl.expm(a), tsl.solve):
        assert tj.grad(lambda a, f=f: np.sum(f(a, b)))(a).dtype == np.float32


def test_what_has_no_traced_form_says_so():
    for f in (lambda a: tsl.qr(a, pivoting=True), lambda a: tsl.pinv(a, return_rank=True), lambda a: tsl.eig(a, left=True)):
        with pytest.raises(TypeError, match="no traced form"):
            tj.jit(f)(SQUARE)
    for f in (lambda a: tsl.solve(a, VECTOR, assume_a="odd"), lambda a: tsl.solve_triangular(a, OTHER), lambda a: tsl.polar(a, side="up")):
        with pytest.raises(ValueError):
            tj.jit(f)(SQUARE)


def test_plain_scipy_is_traced():
    same = np.testing.assert_allclose
    same(tj.jit(lambda a: scipy.linalg.expm(a))(SQUARE), scipy.linalg.expm(SQUARE), rtol=1e-12)
    same(tj.jit(lambda a: scipy.linalg.solve(a, VECTOR))(SQUARE), scipy.linalg.solve(SQUARE, VECTOR), rtol=1e-12)


def test_plain_scipy_names_the_rewrite():
    """SciPy's own functions, where the tracer cannot see their names, convert their arguments; the error says what to call."""
    for name, call in {"expm": scipy.linalg.expm, "cho_factor": scipy.linalg.cho_factor, "toeplitz": scipy.linalg.toeplitz}.items():
        with pytest.raises(tj.TracerConversionError, match=rf"tracejit\.scipy\.linalg\.{name}\b"):
            tj.grad(lambda a, call=call: np.sum(call(a)))(SQUARE)
    with pytest.raises(tj.TracerConversionError) as error:
        tj.grad(lambda a: np.sum(scipy.linalg.solve_banded((1, 1), a, VECTOR)))(SQUARE)
    assert "tracejit.scipy" not in str(error.value)
