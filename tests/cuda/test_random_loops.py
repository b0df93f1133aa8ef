"""Random loops as kernels: products, sums, branches and further loops in their bodies, their gradients and batches, by threads that take turns at
barriers and by those that do behind every store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracejit as tj
from tests.cuda.host_target import TARGET, compiled
from tests.cuda.interleaved import TARGETS
from tests.test_random_programs import close, quick, thorough

ALL = {"device": TARGET, **TARGETS}
N = 6

# What a body does with the state h, the row x and the matrix w, written in terms of the loops and branches of depth - 1.
LEAVES = [
    "np.tanh({h} + {x})", "np.sin({h}) * 0.9", "0.5 * {h} - {x}", "np.roll({h}, 1) + 0.1 * {x}", "{h}[::-1] * 0.8", "{h} - {h}.mean()",
    "np.maximum({h}, 0.3 * {x})", "{h} / (1 + np.abs({h}).max())", "{h} * np.exp(-{x} ** 2)",
    "np.tanh(w @ {h})", "np.tanh({h} @ w + {x})", "np.outer({h}, {x}).sum(axis=0) * 0.2", "np.where({x} > 0, {h}, -{h})",
]  # fmt: skip
NESTS = [
    "tj.cond({h}.sum() > {x}[0], lambda h: {a}, lambda h: {b}, {h})",
    "tj.switch(({x}[1] * 3).astype(np.int64), [lambda h: {a}, lambda h: {b}, lambda h: h * 0.5], {h})",
    "tj.fori_loop(0, 3, lambda i, h: {a}, {h})",
    "tj.scan(lambda h, x: ({a}, h.sum()), {h}, np.stack([{x}, 2 * {x}]))[0]",
    "tj.while_loop(lambda s: (s[1] < 4) & (np.abs(s[0]).sum() > 0.2), lambda s: ((lambda h: 0.7 * ({a}))(s[0]), s[1] + 1), ({h}, 0))[0]",
]


@st.composite
def bodies(draw, depth: int = 2) -> str:
    """The code of a function of h and x."""
    text = "h"
    for _ in range(draw(st.integers(1, 3))):
        if depth and draw(st.booleans()):
            a, b = draw(bodies(depth - 1)), draw(bodies(depth - 1))
            step = draw(st.sampled_from(NESTS)).format(h="h", x="x", a=a, b=b)
        else:
            step = draw(st.sampled_from(LEAVES)).format(h="h", x="x")
        text = f"(lambda h: {step})({text})"
    return text


@dataclass
class Loop:
    text: str
    seed: int

    def __call__(self, h, xs, w):
        body: Callable = eval(f"lambda h, x: {self.text}", {"np": np, "tj": tj, "w": w})

        def step(h, x):
            h = body(h, x)
            return h, h.sum()

        return tj.scan(step, h, xs)

    def arguments(self, *batch: int) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(self.seed)
        return rng.normal(size=(*batch, N)), rng.normal(size=(*batch, 4, N)), rng.normal(size=(N, N)) / N


loops, short = (st.builds(Loop, bodies(depth), st.integers(0, 1 << 16)) for depth in (2, 1))


def check(f: Callable, args: tuple[np.ndarray, ...], target: str) -> None:
    _, results = compiled(f, *args, target=ALL[target])
    close(results, optree.tree_leaves(f(*args)), "kernels", rtol=1e-8)


def gradient(f: Callable) -> Callable:
    return tj.grad(lambda *args: sum((np.sum(y**2) for y in f(*args)), 0.0), argnums=(0, 1, 2))


def batched(f: Callable) -> Callable:
    return tj.vmap(f, in_axes=(0, 0, None))


@pytest.mark.parametrize("target", ["device", "small"])
@quick(4)
@given(loop=loops)
def test_loops(target, loop):
    check(loop, loop.arguments(), target)
    check(batched(loop), loop.arguments(7), target)


@quick(3)
@given(loop=short)
def test_gradients(loop):
    check(gradient(loop), loop.arguments(), "small")
    check(gradient(batched(loop)), loop.arguments(7), "small")


@pytest.mark.slow
@pytest.mark.parametrize("target", ALL)
@thorough(200)
@given(loop=loops)
def test_many(target, loop):
    check(loop, loop.arguments(), target)
    check(batched(loop), loop.arguments(9), target)
    check(gradient(loop), loop.arguments(), target)
    check(gradient(batched(loop)), loop.arguments(70 if target == "device" else 7), target)
