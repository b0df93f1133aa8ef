"""Every ufunc with a traced form: dtypes, values and errors are NumPy's, for every dtype and for Python numbers."""

import itertools

import numpy as np
import pytest

import tracejit as tj
from tracejit.trace import dispatch

DTYPES = [np.dtype(d) for d in ("?", "i1", "u1", "i4", "i8", "u8", "f2", "f4", "f8", "c8", "c16")]
UFUNCS = [u for u in dispatch.ufuncs if u.signature is None and hasattr(np, u.__name__)]
UNARY = [u for u in UFUNCS if u.nin == 1]
BINARY = [u for u in UFUNCS if u.nin == 2]
# NumPy orders complex numbers and rounds them; here only real numbers have an order.
NO_COMPLEX = {np.maximum, np.minimum, np.fmax, np.fmin, np.sign, np.expm1, np.log1p}
SCALARS = (True, 3, 2.5, 1 - 2j)


def sample(dtype, n=7, seed=0):
    rng = np.random.default_rng(seed)
    if dtype.kind == "b":
        return rng.integers(0, 2, n).astype(bool)
    if dtype.kind == "c":
        return (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(dtype)
    if dtype.kind == "f":
        return (rng.standard_normal(n) * 2).astype(dtype)
    return rng.integers(1 if dtype.kind == "u" else -5, 6, n).astype(dtype)


@pytest.mark.parametrize("ufunc", UNARY, ids=lambda u: u.__name__)
def test_unary(agrees, ufunc):
    for dtype in DTYPES:
        if dtype.kind == "c" and ufunc in NO_COMPLEX:
            continue
        if ufunc is np.spacing and (dtype == np.float16 or dtype.itemsize == 1):  # in float16 NumPy's has no sign
            continue
        x = sample(dtype)
        if ufunc is np.reciprocal and dtype.kind == "i":  # of the integer 0 it is whatever the processor says
            x[x == 0] = 1
        for operand in (x, x[0], np.zeros((0, 2), dtype)):
            agrees(ufunc, operand, atol=1e-7)
    for scalar in SCALARS[:3]:
        agrees(ufunc, scalar)


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda u: u.__name__)
def test_binary(agrees, ufunc):
    for i, (a, b) in enumerate(itertools.product(DTYPES, DTYPES)):
        if "c" in (a.kind, b.kind) and (ufunc in NO_COMPLEX or ufunc in (np.power, np.float_power)):
            continue
        x, y = sample(a), sample(b, seed=1)
        if ufunc in (np.power, np.float_power, np.left_shift, np.right_shift, np.ldexp):
            y = abs(y) if b.kind != "b" else y
            x = abs(x) if a.kind != "b" else x
        agrees(ufunc, x, y, rtol=1e-5, atol=1e-6)
        if i % 3 == 0:
            agrees(ufunc, x.reshape(7, 1), y[:2])


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda u: u.__name__)
def test_python_numbers_are_weak(agrees, ufunc):
    for dtype, scalar in itertools.product(DTYPES, SCALARS):
        if ("c" in dtype.kind or type(scalar) is complex) and ufunc in {*NO_COMPLEX, np.power, np.float_power}:
            continue
        x = sample(dtype)
        if ufunc in (np.power, np.float_power, np.left_shift, np.right_shift, np.ldexp):
            x = abs(x) if dtype.kind != "b" else x
        agrees(lambda v, u=ufunc, s=scalar: u(v, s), x, rtol=1e-5, atol=1e-6)
        agrees(lambda v, u=ufunc, s=scalar: u(s, v), x, rtol=1e-5, atol=1e-6)
        agrees(ufunc, x, scalar, rtol=1e-5, atol=1e-6)  # a traced Python number is as weak as a plain one


def test_integers_that_do_not_fit(agrees):
    x = np.arange(3, dtype=np.int8)
    assert isinstance(agrees(lambda v: v + 300, x), OverflowError)
    for compare in (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal):
        agrees(lambda v, f=compare: f(v, 300), x)
        agrees(lambda v, f=compare: f(-300, v), x)
    for compare in (np.less, np.greater_equal, np.equal):
        agrees(compare, np.array([-1, 0, 3]), np.array([0, 2**63, 3], np.uint64))
        agrees(compare, np.array([0, 2**63, 3], np.uint64), np.array([-1, 0, 3]))


def test_options(agrees):
    x = np.arange(3, dtype=np.int32)
    agrees(lambda v: np.add(v, v, dtype=np.float32), x)
    agrees(lambda v: np.multiply(v, 2, signature="dd->d"), x)
    agrees(lambda v: np.add(v, 1.5, dtype=np.int32), x)  # float to integer: not the same kind
    agrees(lambda v: np.add(v, 1.5, dtype=np.int32, casting="unsafe"), x)
    agrees(lambda v: np.sin(v, dtype="f4"), x)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda v: np.sin(v, out=np.zeros(3)), "cannot be written into a plain array"),
        (lambda v: np.sin(v, where=np.array([True, False, True])), "np.where"),
        (lambda v: np.isnat(v), "works on dates"),
        (lambda v: np.add.reduceat(v, v.astype(int)), "must be known while tracing"),
        (lambda v: np.less.reduce(v), "less"),
        (lambda v: np.add(v, np.array(["a"])), "cannot be traced|no loop|did not contain a loop"),
        (lambda v: v + "a", "unsupported operand"),
    ],
)
def test_refusals(call, text):
    from tracejit.ir import array_type
    from tracejit.trace import Trace

    with pytest.raises(TypeError, match=text):
        call(Trace("test").input(array_type(np.zeros(3))))


def test_lists_and_scalars(agrees):
    x = np.arange(3.0)
    agrees(lambda v: np.add(v, [1, 2, 3]), x)
    agrees(lambda v: [1, 2, 3] + v, x)
    agrees(lambda v: np.float32(2) * v, x)
    agrees(lambda v: v * np.float64(2), x.astype(np.float32))
    agrees(lambda v: np.ones(3, np.float32) - v, x)
    agrees(lambda v: abs(-v) // 2 % 3 + (v > 1) * 2.0 - (+v), x)
    agrees(lambda v: divmod(7.5, v + 1), x)
    agrees(lambda v: ~(v > 1) ^ True | (v < 2) & np.bool_(True), x)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, -1, -2, 0.5, 2.0, 3.0, 2.5, True, 2j, np.float32(2), np.int8(2)])
@pytest.mark.parametrize("dtype", ["?", "i4", "u1", "f2", "f4", "f8", "c16"])
def test_power_operator(agrees, dtype, n):
    x = sample(np.dtype(dtype)) if dtype[0] in "ic?" else abs(sample(np.dtype(dtype))) + np.ones((), dtype)
    if dtype == "?" and isinstance(n, (bool, np.generic)):
        pytest.skip("NumPy's own rules for boolean powers")
    agrees(lambda v: v**n, x, rtol=1e-5)
    agrees(lambda v: n ** abs(v) if np.dtype(dtype).kind not in "c?" and not isinstance(n, complex) else v, x, rtol=1e-5)


def test_weakness_of_operators():
    """Operators between Python numbers give Python numbers, as they do outside of a trace; NumPy functions do not."""
    from tracejit.ir import array_type
    from tracejit.trace import Trace

    weak = Trace("test").input(array_type(2.0))
    assert (weak * 2).weak and (-weak).weak and (weak**2).weak and (3**weak).weak
    assert not np.sin(weak).weak and not np.multiply(weak, 2).weak and not (weak * np.float32(1)).weak
    assert (weak * np.ones(2, np.float32)).dtype == np.float32
    assert (np.sin(weak) * np.ones(2, np.float32)).dtype == np.float64


def test_reduce_accumulate_outer(agrees):
    x = sample(np.dtype(float), 12).reshape(3, 4)
    for ufunc in (np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.fmax, np.hypot, np.logical_and, np.logical_or):
        agrees(ufunc.reduce, x)
        agrees(lambda v, f=ufunc: f.reduce(v, axis=1, keepdims=True), x)
        agrees(lambda v, f=ufunc: f.reduce(v, axis=None), x)
    for ufunc in (np.add, np.multiply, np.maximum, np.minimum):
        agrees(ufunc.accumulate, x)
        agrees(lambda v, f=ufunc: f.accumulate(v, axis=-1), x > 0 if ufunc in (np.add, np.multiply) else x)
    agrees(lambda v: np.subtract.outer(v, v[0]), x)
    agrees(lambda v: np.bitwise_xor.reduce(v), np.arange(7))


def test_scipy_ufuncs(agrees):
    special = pytest.importorskip("scipy.special")
    x = np.linspace(0.05, 0.95, 7)
    for name in ("expit", "logit", "log_expit", "erf", "erfc", "ndtr", "exp2", "exp10", "expm1", "log1p", "cbrt"):
        for dtype in (np.float32, np.float64):
            agrees(getattr(special, name), x.astype(dtype), rtol=1e-6)
    a, b = np.array([0, 0, 0, 0, 1, np.nan]), np.array([0, -1, np.inf, np.nan, 2, 0])
    agrees(special.xlogy, a, b)
    agrees(special.xlog1py, a, b - 1)


def test_ufuncs_of_text_and_dates():
    words, days = np.array(["one", "Two "]), np.array(["2024-02-29", "NaT"], "M8[D]")
    assert tj.jit(lambda x: x * np.strings.str_len(words) + np.isnat(days))(2.0).tolist() == [6.0, 9.0]
    found = tj.vmap(lambda x: x * np.strings.find(words, "o", 0))(np.ones(2))
    assert found.tolist() == [[0, 2], [0, 2]]
    seen = []
    tj.grad(lambda x, i: seen.append(np.strings.find(words, "o", i)) or x)(1.0, 1)
    assert seen[0].tolist() == [-1, 2]
    assert tj.jit(lambda x: np.strings.find(words, "o", x.astype(int)))(1.0).tolist() == [-1, 2]  # asked, as sizes are
    with pytest.raises(TypeError, match="known while"):
        tj.vmap(lambda x: np.strings.find(words, "o", x.astype(int)))(np.ones(2))
    for f, said in (
        (lambda x: np.strings.isalpha(x), "isalpha has no traced form: it works on text"),
        (lambda x: np.isnat(x), "isnat has no traced form: it works on dates"),
    ):
        with pytest.raises(TypeError, match=said):
            tj.jit(f)(1.0)
