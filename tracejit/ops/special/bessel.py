"""Bessel functions: those of order 0 and 1 in vector code, those of any order by SciPy's, where only the argument has a derivative.

Derivatives step the order up and down, so they are finite at 0 where a quotient by x would not be.
"""

from __future__ import annotations

from ..elementwise import sign
from .common import function, number


def _of_order(general, order: float, x):
    return general(number(order, x), x)


# J and Y: f' = (f[n-1] - f[n+1]) / 2
jv = function("jv", "v", lambda t, v, x, y: t * (0.5 * (jv(v - 1, x) - jv(v + 1, x))))
j0 = function("j0", lambda t, x, y: -t * j1(x))
j1 = function("j1", lambda t, x, y: t * (0.5 * (j0(x) - _of_order(jv, 2, x))))
yv = function("yv", "v", lambda t, v, x, y: t * (0.5 * (yv(v - 1, x) - yv(v + 1, x))), singular=True)
y0 = function("y0", lambda t, x, y: -t * y1(x), singular=True)
y1 = function("y1", lambda t, x, y: t * (0.5 * (y0(x) - _of_order(yv, 2, x))), singular=True)

# I: f' = (f[n-1] + f[n+1]) / 2, and scaled by exp(-|x|) besides - sign(x) f
iv = function("iv", "v", lambda t, v, x, y: t * (0.5 * (iv(v - 1, x) + iv(v + 1, x))))
i0 = function("i0", lambda t, x, y: t * i1(x))
i1 = function("i1", lambda t, x, y: t * (0.5 * (i0(x) + _of_order(iv, 2, x))))
ive = function("ive", "v", lambda t, v, x, y: t * (0.5 * (ive(v - 1, x) + ive(v + 1, x)) - sign(x) * y))
i0e = function("i0e", lambda t, x, y: t * (i1e(x) - sign(x) * y))
i1e = function("i1e", lambda t, x, y: t * (0.5 * (i0e(x) + _of_order(ive, 2, x)) - sign(x) * y))

# K: f' = -(f[n-1] + f[n+1]) / 2, and scaled by exp(x) besides + f
kv = function("kv", "v", lambda t, v, x, y: t * (-0.5 * (kv(v - 1, x) + kv(v + 1, x))), singular=True)
k0 = function("k0", lambda t, x, y: -t * k1(x), singular=True)
k1 = function("k1", lambda t, x, y: t * (-0.5 * (k0(x) + _of_order(kv, 2, x))), singular=True)
kve = function("kve", "v", lambda t, v, x, y: t * (y - 0.5 * (kve(v - 1, x) + kve(v + 1, x))), singular=True)
k0e = function("k0e", lambda t, x, y: t * (y - k1e(x)), singular=True)
k1e = function("k1e", lambda t, x, y: t * (y - 0.5 * (k0e(x) + _of_order(kve, 2, x))), singular=True)
