"""New tensors: from data, of one number, of ranges."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...trace import Tracer
from ...trace.cells import by_reference
from ...trace.tracer import same
from .. import dtypes
from ..devices import device
from ..dispatch import FUNCTIONS, function
from ..modes import state
from ..tensor import Tensor, wrap
from .operands import cast, extents, number_in

_device = device


def _finish(array: Any, requires_grad: bool) -> Tensor:
    made = wrap(array)
    if state.inference:
        made._inference = True
    return made.requires_grad_() if requires_grad else made


def _default_for(data: Any) -> np.dtype:
    """The dtype of a nest of lists with numbers: that of the highest category in it."""
    found = np.dtype(bool)
    stack, seen = [data], False
    while stack:
        x = stack.pop()
        if isinstance(x, (list, tuple)):
            stack += x
            continue
        seen = True
        if isinstance(x, Tensor):
            d = x._data.dtype
        elif isinstance(x, (np.ndarray, np.generic)) or isinstance(x, Tracer) and not x.weak:
            d = x.dtype
        elif isinstance(x, Tracer):
            d = dtypes.scalar_dtype(x)
        else:
            if type(x) not in _NUMBERS:
                _require_number(x)
            d = dtypes.scalar_dtype(x)
        found = dtypes.promote(found, d)
    return found if seen else dtypes.get_default_dtype().numpy


_NUMBERS = frozenset((bool, int, float, complex))


def _require_number(x: Any) -> None:
    if isinstance(x, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(x).__name__}': {x!r} is no number")
    if not isinstance(x, numbers.Number):
        raise RuntimeError(f"Could not infer dtype of {type(x).__name__}: a tensor is made of numbers, nested lists of them, arrays and tensors")


@function("tensor", method=False)
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A new tensor of numbers, nested lists of them, an array or a tensor: always a copy, and a leaf.

    >>> from tracejit import torch
    >>> torch.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if device is not None:
        _device(device)
    wanted = None if dtype is None else dtypes.as_numpy(dtype)
    if isinstance(data, Tensor):
        data = data._array
    if isinstance(data, Tracer):
        return _finish(same(data.astype(wanted or _default_for([data]))), requires_grad)
    if isinstance(data, (np.ndarray, np.generic)):
        return _finish(np.array(data, wanted or dtypes.of(data.dtype).numpy, order="C"), requires_grad)
    if isinstance(data, (list, tuple)) and _holds_tensors(data):
        wanted = wanted or _default_for(data)
        if any(isinstance(x, Tracer) for x in _arrays(data)):
            return _finish(_stacked(data, wanted), requires_grad)
        data = _plain(data)
    if not isinstance(data, (list, tuple)):
        if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
            data = list(data)
        else:
            _require_number(data)
    return _finish(_array(data, wanted or _default_for(data)), requires_grad)


def _array(data: Any, dtype: np.dtype) -> np.ndarray:
    """The array of a number or nested lists. Raises `ValueError` for rows of different lengths, `RuntimeError` for what the dtype does not hold."""
    try:
        made = np.array(data, dtype)
    except OverflowError as error:
        if dtype == np.int64 or dtype == np.uint64:
            raise ValueError(f"Overflow when unpacking long long: {error}") from None
        wide = np.array(data, np.int64)
        if dtype.kind != "u" or wide.max() > np.iinfo(dtype).max or wide.min() < -int(np.iinfo(dtype).max):
            raise RuntimeError(f"value cannot be converted to type {dtype} without overflow: {error}") from None
        return wide.astype(dtype)  # -1 is the largest, as in C
    except (ValueError, TypeError) as error:
        _default_for(data)  # raises for what is no number
        if "NaN" in str(error):
            raise RuntimeError(f"value cannot be converted to type {dtype} without overflow: {error}") from None
        raise ValueError(f"the nested lists are not of one shape: {error}") from None
    if dtype.kind in "fc" and np.isnan(made).any():
        _default_for(data)  # NumPy takes None for NaN
    return made


def _holds_tensors(data: Any) -> bool:
    return any(isinstance(x, (Tensor, Tracer)) or isinstance(x, (list, tuple)) and _holds_tensors(x) for x in data)


def _arrays(data: Any) -> list[Any]:
    return [a for x in data for a in (_arrays(x) if isinstance(x, (list, tuple)) else [x._array if isinstance(x, Tensor) else x])]


def _plain(data: Any) -> Any:
    return [_plain(x) if isinstance(x, (list, tuple)) else x.item() if isinstance(x, Tensor) else x for x in data]


def _stacked(data: Any, dtype: np.dtype) -> Any:
    numbers = [x._array if isinstance(x, Tensor) else x for x in data]
    rows = [_stacked(x, dtype) if isinstance(x, (list, tuple)) else x if isinstance(x, (np.ndarray, Tracer)) else dtype.type(x) for x in numbers]
    return np.stack([r.astype(dtype) for r in rows])


@function("asarray", method=False)
def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the data, in the same memory where that can be, unless `copy`. Raises `ValueError` where it cannot and `copy` is False."""
    if copy:
        return tensor(obj, dtype=dtype, requires_grad=requires_grad)
    made = as_tensor(obj, dtype)
    lies_there = made is obj or isinstance(obj, np.ndarray) and type(made._data) is np.ndarray and np.may_share_memory(made._data, obj)
    if copy is False and not lies_there:
        raise ValueError("can't alias: the data are no array or tensor of this dtype. Leave copy=False away")
    return made.requires_grad_() if requires_grad else made


@function("as_tensor", method=False)
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of the data, in the same memory where that can be."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray) and data.dtype.isnative or isinstance(data, Tracer) and not data.weak:
        made = wrap(by_reference(data))
        dtypes.of(data.dtype)
        return made if dtype is None else made.to(dtype)
    return tensor(data, dtype=dtype)


@function("from_numpy", method=False)
def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor in the memory of an array. Raises `TypeError` for anything else."""
    if not isinstance(ndarray, (np.ndarray, Tracer)):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if not ndarray.dtype.isnative:
        raise ValueError(f"an array of another byte order ({ndarray.dtype}) cannot be shared: use torch.tensor, which copies it")
    dtypes.of(ndarray.dtype)
    return wrap(by_reference(ndarray))


@function("from_dlpack", method=False)
def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor in the memory of another library's array."""
    return wrap(np.from_dlpack(ext_tensor))


def to_dlpack(tensor: Tensor) -> Any:
    """The DLPack capsule of a tensor."""
    return tensor.__dlpack__()


FUNCTIONS["to_dlpack"] = to_dlpack


@function("frombuffer", method=False)
def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A tensor of the bytes in a buffer."""
    return _finish(np.frombuffer(buffer, dtypes.as_numpy(dtype), count, offset), requires_grad)


# -- of one number
def _dtype(dtype: Any) -> np.dtype:
    return dtypes.get_default_dtype().numpy if dtype is None else dtypes.as_numpy(dtype)


def _lengths(size: Sequence[Any], name: str) -> tuple[int, ...]:
    shape = extents(size)
    if shape and min(shape) < 0:
        raise RuntimeError(f"{name}: Dimension size must be non-negative, got {list(shape)}")
    return shape


def _constant(name: str, value: Any) -> None:
    def of_shape(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None, pin_memory: bool = False,
                 memory_format: Any = None) -> Tensor:  # fmt: skip
        if device is not None:
            _device(device)
        return _finish(np.full(_lengths(size, name), value, _dtype(dtype)), requires_grad)

    def like(
        input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None, memory_format: Any = None
    ) -> Tensor:
        d = input._data.dtype if dtype is None else dtypes.as_numpy(dtype)
        if type(input._data) is np.ndarray and memory_format != "torch.contiguous_format":
            return _finish(np.full_like(input._data, value, d), requires_grad)  # in the order of the other in memory
        return _finish(np.full(input._data.shape, value, d), requires_grad)

    def new(self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        return of_shape(*size, dtype=self.dtype if dtype is None else dtype, requires_grad=requires_grad)

    for f, title, text in (
        (of_shape, name, "of a shape"),
        (like, f"{name}_like", "of the shape and dtype of another"),
        (new, f"new_{name}", "of a shape, of this dtype"),
    ):
        f.__name__ = f.__qualname__ = title
        f.__doc__ = f"A tensor {text}, filled with {value}." if name != "empty" else f"A tensor {text}; its elements are zero."
    function(name, method=False)(of_shape)
    function(f"{name}_like", method=False)(like)
    function(f"new_{name}", namespace=False)(new)


_constant("zeros", 0)
_constant("ones", 1)
_constant("empty", 0)


@function("full", method=False)
def full(
    size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None, memory_format: Any = None
) -> Tensor:
    """A tensor of a shape, filled with one number, whose dtype it has."""
    if isinstance(fill_value, Tensor):
        dtype, fill_value = dtype or fill_value.dtype, fill_value._array
    size = _lengths((size,), "full")
    d = dtypes.scalar_dtype(fill_value) if dtype is None else dtypes.as_numpy(dtype)
    if isinstance(fill_value, Tracer):
        return _finish(np.broadcast_to(fill_value.astype(d), size) + d.type(0), requires_grad)
    number = fill_value if isinstance(fill_value, np.ndarray) else number_in(fill_value, d)
    return _finish(np.full(size, number, d), requires_grad)


@function("full_like", method=False)
def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None,
    memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """A tensor of the shape and dtype of another, filled with one number."""
    return full(input._data.shape, fill_value, dtype=input.dtype if dtype is None else dtype, requires_grad=requires_grad)


@function("new_full", namespace=False)
def new_full(self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of this dtype, filled with one number."""
    return full(size, fill_value, dtype=self.dtype if dtype is None else dtype, requires_grad=requires_grad)


@function("new_tensor", namespace=False)
def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of data, of this dtype."""
    return tensor(data, dtype=self.dtype if dtype is None else dtype, requires_grad=requires_grad)


def legacy_constructor(name: str, kind: dtypes.dtype) -> Any:
    """`torch.FloatTensor` and the like: a tensor of these extents, or of a list, in the dtype of the name."""

    def constructor(*args: Any) -> Tensor:
        if args and all(isinstance(a, int) for a in args):
            return FUNCTIONS["empty"](*args, dtype=kind)
        return tensor(args[0] if args else [], dtype=kind)

    constructor.__name__ = constructor.__qualname__ = name
    return constructor


@function("empty_strided", method=False)
def empty_strided(size: Sequence[int], stride: Sequence[int], *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor whose elements lie in memory at these distances."""
    d = _dtype(dtype)
    size = _lengths(size, "empty_strided")
    n = 1 + sum((k - 1) * s for k, s in zip(size, stride)) if math.prod(size) else 0
    return _finish(np.lib.stride_tricks.as_strided(np.zeros(n, d), size, [s * d.itemsize for s in stride]), requires_grad)


# -- ranges
def _number(x: Any) -> Any:
    return x.item() if isinstance(x, Tensor) else x


@function("arange", method=False)
def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """The numbers from `start` up to `end`, without it: int64 where all are integers."""
    start, end, step = map(_number, (start, end, step))
    if end is None:
        start, end = 0, start
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not all(math.isfinite(v) for v in (start, end, step)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    whole = all(isinstance(x, int) for x in (start, end, step))
    d = (np.dtype(np.int64) if whole else dtypes.get_default_dtype().numpy) if dtype is None else dtypes.as_numpy(dtype)
    if d.kind in "iu":  # of integers, whatever is given
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise ValueError(f"step must be nonzero, and is cut off to 0 in {dtypes.of(d)}")
        return _finish((start + np.arange(-(-(end - start) // step)) * step).astype(d), requires_grad)
    n = -(-(end - start) // step) if whole else math.ceil((end - start) / step)
    return _finish((start + np.arange(n, dtype=np.float64) * step).astype(d), requires_grad)


@function("range", method=False)
def range_(start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The numbers from `start` to `end` with it."""
    start, end = (0, start) if end is None else (start, end)
    n = math.floor((end - start) / step) + 1
    return _finish((start + np.arange(n) * step).astype(_dtype(dtype)), requires_grad)


@function("linspace", method=False)
def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None) -> Tensor:
    """`steps` numbers at even distances from `start` to `end`.

    As torch computes them: the first half from the front and the second from the back, in the dtype of the result.
    """
    d = _dtype(dtype)
    start, end = _number(start), _number(end)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    if d.kind in "iu":
        return _finish(np.trunc(np.linspace(start, end, steps)).astype(d), requires_grad)
    if steps == 1:
        return _finish(np.reshape(cast(start, d), 1), requires_grad)
    first, last = cast(start, d), cast(end, d)
    step = (last - first) / d.type(max(steps - 1, 1))
    i = np.arange(steps)
    made = np.where(i < steps // 2, first + step * i.astype(d), last - step * (steps - 1 - i).astype(d))
    return _finish(made.astype(d), requires_grad)


@function("logspace", method=False)
def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None
) -> Tensor:
    """Powers of `base` with exponents at even distances."""
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative, got {steps}")
    return _finish(np.power(base, np.linspace(_number(start), _number(end), steps)).astype(_dtype(dtype)), requires_grad)


@function("eye", method=False)
def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The matrix with ones on the diagonal."""
    for name, k in (("n", n), ("m", m)):
        if k is not None and k < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {k}")
    return _finish(np.eye(n, m, dtype=_dtype(dtype)), requires_grad)


@function("tril_indices", method=False)
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The places of a lower triangle, as two rows."""
    return wrap(np.stack(np.tril_indices(row, offset, col)).astype(np.int64 if dtype is None else dtypes.as_numpy(dtype)))


@function("triu_indices", method=False)
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The places of an upper triangle, as two rows."""
    return wrap(np.stack(np.triu_indices(row, offset, col)).astype(np.int64 if dtype is None else dtypes.as_numpy(dtype)))


@function("vander", method=False)
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Powers of the elements, as columns."""
    from .joining import stack

    powers = range(len(x) if N is None else N)
    return stack([x**k for k in (powers if increasing else reversed(powers))], -1)


def _window(name: str, coefficients: tuple[float, ...]) -> None:
    def window(
        window_length: int, periodic: bool = True, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, layout: Any = None,
        pin_memory: bool = False,
    ) -> Tensor:  # fmt: skip
        n = window_length if periodic else window_length - 1
        angle = 2 * math.pi * np.arange(window_length) / max(n, 1)
        made = sum(c * np.cos(k * angle) for k, c in enumerate(coefficients)) if window_length > 1 else np.ones(window_length)
        return _finish(np.asarray(made, _dtype(dtype)), requires_grad)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"As `torch.{name}`."
    function(name, method=False)(window)


_window("hann_window", (0.5, -0.5))
_window("hamming_window", (0.54, -0.46))
_window("blackman_window", (0.42, -0.5, 0.08))
