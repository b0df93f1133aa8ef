"""Loops that stay on the device: one whose turns are small, or whose rows are independent of one another, is one kernel.

Its turns are a loop of the kernel, and so are the loops, branches and products in its body (`turns.py`).  There are three forms:

    side by side   a scan without a state: its turns are those of the launch
    rows           every value of the body has an axis of N rows, and no row looks at another one: each row is a thread that keeps its state in
                   registers, or where it is longer a warp or block that keeps it in shared memory, and runs the whole loop
    block          one block runs the loop, and its threads wait for each other between the steps of a turn

A row or loop of much work is left to launches for each turn, which have all multiprocessors: see `TURN_WORK`.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from ...ops.while_loop import Limit
from .. import index as ix
from ..fuse import Loop, reads
from ..index import Counter, Index
from ..kernel import Buffer
from ..steps import Routine, Stage
from .bodies import Driven, Form, Item
from .control import Branches, Deciding, loops_in_order, whole_parts
from .rewrite import Rewriter
from .schedule import Geometry, InOrder, Launch, is_independent, launch_of, longest, stages, work
from .turns import KERNELS, items_of, side_by_side

# Estimated: a launch takes 5 us, and Python and the driver need one more for a turn. In 5 us the 256 threads of a block take some 2^14 turns of inner
# loops: each reads two numbers from a cache that answers in 30 (level 1) to 250 cycles (level 2), a few at once. So a turn of a loop that would be
# three launches stays in a block up to 65,536 multiplications: a cell of 180 x 180 with as many inputs, or of 128 x 128 with 2 examples.
TURN_WORK = 1 << 14
# So many threads are at work at once on a device; rows beyond have to wait.
RESIDENT = 1 << 17
# What one thread does in a turn of a row, written out: it takes as long to compile.
THREAD_WORK = 1 << 10
# What is the same for all rows is computed by each of them, up to so many elements.
MOST_SHARED = 1 << 10
# So many axes are tried as that of the rows: those that most of the results have.
MOST_TRIED = 3


def loop_launch(step: Routine, outside: set[Buffer], geometry: Geometry, limits: list[Limit]) -> Launch:
    """The kernel of a loop or branch. `outside` are the buffers that other steps read or make; to `limits` those of its loops are added.

    Raises Driven, which says why, where it must be driven from outside.
    """
    form, apart = Form(geometry.tape, limits), 0
    for rows, items in _forms(step, form):
        inside = _by_rows(items, rows, set(step.results))
        if inside is None:
            continue
        launch = _launch_of_rows(rows, inside, outside, geometry)
        if launch is not None:
            return launch
        apart = apart or rows.extent
    items = items_of(step, form)
    for loop in loops_in_order(items):
        if turn_work(loop) > TURN_WORK * (loop.steps + 1):
            each = f", {turn_work(loop) // apart} for each of {apart} rows" if apart else ""
            raise Driven(f"a turn is {turn_work(loop)} operations{each}, for which one block takes longer than its launches ({loop.steps}) would")
    return launch_of([], items, geometry.block, outside, geometry)


# -- how much is little
def turn_work(loop: InOrder) -> int:
    """How many turns of innermost loops a turn takes, without those of the loops in order inside, which are looked at by themselves."""
    if isinstance(loop, Branches):
        return max(map(_own_work, loop.parts), default=0)
    return _own_work(loop.body)


def _own_work(body: Sequence[Item]) -> int:
    total = 0
    for item in body:
        if isinstance(item, Branches):
            total += turn_work(item)
        elif isinstance(item, Stage):
            total += 1
        elif not isinstance(item, InOrder):
            total += item.counter.extent * _own_work(item.body)
    return total


# -- rows that do not look at one another
def _forms(step: Routine, form: Form) -> Iterator[tuple[Counter, list[Item]]]:
    """The loop with an axis in front that may be one of rows, or the turns themselves."""
    apart = side_by_side(step, form)
    if apart is not None:
        yield Counter(apart.counter.extent), [apart]
    scanned = 1 if step.node.op.kind == "scan" else 0
    carry = step.node.params.get("carry", 0)
    shapes = [r.shape[scanned:] if k >= carry else r.shape for k, r in enumerate(step.results)]
    common = Tally(n for shape in shapes for n in set(shape) if n > 1)
    for extent in sorted(common, key=lambda n: (common[n], n), reverse=True)[:MOST_TRIED]:
        rows = Counter(extent)
        try:
            yield rows, [_row_outside(item, rows) for item in items_of(step, form._replace(rows=rows))]
        except Driven:
            return  # what is said of the whole loop says why


def _row_outside(item: Item, rows: Counter) -> Item:
    """An item with the loop over rows outside of others, where one stage stands in them, as in copies of arrays whose first axis is another one."""
    if isinstance(item, InOrder):
        return replace(item, body=[_row_outside(inner, rows) for inner in item.body])
    counters, inside = [], [item]
    while len(inside) == 1 and isinstance(inside[0], Loop):
        counters.append(inside[0].counter)
        inside = inside[0].body
    if len(inside) > 1 or not isinstance(inside[0], Stage):
        return item
    row = next((c for c in counters if c.extent == rows.extent and ix.of(c) in inside[0].target), None)
    for c in reversed(sorted(counters, key=lambda c: c is not row)):
        inside = [Loop(c, inside)]
    return inside[0]


def _by_rows(items: Sequence[Item], rows: Counter, results: Collection[Buffer]) -> list[Item] | None:
    """What each of the rows does; None where they depend on one another. What is the same for all, each computes for itself."""
    flat = list(_flat(items))
    own = {item: ix.of(item.counter) for item in flat if isinstance(item, Loop) and item.counter.extent == rows.extent and is_independent(item)}
    shared = [item for item in flat if item not in own]
    given = {s.buffer for s in stages(shared)}.intersection(results)  # the first row gives them out, and none may read them
    is_read = any(e.data[0] in given for s in stages(flat) for e in reads(s))
    if not own or work(shared) > MOST_SHARED or is_read or not _aligned(flat, own):
        return None
    return _of_row(items, rows, own)


def _flat(items: Sequence[Item]) -> Iterator[Item]:
    """The items of a block, and those of the loops in order and branches in it."""
    for item in items:
        if isinstance(item, InOrder):
            yield from _flat(item.body)
        else:
            yield item


def _aligned(flat: Sequence[Item], own: Mapping[Item, Index]) -> bool:
    """Whether each row reads, of what is made here, its own part alone."""
    axis: dict[Buffer, int | None] = {}
    for item in flat:
        for s in stages([item]):
            at = next((d for d, i in enumerate(s.target) if i == own.get(item)), None)
            if (item in own and at is None) or axis.setdefault(s.buffer, at) != at:
                return False
    for item in flat:
        for s in stages([item]):
            for e in reads(s):
                at = axis.get(e.data[0])
                if at is not None and e.data[1][at] != own.get(item):
                    return False
    return True


def _of_row(items: Sequence[Item], row: Counter, own: Mapping[Item, Index]) -> list[Item]:
    """What a block does for one row."""
    found: list[Item] = []
    for item in items:
        if isinstance(item, Deciding):
            body, ends = whole_parts([_of_row(part, row, own) for part in item.parts])
            found.append(replace(item, body=body, ends=ends))
        elif isinstance(item, InOrder):
            found.append(replace(item, body=_of_row(item.body, row, own)))
        elif item in own:
            found += Rewriter({item.counter: ix.of(row)}).block(item.body)
        else:
            found.append(item)
    return found


def _launch_of_rows(row: Counter, inside: list[Item], outside: set[Buffer], geometry: Geometry) -> Launch | None:
    """The launch of a thread, warp or block for each row; None where that is not worth it."""
    length = longest(list(_flat(inside)))
    is_short = length <= geometry.short
    if row.extent >= geometry.rows and (is_short or _own_work(inside) + sum(map(turn_work, loops_in_order(inside))) <= THREAD_WORK):
        launch = launch_of([row], inside, 1, outside, geometry)
        moved = [b for b, how in launch.storage.items() if not how.private and b not in outside]  # that did not fit into registers
        if not moved or is_short and not _is_common(moved, launch):
            return launch
    for group in (geometry.warp, geometry.block):
        if is_short or group == geometry.warp and length > geometry.long:
            continue
        if all(_is_little(loop, row.extent, group, geometry) for loop in loops_in_order(inside)):
            launch = launch_of([row], inside, group, outside, geometry)
            if not _is_common([b for b, how in launch.storage.items() if not how.private and b not in outside], launch):
                return launch
    return None


def _is_common(moved: Collection[Buffer], launch: Launch) -> bool:
    """Whether several rows would work in the same place of one of the arrays."""
    return any(s.buffer in moved and not any(c in launch.counters for i in s.target for c in i.counters()) for s in launch.stages())


def _is_little(loop: InOrder, rows: int, group: int, geometry: Geometry) -> bool:
    """Whether a turn of a loop of all rows, each the work of a group, takes no longer than its launches would. What has no products does not, where
    there are rows enough for the whole device: the launches would do the same."""
    if rows * group >= RESIDENT // 4 and not any(s.node is not None and s.node.op.kind == "dot" for s in stages(loop.body)):
        return True
    waits = max(1.0, rows * group / RESIDENT)
    return turn_work(loop) * waits * geometry.block / group <= TURN_WORK * (loop.steps + 1)


__all__ = ["KERNELS", "Driven", "loop_launch"]
