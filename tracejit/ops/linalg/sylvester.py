"""`sylvester(a, b, q)`: x with a x + x b = q, linear in q; and `sqrtm(a)`, the principal square root, whose derivative is one of those."""
from __future__ import annotations

import numpy as np

from ...errors import at_user_line
from ..core import add_tangents, define
from ..movement import all_batched
from .matrices import check_matrix, complex_dtype, each


def _infer_sylvester(a, b, q):
    n, m = check_matrix("sylvester", a, square=True)[0], check_matrix("sylvester", b, square=True)[0]
    if not a.dtype == b.dtype == q.dtype:
        raise TypeError(at_user_line(f"sylvester needs equal dtypes, got {a}, {b} and {q}"))
    if q.shape != (*a.shape[:-2], n, m) or b.shape[:-2] != a.shape[:-2]:
        raise ValueError(at_user_line(f"sylvester: matrices of shapes {a.shape}, {b.shape} and {q.shape} do not fit together"))
    return q.strong


def _run_sylvester(xp, a, b, q):
    from scipy.linalg import solve_sylvester
    return each(lambda *system: (solve_sylvester(*system),), a, b, q)[0].astype(q.dtype, copy=False) if q.size else xp.zeros(q.shape, q.dtype)


def _jvp_sylvester(primals, out, tangents):
    a, b, _ = primals
    ta, tb, tq = tangents
    return sylvester(a, b, add_tangents(tq, None if ta is None else -(ta @ out), None if tb is None else -(out @ tb)))


sylvester = define("sylvester", infer=_infer_sylvester, run=_run_sylvester, jvp=_jvp_sylvester,
                   transpose=lambda ct, a, b, q: (None, None, sylvester(a.mT, b.mT, ct)),
                   batch=lambda args, batched: sylvester(*all_batched(args, batched)), dear=True, singular=True)


# -- sqrtm(a): complex, since a real matrix may have a complex root
def _infer_sqrtm(a):
    check_matrix("sqrtm", a, square=True)
    return a.strong._replace(dtype=complex_dtype(a.dtype))


def _run_sqrtm(xp, a):
    from scipy.linalg import sqrtm
    dtype = complex_dtype(a.dtype)
    return each(lambda a: (np.asarray(sqrtm(a), dtype),), a)[0] if a.size else xp.zeros(a.shape, dtype)


sqrtm = define("sqrtm", infer=_infer_sqrtm, run=_run_sqrtm, jvp=lambda primals, out, tangents: sylvester(out, out, tangents[0].astype(out.dtype)),
               batch=lambda args, batched: sqrtm(args[0]), dear=True)
