"""Calls back into Python: `callback` for what happens, in the order of the program, and `pure_callback` for what is computed.

Both are host steps of compiled programs. A loop whose body has one runs in the interpreter, turn by turn.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType, Graph
from ..ir.types import BOOL
from ..trace import Tracer, type_of
from ..trace.constants import active_traces, is_constant, plain
from .core import define
from .movement import broadcast_to, reshape

# What a callback "returns", so that it is computed like any other operation: no elements.
NOTHING = ArrayType((0,), BOOL)
functions: weakref.WeakValueDictionary[int, Function] = weakref.WeakValueDictionary()
"""The functions that are called back, by the number under which printed programs name them."""
_serial = itertools.count()


class Function:
    """A function of flat arrays that a program calls back. It gets copies, which it may keep and write into."""

    __slots__ = ("call", "what", "number", "__weakref__")

    def __init__(self, call: Callable[..., Any], what: str):
        self.call, self.what, self.number = call, what, next(_serial)
        functions[self.number] = self

    def __call__(self, *args: Any) -> Any:
        return self.call(*[np.array(a) if isinstance(a, np.ndarray) else a for a in args])

    def __repr__(self) -> str:
        return f"tracejit.ops.callback.functions[{self.number}]"


# -- callback(*tie, *args, function, tie, lanes): calls function(*args). The `tie` first inputs, at most one, say to which trace it belongs where no
# argument does. `lanes` says for each batch axis, the outermost first, which arguments carry it: the function is called once for each example.
def _run_callback(xp, *args, function, tie, lanes):
    with np.errstate(all="warn"):  # what the caller's code has by default: programs run without warnings
        _in_lanes(function, args[tie:], lanes)
    return np.zeros(NOTHING.shape, NOTHING.dtype)


def _in_lanes(function: Callable, args: Sequence[Any], lanes: Sequence[tuple[bool, ...]]) -> None:
    if not lanes:
        function(*args)
        return
    n = next(a.shape[0] for a, carries in zip(args, lanes[0]) if carries)
    for i in range(n):
        _in_lanes(function, [a[i] if carries else a for a, carries in zip(args, lanes[0])], lanes[1:])


def _batch_callback(args, batched, function, tie, lanes):
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    flags = tuple(batched[tie:])
    happened = callback(*args, function=function, tie=tie, lanes=(flags, *lanes) if any(flags) else lanes)
    return broadcast_to(happened, shape=(n, *NOTHING.shape))


def _show_callback(*args, function, tie, lanes):
    calls = f"{function!r}({', '.join(args[tie:])})" if not lanes else f"{function!r} for each of {', '.join(args[tie:])}"
    return f"np.zeros(0, bool)  # {calls}"


callback = define(
    "callback",
    infer=lambda *types, function, tie, lanes: NOTHING,
    run=_run_callback,
    jvp=lambda primals, out, tangents, **params: None,
    batch=_batch_callback,
    show=_show_callback,
    effect=True,
)


def in_order(function: Function, args: Sequence[Any]) -> None:
    """Call a function back each time that the program passes this place: now, or whenever the innermost function that is traced is computed."""
    args = [plain(a) if is_constant(a) else a for a in args]
    traces = [a.owner for a in args if type(a) is Tracer] + [t for t in active_traces()[-1:] if t.alive]
    if not traces:
        callback.run(np, *args, function=function, tie=0, lanes=())
        return
    trace = max(traces, key=lambda t: t.depth)
    tie = []
    if not any(type(a) is Tracer and a.owner is trace for a in args) and trace.builder.inputs:
        tie = [Tracer(trace, trace.builder.inputs[0])]
    trace.emit(callback, (*tie, *args), {"function": function, "tie": len(tie), "lanes": ()})


# -- anchor(x, tie): the value x, as one that belongs to the trace of the tie, and is computed at each run of it
def _batch_anchor(args, batched):
    x, tie = args
    if not batched[0]:
        x = broadcast_to(x, shape=(type_of(tie).shape[0], *type_of(x).shape))
    return anchor(x, tie)


anchor = define(
    "anchor",
    infer=lambda x, tie: x.strong,
    run=lambda xp, x, tie: x,
    jvp=lambda primals, out, tangents: tangents[0],
    transpose=lambda ct, x, tie: (ct, None),
    batch=_batch_anchor,
    expand=lambda x, tie: x,
    show=lambda x, tie: x,
)


def anchored(graphs: Sequence[Graph], values: Sequence[Any]) -> list[Any]:
    """Operands of an operation that holds these graphs. Where they have effects, the operation belongs to the innermost function that is traced,
    also where it reads nothing of it: else it would happen once, while tracing."""
    values = list(values)
    traces = [t for t in active_traces()[-1:] if t.alive and t.builder.inputs]
    if traces and values and any(g.effect for g in graphs) and not any(type(v) is Tracer and v.owner is traces[0] for v in values):
        values[0] = anchor(values[0], Tracer(traces[0], traces[0].builder.inputs[0]))
    return values


# -- pure_callback(*args, function, out_types, method): function(*args) -> arrays of these types
def _run_pure(xp, *args, function, out_types, method):
    with np.errstate(all="warn"):
        results = function(*args)
    made = []
    for i, (result, t) in enumerate(zip(results, out_types, strict=True)):
        value = np.asarray(result)
        if value.shape != t.shape or value.dtype != t.dtype:
            raise TypeError(f"{function.what} returned {value.dtype}[{','.join(map(str, value.shape))}] as result {i}, and {t} was announced")
        made.append(value if t.shape else value[()])
    return tuple(made)


def _jvp_pure(primals, outs, tangents, function, out_types, method):
    raise TypeError(
        at_user_line(
            f"{function.what} has no derivative: it is called back as it is. Give it one with `tj.custom` (`jvp=` or `vjp=`) "
            "around the function that calls it, or cut it with `tj.stop_gradient`"
        )
    )


def _batch_pure(args, batched, function, out_types, method):
    n = next(type_of(a).shape[0] for a, b in zip(args, batched) if b)
    if method is None:
        raise ValueError(
            at_user_line(
                f"vmap of {function.what}: say what it takes: vmap_method='sequential' calls it for each example, 'expand_dims' and 'broadcast_all' "
                "once with a batch axis in front"
            )
        )
    types = tuple(t._replace(shape=(n, *t.shape)) for t in out_types)
    if method == "sequential":
        inner = function

        def each(*arrays):
            rows = [inner(*(a[i] if b else a for a, b in zip(arrays, batched))) for i in range(n)]
            return [np.stack([np.asarray(row[k]) for row in rows]) for k in range(len(out_types))]

        return pure_callback(*args, function=Function(each, inner.what), out_types=types, method=method)
    if method == "broadcast_all":
        args = [a if b else broadcast_to(a, shape=(n, *type_of(a).shape)) for a, b in zip(args, batched)]
    else:
        args = [a if b else reshape(a, shape=(1, *type_of(a).shape)) for a, b in zip(args, batched)]
    return pure_callback(*args, function=function, out_types=types, method=method)


pure_callback = define(
    "pure_callback",
    infer=lambda *types, function, out_types, method: tuple(out_types),
    run=_run_pure,
    jvp=_jvp_pure,
    batch=_batch_pure,
    multiple=True,
    dear=True,
    show=lambda *args, function, out_types, method: f"{function!r}({', '.join(args)}){'[0]' if len(out_types) == 1 else ''}",
)
