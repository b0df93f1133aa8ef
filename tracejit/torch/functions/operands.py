"""What functions do with their operands before they apply a primitive: promotion by torch's rules, dimensions, shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...trace import Tracer
from .. import dtypes
from ..tensor import Tensor, wrap

NUMBERS = (bool, int, float, complex, np.generic)
_WITHIN = {float: "fc", int: "iufc", bool: "biufc", complex: "c"}


def cast(x: Any, dtype: np.dtype | None) -> Any:
    """An operand of a primitive in another dtype."""
    if dtype is None:
        return x
    if isinstance(x, (np.ndarray, Tracer)):
        return x if x.dtype == dtype else _real_of(x, dtype).astype(dtype)
    return dtype.type(x)


def _real_of(x: Any, dtype: np.dtype) -> Any:
    return np.real(x) if x.dtype.kind == "c" and dtype.kind != "c" else x


def common(x: Any, y: Any, floating: bool = False) -> np.dtype | None:
    """The dtype that two operands are to be converted to; None where NumPy gives it by itself. `floating`: at least the default floating dtype."""
    if isinstance(x, Tensor):
        d = x._data.dtype
        if isinstance(y, Tensor):
            if y._data.dtype == d and (not floating or d.kind in "fc"):
                return None
        elif d.kind in _WITHIN.get(type(y), "") and (not floating or d.kind in "fc"):
            return None
    elif isinstance(y, Tensor):
        d = y._data.dtype
        if d.kind in _WITHIN.get(type(x), "") and (not floating or d.kind in "fc"):
            return None
    dtype = dtypes.result_dtype([a._data if isinstance(a, Tensor) else a for a in (x, y)])
    return dtypes.get_default_dtype().numpy if floating and dtype.kind not in "fc" else dtype


def operand(x: Any, name: str) -> Any:
    """A tensor or number as it is; an array as a tensor. Raises `TypeError` for anything else."""
    if isinstance(x, (Tensor, bool, int, float, complex)):
        return x
    if type(x) is Tracer:
        return x if x.weak else wrap(x)  # a weak one is a Python number
    if isinstance(x, np.ndarray):
        return wrap(x)
    if isinstance(x, np.generic):
        return x.item()
    raise TypeError(f"{name}(): argument must be a Tensor or a number, not {type(x).__name__}")


def tensor_of(x: Any, like: Tensor | None = None) -> Tensor:
    """A tensor as it is, a number as a 0-d tensor."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, np.ndarray) or type(x) is Tracer:
        return wrap(x)
    return wrap(np.asarray(x, dtypes.scalar_dtype(x)))


def require_entries(name: str, input: Tensor, dim: Any, kind: type[Exception] = RuntimeError) -> None:
    """Refuse to look for one of no elements: in all, with an exception of this kind, or along a dimension (a number or a tuple of them)."""
    shape = input._data.shape
    if dim is None:
        if not input._data.size:
            raise kind(f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.")
        return
    for d in dim if isinstance(dim, tuple) else (dim,):
        if shape and not shape[d]:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")


def number_in(x: Any, dtype: np.dtype) -> Any:
    """A Python number as one of a dtype. Raises `RuntimeError` where it does not fit; small negative ones fit in unsigned integers, as in C."""
    if type(x) is Tracer:
        return x.astype(dtype)
    if isinstance(x, (str, bytes)) or x is None:
        raise TypeError(f"a number is needed, got {x!r}")
    if isinstance(x, complex) and dtype.kind != "c":
        if x.imag:
            raise RuntimeError(f"value cannot be converted to type {dtype} without overflow: {x} is complex")
        x = x.real
    if dtype.kind in "iu" and not isinstance(x, bool):
        info = np.iinfo(dtype)
        low = info.min if dtype.kind == "i" else -info.max
        if not low <= x <= info.max:  # NaN is not either
            raise RuntimeError(f"value cannot be converted to type {dtype} without overflow: {x} is not in [{low}, {info.max}]")
        x = int(x) % (info.max + 1) if dtype.kind == "u" else int(x)
    return dtype.type(x)


def as_float(x: Any) -> Any:
    """A Python number as a float; one that a program reads from a tensor stays what it is."""
    return x if type(x) is Tracer else float(x)


def require_ordered(x: Any, name: str) -> None:
    """Raise `NotImplementedError` for complex numbers, which have no order."""
    if isinstance(x, Tensor) and x._data.dtype.kind == "c":
        raise NotImplementedError(f"{name} is not supported for complex tensors: they have no order. Use .real, .imag or .abs()")


def require_tensor(x: Any, name: str, position: str = "input") -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}(): argument '{position}' must be Tensor, not {type(x).__name__}")
    return x


def axis(dim: int, ndim: int) -> int:
    """A dimension counted from the front. Raises `IndexError` with the range that is allowed."""
    n = max(ndim, 1)
    if isinstance(dim, Tensor):
        dim = int(dim)
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim + n if dim < 0 else dim


def axes(dim: Any, ndim: int) -> tuple[int, ...] | None:
    """Dimensions counted from the front; None for all of them."""
    if dim is None:
        return None
    if isinstance(dim, (tuple, list)):
        found = tuple([axis(d, ndim) for d in dim])
        if len(set(found)) < len(found):
            raise RuntimeError(f"dim {[d for d in found if found.count(d) > 1][0]} appears multiple times in the list of dims")
        return found if ndim else ()
    return (axis(dim, ndim),) if ndim else ()


def extents(shape: Sequence[Any]) -> tuple[int, ...]:
    """Extents that are given one by one or as one sequence."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    for n in shape:
        if isinstance(n, float):
            raise TypeError(f"a shape is made of ints, got {n!r}: write int({n!r}), or // where it is computed")
    return tuple([int(n) for n in shape])
