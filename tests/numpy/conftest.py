"""`agrees(f, *args)`: f means the same on traced values as on arrays."""

import warnings

import numpy as np
import pytest

from tracejit.interpret import replay
from tracejit.ir import array_type
from tracejit.trace import Trace, Tracer


def _leaves(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def _symbolic(f, args):
    """f traced on types alone, then replayed on the arguments. What is weak is a Python number."""
    trace = Trace("test")
    try:
        leaves = _leaves(f(*[trace.input(array_type(x)) for x in args]))
        types = [(x.shape, x.dtype) if isinstance(x, Tracer) else None for x in leaves]
        graph, captured = trace.finish(leaves)
    finally:
        trace.abandon()
    values = [np.asarray(x) for x in replay(graph, [*map(np.asarray, args), *captured])]
    for value, known in zip(values, types):
        assert known is None or (value.shape, value.dtype) == known, "the type rule and the value disagree"
    return values


def _concrete(f, args):
    """f on proxies that also hold their values, as under a bare `grad`."""
    trace = Trace("test", concrete=True)
    try:
        inputs = [trace.input_value(np.asarray(x)[()]) for x in args]
        for x, given in zip(inputs, args):
            x.weak = array_type(given).weak
        return [np.asarray(trace.ambient(x.atom)) if isinstance(x, Tracer) else np.asarray(x) for x in _leaves(f(*inputs))]
    finally:
        trace.abandon()


@pytest.fixture
def agrees():
    def check(f, *args, rtol=1e-6, atol=0.0):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                expected, error = [np.asarray(x) for x in _leaves(f(*args))], None
            except Exception as e:
                expected, error = None, e
            for run in (_symbolic, _concrete):
                if error is not None:
                    wanted = TypeError if isinstance(error, TypeError) else type(error)
                    with pytest.raises(wanted):
                        run(f, args)
                    continue
                got = run(f, args)
                assert [(x.shape, x.dtype) for x in got] == [(x.shape, x.dtype) for x in expected]
                for x, y in zip(got, expected):
                    loose = rtol if x.dtype.itemsize >= 8 or x.dtype.kind not in "fc" else max(rtol, 4e-3 if x.dtype.itemsize == 2 else 2e-6)
                    np.testing.assert_allclose(x, y, rtol=loose, atol=atol)
        return error

    return check
