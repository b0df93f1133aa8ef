"""What is switched on in this thread: recording of gradients, inference mode, anomaly detection, hooks on saved tensors.

Every switch is a context manager and a decorator, as in torch.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

from ..errors import at_user_line


class _State(threading.local):
    def __init__(self) -> None:
        self.grad = True
        self.inference = False
        self.anomaly = False
        self.check_nan = True
        self.saved_hooks: list[tuple[Callable, Callable]] = []
        self.no_saved_hooks: str | None = None
        self.compiling: Any = None  # the trace of the function that is being compiled (see compiling/recording.py)
        self.asked: dict[Any, tuple[int, bool]] | None = None  # gradients that were asked for while it is: their versions, whether they were zeroed
        self.closures: Callable | None = None  # compiles closures for what decides by values, in a compiled function that runs as it is
        self.levels: tuple[Any, ...] = ()  # derivatives in forward mode that are being taken (see duals.py)
        self.recordings: list[Any] = []  # torch functions that are being traced as functions of tensors (see capture.py)


state = _State()


class DecidesByValues(TypeError):
    """Raised in a function that is being compiled by what cannot be traced; `compile` runs such a function as it is from then on."""


def require_values(what: str) -> None:
    """Raise `DecidesByValues` in a function that is being compiled: how many numbers are drawn, say, depends on what they are."""
    if state.compiling is not None:
        raise DecidesByValues(at_user_line(f"{what} decides by values, so it cannot be part of a program"))


class Switch:
    """A context manager that is also a decorator; on a generator function it is on while the generator runs and off between its values."""

    def _fresh(self) -> Switch:
        return type(self)()

    def __call__(self, function: Callable) -> Callable:
        if inspect.isclass(function):
            raise TypeError(f"{type(self).__name__} decorates functions; decorate the methods of {function.__name__} instead")
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args, **kwargs):
                running = function(*args, **kwargs)
                with self._fresh():
                    try:
                        value = next(running)
                    except StopIteration as end:
                        return end.value
                while True:
                    try:
                        sent = yield value
                    except GeneratorExit:
                        with self._fresh():
                            running.close()
                        raise
                    except BaseException as error:
                        with self._fresh():
                            value = running.throw(error)
                    else:
                        with self._fresh():
                            try:
                                value = running.send(sent)
                            except StopIteration as end:
                                return end.value

            return generator

        @functools.wraps(function)
        def switched(*args, **kwargs):
            with self._fresh():
                return function(*args, **kwargs)

        return switched


class no_grad(Switch):
    """Nothing is recorded inside: results do not require gradients.

    >>> from tracejit import torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    _mode = False

    def __new__(cls, function: Callable | None = None):
        made = super().__new__(cls)
        return made if function is None else made(function)

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self):
        self._before.append(state.grad)
        state.grad = self._mode

    def __exit__(self, *exception) -> None:
        state.grad = self._before.pop()


class enable_grad(no_grad):
    """Recording is on inside, also within `no_grad`.

    >>> from tracejit import torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad(), torch.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    _mode = True


class set_grad_enabled(Switch):
    """Recording is on or off: from the call on, or inside of the context, or in the decorated function.

    >>> from tracejit import torch
    >>> with torch.set_grad_enabled(False):
    ...     torch.is_grad_enabled()
    False
    """

    def __init__(self, mode: bool):
        self.mode, self._before = bool(mode), [state.grad]
        state.grad = self.mode

    def _fresh(self) -> set_grad_enabled:
        return set_grad_enabled(self.mode)

    def __call__(self, function: Callable) -> Callable:
        state.grad = self._before[0]  # as a decorator it changes nothing here
        return super().__call__(function)

    def __enter__(self):
        if not self._before:
            self._before.append(state.grad)
        state.grad = self.mode

    def __exit__(self, *exception) -> None:
        state.grad = self._before.pop()


class inference_mode(Switch):
    """As `no_grad`, and tensors that are made inside can never be part of a graph.

    >>> from tracejit import torch
    >>> with torch.inference_mode():
    ...     torch.ones(2).is_inference()
    True
    """

    def __new__(cls, mode: bool | Callable = True):
        made = super().__new__(cls)
        if callable(mode):
            made.__init__()
            return made(mode)
        return made

    def __init__(self, mode: bool = True) -> None:
        self.mode, self._before = bool(mode), []

    def _fresh(self) -> inference_mode:
        return inference_mode(self.mode)

    def __enter__(self):
        self._before.append((state.grad, state.inference))
        state.inference = self.mode
        if self.mode:
            state.grad = False

    def __exit__(self, *exception) -> None:
        state.grad, state.inference = self._before.pop()


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return state.grad


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` is on in this thread."""
    return state.inference
