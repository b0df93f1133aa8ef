"""Fits the polynomials of this package and writes them, with the split constants, to coefficients.py and special_coefficients.py:

    python -m tracejit.lowering.cpu.vmath.fit

Needs mpmath, which nothing else here does.  Each table is the weighted minimax polynomial (Remez exchange, 300 bits) of a smooth remainder such as
(e^r - 1 - r)/r^2.  The weight turns an error of the remainder into a relative error of the whole function, so the number printed beside each table is
what the polynomial itself costs in units of the last place.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mpmath import asin, atan, atanh, cbrt, cos, cosh, erf, erfc, exp, linspace, log, lu_solve, matrix, mp, mpf, pi, sin, sinh, sqrt

mp.prec = 300
DIGITS = {"float": 24, "double": 53}


class Fit(NamedTuple):
    """One table: `function` on [low, high], how much a relative error of it weighs at each point, and the number of terms for each kind."""

    name: str
    function: Callable
    low: mpf
    high: mpf
    weight: Callable
    terms: dict[str, int]


def of_square(f: Callable) -> Callable:
    """An even remainder as a function of the square of its argument, away from 0/0."""
    return lambda z: f(sqrt(max(z, mpf(2) ** -60)))


def away_from_zero(f: Callable) -> Callable:
    return lambda x: f(x if abs(x) > mpf(2) ** -30 else mpf(2) ** -30)


def shepherd(t):
    """(1 + 2x) exp(x^2) erfc(x), smooth in t = (x - 4)/(x + 4) on the whole half-line (Shepherd and Laframboise 1981)."""
    x = 4 * (1 + t) / (1 - t)
    return (1 + 2 * x) * exp(x * x) * erfc(x)


def both(single: int, double: int) -> dict[str, int]:
    return {"float": single, "double": double}


HALF_LN2 = log(2) / 2 * mpf("1.001")
EIGHTH_TURN = pi / 4 * mpf("1.006")
LOG_S = (sqrt(mpf(2)) - 1) / (sqrt(mpf(2)) + 1) * mpf("1.001")

FITS = [
    Fit("exp", away_from_zero(lambda r: (exp(r) - 1 - r) / r**2), -HALF_LN2, HALF_LN2, lambda r: abs(r), both(5, 10)),
    Fit("exp2", away_from_zero(lambda r: (mpf(2) ** r - 1) / r), -mpf("0.501"), mpf("0.501"), lambda r: abs(r), both(6, 11)),
    Fit("log", of_square(lambda s: (2 * atanh(s) / s - 2) / s**2), mpf(0), LOG_S**2, lambda z: z / 2, both(3, 7)),
    Fit("log_tail", of_square(lambda s: (2 * atanh(s) / s - 2 - 2 * s**2 / 3) / s**4), mpf(0), LOG_S**2, lambda z: z**2 / 2, {"double": 7}),
    Fit("log2_short", of_square(lambda s: 2 * atanh(s) / s / log(2)), mpf(0), LOG_S**2, lambda z: mpf(1) / 3, {"double": 5}),
    Fit("exp2_short", lambda r: mpf(2) ** r, -mpf("0.501"), mpf("0.501"), lambda r: 1, {"double": 7}),
    Fit("sin", of_square(lambda r: (sin(r) / r - 1) / r**2), mpf(0), EIGHTH_TURN**2, lambda z: z, both(4, 6)),
    Fit("cos", of_square(lambda r: (cos(r) - 1 + r**2 / 2) / r**4), mpf(0), EIGHTH_TURN**2, lambda z: z**2, both(3, 6)),
    Fit("asin", of_square(lambda x: (asin(x) / x - 1) / x**2), mpf(0), mpf("0.25"), lambda z: z, both(6, 12)),
    Fit("atan", of_square(lambda x: (atan(x) / x - 1) / x**2), mpf(0), mpf(1), lambda z: z, both(9, 20)),
    Fit("sinh", of_square(lambda r: (sinh(r) / r - 1) / r**2), mpf(0), HALF_LN2**2, lambda z: z, both(3, 5)),
    Fit("cosh", of_square(lambda r: (cosh(r) - 1) / r**2), mpf(0), HALF_LN2**2, lambda z: z, both(3, 6)),
    Fit("erf", of_square(lambda x: erf(x) / x - 1), mpf(0), mpf(1), lambda z: 1, both(7, 13)),
    Fit("erf_large", lambda u: -log(erfc(u + 2)), mpf(-1), {"float": mpf(2), "double": mpf(4)}, lambda u: erfc(u + 2), both(7, 18)),
    Fit("erfc", shepherd, mpf(-1), {"float": mpf("6.5") / mpf("14.5"), "double": mpf("23.5") / mpf("31.5")}, lambda t: 1, both(12, 23)),
    Fit("cbrt", cbrt, sqrt(mpf("0.5")), sqrt(mpf(2)), lambda m: 1, both(3, 6)),
]


def minimax(function: Callable, weight: Callable, low: mpf, high: mpf, terms: int) -> tuple[list[mpf], mpf]:
    """Coefficients, lowest power first, of the polynomial that minimises the largest weighted error, and that error."""
    middle, radius = (low + high) / 2, (high - low) / 2
    grid = [middle - radius * cos(pi * t) for t in linspace(0, 1, 60 * terms)]
    values, weights = [function(x) for x in grid], [weight(x) for x in grid]
    points = [round(i * (len(grid) - 1) / terms) for i in range(terms + 1)]
    if not weights[0]:  # an end where errors weigh nothing is no point of the reference
        points[0] = 1
    for _ in range(60):
        system = matrix(terms + 1, terms + 1)
        right = matrix(terms + 1, 1)
        for row, i in enumerate(points):
            for power in range(terms):
                system[row, power] = grid[i] ** power
            system[row, terms] = (-1) ** row / weights[i] if weights[i] else mpf(10) ** 30
            right[row] = values[i]
        solution = lu_solve(system, right)
        coefficients = [solution[power] for power in range(terms)]
        errors = [w * (v - horner(coefficients, x)) for x, v, w in zip(grid, values, weights)]
        worst = max(map(abs, errors))
        if worst < abs(solution[terms]) * mpf("1.01"):
            break
        points = alternation(errors, terms + 1)
    return coefficients, worst


def alternation(errors: Sequence[mpf], count: int) -> list[int]:
    """The extreme of each run of one sign, cut to `count` runs by dropping the weaker end."""
    extremes: list[int] = []
    for i, error in enumerate(errors):
        if not error:
            continue
        if extremes and (error > 0) == (errors[extremes[-1]] > 0):
            if abs(error) > abs(errors[extremes[-1]]):
                extremes[-1] = i
        else:
            extremes.append(i)
    while len(extremes) > count:
        extremes.pop(0 if abs(errors[extremes[0]]) < abs(errors[extremes[-1]]) else -1)
    return extremes


def horner(coefficients: Sequence[mpf], x: mpf) -> mpf:
    total = mpf(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def rounded(value: mpf, digits: int) -> mpf:
    """To `digits` significant bits."""
    mp.prec, before = digits, mp.prec
    try:
        return +value
    finally:
        mp.prec = before


def split(value: mpf, kind: str, parts: int, spare: int = 0) -> list[float]:
    """`value` as a sum of numbers of one kind, the first with `spare` low bits zero so that its product with a small integer is exact."""
    digits, out = DIGITS[kind] - spare, []
    for _ in range(parts):
        part = rounded(value, digits)
        out.append(float(part))
        value, digits = value - part, DIGITS[kind]
    return out


def constants(kind: str) -> dict[str, list[float]]:
    """Constants as sums of parts: (high, low, ...)."""
    return {
        "ln2": split(log(2), kind, 2),
        "ln2_exact": split(log(2), kind, 2, spare=11 if kind == "double" else 8),
        "log2_e": split(1 / log(2), kind, 2),
        "log10_e": split(1 / log(10), kind, 2),
        "log10_2": split(log(2) / log(10), kind, 2, spare=11 if kind == "double" else 8),
        "two_over_pi": split(2 / pi, kind, 1),
        "half_pi": split(pi / 2, kind, 3),
        "pi": split(pi, kind, 2),
        "two_thirds": split(mpf(2) / 3, kind, 2),
        "cbrt_2": split(cbrt(2), kind, 1),
        "cbrt_half": split(cbrt(mpf("0.5")), kind, 1),
    }


def literal_row(values: Sequence[float]) -> str:
    return "(" + ", ".join(map(repr, values)) + (",)" if len(values) == 1 else ")")


def table(name: str, function: Callable, weight: Callable, low: mpf, high: mpf, terms: int, kind: str) -> list[str]:
    """One fitted table as lines of Python, and a line for people on what it costs."""
    coefficients, error = minimax(function, weight, low, high, terms)
    print(f"{name:16s} {kind:7s} {terms:3d} terms, {float(error * 2 ** DIGITS[kind]):8.4f} ULP", flush=True)
    return [f'        "{kind}": (', *(f"            {float(rounded(c, DIGITS[kind]))!r}," for c in coefficients), "        ),"]


def write(file: str, title: str, tables: dict[str, list[str]], numbers: dict[str, dict[str, list[float]]]) -> None:
    """A module of two dictionaries: coefficients by name and kind, constants by kind and name."""
    lines = [f'"""{title}  Written by fit.py: change that and run it."""', "", "COEFFICIENTS = {"]
    for name, rows in tables.items():
        lines += [f'    "{name}": {{', *rows, "    },"]
    lines += ["}", "", "CONSTANTS = {"]
    for kind, parts in numbers.items():
        lines += [f'    "{kind}": {{', *(f'        "{name}": {literal_row(row)},' for name, row in parts.items()), "    },"]
    Path(__file__).with_name(file).write_text("\n".join([*lines, "}", ""]))


def main() -> None:
    from . import fit_special

    tables = {}
    for fit in FITS:
        high = {kind: fit.high[kind] if isinstance(fit.high, dict) else fit.high for kind in fit.terms}
        rows = [table(fit.name, fit.function, fit.weight, fit.low, high[kind], terms, kind) for kind, terms in fit.terms.items()]
        tables[fit.name] = sum(rows, [])
    numbers = {kind: constants(kind) for kind in DIGITS}
    write("coefficients.py", "Polynomial coefficients (lowest power first) and constants as unevaluated sums.", tables, numbers)
    for row in numbers["float"].values():  # a part that is no float32 would be rounded silently by the emitter
        assert all(float(np.float32(value)) == value for value in row)
    special = {name: table(name, f, lambda x, f=f: 1 / abs(f(x)), low, high, terms, "double") for name, f, low, high, terms in fit_special.SPECIAL}
    parts = {"double": {name: split(value, "double", 2) for name, value in fit_special.SPLIT.items()}}
    write("special_coefficients.py", "Coefficients and constants of the special functions, in double precision only.", special, parts)


if __name__ == "__main__":
    main()
