"""Random programs, their gradients and their batches as kernels, planned as for a very small device: every kind of launch comes up at sizes at
which a value is checked in no time."""

from __future__ import annotations

import numpy as np
import optree
import pytest
from hypothesis import given

import tracejit as tj
from tests.cuda.host_target import TARGET, compiled
from tests.cuda.interleaved import TARGETS as INTERLEAVED
from tests.test_random_programs import close, programs, quick, thorough
from tracejit.lowering.cuda.program import Target

# The small one's threads take turns behind every store.
TARGETS = {"large": TARGET, "small": INTERLEAVED["small"]}


def check(target: Target, f, *args) -> None:
    with np.errstate(all="ignore"):
        wanted = optree.tree_leaves(f(*args))
        _, results = compiled(f, *args, target=target)
    close(results, wanted, "kernels")


def squares(program):
    """The sum of the squares of a program's results."""
    return lambda *inputs: sum((np.sum(np.real(y * np.conj(y))) for y in program(*inputs)), 0.0)


def gradient(program):
    return tj.grad(squares(program), argnums=tuple(range(len(program.inputs))))


@pytest.mark.parametrize("size", TARGETS)
@quick(40)
@given(program=programs())
def test_values(size, program):
    check(TARGETS[size], program, *program.inputs)


@pytest.mark.parametrize("size", TARGETS)
@quick(25)
@given(program=programs(most=6))
def test_gradients(size, program):
    check(TARGETS[size], gradient(program), *program.inputs)


@pytest.mark.slow
@pytest.mark.parametrize("size", TARGETS)
@thorough(400)
@given(program=programs(most=15))
def test_many(size, program):
    check(TARGETS[size], program, *program.inputs)
    check(TARGETS[size], gradient(program), *program.inputs)
