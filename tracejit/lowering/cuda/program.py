"""`Program`: a graph that runs on a GPU.  Kernels are launched one after the other on the current stream; between them stand library steps.

What has no kernel goes through the op's own `run`, with CuPy, or with NumPy on the host where CuPy has no such function; `fallbacks` names those
steps.  Loops turn here, in Python, their bodies being programs of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ...config import config
from ...cuda.backend import backend
from ...cuda.products import Factor, ProductType
from ...interpret import replay, too_many_turns
from ...ir import Graph, Literal
from .. import index as ix
from ..kernel import Buffer
from ..steps import Host, Library, Progression, Routine
from . import driven
from .epilogues import Product
from .kernel_source import Kernel
from .plan import CudaPlan, Step, touched_by
from .replays import FEW_STEPS, Replays
from .schedule import DEVICE, SIMULATED, Geometry, Launch

# Blocks of a grid: enough for every multiprocessor to hold as many as fit, with several turns for each where there are more.
BLOCKS_PER_PROCESSOR = 16
VECTOR_BYTES = 16
WORKSPACE_ALIGNMENT = 256


class Target(NamedTuple):
    """What programs are made for."""

    backend: Any
    geometry: Geometry


def current_target() -> Target:
    """The device of the process, or the simulator."""
    home = backend()
    return Target(home, SIMULATED if home.simulated else DEVICE)


class Program:
    """A compiled graph. `run(args)` computes its outputs: arrays on the device, and NumPy scalars where they are constants or were given so.

    `own` numbers the outputs that must be arrays of their own; `by_value` the inputs of shape () that are given as NumPy scalars, all others being
    C-ordered arrays on the current device. The outputs in `into` (output -> input) may be made in the memory of an input, and are that array then.
    """

    address = None

    def __init__(
        self,
        graph: Graph,
        own: Container[int] = (),
        by_value: Container[int] = (),
        target: Target | None = None,
        into: Mapping[int, int] = MappingProxyType({}),
    ):
        self.graph = graph
        self.target = target = target or current_target()
        self.backend = target.backend
        self.plan = plan = CudaPlan(graph, own, by_value, target.geometry, self.backend.epilogues, into)
        self._processors = self.backend.properties(self.backend.current_device())["processors"]
        self._outputs = [(b.shape, b.type.dtype) for b in plan.outputs]
        # A call has a list of its values: the inputs, the outputs, then the temporaries, which are addresses or arrays, and at last their arena.
        buffers = [*plan.inputs, *plan.outputs, *plan.offsets]
        self._slots = {b: i for i, b in enumerate(buffers)}
        self._offsets = list(plan.offsets.values())
        checks = any(k.checks for k in plan.kernels.values())
        self._flag = self.backend.flag(_out_of_range(graph)) if checks else None
        if self._flag is not None:
            self._flag.limits = tuple(f"{too_many_turns(limit)} (It was an earlier call on a device.)" for limit in plan.limits)
        compile_all(self.backend, self.kernels)
        self._products = {s: self.backend.product(_product_type(s)) for s in plan.steps if isinstance(s, Library)}
        self._workspace = -(-plan.arena_bytes // WORKSPACE_ALIGNMENT) * WORKSPACE_ALIGNMENT
        needed = max((p.workspace for p in self._products.values() if p is not None), default=0)
        self._arena_bytes = self._workspace + needed if needed else plan.arena_bytes
        self._steps = [self._prepared(step) for step in plan.steps]
        self._replays = Replays(self.backend, self._values, self._launch, self._outcome) if self._is_recordable() else None
        aligned = {b for k in plan.kernels.values() for b in k.aligned}
        self._aligned = [i for i, b in enumerate(plan.inputs) if b in aligned]
        touched = {*plan.partition.outputs}.union(*map(touched_by, plan.steps))
        self._read = [i for i, b in enumerate(plan.inputs) if b in touched]
        self._results = [(o.value, None) if isinstance(o, Literal) else (None, self._slots[o]) for o in plan.partition.outputs]

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
        if self._flag is not None and (error := self._flag.take()) is not None:
            raise error  # of the call before
        given, args = args, self._in_line(args)
        if self._replays is not None and config.cuda_graphs and args is given:
            results = self._replays.run(args, self._key(args))
            if results is not None:
                return results
        values = self._values(args)
        self._launch(values)
        if self._flag is not None and self.backend.simulated and (error := self._flag.take()) is not None:
            host = self.backend.to_host
            replay(self.graph, [host(a) if self.backend.is_device_array(a) else a for a in args])  # raises the error, with the position
            raise error
        return self._outcome(values)

    def _in_line(self, args: Sequence[Any]) -> Sequence[Any]:
        """The arguments, with copies of those that are read as vectors and do not begin where one may."""
        home = self.backend
        astray = [i for i in self._aligned if home.address(args[i]) % VECTOR_BYTES]
        if not astray:
            return args
        return [home.copy(a) if i in astray else a for i, a in enumerate(args)]

    def _key(self, args: Sequence[Any]) -> tuple:
        """What a recorded call depends on: where the arrays are that are read, what the numbers are, how products are made, and the stream, on whose
        order the memory of the recording relies."""
        address, kind = self.backend.address, self.backend.array
        return self.backend.current_stream(), config.cuda_products, *[address(args[i]) if type(args[i]) is kind else args[i] for i in self._read]

    def _values(self, args: Sequence[Any]) -> list[Any]:
        """The inputs, and memory for everything else."""
        home = self.backend
        values = [*args, *[home.empty(shape, dtype) for shape, dtype in self._outputs]]
        if self._arena_bytes:
            arena = home.empty((self._arena_bytes,), _BYTE)
            values += self._temporaries(arena)
            values.append(arena)
        return values

    def _launch(self, values: list[Any]) -> None:
        """Queue all steps."""
        for step in self._steps:
            step(values)

    def _outcome(self, values: list[Any]) -> list[Any]:
        return [value if slot is None else values[slot] for value, slot in self._results]

    def body(self, graph: Graph) -> Callable[..., list[Any]]:
        """The function of a loop's body or a branch, compiled once."""
        made = graph.derived(("cuda program", self.target), lambda: Program(graph, target=self.target))
        home = self.backend
        resident = lambda x: home.contiguous(x) if home.is_device_array(x) else home.from_host(x)
        return lambda *args: made.run([resident(a) for a in args])

    def _temporaries(self, arena: Any) -> list[Any]:
        """Where the temporaries are. A kernel takes an address, but in the simulator, where memory has none."""
        if self.backend.simulated:
            return [_part(arena, offset, b) for b, offset in self.plan.offsets.items()]
        start = self.backend.address(arena)
        return [start + offset for offset in self._offsets]

    def _array(self, values: list[Any], b: Buffer) -> Any:
        """A buffer as an array."""
        found = values[self._slots[b]]
        if isinstance(found, np.generic):
            return self.backend.from_host(found)
        return _part(values[-1], self.plan.offsets[b], b) if type(found) is int else found

    def _is_recordable(self) -> bool:
        """Whether a CUDA graph can hold the steps: kernels, and products that need no memory but that of the program."""
        plan = self.plan
        known = all(isinstance(s, Launch) or isinstance(s, Library) and (self._products[s] or _is_plain(s)) for s in plan.steps)
        return known and len(plan.steps) >= FEW_STEPS and all(b in self._slots for b in plan.partition.outputs)

    def _prepared(self, step: Step) -> Callable[[list[Any]], None]:
        if isinstance(step, Launch):
            return self._prepared_launch(self.plan.kernels[step])
        if isinstance(step, Library):
            return self._product(step)
        return self._whole_arrays(step)

    def _prepared_launch(self, kernel: Kernel) -> Callable:
        home = self.backend
        loaded, start = load(home, kernel), home.launch
        grid, threads = max(1, min(-(-kernel.turns // kernel.groups), BLOCKS_PER_PROCESSOR * self._processors)), kernel.threads
        slots = [self._slots[p.buffer] for p in kernel.parameters if p.buffer is not None]
        numbers = [(i, p) for i, p in enumerate(kernel.parameters) if p.by_value]
        flag = self._flag if kernel.checks else None

        def launch(values: list[Any]) -> None:
            given = [values[i] for i in slots]
            for i, p in numbers:
                given[i] = _number(given[i], p)
            if flag is not None:
                given.append(flag.argument)
            start(loaded, grid, threads, given)

        return launch

    def _product(self, step: Library) -> Callable:
        product = self._products[step]
        if product is None:
            return self._product_of_arrays(step)
        address, workspace = self.backend.address, self._workspace
        places = [(self._slots[v.buffer], v.offset * v.buffer.type.dtype.itemsize) for v in step.operands]
        result, needs_memory, has_bias = self._slots[step.result], product.workspace > 0, len(places) == 3
        of = lambda value: value if type(value) is int else address(value)

        def multiply(values: list[Any]) -> None:
            x, y, *bias = [of(values[slot]) + offset for slot, offset in places]
            product(x, y, bias[0] if has_bias else 0, of(values[result]), address(values[-1]) + workspace if needs_memory else 0)

        return multiply

    def _product_of_arrays(self, step: Library) -> Callable:
        """One that the library does not know, by the function of arrays."""
        home, xp = self.backend, self.backend.xp
        bias = step.operands[2].buffer if len(step.operands) == 3 else None
        relu, shape = isinstance(step, Product) and step.relu, step.node.outputs[0].type.shape
        views = [(v.buffer, v.shape, v.offset, v.strides) for v in step.operands[:2]]
        plain = [shape == b.shape and not offset and strides == ix.strides(shape) for b, shape, offset, strides in views]

        def multiply(values: list[Any]) -> None:
            x, y = (
                self._array(values, b) if is_plain else strided(xp, self._array(values, b), shape, offset, strides)
                for is_plain, (b, shape, offset, strides) in zip(plain, views)
            )
            out = self._array(values, step.result).reshape(shape)
            home.multiply(x, y, out)
            if bias is not None:
                xp.add(out, self._array(values, bias).reshape(-1), out=out)
            if relu:
                xp.maximum(out, 0, out=out)

        return multiply

    def _whole_arrays(self, step: Routine | Host) -> Callable:
        """An op on whole arrays, by its `run` or, for a loop, by the programs of its bodies."""
        home, node = self.backend, step.node
        compute = driven.LOOPS.get(node.op.kind)
        wanted = [(k, b) for k, b in enumerate(step.results) if b.type.size]

        def operand(o: Any, type_: Any, values: list[Any]) -> Any:
            if isinstance(o, Buffer):
                return self._array(values, o)
            return home.xp.arange(o.start, o.start + type_.shape[0]) if isinstance(o, Progression) else o

        def run(values: list[Any]) -> None:
            if not wanted and not node.op.effect:
                return
            given = [operand(o, a.type, values) for o, a in zip(step.operands, node.inputs)]
            made = compute(self.body, given, **node.params) if compute else home.run(node.op, given, node.params)
            made = made if node.op.multiple else (made,)
            for k, b in wanted:
                home.write(self._array(values, b), made[k])

        return run


def _product_type(step: Library) -> ProductType:
    x, y = (Factor(v.shape, v.strides) for v in step.operands[:2])
    return ProductType(step.result.type.dtype, x, y, len(step.operands) == 3, isinstance(step, Product) and step.relu)


def _is_plain(step: Library) -> bool:
    """Whether the product of arrays needs no memory: of matrices of floats without gaps, as they are or transposed, and of more than two vectors."""
    tight = all(len(v.shape) == 2 and v.strides in (ix.strides(v.shape), ix.strides(v.shape[::-1])[::-1]) for v in step.operands[:2])
    return tight and step.result.type.dtype.kind in "fc" and step.result.type.size > 1


def _out_of_range(graph: Graph) -> str:
    """The error of a call that has ended long ago: which index it was is not known any more, but the lines that use indices are."""
    lines = dict.fromkeys(f"{n.source.filename}:{n.source.line}" for n in graph.nodes if n.op.name in _INDEXING and n.source)
    where = f" at one of {', '.join(lines)}" if lines else ""
    return f"an index was out of bounds for its axis{where}, in an earlier call on a device, which does not wait for its results"


_INDEXING = frozenset("gather dynamic_slice dynamic_update_slice dynamic_slice_add scatter_add scatter_set scatter_max scatter_min".split())
_BYTE = np.dtype(np.uint8)


def _part(arena: Any, offset: int, b: Buffer) -> Any:
    return arena[offset : offset + b.type.nbytes].view(b.type.dtype).reshape(b.shape)


_loaded: dict[Hashable, Any] = {}


def load(home: Any, kernel: Kernel) -> Any:
    """A kernel ready to be launched on the current device; equal ones are compiled once."""
    key = home.current_device(), *signed(kernel)
    found = _loaded.get(key)
    if found is None:
        found = _loaded[key] = home.load(*signed(kernel))
    return found


def compile_all(home: Any, kernels: list[Kernel]) -> None:
    """Compile those of the kernels that have not been loaded."""
    device = home.current_device()
    new = [made for made in map(signed, kernels) if (device, *made) not in _loaded]
    if len(new) > 1:
        home.compile(new)


def signed(kernel: Kernel) -> tuple[str, str, tuple]:
    """The source of a kernel, its name, and what it takes."""
    return kernel.source, "kernel", tuple((p.dtype, "value" if p.by_value else "pointer") for p in kernel.parameters)


def _number(x: Any, parameter: Any) -> np.generic:
    """The part of a number that a parameter takes."""
    if parameter.name.endswith("_im"):
        return parameter.dtype.type(x.imag)
    return parameter.dtype.type(x.real if parameter.name.endswith("_re") else x)


def strided(xp: Any, x: Any, shape: tuple[int, ...], offset: int, strides: tuple[int, ...]) -> Any:
    """A view of an array's memory, in steps of elements."""
    size = x.dtype.itemsize
    return xp.lib.stride_tricks.as_strided(x.reshape(-1)[offset:], shape, tuple(s * size for s in strides))


__all__ = ["Program", "strided"]
