"""A small kernel that a later one reads joins that one.

Fusion takes stages in order and puts each with those whose values it reads.  A function of an input alone (a square root that several others read)
therefore starts a kernel, and so does another of a different input; what reads both can join only one.  Here the first moves behind into the second:
its values are then handed on in registers, and are not stored unless something else reads them.
"""

from __future__ import annotations

from dataclasses import replace

from .fuse import Item, Loop, Nest, reads, resolved
from .kernel import Buffer
from .steps import Stage

# Operations of a kernel that moves, at most: the other one may be as large as kernels get.
SMALL = 32


def pull(items: list[Item]) -> list[Item]:
    """The items with such kernels moved into the first that reads them."""
    left = list(items)
    for place in range(len(left)):
        item = left[place]  # with what has joined it so far
        if isinstance(item, Nest) and item.size <= SMALL:
            reader = _reader(left, place)
            joined = None if reader is None else _joined(item, left[reader])
            if joined is not None:
                left[place], left[reader] = None, joined
    return [item for item in left if item is not None]


def _reader(items: list[Item | None], place: int) -> int | None:
    """The first later item that reads what the nest at `place` makes; None where that is no nest, or what it reads is changed before."""
    own = items[place]
    made, needed = {s.buffer for s in own.stages()}, {e.data[0] for s in own.stages() for e in reads(s)}
    for later in range(place + 1, len(items)):
        item = items[later]
        if item is None:
            continue
        if not isinstance(item, Nest):  # a library's or a loop's: it may read anything, and write over it
            return None
        if any(e.data[0] in made for s in item.stages() for e in reads(s)):
            return later
        if any(s.buffer in needed for s in item.stages()):
            return None
    return None


def _joined(first: Nest, second: Nest) -> Nest | None:
    """Both as one nest, where they run over the same loops and every element is read in the turn that makes it."""
    own, other = _chain(first), _chain(second)
    if own is None or other is None or [c.extent for c in own] != [c.extent for c in other]:
        return None
    moved = [resolved(s, dict(zip(own, other))) for s in first.stages()]
    targets: dict[Buffer, tuple] = {s.buffer: s.target for s in moved}
    if any(e.data[1] != targets.get(e.data[0], e.data[1]) for s in second.stages() for e in reads(s)):
        return None

    def with_moved(body: list[Loop | Stage]) -> list[Loop | Stage]:
        return [replace(body[0], body=with_moved(body[0].body))] if isinstance(body[0], Loop) else [*moved, *body]

    return replace(second, body=with_moved(second.body), size=first.size + second.size)


def _chain(nest: Nest) -> list | None:
    """The counters of a nest of loops each of which holds one other, the innermost stages alone that neither combine nor change an array."""
    counters, body = [], nest.body
    while len(body) == 1 and isinstance(body[0], Loop):
        counters.append(body[0].counter)
        body = body[0].body
    plain = all(isinstance(s, Stage) and not s.combine and not s.into for s in body)
    return counters if counters and plain else None


__all__ = ["pull"]
