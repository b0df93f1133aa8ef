"""Random NumPy programs: the interpreter, compiled code, nested compilation, both modes of differentiation and batching must agree on all of them.

A program is a list of steps; each applies one function of the vocabulary below to values made before.  The vocabulary is bounded and smooth where it
can be, so that values stay of ordinary size; kinks are there too, since both modes must agree at them.  A failing program prints as Python code.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tracejit as tj
from tracejit.api.recording import record_types
from tracejit.interpret import replay
from tracejit.ir.printer import to_source

LARGEST = 240  # elements of one value
SHAPES = [(), (1,), (3,), (4,), (2, 3), (3, 1), (1, 4), (4, 4), (2, 3, 4), (3, 2, 1), (17,), (5, 9)]


# ----------------------------------------------------------------------------------------------------------------------- programs
@dataclass
class Step:
    """`function` of the values numbered in `operands`; `text` is Python code for it, with the operands' names to be filled in."""

    function: Callable
    operands: tuple[int, ...]
    text: str


class Program:
    """Values are the inputs and then the results of the steps; `outputs` numbers those that are returned."""

    def __init__(self, inputs: list[np.ndarray]):
        self.inputs, self.steps, self.outputs = inputs, [], []

    def __call__(self, *inputs):
        values = list(inputs)
        for step in self.steps:
            values.append(step.function(*[values[i] for i in step.operands]))
        return tuple([values[i] for i in self.outputs])

    def __repr__(self) -> str:
        n = len(self.inputs)
        lines = [f"v{i} = np.array({x.tolist()!r}).astype({x.dtype.str!r}).reshape({x.shape})" for i, x in enumerate(self.inputs)]
        lines += [f"v{n + i} = {s.text.format(*[f'v{j}' for j in s.operands])}" for i, s in enumerate(self.steps)]
        return "\n".join([*lines, f"return {', '.join(f'v{i}' for i in self.outputs)}"])


# --------------------------------------------------------------------------------------------------------------------- vocabulary
ELEMENTWISE = [
    "np.sin({0})",
    "np.cos({0})",
    "np.tanh({0})",
    "np.arctan({0})",
    "np.exp(-{0} * {0})",
    "np.exp(np.minimum({0}, 1.0))",
    "np.log1p({0} * {0})",
    "np.log(2 + np.abs({0}))",
    "np.sqrt(1 + {0} ** 2)",
    "1 / (1 + {0} ** 2)",
    "{0} ** 3 / 10",
    "(1.5 + np.cos({0})) ** 1.7",
    "-{0}",
    "2.5 * {0} - 1",
    "3 - {0}",
    "np.abs({0})",
    "np.maximum({0}, 0.0)",
    "np.clip({0}, -1.0, 0.5)",
    "np.where({0} > 0, {0}, 0.1 * {0})",
    "np.where({0} > 0, np.log(np.abs({0}) + 0.1), {0})",
    "np.floor({0}) * 0.1",
    "np.sign({0})",
    "np.square({0}) * 0.3",
    "{0} * np.sign(np.sin(3 * {0}))",
]
PAIRS = [
    "{0} + {1}",
    "{0} - {1}",
    "{0} * {1}",
    "{0} / (1 + {1} * {1})",
    "np.maximum({0}, {1})",
    "np.minimum({0}, {1})",
    "np.where({0} > {1}, {0}, np.sin({1}))",
    "np.arctan2({0}, 1 + {1} ** 2)",
    "np.hypot({0}, 1 + {1})",
    "np.logaddexp({0}, {1})",
    "(1 + {0} ** 2) ** (0.5 * np.tanh({1}))",
]
MATRIX = [
    "{0}.T",
    "np.tril({0})",
    "np.triu({0}, 1)",
    "np.diagonal({0})",
    "np.trace({0})",
    "{0} @ {0}.T * 0.1",
    "np.einsum('...ij,...kj->...ik', {0}, {0}) * 0.1",
]
REDUCTIONS = ["sum", "mean", "max", "min", "prod", "std"]
ALONG = [
    "np.cumsum({{0}}, axis={axis}) * 0.3",
    "np.sort({{0}}, axis={axis})",
    "np.flip({{0}}, axis={axis})",
    "np.roll({{0}}, {shift}, axis={axis})",
    "np.repeat({{0}}, 2, axis={axis})",
    "np.concatenate([{{0}}, np.sin({{0}})], axis={axis})",
    "np.stack([{{0}}, {{0}} * 2], axis={axis})",
    "np.expand_dims({{0}}, {axis})",
    "np.diff({{0}}, axis={axis})",
    "np.take({{0}}, {positions}, axis={axis})",
    "np.take_along_axis({{0}}, np.argsort({{0}}, axis={axis}), axis={axis})",
    "(lambda e: e / np.sum(e, axis={axis}, keepdims=True))(np.exp({{0}} - np.max({{0}}, axis={axis}, keepdims=True)))",
    "{{0}} - np.mean({{0}}, axis={axis}, keepdims=True)",
    "np.moveaxis({{0}}, {axis}, 0)",
    "np.pad({{0}}, 1)",
    "np.argmax({{0}}, axis={axis}) * 0.5",
    "np.cumprod(np.tanh({{0}}), axis={axis})",
]


TRANSFORMED = [
    "compiled({0})",
    "tj.vmap(compiled)({0})",
    "tj.vmap(smooth, in_axes=-1)({0})",
    "tj.grad(lambda a: np.sum(compiled(a) * {0}))({0})",
    "tj.jit(tj.grad(lambda a: np.sum(smooth(a))))({0})",
    "tj.jvp(compiled, ({0},), ({0},))[1]",
    "tj.vjp(smooth, {0})[1]({0})[0]",
    "tj.linearize(compiled, {0})[1]({0})",
    "tj.stop_gradient({0}) * {0}",
    "tj.vmap(tj.grad(lambda a: np.sum(np.tanh(a * {0}))))({0})",
]


def smooth(a):
    return np.sin(a) * a + 0.1


compiled = tj.jit(smooth)
NAMES = {"np": np, "tj": tj, "smooth": smooth, "compiled": compiled}


def made(text: str, *operands: int) -> Step:
    names = ", ".join(f"a{i}" for i in range(len(operands)))
    source = text.format(*[f"a{i}" for i in range(len(operands))])
    return Step(eval(f"lambda {names}: {source}", NAMES), operands, text)


def candidates(draw, values: list[np.ndarray]) -> Iterator[Step]:
    """One step of each kind that can be applied to some of the values, in a random order of kinds."""
    kinds = draw(
        st.permutations(["elementwise", "pair", "along", "reduce", "reshape", "slice", "transpose", "matrix", "product", "broadcast", "transformed"])
    )
    number = st.integers(0, len(values) - 1)
    for kind in kinds:
        i = draw(number)
        shape = values[i].shape
        axis = draw(st.integers(-len(shape), len(shape) - 1)) if shape else 0
        if kind == "elementwise":
            yield made(draw(st.sampled_from(ELEMENTWISE)), i)
        elif kind == "pair":
            j = draw(number)
            if broadcasts(shape, values[j].shape):
                yield made(draw(st.sampled_from(PAIRS)), i, j)
        elif kind == "along" and shape and shape[axis]:
            n = shape[axis]
            positions = draw(st.lists(st.integers(-n, n - 1), min_size=1, max_size=5))
            yield made(draw(st.sampled_from(ALONG)).format(axis=axis, shift=draw(st.integers(-3, 3)), positions=positions), i)
        elif kind == "reduce" and shape:
            axes = tuple(sorted(draw(st.sets(st.integers(0, len(shape) - 1)))))
            name = draw(st.sampled_from(REDUCTIONS))
            if name == "std" and (shape[-1] == 1 or axes and len(shape) - 1 not in axes):
                name = "mean"  # of equal numbers, where a second derivative of the deviation has no meaning
            inner = "{0} + 0.1 * np.arange(" + str(shape[-1]) + ")" if name == "std" else "{0}"
            yield made(f"np.{name}({inner}, axis={axes or None}, keepdims={draw(st.booleans())})", i)
        elif kind == "reshape":
            yield made(f"np.reshape({{0}}, {draw(st.sampled_from(factorizations(values[i].size)))})", i)
        elif kind == "slice" and shape:
            parts = []
            for n in shape:
                start, stop = sorted(draw(st.tuples(st.integers(0, n), st.integers(0, n))))
                step = draw(st.sampled_from([1, 1, 2, 3]))
                parts.append(f"{start}:{stop if stop > start else n}:{step}" if draw(st.booleans()) else "::-1" if step == 2 else ":")
            if draw(st.booleans()):
                parts[0] = str(draw(st.integers(-shape[0], shape[0] - 1)))
            yield made(f"{{0}}[{', '.join(parts)}]", i)
        elif kind == "transpose" and len(shape) > 1:
            yield made(f"np.transpose({{0}}, {tuple(draw(st.permutations(range(len(shape)))))})", i)
        elif kind == "matrix" and len(shape) == 2:
            yield made(draw(st.sampled_from(MATRIX)), i)
        elif kind == "product":
            pairs = [(a, b) for a, b in itertools.product(range(len(values)), repeat=2) if multiplies(values[a].shape, values[b].shape)]
            if pairs:
                yield made("np.matmul({0}, {1}) * 0.2", *draw(st.sampled_from(pairs)))
        elif kind == "transformed" and shape:
            yield made(draw(st.sampled_from(TRANSFORMED)), i)
        elif kind == "broadcast" and 1 in shape or not shape:
            yield made(f"np.broadcast_to({{0}}, {tuple(3 if n == 1 else n for n in shape) or (2,)})", i)


def broadcasts(a: tuple, b: tuple) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1]))


def multiplies(a: tuple, b: tuple) -> bool:
    return 0 < len(a) <= 3 and 0 < len(b) <= 3 and a[-1] == b[-2 if len(b) > 1 else 0] and broadcasts(a[:-2], b[:-2])


def factorizations(size: int) -> list[tuple[int, ...]]:
    found = [(size,), (1, size)] + [(d, size // d) for d in range(2, size + 1) if size % d == 0]
    return found + [(2, size // 4, 2)] if size % 4 == 0 and size else found


def ordinary(x: np.ndarray) -> bool:
    return 0 < x.size <= LARGEST and x.dtype.kind == "f" and bool(np.all(np.isfinite(x))) and bool(np.all(np.abs(x) < 50))


@st.composite
def programs(draw, most: int = 10):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    program = Program([rng.standard_normal(shape).round(3) for shape in draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3))])
    values = list(program.inputs)
    for _ in range(draw(st.integers(1, most))):
        for step in candidates(draw, values):
            with np.errstate(all="ignore"):
                value = np.asarray(step.function(*[values[i] for i in step.operands]))
            if ordinary(value):
                program.steps.append(step)
                values.append(value)
                break
    assume(program.steps)
    first = len(program.inputs)
    program.outputs = [len(values) - 1, *draw(st.lists(st.integers(first, len(values) - 1), max_size=2))]
    return program


def quick(examples: int):
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def thorough(examples: int):
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


# ---------------------------------------------------------------------------------------------------------------------- agreement
def close(got, want, what: str, rtol: float = 1e-9) -> None:
    for a, b in zip(got, want, strict=True):
        assert np.shape(a) == np.shape(b) and np.asarray(a).dtype == np.asarray(b).dtype, f"{what}: {np.asarray(a).dtype}{np.shape(a)}"
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol, err_msg=what)


def inner(a, b) -> float:
    return math.fsum(float(np.sum(np.asarray(x) * y)) for x, y in zip(a, b))


def terms(a, b) -> float:
    return sum(float(np.sum(np.abs(np.asarray(x) * y))) for x, y in zip(a, b)) + 1e-3


def directions(like) -> list:
    rng = np.random.default_rng(1)
    return [np.asarray(rng.standard_normal(np.shape(x)))[()] for x in like]


def check_values(program: Program) -> None:
    want = program(*program.inputs)
    made = record_types(program, "trace", tuple(program.inputs), {})
    everything = [*program.inputs, *made.outside]
    close(replay(made.graph, everything), want, "interpreter")
    space = {}
    exec(to_source(made.graph), space)
    printed = space["f"](*everything)
    close(printed if len(want) > 1 else [printed], want, "printed source")
    compiled = tj.jit(program)
    close(compiled(*program.inputs), want, "jit")
    close(compiled(*program.inputs), want, "jit, second call")
    close(compiled(*[np.asfortranarray(x)[::-1][::-1] if x.ndim else x for x in program.inputs]), want, "jit on strided arrays")
    close(tj.jit(lambda *xs: compiled(*xs))(*program.inputs), want, "jit of jit")


def check_modes(program: Program) -> None:
    out = program(*program.inputs)
    v, u = directions(program.inputs), directions(out)
    moved = tj.jvp(program, program.inputs, v)[1]
    back = tj.vjp(program, *program.inputs)[1](tuple(u))
    slack = 1e-9 * (terms(u, moved) + terms(back, v))
    assert abs(inner(u, moved) - inner(back, v)) <= slack, "forward and reverse mode differ"
    close(tj.jit(lambda xs, v: tj.jvp(program, xs, v)[1])(program.inputs, v), moved, "jit of jvp")
    close(tj.jvp(tj.jit(program), program.inputs, v)[1], moved, "jvp of jit")
    close(tj.linearize(program, *program.inputs)[1](*v), moved, "linearize")
    close(tj.jit(lambda xs, u: tj.vjp(program, *xs)[1](u))(program.inputs, tuple(u)), back, "jit of vjp")
    close(tj.vjp(tj.jit(program), *program.inputs)[1](tuple(u)), back, "vjp of jit")


def check_second_order(program: Program) -> None:
    def number(*xs):
        return np.sum(np.sin(program(*xs)[0]))

    everything = tuple(range(len(program.inputs)))
    gradient = tj.grad(number, everything)
    v, w = directions(program.inputs), directions(program.inputs)[::1]
    forward = tj.jvp(gradient, program.inputs, v)[1]
    reverse = tj.vjp(gradient, *program.inputs)[1](tuple(v))
    slack = 1e-7 * (terms(forward, w) + terms(reverse, w))
    assert abs(inner(forward, w) - inner(reverse, w)) <= slack, "second derivatives differ"
    compiled = tj.jit(lambda xs, v: tj.jvp(tj.grad(number, everything), xs, v)[1])(tuple(program.inputs), tuple(v))
    close(compiled, forward, "jit of jvp of grad", rtol=1e-7)


def check_batching(program: Program) -> None:
    rng = np.random.default_rng(2)
    several = [np.stack([x + 0.01 * rng.standard_normal(x.shape) for _ in range(3)]) for x in program.inputs]
    want = [np.stack(r) for r in zip(*[program(*[x[k] for x in several]) for k in range(3)])]
    close(tj.vmap(program)(*several), want, "vmap")
    close(tj.jit(tj.vmap(program))(*several), want, "jit of vmap")
    close(tj.vmap(tj.jit(program))(*several), want, "vmap of jit")
    shared = [several[0], *program.inputs[1:]]
    axes = (0,) + (None,) * (len(shared) - 1)
    want = [np.stack(r) for r in zip(*[program(several[0][k], *shared[1:]) for k in range(3)])]
    close(tj.vmap(program, in_axes=axes)(*shared), want, "vmap over the first argument")

    def slope(*xs):
        return tj.grad(lambda *ys: np.sum(np.sin(program(*ys)[0])), tuple(range(len(xs))))(*xs)

    want = [np.stack(r) for r in zip(*[slope(*[x[k] for x in several]) for k in range(3)])]
    close(tj.vmap(slope)(*several), want, "vmap of grad")


@quick(60)
@given(programs())
def test_values(program):
    check_values(program)


@quick(40)
@given(programs())
def test_forward_and_reverse(program):
    check_modes(program)


@quick(25)
@given(programs(most=6))
def test_second_order(program):
    check_second_order(program)


@quick(25)
@given(programs(most=6))
def test_batching(program):
    check_batching(program)


@pytest.mark.slow
@thorough(1000)
@given(programs(most=25))
def test_many(program):
    check_values(program)
    check_modes(program)


@pytest.mark.slow
@thorough(400)
@given(programs(most=12))
def test_many_nested(program):
    check_second_order(program)
    check_batching(program)


# ------------------------------------------------------------------------------------------------------------------------- dtypes
DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]
ANY_DTYPE = ["{0} + {1}", "{0} * {1}", "np.maximum({0}, {1})", "{0} > {1}", "{0} == {1}", "np.where({0} > {1}, {0}, {1})", "np.logical_xor({0}, {1})"]
WHOLE = [
    "{0} & {1}",
    "{0} | {1}",
    "{0} ^ {1}",
    "{0} // {1}",
    "{0} % {1}",
    "{0} << {1}",
    "{0} >> {1}",
    "np.invert({0})",
    "{0} - {1}",
    "np.fmod({0}, {1})",
    "-{0}",
]
ONE = [
    "np.sum({0}, axis=-1)",
    "np.max({0}, axis=0)",
    "np.cumsum({0}, axis=0)",
    "{0}[::-1]",
    "np.prod({0}, axis=0)",
    "np.argmin({0}, axis=-1)",
    "np.any({0})",
    "np.abs({0})",
    "np.sign({0})",
    "np.mean({0})",
    "{0}.T",
    "np.concatenate([{0}, {0}], axis=0)",
    "np.sort({0}, axis=0)",
    "np.square({0})",
]


@st.composite
def dtype_programs(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = [(5,), (3, 5), (1,), (), (3, 1)]
    inputs = []
    for _ in range(draw(st.integers(1, 3))):
        dtype, shape = np.dtype(draw(st.sampled_from(DTYPES))), draw(st.sampled_from(shapes))
        if dtype.kind in "iu" and draw(st.booleans()):
            x = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
        else:
            x = (rng.standard_normal(shape) * 3).astype(np.int8 if dtype.kind == "u" else float).astype(dtype)
        inputs.append(np.asarray(x))
    program, values = Program(inputs), list(inputs)
    for _ in range(draw(st.integers(1, 8))):
        i, j = draw(st.integers(0, len(values) - 1)), draw(st.integers(0, len(values) - 1))
        text = draw(
            st.sampled_from([*ANY_DTYPE, *WHOLE, *ONE, f"{{0}}.astype('{draw(st.sampled_from(DTYPES))}')", "{0} * 3", "{0} + 2.5", "7 - {0}"])
        )
        if "astype" in text and values[i].dtype.kind == "f":
            continue  # what does not fit is unspecified
        step = made(text, *((i, j) if "{1}" in text else (i,)))
        try:
            with np.errstate(all="ignore"):
                value = np.asarray(step.function(*[values[k] for k in step.operands]))
        except (TypeError, ValueError, IndexError):
            continue
        if value.size <= LARGEST and value.dtype.kind in "biuf":
            program.steps.append(step)
            values.append(value)
    assume(program.steps)
    program.outputs = list(range(len(inputs), len(values)))
    return program


def check_dtypes(program: Program) -> None:
    with np.errstate(all="ignore"):
        want = program(*program.inputs)
        got = tj.jit(program)(*program.inputs)
        made = record_types(program, "trace", tuple(program.inputs), {})
        interpreted = replay(made.graph, [*program.inputs, *made.outside])
    for a, b, c in zip(got, interpreted, want, strict=True):
        a, b, c = np.asarray(a), np.asarray(b), np.asarray(c)
        assert a.dtype == b.dtype == c.dtype and a.shape == b.shape == c.shape
        rtol = {"f2": 4e-3, "f4": 4e-6, "f8": 1e-13}.get(c.dtype.str[1:], 0)
        np.testing.assert_allclose(b, c, rtol=rtol, atol=0, err_msg="interpreter")
        np.testing.assert_allclose(a, c, rtol=rtol, atol=0, err_msg="jit")


@quick(80)
@given(dtype_programs())
def test_dtypes(program):
    check_dtypes(program)


@pytest.mark.slow
@thorough(1500)
@given(dtype_programs())
def test_many_dtypes(program):
    check_dtypes(program)
