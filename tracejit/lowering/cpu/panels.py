"""Products of matrices by panels: a few columns of the second factor at a time, by tiles in registers.

A tile is 8 rows by 2 vectors (register_tiles.py).  A panel, its columns over up to `DEPTH` lines, serves all rows while it is in the caches.  It is
read where it stands, or moved together first: where its columns are lines in memory, or its lines would crowd the same sets of the cache.  On one
core with AVX-512 that comes to 0.98 of the peak from 8 rows on.  OpenBLAS moves both factors for each product, and takes 1.4 to 2.3 times as long for
small ones: (32, 128) @ (128, 512) in float32 40 us and 56, by a transposed matrix 44 and 77; (512, 512) @ (512, 512) 2.5 ms and 2.7.
"""

from __future__ import annotations

from typing import NamedTuple

from . import register_tiles
from .counting import Count, Place, call, counted, where
from .emit import Emitter, Function, Module
from .llvm import lanes as native_lanes
from .pictures import transposed
from .shared_code import shared

# Lines of a panel, and rows of the first factor, that are taken at a time: 64 and 512 KiB of float32.
DEPTH, ROWS = 512, 256
# Bytes after which addresses fall into the same set of a second-level cache, and lines of a panel that may share one.
CACHE_PERIOD, CACHE_WAYS = 1 << 17, 4
# A larger first factor is taken by blocks.
CACHE_BYTES = 1 << 19
SIZES = {"float": 4, "double": 8}


def columns(kind: str) -> int:
    """Of a panel."""
    return register_tiles.VECTORS * native_lanes(SIZES[kind])


def suits(kind: str, m: int, n: int) -> bool:
    """Whether products of m rows and n columns are computed by panels: with AVX-512, where there is a whole tile. Elsewhere BLAS is as quick."""
    return kind in SIZES and native_lanes(1) == 64 and m >= register_tiles.rows() and n >= columns(kind)


def crowds(lines: int, step: int) -> bool:
    """Whether lines of a panel that are `step` bytes apart want the same few sets of the cache."""
    period = CACHE_PERIOD
    while step % period:
        period //= 2
    return min(lines, DEPTH) > CACHE_WAYS * (CACHE_PERIOD // period)


class Matrix(NamedTuple):
    """Where a factor stands, and the bytes between its rows and between its columns."""

    at: Place
    row: int
    column: int


def write(f: Function, kind: str, a: Matrix, b: Matrix, out: Place, line: int, m: int, n: int, k: int) -> None:
    """Write out = a @ b, of m rows and n columns, into a function; rows of `out` are `line` bytes apart."""
    size, height, width = SIZES[kind], register_tiles.rows(), columns(kind)
    way = "turned" if b.column != size else "moved" if crowds(k, b.row) else "in place"
    if k > DEPTH or m * k * size > CACHE_BYTES:
        b_step = b.column if way == "turned" else b.row
        call(f, blocked(f.module, kind, "turned" if way == "turned" else "moved"), [a.at, a.row, a.column, b.at, b_step, out, line, m, n, k])
        return
    tiles = register_tiles.plain_product(f.module, kind, size, native_lanes(size))
    buffer = None if way == "in place" else Place(f, f.scratch(f"panel of {kind}", DEPTH * width * size))

    def panel(j: Count) -> None:
        column = j.smaller(n - width)
        at, step = b.at + column * b.column, b.row
        if buffer is not None:
            _move(f, kind, way, at, b.column if way == "turned" else b.row, Count(f, k), buffer)
            at, step = buffer, width * size

        def multiply(row: int, number: int) -> None:
            target = out + column * size + row * line
            call(f, tiles, [a.at + row * a.row, a.row, number, k, a.column, at, step, target, line, Emitter(f, 1).const("i1", 1)])

        multiply(0, m // height)
        if m % height:  # the last tile has rows of the one before, which come out the same
            multiply(m - height, 1)

    counted(f, 0, n, width, panel)


def _move(f: Function, kind: str, way: str, source: Place, step: Count | int, depth: Count, panel: Place) -> None:
    """Write the first `depth` lines of a panel: from lines, or columns, that are `step` bytes apart."""
    size, lanes = SIZES[kind], native_lanes(SIZES[kind])
    if way == "turned":
        for j in range(register_tiles.VECTORS):
            call(f, _turned(f.module, kind, lanes), [source + step * (j * lanes), step, depth, panel + j * lanes * size])
    else:
        counted(f, 0, depth, 1, lambda i: _line(f, kind, source + i * step, panel + i * (columns(kind) * size)))


def _line(f: Function, kind: str, source: Place, target: Place) -> None:
    """Write a line of a panel to another place."""
    size, v = SIZES[kind], Emitter(f, native_lanes(SIZES[kind]))
    for at in range(0, columns(kind) * size, v.lanes * size):
        v.store(v.load((source + at).value, kind, size), (target + at).value, size)


def blocked(module: Module, kind: str, way: str) -> str:
    """`void f(a, a_row, a_step, b, b_step, out, line, m, n, k)`: the same for factors that do not fit into the caches, by blocks of them.

    `way` says what becomes panels: lines of b, which are `b_step` apart, are "moved" together, or columns of b are "turned".
    """
    labels = [
        ("ptr", "a"), ("i64", "a_row"), ("i64", "a_step"), ("ptr", "b"), ("i64", "b_step"), ("ptr", "out"), ("i64", "line"),
        ("i64", "m"), ("i64", "n"), ("i64", "k"),
    ]  # fmt: skip
    return shared(module, f"blocked_product_{way}_{kind}", labels, lambda f: _Blocked(f, kind, way).write())


class _Blocked:
    """The code of `blocked`: all columns for some rows, and all lines of a panel, a block at a time."""

    def __init__(self, f: Function, kind: str, way: str):
        self.f, self.kind, self.way, self.size, self.lanes = f, kind, way, SIZES[kind], native_lanes(SIZES[kind])
        self.columns, self.height = columns(kind), register_tiles.rows()
        self.number = lambda label: Count(f, f.parameter(label))
        self.place = lambda label: Place(f, f.parameter(label))
        self.tiles = register_tiles.plain_product(f.module, kind, self.size, self.lanes)

    def write(self) -> None:
        f, m, n = self.f, self.number("m"), self.number("n")
        self.panel = Place(f, f.alloca("i8", DEPTH * self.columns * self.size))
        self.last = Place(f, f.alloca("i8", self.height * self.columns * self.size))  # what a tile makes that has rows of the one before

        def panels(first: Count) -> None:
            counted(f, 0, n, self.columns, lambda j: self._panel(first, j.smaller(n - self.columns)))

        counted(f, 0, m, ROWS, panels)
        f.ret()

    def _panel(self, first: Count, column: Count) -> None:
        """The rows from `first` on of the panel that begins in a column."""
        f, m, line = self.f, self.number("m"), self.number("line")
        count = (m - first).smaller(ROWS)
        tiles, rest = count // self.height, count % self.height
        out = self.place("out") + column * self.size

        def lines(k: Count) -> None:
            depth = (self.number("k") - k).smaller(DEPTH)
            begins = k.compared("eq", 0)
            a = self.place("a") + k * self.number("a_step")
            source = k * self.size + column * self.number("b_step") if self.way == "turned" else k * self.number("b_step") + column * self.size
            _move(f, self.kind, self.way, self.place("b") + source, self.number("b_step"), depth, self.panel)

            def multiply(row: Count, number: Count | int, target: Place, target_line: Count | int) -> None:
                at, b_step = a + row * self.number("a_row"), self.columns * self.size
                call(f, self.tiles, [at, self.number("a_row"), number, depth, self.number("a_step"), self.panel, b_step, target, target_line, begins])

            multiply(first, tiles, out + first * line, line)
            where(f, rest.compared("ne", 0), lambda: multiply(m - self.height, 1, self.last, self.columns * self.size))

        counted(f, 0, self.number("k"), DEPTH, lines)
        from_last = lambda r: _line(f, self.kind, self.last + r * (self.columns * self.size), out + (m - self.height + r) * line)
        counted(f, Count(f, self.height) - rest, self.height, 1, from_last)


def _turned(module: Module, kind: str, lanes: int) -> str:
    """`void f(source, step, depth, target)`: the first `depth` elements of columns that are `step` bytes apart become lines of a panel."""
    labels = [("ptr", "source"), ("i64", "step"), ("i64", "depth"), ("ptr", "target")]
    return shared(module, f"turned_{kind}{lanes}", labels, lambda f: _write_turned(f, kind, lanes))


def _write_turned(f: Function, kind: str, lanes: int) -> None:
    """Squares are transposed in registers; the last one may have lines of the one before."""
    size, e, v, depth = SIZES[kind], Emitter(f, 1), Emitter(f, lanes), Count(f, f.parameter("depth"))
    columns = [Place(f, f.parameter("source")) + Count(f, f.parameter("step")) * c for c in range(lanes)]
    target = lambda line: Place(f, f.parameter("target")) + line * (register_tiles.VECTORS * lanes * size)

    def square(i: Count) -> None:
        i = i.smaller(depth - lanes)
        for r, line in enumerate(transposed(f, [v.load((c + i * size).value, kind, size) for c in columns])):
            v.store(line, target(i + r).value, size)

    def element(i: Count) -> None:
        for c, column in enumerate(columns):
            e.store(e.load((column + i * size).value, kind, size), (target(i) + c * size).value, size)

    short = depth.compared("slt", lanes)
    where(f, depth.compared("sge", lanes), lambda: counted(f, 0, depth, lanes, square))
    where(f, short, lambda: counted(f, 0, depth, 1, element))
    f.ret()


__all__ = ["Matrix", "columns", "suits", "write"]
