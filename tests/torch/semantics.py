"""How results of this library and of the real one are compared: nested tuples, lists and dictionaries of tensors and plain values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit.torch as ours


def plain(x: Any) -> Any:
    """Tensors as arrays; whatever is no tensor or container as it is."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (tuple, list)):
        return [plain(v) for v in x]
    return np.array(x.detach().numpy()) if hasattr(x, "detach") else x


def assert_same(a: Any, b: Any, where: str = "", rtol: float = 1e-6, atol: float = 1e-8) -> None:
    if isinstance(b, dict):
        assert list(a) == list(b), where
        for k in b:
            assert_same(a[k], b[k], f"{where}[{k!r}]", rtol, atol)
    elif isinstance(b, list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b)):
            assert_same(x, y, f"{where}[{i}]", rtol, atol)
    elif isinstance(b, np.ndarray):
        assert isinstance(a, np.ndarray) and a.shape == b.shape and a.dtype == b.dtype, f"{where}: {a!r} and {b!r}"
        np.testing.assert_allclose(a, b, rtol, atol, err_msg=where)
    else:
        assert a == b, where


def as_real(f: Callable[[Any], Any], **tolerances: float) -> None:
    """`f(torch)` gives the same with both libraries."""
    theirs = pytest.importorskip("torch")
    assert_same(plain(f(ours)), plain(f(theirs)), **tolerances)


def message(f: Callable[[], Any]) -> tuple[str, str]:
    """The type and the text of the error that `f` raises."""
    try:
        f()
    except Exception as error:
        return type(error).__name__, str(error)
    return "nothing", ""
