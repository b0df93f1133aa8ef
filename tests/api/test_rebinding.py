"""Attributes, globals and items that a traced function binds anew: `self.u = self.u + ...`, `self.t += dt`."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest

import tracejit as tj

TOTAL = 0.0
DT = 0.1


class Simulation:
    t = 0.0  # of the class, until a step hides it

    def __init__(self):
        self.u = np.linspace(0.0, 1.0, 6) ** 2
        self.before = self.u.copy()
        self.steps = 0
        self.energies = {"now": 0.0, "parts": (np.zeros(2), 1)}
        self.last = None

    def step(self, dt):
        new = self.u + dt * np.gradient(self.before)
        self.before, self.u = self.u, new
        self.t += dt
        self.steps += 1
        if self.steps % 3 == 0:
            self.u = self.u * 0.5
        self.last = self.u[0]
        self.energies["now"] = np.sum(self.u**2)
        self.energies["parts"] = (self.u[:2] * 2, self.energies["parts"][1] + 1)
        self.residual = np.max(np.abs(self.u - self.before))
        return np.sum(self.u) * self.t


def check(found, expected):
    assert tj.tree.structure(found) == tj.tree.structure(expected)
    for a, b in zip(tj.tree.leaves(found), tj.tree.leaves(expected)):
        assert type(a) is type(b)
        np.testing.assert_allclose(a, b, rtol=1e-13)


def test_attributes_advance_with_each_call():
    plain, compiled = Simulation(), Simulation()
    step = tj.jit(compiled.step)
    for k in range(12):
        held = compiled.u
        np.testing.assert_allclose(step(DT), plain.step(DT), rtol=1e-13)
        check(vars(compiled), vars(plain))
        assert compiled.before is held or k % 3 == 2
    misses = step.cache_info().misses
    assert misses <= 4
    for _ in range(6):
        step(DT), plain.step(DT)
    assert step.cache_info().misses == misses
    check(vars(compiled), vars(plain))


def test_what_python_sets_in_between_counts():
    simulation, plain = Simulation(), Simulation()
    step = tj.jit(simulation.step)
    for k in range(8):
        for s in (simulation, plain):
            s.t = 10.0 * k
            s.u = np.full(6, float(k))
            if k >= 5:
                s.u = np.ones(4)
                s.before = np.zeros(4)
        np.testing.assert_allclose(step(DT), plain.step(DT), rtol=1e-13)
        check(vars(simulation), vars(plain))


def test_instances_share_the_program_of_a_decorated_method():
    class Average:
        def __init__(self, start):
            self.mean, self.n = start, 0

        @tj.jit
        def add(self, x):
            self.n += 1
            self.mean = self.mean + (x - self.mean) / self.n
            return self.mean

    first, second = Average(np.zeros(2)), Average(np.zeros(2))
    data = np.random.default_rng(0).standard_normal((6, 2))
    for k, row in enumerate(data):
        first.add(row)
        if k % 2:
            second.add(row)
    np.testing.assert_allclose(first.mean, data.mean(axis=0))
    np.testing.assert_allclose(second.mean, data[1::2].mean(axis=0))
    assert (first.n, second.n) == (6, 3)


def test_globals_cells_and_items():
    total, items = 0.0, [np.zeros(2), 1.0]

    def f(x):
        global TOTAL
        nonlocal total
        TOTAL = TOTAL + np.sum(x)
        total += 0.5
        items[0] = items[0] + x
        items[1] *= 2.0
        return x * total

    compiled = tj.jit(f)
    for k in range(1, 6):
        np.testing.assert_allclose(compiled(np.ones(2)), np.full(2, 0.5 * k))
        assert (TOTAL, total) == (2.0 * k, 0.5 * k)
        np.testing.assert_allclose(items[0], np.full(2, k))
        assert items[1] == 2.0**k and type(items[1]) is float
    assert compiled.cache_info().misses <= 2


def test_in_place_and_anew_together():
    class Pair:
        def __init__(self):
            self.u, self.v = np.ones(3), np.zeros(3)

        def step(self, x):
            self.u[0] += x
            self.v[:] = self.u * 2
            self.u, self.v = self.v, self.u
            return self.u.sum()

    plain, compiled = Pair(), Pair()
    u, v = compiled.u, compiled.v
    step = tj.jit(compiled.step)
    for k in range(5):
        np.testing.assert_allclose(step(0.5), plain.step(0.5))
        check([compiled.u, compiled.v], [plain.u, plain.v])
        assert (compiled.u is v and compiled.v is u) == (k % 2 == 0)


def test_guards_and_errors_assign_nothing():
    class Limited:
        def __init__(self):
            self.x, self.hits = 1.0, 0

        def grow(self, factor):
            self.x = self.x * factor
            if self.x > 10:
                self.x = 1.0
                self.hits += 1
            return np.take(np.arange(3.0), (self.x * 0.3).astype(int) if hasattr(self.x, "astype") else int(self.x * 0.3), mode="raise")

    limited = Limited()
    grow = tj.jit(limited.grow)
    seen = []
    for _ in range(9):
        try:
            grow(1.8)
        except IndexError:
            seen.append((float(limited.x), limited.hits))
            limited.x = 2.0
    assert seen == [] or all(x < 10 for x, _ in seen)

    def failing(x):
        limited.x = x * 2.0
        limited.hits += 1
        raise KeyError("mine")

    before = dict(vars(limited))
    for transform in (tj.jit, tj.grad):
        with pytest.raises(KeyError):
            transform(failing)(3.0)
        assert vars(limited) == before


@pytest.mark.parametrize("transform", ["grad", "jit of grad", "grad of jit", "jit of jit"])
def test_running_averages_under_every_transform(transform):
    class Norm:
        def __init__(self):
            self.mean, self.seen = np.zeros(3), 0

        def __call__(self, x):
            self.mean = 0.9 * self.mean + 0.1 * x.mean(axis=0)
            self.seen += 1
            return x - self.mean

    x = np.random.default_rng(0).standard_normal((4, 3))
    norm, plain = Norm(), Norm()

    def loss(w):
        return np.sum(norm(x * w) ** 2)

    run = {
        "grad": tj.grad(loss),
        "jit of grad": tj.jit(tj.grad(loss)),
        "grad of jit": tj.grad(tj.jit(loss)),
        "jit of jit": tj.jit(tj.jit(loss)),
    }[transform]
    for k in range(1, 5):
        run(np.ones(3))
        plain(x)
        np.testing.assert_allclose(norm.mean, plain.mean)
        assert type(norm.mean) is np.ndarray and norm.seen == k and type(norm.seen) is int


def test_adam_as_a_class():
    class Adam:
        def __init__(self, x):
            self.x, self.m, self.v, self.k = x, np.zeros_like(x), np.zeros_like(x), 0

        def step(self, gradient):
            self.k += 1
            self.m = 0.9 * self.m + 0.1 * gradient
            self.v = 0.999 * self.v + 0.001 * gradient**2
            self.x = self.x - 0.1 * (self.m / (1 - 0.9**self.k)) / (np.sqrt(self.v / (1 - 0.999**self.k)) + 1e-8)

    plain, compiled = Adam(np.array([1.0, -2.0])), Adam(np.array([1.0, -2.0]))
    step = tj.jit(compiled.step)
    for _ in range(10):
        plain.step(2 * plain.x)
        step(2 * compiled.x)
        np.testing.assert_allclose(compiled.x, plain.x, rtol=1e-12)
    assert compiled.k == 10 and step.cache_info().misses <= 2


def test_frozen_dataclasses_with_slots_and_lazily_made_attributes():
    @dataclasses.dataclass
    class Cache:
        __slots__ = ("work", "n")
        work: np.ndarray | None
        n: float

        def run(self, x):
            if self.work is None:
                self.work = np.zeros_like(x)
            self.work = self.work + x
            self.n += 1.5
            return self.work.sum()

    plain, compiled = Cache(None, 0.0), Cache(None, 0.0)
    run = tj.jit(compiled.run)
    for _ in range(4):
        np.testing.assert_allclose(run(np.ones(2)), plain.run(np.ones(2)))
        check([compiled.work, compiled.n], [plain.work, plain.n])


def test_bodies_and_vmap_say_what_to_do():
    simulation = Simulation()

    def body(s, x):
        simulation.last = x * s
        return s + x, x

    x = np.ones(3)
    start = copy.deepcopy(vars(simulation))
    for f in (
        lambda: tj.scan(body, 0.0, x),
        lambda: tj.jit(lambda x: tj.scan(body, 0.0, x))(x),
        lambda: tj.vmap(lambda x: body(1.0, x)[0])(x),
        lambda: tj.while_loop(lambda s: s < 3.0, lambda s: body(s, 1.0)[0], 0.0),
    ):
        with pytest.raises(tj.LeakedTracerError, match=r"test_rebinding.py.*`simulation.last` is bound .*make it part of the loop's state"):
            f()
        check(vars(simulation), start)
    tj.eval_shape(body, 0.0, 1.0)
    check(vars(simulation), start)


def test_objects_that_hold_traced_values_are_refused():
    class Holder:
        pass

    holder = Holder()

    def f(x):
        inner = Holder()
        inner.value = x * 2.0
        holder.inner = inner
        return x

    with pytest.raises(tj.TracejitError, match="`holder.inner` is bound to a Holder that holds a traced value .*test_rebinding.py"):
        tj.jit(f)(np.ones(2))
    assert not hasattr(holder, "inner")


def test_ahead_of_time_is_refused():
    simulation = Simulation()
    with pytest.raises(tj.TracejitError, match="binds `.*before` anew"):
        tj.jit(simulation.step).lower(DT)
