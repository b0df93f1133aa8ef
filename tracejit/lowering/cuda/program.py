"""`Program`: a graph that runs on a GPU.  Kernels are launched one after the other on the current stream; between them stand library steps.

What has no kernel goes through the op's own `run`, with CuPy, or with NumPy on the host where CuPy has no such function; `fallbacks` names those
steps.  Loops turn here, in Python, their bodies being programs of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Sequence
from typing import Any

import numpy as np

from ...cuda.backend import backend
from ...interpret import replay, run_scan, run_sweeps, run_while
from ...ir import Graph, Literal
from ...ops.bodies import parts
from ...ops.sweeps import arguments
from ..kernel import Buffer
from ..partition import Host, Library, Progression, Routine
from .kernel_source import Kernel
from .plan import CudaPlan, Step
from .schedule import DEVICE, SIMULATED, Launch

# Blocks of a grid: enough for every multiprocessor to hold as many as fit, with several turns for each where there are more.
BLOCKS_PER_PROCESSOR = 16


class Program:
    """A compiled graph. `run(args)` computes its outputs, arrays on the device.

    `own` numbers the outputs that must be arrays of their own; `by_value` the inputs of shape () that are given as NumPy scalars, all others being
    C-ordered arrays on the current device.
    """

    address = None

    def __init__(self, graph: Graph, own: Container[int] = (), by_value: Container[int] = ()):
        self.graph, self.backend = graph, backend()
        self.plan = CudaPlan(graph, own, by_value, SIMULATED if self.backend.simulated else DEVICE)
        self._processors = self.backend.properties(self.backend.current_device())["processors"]
        self._steps = [self._prepared(step) for step in self.plan.steps]
        self._outputs = [(b.shape, b.type.dtype) for b in self.plan.outputs]

    # -- what was built
    @property
    def kernels(self) -> list[Kernel]:
        return list(dict.fromkeys(self.plan.kernels.values()))

    @property
    def fallbacks(self) -> list[str]:
        """The ops that have no kernel here, in the order of the steps."""
        return [step.node.op.name for step in self.plan.steps if not isinstance(step, Launch)]

    # -- running
    def run(self, args: Sequence[Any]) -> list[Any]:
        """The outputs on arrays and numbers of the graph's input types. Raises what NumPy raises for an index out of range."""
        home, plan = self.backend, self.plan
        arrays: dict[Buffer, Any] = dict(zip(plan.inputs, args, strict=True))
        arrays.update((b, home.empty(*made)) for b, made in zip(plan.outputs, self._outputs))
        if plan.arena_bytes:
            arena = home.empty((plan.arena_bytes,), np.dtype(np.uint8))
            for b, offset in plan.offsets.items():
                arrays[b] = arena[offset : offset + b.type.nbytes].view(b.type.dtype).reshape(b.shape)
        checks: list[Any] = []
        for step in self._steps:
            step(arrays, checks)
        if checks and any(int(c[0]) for c in checks):
            replay(self.graph, [home.to_host(a) if home.is_device_array(a) else a for a in args])  # raises the error, with the position
            raise RuntimeError("a kernel reported an index out of range that the interpreter did not find")
        return [home.from_host(o.value) if isinstance(o, Literal) else arrays[o] for o in plan.partition.outputs]

    def _prepared(self, step: Step) -> Callable[[dict[Buffer, Any], list[Any]], None]:
        if isinstance(step, Launch):
            return self._prepared_launch(self.plan.kernels[step])
        if isinstance(step, Library):
            return self._product(step)
        return self._whole_arrays(step)

    def _prepared_launch(self, kernel: Kernel) -> Callable:
        home = self.backend
        loaded = load(home, kernel)
        grid = max(1, min(-(-kernel.turns // kernel.groups), BLOCKS_PER_PROCESSOR * self._processors))
        places = [(p.buffer, p) for p in kernel.parameters]

        def launch(arrays: dict[Buffer, Any], checks: list[Any]) -> None:
            given = []
            for b, p in places:
                if b is None:
                    checks.append(home.from_host(np.zeros(1, np.int32)))
                    given.append(checks[-1])
                else:
                    given.append(_number(arrays[b], p) if p.by_value else arrays[b])
            home.launch(loaded, grid, kernel.threads, given)

        return launch

    def _product(self, step: Library) -> Callable:
        home, (left, right) = self.backend, step.operands
        views = [(v.buffer, v.shape, v.offset, v.strides) for v in (left, right)]

        def multiply(arrays: dict[Buffer, Any], checks: list[Any]) -> None:
            x, y = (strided(home, arrays[b], shape, offset, strides) for b, shape, offset, strides in views)
            home.xp.matmul(x, y, out=arrays[step.result])

        return multiply

    def _whole_arrays(self, step: Routine | Host) -> Callable:
        """An op on whole arrays, by its `run` or, for a loop, by the programs of its bodies."""
        home, node = self.backend, step.node
        compute = _LOOPS.get(node.op.kind)

        def run(arrays: dict[Buffer, Any], checks: list[Any]) -> None:
            given = [_operand(home, o, arrays, node.inputs[k].type) for k, o in enumerate(step.operands)]
            made = compute(given, **node.params) if compute else home.run(node.op, given, node.params)
            for b, value in zip(step.results, made if node.op.multiple else (made,)):
                if b.type.size:
                    home.write(arrays[b], value)

        return run


_loaded: dict[Hashable, Any] = {}


def load(home: Any, kernel: Kernel) -> Any:
    """A kernel ready to be launched on the current device; equal ones are compiled once."""
    signature = tuple((p.dtype, "value" if p.by_value else "pointer") for p in kernel.parameters)
    key = home.current_device(), kernel.source, signature
    found = _loaded.get(key)
    if found is None:
        found = _loaded[key] = home.load(kernel.source, "kernel", signature)
    return found


def _number(x: Any, parameter: Any) -> np.generic:
    """The part of a number that a parameter takes."""
    if parameter.name.endswith("_im"):
        return parameter.dtype.type(x.imag)
    return parameter.dtype.type(x.real if parameter.name.endswith("_re") else x)


def _operand(home: Any, o: Any, arrays: dict[Buffer, Any], type_: Any) -> Any:
    if isinstance(o, Buffer):
        return arrays[o]
    if isinstance(o, Progression):
        return home.xp.arange(o.start, o.start + type_.shape[0])
    return o


def strided(home: Any, x: Any, shape: tuple[int, ...], offset: int, strides: tuple[int, ...]) -> Any:
    """A view of an array's memory, in steps of elements."""
    size = x.dtype.itemsize
    return home.xp.lib.stride_tricks.as_strided(x.reshape(-1)[offset:], shape, tuple(s * size for s in strides))


def program(graph: Graph) -> Program:
    """The program of the body of a loop or branch, compiled once."""
    return graph.derived("cuda program", lambda: Program(graph))


def _body(graph: Graph) -> Callable:
    made = program(graph)
    home = made.backend
    return lambda *args: made.run([_resident(home, a) for a in args])


def _resident(home: Any, x: Any) -> Any:
    return home.contiguous(x) if home.is_device_array(x) else home.from_host(x)


def _scan(args, body, consts, carry, length, reverse, base=None):
    if not length:
        home = backend()
        return (*args[consts : consts + carry], *(home.empty((0, *t.shape), t.dtype) for t in body.out_types[carry:]))
    return run_scan(_body(body), *parts(args, consts, carry), length, reverse)


def _while(args, cond, body, cond_consts, body_consts, limit):
    holds = _body(cond)
    return run_while(lambda *a: bool(holds(*a)[0]), _body(body), *parts(args, cond_consts, body_consts), limit)


def _sweeps(args, cond, bodies, cond_consts, layout, limit):
    for_cond, groups = arguments(args, cond_consts, layout)
    holds = _body(cond)
    return run_sweeps(lambda *a: bool(holds(*a)[0]), [_body(b) for b in bodies], for_cond, groups, [s.reads for s in layout], limit)


def _switch(args, branches):
    index, *operands = args
    return tuple(_body(branches[min(max(int(index), 0), len(branches) - 1)])(*operands))


_LOOPS = {"scan": _scan, "while": _while, "sweeps": _sweeps, "switch": _switch}

__all__ = ["Program", "load", "program", "strided"]
