"""How the functions here enter the tables of `trace.dispatch`, and the refusals that many of them share."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import residence
from ..errors import at_user_line
from ..trace import Tracer, dispatch


def implements(*functions: Callable):
    """Decorator: the traced version of these NumPy functions, which takes the same arguments."""
    def enter(traced: Callable) -> Callable:
        for function in functions:
            dispatch.functions[function] = traced
        return traced
    return enter


def operator(name: str):
    """Decorator: what the proxy does under this name."""
    def enter(traced: Callable) -> Callable:
        dispatch.operators[name] = traced
        return traced
    return enter


def refuse(function: str, **arguments: Any) -> None:
    """Raise `TypeError` where an argument that has no traced form was given."""
    for name, value in arguments.items():
        if value is not None and value is not np._NoValue:
            instead = "use the result instead" if name == "out" else "leave it out"
            raise TypeError(at_user_line(f"{function}(..., {name}=) has no traced form: {instead}"))


def known(x: Any):
    """The values of `x` where they are known while tracing; None where they are not."""
    if type(x) is not Tracer:
        return residence.on_host(x)
    return known(x.owner.ambient(x.atom)) if x.owner.knows(x.atom) else None


def static(x: Any, function: str, name: str):
    """`x`, which must be known while tracing; a single integer is asked for, as `range` asks, and so is what depends on
    arrays from outside alone. Raises `TypeError` for a traced value without one."""
    value = known(x)
    if value is not None or x is None:
        return value
    if x.dtype.kind in "iu" and not x.shape and x.owner.answers():
        return int(x)
    value = x.read_outside()
    if value is not None:
        return value
    raise TypeError(at_user_line(f"{function}: `{name}` decides shapes, so it must be known while tracing, but it is a traced value ({x.type})"))
