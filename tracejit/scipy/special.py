"""`scipy.special` on traced values.

SciPy's ufuncs need nothing from here: `scipy.special.erf(x)` is traced as it stands, and so are `zeta`, `softplus` and `sinc`, which call ufuncs.
The functions below are those that convert their arguments to plain arrays, which a traced value refuses; while a function is traced, their names in
`scipy.special` and in the user's modules stand for these.

>>> import numpy as np, tracejit as tj, tracejit.scipy.special as tsp
>>> tj.grad(tsp.logsumexp)(np.array([0.0, 0.0]))
array([0.5, 0.5])
"""
from __future__ import annotations

import importlib
import math

import numpy as np

from ..errors import at_user_line
from ..numpy.promotion import as_array, cast, promote
from ..ops import elementwise as ops
from ..ops import special
from .delegate import scipy_function

__all__ = ["comb", "factorial", "log_softmax", "logsumexp", "multigammaln", "perm", "polygamma", "softmax"]
_special = scipy_function("scipy.special")
_TRACED_AS_THEY_ARE = ("sinc", "softplus", "zeta")


def __getattr__(name: str):
    """SciPy's ufuncs, also where SCIPY_ARRAY_API hides them behind functions that convert, and its functions that are made of them."""
    found = getattr(importlib.import_module("scipy.special._ufuncs"), name, None)
    if isinstance(found, np.ufunc) and not name.startswith("_"):
        return found
    if name in _TRACED_AS_THEY_ARE:
        return getattr(importlib.import_module("scipy.special"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}: it has the ufuncs of scipy.special and {', '.join(__all__)}")


def _inexact(x):
    """An array of a floating dtype, as SciPy makes of integers."""
    x = as_array(x)
    return x if x.dtype.kind in "fc" else cast(x, np.dtype(float))


# -- sums of exponentials
@_special
def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    """As `scipy.special.logsumexp`: log(sum(b exp(a))) along `axis`, and the sign of the sum where asked for.

    Its derivative is the softmax, also where the largest elements are infinite: they share it.

    >>> import numpy as np, tracejit as tj
    >>> tj.grad(logsumexp)(np.array([np.inf, 0.0]))
    array([1., 0.])
    """
    a = _inexact(a)
    if b is not None:
        a, b = promote(a, as_array(b))
        a = np.where(b == 0, a.dtype.type(-math.inf), a)   # what has no weight counts for nothing, NaN and infinity included
    if a.size == 0:
        empty = np.sum(np.real(a), axis=axis, keepdims=keepdims) - math.inf
        return (empty, np.sign(empty)) if return_sign else empty
    largest = ops.stop_gradient(np.max(np.real(a), axis=axis, keepdims=True))
    terms = np.exp(special.offset(a, largest) if a.dtype.kind == "f" else a - largest)
    total = np.sum(terms if b is None else b * terms, axis=axis, keepdims=True)
    if a.dtype.kind == "c":
        sign, value = total / np.abs(total), (np.real(np.log(total)) if return_sign else np.log(total)) + largest
    else:
        sign, value = np.sign(total), np.log(np.abs(total)) + largest
        if b is not None and not return_sign:
            value = np.where(total < 0, value.dtype.type(math.nan), value)
    if not keepdims:
        sign, value = (np.squeeze(v, axis=axis) for v in (sign, value))
    return (value, sign) if return_sign else value


@_special
def softmax(x, axis=None):
    """As `scipy.special.softmax`.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(softmax)(np.zeros(4))
    array([0.25, 0.25, 0.25, 0.25])
    """
    x = _inexact(x)
    terms = np.exp(x - ops.stop_gradient(np.max(x, axis=axis, keepdims=True)))
    return terms / np.sum(terms, axis=axis, keepdims=True)


@_special
def log_softmax(x, axis=None):
    """As `scipy.special.log_softmax`.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(log_softmax)(np.array([1000.0, 0.0]))
    array([    0., -1000.])
    """
    x = _inexact(x)
    largest = ops.stop_gradient(np.max(x, axis=axis, keepdims=True))
    shifted = x - np.where(np.isfinite(largest), largest, x.dtype.type(0))
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


# -- relatives of the gamma function
@_special
def polygamma(n, x):
    """As `scipy.special.polygamma`: the n-th derivative of digamma. `n` is known while tracing, or an array of orders.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(lambda x: polygamma(1, x))(np.array([1.0]))
    array([1.64493407])
    """
    x = _inexact(x)
    orders = np.asarray(n)
    if orders.ndim == 0 and orders == np.rint(orders) and orders >= 0:
        return special.digamma(x) if orders == 0 else special.polygamma(x, order=int(orders))
    following = cast(orders + 1.0, x.dtype)
    factor = np.where(orders % 2 == 0, -1.0, 1.0) * np.asarray(special.gamma(following))
    return np.where(orders == 0, special.digamma(x), cast(factor, x.dtype) * special.zeta(np.where(orders == 0, x.dtype.type(2), following), x))


@_special
def multigammaln(a, d):
    """As `scipy.special.multigammaln`: the logarithm of the gamma function of dimension `d`; its domain is not checked.

    >>> import numpy as np, tracejit as tj
    >>> tj.grad(lambda a: multigammaln(a, 2))(3.0)
    np.float64(1.625...)
    """
    if int(d) != d or d < 1:
        raise ValueError(at_user_line("d should be a positive integer (dimension)"))
    a = _inexact(a)
    return sum(special.gammaln(a - 0.5 * j) for j in range(int(d))) + d * (d - 1) * 0.25 * math.log(math.pi)


def _inexact_only(function: str, exact) -> None:
    if exact:
        raise TypeError(at_user_line(f"scipy.special.{function}(..., exact=True) counts in Python integers and has no traced form: leave it out"))


def _counts(N, k):
    """Both as floats, and where 0 <= k <= N."""
    N, k = promote(_inexact(N), _inexact(k))
    return N, k, (k <= N) & (N >= 0) & (k >= 0)


@_special
def comb(N, k, *, exact=False, repetition=False):
    """As `scipy.special.comb`: binomial coefficients, 0 outside of 0 <= k <= N.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(lambda n: comb(n, 2))(np.array([4.0, 1.0]))
    array([6., 0.])
    """
    _inexact_only("comb", exact)
    N, k, inside = _counts(N, k)
    zero, one = N.dtype.type(0), N.dtype.type(1)
    if repetition:
        return np.where((k == 0) & (N >= 0), one, special.binom(N + k - 1, k))
    return np.where(inside, special.binom(np.where(inside, N, one), np.where(inside, k, zero)), zero)


@_special
def perm(N, k, exact=False):
    """As `scipy.special.perm`: the number of ordered choices, 0 outside of 0 <= k <= N."""
    _inexact_only("perm", exact)
    N, k, inside = _counts(N, k)
    zero, one = N.dtype.type(0), N.dtype.type(1)
    return np.where(inside, special.poch(np.where(inside, N - k + 1, one), np.where(inside, k, zero)), zero)


@_special
def factorial(n, exact=False, extend="zero"):
    """As `scipy.special.factorial`: gamma(n + 1), 0 for negative n."""
    _inexact_only("factorial", exact)
    if extend != "zero":
        raise TypeError(at_user_line(f"scipy.special.factorial(..., extend={extend!r}) has no traced form: use scipy.special.gamma(n + 1)"))
    n = _inexact(n)
    return np.where(n < 0, n.dtype.type(0), special.gamma(np.where(n < 0, n.dtype.type(0), n) + n.dtype.type(1)))
