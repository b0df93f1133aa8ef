"""`and`, `or`, `not`, chained comparisons, `a if c else b` and `assert`, on values that may be traced.

Each works as Python's where the value is known.  Where it is not, the right side is computed only if it is needed, as in Python, unless it is cheap
and cannot fail: then both are, and no branch is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL
from ..trace import Trace, Tracer, type_of
from ..trace.creation import tracing
from .branches import branch
from .iteration import symbolic
from .liveness import Facts
from .state import State, Stays, leaves_of

_CHEAP = 12  # ops


def truth(x: Any) -> Any:
    """A value as a condition: Python's bool, or a traced 0-d bool."""
    if not symbolic(x):
        return bool(x)
    if x.size != 1:
        return bool(x)  # raises NumPy's error for the truth of an array
    x = x.reshape(()) if x.shape else x
    return x if x.dtype == BOOL else x != 0


def is_condition(x: Any) -> bool:
    return symbolic(x) and x.size == 1


class _NoScope:
    """The scope of an expression, which binds no variables."""

    @staticmethod
    def values(names: Any) -> dict[str, Any]:
        return {}

    @staticmethod
    def save(names: Any) -> dict[str, Any]:
        return {}

    @staticmethod
    def put_back(values: dict[str, Any]) -> None:
        """Nothing was bound."""


def choose(test: Any, then: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
    """`then() if test else orelse()`."""
    if not is_condition(test):
        return then() if test else orelse()
    facts = Facts("if", 0, (), frozenset(), ())
    return branch(State(facts, _NoScope()), truth(test), "a conditional expression", then, orelse, wants_result=True)


def not_(x: Any) -> Any:
    """`not x`."""
    return np.logical_not(truth(x)) if is_condition(x) else not x


def and_(first: Any, *others: Callable[[], Any]) -> Any:
    """`first and second() and ...`: as in Python the value that decides, where all are known or of one type; else a bool."""
    return _connected(first, others, True)


def or_(first: Any, *others: Callable[[], Any]) -> Any:
    """`first or second() or ...`."""
    return _connected(first, others, False)


def _connected(value: Any, others: tuple[Callable[[], Any], ...], goes_on: bool) -> Any:
    for i, later in enumerate(others):
        if not is_condition(value):
            if bool(value) is not goes_on:
                return value
            value = later()
            continue
        rest = later if i == len(others) - 1 else lambda i=i, later=later: _connected(later(), others[i + 1 :], goes_on)
        return _both(value, rest, goes_on)
    return value


def _both(value: Tracer, rest: Callable[[], Any], goes_on: bool) -> Any:
    cheap = _if_cheap(rest)
    if value.dtype == BOOL and cheap is not None and type_of(cheap).dtype == BOOL and type_of(cheap).shape == ():
        return np.logical_and(value, cheap) if goes_on else np.logical_or(value, cheap)
    sides = (rest, lambda: value) if goes_on else (lambda: value, rest)
    return choose(value, *sides)


def _if_cheap(rest: Callable[[], Any]) -> Any:
    """The value of `rest` where that takes a few operations on numbers which cannot fail; None otherwise."""
    trace = Trace("a condition")
    try:
        with tracing(trace, None):
            found = leaves_of(rest())
        if found is None or len(found.values) != 1:
            return None
        graph, outside = trace.finish(found.values)
    finally:
        trace.abandon()
    if outside or graph.nodes:
        return None
    return found.values[0]


def compare(left: Any, *links: Any) -> Any:
    """`left < a < b`: comparisons and the functions that give their right sides, by turns."""
    test, right = links[0], links[1]()
    held = test(left, right)
    if len(links) == 2:
        return held
    return and_(held, lambda: compare(right, *links[2:]))


def unset(*flags: Any) -> Any:
    """Whether no flag is set."""
    found: Any = False
    for flag in flags:
        if is_condition(flag):
            found = np.logical_or(found, flag)
        elif flag:
            return False
    return not_(found)


def assert_(test: Any, message: Callable[[], Any] | None) -> None:
    """`assert test, message()`. Under `jit` the answer is a guard; in the body of a loop or branch there is none."""
    if is_condition(test) and not test.owner.answers():
        said = "the condition of this `assert` is traced inside of a loop or branch, where it cannot stop the program: assert outside of it"
        raise Stays(at_user_line(said))
    if not test:
        raise AssertionError(*(() if message is None else (message(),)))


__all__ = ["and_", "assert_", "choose", "compare", "is_condition", "not_", "or_", "truth", "unset"]
