"""`Storage`: the memory that a tensor and its views share.

It is a `Cell` (trace/cells.py), an array with an identity that traced functions read and write by reference, with what autograd needs beside it:

- `version` counts the writes.  A tensor that was saved for backward remembers it, so that a later write is found (`nodes.Saved`).
- `history` counts the writes that changed how the contents were computed.  A view that was made before such a write makes its `grad_fn` anew.
- `written_at` is the user's line of the last write, for messages.
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
    written_at: Place | None = None
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


class Place:
    """A line of the user's program, as cheaply as it can be noted: the line number is looked up when it is shown."""

    __slots__ = ("code", "instruction")

    def __init__(self, code: CodeType, instruction: int):
        self.code, self.instruction = code, instruction

    @property
    def source(self) -> Source:
        line = self.code.co_firstlineno
        for start, end, number in self.code.co_lines():
            if start <= self.instruction < end and number is not None:
                line = number
        return Source(self.code.co_filename, line, self.code.co_qualname)

    def __str__(self) -> str:
        return str(self.source)


_library: dict[str, bool] = {}


def here() -> Place | None:
    """The user's line that is running: the innermost frame outside of libraries."""
    frame = sys._getframe(3)
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        known = _library.get(name)
        if known is None:
            known = _library[name] = is_library(name)
        if not known:
            return Place(code, frame.f_lasti)
        frame = frame.f_back
    return None
