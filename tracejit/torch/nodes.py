"""The nodes of the graph that autograd records: what made a tensor, from what, and what it keeps for the way back."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import residence
from ..errors import is_library
from ..ir import ArrayType
from .hooks import Extras, Handle, Hooks
from .modes import state
from .saved import Saved
from .storage import Place, source_of

count = itertools.count(1).__next__
"""Numbers nodes in the order in which they are made: operands come before results, and the engine goes from the last to the first."""

Edge = tuple["Node", int] | None


class Node:
    """A recorded function. `edges` has for each operand the node that made it and which of its outputs it is, or None."""

    __slots__ = ("edges", "sequence", "extras", "place", "__weakref__")
    single = False  # whether it has one output: what arrives at it is a gradient then, else a dictionary of them
    back: Callable | None = None  # a quicker `apply` on arrays, if there is one

    def __init__(self, edges: tuple[Edge, ...], place: Place | None):
        self.edges, self.sequence, self.extras, self.place = edges, count(), None, place
        if state.anomaly:
            self.note_stack()

    def note_stack(self) -> None:
        """Keep the user's part of the stack, for anomaly detection."""
        self.more.stack = "".join(traceback.format_list([f for f in traceback.extract_stack() if not is_library(f.filename)]))

    @property
    def more(self) -> Extras:
        """The extras, made if there are none."""
        if self.extras is None:
            self.extras = Extras()
        return self.extras

    def name(self) -> str:
        """torch's name of the function, such as `MulBackward0`."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """For each operand, the node that made it and which of its outputs it is; `(None, 0)` for one that needs no gradient."""
        return tuple([(None, 0) if e is None else e for e in self.edges])

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for whatever the user wants to note here."""
        return self.more.metadata

    def register_hook(self, hook: Callable) -> Handle:
        """Call `hook(grad_inputs, grad_outputs)` after each run backwards; what it returns, if anything, replaces `grad_inputs`."""
        return Handle(self.more.after, hook)

    def register_prehook(self, hook: Callable) -> Handle:
        """Call `hook(grad_outputs)` before each run backwards; what it returns, if anything, replaces them."""
        return Handle(self.more.before, hook)

    def apply(self, cotangents: dict[int, Any], recording: bool) -> Sequence[Any]:
        """The gradients of the operands, from those of the outputs by number; arrays, or tensors where the way back is recorded too."""
        raise TypeError(f"{self.name()} has no way back")

    def release(self) -> None:
        """Forget what was saved for backward."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {hex(id(self))}>"


_types: dict[str, type[Node]] = {}


def node_type(base: type[Node], name: str) -> type[Node]:
    """The class of nodes with this name: torch shows the name of the class."""
    found = _types.get((base, name))
    if found is None:
        found = _types[base, name] = type(name, (base,), {"__slots__": ()})
    return found


class AccumulateGrad(Node):
    """The end of the graph at a leaf: adds what arrives to the leaf's `grad`."""

    __slots__ = ("variable",)
    single = True

    def __init__(self, variable: Any):
        self.edges, self.sequence, self.extras, self.place = (), 0, None, None
        self.variable = variable

    def name(self) -> str:
        """With torch's namespace, as it says it."""
        return "torch::autograd::AccumulateGrad"


class PrimitiveNode(Node):
    """A node whose way back is a `Plan`.

    `saved` is what the plan needs again: flat, three entries for each of the plan's `operands` and then `results`: the array, its storage (None for
    what was no tensor) and the version of that. Where more is to be done with them, they become `Saved` (`kept`); None when they were freed.
    `back(node, cotangent)` is the quick way back of a node with one result (recorder.py).
    """

    __slots__ = ("plan", "back", "saved")

    def __init__(self, edges: tuple[Edge, ...], place: Place | None, plan: Any):
        super().__init__(edges, place)
        self.plan, self.back, self.saved = plan, plan.back, ()

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """For each operand that torch's node has, the node that made it and which of its outputs it is; `(None, 0)` for one without gradient."""
        edges, shown = self.edges, self.plan.shown
        return tuple([(None, 0) if edges[i] is None else edges[i] for i in (range(len(edges)) if shown is None else shown)])

    def kept(self) -> list[Saved]:
        """What is saved, as objects. Raises `RuntimeError` where it has been freed."""
        saved = self.saved
        if saved is None:
            where = f"{source_of(self.place)} " if self.place is not None else ""
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). "
                "Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
                "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
                f"after calling backward. The graph was recorded at {where}({self.name()})."
            )
        if type(saved) is tuple:
            plan = self.plan
            edges = [*[self.edges[i] for i in plan.operands], *[i if plan.out_types[i] is not None else None for i in plan.results]]
            self.saved = saved = [
                Saved(array, storage, edge, version) for array, storage, version, edge in zip(saved[::3], saved[1::3], saved[2::3], edges)
            ]
        return saved

    def apply(self, cotangents: dict[int, Any], recording: bool) -> Sequence[Any]:
        plan, saved = self.plan, self.kept()
        cts = [cotangents[i] if i in cotangents else self._zeros(t, recording) for i, t in enumerate(plan.out_types) if t is not None]
        if recording:
            results = plan.again(*[s.array if s.constant else s.as_tensor(self) for s in saved], *cts)
        else:
            results = plan(*[s.value(self) for s in saved], *cts)
        if len(plan.reached) == len(self.edges):
            return results
        full: list[Any] = [None] * len(self.edges)
        for i, g in zip(plan.reached, results):
            full[i] = g
        return full

    @staticmethod
    def _zeros(type_: Any, recording: bool) -> Any:
        from .tensor import wrap

        zeros = np.zeros(type_.shape, type_.dtype)
        return wrap(zeros) if recording else zeros

    def release(self) -> None:
        if self.saved:
            self.saved = None

    def __getattr__(self, name: str) -> Any:
        """`_saved_self`, `_saved_other`, `_saved_result`: the tensors that are kept for backward."""
        if not name.startswith("_saved_"):
            raise AttributeError(f"{self.name()} has no attribute {name!r}")
        plan, saved = self.plan, self.kept()
        names = {**{("self", "other")[i] if i < 2 else f"input{i}": s for i, s in zip(plan.operands, saved)}}
        names |= {"result" if i == 0 else f"result{i}": s for i, s in zip(plan.results, saved[len(plan.operands) :])}
        found = names.get(name[len("_saved_") :])
        if found is None:
            raise AttributeError(f"{self.name()} has saved {', '.join('_saved_' + n for n in names) or 'nothing'}, not {name}")
        return found.as_tensor(self)


class SingleNode(PrimitiveNode):
    """The node of a function with one result."""

    __slots__ = ()
    single = True


class PartNode(SingleNode):
    """The node of a view of a part, whose way back is to write the cotangent into that part of zeros.

    There are as many parts as indices, so nothing is made for each but the node; the plan only where the way back is itself recorded.
    """

    __slots__ = ("primitive", "static", "shape", "dtype")

    def __init__(self, edges: tuple[Edge, ...], place: Place | None, primitive: Any, static: dict[str, Any], array: Any):
        self.edges, self.sequence, self.extras, self.place, self.saved = edges, count(), None, place, ()
        self.primitive, self.static, self.shape, self.dtype = primitive, static, array.shape, array.dtype
        if state.anomaly:
            self.note_stack()

    next_functions = Node.next_functions

    @property
    def plan(self) -> Any:
        """The plan for this part."""
        return self.primitive.plan_of((ArrayType(self.shape, self.dtype),), (0,), self.static)

    @staticmethod
    def back(node: PartNode, g: Any) -> tuple:
        device = residence.home(g) if residence.classes else None
        made = (np if device is None else device.xp).zeros(node.shape, node.dtype)
        node.primitive.impl(made, **node.static)[...] = g
        return (made,)


def pack(node: PrimitiveNode) -> None:
    """Hand the tensors that were saved to the user's hook, and keep what it gives instead."""
    for s in node.kept():
        if s.storage is not None:
            s.pack(state.saved_hooks[-1])


__all__ = [
    "AccumulateGrad", "Edge", "Extras", "Handle", "Hooks", "Node", "PartNode", "PrimitiveNode", "Saved", "SingleNode", "count", "node_type", "pack",
]  # fmt: skip
