"""torch's older compiler, as far as programs name it: functions stay what they are. `torch.compile` is what compiles them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .absent import of_module

Final = Any


def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
    """The function, class or module itself: it runs as Python, which is what torch's interpreter would do with it.

    >>> from tracejit import torch
    >>> @torch.jit.script
    ... def swish(x):
    ...     return x * torch.sigmoid(x)
    >>> swish(torch.zeros(1))
    tensor([0.])
    """
    return obj


script_if_tracing = unused = export = interface = script


def ignore(obj: Any = None, **options: Any) -> Any:
    """The function itself, also as `@torch.jit.ignore(...)`."""
    return obj if callable(obj) else script


def trace(func: Callable, example_inputs: Any = None, **kwargs: Any) -> Callable:
    """The function or module itself."""
    return func


def is_scripting() -> bool:
    """Whether this is being compiled by torch's older compiler: no."""
    return False


def is_tracing() -> bool:
    """Whether this is being traced by torch's older compiler: no."""
    return False


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value."""
    return the_value


__getattr__ = of_module(globals())
