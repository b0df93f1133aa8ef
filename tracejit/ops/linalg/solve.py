"""`solve(a, b)` and `inverse(a, strict)`: linear systems with general matrices.

Singular matrices raise `LinAlgError`; the inverse of one is NaN where `strict` is false.
"""
from __future__ import annotations

import numpy as np

from ..core import add_tangents, define
from ..movement import all_batched
from .matrices import check_matrix, check_system
from .triangular import columns_of_stack


# -- solve(a, b): x with a x = b; linear in b
def _infer_solve(a, b):
    check_system("solve", a, b)
    return b.strong


def _jvp_solve(primals, out, tangents):
    ta, tb = tangents
    return solve(primals[0], add_tangents(tb, None if ta is None else -(ta @ out)))


def _batch_solve(args, batched):
    if batched == (False, True):
        return columns_of_stack(solve, *args)
    return solve(*all_batched(args, batched))


solve = define("solve", infer=_infer_solve, run=lambda xp, a, b: xp.linalg.solve(a, b), jvp=_jvp_solve,
               transpose=lambda ct, a, b: (None, solve(a.mT, ct)), batch=_batch_solve, kind="lapack", dear=True, show="np.linalg.solve")


# -- inverse(a, strict)
def _infer_inverse(a, strict):
    check_matrix("inv", a, square=True)
    return a.strong


def _run_inverse(xp, a, strict):
    try:
        return xp.linalg.inv(a)
    except np.linalg.LinAlgError:
        if strict:
            raise
    if a.ndim == 2:
        return xp.full(a.shape, np.nan, a.dtype)
    return xp.stack([_run_inverse(xp, part, strict) for part in a])


def _jvp_inverse(primals, out, tangents, strict):
    return -(out @ tangents[0] @ out)


inverse = define("inverse", infer=_infer_inverse, run=_run_inverse, jvp=_jvp_inverse,
                 batch=lambda args, batched, strict: inverse(args[0], strict=strict), kind="lapack", dear=True,
                 show=lambda a, strict: f"np.linalg.inv({a})" if strict else f"tracejit.ops.linalg.inverse({a}, strict=False)")
