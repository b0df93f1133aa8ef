"""The backend for tests of device code without a device: kernels are compiled as for a GPU, but for the processors of the host, and run there.

`TRACEJIT_CUDA=host` chooses it.  It is some hundred times faster than Numba's simulator, and what it runs is what a device would: `lowering/cuda/
on_host.py` says what is imitated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..lowering.cuda.device_functions import SIMULATED_WARP
from ..lowering.cuda.on_host import HostKernel
from .backend import Parameters
from .simulated import Simulated
from .simulated_array import SimulatedArray


class OnHost(Simulated):
    """Arrays are those of the simulator, kernels native code."""

    def __init__(self) -> None:
        self.limit: int | None = None

    def load(self, source: str, name: str, parameters: Parameters) -> HostKernel:
        return HostKernel(source, name, parameters, warp=SIMULATED_WARP)

    def launch(self, kernel: HostKernel, grid: int, block: int, args: Sequence[Any]) -> None:
        given = [x.host if type(x) is SimulatedArray else x for x in args]
        kernel.launch(grid, block, given)

    def properties(self, device: int) -> dict[str, Any]:
        return {**super().properties(device), "name": "the host's processors"}


__all__ = ["OnHost"]
