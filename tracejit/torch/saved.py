"""`Saved`: what a node keeps for the way back, and whether it is still what was kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes
from .modes import state
from .storage import Storage, source_of

if TYPE_CHECKING:
    from .nodes import Edge, Node


class Saved:
    """An operand or result that a node keeps for backward: a reference to the memory, and the version that was saved.

    `edge` is where the gradient goes if the way back is itself recorded; for a result, only its number: the node would hold itself. `packed` is what
    the hooks on saved tensors made of it, with the hook that gives it back.
    """

    __slots__ = ("array", "storage", "version", "edge", "packed")

    def __init__(self, array: Any, storage: Storage | None, edge: Edge | int, version: int | None = None):
        self.array, self.storage, self.edge, self.packed = array, storage, edge, None
        self.version = version if version is not None else 0 if storage is None else storage.version

    @property
    def constant(self) -> bool:
        """Whether it is a number or an array that was no tensor."""
        return self.storage is None and self.edge is None and self.packed is None

    def keep_copy(self) -> None:
        """Keep the contents as they are now, since the memory is about to be written."""
        self.array, self.storage = self.array.copy(), None

    def pack(self, hooks: tuple[Callable, Callable]) -> None:
        """Hand the tensor to the user's hook and keep what it gives instead."""
        t = self.as_tensor(None)
        before = t._storage.version
        with _hooks_off():
            self.packed = (hooks[0](t), hooks[1])
        if t._storage.version != before:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be modified by in-place "
                "operations as this can lead to unexpected side-effects. Work on a clone: t.clone()."
            )
        self.array = self.storage = None

    def value(self, node: Node) -> Any:
        """The array, if it is still what was saved. Raises `RuntimeError` where it has been overwritten since."""
        if self.packed is not None:
            with _hooks_off():
                made = self.packed[1](self.packed[0])
            if not hasattr(made, "_array"):
                raise TypeError(f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(made).__name__}")
            return made._array
        storage = self.storage
        if storage is not None and storage.version != self.version:
            raise RuntimeError(self._overwritten(node))
        return self.array

    def as_tensor(self, node: Node | None) -> Any:
        """The saved tensor, as it stands in the graph."""
        from .nodes import AccumulateGrad
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
        saved = f" It was saved by {node.name()} at {source_of(node.place)}" if node.place is not None else f" It was saved by {node.name()}"
        written = f" and last modified at {source_of(self.storage.written_at)}" if self.storage.written_at is not None else ""
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
