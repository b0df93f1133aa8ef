"""Derivatives at the hard points as a page of documentation: `python -m tracejit.tools.gradient_table --write FILE`.

What it prints is computed: the gradient, in double precision, at each of the points of `gradient_points`.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import grad
from .gradient_points import GROUPS, Point
from .gradient_points import __doc__ as PRINCIPLES


def arguments(point: Point, dtype: Any) -> tuple:
    """The arguments of a point in a floating-point dtype; complex ones in the complex dtype of that precision."""
    return tuple([np.asarray(a, np.result_type(dtype, np.complex64) if np.iscomplexobj(a) else dtype)[()] for a in point.args])


def total(f: Callable) -> Callable:
    """The sum of what f gives."""
    return lambda *args: np.sum(f(*args))


def measured(point: Point) -> str:
    """The gradients at a point as text, or the error.

    >>> from tracejit.tools.gradient_points import POINTS
    >>> measured(POINTS["power(x, y) at 0, 0.5"])
    'inf, 0'
    """
    args = arguments(point, np.float64)
    try:
        with np.errstate(all="ignore"):
            found = grad(total(point.f), argnums=tuple(range(len(args))))(*args)
    except IndexError:
        return "`IndexError`"
    return ", ".join(map(_text, found))


def _text(x: Any) -> str:
    if np.ndim(x):
        return f"[{', '.join(map(_text, x))}]"
    return f"{x.real + 0.0:.6g}"  # no negative zeros


def report() -> str:
    """The page."""
    principles = inspect.cleandoc(PRINCIPLES).split("\n\n")
    lines = ["# Derivatives at the hard points", "", *"\n\n".join(principles[1:3]).split("\n"), ""]
    lines += ["Measured by `python -m tracejit.tools.gradient_table`; forward and reverse mode agree, compiled and not, in both precisions.", ""]
    lines += ["Where JAX 0.10.2, PyTorch 2.13 or HIPS autograd 1.9.1 return something else, the last column says what."]
    for group in GROUPS:
        lines += ["", f"## {inspect.getdoc(group)}", "", "| function | derivative | elsewhere |", "|---|---|---|"]
        for point in group():
            function, at = point.name.split(" at ", 1)
            lines.append(f"| `{function}` at {at} | {measured(point)} | {point.elsewhere} |")
    return "\n".join([*lines, ""])


def main(options: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tracejit.tools.gradient_table", description="Derivatives at ties, zeros, infinities and NaN.")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the page to a file instead")
    chosen = parser.parse_args(options)
    text = report()
    if chosen.write:
        chosen.write.write_text(text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
