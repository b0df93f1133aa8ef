"""The IR writer: each instruction at several widths against NumPy, sharing of equal instructions, control flow."""

import ctypes

import numpy as np
import pytest

from tracejit.lowering.cpu.emit import Emitter, Function, Module, Value, literal
from tracejit.lowering.cpu.llvm import compile_module, lanes

KIND = {"f2": "half", "f4": "float", "f8": "double", "i8": "i64", "i4": "i32", "i2": "i16", "i1": "i8", "u8": "i64", "u4": "i32"}
WIDTHS = [1, 2, 4, lanes(8)]


def run(build, width, out, *inputs):
    """Compile a function of pointers whose body `build(emitter, *loaded inputs)` returns the value to store; run it on one vector."""
    module = Module()
    function = Function(module, "k", [("ptr", "out"), *(("ptr", f"x{i}") for i in range(len(inputs)))])
    e = Emitter(function, width)
    loaded = [e.load(function.parameter(f"x{i}"), KIND[x.dtype.str[1:]], x.itemsize) for i, x in enumerate(inputs)]
    result = build(e, *loaded)
    Emitter(function, result.lanes).store(result, function.parameter("out"), out.itemsize)
    function.ret()
    library = compile_module(module.text(), {}, ["k"])
    ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (1 + len(inputs)))(library.address("k"))(out.ctypes.data, *(x.ctypes.data for x in inputs))
    return out


def method(name):
    """The emitter's method of that name as a body for `run`."""
    return lambda e, *values: getattr(e, name)(*values)


FLOAT_BINARY = {
    "fadd": np.add,
    "fsub": np.subtract,
    "fmul": np.multiply,
    "fdiv": np.divide,
    "frem": np.fmod,
    "copysign": np.copysign,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "maxnum": np.fmax,
    "minnum": np.fmin,
}
FLOAT_UNARY = {"fneg": np.negative, "sqrt": np.sqrt, "floor": np.floor, "ceil": np.ceil, "ftrunc": np.trunc, "rint": np.rint, "fabs": np.abs}
INTEGER_BINARY = {
    "iadd": np.add,
    "isub": np.subtract,
    "imul": np.multiply,
    "and_": np.bitwise_and,
    "or_": np.bitwise_or,
    "xor": np.bitwise_xor,
    "smax": np.maximum,
    "smin": np.minimum,
}
SPECIAL = [np.nan, 1.5, -0.0, 0.0, np.inf, -np.inf, -2.5, 0.5]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("width", WIDTHS)
def test_float_operations(width, dtype):
    a, b = np.array(SPECIAL, dtype), np.array(SPECIAL[3:] + SPECIAL[:3], dtype)
    for start in range(0, 8, width):
        x, y = a[start : start + width].copy(), b[start : start + width].copy()
        with np.errstate(all="ignore"):
            for name, reference in FLOAT_BINARY.items():
                np.testing.assert_array_equal(run(method(name), width, np.empty_like(x), x, y), reference(x, y), name)
            for name, reference in FLOAT_UNARY.items():
                np.testing.assert_array_equal(run(method(name), width, np.empty_like(x), x), reference(x), name)
            fused = run(lambda e, p, q: e.fma(p, q, e.const(p.kind, 2)), width, np.empty_like(x), x, y)
            np.testing.assert_array_equal(fused, x * y + x.dtype.type(2))


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8"])
@pytest.mark.parametrize("width", WIDTHS)
def test_integer_operations(width, dtype):
    a, b = np.array([7, -7, 100, -100, 0, 1, -128, 127], dtype)[:width], np.array([2, 2, -3, 3, 5, -1, 7, 1], dtype)[:width]
    for name, reference in INTEGER_BINARY.items():
        np.testing.assert_array_equal(run(method(name), width, np.empty_like(a), a, b), reference(a, b), name)
    np.testing.assert_array_equal(run(method("sdiv"), width, np.empty_like(a), a, b), np.trunc(a.astype("f8") / b).astype(dtype))
    np.testing.assert_array_equal(run(method("srem"), width, np.empty_like(a), a, b), np.fmod(a, b))
    np.testing.assert_array_equal(run(method("not_"), width, np.empty_like(a), a), ~a)
    one = np.ones_like(a)
    np.testing.assert_array_equal(run(lambda e, p, q: e.ashr(e.shl(p, q), q), width, np.empty_like(a), a, one), (a << 1) >> 1)


@pytest.mark.parametrize("width", WIDTHS)
def test_conversions(width):
    x = np.array([1.75, -2.25, 3.0, -0.0, 100.5, -7.0, 8.0, 2.5])[:width]
    np.testing.assert_array_equal(run(lambda e, p: e.fptosi(p, "i32"), width, np.empty(width, "i4"), x), x.astype("i4"))
    np.testing.assert_array_equal(run(lambda e, p: e.fptrunc(p, "float"), width, np.empty(width, "f4"), x), x.astype("f4"))
    np.testing.assert_array_equal(run(lambda e, p: e.fptrunc(p, "half"), width, np.empty(width, "f2"), x), x.astype("f2"))
    np.testing.assert_array_equal(run(lambda e, p: e.fpext(e.fptrunc(p, "half"), "double"), width, np.empty(width), x), x)
    through_byte = run(lambda e, p: e.sitofp(e.trunc(e.fptosi(p, "i64"), "i8"), "double"), width, np.empty(width), x)
    np.testing.assert_array_equal(through_byte, np.trunc(x))
    np.testing.assert_array_equal(run(lambda e, p: e.bitcast(p, "i64"), width, np.empty(width, "i8"), x), x.view("i8"))
    np.testing.assert_array_equal(run(lambda e, p: e.zext(e.fcmp("olt", p, e.const("double", 0)), "i8"), width, np.empty(width, "i1"), x), x < 0)


@pytest.mark.parametrize("width", WIDTHS)
def test_reductions(width):
    x = np.array([1.5, -2.5, 1e16, 3.0, -1e16, 0.25, 7.0, 2.0])[:width]
    assert run(lambda e, p: e.reduce("maximum", p), width, np.empty(1), x) == x.max()
    assert run(lambda e, p: e.reduce("fmul", p), width, np.empty(1), x) == x.prod()
    assert run(lambda e, p: e.reduce_in_order(Value(literal("double", 1.0), "double"), p), width, np.empty(1), x) == np.cumsum([1.0, *x])[-1]
    halves = x
    while halves.size > 1:
        halves = halves[: halves.size // 2] + halves[halves.size // 2 :]
    assert run(lambda e, p: e.reduce("fadd", p), width, np.empty(1), x) == halves[0]
    x[width - 1] = np.nan
    assert np.isnan(run(lambda e, p: e.reduce("minimum", p), width, np.empty(1), x))
    assert run(lambda e, p: Emitter(e.function, 1).zext(e.any(e.fcmp("uno", p, p)), "i8"), width, np.empty(1, "i1"), x) == 1
    assert run(lambda e, p: Emitter(e.function, 1).zext(e.all(e.fcmp("uno", p, p)), "i8"), width, np.empty(1, "i1"), x) == (width == 1)


@pytest.mark.parametrize("width", WIDTHS)
def test_lanes_one_by_one(width):
    x = np.linspace(-1, 1, width)
    np.testing.assert_array_equal(run(lambda e, p: e.iota("i64"), width, np.empty(width, "i8"), x), np.arange(width))
    np.testing.assert_allclose(run(lambda e, p: e.libm("cbrt", p), width, np.empty(width), x), np.cbrt(x), rtol=1e-15)
    np.testing.assert_allclose(run(lambda e, p: e.libm("atan2", p, e.fneg(p)), width, np.empty(width), x), np.arctan2(x, -x), rtol=1e-15)
    expected = x.copy()
    expected[-1] = x[0]
    np.testing.assert_array_equal(run(lambda e, p: e.insert(p, e.extract(p, 0), width - 1), width, np.empty(width), x), expected)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("valid", [0, 1, 3])
def test_masked_memory_touches_nothing_else(width, valid):
    valid = min(valid, width)
    x, out = np.arange(8.0) + 1, np.full(8, -1.0)

    def build(e, p):
        mask = e.icmp("slt", e.iota("i64"), e.const("i64", valid))
        value = e.masked_load(e.function.parameter("x0"), "double", 8, mask, e.const("double", 0.5))
        e.masked_store(value, e.gep(e.function.parameter("out"), "double", Value(str(8 - width), "i64")), 8, mask)
        return Emitter(e.function, 1).load(e.function.parameter("out"), "double", 8)

    run(build, width, out, x)
    expected = np.full(8, -1.0)
    expected[8 - width : 8 - width + valid] = x[:valid]
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("width", WIDTHS)
def test_gather_and_scatter(width):
    x, out = np.arange(16.0), np.zeros(16)

    def build(e, p):
        mask = e.icmp("ne", e.iota("i64"), e.const("i64", 1))
        indices = e.imul(e.iota("i64"), e.const("i64", 2))
        value = e.gather(e.gep(e.function.parameter("x0"), "double", indices), "double", 8, mask, e.const("double", 0.5))
        e.scatter(value, e.gep(e.function.parameter("out"), "double", indices), 8, mask)
        return Emitter(e.function, 1).load(e.function.parameter("out"), "double", 8)

    run(build, width, out, x)
    lane = np.arange(width)
    expected = np.zeros(16)
    expected[2 * lane[lane != 1]] = 2.0 * lane[lane != 1]
    np.testing.assert_array_equal(out, expected)


def test_equal_instructions_are_written_once():
    module = Module()
    function = Function(module, "k", [("double", "a"), ("i1", "c")], "double")
    e, parameter = Emitter(function, 4), function.parameter("a")
    assert e.fadd(parameter, parameter) == e.fadd(parameter, parameter)
    first = e.fmul(e.fadd(parameter, parameter), e.const("double", 3.0))
    function.cbr(function.parameter("c"), "left", "right")
    function.label("left", dominator="entry")
    assert e.fmul(e.fadd(parameter, parameter), e.const("double", 3.0)) == first
    inner = e.fsub(first, parameter)
    function.br("right")
    function.label("right", dominator="entry")
    assert e.fsub(first, parameter) != inner  # "left" does not dominate "right"
    function.ret(e.extract(e.fsub(first, parameter), 0))
    assert module.text().count("shufflevector") == 1
    library = compile_module(module.text(), {}, ["k"])
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_bool)(library.address("k"))(2.0, True) == 10.0


def test_loop_with_phi_branch_and_alloca():
    module = Module()
    f = Function(module, "total", [("i64", "n")], "i64")
    e = Emitter(f, 1)
    slot = f.alloca("i64", 1)
    e.store(e.const("i64", 0), slot, 8)
    f.br("loop")
    f.label("loop")
    i = f.phi("i64")
    e.store(e.iadd(e.load(slot, "i64", 8), i.value), slot, 8)
    following = e.iadd(i.value, e.const("i64", 1))
    i.add(e.const("i64", 0), "entry")
    i.add(following, "loop")
    f.cbr(e.icmp("slt", following, f.parameter("n")), "loop", "done", likely=True)
    f.label("done")
    f.ret(e.load(slot, "i64", 8))
    library = compile_module(module.text(), {}, ["total"])
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(library.address("total"))(101) == 5050
    assert "total" in library.asm


def test_tables_and_imported_symbols():
    module = Module()
    f = Function(module, "k", [("i64", "i")], "double")
    e = Emitter(f, 1)
    table = module.table("double", [0.5, 1.5, 2.5])
    assert module.table("double", [0.5, 1.5, 2.5]) == table
    entry = e.load(e.gep(table, "double", f.parameter("i")), "double", 8)
    f.ret(f.call("tests_twice", "double", [entry]))
    signature = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
    twice = signature(lambda x: 2 * x)
    address = ctypes.cast(twice, ctypes.c_void_p).value
    library = compile_module(module.text(), {"tests_twice": address}, ["k"])
    assert compile_module(module.text(), {"tests_twice": address}, ["k"]) is library
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64)(library.address("k"))(2) == 5.0


def test_a_vector_of_another_width_is_refused():
    module = Module()
    e = Emitter(Function(module, "k", [("ptr", "x")]), 4)
    with pytest.raises(TypeError, match="8 lanes where 4"):
        e.fneg(Value("%x", "double", 8))


def test_double_to_half_rounds_once():
    steps = np.concatenate([np.arange(0, 0x7C00, 37, "u2"), np.arange(0x400, dtype="u2")]).view("f2").astype("f8")
    middle = (steps + np.nextafter(steps.astype("f2"), np.float16(np.inf)).astype("f8")) / 2
    x = np.concatenate([middle, np.nextafter(middle, 0), np.nextafter(middle, np.inf), -middle, [65519.9, 65520, 1e300, np.inf, -np.inf, np.nan]])
    x = np.resize(x, x.size // 8 * 8)
    with np.errstate(over="ignore"):
        for start in range(0, x.size, 8):
            part = x[start : start + 8].copy()
            np.testing.assert_array_equal(run(lambda e, p: e.fptrunc(p, "half"), 8, np.empty(8, "f2"), part), part.astype("f2"))


def test_half_literals():
    assert literal("half", 1.0) == "0xH3C00"
    x = np.array([1.5, -2.0], "f2")
    np.testing.assert_array_equal(run(lambda e, p: e.fadd(p, e.const("half", 0.5)), 2, np.empty(2, "f2"), x), x + np.float16(0.5))
