"""MT19937 and the draws of ops/mersenne.py in native code.

The recurrence is run on a line of 2 x 624 words: number i + 624 is made of the numbers i, i + 1 and i + 397 of the line, so no index wraps round, and
since the nearest of them lies 227 words back, vectors of 16 read nothing that is made at the same time.  624 words take 0.1 us.

The logarithms, cosines and sines of normal numbers are NumPy's own loops, and libm's, called by pointer: compiled programs draw the very numbers that
eager code draws.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Sequence
from functools import cache

import numpy as np

from ...ir import ArrayType, Node
from ...ops.mersenne import AHEAD, LENGTH, LOWER, MASK53, ROW, STATE, TWIST, UPPER
from .counting import Count, Place, call, counted, where
from .emit import Emitter, Function, Module, Value
from .pocketfft import ufunc_loop

_LANES = 16
_BYTES = STATE * 4
_POSITION = LENGTH * 4  # where it stands, in bytes
_LIBM = ("log1p", "sin", "cos")
_LOOPS = ("log", "cos", "sin")
_KINDS = {np.dtype(np.float64): "double", np.dtype(np.float32): "float"}
_ROWS = 64  # of a piece of normal numbers, for which there is room on the stack


@cache
def symbols() -> dict[str, int]:
    """The addresses of libm's functions (`libm_sin`, ...) and of the loops of NumPy's ufuncs (`numpy_sin_float`, ...)."""
    libm = ctypes.CDLL("ucrtbase") if os.name == "nt" else ctypes.CDLL(None)
    found = {f"libm_{name}": ctypes.cast(getattr(libm, name), ctypes.c_void_p).value or 0 for name in _LIBM}
    for name in _LOOPS:
        for dtype, kind in _KINDS.items():
            loop = ufunc_loop(getattr(np, name), f"{dtype.char}->{dtype.char}")
            if loop is not None:
                found[f"numpy_{name}_{kind}"], found[f"numpy_{name}_{kind}_data"] = loop
    return found


def has_routine(node: Node) -> bool:
    """Whether the functions that the node needs have been found, and there is something to draw."""
    if node.op.name == "block_normals":
        return f"numpy_sin_{_KINDS[node.outputs[0].type.dtype]}" in symbols() and node.outputs[0].type.size > 0
    return True


def work(node: Node) -> list[ArrayType]:
    """No work arrays."""
    return []


def write(f: Function, node: Node, operands: Sequence[Value], results: Sequence[Value]) -> Value:
    """Write the draw. Returns the status, always 0."""
    _DRAWS[node.op.name](f, node, [Place(f, o) for o in operands], [Place(f, r) for r in results])
    return Emitter(f, 1).const("i64", 0)


def _copy(f: Function, to: Place, at: Place, size: Count | int) -> None:
    f.module.declare("llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", "i64", "i1"])
    size = size if isinstance(size, Count) else Count(f, size)
    f.do(f"call void @llvm.memcpy.p0.p0.i64({to.value.typed}, {at.value.typed}, {size.value.typed}, i1 false)")


def _shared(module: Module, name: str, parameters: list[tuple[str, str]], make, result: str = "void") -> str:
    """A function of the module, written by `make` when it is first asked for."""
    if name not in module.shared:
        f = Function(module, name, parameters, result, attributes="noinline", linkage="internal")
        module.shared[name] = f
        make(f)
    return name


# -- words
def _words(f: Function, node: Node, operands: Sequence[Place], results: Sequence[Place]) -> None:
    (state,), (words, after), count = operands, results, node.params["count"]
    _copy(f, after, state, _BYTES)
    if count:
        call(f, _take(f.module), [after, words, count])


def _take(module: Module) -> str:
    """`void mersenne_take(ptr state, ptr words, i64 count)`: count words, at least one; the state goes on."""
    return _shared(module, "mersenne_take", [("ptr", "state"), ("ptr", "words"), ("i64", "count")], _write_take)


def _write_take(f: Function) -> None:
    e = Emitter(f, 1)
    state, words, count = Place(f, f.parameter("state")), Place(f, f.parameter("words")), Count(f, f.parameter("count"))
    place = state + _POSITION
    before, more, end = f.block, f.fresh_label("more"), f.fresh_label("end")
    f.br(more)
    f.label(more, dominator=before)
    done = f.phi("i64")
    done.add(e.const("i64", 0), before)
    empty = e.icmp("uge", e.load(place.value, "i32", 4), e.const("i32", LENGTH))

    def refill() -> None:
        call(f, _shared(f.module, "mersenne_refill", [("ptr", "state")], _write_refill), [state])
        e.store(e.const("i32", 0), place.value, 4)

    where(f, empty, refill)
    position = Count(f, e.zext(e.load(place.value, "i32", 4), "i64"))
    have = Count(f, done.value)
    part = (LENGTH - position).smaller(count - have)
    _copy(f, words + have * 4, state + position * 4, part * 4)
    e.store(e.trunc((position + part).value, "i32"), place.value, 4)
    following = have + part
    done.add(following.value, f.block)
    last = f.block
    f.cbr(following.compared("slt", count), more, end)
    f.label(end, dominator=last)
    f.ret()


def _write_refill(f: Function) -> None:
    v, state, line = Emitter(f, _LANES), Place(f, f.parameter("state")), Place(f, f.alloca("i32", 2 * LENGTH))
    at = lambda i, offset: (line + (i + offset) * 4).value
    _copy(f, line, state, LENGTH * 4)

    def turn(i: Count) -> None:
        first, second, far = (v.load(at(i, offset), "i32", 4) for offset in (0, 1, AHEAD))
        mixed = v.or_(v.and_(first, v.const("i32", UPPER)), v.and_(second, v.const("i32", LOWER)))
        odd = v.icmp("ne", v.and_(mixed, v.const("i32", 1)), v.const("i32", 0))
        twisted = v.xor(v.lshr(mixed, v.const("i32", 1)), v.select(odd, v.const("i32", TWIST), v.const("i32", 0)))
        v.store(v.xor(far, twisted), at(i, LENGTH), 4)

    counted(f, 0, LENGTH, _LANES, turn)
    _copy(f, state, line + LENGTH * 4, LENGTH * 4)
    f.ret()


# -- normal numbers, one after the other
def _normals(f: Function, node: Node, operands: Sequence[Place], results: Sequence[Place]) -> None:
    (state, kept), (numbers, after, kept_after), count = operands, results, node.params["count"]
    _copy(f, after, state, _BYTES)
    _copy(f, kept_after, kept, 8)
    name = _shared(f.module, "mersenne_normal", [("ptr", "state"), ("ptr", "kept"), ("ptr", "to")], _write_normal)
    counted(f, 0, count, 1, lambda i: call(f, name, [after, kept_after, numbers + i * 8]))


def _write_normal(f: Function) -> None:
    e = Emitter(f, 1)
    state, kept, to = (f.parameter(name) for name in ("state", "kept", "to"))
    number = e.load(kept, "double", 8)
    before, there, draw = f.block, f.fresh_label("there"), f.fresh_label("draw")
    f.cbr(e.fcmp("ord", number, number), there, draw)
    f.label(there, dominator=before)
    e.store(number, to, 8)
    e.store(e.const("double", math.nan), kept, 8)
    f.ret()
    f.label(draw, dominator=before)
    words = Place(f, f.alloca("i32", 4))
    call(f, _take(f.module), [state, words, 4])
    halves = [e.zext(_tempered(e, e.load((words + 4 * i).value, "i32", 4)), "i64") for i in range(4)]
    longs = [e.or_(e.shl(high, e.const("i64", 32)), low) for high, low in (halves[:2], halves[2:])]
    u1, u2 = (e.fmul(e.uitofp(e.and_(x, e.const("i64", MASK53)), "double"), e.const("double", 2.0**-53)) for x in longs)
    log = f.call("libm_log1p", "double", [e.fneg(u2)])
    radius, angle = e.sqrt(e.fmul(e.const("double", -2.0), log)), e.fmul(e.const("double", 2.0 * math.pi), u1)
    e.store(e.fmul(radius, f.call("libm_cos", "double", [angle])), to, 8)
    e.store(e.fmul(radius, f.call("libm_sin", "double", [angle])), kept, 8)
    f.ret()


def _tempered(e: Emitter, x: Value) -> Value:
    shift = lambda n: e.const("i32", n)
    x = e.xor(x, e.lshr(x, shift(11)))
    x = e.xor(x, e.and_(e.shl(x, shift(7)), shift(0x9D2C5680)))
    x = e.xor(x, e.and_(e.shl(x, shift(15)), shift(0xEFC60000)))
    return e.xor(x, e.lshr(x, shift(18)))


# -- normal numbers in blocks of 16
def _block_normals(f: Function, node: Node, operands: Sequence[Place], results: Sequence[Place]) -> None:
    dtype = node.outputs[0].type.dtype
    kind, size = _KINDS[dtype], dtype.itemsize
    blocks = node.outputs[0].type.size // (2 * ROW)
    name = _shared(
        f.module, f"block_normals_{kind}", [("ptr", "u"), ("ptr", "to"), ("i64", "blocks")], lambda inner: _write_blocks(inner, kind, size)
    )
    step = 2 * ROW * size
    counted(
        f, 0, blocks, _ROWS, lambda i: call(f, name, [operands[0] + i * step, results[0] + i * step, (blocks - i).smaller(_ROWS)])
    )  # fmt: skip


def _write_blocks(f: Function, kind: str, size: int) -> None:
    """Up to `_ROWS` blocks: what NumPy computes in whole passes, on pieces that stay in the first cache."""
    v, line = Emitter(f, ROW), ROW * size
    u, to, blocks = Place(f, f.parameter("u")), Place(f, f.parameter("to")), Count(f, f.parameter("blocks"))
    radius, angle, cosine, sine = (Place(f, f.alloca(kind, _ROWS * ROW)) for _ in range(4))

    def split(i: Count) -> None:
        x, y = (v.load((u + i * (2 * line) + offset).value, kind, size) for offset in (0, line))
        v.store(v.fsub(v.const(kind, 1.0), x), (radius + i * line).value, size)
        v.store(v.fmul(v.const(kind, float(_rounded(2 * math.pi, kind))), y), (angle + i * line).value, size)

    def join(i: Count) -> None:
        r, c, s = (v.load((place + i * line).value, kind, size) for place in (radius, cosine, sine))
        r = v.sqrt(v.fmul(v.const(kind, -2.0), r))
        v.store(v.fmul(r, c), (to + i * (2 * line)).value, size)
        v.store(v.fmul(r, s), (to + i * (2 * line) + line).value, size)

    counted(f, 0, blocks, 1, split)
    for name, source, target in (("log", radius, radius), ("cos", angle, cosine), ("sin", angle, sine)):
        _run_loop(f, f"numpy_{name}_{kind}", source, target, blocks * ROW, size)
    counted(f, 0, blocks, 1, join)
    f.ret()


def _rounded(x: float, kind: str) -> np.floating:
    return np.float64(x) if kind == "double" else np.float32(x)


def _run_loop(f: Function, name: str, source: Place, target: Place, count: Count, size: int) -> None:
    """Call the loop of a ufunc: `void loop(char **args, npy_intp *dimensions, npy_intp *steps, void *data)`."""
    e = Emitter(f, 1)
    f.module.declare_data(f"{name}_data")
    args, dimensions = f.alloca("ptr", 2), f.alloca("i64", 1)
    e.store(source.value, args, 8)
    e.store(target.value, e.gep(args, "ptr", e.const("i64", 1)), 8)
    e.store(count.value, dimensions, 8)
    data = Value(f"@{name}_data", "ptr") if symbols()[f"{name}_data"] else Value("null", "ptr")
    f.call(name, "void", [args, dimensions, f.module.table("i64", (size, size)), data])


# -- random order
def _shuffled(f: Function, node: Node, operands: Sequence[Place], results: Sequence[Place]) -> None:
    e, (words,), (order,), n = Emitter(f, 1), operands, results, node.outputs[0].type.size
    counted(f, 0, n, 1, lambda i: e.store(i.value, (order + i * 8).value, 8))

    def swap(i: Count) -> None:
        word = e.zext(e.load((words + i * 4).value, "i32", 4), "i64")
        j = i + Count(f, e.urem(word, (n - i).value))
        here, there = (order + i * 8).value, (order + j * 8).value
        a, b = e.load(here, "i64", 8), e.load(there, "i64", 8)
        e.store(b, here, 8)
        e.store(a, there, 8)

    counted(f, 0, n - 1, 1, swap)


_DRAWS = {"mersenne_words": _words, "mersenne_normals": _normals, "block_normals": _block_normals, "shuffled": _shuffled}
