"""`expm(a)`: the exponential of a matrix, and `expm_slope(a, t)`: its derivative in the direction t.

The exponential of the block matrix [[a, t], [0, a]] has the derivative in its upper right block, so a derivative of any order is an exponential.
"""
from __future__ import annotations

import numpy as np

from ..core import add_tangents, define
from ..movement import all_batched
from .matrices import check_matrix, each


def _infer(a):
    check_matrix("expm", a, square=True)
    return a.strong


def _run(xp, a):
    from scipy.linalg import expm
    return expm(a) if a.size else xp.zeros(a.shape, a.dtype)


expm = define("expm", infer=_infer, run=_run, jvp=lambda primals, out, tangents: expm_slope(primals[0], tangents[0]),
              batch=lambda args, batched: expm(args[0]), dear=True)


# -- expm_slope(a, t): linear in t
def _infer_slope(a, t):
    check_matrix("expm_slope", a, square=True)
    if t.strong != a.strong:
        raise TypeError(f"expm_slope needs two matrices of one type, got {a} and {t}")
    return a.strong


def _slope(a, t):
    from scipy.linalg import expm_frechet
    return expm_frechet(a, t, compute_expm=False),


def _run_slope(xp, a, t):
    return each(_slope, a, t)[0].astype(a.dtype, copy=False) if a.size else xp.zeros(a.shape, a.dtype)


def _pair(a, t):
    """[[a, t], [0, a]]."""
    return np.concatenate([np.concatenate([a, t], axis=-1), np.concatenate([np.zeros_like(a), a], axis=-1)], axis=-2)


def _jvp_slope(primals, out, tangents):
    a, t = primals
    ta, tt = tangents
    if ta is None:
        return expm_slope(a, tt)
    n = a.shape[-1]
    bent = expm_slope(_pair(a, t), _pair(ta, np.zeros_like(ta)))[..., :n, n:]
    return add_tangents(bent, None if tt is None else expm_slope(a, tt))


expm_slope = define("expm_slope", infer=_infer_slope, run=_run_slope, jvp=_jvp_slope, transpose=lambda ct, a, t: (None, expm_slope(a.mT, ct)),
                    batch=lambda args, batched: expm_slope(*all_batched(args, batched)), dear=True, singular=True)
