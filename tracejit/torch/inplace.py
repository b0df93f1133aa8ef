"""Writing into tensors: what the graph looks like afterwards.

The result is computed as by the function that is not in place, and then the memory is overwritten.  A tensor that owns its memory takes over the node
of the result.  Behind a view stands a base: its new value is "the old one with the result in this place" (`CopySlices`), and every view of it makes
its `grad_fn` anew from that when it is next asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import residence
from ..ir import ArrayType
from ..trace import Tracer
from ..trace.trace import type_of
from . import dtypes, nodes
from .dispatch import Primitive
from .modes import state
from .nodes import Edge, Node, PrimitiveNode, SingleNode
from .placing import placed, writable
from .storage import Place, Storage, here
from .tensor import Tensor, along


def check_writable(t: Tensor) -> None:
    """Raise `RuntimeError` where a write would lose a gradient: into a leaf that requires one, or into a view of it."""
    if not state.grad:
        return
    if t._base is not None:
        t._refresh()
        base = t._base
        if t._no_grad_view and base._requires:
            raise RuntimeError(
                "A view was created in no_grad mode and is being modified inplace with grad mode enabled. Given that this use case is ambiguous and "
                "error-prone, it is forbidden. Make the view outside of no_grad (if the write is to be tracked), or write inside of it (if not)."
            )
        if base._requires:
            _refuse_pieces(t)
        if base._requires and base._node is None:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place operation. "
                "Write inside `with torch.no_grad():`, or work on a clone: x.clone()."
            )
    elif t._requires and t._node is None:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation. "
            "Write inside `with torch.no_grad():`, or work on a clone: x.clone()."
        )
    if t._inference and not state.inference:
        raise RuntimeError("Inplace update to inference tensor outside InferenceMode is not allowed. Make a clone to get a normal tensor.")


def _refuse_pieces(t: Tensor) -> None:
    """Raise `RuntimeError` for one of the views that `split`, `chunk` and `unbind` give together, or a view of one."""
    for primitive, _, number in t._chain[len(t._base._chain) :]:
        if number is not None:
            raise RuntimeError(
                f"Output {number} of {primitive.name} is a view and is being modified inplace. This view is the output of a function that returns "
                "multiple views. Such functions do not allow the output views to be modified inplace. You should replace the inplace operation by an "
                "out-of-place one, or take the view by itself: x[a:b], x.narrow(dim, a, length), x.select(dim, i)."
            )


def assign(t: Tensor, result: Tensor, start: int) -> Tensor:
    """Write `result` into t. Nodes numbered above `start` were made for it. Returns t."""
    target, value = t._array, result._array
    if value.shape != target.shape:
        raise RuntimeError(
            f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(value.shape)}: write it out of place, x = x + y"
        )
    if value.dtype != target.dtype:
        if not dtypes.of(value.dtype).category <= dtypes.of(target.dtype).category:
            have, want = dtypes.of(value.dtype).legacy, dtypes.of(target.dtype).legacy
            what = f"result type {have} can't be cast to the desired output type {want}"
            raise RuntimeError(f"{what}: write it out of place, x = x * y, or convert x first")
        result = result.to(dtypes.of(target.dtype))
        value = result._array
    recorded = result._requires and state.grad
    if recorded and t._base is not None:
        _refuse_pieces(t)
        _require_places(t, result)
    if recorded and any(leaf() is not None for leaf in t._storage.leaves):
        raise RuntimeError(
            "a tensor is being used in an in-place operation that is recorded, while a view of it is a leaf that requires grad, whose contents would "
            "then depend on other tensors. Write inside `with torch.no_grad():`, or make the leaf of a clone: x.view(...).clone().requires_grad_()"
        )
    if recorded and result._node is not None:
        _keep_copies(result._node, t, start)
    overwrite(t, value)
    if recorded:
        _let_results_lie_in(t, result)
        rebase(t, result)
    elif state.grad and t._requires and t._node is not None:
        rebase(t, result)  # the result depends on nothing: so does t from here on
    if state.levels:
        from .duals import written

        written(t, result)
    return t


def _require_places(t: Tensor, result: Tensor) -> None:
    """Raise `RuntimeError`, before anything is written, for a view in which elements share a place."""
    chain = t._chain[len(t._base._chain) :]
    if any([primitive.put is not None for primitive, _, _ in chain]):
        wanted = tuple([i for i, x in enumerate((t._base, result)) if x._requires])
        _copy_slices.plan_of((type_of(t._base._array).strong, type_of(t._array).strong), wanted, {"chain": chain})


def overwrite(t: Tensor, value: Any) -> None:
    """Let the memory of t hold `value`, and count the write. Autograd is told nothing."""
    if state.recordings:
        state.recordings[-1].refuse_write(t)
    target = t._array
    if type(target) is Tracer:
        if any([step[0].put is not None for step in t._chain]):
            root = t._storage.array
            root[...] = placed(root, value, t._chain)
        else:
            target[...] = value
    elif type(target) in residence.classes or type(value) in residence.classes:
        residence.write(target, value)
    elif target.flags.writeable:
        np.copyto(target, value, casting="unsafe")
    else:
        np.copyto(writable(target), value, casting="unsafe")
    storage = t._storage
    storage.version += 1
    storage.written_at = here()


def _keep_copies(node: Node, t: Tensor, start: int) -> None:
    """What the new nodes have saved of t's old contents is kept as a copy."""
    stack, seen = [node], set()
    while stack:
        node = stack.pop()
        if node.sequence <= start or node in seen:
            continue
        seen.add(node)
        if isinstance(node, PrimitiveNode) and _saves(node, t._storage):
            for s in node.kept():
                if s.storage is t._storage:
                    s.keep_copy()
        stack += [e[0] for e in node.edges if e is not None]


def _let_results_lie_in(t: Tensor, result: Tensor) -> None:
    """A saved result is t's memory from here on: nothing is kept twice."""
    node = result._node
    if isinstance(node, PrimitiveNode) and _saves(node, result._storage):
        for s in node.kept():
            if s.storage is result._storage and s.array is result._data:
                s.array, s.storage, s.version = t._data, t._storage, t._storage.version


def _saves(node: PrimitiveNode, storage: Storage) -> bool:
    """Whether something that the node has saved lies in this memory."""
    saved = node.saved
    return bool(saved) and (storage in saved[1::3] if type(saved) is tuple else any([s.storage is storage for s in saved]))


_copy_slices = Primitive("CopySlices", lambda base, part, chain: placed(base, part, chain))


class CopySlices(SingleNode):
    """The node of a tensor that was written through one of its views: `chain` leads from it to what was written.

    As there are as many views as indices, its plan is only made where the way back is recorded, or a view is none of NumPy's.
    """

    __slots__ = ("chain", "types")

    def __init__(self, edges: tuple[Edge, Edge], place: Place | None, chain: tuple, types: tuple[ArrayType, ArrayType]):
        self.edges, self.sequence, self.extras, self.place, self.saved = edges, nodes.count(), None, place, ()
        self.chain, self.types = chain, types
        if state.anomaly:
            self.note_stack()

    next_functions = Node.next_functions

    @property
    def plan(self) -> Any:
        """The plan for this chain."""
        wanted = tuple([i for i, e in enumerate(self.edges) if e is not None])
        return _copy_slices.plan_of(self.types, wanted, {"chain": self.chain})

    @staticmethod
    def back(node: CopySlices, g: Any) -> Sequence[Any]:
        """The cotangent with zeros in that part, and that part of it."""
        if all([primitive.put is None for primitive, _, _ in node.chain]):
            rest = np.array(g, order="C") if type(g) is np.ndarray else residence.copied(g)
            view = along(node.chain, rest)
            if residence.may_share_memory(view, rest):
                part = view.copy()
                view[...] = 0
                return rest, part
        return node.apply({0: g}, False)


def rebase(t: Tensor, result: Tensor) -> None:
    """Let the history of t be that of `result`."""
    storage = t._storage
    storage.history += 1
    base = t._base
    if base is None:
        retained = t._node.extras.retains.pop(t._nr, None) if t._node is not None and t._node.extras is not None else None
        t._node, t._nr, t._requires = result._node, result._nr, result._requires
        if retained is not None and t._node is not None:
            t._node.more.retains[t._nr] = retained
        return
    types = type_of(base._array).strong, type_of(result._array).strong
    edges = base._edge if base._requires else None, result._edge if result._requires else None
    if edges != (None, None):
        node = CopySlices(edges, here(), t._chain[len(base._chain) :], types)
        base._node, base._nr, base._requires = node, 0, True
    t._refresh()
