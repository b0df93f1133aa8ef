"""`elementwise`: the traced version of a ufunc.

NumPy picks a *loop* for the dtypes of the operands (`np.sin` of an int8 computes in float16); `ufunc.resolve_dtypes` tells which, and the answer
is remembered.
The operands are cast to the loop's dtypes and handed to a body, which is an op or a few.  This path runs once for every operation of a traced
program, so it is short: one dictionary look-up where the dtypes agree.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL, INT
from ..trace import dispatch
from .promotion import as_array, cast, checked_dtype, kind_of


def resolve(ufunc: np.ufunc, kinds: tuple, **options: Any) -> tuple[np.dtype, ...]:
    """The dtypes of the loop's inputs. Raises NumPy's `TypeError` where there is no loop."""
    known = [BOOL if kind is bool else kind for kind in kinds]
    found = ufunc.resolve_dtypes((*known, *(None,) * ufunc.nout), **options)
    if found[0].kind == "O" and int in kinds:  # NumPy compares Python integers as objects, which may be of any size
        found = ufunc.resolve_dtypes((*[INT if kind is int else kind for kind in known], *(None,) * ufunc.nout), **options)
    for dtype in found:
        checked_dtype(dtype)
    return found[:ufunc.nin]


def elementwise(ufunc: np.ufunc, body: Callable) -> Callable:
    """Enter the traced version of `ufunc` into the table and return it. `body` gets the operands in the dtypes of the loop."""
    call = (_one(ufunc, body) if ufunc.nin == 1 else _two(ufunc, body))
    call.__name__ = call.__qualname__ = ufunc.__name__
    call.__doc__ = f"As `numpy.{ufunc.__name__}`, on traced values too."
    dispatch.ufuncs[ufunc] = call
    return call


def _one(ufunc, body):
    loops: dict[Any, np.dtype] = {}

    def call(x, /, **options):
        if options:
            return with_options(ufunc, body, (x,), options)
        kind = kind_of(x)
        wanted = loops.get(kind)
        if wanted is None:
            if kind is None:
                return call(as_array(x))
            (wanted,) = resolve(ufunc, (kind,))
            loops[kind] = wanted
        return body(x if kind is wanted else cast(x, wanted))
    return call


def _two(ufunc, body):
    loops: dict[Any, tuple[np.dtype, np.dtype]] = {}

    def call(x, y, /, **options):
        if options:
            return with_options(ufunc, body, (x, y), options)
        kinds = kind_x, kind_y = kind_of(x), kind_of(y)
        wanted = loops.get(kinds)
        if wanted is None:
            if kind_x is None or kind_y is None:
                return call(x if kind_x else as_array(x), y if kind_y else as_array(y))
            wanted = loops[kinds] = resolve(ufunc, kinds)
        return body(x if kind_x is wanted[0] else cast(x, wanted[0]), y if kind_y is wanted[1] else cast(y, wanted[1]))
    return call


def with_options(ufunc: np.ufunc, body: Callable, operands: tuple, options: dict[str, Any]):
    """The call with `dtype=`, `signature=`, `casting=`; memory order and subclasses mean nothing here."""
    if options.pop("where", True) is not True:
        name = ufunc.__name__
        raise TypeError(at_user_line(f"np.{name}(..., where=) leaves elements of `out` as they are and has no traced form: "
                                     f"use np.where(mask, np.{name}(...), other)"))
    for ignored in ("out", "order", "subok"):
        options.pop(ignored, None)
    dtype, signature = options.pop("dtype", None), options.pop("signature", options.pop("sig", None))
    if dtype is not None:
        signature = (*(None,) * ufunc.nin, *(checked_dtype(dtype),) * ufunc.nout)
    resolving = {"casting": options.pop("casting", "same_kind")}
    if signature is not None:
        resolving["signature"] = signature
    if options:
        raise TypeError(at_user_line(f"np.{ufunc.__name__} got an unexpected keyword argument {next(iter(options))!r}"))
    operands = tuple(x if kind_of(x) else as_array(x) for x in operands)
    wanted = resolve(ufunc, tuple(map(kind_of, operands)), **resolving)
    return body(*map(cast, operands, wanted))
