"""What all distributions share: parameters and shapes that fit each other, dtypes, and how a draw is computed.

A distribution is a function `body(key, *parameters, shape, dtype)` of one key, arrays of one dtype, and what is static.  `draw` applies it.  Where
nothing is traced, a small draw is interpreted, and a large one compiled, once for each shape and dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..api.compilation import jit
from ..errors import at_user_line
from ..numpy.promotion import as_array
from ..ops.elementwise import convert, stop_gradient
from ..trace import Tracer, type_of
from ..trace.cells import outward
from ..trace.constants import active_traces, constant, is_constant, plain
from .keys import as_key, as_shape

COMPILED = 1 << 13
"""Draws of so many elements are compiled: to interpret one takes about as long as to compile it, 50 to 100 ms, from 10^6 elements on; but programs
draw with one shape again and again."""

FLOAT = np.dtype(float)


@cache
def _compiled(body: Callable) -> Callable:
    return jit(body, static_argnames=("shape", "dtype"))


def draw(body: Callable, key: Any, parameters: Sequence[Any], shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """`body(key, *parameters, shape=shape, dtype=dtype)`; inside of a traced function an array that it may write into."""
    known = [plain(x) if is_constant(x) else x for x in (key, *parameters)]
    large = math.prod(shape) >= COMPILED and not any(type(x) is Tracer for x in known)
    with np.errstate(all="ignore"):
        result = (_compiled(body) if large else body)(*known, shape=shape, dtype=dtype)
    return constant(result) if active_traces() else result


def detached(x: Any) -> Any:
    """A parameter of a draw that has no derivative in it. A bare `grad` knows its value, and the draw is computed outside of it."""
    return outward(stop_gradient(x)) if type(x) is Tracer else x


def floating(dtype: Any, what: str) -> np.dtype:
    """Raises `TypeError` for a dtype that is no real floating one."""
    dtype = np.dtype(dtype)
    if dtype.kind != "f" or dtype.itemsize > 8:
        raise TypeError(at_user_line(f"{what}: dtype is float16, float32 or float64, got {dtype}"))
    return dtype


def integral(dtype: Any, what: str) -> np.dtype:
    """Raises `TypeError` for a dtype that is no integer one."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        raise TypeError(at_user_line(f"{what}: dtype is an integer one, got {dtype}"))
    return dtype


def parameter(x: Any, dtype: np.dtype, what: str) -> Any:
    """A parameter as an array of the dtype that is computed in. Raises `TypeError` for complex numbers and what is no number."""
    x = as_array(x)
    if type_of(x).dtype.kind not in "biuf":
        raise TypeError(at_user_line(f"{what}: parameters are real numbers, got {type_of(x)}"))
    return x if x.dtype == dtype else convert(x, dtype=dtype)


def parameters(what: str, dtype: np.dtype, shape: Any, *given: Any) -> tuple[list[Any], tuple[int, ...]]:
    """Parameters in `dtype`, and the shape of the draw: theirs by broadcasting where `shape` is None. Raises `ValueError` where they do not fit."""
    found = [parameter(x, dtype, what) for x in given]
    shapes = [type_of(x).shape for x in found]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(at_user_line(f"{what}: parameters of shapes {', '.join(map(str, shapes))} cannot be broadcast together")) from None
    return found, common if shape is None else fitting(what, shape, common)


def fitting(what: str, shape: Any, *needed: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that everything of the shapes `needed` can be broadcast to. Raises `ValueError` for another one."""
    shape = as_shape(shape, what)
    try:
        fits = np.broadcast_shapes(shape, *needed) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(at_user_line(f"{what}: parameters of shape {' and '.join(map(str, needed))} do not broadcast to the shape {shape}"))
    return shape


def continuous(body: Callable, what: str, key: Any, shape: Any, dtype: Any, *given: Any) -> Any:
    """A draw of a real distribution with these parameters."""
    dtype = floating(dtype, what)
    found, shape = parameters(what, dtype, shape, *given)
    return draw(body, as_key(key, what), found, shape, dtype)


def discrete(body: Callable, what: str, key: Any, shape: Any, dtype: Any, *given: Any) -> Any:
    """A draw of a distribution on integers, whose parameters are computed in double precision and have no derivatives."""
    dtype = integral(dtype, what)
    found, shape = parameters(what, FLOAT, shape, *given)
    return draw(body, as_key(key, what), [detached(x) for x in found], shape, dtype)
