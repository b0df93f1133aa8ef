"""Reductions and statistics over dtypes, shapes and axes; NumPy's errors for wrong ones."""

import numpy as np
import pytest

import tracejit.numpy  # noqa: F401

DTYPES = ["?", "i1", "u4", "i8", "f2", "f4", "f8", "c16"]
SHAPES = [(), (5,), (3, 4), (2, 1, 3), (0, 3), (3, 0)]
REDUCTIONS = [
    "sum",
    "prod",
    "max",
    "min",
    "any",
    "all",
    "mean",
    "var",
    "std",
    "ptp",
    "argmax",
    "argmin",
    "count_nonzero",
    "average",
    "nansum",
    "nanprod",
    "nanmean",
    "nanvar",
    "nanstd",
    "nanmax",
    "nanmin",
]
NO_ORDER = {"max", "min", "ptp", "argmax", "argmin", "nanmax", "nanmin"}


def sample(dtype, shape):
    x = np.random.default_rng(3).standard_normal(shape) * 3
    if np.dtype(dtype).kind == "c":
        return (x + 1j * x[..., ::-1] if x.ndim else x + 2j).astype(dtype)
    return np.asarray(abs(x) if dtype[0] == "u" else x).astype(dtype)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_reduction(agrees, name, dtype):
    if name in NO_ORDER and dtype[0] == "c":
        pytest.skip("complex numbers have no order here")
    f = getattr(np, name)
    for shape in SHAPES:
        x = sample(dtype, shape)
        if x.size == 0 and name in ("nanmax", "nanmin"):
            continue
        agrees(f, x, rtol=1e-5, atol=1e-6)
        for axis in (1, 5) if x.ndim == 0 and name.startswith("nan") else (0, -1, 1, 5):
            agrees(lambda v, a=axis: f(v, axis=a), x, rtol=1e-5, atol=1e-6)
            agrees(lambda v, a=axis: f(v, axis=a, keepdims=True), x, rtol=1e-5, atol=1e-6)
        if not name.startswith("arg"):
            agrees(lambda v: f(v, axis=(0, 1)), x, rtol=1e-5, atol=1e-6)
            agrees(lambda v: f(v, axis=(0, 0)), x)
        agrees(lambda v: f(v, axis=1.5), x)


def test_where_and_initial(agrees):
    x, mask = sample("f8", (3, 4)), np.random.default_rng(0).random((3, 4)) > 0.4
    for f in (np.sum, np.prod, np.mean, np.var, np.std, np.any, np.all, np.nansum, np.nanmean):
        agrees(lambda v, f=f: f(v, axis=1, where=mask), x)
        agrees(lambda v, f=f: f(v, where=mask[:1], keepdims=True), x)
        agrees(lambda v, f=f: f(v, where=v > 0), x)
    for f in (np.sum, np.prod, np.max, np.min):
        agrees(lambda v, f=f: f(v, axis=0, initial=2.0), x)
        agrees(lambda v, f=f: f(v, axis=0, initial=2.0, where=mask), x)
        agrees(lambda v, f=f: f(v[:0], axis=0, initial=2.0), x)
    agrees(lambda v: np.max(v, where=mask), x)
    agrees(lambda v: np.sum(v, where=np.array([1, 0, 1, 0])), x)
    agrees(lambda v: np.max(v, initial=300), x.astype(np.int8))


def test_dtype(agrees):
    x = sample("i1", (3, 4))
    for f in (np.sum, np.prod, np.mean, np.cumsum):
        agrees(lambda v, f=f: f(v, dtype=np.float32), x)
        agrees(lambda v, f=f: f(v, axis=0, dtype=np.int8), x)
    agrees(lambda v: np.sum(v, dtype=bool), x > 0)
    agrees(lambda v: v.mean(dtype="f4"), sample("f2", (4,)), rtol=1e-3)


def test_methods(agrees):
    x = sample("f8", (3, 4))
    for name in ("sum", "prod", "max", "min", "mean", "std", "var", "any", "all", "argmax", "argmin", "cumsum", "cumprod"):
        agrees(lambda v, n=name: getattr(v, n)(), x)
        agrees(lambda v, n=name: getattr(v, n)(1), x)
    agrees(lambda v: v.std(axis=0, ddof=1), x)
    agrees(lambda v: np.var(v, axis=0, ddof=5), x)
    agrees(lambda v: np.var(v, correction=1), x)
    agrees(lambda v: v.clip(-1, 1).round(1), x)


def test_weighted_and_joint(agrees):
    x, w = sample("f8", (3, 4)), np.abs(sample("f8", (3, 4)))
    agrees(lambda v: np.average(v, weights=w), x)
    agrees(lambda v: np.average(v, axis=0, weights=w[:, 0]), x)
    agrees(lambda v: np.average(v, weights=w[:, 0]), x)
    agrees(lambda v: np.average(v, axis=1, weights=w, returned=True), x)
    agrees(lambda v: np.average(v, axis=0, weights=[1, 2]), x)
    for call in (
        np.cov,
        np.corrcoef,
        lambda v: np.cov(v, rowvar=False),
        lambda v: np.cov(v[0], v[1]),
        lambda v: np.cov(v[0]),
        lambda v: np.cov(v, bias=True),
        lambda v: np.cov(v[None]),
    ):
        agrees(call, x)


def test_without_nan(agrees):
    x = sample("f8", (3, 4))
    x[0, 0] = x[2] = np.nan
    for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nancumsum", "nancumprod"):
        f = getattr(np, name)
        agrees(lambda v, f=f: f(v, axis=0), x)
        agrees(lambda v, f=f: f(v, axis=1), x)
    agrees(np.nanargmax, x[:2])
    agrees(lambda v: np.nanargmin(v, axis=1), x[:2])


def test_order(agrees):
    x = sample("f8", (3, 4))
    x[1, 2] = np.nan
    for call in (
        np.sort,
        lambda v: np.sort(v, 0),
        lambda v: np.sort(v, None),
        np.argsort,
        lambda v: v.argsort(0),
        np.median,
        lambda v: np.median(v, 0),
        lambda v: np.median(v, axis=(0, 1), keepdims=True),
        lambda v: np.quantile(v, 0.3, 0),
        lambda v: np.quantile(v, [0.1, 1.0], 1),
        lambda v: np.quantile(v, 2.0),
        lambda v: np.percentile(v, [[25, 50]], axis=0),
        lambda v: np.searchsorted(v[0], v[2]),
        lambda v: np.searchsorted([-1.0, 0, 1], v, side="right"),
        lambda v: np.digitize(v, [-1.0, 0.0, 1.0]),
    ):
        agrees(call, x)
