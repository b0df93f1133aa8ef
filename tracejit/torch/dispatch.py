"""How a torch function is applied to tensors.

A `Primitive` is a function of arrays, written once in terms of NumPy, with torch's name for its node.  Applied to tensors it computes at once with
NumPy (or grows the trace that is active); if one of them requires a gradient it also records a node, whose way back is derived from the function
itself (`plan.Plan`).  Functions of the namespace are made of primitives; `function` enters them as `torch.f`, `Tensor.f` and `Tensor.f_`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir import ArrayType
from ..trace import Tracer
from ..trace.constants import active_traces
from ..trace.trace import type_of
from . import nodes
from .modes import state
from .nodes import PrimitiveNode, Saved, node_type
from .plan import Plan, make_plan, own
from .storage import here
from .tensor import Tensor, wrap

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
        arrays, needs = [], False
        traced = bool(active_traces())
        for t in operands:
            if isinstance(t, Tensor):
                if t._base is not None:
                    t._refresh()
                needs = needs or t._requires
                arrays.append(t._array if traced else t._data)
            else:
                arrays.append(t)
        with np.errstate(all="ignore"):
            made = self.impl(*arrays, **static)
        multiple = type(made) is tuple or type(made) is list
        results = [self._result(x, arrays, operands, static, i if multiple else None) for i, x in enumerate(made if multiple else (made,))]
        if needs and state.grad:
            self.record(operands, arrays, results, static)
        elif state.inference:
            for t in results:
                t._inference = True
        return tuple(results) if multiple else results[0]

    def _result(self, x: Any, arrays: Sequence[Any], operands: Sequence[Any], static: dict[str, Any], number: int | None) -> Tensor:
        if self.view and _shares(x, arrays[0]):
            return operands[0]._view(x, (self, tuple(static.items()), number))
        if type(x) is Tracer or x is arrays[0] or type(x) is not np.ndarray or x.base is not None:
            x = own(x, arrays)
        return wrap(x)

    def plan(self, arrays: Sequence[Any], wanted: tuple[int, ...], static: dict[str, Any]) -> Plan:
        """The way back for operands of these types, made when it is first needed."""
        key = (wanted, *[(a.shape, a.dtype) if isinstance(a, (np.ndarray, Tracer)) else type(a) for a in arrays], *static.items())
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
        edges = tuple([t._edge if isinstance(t, Tensor) and t._requires else None for t in operands])
        plan = self.plan(arrays, tuple([i for i, e in enumerate(edges) if e is not None]), static)
        if not plan.reached:
            return  # no derivative reaches an operand: of a comparison, say
        node = self.type(edges, here(), plan)
        for number, (t, type_) in enumerate(zip(results, plan.out_types)):
            if type_ is not None:
                t._node, t._nr, t._requires = node, number, True
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
            saved.append(Saved(t._data, t._storage, (node, i) if plan.out_types[i] is not None else None))
        if saved:
            if state.saved_hooks:
                for s in saved:
                    if s.storage is not None:
                        s.pack(state.saved_hooks[-1])
            node.saved = saved


def _shares(x: Any, base: Any) -> bool:
    if type(x) is Tracer:
        return x is base or x.part_of is not None
    return x is base or np.may_share_memory(x, base)


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
