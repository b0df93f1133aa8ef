"""`np.vectorize(f)(x)` with traced values: `f` is traced once for all elements, by `vmap`, or where it branches on them once for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import TracerBoolError, TracerConversionError, at_user_line
from ..ops import movement
from ..trace import Tracer
from ..trace.constants import active_traces, constant, known, plain
from .joining import stack
from .promotion import as_array, cast, checked_dtype

_Call = Callable[..., tuple[Any, ...]]


def namesakes() -> list[tuple]:
    """The method of NumPy that has a wrapper while functions are traced: see `trace.methods`."""
    original = np.vectorize.__call__

    def __call__(self, *args, **kwargs):
        if active_traces() and any([type(x) is Tracer for x in (*args, *kwargs.values())]) and self.pyfunc is not np._NoValue:
            return _vectorized(self, args, kwargs)
        return original(self, *args, **kwargs)

    return [(np.vectorize, "__call__", original, __call__)]


def _vectorized(vectorizer: np.vectorize, args: tuple, kwargs: dict[str, Any]) -> Any:
    """As `numpy.vectorize.__call__`. Where `otypes` does not say otherwise the results keep the dtypes that the function gives them."""
    mapped = [i for i in range(len(args)) if i not in vectorizer.excluded]
    names = [name for name in kwargs if name not in vectorizer.excluded]
    values = [as_array(x) for x in (*[args[i] for i in mapped], *[kwargs[name] for name in names])]
    single = True

    def call(*elements: Any) -> tuple[Any, ...]:
        nonlocal single
        positional, named = list(args), dict(kwargs)
        for i, x in zip(mapped, elements):
            positional[i] = x
        named.update(zip(names, elements[len(mapped) :]))
        out = vectorizer.pyfunc(*positional, **named)
        single = not isinstance(out, tuple)
        return (out,) if single else out

    ranks = [0] * len(values) if vectorizer.signature is None else _core_ranks(vectorizer.signature, len(values))
    try:
        loop = np.broadcast_shapes(*[x.shape[: x.ndim - rank] for x, rank in zip(values, ranks)])
    except ValueError as error:
        raise ValueError(at_user_line(str(error))) from None
    count = math.prod(loop)
    if not count:
        raise ValueError(at_user_line("cannot call `vectorize` on size 0 inputs unless `otypes` is set"))
    lines = []
    for x, rank in zip(values, ranks):
        core = x.shape[x.ndim - rank :]
        lines.append(movement.reshape(movement.broadcast_to(x, shape=(*loop, *core)), shape=(count, *core)))
    results = [movement.reshape(r, shape=(*loop, *r.shape[1:])) for r in _mapped(call, lines, count)]
    if vectorizer.otypes is not None:
        results = [cast(r, checked_dtype(t)) for r, t in zip(results, vectorizer.otypes)]
    results = [constant(r) if isinstance(r, np.ndarray) else r for r in results]
    return results[0] if single else tuple(results)


def _core_ranks(signature: str, count: int) -> list[int]:
    """How many axes of each argument are the function's own, from "(m,n),(n)->(m)"."""
    inputs = signature.replace(" ", "").partition("->")[0]
    ranks = [part.count(",") + 1 if part else 0 for part in inputs[1:-1].split("),(")]
    if len(ranks) != count:
        raise TypeError(at_user_line(f"wrong number of positional arguments: expected {len(ranks)}, got {count}"))
    return ranks


def _mapped(call: _Call, lines: Sequence[Any], count: int) -> list[Any]:
    """The results for all elements, stacked."""
    from ..api.vectorization import vmap  # it stands on this package

    if known(list(lines)):
        lines = plain(list(lines))
    else:
        try:
            return [as_array(r) for r in vmap(call)(*lines)]
        except (TracerBoolError, TracerConversionError):  # a branch on an element
            pass
    found = [call(*[line[i] for line in lines]) for i in range(count)]
    return [stack([as_array(results[k]) for results in found]) for k in range(len(found[0]))]
