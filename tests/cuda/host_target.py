"""A target for tests: what a GPU would run, on the host.

Programs are planned for a device, with warps of 32 lanes; kernels are the device's code, run by fibers that take turns at barriers.  Blocks are
smaller than a device's, since each of their threads is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optree

from tracejit.api.recording import record_types
from tracejit.cuda.backend import Parameters
from tracejit.cuda.on_host import OnHost
from tracejit.lowering.cuda.on_host import HostKernel
from tracejit.lowering.cuda.program import Program, Target
from tracejit.lowering.cuda.schedule import DEVICE


class WholeWarps(OnHost):
    """With warps as wide as a device's."""

    def load(self, source: str, name: str, parameters: Parameters) -> HostKernel:
        return HostKernel(source, name, parameters)


TARGET = Target(WholeWarps(), DEVICE._replace(block=64, enough=DEVICE.enough // 4))


def compiled(f: Callable, *args: Any, target: Target = TARGET) -> tuple[Program, list[np.ndarray]]:
    """The program of a function, and its results."""
    made = record_types(f, "test", args, {})
    program = Program(made.graph, target=target)
    home = target.backend
    results = program.run([home.from_host(np.asarray(a)) for a in (*args, *made.outside)])
    return program, [home.to_host(r) if home.is_device_array(r) else r for r in results]


def check(f: Callable, *args: Any, rtol: float = 1e-10, target: Target = TARGET) -> Program:
    """Compare the results of the compiled function with those of the function."""
    program, results = compiled(f, *args, target=target)
    for got, want in zip(results, optree.tree_leaves(f(*args)), strict=True):
        want = np.asarray(want)
        assert got.shape == want.shape and got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.max(np.abs(want), initial=0.0))
    return program
