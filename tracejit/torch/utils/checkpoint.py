"""Checkpoints: what a function saves for backward is forgotten, and computed again when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from .. import random
from ..autograd.graph import saved_tensors_hooks
from ..modes import enable_grad, state
from ..tensor import Tensor


class _Recomputed(Exception):
    """Everything that was asked for is there again."""


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function saved other tensors than the first."""


def noop_context_fn() -> tuple[Any, Any]:
    """Contexts that do nothing, for the first and the second run."""
    return nullcontext(), nullcontext()


def checkpoint(
    function: Callable, *args: Any, use_reentrant: bool | None = None, context_fn: Any = None, determinism_check: str = "default", debug: bool =
    False, preserve_rng_state: bool = True, **kwargs: Any,
) -> Any:  # fmt: skip
    """The result of `function(*args, **kwargs)`, without what it would save for backward: the way back runs it again first.

    Random numbers are the same in the second run, unless `preserve_rng_state` is off; `context_fn` gives a context for the first run and one for the
    second.  Both values of `use_reentrant` do what torch does for False, which can do all that the other one can.
    Raises `CheckpointError` on the way back where the second run saves other tensors than the first, unless `determinism_check` is "none".

    >>> from tracejit import torch
    >>> from tracejit.torch.utils.checkpoint import checkpoint
    >>> x = torch.ones(2, requires_grad=True)
    >>> checkpoint(lambda x: (x.sin() * x).sum(), x, use_reentrant=False).backward()
    >>> x.grad
    tensor([1.3818, 1.3818])
    """
    if not state.grad:
        return function(*args, **kwargs)
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of ['default', 'none'], got {determinism_check}")
    if use_reentrant and (context_fn is not None or debug):
        raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
    if use_reentrant and kwargs:
        raise ValueError(f"Unexpected keyword arguments: {','.join(kwargs)}")
    first, second = (noop_context_fn if context_fn is None else context_fn)()
    draws = random.default_generator.state() if preserve_rng_state else None
    shapes: list[tuple] = []
    again: dict[int, Tensor] = {}

    def pack(t: Tensor) -> int:
        shapes.append((t._data.shape, t._data.dtype))
        return len(shapes) - 1

    def recompute() -> None:
        found: list[Tensor] = []

        def keep(t: Tensor) -> int:
            found.append(t.detach())
            if len(found) == len(shapes):
                raise _Recomputed
            return len(found) - 1

        def refuse(number: int) -> Tensor:
            return found[number]

        now = random.default_generator.state()
        if draws is not None:
            random.default_generator.set(draws)
        given = [a.detach().requires_grad_(a.requires_grad) if isinstance(a, Tensor) else a for a in args]
        try:
            with second, enable_grad(), saved_tensors_hooks(keep, refuse):
                function(*given, **kwargs)
        except _Recomputed:
            pass
        finally:
            if draws is not None:
                random.default_generator.set(now)
        if len(found) != len(shapes):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and recomputation.\n"
                f"Number of tensors saved during forward: {len(shapes)}\nNumber of tensors saved during recomputation: {len(found)}.\n"
                "The function must compute the same both times"
            )
        again_shapes = [(t._data.shape, t._data.dtype) for t in found]
        if again_shapes != shapes and determinism_check == "default":
            k = next(k for k, (a, b) in enumerate(zip(shapes, again_shapes)) if a != b)
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during the forward pass.\n"
                f"tensor at position {k}:\nsaved metadata: {shapes[k]}\nrecomputed metadata: {again_shapes[k]}"
            )
        again.update(enumerate(found))

    def unpack(number: int) -> Tensor:
        if number not in again:
            recompute()
        return again.pop(number)

    with first, saved_tensors_hooks(pack, unpack):
        return function(*args, **kwargs)


def checkpoint_sequential(functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """Apply functions one after another, in so many checkpointed segments; the last one is not checkpointed."""
    steps: Sequence[Callable] = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = max(1, len(steps) // segments)

    def run(part: Sequence[Callable]) -> Callable:
        def applied(x: Any) -> Any:
            for step in part:
                x = step(x)
            return x

        return applied

    start = 0
    for _ in range(segments - 1):
        input = checkpoint(run(steps[start : start + size]), input, use_reentrant=use_reentrant, **kwargs)
        start += size
    return run(steps[start:])(input)
