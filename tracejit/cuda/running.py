"""An op by its own `run`, on arrays of a device: through the namespace of the device, or on the host where that has no such function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..trace.constants import outside_of_traces


def run(backend: Any, op: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """The result of `op`, or its results, on the device of its arguments; numbers and constants of the host may stand beside these."""
    with outside_of_traces():
        return op.run(backend.xp, *[placed(backend, a) for a in args], **params)


def placed(backend: Any, x: Any) -> Any:
    """x as an argument of a function of the device: an array of the host goes there, one number that is spread over a shape as that."""
    if not isinstance(x, np.ndarray):
        return x
    if not x.ndim:
        return x[()]
    if x.size and not any(x.strides):
        return backend.xp.broadcast_to(backend.from_host(x[(0,) * x.ndim]), x.shape)
    return backend.from_host(x)
