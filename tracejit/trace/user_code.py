"""Which code is the user's: that of no installed library, or of one that was traced itself."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache, partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_STANDARD = tuple({os.path.join(path, "") for key in ("stdlib", "platstdlib") if (path := sysconfig.get_path(key))})
_PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
_ARRAY_LIBRARIES = tuple(f"{folder}{name}{os.sep}" for folder in _PACKAGES for name in ("numpy", "scipy"))
_THIS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_PACKAGE = __name__.partition(".")[0]
_known: dict[str, bool] = {}  # by file name
_modules: tuple[int, list[dict[str, Any]]] = (0, [])


def in_library(filename: str) -> bool:
    """Whether a file belongs to the standard library, an installed package or this one, and no function in it was traced."""
    found = _known.get(filename)
    if found is None:
        installed = filename.startswith((*_STANDARD, _THIS, "<frozen", "<__array_function__")) or any(part in filename for part in _PACKAGES)
        found = _known[filename] = installed
    return found


def adopt(function: FunctionType) -> None:
    """From now on the file of a function that is traced counts as the user's, also in an installed package, unless that is an array library."""
    filename = function.__code__.co_filename
    installed = in_library(filename) and any(part in filename for part in _PACKAGES)
    if installed and not filename.startswith(_THIS) and not any(part in filename for part in _ARRAY_LIBRARIES):
        _known[filename] = False


def user_globals() -> list[dict[str, Any]]:
    """The globals of the modules that are the user's. Looked for anew when modules were imported."""
    global _modules
    if _modules[0] != len(sys.modules):
        found = []
        for name, module in list(sys.modules.items()):
            filename = getattr(module, "__file__", None)
            if name == "__main__" or isinstance(filename, str) and not in_library(filename):
                found.append(module.__dict__)
        _modules = len(sys.modules), found
    return _modules[1]


_SEARCHED = 100  # functions: what a program calls itself lies within a few steps


def innermost(f: Any) -> Any:
    """The user's own function inside partial applications and wrappers."""
    while isinstance(f, partial) or hasattr(f, "__wrapped__"):
        f = f.func if isinstance(f, partial) else f.__wrapped__
    return f


def globals_behind(f: Any) -> list[dict[str, Any]]:
    """The globals of the functions that `f` reaches by its closure, its defaults and the names that it uses, as far as they are the user's and
    belong to no module that `sys.modules` lists: of code that was run by `exec`, or loaded from a file.

    They are found by search because nothing lists them; it takes 2 us a function.
    """
    known = {id(space) for space in user_globals()}
    waiting = _functions_of(f)
    seen, found = {*map(id, waiting)}, []
    steps = 0
    while waiting and steps < _SEARCHED:
        steps += 1
        f = waiting.pop()
        if id(f.__globals__) not in known and not in_library(f.__code__.co_filename):
            known.add(id(f.__globals__))
            found.append(f.__globals__)
        for x in _mentioned(f):
            for inner in _functions_of(x):
                if id(inner) not in seen and not in_library(inner.__code__.co_filename):
                    seen.add(id(inner))
                    waiting.append(inner)
    return found


@lru_cache(maxsize=4096)
def code_names(code: CodeType) -> tuple[str, ...]:
    """The names that a function looks up, and the functions that are written inside of it do."""
    return (*code.co_names, *(name for part in code.co_consts if type(part) is CodeType for name in code_names(part)))


def _mentioned(f: FunctionType) -> list[Any]:
    """What a function finds outside of itself: names of its module, variables of the functions around it, default arguments."""
    found = [f.__globals__.get(name) for name in code_names(f.__code__)]
    for cell in f.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # a variable that has no value yet
            continue
    return [*found, *(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()]


def _functions_of(x: Any) -> list[FunctionType]:
    """The functions that a value stands for, or leads to."""
    kind = type(x)
    if kind is FunctionType:
        wrapped = getattr(x, "__wrapped__", None)
        return [x] if wrapped is None else [x, *_functions_of(wrapped)]
    if kind is MethodType:
        return [*_functions_of(x.__func__), *_functions_of(x.__self__)]
    if kind is partial:
        return [g for part in (x.func, *x.args, *x.keywords.values()) for g in _functions_of(part)]
    if kind is ModuleType:
        return [] if sys.modules.get(x.__name__) is x else _functions_in(x.__dict__)
    if kind is dict:
        return _functions_in(x)
    wrapped = getattr(x, "__wrapped__", None) if kind.__module__.startswith(_PACKAGE) else None
    if wrapped is not None:
        return _functions_of(wrapped)
    return _functions_in(vars(x if isinstance(x, type) else kind))


def _functions_in(space: Any) -> list[FunctionType]:
    return [value for value in list(space.values()) if type(value) is FunctionType]


def is_users_class(kind: type) -> bool:
    """Whether a class is defined in the user's code."""
    module = sys.modules.get(kind.__module__)
    if module is None or kind.__module__ == "__main__":
        return True
    return not in_library(getattr(module, "__file__", None) or "<frozen>")
