"""Complex numbers in compiled kernels: values against NumPy and, for accuracy, mpmath; special values; memory access of every kind; products."""

import warnings

import numpy as np
import pytest

import tracejit as tj

DTYPES = [np.complex128, np.complex64]
UNARY = """negative square sqrt exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh
           reciprocal absolute conjugate sign rint real imag angle isnan isinf isfinite logical_not""".split()
BINARY = """add subtract multiply divide power equal not_equal less less_equal greater greater_equal maximum minimum fmax fmin
            logical_and logical_or logical_xor""".split()
ELEMENTARY = {
    **{name: name for name in ("sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
}


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def native(f, *args):
    """The result of `f` compiled, which must need no host call."""
    compiled = tj.jit(f)
    result = compiled(*args)
    assert "host call" not in compiled.kernels(*args)
    return result


def numbers(*shape, dtype=np.complex128, seed=0, spread=1.0):
    """Random directions, moduli between e^-spread and e^spread."""
    rng = np.random.default_rng(seed)
    return (np.exp(rng.uniform(-spread, spread, shape)) * np.exp(1j * rng.uniform(-np.pi, np.pi, shape))).astype(dtype)


def assert_close(got, want, units=8.0):
    """Equal types, and values within some units in the last place of the modulus."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    if want.dtype.kind in "fc":
        np.testing.assert_allclose(got, want, rtol=units * np.finfo(want.dtype).eps)
    else:
        np.testing.assert_array_equal(got, want)


# -- elementwise functions
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_unary(name, dtype):
    f, z = getattr(np, name), numbers(203, dtype=dtype, spread=2.0)
    if name == "log1p":   # NumPy takes the modulus of 1 + z
        z = z[np.abs(z) > 0.5]
    assert_close(native(lambda z: f(z), z), f(z), 8.0 if name != "expm1" else 32.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, dtype):
    f = getattr(np, name)
    x, y = numbers(203, dtype=dtype), numbers(203, dtype=dtype, seed=1)
    x[:20] = y[:20]
    x.real[20:40] = y.real[20:40]
    x.imag[40:60] = 0
    y[60:70] = 0
    assert_close(native(lambda x, y: f(x, y), x, y), f(x, y), 16.0)


@pytest.mark.parametrize("spread", [0.01, 1.0, 8.0])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ELEMENTARY)
def test_accuracy(name, dtype, spread):
    """Within 4 units in the last place of the modulus; what the type cannot hold is left out."""
    mpmath = pytest.importorskip("mpmath")
    z = numbers(80, dtype=dtype, spread=spread, seed=5)
    z = z[np.abs(z.real) < 80] if name in ("exp", "expm1", "sinh", "cosh") else z[np.abs(z.imag) < 80]
    got = native(getattr(np, name), z)
    with mpmath.workprec(200):
        want = [getattr(mpmath, ELEMENTARY[name])(mpmath.mpc(complex(x))) for x in z]
        errors = [float(abs(mpmath.mpc(complex(g)) - w) / abs(w)) for g, w in zip(got, want)]
    assert max(errors) <= 4 * np.finfo(dtype).eps, z[np.argmax(errors)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in (*UNARY, "maximum", "fmin", "divide", "less") if name not in ("expm1", "reciprocal")])
def test_special_values(name, dtype):
    """Zeros, infinities, NaN and both sides of the branch cuts. (NumPy's expm1 and reciprocal make NaN of some infinities.)"""
    parts = np.array([0.0, 1e-3, 0.5, 1.0, 1.5, 30.0, np.inf, -0.0, -1e-3, -0.5, -1.0, -1.5, -30.0, -np.inf, np.nan])
    z = np.empty((15, 15), dtype)
    z.real, z.imag = parts[:, None], parts
    z = z.ravel()
    f, args = getattr(np, name), (z,)
    if name in BINARY:
        args = np.repeat(z, z.size), np.tile(z, z.size)
    got, want = native(lambda *args: f(*args), *args), f(*args)
    for a, b in [(got, want)] if want.dtype.kind != "c" else [(got.real, want.real), (got.imag, want.imag)]:
        if b.dtype.kind == "b":
            np.testing.assert_array_equal(a, b)
            continue
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        np.testing.assert_array_equal(np.where(np.isinf(a), a, 0), np.where(np.isinf(b), b, 0))
    if name != "log1p":   # NumPy's takes the modulus of 1 + z, rounded
        assert_close(np.where(np.isfinite(want), got, 0), np.where(np.isfinite(want), want, 0), 32.0)


@pytest.mark.parametrize("name", ["sqrt", "log", "arcsin", "arccos", "arccosh", "arctan", "arctanh"])
def test_branch_cuts_have_two_sides(name):
    cut = {"arctan": 2j, "sqrt": -2.0, "log": -2.0}.get(name, 2.0)
    above = np.array([complex(cut.real, 0.0), complex(0.0, 2.0)][cut == 2j])
    f = getattr(np, name)
    z = np.array([above, np.conj(above), -above, -np.conj(above)])
    assert_close(native(f, z), f(z))


@pytest.mark.parametrize("n", [-3, -2, -1, 0, 1, 2, 3, 4, 5, 17, 0.5, 1.5, 2 + 1j])
def test_constant_powers(n):
    z = numbers(50)
    assert_close(native(lambda z: z**n, z), z**n, 16.0)
    assert_close(native(lambda z: np.power(z, n), z), np.power(z, n), 16.0)


def test_products_with_the_conjugate_are_real():
    z = numbers(1000)
    assert not native(lambda z: z * np.conj(z), z).imag.any()


# -- conversions
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128, np.float32, np.float64, np.float16, np.int32, np.uint8, bool])
def test_conversions(dtype):
    z = np.array([3.7 + 1j, 2.0, 5j, 0.0])
    assert_close(native(lambda z: z.astype(dtype), z), z.astype(dtype))
    x = z.real.astype(dtype)
    assert_close(native(lambda x: x.astype(np.complex64) + 1j, x), x.astype(np.complex64) + 1j)


def test_parts():
    z, x, y = numbers(13), np.arange(13.0), np.linspace(0, 1, 13)
    assert_close(native(lambda z: np.real(z) + z.imag, z), z.real + z.imag)
    assert_close(native(lambda x, y: x + 1j * y, x, y), x + 1j * y)
    assert_close(native(lambda z, x: np.where(x > 4, z, 0), z, x), np.where(x > 4, z, 0))
    assert_close(native(lambda z: z * 2j + 1, z[0]), z[0] * 2j + 1)


# -- memory
SIZES = [1, 2, 3, 7, 8, 9, 16, 33, 257]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_access(n, dtype):
    """Adjacent, strided, repeated, padded and transposed elements, at sizes with and without a remainder."""
    z, w = numbers(n, dtype=dtype), numbers(n, 3, dtype=dtype, seed=2)
    programs = [
        lambda z, w: z * 2,
        lambda z, w: z[::-1] + z,
        lambda z, w: z[::2] * 1j,
        lambda z, w: z[:, None] * w,
        lambda z, w: (z[:, None] * w).T + w.T,
        lambda z, w: np.pad(z, (2, 3)) + 1,
        lambda z, w: np.concatenate([z, w[:, 1], z]) * 2,
        lambda z, w: np.broadcast_to(z, (4, n)) * w[0, 0],
        lambda z, w: np.stack([z, w[:, 0]], axis=1) - 1,
        lambda z, w: z[np.arange(n - 1, -1, -1) % n] * w[:, 2],
    ]
    for f in programs:
        assert_close(native(f, z, w), f(z, w))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [*SIZES, 3000])
def test_reductions(n, dtype):
    z = numbers(n, dtype=dtype, spread=0.1)
    w = numbers(n, 5, dtype=dtype, spread=0.1)
    units = 4.0 * n
    for f in (np.sum, np.prod, np.max, np.min, np.mean):
        assert_close(native(f, z), f(z), units)
        for axis in (0, 1):
            assert_close(native(lambda w, f=f, axis=axis: f(w, axis=axis), w), f(w, axis=axis), units)
    assert_close(native(lambda z: np.sum(np.abs(z) ** 2), z), np.sum(np.abs(z) ** 2), units)
    assert native(lambda z: np.any(z != 0), z) and native(lambda z: np.all(np.isfinite(z)), z)


def test_scatter_and_updates():
    z, at = numbers(20), np.array([3, 3, 0, 19])
    want = z.copy()
    np.add.at(want, at, z[:4])
    assert_close(native(lambda z, at: z.at[at].add(z[:4]), z, at), want)
    want = z.copy()
    want[2:12:3] = 1j
    assert_close(native(lambda z: z.at[2:12:3].set(1j), z), want)
    with pytest.raises(IndexError):
        tj.jit(lambda z, at: z[at])(z, np.array([20]))


def test_temporaries_in_registers_rows_and_arena():
    z = numbers(40, 30)
    softmax = lambda z: np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)
    assert_close(native(softmax, z), softmax(z), 64.0)
    centred = lambda z: (z - z.mean(axis=0)) / np.sqrt(np.mean(np.abs(z - z.mean(axis=0)) ** 2, axis=0))
    assert_close(native(centred, z), centred(z), 512.0)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(monkeypatch, threads):
    """Chunks, each with partial results of its own."""
    monkeypatch.setattr(tj.config, "threads", threads)
    z = numbers(200_003)
    f = lambda z: (np.exp(1j * z) * z, np.sum(np.sin(z) * np.conj(z)))
    for got, want in zip(native(f, z), f(z)):
        np.testing.assert_allclose(got, want, rtol=1e-11)


# -- products
def _matrices(dtype):
    a = lambda *shape, seed: numbers(*shape, dtype=dtype, seed=seed)
    shapes = [((3, 4), (4, 5)), ((3, 4), (4,)), ((4,), (4, 5)), ((4,), (4,)), ((1, 4), (4, 1)), ((7, 3, 4), (7, 4, 5)), ((40, 30), (30, 20))]
    return [(a(*s, seed=1), a(*t, seed=2)) for s, t in shapes]


@pytest.mark.parametrize("dtype", DTYPES)
def test_matrix_products(dtype):
    for x, y in _matrices(dtype):
        compiled = tj.jit(lambda x, y: x @ y)
        np.testing.assert_allclose(compiled(x, y), x @ y, rtol=2000 * np.finfo(dtype).eps)
        assert "library" in compiled.kernels(x, y)
    x, y = numbers(5, 3, dtype=dtype), numbers(3, 5, dtype=dtype)
    for f in (lambda x, y: x.T @ y.T, lambda x, y: np.conj(x.T) @ x, lambda x, y: np.vdot(x, x), lambda x, y: np.einsum("ij,jk->ki", x, y)):
        np.testing.assert_allclose(native(f, x, y), f(x, y), rtol=2000 * np.finfo(dtype).eps)


# -- derivatives
def test_compiled_gradients_are_native():
    z = numbers(50)

    def energy(z):
        return np.sum(np.abs(np.exp(1j * z) * np.tanh(z) + np.sqrt(z)) ** 2) + np.sum(np.angle(z)) + np.real(np.prod(z[:5] / z[5:10]))

    np.testing.assert_allclose(native(tj.grad(energy), z), tj.grad(energy)(z), rtol=1e-11)
