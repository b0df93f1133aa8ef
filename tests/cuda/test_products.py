"""Products by cuBLASLt, over a stand-in that computes them from addresses as the library would; and what such a product takes in besides."""

import ctypes
import itertools
import types

import numpy as np
import pytest

import tracejit as tj
from tests.cuda.host_target import TARGET, check, compiled
from tests.cuda.strict_products import StrictLt
from tracejit import config
from tracejit.cuda import products
from tracejit.cuda.errors import CudaError
from tracejit.cuda.products import Factor, Products, ProductType
from tracejit.lowering.cuda.epilogues import Product
from tracejit.lowering.cuda.program import Program
from tracejit.lowering.cuda.show import show, summary


class Memory:
    """A device whose memory is the host's, by addresses."""

    def __init__(self, capability=(9, 0)):
        self.capability = capability

    current_device = staticmethod(lambda: 0)
    current_stream = staticmethod(lambda: types.SimpleNamespace(ptr=0))
    from_host = to_host = staticmethod(lambda x: np.array(x))
    empty = staticmethod(lambda shape, dtype: np.empty(shape, dtype))
    address = staticmethod(lambda x: x.ctypes.data)

    def properties(self, device):
        return {"capability": self.capability}


def library(relu_keeps_nan=True, capability=(9, 0)):
    made = Products(Memory(capability))
    made.library = StrictLt(lambda address: True, lambda: None, relu_keeps_nan)
    return made


def factor(x):
    return Factor(x.shape, tuple(s // x.itemsize for s in x.strides))


def multiplied(made, x, y, bias=None, relu=False):
    product = made.product(ProductType(x.dtype, factor(x), factor(y), bias is not None, relu))
    out, workspace = np.empty((*x.shape[:-1], y.shape[-1]), x.dtype), np.empty(max(16, product.workspace), np.uint8)
    product(*(0 if a is None else a.ctypes.data for a in (x, y, bias, out)), workspace.ctypes.data)
    return out


def random(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + (1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else 0)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("turned", [*itertools.product((False, True), (False, True))])
def test_factors_as_they_lie(dtype, turned):
    x, y = (random(s[::-1] if t else s, dtype) for s, t in zip(((3, 5), (5, 4)), turned))
    x, y = (a.T if t else a for a, t in zip((x, y), turned))
    want = x @ y
    np.testing.assert_allclose(multiplied(library(), x, y), want, rtol=1e-2 if dtype == "float16" else 1e-5, atol=1e-2)


@pytest.mark.parametrize(("x", "y"), [((1, 5), (5, 4)), ((3, 1), (1, 4)), ((3, 5), (5, 1)), ((1, 5), (5, 1)), ((1, 1), (1, 1))])
def test_vectors_are_thin_matrices(x, y):
    x, y = random(x, "float64"), random(y, "float64")
    for a, b in itertools.product((x, np.asfortranarray(x)), (y, np.asfortranarray(y))):
        np.testing.assert_allclose(multiplied(library(), a, b), x @ y)


def test_stacks_and_parts_of_larger_arrays():
    x, y = random((7, 3, 5), "float32"), random((7, 5, 4), "float32")
    np.testing.assert_allclose(multiplied(library(), x, y), x @ y, rtol=1e-5)
    np.testing.assert_allclose(multiplied(library(), x, np.broadcast_to(y[0], y.shape)), x @ y[0], rtol=1e-5)
    wide = random((7, 6, 8), "float32")
    np.testing.assert_allclose(multiplied(library(), x, wide[:, 1:, 2:6]), x @ wide[:, 1:, 2:6], rtol=1e-5)  # begins anywhere
    np.testing.assert_allclose(multiplied(library(), np.swapaxes(y, 1, 2), np.swapaxes(x, 1, 2)), np.swapaxes(x @ y, 1, 2), rtol=1e-5)


def test_what_the_library_does_not_know():
    x = random((4, 6), "float64")
    with_gaps = ProductType(x.dtype, factor(x[:, ::2]), factor(x.T[::2]))
    assert library().product(with_gaps) is None
    assert library().product(ProductType(np.dtype(np.int64), factor(x), factor(x.T))) is None
    assert library().product(ProductType(x.dtype, factor(x), factor(x.T), bias=True)) is None  # of doubles
    assert library().product(ProductType(x.dtype, Factor((0, 6), (6, 1)), factor(x.T))) is None
    missing = Products(Memory())
    missing.library = None
    assert missing.product(ProductType(x.dtype, factor(x), factor(x.T))) is None and not missing.epilogues(np.dtype(np.float32))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_biases_and_relus(dtype):
    x, y, bias = random((3, 5), dtype), random((5, 4), dtype), random(4, dtype)
    x[0, 0] = np.nan
    made = library()
    assert made.epilogues(x.dtype) == {"bias", "relu"} and not made.epilogues(np.dtype(np.float64))
    for relu in (False, True):
        want = np.maximum(x @ y + bias, 0) if relu else x @ y + bias
        np.testing.assert_allclose(multiplied(made, x, y, bias, relu), want, rtol=1e-2, atol=1e-2)
    assert library(relu_keeps_nan=False).epilogues(x.dtype) == {"bias"}


def test_fewer_bits(monkeypatch):
    x, y = random((3, 5), "float32"), random((5, 4), "float32")
    made = library()
    product = made.product(ProductType(x.dtype, factor(x), factor(y)))
    for kind, number in (("float32", 68), ("tf32", 77), ("bfloat16", 75), ("float16", 74)):
        monkeypatch.setattr(config, "cuda_products", kind)
        operation, _ = product.algorithm(16)
        assert made.library.made[operation.value]["compute"] == number
    monkeypatch.setattr(config, "cuda_products", "int8")
    with pytest.raises(ValueError, match="must be one of float32, tf32, bfloat16, float16, got 'int8'"):
        product.algorithm(16)


def test_errors_and_descriptions_that_are_given_back():
    made = library()
    product = made.product(ProductType(np.dtype(np.float32), Factor((2, 2), (2, 1)), Factor((2, 2), (2, 1))))
    with pytest.raises(CudaError, match="status 7 in cublasLtMatmul"):
        product(16, 18, 0, 32, 0)
    del product
    assert not [m for m in made.library.made.values() if "dtype" in m or "compute" in m]


def test_descriptions_by_the_library_itself():
    """Attributes and their sizes, by the real library, which describes products without a device."""
    real = products.library()
    if real is None:
        pytest.skip("cuBLASLt is not installed")
    made = Products(Memory())
    made.library = real
    made._handles[0] = ctypes.c_void_p()
    product = object.__new__(products.Product)
    product.products, product.type = made, ProductType(np.dtype(np.float32), Factor((7, 2, 3), (6, 3, 1)), Factor((7, 3, 4), (12, 4, 1)), True, True)
    product._found, product._most, product._turned = {}, 1 << 20, (False, True)
    product._a = product._matrix(products.lines(product.type.y), (7,), product.type.y)
    product._b = product._matrix(products.lines(product.type.x), (7,), product.type.x)
    product._d = product._matrix(products.Lines(4, 2, 4, False), (7,), Factor((7, 2, 4), (8, 4, 1)))
    assert product._search(68, 16) is None  # for want of a device, not of a description


# -- in programs
def steps(program):
    return [(len(s.operands) == 3, s.relu) for s in program.plan.steps if isinstance(s, Product)]


def single(*shapes):
    return [random(shape, "float32", seed) for seed, shape in enumerate(shapes)]


def test_a_layer_is_one_step():
    x, w, b = single((64, 32), (32, 48), (48,))
    program = check(lambda x, w, b: np.maximum(x @ w + b, 0), x, w, b, rtol=1e-5)
    assert steps(program) == [(True, True)] and not program.kernels
    assert summary(program) == "0 kernels; a library's product with bias and ReLU: dot_general"
    assert "# a library's product with bias and ReLU: dot_general" in show(program)
    assert steps(check(lambda x, w, b: x @ w + b, x, w, b, rtol=1e-5)) == [(True, False)]
    assert steps(check(lambda x, w: np.maximum(0, x @ w), x, w, rtol=1e-5)) == [(False, True)]
    assert steps(check(lambda x, w, b: b + x.reshape(4, 16, 32) @ w, x, w, b, rtol=1e-5)) == [(True, False)]


def test_the_slope_of_a_relu_asks_for_its_result():
    x, w, b, v = single((64, 32), (32, 48), (48,), (48, 16))

    def loss(x, w, b, v):
        return np.sum((np.maximum(x @ w + b, 0) @ v) ** 2)

    slopes = tj.grad(loss, argnums=(0, 1, 2, 3))
    program = check(slopes, x, w, b, v, rtol=1e-4)
    assert steps(program) == [(True, True)]
    relu = next(s for s in program.plan.steps if isinstance(s, Product))
    assert program.plan.partition.buffers[relu.node.outputs[0]] not in program.plan.offsets  # the product itself is not stored
    x[3, 3] = np.nan
    for got, want in zip(compiled(slopes, x, w, b, v)[1], slopes(x, w, b, v), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w, b: (x @ w, np.maximum(x @ w + b, 0)),  # the product itself is wanted
        lambda x, w, b: (np.maximum(x @ w + b, 0), np.sin(x @ w + b)),  # and so is the sum
        lambda x, w, b: x @ w + np.arange(64, dtype=np.float32)[:, None],  # not along rows
        lambda x, w, b: np.maximum(x @ w + b, 1),
        lambda x, w, b: np.sum(x @ w + b),
        lambda x, w, b: (x @ w + b).T,
        lambda x, w, b: x.astype(np.float64) @ w + b,
        lambda x, w, b: np.add.at(np.zeros((64, 48), np.float32), 0, b) or x @ w,
    ],
)
def test_what_stays_apart(f):
    program, _ = compiled(f, *single((64, 32), (32, 48), (48,)))
    assert not steps(program)


def test_a_bias_that_is_computed():
    x, w, b = single((64, 32), (32, 48), (48,))
    check(lambda x, w, b: x @ w + np.sin(b), x, w, b, rtol=1e-5)
    check(lambda x, w, b: x @ w + np.sum(x @ w, axis=0), x, w, b, rtol=1e-4)


def test_without_the_library_steps_are_apart():
    plain = type(TARGET.backend)()
    plain.epilogues = lambda dtype: frozenset()
    x, w, b = single((64, 32), (32, 48), (48,))
    graph = tj.trace(lambda x, w, b: np.maximum(x @ w + b, 0))(x, w, b)
    program = Program(graph, target=TARGET._replace(backend=plain))
    assert not steps(program) and summary(program) == "1 kernel; a library's product: dot_general"
