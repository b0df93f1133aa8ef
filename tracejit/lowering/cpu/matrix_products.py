"""Products of matrices: by panels (panels.py) or by BLAS, and by several threads of the pool where there is enough to share.

OpenBLAS has threads of its own.  They look for work for 20 ms after a product, beside the pool's: with both, a training step whose loops and
products took turns was no quicker on two threads than on one (LSTM of 64 turns, 10.7 ms; with the pool alone 6.9).  So OpenBLAS is asked for one
thread while a call of it takes, and larger products are cut into a block for each thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ...config import config
from ..kernel import Buffer
from ..plan import Plan
from ..steps import Library
from . import blas, panels, register_tiles
from .counting import Count, Place, counted, where
from .emit import Emitter, Function, Value

# OpenBLAS takes one thread by itself for products of up to so many multiplications, and by a vector for fewer than so many.
ONE_THREAD, ONE_THREAD_VECTOR = 262_144, 9_216
# In a strand its number of threads is left alone, as other strands would change it too: larger products are cut into so many blocks at most.
MAX_BLOCKS = 8
# Threads share products of so many multiplications (10 us), by a vector of so many, and have so many rows or columns of the result each.
SHARED, SHARED_VECTOR, LINES = 1 << 19, 1 << 17, 16


def write(code, f: Function, step: Library, pointer: Callable[[None, Buffer], Value], plan: Plan) -> None:
    """Write a product, or a stack of them, of a plan into a function; `code` is the `program_code.ModuleCode` of the module."""
    code.kinds.add("dot")
    product, e = _Product(step), Emitter(f, 1)
    at = [e.gep(pointer(None, v.buffer), "i8", e.const("i64", v.offset * product.size)) for v in step.operands]
    at.append(pointer(None, step.result))
    share = None if plan.in_strand else product.share(config.threads)
    ways = set(map(product.by_panels, share.counts if share and not share.of_stack else [product.lines]))
    by_panels = ways == {True}
    if True in ways:
        code.kinds.add("panels")
    if not by_panels and (plan.in_strand or not blas.find().has_limit):
        product.write(f, *at, blocks=product.blocks if plan.is_body else 1)
        return
    limited = not by_panels and not (share is None and product.in_one_thread)
    if limited:
        old = f.call("blas_get_threads", "i32", [])
        f.call("blas_set_threads", "void", [e.const("i32", 1)])
    if share is None:
        product.write(f, *at)
    else:
        code.in_chunks(f, _piece(code, product, share), at, share.pieces)
    if limited:
        f.call("blas_set_threads", "void", [old])


class _Share(NamedTuple):
    """What a thread does of a product: `each` of `total` lines, or products of a stack; the last thread does what is left, a few more or fewer."""

    of_stack: bool
    total: int
    each: int

    @property
    def pieces(self) -> int:
        full, rest = divmod(self.total, self.each)
        return full + (rest > 0 if self.of_stack else rest >= LINES)

    @property
    def counts(self) -> tuple[int, int]:
        """Of the first threads, and of the last."""
        return self.each, self.total - self.each * (self.pieces - 1)


def _piece(code, product: _Product, share: _Share) -> str:
    """The function `i64 name(ptr x, ptr y, ptr out, i64 piece)` of a thread's share."""
    key = (product.key, share)
    if key not in code.products:
        labels = [("ptr", "x"), ("ptr", "y"), ("ptr", "out"), ("i64", "piece")]
        f = code.products[key] = Function(code.module, f"product{len(code.products)}", labels, "i64", linkage="internal")
        at, number = [f.parameter(name) for name in ("x", "y", "out")], Count(f, f.parameter("piece"))
        first, last, (each, rest) = number * share.each, share.pieces - 1, share.counts
        if share.of_stack:
            product.stack(f, *at, first, (first + each).smaller(share.total))
        elif rest == each:
            product.write(f, *at, first, each)
        else:
            where(f, number.compared("slt", last), lambda: product.write(f, *at, first, each))
            where(f, number.compared("eq", last), lambda: product.write(f, *at, first, rest))
        f.ret(Count(f, 0).value)
    return code.products[key].name


class _Product:
    """The product of a step. Its lines are the rows of the result, or the columns where these are more."""

    def __init__(self, step: Library):
        self.x, self.y = step.operands
        *batch, self.m, self.k = self.x.shape
        self.count, self.n = (batch or [1])[0], self.y.shape[-1]
        dtype = step.result.type.dtype
        self.kind, self.size = blas.KINDS[dtype], dtype.itemsize
        self.lines, self.work = max(self.m, self.n), self.m * self.n * self.k
        self.by_vector = min(self.m, self.n) == 1
        self.key = (self.kind, *((v.shape, v.strides) for v in step.operands))

    @property
    def in_one_thread(self) -> bool:
        """Whether OpenBLAS takes one thread by itself."""
        return self.work < ONE_THREAD_VECTOR if self.by_vector else self.work <= ONE_THREAD

    @property
    def blocks(self) -> int:
        """The number of parts that OpenBLAS takes one thread for; 1 where these would be many, or slim."""
        n = math.ceil(self.work / ONE_THREAD)
        return n if n <= MAX_BLOCKS and self.lines >= 4 * n else 1

    def share(self, threads: int) -> _Share | None:
        """How threads share it; None where one does it."""
        if self.count * self.work < (SHARED_VECTOR if self.by_vector else SHARED):
            return None
        of_stack = self.count >= threads
        total, most = (self.count, threads) if of_stack else (self.lines, min(threads, self.lines // LINES))
        each = math.ceil(total / most) if most else total
        if not of_stack and self.by_panels(self.lines):  # whole tiles, or panels
            grain = register_tiles.rows() if self.m >= self.n else panels.columns(self.kind)
            each = math.ceil(each / grain) * grain
        share = _Share(of_stack, total, each)
        return share if share.pieces > 1 else None

    def by_panels(self, lines: int) -> bool:
        """Whether so many lines are computed by panels."""
        return panels.suits(self.kind, *((lines, self.n) if self.m >= self.n else (self.m, lines)))

    def write(self, f: Function, x: Value, y: Value, out: Value, first: Count | int = 0, count: int | None = None, blocks: int = 1) -> None:
        """Write `count` lines of it from `first` on, by all products of the stack; `blocks` calls of BLAS for each."""
        count = self.lines if count is None else count
        if self.count == 1:
            self._lines(f, x, y, out, first, count, blocks)
        else:
            counted(f, 0, self.count, 1, lambda i: self._lines(f, *self._at(f, x, y, out, i), first, count, blocks))

    def stack(self, f: Function, x: Value, y: Value, out: Value, first: Count, stop: Count) -> None:
        """Write some products of the stack."""
        counted(f, first, stop, 1, lambda i: self._lines(f, *self._at(f, x, y, out, i), 0, self.lines, 1))

    def _at(self, f: Function, x: Value, y: Value, out: Value, i: Count) -> list[Value]:
        """Where the factors and the result of a product of the stack are."""
        steps = (self.x.strides[0], self.y.strides[0], self.m * self.n)
        return [(Place(f, p) + i * (step * self.size)).value for p, step in zip((x, y, out), steps)]

    def _lines(self, f: Function, x: Value, y: Value, out: Value, first: Count | int, count: int, blocks: int) -> None:
        """Write some lines of one product."""
        by_rows = self.m >= self.n
        blocks = 1 if self.by_panels(count) else blocks
        for number in range(blocks):
            start, stop = (count * b // blocks for b in (number, number + 1))
            (x_line, _), (_, y_line) = self.x.strides[-2:], self.y.strides[-2:]
            ahead = lambda p, step, start=start: (Place(f, p) + (first + start) * (step * self.size)).value
            if by_rows:
                self._matrices(f, stop - start, self.n, ahead(x, x_line), y, ahead(out, self.n))
            else:
                self._matrices(f, self.m, stop - start, x, ahead(y, y_line), ahead(out, 1))

    def _matrices(self, f: Function, m: int, n: int, x: Value, y: Value, out: Value) -> None:
        """Write m rows and n columns of one product."""
        (row, inner), (outer, column), k = self.x.strides[-2:], self.y.strides[-2:], self.k
        if not panels.suits(self.kind, m, n):
            left, right = blas.matrix(x, (m, k), (row, inner)), blas.matrix(y, (k, n), (outer, column))
            blas.product(f, self.kind, m, n, k, left, right, out, self.n)
            return
        left, right = (panels.Matrix(Place(f, p), *(s * self.size for s in v.strides[-2:])) for p, v in ((x, self.x), (y, self.y)))
        panels.write(f, self.kind, left, right, Place(f, out), self.n * self.size, m, n, k)


__all__ = ["write"]
