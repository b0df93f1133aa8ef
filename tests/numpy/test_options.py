"""Functions with their options, on every kind of dtype: shape, dtype, value and error are NumPy's."""

import numpy as np
import pytest

import tracejit.numpy  # noqa: F401

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4))
T = RNG.standard_normal((2, 3, 4))
MASK = RNG.random((3, 4)) < 0.5
INPUTS = {"f8": X, "i8": RNG.integers(-5, 9, (3, 4)), "bool": MASK, "c16": X + 1j * X[::-1], "f4": X.astype("f4"),
          "u1": RNG.integers(0, 9, (3, 4)).astype("u1")}
LINE = np.arange(4.0)

CALLS = {
    "round": lambda v: np.round(v, 1),
    "round to tens": lambda v: np.around(v, -1),
    "fix": np.fix,
    "cross in the plane": lambda v: np.cross(v[:, :2], v[:, 1:3]),
    "cross": lambda v: np.cross(v[:, :3], v[:, 1:4]),
    "cross of mixed": lambda v: np.cross(v[:, :2], v[:, 1:4]),
    "linalg.cross in the plane": lambda v: np.linalg.cross(v[:, :2], v[:, 1:3]),
    "diff": lambda v: np.diff(v, n=2, axis=0, prepend=v[:1]),
    "ediff1d": lambda v: np.ediff1d(v, to_begin=v[0, 0], to_end=[v[0, 1]]),
    "trapezoid": lambda v: np.trapezoid(v, LINE, axis=1),
    "take": lambda v: np.take(v, [[0, 1], [2, 2]], axis=1),
    "take and wrap": lambda v: np.take(v, [5, -7], mode="wrap"),
    "take and clip": lambda v: np.take(v, [50], mode="clip"),
    "take outside": lambda v: np.take(v, 50),
    "kron": lambda v: np.kron(v, v[:2]),
    "tile": lambda v: np.tile(v, (2, 1, 2)),
    "repeat": lambda v: np.repeat(v, [1, 2, 0], axis=0),
    "block": lambda v: np.block([[v, v], [v, v]]),
    "rot90": lambda v: np.rot90(v, 3),
    "tril": lambda v: np.tril(v, -1),
    "diag": lambda v: np.diag(v[0], 1),
    "trace": lambda v: np.trace(v, 1),
    "insert several": lambda v: np.insert(v, [1, 2], 7, axis=1),
    "insert a column": lambda v: np.insert(v, 1, v[0, :3], axis=1),
    "delete": lambda v: np.delete(v, [0, 2], axis=0),
    "delete a slice": lambda v: np.delete(v, slice(None, None, 2)),
    "delete by mask": lambda v: np.delete(v, np.array([True, False, True]), axis=0),
    "append": lambda v: np.append(v, v, axis=0),
    "linspace": lambda v: np.linspace(v[0], v[1], 4, axis=1),
    "einsum": lambda v: np.einsum("ij,kj->ik", v, v),
    "einsum of one": lambda v: np.einsum("ij->j", v),
    "einsum of three": lambda v: np.einsum("ij,ij,ij->i", v, v, v),
    "tensordot": lambda v: np.tensordot(v, v, axes=([0], [0])),
    "polyval": lambda v: np.polyval(v[0], v[1]),
    "piecewise": lambda v: np.piecewise(v, [v == v[0, 0]], [1, 0]),
    "isclose": lambda v: np.isclose(v, v[0]),
    "roll": lambda v: np.roll(v, (1, 2), axis=(0, 1)),
    "choose": lambda v: np.choose([[0], [1], [2]], [v, v[::-1], v[0]]),
    "compress": lambda v: np.compress([1, 0, 1], v, axis=0),
    "extract": lambda v: np.extract(MASK, v),
    "angle": np.angle,
    "real": np.real,
    "imag": np.imag,
    "sinc": np.sinc,
    "vecdot": lambda v: np.vecdot(v, v, axis=0),
    "vdot": lambda v: np.vdot(v, v),
    "cumulative_sum": lambda v: np.cumulative_sum(v, axis=1, include_initial=True),
    "cumulative_sum of all": np.cumulative_sum,
    "sort all": lambda v: np.sort(v, axis=None),
    "argsort": lambda v: np.argsort(v, axis=0, kind="stable"),
    "any": lambda v: np.any(v, axis=1, keepdims=True, where=MASK),
    "all": lambda v: np.all(v, axis=(0, 1), where=MASK),
    "count_nonzero": lambda v: np.count_nonzero(v, axis=1, keepdims=True),
    "average": lambda v: np.average(v, weights=LINE, axis=1, returned=True, keepdims=True),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_call(agrees, call):
    for x in INPUTS.values():
        agrees(call, x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "nansum", "nanprod", "nanmean", "nanvar", "nanstd"])
def test_reduction(agrees, name):
    f = getattr(np, name)
    for x in INPUTS.values():
        agrees(lambda v: f(v, axis=(0, 1)), x, rtol=1e-5)
        agrees(lambda v: f(v, axis=-1, keepdims=True, where=MASK), x, rtol=1e-5)
        agrees(lambda v: f(v, axis=0, dtype=np.complex128), x, rtol=1e-6)
        agrees(lambda v: f(v, axis=()), x, rtol=1e-5)


def test_extrema(agrees):
    agrees(lambda v: np.max(v, axis=(0, 2), initial=0), T)
    agrees(lambda v: np.min(v, axis=1, where=v > 0, initial=9.0), T)
    agrees(lambda v: np.max(v, where=v > 0), T)
    agrees(lambda v: np.argmax(v, axis=1, keepdims=True), T)
    agrees(lambda v: v.clip(0, 1).round(1).argmin(), T)


def test_axes_of_products(agrees):
    agrees(lambda v: np.matmul(v, v, axes=[(0, 1), (1, 0), (0, 1)]), X)
    agrees(lambda v: np.matmul(v, v, axes=[(2, 1), (1, 2), (1, 0)]), T)
    agrees(lambda v: np.vecdot(v, v, axes=[0, 0, ()]), X)
    agrees(lambda v: np.vecdot(v, v, axis=0), T)
    agrees(lambda v: np.vecdot(v, v, axis=0, keepdims=True), X[0])
    agrees(lambda v: np.matvec(v, v[0], axes=[(0, 1), 0, 0]), X)
    agrees(lambda v: np.vecdot(v, v, axis=0, axes=[0, 0, ()]), X)


@pytest.mark.parametrize("x", [np.zeros((0, 4)), np.zeros(0), np.float64(1.5), np.ones(1)], ids=lambda x: str(x.shape))
def test_nothing_and_numbers(agrees, x):
    for f in (np.argsort, np.median, np.nanmedian, np.cumsum, np.diff, np.unwrap, np.histogram, np.ediff1d, np.ptp, np.vander, np.poly, np.sort,
              np.lexsort, np.sort_complex, np.cov, np.block, np.flip, np.nanmax, np.argmax, np.trapezoid, np.packbits, np.bincount):
        agrees(f, x)
    agrees(lambda v: np.quantile(v, 0.5), x)
    agrees(lambda v: np.nanquantile(v, 0.5), x)
    agrees(lambda v: np.partition(v, 0), x)
    agrees(lambda v: np.apply_over_axes(np.sum, v, 0), x)
    agrees(lambda v: np.convolve(v, v), x)
    agrees(lambda v: np.interp(v, [0.0, 1], [2.0, 3]), x)


def test_whole_quantiles_stay_integers(agrees):
    for q in (0, 1, [0, 1], 0.0):
        agrees(lambda v, q=q: np.quantile(v, q, axis=1), INPUTS["i8"])


def test_methods(agrees):
    agrees(lambda v: v.argpartition(1, axis=1)[:, 1], X)
    agrees(lambda v: v.to_device("cpu"), X)
    agrees(lambda v: v.to_device("gpu"), X)
    agrees(lambda v: v * (v.device == "cpu"), X)
