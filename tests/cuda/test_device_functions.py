"""The words of kernels: simulated, and as device code run on the host, against NumPy and SciPy; and compiled for devices."""

import types

import numpy as np
import pytest
import scipy.special

from tracejit.lowering.cuda.assemble import assemble, by_ptxas, tool
from tracejit.lowering.cuda.device_functions import ATOMIC, has_atomic, namespace
from tracejit.lowering.cuda.on_host import HostKernel
from tracejit.lowering.cuda.simulated import quiet

FLOATS = ["float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
I32 = np.dtype("i4")


def floats(dtype):
    info = np.finfo(dtype)
    numbers = [1e-3, 0.5, 0.9, 1.0, 1.5, 2.0, 2.5, 3.0, 7.25, 20.0, 100.0, 1e5, 1e18]
    positive = [0.0, info.smallest_subnormal, info.smallest_normal, *numbers, info.max, np.inf]
    with np.errstate(all="ignore"):
        return np.array([*positive, *(-x for x in positive), np.nan], dtype)


def integers(dtype):
    info = np.iinfo(dtype)
    negative = [-1, -2, -7] if info.min else []
    return np.unique(np.array([info.min, info.min + 1, info.min // 2, *negative, 0, 1, 2, 3, 7, 100, info.max // 2, info.max - 1, info.max], dtype))


def pairs(values):
    a, b = np.meshgrid(values, values)
    return a.ravel(), b.ravel()


def simulated(expression, *arrays):
    """The expression in x, y, z of each row, as the simulator computes it."""
    code, words = compile(expression, "", "eval"), namespace()
    with quiet():
        return np.array([eval(code, words, dict(zip("xyz", row))) for row in zip(*arrays)])


def on_host(expression, result, *arrays):
    """The same by the code of a device."""
    names = "xyz"[: len(arrays)]
    lines = [f"    {name} = {name}s[i]" for name in names]
    source = "\n".join([f"def k({', '.join(f'{name}s' for name in names)}, out):", "    i = cuda.grid(1)", *lines, f"    out[i] = {expression}", ""])
    out = np.empty(len(arrays[0]), result)
    HostKernel(source, "k", [(a.dtype, "pointer") for a in (*arrays, out)]).launch(1, len(out), [*arrays, out])
    return out


def assert_close(got, want, units):
    """Within so many units of the last place; infinities and NaN as they are."""
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want))
    finite = np.isfinite(want) & (np.abs(want) < np.finfo(want.dtype).max)
    spacing = np.spacing(np.maximum(np.abs(want[finite]), np.finfo(want.dtype).smallest_normal))
    assert np.all(np.abs(got[finite].astype("g") - want[finite]) <= units * spacing)


UNARY = {
    **{name: getattr(np, name) for name in "exp exp2 expm1 log log1p log2 log10 sin cos tan sinh cosh tanh cbrt".split()},
    **{name: getattr(np, name.replace("a", "arc", 1)) for name in "asin acos atan asinh acosh atanh".split()},
    **{name: getattr(scipy.special, name) for name in ("erf", "erfc", "gammaln")},
}
EXACT = {name: getattr(np, name) for name in "sqrt floor ceil trunc rint fabs".split()}
BINARY = {"atan2": np.arctan2, "hypot": np.hypot, "power": np.power}
EXACT_BINARY = {"fmod": np.fmod, "copysign": np.copysign, "divide": np.divide, "maxnum": np.fmax, "minnum": np.fmin}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*UNARY, *EXACT])
def test_function_of_one_number(name, dtype):
    x = floats(dtype)
    if name == "gammaln":
        x = x[np.abs(x) != np.finfo(dtype).smallest_subnormal]  # where SciPy overflows
    with np.errstate(all="ignore"):
        want = (UNARY | EXACT)[name](x)
    got = simulated(f"{name}(x)", x), on_host(f"{name}(x)", dtype, x)
    assert got[0].dtype == dtype
    for found, units in zip(got, (1, 64 if name == "gammaln" else 4)):
        if name in EXACT:
            np.testing.assert_array_equal(found, want)
        else:
            assert_close(found, want, units)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*BINARY, *EXACT_BINARY])
def test_function_of_two_numbers(name, dtype):
    x, y = pairs(floats(dtype))
    with np.errstate(all="ignore"):
        want = (BINARY | EXACT_BINARY)[name](x, y)
    for got, units in ((simulated(f"{name}(x, y)", x, y), 1), (on_host(f"{name}(x, y)", dtype, x, y), 4)):
        if name in EXACT_BINARY:
            np.testing.assert_array_equal(got, want)
        else:
            assert_close(got, want, units)


@pytest.mark.parametrize("dtype", FLOATS)
def test_fma_is_rounded_once(dtype):
    eps = np.finfo(dtype).eps
    x = np.array([1 + eps, 3.0, np.inf, 1e30, np.nan, -0.0], dtype)
    y = np.array([1 - eps, 1 / 3, 0.0, 1e30, 1.0, 0.0], dtype)
    z = np.array([-1.0, -1.0, 1.0, -np.inf, 1.0, -0.0], dtype)
    want = np.array([-(np.longdouble(eps) ** 2), np.longdouble(3) * y[1] - 1, np.nan, -np.inf, np.nan, -0.0], dtype)
    for got in (simulated("fma(x, y, z)", x, y, z), on_host("fma(x, y, z)", dtype, x, y, z)):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("source", [*INTEGERS, *FLOATS, "float16", "bool"])
@pytest.mark.parametrize("target", INTEGERS)
def test_integer_casts_wrap(source, target):
    if source in INTEGERS:
        x = integers(source)
    else:
        x = np.array([0, 1] if source == "bool" else [0.0, 0.5, 1.99, 100.0, 7.0], source)
    with np.errstate(all="ignore"):
        want = x.astype(target)
    for got in (simulated(f"{target}(x)", x), on_host(f"{target}({'boolean(x)' if source == 'bool' else 'x'})", target, x)):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("target", ["float16", "float32", "float64"])
@pytest.mark.parametrize("source", [*INTEGERS, "float16", "float32", "float64"])
def test_casts_to_floats(source, target):
    x = integers(source) if source in INTEGERS else floats(source)
    with np.errstate(all="ignore"):
        want = x.astype(target)
    for got in (simulated(f"{target}(x)", x), on_host(f"{target}(x)", target, x)):
        np.testing.assert_array_equal(got, want)


def test_integers_of_python_wrap():
    words = namespace()
    assert words["int32"](2**31) == -(2**31) and words["uint8"](-1) == 255 and words["int64"](2**64 - 1) == -1
    assert words["int32"](2**31).dtype == "int32"
    assert np.empty(2, words["float32"]).dtype == "float32"
    one = np.zeros(1, "i8")
    for text, want in (("int32(2147483648)", -(2**31)), ("int32(4294967295)", -1), ("int64(18446744073709551615)", -1)):
        np.testing.assert_array_equal(on_host(f"{text} + int64(x)", "int64", one), want)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_bits(dtype):
    x, bits = floats(dtype), 8 * np.dtype(dtype).itemsize
    want = x.view(f"i{bits // 8}")
    for got in (simulated(f"bits_f{bits}(x)", x), on_host(f"bits_f{bits}(x)", want.dtype, x)):
        np.testing.assert_array_equal(got, want)
    for got in (simulated(f"float_i{bits}(x)", want), on_host(f"float_i{bits}(x)", dtype, want)):
        np.testing.assert_array_equal(got.view(want.dtype), want)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", "sdiv srem udiv urem smax smin umax umin".split())
def test_integer_functions(name, dtype):
    size = np.dtype(dtype).itemsize
    seen = f"{'i' if name[0] == 's' else 'u'}{size}"
    a, b = (v.view(seen) for v in pairs(integers(dtype)))
    if name[1:] in ("div", "rem"):
        keep = (b != 0) & ~((b == -1) & (a == np.iinfo(a.dtype).min))
        a, b = a[keep], b[keep]
        wide_a, wide_b = a.astype(object), b.astype(object)
        quotient = np.array([abs(p) // abs(q) * (1 if (p < 0) == (q < 0) else -1) for p, q in zip(wide_a, wide_b)], object)
        want = (quotient if name[1:] == "div" else wide_a - quotient * wide_b).astype(seen)
    else:
        want = (np.maximum if name[1:] == "max" else np.minimum)(a, b)
    a, b, want = a.view(dtype), b.view(dtype), want.view(dtype)
    for got in (simulated(f"{name}(x, y)", a, b), on_host(f"{name}(x, y)", dtype, a, b)):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", ["shl", "lshr", "ashr"])
def test_shifts(name, dtype):
    size = np.dtype(dtype).itemsize
    a, b = np.meshgrid(integers(dtype), np.array([0, 1, 5, 8 * size - 1], dtype))
    a, b = a.ravel(), b.ravel()
    seen = a.view(f"{'u' if name == 'lshr' else 'i'}{size}")
    want = (np.left_shift if name == "shl" else np.right_shift)(seen, b.astype(seen.dtype)).view(dtype)
    for got in (simulated(f"{name}(x, y)", a, b), on_host(f"{name}(x, y)", dtype, a, b)):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize(("name", "compare"), [("ult", np.less), ("ule", np.less_equal), ("ugt", np.greater), ("uge", np.greater_equal)])
def test_unsigned_comparisons(name, compare, dtype):
    a, b = pairs(integers(dtype))
    unsigned = f"u{a.itemsize}"
    want = compare(a.view(unsigned), b.view(unsigned))
    for got in (simulated(f"{name}(x, y)", a, b), on_host(f"{name}(x, y)", "bool", a, b)):
        np.testing.assert_array_equal(got, want)


def test_funnel_shift():
    a, b = pairs(integers("int32"))
    for n in (0, 1, 13, 31):
        wide = a.view("u4").astype("u8") << 32 | b.view("u4")
        want = (wide << np.uint64(n) >> np.uint64(32)).astype("u4").view("i4")
        for got in (simulated(f"fshl(x, y, int32({n}))", a, b), on_host(f"fshl(x, y, int32({n}))", "i4", a, b)):
            np.testing.assert_array_equal(got, want)


def test_select():
    x = floats("float32")
    for got in (simulated("select(x > float32(0), x, float32(-1))", x), on_host("select(x > float32(0), x, float32(-1))", "f4", x)):
        np.testing.assert_array_equal(got, np.where(x > 0, x, np.float32(-1)))


# -- huge arguments
@pytest.mark.parametrize("dtype", FLOATS)
def test_angles_beyond_the_reach_of_the_formulas(dtype):
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(0)
    top = np.log2(float(np.finfo(dtype).max))
    x = (2.0 ** rng.uniform(17, top, 200) * rng.choice([-1, 1], 200)).astype(dtype)
    if dtype == "float64":
        x[0] = 6381956970095103.0 * 2.0**797  # of all doubles the one nearest to a multiple of pi/2
    with mpmath.workprec(1400):
        for name in ("sin", "cos", "tan"):
            want = np.array([float(getattr(mpmath, name)(mpmath.mpf(float(v)))) for v in x]).astype(dtype)
            assert_close(on_host(f"{name}(x)", dtype, x), want, 3)


@pytest.mark.parametrize("dtype", FLOATS)
def test_fmod_is_exact_over_the_range(dtype):
    rng = np.random.default_rng(1)
    info = np.finfo(dtype)
    low, high = np.log2(float(info.smallest_subnormal)), np.log2(float(info.max))
    x, y = ((2.0 ** rng.uniform(low, high, 2000) * rng.choice([-1, 1], 2000)).astype(dtype) for _ in range(2))
    np.testing.assert_array_equal(on_host("fmod(x, y)", dtype, x, y), np.fmod(x, y))


# -- atomic updates
UPDATES = [(d, combine) for d in (*FLOATS, "int32", "int64", "uint32", "uint64") for combine in ATOMIC if has_atomic(np.dtype(d), combine)]


@pytest.mark.parametrize(("dtype", "combine"), UPDATES)
def test_atomic_updates(dtype, combine):
    ufunc = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum, "and": np.bitwise_and, "or": np.bitwise_or}[combine]
    values = np.array([3, 1, 2, 5, 7, 1, 2, 3], dtype)
    places = np.array([0, 1, 1, 2, 2, 2, 3, 0], "i4")
    want = np.array([2, 3, 4, 5], dtype)
    ufunc.at(want, places, values)
    source = f"def k(x, at, out):\n    i = cuda.grid(1)\n    atomic_{combine}(out, at[i], x[i])\n"
    got = np.array([2, 3, 4, 5], dtype)
    HostKernel(source, "k", [(values.dtype, "pointer"), (I32, "pointer"), (values.dtype, "pointer")]).launch(2, 4, [values, places, got])
    np.testing.assert_array_equal(got, want)
    got, words = np.array([2, 3, 4, 5], dtype), namespace()
    for i in range(len(values)):
        words[f"atomic_{combine}"](got, places[i], values[i])
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("combine", ["min", "max"])
def test_nan_wins_atomic_extremes(combine, dtype):
    source = f"def k(x, out):\n    i = cuda.grid(1)\n    atomic_{combine}(out, i // 2, x[i])\n"
    x, out = np.array([np.nan, 1, 2, 3], dtype), np.array([0, np.nan], dtype)
    HostKernel(source, "k", [(x.dtype, "pointer")] * 2).launch(1, 4, [x, out])
    assert np.isnan(out).all()


def test_atomic_updates_of_many_threads():
    source = """
def k(out, n):
    i = int32(0)
    while i < n:
        atomic_add(out, i % 3, float64(1))
        atomic_max(out, 3, float64(cuda.threadIdx.x))
        i = i + 1
    cuda.syncthreads()
"""
    out = np.zeros(4)
    HostKernel(source, "k", [(out.dtype, "pointer"), (I32, "value")]).launch(2, 8, [out, np.int32(300)])
    np.testing.assert_array_equal(out, [1600, 1600, 1600, 7])


@pytest.mark.parametrize(("dtype", "combine"), [("int8", "add"), ("float16", "add"), ("float32", "and"), ("bool", "or"), ("complex64", "add")])
def test_what_has_no_atomic_update(dtype, combine):
    assert not has_atomic(np.dtype(dtype), combine)


# -- across lanes
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("word", ["shuffle_down", "shuffle_xor"])
def test_shuffles(word, dtype):
    source = f"""
def k(x, out):
    e = cuda.shared.array(8, {dtype})
    t = cuda.threadIdx.x
    out[t] = {word}(x[t], 1, e)
    out[t + 8] = {word}(x[t], 2, e)
"""
    x, out = np.arange(8).astype(dtype) * 3 - 7, np.zeros(16, dtype)
    HostKernel(source, "k", [(x.dtype, "pointer")] * 2, warp=4).launch(1, 8, [x, out])
    lane = np.arange(8)
    for k, offset in enumerate((1, 2)):
        other = lane ^ offset if word == "shuffle_xor" else np.where(lane % 4 + offset < 4, lane + offset, lane)
        np.testing.assert_array_equal(out[8 * k : 8 * k + 8], x[other])


# -- compiled for devices
def every_word(dtype):
    """A kernel with all words that take the dtype."""
    words = namespace()
    lines = ["def k(x, out, w):", "    i = int32(cuda.grid(1))", "    a = x[i]", "    b = x[i + 1]", f"    e = cuda.shared.array(64, {dtype})"]
    lines += [f"    out[i + {k}] = {name}({', '.join('abaa'[:n])})" for k, (name, n) in enumerate(_arities(dtype))]
    lines += [f"    w[i + {k}] = int32({name}(x[i]))" for k, name in enumerate(words) if isinstance(words[name], type(words["int32"]))]
    if np.dtype(dtype).itemsize > 2:
        lines += [f"    out[i] = {name}(a, int32(1), e)" for name in ("shuffle_down", "shuffle_xor")]
    lines += [f"    atomic_{combine}(out, i, a)" for combine in ATOMIC if has_atomic(dtype, combine)]
    return "\n".join(lines) + "\n"


def _arities(dtype):
    if dtype in FLOATS:
        return [*((name, 1) for name in UNARY | EXACT), *((name, 2) for name in BINARY | EXACT_BINARY), ("fma", 3)]
    return [(name, 2) for name in "sdiv srem udiv urem shl lshr ashr smax smin umax umin ult ule ugt uge".split()]


@pytest.mark.parametrize(("dtype", "cc"), [("float32", (8, 0)), *((d, (9, 0)) for d in (*FLOATS, "int8", "int32", "int64", "uint32"))])
def test_all_words_become_ptx(dtype, cc):
    pointer = (np.dtype(dtype), "pointer")
    made = assemble(every_word(dtype), "k", [pointer, pointer, (I32, "pointer")], cc=cc)
    assert f".target sm_{cc[0]}{cc[1]}" in made.ptx and ".visible .entry k(" in made.ptx
    if tool("ptxas") is not None:
        by_ptxas(made.ptx, cc)


def test_a_namespace_is_new_each_time():
    first = namespace()
    first["exp"] = None
    assert isinstance(namespace()["exp"], types.FunctionType)
