"""Static arguments of a compiled function: which they are, and when two of their values are the same."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import at_user_line
from .recording import defined_at


def static_places(f: Callable, numbers: Sequence[int], names: Sequence[str]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Static positions and names, each completed by the other where the signature of `f` tells."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # builtins without a signature
        return tuple(numbers), tuple(names)
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    for n in numbers:
        if not variadic and not -len(positional) <= n < len(positional):
            raise ValueError(at_user_line(f"jit: static_argnums has {n}, but {defined_at(f)} takes {len(positional)} positional arguments"))
    known = {p.name for p in parameters}
    for name in names:
        if name not in known and not any(p.kind is p.VAR_KEYWORD for p in parameters):
            raise ValueError(at_user_line(f"jit: static_argnames has {name!r}, which is not a parameter of {defined_at(f)}"))
    all_numbers = {n if variadic or n >= 0 else n + len(positional) for n in numbers} | {
        positional.index(name) for name in names if name in positional
    }
    all_names = set(names) | {positional[n] for n in all_numbers if -len(positional) <= n < len(positional)}
    return tuple(sorted(all_numbers)), tuple(sorted(all_names))


def identity(value: Any) -> Any:
    """Equal for two static values only if a program may not tell them apart: 2, 2.0 and True may be told apart, and 0.0 and -0.0."""
    if isinstance(value, tuple):
        return type(value), tuple(map(identity, value))
    if isinstance(value, slice):  # not hashable before Python 3.12
        return slice, identity((value.start, value.stop, value.step))
    if isinstance(value, np.generic):
        return value.dtype, value.tobytes()
    return type(value), repr(value) if isinstance(value, (float, complex)) else value


def with_statics(f: Callable, statics: tuple) -> Callable:
    """`f` with its static arguments put back in their places."""
    if not statics:
        return f
    numbered = [(place, value) for place, value in statics if isinstance(place, int)]
    named = {place: value for place, value in statics if isinstance(place, str)}

    @functools.wraps(f)
    def function(*moving, **kwargs):
        args = list(moving)
        for place, value in numbered:
            args.insert(place, value)
        return f(*args, **kwargs, **named)

    return function


