"""Dtypes as NumPy has them (NEP 50), Python numbers out of range, and the exactly rounded operations bit for bit."""

from __future__ import annotations

import operator
import warnings

import numpy as np
import pytest

import tracejit as tj

DTYPES = [np.dtype(c) for c in "?bhilBHIL" "efd" "FD"]
INTEGERS = [t for t in DTYPES if t.kind in "iu"]
FLOATS = [t for t in DTYPES if t.kind == "f"]
PYTHON = [True, 0, 1, 2, -1, 300, 70000, 2**40, 2**63, -(2**63), 1.0, 1j]
BINARY = {
    f.__name__: f
    for f in (
        operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow, operator.matmul,
        operator.lt, operator.eq, operator.and_, operator.xor, operator.lshift, operator.rshift, divmod,
        np.power, np.maximum, np.fmin, np.fmod, np.arctan2, np.hypot, np.copysign, np.ldexp, np.logaddexp, np.gcd, np.heaviside, np.nextafter,
    )
}  # fmt: skip
BINARY["where"] = lambda a, b: np.where(True, a, b)
BINARY["concatenate"] = lambda a, b: np.concatenate([np.atleast_1d(a), np.atleast_1d(b)])
UNARY = (
    operator.neg, operator.pos, operator.abs, operator.invert, np.sin, np.sqrt, np.sign, np.square, np.reciprocal, np.floor, np.rint, np.exp2,
    np.isnan, np.logical_not, np.conjugate, np.degrees, np.sum, np.prod, np.mean, np.var, np.max, np.cumsum, np.cumprod, np.ptp, np.round,
)  # fmt: skip


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def outcome(f, *args) -> str:
    """The dtypes of the result, or the error."""
    try:
        result = f(*args)
    except (TypeError, ValueError, OverflowError) as error:
        return type(error).__name__
    leaves = [result] if isinstance(result, (np.ndarray, np.generic, tj.ShapeDtype)) else result
    return " ".join(leaf.dtype.name for leaf in leaves)


def twice(dtype) -> np.ndarray:
    return np.ones(2, dtype)


@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name):
    """An array and an array, a NumPy scalar or a Python number: traced or not, on either side."""
    f = BINARY[name]
    others = [*map(twice, DTYPES), *(t.type(1) for t in DTYPES), *PYTHON]
    wrong = []
    for t in DTYPES:
        a = twice(t)
        for b in others:
            pairs = [((a, b), lambda x, b=b: f(x, b)), ((b, a), lambda x, b=b: f(b, x))]
            found = [(outcome(f, *args), outcome(lambda g=g: tj.eval_shape(g, a))) for args, g in pairs]
            if t.kind == "b" and isinstance(b, int) and abs(b) >= 2**63 and f in (operator.lt, operator.eq):
                continue  # an error in NumPy, which compares them with every other dtype
            if not isinstance(b, int) or -1 < b < 128 and b != 2:  # `** 2` is a square, of a dtype of its own, where the 2 is known
                found.append((outcome(f, a, b), outcome(lambda: tj.eval_shape(f, a, b))))
            wrong += [(t.name, b, want, got) for want, got in found if got != want and "object" not in want]
    assert not wrong, wrong[:10]


@pytest.mark.parametrize("f", UNARY, ids=lambda f: f.__name__)
def test_one_operand(f):
    for t in DTYPES:
        for a in (twice(t), t.type(1)):
            assert outcome(lambda: tj.eval_shape(f, a)) == outcome(f, a), t


# -- Python numbers
OPERATIONS = [operator.add, operator.mul, operator.floordiv, operator.and_, np.maximum, operator.lshift]


@pytest.mark.parametrize("f", OPERATIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_out_of_range(f, dtype):
    """As in NumPy an `OverflowError`, also where the number is an argument of a compiled function, and then at each call."""
    x, info = twice(dtype), np.iinfo(dtype)
    compiled = tj.jit(f)
    for n in (1, 3, int(info.max), int(info.min)):
        if abs(n) < 2**63:
            np.testing.assert_array_equal(compiled(x, n), f(x, n))
            np.testing.assert_array_equal(compiled(n, x), f(n, x))
    for n in (int(info.max) + 1, int(info.min) - 1):
        for call in (lambda n: f(x, n), lambda n: tj.jit(lambda x: f(x, n))(x), lambda n: tj.jvp(lambda v: f(x, n) * v, (1.0,), (1.0,))):
            with pytest.raises(OverflowError):
                call(n)
        if -(2**63) <= n < 2**63:
            for call in (compiled, lambda x, n: compiled(n, x)):
                with pytest.raises(OverflowError, match=f"Python integer {n} out of bounds for {dtype}"):
                    call(x, n)
    np.testing.assert_array_equal(compiled(x, 2), f(x, 2))


def test_integers_to_negative_powers():
    for dtype in INTEGERS[:4]:
        x, negative = twice(dtype), np.array([1, -1], dtype)
        for f in (operator.pow, np.power):
            for y in (-1, negative):
                for call in (tj.jit(f), tj.jit(lambda x, _: f(x, y)), lambda x, y: tj.vjp(f, x, y)):
                    with pytest.raises(ValueError, match="Integers to negative integer powers are not allowed"):
                        call(x, y)
            np.testing.assert_array_equal(tj.jit(f)(x * 3, np.array([0, 2], dtype)), [1, 9])
    np.testing.assert_array_equal(tj.jit(np.power)(twice(float) * 2, -1), [0.5, 0.5])


def test_python_bools_count_as_integers_among_python_numbers():
    arithmetic = (operator.add, operator.sub, operator.mul, operator.pow, operator.lshift, operator.and_, operator.xor, operator.lt, np.maximum)
    for f in (*arithmetic, operator.truediv, operator.floordiv, operator.mod):
        for args in ((True, True), (False, True), (True, 3), (2, True)):
            want = np.asarray(f(*args))
            for got in (tj.jit(f)(*args), tj.jit(lambda b: f(args[0], b))(args[1]), tj.jit(lambda a: f(a, args[1]))(args[0])):
                assert got == want and got.dtype == want.dtype, (f, args)
    for f in (operator.neg, operator.pos, operator.abs, operator.invert):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            assert tj.jit(f)(True) == f(True)
    assert tj.jit(lambda x, y: (x > 0) + (y > 0))(1.0, 2.0) == 2
    assert tj.jvp(lambda x, y: ((x > 0) + (y > 0)) * x, (1.0, 2.0), (1.0, 0.0)) == (2.0, 2.0)
    assert tj.jit(lambda x, b: x + b)(np.ones(2, np.int8), True).dtype == np.int8
    assert tj.jit(operator.add)(np.True_, np.True_).dtype == bool


# -- values
def numbers(dtype) -> np.ndarray:
    if dtype.kind == "b":
        return np.array([True, False])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        few = [-7, -2, -1, 0, 1, 2, 7, dtype.itemsize * 8, int(info.max) - 1, int(info.max), int(info.min), int(info.min) + 1]
        return np.array([n for n in few if n >= info.min], dtype)
    info = np.finfo(dtype)
    positive = [0.0, info.smallest_subnormal, info.tiny, 0.1, 0.5, 1.0, 1.5, 2.5, 3.0, 7.0, info.max, np.inf, np.nan]
    return np.array([*positive, *(-np.array(positive))], dtype)


ROUNDED = [
    np.add, np.subtract, np.multiply, np.true_divide, np.floor_divide, np.remainder, np.fmod, np.maximum, np.minimum, np.fmax, np.fmin, np.copysign,
    np.heaviside, np.nextafter, np.less, np.equal, np.greater_equal, np.left_shift, np.right_shift, np.bitwise_and, np.bitwise_xor, np.logical_xor,
    np.gcd,
]  # fmt: skip
ROUNDED_ALONE = [
    np.negative, np.absolute, np.sign, np.signbit, np.sqrt, np.square, np.floor, np.ceil, np.trunc, np.rint, np.reciprocal, np.invert, np.isnan,
    np.isinf, np.logical_not, np.spacing, np.modf, np.frexp,
]  # fmt: skip


def bits(x: np.ndarray) -> np.ndarray:
    """What tells two numbers apart: the sign of zeros too, but no NaN from another."""
    return np.where(np.isnan(x), x.dtype.type(np.nan), x).view(f"u{x.dtype.itemsize}") if x.dtype.kind == "f" else x


@pytest.mark.parametrize("dtype", [t for t in DTYPES if t.kind != "c"], ids=str)
def test_bit_for_bit(dtype):
    a = numbers(dtype)
    x, y = np.repeat(a, len(a)), np.tile(a, len(a))
    functions = [(f, (x, y)) for f in ROUNDED] + [(f, (a,)) for f in ROUNDED_ALONE]
    functions = [(f, args) for f, args in functions if outcome(f, *args).find("Error") < 0]

    def everything(x, y, a):
        return [f(*((x, y) if len(args) == 2 else (a,))) for f, args in functions]

    for (f, args), got in zip(functions, tj.jit(everything)(x, y, a), strict=True):
        want = f(*args)
        for one, other in zip(*((r,) if isinstance(r, np.ndarray) else r for r in (got, want)), strict=True):
            assert one.dtype == other.dtype
            wrong = bits(one) != bits(other)
            if f in (np.maximum, np.minimum, np.fmax, np.fmin):  # of two zeros NumPy gives either, as the machine has it
                wrong &= (x != 0) | (y != 0)
            if f is np.reciprocal and dtype.kind in "iu":  # of zero: what the machine makes of it
                wrong &= a != 0
            if f is np.spacing and one.dtype == np.float16:  # always positive in NumPy, unlike the others
                wrong &= a > 0
            assert not wrong.any(), (f.__name__, [v[wrong][:5] for v in (*args, one, other)])


@pytest.mark.parametrize("dtype", [t for t in DTYPES if t.kind != "c"], ids=str)
def test_conversions_bit_for_bit(dtype):
    """To every other dtype, where C defines the result."""
    a = numbers(dtype)
    for to in DTYPES:
        x = a
        if to.kind in "iu" and dtype.kind == "f":
            info = np.iinfo(to)
            x = a[np.isfinite(a) & (np.abs(a.astype(float)) < min(2.0**31, info.max)) & (a.astype(float) >= info.min)]
        got, want = tj.jit(lambda x: x.astype(to))(x), x.astype(to)
        assert got.dtype == want.dtype
        if to.kind == "c":
            got, want = got.view(got.real.dtype), want.view(want.real.dtype)
        np.testing.assert_array_equal(bits(got), bits(want), err_msg=f"to {to}")
