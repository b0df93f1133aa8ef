"""`default_rng`: NumPy's methods, and a state that goes on in compiled code as it does without."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import scipy.stats as st

import tracejit as tj
from tracejit.errors import LeakedTracerError
from tracejit.random import Generator, default_rng

METHODS = {
    "random": {}, "uniform": {"low": -1.0, "high": 3.0}, "integers": {"low": 2, "high": 9}, "standard_normal": {},
    "normal": {"loc": 1.0, "scale": 2.0}, "lognormal": {"sigma": 0.5}, "wald": {"mean": 1.0, "scale": 2.0}, "standard_exponential": {},
    "exponential": {"scale": 3.0}, "laplace": {"loc": 1.0}, "logistic": {"scale": 2.0}, "gumbel": {"loc": -1.0}, "standard_cauchy": {},
    "rayleigh": {"scale": 2.0}, "weibull": {"a": 1.5}, "pareto": {"a": 3.0}, "power": {"a": 2.0},
    "triangular": {"left": 0.0, "mode": 1.0, "right": 3.0}, "standard_gamma": {"shape": 2.0}, "gamma": {"shape": 0.5, "scale": 2.0},
    "beta": {"a": 2.0, "b": 0.5}, "chisquare": {"df": 3.0}, "f": {"dfnum": 5.0, "dfden": 9.0}, "standard_t": {"df": 4.0},
    "poisson": {"lam": 4.0}, "binomial": {"n": 12, "p": 0.3}, "negative_binomial": {"n": 3.0, "p": 0.4}, "geometric": {"p": 0.3},
    "logseries": {"p": 0.6}, "zipf": {"a": 3.0},
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_a_method_draws_from_numpys_distribution(name):
    ours, theirs = default_rng(4), np.random.default_rng(4)
    parameters = METHODS[name]
    x, y = (getattr(rng, name)(**parameters, size=(50, 60)) for rng in (ours, theirs))
    assert x.shape == y.shape and x.dtype == y.dtype
    if x.dtype.kind == "i":
        top = 12
        tables = [np.bincount(np.minimum(v.reshape(-1), top), minlength=top + 1) for v in (x, y)]
        filled = (tables[0] + tables[1]) > 10
        assert st.chi2_contingency([t[filled] for t in tables]).pvalue > 1e-3
    else:
        assert st.ks_2samp(x.reshape(-1), y.reshape(-1)).pvalue > 1e-3
    one = getattr(ours, name)(**parameters)
    assert np.ndim(one) == 0


def test_sizes_dtypes_and_out():
    rng = default_rng(0)
    assert rng.normal([0.0, 10.0], 0.1).shape == (2,) == rng.exponential([1.0, 2.0]).shape == rng.uniform([0, 1], 2).shape
    assert rng.gamma([[1.0], [2.0]], [1.0, 2.0, 3.0]).shape == (2, 3)
    assert rng.random(3, dtype=np.float32).dtype == np.float32 == rng.standard_normal(dtype=np.float32).dtype
    out = np.empty((2, 3))
    assert rng.random(out=out) is out and (0 <= out).all() and (out < 1).all()
    assert rng.standard_gamma(2.0, out=out) is out and rng.standard_normal((2, 3), out=out) is out
    assert rng.integers(5, size=(2, 2), dtype=np.uint8).dtype == np.uint8 and rng.integers(0, 1, endpoint=True, size=40).max() == 1
    assert rng.integers(0, 2, size=9, dtype=bool).dtype == bool and rng.integers([1, 5, 100]).shape == (3,)
    assert rng.integers(3.0, 7.0) in range(3, 7)
    assert rng.multivariate_normal(np.zeros(2), np.eye(2), 5).shape == (5, 2) and rng.dirichlet([1.0, 2.0], (3,)).shape == (3, 2)
    assert rng.multinomial(10, [0.5, 0.5], (4,)).sum(-1).tolist() == [10] * 4
    assert len(rng.bytes(7)) == 7 and isinstance(rng.bytes(1), bytes)


def test_orders():
    rng = default_rng(0)
    x = np.arange(10)
    rng.shuffle(x)
    assert x.tolist() != list(range(10)) and sorted(x.tolist()) == list(range(10))
    assert sorted(rng.permutation(5).tolist()) == list(range(5))
    assert sorted(rng.permuted(np.eye(3)).reshape(-1).tolist()) == [0] * 6 + [1] * 3
    assert (rng.permuted(np.eye(3), axis=1).sum(1) == 1).all()
    assert set(rng.choice(5, 3, replace=False).tolist()) < set(range(5)) and rng.choice([1.5, 2.5]) in (1.5, 2.5)
    assert rng.choice(3, 5, p=[0.0, 1.0, 0.0]).tolist() == [1] * 5
    y = np.arange(6.0).reshape(2, 3)
    tj.jit(lambda y: rng.shuffle(y, axis=1))(y)
    assert sorted(y[0].tolist()) == [0, 1, 2]


def test_seeds_states_and_copies():
    assert default_rng(3).random() == default_rng(3).random() != default_rng(4).random()
    assert default_rng([1, 2]).random() == default_rng(np.array([1, 2])).random() == default_rng(np.random.SeedSequence([1, 2])).random()
    assert default_rng().random() != default_rng().random()
    assert default_rng(1 << 70).random() != default_rng(1 << 71).random()
    rng = default_rng(3)
    assert default_rng(rng) is rng
    rng.random()
    for other in (copy.copy(rng), copy.deepcopy(rng), pickle.loads(pickle.dumps(rng))):
        assert other.state.tolist() == rng.state.tolist() and other.normal() == copy.copy(rng).normal()
    state = rng.state
    x = rng.normal(size=3)
    rng.state = state
    assert rng.normal(size=3).tolist() == x.tolist()
    assert "state" in repr(rng)


def test_spawned_generators_are_apart():
    rng = default_rng(3)
    children = rng.spawn(3)
    again = rng.spawn(1)
    drawn = [g.random(4).tolist() for g in (rng, *children, *again)]
    assert len({tuple(d) for d in drawn}) == 5
    assert default_rng(3).spawn(3)[1].random() == drawn[2][0]


# -- the state goes on
def same(make, *calls):
    """Results and final state of a plain function and of what `make` makes of it: `make(rng)` gives both, each with its own generator."""
    plain, other = default_rng(7), default_rng(7)
    f, g = make(plain)[0], make(other)[1]
    for args in calls:
        np.testing.assert_allclose(g(*args), f(*args), rtol=1e-13)
    assert other.state.tolist() == plain.state.tolist()


X = np.arange(3.0)


def test_jit_draws_new_numbers_at_every_call():
    def make(rng):
        f = lambda x: x + rng.normal(size=3) * rng.random() + rng.poisson(3.0)
        return f, tj.jit(f)

    same(make, *[(X,)] * 5)


def test_jit_of_jit_and_attributes():
    def make(rng):
        class Model:
            def __init__(self):
                self.rng = rng

            def noisy(self, x):
                return x + self.rng.normal(size=3)

        model = Model()
        inner = tj.jit(model.noisy)
        outer = lambda x: inner(x) + inner(X) + rng.random()
        return lambda x: model.noisy(x) + model.noisy(X) + rng.random(), tj.jit(outer)

    same(make, *[(X,)] * 4)


def test_two_generators_with_one_function_stay_apart():
    def made(seed):
        rng = default_rng(seed)
        return tj.jit(lambda x: x + rng.random())

    a, b = made(1), made(2)
    one, two = default_rng(1), default_rng(2)
    for _ in range(4):
        assert np.isclose(a(0.0), one.random()) and np.isclose(b(0.0), two.random())


def test_loops_and_branches():
    def make(rng):
        def plain(x):
            total = 0.0
            for v in x:
                total += v * rng.random()
            while total < 20:
                total += rng.exponential()
            return total + (rng.normal() if total > 21 else rng.uniform() + rng.uniform())

        def f(x):
            total = tj.scan(lambda s, v: (s + v * rng.random(), None), 0.0, x)[0]
            total = tj.while_loop(lambda s: s < 20, lambda s: s + rng.exponential(), total)
            return total + tj.cond(total > 21, lambda: rng.normal(), lambda: rng.uniform() + rng.uniform())

        return plain, tj.jit(f)

    same(make, *[(np.arange(k, k + 4.0),) for k in range(8)])


def test_python_control_flow_under_jit():
    def make(rng):
        def f(x):
            for _ in range(2):
                if rng.random() < 0.5:
                    x = x + rng.normal()
            return x

        return f, tj.jit(f)

    same(make, *[(1.0,)] * 12)


def test_grad_draws_once():
    def make(rng):
        slope = lambda x: np.cos(x * rng.normal(size=3)).sum() * 0 + rng.normal() * 2 * x
        f = lambda x: np.sum(np.cos(x * rng.normal(size=3))) * 0 + rng.normal() * x * x
        return slope, tj.grad(f)

    same(make, (1.0,), (2.0,))
    same(lambda rng: (make(rng)[0], tj.jit(make(rng)[1])), (1.0,), (2.0,), (3.0,), (4.0,))


def test_reparameterised_draws_have_derivatives():
    rng, twin = default_rng(2), default_rng(2)
    g = tj.grad(lambda mu, sigma: np.sum(rng.normal(mu, sigma, 4)), (0, 1))
    z = twin.standard_normal(4)
    np.testing.assert_allclose(g(1.0, 2.0), (4.0, z.sum()))
    assert tj.grad(lambda a: rng.gamma(a, 2.0))(1.5) > 0


def test_every_example_of_vmap_has_its_own_numbers():
    rng, twin = default_rng(2), default_rng(2)
    f = lambda x: x + rng.normal() + rng.normal()
    first, second = tj.vmap(f)(np.zeros(4)), tj.vmap(f)(np.zeros(4))
    assert len({*first.tolist(), *second.tolist()}) == 8
    expected = [child.normal() + child.normal() for child in twin.spawn(4)]
    np.testing.assert_allclose(first, expected)
    assert rng.state[1] == 2

    compiled = tj.jit(tj.vmap(lambda x: x + twin.normal() + twin.normal()))
    np.testing.assert_allclose(compiled(np.zeros(4)), second)
    nested = tj.vmap(tj.vmap(lambda x: x + rng.random()))(np.zeros((3, 5)))
    assert len(set(nested.reshape(-1).tolist())) == 15
    inside_out = tj.vmap(tj.jit(lambda x: x + rng.random()))(np.zeros(5))
    assert len(set(inside_out.tolist())) == 5
    looped = tj.vmap(lambda x: tj.scan(lambda s, _: (s, rng.random()), x, None, 4)[1])(np.zeros(3))
    assert len(set(looped.reshape(-1).tolist())) == 12


# -- as an argument
def test_a_generator_as_an_argument_of_jit_advances():
    f = tj.jit(lambda rng, x: x + rng.normal(size=2))
    rng, twin = default_rng(5), default_rng(5)
    for _ in range(4):
        np.testing.assert_allclose(f(rng, 1.0), 1.0 + twin.normal(size=2))
    assert rng.state.tolist() == twin.state.tolist()
    looping = tj.jit(lambda rng: tj.scan(lambda s, _: (s + rng.random(), None), 0.0, None, 3)[0])
    np.testing.assert_allclose(looping(rng), sum(twin.random() for _ in range(3)))
    slope = tj.grad(lambda x, rng: x * rng.normal())
    np.testing.assert_allclose([slope(1.0, rng), tj.jit(slope)(1.0, rng)], [twin.normal(), twin.normal()])
    assert rng.state.tolist() == twin.state.tolist()


def test_a_generator_is_a_tree():
    rng, twin = default_rng(5), default_rng(5)
    assert [x.shape for x in tj.tree.leaves({"rng": rng})] == [(2,)]
    total, last = tj.scan(lambda s, _: ((s[0] + s[1].random(), s[1]), None), (0.0, rng), None, 3)[0]
    assert isinstance(last, Generator) and last.state[1] == 3 and rng.state[1] == 0
    np.testing.assert_allclose(total, sum(twin.random() for _ in range(3)))
    several = tj.tree.map(lambda *x: np.stack(x), *rng.spawn(3))
    values, after = tj.vmap(lambda g: (g.random(), g))(several)
    np.testing.assert_allclose(values, [g.random() for g in (twin.spawn(1) and default_rng(5).spawn(3))])
    assert after.state[:, 1].tolist() == [1, 1, 1]
    returned = tj.jit(lambda g: g)(rng)
    returned.random()
    assert returned.state.tolist() == rng.state.tolist()


def test_a_generator_made_inside_begins_anew():
    f = tj.jit(lambda seed: default_rng(seed).normal(size=2))
    for seed in (1, 2, 1):
        np.testing.assert_allclose(f(seed), default_rng(seed).normal(size=2))
    g = tj.jit(lambda x: x + default_rng(3).normal())
    assert g(0.0) == g(0.0) == default_rng(3).normal()


# -- where it cannot go on
@pytest.mark.parametrize(
    "call",
    [
        lambda rng: tj.vjp(lambda x, g: x * g.normal(), 1.0, rng),
        lambda rng: tj.jvp(lambda x, g: x * g.normal(), (1.0, rng), (1.0, rng)),
        lambda rng: tj.vmap(lambda x, g: x * g.normal(), in_axes=(0, None))(X, rng),
        lambda rng: tj.scan(lambda s, g: (s + g.normal(), None), 0.0, tj.tree.map(lambda *x: np.stack(x), *rng.spawn(3))),
    ],
)
def test_a_state_that_would_be_lost_is_an_error(call):
    with pytest.raises(TypeError, match="the same numbers would come again") as raised:
        call(default_rng(0))
    assert "test_generator.py" in str(raised.value)


def test_a_condition_cannot_draw():
    rng = default_rng(0)
    with pytest.raises(TypeError, match="condition"):
        tj.while_loop(lambda s: rng.random() < s, lambda s: s * 0.5, 1.0)
    assert rng.state[1] == 0


def test_a_generator_does_not_leave_the_trace_that_made_it():
    kept = set()
    tj.jit(lambda x: [kept.add(default_rng(0)), x][1])(1.0)
    with pytest.raises(LeakedTracerError):
        kept.pop().random()


def test_a_generator_that_is_put_into_a_list_is_one_with_its_state():
    kept = []
    f = tj.jit(lambda x: [kept.append(default_rng(0)), x][1])
    f(1.0), f(1.0)
    assert len(kept) == 2 and kept[0].random() == kept[1].random() == default_rng(0).random()


@pytest.mark.parametrize(
    "call, error, said",
    [
        (lambda rng: default_rng(-1), ValueError, "negative"),
        (lambda rng: default_rng("seed"), TypeError, "seed"),
        (lambda rng: rng.integers(5, 5), ValueError, "low >= high"),
        (lambda rng: rng.random(dtype=np.int32), TypeError, "float32 or float64"),
        (lambda rng: rng.random(out=np.empty(3, np.float32)), TypeError, "out"),
        (lambda rng: rng.random(4, out=np.empty(3)), ValueError, "size"),
        (lambda rng: rng.normal(np.zeros(3), size=2), ValueError, "broadcast to the shape"),
        (lambda rng: rng.hypergeometric(1, 2, 3), AttributeError, "not there in tracejit yet"),
        (lambda rng: rng.nothing(), AttributeError, "does not exist"),
        (lambda rng: rng.shuffle([1, 2]), TypeError, "arrays"),
        (lambda rng: setattr(rng, "state", 3), TypeError, "two uint64"),
    ],
)  # fmt: skip
def test_errors(call, error, said):
    with pytest.raises(error, match=said) as raised:
        call(default_rng(0))
    assert "test_generator.py" in str(raised.value)
