"""Array creation with `like=` a traced value: the array belongs to no trace until something traced is written into it."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..ir import supported
from ..trace import dispatch
from ..trace.constants import constant
from .promotion import holds_tracer
from .register import implements

_NAMES = ("arange", "array", "asanyarray", "asarray", "ascontiguousarray", "asfortranarray", "empty", "eye", "frombuffer", "fromfunction", "fromiter",
          "fromstring", "full", "identity", "ones", "require", "tri", "zeros")


def _enter(function: Callable) -> None:
    def like(*args, **options):
        if args and holds_tracer(args[0]):
            return dispatch.operators["array"](args[0], options.get("dtype"))
        made = function(*args, **options)
        return constant(made) if isinstance(made, np.ndarray) and made.ndim and supported(made.dtype) else made
    like.__name__ = function.__name__
    implements(function)(like)


for _name in _NAMES:
    _enter(getattr(np, _name))
