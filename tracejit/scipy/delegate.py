"""`scipy_function`: a function here is SciPy's own until it meets a traced value."""
from __future__ import annotations

import functools
import importlib
from collections.abc import Callable

from ..errors import at_user_line
from ..numpy.promotion import holds_tracer


def scipy_function(module: str) -> Callable:
    """Decorator: the traced version of the function of that name in SciPy's `module`, which computes what is not traced. SciPy is imported then."""
    def enter(traced: Callable) -> Callable:
        @functools.wraps(traced)
        def call(*args, **kwargs):
            if any(map(holds_tracer, (*args, *kwargs.values()))):
                return traced(*args, **kwargs)
            return getattr(importlib.import_module(module), traced.__name__)(*args, **kwargs)
        return call
    return enter


def refuse(function: str, **arguments) -> None:
    """Raise `TypeError` where an argument was given that has no traced form."""
    for name, value in arguments.items():
        if value is not None and value is not False:
            raise TypeError(at_user_line(f"{function}(..., {name}=) has no traced form: leave it out"))
