"""Arrays of a device beside proxies: what NumPy's functions mean for proxies looks into plain arrays, which those of a device are not. So they become
proxies, too."""

from __future__ import annotations

from typing import Any

from .. import residence
from .constants import active_traces
from .tracer import Tracer


def with_proxies(x: Any) -> Any:
    """x, a nest of tuples, lists, dicts and slices, with proxies in place of arrays of a device, in the innermost trace of the proxies in it."""
    if residence.classes and _holds_device_array(x):
        owners = list(_owners(x)) or active_traces()
        if owners:
            return _wrapped(x, max(owners, key=lambda t: t.depth))
    return x


def stand_in(x: Any) -> Any:
    """An array of a device as a proxy of the innermost trace that runs; anything else as it is."""
    traces = active_traces()
    return _wrapped(x, traces[-1]) if traces and type(x) in residence.classes else x


def _items(x: Any) -> Any:
    kind = type(x)
    return x if kind in (tuple, list) else x.values() if kind is dict else (x.start, x.stop, x.step) if kind is slice else ()


def _holds_device_array(x: Any) -> bool:
    return type(x) in residence.classes or any(map(_holds_device_array, _items(x)))


def _owners(x: Any):
    if type(x) is Tracer:
        yield x.owner
    for item in _items(x):
        yield from _owners(item)


def _wrapped(x: Any, trace: Any) -> Any:
    kind = type(x)
    if kind in residence.classes:
        trace = trace if trace.depth else active_traces()[-1]
        proxy = Tracer(trace, trace.atom(x))
        proxy.home = trace
        return proxy
    if kind is dict:
        return {key: _wrapped(item, trace) for key, item in x.items()}
    if kind is slice:
        return slice(*[_wrapped(item, trace) for item in _items(x)])
    return kind([_wrapped(item, trace) for item in x]) if kind in (tuple, list) else x


__all__ = ["stand_in", "with_proxies"]
