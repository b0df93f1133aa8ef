"""The tables of the special functions, for fit.py to fit: double precision only, since float is computed in double.

Where a function runs over [1, 4] the variable is t = (y - 2)/(y + 2), which moves the pole at 0 to -1 and so needs half as many terms as y itself.
Asymptotic expansions are fitted too, down to where they are used, so they are good to the last place there.
"""

from collections.abc import Callable

from mpmath import (
    besseli,
    besselj,
    besseljzero,
    bessely,
    cos,
    digamma,
    erfc,
    erfinv,
    exp,
    expm1,
    findroot,
    gamma,
    log,
    loggamma,
    mpf,
    pi,
    sin,
    sqrt,
    zeta,
)  # fmt: skip

TINY = mpf(2) ** -120  # a distance whose effect no table shows
THIRD = mpf(1) / 3


def away_from(f: Callable, *points) -> Callable:
    """f, and next to a point where it is 0/0 the mean of its neighbours."""

    def g(x):
        close = any(abs(x - p) < TINY for p in points)
        return (f(x + TINY) + f(x - TINY)) / 2 if close else f(x)

    return g


def of_ratio(f: Callable) -> Callable:
    """f(y) on [1, 4] in t = (y - 2)/(y + 2)."""
    return lambda t: f(2 * (1 + t) / (1 - t))


def at_infinity(f: Callable) -> Callable:
    """f(x) in z = 1/x^2; its limit at z = 0 is taken at x = 2^60."""
    return lambda z: f(1 / sqrt(max(z, TINY)))


DIGAMMA_ROOT = findroot(digamma, mpf("1.4616"))
J0_ROOTS = besseljzero(0, 1), besseljzero(0, 2)
J1_ROOTS = besseljzero(1, 1), besseljzero(1, 2)


def stirling(x):
    """x times what Stirling's formula lacks."""
    return (loggamma(x) - (x - mpf("0.5")) * log(x) + x - log(2 * pi) / 2) * x


def erfinv_ratio(w):
    """erfinv(x)/x where w = -log(1 - x^2)."""
    x = sqrt(-expm1(-max(w, TINY)))
    return erfinv(x) / x


def erfcinv_tail(t):
    """x/r where erfc(x) = exp(-r^2) and t = (r - 4)/(r + 4), by Newton's method on log erfc."""
    r = 4 * (1 + t) / (1 - t)
    x = r - log(1 + r) / (2 * r)
    for _ in range(40):
        tail = erfc(x)
        step = (log(tail) + r * r) * tail / (-2 * exp(-x * x) / sqrt(pi))
        x -= step
        if abs(step) < mpf(10) ** -60:
            break
    return x / r


def erfcx_ratio(t):
    """(1 + 2x) exp(x^2) erfc(x) for t = (x - 4)/(x + 4), up to t = 1, where x is infinite."""
    x = 4 * (1 + t) / (1 - t) if t < 1 - TINY else 4 / TINY
    if x < 100:
        return (1 + 2 * x) * exp(x * x) * erfc(x)
    total = term = mpf(1)
    for k in range(1, 60):
        term *= -(2 * k - 1) / (2 * x * x)
        total += term
    return (1 + 2 * x) * total / (x * sqrt(pi))


def scaled_i(order: int) -> Callable:
    """exp(-x) sqrt(x) I_n(x), x > 8, in t = 16/x - 1."""

    def f(t):
        x = 16 / max(1 + t, TINY)
        return besseli(order, x) * exp(-x) * sqrt(x)

    return f


def j_ratio(order: int, roots) -> Callable:
    """J_n(x) / x^n in z = x^2, without its first two roots."""

    def f(z):
        x = sqrt(max(z, TINY**2))
        return besselj(order, x) / x**order / ((z - roots[0] ** 2) * (z - roots[1] ** 2))

    return away_from(f, roots[0] ** 2)


def amplitude(order: int, part: str) -> Callable:
    """P or x Q in Hankel's J_n(x) = sqrt(2/(pi x)) (P cos a - Q sin a), a = x - (2n + 1) pi/4, for x > 5 in t = 50/x^2 - 1."""

    def f(x):
        a, scale = x - (2 * order + 1) * pi / 4, sqrt(pi * x / 2)
        j, y = besselj(order, x), bessely(order, x)
        return scale * (j * cos(a) + y * sin(a)) if part == "p" else scale * (y * cos(a) - j * sin(a)) * x

    return lambda t: f(sqrt(50 / max(1 + t, TINY)))


def even(f: Callable) -> Callable:
    """An even function in the square of its argument."""
    return lambda z: f(sqrt(max(z, TINY)))


# name, function, lowest and highest argument, terms
SPECIAL = [
    ("sinpi", even(lambda r: sin(pi * r) / (pi * r)), mpf(0), mpf("0.25"), 9),
    ("cospi", even(away_from(lambda r: cos(pi * r) / (1 - 4 * r * r), mpf("0.5"))), mpf(0), mpf("0.25"), 9),
    ("gammaln", of_ratio(away_from(lambda y: loggamma(y) / ((y - 1) * (y - 2)), 1, 2)), -THIRD, THIRD, 22),
    ("stirling", at_infinity(stirling), mpf(0), mpf(1) / 9, 13),
    ("reciprocal_gamma", lambda t: 1 / gamma(t + mpf("1.75")), mpf("-1.25"), mpf("1.25"), 22),
    ("digamma", of_ratio(away_from(lambda y: digamma(y) / (y - DIGAMMA_ROOT), DIGAMMA_ROOT)), -THIRD, THIRD, 23),
    ("digamma_large", at_infinity(lambda x: (log(x) - 1 / (2 * x) - digamma(x)) * x * x), mpf(0), mpf(1) / 16, 12),
    ("trigamma", of_ratio(lambda y: zeta(2, y) * y), -THIRD, THIRD, 23),
    ("trigamma_large", at_infinity(lambda x: (zeta(2, x) - 1 / x - 1 / (2 * x * x)) * x**3), mpf(0), mpf(1) / 16, 13),
    ("erfinv", erfinv_ratio, mpf(0), mpf("1.67"), 15),
    ("erfcinv_tail", erfcinv_tail, mpf("-2.5") / mpf("5.5"), mpf("23.4") / mpf("31.4"), 29),
    ("erfcx", erfcx_ratio, mpf(-1), mpf(1), 25),
    ("i0", even(lambda x: besseli(0, x)), mpf(0), mpf(64), 16),
    ("i1", even(lambda x: besseli(1, x) / x), mpf(0), mpf(64), 15),
    ("i0_large", scaled_i(0), mpf(-1), mpf(1), 25),
    ("i1_large", scaled_i(1), mpf(-1), mpf(1), 25),
    ("j0", j_ratio(0, J0_ROOTS), mpf(0), mpf(25), 12),
    ("j1", j_ratio(1, J1_ROOTS), mpf(0), mpf(25), 12),
    ("p0", amplitude(0, "p"), mpf(-1), mpf(1), 19),
    ("q0", amplitude(0, "q"), mpf(-1), mpf(1), 23),
    ("p1", amplitude(1, "p"), mpf(-1), mpf(1), 19),
    ("q1", amplitude(1, "q"), mpf(-1), mpf(1), 22),
]  # fmt: skip

SPLIT = {
    "digamma_root": DIGAMMA_ROOT, "j0_root": J0_ROOTS[0], "j0_next": J0_ROOTS[1], "j1_root": J1_ROOTS[0], "j1_next": J1_ROOTS[1],
    "sqrt_half": sqrt(mpf("0.5")), "sqrt_two": sqrt(mpf(2)), "half_log_two_pi": log(2 * pi) / 2, "sqrt_two_pi": sqrt(2 * pi), "one_over_pi": 1 / pi,
}  # fmt: skip
