"""Kernels on the host whose threads take turns after every store, not only at barriers: what one of them writes where another one still reads is then
found out, as a device's race checker would."""

from __future__ import annotations

from tests.cuda.host_target import WholeWarps
from tracejit.cuda.backend import Parameters
from tracejit.lowering.cpu.emit import Value
from tracejit.lowering.cuda.on_host import HostKernel, HostThread
from tracejit.lowering.cuda.program import Target
from tracejit.lowering.cuda.schedule import DEVICE, SIMULATED

_GOES_ON = 3


class InterleavedThread(HostThread):
    """A thread that lets the others go on behind each of its stores."""

    def at(self, pointer: Value, kind: str, index: Value) -> Value:
        place = super().at(pointer, kind, index)
        self.__dict__.setdefault("places", set()).add(place.name)
        return place

    def store(self, value: Value, place: Value, align: int) -> None:
        super().store(value, place, align)
        if place.name in self.__dict__.get("places", ()):
            self._wait(_GOES_ON)


class InterleavedKernel(HostKernel):
    """One that is run by such threads; every second block of them in the opposite order."""

    def __init__(self, source: str, name: str, parameters: Parameters, warp: int):
        super().__init__(source, name, parameters, warp, InterleavedThread)
        self._runs = 0

    def _run_together(self, threads: list) -> None:
        self._runs += 1
        super()._run_together(threads[::-1] if self._runs % 2 else threads)

    def _released(self, threads: list, left: list) -> list:
        going = [thread for thread in left if thread.record.state == _GOES_ON]
        return going or super()._released(sorted(threads, key=lambda t: t.record.registers[0]), left)


class Interleaved(WholeWarps):
    def __init__(self, warp: int):
        super().__init__()
        self.warp = warp

    def current_device(self) -> int:
        return self.warp  # kernels are kept by device: these are compiled apart from those of other tests

    def load(self, source: str, name: str, parameters: Parameters) -> HostKernel:
        return InterleavedKernel(source, name, parameters, self.warp)


TARGETS: dict[str, Target] = {
    "large": Target(Interleaved(32), DEVICE._replace(block=64)),
    "small": Target(Interleaved(SIMULATED.warp), SIMULATED._replace(tile=2, large=12, short=2)),
}
