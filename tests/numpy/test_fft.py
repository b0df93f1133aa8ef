"""`np.fft` on traced values: values against NumPy over lengths, axes and norms; gradients in both modes; batches; errors."""

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.cpu import pocketfft

ONE_AXIS = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = ["fftn", "ifftn", "rfftn", "irfftn"]
PLANE = ["fft2", "ifft2", "rfft2", "irfft2"]
NORMS = [None, "backward", "ortho", "forward"]
OF_REAL = {"rfft", "ihfft", "rfftn", "rfft2"}
OF_COMPLEX = {"irfft", "hfft", "irfftn", "irfft2"}


def samples(name, *shape, dtype=np.float64):
    """An array that the function takes."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal(shape).astype(dtype)
    return x if name in OF_REAL else x + (1j * rng.standard_normal(shape)).astype(np.result_type(dtype, np.complex64))


def assert_same(f, *args, precision=None, **kwargs):
    """Equal values and dtypes."""
    want, got = f(*args, **kwargs), tj.jit(lambda *xs: f(*xs, **kwargs))(*args)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    tolerance = 30 * np.finfo(precision or want.dtype).eps
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * max(1.0, np.abs(want).max(initial=0)))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ONE_AXIS)
def test_one_axis(name, norm):
    f, x = getattr(np.fft, name), samples(name, 4, 7)
    for n in (None, 7, 4, 5, 9, 12, 20):
        for axis in (-1, 0):
            assert_same(f, x, n=n, axis=axis, norm=norm)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", SEVERAL + PLANE)
def test_several_axes(name, norm):
    f, x = getattr(np.fft, name), samples(name, 3, 4, 5)
    assert_same(f, x, norm=norm)
    for s, axes in ((None, (0, 2)), (None, (2, 0)), ((4, 6), (0, 1)), ((2, 3), (-1, 0)), ((-1, 8), (1, 2)), (None, (1,)), ((6, 5), (1, 1))):
        if s == (6, 5) and name not in ("fftn", "ifftn"):
            continue
        assert_same(f, x, s=s, axes=axes, norm=norm)


@pytest.mark.parametrize("name", ONE_AXIS + SEVERAL)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32, bool])
def test_dtypes(name, dtype):
    """Halves are transformed in single precision; NumPy rounds their scale 1 / n to a half."""
    x, f = np.arange(1, 7).astype(dtype), getattr(np.fft, name)
    if (name, dtype) != ("irfftn", np.float16):
        assert_same(f, x, precision=dtype if dtype is np.float16 else None)
    if name not in OF_REAL:
        assert_same(f, x.astype(np.complex64))


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
def test_shifts(name):
    f, x = getattr(np.fft, name), np.arange(20.0).reshape(4, 5)
    for axes in (None, 0, -1, (0, 1), (1,)):
        assert_same(f, x, axes=axes)


def test_frequencies_of_a_traced_spacing():
    assert_same(lambda d: np.fft.fftfreq(8, d), np.float64(0.1))
    assert_same(lambda d: np.fft.rfftfreq(9, d), np.float64(0.1))


@pytest.mark.parametrize("norm", NORMS[1:])
@pytest.mark.parametrize("name", ONE_AXIS)
def test_gradients_of_one_axis(name, norm):
    f, x = getattr(np.fft, name), samples(name, 3, 6)
    for n in (None, 5, 8):
        tj.check_grads(lambda z, n=n: np.abs(f(z, n, norm=norm)) ** 2, (x,), order=2)
        tj.check_grads(lambda z, n=n: f(z, n, 0, norm=norm) ** 2, (x,), order=2, modes=("rev",))


@pytest.mark.parametrize("name", SEVERAL + PLANE)
def test_gradients_of_several_axes(name):
    f, x = getattr(np.fft, name), samples(name, 2, 3, 4)
    tj.check_grads(lambda z: np.sum(np.abs(f(z)) ** 3), (x,), order=1)
    tj.check_grads(lambda z: f(z, s=(3, 5), axes=(0, 2)), (x,), order=1)


def test_gradient_of_real_samples_through_a_complex_transform():
    x = np.random.default_rng(0).standard_normal((4, 6))
    f = lambda z: np.sum(np.abs(np.fft.fft2(z)) ** 2)
    np.testing.assert_allclose(tj.grad(f)(x), 2 * x.size * x)   # Parseval
    np.testing.assert_allclose(tj.jit(tj.grad(f))(x), 2 * x.size * x)


def test_batches():
    x = samples("fft", 3, 4, 5)
    for f in (np.fft.fft, np.fft.ifft2, lambda z: np.fft.irfft(z, 8), lambda z: np.fft.rfft(np.real(z)), np.fft.hfft):
        np.testing.assert_allclose(tj.vmap(f)(x), np.stack([f(z) for z in x]), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(tj.vmap(f, in_axes=2)(x), np.stack([f(z) for z in np.moveaxis(x, 2, 0)]), rtol=1e-12, atol=1e-12)


def test_a_spectral_derivative():
    """The derivative of a periodic function, as programs write it: real transform, wave numbers, inverse."""

    def slope(u, length):
        k = 2 * np.pi * np.fft.rfftfreq(u.size, length / u.size)
        return np.fft.irfft(1j * k * np.fft.rfft(u), u.size)

    t = np.arange(32) / 32 * 3.0
    u = np.sin(2 * np.pi * t / 3.0)
    np.testing.assert_allclose(tj.jit(slope)(u, 3.0), 2 * np.pi / 3.0 * np.cos(2 * np.pi * t / 3.0), atol=1e-12)
    v = np.random.default_rng(0).standard_normal(9)
    tj.check_grads(lambda u, length: np.sum(slope(u, length) ** 3), (v, 3.0), order=2)


@pytest.mark.parametrize("native", [True, False])
def test_compiled_transforms_call_pocketfft(monkeypatch, native):
    """In native code where this NumPy has the loops that are known, and through `numpy.fft` elsewhere."""
    tj.clear_caches()
    if not native:
        monkeypatch.setattr(pocketfft, "symbols", dict)
    elif not pocketfft.symbols():
        pytest.skip("this NumPy has other loops")

    def filtered(x, response):
        spectrum = np.fft.rfft2(x) * response
        return np.fft.irfft2(spectrum, x.shape) + np.real(np.fft.ifftn(np.fft.fft(x, axis=0)))

    x, response = samples("rfft", 5, 6), samples("fft", 5, 4)
    for f in (filtered, tj.grad(lambda x, response: np.sum(filtered(x, response) ** 2), argnums=(0, 1))):
        compiled = tj.jit(f)
        got, want = compiled(x, response), f(x, response)
        for a, b in zip(got, want):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)
        text = compiled.kernels(x, response)
        assert ("library: pocketfft" in text, "host call" in text) == (native, not native)
    tj.clear_caches()  # what was compiled without the loops is not for others


def test_errors():
    x = np.ones(4)
    with pytest.raises(ValueError, match="Invalid norm"):
        tj.jit(lambda z: np.fft.fft(z, norm="unit"))(x)
    with pytest.raises(ValueError, match="Invalid number of FFT data points"):
        tj.jit(lambda z: np.fft.fft(z, 0))(x)
    with pytest.raises(ValueError, match="Shape and axes have different lengths"):
        tj.jit(lambda z: np.fft.fftn(z, s=(2, 3), axes=(0,)))(x)
    with pytest.raises(TypeError, match="rfft of complex"):
        tj.jit(np.fft.rfft)(x + 1j)
    with pytest.raises(np.exceptions.AxisError):
        tj.jit(lambda z: np.fft.fft(z, axis=1))(x)
    with pytest.raises(ValueError, match="Invalid number of FFT data points"):
        tj.jit(np.fft.irfft)(np.ones(1))
