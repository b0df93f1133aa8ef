"""Wrong input: the right exception, a message that names the user's own line and what to write instead, and a system that goes on working."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tracejit as tj

from .going_on import line, next_call_works, total, x3  # noqa: F401  (a fixture of every test)


class Units(np.ndarray):
    """A subclass of ndarray, as others define them."""


# ------------------------------------------------------------------------------------------------------------- calls of the wrong form
@pytest.mark.parametrize("transform", [tj.jit, tj.vmap])
@pytest.mark.parametrize(
    "args, missing", [((), "missing 1 required positional argument: 'x'"), ((x3, x3), "takes 1 positional argument but 2 were given")]
)
def test_wrong_argument_count_is_pythons_own_error(transform, args, missing):
    with pytest.raises(TypeError, match=re.escape(missing)) as info:
        transform(total, **{"axis_size": 3} if transform is tj.vmap else {})(*args)
    assert not isinstance(info.value, tj.TracejitError)


def test_wrong_argument_count_under_grad():
    with pytest.raises(TypeError, match="takes 1 positional argument but 2"):
        tj.grad(total)(x3, x3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'scale'"):
        tj.grad(total)(x3, scale=2.0)
    with pytest.raises(TypeError, match=r"argnums=0 but total .* was called with 0 positional arguments"):
        tj.grad(total)()


@pytest.mark.parametrize("transform", [tj.jit, tj.grad, tj.value_and_grad, tj.jacfwd, tj.jacrev, tj.hessian, tj.hvp, tj.vmap, tj.trace])
@pytest.mark.parametrize("thing", [3, None, "sin", x3])
def test_what_is_no_function(transform, thing):
    if transform is tj.jit and thing is None:
        return  # `jit(None, ...)` is how a decorator with arguments begins
    with pytest.raises(TypeError, match="expects a function, got"):
        transform(thing)


@pytest.mark.parametrize("transform", [tj.jvp, tj.vjp, tj.linearize, tj.linear_transpose, tj.eval_shape])
def test_what_is_no_function_applied_at_once(transform):
    with pytest.raises(TypeError, match="expects a function, got int"):
        transform(3, (x3,), (x3,)) if transform is tj.jvp else transform(3, x3)


# ------------------------------------------------------------------------------------------------------------- arguments that are no arrays
@pytest.mark.parametrize(
    "thing, said",
    [
        ("text", "builtins.str ('text')"),
        (object(), "builtins.object"),
        (np.array([1, "a"], object), "dtype object"),
        (np.array(["a"]), "dtype <U1"),
        (np.array(["2020"], "M8[D]"), "datetime64[D]"),
        (np.zeros(2, [("a", float)]), "dtype [('a', '<f8')]"),
        (np.zeros(2, np.longdouble), "float128"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "MaskedArray, whose own rules would be lost"),
        (np.zeros(2).view(Units), "Units, whose own rules would be lost"),
        (lambda: 0, "builtins.function"),
    ],
    ids=["str", "object", "object array", "str array", "dates", "records", "long double", "masked array", "subclass", "function"],
)
@pytest.mark.parametrize("where", ["jit", "jit in a dict", "jit keyword", "grad", "vjp", "vmap", "jvp", "eval_shape"])
def test_arguments_that_are_no_arrays(thing, said, where):
    if where == "jit in a dict" and isinstance(thing, np.ndarray) and thing.dtype.kind == "V" and np.dtype(float) == np.longdouble:
        return
    calls = {
        "jit": (lambda: tj.jit(total)(thing), "jit of total: argument 0 of total"),
        "jit in a dict": (lambda: tj.jit(lambda d: d)({"a": [1.0, thing]}), 'argument 0["a"][1] of'),
        "jit keyword": (lambda: tj.jit(total)(x=thing), "argument x of total"),
        "grad": (lambda: tj.grad(total)(thing), "grad of total: argument 0 of total"),
        "vjp": (lambda: tj.vjp(total, thing), "vjp of total: argument 0 of total"),
        "vmap": (lambda: tj.vmap(total)(thing), "vmap of total: argument 0 of total"),
        "jvp": (lambda: tj.jvp(total, (thing,), (thing,)), "jvp of total: argument 0 of total"),
        "eval_shape": (lambda: tj.eval_shape(total, thing), "eval_shape of total: argument 0 of total"),
    }
    call, place = calls[where]
    with pytest.raises(TypeError) as info:
        call()
    assert place in str(info.value) and said in str(info.value)
    assert str(info.value).startswith(line(call))


def test_the_number_of_an_argument_counts_static_ones():
    with pytest.raises(TypeError, match=r"argument 2 of"):
        tj.jit(lambda n, x, y: x, static_argnums=0)(3, x3, "text")


def test_none_is_an_empty_container():
    assert tj.jit(lambda x, y: (x, y))(None, 1.0)[0] is None
    with pytest.raises(TypeError, match="unsupported operand"):
        tj.jit(total)(None)


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, 1 << 70])
def test_integers_beyond_64_bits(value):
    with pytest.raises(OverflowError, match=f"the integer {value} does not fit into 64 bits"):
        tj.jit(lambda x, n: x * n)(x3, value)
    assert tj.jit(lambda x, n: x * n)(1.0, (1 << 63) - 1) == float(1 << 63)


@pytest.mark.parametrize(
    "result", ["text", object(), {1, 2}, np.array([None]), np.array(["a"])], ids=["str", "object", "set", "object array", "str array"]
)
def test_results_that_are_no_arrays(result):
    def f(x):
        return {"a": x, "b": [result]}

    for transform in (tj.jit, tj.jacfwd, tj.vmap, lambda g: lambda x: tj.vjp(g, x), lambda g: lambda x: tj.eval_shape(g, x)):
        with pytest.raises(TypeError) as info:
            transform(f)(x3)
        assert 'result["b"][0] of' in str(info.value) and line(f) in str(info.value)


def test_a_result_that_is_no_container_of_arrays():
    with pytest.raises(TypeError, match="the result of .* cannot be returned: it is a builtins.generator"):
        tj.jit(lambda x: (v for v in x))(x3)


# --------------------------------------------------------------------------------------------------------------------- derivatives
@pytest.mark.parametrize("value, dtype", [(3, "int64"), (True, "bool"), (np.arange(3), "int64"), (np.uint8(3), "uint8"), (np.array([True]), "bool")])
@pytest.mark.parametrize("transform", [tj.grad, tj.value_and_grad, tj.jacfwd, tj.jacrev, tj.hessian, lambda f: tj.jit(tj.grad(f))])
def test_integers_have_no_derivatives(transform, value, dtype):
    with pytest.raises(TypeError) as info:
        transform(total)(value)
    message = str(info.value)
    assert f"argument 0 of total ({line(total)}) has dtype {dtype}" in message and "`x.astype(float)`" in message and "argnums" in message


def test_the_integer_leaf_of_a_tree_is_named():
    with pytest.raises(TypeError, match=re.escape('argument 1["n"][0] of')):
        tj.grad(lambda x, p: total(p["w"]), argnums=1)(x3, {"w": x3, "n": [3]})


@pytest.mark.parametrize(
    "f, said",
    [
        (lambda x: x, "got shape (3,)"),
        (lambda x: x[:1], "got shape (1,)"),
        (lambda x: (x[0], x[1]), "got a tree"),
        (lambda x: {"a": x[0]}, "got a tree"),
        (lambda x: None, "got nothing"),
        (lambda x: np.argmax(x), "got dtype int64"),
        (lambda x: x[0] > 0, "got dtype bool"),
        (lambda x: x[0] * 1j, "`holomorphic=True`"),
    ],
)
def test_results_that_have_no_gradient(f, said):
    for transform in (tj.grad, tj.value_and_grad, lambda f: tj.jit(tj.grad(f))):
        with pytest.raises(TypeError) as info:
            transform(f)(x3)
        assert said in str(info.value) and line(f) in str(info.value)


@pytest.mark.parametrize(
    "argnums, error",
    [(3, TypeError), (-3, TypeError), ((0, 2), TypeError), ("x", TypeError), (1.0, TypeError), ((0, 0), ValueError), ((1, -1), ValueError)],
)
def test_wrong_argnums(argnums, error):
    for transform in (tj.grad, tj.jacfwd, tj.jacrev, tj.hessian):
        with pytest.raises(error, match="argnums"):
            transform(lambda x, y: total(x * y), argnums=argnums)(x3, x3)


def test_aux_must_be_a_pair():
    for transform in (tj.grad, tj.value_and_grad, tj.jacrev):
        with pytest.raises(TypeError, match=r"has_aux=True: total .* must return a pair"):
            transform(total, has_aux=True)(x3)
    with pytest.raises(TypeError, match="must return a pair"):
        tj.vjp(lambda x: (x, x, x), x3, has_aux=True)


@pytest.mark.parametrize(
    "primals, tangents, error, said",
    [
        ((x3,), (np.ones(4),), ValueError, "tangents[0] has shape (4,), expected (3,)"),
        ((x3,), (1.0,), ValueError, "tangents[0] has shape (), expected (3,)"),
        ((x3,), ([x3],), ValueError, "tangents[0]: expected a leaf (float64[3]) as in primals, got list of length 1"),
        ((x3,), (x3, x3), ValueError, "expected tuple of length 1 as in primals, got tuple of length 2"),
        ((x3,), (None,), ValueError, "got None"),
        ((x3,), (x3 * 1j,), TypeError, "tangents[0] has dtype complex128, expected float64"),
        ((x3,), ("t",), TypeError, "tangents[0] cannot be used: it is a builtins.str"),
        (x3, x3, TypeError, "primals and tangents are tuples of arguments"),
        (1.0, 1.0, TypeError, "primals and tangents are tuples of arguments"),
    ],
)
def test_tangents_that_do_not_match(primals, tangents, error, said):
    call = lambda: tj.jvp(total, primals, tangents)
    with pytest.raises(error) as info:
        call()
    assert said in str(info.value) and str(info.value).startswith(f"{line(call)} ") and "jvp of total" in str(info.value)
    if isinstance(primals, tuple):
        push = tj.linearize(total, *primals)[1]
        with pytest.raises(error, match=re.escape(said)):
            push(*tangents)


@pytest.mark.parametrize(
    "ct, error, said",
    [
        ({"a": np.ones(2)}, ValueError, 'cotangent["a"] has shape (2,), expected (3,)'),
        ({"b": np.ones(3)}, ValueError, "expected dict with keys 'a'"),
        (np.ones(3), ValueError, "cotangent: expected dict with keys 'a'"),
        ({"a": "t"}, TypeError, 'cotangent["a"] cannot be used'),
        ({"a": np.ones(3) * 1j}, TypeError, 'cotangent["a"] has dtype complex128, expected float64'),
    ],
)
def test_cotangents_that_do_not_match(ct, error, said):
    f = lambda x: {"a": 2 * x}
    for pull in (tj.vjp(f, x3)[1], tj.linear_transpose(f, x3)):
        call = lambda pull=pull: pull(ct)
        with pytest.raises(error) as info:
            call()
        assert said in str(info.value) and str(info.value).startswith(f"{line(call)} ")


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sin(x),
        lambda x: x * x,
        lambda x: np.dot(x, x),
        lambda x: 1 / x,
        lambda x: x + 1,
        lambda x: np.ones(3),
        lambda x: np.where(x > 0, x, -x),
        lambda x: x[np.argmax(x)],
        lambda x: np.concatenate([x, np.ones(1)]),
        lambda x: np.max(x),
    ],
)
def test_transpose_of_what_is_not_linear(f):
    for transform in (lambda g: g(), lambda g: tj.jit(lambda _: g())(0.0)):
        with pytest.raises(TypeError, match="is not linear") as info:
            transform(lambda: tj.linear_transpose(f, x3))
        assert line(f) in str(info.value)


# ------------------------------------------------------------------------------------------------------------------------- vmap
@pytest.mark.parametrize(
    "keywords, args, error, said",
    [
        ({}, (np.ones(3), np.ones(4)), ValueError, "mapped axes differ in size: argument 1 has 4 along axis 0, others have 3"),
        ({"in_axes": 2}, (np.ones((3, 3)), x3), ValueError, "axis 2 of argument 0 does not exist: its shape is (3, 3)"),
        ({"in_axes": (0, -2)}, (x3, x3), ValueError, "axis -2 of argument 1 does not exist"),
        ({}, (1.0, x3), ValueError, "axis 0 of argument 0 does not exist: its shape is ()"),
        ({"in_axes": None}, (x3, x3), ValueError, "no argument is mapped"),
        ({"in_axes": (0,)}, (x3, x3), ValueError, "in_axes has 1 entries"),
        ({"in_axes": (0, {"a": 0})}, (x3, {"b": x3}), ValueError, "does not fit the structure of the arguments"),
        ({"in_axes": 1.5}, (x3, x3), TypeError, "in_axes consists of integers and None, got 1.5"),
        ({"in_axes": ("a", 0)}, (x3, x3), TypeError, "in_axes consists of integers and None, got 'a'"),
        ({"out_axes": None}, (x3, x3), ValueError, "out_axes is None for a result that differs between examples"),
        ({"out_axes": 1}, (x3, x3), ValueError, "out_axes has 1, which does not exist"),
        ({"out_axes": -2}, (x3, x3), ValueError, "out_axes has -2, which does not exist"),
        ({"out_axes": (0, 0)}, (x3, x3), ValueError, "does not fit the structure of the results"),
        ({"out_axes": "a"}, (x3, x3), TypeError, "out_axes consists of integers and None"),
        ({"axis_size": 4}, (x3, x3), ValueError, "argument 0 has 3 along axis 0, others have 4"),
    ],
)
def test_wrong_axes(keywords, args, error, said):
    def first(a, b):
        return a

    call = lambda: tj.vmap(first, **keywords)(*args)
    with pytest.raises(error) as info:
        call()
    assert said in str(info.value) and str(info.value).startswith(f"{line(call)} ") and "vmap of" in str(info.value)


# ------------------------------------------------------------------------------------------------------------------ static arguments
def test_unhashable_static_arguments():
    def f(x, options):
        return x

    for value in ([1], {"a": 1}, x3, {1}):
        for call in (lambda v: tj.jit(f, static_argnums=1)(x3, v), lambda v: tj.jit(f, static_argnames="options")(x3, options=v)):
            with pytest.raises(TypeError, match="cannot be hashed: pass a tuple instead of a list") as info:
                call(value)
            assert line(f) in str(info.value) and "static argument" in str(info.value)


def test_static_arguments_that_do_not_exist():
    def f(x, y):
        return x

    for n in (2, 5, -3):
        with pytest.raises(ValueError, match=f"static_argnums has {n}, but .* takes 2 positional arguments"):
            tj.jit(f, static_argnums=n)
    with pytest.raises(ValueError, match="static_argnames has 'z', which is not a parameter"):
        tj.jit(f, static_argnames=("x", "z"))
    for keywords in (
        {"static_argnums": "x"},
        {"static_argnums": 1.5},
        {"static_argnums": (0, "y")},
        {"static_argnames": 1},
        {"static_argnames": ("x", 1)},
    ):
        with pytest.raises(TypeError, match="takes one (int|str) or several"):
            tj.jit(f, **keywords)


def test_singular_matrices_of_compiled_programs_name_the_line():
    f = tj.jit(lambda a: np.linalg.inv(a) * 2)
    loop = tj.jit(lambda a: tj.scan(lambda s, _: (np.linalg.inv(s), None), a, None, 3)[0])
    for g in (f, loop, tj.jit(lambda a: np.linalg.cholesky(a - 2 * np.eye(2)))):
        g(np.diag([4.0, 4.0]))
        with pytest.raises(np.linalg.LinAlgError, match=r"^\S*test_errors.py:\d+ in \S*<lambda>: (Singular matrix|Matrix is not positive definite)$"):
            g(np.zeros((2, 2)))
        g(np.diag([4.0, 4.0]))
