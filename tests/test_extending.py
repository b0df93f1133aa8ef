"""New operations: their parts, and what `tracejit.extend` refuses."""


import numpy as np
import pytest

import tracejit as tj
from tracejit import extend


def test_sequential_batches():
    op = extend.primitive(
        "tests.outer",
        infer=lambda x, y: extend.ArrayType((*x.shape, *y.shape), x.dtype),
        run=lambda xp, x, y: xp.multiply.outer(x, y),
        jvp=lambda primals, out, tangents: extend.add_tangents(
            None if tangents[0] is None else op(tangents[0], primals[1]), None if tangents[1] is None else op(primals[0], tangents[1])
        ),
        transpose=lambda ct, x, y: (ct @ y, None) if isinstance(x, extend.Linear) else (None, ct.T @ x),
        batch="sequential",
    )
    x, y = np.arange(6.0).reshape(2, 3), np.arange(4.0)
    for wrap in (lambda f: f, tj.jit):
        np.testing.assert_array_equal(wrap(tj.vmap(op, in_axes=(0, None)))(x, y), [np.outer(row, y) for row in x])
        tj.check_grads(wrap(tj.vmap(op, in_axes=(0, None))), (x, y), order=2)


def test_several_results():
    op = extend.primitive(
        "tests.divided",
        infer=lambda x, by: (x, x),
        run=lambda xp, x, by: tuple(xp.divmod(x, by)),
        jvp=lambda primals, outs, tangents, by: (None, tangents[0]),
        batch=lambda args, batched, by: op(*args, by=by),
        multiple=True,
    )
    assert tuple(tj.jit(lambda x: tuple(op(x, by=2.0)))(5.0)) == (2.0, 1.0)
    assert tj.grad(lambda x: op(x, by=2.0)[1])(5.0) == 1.0
    np.testing.assert_array_equal(tj.vmap(lambda x: op(x, by=2.0)[1])(np.array([5.0, 6.0])), [1.0, 0.0])


def test_elementwise_of_two_arguments():
    op = extend.elementwise(
        "tests.ratio",
        lambda x, y: x / (1 + y * y),
        lambda t, x, y, z: t / (1 + y * y),
        lambda t, x, y, z: -2 * y * z / (1 + y * y) * t,
        lower=lambda k, x, y: k.apply("divide", x, k.apply("add", k.constant(1.0, x.dtype), k.apply("multiply", y, y))),
    )
    x, y = np.linspace(-1, 1, 6).reshape(2, 3), np.array([0.5, 1.0, 2.0])
    tj.check_grads(op, (x, y), order=2)
    np.testing.assert_allclose(tj.jit(op)(x, y), x / (1 + y * y))
    np.testing.assert_allclose(tj.vmap(op, in_axes=(0, None))(x, y), x / (1 + y * y))
    assert op(1, 2) == 0.2 and op(np.float32(1), 2.0).dtype == np.float32
    assert "host" not in tj.jit(op).kernels(x, y)
    with pytest.raises(TypeError, match="takes 2 arguments"):
        op(x)


def test_without_rules():
    op = extend.primitive("tests.bare", infer=lambda x: x, run=lambda xp, x: xp.sort(x))
    assert tj.jit(op)(np.array([2.0, 1.0]))[0] == 1
    with pytest.raises(TypeError, match="test_extending.py.*tests.bare has no derivative"):
        tj.grad(lambda x: np.sum(op(x)))(np.ones(2))
    with pytest.raises(TypeError, match="tests.bare has no batching rule"):
        tj.vmap(op)(np.ones((2, 2)))


def test_names():
    with pytest.raises(ValueError, match="namespace"):
        extend.primitive("sine", infer=lambda x: x, run=lambda xp, x: x)
    first = extend.primitive("tests.twice", infer=lambda x: x, run=lambda xp, x: x)
    second = extend.primitive("tests.twice", infer=lambda x: x, run=lambda xp, x: 2 * x)
    assert (first(1.0), second(1.0)) == (1.0, 2.0)
