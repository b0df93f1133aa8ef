"""Divisors of integers that must not be zero, for front ends where a division by zero is an error and not NumPy's 0.

A program computes a place for each divisor, 0 among 2, or 2 where the divisor is zero: the check of indices finds that, and the program is told as
it is told of any index out of range.  The interpreter, which then looks for the cause, meets `run` and raises its error.
"""

from __future__ import annotations

from ..errors import at_user_line
from ..ir import ArrayType
from ..ir.types import INT
from .core import define


def _infer(x: ArrayType) -> ArrayType:
    if x.dtype.kind not in "iu":
        raise TypeError(f"gather_nonzero takes integers, not {x}")
    return x


def _run(xp, x):
    if not xp.all(x != 0):
        raise RuntimeError(at_user_line("ZeroDivisionError: integers are divided by zero. Convert them first, x.float(), for infinities and NaN"))
    return x


def _lower(k, xs, index):
    divisor = xs[0].broadcast(index)
    is_zero = k.convert(k.apply("equal", divisor, k.constant(0, divisor.dtype)), INT)
    return k.apply("add", divisor, k.checked(k.apply("add", is_zero, is_zero), 2, divisor.dtype))


# Named as the other operations that can fail are, which neither run speculatively nor move out of a branch.
gather_nonzero = define("gather_nonzero", infer=_infer, run=_run, batch=lambda args, batched: gather_nonzero(*args), lower=_lower, elementwise=True)


def checked_divisor(x):
    """The integers x. Raises `RuntimeError` where one is zero: at once for arrays, in a program when it runs."""
    return gather_nonzero(x)
