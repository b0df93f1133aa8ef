"""Arrays that a function closes over, as proxies while it is traced.

A plain array does not tell that it is read: what Python finds in `w[0, 0]` would become a constant of a compiled program, and stay when `w`
changes. `X.dot(w)` with a plain X and a traced w never asks w: a method of a plain array converts its arguments. Nor does `u = u0.copy(); u[0] = w`
give an array that can hold w. So proxies stand in place of the arrays that a function closes over: in the globals that its code names, in its
closure and its default arguments, in objects, dicts and lists that are found there, and so on through the functions that it calls. The arrays are
put back when the trace ends.

Under `jit` this is always so, unless the function turns out not to work with proxies (`refuse_references`); what it reads is compared then. The
other transforms, whose traces are not kept, do it for functions in which a conversion was refused, and remember which these are; all others never
pay for it. A function that closes over arrays on a device always gets proxies of them: the library that they belong to would compute with them at
once.

Under `jit` (and `vmap`, and in loops) such a proxy is an input of the graph, whose contents are read at each call, and a cell (`cells.Outside`):
what is written into it is handed over by the transform. Integers and booleans, which make sizes, positions and tables, are known, unless the
function writes into them (`OutsideWriteError` tells so, and they are inputs then, too); it is noted whether anything has looked at them. Under a
bare `grad` it is a `Reference`, which acts as the very array, until something is written into it: from then on it is a copy.

A write that NumPy itself does while a program is recorded would happen once, and not in each run.  So the arrays are read-only then (`read_only`).
"""

from __future__ import annotations

import dis
import operator
from collections import UserDict, UserList, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from types import CellType, CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any
from weakref import WeakSet, ref

import numpy as np

from .. import residence
from ..ir import supported
from .ledger import Ledger
from .tracer import Tracer
from .user_code import code_names, in_library, innermost, is_users_class

_SEARCHED = 2000  # objects
_ADDING = frozenset(("append", "appendleft", "extend", "extendleft", "insert", "setdefault", "update"))
_wanted: WeakSet[Any] = WeakSet()  # code
_refused: WeakSet[Any] = WeakSet()  # code


def wants_references(f: Any) -> bool:
    """Whether `f` is known to need them."""
    return bool(_wanted) and _code(f) in _wanted


def want_references(f: Any) -> None:
    """Remember that `f` needs them."""
    code = _code(f)
    if code is not None:
        _wanted.add(code)


def refuses_references(f: Any) -> bool:
    """Whether `f` is known not to work with them."""
    return bool(_refused) and _code(f) in _refused


def refuse_references(f: Any) -> None:
    """Remember that `f` does not work with them: it gives arrays to code that takes nothing but arrays."""
    code = _code(f)
    if code is not None:
        _refused.add(code)


def arrays_of(f: Any) -> tuple[list[np.ndarray], bool]:
    """The arrays that proxies could stand for, and whether code that is reached on the way to them binds anything outside of it."""
    codes: list[CodeType] = []
    arrays = [array for array, _ in places(f, codes)]
    return arrays, any(map(binds_outside, codes))


@lru_cache(maxsize=4096)
def binds_outside(code: CodeType) -> bool:
    """Whether some code, with the functions defined in it, binds attributes, items, globals, or variables of the functions around it, or adds to
    containers."""
    if not _ADDING.isdisjoint(code.co_names):
        return True
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("STORE_ATTR", "STORE_SUBSCR", "STORE_GLOBAL"):
            return True
        if instruction.opname == "STORE_DEREF" and instruction.argval in code.co_freevars:
            return True
    return any(type(inner) is CodeType and binds_outside(inner) for inner in code.co_consts)


def _code(f: Any) -> CodeType | None:
    f = innermost(f)
    method = type(f).__call__ if callable(f) else None
    return getattr(getattr(f, "__func__", f), "__code__", None) or getattr(method, "__code__", None)


@contextmanager
def read_only(arrays: Iterable[np.ndarray]) -> Iterator[None]:
    """While it runs, nobody writes into the arrays: a write that NumPy does while a function is traced would be no part of the program."""
    closed = [a for a in arrays if type(a) not in residence.classes and a.flags.writeable and (a.base is None or isinstance(a.base, np.ndarray))]
    closed.sort(key=lambda a: a.base is not None)  # a view is opened again after the array that owns the memory
    for a in closed:
        a.flags.writeable = False
    try:
        yield
    finally:
        for a in closed:
            a.flags.writeable = True


Put = Callable[[Any, Any], None]  # put(old, new): where the old value still stands comes the new one


def places(f: Any, codes: list[CodeType] | None = None) -> Iterator[tuple[np.ndarray, Put]]:
    """The arrays that `f` closes over, each with a function that replaces it in one place. The user's code that is met is appended to `codes`."""
    waiting: list[tuple[Any, Put | None]] = [(f, None)]
    seen = {id(f)}
    alive = []  # so that identities stay apart
    while waiting and len(seen) < _SEARCHED:
        x, put_x = waiting.pop()
        alive.append(x)
        if codes is not None and type(x) is FunctionType and not in_library(x.__code__.co_filename):
            codes.append(x.__code__)
        for value, put in _items(x, put_x) if isinstance(x, tuple) else _contents(x):
            if type(value) is np.ndarray or type(value) in residence.classes:
                if put is not None and supported(value.dtype):
                    yield value, put
            elif id(value) not in seen and not isinstance(value, (np.generic, np.ufunc, str, bytes, int, float, complex, type(None), Tracer)):
                seen.add(id(value))
                waiting.append((value, put))


def _items(x: tuple, put: Put | None) -> Iterator[tuple[Any, Put | None]]:
    """What is in a tuple. An item is replaced by another tuple in its place, and the very tuple comes back with its items."""
    now = [x]

    def put_item(old: Any, new: Any) -> None:
        made = [new if item is old else item for item in now[0]]
        after = x if all(map(operator.is_, made, x)) else x._make(made) if hasattr(x, "_make") else tuple(made)
        put(now[0], after)
        now[0] = after

    yield from ((item, None if put is None else put_item) for item in x)


def _contents(x: Any) -> Iterator[tuple[Any, Put | None]]:
    """What `x` holds, and how to replace it there, where that is possible."""
    kind = type(x)
    if kind is FunctionType:
        yield from _of_function(x)
    elif kind is MethodType:
        yield from ((x.__func__, None), (x.__self__, None))
    elif kind is partial:
        yield from ((x.func, None), (x.args, partial(_put_in_partial, x)), (x.keywords, None))
    elif kind is Ledger:
        return
    elif isinstance(x, (list, deque)):
        yield from ((item, partial(_put_in_list, x)) for item in x)
    elif isinstance(x, dict):
        yield from ((value, partial(_put_in_dict, x, key)) for key, value in list(x.items()))
    elif isinstance(x, (UserDict, UserList)):
        yield x.data, None
    elif kind is SimpleNamespace or kind.__module__ == "argparse":
        yield vars(x), None
    elif kind is ref:
        yield x(), None
    elif hasattr(x, "__wrapped__"):
        yield x.__wrapped__, None
    elif isinstance(x, type):
        if is_users_class(x):
            for name, value in list(vars(x).items()):
                if type(value) in (FunctionType, property, staticmethod, classmethod):
                    yield value, None
                elif type(value) in (np.ndarray, list, dict, tuple) and not name.startswith("__"):
                    yield value, partial(_put_in_class, x, name)
    elif kind in (staticmethod, classmethod):
        yield x.__func__, None
    elif kind is property:
        yield x.fget, None
    elif is_users_class(kind):
        yield from ((base, None) for base in kind.__mro__)
        yield getattr(x, "__dict__", None), None
        for base in kind.__mro__:
            slots = vars(base).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if hasattr(x, name):
                    yield getattr(x, name), partial(_put_in_slot, x, name)


def _of_function(f: FunctionType) -> Iterator[tuple[Any, Put | None]]:
    library = in_library(f.__code__.co_filename)
    for cell in f.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue
        if not library or callable(value):  # a wrapper around the user's function holds arguments, too
            yield value, partial(_put_in_cell, cell)
    for value in f.__defaults__ or ():
        yield value, partial(_put_in_defaults, f)
    yield f.__kwdefaults__, None
    if library:
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


def _put_in_class(kind: type, name: str, old: Any, new: Any) -> None:
    if vars(kind).get(name) is old:
        setattr(kind, name, new)


def _put_in_slot(x: Any, name: str, old: Any, new: Any) -> None:
    if getattr(x, name, None) is old:
        object.__setattr__(x, name, new)


def _put_in_partial(f: partial, old: Any, new: Any) -> None:
    if f.args is old:
        f.__setstate__((f.func, new, f.keywords, f.__dict__))


def _put_in_defaults(f: FunctionType, old: Any, new: Any) -> None:
    f.__defaults__ = tuple([new if value is old else value for value in f.__defaults__])
