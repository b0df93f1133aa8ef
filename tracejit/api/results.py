"""What a transform hands back: arrays that the caller may write into, as NumPy's own functions return.

Inside, values are passed on as they are: a cotangent may be the very array that came in, a zero may be one number spread over a shape.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import residence
from ..trace import Tracer


def own(results: Iterable[Any], given: Iterable[Any], beside: Iterable[Any] = ()) -> list[Any]:
    """`results`, copied where they are read-only or share memory with an array of `given` or an earlier result.

    A proxy becomes a new proxy of the same value: `jit` takes results that are one object for one array. Where something of `given` or `beside` lives
    on a device, so do the results.
    """
    if residence.classes:
        given, beside = list(given), list(beside)
        device = residence.meeting((*given, *beside))
        if device is not None:
            return _own_on_device(results, given, device)
    taken: dict[int, list[np.ndarray]] = {}
    for x in given:
        if type(x) is np.ndarray:
            taken.setdefault(id(_root(x)), []).append(x)
    made = []
    for x in results:
        if type(x) is Tracer:
            x = Tracer(x.owner, x.atom, x.weak)
        elif isinstance(x, np.ndarray):
            if x.ndim == 0:
                x = x[()]
            else:
                others = taken.setdefault(id(_root(x)), [])
                if not x.flags.writeable or any(np.may_share_memory(x, y) for y in others):
                    x = x.copy()
                else:
                    others.append(x)
        made.append(x)
    return made


def _own_on_device(results: Iterable[Any], given: list[Any], device: residence.Home) -> list[Any]:
    kind = device.array
    taken = [x for x in given if type(x) is kind]
    made = []
    for x in results:
        if type(x) is Tracer:
            x = Tracer(x.owner, x.atom, x.weak)
        else:
            if type(x) is not kind:
                x = device.from_host(x)
            elif any(device.shares_memory(x, y) for y in taken):
                x = device.copy(x)
            taken.append(x)
        made.append(x)
    return made


def _root(x: np.ndarray) -> Any:
    """The object whose memory an array is a view of."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x if x.base is None else x.base
