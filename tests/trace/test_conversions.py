"""No silent detachment: every way in which a traced value can become something else keeps the trace, with the right value and gradient, or raises.

A row is a function as a user would write it.  In each kind of trace its value and gradient are those of NumPy and of differences, or there is an
error that names the row's line.  `KEPT` may not raise at all.  What leaves the trace on request (`CUT`) is text and `item()`.
"""

from __future__ import annotations

import array
import cmath
import copy
import ctypes
import datetime
import decimal
import fractions
import functools
import heapq
import io
import itertools
import json
import math
import operator
import pickle
import random
import statistics
import struct
import traceback

import numpy as np
import pytest

import tracejit as tj
from tracejit.errors import TracejitError
from tracejit.trace import Tracer

P = np.array([1.3, 3.9])
X, V = np.float64(0.7), np.array([2.25, 3.25])


def written(write) -> np.ndarray:
    """A plain array made outside of the sight of the trace, after `write(array)`."""
    a = P.copy()
    write(a)
    return a


# -- of a number
PYTHON = {
    "float": lambda x: float(x) * x,
    "int": lambda x: int(x + 1) * x,
    "bool": lambda x: bool(x) * x,
    "complex": lambda x: abs(complex(x)) * x,
    "operator.index": lambda x: operator.index(x) * x,
    "and": lambda x: x and 2 * x,
    "not": lambda x: (not x) + x,
    "if": lambda x: x if x > 0 else -x,
    "chained comparison": lambda x: (0 < x < 1) * x,
    "range": lambda x: len(range(x)) * x,
    "slice bound": lambda x: np.sum(P[:x]) * x,
    "list index": lambda x: [1.0, 2.0][x] * x,
    "times str": lambda x: len("a" * x) * x,
    "islice": lambda x: sum(itertools.islice([1, 2], x)) * x,
    "round": lambda x: round(x) * x,
    "round to digits": lambda x: (round(x, 2) + 1) * x,
    "divmod": lambda x: divmod(x, 2)[1] * x,
    "divmod reflected": lambda x: divmod(2, x)[1] * x,
    "pow": lambda x: pow(x, 2) * x,
    "pow of three": lambda x: pow(x, 2, 5) * x,
    "abs": lambda x: abs(x) * x,
    "sum": lambda x: sum([x, x]) * x,
    "min": lambda x: min(x, 9.0) * x,
    "max": lambda x: max(x, 0.1) * x,
    "sorted": lambda x: sorted([x, 0.1])[0] * x,
    "hash": lambda x: hash(x) * x,
    "dict key": lambda x: {x: 2.0}[x] * x,
    "set": lambda x: len({x, x}) * x,
    "lru_cache": lambda x: functools.lru_cache(lambda v: v)(x) * x,
    "==": lambda x: (x == x) * x,
    "in": lambda x: (x in [1.0, 2.0]) * x,
    "list.count": lambda x: [1.0, 0.5].count(x) * x,
    "list ==": lambda x: ([x] == [0.5]) * x,
    "tuple ==": lambda x: ((x,) == (0.5,)) * x,
    "list of number": lambda x: list(x)[0] * x,
    "heapq": lambda x: heapq.nlargest(1, [x, 0.1])[0] * x,
    "copy": lambda x: copy.copy(x) * x,
    "deepcopy": lambda x: copy.deepcopy([x])[0] * x,
    "print": lambda x: (print(x, file=io.StringIO()), x)[1] * x,
}
STANDARD_LIBRARY = {
    **{
        f"math.{f.__name__}": lambda x, f=f: f(x) * x
        for f in (math.sin, math.floor, math.ceil, math.trunc, math.exp, math.isnan, math.sqrt, math.gamma)
    },
    "math.fsum": lambda x: math.fsum([x, x]) * x,
    "math.pow": lambda x: math.pow(x, 2) * x,
    "math.hypot": lambda x: math.hypot(x, x) * x,
    "math.isclose": lambda x: math.isclose(x, x) * x,
    "math.dist": lambda x: math.dist([x], [x]) * x,
    "math.prod": lambda x: math.prod([x, x]) * x,
    "cmath.exp": lambda x: abs(cmath.exp(x)) * x,
    "statistics.mean": lambda x: statistics.mean([x, x]) * x,
    "statistics.fmean": lambda x: statistics.fmean([x, x]) * x,
    "statistics.stdev": lambda x: statistics.stdev([x, 2 * x, 3 * x]) * x,
    "statistics.median": lambda x: statistics.median([x, 2 * x]) * x,
    "json.dumps": lambda x: json.loads(json.dumps([x]))[0] * x,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)) * x,
    "struct.pack": lambda x: struct.unpack("d", struct.pack("d", x))[0] * x,
    "c_double": lambda x: ctypes.c_double(x).value * x,
    "random.uniform": lambda x: random.uniform(x, x) * x,
    "random.gauss": lambda x: random.gauss(x, 0.0) * x,
    "Fraction": lambda x: float(fractions.Fraction(x)) * x,
    "Decimal": lambda x: float(decimal.Decimal(x)) * x,
    "timedelta": lambda x: datetime.timedelta(hours=x).total_seconds() * x,
    "memoryview": lambda x: len(memoryview(x)) * x,
    "bytes": lambda x: len(bytes(x)) * x,
    "bytearray": lambda x: len(bytearray(x)) * x,
    "array.array": lambda x: array.array("d", [x])[0] * x,
}
NUMPY = {
    "np.array": lambda x: np.array(x) * x,
    "np.asarray": lambda x: np.asarray(x) * x,
    "np.asanyarray": lambda x: np.asanyarray(x) * x,
    "np.ascontiguousarray": lambda x: np.ascontiguousarray(x).sum() * x,
    "np.array of a list": lambda x: np.array([x, x]).sum() * x,
    "np.array of lists": lambda x: np.array([[x, 1.0], [0.0, x]]).sum() * x,
    "np.array with an object dtype": lambda x: np.array([x], dtype=object)[0] * x,
    "np.fromiter": lambda x: np.fromiter([x, x], float).sum() * x,
    "np.frombuffer": lambda x: np.frombuffer(x)[0] * x,
    "np.float64": lambda x: np.float64(x) * x,
    "np.float32": lambda x: np.float32(x) * x,
    "np.int64": lambda x: np.int64(x) * x,
    "np.float64 times": lambda x: np.float64(2.0) * x,
    "** of a number": lambda x: 2.0**x,
    "** of np.float64": lambda x: np.float64(2.0) ** x,
    "np.full": lambda x: np.full(2, x).sum() * x,
    "np.linspace": lambda x: np.linspace(0, x, 3).sum() * x,
    "np.arange": lambda x: np.arange(x, 2.0).sum() * x,
    "np.vectorize": lambda x: np.vectorize(lambda v: v * v)(x) * x,
    "np.frompyfunc": lambda x: np.frompyfunc(lambda v: v * v, 1, 1)(x) * x,
    "np.save": lambda x: np.save(io.BytesIO(), x),
    "np.savetxt": lambda x: np.savetxt(io.StringIO(), [x]),
    "np.nditer": lambda x: sum(map(float, np.nditer(x))) * x,
    "np.ndenumerate": lambda x: sum(v for _, v in np.ndenumerate(x)) * x,
    "np.require": lambda x: np.require(x) * x,
    "np.ma": lambda x: np.ma.array([x]).sum() * x,
    "np.poly1d": lambda x: np.poly1d([x, 1.0])(2.0) * x,
    "np.r_": lambda x: np.r_[x, 1.0].sum() * x,
    "np.ndarray(buffer=)": lambda x: np.ndarray((1,), buffer=x)[0] * x,
    "np.random": lambda x: np.random.default_rng(0).normal(x, 0.0) * x,
    "astype(int)": lambda x: (x + 1).astype(int) * x,
    "np.block": lambda x: np.block([x, x]).sum() * x,
    "np.interp": lambda x: np.interp(x, [0.0, 2.0], [0.0, 4.0]) * x,
}
# -- of an array
SEQUENCES = {
    "for": lambda v: sum(a * a for a in v),
    "unpacking": lambda v: (lambda a, b: a * b)(*v),
    "starred": lambda v: (lambda a, *rest: a * rest[0])(*v),
    "reversed": lambda v: list(reversed(v))[0] * v[0],
    "zip": lambda v: sum(a * b for a, b in zip(v, v)),
    "enumerate": lambda v: sum(i * a for i, a in enumerate(v)),
    "list": lambda v: sum(list(v)),
    "tuple": lambda v: sum(tuple(v)),
    "sum of": lambda v: sum(v) * v[0],
    "map": lambda v: sum(map(np.sin, v)),
    "len": lambda v: len(v) * v[0],
    "chain": lambda v: sum(itertools.chain(v, v)),
    "accumulate": lambda v: list(itertools.accumulate(v))[-1] * v[0],
    "reduce": lambda v: functools.reduce(operator.mul, v),
    "math.prod of": lambda v: math.prod(v),
    "dict": lambda v: dict(enumerate(v))[0] * v[0],
    "sorted array": lambda v: sorted(v)[0] * v[1],
    "min of": lambda v: min(v) * v[1],
    "max of": lambda v: max(v) * v[0],
    "any": lambda v: any(v) * v[0],
    "all": lambda v: all(v) * v[0],
    "number in array": lambda v: (2.0 in v) * v[0],
    "element in list": lambda v: (v[0] in [1.0, 2.0]) * v[0],
    "fsum of": lambda v: math.fsum(v) * v[0],
    "mean of": lambda v: statistics.mean(v) * v[0],
    "bytes of": lambda v: len(bytes(v)) * v[0],
    "memoryview of": lambda v: memoryview(v)[0] * v[0],
    "array.array of": lambda v: array.array("d", v)[0] * v[0],
    "json of": lambda v: json.dumps(list(v)),
    "np.fromiter of": lambda v: np.fromiter(v, float).sum() * v[0],
    "np.array of elements": lambda v: np.array(list(v)).sum() * v[0],
    "struct of": lambda v: struct.pack("2d", *v)[0] * v[0],
    "ctypes of": lambda v: (ctypes.c_double * 2)(*v)[0] * v[0],
    **{name: lambda v, name=name: getattr(v, name) for name in ("data", "ctypes", "base", "__array_interface__")},
    **{f"{name}()": lambda v, name=name: getattr(v, name)() for name in ("tobytes", "dumps", "byteswap")},
    "tofile": lambda v: v.tofile(io.BytesIO()),
    "from_dlpack": lambda v: np.from_dlpack(v).sum() * v[0],
}
PLAIN = {
    "plain.dot": lambda v: P.dot(v) * v[0],
    "plain @": lambda v: (P @ v) * v[0],
    "plain.clip": lambda v: P.clip(v[0], v[1]).sum(),
    "plain +": lambda v: (P + v) @ v,
    "plain.take": lambda v: P.take(v) * v[0],
    "plain.choose": lambda v: np.array([0, 1]).choose([v[0], v[1]]).sum(),
    "plain.searchsorted": lambda v: P.searchsorted(v).sum() * v[0],
    "plain.sum(initial=)": lambda v: P.sum(initial=v[0]),
    "plain.prod(initial=)": lambda v: P.prod(initial=v[0]),
    "plain.max(initial=)": lambda v: P.max(initial=v[1] * 2),
    "plain[mask]": lambda v: P[v > 3].sum() * v[0],
    "plain.compress": lambda v: P.compress(v > 3).sum() * v[0],
    "plain.repeat": lambda v: P.repeat(v.astype(int)).sum() * v[0],
    "plain[integers]": lambda v: P[v.astype(int) - 2].sum() * v[0],
    "plain.item(integer)": lambda v: P.item(v.astype(int)[0] - 2) * v[0],
    "plain[i] =": lambda v: written(lambda a: a.__setitem__(0, v[0])) @ v,
    "plain[:] =": lambda v: written(lambda a: a.__setitem__(slice(None), v)) @ v,
    "plain[i] +=": lambda v: written(lambda a: operator.setitem(a, 0, a[0] + v[0])) @ v,
    "plain[mask] =": lambda v: written(lambda a: operator.setitem(a, v > 3, 0.0)) @ v,
    "plain +=": lambda v: written(lambda a: operator.iadd(a, v)) @ v,
    "plain *=": lambda v: written(lambda a: operator.imul(a, v)) @ v,
    "plain.fill": lambda v: written(lambda a: a.fill(v[0])) @ v,
    "plain.put": lambda v: written(lambda a: a.put([0], v[0])) @ v,
    "plain.flat[i] =": lambda v: written(lambda a: operator.setitem(a.flat, 0, v[0])) @ v,
    "plain.real =": lambda v: written(lambda a: setattr(a, "real", v)) @ v,
    "plain.setfield": lambda v: written(lambda a: a.setfield(v, np.float64)) @ v,
    "np.add.at": lambda v: written(lambda a: np.add.at(a, [0], v[0])) @ v,
    "np.copyto": lambda v: written(lambda a: np.copyto(a, v)) @ v,
    "np.place": lambda v: written(lambda a: np.place(a, [True, True], v)) @ v,
    "np.putmask": lambda v: written(lambda a: np.putmask(a, [True, False], v)) @ v,
    "np.put": lambda v: written(lambda a: np.put(a, [0], v[0])) @ v,
    "out=": lambda v: written(lambda a: np.add(v, v, out=a)) @ v,
    "out= of a function": lambda v: written(lambda a: np.dot(np.eye(2), v, out=a)) @ v,
    "out= with where=": lambda v: written(lambda a: np.add(P, P, where=v > 3, out=a)) @ v,
    "np.insert": lambda v: np.insert(P, 0, v[0]).sum() * v[0],
    "np.pad": lambda v: np.pad(P, 1, constant_values=v[0]).sum() * v[0],
    "np.append": lambda v: np.append(P, v) @ np.append(v, P),
    "np.full_like": lambda v: np.full_like(P, v[0]) @ v,
    "np.where": lambda v: np.where(P > 2, P, v) @ v,
    "np.einsum": lambda v: np.einsum("i,i", P, v) * v[0],
    "np.add.outer": lambda v: np.add.outer(P, v).sum() * v[0],
    "np.convolve": lambda v: np.convolve(P, v) @ np.ones(3) * v[0],
    "np.histogram": lambda v: np.histogram(P, bins=v)[0].sum() * v[0],
    "np.isin": lambda v: np.isin(P, v).sum() * v[0],
}
ROWS = {
    **{n: (f, X) for t in (PYTHON, STANDARD_LIBRARY, NUMPY) for n, f in t.items()},
    **{n: (f, V) for t in (SEQUENCES, PLAIN) for n, f in t.items()},
}
# These work in every kind of trace.
KEPT = {
    "round to digits", "divmod", "divmod reflected", "pow", "abs", "sum", "==", "copy", "deepcopy", "print", "math.prod", "np.array", "np.asarray",
    "np.asanyarray", "np.ascontiguousarray", "np.array of a list", "np.array of lists", "np.float64 times", "** of a number", "** of np.float64",
    "np.full", "np.linspace", "astype(int)", "np.block", "np.interp", "for", "unpacking", "starred", "reversed", "zip", "enumerate", "list", "tuple",
    "sum of", "map", "len", "chain", "accumulate", "reduce", "math.prod of", "dict", "np.array of elements", "plain @", "plain +", "plain.choose",
    "np.append", "np.where", "np.einsum", "np.add.outer", "np.convolve", "np.insert",
}  # fmt: skip
# These ask for a truth or an integer: they work where values are known, and under `jit` by guards; not under `vmap`.
ASKED = {
    "int", "bool", "and", "not", "if", "chained comparison", "min", "max", "sorted", "heapq", "sorted array", "min of", "max of", "any", "all",
}  # fmt: skip


def test_every_row_has_a_name_of_its_own():
    assert len(ROWS) == sum(map(len, (PYTHON, STANDARD_LIBRARY, NUMPY, SEQUENCES, PLAIN))) and KEPT | ASKED <= set(ROWS)


def as_written(name: str):
    """The value and the gradient of a row without a trace; None where NumPy raises."""
    f, x = ROWS[name]
    if name in ("json of", "np.save", "np.savetxt", "data", "ctypes", "base", "__array_interface__"):
        return None
    try:
        value, slope, h = f(x), np.zeros(np.shape(x)), 1e-6
        for at in np.ndindex(slope.shape):
            step = np.zeros(slope.shape)
            step[at] = h
            slope[at] = (f((x + step)[()]) - f((x - step)[()])) / (2 * h)
        return float(value), slope
    except (TypeError, ValueError, AttributeError, IndexError, KeyError, OverflowError):
        return None


def names_the_line(error: BaseException) -> bool:
    """Whether the error tells the row's line: in its message, or if it is not one of tracejit's by where it was raised."""
    if isinstance(error, TracejitError):
        return str(error).startswith(f"{__file__}:")
    return any(frame.filename == __file__ for frame in traceback.extract_tb(error.__traceback__)[1:])


KINDS = {
    "grad": lambda f, x: tj.value_and_grad(f)(x),
    "jvp": lambda f, x: (tj.jvp(f, (x,), (np.ones_like(x),))[0], None),
    "jit": lambda f, x: (tj.jit(f)(x), None),
    "jit of grad": lambda f, x: tj.jit(tj.value_and_grad(f))(x),
    "vmap": lambda f, x: [r[0] for r in tj.vmap(tj.value_and_grad(f))(np.stack([x, x]))],
}


@pytest.mark.parametrize("name", ROWS)
def test_row(name):
    f, x = ROWS[name]
    want = as_written(name)
    for kind, transform in KINDS.items():
        try:
            with np.errstate(all="ignore"):
                value, slope = transform(f, x)
        except Exception as error:  # any but a wrong one
            assert name not in KEPT and (name not in ASKED or kind == "vmap"), (kind, error)
            assert names_the_line(error), (kind, error)
            assert not isinstance(error, (tj.LeakedTracerError, KeyError, AssertionError)), (kind, error)
            continue
        assert want is not None, f"{kind}: {value}"
        np.testing.assert_allclose(value, want[0], rtol=1e-6, err_msg=kind)
        if slope is not None:
            np.testing.assert_allclose(slope, want[1], rtol=1e-5, atol=1e-8, err_msg=kind)


# -- what leaves the trace on request
CUT = {
    "item": lambda x: x.item(),
    "tolist": lambda x: x.tolist(),
    "format": lambda x: float(format(x, ".3f")),
    "f-string": lambda x: float(f"{x:.3f}"),
    "str.format": lambda x: float("{:.3f}".format(x)),  # noqa: UP032
    "np.array2string": lambda x: float(np.array2string(x)),
}
TEXT = {"repr": repr, "str": str, "f-string": lambda x: f"{x}", "%s": lambda x: "%s" % x, "in a list": lambda x: str([x])}  # noqa: UP031


@pytest.mark.parametrize("name", CUT)
def test_numbers_and_text_on_request(name):
    """Known values only, and no derivative flows through them, as the documentation of `item` says; without a value an error."""
    f = CUT[name]
    assert tj.value_and_grad(lambda x: f(x) * x)(X) == (pytest.approx(X * X), pytest.approx(X))
    for transform in (lambda f: tj.jit(f)(X), lambda f: tj.vmap(f)(np.stack([X, X])), lambda f: tj.jit(tj.grad(f))(X)):
        with pytest.raises((TracejitError, ValueError)) as raised:
            transform(lambda x: f(x) * x)
        assert names_the_line(raised.value)


@pytest.mark.parametrize("name", TEXT)
def test_text_is_that_of_a_traced_value(name):
    """It cannot be taken for a number."""
    for transform in (tj.grad, tj.jit, lambda f: lambda x: tj.vmap(f)(np.stack([x, x]))):
        seen = []
        transform(lambda x: (seen.append(TEXT[name](x)), x * 1.0)[1])(X)
        assert all("traced float64[]" in text for text in seen)
        with pytest.raises(ValueError):
            float(seen[0])


def test_a_traced_value_has_no_protocol_of_memory():
    for protocol in ("__array_interface__", "__array_struct__", "__buffer__", "__cuda_array_interface__", "__float64__"):
        assert not hasattr(Tracer, protocol)
    tj.jit(lambda x: (hasattr(x, "__array_interface__") and 1 / 0) or x)(X)
