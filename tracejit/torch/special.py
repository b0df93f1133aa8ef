"""Special functions, as `torch.special`: those of the main namespace under their names here, and some more."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes
from .absent import of_module
from .dispatch import Primitive
from .functions.activations import log_softmax, softmax
from .functions.arithmetic import xlogy
from .functions.keywords import let_write
from .functions.pointwise import digamma, erf, erfc, erfinv, exp2, expm1, i0, log1p, logit, round, sigmoid, sinc
from .functions.pointwise import lgamma as gammaln
from .functions.reductions import logsumexp
from .tensor import Tensor, wrap

__all__ = [
    "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammainc", "gammaincc",
    "gammaln", "i0", "i0e", "i1", "i1e", "log1p",
    "log_ndtr", "log_softmax", "logit", "logsumexp", "multigammaln", "ndtr", "ndtri", "polygamma",
    "psi", "round", "sinc", "softmax", "xlog1py", "xlogy",
    "zeta",
]  # fmt: skip

expit, psi = sigmoid, digamma


def _of_scipy(name: str, node: str, n: int = 1) -> Callable:
    """A ufunc of SciPy, which is imported when it is first used."""

    def impl(*xs: Any) -> Any:
        from scipy import special

        dtype = next(x.dtype for x in xs if hasattr(x, "dtype"))
        made = getattr(special, name)(*[x if hasattr(x, "dtype") else dtype.type(x) for x in xs])
        return made if made.dtype == dtype else made.astype(dtype)

    primitive = Primitive(node, impl)

    def function(*tensors: Tensor) -> Tensor:
        if len(tensors) != n:
            raise TypeError(f"special.{name}() takes {n} arguments, got {len(tensors)}")
        return primitive(*[t if not isinstance(t, Tensor) or t._data.dtype.kind in "fc" else t.to(dtypes.get_default_dtype()) for t in tensors])

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As `torch.special.{name}`, of each element."
    return function


entr = _of_scipy("entr", "SpecialEntr")
erfcx = _of_scipy("erfcx", "SpecialErfcx")
i0e = _of_scipy("i0e", "SpecialI0E")
i1 = _of_scipy("i1", "SpecialI1")
i1e = _of_scipy("i1e", "SpecialI1E")
ndtr = _of_scipy("ndtr", "SpecialNdtr")
ndtri = _of_scipy("ndtri", "SpecialNdtri")
log_ndtr = _of_scipy("log_ndtr", "SpecialLogNdtr")
xlog1py = _of_scipy("xlog1py", "SpecialXlog1Py", 2)
gammainc = _of_scipy("gammainc", "Igamma", 2)
gammaincc = _of_scipy("gammaincc", "Igammac", 2)
zeta = _of_scipy("zeta", "SpecialZeta", 2)


def _polygamma_impl(x: Any, n: int) -> Any:
    from ..trace import Tracer

    if isinstance(x, Tracer):
        from ..scipy import special
    else:
        from scipy import special
    return special.polygamma(n, x).astype(x.dtype)


_polygamma = Primitive("Polygamma", _polygamma_impl)


def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of `digamma`."""
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, got {n}")
    return _polygamma(input if input._data.dtype.kind == "f" else input.to(dtypes.get_default_dtype()), n=int(n))


# -- without derivatives, as in torch
def _without_derivative(name: str, doc: str, f: Callable) -> Callable:
    def function(*args: Any) -> Tensor:
        for t in args:
            if isinstance(t, Tensor) and t.requires_grad:
                raise NotImplementedError(f"the derivative for special.{name} is not implemented: pass x.detach()")
        arrays = [np.asarray(t._array if isinstance(t, Tensor) else t) for t in args]
        first = arrays[0].dtype
        dtype = first if first.kind == "f" else dtypes.get_default_dtype().numpy
        return wrap(np.asarray(f(*arrays)).astype(dtype))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _bessel(name: str, source: str, doc: str) -> None:
    def f(x: Any) -> Any:
        from scipy import special

        return getattr(special, source)(x)

    globals()[name] = _without_derivative(name, doc, f)
    __all__.append(name)


for _name, _source, _doc in (
    ("bessel_j0", "j0", "The Bessel function of the first kind of order 0."),
    ("bessel_j1", "j1", "The Bessel function of the first kind of order 1."),
    ("bessel_y0", "y0", "The Bessel function of the second kind of order 0."),
    ("bessel_y1", "y1", "The Bessel function of the second kind of order 1."),
    ("modified_bessel_i0", "i0", "The modified Bessel function of the first kind of order 0."),
    ("modified_bessel_i1", "i1", "The modified Bessel function of the first kind of order 1."),
    ("modified_bessel_k0", "k0", "The modified Bessel function of the second kind of order 0."),
    ("modified_bessel_k1", "k1", "The modified Bessel function of the second kind of order 1."),
    ("scaled_modified_bessel_k0", "k0e", "`modified_bessel_k0` times exp(x)."),
    ("scaled_modified_bessel_k1", "k1e", "`modified_bessel_k1` times exp(x)."),
):
    _bessel(_name, _source, _doc)


def _airy(x: Any) -> Any:
    from scipy import special

    return special.airy(x)[0]


def _spherical(x: Any) -> Any:
    from scipy import special

    return special.spherical_jn(0, x)


airy_ai = _without_derivative("airy_ai", "The Airy function Ai.", _airy)
spherical_bessel_j0 = _without_derivative("spherical_bessel_j0", "The spherical Bessel function of the first kind of order 0.", _spherical)
__all__ += ["airy_ai", "spherical_bessel_j0"]


def _polynomial(name: str, p0: Callable, p1: Callable, step: Callable, doc: str, shifted: bool = False) -> None:
    """A family of orthogonal polynomials of degree n, by its recurrence: `step(k, x, p, before)` is the one of degree k + 1."""

    def f(x: Any, n: Any) -> Any:
        x, n = np.broadcast_arrays(2.0 * x - 1.0 if shifted else x.astype(np.float64), np.trunc(n))
        before, now = p0(x), p1(x)
        made = np.where(n < 0, 0.0, np.where(n == 0, before, now))
        for k in range(1, int(n.max(initial=0))):
            before, now = now, step(k, x, now, before)
            made = np.where(n > k, now, made)
        return made

    globals()[name] = _without_derivative(name, doc, f)
    __all__.append(name)


def _one(x: Any) -> Any:
    return np.ones_like(x)


def _chebyshev(k: int, x: Any, p: Any, before: Any) -> Any:
    return 2 * x * p - before


for _prefix, _shifted in (("", False), ("shifted_", True)):
    for _kind, _first in (("t", lambda x: x), ("u", lambda x: 2 * x), ("v", lambda x: 2 * x - 1), ("w", lambda x: 2 * x + 1)):
        _polynomial(
            f"{_prefix}chebyshev_polynomial_{_kind}", _one, _first, _chebyshev, "The Chebyshev polynomial of degree n, by elements.", _shifted
        )
_polynomial("hermite_polynomial_h", _one, lambda x: 2 * x, lambda k, x, p, b: 2 * x * p - 2 * k * b, "The Hermite polynomial of degree n of physics.")
_polynomial("hermite_polynomial_he", _one, lambda x: x, lambda k, x, p, b: x * p - k * b, "The Hermite polynomial of degree n of probability.")
_polynomial(
    "laguerre_polynomial_l", _one, lambda x: 1 - x, lambda k, x, p, b: ((2 * k + 1 - x) * p - k * b) / (k + 1), "The Laguerre polynomial of degree n."
)
_polynomial(
    "legendre_polynomial_p", _one, lambda x: x, lambda k, x, p, b: ((2 * k + 1) * x * p - k * b) / (k + 1), "The Legendre polynomial of degree n."
)

_mvlgamma_constant = math.log(math.pi) / 4


def multigammaln(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p."""
    made = sum(gammaln(input - j / 2) for j in range(1, p)) + gammaln(input) if p > 1 else gammaln(input)
    return made + _mvlgamma_constant * p * (p - 1)


let_write(globals(), __all__)
__getattr__ = of_module(globals())
