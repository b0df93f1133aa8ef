"""The grid: every operation, on every dtype it takes, on broadcast, empty, 0-d and size-one shapes and on strided views, through one checker."""
from __future__ import annotations

import numpy as np
import pytest

from tracejit.ops.core import by_name

from . import checker
from .cases import DTYPES, MORE_DTYPES, rows

FLOAT, COMPLEX, SINGLE = np.dtype(np.float64), np.dtype(np.complex128), np.dtype(np.float32)
ops = pytest.mark.parametrize("name", sorted(rows))


def applications(name: str, dtypes, rounds: int = 1):
    """Each case of the op with each of the dtypes it takes: the case, its arguments, and a function that makes more like them."""
    for case in rows[name]:
        for dtype in dtypes:
            if not case.accepts(dtype):
                continue
            rng = np.random.default_rng(7)
            for _ in range(rounds):
                yield case, case.make(rng, dtype), lambda case=case, rng=rng, dtype=dtype: case.make(rng, dtype)


def test_every_op_has_a_row():
    assert {name for name in by_name if "." not in name} == set(rows)  # names with a dot are of the users' own operations


@ops
def test_some_dtype_is_accepted(name):
    assert list(applications(name, DTYPES))


@ops
def test_type_rule_agrees_with_run(name):
    for case, args, _ in applications(name, DTYPES):
        checker.type_rule(case, args)


@ops
def test_memory_layout_does_not_matter(name):
    for case, args, _ in applications(name, DTYPES):
        checker.layouts(case, args)


@ops
def test_derivatives(name):
    for case, args, _ in applications(name, (FLOAT, COMPLEX)):
        if case.smooth and checker.has_tangent(case, args):
            checker.gradients(case, args)


@ops
def test_tangents_have_the_types_of_their_values(name):
    for case, args, _ in applications(name, (SINGLE, np.dtype(np.complex64), np.dtype(np.int64))):
        if args:
            checker.tangent_types(case, args)


@ops
def test_batching_is_a_loop(name):
    for case, args, make in applications(name, (FLOAT, np.dtype(np.int64), np.dtype(bool))):
        if args:
            checker.batching(case, make)


@ops
def test_printed_source_runs(name):
    for case, args, _ in applications(name, DTYPES):
        checker.printed(case, args)


@ops
def test_local_identities_keep_value_and_type(name):
    special = [0, 1, 2, 3, 4, -1, 0.5, -0.0, np.inf, np.nan, True, False]
    for case, args, _ in applications(name, DTYPES):
        with np.errstate(all="ignore"):
            dtypes = {np.asarray(a).dtype for a in args}
            literals = [np.asarray(v).astype(d)[()] for d in dtypes for v in special if np.isfinite(v) or d.kind in "fc"]
        checker.identities(case, args, literals)


@ops
def test_compiled_is_run(name):
    for case, args, _ in applications(name, (FLOAT, SINGLE, COMPLEX, np.dtype(np.complex64), np.dtype(np.int64), np.dtype(bool))):
        checker.compiled(case, args)


@ops
def test_compiled_gradient(name):
    for case, args, _ in applications(name, (FLOAT, COMPLEX)):
        if case.smooth and checker.has_tangent(case, args):
            checker.compiled_gradient(case, args)


@pytest.mark.slow
@ops
def test_sweep(name):
    """More dtypes, more random arguments."""
    for case, args, make in applications(name, (*DTYPES, *MORE_DTYPES), rounds=5):
        checker.type_rule(case, args)
        checker.layouts(case, args)
        checker.printed(case, args)
        if args:
            checker.batching(case, make)
        if case.smooth and args and args[0].dtype in (FLOAT, COMPLEX) and checker.has_tangent(case, args):
            checker.gradients(case, args)
        checker.compiled(case, args)
