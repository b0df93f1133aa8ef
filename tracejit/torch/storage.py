"""`Storage`: the memory that a tensor and its views share.

It is a `Cell` (trace/cells.py), an array with an identity that traced functions read and write by reference, with what autograd needs beside it:

- `version` counts the writes.  A tensor that was saved for backward remembers it, so that a later write is found (`nodes.Saved`).
- `history` counts the writes that changed how the contents were computed.  A view that was made before such a write makes its `grad_fn` anew.
- `written_at` is the user's line of the last write, for messages.
- `cleared` is the version at which `zero_grad` zeroed it, if it is the gradient of a parameter (cleared.py).
"""

from __future__ import annotations

import sys
from types import CodeType
from typing import Any

from ..errors import Source, is_library
from ..trace.cells import Cell
from ..trace.constants import active_traces

_new = object.__new__


class Storage(Cell):
    """The array that a tensor and its views lie in."""

    version = 0
    history = 0
    leaves: tuple = ()  # references to views that the user has made leaves
    written_at: Place | None = None
    cleared = -1
    _home: Any = None  # the trace that it was made in; like `spread`, a default: one is made for every result
    spread: Any = None


def storage_of(array: Any) -> Storage:
    """A storage whose memory is this very array or proxy."""
    made = _new(Storage)
    made._array = array
    traces = active_traces()
    if traces:
        made._home = next((t for t in reversed(traces) if t.values is None), None)
    return made


Place = tuple[CodeType, int]
"""A line of the user's program, as cheaply as it can be noted: its code and the instruction. The line number is looked up when it is shown."""


def source_of(place: Place) -> Source:
    """The line, to be shown."""
    code, instruction = place
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= instruction < end and number is not None:
            line = number
    return Source(code.co_filename, line, code.co_qualname)


_library: dict[str, bool] = {}


def here(depth: int = 3) -> Place | None:
    """The user's line that is running: the innermost frame outside of libraries, which is at least so far out."""
    try:
        frame = sys._getframe(depth)
    except ValueError:  # the user's line is of a module, and nothing is further out
        frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        known = _library.get(code.co_filename)
        if known is None:
            known = _library[code.co_filename] = is_library(code.co_filename)
        if not known:
            return code, frame.f_lasti
        frame = frame.f_back
    return None
