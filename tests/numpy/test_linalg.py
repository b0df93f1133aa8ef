"""`numpy.linalg` on traced values: the same values, dtypes, shapes and errors; derivatives to second order; singular and repeated points."""


import numpy as np
import pytest

import tracejit as tj

rng = np.random.default_rng(3)
SQUARE = rng.standard_normal((3, 3)) + 2 * np.eye(3)
STACK = rng.standard_normal((2, 1, 3, 3)) + 2 * np.eye(3)
TALL, WIDE = rng.standard_normal((4, 3)), rng.standard_normal((3, 4))
COMPLEX = SQUARE + 1j * rng.standard_normal((3, 3))
POSITIVE = SQUARE @ SQUARE.T + np.eye(3)
HERMITIAN = COMPLEX + COMPLEX.conj().T
SQUARES = [SQUARE, STACK, COMPLEX, SQUARE.astype("f4"), COMPLEX.astype("c8"), np.array([[2, 1], [1, 3]]), np.array([[3.0]])]
MATRICES = [*SQUARES, TALL, WIDE, TALL[None] * 1j]
ids = lambda x: x.__name__ if callable(x) else f"{x.dtype}{x.shape}"  # the same in every process


@pytest.mark.parametrize("f", [
    np.linalg.inv, np.linalg.det, lambda a: tuple(np.linalg.slogdet(a)),
    np.linalg.cond, lambda a: np.linalg.cond(a, 1), lambda a: np.linalg.cond(a, "fro"),
    lambda a: np.linalg.matrix_power(a, -3), lambda a: tuple(np.linalg.eigh(a)), lambda a: tuple(np.linalg.eigh(a, UPLO="U")), np.linalg.eigvalsh,
    lambda a: np.linalg.svd(a + a.mT.conj(), hermitian=True, compute_uv=False), lambda a: np.linalg.solve(a, np.arange(a.shape[-1])),
    lambda a: np.linalg.solve(a, np.ones((5, 2, a.shape[-1], 2))) if a.ndim == 2 else np.linalg.solve(a, a[:, :, :, :2]),
])
@pytest.mark.parametrize("a", SQUARES, ids=ids)
def test_square_matrices(f, a, agrees):
    agrees(f, a, rtol=1e-9, atol=1e-6 if a.dtype.itemsize == 4 or a.dtype == "c8" else 1e-12)


@pytest.mark.parametrize("f", [
    lambda a: tuple(np.linalg.svd(a)), lambda a: tuple(np.linalg.svd(a, full_matrices=False)), np.linalg.svdvals, lambda a: tuple(np.linalg.qr(a)),
    lambda a: tuple(np.linalg.qr(a, "complete")), lambda a: np.linalg.qr(a, "r"),
    np.linalg.pinv, lambda a: np.linalg.pinv(a, rtol=0.1), np.linalg.matrix_rank,
    lambda a: np.linalg.matrix_rank(a, tol=1.5), np.linalg.matrix_norm, lambda a: np.linalg.matrix_norm(a, ord="nuc"), np.linalg.cond,
    lambda a: np.linalg.norm(a, 2, axis=(-2, -1), keepdims=True), lambda a: np.linalg.norm(a, -2, axis=(-1, -2)),
])
@pytest.mark.parametrize("a", MATRICES, ids=ids)
def test_matrices(f, a, agrees):
    agrees(f, a, rtol=1e-9, atol=1e-6 if a.dtype.itemsize == 4 or a.dtype == "c8" else 1e-12)


def test_other_functions(agrees):
    for upper in (False, True):
        agrees(lambda a, upper=upper: np.linalg.cholesky(a, upper=upper), POSITIVE)
        agrees(lambda a, upper=upper: np.linalg.cholesky(a, upper=upper), HERMITIAN @ HERMITIAN + np.eye(3))
    agrees(lambda a: np.linalg.svd(a, hermitian=True)[1:2], HERMITIAN)
    agrees(lambda a: (lambda u, s, vh: (u * s) @ vh)(*np.linalg.svd(a, hermitian=True)), HERMITIAN, rtol=1e-9)
    agrees(lambda a, b: tuple(np.linalg.lstsq(a, b)), TALL, rng.standard_normal(4), rtol=1e-9)
    agrees(lambda a, b: tuple(np.linalg.lstsq(a, b)), WIDE, rng.standard_normal((3, 2)), rtol=1e-9)
    agrees(lambda a, b: np.linalg.tensorsolve(a, b), rng.standard_normal((2, 3, 6)), rng.standard_normal((2, 3)), rtol=1e-9)
    agrees(lambda a, b: np.linalg.tensorsolve(a, b, axes=(0,)), rng.standard_normal((6, 2, 3)), rng.standard_normal((2, 3)), rtol=1e-9)
    agrees(lambda a: np.linalg.tensorinv(a), rng.standard_normal((2, 3, 3, 2)), rtol=1e-9)
    agrees(lambda a: np.linalg.tensorinv(a, ind=1), rng.standard_normal((6, 3, 2)), rtol=1e-9)
    agrees(lambda a: np.linalg.matrix_rank(a), np.zeros(3))
    agrees(np.linalg.cond, np.array([[1.0, 2.0], [2.0, 4.0]]))
    agrees(lambda a: np.linalg.cond(a, 1), np.zeros((2, 2)))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (2, 0, 0)])
def test_empty_stacks_and_matrices(shape, agrees):
    empty = np.zeros(shape)
    for f in (np.linalg.inv, np.linalg.det, np.linalg.cholesky, np.linalg.eigvalsh, np.linalg.svdvals, lambda a: tuple(np.linalg.qr(a)),
              lambda a: tuple(np.linalg.eigh(a)), lambda a: tuple(np.linalg.slogdet(a)), lambda a: np.linalg.solve(a, a)):
        agrees(f, empty)
        assert tj.grad(lambda a, f=f: sum(np.sum(x) for x in _leaves(f(a))))(empty).shape == shape


def test_eigenvalues_of_general_matrices():
    """Real where NumPy's are, in `jit` by a guard."""
    compiled = tj.jit(lambda a: tuple(np.linalg.eig(a)))
    for a in (*SQUARES, *SQUARES, *[a + np.swapaxes(a, -1, -2) for a in SQUARES]):
        w, v = compiled(a)
        assert w.dtype == np.linalg.eig(a)[0].dtype
        np.testing.assert_allclose(a @ v, v * w[..., None, :], atol=1e-5)
        np.testing.assert_allclose(tj.jit(np.linalg.eigvals)(a), w, rtol=1e-5)
    symmetric = np.array([[2.0, 1.0], [1.0, 3.0]])
    want = tj.grad(lambda a: np.max(np.linalg.eigvalsh((a + a.T) / 2)))(symmetric)
    np.testing.assert_allclose(tj.grad(lambda a: np.max(np.linalg.eigvals(a)))(symmetric), want)


@pytest.mark.parametrize("f, a", [
    (np.linalg.inv, TALL), (np.linalg.det, np.ones(3)), (np.linalg.cholesky, -np.eye(2)), (np.linalg.inv, np.zeros((2, 2))),
    (lambda a: np.linalg.solve(a, np.ones(2)), np.ones((2, 2))), (lambda a: np.linalg.solve(a, np.ones(3)), np.eye(2)), (np.linalg.eigh, WIDE),
    (lambda a: np.linalg.eigh(a, "X"), SQUARE), (lambda a: np.linalg.qr(a, "other"), SQUARE), (np.linalg.svd, np.ones(2)),
    (np.linalg.inv, np.ones((2, 2), "f2")), (np.linalg.eigvals, TALL), (lambda a: np.linalg.lstsq(a, np.ones(3)), TALL),
    (np.linalg.pinv, np.ones(2)), (lambda a: np.linalg.tensorinv(a, 0), SQUARE),
], ids=ids)
def test_errors(f, a, agrees):
    assert agrees(f, a) is not None
    with pytest.raises((np.linalg.LinAlgError, ValueError, TypeError)):
        tj.jit(lambda a: f(a * 1))(a)


# -- derivatives
def hermitian(a):
    return a + a.mT.conj()


def projector(v, w):
    """A function of eigenvectors that does not depend on their phases."""
    return (v * np.sin(w)[..., None, :]) @ v.mT.conj()


DERIVATIVES = {
    "solve": (lambda a, b: np.linalg.solve(a, b), (SQUARE, rng.standard_normal(3))),
    "solve, one matrix": (lambda a, b: np.linalg.solve(a, b), (SQUARE, rng.standard_normal((2, 3, 2)))),
    "solve, stacks": (lambda a, b: np.linalg.solve(a, b), (STACK, rng.standard_normal((3, 3, 1)))),
    "solve, complex": (lambda a, b: np.linalg.solve(a, b), (COMPLEX, rng.standard_normal(3) + 1j)),
    "inv": (np.linalg.inv, (SQUARE,)), "det": (np.linalg.det, (STACK,)), "det, complex": (np.linalg.det, (COMPLEX,)),
    "slogdet": (lambda a: tuple(np.linalg.slogdet(a)), (SQUARE,)), "slogdet, complex": (lambda a: tuple(np.linalg.slogdet(a)), (COMPLEX,)),
    "cholesky": (np.linalg.cholesky, (POSITIVE,)), "cholesky, upper": (lambda a: np.linalg.cholesky(a, upper=True), (POSITIVE,)),
    "cholesky, complex": (lambda a: np.linalg.cholesky(a @ a.mT.conj()), (COMPLEX,)),
    "qr": (lambda a: tuple(np.linalg.qr(a)), (TALL,)), "qr, wide": (lambda a: tuple(np.linalg.qr(a)), (WIDE,)),
    "qr, complete": (lambda a: np.linalg.qr(a, "complete").R, (TALL,)), "qr, complex": (lambda a: tuple(np.linalg.qr(a)), (COMPLEX,)),
    "svd": (lambda a: tuple(np.linalg.svd(a, full_matrices=False)), (TALL,)),
    "svd, complex": (lambda a: (lambda u, s, vh: (u * np.sin(s)) @ vh)(*np.linalg.svd(a)), (COMPLEX,)),
    "svd, null space": (lambda a: (lambda u: u[:, 3:] @ u[:, 3:].T)(np.linalg.svd(a)[0]), (TALL,)),
    "svd, hermitian": (lambda a: np.linalg.svd(hermitian(a), hermitian=True)[1], (COMPLEX,)),
    "svdvals": (np.linalg.svdvals, (WIDE,)), "norm 2": (lambda a: np.linalg.norm(a, 2), (TALL,)),
    "nuclear norm": (lambda a: np.linalg.norm(a, "nuc"), (TALL,)),
    "eigh": (lambda a: tuple(np.linalg.eigh(a)), (SQUARE + SQUARE.T,)),
    "eigh, upper": (lambda a: tuple(np.linalg.eigh(a, "U")), (SQUARE + SQUARE.T,)),
    "eigh, complex": (lambda a: (lambda w, v: projector(v, w))(*np.linalg.eigh(a)), (HERMITIAN,)), "eigvalsh": (np.linalg.eigvalsh, (HERMITIAN,)),
    "eigvals": (lambda a: np.linalg.eigvals(a).real.sum() ** 2 + np.prod(np.abs(np.linalg.eigvals(a))), (SQUARE,)),
    "eig": (lambda a: (lambda w, v: (v * np.exp(w)) @ np.linalg.inv(v))(*np.linalg.eig(a)), (COMPLEX,)),
    "pinv": (np.linalg.pinv, (TALL,)), "pinv, wide": (np.linalg.pinv, (WIDE,)),
    "lstsq": (lambda a, b: np.linalg.lstsq(a, b)[:2], (TALL, rng.standard_normal(4))),
    "cond": (np.linalg.cond, (SQUARE,)), "cond 1": (lambda a: np.linalg.cond(a, "fro"), (SQUARE,)),
    "matrix_power": (lambda a: np.linalg.matrix_power(a, -2), (SQUARE,)), "tensorinv": (np.linalg.tensorinv, (rng.standard_normal((2, 3, 3, 2)),)),
    "multi_dot": (lambda a, b: np.linalg.multi_dot([a, b, a]), (TALL, WIDE)),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives(name):
    f, args = DERIVATIVES[name]
    tj.check_grads(f, args, order=2, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", ["inv", "det", "cholesky", "qr", "svd", "eigh", "pinv", "slogdet", "solve"])
def test_compiled_and_batched_derivatives(name):
    f, args = DERIVATIVES[name]

    def total(*xs):
        return sum(np.sum(np.sin(y)) for y in _leaves(f(*xs)))

    gradient = tj.grad(total)
    want = gradient(*args)
    np.testing.assert_allclose(tj.jit(gradient)(*args), want, rtol=1e-9, atol=1e-12)
    stacks = [np.stack([a, a + 0.1 * np.eye(*a.shape[-2:]) if a.ndim > 1 else a]) for a in args]
    np.testing.assert_allclose(tj.vmap(gradient)(*stacks)[1], gradient(*[s[1] for s in stacks]), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(tj.jit(tj.hessian(total))(*args), tj.hessian(total)(*args), rtol=1e-7, atol=1e-9)


def _leaves(result):
    return list(result) if isinstance(result, tuple) else [result]


def test_third_derivatives():
    for f in (np.linalg.det, np.linalg.inv, lambda a: np.linalg.cholesky(a @ a.T), lambda a: np.linalg.eigvalsh(a + a.T), np.linalg.svdvals):
        tj.check_grads(f, (SQUARE,), order=3, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("f, g", [
    (lambda np, a: np.sum(np.linalg.inv(a) ** 2), SQUARE), (lambda np, a: np.linalg.slogdet(a)[1], SQUARE),
    (lambda np, a: np.linalg.norm(a, "nuc"), TALL),
    (lambda np, a: np.sum(np.linalg.pinv(a) ** 3), TALL), (lambda np, a: np.sum(np.abs(np.linalg.qr(a)[1]) ** 3), TALL),
    (lambda np, a: np.sum(np.cos(np.linalg.eigh((a + a.T) / 2)[1] ** 2)), SQUARE),
    (lambda np, a: np.sum(np.linalg.cholesky((a + a.T) / 2) ** 3), POSITIVE),
])
def test_gradients_as_jax(f, g):
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        want = jax.grad(lambda a: f(jax.numpy, a))(g)
    np.testing.assert_allclose(tj.grad(lambda a: f(np, a))(g), want, rtol=1e-8, atol=1e-10)


# -- points where matrices are singular or values repeat
def _adjugate(a):
    n = len(a)

    def minor(i, j):
        return np.linalg.det(np.delete(np.delete(a, i, 0), j, 1))
    return np.array([[(-1) ** (i + j) * minor(j, i) for j in range(n)] for i in range(n)])


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_determinant_of_a_matrix_of_any_rank(rank, dtype):
    """Its gradient is the transposed adjugate, and its second derivatives come from minors of size n - 2."""
    a = (rng.standard_normal((4, rank)) @ rng.standard_normal((rank, 4))).astype(dtype)
    a = a + a * 1j if dtype == "c16" else a
    tolerance = dict(rtol=1e-3, atol=2e-5) if dtype == "f4" else dict(rtol=1e-9, atol=1e-12)
    part = np.real if dtype == "c16" else lambda x: x
    gradient = tj.grad(lambda a: part(np.linalg.det(a)))
    for g in (gradient, tj.jit(gradient)):
        np.testing.assert_allclose(g(a), _adjugate(a).T, **tolerance)
    if dtype == "f8":
        along = rng.standard_normal((4, 4))
        _, slope = tj.jvp(gradient, (a,), (along,))
        polynomial = np.array([_adjugate(a + t * along).T for t in (-1.0, -0.5, 0.5, 1.0)])   # cubic in t: these differences are exact
        want = (polynomial[0] - 8 * polynomial[1] + 8 * polynomial[2] - polynomial[3]) / 6
        np.testing.assert_allclose(slope, want, rtol=1e-9, atol=1e-11)


def test_determinants_of_many_small_matrices_are_native():
    """Up to three rows the derivative is a polynomial of the elements: no host call, and there are derivatives of every order."""
    many = rng.standard_normal((50, 3, 3))
    many[0], many[1, 2] = 0, many[1, 1]
    gradient = tj.jit(tj.grad(lambda a: np.sum(np.linalg.det(a))))
    assert "host" not in str(gradient.kernels(many))
    np.testing.assert_allclose(gradient(many), [_adjugate(a).T for a in many], rtol=1e-9, atol=1e-12)
    tj.check_grads(np.linalg.det, (many[:3],), order=3)


def test_determinant_examples():
    np.testing.assert_allclose(tj.grad(np.linalg.det)(np.array([[1.0, 2.0], [2.0, 4.0]])), [[4, -2], [-2, 1]], atol=1e-14)
    second = tj.hessian(np.linalg.det)(np.zeros((2, 2))).reshape(4, 4)
    np.testing.assert_array_equal(second, [[0, 0, 0, 1], [0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(tj.grad(np.linalg.det)(np.array([[0.0]])), [[1.0]])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_repeated_values(dtype):
    """Eigenvalues and singular values have finite slopes where they repeat; eigenvectors of a repeated one have none, the others have theirs."""
    eye = np.eye(3, dtype=dtype)
    for g in (lambda f: tj.grad(f)(eye), lambda f: tj.jit(tj.grad(f))(eye)):
        np.testing.assert_array_equal(g(lambda a: np.sum(np.linalg.eigvalsh(a))), eye)
        np.testing.assert_array_equal(g(lambda a: np.sum(np.linalg.eigh(a)[0] ** 2)), 2 * eye)
        np.testing.assert_allclose(g(lambda a: np.sum(np.linalg.svd(a, compute_uv=False))), eye, atol=1e-6)
        np.testing.assert_allclose(g(lambda a: np.linalg.norm(a, "nuc")), eye, atol=1e-6)
        np.testing.assert_allclose(g(lambda a: np.sum(np.linalg.eigvals(a).real)), eye, atol=1e-6)
        assert np.isfinite(g(lambda a: np.linalg.norm(a, 2))).all()
        assert np.isnan(g(lambda a: np.sum(np.linalg.eigh(a)[1] * np.arange(9, dtype=dtype).reshape(3, 3)))).any()
    pair = np.diag([1.0, 1.0, 3.0]).astype(dtype)
    weights = np.arange(9, dtype=dtype).reshape(3, 3)

    def third(a):
        v = np.linalg.eigh(a)[1][:, 2]
        return v @ weights @ v
    np.testing.assert_allclose(tj.grad(third)(pair), [[0, 0, 0], [0, 0, 0], [4, 6, 0]], atol=1e-5)
    np.testing.assert_array_equal(tj.grad(lambda a: np.linalg.norm(a, "nuc"))(np.zeros((2, 2), dtype)), np.zeros((2, 2)))


def test_singular_systems_under_transformations():
    singular = np.ones((2, 2))
    for f in (lambda a: np.sum(np.linalg.solve(a, np.ones(2))), lambda a: np.sum(np.linalg.inv(a))):
        for transformed in (tj.jit(f), tj.grad(f), tj.jit(tj.grad(f))):
            with pytest.raises(np.linalg.LinAlgError):
                transformed(singular)
