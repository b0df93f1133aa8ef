"""The systems that are compared: how each is imported and what keeps its compiler caches empty."""

from __future__ import annotations

import importlib
import importlib.util
import os
import time
from collections import ChainMap
from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """A system, the packages its users import, and the distributions whose versions identify it."""

    name: str
    title: str
    modules: tuple[str, ...]
    distributions: tuple[str, ...]

    def is_installed(self) -> bool:
        return all(importlib.util.find_spec(module.partition(".")[0]) for module in self.modules)

    def import_seconds(self) -> float:
        """Import the system's modules and return how long that took."""
        start = time.perf_counter()
        for module in self.modules:
            importlib.import_module(module)
        return time.perf_counter() - start


SYSTEMS = {
    system.name: system
    for system in (
        System("tracejit", "tracejit", ("tracejit",), ("tracejit", "llvmlite")),
        System("jax", "JAX (jit)", ("jax", "jax.numpy"), ("jax", "jaxlib")),
        System("torch", "PyTorch (eager)", ("torch",), ("torch",)),
        System("torch_compile", "torch.compile", ("torch", "torch._dynamo"), ("torch",)),
        System("numba", "Numba (njit)", ("numba",), ("numba", "llvmlite")),
        System("autograd", "HIPS autograd", ("autograd", "autograd.numpy"), ("autograd",)),
        System("numpy", "NumPy by hand", ("numpy",), ("numpy", "scipy")),
    )
}

CUDA_SYSTEMS = {name: SYSTEMS[name] for name in ("tracejit", "jax", "torch", "torch_compile")} | {
    "cupy": System("cupy", "CuPy", ("cupy",), ("cupy-cuda12x", "cupy-cuda13x"))
}
ALL_SYSTEMS = ChainMap(SYSTEMS, CUDA_SYSTEMS)

SUBJECT = "tracejit"

CACHE_VARIABLES = ("TRACEJIT_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "NUMBA_CACHE_DIR")
OPTIONAL_CACHE_VARIABLE = "JAX_COMPILATION_CACHE_DIR"  # JAX keeps a cache on disk only where this is set


def environment_with_caches_in(folder: str) -> dict[str, str]:
    """This process's environment with every compiler cache moved into an empty folder of its own below ``folder``, JAX's turned off."""
    environment = os.environ | {variable: os.path.join(folder, variable.lower()) for variable in CACHE_VARIABLES}
    environment.pop(OPTIONAL_CACHE_VARIABLE, None)
    return environment
