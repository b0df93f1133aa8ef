"""Numbers that NumPy draws while a function is traced for `jit`: a warning says that they stay."""

import random
import warnings

import numpy as np
import pytest

import tracejit as tj

RNG = np.random.default_rng(0)
STATE = np.random.RandomState(0)


class Noisy:
    def __init__(self):
        self.rng = np.random.default_rng(1)

    def __call__(self, x):
        return x + self.rng.normal()


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda x: x + np.random.rand(), "np.random"),
        (lambda x: x + RNG.normal(size=2).sum(), "RNG"),
        (lambda x: x + STATE.uniform(), "STATE"),
        (lambda x: x + random.random(), "random"),
        (Noisy(), "rng"),
    ],
)
def test_draws_are_told(f, name):
    compiled = tj.jit(f)
    with pytest.warns(RuntimeWarning, match=rf"test_plain_draws.py.*{name}` drew numbers while the function was traced.*tracejit.random.default_rng"):
        first = compiled(1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiled(1.0) == compiled(1.0) == first


def test_nothing_is_said_of_others():
    generator = tj.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RNG.normal()
        tj.jit(lambda x: x + generator.normal())(1.0)
        tj.jit(lambda x: x + np.random.default_rng(3).normal(size=2))(np.ones(2))
        tj.grad(lambda x: x * RNG.normal())(1.0)
