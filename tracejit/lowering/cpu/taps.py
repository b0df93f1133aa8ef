"""Products at shifted places (ops/taps.py) in native code: what convolutions with few channels are compiled to.

A tile of `taps_product` is a few outputs by a few vectors of places, kept in registers while the channels and taps go by: a step loads the vectors of
x at the tap's offset, which need not be aligned, and each output's weight into all lanes.  A tile of `taps_outer` is a few outputs by a few channels
and taps, whose vectors run along the places and are summed across lanes at the end.  Neither operand is copied into another order, since what a tile
reads again and again fits into the caches: blocks of places are short enough that all channels of a block stay in the second one.

Large products run in chunks on the pool of threads; which thread computes what does not change the result.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from ...config import config
from ...ir import ArrayType, Node
from . import threads
from .counting import carried, where
from .emit import Emitter, Function, Module, Value
from .llvm import lanes as native_lanes

KINDS = {np.dtype(np.float64): "double", np.dtype(np.float32): "float"}
# Sums that a tile keeps in registers, with room for what it reads: 24 of 32 with AVX-512, 12 of 16 elsewhere.
MANY, FEW = ((8, 3), (6, 4), (12, 2)), ((4, 3), (3, 4), (6, 2))
# Up to so many taps are written out; more are a loop over a table of offsets.
WRITTEN_OUT = 9
# Weights of one output that a tile goes through before the next tile, and bytes of x that a block of places has.
DEPTH, BLOCK_BYTES = 512, 192 * 1024
# Multiplications that are worth a chunk, and from which threads are: about 50 and 150 us.
CHUNK, PARALLEL = 1_500_000, 4_000_000


def symbols() -> dict[str, int]:
    """The address of the pool's `parallel_for`."""
    return {"parallel_for": threads.parallel_for()}


def has_routine(node: Node) -> bool:
    """Whether there is a kernel for the dtype."""
    return node.outputs[0].type.dtype in KINDS


def work(node: Node) -> list[ArrayType]:
    """No work arrays."""
    return []


def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
    """Call the code of the node, written once a module. Returns the status, always 0."""
    e = Emitter(f, 1)
    types = [a.type.strong for a in node.inputs]
    described = repr((node.op.name, [(t.shape, t.dtype.str) for t in types], sorted(node.params.items()), config.threads))
    name = f"{node.op.name}_{hashlib.sha256(described.encode()).hexdigest()[:12]}"
    make = _product if node.op.name == "taps_product" else _outer
    chunks = make(f.module, name, *types, **node.params)
    table = f.alloca("ptr", 3)
    for place, pointer in enumerate((*operands, *results)):
        e.store(pointer, e.gep(table, "ptr", e.const("i64", place)), 8)
    if chunks > 1 and config.threads > 1 and _multiplications(node) >= PARALLEL:
        f.call("parallel_for", "void", [Value(f"@{name}", "ptr"), table, e.const("i64", chunks)])
    else:

        def turn(chunk: Value, _: Sequence[Value]) -> list[Value]:
            _call(f, name, [table, chunk])
            return []

        carried(f, e.const("i64", 0), e.const("i64", chunks), 1, [], turn)
    return e.const("i64", 0)


def _multiplications(node: Node) -> int:
    first, second = (a.type.shape for a in node.inputs)
    if node.op.name == "taps_product":
        return math.prod(second) * node.params["length"]
    return math.prod(first[:2]) * second[1] * len(node.params["offsets"]) * node.params["length"]


def _call(f: Function, name: str, arguments: Sequence[Value]) -> None:
    """Call a function of this module."""
    f.do(f"call void @{name}({', '.join(a.typed for a in arguments)})")


def _ranges(total: int, most: int) -> list[tuple[int, int]]:
    """0 .. total in equal parts of at most `most`."""
    parts = -(-total // most)
    return list(pairwise(total * i // parts for i in range(parts + 1)))


def _cut(n: int, size: int) -> list[tuple[int, int]]:
    """n as a run of pieces of `size` and one of what is left: (size, how many)."""
    return [(s, c) for s, c in ((size, n // size), (n % size, 1)) if s and c]


class _Address:
    """Addresses in elements of a kind."""

    def __init__(self, f: Function, kind: str, size: int):
        self.e, self.kind, self.size = Emitter(f, 1), kind, size

    def __call__(self, pointer: Value, index: Value | int) -> Value:
        """The address `index` elements on."""
        if isinstance(index, int):
            return self.e.gep(pointer, "i8", self.e.const("i64", index * self.size)) if index else pointer
        return self.e.gep(pointer, self.kind, index)

    def times(self, index: Value, factor: int) -> Value:
        return index if factor == 1 else self.e.imul(index, self.e.const("i64", factor))


def _tile_function(module: Module, name: str, arrays: tuple[str, ...], count: str) -> Function:
    """`void name(ptr of each array, i64 count, i1 first)`."""
    f = Function(module, name, [*(("ptr noalias", a) for a in arrays), ("i64", count), ("i1", "first")], linkage="internal")
    f.never_inline()
    return f


def _each_tap(f: Function, offsets: Sequence[int], size: int, sums: list[Value], tap: Callable) -> list[Value]:
    """`sums = tap(t, the tap's offset in bytes, sums)` for every tap."""
    e = Emitter(f, 1)
    if len(offsets) <= WRITTEN_OUT:
        for t, offset in enumerate(offsets):
            sums = tap(e.const("i64", t), e.const("i64", offset * size), sums)
        return sums
    table = f.module.table("i64", [o * size for o in offsets])
    turn = lambda t, sums: tap(t, e.load(e.gep(table, "i64", t), "i64", 8), sums)
    return carried(f, e.const("i64", 0), e.const("i64", len(offsets)), 1, sums, turn)


# -- y[g, o, p] = sum over c, t of w[g, o, c, t] * x[g, c, p + offsets[t]]
def _product_tile(module: Module, name: str, kind: str, rows: int, vectors: int, lanes: int, strides: tuple[int, ...], offsets) -> str:
    """`void tile(ptr x, ptr w, ptr y, i64 channels, i1 first)`: adds to a tile of y, or begins it."""
    line, w_row, w_column, places, size = strides
    full = f"{name}_{rows}x{vectors}"
    f = _tile_function(module, full, ("x", "w", "y"), "channels")
    e, v, at = Emitter(f, 1), Emitter(f, lanes), _Address(f, kind, size)
    y = [at(f.parameter("y"), i * places + j * lanes) for i in range(rows) for j in range(vectors)]
    sums = [v.select(f.parameter("first"), v.const(kind, 0.0), v.load(p, kind, size)) for p in y]

    def channel(c: Value, sums: list[Value]) -> list[Value]:
        x, w = at(f.parameter("x"), at.times(c, line)), at(f.parameter("w"), at.times(c, w_column))

        def tap(t: Value, offset: Value, sums: list[Value]) -> list[Value]:
            source, weight = e.gep(x, "i8", offset), at(w, t)
            read = [v.load(at(source, j * lanes), kind, size) for j in range(vectors)]
            made = []
            for i in range(rows):
                factor = v.splat(e.load(at(weight, i * w_row), kind, size))
                made += [v.fma(factor, read[j], sums[i * vectors + j]) for j in range(vectors)]
            return made

        return _each_tap(f, offsets, size, sums, tap)

    for p, total in zip(y, carried(f, e.const("i64", 0), f.parameter("channels"), 1, sums, channel)):
        v.store(total, p, size)
    f.ret()
    return full


def _product(module: Module, name: str, x: ArrayType, w: ArrayType, offsets: tuple[int, ...], length: int, turned: bool) -> int:
    """`void name(ptr table, i64 chunk)`, and how many chunks there are: for each group and block of places, and for some of the outputs."""
    (groups, outputs, channels, taps), dtype = w.shape, x.dtype
    w_row, w_column = channels * taps, taps
    if turned:
        outputs, channels, w_row, w_column = channels, outputs, taps, w_row
    kind, size, lanes = KINDS[dtype], dtype.itemsize, native_lanes(dtype.itemsize)
    line = math.prod(x.shape[2:])
    total = length // lanes
    tiles = MANY if native_lanes(1) == 64 else FEW
    rows, vectors = min(tiles, key=lambda t: (-(-total // t[1]) * t[1] * -(-outputs // t[0]), tiles.index(t)))
    rows, vectors = min(rows, outputs), min(vectors, total)
    depth = _ranges(channels, max(1, DEPTH // taps))
    widest = max(b - a for a, b in depth)
    macs = groups * outputs * channels * taps * length
    wanted = max(1, min(macs // CHUNK, 8 * config.threads)) if config.threads > 1 and macs >= PARALLEL else 1
    block = max(1, min(BLOCK_BYTES // (widest * size * lanes * vectors), -(-total // vectors)))
    if groups * -(-total // (block * vectors)) < wanted:
        block = max(1, -(-total // vectors) * groups // wanted)
    blocks = -(-total // (block * vectors))
    row_tiles = _cut(outputs, rows)
    splits = [(0, outputs // rows)]
    if groups * blocks < wanted:
        splits = _ranges(outputs // rows, max(1, -(-(outputs // rows) * groups * blocks // wanted)))
    if any(g.name == name for g in module.functions):
        return groups * blocks * len(splits)
    strides = (line, w_row, w_column, length, size)
    widths = _cut(total - (blocks - 1) * block * vectors, vectors)
    tile = {
        (m, n): _product_tile(module, name, kind, m, n, lanes, strides, offsets)
        for m, _ in row_tiles
        for n in {vectors, *(n for n, _ in widths)}
    }
    f = Function(module, name, [("ptr", "table"), ("i64", "chunk")], linkage="internal")
    e, at = Emitter(f, 1), _Address(f, kind, size)
    const = lambda n: e.const("i64", n)
    px, pw, py = (e.load(e.gep(f.parameter("table"), "ptr", const(i)), "ptr", 8) for i in range(3))
    chunk, split = e.udiv(f.parameter("chunk"), const(len(splits))), e.urem(f.parameter("chunk"), const(len(splits)))
    group, number = e.udiv(chunk, const(blocks)), e.urem(chunk, const(blocks))
    first = at.times(number, block * vectors * lanes)
    px = at(px, e.iadd(at.times(group, channels * line), first))
    pw = at(pw, at.times(group, outputs * channels * taps))
    py = at(py, e.iadd(at.times(group, outputs * length), first))
    # The last block may be shorter, and end in a tile of fewer vectors; the last rows of outputs may be fewer.
    is_last = e.icmp("eq", number, const(blocks - 1))
    last_count = sum(c for n, c in widths if n == vectors)
    full_tiles = e.select(is_last, const(last_count), const(block))
    bounds = f.module.table("i64", [a for a, _ in splits] + [outputs // rows])
    low, high = (e.load(e.gep(bounds, "i64", e.iadd(split, const(d))), "i64", 8) for d in (0, 1))

    def row(c0: int, c1: int, m: int, o: Value) -> None:
        """All places of the block for the `m` outputs from `o` on, and the channels c0 .. c1."""
        x, w, y = at(px, c0 * line), at(at(pw, at.times(o, w_row)), c0 * w_column), at(py, at.times(o, length))

        def call(n: int, position: Value) -> None:
            _call(f, tile[m, n], [at(x, position), w, at(y, position), const(c1 - c0), e.const("i1", c0 == 0)])

        def turn(i, _):
            call(vectors, at.times(i, vectors * lanes))
            return []

        if last_count or blocks > 1:
            where(f, e.icmp("sgt", full_tiles, const(0)), lambda: carried(f, const(0), full_tiles, 1, [], turn))
        for n, _ in widths:
            if n != vectors:
                where(f, is_last, lambda n=n: call(n, const(last_count * vectors * lanes)))

    for c0, c1 in depth:
        for m, count in row_tiles:
            if m == rows and count * rows <= outputs:

                def one(i, _, c0=c0, c1=c1, m=m):
                    row(c0, c1, m, at.times(i, m))
                    return []

                where(f, e.icmp("slt", low, high), lambda one=one: carried(f, low, high, 1, [], one))
            else:
                where(f, e.icmp("eq", split, const(len(splits) - 1)), lambda c0=c0, c1=c1, m=m: row(c0, c1, m, const(outputs - m)))
    f.ret()
    return groups * blocks * len(splits)


# -- w[g, o, c, t] = sum over p of y[g, o, p] * x[g, c, p + offsets[t]]
def _outer_tile(
    module: Module, name: str, kind: str, size: int, rows: int, columns: int, taps: int, lanes: int, strides: tuple[int, ...]
) -> str:
    """`void tile(ptr y, ptr x, ptr w, ptr offsets, i64 places, i1 first)`: adds to the weights of some outputs, channels and taps, or begins them."""
    y_row, line, w_row, w_column = strides
    full = f"{name}_{rows}x{columns}x{taps}"
    if any(g.name == full for g in module.functions):
        return full
    f = _tile_function(module, full, ("y", "x", "w", "offsets"), "places")
    e, v, at = Emitter(f, 1), Emitter(f, lanes), _Address(f, kind, size)
    zeros = [v.const(kind, 0.0)] * (rows * columns * taps)
    offsets = [e.load(e.gep(f.parameter("offsets"), "i64", e.const("i64", t)), "i64", 8) for t in range(taps)]

    def step(p: Value, sums: list[Value]) -> list[Value]:
        x, y = at(f.parameter("x"), p), at(f.parameter("y"), p)
        read = [v.load(at(y, i * y_row), kind, size) for i in range(rows)]
        made = []
        for j in range(columns):
            for offset in offsets:
                other = v.load(e.gep(at(x, j * line), "i8", offset), kind, size)
                made += [v.fma(read[i], other, sums[len(made) + i]) for i in range(rows)]
        return made

    sums = carried(f, e.const("i64", 0), f.parameter("places"), lanes, zeros, step)
    for number, total in enumerate(sums):
        i, (j, t) = number % rows, divmod(number // rows, taps)
        target = at(f.parameter("w"), i * w_row + j * w_column + t)
        before = e.select(f.parameter("first"), e.const(kind, 0.0), e.load(target, kind, size))
        e.store(e.fadd(before, v.reduce("fadd", total)), target, size)
    f.ret()
    return full


def _outer(module: Module, name: str, y: ArrayType, x: ArrayType, offsets: tuple[int, ...], length: int) -> int:
    """`void name(ptr table, i64 chunk)`, and how many chunks there are: for each group and some of the outputs."""
    (groups, outputs), channels, taps = y.shape[:2], x.shape[1], len(offsets)
    dtype = x.dtype
    kind, size, lanes = KINDS[dtype], dtype.itemsize, native_lanes(dtype.itemsize)
    y_row, line = math.prod(y.shape[2:]), math.prod(x.shape[2:])
    registers = 27 if native_lanes(1) == 64 else 12
    pieces = _ranges(taps, min(9, registers))
    most = max(b - a for a, b in pieces)
    rows = min(outputs, max(1, min(5, registers // most)))
    columns = min(channels, max(1, registers // (rows * most)))
    rows = min(outputs, max(rows, registers // (columns * most)))
    groups_of_rows = -(-outputs // rows)
    macs = groups * outputs * channels * taps * length
    wanted = max(1, min(macs // CHUNK, 4 * config.threads)) if config.threads > 1 and macs >= PARALLEL else 1
    splits = _ranges(groups_of_rows, max(1, -(-groups_of_rows * groups // wanted)))
    if any(g.name == name for g in module.functions):
        return groups * len(splits)
    strides = (y_row, line, channels * taps, taps)
    tiles = {}
    for m, _ in _cut(outputs, rows):
        for n, _ in _cut(channels, columns):
            for a, b in pieces:
                tiles[m, n, a] = _outer_tile(module, name, kind, size, m, n, b - a, lanes, strides)
    f = Function(module, name, [("ptr", "table"), ("i64", "chunk")], linkage="internal")
    e, at = Emitter(f, 1), _Address(f, kind, size)
    const = lambda n: e.const("i64", n)
    py, px, pw = (e.load(e.gep(f.parameter("table"), "ptr", const(i)), "ptr", 8) for i in range(3))
    group, split = e.udiv(f.parameter("chunk"), const(len(splits))), e.urem(f.parameter("chunk"), const(len(splits)))
    py, px, pw = (at(p, at.times(group, n)) for p, n in ((py, outputs * y_row), (px, channels * line), (pw, outputs * channels * taps)))
    bounds = f.module.table("i64", [a for a, _ in splits] + [groups_of_rows])
    low, high = (e.load(e.gep(bounds, "i64", e.iadd(split, const(d))), "i64", 8) for d in (0, 1))
    table = module.table("i64", [o * size for o in offsets])
    block = -(-min(length, max(1024, BLOCK_BYTES * 2 // (channels * size))) // lanes) * lanes

    def columns_of(m: int, o: Value, p: Value, count: Value) -> None:
        first = e.icmp("eq", p, const(0))
        y_at, w_at = at(py, e.iadd(at.times(o, y_row), p)), at(pw, at.times(o, channels * taps))

        def call(n: int, c: Value) -> None:
            for a, _ in pieces:
                x_at = at(px, e.iadd(at.times(c, line), p))
                _call(f, tiles[m, n, a], [y_at, x_at, at(at(w_at, at.times(c, taps)), a), e.gep(table, "i64", const(a)), count, first])

        def turn(i, _, n):
            call(n, at.times(i, n))
            return []

        for n, times in _cut(channels, columns):
            if n == columns:
                carried(f, const(0), const(times), 1, [], lambda i, _, n=n: turn(i, _, n))
            else:
                call(n, const(channels - n))

    def places(p: Value, _) -> list:
        count = e.smin(const(block), e.isub(const(length), p))

        def turn(i: Value, _) -> list:
            for m, _times in _cut(outputs, rows):
                if outputs % rows == 0:
                    columns_of(m, at.times(i, m), p, count)
                    continue
                whole = e.icmp("slt", i, const(outputs // rows))
                condition = whole if m == rows else e.not_(whole)
                before, then, done = f.block, f.fresh_label("then"), f.fresh_label("end")
                f.cbr(condition, then, done)
                f.label(then, dominator=before)
                columns_of(m, at.times(i, rows), p, count)
                f.br(done)
                f.label(done, dominator=before)
            return []

        carried(f, low, high, 1, [], turn)
        return []

    carried(f, const(0), const(length), block, [], places)
    f.ret()
    return groups * len(splits)
