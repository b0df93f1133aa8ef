"""Compiled steps whose tensors live on a CUDA device: their programs run there, and write into the very memory of parameters and state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import residence
from ...ir import Graph


class DeviceProgram:
    """The program of a graph; `run` takes arrays of a device, and numbers and constants of the host. Each result is an array of its own."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self._programs: dict[Any, Any] = {}

    def run(self, values: Sequence[Any]) -> list[Any]:
        """The results, on the device."""
        from ...cuda.programs import make
        from ...cuda.running import placed

        home = residence.meeting(values)
        device = home.device_of(next(x for x in values if residence.home(x) is home))
        by_value = frozenset([i for i, x in enumerate(values) if residence.home(x) is None and np.ndim(x) == 0])
        with home.on(device):
            found = self._programs.get((device, by_value))
            if found is None:
                found = self._programs[device, by_value] = make(self.graph, range(len(self.graph.outputs)), by_value)
            types = self.graph.in_types
            given = [t.dtype.type(x) if i in by_value else home.contiguous(placed(home, x)) for i, (x, t) in enumerate(zip(values, types))]
            return residence.gathered(found.run(given), given)


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
