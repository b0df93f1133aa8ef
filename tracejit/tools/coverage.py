"""How much of NumPy works on traced values: `python -m tracejit.tools.coverage` traces, differentiates, maps and compiles every overridable function.

`--write FILE` writes the same as a page of documentation.

    traceable        the compiled call gives NumPy's result; for functions whose shapes depend on values, the call where values are known does
    differentiable   its derivatives, forward and reverse, agree with differences
    mapped           `vmap` of it gives the results for each element
    native           its compiled program calls nothing back in Python
    refused          a `TypeError` says why it has no traced form
    missing          everything else
"""
from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import jit, jvp, tree, vmap
from ..ir import is_inexact
from ..numpy.refused import REASONS
from ..ops.cumulative import WRITTEN_OUT
from .check_grads import check_grads
from .coverage_examples import Example, examples


@dataclass
class Outcome:
    """What became of one function. None: the question has no meaning for it."""

    name: str
    traceable: bool = False
    by_values: bool = False
    of_text: bool = False
    differentiable: bool | None = None
    mapped: bool | None = None
    native: bool | None = None
    refused: str | None = None
    error: str = ""


@dataclass
class Coverage:
    """The outcomes of a list of functions, and their counts."""

    title: str
    outcomes: list[Outcome]

    def count(self, what: str) -> int:
        """How many are `traceable`, `differentiable`, `mapped`, `native`, `refused` or `missing`."""
        return len(self.named(what))

    def named(self, what: str) -> list[str]:
        """Their names."""
        if what == "missing":
            return sorted(o.name for o in self.outcomes if not o.traceable and o.refused is None)
        return sorted(o.name for o in self.outcomes if getattr(o, what))

    def failed(self, what: str) -> list[str]:
        """The names of those for which the question has a meaning and the answer is no."""
        return sorted(o.name for o in self.outcomes if o.traceable and getattr(o, what) is False)


# -- one function
def _arrays(result) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in tree.leaves(tuple(result) if isinstance(result, (list, tuple)) else result)]


def _same(got, want, rtol: float = 1e-9) -> None:
    got, want = _arrays(got), _arrays(want)
    if len(got) != len(want):
        raise AssertionError(f"{len(got)} results instead of {len(want)}")
    for x, y in zip(got, want):
        if x.dtype != y.dtype or x.shape != y.shape:
            raise AssertionError(f"{x.dtype}{x.shape} instead of {y.dtype}{y.shape}")
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-12)


def _listed(call: Callable) -> Callable:
    """`call` with its results in a tuple."""
    def listed(*args):
        result = call(*args)
        return tuple(result) if isinstance(result, (list, tuple)) else (result,)
    return listed


def _answer(question: Callable) -> tuple[bool, str]:
    """Whether a check passes, and the error if not: any error of the function is the answer no."""
    try:
        question()
    except Exception as error:   # what is measured is exactly whether there is one
        return False, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return True, ""


def _host_ops(compiled: Callable, args: tuple) -> list[str]:
    return compiled._variant(args, {})[0].program.host_ops


def _examined(name: str, example: Example) -> Outcome:
    outcome = Outcome(name, by_values=example.known, of_text=example.text)
    call, args = _listed(example.call), example.args
    want = call(*args)
    compiled = jit(call)
    if example.known:
        still = tuple(map(np.zeros_like, args))
        outcome.traceable, outcome.error = _answer(lambda: _same(jvp(call, args, still)[0], want))
    else:
        outcome.traceable, outcome.error = _answer(lambda: _same(compiled(*args), want))
    if not outcome.traceable:
        return outcome
    if not (example.known or example.text):
        outcome.native = not _host_ops(compiled, args)
    if example.mapped:
        doubled = [np.stack([a, a]) for a in map(np.asarray, args)]
        wanted = [np.stack([y, y]) for y in _arrays(want)]
        outcome.mapped, outcome.error = _answer(lambda: _same(vmap(call)(*doubled), wanted))
    if example.smooth and any(is_inexact(y.dtype) for y in _arrays(want)):
        outcome.differentiable, error = _answer(lambda: check_grads(call, args, order=1, rtol=example.rtol))
        outcome.error = outcome.error or error
    return outcome


def examine(name: str) -> Outcome:
    """Try the example of the function `name`: "sin" for a ufunc, "numpy.sort" for another function."""
    refused = REASONS.get(name) or next((r for prefix, r in REASONS.items() if name.startswith(prefix + ".")), None)
    if refused is not None:
        return Outcome(name, refused=refused)
    example = examples.get(name)
    if example is None:
        return Outcome(name, error="no example")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return _examined(name, example)


# -- all of them
def overridable_ufuncs() -> list[str]:
    """The names of the ufuncs that ask their arguments for `__array_ufunc__`."""
    from numpy.testing.overrides import get_overridable_numpy_ufuncs
    return sorted(ufunc.__name__ for ufunc in get_overridable_numpy_ufuncs())


def overridable_functions() -> list[str]:
    """The qualified names of the functions that ask for `__array_function__`; some of NumPy's are several functions of one name."""
    from numpy.testing.overrides import get_overridable_numpy_array_functions
    for module in ("char", "fft", "polynomial", "strings"):   # NumPy lists the functions of the modules that are loaded
        importlib.import_module(f"numpy.{module}")
    return sorted(f"{function.__module__}.{function.__name__}" for function in get_overridable_numpy_array_functions())


def _measured(title: str, names: Iterable[str]) -> Coverage:
    found: dict[str, Outcome] = {}
    outcomes = []
    for name in names:
        if name not in found:
            found[name] = examine(name)
        outcomes.append(found[name])
    return Coverage(title, outcomes)


def measure() -> list[Coverage]:
    """The coverage of the ufuncs and of the other functions.

    >>> examine("sin").native, examine("numpy.save").refused is not None
    (True, True)
    """
    return [_measured("ufuncs", overridable_ufuncs()), _measured("array functions", overridable_functions())]


# -- the report
_QUESTIONS = ("traceable", "differentiable", "mapped", "native", "refused", "missing")


def report(coverages: list[Coverage]) -> str:
    """The counts and lists as a page of Markdown."""
    lines = ["# NumPy on traced values", "",
             f"NumPy {np.__version__}, every function that can be overridden. Made by `python -m tracejit.tools.coverage --write`.", "",
             "| | all | " + " | ".join(_QUESTIONS) + " |", "|---" * (len(_QUESTIONS) + 2) + "|"]
    for c in coverages:
        lines.append(f"| {c.title} | {len(c.outcomes)} | " + " | ".join(str(c.count(q)) for q in _QUESTIONS) + " |")
    lines += ["", "One small example of each is tried, and another may be compiled otherwise: running sums, products and extrema are native up to",
              f"{WRITTEN_OUT} elements along the axis, and float16 is computed by NumPy."]
    for c in coverages:
        lines += ["", f"## {c.title.capitalize()}"]
        lines += _section("Native, no call back into Python", c.named("native"))
        lines += _section("Traced, computed by a call to NumPy inside the compiled program", c.failed("native"))
        lines += _section("Traced where values are known (under a bare `grad`, `jvp`, `vjp`): the result's shape or dtype depends on them",
                          c.named("by_values"))
        lines += _section("Of text and dates, which are never traced: NumPy computes with them while tracing, and the results are constants",
                          c.named("of_text"))
        lines += _section("Derivatives missing", c.failed("differentiable"))
        lines += _section("Not under `vmap`", c.failed("mapped"))
        for reason in dict.fromkeys(o.refused for o in c.outcomes if o.refused):
            lines += _section(f"Refused: {reason}", sorted(o.name for o in c.outcomes if o.refused == reason))
        lines += _section("Missing", c.named("missing"))
    lines += ["", "Objects of `np.vectorize` trace their function once for all elements, or for each where it branches on them.", ""]
    return "\n".join(lines)


def _section(title: str, names: list[str]) -> list[str]:
    if not names:
        return []
    lines, line = ["", f"### {title}", ""], ""
    for name in dict.fromkeys(names):
        piece = f"`{name.removeprefix('numpy.')}`, "
        if len(line) + len(piece) > 150:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip(", ")]


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tracejit.tools.coverage", description="How much of NumPy works on traced values.")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the report to a file instead")
    parser.add_argument("--errors", action="store_true", help="also print the error of each function that failed a question")
    options = parser.parse_args(arguments)
    coverages = measure()
    text = report(coverages)
    if options.write:
        options.write.write_text(text)
    else:
        print(text)
    if options.errors:
        for outcome in (o for c in coverages for o in c.outcomes if o.error):
            print(f"{outcome.name}: {outcome.error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
