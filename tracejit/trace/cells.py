"""`Cell`: an array that traced functions read and write by reference, though they do not get it as an argument.

A plain array that a function closes over cannot be written while the function is traced: it is a plain array to Python, so what follows the write
would read the old numbers.  A cell is asked instead for the array that stands for it *here* (`Cell.array`):

- outside of all traces, and under `grad`, `jvp` and `vjp`, which compute at once: its own memory;
- inside of a symbolic trace (`jit`, `vmap`, the body of a loop or branch): a proxy of that trace.  It begins as what the cell holds in the context
  outside, and what is in it at the end is handed over by the transform: `jit` writes it back after each run, a loop carries it from turn to turn.

A cell that is made inside of a symbolic trace belongs to that trace: each call of the compiled function makes it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import residence
from ..errors import LeakedTracerError, at_user_line
from .constants import active_traces, as_proxy, refuse_plain
from .tracer import Tracer, same
from .views import assign


class Cell:
    """An array with an identity. `array` is what it holds here, and may be written into.

    `spread(state, n)` says what happens under `vmap`, where each of n examples has a state of its own: it gives the n states, stacked, and the new
    state of the cell itself.  Without it a cell cannot be written under `vmap`.
    """

    __slots__ = ("_array", "_home", "spread")

    def __init__(self, array: Any, spread: Callable[[Any, int], tuple[Any, Any]] | None = None):
        traces = _symbolic()
        self._home = traces[-1] if traces else None
        array = outward(array)
        self._array = same(as_proxy(array)) if traces or type(array) is Tracer else _memory(array)
        self.spread = spread

    @classmethod
    def holding(cls, array: Any, spread: Callable | None = None) -> Cell:
        """A cell whose memory is this very array or proxy: a leaf of an argument, say."""
        cell = object.__new__(cls)
        traces = _symbolic()
        cell._home, cell._array, cell.spread = traces[-1] if traces else None, array, spread
        return cell

    @property
    def array(self) -> Any:
        """The array or proxy that stands for the cell in the innermost trace. Raises `LeakedTracerError` outside of the trace that made the cell."""
        return self._in(_symbolic())

    def _in(self, traces: Sequence[Any]) -> Any:
        home = self._home
        if home is not None and not any(t is home for t in traces):
            if home.alive:  # its function has just returned the cell
                return self._array
            raise LeakedTracerError(
                at_user_line(f"a state that was made inside the {home.what} is used outside of it: return it from the traced function instead")
            )
        if not traces or traces[-1] is home:
            return self._array
        return traces[-1].cell(self, lambda: self._in(traces[:-1]))

    def read(self) -> Any:
        """What the cell holds now, which later writes do not change."""
        array = self.array
        return Tracer(array.owner, array.atom) if type(array) is Tracer else residence.copied(array)

    def write(self, value: Any) -> None:
        """Let the cell hold `value`, of its own shape and dtype."""
        value, array = outward(value), self.array
        if type(array) is not Tracer:
            residence.write(array, value)
            return
        if array.owner.depth and not any(array is state for state in array.owner.states):
            array.owner.states.append(array)
        assign(array, as_proxy(value))


class Outside:
    """An array, or a proxy of a trace outside, that a traced function writes into though it does not get it as an argument.

    To the transforms it is a cell: the trace hands its new contents over, and `write` puts them into the very array.  Two of one array are equal.
    """

    __slots__ = ("array",)
    spread = None  # examples under `vmap` share it

    def __init__(self, array: Any):
        self.array = array

    def __eq__(self, other: object) -> bool:
        return type(other) is Outside and other.array is self.array

    def __hash__(self) -> int:
        return id(self.array)

    def read(self) -> Any:
        """What is in it now, which later writes do not change."""
        array = self.array
        return Tracer(array.owner, array.atom) if type(array) is Tracer else residence.copied(array)

    def write(self, value: Any) -> None:
        """Write `value` into it. Raises `TracerConversionError` for a traced value and a plain array."""
        overwrite(self.array, value)


def overwrite(array: Any, value: Any) -> None:
    """Write `value` into an array or proxy. Raises `TracerConversionError` for a traced value and a plain array."""
    if type(array) is Tracer:
        assign(array, as_proxy(value))
    elif type(value) is Tracer:
        refuse_plain(array)
    else:
        residence.write(array, value)


def _memory(array: Any) -> Any:
    """A new array of these contents."""
    return residence.copied(array) if type(array) in residence.classes else np.array(array)


def by_reference(array: Any) -> Any:
    """An array from outside as the innermost symbolic trace knows it, which reads and writes that very array; outside of such traces, the array."""
    traces = _symbolic()
    if not traces or not (type(array) is np.ndarray or type(array) in residence.classes):
        return array
    return traces[-1].cell(Outside(array), lambda: array)


def stand_ins() -> list[Tracer]:
    """The proxies that stand, in the traces that are active, for arrays outside of all traces."""
    return [proxy for t in active_traces() for cell, (proxy, _) in t.cells.items() if type(cell) is Outside and type(cell.array) is not Tracer]


def _symbolic() -> list[Any]:
    """The active traces in which values are not known, the innermost last."""
    return [t for t in active_traces() if t.values is None]


def outward(value: Any) -> Any:
    """A value that a trace has computed at once, as the context outside of that trace knows it."""
    while type(value) is Tracer and value.owner.alive and value.owner.knows(value.atom):
        value = value.owner.ambient(value.atom)
    return value
