"""Where NumPy's calls on proxies go. `tracejit.numpy` fills these tables; the proxy and the two protocols read them.

`ufuncs` maps a ufunc to a function of its inputs, `functions` any other NumPy function to its traced version, `operators` the few things that are
neither.
"""

from __future__ import annotations

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


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple, kwargs: dict[str, Any]):
    """`__array_ufunc__`. Raises `TypeError` for what has no traced form: nothing is computed on detached values."""
    if kwargs.get("out") is not None:
        raise TypeError(
            at_user_line(f"np.{ufunc.__name__}(..., out=) cannot write into an existing array while it is traced: use the result instead")
        )
    kwargs.pop("out", None)
    if method != "__call__":
        handler = ufunc_methods.get(method)
        if handler is None:
            raise TypeError(at_user_line(f"np.{ufunc.__name__}.{method} cannot be traced"))
        return handler(ufunc, *inputs, **kwargs)
    handler = ufuncs.get(ufunc) or _of_library(ufunc)
    if handler is None:
        raise TypeError(at_user_line(f"the ufunc {ufunc.__name__} has no traced form"))
    return handler(*inputs, **kwargs)


def _of_library(ufunc: np.ufunc) -> Callable | None:
    for module, enter in libraries.items():
        if module in sys.modules:
            enter()
    return ufuncs.get(ufunc)


def call_function(func: Callable, args: tuple, kwargs: dict[str, Any]):
    """`__array_function__`."""
    handler = functions.get(func)
    if handler is None:
        name = f"{getattr(func, '__module__', 'numpy')}.{getattr(func, '__name__', func)}"
        raise TypeError(at_user_line(f"{name} has no traced form yet"))
    return handler(*args, **kwargs)


def namespace():
    """The array namespace of the array API protocol."""
    from .. import numpy as tracejit_numpy

    return tracejit_numpy
