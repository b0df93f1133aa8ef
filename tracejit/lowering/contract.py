"""Which axes of a temporary need memory.

Inside a nest, a value that is written and read in the same turn of a shared loop does not need that loop's axis: a matrix becomes a row, a row a
scalar in a register.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import index as ix
from .fuse import Item, Loop, Nest, reads
from .index import Index
from .kernel import Buffer
from .steps import Stage


class Storage(NamedTuple):
    """How a nest keeps a value: in a `register`, or in memory with only the axes in `kept`."""

    kept: tuple[int, ...]
    register: bool = False
    private: bool = False  # nothing outside the nest touches it

    def shape(self, buffer: Buffer) -> tuple[int, ...]:
        return tuple(buffer.shape[d] for d in self.kept)

    def position(self, buffer: Buffer, index: tuple[Index, ...]) -> Index:
        """The position in memory of the element at an index."""
        return ix.flatten(tuple(index[d] for d in self.kept), self.shape(buffer))


def whole(buffer: Buffer) -> Storage:
    return Storage(tuple(range(len(buffer.shape))))


class Use(NamedTuple):
    """Where a stage, inside of the loops of `path`, reads or writes a buffer."""

    path: tuple[Loop, ...]
    index: tuple[Index, ...]
    stage: Stage
    writes: bool


def contract(nest: Nest, needed: set[Buffer], dropped: Callable[[Loop], bool] = lambda loop: True) -> dict[Buffer, Storage]:
    """The storage of every buffer that the nest touches; those in `needed` are read elsewhere and stay whole.

    Arrays lose the axes of loops that are `dropped`: not those whose turns run side by side, on memory of their own.
    """
    return {
        buffer: whole(buffer) if buffer in needed or not any(u.writes for u in found) else _storage(buffer, found, dropped)
        for buffer, found in uses(nest.body).items()
    }


def uses(body: list[Item]) -> dict[Buffer, list[Use]]:
    """The reads and writes of every buffer, in the order in which they stand."""
    found: dict[Buffer, list[Use]] = {}

    def visit(items: list[Item], path: tuple[Loop, ...]) -> None:
        for item in items:
            if isinstance(item, Loop):
                visit(item.body, (*path, item))
            else:
                for e in reads(item):
                    found.setdefault(e.data[0], []).append(Use(path, e.data[1], item, False))
                found.setdefault(item.buffer, []).append(Use(path, item.target, item, True))

    visit(body, ())
    return found


def _kept(buffer: Buffer, uses: list[Use], loops: tuple[Loop, ...]) -> tuple[int, ...]:
    """The axes that need memory where those of `loops` do not."""
    shared = {loop.counter for loop in loops}

    def is_handed_on(d: int) -> bool:
        index = uses[0].index[d]
        within = bool(index.terms) and not index.computed() and index.counters() <= shared
        return within and all(u.index[d] == index for u in uses)

    return tuple(d for d, n in enumerate(buffer.shape) if n != 1 and not is_handed_on(d))


def _storage(buffer: Buffer, uses: list[Use], dropped: Callable[[Loop], bool]) -> Storage:
    common = uses[0].path
    for use in uses[1:]:
        common = tuple(a for a, b in zip(common, use.path) if a is b)
    kept = _kept(buffer, uses, common)
    if kept:  # turns of an innermost loop run side by side, each with memory of its own
        is_innermost = bool(common) and all(isinstance(item, Stage) for item in common[-1].body)
        kept = _kept(buffer, uses, tuple(filter(dropped, common[:-1] if is_innermost else common)))
    writers = [u for u in uses if u.writes]
    # All writers stand in a block that every reader is in, so the value can be handed on; a reduction stands in loops further in.
    register = not kept and all(w.path == common and (w.stage.into or w.stage.combine is None) for w in writers)
    return Storage(kept, register, True)
