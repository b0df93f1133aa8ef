"""One row for every operation: what the grid applies it to. An op without a row fails `test_every_op_has_a_row`."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracejit.ir import ArrayType, Builder, array_type
from tracejit.ir.types import FLOAT
from tracejit.ops import blocks as _blocks  # noqa: F401
from tracejit.ops import call as _call  # noqa: F401  (defines its op)
from tracejit.ops import core, elementwise
from tracejit.ops import cumulative as _cumulative  # noqa: F401
from tracejit.ops import divisor as _divisor  # noqa: F401
from tracejit.ops import dot as _dot  # noqa: F401
from tracejit.ops import fft as _fft  # noqa: F401
from tracejit.ops import indexing as _indexing  # noqa: F401
from tracejit.ops import sorting as _sorting  # noqa: F401

DTYPES = [np.dtype(d) for d in ("bool", "uint8", "int32", "int64", "float32", "float64", "complex128")]
MORE_DTYPES = [np.dtype(d) for d in ("int8", "int16", "uint16", "uint32", "uint64", "float16", "complex64")]


@dataclass
class Case:
    """An application of an op. `make(rng, dtype)` gives its arguments; `smooth`: its derivatives can be checked at random points.

    The first `fixed` arguments are parameters, which have no derivative.
    """

    op: core.Op
    make: Callable[[np.random.Generator, np.dtype], tuple]
    params: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True
    note: str = ""
    fixed: int = 0

    def __str__(self) -> str:
        return f"{self.op.name}({self.note}{', ' if self.note else ''}{', '.join(f'{k}={v!r}' for k, v in self.params.items())})"

    def accepts(self, dtype: np.dtype) -> bool:
        """Whether the op is defined for arguments of this dtype."""
        try:
            args = self.make(np.random.default_rng(0), dtype)
            self.op.infer(*map(array_type, args), **self.params)
        except TypeError:
            return False
        return True


rows: dict[str, list[Case]] = {}


def row(name: str, *cases: tuple, smooth: bool = True) -> None:
    """Cases of the op `name`, each (make, params, note)."""
    rows[name] = [Case(core.by_name[name], make, params, smooth, note) for make, params, note in cases]


# -- arrays
def array(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...] = (), low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Random numbers of any dtype between `low` and `high`; a 0-d result is a NumPy scalar, as operations make them."""
    if dtype.kind == "b":
        values = rng.random(shape) < 0.5
    elif dtype.kind in "iu":
        values = rng.integers(max(int(low), 0) if dtype.kind == "u" else int(np.floor(low)), int(np.ceil(high)) + 1, shape)
    elif dtype.kind == "c":
        values = rng.uniform(low, high, shape) + 1j * rng.uniform(low, high, shape)
    else:
        values = rng.uniform(low, high, shape)
    return np.asarray(values).astype(dtype)[()]


def view(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """An array in Fortran order with a negative stride: contiguous in no way."""
    return array(rng, dtype, (*shape[::-1][:-1], 2 * shape[0]), low, high)[..., ::-2].T


def on(*shapes, domain=(-2.0, 2.0), **params):
    """A case with one random array for each of `shapes`."""
    return lambda rng, dtype: tuple(array(rng, dtype, s, *domain) for s in shapes), params, " ".join(map(str, shapes))


def on_views(*shapes, domain=(-2.0, 2.0), **params):
    """The same with views for arrays."""
    return lambda rng, dtype: tuple(view(rng, dtype, s, *domain) for s in shapes), params, " ".join(map(str, shapes)) + " views"


def masked(mask, *shapes, **params):
    """A case whose first argument is bool."""
    def make(rng, dtype):
        return array(rng, np.dtype(bool), mask), *(array(rng, dtype, s) for s in shapes)
    return make, params, " ".join(map(str, (mask, *shapes)))


# -- elementwise
DOMAINS = {
    **dict.fromkeys(("sqrt", "root", "over", "cbrt", "log", "log2", "log10"), (0.2, 3)), "log1p": (-0.8, 2), "power": (0.3, 2), "arccosh": (1.2, 3),
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), (-0.9, 0.9)), **dict.fromkeys(("divide", "remainder", "fmod", "floor_divide"), (0.5, 3)),
    **dict.fromkeys(("left_shift", "right_shift"), (0, 4)),
}
UNARY = """negative square sqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh
           erf erfc logistic root floor ceil trunc rint sign signbit absolute logical_not invert isnan isinf isfinite real imag conjugate"""
BINARY = """add subtract multiply divide floor_divide remainder fmod power hypot logaddexp over arctan2 copysign nextafter equal not_equal less
            less_equal greater greater_equal logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor left_shift right_shift
            make_complex"""
PAIRS = ((3, 4), (3, 4)), ((3, 4), (4,)), ((), (3,)), ((3, 1), (1, 4)), ((0, 3), (1,)), ((), ())

for _name in UNARY.split():
    _domain = DOMAINS.get(_name, (-2, 2))
    row(_name, *[on(s, domain=_domain) for s in ((3, 4), (), (1,), (0, 3))], on_views((3, 4), domain=_domain))
for _name in BINARY.split():
    _domain = DOMAINS.get(_name, (-2, 2))
    row(_name, *[on(*s, domain=_domain) for s in PAIRS], on_views((3, 4), (3, 4), domain=_domain))
for _name in ("maximum", "minimum", "fmax", "fmin"):
    row(_name, *[on(*s, tie=0.5) for s in PAIRS])

row("select", masked((3, 4), (3, 4), (3, 4)), masked((4,), (3, 1), ()), masked((), (3,), (3,)), masked((), (), ()), masked((0,), (1,), ()))
row("convert", *[on(s, dtype=d) for s in ((3, 4), (), (0,)) for d in DTYPES])
row("stop_gradient", on((3,)), on(()), smooth=False)
row("mask_gradient", masked((3,), (3,)), masked((2, 3), (3,)), masked((), (3,)), smooth=False)

# -- movement
row("broadcast_to", on((), shape=(2, 3)), on((3, 1), shape=(2, 3, 4)), on((0,), shape=(2, 0)), on((1,), shape=(0,)), on((3,), shape=(3,)),
    on((), shape=()))
row("reshape", on((3, 4), shape=(2, 6)), on((4,), shape=(2, 1, 2)), on((1, 1), shape=()), on((0, 3), shape=(3, 0, 2)), on((), shape=(1,)),
    on_views((3, 4), shape=(2, 6)))
row("transpose", on((2, 3, 4), permutation=(2, 0, 1)), on((3, 4), permutation=(1, 0)), on((), permutation=()), on((0, 2), permutation=(1, 0)),
    on((3, 4), permutation=(0, 1)))
row("reverse", on((2, 3), axes=(0,)), on((2, 3), axes=(0, 1)), on((3,), axes=()), on((0, 2), axes=(0,)))
row("slice", on((5, 6), start=(1, 0), stop=(4, 6), step=(1, 1)), on((5, 6), start=(0, 1), stop=(5, 6), step=(2, 3)),
    on((5,), start=(2,), stop=(2,), step=(1,)), on((5,), start=(0,), stop=(5,), step=(1,)), on((0, 2), start=(0, 1), stop=(0, 2), step=(1, 1)),
    on((), start=(), stop=(), step=()))
row("pad", on((3, 2), low=(1, 0), high=(0, 2), interior=(0, 0), value=0), on((3,), low=(2,), high=(1,), interior=(2,), value=0),
    on((0, 2), low=(1, 0), high=(2, 0), interior=(1, 1), value=0), on((1,), low=(0,), high=(0,), interior=(3,), value=0),
    on((2,), low=(0,), high=(0,), interior=(0,), value=0), on((), low=(), high=(), interior=(), value=0),
    on((3,), low=(1,), high=(2,), interior=(1,), value=1))
for _name in ("slice_add", "slice_update"):
    row(_name, on((5, 6), (2, 3), start=(1, 0), step=(1, 2)), on((5,), (0,), start=(2,), step=(1,)), on((4,), (4,), start=(0,), step=(1,)),
        on((), (), start=(), step=()))
row("concatenate", on((2, 3), (1, 3), axis=0), on((2, 3), (2, 0), (2, 1), axis=1), on((3,), axis=0), on((0,), (0,), axis=0))
row("iota", *[on(shape=s, axis=a, dtype=np.dtype(d)) for s, a, d in (((3,), 0, "int64"), ((2, 3), 1, "float32"), ((2, 0), 0, "int32"))])

# -- reductions and runs along an axis
REDUCED = ((3, 4), (0,)), ((3, 4), (1,)), ((2, 3, 4), (0, 2)), ((3, 4), (0, 1)), ((3,), ()), ((), ()), ((1, 1), (0,)), ((0, 3), (1,))
for _name in ("reduce_sum", "reduce_prod", "reduce_any", "reduce_all"):
    row(_name, *[on(s, axes=a) for s, a in (*REDUCED, ((0, 3), (0,)))], on_views((3, 4), axes=(0,)))
for _name in ("reduce_max", "reduce_min"):
    row(_name, *[on(s, axes=a) for s, a in REDUCED], on_views((3, 4), axes=(0,)))
for _name in ("argmax", "argmin"):
    row(_name, *[on(s, axis=a) for s, a in (((3, 4), 0), ((3, 4), 1), ((1,), 0), ((5,), 0))])
for _name in ("cumsum", "cumprod", "cummax", "cummin"):
    row(_name, *[on(s, axis=a, reverse=r) for s, a in (((3, 5), 0), ((3, 5), 1), ((1,), 0), ((0, 2), 0), ((2, 0), 0)) for r in (False, True)])

# -- products: shapes, contracted axes, batch axes
PRODUCTS = (
    ((2, 3), (3, 4), ((1,), (0,)), ((), ())), ((3,), (3,), ((0,), (0,)), ((), ())), ((2, 3), (3,), ((1,), (0,)), ((), ())),
    ((3,), (3, 4), ((0,), (0,)), ((), ())), ((3, 2), (4, 3), ((0,), (1,)), ((), ())), ((2,), (3,), ((), ()), ((), ())),
    ((5, 2, 3), (5, 3, 4), ((2,), (1,)), ((0,), (0,))), ((2, 5, 3), (3, 4, 5), ((2,), (0,)), ((1,), (2,))),
    ((2, 3, 4), (4, 5, 3), ((2, 1), (0, 2)), ((), ())), ((0, 3), (3, 2), ((1,), (0,)), ((), ())), ((2, 0), (0, 3), ((1,), (0,)), ((), ())),
    ((), (), ((), ()), ((), ())), ((5, 3), (5, 3), ((1,), (1,)), ((0,), (0,))),
)
row("dot_general", *[on(x, y, contract=c, batch=b) for x, y, c, b in PRODUCTS])

# -- Fourier transforms
SAMPLES = (5, "backward"), (6, "ortho"), (1, "forward"), (2, "forward")
row(
    "fft",
    *[
        on(s, kind=kind, axes=axes, length=s[axes[-1]], norm=norm)
        for kind in ("fft", "ifft")
        for s, axes, norm in (((5,), (0,), "backward"), ((3, 4), (0,), "ortho"), ((3, 4), (1, 0), "forward"), ((0, 3), (1,), "backward"))
    ],
    *[on((4, n), kind="rfft", axes=(1,), length=n, norm=norm) for n, norm in SAMPLES],
    *[on((n // 2 + 1, 3), kind="irfft", axes=(0,), length=n, norm=norm) for n, norm in SAMPLES],
)

# -- indexing: shape of x, shapes of the index arrays, axes
INDEXED = (((5,), ((3,),), (0,)), ((4, 5, 2), ((2, 3),), (1,)), ((4, 5, 2), ((3,), (2, 1)), (2, 0)), ((5,), ((),), (0,)),
           ((4, 5), ((3,), (3,)), (0, 1)), ((4, 0), ((2,),), (0,)), ((5, 2), ((0,),), (0,)))


def _indexed(shape, index_shapes, axes, mode, updates):
    def make(rng, dtype):
        at = tuple(rng.integers(-shape[a], shape[a], s).astype(np.int64)[()] for s, a in zip(index_shapes, axes))
        x = array(rng, dtype, shape)
        if not updates:
            return x, *at
        return x, array(rng, dtype, (*np.broadcast_shapes(*index_shapes), *(n for d, n in enumerate(shape) if d not in axes))), *at
    return make, {"axes": axes, "mode": mode}, f"{shape} {index_shapes}"


for _name in ("gather", "scatter_add", "scatter_set", "scatter_max", "scatter_min"):
    row(_name, *[_indexed(*case, mode, _name != "gather") for case in INDEXED for mode in ("raise", "wrap", "clip")])

row("gather_nonzero", (lambda rng, dtype: (rng.integers(1, 7, (3, 4)).astype(dtype),), {}, "divisors"))

BLOCKS = ((5,), (2,)), ((4, 5), (4, 2)), ((3, 4), (1, 4)), ((3,), (0,)), ((2, 3), (2, 3)), ((), ())


def _block(shape, size, update, **params):
    def make(rng, dtype):
        x = array(rng, dtype, shape)
        starts = tuple(np.int64(rng.integers(0, n - m + 1) - n * rng.integers(2)) if m else np.int64(0) for n, m in zip(shape, size))
        return (x, array(rng, dtype, size), *starts) if update else (x, *starts)
    return make, params, f"{shape} {size}"


row("dynamic_slice", *[_block(s, m, False, sizes=m) for s, m in BLOCKS])
row("dynamic_update_slice", *[_block(s, m, True) for s, m in BLOCKS])
row("dynamic_slice_add", *[_block(s, m, True) for s, m in BLOCKS])

# -- order
SORTED = ((6,), 0), ((3, 4), 0), ((3, 4), 1), ((0,), 0), ((1,), 0)
row("argsort", *[on(s, axis=a, descending=d) for s, a in SORTED for d in (False, True)])
row("sort", *[on(s, axis=a) for s, a in SORTED])


def _searched(rows, n, shape, side):
    def make(rng, dtype):
        return np.sort(array(rng, dtype, (*rows, n))), array(rng, dtype, (*rows, *shape))
    return make, {"side": side}, f"{(*rows, n)} {(*rows, *shape)}"


row("searchsorted", *[_searched(*s, side) for s in (((), 5, (3,)), ((), 5, ()), ((2,), 4, (3, 2)), ((), 0, (2,))) for side in ("left", "right")])


# -- call: a graph of two inputs and two outputs
def _pair_graph(shape):
    b = Builder()
    x, y = b.input(ArrayType(shape, FLOAT)), b.input(ArrayType((), FLOAT))
    (s,) = b.emit(elementwise.sin, (x,), {})
    (p,) = b.emit(elementwise.multiply, (s, y), {})
    return b.finish((p, x))


row("call", *[on(s, (), graph=_pair_graph(s)) for s in ((3,), ())])

from . import control_cases as _control_cases  # noqa: E402, F401  (more rows)
from . import conv_cases as _conv_cases  # noqa: E402, F401
from . import custom_cases as _custom_cases  # noqa: E402, F401
from . import linalg_cases as _linalg_cases  # noqa: E402, F401  (more rows)
from . import number_cases as _number_cases  # noqa: E402, F401
from . import random_cases as _random_cases  # noqa: E402, F401
from . import special_cases as _special_cases  # noqa: E402, F401
