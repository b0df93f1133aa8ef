"""Which loops of a kernel go across the threads of a group, and how many threads share a turn of them.

A turn is for one thread, for some lanes of a warp that share the loops inside of it, or for the whole group, one turn after the other.  So a product
of a matrix and a vector has a warp for each row of the matrix, which reads neighbouring numbers, but a thread where the matrix lies by columns.
"""

from __future__ import annotations

import math

from ..fuse import Loop, reads
from ..index import Counter
from ..kernel import Buffer
from ..steps import Stage
from .group import Group, Spread
from .schedule import SIMULATED, InOrder, collides, is_strided, stages, work

# Threads of a warp that read side by side get so many numbers at once; fewer cost as much. The time of a barrier with a sum over a block, in turns.
SECTOR, BARRIERS = 8, 20
FAR = 4  # how much longer it takes, at most


class Spreading(Group):
    """The decisions for a kernel in the making."""

    def _spread(self, loop: Loop) -> Spread | None:
        """How a loop goes across the threads of the group, with as many as can be of those in it without anything between them; None where every
        thread runs the loop."""
        if any_in_order([loop]):
            return None
        loops = [loop]
        while len(loops[-1].body) == 1 and isinstance(loops[-1].body[0], Loop):
            loops.append(loops[-1].body[0])
        if all(isinstance(item, Stage) for item in loops[-1].body) and (len(loops) == 1 or _all_or_none(loops)):
            return Spread(loops, 1)
        for count in range(len(loops), 0, -1):
            lanes = self._lanes(loops[:count])
            if lanes:
                return Spread(loops[:count], lanes)
        return None

    def _is_spread(self, loop: Loop) -> bool:
        """Whether a loop goes across the threads of the group with all that is inside."""
        found = self._spread(loop) if self.group > 1 else None
        return found is not None and all(isinstance(item, Stage) for item in found.loops[-1].body)

    def _lanes(self, loops: list[Loop]) -> int:
        """How many threads share a turn of loops around others, for the least time; 0 where the whole group does."""
        body = loops[-1].body
        if all(isinstance(item, Stage) for item in body) or not self._is_apart(loops):
            return 0
        group, warp = self.group, self.geometry.warp
        turns, inside = math.prod(x.counter.extent for x in loops), work(body)
        sums = sum(isinstance(item, Loop) for item in body)
        across = is_strided(loops[-1].counter, [item for item in body if isinstance(item, Loop)])  # neighbouring turns read neighbouring numbers

        def cost(lanes: int) -> int:
            together = warp // lanes if across else lanes
            steps = math.ceil(inside / lanes) + (lanes.bit_length() - 1) * sums
            return math.ceil(turns / (group // lanes)) * steps * min(FAR, max(1, SECTOR // together))

        best = min([n for n in _powers(min(warp, group // 2)) if self._is_even(turns, n)], key=cost)
        one_by_one = turns * (math.ceil(inside / group) + BARRIERS * sums) * (FAR if across else 1)
        return best if cost(best) <= one_by_one else 0

    def _is_even(self, turns: int, lanes: int) -> bool:
        """Whether the lanes of a warp all have as many turns, since they wait for one another; in the simulator all threads do."""
        together = self.geometry.warp if self.geometry is not SIMULATED else self.group
        return lanes == 1 or turns % (together // lanes) == 0

    def _sums_over(self, loops: list[Loop]) -> list[Stage]:
        """The stages that combine what all turns make into one number."""
        counters = {x.counter for x in loops}
        return [s for s in stages(loops[-1].body) if s.combine and not any(i.counters() & counters for i in s.target)]

    def _is_apart(self, loops: list[Loop]) -> bool:
        """Whether the turns of loops can be left to different threads: what is made in a turn is its own, or is summed over the turns."""
        inside, inner = set(stages(loops[-1].body)), counters_of(loops[-1].body)
        counters = {x.counter for x in loops}
        for s in inside:
            used = set().union(*(i.counters() for i in s.target))
            if counters <= used:
                if s.into and any(collides(s, c) for c in counters):
                    return False
            elif counters & used:
                return False
            elif s.combine and not s.into:
                if used & inner:
                    return False
            elif self.storage[s.buffer].kept or not self.storage[s.buffer].private or not self._all_inside(s.buffer, inside):
                return False
        return True

    def _all_inside(self, b: Buffer, inside: set[Stage]) -> bool:
        """Whether no other stage of the launch touches a buffer."""
        return all(s in inside or s.buffer is not b and all(e.data[0] is not b for e in reads(s)) for s in self.launch.stages())


def _powers(most: int) -> list[int]:
    """1, 2, 4, ... up to `most`."""
    return [1 << k for k in range(most.bit_length())]


def _all_or_none(loops: list[Loop]) -> bool:
    """Whether each stage in the innermost loop writes to another place in every turn, or to one in all."""
    for stage in loops[-1].body:
        used = [any(x.counter in i.counters() for i in stage.target) for x in loops]
        if stage.into or (any(used) and not all(used)):
            return False
    return True


def any_in_order(body: list[Loop | Stage]) -> bool:
    return any(isinstance(item, InOrder) or isinstance(item, Loop) and any_in_order(item.body) for item in body)


def counters_of(body: list[Loop | Stage]) -> set[Counter]:
    """Those of all loops in a block."""
    return {c for item in body if isinstance(item, Loop) for c in (item.counter, *counters_of(item.body))}


__all__ = ["Spreading", "any_in_order", "counters_of"]
