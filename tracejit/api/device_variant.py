"""`DeviceVariant`: a variant whose program runs on a device.

Arguments and what the function closes over are brought to the device where they are not there, numbers go by value, and results stay there: a call
returns when the work is queued.  Only a guard waits, since Python must know whether its answer is still right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from .. import residence
from ..cuda.backend import backend
from ..cuda.programs import execute, make
from ..cuda.uploads import uploaded
from ..lowering.cuda.show import bytes_moved, show, summary
from ..trace import Tracer
from ..trace.guards import Guard
from .device_entry import device_entry
from .environment import Environment
from .placement import Placement
from .recording import as_value
from .variant import Variant


class DeviceVariant(Variant):
    """The function for one signature on one device."""

    def __init__(self, made: Any, name: str, environment: Environment, effects: Sequence[Any], placement: Placement):
        super().__init__(made, name, environment, effects)
        self.placement, self.backend = placement, backend()
        self._dtypes = [v.type.dtype for v in made.graph.inputs]
        self._arguments = len(self._dtypes) - len(made.outside)
        numbers = [self._arguments + i for i, x in enumerate(made.outside) if residence.home(x) is None and np.ndim(x) == 0]
        self.by_value = placement.by_value | frozenset(numbers)

    @property
    def program(self):
        """The compiled program of the graph. Where there are guards, its last output tells whether they hold."""
        if self._program is None:
            graph = self.graph if self.guards is None else self.guards.checked
            with self.backend.on(self.placement.device):
                self._program = make(graph, self.made_here | {len(self.graph.outputs)}, self.by_value, self._in_place())
        return self._program

    def _in_place(self) -> dict[int, int]:
        """The outputs that are written into arguments: output -> argument. None where a guard, if it does not hold, must leave everything as it was.

        Nothing else lies in the same memory: `check` refuses that.
        """
        if self.guards is not None:
            return {}
        return {len(self.passed) + k: i for k, i in enumerate(self.written) if i not in self.by_value}

    def broken(self, flat: Sequence[Any], outside: Sequence[Any]) -> Guard | None:
        """The first guard that does not hold for these arguments."""
        if self.guards is None:
            return None
        values = [as_value(x) for x in (*flat, *outside)]
        if any(type(x) is Tracer for x in values):
            return super().broken(flat, outside)
        with self.backend.on(self.placement.device):
            placed = self.placed(values)
            self._checks += 1
            if self._checks > 2:  # a few checks are quicker step by step than compiled
                try:
                    if execute(self.guards.check, placed, self.by_value)[0]:
                        return None
                except (IndexError, ValueError, ArithmeticError):
                    pass  # a later question has no answer where an earlier guard fails
            return self.guards.broken(placed)

    def placed(self, values: Sequence[Any]) -> list[Any]:
        """The inputs of the program from the arguments and what the function closes over: arrays on the device in C order, and NumPy scalars."""
        made = []
        for i, (x, dtype) in enumerate(zip(values, self._dtypes)):
            if i in self.by_value:
                made.append(dtype.type(x))
            elif residence.home(x) is not None:
                made.append(self.backend.contiguous(x))
            elif i < self._arguments:
                made.append(self.backend.from_host(np.asarray(x, dtype)))
            else:
                made.append(uploaded(self.backend, x))
        return made

    def run(self, flat: Sequence[Any], outside: Sequence[Any], environment: Environment) -> Any:
        """The result for arguments that the guards hold for."""
        self.check(flat, environment)
        with self.backend.on(self.placement.device):
            results = self.on_device(self.program.run(self.placed([as_value(x) for x in (*flat, *outside)])))
            return self.rebuild(results if self.guards is None else results[:-1], flat, outside, environment)

    def on_device(self, results: Sequence[Any]) -> list[Any]:
        """What a program gave, with numbers and constants as arrays on the device."""
        kind, from_host = self.backend.array, self.backend.from_host
        return [x if type(x) is kind else from_host(x) for x in results]

    def passed_on(self, result: Any, given: Any) -> Any:
        """An array on the device that is returned is the very object; one of the host is what it became on the device."""
        return given if type(given) in (self.backend.array, Tracer) else result

    def state(self) -> str:
        """That it is compiled, and for what; what has no kernel is listed."""
        return f"is compiled for {self.placement}: {summary(self.program)}"

    def show(self) -> str:
        """The steps of the program, its kernels as source, PTX and SASS."""
        with self.backend.on(self.placement.device):
            return show(self.program)

    def code(self) -> str:
        """The sources of the kernels."""
        return "\n".join(kernel.source for kernel in self.program.kernels)

    def bytes_moved(self) -> int:
        """Bytes that the steps of the program read and write."""
        return bytes_moved(self.program)

    def entry(self, positional: Sequence[Any], environment: Environment, alone: bool, named: Mapping[str, Any] = MappingProxyType({})) -> Callable:
        """The entry for these arguments, in Python."""
        return device_entry(self, positional, environment, alone, named)


__all__ = ["DeviceVariant"]
