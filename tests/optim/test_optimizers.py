"""Optimisers against their papers' formulas, against torch where it is installed, and the rules that all of them keep."""
import itertools
import re

import numpy as np
import pytest

from tracejit import optim, tree

SHAPES = {"w": [(3, 4), (4,)], "scale": ()}


def random_tree(rng, dtype):
    return tree.map(lambda shape: rng.normal(size=shape).astype(dtype), SHAPES, is_leaf=lambda x: isinstance(x, tuple))


def run(opt, params, gradients):
    """The parameters after each update."""
    state, trajectory = opt.init(params), []
    for grads in gradients:
        params, state = opt.update(grads, state, params)
        trajectory.append(params)
    return trajectory


# ------------------------------------------------------------------------------------------------------- the papers' formulas
def sgd_reference(p, gradients, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    v = 0.0
    for g in gradients:
        g = g + weight_decay * p
        v = momentum * v + g
        p = p - lr * (g + momentum * v if nesterov else v)
    return p


def adam_reference(p, gradients, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, decoupled=False):
    m = s = 0.0
    for t, g in enumerate(gradients, 1):
        if not decoupled:
            g = g + weight_decay * p
        m, s = beta1 * m + (1 - beta1) * g, beta2 * s + (1 - beta2) * g**2
        step = lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)
        p = p - step - (lr * weight_decay * p if decoupled else 0.0)
    return p


def rmsprop_reference(p, gradients, lr, decay=0.99, eps=1e-8, momentum=0.0, centered=False, weight_decay=0.0):
    m = s = v = 0.0
    for g in gradients:
        g = g + weight_decay * p
        m, s = decay * m + (1 - decay) * g, decay * s + (1 - decay) * g**2
        v = momentum * v + g / (np.sqrt(s - m**2 if centered else s) + eps)
        p = p - lr * v
    return p


def adamw_reference(p, gradients, **options):
    return adam_reference(p, gradients, decoupled=True, **options)


CASES = [
    ("sgd", sgd_reference, dict(lr=0.1)),
    ("sgd", sgd_reference, dict(lr=0.1, momentum=0.9)),
    ("sgd", sgd_reference, dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)),
    ("adam", adam_reference, dict(lr=0.01)),
    ("adam", adam_reference, dict(lr=0.01, beta1=0.5, beta2=0.9, eps=1e-3, weight_decay=0.1)),
    ("adamw", adamw_reference, dict(lr=0.01, weight_decay=0.1)),
    ("rmsprop", rmsprop_reference, dict(lr=0.01)),
    ("rmsprop", rmsprop_reference, dict(lr=0.01, decay=0.9, momentum=0.5, centered=True, weight_decay=0.1)),
]
TOLERANCE = {np.float32: dict(rtol=2e-5, atol=2e-6), np.float64: dict(rtol=1e-12, atol=1e-13)}
ids = [f"{name}-{'-'.join(options)}" for name, _, options in CASES]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "reference", "options"), CASES, ids=ids)
def test_matches_its_formula(name, reference, options, dtype):
    rng = np.random.default_rng(0)
    params, gradients = random_tree(rng, dtype), [random_tree(rng, dtype) for _ in range(10)]
    result = run(getattr(optim, name)(**options), params, gradients)[-1]
    columns = zip(tree.leaves(result), tree.leaves(params), zip(*map(tree.leaves, gradients), strict=True), strict=True)
    for actual, p, gs in columns:
        assert actual.dtype == dtype
        expected = reference(p.astype(np.float64), [g.astype(np.float64) for g in gs], **options)
        np.testing.assert_allclose(actual, expected, **TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "reference", "options"), CASES, ids=ids)
def test_matches_torch_step_by_step(name, reference, options, dtype):
    torch = pytest.importorskip("torch")
    names = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop"}
    theirs = dict(options)
    if "beta1" in theirs:
        theirs["betas"] = theirs.pop("beta1"), theirs.pop("beta2")
    if "decay" in theirs:
        theirs["alpha"] = theirs.pop("decay")
    rng = np.random.default_rng(1)
    params, gradients = random_tree(rng, dtype), [random_tree(rng, dtype) for _ in range(30)]
    tensors = [torch.from_numpy(np.copy(p)).requires_grad_() for p in tree.leaves(params)]
    opt = getattr(torch.optim, names[name])(tensors, **theirs)
    for grads, ours in zip(gradients, run(getattr(optim, name)(**options), params, gradients), strict=True):
        for tensor, g in zip(tensors, tree.leaves(grads), strict=True):
            tensor.grad = torch.from_numpy(np.asarray(g))
        opt.step()
        for tensor, p in zip(tensors, tree.leaves(ours), strict=True):
            np.testing.assert_allclose(p, tensor.detach().numpy(), **TOLERANCE[dtype])


# ------------------------------------------------------------------------------------------------------------ rules for all
OPTIMIZERS = [optim.sgd(0.1), optim.sgd(optim.cosine_decay(0.1, 5), momentum=0.9), optim.adam(optim.warmup_cosine(0.1, 2, 5)), optim.adamw(),
              optim.rmsprop(optim.step_decay(0.1, 2), momentum=0.9, centered=True), optim.chain(optim.clip_by_global_norm(1.0), optim.adam())]


@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_keeps_dtypes_structures_and_inputs(opt):
    rng = np.random.default_rng(2)
    params = {"half": rng.normal(size=3).astype(np.float16), "single": [rng.normal(size=(2, 2)).astype(np.float32)], "double": rng.normal(size=4),
              "none": None}
    grads = tree.map(np.ones_like, params)
    state = opt.init(params)
    for array in tree.leaves((params, grads, state)):
        array.flags.writeable = False
    for _ in range(3):
        new_params, new_state = opt.update(grads, state, params)
        tree.check_same_structure("state", state, "new state", new_state)
        for old, new in zip(tree.leaves((params, state)), tree.leaves((new_params, new_state)), strict=True):
            assert (old.shape, old.dtype) == (new.shape, new.dtype)
        params, state = new_params, new_state


@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_update_is_a_pure_function(opt):
    params, grads = {"w": np.ones(3)}, {"w": np.arange(3.0)}
    state = opt.init(params)
    first, second = opt.update(grads, state, params), opt.update(grads, state, params)
    assert all(np.array_equal(a, b) for a, b in zip(tree.leaves(first), tree.leaves(second), strict=True))


@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_python_floats_are_parameters_too(opt):
    params, _ = opt.update({"x": 2.0}, opt.init({"x": 1.0}), {"x": 1.0})
    assert np.shape(params["x"]) == () and params["x"] <= 1.0


def test_gradients_are_cast_to_the_dtype_of_the_parameters():
    params = {"w": np.ones(3, np.float32)}
    new, _ = optim.sgd(0.1).update({"w": np.ones(3)}, optim.sgd(0.1).init(params), params)
    assert new["w"].dtype == np.float32


def test_empty_tree():
    opt = optim.chain(optim.clip_by_global_norm(1.0), optim.adam())
    assert opt.update({}, opt.init({}), {})[0] == {}


@pytest.mark.parametrize("opt", [optim.sgd(0.05, momentum=0.9, nesterov=True), optim.adam(0.1), optim.adamw(0.1, weight_decay=0.0),
                                 optim.rmsprop(0.02)])
def test_reaches_the_minimum_of_a_quadratic(opt):
    target = np.array([1.0, -2.0, 3.0])
    params, state = np.zeros(3), opt.init(np.zeros(3))
    for _ in range(500):
        params, state = opt.update(params - target, state, params)
    np.testing.assert_allclose(params, target, atol=0.05)


@pytest.mark.parametrize("make", [optim.sgd, optim.adam, optim.adamw, optim.rmsprop])
@pytest.mark.parametrize(("leaf", "dtype"), [(np.arange(3), "int64"), (1, "int64"), (True, "bool"), (np.ones(2, complex), "complex128")])
def test_refuses_parameters_that_are_not_real_floating_point(make, leaf, dtype):
    with pytest.raises(TypeError, match=re.escape(f'params["layers"][0] has dtype {dtype}')):
        make(0.1).init({"layers": [leaf]})


def test_refuses_gradients_that_do_not_match():
    opt, params = optim.sgd(0.1), {"w": [np.ones(3)]}
    state = opt.init(params)
    with pytest.raises(ValueError, match=re.escape('grads["w"]: expected list of length 1 as in params, got tuple of length 1')):
        opt.update({"w": (np.ones(3),)}, state, params)
    with pytest.raises(ValueError, match=re.escape('grads["w"][0] has shape (1,), params["w"][0] has shape (3,)')):
        opt.update({"w": [np.ones(1)]}, state, params)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: optim.sgd(0.1, momentum=1.0), r"momentum must be in \[0.0, 1.0\), got 1.0"),
    (lambda: optim.sgd(0.1, nesterov=True), "nesterov needs a momentum"),
    (lambda: optim.sgd(0.1, weight_decay=-1.0), r"weight_decay must be in \[0.0, inf\), got -1.0"),
    (lambda: optim.adam(beta1=-0.1), "beta1"),
    (lambda: optim.adamw(beta2=1.0), "beta2"),
    (lambda: optim.adam(eps=float("nan")), "eps"),
    (lambda: optim.rmsprop(decay=1.5), "decay"),
])
def test_refuses_hyperparameters_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---------------------------------------------------------------------------------------------------------- chain and clipping
def test_chain_equals_its_parts_by_hand():
    clip, adam = optim.clip_by_global_norm(0.5), optim.adam(0.1)
    params, grads = {"w": np.ones(3)}, {"w": np.array([3.0, 0.0, 4.0])}
    chained = optim.chain(clip, adam)
    state = chained.init(params)
    clipped, _ = clip.update(grads, (), params)
    by_hand, adam_state = adam.update(clipped, adam.init(params), params)
    together, (clip_state, last) = chained.update(grads, state, params)
    np.testing.assert_array_equal(together["w"], by_hand["w"])
    assert clip_state == () and last.step == adam_state.step == 1


@pytest.mark.parametrize(("steps", "message"), [
    ((), "last step must be an Optimizer, got NoneType"),
    ((optim.clip_by_global_norm(1.0),), "last step must be an Optimizer, got GradientTransform"),
    ((optim.sgd(0.1), optim.clip_by_global_norm(1.0)), "step 0 must be a GradientTransform, got Optimizer; the optimiser comes last"),
])
def test_chain_refuses(steps, message):
    with pytest.raises(TypeError, match=message):
        optim.chain(*steps)


def test_chain_refuses_the_state_of_another_chain():
    opt = optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(0.1))
    with pytest.raises(ValueError, match="the state has 1 items for 2 steps"):
        opt.update(np.ones(2), ((),), np.ones(2))


@pytest.mark.parametrize(("dtype", "max_norm"), list(itertools.product([np.float32, np.float64], [0.5, 5.0, 100.0])))
def test_clip_by_global_norm(dtype, max_norm):
    grads = {"a": np.array([3.0, 0.0], dtype), "b": [np.array([[4.0]], dtype)]}
    clipped, _ = optim.clip_by_global_norm(max_norm).update(grads, (), None)
    assert {leaf.dtype for leaf in tree.leaves(clipped)} == {np.dtype(dtype)}
    np.testing.assert_allclose(optim.global_norm(clipped), min(5.0, max_norm), rtol=1e-6)
    if max_norm >= 5.0:
        assert all(np.array_equal(a, b) for a, b in zip(tree.leaves(grads), tree.leaves(clipped), strict=True))


def test_clip_leaves_zero_gradients_alone():
    np.testing.assert_array_equal(optim.clip_by_global_norm(1.0).update(np.zeros(3), (), None)[0], np.zeros(3))


@pytest.mark.parametrize("max_norm", [0.0, -1.0, float("nan")])
def test_clip_refuses(max_norm):
    with pytest.raises(ValueError, match="max_norm must be above 0"):
        optim.clip_by_global_norm(max_norm)
