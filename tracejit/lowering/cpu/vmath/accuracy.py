"""How accurate and how fast the vector functions are:

    python -m tracejit.lowering.cpu.vmath.accuracy [--points N] [name ...]

Prints, for each function and format, the largest error found in units of the last place of the exact result and where it was, and the time for one
element beside NumPy's.  The reference is mpmath for double, and double precision NumPy and SciPy for float.  The tests use the same samples.
"""

import argparse
import timeit
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..llvm import lanes
from .elementwise import apply, kernel
from .registry import FUNCTIONS, arity


class Domain(NamedTuple):
    """Where a function is interesting: an interval to fill evenly, points to crowd around, and the interval outside of which it is not measured
    (it is constant, infinite or undefined there)."""

    low: float
    high: float
    near: tuple[float, ...] = ()
    least: float = -np.inf
    greatest: float = np.inf


DOMAINS = {
    "exp": Domain(-746, 711, (0, 709.78, -708.4, -745.13, 88.72, -87.34, -103.97), -760, 720),
    "exp2": Domain(-1076, 1025, (0, 1024, -1022, -1074, 128, -126, -149), -1090, 1030),
    "expm1": Domain(-40, 711, (0, 0.3466, -0.3466, 709.78, 88.72, -37), -100, 720),
    "logistic": Domain(-746, 40, (0, -709, -745, -87.3, -103.9), -760, 760),
    "log": Domain(0, 3, (1, 0.70710678, 1.41421356, 2.0**-1022, 2.0**-126), 5e-324),
    "log2": Domain(0, 3, (1, 0.70710678, 1.41421356, 2, 8, 2.0**-1022), 5e-324),
    "log10": Domain(0, 3, (1, 0.70710678, 1.41421356, 10, 1000, 2.0**-1022), 5e-324),
    "log1p": Domain(-1, 3, (0, -1, -0.29289, 0.41421), -1 + 2.0**-53),
    "sin": Domain(-100, 100, (0, np.pi / 4, np.pi / 2, np.pi, 2.0**40, 2.0**17, 355, 1e22)),
    "cos": Domain(-100, 100, (0, np.pi / 4, np.pi / 2, np.pi, 2.0**40, 2.0**17, 355, 1e22)),
    "tan": Domain(-100, 100, (0, np.pi / 4, np.pi / 2, np.pi, 2.0**40, 2.0**17, 355, 1e22)),
    "sinh": Domain(-711, 711, (0, 0.3466, 1.04, 710.4758, 89.416), -720, 720),
    "cosh": Domain(-711, 711, (0, 0.3466, 1.04, 710.4758, 89.416), -720, 720),
    "tanh": Domain(-23, 23, (0, 0.17, 0.55, 19, 22, 9)),
    "arcsin": Domain(-1, 1, (0, 0.5, 1), -1, 1),
    "arccos": Domain(-1, 1, (0, 0.5, 1), -1, 1),
    "arctan": Domain(-10, 10, (0, 1)),
    "arcsinh": Domain(-10, 10, (0, 2.0**28)),
    "arccosh": Domain(1, 10, (1, 2.0**28), 1),
    "arctanh": Domain(-1, 1, (0, 0.5, 1), -1 + 2.0**-53, 1 - 2.0**-53),
    "erf": Domain(-6, 6, (0, 1, 4, 6)),
    "erfc": Domain(-6, 27.3, (0, 0.5, 26.54, 27.22, 9.19, 10.05), -np.inf, 28),
    "cbrt": Domain(-10, 10, (0, 1, 8, 2.0**-1022, 2.0**-126)),
    "sqrt": Domain(0, 10, (1, 4, 2.0**-1022), 0),
    "gammaln": Domain(-5, 40, (0, 1, 2, 3, 4), -1e6, 1e305),
    "gamma": Domain(-180, 172, (0, 1, 2, 3, -0.5, -1, -3, 171.62, 35.04), -184, 172),
    "digamma": Domain(-5, 40, (0, 1, 1.4616321, 4), -1e6, 1e300),
    "trigamma": Domain(-5, 40, (0, 1, 4), -100, 1e300),
    "erfinv": Domain(-1, 1, (0, 0.9, 1, -1), -1, 1),
    "erfcinv": Domain(0, 2, (0, 1, 0.1, 1.9), 0, 2),
    "ndtri": Domain(0, 1, (0, 0.5, 0.05, 0.95), 0, 1),
    "erfcx": Domain(-26.6, 50, (0, 26.6, -26.6), -27, 1e200),
    "ndtr": Domain(-38.5, 9, (0, 0.66, -0.66, -37.5, -38.4), -40, 1e3),
    "log_ndtr": Domain(-100, 38, (0, 0.66, -1, 38.4), -1e150, 1e3),
    "i0": Domain(-714, 714, (0, 8, -8, 713.9), -720, 720),
    "i1": Domain(-714, 714, (0, 8, -8, 713.9), -720, 720),
    "i0e": Domain(-50, 50, (0, 8, -8), -1e15, 1e15),
    "i1e": Domain(-50, 50, (0, 8, -8), -1e15, 1e15),
    "j0": Domain(-50, 50, (0, 2.4048256, 5, 5.5200781), -1e7, 1e7),
    "j1": Domain(-50, 50, (0, 3.8317060, 5, 7.0155867), -1e7, 1e7),
    "logit": Domain(0, 1, (0.5, 0.25, 1), 0, 1),
    "exprel": Domain(-40, 711, (0, 0.3466, 709.78), -1e300, 720),
    "entr": Domain(0, 3, (1, 2.0**-1022), 0, 1e305),
}
SPECIAL_BOUND, ELEMENTARY_BOUND = 8.0, 4.0
SPECIAL = (*list(DOMAINS)[list(DOMAINS).index("gammaln"):], "rel_entr", "zeta")


def bound(name: str) -> float:
    """The error that the documentation promises, in units of the last place of `reference_magnitude`."""
    return SPECIAL_BOUND if name in SPECIAL else ELEMENTARY_BOUND


def samples(name: str, dtype, points: int, seed: int = 0) -> list[np.ndarray]:
    """About `points` arguments: bit patterns, logarithmic and even spacing, and neighbours of the difficult points."""
    rng = np.random.default_rng(seed)
    if arity[name] == 2:
        return pairs(name, dtype, points, rng)
    domain = DOMAINS[name]
    some = points // 4
    even = rng.uniform(domain.low, domain.high, some)
    spread = np.exp2(rng.uniform(-60, 12, some)) * rng.choice([-1.0, 1.0], some)
    crowd = [neighbours(point, dtype, rng, some // len(domain.near)) for point in domain.near]
    if name in ("sin", "cos", "tan"):  # close to roots and poles, in the fast range and far beyond
        crowd.append(rng.integers(1, 1 << 40, some) * (np.pi / 2))
        crowd.append(rng.integers(1, 1 << 16, some) * (np.pi / 2))
    with np.errstate(over="ignore"):
        x = np.concatenate([bit_patterns(dtype, some, rng), *(part.astype(dtype) for part in (even, spread, *crowd))])
    inside = (x >= domain.least) & (x <= domain.greatest) & np.isfinite(x)
    if name in ("gamma", "digamma", "trigamma", "gammaln"):  # their poles
        inside[inside] &= (x[inside] > 0) | (x[inside] != np.rint(x[inside]))
    return [x[inside]]


def bit_patterns(dtype, count: int, rng) -> np.ndarray:
    """Numbers of every exponent and both signs, NaN and infinity included."""
    size = np.dtype(dtype).itemsize
    return rng.integers(0, 256, (count, size), dtype=np.uint8).view(dtype).ravel()


def neighbours(point: float, dtype, rng, count: int) -> np.ndarray:
    """Points at distances from one unit in the last place to a tenth, on both sides."""
    point = np.asarray(point, dtype).astype("f8")
    step = np.maximum(np.abs(point) * np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal)
    return point + step * np.exp2(rng.uniform(0, 18, count)).round() * rng.choice([-1.0, 1.0], count)


def pairs(name: str, dtype, points: int, rng) -> list[np.ndarray]:
    """Arguments of the functions of two variables."""
    some = points // 3
    a, b = (bit_patterns(dtype, some, rng) for _ in range(2))
    with np.errstate(invalid="ignore"):  # signalling NaN
        a, b = a.astype("f8"), b.astype("f8")
    c, d = (np.exp2(rng.uniform(-30, 30, some)) * rng.choice([-1.0, 1.0], some) for _ in range(2))
    if name == "zeta":
        return [np.concatenate(parts).astype(dtype) for parts in (
            [1 + np.exp2(rng.uniform(-20, 6, some)), rng.integers(2, 30, some), rng.integers(2, 9, some)],
            [np.exp2(rng.uniform(-3, 7, some)), rng.uniform(0.01, 20, some), rng.uniform(-9, 0, some)])]
    if name == "rel_entr":
        a, b, c, d = map(np.abs, (a, b, c, d))
    near = c * (1 + rng.uniform(-1e-3, 1e-3, some))
    if name == "pow":  # exponents that use the whole range of results, and small whole ones
        a, c = np.abs(a), np.abs(c)
        limit = np.log(float(np.finfo(dtype).max))
        with np.errstate(all="ignore"):
            b = rng.uniform(-1.1, 1.05, some) * limit / np.log(a.astype(dtype).astype("f8"))
        near = 1 + np.exp2(rng.uniform(-20, -2, some)) * rng.choice([-1.0, 1.0], some)
        extra = rng.uniform(-1.1, 1.05, some) * limit / np.log(near.astype(dtype).astype("f8"))
        first, second = [a, c, near], [b, rng.integers(-5, 6, some), extra]
    else:
        if name == "logaddexp":
            a, b = rng.uniform(-1, 1, some), rng.uniform(-1, 1, some)
        first, second = [a, c, c], [b, d, near]
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = np.concatenate(first).astype(dtype), np.concatenate(second).astype(dtype)
    if name == "pow":
        with np.errstate(all="ignore"):
            inside = np.isfinite(x) & np.isfinite(y) & (np.abs(y.astype("f8") * np.log(x.astype("f8"))) < 800)
    else:
        inside = np.isfinite(x) & np.isfinite(y)
    return [x[inside], y[inside]]


def numpy_function(name: str) -> Callable:
    """The function of NumPy or SciPy that the vector function replaces."""
    import scipy.special

    others = {"erf": scipy.special.erf, "erfc": scipy.special.erfc, "logistic": scipy.special.expit, "pow": np.power,
              "trigamma": lambda x, *out: scipy.special.polygamma(1, x), "zeta": lambda s, q, *out: scipy.special.zeta(s, q)}
    return others.get(name) or getattr(scipy.special if name in SPECIAL else np, name)


def mpmath_function(name: str) -> Callable:
    """The exact function, on numbers of the current precision of mpmath."""
    import mpmath as mp

    others = {
        "exp2": lambda x: mp.mpf(2) ** x,
        "log2": lambda x: mp.log(x) / mp.log(2),
        "logistic": lambda x: 1 / (1 + mp.exp(-x)),
        "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
        "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan, "arctan2": mp.atan2,
        "arcsinh": lambda x: mp.sign(x) * mp.log1p(abs(x) + x * x / (1 + mp.sqrt(1 + x * x))),
        "arccosh": mp.acosh,
        "arctanh": lambda x: mp.log1p(2 * x / (1 - x)) / 2,
        "pow": mp.power,
        "gammaln": lambda x: mp.loggamma(x) if x > 0 else mp.log(mp.pi / abs(mp.sinpi(x))) - mp.loggamma(1 - x),
        "trigamma": lambda x: mp.psi(1, x) if x > 0 else (mp.pi / mp.sinpi(x)) ** 2 - mp.psi(1, 1 - x),
        "digamma": lambda x: mp.digamma(x) if x > 0 else mp.digamma(1 - x) - mp.pi * mp.cospi(x) / mp.sinpi(x),
        "erfinv": lambda x: mp.erfinv(x) if abs(x) < 0.5 else mp.sign(x) * normal_tail(mp, (1 - abs(x)) / 2) / mp.sqrt(2),
        "erfcinv": lambda p: mp.sign(1 - p) * normal_tail(mp, min(p, 2 - p) / 2) / mp.sqrt(2),
        "ndtri": lambda p: mp.sign(p - 0.5) * normal_tail(mp, min(p, 1 - p)),
        "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x) if x < 1000 else mp.hyp2f0(0.5, 1, -1 / (x * x)) / (x * mp.sqrt(mp.pi)),
        "ndtr": mp.ncdf,
        "log_ndtr": lambda x: mp.log1p(-mp.ncdf(-x)) if x > 0 else mp.log(mp.ncdf(x)) if x > -1000 else (
            mp.log(mp.hyp2f0(0.5, 1, -2 / (x * x)) / -x / mp.sqrt(2 * mp.pi)) - x * x / 2),
        "i0": lambda x: mp.besseli(0, x), "i1": lambda x: mp.besseli(1, x),
        "i0e": lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), "i1e": lambda x: mp.besseli(1, x) * mp.exp(-abs(x)),
        "j0": lambda x: mp.besselj(0, x), "j1": lambda x: mp.besselj(1, x),
        "logit": lambda x: mp.log(x / (1 - x)),
        "exprel": lambda x: mp.expm1(x) / x if x else mp.mpf(1),
        "entr": lambda x: -x * mp.log(x) if x else mp.mpf(0),
        "rel_entr": lambda x, y: x * mp.log(x / y),
        "zeta": lambda s, q: mp.workprec(600)(mp.zeta)(s, q),  # its error is absolute
        "logaddexp": lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
    }  # fmt: skip
    return others.get(name) or getattr(mp, name)


def normal_tail(mp, p):
    """The x >= 0 beyond which the normal distribution has the probability p <= 1/2, by Newton's method on the logarithm."""
    if p == 0:
        return mp.inf
    x = mp.sqrt(-2 * mp.log(2 * p))
    for _ in range(100):
        tail = mp.ncdf(-x)
        step = mp.log(tail / p) * tail / mp.npdf(x)
        x += step
        if abs(step) <= abs(x) * mp.mpf(2) ** -120:
            break
    return x


def errors(name: str, got: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
    """The error of each result in units of the last place of the exact one; infinity counts as the first number beyond the greatest."""
    return errors_double(name, got, *arrays) if got.dtype == np.float64 else errors_float(name, got, *arrays)


def errors_float(name: str, got: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        exact = numpy_function(name)(*(array.astype("f8") for array in arrays))
        unit = np.spacing(np.minimum(np.abs(reference_magnitude(name, exact, *arrays)), np.finfo("f4").max).astype("f4")).astype("f8")
        beyond = 2.0**128
        return np.abs(np.clip(got.astype("f8"), -beyond, beyond) - np.clip(exact, -beyond, beyond)) / unit


def errors_double(name: str, got: np.ndarray, *arrays: np.ndarray) -> np.ndarray:
    import mpmath as mp

    function, out = mpmath_function(name), []
    with mp.workprec(180):
        beyond = mp.mpf(2) ** 1024
        for value, *point in zip(got.tolist(), *(array.tolist() for array in arrays)):
            exact = function(*map(mp.mpf, point))
            scale = reference_magnitude(name, exact, *point)
            unit = mp.ldexp(1, min(max(mp.mag(scale) - 53, -1074), 971)) if scale else mp.ldexp(1, -1074)
            exact, value = min(max(exact, -beyond), beyond), beyond * mp.sign(value) if np.isinf(value) else mp.mpf(value)
            out.append(float(abs(value - exact) / unit))
    return np.array(out)


def reference_magnitude(name: str, exact, *point):
    """What the unit of the last place is taken of: the result; at roots that come from cancellation, the size of the terms that cancel."""
    larger = np.maximum if isinstance(exact, np.ndarray) else max
    x, magnitude = point[0], abs(exact)
    if name == "logaddexp":
        return larger(larger(abs(x), abs(point[1])), magnitude)
    if name == "zeta" and not isinstance(exact, np.ndarray):  # of negative arguments, the term nearest to the pole
        return magnitude if point[1] > 0 else max(magnitude, abs(point[1] - np.rint(point[1])) ** -x)
    if name in ("gammaln", "digamma"):  # the roots of negative arguments
        return larger(magnitude, (x < 0) * (1 + (abs(x) if name == "gammaln" else np.log1p(abs(x)))))
    if name in ("j0", "j1"):  # the amplitude, beyond the roots that are factors
        return larger(magnitude, (abs(x) > 5) * 0.79 / abs(larger(abs(x), 5)) ** 0.5)
    return magnitude


def nanoseconds(function: Callable, *arguments) -> float:
    """Time for one element of 16384, which fit into the second-level cache; the best of many runs."""
    return min(timeit.repeat(lambda: function(*arguments), number=3, repeat=15)) / 3 / 16384 * 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help="functions to measure (all)")
    parser.add_argument("--points", type=int, default=4000)
    options = parser.parse_args()
    print(f"{'function':10s} {'format':8s} {'max ULP':>8s}  {'at':42s} {'ns':>6s} {'NumPy':>6s}")
    for name in options.names or FUNCTIONS:
        for dtype in (np.float32, np.float64):
            arrays = samples(name, dtype, options.points if dtype == np.float64 else 50 * options.points)
            found = errors(name, apply(name, *arrays), *arrays)
            worst = int(np.argmax(found))  # NaN, an error anywhere in a domain, is the largest
            where = ", ".join(repr(float(array[worst])) for array in arrays)
            low = 1.0 if name == "arccosh" else 0.0
            timed = [np.random.default_rng(i).uniform(low + 0.01, low + 0.99, 16384).astype(dtype) for i in range(len(arrays))]
            out = np.empty_like(timed[0])
            ours = nanoseconds(kernel(name, out.dtype.name, lanes(out.itemsize)), out.size, *(array.ctypes.data for array in (out, *timed)))
            theirs = nanoseconds(numpy_function(name), *timed, out)
            print(f"{name:10s} {np.dtype(dtype).name:8s} {found[worst]:8.3f}  {where:42s} {ours:6.2f} {theirs:6.2f}", flush=True)


if __name__ == "__main__":
    main()
