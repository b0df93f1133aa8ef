"""Equal values and gradients plain, lifted, and lifted under `jit`, over inputs that take every path."""

import numpy as np
import pytest

import tracejit as tj

from .branching_programs import PROGRAMS

CASES = [pytest.param(f, args, statics, id=f"{f.__name__}-{i}") for f, cases, statics in PROGRAMS for i, args in enumerate(cases)]


def copied(args):
    return [a.copy() if isinstance(a, np.ndarray) else a for a in args]


def assert_equal(found, wanted):
    a, b = tj.tree.leaves(found), tj.tree.leaves(wanted)
    assert len(a) == len(b)
    for x, y in zip(a, b):
        assert np.asarray(x).dtype == np.asarray(y).dtype
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("f, args, statics", CASES)
def test_values(f, args, statics):
    given = copied(args)
    wanted = f(*given)
    lifted = tj.lift(f)
    for g in (lifted, tj.jit(lifted, static_argnums=statics)):
        mine = copied(args)
        assert_equal(g(*mine), wanted)
        assert_equal(mine, given)


@pytest.mark.parametrize("f, args, statics", CASES)
def test_gradients(f, args, statics):
    numbers = [i for i, a in enumerate(args) if isinstance(a, (float, np.ndarray))]

    def loss_of(g):
        def loss(*moving):
            everything = list(args)
            for i, a in zip(numbers, moving):
                everything[i] = a
            return sum(np.sum(np.sin(leaf) * (k + 1)) for k, leaf in enumerate(tj.tree.leaves(g(*everything))))

        return loss

    moving = [args[i] for i in numbers]
    every = tuple(range(len(moving)))
    wanted = tj.grad(loss_of(f), every)(*moving)
    lifted = loss_of(tj.lift(f))
    assert_equal(tj.jit(tj.grad(lifted, every))(*moving), wanted)
    assert_equal(tj.grad(lifted, every)(*moving), wanted)
