"""Hooks on nodes, and what else few nodes have."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from weakref import ref


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
