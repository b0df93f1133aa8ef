"""Every operation compiled for the device, step by step on it, and its derivatives: against NumPy on the host."""

import numpy as np
import pytest

import tracejit as tj
from tests.ops import checker
from tests.ops.cases import rows
from tracejit.cuda.backend import backend
from tracejit.cuda.programs import make
from tracejit.ir import Builder, array_type

FLOAT = np.dtype(np.float64)
USUAL = [np.dtype(d) for d in ("bool", "int64", "float64")]
OTHERS = [np.dtype(d) for d in ("uint8", "int32", "float32", "complex128", "int8", "int16", "uint16", "uint32", "uint64", "float16", "complex64")]
ops = pytest.mark.parametrize("name", sorted(rows))


def applications(name, dtypes, most):
    """Cases of the op with arguments of the dtypes that it takes, at most so many for each of these."""
    for dtype in dtypes:
        found = 0
        for case in rows[name]:
            if found < most and case.accepts(dtype):
                found += 1
                yield case, case.make(np.random.default_rng(7), dtype)


def reference(case, args):
    """The results on the host, as a list; None where there are none."""
    try:
        with np.errstate(all="ignore"):
            made = case.op.run(np, *args, **case.params)
    except (ValueError, ZeroDivisionError, np.linalg.LinAlgError):
        return None
    return list(made) if case.op.multiple else [made]


def compare(got, want, what):
    assert len(got) == len(want)
    for g, w in zip(got, want):
        w = np.asarray(w)
        assert backend().is_device_array(g), what
        assert (g.shape, g.dtype) == (w.shape, w.dtype), what
        size = w.dtype.itemsize // (2 if w.dtype.kind == "c" else 1)
        digits = {2: 2e-3, 4: 1e-5}.get(size, 1e-11) if w.dtype.kind in "fc" else 0
        scale = np.max(np.abs(w), initial=0.0, where=np.isfinite(w)) if digits else 0
        np.testing.assert_allclose(g.get(), w, rtol=digits, atol=digits * max(1.0, float(scale)), err_msg=str(what))


def compiled(case, args):
    """The results of a program of the one operation."""
    builder = Builder()
    inputs = tuple(builder.input(array_type(a).strong) for a in args)
    graph = builder.finish(tuple(builder.emit(case.op, inputs, case.params)))
    return make(graph).run([backend().from_host(a) for a in args])


@ops
def test_compiled(name):
    for case, args in applications(name, USUAL, 1):
        want = reference(case, args)
        if want is not None:
            compare(compiled(case, args), want, case)


@pytest.mark.slow
@ops
def test_compiled_on_all_dtypes(name):
    for case, args in applications(name, [*USUAL, *OTHERS], 100):
        want = reference(case, args)
        if want is not None:
            compare(compiled(case, args), want, (case, [a.dtype for a in args]))


@ops
def test_step_by_step(name):
    for case, args in applications(name, USUAL, 2):
        want = reference(case, args)
        if want is not None and args:
            made = backend().run(case.op, [backend().from_host(a) for a in args], case.params)
            compare(made if case.op.multiple else [made], want, case)


@ops
def test_derivatives(name):
    for case, args in applications(name, [FLOAT], 1):
        if not case.smooth or not checker.has_tangent(case, args) or name in ("pure_callback", "callback"):
            continue
        fixed, args = args[: case.fixed], args[case.fixed :]
        rng = np.random.default_rng(3)
        along = lambda x, rng=rng: rng.standard_normal(np.shape(x)).astype(x.dtype)[()] if x.dtype.kind in "fc" else np.zeros_like(x)
        tangents = tuple(map(along, args))

        def push(args, tangents, fixed, case=case):
            return tj.jvp(lambda *a: case.op(*fixed, *a, **case.params), args, tangents)

        def pull(args, ct, fixed, case=case):
            return tj.vjp(lambda *a: case.op(*fixed, *a, **case.params), *args)[1](ct)

        want = push(args, tangents, fixed)
        ct = tj.tree.map(along, want[0])
        for f, given in ((push, (args, tangents, fixed)), (pull, (args, ct, fixed))):
            want = tj.tree.leaves(f(*given))
            compare(tj.tree.leaves(tj.jit(f, target="cuda")(*given)), want, case)
            compare(tj.tree.leaves(f(*tj.device_put(given))), want, case)
