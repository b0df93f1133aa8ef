"""`check_grads` passes right derivatives and names what is wrong with the others."""
from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.ops import elementwise
from tracejit.ops.core import Op
from tracejit.tools import check_grads

RNG = np.random.default_rng(0)
X = RNG.standard_normal(4)


def _faulty(jvp, transpose=None) -> Op:
    """The op sin, with derivative rules that are to be found wrong."""
    sin = elementwise.sin
    return Op("faulty", infer=sin.infer, run=sin.run, jvp=jvp, transpose=transpose)


def _doubling(transpose) -> Op:
    """x -> 2 x, with a given transpose."""
    op = Op("doubling", infer=lambda x: x, run=lambda xp, x: 2 * x, jvp=lambda primals, out, tangents: op(tangents[0]), transpose=transpose)
    return op


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64, np.complex128])
def test_right_derivatives_pass(dtype):
    check_grads(lambda x: np.sin(x) * x, (X.astype(dtype),), order=1 if dtype == np.float16 else 2)


def test_trees_and_integers():
    def f(params, n):
        y = np.tanh(params["w"] @ params["b"]) ** n
        return {"loss": np.sum(y), "count": n, "parts": [y, params["b"] * 2.0]}
    check_grads(f, ({"w": RNG.standard_normal((3, 4)), "b": X}, 3))


@pytest.mark.parametrize("modes", [("fwd",), ("rev",), ("fwd", "rev")])
def test_order_three(modes):
    check_grads(lambda x: np.sum(np.exp(np.sin(x))), (X,), order=3, modes=modes)


def test_python_scalars_and_scalar_results():
    check_grads(lambda x, y: x * np.sin(y), (0.5, 2.0))


def test_wrong_forward_rule_is_named():
    op = _faulty(lambda primals, out, tangents: tangents[0] * out)
    with pytest.raises(AssertionError, match=r'fwd, order 1, result\["y"\]\[0\]: jvp gives .*, central difference gives '):
        check_grads(lambda x: {"y": op(x)}, (X,))


def test_wrong_transpose_is_named():
    op = _doubling(lambda ct, x: (3.0 * ct,))
    check_grads(op, (X,), modes=("fwd",))
    with pytest.raises(AssertionError, match=r'rev, order 1, args\[1\]\["w"\]: vjp gives .*, jvp gives '):
        check_grads(lambda n, p: op(p["w"]) * n, (2, {"w": X}))
    with pytest.raises(AssertionError, match=r"rev, order 1, args\[0\]: vjp gives .*, central difference gives "):
        check_grads(op, (X,), modes=("rev",))


def test_wrong_second_order_is_named():
    """A first derivative that is right but whose own derivative is cut."""
    op = _faulty(lambda primals, out, tangents: tangents[0] * elementwise.cos(elementwise.stop_gradient(primals[0])))
    check_grads(op, (X,), order=1)
    with pytest.raises(AssertionError, match="fwd over fwd, order 2"):
        check_grads(op, (X,))
    with pytest.raises(AssertionError, match="rev over rev, order 2"):
        check_grads(lambda x: np.sum(op(x)), (X,), modes=("rev",))


def test_nan_is_wrong():
    with pytest.raises(AssertionError, match="nan"), np.errstate(all="ignore"):
        check_grads(lambda x: np.sqrt(x ** 2), (np.zeros(2),), order=1)


def test_tolerances_can_be_set():
    rough = _faulty(lambda primals, out, tangents: tangents[0] * elementwise.cos(primals[0]) * 1.001)
    with pytest.raises(AssertionError):
        check_grads(rough, (X,), order=1)
    check_grads(rough, (X,), order=1, rtol=1e-2, atol=1e-2)


def test_bad_arguments():
    with pytest.raises(ValueError, match="modes"):
        check_grads(np.sin, (X,), modes=("forward",))
    with pytest.raises(ValueError, match="order"):
        check_grads(np.sin, (X,), order=0)
    with pytest.raises(ValueError, match="no argument"):
        check_grads(np.sin, (3,))


def test_public_name():
    assert tj.check_grads is check_grads
