"""Random programs, their gradients and their batches as kernels, planned as for a very small device: every kind of launch comes up at sizes at
which a value is checked in no time."""

from __future__ import annotations

import numpy as np
import optree
import pytest
from hypothesis import given

import tracejit as tj
from tests.cuda.host_target import TARGET, WholeWarps, compiled
from tests.test_random_programs import close, programs, quick, thorough
from tracejit.lowering.cuda.on_host import HostKernel
from tracejit.lowering.cuda.program import Target
from tracejit.lowering.cuda.schedule import SIMULATED


class NarrowWarps(WholeWarps):
    """With warps of four lanes."""

    def load(self, source, name, parameters):
        return HostKernel(source, name, parameters, warp=SIMULATED.warp)


TARGETS = {"large": TARGET, "small": Target(NarrowWarps(), SIMULATED._replace(tile=2, large=12, short=2))}


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
