"""The steps of a graph on a GPU, and where its temporaries are: offsets into one arena, shared by values that are never alive at once."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from types import MappingProxyType

from ...ir import Graph, Literal
from ...ops.while_loop import Limit
from ..fuse import Item, Nest, fuse, reads
from ..kernel import Buffer
from ..memory import Interval, plan
from ..outer_sums import sums_outside
from ..plan import touched
from ..prepare import prepare
from ..pull import pull
from ..steps import Host, Library, Partition, Routine
from . import split
from .epilogues import Offered, with_epilogues
from .in_place import in_place
from .kernel_source import Kernel, write
from .loops import KERNELS, Driven, loop_launch
from .partitioner import DevicePartitioner, expansion, native
from .schedule import DEVICE, SIMULATED, Geometry, Launch, beside, launches, work
from .split import split_reductions
from .writes import last_updates

# Numbers that loops may keep, turn by turn, for sums over the rows of a batch that are made behind them: 256 MiB of doubles.
ROOM_FOR_SUMS = 1 << 25

Step = Launch | Library | Routine | Host


class CudaPlan:
    """`own` numbers the outputs that need memory of their own, `by_value` the inputs of shape () that are numbers of the host; `offered` says what
    else the library of products does. The outputs in `into` (output -> input) may be made in the memory of an input."""

    def __init__(
        self,
        graph: Graph,
        own: Container[int] = (),
        by_value: Container[int] = (),
        geometry: Geometry = DEVICE,
        offered: Offered = lambda dtype: frozenset(),
        into: Mapping[int, int] = MappingProxyType({}),
    ):
        self.graph = graph
        prepared = sums_outside(prepare(graph, expansion), lambda inner: prepare(inner, expansion), ROOM_FOR_SUMS)
        prepared = last_updates(prepared)
        prepared = split_reductions(prepared, split.SIMULATED if geometry is SIMULATED else split.DEVICE)
        self.partition: Partition = with_epilogues(DevicePartitioner(prepared, native, own).run(), offered)
        self.inputs = self.partition.inputs
        self.by_value = {b for i, b in enumerate(self.inputs) if i in by_value}
        self.outputs = _made(self.partition.outputs)
        items = _together(pull(fuse(self.partition, side_by_side=True)), geometry)
        of_item = [set(touched(item)) for item in items]
        self.steps: list[Step] = []
        self.loops: dict[Launch, str] = {}  # what loop or branch a kernel is
        self.limits: list[Limit] = []  # of their turns
        self.driven: dict[Routine, str] = {}  # why a loop or branch is none
        for number, item in enumerate(items):
            if isinstance(item, Nest):
                outside = {*self.inputs, *self.outputs}.union(*of_item[:number], *of_item[number + 1 :])
                self.steps += launches(item, outside, geometry)
            elif isinstance(item, Routine) and item.node.op.kind in KERNELS:
                outside = {*self.inputs, *self.outputs}.union(*of_item[:number], *of_item[number + 1 :])
                self.steps.append(self._loop(item, outside, geometry))
            else:
                self.steps.append(item)
        wanted = {k: self.inputs[i] for k, i in into.items()}
        self.steps, outputs = in_place(beside(self.steps), self.partition.outputs, wanted, {*self.loops, *self.driven})
        self.partition, self.outputs = replace(self.partition, outputs=outputs), _made(outputs)
        self.kernels: dict[Launch, Kernel] = {s: write(s, geometry, self.by_value) for s in self.steps if isinstance(s, Launch)}
        self._place()

    def _loop(self, step: Routine, outside: set[Buffer], geometry: Geometry) -> Step:
        try:
            launch = loop_launch(step, outside, geometry, self.limits)
        except Driven as reason:
            self.driven[step] = str(reason)
            return step
        self.loops[launch] = step.node.op.name
        return launch

    def _place(self) -> None:
        alive: dict[Buffer, list[int]] = {}
        for time, step in enumerate(self.steps):
            for b in touched_by(step):
                if b.role == "temporary":
                    alive.setdefault(b, [time, time])[1] = time
        offsets, self.arena_bytes = plan(Interval(*span, b.type.nbytes) for b, span in alive.items())
        self.offsets: dict[Buffer, int] = dict(zip(alive, offsets))


def _made(outputs: list[Buffer | Literal]) -> list[Buffer]:
    """The arrays of their own among the outputs."""
    return list(dict.fromkeys(b for b in outputs if isinstance(b, Buffer) and b.role == "output"))


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


def touched_by(step: Step) -> list[Buffer]:
    """The stored buffers that a step reads or writes."""
    if isinstance(step, Launch):
        found = [b for s in step.stages() for b in (s.buffer, *(e.data[0] for e in reads(s)))]
        return [b for b in dict.fromkeys(found) if not step.storage[b].private]
    return touched(step)


__all__ = ["CudaPlan", "Step", "native", "touched_by"]
