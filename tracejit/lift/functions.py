"""`lift`: a function with its loops and branches rewritten, and so the functions that it calls."""

from __future__ import annotations

import functools
import os
import random
import types
import weakref
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..trace.constants import active_traces
from ..trace.user_code import in_library
from .iteration import REPLACED
from .jumps import HELPER
from .rewrite import Rewritten, rewrite
from .runtime import Runtime, explain
from .source import SourceError
from .state import Stays

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_rewritten: dict[CodeType, Rewritten | None] = {}
_made: weakref.WeakKeyDictionary[FunctionType, FunctionType] = weakref.WeakKeyDictionary()
_ours: weakref.WeakSet[CodeType] = weakref.WeakSet()  # code that has been rewritten: functions inside of it need not be again


def lift(f: Callable) -> Callable:
    """`f` with its Python loops and branches as loops and branches of the traced program, also in the functions of the user's that it calls.

    `for` over ranges and arrays, `while`, `if`, `break`, `continue`, early `return`, `and`, `or`, `not` and conditional expressions are compiled
    where traced values decide or go through them, and are Python where not: called on plain arrays the result does what `f` does.  What cannot be
    compiled (a list that grows, a shape that changes) stays Python: such a loop unrolls.  Usable as a decorator, also of methods. Raises
    `TypeError` for what is no function, and `SourceError` where the source of `f` is not found.

    >>> import numpy as np, tracejit as tj
    >>> def total(x):
    ...     s = 0
    ...     for i in range(len(x)):
    ...         if x[i] > 0:
    ...             s += x[i]
    ...     return s
    >>> tj.jit(tj.lift(total))(np.arange(-1000.0, 1000.0))
    np.float64(499500.0)
    """
    if isinstance(f, (staticmethod, classmethod)):
        return type(f)(lift(f.__func__))
    if not callable(f):
        raise TypeError(at_user_line(f"lift expects a function, got {type(f).__qualname__}"))
    package = os.path.dirname(getattr(getattr(f, "__code__", None), "co_filename", ""))
    return _explaining(_lifted(f, package, required=True), f)


def _explaining(made: Callable, f: Callable) -> Callable:
    """The lifted function, which says why a variable is not assigned where Python only says that it is not."""

    @functools.wraps(f)
    def lifted(*args: Any, **kwargs: Any) -> Any:
        try:
            return made(*args, **kwargs)
        except NameError as error:
            explain(error)
            raise

    return lifted


def called(package: str, f: Any) -> Any:
    """What lifted code calls in place of `f`."""
    try:
        replaced = REPLACED.get(f)
    except TypeError:  # an object that is not hashable
        return f
    if replaced is not None:
        return replaced if active_traces() else f
    if any([t.partial for t in active_traces()]) and _draws(f):
        raise Stays(f"{getattr(f, '__qualname__', f)} gives another value at each call")
    if getattr(f, "__module__", None) is not None and str(f.__module__).partition(".")[0] == "tracejit":
        return _of_this_package(f, package)
    return _lifted(f, package, required=False)


def _draws(f: Any) -> bool:
    """Whether a function's result depends on when it is called."""
    owner = getattr(f, "__self__", None)
    if isinstance(owner, (np.random.Generator, np.random.RandomState, random.Random)):
        return True
    return f is next or getattr(f, "__module__", None) == "time"


def _of_this_package(f: Any, package: str) -> Any:
    """A transform (`grad`, `vmap`, `scan`): the functions that are handed to it are lifted."""
    if isinstance(f, type) or not callable(f):
        return f

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        hand = lambda x: _lifted(x, package, required=False) if isinstance(x, (FunctionType, MethodType)) else x
        return f(*map(hand, args), **{name: hand(x) for name, x in kwargs.items()})

    return call if isinstance(f, FunctionType) and f.__code__.co_filename.startswith(_PACKAGE) else f


def _lifted(f: Any, package: str, required: bool) -> Any:
    if isinstance(f, MethodType):
        return MethodType(_lifted(f.__func__, package, required), f.__self__)
    if isinstance(f, functools.partial):
        return functools.partial(_lifted(f.func, package, required), *f.args, **f.keywords)
    if not isinstance(f, FunctionType):
        own = vars(type(f)).get("__call__")
        if isinstance(own, FunctionType) and not isinstance(f, type) and _is_users(own, package):
            return MethodType(_lifted(own, package, required), f)
        if required:
            ours = type(f).__module__.startswith("tracejit.")
            instead = "; lift comes first: `tj.jit(tj.lift(f))`" if ours else ""
            raise TypeError(at_user_line(f"lift expects a function written in Python, got {type(f).__qualname__}{instead}"))
        return f
    if f.__code__ in _ours:
        return f
    if f.__code__.co_filename.startswith(_PACKAGE):
        return _rebuilt(f, package)
    if not required and not _is_users(f, package):
        return f
    made = _made.get(f)
    if made is None:
        made = _made[f] = _converted(f, package, required)
    return made


def _is_users(f: FunctionType, package: str) -> bool:
    """Whether a function is the user's own: not one of an installed package, unless it is the one that the lifted function is from."""
    filename = f.__code__.co_filename
    return not in_library(filename) or bool(package) and filename.startswith(os.path.join(package, ""))


def _converted(f: FunctionType, package: str, required: bool) -> FunctionType:
    code = f.__code__
    if code not in _rewritten:
        try:
            _rewritten[code] = rewrite(f)
        except SourceError as error:
            if required:
                raise SourceError(at_user_line(f"lift: {error}")) from None
            _rewritten[code] = None
    found = _rewritten[code]
    if found is None:
        return f
    _enter(found.code)
    runtime = Runtime(code.co_filename, found.facts, functools.partial(called, package))
    cells = dict(zip(code.co_freevars, f.__closure__ or ()))
    cells[HELPER] = types.CellType(runtime)
    made = FunctionType(found.code, f.__globals__, f.__name__, f.__defaults__, tuple(cells[n] for n in found.code.co_freevars))
    made.__kwdefaults__ = f.__kwdefaults__
    functools.update_wrapper(made, f)
    del made.__wrapped__
    return made


def _enter(code: CodeType) -> None:
    _ours.add(code)
    for c in code.co_consts:
        if isinstance(c, CodeType):
            _enter(c)


def _rebuilt(f: FunctionType, package: str) -> FunctionType:
    """What a transform returned (`grad(f)`), made of the lifted f: the same function over other cells."""
    if not f.__closure__:
        return f
    cells = []
    for cell in f.__closure__:
        try:
            inside = cell.cell_contents
        except ValueError:  # not assigned yet
            inside = None
        new = _lifted(inside, package, required=False) if isinstance(inside, (FunctionType, MethodType)) else inside
        cells.append(cell if new is inside else types.CellType(new))
    if all(a is b for a, b in zip(cells, f.__closure__)):
        return f
    made = FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, tuple(cells))
    made.__kwdefaults__ = f.__kwdefaults__
    return functools.update_wrapper(made, f, updated=("__dict__",))


__all__ = ["called", "lift"]
