"""The nodes of the graph that autograd records: what made a tensor, from what, and what it keeps for the way back."""

from __future__ import annotations

import itertools
import traceback
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref

import numpy as np

from ..errors import is_library
from . import dtypes
from .modes import state
from .storage import Place, Storage

count = itertools.count(1).__next__
"""Numbers nodes in the order in which they are made: operands come before results, and the engine goes from the last to the first."""

Edge = tuple["Node", int] | None


class Handle:
    """What registering a hook returns: `remove()` takes it away again. It is also a context manager that removes it at the end."""

    def __init__(self, hooks: OrderedDict[int, Callable], hook: Callable):
        self._hooks, self.id = ref(hooks), next(_handles)
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away; nothing happens where it is gone already."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception) -> None:
        self.remove()


_handles = itertools.count()


class Hooks(OrderedDict):
    """Hooks by the number of their handle, in the order of registration."""


class Extras:
    """What few nodes have: hooks, tensors that retain their gradient, metadata, the stack at the time of recording."""

    __slots__ = ("on_gradient", "before", "after", "retains", "metadata", "stack", "post_accumulate")

    def __init__(self) -> None:
        self.on_gradient: dict[int, Hooks] = {}  # by output: Tensor.register_hook
        self.before, self.after = Hooks(), Hooks()
        self.retains: dict[int, Any] = {}
        self.metadata: dict[Any, Any] = {}
        self.stack: str | None = None
        self.post_accumulate: Hooks | None = None


class Node:
    """A recorded function. `edges` has for each operand the node that made it and which of its outputs it is, or None."""

    __slots__ = ("edges", "sequence", "extras", "place", "__weakref__")

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
        return f"<{self.name()} object at {hex(id(self))}>"


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

    def __init__(self, variable: Any):
        self.edges, self.sequence, self.extras, self.place = (), 0, None, None
        self.variable = variable


class Saved:
    """An operand or result that a node keeps for backward: a reference to the memory, and the version that was saved.

    `edge` is where the gradient goes if the way back is itself recorded; for a result, only its number: the node would hold itself. `packed` is what
    the hooks on saved tensors made of it, with the hook that gives it back.
    """

    __slots__ = ("array", "storage", "version", "edge", "packed")

    def __init__(self, array: Any, storage: Storage | None, edge: Edge | int):
        self.array, self.storage, self.edge, self.packed = array, storage, edge, None
        self.version = 0 if storage is None else storage.version

    @property
    def constant(self) -> bool:
        """Whether it is a number or an array that was no tensor."""
        return self.storage is None and self.edge is None and self.packed is None

    def keep_copy(self) -> None:
        """Keep the contents as they are now, since the memory is about to be written."""
        self.array, self.storage = self.array.copy(), None

    def pack(self, hooks: tuple[Callable, Callable]) -> None:
        """Hand the tensor to the user's hook and keep what it gives instead."""
        with _hooks_off():
            self.packed = (hooks[0](self.as_tensor(None)), hooks[1])
        self.array = self.storage = None

    def value(self, node: Node) -> Any:
        """The array, if it is still what was saved. Raises `RuntimeError` where it has been overwritten since."""
        if self.packed is not None:
            with _hooks_off():
                return self.packed[1](self.packed[0])._array
        storage = self.storage
        if storage is not None and storage.version != self.version:
            raise RuntimeError(self._overwritten(node))
        return self.array

    def as_tensor(self, node: Node | None) -> Any:
        """The saved tensor, as it stands in the graph."""
        from .tensor import Tensor, wrap

        edge = (node, self.edge) if type(self.edge) is int else self.edge
        array = self.array if node is None else self.value(node)
        if edge is not None and type(edge[0]) is AccumulateGrad and edge[0].variable._data is array:
            return edge[0].variable
        made = wrap(array) if self.storage is None else Tensor._sharing(array, self.storage)
        if edge is not None and node is not None:
            made._node, made._nr, made._requires = edge[0], edge[1], True
        return made

    def _overwritten(self, node: Node) -> str:
        shape = list(np.shape(self.array))
        name = f"[torch.{dtypes.of(self.array.dtype).legacy}Tensor {shape}]"
        edge = (node, self.edge) if type(self.edge) is int else self.edge
        maker = f", which is output {edge[1]} of {edge[0].name()}," if edge is not None and edge[0].edges else ""
        saved = f" It was saved by {node.name()} at {node.place}" if node.place is not None else f" It was saved by {node.name()}"
        written = f" and last modified at {self.storage.written_at}" if self.storage.written_at is not None else ""
        return (
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            f"{name}{maker} is at version {self.storage.version}; expected version {self.version} instead.{saved}{written}. "
            "Hint: write the in-place operation out of place (x = x + y in place of x += y), or clone the tensor before it is modified."
        )


class _hooks_off:
    """The user's hooks on saved tensors do not see the tensors that they make themselves."""

    def __enter__(self):
        self.before, state.saved_hooks = state.saved_hooks, []
        self.grad, state.grad = state.grad, False

    def __exit__(self, *exception) -> None:
        state.saved_hooks, state.grad = self.before, self.grad


class PrimitiveNode(Node):
    """A node whose way back is a `Plan`."""

    __slots__ = ("plan", "saved")

    def __init__(self, edges: tuple[Edge, ...], place: Place | None, plan: Any):
        self.edges, self.sequence, self.extras, self.place = edges, count(), None, place
        self.plan, self.saved = plan, ()
        if state.anomaly:
            self.note_stack()

    def apply(self, cotangents: dict[int, Any], recording: bool) -> Sequence[Any]:
        plan, saved = self.plan, self.saved
        if saved is None:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). "
                "Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
                "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
                f"after calling backward. The graph was recorded at {self.place} ({self.name()})."
            )
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
        if self.saved is None:
            self.apply({}, False)
        plan = self.plan
        names = {**{("self", "other")[i] if i < 2 else f"input{i}": s for i, s in zip(plan.operands, self.saved)}}
        names |= {"result" if i == 0 else f"result{i}": s for i, s in zip(plan.results, self.saved[len(plan.operands) :])}
        found = names.get(name[len("_saved_") :])
        if found is None:
            raise AttributeError(f"{self.name()} has saved {', '.join('_saved_' + n for n in names) or 'nothing'}, not {name}")
        return found.as_tensor(self)
