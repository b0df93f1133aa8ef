"""Hooks on the graph: on saved tensors, and on several gradients at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..modes import Switch, state
from ..nodes import Handle, Node
from ..tensor import Tensor

__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge", "increment_version",
    "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip


class saved_tensors_hooks(Switch):
    """What is saved for backward inside goes through `pack_hook`; `unpack_hook` turns what that gave into the tensor again.

    >>> from tracejit import torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), torch.tensor):
    ...     y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 2.])
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def _fresh(self) -> saved_tensors_hooks:
        return type(self)(self.pack_hook, self.unpack_hook)

    def __enter__(self) -> saved_tensors_hooks:
        if state.no_saved_hooks is not None:
            raise RuntimeError(state.no_saved_hooks)
        state.saved_hooks = [*state.saved_hooks, (self.pack_hook, self.unpack_hook)]
        return self

    def __exit__(self, *exception: Any) -> None:
        state.saved_hooks = state.saved_hooks[:-1]


class save_on_cpu(saved_tensors_hooks):
    """Saved tensors are copied, so that later writes into the memory do no harm; they are on the CPU already."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cpu"):
        super().__init__(lambda t: t.clone(), lambda t: t)

    def _fresh(self) -> save_on_cpu:
        return save_on_cpu()


class allow_mutation_on_saved_tensors(saved_tensors_hooks):
    """What is saved for backward inside may be written into afterwards: it is kept as it was.

    >>> from tracejit import torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.autograd.graph.allow_mutation_on_saved_tensors():
    ...     y = x.clone()
    ...     out = (y ** 2).sum()
    ...     _ = y.zero_()
    >>> out.backward()
    >>> x.grad
    tensor([2., 2.])
    """

    def __init__(self) -> None:
        super().__init__(lambda t: t.clone(), lambda t: t)

    def _fresh(self) -> allow_mutation_on_saved_tensors:
        return allow_mutation_on_saved_tensors()


class disable_saved_tensors_hooks(Switch):
    """Hooks on saved tensors raise `RuntimeError` with this message inside."""

    def __init__(self, error_message: str):
        self.error_message = error_message

    def _fresh(self) -> disable_saved_tensors_hooks:
        return disable_saved_tensors_hooks(self.error_message)

    def __enter__(self) -> None:
        if state.saved_hooks:
            raise RuntimeError(self.error_message)
        self._before, state.no_saved_hooks = state.no_saved_hooks, self.error_message

    def __exit__(self, *exception: Any) -> None:
        state.no_saved_hooks = self._before


class GradientEdge:
    """A place in the graph: `output_nr` is which of the outputs of `node`. It can be an input of `autograd.grad`."""

    requires_grad = True

    def __init__(self, node: Node, output_nr: int):
        self.node, self.output_nr = node, output_nr

    @property
    def _edge(self) -> tuple[Node, int]:
        return self.node, self.output_nr

    def __iter__(self) -> Iterator[Any]:
        return iter(self._edge)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Say that tensors were written into: what has saved them for backward notices it."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        t._storage.version += 1


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of a tensor goes: the node, and which of its outputs the tensor is."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return GradientEdge(*tensor._edge)


class _Several:
    """The handles of one hook on many tensors."""

    def __init__(self, handles: Sequence[Handle]):
        self._handles = handles

    def remove(self) -> None:
        """Take the hook away."""
        for handle in self._handles:
            handle.remove()


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable, *, mode: str = "all") -> _Several:
    """Call `fn(grads)` once a backward when the gradients of all tensors are known; with mode "any", `fn(grad)` at the first one."""
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of 'all', 'any' but got {mode}")
    found: dict[int, Tensor] = {}

    def hook_of(i: int) -> Callable:
        def hook(gradient: Tensor) -> None:
            found[i] = gradient
            if mode == "any" and len(found) == 1:
                fn(gradient)
            if len(found) == len(tensors):
                gradients = [found[k] for k in range(len(tensors))]
                found.clear()
                if mode == "all":
                    fn(gradients)

        return hook

    return _Several([t.register_hook(hook_of(i)) for i, t in enumerate(tensors)])
