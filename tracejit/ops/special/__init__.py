"""Special functions, one file a family. SciPy is the reference; a line is a whole op, as in ops/elementwise."""

from .bessel import i0, i0e, i1, i1e, iv, ive, j0, j1, jv, k0, k0e, k1, k1e, kv, kve, y0, y1, yv
from .entropy import entr, exprel, kl_div, logit, offset, rel_entr, xlog1py, xlogy
from .error import dawsn, erfcinv, erfcx, erfi, erfinv, exp1, expi, log_ndtr, ndtr, ndtri
from .gamma import beta, betaln, binom, digamma, gamma, gammaln, poch, polygamma, zeta
from .incomplete import betainc, betaincc, betainccinv, betaincinv, gammainc, gammaincc, gammainccinv, gammaincinv, stdtr, stdtrit
from .other import scipy_ufunc
from .shape_slopes import betainc_slope, gammainc_slope

__all__ = [
    "beta", "betainc", "betainc_slope", "betaincc", "betainccinv", "betaincinv", "betaln", "binom", "dawsn", "digamma", "entr", "erfcinv", "erfcx",
    "erfi", "erfinv", "exp1", "expi", "exprel", "gamma", "gammainc", "gammainc_slope", "gammaincc", "gammainccinv", "gammaincinv", "gammaln", "i0",
    "i0e", "i1", "i1e", "iv", "ive", "j0", "j1", "jv", "k0", "k0e", "k1", "k1e", "kl_div", "kv", "kve", "log_ndtr", "logit", "ndtr", "ndtri",
    "offset", "poch", "polygamma", "rel_entr", "scipy_ufunc", "stdtr", "stdtrit", "xlog1py", "xlogy", "y0", "y1", "yv", "zeta",
]
