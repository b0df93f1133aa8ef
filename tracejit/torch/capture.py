"""A function of tensors as a graph: it is called once on tensors that hold proxies.

Tensors from outside that it uses become further inputs, so that what is made of the graph (a batched one, say) can be applied to tensors as a
primitive and recorded like any other function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ir import ArrayType, Graph
from ..trace import Trace, Tracer, type_of
from ..trace.constants import is_constant
from ..trace.creation import tracing
from .modes import state
from .storage import storage_of
from .tensor import Tensor, wrap


class Recording:
    """A function that is being traced. `captured` are the tensors from outside, in the order of their inputs; those numbered in `drawn` are random
    numbers, for each of `examples` of the function."""

    def __init__(self, what: str, randomness: str = "error", examples: int = 0):
        self.what, self.randomness, self.examples = what, randomness, examples
        self.drawn: set[int] = set()
        self.trace = Trace(what)
        self.captured: list[Tensor] = []
        self._proxies: dict[int, Any] = {}

    def array_of(self, t: Tensor) -> Any:
        """The proxy that stands for a tensor here."""
        data = t._data
        if type(data) is Tracer and (data.owner is self.trace or is_constant(data)):
            return data
        found = self._proxies.get(id(t))
        if found is None:
            inside, state.recordings = state.recordings, state.recordings[:-1]
            try:
                type_ = type_of(t._array if state.recordings else data)
            finally:
                state.recordings = inside
            found = self._proxies[id(t)] = self.trace.input(type_.strong)
            self.captured.append(t)
        return found

    def draw(self, numbers: Any) -> Any:
        """The proxy of one example's random numbers, of which there is a row for each."""
        type_ = type_of(numbers)
        self.drawn.add(len(self.captured))
        self.captured.append(Tensor._sharing(numbers, storage_of(numbers)))
        return self.trace.input(type_._replace(shape=type_.shape[1:]).strong)

    def refuse_write(self, t: Tensor) -> None:
        """Raise `RuntimeError` for a write into a tensor from outside: it would happen for each example."""
        if not (type(t._data) is Tracer and (t._data.owner is self.trace or is_constant(t._data))):  # a constant was made inside
            raise RuntimeError(
                f"{self.what}: an in-place operation on a tensor from outside of the function, which all examples share. "
                "Write into a clone, or pass the tensor as an argument."
            )


def record(f: Callable, types: Sequence[ArrayType], what: str, recording: Recording | None = None) -> tuple[Graph, list[Any], list[Tensor], Any]:
    """The graph of `f` on tensors of these types; constants that it takes last; the tensors from outside that it takes before them; and what it
    returned, with a number in the place of each tensor."""
    if recording is None:
        recording = Recording(what, state.recordings[-1].randomness if state.recordings else "same")
    trace = recording.trace
    before, levels = state.recordings, state.levels
    state.recordings, state.levels = [*before, recording], ()  # derivatives outside are those of the whole
    try:
        own = [wrap(trace.input(t)) for t in types]
        with tracing(trace, f) as traced:
            made = traced(own)
            leaves: list[Any] = []
            skeleton = _numbered(made, leaves)
            proxies = [recording.array_of(t) for t in leaves]
        graph, constants = trace.finish(proxies)
    finally:
        state.recordings, state.levels = before, levels
        trace.abandon()
    return graph, constants, recording.captured, skeleton


class Place:
    """Stands for the tensor with a number in a result."""

    def __init__(self, number: int):
        self.number = number


def _numbered(made: Any, leaves: list[Any]) -> Any:
    if isinstance(made, Tensor):
        leaves.append(made)
        return Place(len(leaves) - 1)
    if isinstance(made, dict):
        return type(made)((k, _numbered(v, leaves)) for k, v in made.items())
    if isinstance(made, (tuple, list)):
        parts = [_numbered(x, leaves) for x in made]
        return type(made)(*parts) if hasattr(made, "_fields") else type(made)(parts)
    return made


def filled(skeleton: Any, tensors: Sequence[Any]) -> Any:
    """The result with tensors in their places."""
    if isinstance(skeleton, Place):
        return tensors[skeleton.number]
    if isinstance(skeleton, dict):
        return type(skeleton)((k, filled(v, tensors)) for k, v in skeleton.items())
    if isinstance(skeleton, (tuple, list)):
        parts = [filled(x, tensors) for x in skeleton]
        return type(skeleton)(*parts) if hasattr(skeleton, "_fields") else type(skeleton)(parts)
    return skeleton
