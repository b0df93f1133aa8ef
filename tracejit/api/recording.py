"""From a Python function to a graph: arguments are flattened, traced and checked, and an error leaves no trace half open."""
from __future__ import annotations

import functools
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from .. import tree
from ..errors import at_user_line
from ..interpret import replay
from ..ir import ArrayType, Graph, array_type, supported
from ..trace import Trace, Tracer, type_of


class Recording(NamedTuple):
    """A traced function: its graph takes the flat arguments, then `outside`, the values that it closes over."""

    graph: Graph
    outside: list[Any]
    structure: tree.Structure
    trace: Trace
    aux: Any = None


def name_of(f: Callable) -> str:
    """What messages call the function."""
    while isinstance(f, functools.partial):
        f = f.func
    return getattr(f, "__qualname__", None) or type(f).__qualname__


def defined_at(f: Callable) -> str:
    """"name (file:line)" of a function, for messages."""
    inner = f
    while isinstance(inner, functools.partial) or hasattr(inner, "__wrapped__"):
        inner = inner.func if isinstance(inner, functools.partial) else inner.__wrapped__
    code = getattr(inner, "__code__", None)
    return name_of(f) if code is None else f"{name_of(f)} ({code.co_filename}:{code.co_firstlineno})"


def require_callable(f: Any, what: str) -> None:
    if not callable(f):
        raise TypeError(at_user_line(f"{what} expects a function, got {type(f).__qualname__}"))


def as_value(x: Any) -> Any:
    """A leaf as an array, a NumPy scalar or a proxy; its type has been checked."""
    if type(x) is Tracer or isinstance(x, (np.ndarray, np.generic)):
        type_of(x)
        return np.asarray(x) if type(x) not in (Tracer, np.ndarray) and isinstance(x, np.ndarray) else x
    array_type(x)
    return np.asarray(x)[()]


def check_leaves(flat: Sequence[Any], args: Any, f: Callable, what: str) -> list[ArrayType]:
    """The types of the leaves of `args`. Raises `TypeError` naming the path of a leaf that is no array."""
    types = []
    for i, leaf in enumerate(flat):
        try:
            types.append(type_of(leaf))
        except TypeError:
            path = tree.paths(args)[i]
            kind = f"an array of dtype {leaf.dtype}" if isinstance(leaf, (np.ndarray, np.generic)) else f"{type(leaf).__module__}.{type(leaf).__qualname__}"
            raise TypeError(at_user_line(f"{what}: argument {path} of {defined_at(f)} is {kind}, which cannot be traced: only arrays and numbers can. "
                                         f"Mark it as static (`static_argnums=`, `static_argnames=`) under jit, or close over it.")) from None
    return types


def record(f: Callable, what: str, flat: Sequence[Any], structure: tree.Structure, *, concrete: bool, kwargs: dict | None = None, has_aux: bool = False) -> Recording:
    """Trace `f` on the arguments that `structure` builds from `flat`: values if concrete, else types."""
    trace = Trace(what, concrete)
    try:
        if concrete:
            tracers = []
            for leaf in flat:
                tracers.append(trace.input_value(as_value(leaf)))
                tracers[-1].weak = type_of(leaf).weak
        else:
            tracers = [trace.input(t) for t in flat]
        out = f(*structure.unflatten(tracers), **(kwargs or {}))
        aux = None
        if has_aux:
            out, aux = _split_aux(out, f, what)
            aux = tree.map(lambda leaf: outside_value(trace, leaf), aux)
        leaves, out_structure = tree.flatten(out)
        check_result(leaves, out, f, what)
        graph, outside = trace.finish(leaves)
    finally:
        trace.abandon()
    return Recording(graph, outside, out_structure, trace, aux)


def _split_aux(out: Any, f: Callable, what: str):
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(at_user_line(f"{what} with has_aux=True: {defined_at(f)} must return a pair (value, aux), got {type(out).__qualname__}"))
    return out


def outside_value(trace: Trace, leaf: Any) -> Any:
    """A result that is not differentiated, as the context outside knows it."""
    return trace.ambient(leaf.atom) if type(leaf) is Tracer and leaf.owner is trace else leaf


def check_result(leaves: Sequence[Any], out: Any, f: Callable, what: str) -> None:
    """Raises `TypeError` naming the path of a result that is no array."""
    for i, leaf in enumerate(leaves):
        good = type(leaf) is Tracer or isinstance(leaf, (bool, int, float, complex)) or isinstance(leaf, (np.ndarray, np.generic)) and supported(leaf.dtype)
        if not good:
            path = tree.paths(out)[i]
            where = f"result{path}" if path else "the result"
            raise TypeError(at_user_line(f"{what}: {where} of {defined_at(f)} is {type(leaf).__module__}.{type(leaf).__qualname__}, which is not an array: "
                                         f"return arrays, numbers and containers of them"))


class ShapeDtype(NamedTuple):
    """Shape and dtype of an array that need not exist: an argument for `trace` and `eval_shape`, and what `eval_shape` returns."""

    shape: tuple[int, ...]
    dtype: np.dtype


def abstract(x: Any) -> ArrayType:
    if isinstance(x, ArrayType):
        return x
    if isinstance(x, ShapeDtype):
        return ArrayType(tuple(x.shape), np.dtype(x.dtype))
    return type_of(x)


def _is_abstract(x: Any) -> bool:
    return isinstance(x, (ArrayType, ShapeDtype))


def record_types(f: Callable, what: str, args: tuple, kwargs: dict) -> Recording:
    """Trace `f` symbolically; arrays in `args` and `kwargs` stand for their types."""
    flat, structure = tree.flatten((args, kwargs), is_leaf=_is_abstract)
    plain = [x for x in flat if not _is_abstract(x)]
    check_leaves(plain, [*plain], f, what)
    return record(lambda a, k: f(*a, **k), what, [abstract(x) for x in flat], structure, concrete=False)


def trace(f: Callable) -> Callable[..., Graph]:
    """The graph of `f`: call the result with arrays, numbers or `ShapeDtype(shape, dtype)`.

    Print it to read the program as NumPy code.  Arrays that `f` closes over become inputs after the arguments.

    >>> import numpy as np, tracejit as tj
    >>> tj.trace(lambda x: np.sin(x) * 2.0)(np.ones(3))
    <Graph of 2 nodes: float64[3] -> float64[3]>
    """
    require_callable(f, "trace")

    def traced(*args, **kwargs) -> Graph:
        return record_types(f, f"trace of {name_of(f)}", args, kwargs).graph
    return traced


def eval_shape(f: Callable, *args, **kwargs) -> Any:
    """Shapes and dtypes of the results of `f`, which is traced but not computed.

    >>> import numpy as np, tracejit as tj
    >>> tj.eval_shape(lambda x: x @ x.T, tj.ShapeDtype((3, 4), np.float32))
    ShapeDtype(shape=(3, 3), dtype=dtype('float32'))
    """
    require_callable(f, "eval_shape")
    made = record_types(f, f"eval_shape of {name_of(f)}", args, kwargs)
    return made.structure.unflatten([ShapeDtype(t.shape, t.dtype) for t in made.graph.out_types])


__all__ = ["Recording", "ShapeDtype", "abstract", "as_value", "check_leaves", "check_result", "defined_at", "eval_shape", "name_of", "record", "record_types", "replay",
           "require_callable", "trace"]
