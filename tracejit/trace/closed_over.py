"""Arrays that a function closes over, as proxies while it is traced.

`X.dot(w)` with a plain X and a traced w never asks w: a method of a plain array converts its arguments.  Nor does `u = u0.copy(); u[0] = w` give an
array that can hold w.  A function in which such a conversion was refused is traced again, with proxies in place of the arrays that it closes over: in
the globals that its code names, in its closure and its default arguments, in objects, dicts and lists that are found there, and so on through the
functions that it calls.  The arrays are put back when the trace ends.  It is remembered which functions want this; all others never pay for it.

Under `jit` (and `vmap`, and in loops) such a proxy is an input of the graph, whose contents are read at each call; integers and booleans, which make
sizes, positions and tables, are known.  Under a bare `grad`, and for those, it is a `Reference`, which acts as the very array.  A traced value cannot
be written into either: `OutsideWriteError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakSet

import numpy as np

from ..ir import supported
from .constants import CONSTANTS, active_traces, reference
from .tracer import Tracer
from .user_code import code_names, in_library, innermost, is_users_class

_SEARCHED = 2000  # objects
_wanted: WeakSet[Any] = WeakSet()  # code


def wants_references(f: Any) -> bool:
    """Whether `f` is known to need them."""
    return bool(_wanted) and _code(f) in _wanted


def want_references(f: Any) -> None:
    """Remember that `f` needs them."""
    code = _code(f)
    if code is not None:
        _wanted.add(code)


def closes_over_arrays(f: Any) -> bool:
    """Whether there are arrays that proxies could stand for."""
    return any(True for _ in _places(f))


def _code(f: Any) -> CodeType | None:
    f = innermost(f)
    method = type(f).__call__ if callable(f) else None
    return getattr(getattr(f, "__func__", f), "__code__", None) or getattr(method, "__code__", None)


@contextmanager
def references_in_place(f: Any) -> Iterator[None]:
    """While it runs, proxies stand for the arrays that `f` closes over."""
    proxies: dict[int, Tracer] = {}
    back = []
    for array, put in list(_places(f)):
        proxy = proxies.get(id(array))
        if proxy is None:
            proxy = proxies[id(array)] = _stand_in(array)
        put(array, proxy)
        back.append((put, proxy, array))
    try:
        yield
    finally:
        for put, proxy, array in back:
            put(proxy, array)


def _stand_in(array: np.ndarray) -> Tracer:
    symbolic = [t for t in active_traces() if t.values is None]
    if not symbolic or array.dtype.kind not in "fc":
        return reference(array)
    proxy = Tracer(symbolic[-1], symbolic[-1].atom(array))
    proxy.home = CONSTANTS  # it is from outside of all traces: none may write its values into it
    return proxy


Put = Callable[[Any, Any], None]  # put(old, new): where the old value still stands comes the new one


def _places(f: Any) -> Iterator[tuple[np.ndarray, Put]]:
    """The arrays that `f` closes over, each with a function that replaces it in one place."""
    waiting, seen = [f], {id(f)}
    alive = []  # so that identities stay apart
    while waiting and len(seen) < _SEARCHED:
        x = waiting.pop()
        alive.append(x)
        for value, put in _contents(x):
            if type(value) is np.ndarray:
                if put is not None and value.ndim and supported(value.dtype):
                    yield value, put
            elif id(value) not in seen and not isinstance(value, (np.generic, np.ufunc, str, bytes, int, float, complex, type(None), Tracer)):
                seen.add(id(value))
                waiting.append(value)


def _contents(x: Any) -> Iterator[tuple[Any, Put | None]]:
    """What `x` holds, and how to replace it there, where that is possible."""
    kind = type(x)
    if kind is FunctionType:
        yield from _of_function(x)
    elif kind is MethodType:
        yield from ((x.__func__, None), (x.__self__, None))
    elif kind is partial:
        yield from ((part, None) for part in (x.func, *x.args, x.keywords))
    elif kind is tuple:
        yield from ((item, None) for item in x)
    elif kind is list:
        yield from ((item, partial(_put_in_list, x)) for item in x)
    elif kind is dict:
        yield from ((value, partial(_put_in_dict, x, key)) for key, value in list(x.items()))
    elif hasattr(x, "__wrapped__"):
        yield x.__wrapped__, None
    elif isinstance(x, type):
        if is_users_class(x):
            yield from ((value, None) for value in vars(x).values() if type(value) in (FunctionType, property, staticmethod, classmethod))
    elif kind in (staticmethod, classmethod):
        yield x.__func__, None
    elif kind is property:
        yield x.fget, None
    elif is_users_class(kind):
        yield from ((base, None) for base in kind.__mro__)
        yield getattr(x, "__dict__", None), None


def _of_function(f: FunctionType) -> Iterator[tuple[Any, Put | None]]:
    for cell in f.__closure__ or ():
        try:
            yield cell.cell_contents, partial(_put_in_cell, cell)
        except ValueError:  # a variable that has no value yet
            continue
    for value in f.__defaults__ or ():
        yield value, partial(_put_in_defaults, f)
    yield f.__kwdefaults__, None
    if in_library(f.__code__.co_filename):
        return
    names = code_names(f.__code__)
    for name in names:
        value = f.__globals__.get(name)
        if type(value) is ModuleType:
            if not in_library(getattr(value, "__file__", None) or "<frozen>"):
                space = vars(value)
                yield from ((space[inner], partial(_put_in_dict, space, inner)) for inner in names if inner in space)
        else:
            yield value, partial(_put_in_dict, f.__globals__, name)


def _put_in_cell(cell: CellType, old: Any, new: Any) -> None:
    if cell.cell_contents is old:
        cell.cell_contents = new


def _put_in_dict(space: dict, key: Any, old: Any, new: Any) -> None:
    if space.get(key) is old:
        space[key] = new


def _put_in_list(items: list, old: Any, new: Any) -> None:
    for i, item in enumerate(items):
        if item is old:
            items[i] = new


def _put_in_defaults(f: FunctionType, old: Any, new: Any) -> None:
    f.__defaults__ = tuple([new if value is old else value for value in f.__defaults__])
