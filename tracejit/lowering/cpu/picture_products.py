"""Convolutions whose vectors run along channels (ops/picture_products.py) in native code.

Images of a block become a picture, all channels of a position adjacent and zeros around (pictures.py).  A tile in registers is a few places of the
result by a panel of outputs: its rows are where the windows of these places begin in the picture, whatever the strides, and each tap is a segment of
the channels that are summed over, at a fixed distance (register_tiles.py).  Weights are sorted by panel, tap and channel once.  In the derivative by
the taps rows are channels, and what is summed over are the places of one row of the result after the other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from ...ir import ArrayType, Node
from ...ops.picture_products import axis
from . import pictures, register_tiles
from .counting import Count, Place, call, counted, where
from .emit import Emitter, Function, Module, Value
from .image_blocks import Blocks, Picture, write_once
from .image_blocks import has_routine as has_routine
from .image_blocks import symbols as symbols
from .strands import Phase, clear, table_of

# Bytes of a picture, and places, that a block has at most.
BLOCK_BYTES, MOST = 384 * 1024, 128
# The same for the derivative by the taps, whose blocks are shared by all threads; and channels of one part of it.
SUM_BYTES, SUM_MOST, PART = 4 << 20, 4096, 64
# Places that are summed over for one tap after the other.
SUMMED = 256
# Channels whose weights are sorted at a time.
WEIGHTS = 32


def work(node: Node) -> list[ArrayType]:
    """Room for pictures, sorted weights and sums."""
    return [ArrayType((_plan(node).memory.bytes,), np.dtype(np.uint8))]


def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
    """Call the code of the node, written once a module. Returns the status, always 0."""
    return write_once(f, node, _plan(node), [*operands, *results])


def _plan(node: Node) -> _Product | _Outer:
    x, other = (a.type.strong for a in node.inputs)
    make = _Product if node.op.name == "picture_product" else _Outer
    return make(x, other, **node.params)


class _Windows(Blocks):
    """What the product and the derivative by the taps have in common: the picture of a block of x."""

    def set_picture(self, low: tuple[int, int], steps: tuple[int, int], reach: tuple[int, int]) -> None:
        """Choose the picture of a block, whose place (i, j) begins at (i, j) * steps."""
        self.steps = steps
        lengths = [(n - 1) * s + r for n, s, r in zip((self.block_rows, self.grid[1]), steps, reach)]
        self.position = self.padded_channels * self.size  # bytes
        self.picture = Picture(self.sizes, low, *lengths, self.position)

    def offset(self, row: int, column: int) -> int:
        """Bytes from the first position of the picture."""
        return (row * self.picture.columns + column) * self.position

    def into_picture(self, f: Function, source: Place, total: int, group: Count, image: Count, start: Count, picture: Picture, target: Place) -> None:
        """Move a group of channels (of `total`) of the rows of an image into a picture; `start` as in `Picture.move`."""
        plane = math.prod(picture.sizes) * self.size
        move = pictures.into_picture(f.module, self.kind, self.size, self.lanes)
        channel = group * self.lanes
        at = source + (image * total + channel) * plane
        picture.move(f, move, target + group * self.vector, at, plane, total - channel, start, self.size)


class _Product(_Windows):
    """`picture_product(x, w, ...)`."""

    def __init__(self, x: ArrayType, w: ArrayType, strides, low, lhs_dilation, rhs_dilation, out, turned: bool):
        taps, outputs = w.shape[2:], w.shape[1 if turned else 0]
        self.axes = [axis(*a) for a in zip(x.shape[2:], out, taps, strides, low, lhs_dilation, rhs_dilation)]
        grid = tuple(a.count for a in self.axes)
        used = math.prod(len({k for phase in a.phases for k, _ in phase}) for a in self.axes)
        super().__init__(x, outputs, grid, x.shape[0] * math.prod(grid) * used * x.shape[1] * outputs)
        self.out, self.turned, self.woven = tuple(out), turned, lhs_dilation
        self.count = math.prod(taps)  # of a channel's weights
        steps, reach = tuple(a.step for a in self.axes), tuple(a.reach for a in self.axes)
        per_place = math.prod(steps) * self.padded_channels * self.size
        self.cut(max(register_tiles.rows(), min(MOST, BLOCK_BYTES // per_place)))
        self.set_picture(tuple(a.low for a in self.axes), steps, reach)
        # With few blocks their panels are shared among strands, each of which has the picture.
        self.shares = min(self.panels, -(-2 * self.strands // self.blocks)) if self.strands > 1 else 1
        self.phases = [
            [(k[0] * taps[1] + k[1], self.offset(*shift)) for k, shift in (tuple(zip(*tap)) for tap in itertools.product(*phase))]
            for phase in itertools.product(*(a.phases for a in self.axes))
        ]
        # The taps in the order of the segments of all phases, as w counts them: those between that are not used go to a place behind.
        self.order = [self.count - 1 - k if turned else k for phase in self.phases for k, _ in phase]
        self.first_tap, self.last_tap = min(self.order), max(self.order)
        sorted_taps = len(self.order) + (self.last_tap - self.first_tap >= len(self.order))
        self.sums_between = self.between(self.block_places, self.panel)
        self.weights_bytes = sorted_taps * self.channels * self.panel * self.size
        self.weights_at = self.memory.take(self.weights_bytes * self.panels)
        self.picture_at = self.per_strand(self.picture.bytes * self.block_images)
        self.sums_at = self.per_strand(self.sums_between * len(self.phases))

    def write(self, module: Module, name: str) -> None:
        """The function `void name(x, w, y, work)`."""
        self.multiply = register_tiles.product(module, self.kind, self.size, self.lanes)
        self.pieces = -(-self.channels // WEIGHTS)
        weights = Phase(module, f"{name}_weights", self.panels * self.pieces, 4, self._weights)
        blocks = Phase(module, f"{name}_blocks", self.blocks * self.shares, 4, self._block)
        f = Function(module, name, [("ptr", "x"), ("ptr", "w"), ("ptr", "y"), ("ptr", "work")], linkage="internal")
        f.never_inline()
        table = table_of(f, [Place(f, f.parameter(p)) for p in ("x", "w", "y", "work")])
        weights.run(f, table, self.strands)
        blocks.run(f, table, self.strands)
        f.ret()

    def _weights(self, phase: Phase, item: Count) -> None:
        """Sort some channels' weights of a panel: by tap and channel, outputs adjacent."""
        f = phase.f
        panel, first = item // self.pieces, Count(f, 0) + item % self.pieces * WEIGHTS
        last = (first + WEIGHTS).smaller(self.channels)
        target = phase.pointer[3] + self.weights_at + panel * self.weights_bytes
        some = self._turned_weights if self.turned and self.count == 1 else self._rows_of_weights if self.count == 1 else self._taps_of_weights

        def group(q: Count) -> None:
            output = panel * self.panel + q * self.lanes
            some(f, phase.pointer[1], output, first, last, target + q * self.vector)

        counted(f, 0, register_tiles.VECTORS, 1, group)

    # Where there are no outputs left nothing is read, and the weights are zeros.
    def _taps_of_weights(self, f: Function, w: Place, output: Count, first: Count, last: Count, target: Place) -> None:
        move = pictures.into_picture(f.module, self.kind, self.size, self.lanes)
        taps = range(self.first_tap, self.last_tap + 1)
        at = [self.order.index(k) if k in self.order else len(self.order) for k in taps]
        table = f.module.table("i64", [place * self.channels * self.panel * self.size for place in at])
        pitch, step = (self.count, self.count * self.outputs) if self.turned else (self.count * self.channels, self.count)

        def channel(c: Count) -> None:
            source = w + (output * pitch + c * step + self.first_tap) * self.size
            call(f, move, [source, target + c * (self.panel * self.size), pitch * self.size, table, self.outputs - output, len(taps)])

        counted(f, first, last, 1, channel)

    def _rows_of_weights(self, f: Function, w: Place, output: Count, first: Count, last: Count, target: Place) -> None:
        """One tap: the weights of an output are one row of channels."""
        move = pictures.into_picture(f.module, self.kind, self.size, self.lanes)
        table = Place(f, f.module.table("i64", [c * self.panel * self.size for c in range(self.channels)])) + first * 8
        source = w + (output * self.channels + first) * self.size
        call(f, move, [source, target, self.channels * self.size, table, self.outputs - output, last - first])

    def _turned_weights(self, f: Function, w: Place, output: Count, first: Count, last: Count, target: Place) -> None:
        """One tap, turned: the weights of a channel are one row of outputs."""
        v = Emitter(f, self.lanes)
        mask = v.icmp("slt", v.iota("i64"), (self.outputs - output).value)

        def channel(c: Count) -> None:
            row = v.masked_load((w + (c * self.outputs + output) * self.size).value, self.kind, self.size, mask, v.const(self.kind, 0.0))
            v.store(row, (target + c * (self.panel * self.size)).value, self.size)

        counted(f, first, last, 1, channel)

    def _block(self, phase: Phase, item: Count) -> None:
        f, module = phase.f, phase.f.module
        image, images, row, rows = self.block(item // self.shares)
        share = Count(f, 0) + item % self.shares
        offset, size = self.picture_at
        picture = phase.pointer[3] + offset + phase.strand * size
        clear(f, picture, self.picture.bytes * self.block_images)
        start = row * self.steps[0]

        def group(g: Count) -> None:
            def one(i: Count) -> None:
                target = picture + i * self.picture.bytes
                self.into_picture(f, phase.pointer[0], self.channels, g, image + i, start, self.picture, target)

            counted(f, 0, images, 1, one)

        counted(f, 0, self.padded_channels // self.lanes, 1, group)
        columns, height = self.grid[1], register_tiles.rows()
        places = [
            i * self.picture.bytes + self.offset(r * self.steps[0], c * self.steps[1])
            for i in range(self.block_images) for r in range(self.block_rows) for c in range(columns)
        ]  # fmt: skip
        lines = module.table("i64", [*places, *[0] * (self.block_places - len(places))])
        tiles = (images * rows * columns + (height - 1)) // height
        offset, size = self.sums_at
        sums = phase.pointer[3] + offset + phase.strand * size
        width = self.panel * self.size

        def one_panel(panel: Count) -> None:
            weights = phase.pointer[3] + self.weights_at + panel * self.weights_bytes
            for number, segments in enumerate(self.phases):
                if not segments:
                    clear(f, sums + number * self.sums_between, self.sums_between)
                    continue
                before = sum(map(len, self.phases[:number]))
                table = module.table("i64", [at for _, at in segments])
                a = [picture, lines, tiles, table, len(segments), self.channels, self.size]
                b = weights + before * self.channels * width
                call(f, self.multiply, [*a, b, width, sums + number * self.sums_between, width, Emitter(f, 1).const("i1", True)])
            self._store(phase, panel, sums, image, images, row, rows)

        bounds = module.table("i64", [self.panels * s // self.shares for s in range(self.shares + 1)])
        low, high = (((Place(f, bounds) + share * 8) + 8 * d).number() for d in (0, 1))
        counted(f, low, high, 1, one_panel)

    def _store(self, phase: Phase, panel: Count, sums: Place, image: Count, images: Count, row: Count, rows: Count) -> None:
        """Write the sums of a panel to the result, its phases woven together."""
        f, module = phase.f, phase.f.module
        move = pictures.from_picture(module, self.kind, self.size, self.lanes)
        (down, across), (height, width), columns = self.woven, self.out, self.grid[1]
        line = self.panel * self.size
        offsets = [
            (r % down * across + c % across) * self.sums_between + ((r // down) * columns + c // across) * line
            for r in range(self.block_rows * down) for c in range(width)
        ]  # fmt: skip
        table = module.table("i64", offsets)
        plane = height * width * self.size
        first = row * down
        positions = ((row + rows) * down).smaller(height) * width - first * width

        def group(q: Count) -> None:
            output = panel * self.panel + q * self.lanes

            def one(i: Count) -> None:
                source = sums + i * rows * (columns * line) + q * self.vector
                target = phase.pointer[2] + ((image + i) * self.outputs + output) * plane + first * (width * self.size)
                call(f, move, [source, target, plane, table, self.outputs - output, positions])

            counted(f, 0, images, 1, one)

        counted(f, 0, self.groups_of(panel), 1, group)


class _Outer(_Windows):
    """`picture_outer(x, y, ...)`."""

    def __init__(self, x: ArrayType, y: ArrayType, strides, low, rhs_dilation, taps):
        places = tuple(y.shape[2:])
        super().__init__(x, y.shape[1], places, x.shape[0] * math.prod(places) * math.prod(taps) * x.shape[1] * y.shape[1])
        self.count = math.prod(taps)
        self.padded_outputs = self.panels * self.panel
        per_place = (math.prod(strides) * self.padded_channels + self.padded_outputs) * self.size
        self.cut(max(register_tiles.rows(), min(SUM_MOST, SUM_BYTES // per_place)))
        self.set_picture(low, strides, tuple((k - 1) * d + 1 for k, d in zip(taps, rhs_dilation)))
        self.factors = Picture(places, (0, 0), self.block_rows, places[1], self.padded_outputs * self.size)
        meets = [
            [any(0 <= p * s + k * d - b < n for p in range(q)) for k in range(t)]
            for n, q, t, s, b, d in zip(x.shape[2:], places, taps, strides, low, rhs_dilation)
        ]
        # The taps that meet something: their numbers, and where the first place looks.
        self.taps = [
            (r * taps[1] + c, self.offset(r * rhs_dilation[0], c * rhs_dilation[1]))
            for r, c in itertools.product(*map(range, taps)) if meets[0][r] and meets[1][c]
        ]  # fmt: skip
        self.sums_between = self.between(PART, self.panel)
        self.parts = -(-self.channels // PART)
        self.picture_at = self.memory.take(self.picture.bytes * self.block_images)
        self.factors_at = self.memory.take(self.factors.bytes * self.block_images)
        sums = self.count * self.sums_between
        self.sums_at = self.per_strand(sums) if self.blocks == 1 else (self.memory.take(sums * self.panels * self.parts), 0)

    def write(self, module: Module, name: str) -> None:
        """The function `void name(x, y, w, work)`."""
        self.multiply = register_tiles.product(module, self.kind, self.size, self.lanes)
        self.groups = (self.padded_channels + self.padded_outputs) // self.lanes
        # The last but one pointer is the number of the block.
        first = Phase(module, f"{name}_pictures", self.groups * self.block_images, 5, self._pictures)
        second = Phase(module, f"{name}_sums", self.panels * self.parts, 5, self._sums)
        f = Function(module, name, [("ptr", "x"), ("ptr", "y"), ("ptr", "w"), ("ptr", "work")], linkage="internal")
        f.never_inline()
        x, y, w, memory = (Place(f, f.parameter(p)) for p in ("x", "y", "w", "work"))
        table = table_of(f, [x, y, w, Count(f, 0), memory])

        def block(number: Count) -> None:
            Emitter(f, 1).store(number.value, (table + 24).value, 8)
            clear(f, memory + self.picture_at, self.picture.bytes * self.block_images)
            first.run(f, table, self.strands)
            second.run(f, table, self.strands)

        counted(f, 0, self.blocks, 1, block)
        f.ret()

    def _block_of(self, phase: Phase) -> tuple[Count, tuple[Count, Count, Count, Count]]:
        number = (Place(phase.f, phase.f.parameter("table")) + 24).number()
        return number, self.block(number)

    def _pictures(self, phase: Phase, item: Count) -> None:
        f = phase.f
        _, (image, images, row, _) = self._block_of(phase)
        i, group = item // self.groups, Count(f, 0) + item % self.groups
        own = self.padded_channels // self.lanes

        def of_x() -> None:
            target = phase.pointer[4] + self.picture_at + i * self.picture.bytes
            self.into_picture(f, phase.pointer[0], self.channels, group, image + i, row * self.steps[0], self.picture, target)

        def of_y() -> None:
            target = phase.pointer[4] + self.factors_at + i * self.factors.bytes
            self.into_picture(f, phase.pointer[1], self.outputs, group - own, image + i, row, self.factors, target)

        def present() -> None:
            where(f, group.compared("slt", own), of_x)
            where(f, group.compared("sge", own), of_y)

        where(f, i.compared("slt", images), present)

    def _sums(self, phase: Phase, item: Count) -> None:
        f, module = phase.f, phase.f.module
        e = Emitter(f, 1)
        number, (_, images, _, rows) = self._block_of(phase)
        panel, channel = item // self.parts, Count(f, 0) + item % self.parts * PART
        height, width = register_tiles.rows(), self.panel * self.size
        offset, own = self.sums_at
        sums = phase.pointer[4] + offset + (phase.strand * own if own else item * (self.count * self.sums_between))
        channels = (self.channels - channel).smaller(PART)
        lines = module.table("i64", [c * self.size for c in range(PART)])
        steps = self.steps
        segments = module.table(
            "i64", [i * self.picture.bytes + self.offset(r * steps[0], 0) for i in range(self.block_images) for r in range(self.block_rows)]
        )
        a = phase.pointer[4] + self.picture_at + channel * self.size
        b = phase.pointer[4] + self.factors_at + panel * width
        looks, lands = (Place(f, module.table("i64", values)) for values in zip(*((at, k * self.sums_between) for k, at in self.taps)))
        rows_of_block, once = images * rows, max(1, SUMMED // self.grid[1])
        line = self.grid[1] * self.padded_outputs * self.size

        def some_rows(start: Count) -> None:
            """Some rows of the result for all taps: what they read stays in the second cache meanwhile."""
            first = e.and_(number.compared("eq", 0), start.compared("eq", 0))
            summed = [Place(f, segments) + start * 8, (rows_of_block - start).smaller(once), self.grid[1], steps[1] * self.position]

            def product(k: Count) -> None:
                at, to = a + (looks + k * 8).number(), sums + (lands + k * 8).number()
                factors = [b + start * line, self.padded_outputs * self.size]
                call(f, self.multiply, [at, lines, (channels + (height - 1)) // height, *summed, *factors, to, width, first])

            counted(f, 0, len(self.taps), 1, product)

        counted(f, 0, rows_of_block, once, some_rows)
        for k in set(range(self.count)) - {k for k, _ in self.taps}:
            clear(f, sums + k * self.sums_between, self.sums_between)
        where(f, number.compared("eq", self.blocks - 1), lambda: self._store(phase, panel, channel, channels, sums))

    def _store(self, phase: Phase, panel: Count, channel: Count, channels: Count, sums: Place) -> None:
        f = phase.f
        move = pictures.from_picture(f.module, self.kind, self.size, self.lanes)
        table = f.module.table("i64", [k * self.sums_between for k in range(self.count)])

        def one(c: Count) -> None:
            def group(q: Count) -> None:
                output = panel * self.panel + q * self.lanes
                target = phase.pointer[2] + (output * self.channels + channel + c) * (self.count * self.size)
                source = sums + (c * self.panel + q * self.lanes) * self.size
                call(f, move, [source, target, self.channels * self.count * self.size, table, self.outputs - output, self.count])

            counted(f, 0, self.groups_of(panel), 1, group)

        counted(f, 0, channels, 1, one)
