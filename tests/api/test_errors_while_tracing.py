"""What a function may not do with traced values while it is traced: the exception, the user's line in it, and what to write instead."""

from __future__ import annotations

import math
import types
from queue import SimpleQueue

import numpy as np
import pytest

import tracejit as tj

from .going_on import line, next_call_works, x3  # noqa: F401  (a fixture of every test)


def test_shapes_that_do_not_match_name_the_line_inside():
    def f(x):
        y = x * 2
        return y + np.zeros(4)

    for transform in (tj.jit, tj.grad, tj.vmap):
        with pytest.raises(ValueError, match="could not be broadcast together|do not match|cannot be broadcast") as info:
            transform(f)(np.ones((2, 3)))
        assert str(info.value).startswith(line(f, 2))


def test_products_that_do_not_match():
    with pytest.raises(ValueError, match=r"matmul: shapes \(3,\) and \(4, 2\) do not match"):
        tj.jit(lambda x: x @ np.zeros((4, 2)))(x3)


def of_float(x):
    return float(x[0])


def of_int(x):
    return int(x[0])


def of_complex(x):
    return complex(x[0])


def of_math(x):
    return math.sin(x[0])


def of_asarray(x):
    return np.ndarray.__add__(np.ones(3), x.__array__())


def of_array(x):
    return np.float64(x[0])


def of_item(x):
    return x[0].item()


def of_tolist(x):
    return x.tolist()


def of_format(x):
    return f"{x[0]:.3f}"


def of_round(x):
    return round(x[0])


def of_trunc(x):
    return math.trunc(x[0])


CONVERSIONS = [
    of_float,
    of_int,
    of_complex,
    of_math,
    of_asarray,
    of_array,
    of_item,
    of_tolist,
    of_format,
    of_round,
    of_trunc,
]


UNANSWERED = [tj.vmap, lambda f: tj.grad(lambda x: np.sum(tj.vmap(f)(x)))]
ANSWERED = [tj.jit, lambda f: tj.jit(tj.grad(f))]  # `int` is asked, and the answer is a guard: test_guards.py


@pytest.mark.parametrize(
    ("f", "transform"), [(f, t) for f in CONVERSIONS for t in UNANSWERED] + [(f, t) for f in CONVERSIONS if f is not of_int for t in ANSWERED]
)
def test_conversions_while_symbolic(f, transform):
    with pytest.raises(tj.TracerConversionError) as info:
        transform(f)(x3 if transform in (tj.jit,) else np.ones((2, 3)))
    assert str(info.value).startswith(line(f, 1)) and isinstance(info.value, TypeError)
    assert "np.stack" in str(info.value)


@pytest.mark.parametrize("f", [of_float, of_complex, of_math, of_asarray, of_array], ids=lambda f: f.__name__[3:])
def test_conversions_that_would_lose_a_derivative(f):
    with pytest.raises(tj.TracerConversionError, match="its derivative would be lost") as info:
        tj.grad(f)(x3)
    assert str(info.value).startswith(line(f, 1))


def test_values_that_a_bare_grad_may_look_at():
    def f(x):
        assert x[2].item() == 3.0 and x.tolist() == [1.0, 2.0, 3.0] and int(x[1]) == 2 and f"{x[0]:.2f}" == "1.00" and round(x[1], 1) == 2.0
        return x[int(x[0])] * 2.0

    np.testing.assert_array_equal(tj.grad(f)(x3), [0.0, 2.0, 0.0])


def branch(x):
    if x > 0:
        return x
    return -x


def chained(x):
    return 0 < x < 1


def both(x):
    return x > 0 and x < 1


def loop(x):
    while x > 0:
        x = x - 1
    return x


def contained(x):
    return x in (1.0, 2.0)


@pytest.mark.parametrize("f", [branch, chained, both, loop, contained], ids=lambda f: f.__name__)
@pytest.mark.parametrize("transform", [tj.vmap, lambda f: tj.jit(tj.vmap(f)), lambda f: tj.vmap(tj.jit(f)), lambda f: tj.vmap(tj.grad(f))])
def test_truth_while_symbolic(f, transform):
    with pytest.raises(tj.TracerBoolError, match=r"the truth of a traced value \(.*\[\]\*?\) was asked, but it is not known while vmap") as info:
        transform(f)(np.full(3, 0.5))
    assert str(info.value).startswith(line(f, 1)) and "np.where" in str(info.value) and isinstance(info.value, TypeError)


def test_truth_of_an_array_is_numpys_error():
    with pytest.raises(ValueError, match="truth value of an array with more than one element is ambiguous"):
        tj.grad(lambda x: np.sum(x) if x > 0 else 0.0)(x3)


def test_a_plain_array_is_not_indexed_by_a_traced_value():
    table = np.arange(4.0)
    tables = types.MappingProxyType({0: table})
    for index in (np.array([0, 3]), np.array([True, False, True, True])):
        np.testing.assert_array_equal(tj.jit(lambda i: table[i])(index), table[index])
        with pytest.raises(tj.TracerConversionError, match="to index a plain array with one make that array an argument"):
            tj.jit(lambda i: tables[0][i])(index)
    assert tj.jit(lambda table, i: table[i])(table, 2) == 2.0


def test_what_has_no_traced_form():
    with pytest.raises(TypeError, match="has no traced form"):
        tj.jit(lambda x: np.busday_count(x, x))(x3)
    with pytest.raises(AttributeError):
        tj.jit(lambda x: x.no_such_thing)(x3)
    with pytest.raises(TypeError, match="unhashable"):
        tj.jit(lambda x: {x: 1})(1.0)


def test_size_limit_names_the_line(monkeypatch):
    def unrolled(x):
        for _ in range(1000):
            x = np.sin(x)
        return x

    monkeypatch.setattr(tj.config, "max_nodes", 100)
    with pytest.raises(RuntimeError, match="tracing passed 100 operations: a Python loop is being unrolled") as info:
        tj.jit(unrolled)(1.0)
    assert str(info.value).startswith(line(unrolled, 2))


# ------------------------------------------------------------------------------------------------------------------- leaked values
class Keeper:
    value = None


@pytest.mark.parametrize(
    "transform", [tj.jit, tj.grad, tj.vmap, lambda f: lambda x: tj.vjp(f, x), lambda f: tj.jit(tj.grad(f)), lambda f: tj.trace(f)]
)
def test_leaked_values(transform):
    queue = SimpleQueue()  # a container that nobody can look into

    def f(x):
        queue.put(x)
        queue.put(x * 2.0)
        return np.sum(x)

    transform(f)(np.ones((2, 3)))
    argument, leaked = queue.get(), queue.get()
    made = f"made at {line(f, 2)}"
    uses = [
        lambda: leaked + 1,
        lambda: np.sin(leaked),
        lambda: 1.0 - leaked,
        lambda: leaked[0],
        lambda: leaked @ np.ones(3),
        lambda: bool(leaked),
        lambda: float(leaked),
        lambda: int(leaked),
        lambda: np.asarray(leaked),
        lambda: leaked.item(),
        lambda: f"{leaked:.2f}",
        lambda: tj.jit(lambda y: y + leaked)(1.0),
        lambda: tj.jit(lambda y: y + 1)(leaked),
        lambda: tj.grad(lambda y: np.sum(y * leaked))(1.0),
        lambda: tj.grad(lambda y: np.sum(y * y))(leaked),
        lambda: tj.vmap(lambda y: y + leaked)(x3),
        lambda: tj.jit(lambda y: leaked)(1.0),
    ]
    for use in uses:
        with pytest.raises(tj.LeakedTracerError, match="is used after the .* that made it has ended") as info:
            use()
        assert made in str(info.value) and line(use) in str(info.value) and isinstance(info.value, RuntimeError)
    with pytest.raises(tj.LeakedTracerError, match="an argument"):
        argument + 1
    assert leaked.shape in ((2, 3), (3,)) and "traced float64" in repr(leaked)  # looking at it is harmless


def test_leaked_from_a_function_that_raised():
    queue = SimpleQueue()

    def f(x):
        queue.put(x * 2.0)
        raise KeyError("mine")

    for transform in (tj.jit, tj.grad, tj.vmap):
        with pytest.raises(KeyError, match="mine"):
            transform(f)(x3)
        with pytest.raises(tj.LeakedTracerError):
            queue.get() + 1


def test_a_traced_value_is_not_pickled():
    import pickle

    with pytest.raises(TypeError, match="cannot be pickled or copied out"):
        tj.jit(lambda x: pickle.dumps(x))(x3)
