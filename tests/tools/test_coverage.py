"""How much of NumPy is traced does not fall."""

import numpy as np
import pytest

from tracejit.tools import coverage

# What there is now, for NumPy 2.4: raise the numbers when they rise.
LEAST = {"ufuncs": {"traceable": 127, "differentiable": 60, "mapped": 127, "native": 88},
         "array functions": {"traceable": 286, "differentiable": 204, "mapped": 261, "native": 246}}


@pytest.fixture(scope="module")
def measured():
    return {c.title: c for c in coverage.measure()}


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.4.0", reason="other releases have other functions")
@pytest.mark.parametrize("title", LEAST)
def test_counts_do_not_fall(measured, title):
    fallen = {what: measured[title].count(what) for what, least in LEAST[title].items() if measured[title].count(what) < least}
    assert fallen == {}


def test_what_is_traced_is_right(measured):
    """An example whose derivative or batch disagrees is a bug, not a gap."""
    for found in measured.values():
        assert found.failed("differentiable") == []
        assert found.failed("mapped") == []


def test_report(measured):
    text = coverage.report(list(measured.values()))
    assert "| ufuncs | 127 |" in text or np.lib.NumpyVersion(np.__version__) < "2.4.0"
    assert "`save`" in text


def test_every_refusal_has_its_reason():
    with pytest.raises(TypeError, match="works on text"):
        coverage.jit(np.strings.isalpha)(np.ones(2))
    assert coverage.examine("numpy.lib.recfunctions.stack_arrays").refused
    assert coverage.examine("numpy.no_such_function").error == "no example"


def test_namespace_has_what_is_traced():
    import tracejit.numpy as tnp
    from tracejit.trace import dispatch
    functions = {n: f for n in np.__all__ if callable(f := getattr(np, n)) and not isinstance(f, type)}
    traced = {n for n, f in functions.items() if f in dispatch.functions or f in dispatch.ufuncs}
    assert traced <= set(tnp.__all__)
