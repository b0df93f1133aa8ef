"""Whether a compiled function gives what the function itself gives."""

from __future__ import annotations

import numpy as np

import tracejit as tj

x23 = np.arange(6.0).reshape(2, 3)
read_only = x23.copy()
read_only.flags.writeable = False
misaligned = np.frombuffer(b"\0" + x23.tobytes(), np.uint8)[1:].view(float).reshape(2, 3)


def same(got, want) -> None:
    """Equal trees of equal NumPy values: a Python number of `want` stands for the scalar that NumPy makes of it."""
    leaves, structure = tj.tree.flatten(got)
    others, wanted = tj.tree.flatten(want)
    assert structure == wanted
    for a, b in zip(leaves, others):
        if a is b:
            continue
        b = b if isinstance(b, np.ndarray) else np.asarray(b)[()]
        assert type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape, (a, b)
        np.testing.assert_array_equal(a, b)


def agrees(f, *args, **kwargs) -> None:
    """The compiled function three times, since the native entry is made at the second call, against the function itself."""
    compiled = tj.jit(f)
    with np.errstate(all="ignore"):
        want = f(*args, **kwargs)
    for _ in range(3):
        same(compiled(*args, **kwargs), want)


def affine(x):
    return x * 2 + 1
