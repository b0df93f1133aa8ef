"""Vector functions: error against mpmath over the whole range, special values against NumPy, one result at every width."""

import itertools
import math

import numpy as np
import pytest

from tracejit.lowering.cpu.emit import Emitter, Function, Module, Value
from tracejit.lowering.cpu.llvm import lanes
from tracejit.lowering.cpu.vmath import FUNCTIONS, arity
from tracejit.lowering.cpu.vmath.accuracy import DOMAINS, SPECIAL, bound, errors, numpy_function, samples
from tracejit.lowering.cpu.vmath.elementwise import apply, kernel

UNARY = [name for name in FUNCTIONS if arity[name] == 1]
BINARY = [name for name in FUNCTIONS if arity[name] == 2]
DTYPES = [np.float32, np.float64]
POINTS = {np.float32: 20_000, np.float64: 1500}


def special_values(dtype):
    info = np.finfo(dtype)
    positive = [0.0, info.smallest_subnormal, info.smallest_normal, 0.5, 1.0, 1.5, 2.0, 3.0, 100.0, 2.0**40, info.max, np.inf]
    return np.array([*positive, *(-x for x in positive), np.nan, -1 - info.eps, 1 + info.eps, -1 + info.epsneg, 1 - info.epsneg], dtype)


def assert_same_kind(got, want, arguments):
    """Equal where the reference is zero, infinite or NaN, and of equal sign everywhere."""
    report = f"\narguments {arguments}\ngot {got}\nwant {want}"
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want), report)
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want), report)
    np.testing.assert_array_equal((got == 0) & (np.abs(want) < np.finfo(want.dtype).smallest_subnormal), want == 0, report)
    numbers = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(want[numbers]), report)


def units(got, want):
    """The distance of finite results in units of the last place of the wanted ones."""
    finite = np.isfinite(want)
    return np.abs(got[finite].astype("f8") - want[finite]) / np.spacing(np.abs(want[finite]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_over_the_range(name, dtype):
    arrays = samples(name, dtype, POINTS[dtype])
    found = errors(name, apply(name, *arrays), *arrays)
    worst = int(np.argmax(found))
    assert found[worst] <= bound(name), [array[worst] for array in arrays]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_over_the_range_thoroughly(name, dtype):
    for seed in range(1, 4):
        arrays = samples(name, dtype, 100 * POINTS[dtype] if dtype == np.float32 else 10 * POINTS[dtype], seed)
        found = errors(name, apply(name, *arrays), *arrays)
        worst = int(np.argmax(found))
        assert found[worst] <= bound(name), [array[worst] for array in arrays]


# Where SciPy's own result is not the function's value: its infinity for the log-gamma of a subnormal, NaN for a growing exponential at infinity,
# the sign of zero of odd functions, Bessel functions of huge arguments, whose phase it rounds.
SCIPY_DIFFERS = {
    "gammaln": lambda x: (x != 0) & (abs(x) < 1e-300),
    "erfcinv": lambda x: (abs(x) < 1e-320) | (x == 1), "erfinv": lambda x: x == 0,
    "i0": np.isinf, "i1": lambda x: np.isinf(x) | (abs(x) < 1e-40), "i1e": lambda x: abs(x) < 1e-40,
    "j0": lambda x: abs(x) > 1e10, "j1": lambda x: (abs(x) > 1e10) | (x == 0),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", UNARY)
def test_every_exponent_of_float(name):
    """Every 331st float, of which NumPy in double precision knows the answer."""
    for start in range(0, 1 << 32, 1 << 28):
        x = np.arange(start, start + (1 << 28), 331, dtype=np.uint32).view(np.float32)
        with np.errstate(all="ignore"):
            x = x[(x >= DOMAINS[name].least) & (x <= DOMAINS[name].greatest) & ~SCIPY_DIFFERS.get(name, np.isnan)(x)] if name in SPECIAL else x
            got, want = apply(name, x), numpy_function(name)(x.astype("f8"))
            assert_same_kind(got, want.astype("f4"), x)
            numbers = np.isfinite(got)
            assert np.max(errors(name, got[numbers], x[numbers]), initial=0.0) <= bound(name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in SPECIAL if arity[name] == 1])
def test_special_functions_at_special_values(name, dtype):
    """Of the kind that SciPy's are; how large their errors are is what the range test says."""
    x = special_values(dtype)
    x = x[~SCIPY_DIFFERS.get(name, np.isnan)(x)]
    with np.errstate(all="ignore"):
        assert_same_kind(apply(name, x), numpy_function(name)(x.astype("f8")).astype(dtype), x)


def test_zeta_at_poles_and_ends():
    s, q = np.meshgrid([-1.0, 0.5, 1.0, 1.5, 2.0, 3.0, 300.0], [0.0, -0.0, -1.0, -0.5, -2.5, 1e-300, 0.5, 1.0, 1e10, np.inf, np.nan])
    with np.errstate(all="ignore"):
        want = numpy_function("zeta")(s, q)
    want[np.isnan(q)] = np.nan  # SciPy: infinite for s = 1
    np.testing.assert_allclose(apply("zeta", s.ravel(), q.ravel()).reshape(s.shape), want, rtol=1e-14)


def test_special_functions_beyond_scipy():
    """Where SciPy has an infinity, NaN or lost digits: against exact values."""
    tiny = 2.0**-1074
    np.testing.assert_allclose(apply("gammaln", np.array([tiny, -tiny])), 744.44007192138126, rtol=1e-15)
    np.testing.assert_array_equal(apply("i0", np.array([np.inf, -np.inf])), np.inf)
    np.testing.assert_array_equal(apply("i1", np.array([np.inf, -np.inf])), [np.inf, -np.inf])
    np.testing.assert_array_equal(apply("gamma", np.arange(1.0, 20.0)), [float(math.factorial(n)) for n in range(19)])
    np.testing.assert_allclose(apply("ndtr", np.array([-37.0])), 5.725571222524576e-300, rtol=1e-15)
    np.testing.assert_allclose(apply("gammaln", np.array([1 + 2.0**-52])), -1.2816762426960008e-16, rtol=1e-15)
    np.testing.assert_allclose(apply("zeta", np.array([np.inf, 2.0]), np.array([1.0, 1e300])), [1.0, 1e-300], rtol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in UNARY if name not in SPECIAL])
def test_special_values(name, dtype):
    x = special_values(dtype)
    with np.errstate(all="ignore"):
        want = numpy_function(name)(x.astype("f8")).astype(dtype)
        assert_same_kind(apply(name, x), want, x)
        assert np.all(units(apply(name, x), want) <= bound(name) + 1)  # NumPy is off by up to one itself


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name in BINARY if name != "zeta"])
def test_special_values_of_two_arguments(name, dtype):
    x, y = (np.array(column, dtype) for column in zip(*itertools.product(special_values(dtype), repeat=2)))
    with np.errstate(all="ignore"):
        want = numpy_function(name)(x.astype("f8"), y.astype("f8")).astype(dtype)
        got = apply(name, x, y)
        if name == "logaddexp":  # its terms may cancel, so that signs and zeros are not determined
            np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
            np.testing.assert_allclose(got, want, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)
            return
        assert_same_kind(got, want, list(zip(x.tolist(), y.tolist())))
        assert np.all(units(got, want) <= bound(name) + 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_width_gives_the_same_bits(name, dtype):
    arrays = [array[:301].copy() for array in samples(name, dtype, 400, seed=3)]
    unsigned = f"u{np.dtype(dtype).itemsize}"
    scalar, narrow, native = (apply(name, *arrays, lanes=width) for width in (1, 2, lanes(np.dtype(dtype).itemsize)))
    np.testing.assert_array_equal(scalar.view(unsigned), native.view(unsigned))
    np.testing.assert_array_equal(scalar.view(unsigned), narrow.view(unsigned))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_huge_angles_beside_small_ones(name, dtype):
    x = np.array([1e30, 0.5, -(2.0**41), np.inf, 1.0, -1e22, np.nan, 3.0, 2.0, 1e5, 1e6], dtype)
    with np.errstate(invalid="ignore"):
        want = numpy_function(name)(x.astype("f8"))
    np.testing.assert_allclose(apply(name, x), want, rtol=4 * np.finfo(dtype).eps)


def test_exact_results():
    k = np.arange(-1074, 1024.0)
    np.testing.assert_array_equal(apply("exp2", k), np.ldexp(1.0, k.astype(int)))
    np.testing.assert_array_equal(apply("log2", np.ldexp(1.0, k.astype(int))), k)
    tens = np.arange(0, 23.0)
    np.testing.assert_array_equal(apply("log10", 10.0**tens), tens)
    np.testing.assert_array_equal(apply("pow", np.full(23, 10.0), tens), [float(10**n) for n in range(23)])
    n = np.arange(-200, 200.0)
    np.testing.assert_array_equal(apply("pow", n, np.full_like(n, 2.0)), n * n)
    np.testing.assert_array_equal(apply("pow", n, np.full_like(n, 3.0)), n**3)
    np.testing.assert_array_equal(apply("cbrt", n**3), n)
    np.testing.assert_array_equal(apply("hypot", 3 * n, 4 * n), 5 * abs(n))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_half(name):
    x = np.linspace(0.0, 1.0, 37).astype("f2") + np.float16(name == "arccosh")
    arrays = [x] * arity[name]
    with np.errstate(divide="ignore"):
        want = numpy_function(name)(*(array.astype("f8") for array in arrays)).astype("f2")
    got = apply(name, *arrays)
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite])
    assert np.all(np.abs(got[finite] - want[finite]) <= np.spacing(np.abs(want[finite])))


def test_tail_leaves_its_neighbours_alone():
    for size in range(0, 2 * lanes(8) + 2):
        x, out = np.linspace(0, 1, size), np.full(size + 3, -1.0)
        out[:size] = apply("exp", x)
        np.testing.assert_allclose(out[:size], np.exp(x), rtol=1e-15)
    x, out = np.linspace(0, 1, 16), np.full(16, -1.0)
    kernel("exp", "float64", 8)(11, out.ctypes.data, x.ctypes.data)
    np.testing.assert_allclose(out[:11], np.exp(x[:11]), rtol=1e-15)
    assert np.all(out[11:] == -1.0)


def test_integers_are_refused():
    e = Emitter(Function(Module(), "k", []), 4)
    with pytest.raises(TypeError, match="exp of i64"):
        FUNCTIONS["exp"](e, Value("1", "i64"))
