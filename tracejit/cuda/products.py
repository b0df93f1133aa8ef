"""Products of matrices by cuBLASLt: in fewer bits if wanted, transposed or not, in stacks, and with a bias and a ReLU added while they are written.

    product = products.product(ProductType(dtype, x, y, bias=True, relu=True))
    product(x_address, y_address, bias_address, out_address, workspace_address)     # in the current stream

The library is that of CuPy's extra `ctk`, or of a CUDA toolkit, called by ctypes.  It counts matrices by columns: what is computed there is the
transposed product, y^T x^T, whose factors are the same memory.

Reference: NVIDIA, "cuBLAS Library", chapter "Using the cuBLASLt API"; the numbers below are those of cublasLt.h, cublas_api.h and library_types.h.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..config import config
from ..errors import at_user_line
from .errors import CudaError

_TYPES = {"e": 2, "f": 0, "d": 1, "F": 4, "D": 5}  # cudaDataType
_SCALES = {"e": (0, ctypes.c_float), "f": (0, ctypes.c_float), "d": (1, ctypes.c_double), "F": (4, ctypes.c_float), "D": (5, ctypes.c_double)}
_COMPUTE = {"e": 68, "f": 68, "d": 70, "F": 68, "D": 70}  # cublasComputeType_t: 32F and 64F
_FEWER_BITS = {"float32": 68, "tf32": 77, "bfloat16": 75, "float16": 74}
_TRANSA, _TRANSB, _EPILOGUE, _BIAS_POINTER = 3, 4, 7, 8  # of a product
_BATCH_COUNT, _BATCH_STRIDE = 5, 6  # of a matrix
_MAX_WORKSPACE, _ALIGNMENT_OF_A = 1, 5  # of a preference; those of B, C and D follow
_WITH = {(False, False): 1, (False, True): 2, (True, False): 4, (True, True): 6}  # epilogues, by bias and ReLU
# What NVIDIA advises for Hopper, and for the architectures before it.
WORKSPACE, SMALL_WORKSPACE = 32 << 20, 4 << 20
ALIGNMENT = 16  # bytes, of the addresses that are expected: arrays of pools, and the temporaries of a program


class Factor(NamedTuple):
    """A matrix, or a stack of them, in steps of elements."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]


class ProductType(NamedTuple):
    """x @ y, of two matrices or two stacks of them, into memory without gaps; `bias` has a number for each column."""

    dtype: np.dtype
    x: Factor
    y: Factor
    bias: bool = False
    relu: bool = False


class Lines(NamedTuple):
    """A matrix as the library sees it: lines of `length` numbers, `count` of them, `step` apart; `turned` where the factor is its transpose's."""

    length: int
    count: int
    step: int
    turned: bool


def lines(factor: Factor) -> Lines | None:
    """The rows of a matrix as lines, or its columns; None where neither is without gaps.

    >>> lines(Factor((2, 3), (3, 1))), lines(Factor((2, 3), (1, 2)))
    (Lines(length=3, count=2, step=3, turned=False), Lines(length=2, count=3, step=2, turned=True))
    """
    (rows, columns), (down, across) = factor.shape[-2:], factor.strides[-2:]
    if (across == 1 or columns == 1) and (rows == 1 or down >= columns):
        return Lines(columns, rows, max(columns, down if rows > 1 else 0), False)
    if (down == 1 or rows == 1) and (columns == 1 or across >= rows):
        return Lines(rows, columns, max(rows, across if columns > 1 else 0), True)
    return None


def library() -> Any:
    """The library; None where there is none."""
    try:
        from cuda.pathfinder import DynamicLibNotFoundError, load_nvidia_dynamic_lib
    except ImportError:
        return None
    try:
        return ctypes.CDLL(load_nvidia_dynamic_lib("cublasLt").abs_path)
    except (DynamicLibNotFoundError, OSError):
        return None


class _Found(ctypes.Structure):
    """A cublasLtMatmulHeuristicResult_t."""

    _fields_ = [
        ("algorithm", ctypes.c_uint64 * 8),
        ("workspace", ctypes.c_size_t),
        ("state", ctypes.c_int),
        ("waves", ctypes.c_float),
        ("reserved", ctypes.c_int * 4),
    ]


class Products:
    """The products of one process, on the devices of a backend."""

    def __init__(self, backend: Any):
        self.backend = backend
        self._handles: dict[int, ctypes.c_void_p] = {}
        self._epilogues: dict[tuple[int, str], frozenset[str]] = {}

    @cached_property
    def library(self) -> Any:
        return library()

    def handle(self) -> ctypes.c_void_p:
        """That of the current device."""
        device = self.backend.current_device()
        if device not in self._handles:
            made = ctypes.c_void_p()
            self.call("cublasLtCreate", ctypes.byref(made))
            self._handles[device] = made
        return self._handles[device]

    def call(self, name: str, *args: Any) -> None:
        status = getattr(self.library, name)(*args)
        if status:
            raise CudaError(at_user_line(f"cuBLASLt reports status {status} in {name} (cublas_api.h says what it means)"))

    def product(self, type_: ProductType) -> Product | None:
        """None where the library is missing, or does not know such a product."""
        char = type_.dtype.char
        if char not in _TYPES or self.library is None or 0 in (*type_.x.shape, *type_.y.shape) or not (lines(type_.x) and lines(type_.y)):
            return None
        made = Product(self, type_)
        return made if made.algorithm(ALIGNMENT) is not None else None

    def epilogues(self, dtype: np.dtype) -> frozenset[str]:
        """What can be done to a product of this dtype while it is written: "bias", "relu".

        A ReLU must keep NaN, as `np.maximum` does, which the library does not promise; so each device is asked once.
        """
        key = self.backend.current_device(), dtype.char
        if dtype.char not in "ef" or self.library is None:
            return frozenset()
        if key not in self._epilogues:
            self._epilogues[key] = self._asked(dtype)
        return self._epilogues[key]

    def _asked(self, dtype: np.dtype) -> frozenset[str]:
        n = 16
        x = np.eye(n, dtype=dtype)
        x[0, 0] = np.nan
        bias = np.linspace(-1, 1, n).astype(dtype)
        found = set()
        for name, relu in (("bias", False), ("relu", True)):
            product = self.product(ProductType(dtype, Factor((n, n), (n, 1)), Factor((n, n), (n, 1)), True, relu))
            if product is None:
                continue
            home = self.backend
            given = [home.from_host(a) for a in (x, np.eye(n, dtype=dtype), bias)]
            out, workspace = home.empty((n, n), dtype), home.empty((max(1, product.workspace),), np.dtype(np.uint8))
            product(*map(home.address, (*given, out, workspace)))
            want = x @ np.eye(n, dtype=dtype) + bias
            if np.array_equal(home.to_host(out), np.maximum(want, 0) if relu else want, equal_nan=True):
                found.add(name)
        return frozenset(found)


class Product:
    """A product of one type. `workspace` is how many bytes of it a call needs, whatever `config.cuda_products` says then."""

    def __init__(self, products: Products, type_: ProductType):
        self.products, self.type = products, type_
        batch = type_.x.shape[:-2]
        y, x = lines(type_.y), lines(type_.x)
        rows, columns = type_.x.shape[-2], type_.y.shape[-1]
        self._a, self._b = self._matrix(y, batch, type_.y), self._matrix(x, batch, type_.x)
        self._d = self._matrix(Lines(columns, rows, columns, False), batch, Factor((*batch, rows, columns), (rows * columns, columns, 1)))
        self._turned = y.turned, x.turned
        scale = _SCALES[type_.dtype.char][1]
        self._one, self._zero = (scale * 2)(1, 0), (scale * 2)(0, 0)
        self._bias = ctypes.c_void_p()
        self._lock = threading.Lock()  # from setting the address of the bias to its use
        self._found: dict[tuple[int, int, int], tuple[Any, _Found] | None] = {}
        capability = products.backend.properties(products.backend.current_device())["capability"]
        self._most = WORKSPACE if capability >= (9, 0) else SMALL_WORKSPACE
        first = self.algorithm(ALIGNMENT)
        self.workspace = self._most = first[1].workspace if first else 0

    def __call__(self, x: int, y: int, bias: int, out: int, workspace: int) -> None:
        """Queue it, for arrays at these addresses; `bias` is 0 where there is none."""
        alignment = ALIGNMENT if not (x | y | out | bias) % ALIGNMENT else self.type.dtype.itemsize
        made = self.algorithm(alignment)
        if made is None:
            raise CudaError(at_user_line(f"cuBLASLt has no way to compute {self.type} with {self._most} bytes of workspace"))
        operation, found = made
        products, address = self.products, ctypes.c_void_p
        with self._lock:
            if self.type.bias:
                self._set("cublasLtMatmulDescSetAttribute", operation, _BIAS_POINTER, address(bias))
            products.call(
                "cublasLtMatmul", products.handle(), operation, ctypes.byref(self._one), address(y), self._a, address(x), self._b,
                ctypes.byref(self._zero), address(out), self._d, address(out), self._d, ctypes.byref(found.algorithm), address(workspace),
                ctypes.c_size_t(found.workspace), address(products.backend.current_stream().ptr),
            )  # fmt: skip

    def algorithm(self, alignment: int) -> tuple[Any, _Found] | None:
        """The description of the product for the library, and what it found best, for addresses that are multiples of `alignment`."""
        kind = config.cuda_products
        if kind not in _FEWER_BITS:
            raise ValueError(at_user_line(f"config.cuda_products must be one of {', '.join(_FEWER_BITS)}, got {kind!r}"))
        char = self.type.dtype.char
        compute = _FEWER_BITS[kind] if char == "f" or char == "F" and kind == "tf32" else _COMPUTE[char]
        key = self.products.backend.current_device(), compute, alignment
        if key not in self._found:
            self._found[key] = self._search(compute, alignment)
        return self._found[key]

    def _search(self, compute: int, alignment: int) -> tuple[Any, _Found] | None:
        products = self.products
        operation, preference = ctypes.c_void_p(), ctypes.c_void_p()
        products.call("cublasLtMatmulDescCreate", ctypes.byref(operation), compute, _SCALES[self.type.dtype.char][0])
        for attribute, turned in zip((_TRANSA, _TRANSB), self._turned):
            self._set("cublasLtMatmulDescSetAttribute", operation, attribute, ctypes.c_int32(int(turned)))
        self._set("cublasLtMatmulDescSetAttribute", operation, _EPILOGUE, ctypes.c_uint32(_WITH[self.type.bias, self.type.relu]))
        if self.type.bias:  # the search looks at its alignment
            self._set("cublasLtMatmulDescSetAttribute", operation, _BIAS_POINTER, ctypes.c_void_p(alignment))
        products.call("cublasLtMatmulPreferenceCreate", ctypes.byref(preference))
        self._set("cublasLtMatmulPreferenceSetAttribute", preference, _MAX_WORKSPACE, ctypes.c_uint64(self._most))
        for k in range(4):
            self._set("cublasLtMatmulPreferenceSetAttribute", preference, _ALIGNMENT_OF_A + k, ctypes.c_uint32(alignment))
        found, count = _Found(), ctypes.c_int()
        status = products.library.cublasLtMatmulAlgoGetHeuristic(
            products.handle(), operation, self._a, self._b, self._d, self._d, preference, 1, ctypes.byref(found), ctypes.byref(count)
        )
        products.call("cublasLtMatmulPreferenceDestroy", preference)
        if status or not count.value or found.state:
            products.call("cublasLtMatmulDescDestroy", operation)
            return None
        return operation, found

    def _matrix(self, at: Lines, batch: tuple[int, ...], factor: Factor) -> ctypes.c_void_p:
        made = ctypes.c_void_p()
        sizes = ctypes.c_uint64(at.length), ctypes.c_uint64(at.count), ctypes.c_int64(at.step)
        self.products.call("cublasLtMatrixLayoutCreate", ctypes.byref(made), _TYPES[self.type.dtype.char], *sizes)
        if batch:
            self._set("cublasLtMatrixLayoutSetAttribute", made, _BATCH_COUNT, ctypes.c_int32(batch[0]))
            self._set("cublasLtMatrixLayoutSetAttribute", made, _BATCH_STRIDE, ctypes.c_int64(factor.strides[0]))
        return made

    def _set(self, name: str, of: ctypes.c_void_p, attribute: int, value: Any) -> None:
        self.products.call(name, of, attribute, ctypes.byref(value), ctypes.c_size_t(ctypes.sizeof(value)))

    def __del__(self) -> None:
        library = self.products.library
        for matrix in (self._a, self._b, self._d):
            library.cublasLtMatrixLayoutDestroy(matrix)
        for made in filter(None, self._found.values()):
            library.cublasLtMatmulDescDestroy(made[0])


__all__ = ["Factor", "Lines", "Product", "ProductType", "Products", "library", "lines"]
