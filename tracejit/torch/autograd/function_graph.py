"""A `Function` inside a function that is traced as a whole (`func.vmap`): what it computes becomes a part of the graph, with its own derivative.

The value is that of `forward`; `backward` is the transpose of its derivative, as a linear call (ops/custom_linear.py) that is batched with everything
else.  A `vmap` of the user's own is the batching rule of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...interpret import replay
from ...ir import is_inexact
from ...ops.custom import Rule, custom_batch, custom_derivative
from ...ops.custom_linear import Direction, derived, linear_call
from ...ops.elementwise import stop_gradient
from ...trace import type_of
from ..capture import filled, record
from ..dispatch import Primitive
from ..modes import state
from ..tensor import Tensor, wrap


class VmapInfo(NamedTuple):
    """What a `vmap` staticmethod is told: how many examples there are, and what `vmap` was called with."""

    batch_size: int
    randomness: str


class _Place(NamedTuple):
    """Where a tensor that the way back needs is found: among the "args", the "outs", or the "kept", which only the context has."""

    where: str
    number: int


class Traced:
    """One application: the graph of its values, and how its derivative is made of `backward`."""

    def __init__(self, function: Any, args: Sequence[Any], kwargs: dict[str, Any]):
        self.function, self.args, self.kwargs = function, args, kwargs
        self.recording = state.recordings[-1]
        self.name = function.__name__
        self.tensors = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        self.types = [type_of(self.recording.array_of(args[i])).strong for i in self.tensors]

    def result(self) -> Any:
        """What the function returns, as tensors of the graph."""
        graph, constants, captured, skeleton = record(self._forward, self.types, f"forward of {self.name}")
        many, count = len(self.types), self.count
        self.out_types = [t.strong for t in graph.out_types[:count]]
        rule = Rule(self._derivative, self._outside)

        def impl(*arrays: Any) -> tuple:
            cut = [stop_gradient(a) for a in (*arrays, *constants)]
            if self.function._own_vmap():
                values = custom_batch(*cut, graph=graph, rule=self._batch_rule(len(graph.outputs)))
            else:
                values = replay(graph, cut)
            return tuple(custom_derivative(*values[:count], *arrays[:many], *values[count:], count=count, rule=rule)) if count else ()

        outs = Primitive(f"{self.name}Backward", impl)(*[self.args[i] for i in self.tensors], *captured)
        return filled(skeleton[0], outs)

    def _given(self, tensors: Sequence[Tensor]) -> list[Any]:
        """All arguments, with these tensors in the places of its own."""
        given = list(self.args)
        for i, t in zip(self.tensors, tensors):
            given[i] = t
        return given

    def _forward(self, own: Sequence[Tensor]) -> Any:
        """What is recorded of the value: the results, and then what the context keeps that is none of the arguments or results."""
        context, made = self.function._run(self._given(own), self.kwargs)
        if context._dirty:
            raise RuntimeError(
                f"{self.recording.what}: {self.name} writes into an argument (mark_dirty), which it cannot do there. "
                "Return a new tensor from forward, or define the staticmethod vmap"
            )
        outs = [t for t in (made if isinstance(made, (tuple, list)) else (made,)) if isinstance(t, Tensor)]
        places = {id(t): _Place("outs", i) for i, t in enumerate(outs)} | {id(t): _Place("args", i) for i, t in enumerate(own)}
        kept: list[Tensor] = []

        def place(t: Any) -> Any:
            if not isinstance(t, Tensor):
                return t
            if id(t) not in places:
                places[id(t)] = _Place("kept", len(kept))
                kept.append(t)
            return places[id(t)]

        self.saved = [place(t) for t in context._to_save]
        self.saved_forward = [place(t) for t in getattr(context, "_for_forward", context._to_save)]
        self.attributes = {name: place(x) for name, x in vars(context).items() if isinstance(x, Tensor)}
        self.context, self.count = context, len(outs)
        constant = {id(t) for t in context._constant}
        self.moving = [i for i, t in enumerate(outs) if id(t) not in constant and is_inexact(t._data.dtype)]
        return made, tuple(kept)

    def _batch_rule(self, count: int) -> Callable:
        def rule(n: int, args: Sequence[Any], batched: Sequence[bool]) -> tuple[list[Any], list[bool]]:
            many = len(self.tensors)
            if any(batched[many:]):
                raise RuntimeError(f"vmap of {self.name}: it closes over a tensor that is mapped over: pass that as an argument of apply")
            marks = dict(zip(self.tensors, batched))
            dims = tuple([0 if marks.get(i) else None for i in range(len(self.args))])

            def run(own: Sequence[Tensor]) -> Any:
                made = self.function.vmap(VmapInfo(n, self.recording.randomness), dims, *self._given(own))
                if not isinstance(made, tuple) or len(made) != 2:
                    raise RuntimeError(f"{self.name}.vmap must return a pair (output, out_dims)")
                return made

            graph, constants, captured, skeleton = record(run, [type_of(a).strong for a in args[:many]], f"vmap of {self.name}")
            values = replay(graph, [*args[:many], *[t._array for t in captured], *constants])
            places = skeleton[1] if isinstance(skeleton[1], (tuple, list)) else (skeleton[1],) * len(values)
            if len(values) != count:
                raise RuntimeError(f"{self.name}.vmap returned {len(values)} tensors, forward {count}")
            return [v if d in (None, 0) else np.moveaxis(v, d, 0) for v, d in zip(values, places)], [d is not None for d in places]

        return rule

    # -- the derivative
    def _outside(self) -> None:
        raise RuntimeError(
            f"{self.name}: a derivative is taken with respect to a tensor that its forward closes over, and its backward does not see that: "
            "pass it as an argument of apply"
        )

    def _derivative(self, args: Sequence[Any], outs: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """The tangents of the results: a linear call whose transpose is `backward`."""
        many, m = len(self.tensors), len(outs)
        active = [i for i in range(many) if tangents[i] is not None]
        result: list[Any] = [None] * m
        if not active:
            return result
        residuals = [*args, *outs]  # the tensor arguments, what was kept, the results
        x_types = tuple([self.types[i] for i in active])
        ct_types = tuple([self.out_types[i] for i in self.moving])
        backward = Direction(lambda values, cts: self._pull(values, cts, active, ct_types), f"the backward of {self.name}")
        if self.function._own_jvp():
            forward = Direction(lambda values, moving: self._push(values, moving, active), f"the jvp of {self.name}")
        else:
            forward = derived(backward, x_types, ct_types)
        moved = linear_call(
            *residuals, *[tangents[i] for i in active], residuals=len(residuals), forward=forward, backward=backward, out_types=ct_types
        )
        for i, t in zip(self.moving, moved):
            result[i] = t
        return result

    def _context(self, tensors: Sequence[Tensor], forward: bool = False) -> Any:
        """The context with what it has kept as these tensors."""
        many, kept = len(self.tensors), len(tensors) - self.count
        found = {"args": tensors[:many], "kept": tensors[many:kept], "outs": tensors[kept:]}

        def at(place: Any) -> Any:
            return found[place.where][place.number] if isinstance(place, _Place) else place

        context = self.context
        context._replaced = tuple([at(p) for p in (self.saved_forward if forward else self.saved)])
        for name, p in self.attributes.items():
            setattr(context, name, at(p))
        return context

    def _pull(self, values: Sequence[Any], cts: Sequence[Any], active: Sequence[int], ct_types: Sequence[Any]) -> list[Any]:
        n = len(values)
        cts = [np.zeros(t.shape, t.dtype) if c is None else _conjugate(c) for c, t in zip(cts, ct_types)]
        wanted = [self.tensors[i] for i in active]

        def run(own: Sequence[Tensor]) -> list[Any]:
            arrived = iter(own[n:])
            given = [next(arrived) if i in self.moving else wrap(np.zeros(t.shape, t.dtype)) for i, t in enumerate(self.out_types)]
            context = self._context(own[:n])
            found = context._checked_all(self.function.backward(context, *given), wanted, True)
            return [found[i] for i in wanted]

        return [None if g is None else _conjugate(g) for g in _replayed(run, [*values, *cts], f"backward of {self.name}")]

    def _push(self, values: Sequence[Any], tangents: Sequence[Any], active: Sequence[int]) -> list[Any]:
        n = len(values)

        def run(own: Sequence[Tensor]) -> list[Any]:
            given: list[Any] = [None] * len(self.args)
            if self.context._materialize:
                for i, type_ in zip(self.tensors, self.types):
                    given[i] = wrap(np.zeros(type_.shape, type_.dtype)) if is_inexact(type_.dtype) else None
            for i, t in zip(active, own[n:]):
                given[self.tensors[i]] = t
            moved = self.function.jvp(self._context(own[:n], True), *given)
            moved = list(moved) if isinstance(moved, (tuple, list)) else [moved]
            return [moved[i] for i in self.moving]

        return _replayed(run, [*values, *tangents], f"jvp of {self.name}")


def _replayed(run: Callable[[Sequence[Tensor]], list[Any]], values: Sequence[Any], what: str) -> list[Any]:
    """What a function of tensors gives of arrays or proxies; None where it gives None."""
    graph, constants, captured, skeleton = record(run, [type_of(v).strong for v in values], what)
    made = replay(graph, [*values, *[t._array for t in captured], *constants])
    return filled(skeleton, made)


def _conjugate(x: Any) -> Any:
    return np.conjugate(x) if type_of(x).dtype.kind == "c" else x
