"""Tasks on a GPU: ``python -m benchmarks.cuda [--only ...] [--systems ...] [--rounds N] [--json FILE]``.

The tasks are those of `benchmarks/tasks` at sizes that fill a GPU, with the arrays on the device, and a few that say what the device can do: copies,
sums, a product of matrices, one small call.  Each system's version is the one that it has for the CPU; what is placed where, and what is waited for,
is added here.  Results are compared on the first rows alone, against NumPy in float64.

Printed are the tables of `benchmarks`, and for each task the bytes or operations in a second, as fractions of the fastest copy and of the fastest
product that any of the systems has reached.  ``small_call`` is not waited for: its time is what a call costs the host.

Without a GPU, ``TRACEJIT_CUDA=host python -m benchmarks.cuda --systems tracejit --small`` tries the code out, at sizes that mean nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report, runner, worker
from benchmarks.__main__ import announce
from benchmarks.systems import CUDA_SYSTEMS
from benchmarks.task import Data, Prepared, Task
from benchmarks.tasks import black_scholes, layer_norm, mlp_training, softmax, tiny_call, torch_mlp, torch_resnet
from benchmarks.training import Training

WORKER = ("-m", "benchmarks.cuda", "worker")
SAMPLE = 64  # rows that are compared, of arrays of at least so many times as many
DRAWN = (1 << 22) - 1
SMALL = "TRACEJIT_BENCHMARKS_SMALL"

Version = Callable[[Data], Prepared]


@dataclasses.dataclass(frozen=True)
class CudaTask(Task):
    """A task with what one call of it must do at least: bytes that go through memory, and multiplications with additions."""

    bytes: float = 0.0
    operations: float = 0.0


# -- placing
def placed(system: str, version: Version) -> Version:
    """The version with its arguments on the device, its end waited for, and its result that of the first rows."""

    def prepare(data: Data) -> Prepared:
        made = version(data)
        put, wait = _PLACES[system]()
        args = tuple(put(a) for a in made.args)
        rows = max((a.shape[0] for a in args), default=0)

        def result() -> Any:
            if rows < 8 * SAMPLE:
                return _on_host(made.call(*args))
            return _on_host(made.call(*(a[:SAMPLE] if a.shape[0] == rows else a for a in args)))

        return dataclasses.replace(made, args=args, wait=wait, result=result)

    return prepare


def reference(version: Version) -> Version:
    """NumPy's version on the first rows."""

    def prepare(data: Data) -> Prepared:
        rows = max(a.shape[0] for a in data.values())
        if rows < 8 * SAMPLE:
            return version(data)
        return version({name: a[:SAMPLE] if a.shape[0] == rows else a for name, a in data.items()})

    return prepare


def _tracejit() -> tuple[Callable, Callable]:
    import tracejit as tj

    return tj.device_put, lambda result: tj.cuda.synchronize()


def _jax() -> tuple[Callable, Callable]:
    import jax

    return lambda x: x, jax.block_until_ready


def _torch() -> tuple[Callable, Callable]:
    import torch

    return lambda x: x.detach().cuda().requires_grad_(x.requires_grad), lambda result: torch.cuda.synchronize()


def _cupy() -> tuple[Callable, Callable]:
    import cupy

    return cupy.asarray, lambda result: cupy.cuda.get_current_stream().synchronize()


_PLACES = {"tracejit": _tracejit, "jax": _jax, "torch": _torch, "torch_compile": _torch, "cupy": _cupy}


def _on_host(result: Any) -> Any:
    """A nest of arrays as NumPy's."""
    if isinstance(result, dict):
        return {name: _on_host(item) for name, item in result.items()}
    if isinstance(result, (list, tuple)):
        return [_on_host(item) for item in result]
    for to_host in ("get", "cpu"):  # of CuPy and tracejit; of PyTorch
        if hasattr(result, to_host):
            result = getattr(result, to_host)()
    return result.detach() if hasattr(result, "detach") else np.asarray(result)


# -- tasks
def of_formula(tracejit: Callable, jax: Callable, torch: Callable, cupy: bool = True) -> dict[str, Version]:
    """Versions of a function of a few arrays; `jax` and `torch` get the module that they write it with. CuPy runs what tracejit compiles."""

    def for_tracejit(data: Data) -> Prepared:
        import tracejit as tj

        return Prepared(tj.jit(tracejit), tuple(data.values()))

    def for_jax(data: Data) -> Prepared:
        import jax as module

        return Prepared(module.jit(lambda *args: jax(module.numpy, *args)), module.device_put(tuple(data.values())))

    def for_torch(data: Data) -> Prepared:
        import torch as module

        return Prepared(lambda *args: torch(module, *args), tuple(module.from_numpy(x) for x in data.values()))

    def for_torch_compile(data: Data) -> Prepared:
        import torch as module

        return Prepared(module.compile(lambda *args: torch(module, *args)), tuple(module.from_numpy(x) for x in data.values()))

    def plain(data: Data) -> Prepared:
        return Prepared(tracejit, tuple(data.values()))

    made = {"tracejit": for_tracejit, "jax": for_jax, "torch": for_torch, "torch_compile": for_torch_compile, "numpy": plain}
    return made | ({"cupy": plain} if cupy else {})


def of_file(module: Any, cupy: bool) -> dict[str, Version]:
    """The versions of a task file; NumPy's with arrays of CuPy, where it calls nothing else."""
    names = ("tracejit", "jax", "torch", "torch_compile", "numpy")
    made = {name: getattr(module, name) for name in names if hasattr(module, name)}
    return made | ({"cupy": module.numpy} if cupy else {})


def on_device(versions: dict[str, Version]) -> dict[str, Version]:
    made = {system: placed(system, version) for system, version in versions.items() if system in _PLACES}
    return made | {"reference": reference(versions["numpy"])}


def of_training(training: Training) -> dict[str, Version]:
    """Versions of a training step of modules."""
    names = ("tracejit", "torch", "torch_compile", "reference")
    return dict(zip(names, training._replace(device="cuda").versions(), strict=True))


def from_device(module: Any) -> dict[str, Version]:
    """Versions of a task file that go on from their own results: the data are placed, not the arguments. JAX places them itself."""

    def for_tracejit(data: Data) -> Prepared:
        put, wait = _tracejit()
        return dataclasses.replace(module.tracejit({name: put(value) for name, value in data.items()}), wait=wait)

    return {"tracejit": for_tracejit, "jax": module.jax, "reference": module.numpy}


def normal(dtype: type, **shapes: tuple[int, ...]) -> Callable[[], Data]:
    """Normal numbers; large arrays repeat the first `DRAWN` of them, since to draw them all would take longer than to measure."""
    random = np.random.default_rng(0)

    def drawn(shape: tuple[int, ...]) -> np.ndarray:
        return np.resize(random.standard_normal(min(math.prod(shape), DRAWN), dtype=np.float32).astype(dtype), shape)

    return lambda: {name: drawn(shape) for name, shape in shapes.items()}


def sized(module: Any, **sizes: int) -> Any:
    """A task file with other sizes than on a CPU, in this process."""
    for name, size in sizes.items():
        assert hasattr(module, name)
        setattr(module, name, size)
    return module


def tasks(small: bool) -> Iterator[CudaTask]:
    elements, options, rows, columns, side = (2**12, 2**12, 2**10, 32, 64) if small else (2**28, 10**8, 2**16, 1024, 8192)
    batch, pictures = (32, 4) if small else (8192, 512)
    size = 4.0 * elements

    def task(name: str, title: str, data: Callable[[], Data], versions: dict[str, Version], tolerance: float = 1e-5, **work: float) -> CudaTask:
        return CudaTask(name, title, data, tolerance, versions=versions, **work)

    vector = normal(np.float32, x=(elements,))
    scale = of_formula(lambda x: x * 1.5, lambda jnp, x: x * 1.5, lambda torch, x: x * 1.5)
    yield task("copy", "1.5 x, f32: one read, one write", vector, on_device(scale), bytes=2 * size)
    axpy = of_formula(lambda x, y: 1.5 * x + y, lambda jnp, x, y: 1.5 * x + y, lambda torch, x, y: 1.5 * x + y)
    yield task("axpy", "1.5 x + y, f32", normal(np.float32, x=(elements,), y=(elements,)), on_device(axpy), bytes=3 * size)
    total = of_formula(lambda x: np.sum(x * x, axis=1), lambda jnp, x: jnp.sum(x * x, axis=1), lambda torch, x: torch.sum(x * x, dim=1))
    matrix = normal(np.float32, x=(rows, elements // rows))
    yield task("row_sums", "sums of squares along rows, f32", matrix, on_device(total), bytes=size)
    column = of_formula(lambda x: np.sum(x, axis=0), lambda jnp, x: jnp.sum(x, axis=0), lambda torch, x: torch.sum(x, dim=0))
    yield task("column_sums", "sums along columns, f32", normal(np.float32, x=(512 - 1, elements // 512)), on_device(column), 1e-4, bytes=size)
    whole = of_formula(lambda x: np.mean(x), lambda jnp, x: jnp.mean(x), lambda torch, x: torch.mean(x))
    yield task("mean", "mean of everything, f32", normal(np.float32, x=(1, elements)), on_device(whole), 1e-3, bytes=size)
    product = of_formula(lambda x, y: x @ y, lambda jnp, x, y: x @ y, lambda torch, x, y: x @ y)
    halves = normal(np.float16, x=(2 * side, side), y=(side, side))  # of x alone, the first rows are compared
    title = f"product of {2 * side} x {side} and {side} x {side} matrices, f16"
    yield task("product", title, halves, on_device(product), 1e-2, operations=4.0 * side**3)

    greeks = of_file(sized(black_scholes, OPTIONS=options), cupy=False)
    make = lambda: black_scholes.make_data(np.float32)
    yield task("greeks", f"Black-Scholes price and Greeks, {options:.0e} options, f32", make, on_device(greeks), bytes=11.0 * 4 * options)
    softmaxes = of_file(sized(softmax, ROWS=rows, COLUMNS=columns), cupy=True)
    yield task("softmax_gradient", f"softmax gradient, {rows} x {columns}, f32", softmax.make_data, on_device(softmaxes), bytes=12.0 * rows * columns)
    norms = of_file(sized(layer_norm, ROWS=rows, COLUMNS=columns), cupy=True)
    title = f"layer norm gradient, {rows} x {columns}, f32"
    yield task("layer_norm_gradient", title, layer_norm.make_data, on_device(norms), bytes=12.0 * rows * columns)

    mlp = sized(mlp_training, BATCH=batch)
    yield task("mlp_step", f"Adam step of an MLP, batch {batch}, f32", mlp.make_data, from_device(mlp), 1e-3)
    mlp, resnet = sized(torch_mlp, BATCH=batch), sized(torch_resnet, BATCH=pictures)
    yield task("mlp_of_modules", f"Adam step of an MLP of modules, batch {batch}, f32", mlp.make_data, of_training(mlp.TRAINING), 1e-3)
    yield task("resnet_of_modules", f"SGD step of ResNet-18, batch {pictures}, f32", resnet.make_data, of_training(resnet.TRAINING), 3e-2)
    call = on_device(of_file(tiny_call, cupy=True))
    for name, title, version in (("small_call", "x + 1.0 on four doubles, queued", _queued), ("small_answer", "the same, waited for", lambda v: v)):
        yield task(name, title, tiny_call.make_data, {system: version(v) for system, v in call.items()}, 0.0)


def _queued(version: Version) -> Version:
    return lambda data: dataclasses.replace(version(data), wait=None)


def chosen_tasks() -> dict[str, CudaTask]:
    return {task.name: task for task in tasks(small=os.environ.get(SMALL) == "1")}


# -- what the device does in a second
def rates(results: dict) -> str:
    """Of each task and system: bytes or operations in a second, and as a fraction of the fastest copy or product."""
    known = chosen_tasks()
    best = {"bytes": 0.0, "operations": 0.0}
    for name, work in (("copy", "bytes"), ("product", "operations")):
        for task in results["tasks"]:
            if task["name"] == name:
                done = getattr(known[name], work)
                best[work] = max((done / r["steady_min_seconds"] for r in task["systems"].values() if r["status"] == "ok"), default=0.0)
    lines = []
    for task in results["tasks"]:
        for work, unit in (("bytes", "GB/s"), ("operations", "Gflop/s")):
            done = getattr(known[task["name"]], work)
            for system, record in task["systems"].items():
                if done and record["status"] == "ok":
                    rate = done / record["steady_min_seconds"]
                    fraction = f", {rate / best[work]:.0%} of the fastest {'copy' if work == 'bytes' else 'product'}" if best[work] else ""
                    lines.append(f"{task['name']:22}{CUDA_SYSTEMS[system].title:18}{rate / 1e9:10.1f} {unit}{fraction}")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m benchmarks.cuda", description="Time tracejit and its peers on a GPU.")
    options.add_argument("--only", nargs="+", metavar="TEXT", help="tasks whose name contains one of the texts")
    options.add_argument("--systems", nargs="+", choices=CUDA_SYSTEMS, default=list(CUDA_SYSTEMS), help=f"of: {', '.join(CUDA_SYSTEMS)}")
    options.add_argument("--rounds", type=int, default=3, help="processes per task and system (default 3)")
    options.add_argument("--seconds", type=float, default=1.0, help="steady timing in each process (default 1)")
    options.add_argument("--timeout", type=float, default=600.0, help="seconds after which a process is given up (default 600)")
    options.add_argument("--small", action="store_true", help="tiny sizes, to try the code out")
    options.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["worker"]:
        worker.main(arguments[1:], chosen_tasks())
        return 0
    options = parser().parse_args(arguments)
    from tracejit.cuda import CudaError
    from tracejit.cuda.backend import backend

    try:
        device = backend().properties(0)["name"]
    except CudaError as error:
        print(f"There is nothing to measure: {error}", file=sys.stderr)
        return 2
    if options.small:
        os.environ[SMALL] = "1"
    selected = [task for name, task in chosen_tasks().items() if not options.only or any(text in name for text in options.only)]
    results = runner.run(selected, options.systems, options.rounds, options.seconds, options.timeout, announce, WORKER)
    results["machine"]["device"] = device
    print(device, report.text(results), rates(results), sep="\n\n")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 1 if any(record["status"] in ("failed", "disagrees") for task in results["tasks"] for record in task["systems"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
