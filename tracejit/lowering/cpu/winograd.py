"""Winograd's convolutions (ops/winograd.py) in native code.

Vectors run along channels.  Images become pictures with zeros around (pictures.py), so that tiles are vectors that lie ready; each tile is
transformed in registers and its (m + 2)^2 places go to as many matrices, which are multiplied by tiles in registers (register_tiles.py).  What lies
between the transforms and the products stays in the second or third cache: blocks of tiles pass through all steps before the next block begins.

Two schedules.  With many tiles the weights are transformed first, and each block of tiles meets all of them; with few (deep layers, small pictures)
all tiles are transformed first, and each panel of weights meets all of them, so that the transformed weights, which can be larger than every cache,
are never stored whole.  The derivative by the weights sums over blocks of tiles; with several blocks the sums stay in memory between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...ir import ArrayType, Node
from ...ops.winograd import matrices
from . import linear_maps, pictures, register_tiles
from .counting import Count, Place, call, counted, where
from .emit import Emitter, Function, Module, Value
from .image_blocks import Blocks, Picture, write_once
from .image_blocks import has_routine as has_routine
from .image_blocks import symbols as symbols
from .shared_code import shared
from .strands import Phase, clear, table_of

# Transformed tiles of one block: what is left of the second cache beside the weights. At least and at most so many tiles.
BLOCK_BYTES, FEWEST, MOST = 768 * 1024, 32, 96
# The same for the derivative by the weights, whose blocks are shared by all threads.
SUM_BYTES, SUM_FEWEST = 4 << 20, 128
# Channels of one part of the derivative by the weights, and channels whose weights are transformed at a time.
PART, WEIGHTS = 64, 32


def work(node: Node) -> list[ArrayType]:
    """Room for what is transformed."""
    return [ArrayType((_plan(node).memory.bytes,), np.dtype(np.uint8))]


def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
    """Call the code of the node, written once a module. Returns the status, always 0."""
    return write_once(f, node, _plan(node), [*operands, *results])


def _plan(node: Node) -> _Product | _Outer:
    x, other = (a.type.strong for a in node.inputs)
    make = _Product if node.op.name == "winograd_product" else _Outer
    return make(x, other, **node.params)


class _Tiles(Blocks):
    """What the product and the derivative by the weights have in common: the places of a block are tiles."""

    def __init__(self, x: ArrayType, outputs: int, out: tuple[int, int], low: tuple[int, int], tile: int):
        grid, self.places = tuple(-(-q // tile) for q in out), (tile + 2) ** 2
        super().__init__(x, outputs, grid, x.shape[0] * math.prod(grid) * self.places * x.shape[1] * outputs)
        self.out, self.low, self.tile, self.length = out, low, tile, tile + 2

    def window_picture(self) -> Picture:
        rows, columns = self.block_rows * self.tile + 2, self.grid[1] * self.tile + 2
        return Picture(self.sizes, self.low, rows, columns, self.vector)

    def result_picture(self) -> Picture:
        return Picture(self.out, (0, 0), self.block_rows * self.tile, self.grid[1] * self.tile, self.vector)

    # -- pieces of phases
    def each_tile(self, f: Function, rows: Count, body) -> None:
        """`body(row, column, number)` for the tiles of one image in a block."""
        columns = self.grid[1]
        counted(f, 0, rows, 1, lambda i: counted(f, 0, columns, 1, lambda j: body(i, j, i * columns + j)))

    def into_tiles(
        self, f: Function, source: Place, picture: Picture, scratch: Place, group: Count, total: int, image: Count, start: Count, rows: Count,
        transform: str, target: Place, step: int, place_bytes: int,
    ) -> None:  # fmt: skip
        """Transform the tiles of one image's `group` of channels (of `total`) to `target`, `step` bytes from tile to tile."""
        plane = math.prod(picture.sizes) * self.size
        move = pictures.into_picture(f.module, self.kind, self.size, self.lanes)
        at = source + (image * total + group * self.lanes) * plane
        picture.move(f, move, scratch, at, plane, total - group * self.lanes, start * self.tile, self.size)
        row_bytes = picture.columns * self.vector

        def tile(i: Count, j: Count, number: Count) -> None:
            corner = scratch + (i * row_bytes + j * self.vector) * self.tile
            call(f, transform, [corner, row_bytes, self.vector, target + number * step, place_bytes * self.length, place_bytes])

        self.each_tile(f, rows, tile)

    def transform(self, module: Module, name: str, matrix: np.ndarray) -> str:
        return _transform(module, f"winograd{self.tile}_{name}_{self.kind}{self.lanes}", self.kind, self.size, self.lanes, matrix)


class _Product(_Tiles):
    """`winograd_product(x, w, ...)`."""

    def __init__(self, x: ArrayType, w: ArrayType, low, out, tile: int, turned: bool):
        super().__init__(x, w.shape[1 if turned else 0], out, low, tile)
        self.turned = turned
        tiles = math.prod(self.grid) * self.examples
        self.few = tiles <= min(self.outputs, 8 * MOST) and self.panels >= self.strands
        per_tile = self.places * self.padded_channels * self.size
        most = min(MOST, max(FEWEST, BLOCK_BYTES // per_tile))
        # Every strand gets two blocks or more, where there are so many tiles.
        self.cut(tiles if self.few else max(register_tiles.rows(), min(most, -(-tiles // (2 * self.strands) if self.strands > 1 else tiles))))
        self.weights_between = self.between(self.channels, self.panel)
        self.tiles_between = self.between(self.block_places, self.padded_channels)
        self.sums_between = self.between(self.block_places, self.panel)
        weights, tiles = self.places * self.weights_between, self.places * self.tiles_between
        if self.few:
            self.tiles_at, self.weights_at = (self.memory.take(tiles), 0), self.per_strand(weights)
        else:
            self.tiles_at, self.weights_at = self.per_strand(tiles), (self.memory.take(weights * self.panels), 0)
        self.sums_at = self.per_strand(self.places * self.sums_between)
        self.window_at, self.result_at = self.per_strand(self.window_picture().bytes), self.per_strand(self.result_picture().bytes)

    def write(self, module: Module, name: str) -> None:
        """The function `void name(x, w, y, work)`."""
        b, g, a = matrices(self.tile)
        self.to_tiles, self.to_weights, self.to_results = (
            self.transform(module, *m) for m in (("tiles", b), ("weights", g), ("results", a))
        )
        self.multiply = register_tiles.product(module, self.kind, self.size, self.lanes)
        if self.few:
            first = Phase(module, f"{name}_tiles", self.examples * self.padded_channels // self.lanes, 4, self._tiles_of_an_image)
            second = Phase(module, f"{name}_panels", self.panels, 4, self._panel_of_weights)
        else:
            self.pieces = -(-self.channels // WEIGHTS)
            first = Phase(module, f"{name}_weights", self.panels * self.pieces, 4, self._some_weights)
            second = Phase(module, f"{name}_blocks", self.blocks, 4, self._block_of_tiles)
        f = Function(module, name, [("ptr", "x"), ("ptr", "w"), ("ptr", "y"), ("ptr", "work")], linkage="internal")
        f.never_inline()
        table = table_of(f, [Place(f, f.parameter(p)) for p in ("x", "w", "y", "work")])
        for phase in (first, second):
            phase.run(f, table, self.strands)
        f.ret()

    # -- the weights first, then blocks of tiles
    def _some_weights(self, phase: Phase, item: Count) -> None:
        panel, first = item // self.pieces, Count(phase.f, 0) + item % self.pieces * WEIGHTS
        target = self._at(phase, self.weights_at) + panel * (self.places * self.weights_between)
        self._weights(phase, panel, first, (first + WEIGHTS).smaller(self.channels), target)

    def _block_of_tiles(self, phase: Phase, item: Count) -> None:
        f = phase.f
        image, images, row, rows = self.block(item)
        tiles, window = self._at(phase, self.tiles_at), self._at(phase, self.window_at)
        clear(f, window, self.window_picture().bytes)

        def group(g: Count) -> None:
            counted(f, 0, images, 1, lambda i: self._tiles(phase, image + i, g, row, rows, window, tiles + i * self._image_bytes(rows)))

        counted(f, 0, self.padded_channels // self.lanes, 1, group)
        weights = self._at(phase, self.weights_at)
        counted(
            f, 0, self.panels, 1,
            lambda p: self._results(phase, p, tiles, weights + p * (self.places * self.weights_between), image, images, row, rows),
        )  # fmt: skip

    # -- the tiles first, then panels of weights
    def _tiles_of_an_image(self, phase: Phase, item: Count) -> None:
        f = phase.f
        groups = self.padded_channels // self.lanes
        image, group = item // groups, Count(f, 0) + item % groups
        window, rows = self._at(phase, self.window_at), Count(f, self.grid[0])
        clear(f, window, self.window_picture().bytes)
        target = self._at(phase, self.tiles_at) + image * self._image_bytes(rows)
        self._tiles(phase, image, group, Count(f, 0), rows, window, target)

    def _panel_of_weights(self, phase: Phase, item: Count) -> None:
        f = phase.f
        weights = self._at(phase, self.weights_at)
        self._weights(phase, item, Count(f, 0), Count(f, self.channels), weights)
        whole = (Count(f, n) for n in (0, self.examples, 0, self.grid[0]))
        self._results(phase, item, self._at(phase, self.tiles_at), weights, *whole)

    # -- steps
    def _at(self, phase: Phase, memory: tuple[int, int]) -> Place:
        offset, size = memory
        return phase.pointer[3] + offset + (phase.strand * size if size else 0)

    def _image_bytes(self, rows: Count) -> Count:
        """Bytes of one image's transformed tiles, for one place."""
        return rows * (self.grid[1] * self.padded_channels * self.size)

    def _tiles(self, phase: Phase, image: Count, group: Count, row: Count, rows: Count, scratch: Place, target: Place) -> None:
        step = self.padded_channels * self.size
        self.into_tiles(
            phase.f, phase.pointer[0], self.window_picture(), scratch, group, self.channels, image, row, rows, self.to_tiles,
            target + group * self.vector, step, self.tiles_between,
        )  # fmt: skip

    def _weights(self, phase: Phase, panel: Count, first: Count, last: Count, target: Place) -> None:
        """Transform the weights of a panel's outputs for some channels."""
        f = phase.f
        move = pictures.into_picture(f.module, self.kind, self.size, self.lanes)
        taps = Place(f, f.alloca("i8", 9 * self.vector))
        order = range(8, -1, -1) if self.turned else range(9)
        table = f.module.table("i64", [k * self.vector for k in order])
        pitch, step = (9, 9 * self.outputs) if self.turned else (9 * self.channels, 9)

        def some(q: Count) -> None:
            output = panel * self.panel + q * self.lanes
            # Where there are no outputs left nothing is read, and the weights are zeros.
            source = phase.pointer[1] + output * (pitch * self.size)

            def channel(c: Count) -> None:
                call(f, move, [source + c * (step * self.size), taps, pitch * self.size, table, self.outputs - output, 9])
                at = target + c * (self.panel * self.size) + q * self.vector
                call(f, self.to_weights, [taps, 3 * self.vector, self.vector, at, self.weights_between * self.length, self.weights_between])

            counted(f, first, last, 1, channel)

        counted(f, 0, register_tiles.VECTORS, 1, some)

    def _results(
        self, phase: Phase, panel: Count, tiles: Place, weights: Place, image: Count, images: Count, row: Count, rows: Count
    ) -> None:
        """Multiply the tiles of a block by a panel of weights, and transform back."""
        f, module = phase.f, phase.f.module
        sums, scratch = self._at(phase, self.sums_at), self._at(phase, self.result_at)
        height, step = register_tiles.rows(), self.padded_channels * self.size
        lines = module.table("i64", [t * step for t in range(self.block_places)])
        zero = module.table("i64", [0])
        count = (images * rows * self.grid[1] + (height - 1)) // height

        def product(k: Count) -> None:
            a, b, m = tiles + k * self.tiles_between, weights + k * self.weights_between, sums + k * self.sums_between
            width = self.panel * self.size
            call(f, self.multiply, [a, lines, count, zero, 1, self.channels, self.size, b, width, m, width, _true(f)])

        counted(f, 0, self.places, 1, product)
        picture = self.result_picture()
        plane, row_bytes = math.prod(self.out) * self.size, picture.columns * self.vector
        move = pictures.from_picture(module, self.kind, self.size, self.lanes)

        def group(q: Count) -> None:
            output = panel * self.panel + q * self.lanes

            def one(i: Count) -> None:
                def tile(r: Count, c: Count, number: Count) -> None:
                    source = sums + ((i * rows * self.grid[1] + number) * self.panel + q * self.lanes) * self.size
                    corner = scratch + (r * row_bytes + c * self.vector) * self.tile
                    call(f, self.to_results, [source, self.sums_between * self.length, self.sums_between, corner, row_bytes, self.vector])

                self.each_tile(f, rows, tile)
                at = phase.pointer[2] + ((image + i) * self.outputs + output) * plane
                picture.move(f, move, scratch, at, plane, self.outputs - output, row * self.tile, self.size, back=True)

            counted(f, 0, images, 1, one)

        counted(f, 0, self.groups_of(panel), 1, group)


class _Outer(_Tiles):
    """`winograd_outer(x, y, ...)`."""

    def __init__(self, x: ArrayType, y: ArrayType, low, tile: int):
        super().__init__(x, y.shape[1], tuple(y.shape[2:]), low, tile)
        self.padded_outputs = self.panels * self.panel
        per_tile = self.places * (self.padded_channels + self.padded_outputs) * self.size
        self.cut(max(SUM_FEWEST, SUM_BYTES // per_tile))
        self.tiles_between = self.between(self.block_places, self.padded_channels)
        self.factors_between = self.between(self.block_places, self.padded_outputs)
        self.sums_between = self.between(PART, self.panel)
        self.parts = -(-self.channels // PART)
        self.tiles_at = self.memory.take(self.places * self.tiles_between)
        self.factors_at = self.memory.take(self.places * self.factors_between)
        sums = self.places * self.sums_between
        self.sums_at = self.per_strand(sums) if self.blocks == 1 else (self.memory.take(sums * self.panels * self.parts), 0)
        self.window_at, self.result_at = self.per_strand(self.window_picture().bytes), self.per_strand(self.result_picture().bytes)

    def write(self, module: Module, name: str) -> None:
        """The function `void name(x, y, w, work)`."""
        b, g, a = matrices(self.tile)
        self.to_tiles, self.to_factors, self.to_weights = (
            self.transform(module, *m) for m in (("tiles", b), ("factors", a.T), ("taps", g.T))
        )
        self.multiply = register_tiles.product(module, self.kind, self.size, self.lanes)
        self.groups = (self.padded_channels + self.padded_outputs) // self.lanes
        # The last but one pointer is the number of the block.
        first = Phase(module, f"{name}_tiles", self.groups * self.block_images, 5, self._tiles_of_an_image)
        second = Phase(module, f"{name}_sums", self.panels * self.parts, 5, self._sums)
        f = Function(module, name, [("ptr", "x"), ("ptr", "y"), ("ptr", "w"), ("ptr", "work")], linkage="internal")
        f.never_inline()
        x, y, w, memory = (Place(f, f.parameter(p)) for p in ("x", "y", "w", "work"))
        table = table_of(f, [x, y, w, Count(f, 0), memory])

        def block(number: Count) -> None:
            Emitter(f, 1).store(number.value, (table + 24).value, 8)
            first.run(f, table, self.strands)
            second.run(f, table, self.strands)

        counted(f, 0, self.blocks, 1, block)
        f.ret()

    def _block_of(self, phase: Phase) -> tuple[Count, tuple[Count, Count, Count, Count]]:
        number = (Place(phase.f, phase.f.parameter("table")) + 24).number()
        return number, self.block(number)

    def _tiles_of_an_image(self, phase: Phase, item: Count) -> None:
        f = phase.f
        _, (image, images, row, rows) = self._block_of(phase)
        i, group = item // self.groups, Count(f, 0) + item % self.groups
        own = self.padded_channels // self.lanes

        def transform(
            source: int, group: Count, total: int, picture: Picture, scratch: tuple[int, int], how: str, at: int, width: int, between: int
        ) -> None:  # fmt: skip
            offset, size = scratch
            room = phase.pointer[4] + offset + phase.strand * size
            clear(f, room, picture.bytes)
            step = width * self.size
            target = phase.pointer[4] + at + group * self.vector + i * rows * (self.grid[1] * step)
            self.into_tiles(f, phase.pointer[source], picture, room, group, total, image + i, row, rows, how, target, step, between)

        def of_x() -> None:
            transform(
                0, group, self.channels, self.window_picture(), self.window_at, self.to_tiles, self.tiles_at, self.padded_channels, self.tiles_between
            )

        def of_y() -> None:
            transform(
                1, group - own, self.outputs, self.result_picture(), self.result_at, self.to_factors, self.factors_at, self.padded_outputs,
                self.factors_between,
            )  # fmt: skip

        def present() -> None:
            where(f, group.compared("slt", own), of_x)
            where(f, group.compared("sge", own), of_y)

        where(f, i.compared("slt", images), present)

    def _sums(self, phase: Phase, item: Count) -> None:
        f, module = phase.f, phase.f.module
        number, (_, images, _, rows) = self._block_of(phase)
        panel, channel = item // self.parts, Count(f, 0) + item % self.parts * PART
        height = register_tiles.rows()
        size, width = self.size, self.panel * self.size
        offset, own = self.sums_at
        sums = phase.pointer[4] + offset + (phase.strand * own if own else item * (self.places * self.sums_between))
        channels = (self.channels - channel).smaller(PART)
        lines, zero = module.table("i64", [c * size for c in range(PART)]), module.table("i64", [0])
        first = number.compared("eq", 0)
        length = images * rows * self.grid[1]

        def product(k: Count) -> None:
            a = phase.pointer[4] + self.tiles_at + k * self.tiles_between + channel * size
            b = phase.pointer[4] + self.factors_at + k * self.factors_between + panel * width
            arguments = [a, lines, (channels + (height - 1)) // height, zero, 1, length, self.padded_channels * size]
            call(f, self.multiply, [*arguments, b, self.padded_outputs * size, sums + k * self.sums_between, width, first])

        counted(f, 0, self.places, 1, product)
        where(f, number.compared("eq", self.blocks - 1), lambda: self._weights(phase, panel, channel, channels, sums))

    def _weights(self, phase: Phase, panel: Count, channel: Count, channels: Count, sums: Place) -> None:
        f = phase.f
        taps = Place(f, f.alloca("i8", 9 * self.vector))
        table = f.module.table("i64", [k * self.vector for k in range(9)])
        move = pictures.from_picture(f.module, self.kind, self.size, self.lanes)

        def one(c: Count) -> None:
            def group(q: Count) -> None:
                output = panel * self.panel + q * self.lanes
                source = sums + (c * self.panel + q * self.lanes) * self.size
                call(f, self.to_weights, [source, self.sums_between * self.length, self.sums_between, taps, 3 * self.vector, self.vector])
                target = phase.pointer[2] + (output * self.channels + channel + c) * (9 * self.size)
                call(f, move, [taps, target, self.channels * 9 * self.size, table, self.outputs - output, 9])

            counted(f, 0, self.groups_of(panel), 1, group)

        counted(f, 0, channels, 1, one)


def _true(f: Function) -> Value:
    return Emitter(f, 1).const("i1", True)


def _transform(module: Module, name: str, kind: str, size: int, lanes: int, matrix: np.ndarray) -> str:
    """`void f(source, row, column, target, row, column)`: matrix @ source @ matrix' of vectors that stand `row` and `column` bytes apart."""
    parameters = [("ptr", "source"), ("i64", "row"), ("i64", "column"), ("ptr", "target"), ("i64", "to_row"), ("i64", "to_column")]

    def write(f: Function) -> None:
        v = Emitter(f, lanes)
        row, column, to_row, to_column = (Count(f, f.parameter(label)) for label in ("row", "column", "to_row", "to_column"))
        source, target = Place(f, f.parameter("source")), Place(f, f.parameter("target"))
        columns = []
        for j in range(matrix.shape[1]):
            read = [v.load((source + row * i + column * j).value, kind, size) for i in range(matrix.shape[1])]
            columns.append(linear_maps.apply(v, matrix, read))
        for i in range(matrix.shape[0]):
            for j, value in enumerate(linear_maps.apply(v, matrix, [made[i] for made in columns])):
                v.store(value, (target + to_row * i + to_column * j).value, size)
        f.ret()

    return shared(module, name, parameters, write)
