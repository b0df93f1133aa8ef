"""Hooks of modules on the way back: the arguments and results of `forward` pass through nodes whose own hooks call them."""

from __future__ import annotations

from typing import Any

from ...dispatch import Primitive
from ...modes import state
from ...tensor import Tensor

_through = Primitive("BackwardHookFunctionBackward", lambda *xs: tuple(x + 0 for x in xs))


def _pass(values: Any) -> tuple[Any, Any]:
    """The values with those tensors in them that require a gradient passed through one node, and that node."""
    if isinstance(values, Tensor):
        (made,), node = _pass((values,))
        return made, node
    if not isinstance(values, (tuple, list)):
        return values, None
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    if not places or not state.grad:
        return values, None
    made = list(values)
    for i, t in zip(places, _through(*(values[i] for i in places))):
        made[i] = t
    node = made[places[0]].grad_fn
    whole = type(values)(made) if not hasattr(values, "_fields") else type(values)(*made)
    node.metadata["places"] = (places, len(made))
    return whole, node


def _spread(node: Any, gradients: Any) -> tuple[Any, ...]:
    """The gradients of all arguments, None for those that have none."""
    places, n = node.metadata["places"]
    whole = [None] * n
    for i, g in zip(places, gradients):
        whole[i] = g
    return tuple(whole)


def run_with_backward_hooks(module: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """`module.forward(*args, **kwargs)`, with the module's hooks on the gradients."""
    args, front = _pass(args)
    result = module.forward(*args, **kwargs)
    result, back = _pass(result)
    seen: list[Any] = [None]
    if back is None:
        return result

    def before(gradients: Any) -> Any:
        for hook in list(module._backward_pre_hooks.values()):
            made = hook(module, _spread(back, gradients))
            if made is not None:
                gradients = made if isinstance(made, tuple) else (made,)
        seen[0] = _spread(back, gradients)
        if front is None:
            for hook in list(module._backward_hooks.values()):
                hook(module, (None,) * len(args), seen[0])
        return gradients

    back.register_prehook(before)
    if front is not None:

        def after(grad_inputs: Any, grad_outputs: Any) -> Any:
            whole, changed = _spread(front, grad_inputs), False
            for hook in list(module._backward_hooks.values()):
                made = hook(module, whole, seen[0])
                if made is not None:
                    whole, changed = made if isinstance(made, tuple) else (made,), True
            return tuple(whole[i] for i in front.metadata["places"][0]) if changed else None

        front.register_hook(after)
    return result
