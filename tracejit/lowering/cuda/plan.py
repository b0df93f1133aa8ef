"""The steps of a graph on a GPU, and where its temporaries are: offsets into one arena, shared by values that are never alive at once."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace

from ...ir import Graph, Node
from ...ops.conv import conv_general
from ...ops.cumulative import WRITTEN_OUT
from ..fuse import Item, Nest, fuse, reads
from ..kernel import Buffer
from ..memory import Interval, plan
from ..partition import Partitioner
from ..plan import touched
from ..prepare import prepare
from ..pull import pull
from ..steps import Host, Library, Partition, Routine, Stage
from . import functions, split
from .convolutions import convolution
from .epilogues import Offered, with_epilogues
from .kernel_source import Kernel, write
from .loops import row_condition, scan_launch, while_launch
from .schedule import DEVICE, SIMULATED, Geometry, Launch, beside, collides, is_atomic, launches, work
from .split import split_reductions
from .writes import last_updates

Step = Launch | Library | Routine | Host


def native(node: Node) -> bool:
    """Whether kernels compute the node; else it is a step of its own, by its `run`."""
    types = [a.type for a in (*node.inputs, *node.outputs)]
    kind = node.op.kind
    if kind in ("host", "taps") or not all(functions.has_kind(t.dtype) for t in types):
        return False
    if kind == "pointwise" and node.op.name in functions.KNOWN:
        return functions.is_native(node.op.name, types[-2].dtype if node.op.name == "select" else types[0].dtype)
    return kind != "dot" or all(t.size for t in types)


def expansion(node: Node) -> Callable | None:
    """What a node is made of: as on a CPU, but convolutions are products of matrices, and running totals of more than a few elements, which are loops
    there, are steps of their own."""
    if node.op is conv_general:
        return convolution
    is_long = node.op.name in ("cumsum", "cumprod", "cummax", "cummin") and node.inputs[0].type.shape[node.params["axis"]] > WRITTEN_OUT
    return None if is_long else node.op.expand


class _Partitioner(Partitioner):
    """Without the orders of loops that suit the caches of a CPU, and with the loops of reductions inside of those over what they make: neighbouring
    threads then make neighbouring results."""

    @staticmethod
    def tiles(nest, lower):
        return [nest]

    @staticmethod
    def in_order(stage):
        return stage

    def _write_stages(self, node):
        return [_apart_first(stage) for stage in super()._write_stages(node)]

    def _reduce_stages(self, node):
        return [_kept_first(stage) for stage in super()._reduce_stages(node)]


def _apart_first(stage: Stage) -> Stage:
    """An update that must be made in order, with the loops over other places outside of those that may meet."""
    if not stage.into or is_atomic(stage):
        return stage
    return replace(stage, counters=sorted(stage.counters, key=lambda c: collides(stage, c)))


def _kept_first(stage: Stage) -> Stage:
    kept = [a for i in stage.target for a, _ in i.terms]
    return replace(stage, counters=[*(c for c in stage.counters if c in kept), *(c for c in stage.counters if c not in kept)])


class CudaPlan:
    """`own` numbers the outputs that need memory of their own, `by_value` the inputs of shape () that are numbers of the host; `offered` says what
    else the library of products does."""

    def __init__(
        self,
        graph: Graph,
        own: Container[int] = (),
        by_value: Container[int] = (),
        geometry: Geometry = DEVICE,
        offered: Offered = lambda dtype: frozenset(),
    ):
        self.graph = graph
        prepared = prepare(graph, expansion)
        prepared = last_updates(prepared)
        prepared = split_reductions(prepared, split.SIMULATED if geometry is SIMULATED else split.DEVICE)
        self.partition: Partition = with_epilogues(_Partitioner(prepared, native, own).run(), offered)
        self.inputs = self.partition.inputs
        self.by_value = {b for i, b in enumerate(self.inputs) if i in by_value}
        self.outputs = list(dict.fromkeys(b for b in self.partition.outputs if isinstance(b, Buffer) and b.role == "output"))
        items = _together(pull(fuse(self.partition, side_by_side=True)), geometry)
        of_item = [set(touched(item)) for item in items]
        self.steps: list[Step] = []
        for number, item in enumerate(items):
            if isinstance(item, Nest):
                outside = {*self.inputs, *self.outputs}.union(*of_item[:number], *of_item[number + 1 :])
                self.steps += launches(item, outside, geometry)
            elif isinstance(item, Routine) and item.node.op.kind in ("scan", "while"):
                outside = {*self.inputs, *self.outputs}.union(*of_item[:number], *of_item[number + 1 :])
                self.steps.append(_loop(item, outside, geometry) or item)
            else:
                self.steps.append(item)
        self.steps = beside(self.steps)
        self.kernels: dict[Launch, Kernel] = {s: write(s, geometry, self.by_value) for s in self.steps if isinstance(s, Launch)}
        self._place()

    def _place(self) -> None:
        alive: dict[Buffer, list[int]] = {}
        for time, step in enumerate(self.steps):
            for b in touched_by(step):
                if b.role == "temporary":
                    alive.setdefault(b, [time, time])[1] = time
        offsets, self.arena_bytes = plan(Interval(*span, b.type.nbytes) for b, span in alive.items())
        self.offsets: dict[Buffer, int] = dict(zip(alive, offsets))


def _together(items: list[Item], geometry: Geometry) -> list[Item]:
    """The items with small nests that follow one another as one nest, which one block runs: a launch takes longer than they do."""
    result: list[Item] = []
    total = 0
    for item in items:
        own = work(item.body) if isinstance(item, Nest) else 0
        if own and result and isinstance(result[-1], Nest) and 0 < total + own <= geometry.small:
            result[-1] = Nest([*result[-1].body, *item.body])
            total += own
        else:
            result.append(item)
            total = own
    return result


def _loop(step: Routine, outside: set[Buffer], geometry: Geometry) -> Launch | None:
    """The kernel of a loop, where it can be one."""
    params = step.node.params
    if step.node.op.kind == "scan":
        return scan_launch(step, _steps(params["body"]), outside, geometry)
    cond = row_condition(params["cond"]) if params.get("rows") else params["cond"]
    return cond and while_launch(step, _steps(cond), _steps(params["body"]), outside, geometry)


def _steps(body: Graph) -> Partition:
    """The steps of a loop's body, whose outputs are arrays of their own."""
    return body.derived("cuda steps", lambda: _Partitioner(prepare(body, expansion), native, range(len(body.outputs))).run())


def touched_by(step: Step) -> list[Buffer]:
    """The stored buffers that a step reads or writes."""
    if isinstance(step, Launch):
        found = [b for s in step.stages() for b in (s.buffer, *(e.data[0] for e in reads(s)))]
        return [b for b in dict.fromkeys(found) if not step.storage[b].private]
    return touched(step)


__all__ = ["CudaPlan", "Step", "native", "touched_by"]
