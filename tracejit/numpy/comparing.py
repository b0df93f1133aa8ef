"""Choosing by a condition, bounds, and tests of equality."""
from __future__ import annotations

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL
from ..ops import elementwise as ops
from ..trace import dispatch
from . import reductions
from .promotion import as_array, astype, cast, common_dtype, operand, promote
from .register import implements, known, refuse
from .taking import nonzero
from .ufuncs import absolute, add, equal, isfinite, isnan, less_equal, logical_and, logical_or, multiply, positive, subtract

_none = np._NoValue


@implements(np.where)
def where(condition, x=None, y=None, /):
    """As `numpy.where`; with the condition alone as `nonzero`."""
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise ValueError(at_user_line("either both or neither of x and y should be given"))
    condition = as_array(condition)
    x, y = promote(x, y, wrap=True)
    return ops.select(cast(condition, BOOL), x, y)


@implements(np.select)
def select(condlist, choicelist, default=0):
    """As `numpy.select`: the first condition that holds decides."""
    if len(condlist) != len(choicelist):
        raise ValueError(at_user_line("list of cases must be same length as list of conditions"))
    if not condlist:
        raise ValueError(at_user_line("select with an empty condition list is not possible"))
    conditions = [as_array(c) for c in condlist]
    for i, c in enumerate(conditions):
        if c.dtype != BOOL:
            raise TypeError(at_user_line(f"invalid entry {i} in condlist: should be boolean ndarray"))
    *choices, result = promote(*choicelist, default, wrap=True)
    for condition, choice in zip(reversed(conditions), reversed(choices)):
        result = ops.select(condition, choice, result)
    return result


@implements(np.piecewise)
def piecewise(x, condlist, funclist, *args, **kw):
    """As `numpy.piecewise`; every function is applied to the whole of x and the conditions choose."""
    x = as_array(x)
    alone = condlist.shape == () if hasattr(condlist, "shape") else isinstance(condlist, bool)
    if alone or x.ndim and np.ndim(condlist[0]) == 0:   # one condition, not in a list
        condlist = [condlist]
    conditions = [cast(as_array(c), BOOL) for c in condlist]
    if len(funclist) == len(conditions) + 1:
        *funclist, otherwise = funclist
    elif len(funclist) == len(conditions):
        otherwise = 0
    else:
        n = len(conditions)
        raise ValueError(at_user_line(f"with {n} condition(s), either {n} or {n + 1} functions are expected"))

    def value(f):
        return cast(operand(f(x, *args, **kw) if callable(f) else f), x.dtype)
    result = ops.select(np.False_, x, value(otherwise))   # of the shape of x
    for condition, f in zip(conditions, funclist):   # the last condition that holds decides
        result = ops.select(condition, value(f), result)
    return result


# -- clip. At a bound the slope with respect to x is 1, so that a parameter can leave it, and 0 with respect to the bound.
@implements(np.clip)
def clip(a, a_min=_none, a_max=_none, out=None, *, min=_none, max=_none, dtype=None):
    """As `numpy.clip`."""
    refuse("np.clip", out=out)
    if a_min is _none and a_max is _none:
        a_min, a_max = (None if bound is _none else bound for bound in (min, max))
    elif a_min is _none or a_max is _none:
        raise TypeError(at_user_line(f"clip() missing 1 required positional argument: '{'a_min' if a_min is _none else 'a_max'}'"))
    elif min is not _none or max is not _none:
        raise ValueError(at_user_line("Passing `min` or `max` keyword argument when `a_min` and `a_max` are provided is forbidden."))
    x = as_array(a)
    if x.dtype.kind in "iu":   # a Python integer outside of the dtype bounds nothing
        limits = np.iinfo(x.dtype)
        a_min = None if type(a_min) is int and a_min <= limits.min else a_min
        a_max = None if type(a_max) is int and a_max >= limits.max else a_max
    if a_min is None and a_max is None:
        return positive(x)
    given = promote(x, *(bound for bound in (a_min, a_max) if bound is not None))
    x, bounds = given[0], iter(given[1:])
    if a_min is not None:
        x = ops.maximum(x, next(bounds), tie=1.0)
    if a_max is not None:
        x = ops.minimum(x, next(bounds), tie=1.0)
    return x if dtype is None else astype(x, dtype, "same_kind")


dispatch.ufuncs[np._core.umath.clip] = lambda x, low, high, /, **options: clip(x, low, high, **options)   # of the same name, and not public


# -- equality
@implements(np.isclose)
def isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """As `numpy.isclose`."""
    x, y = operand(a), operand(b)
    if type(y) in (bool, int):
        y = float(y)
    elif type(y) is not float and type(y) is not complex:
        y = cast(y, common_dtype(cast(y, y.dtype), 1.0))
    near = less_equal(absolute(subtract(x, y)), add(atol, multiply(rtol, absolute(y))))
    result = logical_or(logical_and(near, isfinite(y)), equal(x, y))
    return logical_or(result, logical_and(isnan(x), isnan(y))) if equal_nan else result


@implements(np.allclose)
def allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    """As `numpy.allclose`, with a traced boolean for the answer where values are not known."""
    return _answer(reductions.all(isclose(a, b, rtol, atol, equal_nan)))


def _answer(truth):
    """A Python boolean, where it is known."""
    value = known(truth)
    return truth if value is None else bool(value)


@implements(np.array_equal)
def array_equal(a1, a2, equal_nan=False):
    """As `numpy.array_equal`, with a traced boolean for the answer where the shapes agree and values are not known."""
    x, y = as_array(a1), as_array(a2)
    if x.shape != y.shape:
        return False
    same = equal(x, y)
    return _answer(reductions.all(logical_or(same, logical_and(isnan(x), isnan(y))) if equal_nan else same))


@implements(np.array_equiv)
def array_equiv(a1, a2):
    """As `numpy.array_equiv`, with a traced boolean for the answer where the shapes broadcast and values are not known."""
    x, y = as_array(a1), as_array(a2)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return _answer(reductions.all(equal(x, y)))


# -- NaN and infinity
@implements(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """As `numpy.nan_to_num`."""
    x = as_array(x)
    if x.dtype.kind == "c":
        return ops.make_complex(*(nan_to_num(part, copy, nan, posinf, neginf) for part in (ops.real(x), ops.imag(x))))
    if x.dtype.kind != "f":
        return positive(x)
    limits = np.finfo(x.dtype)
    replaced = ops.select(ops.isnan(x), cast(nan, x.dtype), x)
    for infinity, value, default in ((np.inf, posinf, limits.max), (-np.inf, neginf, limits.min)):
        replaced = ops.select(ops.equal(x, x.dtype.type(infinity)), cast(default if value is None else value, x.dtype), replaced)
    return replaced


@implements(np.isposinf)
def isposinf(x, out=None):
    """As `numpy.isposinf`."""
    refuse("np.isposinf", out=out)
    return equal(x, np.inf)


@implements(np.isneginf)
def isneginf(x, out=None):
    """As `numpy.isneginf`."""
    refuse("np.isneginf", out=out)
    return equal(x, -np.inf)
