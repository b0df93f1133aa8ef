"""Derivatives of complex programs: against differences in both modes, against JAX, whose convention they follow, and at the hard points.

For a real function of complex arguments the gradient is d/dx - i d/dy, so that the change along t is the real part of the sum of gradient * t.
"""

import warnings

import numpy as np
import pytest

import tracejit as tj

HOLOMORPHIC = """sqrt exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh
                 square reciprocal negative""".split()
OTHERS = "absolute real imag angle conjugate sign".split()
# JAX's sign has the derivative 0, and its arccosh the wrong sign in the left half plane.
NOT_AS_JAX = {"sign", "arccosh"}
RNG = np.random.default_rng(11)
# Points in every quadrant, inside and outside of the unit circle, off the branch cuts.
PLANE = np.array([0.3 + 0.4j, -0.7 + 0.2j, -0.5 - 1.3j, 1.6 - 0.3j, 2.0 + 1.0j, -1.8 + 0.6j])
OTHER = RNG.standard_normal(6) + 1j * RNG.standard_normal(6)


@pytest.fixture(scope="module")
def jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def real_of(xp, f):
    """A real function that both parts of f's result enter, not linearly."""

    def g(*args):
        y = f(*args)
        return xp.sum(xp.real(y * (1 + 2j)) + xp.imag(y * y * 1j))

    return g


# -- against differences
@pytest.mark.parametrize("name", HOLOMORPHIC + OTHERS)
def test_unary_against_differences(name):
    f = getattr(np, name)
    tj.check_grads(f, (PLANE,), order=2)
    tj.check_grads(real_of(np, f), (PLANE,), order=2)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power"])
def test_binary_against_differences(name):
    f = getattr(np, name)
    for x, y in ((PLANE, OTHER), (np.abs(PLANE), OTHER), (PLANE, OTHER.real), (PLANE, OTHER[0])):
        tj.check_grads(f, (x, y), order=2)


@pytest.mark.parametrize("n", [2, 3, -1, -2, 0.5, 2.5, 1j])
def test_powers_against_differences(n):
    tj.check_grads(lambda z: z**n, (PLANE,), order=2)
    tj.check_grads(lambda z: n**z, (PLANE,), order=2)


# -- against JAX
@pytest.mark.parametrize("name", [n for n in HOLOMORPHIC + OTHERS if n not in NOT_AS_JAX])
def test_unary_as_jax(name, jax):
    f, theirs = getattr(np, name), getattr(jax.numpy, name)
    assert_close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    ours_real, theirs_real = real_of(np, f), real_of(jax.numpy, theirs)
    assert_close(tj.grad(ours_real)(PLANE), jax.grad(theirs_real)(PLANE))
    assert_close(tj.jvp(f, (PLANE,), (OTHER,))[1], jax.jvp(theirs, (PLANE,), (OTHER,))[1])
    ct = OTHER if f(PLANE).dtype.kind == "c" else OTHER.real
    assert_close(tj.vjp(f, PLANE)[1](ct)[0], jax.vjp(theirs, PLANE)[1](ct)[0])
    if name in HOLOMORPHIC:
        total = lambda xp, g: lambda z: xp.sum(g(z))
        assert_close(tj.grad(total(np, f), holomorphic=True)(PLANE), jax.grad(total(jax.numpy, theirs), holomorphic=True)(PLANE))


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power"])
def test_binary_as_jax(name, jax):
    for args in ((PLANE, OTHER), (np.abs(PLANE), OTHER), (PLANE, OTHER.real), (PLANE, 2.5), (np.abs(PLANE), 1.5j)):
        got = tj.grad(real_of(np, getattr(np, name)), (0, 1))(*args)
        want = jax.grad(real_of(jax.numpy, getattr(jax.numpy, name)), (0, 1))(*args)
        for a, b in zip(got, want):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
            assert a.dtype == b.dtype


def test_arrays_as_jax(jax):
    a, b = RNG.standard_normal((3, 4)) + 1j * RNG.standard_normal((3, 4)), OTHER[:4]
    programs = [
        lambda xp: lambda z: xp.sum(xp.abs(z @ b) ** 2),
        lambda xp: lambda z: xp.linalg.norm(z),
        lambda xp: lambda z: xp.abs(xp.prod(z)),
        lambda xp: lambda z: xp.sum(xp.abs(xp.cumsum(z, 1)) ** 3) + xp.sum(xp.abs(xp.cumprod(z, 0))),
        lambda xp: lambda z: xp.var(z) + xp.std(z) + xp.abs(xp.mean(z)),
        lambda xp: lambda z: xp.real(xp.vdot(z, z @ xp.outer(b, b))),
        lambda xp: lambda z: xp.sum(xp.where(xp.real(z) > 0, xp.abs(z), xp.imag(z)) ** 2),
        lambda xp: lambda z: xp.sum(xp.abs(xp.fft.fft2(z)) ** 3) + xp.sum(xp.fft.irfft(z, 5) ** 2),
        lambda xp: lambda z: xp.sum(xp.abs(xp.einsum("ij,kj->ik", z, xp.conj(z)))),
    ]
    for make in programs:
        np.testing.assert_allclose(tj.grad(make(np))(a), jax.grad(make(jax.numpy))(a), rtol=1e-9)
        np.testing.assert_allclose(tj.jit(tj.grad(make(np)))(a), jax.grad(make(jax.numpy))(a), rtol=1e-9)


def test_as_hips_autograd():
    autograd, anp = pytest.importorskip("autograd"), pytest.importorskip("autograd.numpy")
    f = lambda xp: lambda z: xp.sum(xp.real(xp.exp(1j * z) * xp.conj(z)) + xp.abs(z) ** 3)
    np.testing.assert_allclose(tj.grad(f(np))(PLANE), autograd.grad(f(anp))(PLANE), rtol=1e-12)


# -- real and complex values in one program
def test_real_arguments_through_complex_values():
    """The gradient of a real argument is real."""
    f = lambda x, y: np.abs(np.exp(1j * x) + y * np.exp(-2j * x)) ** 2
    gx, gy = tj.grad(f, (0, 1))(0.7, 1.3)
    assert gx.dtype == gy.dtype == np.float64
    np.testing.assert_allclose([gx, gy], [-6 * 1.3 * np.sin(2.1), 2 * 1.3 + 2 * np.cos(2.1)])
    tj.check_grads(f, (0.7, 1.3), order=2)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_gradients_have_the_dtype_of_the_argument(dtype):
    z = PLANE.astype(dtype)
    assert tj.grad(lambda z: np.sum(np.abs(z) ** 2))(z).dtype == dtype
    assert tj.grad(lambda x: np.sum(np.abs(x * z)))(z.real).dtype == z.real.dtype
    np.testing.assert_allclose(tj.grad(lambda z: np.sum(np.abs(z) ** 2))(z), 2 * np.conj(z), rtol=1e-6)


def test_descent_goes_against_the_conjugate():
    """Parts are updated by their own derivatives when a step goes along the conjugate of the gradient."""
    target = np.array([1 - 2j, 3j])
    loss = lambda z: np.sum(np.abs(z - target) ** 2)
    z = np.zeros(2, complex)
    for _ in range(60):
        z = z - 0.2 * np.conj(tj.grad(loss)(z))
    np.testing.assert_allclose(z, target, atol=1e-9)


def test_holomorphic_gradient_asks_for_complex_numbers():
    np.testing.assert_allclose(tj.grad(np.sin, holomorphic=True)(1 + 1j), np.cos(1 + 1j))
    with pytest.raises(TypeError, match="holomorphic"):
        tj.grad(np.sin, holomorphic=True)(1.0)
    with pytest.raises(TypeError, match="real part|holomorphic"):
        tj.grad(np.sin)(1 + 1j)


def test_jacobians():
    f = lambda z: np.sin(z) * z[::-1]
    z = PLANE[:3]
    want = np.diag(np.cos(z) * z[::-1]) + np.fliplr(np.diag(np.sin(z)))
    want[1, 1] = np.cos(z[1]) * z[1] + np.sin(z[1])
    np.testing.assert_allclose(tj.jacfwd(f, holomorphic=True)(z), want)
    np.testing.assert_allclose(tj.jacrev(f, holomorphic=True)(z), want)
    np.testing.assert_allclose(tj.hessian(lambda z: np.sum(z**3), holomorphic=True)(z), np.diag(6 * z))
    np.testing.assert_allclose(tj.jacrev(lambda z: np.abs(z) ** 2)(z), np.diag(2 * np.conj(z)))
    np.testing.assert_allclose(tj.jacfwd(lambda x: np.exp(1j * x))(z.real), np.diag(1j * np.exp(1j * z.real)))
    with pytest.raises(TypeError, match="complex arguments"):
        tj.jacfwd(np.abs)(z)
    with pytest.raises(TypeError, match="complex results"):
        tj.jacrev(lambda x: np.exp(1j * x))(z.real)


def test_a_quantum_circuit():
    """Rotations of one qubit: the expectation of Z is cos(a) cos(b)."""

    def expectation(angles):
        a, b = angles[0] / 2, angles[1] / 2
        state = np.stack([np.cos(a) + 0j, -1j * np.sin(a)])
        turn = np.stack([np.stack([np.cos(b), -np.sin(b)]), np.stack([np.sin(b), np.cos(b)])])
        state = turn @ state
        return np.abs(state[0]) ** 2 - np.abs(state[1]) ** 2

    angles = np.array([0.4, 1.1])
    want = -np.array([np.sin(0.4) * np.cos(1.1), np.cos(0.4) * np.sin(1.1)])
    np.testing.assert_allclose(tj.grad(expectation)(angles), want, atol=1e-14)
    np.testing.assert_allclose(tj.jit(tj.grad(expectation))(angles), want, atol=1e-14)


# -- hard points
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_hard_points(dtype, compiled):
    """Modulus, angle, sign and norm have the gradient 0 at 0; an untaken branch leaks no NaN."""
    zero = np.zeros(2, dtype)
    rows = [
        lambda z: np.sum(np.abs(z)),
        lambda z: np.sum(np.angle(z)),
        lambda z: np.sum(np.real(np.sign(z))),
        lambda z: np.linalg.norm(z),
        lambda z: np.sum(np.abs(z) ** 2),
        lambda z: np.sum(np.real(z**2 + z**3)),
        lambda z: np.sum(np.where(np.abs(z) > 0, np.real(np.sqrt(z)), 0)),
        lambda z: np.sum(np.where(np.abs(z) > 0, np.real(np.log(z)), 0)),
        lambda z: np.sum(np.where(z != 0, np.abs(1 / z), 0)),
    ]
    for f in rows:
        g = tj.grad(f)
        np.testing.assert_array_equal((tj.jit(g) if compiled else g)(zero), zero)
        np.testing.assert_array_equal(tj.jvp(f, (zero,), (zero + 1 + 1j,))[1], 0)


def test_second_derivatives_of_the_square_modulus_at_zero():
    z, t = np.zeros(2, complex), np.array([1 + 2j, -1j])
    for square in (lambda z: np.real(z * np.conj(z)), lambda z: np.abs(z) ** 2, lambda z: np.square(np.abs(z)), lambda z: z.real**2 + z.imag**2):
        np.testing.assert_allclose(tj.jvp(tj.grad(lambda z, f=square: np.sum(f(z))), (z,), (t,))[1], 2 * np.conj(t))
    np.testing.assert_allclose(tj.hessian(lambda x: np.abs(x) ** 2)(0.0), 2.0)
