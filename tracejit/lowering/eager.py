"""Single operations on plain arrays by compiled code, where that is many times faster than NumPy: large convolutions and poolings."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..ir import ArrayType, Builder, Graph
from ..ops import conv, windows
from ..ops.core import Op


@lru_cache(256)
def _graph(op: Op, types: tuple[ArrayType, ...], params: tuple[tuple[str, Any], ...]) -> Graph:
    builder = Builder()
    return builder.finish(tuple(builder.emit(op, tuple(builder.input(t) for t in types), dict(params))))


def run(op: Op, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """The result of an operation; its program is compiled once for the types."""
    from .program import execute

    types = tuple(ArrayType(a.shape, a.dtype) for a in args)
    return execute(_graph(op, types, tuple(params.items())), args)[0]


conv.natively = windows.natively = run
