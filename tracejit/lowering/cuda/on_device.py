"""The vocabulary of kernels (device_functions.py) for the device: intrinsics of numba-cuda, each an instruction or a call of libdevice.

Intrinsics rather than functions in Python: Numba infers and lowers every function that a kernel calls, for 20 to 100 ms each, and an intrinsic
costs 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from .device_functions import WARP

try:
    from numba.cuda import cgutils
    from numba.cuda import types as nb
    from numba.cuda.extending import intrinsic
except ImportError as missing:
    raise ImportError("kernels for NVIDIA devices are compiled by numba-cuda, which is not installed: pip install 'tracejit[cuda]'") from missing

from numba import cuda

_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
_FLOATS = (nb.float32, nb.float64)


def _call(builder: ir.IRBuilder, name: str, result: ir.Type, args) -> ir.Value:
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, [a.type for a in args]), name)
    return builder.call(function, args)


def _typed(name: str, arity: int, typing: Callable, emit: Callable) -> Callable:
    """An intrinsic of `arity` arguments. `typing(*types)` is the type of the result, or None where it has none, and the types that the arguments are
    converted to; `emit(context, builder, result_type, argument_types, args)` writes it."""

    def define(typingctx, *args):
        types = typing(*map(nb.unliteral, args))
        if types is None:
            return None
        result, *converted = types

        def generate(context, builder, signature, values):
            return emit(context, builder, signature.return_type, signature.args, values)

        return result(*converted), generate

    # Numba counts the parameters of the definition.
    parameters = ", ".join("abcd"[:arity])
    scope: dict[str, Any] = {"define": define}
    exec(f"def {name}(typingctx, {parameters}): return define(typingctx, {parameters})", scope)
    return intrinsic(scope[name])


# -- floats
def _float_typing(*args):
    """All of the type of the first, which is a float32 or a float64."""
    kind = args[0]
    return (kind, *[kind] * len(args)) if kind in _FLOATS and all(isinstance(a, nb.Number) for a in args) else None


def _library(name: str, arity: int = 1, symbol: str | None = None) -> Callable:
    """A function of libdevice: `__nv_expf` of float32 and `__nv_exp` of float64."""

    def emit(context, builder, result, types, args):
        return _call(builder, f"__nv_{symbol or name}{'f' if result == nb.float32 else ''}", args[0].type, args)

    return _typed(name, arity, _float_typing, emit)


def _divide() -> Callable:
    def typing(a, b):
        return (a, a, a) if isinstance(a, nb.Float) and a == b else None

    def emit(context, builder, result, types, args):
        if result != nb.float16:
            return builder.fdiv(*args)
        wide = [context.cast(builder, a, nb.float16, nb.float32) for a in args]  # 24 bits are enough to round a quotient of 11 bits once
        return context.cast(builder, builder.fdiv(*wide), nb.float32, nb.float16)

    return _typed("divide", 2, typing, emit)


def _bitcast(name: str, source: nb.Type, target: nb.Type) -> Callable:
    def emit(context, builder, result, types, args):
        return builder.bitcast(args[0], context.get_value_type(result))

    return _typed(name, 1, lambda a: (target, source) if isinstance(a, nb.Number) else None, emit)


# -- integers
def _integer_typing(*args):
    kind = args[0]
    return (kind, *[kind] * len(args)) if all(isinstance(a, nb.Integer) for a in args) else None


def _integer(name: str, instruction: str) -> Callable:
    return _typed(name, 2, _integer_typing, lambda context, builder, result, types, args: getattr(builder, instruction)(*args))


def _unsigned_compare(name: str, predicate: str) -> Callable:
    def typing(a, b):
        return (nb.boolean, a, a) if isinstance(a, nb.Integer) and isinstance(b, nb.Integer) else None

    return _typed(name, 2, typing, lambda context, builder, result, types, args: builder.icmp_unsigned(predicate, *args))


def _extreme(name: str, predicate: str, signed: bool) -> Callable:
    def emit(context, builder, result, types, args):
        compare = builder.icmp_signed if signed else builder.icmp_unsigned
        return builder.select(compare(predicate, *args), *args)

    return _typed(name, 2, _integer_typing, emit)


def _funnel_shift() -> Callable:
    def emit(context, builder, result, types, args):
        a, b, n = args
        instruction = ir.InlineAsm(ir.FunctionType(_I32, [_I32] * 3), "shf.l.wrap.b32 $0, $1, $2, $3;", "=r,r,r,r")
        return builder.call(instruction, [b, a, n])

    def typing(a, b, n):
        return (nb.int32,) * 4 if all(isinstance(x, nb.Integer) for x in (a, b, n)) else None

    return _typed("fshl", 3, typing, emit)


def _select() -> Callable:
    def typing(condition, a, b):
        return (a, nb.boolean, a, a) if a == b else None

    return _typed("select", 3, typing, lambda context, builder, result, types, args: builder.select(*args))


# -- across lanes
def _shuffle(name: str, mode: int) -> Callable:
    """`shfl.sync` of all lanes, of the two halves where the value has 64 bits."""

    def typing(x, offset, exchange):
        number = isinstance(x, nb.Integer | nb.Float) and x.bitwidth in (32, 64)
        return (x, x, nb.int32, exchange) if number and isinstance(offset, nb.Integer) else None

    def emit(context, builder, result, types, args):
        x, offset, _ = args

        def lanes(word):
            arguments = [_I32(-1), _I32(mode), word, offset, _I32(0x1F)]
            return builder.extract_value(_call(builder, "llvm.nvvm.shfl.sync.i32", ir.LiteralStructType((_I32, _I1)), arguments), 0)

        bits = builder.bitcast(x, ir.IntType(result.bitwidth))
        if result.bitwidth == 32:
            return builder.bitcast(lanes(bits), x.type)
        low, high = lanes(builder.trunc(bits, _I32)), lanes(builder.trunc(builder.lshr(bits, _I64(32)), _I32))
        return builder.bitcast(builder.or_(builder.zext(low, _I64), builder.shl(builder.zext(high, _I64), _I64(32))), x.type)

    return _typed(name, 3, typing, emit)


# -- atomic updates
def _atomic(name: str, update: Callable) -> Callable:
    def typing(buffer, index, value):
        if not (isinstance(buffer, nb.CPointer) and isinstance(index, nb.Integer) and isinstance(value, nb.Number | nb.Boolean)):
            return None
        dtype = buffer.dtype
        return (nb.none, buffer, index, dtype) if dtype.bitwidth in (32, 64) else None

    def emit(context, builder, result, types, args):
        buffer, index, value = args
        update(builder, types[0].dtype, builder.gep(buffer, [index]), value)
        return context.get_dummy_value()

    return _typed(name, 3, typing, emit)


def _swap_until_kept(builder: ir.IRBuilder, place: ir.Value, value: ir.Value, combine: Callable) -> None:
    """Compare-and-swap of the bits, until no other thread has come between; not at all where the element would stay as it is."""
    bits = ir.IntType(64 if value.type in (ir.DoubleType(), _I64) else 32)
    words = builder.bitcast(place, bits.as_pointer())
    first, before = builder.load(words), builder.block
    loop, attempt, done = (builder.append_basic_block(label) for label in ("atomic", "atomic.swap", "atomic.done"))
    builder.branch(loop)
    builder.position_at_end(loop)
    expected = builder.phi(bits)
    expected.add_incoming(first, before)
    new = builder.bitcast(combine(builder.bitcast(expected, value.type), value), bits)
    builder.cbranch(builder.icmp_unsigned("==", new, expected), done, attempt)
    builder.position_at_end(attempt)
    found = builder.extract_value(builder.cmpxchg(words, expected, new, "monotonic", "monotonic"), 0)
    expected.add_incoming(found, attempt)
    builder.cbranch(builder.icmp_unsigned("==", found, expected), done, loop)
    builder.position_at_end(done)


def _add(builder, dtype, place, value):
    if isinstance(dtype, nb.Float):
        _call(builder, f"llvm.nvvm.atomic.load.add.f{dtype.bitwidth}.p0f{dtype.bitwidth}", value.type, [place, value])
    else:
        builder.atomic_rmw("add", place, value, "monotonic")


def _multiply(builder, dtype, place, value):
    product = builder.fmul if isinstance(dtype, nb.Float) else builder.mul
    _swap_until_kept(builder, place, value, product)


def _extreme_update(which: str) -> Callable:
    def update(builder, dtype, place, value):
        if isinstance(dtype, nb.Integer):
            builder.atomic_rmw(which if dtype.signed else f"u{which}", place, value, "monotonic")
            return

        def combine(old, new):
            wins = builder.fcmp_unordered(">" if which == "max" else "<", new, old)  # also where either is NaN
            kept = builder.fcmp_unordered("uno", old, old)
            return builder.select(kept, old, builder.select(wins, new, old))

        _swap_until_kept(builder, place, value, combine)

    return update


def _bitwise(instruction: str) -> Callable:
    return lambda builder, dtype, place, value: builder.atomic_rmw(instruction, place, value, "monotonic")


NAMES: dict[str, Any] = {
    "cuda": cuda,
    "WARP": WARP,
    **{name: getattr(nb, name) for name in "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 boolean".split()},
    "bits_f16": _bitcast("bits_f16", nb.float16, nb.int16),
    "bits_f32": _bitcast("bits_f32", nb.float32, nb.int32),
    "bits_f64": _bitcast("bits_f64", nb.float64, nb.int64),
    "float_i16": _bitcast("float_i16", nb.int16, nb.float16),
    "float_i32": _bitcast("float_i32", nb.int32, nb.float32),
    "float_i64": _bitcast("float_i64", nb.int64, nb.float64),
    **{name: _library(name) for name in "exp exp2 expm1 log log1p log2 log10 sin cos tan asin acos atan sinh cosh tanh".split()},
    **{name: _library(name) for name in "asinh acosh atanh erf erfc cbrt sqrt floor ceil trunc rint fabs".split()},
    "gammaln": _library("gammaln", symbol="lgamma"),
    "power": _library("power", 2, symbol="pow"),
    "maxnum": _library("maxnum", 2, symbol="fmax"),
    "minnum": _library("minnum", 2, symbol="fmin"),
    **{name: _library(name, 2) for name in "atan2 hypot fmod copysign".split()},
    "fma": _library("fma", 3),
    "divide": _divide(),
    **{name: _integer(name, name) for name in "sdiv srem udiv urem shl lshr ashr".split()},
    "smax": _extreme("smax", ">", True),
    "smin": _extreme("smin", "<", True),
    "umax": _extreme("umax", ">", False),
    "umin": _extreme("umin", "<", False),
    "ult": _unsigned_compare("ult", "<"),
    "ule": _unsigned_compare("ule", "<="),
    "ugt": _unsigned_compare("ugt", ">"),
    "uge": _unsigned_compare("uge", ">="),
    "fshl": _funnel_shift(),
    "select": _select(),
    "shuffle_down": _shuffle("shuffle_down", 2),
    "shuffle_xor": _shuffle("shuffle_xor", 3),
    "atomic_add": _atomic("atomic_add", _add),
    "atomic_mul": _atomic("atomic_mul", _multiply),
    "atomic_min": _atomic("atomic_min", _extreme_update("min")),
    "atomic_max": _atomic("atomic_max", _extreme_update("max")),
    "atomic_and": _atomic("atomic_and", _bitwise("and")),
    "atomic_or": _atomic("atomic_or", _bitwise("or")),
}
