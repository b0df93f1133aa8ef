"""How a torch function is applied to tensors.

A `Primitive` is a function of arrays, written once in terms of NumPy, with torch's name for its node.  Applied to tensors it computes at once with
NumPy (or grows the trace that is active); if one of them requires a gradient it also records a node, whose way back is derived from the function
itself (`plan.Plan`).  Functions of the namespace are made of primitives; `function` enters them as `torch.f`, `Tensor.f` and `Tensor.f_`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any

import numpy as np

from ..ir import ArrayType
from ..ops.custom import Rule, custom_derivative
from ..ops.elementwise import stop_gradient
from ..trace import Tracer
from ..trace.constants import _active
from ..trace.trace import type_of
from . import nodes
from .modes import state
from .nodes import PrimitiveNode, Saved, node_type
from .plan import Plan, make_plan, own
from .storage import Storage, here
from .tensor import Tensor, wrap

_new = object.__new__
MAX_PLANS = 256  # of one primitive; beyond, the oldest half is dropped


class Primitive:
    """A differentiable function of arrays, applied to tensors.

    `impl(*operands, **static)` gives an array or a tuple of them; static arguments are hashable.  `view` says that the result lies in the memory of
    the first operand.  `rule` is a derivative of its own, in the form of an op's `jvp`, where torch's convention is another.
    """

    __slots__ = ("name", "impl", "view", "rule", "type", "plans")

    def __init__(self, name: str, impl: Callable, view: bool = False, rule: Callable | None = None):
        self.name, self.impl, self.view, self.rule = name, impl, view, rule
        self.type = node_type(PrimitiveNode, name if "Backward" in name else f"{name}Backward0")
        self.plans: dict[Any, Plan] = {}

    def __call__(self, *operands: Any, **static: Any) -> Any:
        """The result for tensors and numbers."""
        if _active.traces:
            return self._traced(operands, static)
        arrays, needs = [], False
        for t in operands:
            if isinstance(t, Tensor):
                if t._base is not None and t._history != t._storage.history:
                    t._refresh()
                if t._requires:
                    needs = True
                arrays.append(t._data)
            else:
                arrays.append(t)
        made = _quiet.run(self.impl, *arrays, **static)
        kind = type(made)
        if kind is tuple or kind is list:
            results = tuple([self._result(x, arrays, operands, static, i) for i, x in enumerate(made)])
        elif not self.view and kind is np.ndarray and made.base is None and made is not arrays[0]:
            results = _new(Tensor)
            results._data = made
            results._storage = storage = _new(Storage)
            storage._array = made
        else:
            results = self._result(made, arrays, operands, static, None)
        if needs and state.grad:
            self.record(operands, arrays, results if type(results) is tuple else (results,), static)
        elif state.inference:
            for t in results if type(results) is tuple else (results,):
                t._inference = True
        if state.levels:
            _push()(self, operands, results if type(results) is tuple else (results,), static)
        return results

    def _traced(self, operands: Sequence[Any], static: dict[str, Any]) -> Any:
        """The result where a trace is active: tensors from outside have a proxy in it."""
        arrays, needs = [], False
        for t in operands:
            if isinstance(t, Tensor):
                needs = t.requires_grad or needs
                arrays.append(t._array)
            else:
                arrays.append(t)
        with np.errstate(all="ignore"):
            made = self.impl(*arrays, **static) if self.rule is None or not state.recordings else _with_rule(self, arrays, static)
        multiple = type(made) is tuple or type(made) is list
        results = tuple([self._result(x, arrays, operands, static, i if multiple else None) for i, x in enumerate(made if multiple else (made,))])
        if needs and state.grad:
            self.record(operands, arrays, results, static)
        if state.levels:
            _push()(self, operands, results, static)
        return results if multiple else results[0]

    def _result(self, x: Any, arrays: Sequence[Any], operands: Sequence[Any], static: dict[str, Any], number: int | None) -> Tensor:
        if self.view and _shares(x, arrays[0]):
            return operands[0]._view(x, (self, tuple(static.items()), number))
        if type(x) is Tracer or x is arrays[0] or type(x) is not np.ndarray or x.base is not None:
            x = own(x, arrays)
        return wrap(x)

    def plan(self, arrays: Sequence[Any], wanted: tuple[int, ...], static: dict[str, Any]) -> Plan:
        """The way back for operands of these types, made when it is first needed."""
        key: list[Any] = [wanted]
        for a in arrays:
            if type(a) is np.ndarray or type(a) is Tracer:
                key.append(a.shape)
                key.append(a.dtype.num)
            else:
                key.append(type(a) if not isinstance(a, np.ndarray) else (a.shape, a.dtype.num))
        if static:
            key += static.items()
        key = tuple(key)
        found = self.plans.get(key)
        if found is None:
            if len(self.plans) >= MAX_PLANS:
                for old in list(self.plans)[: MAX_PLANS // 2]:
                    del self.plans[old]
            types: list[ArrayType] = [type_of(a) for a in arrays]
            with np.errstate(all="ignore"):
                found = self.plans[key] = make_plan(self.name, self.impl, types, wanted, static, self.rule)
        return found

    def record(self, operands: Sequence[Any], arrays: Sequence[Any], results: Sequence[Tensor], static: dict[str, Any]) -> None:
        """Note in the results how they were made."""
        edges, wanted = [], []
        for i, t in enumerate(operands):
            if isinstance(t, Tensor) and t._requires:
                node = t._node
                edges.append((node, t._nr) if node is not None else t._edge)
                wanted.append(i)
            else:
                edges.append(None)
        plan = self.plan(arrays, tuple(wanted), static)
        if not plan.reached:
            return  # no derivative reaches an operand: of a comparison, say
        node = self.type(tuple(edges), here(), plan)
        for number, type_ in enumerate(plan.out_types):
            if type_ is not None:
                t = results[number]
                t._node, t._requires = node, True
                t._nr = number
        saved = []
        for i in plan.operands:
            t = operands[i]
            if isinstance(t, Tensor):
                if t._inference:
                    raise RuntimeError("Inference tensors cannot be saved for backward. To work around you can make a clone to get a normal tensor.")
                saved.append(Saved(arrays[i], t._storage, edges[i]))
            else:
                saved.append(Saved(np.asarray(t)[()], None, None))
        for i in plan.results:
            t = results[i]
            saved.append(Saved(t._data, t._storage, i if plan.out_types[i] is not None else None))
        if saved:
            if state.saved_hooks:
                for s in saved:
                    if s.storage is not None:
                        s.pack(state.saved_hooks[-1])
            node.saved = saved


def _with_rule(primitive: Primitive, arrays: Sequence[Any], static: dict[str, Any]) -> Any:
    """The result in the graph of a function that is differentiated as a whole, where it has the derivative of the primitive's own rule."""
    places = [i for i, a in enumerate(arrays) if isinstance(a, (np.ndarray, Tracer))]
    given = list(arrays)
    for i in places:
        given[i] = stop_gradient(arrays[i])
    made = primitive.impl(*given, **static)
    multiple = type(made) is tuple or type(made) is list
    values = made if multiple else (made,)

    def jvp(args: Sequence[Any], outs: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        xs, ts = list(arrays), [None] * len(arrays)
        for i, x, t in zip(places, args, tangents):
            xs[i], ts[i] = x, t
        moved = primitive.rule(xs, outs if multiple else outs[0], ts, **static)
        return moved if multiple else (moved,)

    results = custom_derivative(*values, *[arrays[i] for i in places], count=len(values), rule=Rule(jvp, _unreachable))
    return tuple(results) if multiple else results[0]


def _unreachable() -> None:
    raise RuntimeError("a derivative reaches the values of a function with its own rule in another way than through its operands")


def _push() -> Callable:
    from .duals import push

    return push


class _Quiet(threading.local):
    """A context in which NumPy does not warn of divisions by zero and the like: torch does not. To run in it costs a tenth of `np.errstate`."""

    def __init__(self) -> None:
        context = copy_context()
        context.run(np.seterr, all="ignore")
        self.run = context.run


_quiet = _Quiet()


def _shares(x: Any, base: Any) -> bool:
    if type(x) is Tracer:
        return x is base or x.part_of is not None
    if x is base or x.base is base or (x.base is not None and x.base is base.base):
        return True
    return np.may_share_memory(x, base)


# -- entering functions into the namespace
FUNCTIONS: dict[str, Callable] = {}
"""The functions of the `torch` namespace, by name."""


def function(*names: str, method: bool = True, inplace: bool = False, namespace: bool = True) -> Callable[[Callable], Callable]:
    """Enter a function of tensors as `torch.name` and `Tensor.name`; with `inplace`, also as `torch.name_` and `Tensor.name_`, which write the result
    into the first argument. Names default to the function's own."""

    def enter(f: Callable) -> Callable:
        for name in names or (f.__name__.rstrip("_") if not inplace else f.__name__,):
            if namespace:
                FUNCTIONS[name] = f
            if method:
                setattr(Tensor, name, f)
            if inplace:
                written = into_first(f, name + "_")
                setattr(Tensor, name + "_", written)
                if namespace:
                    FUNCTIONS[name + "_"] = written
        return f

    return enter


def into_first(f: Callable, name: str) -> Callable:
    """The function that computes `f` and writes the result into its first argument."""

    @functools.wraps(f)
    def written(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        from .inplace import assign, check_writable

        check_writable(self)
        start = nodes.count()
        return assign(self, f(self, *args, **kwargs), start)

    written.__name__ = written.__qualname__ = name
    written.__doc__ = f"As `{f.__name__}`, written into the tensor itself."
    return written
