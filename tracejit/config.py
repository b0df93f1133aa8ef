"""Settings, read from the environment once and changeable at run time.

>>> import tracejit as tj
>>> tj.config.check
False
"""

from __future__ import annotations

import os


def _flag(name: str, default: bool) -> bool:
    return os.environ.get(name, "1" if default else "0").strip().lower() not in ("0", "", "false", "no", "off")


def _threads() -> int:
    for name in ("TRACEJIT_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "")
        if text.strip().isdigit():
            return max(1, int(text))
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Config:
    """`check`: verify every graph after every pass (environment: `TRACEJIT_CHECK=1`).

    `threads`: how many threads a large kernel runs on (`TRACEJIT_NUM_THREADS`, else `OMP_NUM_THREADS`, else the processors that the process may
    use); read when a function is compiled.

    `cache`: whether compiled code is kept on disk (`TRACEJIT_CACHE=0` or an empty one turns it off); `cache_dir`: the folder, else one in the
    user's cache folder (`TRACEJIT_CACHE_DIR`); `cache_bytes`: its size at most (`TRACEJIT_CACHE_BYTES`, 512 MiB).

    `max_nodes`: the size at which tracing stops with an error, because a Python loop was unrolled (`TRACEJIT_MAX_NODES`).

    `max_variants`: how many times a function may be compiled for arguments of one type because Python's branches went another way
    (`TRACEJIT_MAX_VARIANTS`).

    `trace_creation`: whether `np.zeros` and the like make arrays inside a traced function that traced values can be written into
    (`TRACEJIT_TRACE_CREATION`).

    `cuda_graphs`: whether programs of several kernels that are called on the same arrays again and again, as training steps are, become CUDA graphs
    (`TRACEJIT_CUDA_GRAPHS`).

    `cuda_deterministic`: whether updates of places that a program computes, such as the gradient of `x[at]`, are added in their order, so that every
    run gives the same bits; they are then made one after the other for each place of the other axes (`TRACEJIT_CUDA_DETERMINISTIC`). Read when a
    function is compiled.

    `cuda_products`: what products of float32 matrices are multiplied in on a GPU: "float32", or with fewer bits and several times as fast "tf32",
    "bfloat16", "float16" (`TRACEJIT_CUDA_PRODUCTS`). Sums are float32 in all.

    `winograd`: the length of the tiles by which compiled convolutions with 3 x 3 taps save multiplications: up to 4, which rounds about twice as much
    as a direct sum in float32; up to 2, which rounds less than that; 0 for direct sums (`TRACEJIT_WINOGRAD`). Read when a function is compiled.
    """

    __slots__ = (
        "cache", "cache_bytes", "cache_dir", "check", "cuda_deterministic", "cuda_graphs", "cuda_products", "max_nodes",
        "max_variants", "threads", "trace_creation", "winograd",
    )  # fmt: skip

    def __init__(self) -> None:
        self.cache = _flag("TRACEJIT_CACHE", True)
        cache_dir = os.environ.get("TRACEJIT_CACHE_DIR", "").strip()
        self.cache_dir = os.path.abspath(cache_dir) if cache_dir else None
        self.cache_bytes = int(os.environ.get("TRACEJIT_CACHE_BYTES", 512 * 1024 * 1024))
        self.check = _flag("TRACEJIT_CHECK", False)
        self.threads = _threads()
        self.cuda_graphs = _flag("TRACEJIT_CUDA_GRAPHS", True)
        self.cuda_deterministic = _flag("TRACEJIT_CUDA_DETERMINISTIC", False)
        self.cuda_products = os.environ.get("TRACEJIT_CUDA_PRODUCTS", "float32")
        self.trace_creation = _flag("TRACEJIT_TRACE_CREATION", True)
        self.max_variants = int(os.environ.get("TRACEJIT_MAX_VARIANTS", "32"))
        self.max_nodes = int(os.environ.get("TRACEJIT_MAX_NODES", "200000"))
        self.winograd = int(os.environ.get("TRACEJIT_WINOGRAD", "4"))


config = Config()
