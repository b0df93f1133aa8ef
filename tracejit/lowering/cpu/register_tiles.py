"""Products of matrices by tiles in registers: the innermost part of convolutions whose vectors run along channels.

    m[i, :] = sum over s, k of a[rows[i] + segments[s] + k * a_step] * b[(s * length + k) * b_step, :]         (addresses in bytes)

for `lanes * VECTORS` columns.  The rows of a tile stand at places of their own, and what is summed over is several segments of equal length, so the
same code multiplies plain matrices and reads the windows of a convolution where they stand.
"""

from __future__ import annotations

from collections.abc import Callable

from .counting import Count, Place, carried, counted
from .emit import Emitter, Function, Module, Value
from .llvm import lanes as native_lanes
from .shared_code import shared

# Vectors of columns that a tile has.
VECTORS = 2


def rows() -> int:
    """Rows of a tile: 8 x 2 sums of 32 registers with AVX-512 (as fast as 12 x 2, which leaves more over at the end), 4 x 2 of 16 elsewhere."""
    return 8 if native_lanes(1) == 64 else 4


def product(module: Module, kind: str, size: int, lanes: int) -> str:
    """`void f(a, rows, tiles, segments, count, length, a_step, b, b_step, m, m_step, first)`: whole tiles of rows; the sums begin with zero (`first`)
    or with what stands in m."""
    parameters = [
        ("ptr", "a"), ("ptr", "rows"), ("i64", "tiles"), ("ptr", "segments"), ("i64", "count"), ("i64", "length"), ("i64", "a_step"),
        ("ptr", "b"), ("i64", "b_step"), ("ptr", "m"), ("i64", "m_step"), ("i1", "first"),
    ]  # fmt: skip
    return shared(module, f"panel_product_{kind}{lanes}x{rows()}", parameters, lambda f: _write_product(f, kind, size, lanes))


def _write_product(f: Function, kind: str, size: int, lanes: int) -> None:
    number = lambda label: Count(f, f.parameter(label))
    height = rows()

    def tile(i: Count) -> None:
        m = Place(f, f.parameter("m")) + i * number("m_step") * height
        table = Place(f, f.parameter("rows")) + i * (8 * height)
        lines = [Place(f, f.parameter("a")) + (table + 8 * r).number() for r in range(height)]
        _write_tile(f, kind, size, lanes, lines, m)

    counted(f, 0, number("tiles"), 1, tile)
    f.ret()


def _write_tile(f: Function, kind: str, size: int, lanes: int, lines: list[Place], m: Place) -> None:
    def segment(s: Value, values: list[Value]) -> list[Value]:
        *totals, b = values
        offset = (Place(f, f.parameter("segments")) + Count(f, s) * 8).number()
        return _added(f, kind, size, lanes, [line + offset for line in lines], totals, b)

    def added(sums: list[Value]) -> list[Value]:
        return carried(f, Count(f, 0).value, f.parameter("count"), 1, [*sums, f.parameter("b")], segment)[:-1]

    _with_sums(f, kind, size, lanes, len(lines), m, added)


def plain_product(module: Module, kind: str, size: int, lanes: int) -> str:
    """`void f(a, a_row, tiles, length, a_step, b, b_step, m, m_step, first)`: the same for rows of a that are `a_row` bytes apart, in one segment."""
    parameters = [
        ("ptr", "a"), ("i64", "a_row"), ("i64", "tiles"), ("i64", "length"), ("i64", "a_step"), ("ptr", "b"), ("i64", "b_step"), ("ptr", "m"),
        ("i64", "m_step"), ("i1", "first"),
    ]  # fmt: skip
    return shared(module, f"plain_product_{kind}{lanes}x{rows()}", parameters, lambda f: _write_plain(f, kind, size, lanes))


def _write_plain(f: Function, kind: str, size: int, lanes: int) -> None:
    number = lambda label: Count(f, f.parameter(label))

    def tile(i: Count) -> None:
        a, m = Place(f, f.parameter("a")) + i * number("a_row") * rows(), Place(f, f.parameter("m")) + i * number("m_step") * rows()
        lines = [a + number("a_row") * r for r in range(rows())]
        _with_sums(f, kind, size, lanes, len(lines), m, lambda sums: _added(f, kind, size, lanes, lines, sums, f.parameter("b"))[:-1])

    counted(f, 0, number("tiles"), 1, tile)
    f.ret()


def _with_sums(f: Function, kind: str, size: int, lanes: int, height: int, m: Place, added: Callable[[list[Value]], list[Value]]) -> None:
    """The sums of a tile, in registers: zeros go through `added`, and what comes back is written to m, or added to what stands there.

    Sums that went on where those of an earlier part ended would collect the errors of one long chain: three times as much over 3,200 terms.
    """
    v = Emitter(f, lanes)
    targets = [m + Count(f, f.parameter("m_step")) * r + j * lanes * size for r in range(height) for j in range(VECTORS)]
    totals = added([v.const(kind, 0.0) for _ in targets])
    before, go_on, written = f.block, f.fresh_label("go_on"), f.fresh_label("written")
    f.cbr(f.parameter("first"), written, go_on)
    f.label(go_on, dominator=before)
    sums = [v.fadd(v.load(t.value, kind, size), total) for t, total in zip(targets, totals)]
    f.br(written)
    f.label(written, dominator=before)
    results = [f.phi(kind, lanes) for _ in targets]
    for target, result, total, more in zip(targets, results, totals, sums):
        result.add(total, before)
        result.add(more, go_on)
        v.store(result.value, target.value, size)


def _added(f: Function, kind: str, size: int, lanes: int, starts: list[Place], totals: list[Value], b: Value) -> list[Value]:
    """The sums of a tile with the products of one segment of rows that begin at `starts`, and where b goes on."""
    e, v = Emitter(f, 1), Emitter(f, lanes)
    a_step, b_step = Count(f, f.parameter("a_step")), Count(f, f.parameter("b_step"))

    def step(k: Value, values: list[Value]) -> list[Value]:
        *totals, at, b = values
        columns = [v.load((Place(f, b) + j * lanes * size).value, kind, size) for j in range(VECTORS)]
        made = []
        for r, start in enumerate(starts):
            factor = v.splat(e.load((start + Count(f, at)).value, kind, size))
            made += [v.fma(factor, columns[j], totals[r * VECTORS + j]) for j in range(VECTORS)]
        return [*made, (Count(f, at) + a_step).value, (Place(f, b) + b_step).value]

    *totals, _, b = carried(f, e.const("i64", 0), f.parameter("length"), 1, [*totals, e.const("i64", 0), b], step)
    return [*totals, b]


__all__ = ["VECTORS", "plain_product", "product", "rows"]
