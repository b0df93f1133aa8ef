"""Looking at values while a program runs: `print`, `callback`, `breakpoint`.

They happen in the order of the program and once for each time that it passes their line: also in compiled functions, at each turn of a loop, in the
branch that is taken, once in the forward pass under differentiation, and for each example under `vmap` (where a branch or a loop differs between
examples, all examples go along, and all are shown). A loop or program with one in it is not native at that place, so take them out when done.

>>> import numpy as np, tracejit as tj
>>> @tj.jit
... def f(x):
...     tj.debug.print("x is {}, its sum {total:.1f}", x, total=np.sum(x))
...     return 2 * x
>>> y = f(np.ones(2))
x is [1. 1.], its sum 2.0
"""

from __future__ import annotations

import builtins
import re
import string
import sys
from collections.abc import Callable
from typing import Any

from .api.callbacks import split_arrays
from .api.recording import as_value, defined_at, require_callable
from .errors import at_user_line, user_source
from .ops.callback import Function, in_order

__all__ = ["breakpoint", "callback", "print"]


def callback(function: Callable, /, *args: Any, **kwargs: Any) -> None:
    """Call `function(*args, **kwargs)` with plain arrays when the program passes here, for what it does: its result is not used.

    Leaves of the arguments that are no arrays are passed as they are. What it raises goes to the caller of the program.

    >>> import tracejit as tj
    >>> seen = []
    >>> tj.jit(lambda x: (tj.debug.callback(seen.append, x), x + 1)[1])(1.0), seen
    (np.float64(2.0), [np.float64(1.0)])
    """
    require_callable(function, "debug.callback")
    arrays, restored = split_arrays((args, kwargs))

    def call(*values: Any) -> None:
        given, named = restored(values)
        function(*given, **named)

    in_order(Function(call, f"the callback {defined_at(function)}"), [as_value(a) for a in arrays])


def print(text: str, /, *args: Any, **kwargs: Any) -> None:
    """Print `text.format(*args, **kwargs)` when the program passes here, with the values of what is traced.

    Raises `ValueError`, `IndexError` or `KeyError` at once where the text asks for a field that is not given, and `TypeError` where it is not a text.

    >>> import tracejit as tj
    >>> tj.grad(lambda x: (tj.debug.print("at {}", x), x * x)[1])(3.0)
    at 3.0
    np.float64(6.0)
    """
    if not isinstance(text, str):
        raise TypeError(at_user_line(f'debug.print: the first argument is a format string, such as "x = {{}}", got {type(text).__qualname__}'))
    _check_fields(text, args, kwargs)
    arrays, restored = split_arrays((args, kwargs))

    def show(*values: Any) -> None:
        given, named = restored(values)
        builtins.print(text.format(*given, **named))

    in_order(Function(show, "debug.print"), [as_value(a) for a in arrays])


class _Fields(string.Formatter):
    """Finds the fields of a format string and formats nothing."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        first = re.split(r"[.\[]", field_name, maxsplit=1)[0]
        return self.get_value(int(first) if first.isdigit() else first, args, kwargs), first

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        return value

    def format_field(self, value: Any, format_spec: str) -> str:
        return ""


def _check_fields(text: str, args: tuple, kwargs: dict[str, Any]) -> None:
    """Raise where a field of the text is not among the arguments: formatting later would raise far from the line that is wrong."""
    try:
        _Fields().vformat(text, args, kwargs)
    except (IndexError, KeyError) as error:
        given = f"{len(args)} arguments" + "".join(f", {name}" for name in kwargs)
        raise type(error)(at_user_line(f"debug.print: {text!r} has a field that is not among what is given ({given}): {error}")) from None


def breakpoint(stdin: Any = None, stdout: Any = None) -> None:
    """Stop here when the program passes, with the caller's local variables: their values at this place, also in a compiled function.

    At the prompt, an expression is computed and shown; `l` shows the lines around, `w` the place, `v` the names of the variables, `c` (or the end
    of the input) goes on, and `q` ends the program by `bdb.BdbQuit`. `stdin` and `stdout` are files that stand in for the terminal's.
    """
    from .tools.prompt import Prompt

    frame = sys._getframe(1)
    names = list(frame.f_locals)
    arrays, restored = split_arrays([frame.f_locals[name] for name in names])
    source, space = user_source(), frame.f_globals

    def stop(*values: Any) -> None:
        Prompt(dict(zip(names, restored(values))), space, source, stdin, stdout).run()

    in_order(Function(stop, "debug.breakpoint"), [as_value(a) for a in arrays])
