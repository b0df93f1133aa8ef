"""Special functions, as `torch.special`: those of the main namespace under their names here, and some more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes
from .absent import of_module
from .dispatch import FUNCTIONS, Primitive
from .functions.activations import log_softmax, softmax
from .functions.pointwise import digamma, erf, erfc, erfinv, exp2, expm1, i0, log1p, logit, round, sigmoid, sinc, xlogy
from .functions.pointwise import lgamma as gammaln
from .functions.reductions import logsumexp
from .tensor import Tensor

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

        return getattr(special, name)(*xs)

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
    return _polygamma(input, n=int(n))


_mvlgamma_constant = np.log(np.pi) / 4


def multigammaln(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p."""
    made = sum(gammaln(input - j / 2) for j in range(1, p)) + gammaln(input) if p > 1 else gammaln(input)
    return made + _mvlgamma_constant * p * (p - 1)


FUNCTIONS.update(polygamma=polygamma, mvlgamma=multigammaln)

__getattr__ = of_module(globals())
