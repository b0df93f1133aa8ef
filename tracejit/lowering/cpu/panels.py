"""Products of matrices by panels: a few columns of the second factor at a time, by tiles in registers.

A tile is 8 rows by 2 vectors (register_tiles.py).  A panel, its columns over up to `DEPTH` lines, serves all rows while it is in the caches.  It is
read where it stands, or moved together first: where its columns are lines in memory, or its lines would crowd the same sets of the cache.  On one
core with AVX-512 that comes to 0.98 of the peak from 8 rows on.  OpenBLAS moves both factors for each product, and takes 1.4 to 2.3 times as long for
small ones: (32, 128) @ (128, 512) in float32 40 us and 56, by a transposed matrix 44 and 77; (512, 512) @ (512, 512) 2.5 ms and 2.7.
"""

from __future__ import annotations

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


def product(module: Module, kind: str) -> str:
    """`void f(a, a_row, a_step, b, b_row, b_column, out, line, m, n, k, moved)`: out = a @ b, for steps in bytes between elements of a, of b, and
    rows of out. Adjacent in b are the elements of a line, or of a column, which must be `moved` together."""
    labels = [
        ("ptr", "a"), ("i64", "a_row"), ("i64", "a_step"), ("ptr", "b"), ("i64", "b_row"), ("i64", "b_column"), ("ptr", "out"), ("i64", "line"),
        ("i64", "m"), ("i64", "n"), ("i64", "k"), ("i64", "moved"),
    ]  # fmt: skip
    return shared(module, f"product_by_panels_{kind}", labels, lambda f: _Code(f, kind).write())


class _Code:
    def __init__(self, f: Function, kind: str):
        self.f, self.kind, self.size, self.lanes = f, kind, SIZES[kind], native_lanes(SIZES[kind])
        self.columns, self.height = columns(kind), register_tiles.rows()
        self.number = lambda label: Count(f, f.parameter(label))
        self.place = lambda label: Place(f, f.parameter(label))
        self.tiles = register_tiles.product(f.module, kind, self.size, self.lanes)

    def write(self) -> None:
        f, m, n = self.f, self.number("m"), self.number("n")
        self.panel = Place(f, f.alloca("i8", DEPTH * self.columns * self.size))
        self.last = Place(f, f.alloca("i8", self.height * self.columns * self.size))  # what a tile makes that has rows of the one before
        self.rows = Place(f, f.alloca("i64", ROWS))
        self.start = Place(f, f.alloca("i64", 1))
        e = Emitter(f, 1)
        e.store(Count(f, 0).value, self.start.value, 8)
        counted(f, 0, m.smaller(ROWS), 1, lambda i: e.store((i * self.number("a_row")).value, (self.rows + i * 8).value, 8))

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
            b, step = self._lines(k, column, depth)

            def multiply(row: Count, number: Count | int, target: Place, target_line: Count | int) -> None:
                at = a + row * self.number("a_row")
                call(f, self.tiles, [at, self.rows, number, self.start, 1, depth, self.number("a_step"), b, step, target, target_line, begins])

            multiply(first, tiles, out + first * line, line)
            where(f, rest.compared("ne", 0), lambda: multiply(m - self.height, 1, self.last, self.columns * self.size))

        counted(f, 0, self.number("k"), DEPTH, lines)
        counted(f, Count(f, self.height) - rest, self.height, 1, lambda r: self._copy(r, out + (m - self.height + r) * line))

    def _copy(self, row: Count, target: Place) -> None:
        """A row of the last tile to where it belongs."""
        v = Emitter(self.f, self.lanes)
        for j in range(register_tiles.VECTORS):
            at = j * self.lanes * self.size
            v.store(v.load((self.last + row * (self.columns * self.size) + at).value, self.kind, self.size), (target + at).value, self.size)

    def _lines(self, k: Count, column: Count, depth: Count) -> tuple[Place, Count]:
        """Where `depth` lines of a panel stand, and how far from one another; they are moved together where that is asked for."""
        f, e = self.f, Emitter(self.f, 1)
        moved, width = self.number("moved").compared("ne", 0), Count(f, self.columns * self.size)
        by_lines = self.number("b_row").compared("eq", self.size)
        source = self.place("b") + k * self.number("b_row") + column * self.number("b_column")

        def move() -> None:
            where(f, by_lines, lambda: self._turned(source, depth))
            where(f, self.number("b_row").compared("ne", self.size), lambda: counted(f, 0, depth, 1, lambda i: self._line(source, i)))

        where(f, moved, move)
        return Place(f, e.select(moved, self.panel.value, source.value)), Count(f, e.select(moved, width.value, f.parameter("b_row")))

    def _line(self, source: Place, i: Count) -> None:
        v = Emitter(self.f, self.lanes)
        for j in range(0, self.columns, self.lanes):
            value = v.load((source + i * self.number("b_row") + j * self.size).value, self.kind, self.size)
            v.store(value, (self.panel + (i * self.columns + j) * self.size).value, self.size)

    def _turned(self, source: Place, depth: Count) -> None:
        """Lines of a panel whose columns are lines in memory, by squares that are transposed in registers."""
        f, v = self.f, Emitter(self.f, self.lanes)

        def square(i: Count, j: int, mask=None) -> None:
            at = [source + (i * self.size) + self.number("b_column") * (j + c) for c in range(self.lanes)]
            zero = v.const(self.kind, 0.0)
            read = (lambda p: v.load(p.value, self.kind, self.size)) if mask is None else (
                lambda p: v.masked_load(p.value, self.kind, self.size, mask, zero)
            )
            for r, line in enumerate(transposed(f, [read(p) for p in at])):
                target = self.panel + ((i + r) * self.columns + j) * self.size
                if mask is None:
                    v.store(line, target.value, self.size)
                else:
                    v.masked_store(line, target.value, self.size, v.splat((depth - i).compared("sgt", r)))

        whole = depth - depth % self.lanes
        for j in range(0, self.columns, self.lanes):
            counted(f, 0, whole, self.lanes, lambda i, j=j: square(i, j))
            counted(f, whole, depth, self.lanes, lambda i, j=j: square(i, j, v.icmp("slt", v.iota("i64"), (depth - i).value)))


__all__ = ["columns", "crowds", "product", "suits"]
