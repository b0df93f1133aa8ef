"""Calls of a module, with the hooks around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...hooks import Handle
from .backward_hooks import run_with_backward_hooks


class Hooked:
    """The part of `Module` that is called."""

    def _add_hook(self, table: str, hook: Callable, prepend: bool = False, flags: tuple[str, ...] = ()) -> Handle:
        hooks = self.__dict__[table]
        handle = Handle(hooks, hook)
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        for flag in flags:
            self.__dict__[flag].add(handle.id)
        return handle

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call `hook(module, args)` before `forward`; what it returns, if anything, takes the place of the arguments."""
        return self._add_hook("_forward_pre_hooks", hook, prepend, ("_with_kwargs",) if with_kwargs else ())

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """Call `hook(module, args, output)` after `forward`; what it returns, if anything, takes the place of the output."""
        flags = [name for name, wanted in (("_with_kwargs", with_kwargs), ("_always_called", always_call)) if wanted]
        return self._add_hook("_forward_hooks", hook, prepend, tuple(flags))

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when the inputs' gradients are known; what it returns takes the place of `grad_input`."""
        return self._add_hook("_backward_hooks", hook, prepend)

    register_backward_hook = register_full_backward_hook

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call `hook(module, grad_output)` before the gradients of the module are computed; what it returns takes the place of `grad_output`."""
        return self._add_hook("_backward_pre_hooks", hook, prepend)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        state = self.__dict__
        if "_forward_hooks" not in state:
            raise AttributeError(f"'{type(self).__name__}' was not initialised: begin its __init__ with super().__init__()")
        if not (state["_forward_hooks"] or state["_forward_pre_hooks"] or state["_backward_hooks"] or state["_backward_pre_hooks"]):
            return self.forward(*args, **kwargs)
        for number, hook in list(self._forward_pre_hooks.items()):
            if number in self._with_kwargs:
                made = hook(self, args, kwargs)
                if made is not None:
                    args, kwargs = _replaced(hook, made)
            else:
                made = hook(self, args)
                if made is not None:
                    args = made if isinstance(made, tuple) else (made,)
        called: set[int] = set()
        try:
            if self._backward_hooks or self._backward_pre_hooks:
                result = run_with_backward_hooks(self, args, kwargs)
            else:
                result = self.forward(*args, **kwargs)
            for number, hook in list(self._forward_hooks.items()):
                called.add(number)
                made = self._after(number, hook, args, kwargs, result)
                result = result if made is None else made
            return result
        except Exception:
            for number, hook in list(self._forward_hooks.items()):
                if number in self._always_called and number not in called:
                    self._after(number, hook, args, kwargs, None)
            raise

    def _after(self, number: int, hook: Callable, args: tuple, kwargs: dict[str, Any], result: Any) -> Any:
        return hook(self, args, kwargs, result) if number in self._with_kwargs else hook(self, args, result)


def _replaced(hook: Callable, made: Any) -> tuple[tuple, dict[str, Any]]:
    if not (isinstance(made, tuple) and len(made) == 2):
        raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but {hook} returned {made}")
    return made
