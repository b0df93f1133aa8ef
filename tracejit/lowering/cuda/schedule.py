"""Nests as launches: which loops run side by side on a GPU, and how many threads share one turn of them.

A nest is cut at its top: each loop whose turns are independent becomes a launch, its outermost independent loops being numbered through; what is left
between them is a launch of one block.  A turn belongs to a group of threads:

    thread   elementwise work, and short or strided inner loops: neighbouring threads read neighbouring memory
    warp     rows of up to about a thousand elements: inner loops go across the lanes, sums by shuffles
    block    longer rows, and what has no independent loop: sums by shuffles and shared memory
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ...config import config
from .. import index as ix
from ..contract import Storage, contract
from ..fuse import Loop, Nest, reads
from ..index import Counter
from ..kernel import Buffer, load, loads
from ..steps import Stage
from .device_functions import SIMULATED_WARP, WARP, has_atomic

SHARED_BYTES = 32 << 10  # that a block may take, so that several fit on a multiprocessor
# A thread of its own keeps arrays of up to so many numbers in registers, and writes loops of up to so many turns out.
REGISTERS, WRITTEN_OUT = 16, 8


class Geometry(NamedTuple):
    """Sizes of groups. A group of one thread takes inner loops of up to `short` turns, a warp those of up to `long`; nests of up to `small` turns
    are one block, a thread computes up to `unrolled` elements at once, and a loop over time of `rows` rows or more goes row by row. Arrays of `large`
    or more elements are transposed by tiles of `tile` lines. Fewer than `enough` threads do not share a nest in which each has `much` to do.
    A loop that is run back keeps what `tape` turns leave, and as many states."""

    warp: int
    block: int
    short: int
    long: int
    small: int
    unrolled: int
    rows: int
    tile: int
    large: int
    enough: int
    much: int
    tape: int


DEVICE = Geometry(WARP, 256, WARP // 2, 1024, 2048, 4, 64, 32, 1 << 16, 1 << 15, 1 << 12, 1 << 10)
# Every kind of group with few threads, each of which is a thread of the interpreter.
SIMULATED = Geometry(SIMULATED_WARP, 2 * SIMULATED_WARP, 3, 12, 16, 2, 6, 4, 48, 16, 48, 4)


@dataclass(eq=False)
class InOrder(Loop):
    """A loop whose turns depend on one another. Driven from outside, a turn of it takes `steps` launches."""

    steps: int = 1


@dataclass(eq=False)
class Launch:
    """One kernel. For all turns of the `outer` loops, numbered through, a group of `group` threads runs `body`; blocks have `block` threads.

    Private arrays are in shared memory, but for those in `registers`, of which each thread has its own.  A launch of `sections` has no outer loops:
    its turns are theirs, one section after the other.
    """

    outer: list[Counter]
    body: list[Loop | Stage]
    group: int
    block: int
    storage: dict[Buffer, Storage] = field(default_factory=dict)
    registers: frozenset[Buffer] = frozenset()
    sections: tuple[Launch, ...] = ()

    @property
    def turns(self) -> int:
        return sum(s.turns for s in self.sections) if self.sections else math.prod(c.extent for c in self.outer)

    @property
    def counters(self) -> set[Counter]:
        """Those of the outer loops."""
        return set(self.outer).union(*(s.outer for s in self.sections))

    def stages(self) -> Iterable[Stage]:
        return stages(self.body)


def stages(body: list[Loop | Stage]) -> Iterable[Stage]:
    for item in body:
        if isinstance(item, Stage):
            yield item
        else:
            yield from stages(item.body)


def launches(nest: Nest, needed: set[Buffer], geometry: Geometry) -> list[Launch]:
    """The kernels of a nest, in order. `needed` are the buffers that something outside of it reads or makes."""
    from .transposes import tiled  # which makes launches too

    parts = [nest.body] if work(nest.body) <= geometry.small else _spread(_cut(nest.body), geometry)
    touched = [{b for s in stages(part) for b in (s.buffer, *(e.data[0] for e in reads(s)))} for part in parts]
    result = []
    for number, part in enumerate(parts):
        outside = needed.union(*touched[:number], *touched[number + 1 :])
        launch = _launch(part, outside, geometry, whole=len(parts) == 1 and work(nest.body) <= geometry.small)
        result += tiled(launch, outside, geometry)
    return result


def work(body: list[Loop | Stage]) -> int:
    """How many turns the stages of a block take in all."""
    return sum(1 if isinstance(item, Stage) else item.counter.extent * work(item.body) for item in body)


def longest(body: list[Loop | Stage]) -> int:
    """How many turns the longest nest of loops in a block takes; 1 without a loop."""
    return max((1 if isinstance(item, Stage) else item.counter.extent * longest(item.body) for item in body), default=1)


def _cut(body: list[Loop | Stage]) -> list[list[Loop | Stage]]:
    """Independent loops alone, and what stands between them together."""
    parts: list[list[Loop | Stage]] = []
    rest: list[Loop | Stage] = []
    for item in body:
        if isinstance(item, Loop) and is_independent(item):
            if rest:
                parts.append(rest)
                rest = []
            parts.append([item])
        else:
            rest.append(item)
    return [*parts, rest] if rest else parts


def _spread(parts: list[list[Loop | Stage]], geometry: Geometry) -> list[list[Loop | Stage]]:
    """The parts with loops of few turns around much work cut into a loop for each step of the work, whose own loops can then run side by side."""
    result: list[list[Loop | Stage]] = []
    for part in parts:
        outer, body = _peeled(part)
        turns = math.prod(c.extent for c in outer)
        is_busy = not outer or turns * _group(outer, body, geometry) >= geometry.enough or work(body) < geometry.much
        steps = [] if is_busy else _steps(body)
        if len(steps) < 2:
            result.append(part)
            continue
        for step in steps:
            for c in reversed(outer):
                step = [Loop(c, step)]
            result += _spread([step], geometry)
    return result


def _steps(body: list[Loop | Stage]) -> list[list[Loop | Stage]]:
    """The loops of a block, each with the stages in front of it: what it starts from, if it is a reduction."""
    steps: list[list[Loop | Stage]] = [[]]
    for item in body:
        steps[-1].append(item)
        if isinstance(item, Loop):
            steps.append([])
    return [s for s in steps if s]


def _peeled(part: list[Loop | Stage]) -> tuple[list[Counter], list[Loop | Stage]]:
    """The independent loops that a part begins with, and what is inside of them."""
    outer: list[Counter] = []
    while len(part) == 1 and isinstance(part[0], Loop) and is_independent(part[0]):
        outer.append(part[0].counter)
        part = part[0].body
    return outer, part


def is_independent(loop: Loop) -> bool:
    """Whether the turns of a loop write to different places, or into sums that may be added to in any order."""
    return all(_writes_apart(s, loop.counter) for s in stages(loop.body))


def _writes_apart(stage: Stage, counter: Counter) -> bool:
    if not any(counter in i.counters() for i in stage.target):
        return False
    if not stage.into:
        return True
    if any(e.data[0] is stage.buffer and e.data[1] != stage.target for e in loads(stage.expression)):
        return False  # one turn reads what another one changes
    return not collides(stage, counter) or is_atomic(stage)


def collides(stage: Stage, counter: Counter) -> bool:
    """Whether two turns may write to one place: where the counter chooses a position that the program computes."""
    return any(counter in c.expression.counters for i in stage.target for c in i.computed())


def is_atomic(stage: Stage) -> bool:
    """Whether the stage may combine into memory from several threads at once. Sums of floats then depend on who comes first: not where
    `config.cuda_deterministic` is set."""
    dtype = stage.buffer.type.dtype
    if config.cuda_deterministic and dtype.kind in "fc" and stage.combine in ("add", "multiply"):
        return False
    if dtype.kind == "c":
        return stage.combine == "add"
    name = {"add": "add", "multiply": "mul", "maximum": "max", "minimum": "min"}.get(stage.combine or "")
    return name is not None and has_atomic(dtype, name) and not (dtype.kind == "u" and name in ("max", "min"))


def _launch(part: list[Loop | Stage], outside: set[Buffer], geometry: Geometry, whole: bool) -> Launch:
    outer, body = ([], part) if whole else _peeled(part)
    return launch_of(outer, body, _group(outer, body, geometry), outside, geometry)


def launch_of(outer: list[Counter], body: list[Loop | Stage], group: int, outside: set[Buffer], geometry: Geometry) -> Launch:
    """The launch of a group for all turns of the outer loops, with a place for all that it makes; `outside` are the buffers that stay whole."""
    threads = geometry.block
    if group == geometry.warp and geometry is SIMULATED:
        threads = group  # the simulator's shuffles take the whole block, whose warps may have different numbers of turns
    nested = body
    for c in reversed(outer):
        nested = [Loop(c, nested)]
    nest = Nest(nested)

    def one_by_one(loop: Loop) -> bool:
        """Whether its turns follow one another; those of other loops may be shared out to the threads of a group."""
        return group == 1 or isinstance(loop, InOrder) or loop.counter in outer

    storage = contract(nest, outside, one_by_one)
    registers = _registers(body, storage) if group == 1 else frozenset()
    too_large = _beyond_shared(storage, group, threads // group) - registers
    if too_large:
        storage = contract(nest, outside | too_large, one_by_one)
    return Launch(outer, body, group, threads, storage, registers)


# Launches of fewer turns than this run beside others, up to so many in one.
MANY_TURNS, SECTIONS = 1 << 18, 16


def beside(steps: list) -> list:
    """The steps with launches by single threads that follow one another, and do not depend on one another, in one: the updates of all parameters in a
    training step, say."""
    result: list = []
    open_: list[Launch] = []

    def close() -> None:
        result.extend([_side_by_side(open_)] if len(open_) > 1 else open_)
        open_.clear()

    for step in steps:
        if not (isinstance(step, Launch) and step.group == 1 and step.outer and step.turns < MANY_TURNS):
            close()
            result.append(step)
            continue
        if len(open_) == SECTIONS or any(_depend(step, other) for other in open_):
            close()
        open_.append(step)
    close()
    return result


def _depend(a: Launch, b: Launch) -> bool:
    made_a, made_b = ({s.buffer for s in x.stages() if not x.storage[s.buffer].private} for x in (a, b))
    return bool(made_a & b.storage.keys() or made_b & a.storage.keys())


def _side_by_side(launches: list[Launch]) -> Launch:
    storage = {b: how for x in launches for b, how in x.storage.items()}
    registers = frozenset().union(*(x.registers for x in launches))
    return Launch([], [item for x in launches for item in x.body], 1, launches[0].block, storage, registers, tuple(launches))


def _registers(body: list[Loop | Stage], storage: dict[Buffer, Storage]) -> frozenset[Buffer]:
    """The private arrays of a thread whose elements are each read and written at known places once short loops are written out."""
    found = {b for b, s in storage.items() if s.private and s.kept and math.prod(s.shape(b)) <= REGISTERS}
    written_out = _written_out(body)
    for s in stages(body):
        for e in [*reads(s), load(s.buffer, s.target)]:
            b, at = e.data
            if b in found and not all(not at[d].computed() and at[d].counters() <= written_out for d in storage[b].kept):
                found.discard(b)
    return frozenset(found)


def _written_out(body: list[Loop | Stage]) -> set[Counter]:
    """The counters of loops that a thread writes out."""
    found: set[Counter] = set()
    for item in body:
        if isinstance(item, Loop):
            found |= _written_out(item.body)
            if not isinstance(item, InOrder) and item.counter.extent <= WRITTEN_OUT:
                found.add(item.counter)
    return found


def _group(outer: list[Counter], body: list[Loop | Stage], geometry: Geometry) -> int:
    if not outer:
        return geometry.block
    inner = [item for item in body if isinstance(item, Loop)]
    length = longest(body)
    if length <= geometry.short or is_strided(outer[-1], inner):
        return 1
    return geometry.warp if length <= geometry.long else geometry.block


def is_strided(last: Counter, inner: list[Loop]) -> bool:
    """Whether neighbouring turns of the outer loop read neighbouring memory, and those of the inner loops do not."""
    score = 0
    for loop, stage in _innermost(inner):
        for e in [*reads(stage), load(stage.buffer, stage.target)]:
            position = ix.flatten(e.data[1], e.data[0].shape)
            score += (position.coefficient(last) == 1) - (position.coefficient(loop.counter) == 1)
    return score > 0


def _innermost(loops: Iterable[Loop | Stage]) -> Iterable[tuple[Loop, Stage]]:
    for loop in loops:
        if isinstance(loop, Loop):
            for item in loop.body:
                if isinstance(item, Stage):
                    yield loop, item
            yield from _innermost(loop.body)


def _beyond_shared(storage: dict[Buffer, Storage], group: int, groups: int) -> set[Buffer]:
    """The private arrays that do not fit into shared memory, the largest of them: they stay whole, in device memory."""
    private = {b: groups * math.prod(s.shape(b)) * b.type.dtype.itemsize for b, s in storage.items() if s.private and s.kept}
    if group == 1:
        return set(private)
    found: set[Buffer] = set()
    total = sum(private.values())
    for b in sorted(private, key=lambda b: private[b], reverse=True):
        if total <= SHARED_BYTES:
            break
        found.add(b)
        total -= private[b]
    return found
