"""Compiled steps whose tensors live on a CUDA device: their programs run there, and write into the very memory of parameters and state.

Python does not wait for the device: what is known on the host and stays there, as counters of steps and the state of generators, is computed there
(`lowering/cuda/halves.py`).  Numbers go to the device in one copy, into memory that stays where it is, so that a step can be replayed as a CUDA graph
although they change from call to call.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from ... import residence
from ...ir import Graph

COMPARED = 1 << 12  # bytes of what is not written again where it has not changed: numbers


class DeviceProgram:
    """The program of a graph; `run` takes arrays of a device, and numbers and constants of the host.

    Each result is an array of its own, but for those in `into` (output -> input), which may be made in the memory of an input.
    """

    def __init__(self, graph: Graph, into: Mapping[int, int] = MappingProxyType({})):
        self.graph, self.into = graph, into
        self._made: dict[Any, _Halves | _Whole] = {}
        self._last: Any = None

    def run(self, values: Sequence[Any], wanted: frozenset[int] = frozenset()) -> list[Any]:
        """The results, on the device; those numbered in `wanted` may be on the host."""
        home = residence.meeting(values)
        device = home.device_of(next(x for x in values if residence.home(x) is home))
        on_host = frozenset([i for i, x in enumerate(values) if residence.home(x) is None])
        with home.on(device):
            key = device, on_host, wanted
            if key not in self._made:
                self._made[key] = _program(self.graph, home, on_host, wanted, self.into)
            self._last = self._made[key]
            return self._last.run(values)

    def show(self) -> str:
        """The steps of the program that ran last, its kernels as source, PTX and SASS."""
        return "" if self._last is None else self._last.show()


def _program(graph: Graph, home: Any, on_host: frozenset[int], wanted: frozenset[int], into: Mapping[int, int]) -> _Halves | _Whole:
    from ...lowering.cuda.halves import halves

    into = {k: i for k, i in into.items() if i not in on_host}
    found = halves(graph, on_host, wanted, home.runs_on_host)
    return _Whole(graph, home, on_host, into) if found is None else _Halves(found, home, on_host, into)


class _Whole:
    """A program of the device alone. The inputs in `on_host` are brought there: once, but for those in `fresh`, which are others in each call."""

    def __init__(self, graph: Graph, home: Any, on_host: frozenset[int], into: Mapping[int, int], fresh: Container[int] = ()):
        from ...cuda.programs import make

        self.graph, self.home = graph, home
        self.device = home.current_device()
        self.program = make(graph, range(len(graph.outputs)), into=into)
        self.arrays = [i for i in range(len(graph.inputs)) if i not in on_host]
        self.brought = [(i, i in fresh) for i, t in enumerate(graph.in_types) if i in on_host and t.shape]
        self.numbers: dict[np.dtype, list[int]] = {}
        for i, t in enumerate(graph.in_types):
            if i in on_host and not t.shape:
                self.numbers.setdefault(t.dtype, []).append(i)
        self._memory: dict[Any, tuple[bytes | None, Any]] = {}

    def run(self, values: Sequence[Any]) -> list[Any]:
        from ...cuda.uploads import uploaded

        home = self.home
        given = list(values)
        for i in self.arrays:
            given[i] = home.contiguous(values[i])
        for i, is_fresh in self.brought:
            given[i] = self._written(i, values[i]) if is_fresh else uploaded(home, values[i])
        for dtype, places in self.numbers.items():
            packed = self._written(dtype, np.array([values[i] for i in places], dtype).reshape(-1))
            for k, i in enumerate(places):
                given[i] = packed[k : k + 1].reshape(())
        return [x if home.is_device_array(x) else home.from_host(x) for x in self.program.run(given)]

    def _written(self, name: Any, array: np.ndarray) -> Any:
        """The array on the device, in memory that stays where it is: it is written in the order of the current stream, which so has its own."""
        key = name, self.home.current_stream()
        content = array.tobytes() if array.nbytes <= COMPARED else None
        known, memory = self._memory.get(key, (None, None))
        if memory is None:
            memory = self.home.empty(array.shape, array.dtype)
        if content is None or content != known:
            self.home.write(memory, array)
            self._memory[key] = content, memory
        return memory

    def show(self) -> str:
        from ...lowering.cuda.show import show

        with self.home.on(self.device):
            return show(self.program)


class _Halves:
    """A program of the host and one of the device, which reads what the host has made."""

    def __init__(self, halves: Any, home: Any, on_host: frozenset[int], into: Mapping[int, int]):
        from ...lowering.program import Program

        self.halves = halves
        self.host = Program(halves.host, frozenset(range(len(halves.host.outputs))))
        count = len(halves.device_inputs)
        own = frozenset(k for k, i in enumerate(halves.device_inputs) if i in on_host)
        crossing = frozenset(range(count, len(halves.device.inputs)))
        outputs = [k for k in range(len(halves.host_outputs) + len(halves.device.outputs)) if k not in halves.host_outputs]
        moved = {outputs.index(k): halves.device_inputs.index(i) for k, i in into.items() if k in outputs and i in halves.device_inputs}
        self.device = _Whole(halves.device, home, own | crossing, moved, crossing)

    def run(self, values: Sequence[Any]) -> list[Any]:
        halves, types = self.halves, self.halves.host.in_types
        made = list(self.host.run([np.ascontiguousarray(values[i], t.dtype).reshape(t.shape) for i, t in zip(halves.host_inputs, types)]))
        count = len(halves.host_outputs)
        results = iter(self.device.run([*(values[i] for i in halves.device_inputs), *made[count:]]))
        of_host = dict(zip(halves.host_outputs, made[:count]))
        return [of_host[k] if k in of_host else next(results) for k in range(count + len(halves.device.outputs))]

    def show(self) -> str:
        from ...lowering.show import show

        return f"# on the host\n{show(self.host)}\n{self.device.show()}"


def require_one_device(name: str, values: Sequence[Any]) -> None:
    """Raise torch's `RuntimeError` where a compiled function reads tensors of several devices; those of one element may be anywhere."""
    if residence.classes:
        from ..resident import place_of

        places = dict.fromkeys(str(place_of(x)) for x in values if residence.is_array(x) and x.size != 1)
        if len(places) > 1:
            first, second = list(places)[:2]
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found at least two devices, {first} and {second}! (torch.compile of {name})"
            )


__all__ = ["DeviceProgram", "require_one_device"]
