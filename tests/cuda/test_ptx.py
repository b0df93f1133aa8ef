"""Every family of kernels as PTX and machine code for two architectures: no GPU is needed."""

import re

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.cuda.assemble import assemble, by_ptxas, tool
from tracejit.lowering.cuda.plan import CudaPlan
from tracejit.lowering.cuda.schedule import DEVICE
from tracejit.scipy.special import ndtr

rng = np.random.default_rng(0)


def numbers(*shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm(x, gain, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gain + bias


def gelu(x):
    return 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))


def black_scholes(spot, strike, time):
    d = (np.log(spot / strike) + 0.52 * time) / (0.2 * np.sqrt(time))
    return spot * ndtr(d) - strike * np.exp(-0.02 * time) * ndtr(d - 0.2 * np.sqrt(time))


def rotation(x):
    def step(state, t):
        return state + 0.01 * np.stack([state[1], -state[0] * t]), state[0]

    return tj.scan(step, x, np.arange(5.0))


def newton(x):
    return tj.while_loop(lambda y: (abs(y * y - x) > 1e-9).any(), lambda y: 0.5 * (y + x / y), x)


def cell(w, h, xs):
    return tj.scan(lambda h, x: (np.tanh(w @ h + x), h.sum()), h, xs)


def branching(x, ways):
    return tj.scan(lambda h, way: (tj.switch(way, [lambda h: h + 1, lambda h: h * h.sum(), np.sin], h), h), x, ways)


def settling(x, xs):
    step = lambda h, x: (tj.while_loop(lambda h: (h * h).sum() > 1, lambda h: h * np.float32(0.7), h + x), h)
    return tj.scan(step, x, xs)


def total(f):
    return lambda *args: sum((y * y).sum() for y in f(*args))


X, GAIN, BIAS = numbers(24, 96), numbers(96), numbers(96)
PLACES = np.array([3, 5, 3, 0, 23, 5])

PROGRAMS = {
    "elementwise": (gelu, (X,)),
    "elementwise of doubles": (gelu, (numbers(7, 33, dtype=np.float64),)),
    "elementwise of halves": (lambda x: x * 2 + np.exp(x), (numbers(40, dtype=np.float16),)),
    "complex numbers": (lambda x: np.exp(x) * x.conj() / (x + 2), (numbers(33, dtype=np.complex64) + 1j * numbers(33),)),
    "integers": (lambda x, y: (x // 7 + x % 5 ^ y << 2) >> 1, (rng.integers(-90, 90, 70), rng.integers(0, 9, 70))),
    "booleans": (lambda x: (x > 0) & (x < 1) | np.isnan(x), (X,)),
    "unsigned numbers": (lambda x: x * np.uint32(2654435761) >> np.uint32(7), (rng.integers(0, 2**32, 50, np.uint32),)),
    "gradient of a formula": (tj.grad(lambda s: black_scholes(s, 1.1, 0.7).sum()), (np.abs(numbers(64, dtype=np.float64)) + 0.5,)),
    "broadcast": (lambda x, y: x[:, None] * y + y, (numbers(31), numbers(17))),
    "transpose": (lambda x: np.ascontiguousarray(x.T) * 2, (numbers(70, 45),)),
    "short rows": (lambda x: x.sum(1), (numbers(300, 3),)),
    "rows by warps": (softmax, (X,)),
    "gradient of rows": (tj.grad(lambda x: (softmax(x) ** 2).sum()), (X,)),
    "long rows": (softmax, (numbers(3, 1500),)),
    "normalisation": (layer_norm, (X, GAIN, BIAS)),
    "gradient of a normalisation": (tj.grad(lambda x, g, b: (layer_norm(x, g, b) ** 3).sum(), argnums=(0, 1, 2)), (X, GAIN, BIAS)),
    "columns": (lambda x: x.sum(0), (numbers(500, 9),)),
    "sum of everything": (lambda x: (x * x).sum(), (numbers(30000),)),
    "largest of everything": (lambda x: (x.max(), x.argmax()), (numbers(20000, dtype=np.float64),)),
    "variance": (lambda x: x.var(axis=(0, 2)), (numbers(5, 6, 40),)),
    "gather": (lambda x, i: x[i] * 2, (X, PLACES)),
    "scatter": (tj.grad(lambda x, i: (x[i] ** 2).sum()), (X, PLACES)),
    "random numbers": (lambda seed: tj.random.normal(tj.random.key(seed), (200,)), (np.int64(3),)),
    "scan": (rotation, (numbers(2, dtype=np.float64),)),
    "scans side by side": (tj.vmap(rotation), (numbers(30, 2, dtype=np.float64),)),
    "recurrent cell": (cell, (numbers(48, 48), numbers(48), numbers(5, 48))),
    "gradient of a recurrent cell": (tj.grad(total(cell), argnums=(0, 1, 2)), (numbers(48, 48), numbers(48), numbers(5, 48))),
    "examples of a recurrent cell": (tj.vmap(cell, in_axes=(None, 0, 0)), (numbers(48, 48), numbers(7, 48), numbers(7, 5, 48))),
    "branches in a scan": (branching, (numbers(40), PLACES)),
    "a while loop in a scan": (settling, (numbers(40), numbers(5, 40))),
    "the way back through it": (tj.grad(total(settling), argnums=(0, 1)), (numbers(40), numbers(5, 40))),
    "the way back of rows": (tj.vmap(tj.grad(newton)), (np.abs(numbers(80, dtype=np.float64)) + 1,)),
    "while": (newton, (np.abs(numbers(9, dtype=np.float64)) + 1,)),
}


@pytest.mark.parametrize("cc", [(8, 0), (9, 0)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_family(name, cc):
    f, args = PROGRAMS[name]
    kernels = CudaPlan(tj.jit(f).graph(*args), geometry=DEVICE).kernels.values()
    assert kernels
    for kernel in dict.fromkeys(kernels):
        made = assemble(kernel.source, "kernel", [(p.dtype, "value" if p.by_value else "pointer") for p in kernel.parameters], cc=cc)
        assert not re.search(r"\.(approx|ftz)\b", made.ptx)
        doubles = "float64" in kernel.source or any(p.dtype == np.float64 for p in kernel.parameters)
        if not doubles and "far_" not in made.ptx:  # which reduces huge angles in double
            assert ".f64" not in made.ptx
        if tool("ptxas") is not None:
            _, log = by_ptxas(made.ptx, cc, ["-v"])
            assert not re.search(r"[1-9]\d* bytes spill", log), log
