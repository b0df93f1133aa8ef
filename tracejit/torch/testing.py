"""Comparing tensors in tests, as `torch.testing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .absent import of_module
from .functions.operands import tensor_of
from .tensor import Tensor

_TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7), "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7)}


def assert_close(
    actual: Any, expected: Any, *, rtol: float | None = None, atol: float | None = None, equal_nan: bool = False, check_dtype: bool = True,
    check_device: bool = True, check_layout: bool = True, check_stride: bool = False, msg: str | Callable[[str], str] | None = None,
) -> None:  # fmt: skip
    """Raise `AssertionError` where tensors, or containers of them, are not close. The tolerances depend on the dtype unless both are given.

    >>> from tracejit import torch
    >>> torch.testing.assert_close(torch.ones(2), torch.ones(2) + 1e-9)
    """
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping) or actual.keys() != expected.keys():
            raise AssertionError(f"The keys of the mappings do not match: {sorted(actual)} and {sorted(expected)}")
        pairs = [(actual[k], expected[k]) for k in expected]
    elif isinstance(expected, Sequence) and not isinstance(expected, (str, bytes)):
        if not isinstance(actual, Sequence) or len(actual) != len(expected):
            raise AssertionError(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
        pairs = list(zip(actual, expected))
    else:
        _compare(tensor_of(actual), tensor_of(expected), rtol, atol, equal_nan, check_dtype, msg)
        return
    for a, b in pairs:
        assert_close(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=check_dtype, msg=msg)


def _compare(a: Tensor, b: Tensor, rtol: Any, atol: Any, equal_nan: bool, check_dtype: bool, msg: Any) -> None:
    if (rtol is None) != (atol is None):
        raise ValueError("rtol and atol must both be specified or both be unspecified")
    x, y = a.detach()._array, b.detach()._array
    problem = None
    if x.shape != y.shape:
        problem = f"The values for attribute 'shape' do not match: {a.shape} != {b.shape}."
    elif check_dtype and x.dtype != y.dtype:
        problem = f"The values for attribute 'dtype' do not match: {a.dtype} != {b.dtype}."
    else:
        if rtol is None:
            tolerances = [_TOLERANCES.get(d.dtype.name, (0.0, 0.0)) for d in (x, y)]
            rtol, atol = max(t[0] for t in tolerances), max(t[1] for t in tolerances)
        close = np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)
        if not close.all():
            difference = np.abs(np.subtract(x, y, dtype=np.result_type(x, y, np.float64)))
            where = np.unravel_index(int(np.nanargmax(np.where(close, 0, difference))), x.shape) if x.ndim else ()
            problem = (
                f"Tensor-likes are not close!\n\nMismatched elements: {int((~close).sum())} / {close.size}\n"
                f"Greatest absolute difference: {difference[where]} at index {tuple(map(int, where))} (up to {atol} allowed, rtol {rtol})"
            )
    if problem is not None:
        raise AssertionError(msg(problem) if callable(msg) else msg or problem)

__getattr__ = of_module(globals())
