"""How convolutions whose vectors run along channels are cut: blocks of some images, or of some rows of one image, and panels of outputs.

A block is what a strand computes at a time (strands.py); the grid of an image is its tiles (winograd.py) or its places (picture_products.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...config import config
from ...ir import ArrayType, Node
from . import register_tiles, shared_code, threads
from .counting import Count, Place, call, counted, where
from .emit import Function, Value
from .llvm import lanes as native_lanes
from .strands import ALIGNMENT, Memory

KINDS = {np.dtype(np.float64): "double", np.dtype(np.float32): "float"}
# Pictures of up to so many elements of each channel are moved as one line, others row by row.
ONE_LINE = 4096
# Multiplications from which threads are worth it: about 150 us.
PARALLEL = 4_000_000


def symbols() -> dict[str, int]:
    """The addresses of the pool's `parallel_for` and of the functions that all convolutions share."""
    return {"parallel_for": threads.parallel_for(), **shared_code.symbols()}


def has_routine(node: Node) -> bool:
    """Whether there is a kernel for the dtype."""
    return node.outputs[0].type.dtype in KINDS


def write_once(f: Function, node: Node, plan: Any, pointers: Sequence[Value]) -> Value:
    """Call the code of a node, which `plan.write(module, name)` writes once a module. Returns the status, always 0."""
    described = repr((node.op.name, [(a.type.shape, a.type.dtype.str) for a in node.inputs], sorted(node.params.items()), config.threads))
    name = f"{node.op.name}_{hashlib.sha256(described.encode()).hexdigest()[:12]}"
    if not any(g.name == name for g in f.module.functions):
        plan.write(f.module, name)
    call(f, name, pointers)
    return Count(f, 0).value


@dataclass(frozen=True)
class Picture:
    """Some rows of images of `sizes` with their channels last: `rows` by `columns` vectors, `low` of them in front of the image's first."""

    sizes: tuple[int, int]
    low: tuple[int, int]
    rows: int
    columns: int
    vector: int  # bytes from one position to the next

    @property
    def bytes(self) -> int:
        return self.rows * self.columns * self.vector

    def move(
        self, f: Function, function: str, picture: Place, plane: Place, pitch: int, channels: Count, start: Count, itemsize: int, back: bool = False
    ) -> None:  # fmt: skip
        """Call `function` (pictures.py) for the rows of the picture, whose first is row `start - low` of the image at `plane`; `back`: to the
        image."""
        height, width = self.sizes
        top, left = self.low
        first, last = max(0, -left), min(width, self.columns - left)
        begin, end = (start - top).larger(0), (start - top + self.rows).smaller(height)
        origin = picture + ((top - start) * self.columns + left) * self.vector  # where the image's first element would stand

        def line(place: Place, element: Count, positions: Count | int, table: Place) -> None:
            ends = (place, plane + element * itemsize) if back else (plane + element * itemsize, place)
            call(f, function, [*ends, pitch, table, channels, positions])

        def every() -> None:
            offsets = [(p // width * self.columns + p % width) * self.vector for p in range(whole)]
            place = origin + begin * (self.columns * self.vector)
            line(place, begin * width, (end - begin) * width, Place(f, f.module.table("i64", offsets)))

        def one(row: Count) -> None:
            offsets = [p * self.vector for p in range(last - first)]
            place = origin + (row * self.columns + first) * self.vector
            line(place, row * width + first, last - first, Place(f, f.module.table("i64", offsets)))

        whole = min(self.rows, height) * width
        if first == 0 and last == width and whole <= ONE_LINE:
            where(f, begin.compared("slt", end), every)
        elif first < last:
            counted(f, begin, end, 1, one)


class Blocks:
    """The sizes of a convolution of `x` (examples, channels, *positions), whose images have `grid` places each, and its work memory.

    `multiplications`: how many there are in all, which decides whether threads share the work.
    """

    def __init__(self, x: ArrayType, outputs: int, grid: tuple[int, int], multiplications: int):
        self.examples, self.channels, *sizes = x.shape
        self.sizes, self.outputs, self.grid = tuple(sizes), outputs, grid
        self.kind, self.size = KINDS[x.dtype], x.dtype.itemsize
        self.lanes = native_lanes(self.size)
        self.vector = self.lanes * self.size
        self.panel = register_tiles.VECTORS * self.lanes
        self.padded_channels = -(-self.channels // self.lanes) * self.lanes
        self.panels = -(-outputs // self.panel)
        self.strands = config.threads if multiplications >= PARALLEL else 1
        self.memory = Memory()
        self.memory.take(ALIGNMENT)  # the counter of items

    def cut(self, most: int) -> None:
        """Choose blocks of up to `most` places."""
        rows, columns = self.grid
        self.block_images = max(1, min(self.examples, most // (rows * columns)))
        self.block_rows = rows if rows * columns <= most else max(1, min(rows, most // columns))
        if self.block_images > 1:  # of equal length
            self.block_images = -(-self.examples // -(-self.examples // self.block_images))
        self.bands = -(-rows // self.block_rows)
        self.blocks = -(-self.examples // self.block_images) * self.bands
        height = register_tiles.rows()
        self.block_places = -(-self.block_images * self.block_rows * columns // height) * height

    def block(self, number: Count) -> tuple[Count, Count, Count, Count]:
        """Of a block: its first image, how many it has, its first row of places, how many it has."""
        image, row = number // self.bands * self.block_images, Count(number.f, 0) + number % self.bands * self.block_rows
        images = (self.examples - image).smaller(self.block_images)
        return image, images, row, (self.grid[0] - row).smaller(self.block_rows)

    def per_strand(self, size: int) -> tuple[int, int]:
        """Offset and size of memory that each strand has for itself."""
        size = -(-size // ALIGNMENT) * ALIGNMENT + ALIGNMENT  # one line more: strands of a power of two would share sets of the cache
        return self.memory.take(size * self.strands), size

    def between(self, places: int, width: int) -> int:
        """Bytes from one of several matrices to the next. Odd in lines of the cache, or equal elements of all of them would fall into one set."""
        return (-(-places * width * self.size // ALIGNMENT) | 1) * ALIGNMENT

    def groups_of(self, panel: Count) -> Count:
        """How many vectors of outputs a panel has; the last one may have fewer."""
        return ((self.outputs - panel * self.panel + (self.lanes - 1)) // self.lanes).smaller(register_tiles.VECTORS)


__all__ = ["KINDS", "PARALLEL", "Blocks", "Picture"]
