"""Where NumPy's calls on proxies go. `tracejit.numpy` fills these tables; the proxy and the two protocols read them.

`ufuncs` maps a ufunc to a function of its inputs, `functions` any other NumPy function to its traced version, `operators` the few things that are
neither.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import at_user_line

ufuncs: dict[np.ufunc, Callable] = {}
ufunc_methods: dict[str, Callable] = {}  # "reduce", "accumulate", "outer", "at": called with the ufunc first
functions: dict[Callable, Callable] = {}
libraries: dict[str, Callable[[], None]] = {}  # by module name: enters a library's ufuncs, when an unknown one is met after its import
operators: dict[str, Callable] = {}
# Plain functions that convert their arguments: SciPy's module, and ours that has traced versions of those in its `__all__` (see creation.py).
_TRACED = (
    "scipy.integrate", "scipy.linalg", "scipy.ndimage", "scipy.optimize", "scipy.signal", "scipy.spatial.distance", "scipy.special",
)  # fmt: skip
NAMESAKES = {name: f"tracejit.{name}" for name in _TRACED}
refusals: dict[str, str] = {}  # why there is no traced form: by the name of a ufunc, of a function with its module, or of a whole module
views: set[Callable] = set()  # functions whose results share memory with their arguments
writers: set[Callable] = set()  # functions that write into an argument


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple, kwargs: dict[str, Any]):
    """`__array_ufunc__`. Raises `TypeError` for what has no traced form: nothing is computed on detached values."""
    kwargs.pop("out", None)
    if method != "__call__":
        handler = ufunc_methods.get(method)
        if handler is None:
            raise TypeError(at_user_line(f"np.{ufunc.__name__}.{method} cannot be traced"))
        return handler(ufunc, *inputs, **kwargs)
    handler = ufuncs.get(ufunc) or _of_library(ufunc) or operators["ufunc of text"](ufunc)
    if handler is None:
        reason = refusals.get(ufunc.__name__)
        raise TypeError(at_user_line(f"the ufunc {ufunc.__name__} has no traced form{f': {reason}' if reason else ''}"))
    return handler(*inputs, **kwargs)


def _of_library(ufunc: np.ufunc) -> Callable | None:
    for module, enter in libraries.items():
        if module in sys.modules:
            enter()
    return ufuncs.get(ufunc)


def call_function(func: Callable, args: tuple, kwargs: dict[str, Any]):
    """`__array_function__`."""
    # While creation functions are wrapped (see creation.py), NumPy finds the wrapper under the public name.
    handler = functions.get(func) or functions.get(getattr(func, "__wrapped__", None))
    if handler is None:
        module = getattr(func, "__module__", "numpy")
        name = f"{module}.{getattr(func, '__name__', func)}"
        reason = refusals.get(name) or refusals.get(module)
        raise TypeError(at_user_line(f"{name} has no traced form{f': {reason}' if reason else ' yet'}"))
    return handler(*args, **kwargs)


def rewrite(module: str, name: str) -> str | None:
    """The traced version of a library's function or method that offers no protocol ("tracejit.scipy.linalg.expm"), if there is one."""
    ours = f"tracejit.{module}"
    name, _, method = name.partition(".")
    try:
        found = getattr(importlib.import_module(ours), name, None)
    except ModuleNotFoundError:
        return None
    if found is None or (method and not hasattr(type(found), method)):
        return None
    return ".".join(filter(None, (ours, name, method)))


def namespace():
    """The array namespace of the array API protocol."""
    from .. import numpy as tracejit_numpy

    return tracejit_numpy
