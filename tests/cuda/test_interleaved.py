"""Kernels whose threads take turns after every store."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from tests.cuda.host_target import check
from tests.cuda.interleaved import TARGETS
from tests.cuda.test_random_programs import check as check_program
from tests.test_random_programs import programs, quick


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("size", TARGETS)
def test_short_rows_in_one_block_each_have_memory_of_their_own(size):
    check(softmax, np.random.default_rng(0).normal(size=(50, 4)), target=TARGETS[size])


@quick(12)
@given(program=programs())
def test_random_programs(program):
    check_program(TARGETS["large"], program, *program.inputs)
