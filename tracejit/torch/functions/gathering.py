"""Elements and slices at places along a dimension: read, written, added to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ...trace import Tracer
from ..dispatch import Primitive, function
from ..tensor import Tensor, wrap
from .indexing import _FULL, _getitem, _normal, _put, _traced
from .operands import axis, cast, number_in

_select_axis = Primitive("Select", lambda x, axis, i: x[(*(_FULL,) * axis, i, Ellipsis)], part=True)
_narrow = Primitive("Slice", lambda x, axis, a, b, step: x[(*(_FULL,) * axis, slice(a, b, step))], part=True)


@function("select")
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at one place of a dimension: a view."""
    dim = axis(dim, input._data.ndim)
    n = input._data.shape[dim]
    if not -n <= index < n:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(input._data.shape)} at dimension {dim}")
    return _select_axis(input, axis=dim, i=int(index))


@function("narrow")
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` slices of a dimension from `start` on: a view."""
    if not input._data.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    dim = axis(dim, input._data.ndim)
    if length < 0:
        raise RuntimeError(f"narrow(): length must be non-negative, got {length}")
    n, start = input._data.shape[dim], int(start)
    start = start + n if start < 0 else start
    if not 0 <= start <= start + length <= n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return _narrow(input, axis=dim, a=start, b=start + length, step=1)


def _along(x, i, axis):
    """`take_along_axis` where the index may be shorter in other dimensions, as torch allows."""
    part = x[tuple([slice(0, n) if d != axis else _FULL for d, n in enumerate(i.shape)])] if x.shape != i.shape else x
    return np.take_along_axis(part, i, axis)


_gather = Primitive("Gather", lambda x, i, axis: _along(x, i, axis) if x.ndim else np.copy(np.broadcast_to(x, i.shape)))


_beyond = Primitive("Where", lambda i, n: np.where(i < 0, i.dtype.type(n), i))
_counted = Primitive("Where", lambda i, n: np.where(i < 0, i + i.dtype.type(n), i))


def _checked(index: Tensor, n: int, name: str, kind: type[Exception] = RuntimeError) -> Tensor:
    """The index. In programs, which count from the end and complain of places from n on, a negative place becomes one of these."""
    array = index._array
    if array.dtype.kind not in "iu":
        raise RuntimeError(f"{name}(): Expected dtype int64 for index, got {index.dtype}: write index.long()")
    if type(array) is np.ndarray and array.size and (array.min() < 0 or array.max() >= n):
        bad = array[(array < 0) | (array >= n)].flat[0]
        raise kind(f"{name}(): index {bad} is out of bounds for a dimension of size {n}")
    return _beyond(index, n=n) if type(array) is Tracer else index


def _extent(input: Tensor, dim: int) -> int:
    """The extent of a dimension; a 0-d tensor counts as a row of one element."""
    return input._data.shape[dim] if input._data.ndim else 1


def _as_row(f: Callable) -> Callable:
    """A function along a dimension, which takes a 0-d tensor for a row of one element."""

    @functools.wraps(f)
    def function(input: Tensor, dim: int, index: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if input._data.ndim:
            return f(input, dim, index, *args, **kwargs)
        axis(dim, 0)
        rows = [t.reshape(1) if isinstance(t, Tensor) and not t._data.ndim else t for t in (index, *args)]
        named = {k: t.reshape(1) if isinstance(t, Tensor) and not t._data.ndim else t for k, t in kwargs.items()}
        return f(input.reshape(1), 0, *rows, **named).reshape(())

    return function


@function("gather")
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on."""
    dim = axis(dim, input._data.ndim)
    shape, wanted = input._data.shape or (1,), index._data.shape or (1,)
    if len(shape) != len(wanted):
        if not index._data.size:
            return input.new_empty(index._data.shape)
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for d, (n, k) in enumerate(zip(shape, wanted)):
        if d != dim and k > n:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {list(wanted)} to be no larger than self {list(shape)} apart from "
                f"dimension {dim}"
            )
    index = _checked(index, _extent(input, dim), "gather")
    if input._data.ndim and not index._data.ndim:
        return _gather(input, index.reshape(1), axis=dim).reshape(())
    return _gather(input, index, axis=dim)


def _from_front(index: Tensor, n: int) -> Tensor:
    array = index._array
    if array.dtype.kind == "i" and (type(array) is Tracer or (array < 0).any()):
        return _counted(index, n=n)
    return index


@function("take_along_dim")
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with broadcasting, and places counted from the end; without `dim`, of the elements in one row."""
    if dim is None:
        return gather(input.reshape(-1), 0, _from_front(indices.reshape(-1), input._data.size))
    dim = axis(dim, input._data.ndim)
    if input._data.ndim != indices._data.ndim:
        raise RuntimeError(
            f"torch.take_along_dim(): input and indices should have the same number of dimensions, but got {input._data.ndim} dimensions for input, "
            f"and {indices._data.ndim} dimensions for indices"
        )
    indices = _from_front(indices, input._data.shape[dim])
    shape = np.broadcast_shapes(*[(*s[:dim], 1, *s[dim + 1 :]) for s in (input._data.shape, indices._data.shape)])
    a, b = [t.expand((*shape[:dim], t._data.shape[dim], *shape[dim + 1 :])) for t in (input, indices)]
    return gather(a, dim, b)


_index_select = Primitive("IndexSelect", lambda x, i, axis: np.take(x, i, axis) if x.ndim else np.reshape(x, ()) + 0)


@function("index_select")
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of a dimension at the places of a vector."""
    dim = axis(dim, input._data.ndim)
    if index._data.ndim > 1:
        raise IndexError(f"index_select(): Index is supposed to be a vector, but it has shape {list(index._data.shape)}")
    index = _checked(index, _extent(input, dim), "index_select", IndexError)
    return _index_select(input, index.reshape(-1), axis=dim)


@function("take")
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at places of the tensor in one row, counted from the end where they are negative."""
    index = _from_front(index, input._data.size)
    index = _checked(index, input._data.size, "take", IndexError)
    return _index_select(input.reshape(-1), index.reshape(-1), axis=0).reshape(index._data.shape)


@function("masked_select")
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask is true, in one row."""
    shape = np.broadcast_shapes(input._data.shape, mask._data.shape)
    return _getitem(input.expand(shape), mask.expand(shape))


_masked_fill = Primitive("MaskedFill", lambda x, m, v: np.where(m, cast(v, x.dtype), x))


@function("masked_fill", inplace=True)
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """With `value` where the mask is true."""
    if mask._data.dtype.kind != "b":
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    if isinstance(value, Tensor) and value._data.ndim:
        raise RuntimeError(f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value._data.ndim} dimension(s).")
    if isinstance(value, Tensor) and value.dtype.category > input.dtype.category:
        raise RuntimeError(f"value cannot be converted to type {input.dtype} without overflow: it is of {value.dtype}")
    return _masked_fill(input, mask, value if isinstance(value, Tensor) else number_in(value, input._data.dtype))


_masked_scatter = Primitive("MaskedScatter", _put)


@function("masked_scatter", inplace=True)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """With the elements of `source`, one after another, where the mask is true."""
    shape = np.broadcast_shapes(input._data.shape, mask._data.shape)
    input, mask = input.expand(shape), mask.expand(shape)
    template, arrays = _normal(input, mask)
    count = arrays[0]._data.size if arrays else int(bool(mask._array))
    if source._data.dtype != input._data.dtype:
        raise RuntimeError(f"masked_scatter: expected self and source to have same dtypes but got {input.dtype} and {source.dtype}")
    if source._data.size < count:
        raise RuntimeError(f"masked_scatter: expected source to have at least as many elements as the mask has ones, {count}, got {source.numel()}")
    if not arrays:
        return source.reshape(-1)[0] if count else input.clone()
    return _masked_scatter(input, source.reshape(-1)[:count], *arrays, template=template)


# -- scattering
def _open(i, axis):
    """Index arrays that put each element of `i` along `axis`."""
    return tuple([i if d == axis else np.arange(n).reshape([-1 if e == d else 1 for e in range(len(i.shape))]) for d, n in enumerate(i.shape)])


def _scatter_impl(x, i, v, axis, reduce):
    if not isinstance(v, (np.ndarray, Tracer)):
        v = np.full(i.shape, v, x.dtype)
    elif v.shape != i.shape:
        v = v[tuple([slice(0, n) for n in i.shape])] if v.ndim else np.broadcast_to(v, i.shape)
    places = _open(i, axis)
    if isinstance(x, Tracer) or isinstance(i, Tracer) or isinstance(v, Tracer):
        base = np.copy(x) if isinstance(x, Tracer) else _traced(np.copy(x))
        return getattr(base.at[places], {None: "set", "add": "add", "multiply": "multiply"}[reduce])(v)
    made = x.copy()
    if reduce is None:
        made[places] = v
    else:
        {"add": np.add, "multiply": np.multiply}[reduce].at(made, places, v)
    return made


_scatter = Primitive("Scatter", _scatter_impl)
_scatter_add = Primitive("ScatterAdd", _scatter_impl)


def _check_scattered(name: str, input: Tensor, dim: int, index: Tensor, src: Any) -> Tensor:
    """The index. Raises `RuntimeError` for an index that is no place, larger than `src` or, but for `dim`, than the tensor, or for another dtype."""
    shape, wanted = input._data.shape, index._data.shape
    if index._data.size:
        sizes = src._data.shape if isinstance(src, Tensor) else wanted
        if len(shape) != len(wanted) or len(sizes) != len(wanted):
            raise RuntimeError("Index tensor must have the same number of dimensions as self tensor, and as src")
        if any(k > n for d, (k, n) in enumerate(zip(wanted, shape)) if d != dim) or any(k > n for k, n in zip(wanted, sizes)):
            raise RuntimeError(
                f"Expected index {list(wanted)} to be no larger than self {list(shape)} apart from dimension {dim} and to be no larger than src "
                f"{list(sizes)}"
            )
    if isinstance(src, Tensor) and src._data.dtype != input._data.dtype:
        raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype, got {input.dtype} and {src.dtype}")
    return _checked(index, shape[dim], name)


@function("scatter", inplace=True)
@_as_row
def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """With elements of `src`, or `value`, in the places along `dim` that `index` names: out[index[i][j]][j] = src[i][j]."""
    src = value if src is None else src
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce!r}")
    dim = axis(dim, input._data.ndim)
    index = _check_scattered("scatter", input, dim, index, src)
    if not index._data.size:
        return input.clone()
    return _scatter(input, index, src if isinstance(src, Tensor) else number_in(src, input._data.dtype), axis=dim, reduce=reduce)


@function("scatter_add", inplace=True)
@_as_row
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """With elements of `src` added in the places along `dim` that `index` names."""
    dim = axis(dim, input._data.ndim)
    index = _check_scattered("scatter", input, dim, index, src)
    if not index._data.size:
        return input.clone()
    return _scatter_add(input, index, src, axis=dim, reduce="add")


_index_add, _index_copy, _index_fill = (Primitive(name, _put) for name in ("IndexAdd", "IndexCopy", "IndexFill"))


def _slices_at(dim: int) -> tuple:
    """The template of an index along `dim`, for `_index_put`."""
    return (*(("slice", None, None, None),) * dim, "tensor")


def _check_slices(name: str, input: Tensor, dim: int, index: Tensor, source: Tensor, kind: type[Exception] = RuntimeError) -> Tensor:
    """The index. Raises `RuntimeError` or `IndexError` where `source` has not a slice of the tensor's shape for each place of the index."""
    if index._data.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, but it has shape {list(index._data.shape)}")
    if source._data.dtype != input._data.dtype:
        raise RuntimeError(f"{name}(): self and source expected to have the same dtype, but got (self) {input.dtype} and (source) {source.dtype}")
    shape = input._data.shape
    count = index._data.size
    if source._data.shape != (*shape[:dim], count, *shape[dim + 1 :]):
        raise (RuntimeError if name == "index_add" else IndexError)(
            f"{name}(): source of shape {list(source._data.shape)} should have {count} slices along dimension {dim}, one for each place, and else "
            f"the shape of self, {list(shape)}"
        )
    return _checked(index, shape[dim], name, kind)


@function("index_add", inplace=True)
@_as_row
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """With slices of `source` added at the places of a vector along `dim`."""
    dim = axis(dim, input._data.ndim)
    index = _check_slices("index_add", input, dim, index, source)
    added = source if alpha == 1 else source * alpha
    return _index_add(input, added, index.reshape(-1), template=_slices_at(dim), accumulate=True)


@function("index_copy", inplace=True)
@_as_row
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """With slices of `source` at the places of a vector along `dim`."""
    dim = axis(dim, input._data.ndim)
    if not source._data.ndim:
        source = source.reshape([1] * input._data.ndim)
    index = _check_slices("index_copy", input, dim, index, source, IndexError)
    return _index_copy(input, source, index.reshape(-1), template=_slices_at(dim))


@function("index_fill", inplace=True)
@_as_row
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """With one number in the slices at the places of a vector along `dim`."""
    dim = axis(dim, input._data.ndim)
    if isinstance(value, Tensor) and value._data.ndim and value._data.size > 1:
        raise RuntimeError(f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value._data.ndim} dimension(s).")
    if isinstance(value, Tensor):
        value = value.reshape(()).to(input.dtype)
    else:
        value = wrap(np.asarray(number_in(value, input._data.dtype)))
    index = _from_front(index, input._data.shape[dim])
    index = _checked(index, input._data.shape[dim], "index_fill", IndexError)
    return _index_fill(input, value, index.reshape(-1), template=_slices_at(dim))
