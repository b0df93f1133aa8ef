"""The Python array API standard, 2024.12: `tracejit.numpy` as its namespace, and traced values as its arrays.

The lists are those of the standard's pages.  NumPy's own namespace is the measure: what it does for a call of the standard's signature, the traced
call does too, under `jit` (types only) and under `jvp` (with values).
"""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

import tracejit as tj
import tracejit.numpy as xp
from tracejit.errors import TracejitError, TracerConversionError
from tracejit.trace import Tracer

CONSTANTS = "e inf nan newaxis pi"
DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128"
CREATION = "arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril triu zeros zeros_like"
ABOUT_DTYPES = "astype can_cast finfo iinfo isdtype result_type"
UNARY = """abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor imag isfinite isinf isnan log log1p log2 log10
           logical_not negative positive real reciprocal round sign signbit sin sinh square sqrt tan tanh trunc"""
BINARY = """add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide equal floor_divide greater
            greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor maximum minimum multiply nextafter not_equal pow
            remainder subtract"""
OTHERS = """clip take take_along_axis matmul matrix_transpose tensordot vecdot broadcast_arrays broadcast_to concat expand_dims flip moveaxis
            permute_dims repeat reshape roll squeeze stack tile unstack argmax argmin count_nonzero nonzero searchsorted where unique_all
            unique_counts unique_inverse unique_values argsort sort cumulative_prod cumulative_sum max mean min prod std sum var all any diff"""
LINALG = """cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank matrix_transpose outer pinv qr slogdet solve
            svd svdvals tensordot trace vecdot vector_norm"""
FFT = "fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift"
METHODS = """__abs__ __add__ __and__ __array_namespace__ __bool__ __complex__ __dlpack__ __dlpack_device__ __eq__ __float__ __floordiv__ __ge__
             __getitem__ __gt__ __index__ __int__ __invert__ __le__ __lshift__ __lt__ __matmul__ __mod__ __mul__ __ne__ __neg__ __or__ __pos__
             __pow__ __rshift__ __setitem__ __sub__ __truediv__ __xor__ to_device __radd__ __rsub__ __rmul__ __rtruediv__ __rfloordiv__ __rmod__
             __rpow__ __rmatmul__ __rand__ __ror__ __rxor__ __rlshift__ __rrshift__ __iadd__ __isub__ __imul__ __itruediv__ __ifloordiv__
             __ipow__ __imod__ __imatmul__ __iand__ __ior__ __ixor__ __ilshift__ __irshift__"""
ATTRIBUTES = "dtype device mT ndim shape size T"

X = np.array([[0.3, -1.7, 2.5], [1.2, 0.4, -0.6]])
U = np.array([0.3, 0.7, 0.45])
V = np.array([1.4, 2.1, 1.7])
I, J = np.array([5, 2, 7]), np.array([3, 1, 6])
B = np.array([True, False, True])
M = np.array([[2.0, 0.3, -0.4], [0.1, 1.5, 0.6], [0.7, -0.2, 1.8]])
S = M @ M.T
Z = np.array([1 + 2j, 0.5 - 1j, -2 + 0.3j])
D3 = np.arange(24.0).reshape(2, 3, 4)


def test_every_name_of_the_standard_exists():
    names = " ".join((CONSTANTS, DTYPES, CREATION, ABOUT_DTYPES, UNARY, BINARY, OTHERS, "__array_namespace_info__")).split()
    assert [name for name in names if not hasattr(xp, name)] == []
    assert [name for name in LINALG.split() if not hasattr(xp.linalg, name)] == []
    assert [name for name in FFT.split() if not hasattr(xp.fft, name)] == []
    own = {name for kind in Tracer.__mro__[:-1] for name in vars(kind)}
    assert [name for name in f"{METHODS} {ATTRIBUTES}".split() if name not in own] == []
    assert xp.__array_api_version__ == np.__array_api_version__


def test_dtypes_and_constants():
    for name in DTYPES.split():
        assert np.dtype(getattr(xp, name)) == np.dtype(getattr(np, name))
    assert xp.newaxis is None and xp.pi == np.pi and np.isnan(xp.nan) and xp.inf > 0 and xp.e == np.e
    assert xp.isdtype(xp.float32, "real floating") and xp.isdtype(xp.int8, ("integral", xp.bool)) and not xp.isdtype(xp.uint8, "signed integer")
    assert xp.finfo(xp.float32).eps == np.finfo("f4").eps and xp.iinfo(xp.int8).max == 127


def test_the_namespace_describes_itself():
    info = xp.__array_namespace_info__()
    assert info.default_device() == "cpu" and info.devices() == ["cpu"]
    assert info.capabilities()["data-dependent shapes"] and info.capabilities()["boolean indexing"]
    assert info.default_dtypes()["real floating"] == np.float64
    assert set(info.dtypes(kind="complex floating")) == {"complex64", "complex128"}


# -- calls of the standard's signatures: positional-only arguments by position, keyword-only ones by name
CALLS = {
    **{name: (lambda x, name=name: getattr(xp, name)(x), (U,)) for name in UNARY.split()},
    "acosh": (lambda x: xp.acosh(x), (V,)), "bitwise_invert": (lambda x: xp.bitwise_invert(x), (I,)),
    "conj": (lambda x: xp.conj(x), (Z,)), "imag": (lambda x: xp.imag(x), (Z,)), "logical_not": (lambda x: xp.logical_not(x), (B,)),
    **{name: (lambda x, y, name=name: getattr(xp, name)(x, y), (U, V)) for name in BINARY.split()},
    **{name: (lambda x, y, name=name: getattr(xp, name)(x, y), (I, J)) for name in BINARY.split() if "bitwise" in name},
    **{name: (lambda x, y, name=name: getattr(xp, name)(x, y), (B, ~B)) for name in ("logical_and", "logical_or", "logical_xor")},
    "clip": (lambda x: xp.clip(x, min=-0.5, max=1.0), (X,)), "clip none": (lambda x: xp.clip(x, None, 1.0), (X,)),
    "take": (lambda x, i: xp.take(x, i, axis=1), (X, np.array([2, 0]))),
    "take_along_axis": (lambda x, i: xp.take_along_axis(x, i, axis=1), (X, np.array([[2], [0]]))),
    "matmul": (lambda x, y: xp.matmul(x, y), (X, M)), "matrix_transpose": (lambda x: xp.matrix_transpose(x), (D3,)),
    "tensordot": (lambda x, y: xp.tensordot(x, y, axes=((0, 1), (0, 1))), (D3, D3)), "vecdot": (lambda x, y: xp.vecdot(x, y, axis=-1), (X, X)),
    "broadcast_arrays": (lambda x, y: xp.broadcast_arrays(x, y), (X, U)), "broadcast_to": (lambda x: xp.broadcast_to(x, (2, 3)), (U,)),
    "concat": (lambda x, y: xp.concat((x, y), axis=0), (X, X)), "concat flat": (lambda x, y: xp.concat([x, y], axis=None), (X, U)),
    "expand_dims": (lambda x: xp.expand_dims(x, axis=1), (U,)), "flip": (lambda x: xp.flip(x, axis=(0, 1)), (X,)),
    "moveaxis": (lambda x: xp.moveaxis(x, 0, -1), (D3,)), "permute_dims": (lambda x: xp.permute_dims(x, (2, 0, 1)), (D3,)),
    "repeat": (lambda x: xp.repeat(x, 2, axis=1), (X,)), "reshape": (lambda x: xp.reshape(x, (3, 2), copy=True), (X,)),
    "roll": (lambda x: xp.roll(x, (1, 2), axis=(0, 1)), (X,)), "squeeze": (lambda x: xp.squeeze(x[None], axis=0), (X,)),
    "stack": (lambda x, y: xp.stack((x, y), axis=1), (U, V)), "tile": (lambda x: xp.tile(x, (2, 1)), (X,)),
    "unstack": (lambda x: xp.unstack(x, axis=1), (X,)),
    "argmax": (lambda x: xp.argmax(x, axis=1, keepdims=True), (X,)), "argmin": (lambda x: xp.argmin(x), (X,)),
    "count_nonzero": (lambda x: xp.count_nonzero(x, axis=0, keepdims=True), (X,)), "where": (lambda c, x, y: xp.where(c, x, y), (B, U, V)),
    "where scalar": (lambda c, x: xp.where(c, x, 0.0), (B, U)),
    "searchsorted": (lambda x, v: xp.searchsorted(x, v, side="right"), (np.array([0.0, 0.45, 1.0]), U)),
    "searchsorted by sorter": (lambda x, v, s: xp.searchsorted(x, v, sorter=s), (np.array([0.5, 0.0, 1.0]), U, np.array([1, 0, 2]))),
    "argsort": (lambda x: xp.argsort(x, axis=0, stable=True), (X,)), "sort": (lambda x: xp.sort(x, axis=1, stable=True), (X,)),
    "cumulative_prod": (lambda x: xp.cumulative_prod(x, axis=1, include_initial=True), (X,)),
    "cumulative_sum": (lambda x: xp.cumulative_sum(x, axis=0, dtype=xp.float32), (X,)), "diff": (lambda x: xp.diff(x, axis=1, n=2), (X,)),
    "diff appended": (lambda x, y: xp.diff(x, prepend=y, append=y), (U, V)),
    **{name: (lambda x, name=name: getattr(xp, name)(x, axis=(0, 1), keepdims=True), (X,)) for name in "max mean min prod sum all any".split()},
    "std": (lambda x: xp.std(x, axis=1, correction=1.0, keepdims=True), (X,)), "var": (lambda x: xp.var(x, correction=1), (X,)),
    "sum of bools": (lambda x: xp.sum(x, dtype=xp.int8), (B,)), "prod dtype": (lambda x: xp.prod(x, axis=0, dtype=xp.complex128), (X,)),
    "astype": (lambda x: xp.astype(x, xp.float32, copy=False), (X,)), "astype device": (lambda x: xp.astype(x, xp.int16, device="cpu"), (X,)),
    "empty_like": (lambda x: xp.empty_like(x, dtype=xp.int8, device="cpu") * 0, (X,)), "zeros_like": (lambda x: xp.zeros_like(x, device="cpu"), (X,)),
    "full_like": (lambda x: xp.full_like(x, 2.5, dtype=xp.float32, device="cpu"), (X,)), "ones_like": (lambda x: xp.ones_like(x), (X,)),
    "full": (lambda x: xp.full((2, 3), x[0], dtype=xp.float32, device="cpu"), (U,)),
    "asarray": (lambda x: xp.asarray(x, dtype=xp.float32, copy=True, device="cpu"), (X,)),
    "asarray of a list": (lambda x: xp.asarray([x[0], [1.0, 2.0, 3.0]]), (X,)),
    "arange": (lambda x: x + xp.arange(0, 6, 2, dtype=xp.float64, device="cpu"), (U,)),
    "linspace": (lambda x: xp.linspace(x[0], x[1], 4, endpoint=False, device="cpu"), (U,)),
    "eye": (lambda x: x * xp.eye(3, 3, k=1, device="cpu"), (U,)), "zeros": (lambda x: x + xp.zeros((2, 3), device="cpu"), (U,)),
    "ones": (lambda x: x + xp.ones(3, dtype=xp.float32, device="cpu"), (U,)), "meshgrid": (lambda x, y: xp.meshgrid(x, y, indexing="ij"), (U, V)),
    "tril": (lambda x: xp.tril(x, k=-1), (M,)), "triu": (lambda x: xp.triu(x, k=1), (M,)),
    "result_type": (lambda x, y: x.astype(xp.result_type(x, y, 1.0)), (U.astype("f4"), I.astype("i1"))),
    "can_cast": (lambda x: x * xp.can_cast(x, xp.float32), (X,)), "isdtype": (lambda x: x * xp.isdtype(x.dtype, "numeric"), (X,)),
}  # fmt: skip
LINALG_CALLS = {
    "cholesky": (lambda x: xp.linalg.cholesky(x, upper=True), (S,)), "cross": (lambda x, y: xp.linalg.cross(x, y, axis=-1), (U, V)),
    "det": (lambda x: xp.linalg.det(x), (M,)), "diagonal": (lambda x: xp.linalg.diagonal(x, offset=1), (M,)),
    "eigh": (lambda x: xp.linalg.eigh(x).eigenvalues, (S,)), "eigvalsh": (lambda x: xp.linalg.eigvalsh(x), (S,)),
    "inv": (lambda x: xp.linalg.inv(x), (M,)), "matmul": (lambda x: xp.linalg.matmul(x, x), (M,)),
    "matrix_norm": (lambda x: xp.linalg.matrix_norm(x, keepdims=True, ord="nuc"), (M,)),
    "matrix_power": (lambda x: xp.linalg.matrix_power(x, -2), (M,)), "matrix_rank": (lambda x: xp.linalg.matrix_rank(x, rtol=1e-3), (M,)),
    "matrix_transpose": (lambda x: xp.linalg.matrix_transpose(x), (D3,)), "outer": (lambda x, y: xp.linalg.outer(x, y), (U, V)),
    "pinv": (lambda x: xp.linalg.pinv(x, rtol=1e-6), (X,)), "qr": (lambda x: xp.linalg.qr(x, mode="complete").R, (M,)),
    "slogdet": (lambda x: xp.linalg.slogdet(x).logabsdet, (M,)), "solve": (lambda x, y: xp.linalg.solve(x, y), (M, M.T)),
    "svd": (lambda x: xp.linalg.svd(x, full_matrices=False).S, (X,)), "svdvals": (lambda x: xp.linalg.svdvals(x), (X,)),
    "tensordot": (lambda x: xp.linalg.tensordot(x, x, axes=1), (M,)), "trace": (lambda x: xp.linalg.trace(x, offset=0, dtype=xp.float32), (M,)),
    "vecdot": (lambda x, y: xp.linalg.vecdot(x, y, axis=0), (Z, Z[::-1])),
    "vector_norm": (lambda x: xp.linalg.vector_norm(x, axis=(0, 1), keepdims=True, ord=3), (X,)),
}  # fmt: skip
FFT_CALLS = {
    **{name: (lambda x, name=name: getattr(xp.fft, name)(x, n=4, axis=-1, norm="ortho"), (Z,)) for name in "fft ifft irfft hfft".split()},
    **{name: (lambda x, name=name: getattr(xp.fft, name)(x, n=4, axis=0, norm="forward"), (X,)) for name in "rfft ihfft".split()},
    **{name: (lambda x, name=name: getattr(xp.fft, name)(x, s=(2, 3), axes=(0, 1)), (X,)) for name in "fftn ifftn rfftn irfftn".split()},
    "fftshift": (lambda x: xp.fft.fftshift(x, axes=1), (X,)), "ifftshift": (lambda x: xp.fft.ifftshift(x), (X,)),
    "fftfreq": (lambda x: x * xp.fft.fftfreq(3, d=0.5, device="cpu"), (U,)),
    "rfftfreq": (lambda x: x[:2] * xp.fft.rfftfreq(3, d=0.5, device="cpu"), (U,)),
}  # fmt: skip
EVERY_CALL = CALLS | {f"linalg.{name}": call for name, call in LINALG_CALLS.items()} | {f"fft.{name}": call for name, call in FFT_CALLS.items()}


def _leaves(result):
    return list(map(np.asarray, result if isinstance(result, (tuple, list)) else [result]))


def _same(got, want):
    got, want = _leaves(got), _leaves(want)
    assert [(x.shape, x.dtype) for x in got] == [(x.shape, x.dtype) for x in want]
    for x, y in zip(got, want):
        np.testing.assert_allclose(x, y, rtol=2e-6 if y.dtype.itemsize <= 4 else 1e-12, atol=1e-13)


@pytest.mark.parametrize("name", EVERY_CALL)
def test_calls_of_the_standard(name):
    call, args = EVERY_CALL[name]
    want = call(*args)
    _same(tj.jit(call)(*args), want)
    if all(a.dtype.kind in "fc" for a in args):
        _same(tj.jvp(call, args, tuple(map(np.zeros_like, args)))[0], want)


def test_every_function_is_called():
    called = {name.split()[0] for name in EVERY_CALL}
    without = {"from_dlpack", "empty", "finfo", "iinfo", "nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"}
    names = {*" ".join((CREATION, ABOUT_DTYPES, UNARY, BINARY, OTHERS)).split()}
    names |= {f"linalg.{n}" for n in LINALG.split()} | {f"fft.{n}" for n in FFT.split()}
    assert names - called == without


@pytest.mark.parametrize("name", ["nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"])
def test_shapes_that_depend_on_values(name):
    """Where the values are known; under `jit` they are asked for."""
    x = np.array([3.0, 0.0, 3.0, 1.0])
    f = getattr(xp, name)
    _same(tj.jvp(lambda x: tuple(f(x)) if isinstance(f(x), tuple) else f(x), (x,), (x,))[0], f(x))


# -- the array object
def test_attributes_and_conversions():
    def f(x):
        assert x.ndim == 2 and x.shape == (2, 3) and x.size == 6 and x.dtype == np.float64 and x.device == "cpu"
        assert x.__array_namespace__() is xp and x.__array_namespace__(api_version="2024.12") is xp
        assert x.__dlpack_device__() == X.__dlpack_device__()
        assert x.to_device("cpu") is x
        with pytest.raises(ValueError, match="device"):
            x.to_device("cuda")
        return x.T @ x, x.mT

    _same(tj.jit(f)(X), (X.T @ X, X.mT))
    with pytest.raises((ValueError, TracejitError), match="2019.01"):
        tj.jit(lambda x: x.__array_namespace__(api_version="2019.01"))(X)


def test_a_traced_value_gives_no_memory_away():
    for take in (lambda x: x.__dlpack__(), lambda x: np.from_dlpack(x), lambda x: xp.from_dlpack(x)):
        for traced in (tj.jit(take), tj.grad(take)):
            with pytest.raises(TracerConversionError, match="dlpack"):
                traced(1.0)
    assert xp.from_dlpack(U) is not None and np.shares_memory(xp.from_dlpack(U), U)


OPERATORS = {
    "+": (lambda x, y: x + y, U, V), "-": (lambda x, y: x - y, U, V), "*": (lambda x, y: x * y, U, V), "/": (lambda x, y: x / y, U, V),
    "//": (lambda x, y: x // y, V, U), "%": (lambda x, y: x % y, V, U), "**": (lambda x, y: x**y, U, V), "@": (lambda x, y: x @ y, U, V),
    "&": (lambda x, y: x & y, I, J), "|": (lambda x, y: x | y, I, J), "^": (lambda x, y: x ^ y, I, J), "<<": (lambda x, y: x << y, I, J),
    ">>": (lambda x, y: x >> y, I, J), "<": (lambda x, y: x < y, U, V), "<=": (lambda x, y: x <= y, U, V), ">": (lambda x, y: x > y, U, V),
    ">=": (lambda x, y: x >= y, U, V), "==": (lambda x, y: x == y, U, V), "!=": (lambda x, y: x != y, U, V),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    f, x, y = OPERATORS[name]
    _same(tj.jit(f)(x, y), f(x, y))
    if name != "@":
        number = y[0].item()
        _same(tj.jit(lambda x: f(x, number))(x), f(x, number))
        _same(tj.jit(lambda x: f(number, x))(x), f(number, x))


def test_unary_operators_and_scalars():
    _same(tj.jit(lambda x, i: (-x, +x, abs(x), ~i))(U, I), (-U, +U, abs(U), ~I))
    for convert in (bool, int, float, complex):
        with pytest.raises((TypeError, TracejitError)):
            tj.vmap(lambda x, convert=convert: x * convert(x))(U)


# -- libraries that are written for the standard
@pytest.mark.skipif(find_spec("array_api_compat") is None, reason="needs array-api-compat")
def test_array_api_compat():
    import array_api_compat

    def f(x):
        assert array_api_compat.is_array_api_obj(x) and not array_api_compat.is_numpy_array(x)
        assert array_api_compat.array_namespace(x) is xp and array_api_compat.array_namespace(x, 1.0, None) is xp
        assert array_api_compat.device(x) == "cpu" and array_api_compat.size(x) == 6
        return array_api_compat.array_namespace(x).sum(array_api_compat.to_device(x, "cpu"))

    _same(tj.jit(f)(X), X.sum())


def test_scipy_by_the_array_api():
    """SciPy takes other arrays than NumPy's when SCIPY_ARRAY_API is set, which it reads when it is imported."""
    program = """
import numpy as np, scipy.special as sp, scipy.optimize, scipy.linalg, scipy.stats, tracejit as tj
x = np.array([0.3, 1.2, 0.7])
for f in (sp.logsumexp, sp.softmax, sp.log_softmax, scipy.optimize.rosen, sp.erf, sp.gammaln, sp.expit, lambda x: scipy.stats.norm.cdf(x),
          lambda x: scipy.linalg.expm(np.outer(x, x)), lambda x: sp.xlogy(x, x), lambda x: scipy.linalg.solve(np.diag(x), x)):
    np.testing.assert_allclose(tj.jit(lambda x: f(x))(x), f(x), rtol=1e-12)
    np.testing.assert_allclose(tj.jit(f)(x), f(x), rtol=1e-12)
    tj.check_grads(lambda x: f(x), (x,), order=1)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100, env={**os.environ, "SCIPY_ARRAY_API": "1"})
