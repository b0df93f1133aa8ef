"""`solve(a, b)` and `inverse(a, strict)`: linear systems with general matrices.

`linear_solve(a, b)` is how systems are solved.  For one matrix it factors first, so that the solution, its derivatives and their transposes share the
factors: a gradient costs one factorisation, as the value alone does.  For stacks of matrices, which are small, it is `solve`.

Singular matrices raise `LinAlgError`; the inverse of one is NaN where `strict` is false.
"""
from __future__ import annotations

import numpy as np

from ...errors import at_user_line
from ...ir.types import INT
from ...trace import type_of
from ..core import add_tangents, define
from ..elementwise import stop_gradient
from ..movement import all_batched
from .matrices import check_matrix, check_system, each, vector_of
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
               transpose=lambda ct, a, b: (None, solve(a.mT, ct)), batch=_batch_solve, kind="lapack", dear=True, singular=True,
               show="np.linalg.solve")


# -- factor(a): LU factors of a^T as LAPACK stores them, by columns, and its pivots, counted from 1. They serve `factored_solve` alone, which does
# not need their derivative: they have none.
def _infer_factor(a):
    n, _ = check_matrix("solve", a, square=True)
    return a.strong, vector_of(a, n, INT)


def _run_factor(xp, a):
    return each(_factor, a) if a.size else (xp.zeros(a.shape, a.dtype), xp.zeros(a.shape[:-1], INT))


def _factor(a):
    from scipy.linalg.lapack import get_lapack_funcs
    factors, pivots, info = get_lapack_funcs("getrf", (a,))(a.T)
    if info > 0:
        raise np.linalg.LinAlgError(at_user_line("Singular matrix"))
    return np.ascontiguousarray(factors.T), (pivots + 1).astype(INT)


factor = define("factor", infer=_infer_factor, run=_run_factor, jvp=lambda primals, outs, tangents: (None, None),
                batch=lambda args, batched: factor(args[0]), multiple=True, kind="lapack", dear=True)


# -- factored_solve(a, factors, pivots, b, transposed): x with a x = b or a^T x = b; linear in b. Its derivative is that of the equation.
def _infer_factored(a, factors, pivots, b, transposed):
    check_system("solve", a, b)
    if factors.strong != a.strong or pivots.strong != vector_of(a, a.shape[-1], INT):
        raise TypeError(at_user_line(f"factored_solve: {factors} and {pivots} are no factors of {a}"))
    return b.strong


def _run_factored(xp, a, factors, pivots, b, transposed):
    def one(factors, pivots, b):
        from scipy.linalg.lapack import get_lapack_funcs
        return get_lapack_funcs("getrs", (factors, b))(factors.T, pivots - 1, b, trans=0 if transposed else 1)[:1]
    return each(one, factors, pivots, b)[0] if b.size else xp.zeros(b.shape, b.dtype)


def _jvp_factored(primals, out, tangents, transposed):
    a, factors, pivots, _ = primals
    ta, _, _, tb = tangents
    moved = None if ta is None else -((ta.mT if transposed else ta) @ out)
    return factored_solve(a, factors, pivots, add_tangents(tb, moved), transposed=transposed)


def _transpose_factored(ct, a, factors, pivots, b, transposed):
    return None, None, None, factored_solve(a, factors, pivots, ct, transposed=not transposed)


def _batch_factored(args, batched, transposed):
    *system, b = args
    if batched == (False, False, False, True) and type_of(system[0]).ndim == 2:
        return columns_of_stack(lambda a, b: factored_solve(a, *system[1:], b, transposed=transposed), system[0], b)
    return factored_solve(*all_batched(args, batched), transposed=transposed)


factored_solve = define("factored_solve", infer=_infer_factored, run=_run_factored, jvp=_jvp_factored, transpose=_transpose_factored,
                        batch=_batch_factored, kind="lapack", dear=True, singular=True)


def linear_solve(a, b):
    """x with a x = b, for a matrix and a matrix of right sides, or stacks of both."""
    if type_of(a).ndim > 2:
        return solve(a, b)
    return factored_solve(a, *factor(stop_gradient(a)), b, transposed=False)


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
