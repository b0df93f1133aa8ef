"""Losses: their formulas, torch where it is installed, derivatives, reductions and refusals."""
import re
from functools import partial

import numpy as np
import pytest

import tracejit as tj
from tracejit import nn

both_tiers = pytest.mark.parametrize("tier", [lambda f: f, tj.jit], ids=["plain", "jit"])
rng = np.random.default_rng(0)
PREDICTIONS, TARGETS = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
LOGITS, LABELS = rng.normal(size=(6, 5)), np.array([0, 4, 2, 2, 1, 3])
REGRESSION = {
    "mse": (nn.mse, lambda e: e**2),
    "mae": (nn.mae, np.abs),
    "huber": (lambda p, t, **k: nn.huber(p, t, delta=0.7, **k), lambda e: np.where(np.abs(e) <= 0.7, e**2 / 2, 0.7 * (np.abs(e) - 0.35))),
}


@both_tiers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", REGRESSION)
def test_regression(name, dtype, tier):
    loss, formula = REGRESSION[name]
    p, t = PREDICTIONS.astype(dtype), TARGETS.astype(dtype)
    expected = formula((p - t).astype(np.float64))
    for reduction, reduce in (("mean", np.mean), ("sum", np.sum), ("none", np.asarray)):
        actual = tier(partial(loss, reduction=reduction))(p, t)
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, reduce(expected), rtol=20 * np.finfo(dtype).eps)
    np.testing.assert_allclose(loss(p, 0.5), np.mean(formula(p.astype(np.float64) - 0.5)), rtol=20 * np.finfo(dtype).eps)


@both_tiers
@pytest.mark.parametrize("name", [*REGRESSION, "bce"])
def test_derivatives(name, tier):
    loss = nn.binary_cross_entropy_with_logits if name == "bce" else REGRESSION[name][0]
    tj.check_grads(tier(loss), (PREDICTIONS, TARGETS), order=2, modes=("fwd", "rev"))


@both_tiers
def test_huber_at_zero_and_at_its_joints(tier):
    f = lambda e: np.sum(nn.huber(e, 0.0, delta=1.0, reduction="none"))
    e = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    np.testing.assert_array_equal(tier(tj.grad(f))(e), [-1.0, -1.0, 0.0, 1.0, 1.0])
    curvature = tier(tj.grad(lambda e: np.sum(tj.grad(f)(e))))(e)
    np.testing.assert_array_equal(curvature[[0, 2, 4]], [0.0, 1.0, 0.0])


@both_tiers
def test_binary_cross_entropy(tier):
    x, y = np.array([-1000.0, -3.0, 0.0, 3.0, 1000.0]), np.array([0.0, 1.0, 0.25, 0.5, 1.0])
    loss = tier(lambda x: nn.binary_cross_entropy_with_logits(x, y, reduction="none"))(x)
    p = 1 / (1 + np.exp(-x[1:4]))
    np.testing.assert_allclose(loss[1:4], -(y[1:4] * np.log(p) + (1 - y[1:4]) * np.log(1 - p)), rtol=1e-12)
    assert loss[0] == loss[4] == 0.0
    gradient = tier(tj.grad(lambda x: nn.binary_cross_entropy_with_logits(x, y, reduction="sum")))(x)
    np.testing.assert_allclose(gradient, nn.sigmoid(x) - y, rtol=1e-12, atol=1e-15)


@both_tiers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_cross_entropy(dtype, tier):
    logits = LOGITS.astype(dtype)
    wide = logits.astype(np.float64)
    expected = np.log(np.exp(wide).sum(-1)) - wide[np.arange(6), LABELS]
    one_hot = np.eye(5, dtype=dtype)[LABELS]
    for labels in (LABELS, LABELS.astype(np.uint8), one_hot):
        for reduction, reduce in (("mean", np.mean), ("sum", np.sum), ("none", np.asarray)):
            actual = tier(partial(nn.softmax_cross_entropy, reduction=reduction))(logits, labels)
            assert actual.dtype == dtype
            np.testing.assert_allclose(actual, reduce(expected), rtol=20 * np.finfo(dtype).eps)
        gradient = tier(tj.grad(lambda x, y: nn.softmax_cross_entropy(x, y, reduction="sum")))(logits, labels)
        np.testing.assert_allclose(gradient, nn.softmax(wide) - one_hot, rtol=1e-5, atol=10 * np.finfo(dtype).eps)


@both_tiers
def test_softmax_cross_entropy_higher_order_and_far_from_zero(tier):
    tj.check_grads(tier(lambda x: nn.softmax_cross_entropy(x, LABELS)), (LOGITS,), order=2, modes=("fwd", "rev"))
    one_hot = np.eye(5)[LABELS]
    tj.check_grads(tier(nn.softmax_cross_entropy), (LOGITS, one_hot), order=2, modes=("fwd", "rev"))
    x = np.array([[1e4, 0.0, -np.inf]])
    loss, gradient = tier(tj.value_and_grad(lambda x: nn.softmax_cross_entropy(x, np.array([1]))))(x)
    assert loss == 1e4
    np.testing.assert_array_equal(gradient, [[1.0, -1.0, 0.0]])


def test_one_row_and_many_axes():
    np.testing.assert_allclose(nn.softmax_cross_entropy(LOGITS[0], 3), nn.softmax_cross_entropy(LOGITS[:1], [3]))
    cube, labels = LOGITS.reshape(2, 3, 5), LABELS.reshape(2, 3)
    assert nn.softmax_cross_entropy(cube, labels, reduction="none").shape == (2, 3)
    np.testing.assert_allclose(nn.softmax_cross_entropy(cube, labels), nn.softmax_cross_entropy(LOGITS, LABELS))


def test_matches_torch():
    torch = pytest.importorskip("torch")
    p, t = torch.from_numpy(PREDICTIONS), torch.from_numpy(TARGETS)
    functional = torch.nn.functional
    np.testing.assert_allclose(nn.mse(PREDICTIONS, TARGETS), functional.mse_loss(p, t), rtol=1e-12)
    np.testing.assert_allclose(nn.mae(PREDICTIONS, TARGETS), functional.l1_loss(p, t), rtol=1e-12)
    np.testing.assert_allclose(nn.huber(PREDICTIONS, TARGETS, 0.7), functional.huber_loss(p, t, delta=0.7), rtol=1e-12)
    bce = functional.binary_cross_entropy_with_logits(p, torch.sigmoid(t))
    np.testing.assert_allclose(nn.binary_cross_entropy_with_logits(PREDICTIONS, nn.sigmoid(TARGETS)), bce, rtol=1e-12)
    cross_entropy = functional.cross_entropy(torch.from_numpy(LOGITS), torch.from_numpy(LABELS))
    np.testing.assert_allclose(nn.softmax_cross_entropy(LOGITS, LABELS), cross_entropy, rtol=1e-12)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: nn.mse(np.ones((3, 1)), np.ones(3)), ValueError, "mse: predictions and targets must have one shape, got (3, 1) and (3,)"),
    (lambda: nn.mse(np.ones(3), np.ones(3), reduction="avg"), ValueError, "reduction must be 'mean', 'sum' or 'none', got 'avg'"),
    (lambda: nn.huber(np.ones(3), np.ones(3), delta=0.0), ValueError, "huber: delta must be above 0, got 0.0"),
    (lambda: nn.softmax_cross_entropy(np.ones((3, 5)), np.ones(5, int)), ValueError,
     "logits of shape (3, 5) go with integer labels of shape (3,) or probabilities of shape (3, 5), got labels of shape (5,)"),
    (lambda: nn.softmax_cross_entropy(np.ones((3, 5)), np.ones(3)), TypeError, "class labels must be integers, got dtype float64"),
    (lambda: nn.softmax_cross_entropy(np.ones((3, 5)), np.array([0, 1, 5])), IndexError, "out of bounds"),
])
def test_refusals(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
