"""Reading and writing by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...trace import Tracer
from .. import nodes
from ..dispatch import Primitive, function
from ..inplace import assign, check_writable
from ..tensor import Tensor, wrap
from .operands import axis, cast, tensor_of

# -- basic: integers, slices, None and ... give views
_FULL = slice(None)


def _frozen(index: Any) -> Any:
    """A basic index as a hashable value."""
    return ("slice", index.start, index.stop, index.step) if isinstance(index, slice) else index


def _thawed(index: Any) -> Any:
    return slice(*index[1:]) if isinstance(index, tuple) else index


def _get(x, index):
    if len(index) == 2 and type(index[0]) is int:
        return x[index]
    return x[tuple([_thawed(i) for i in index])] if index else x[...]


_BASIC = {name: Primitive(name, _get, part=True) for name in ("Select", "Slice", "Unsqueeze", "Alias")}


def _kind(index: tuple) -> str:
    """The node that torch would end with: it takes the items of an index one after another."""
    for item in reversed(index):
        if isinstance(item, tuple):
            if item != ("slice", None, None, None):
                return "Slice"
        elif item is None:
            return "Unsqueeze"
        elif item is not Ellipsis:
            return "Select"
    return "Alias"


def _normal(x: Tensor, index: Any) -> tuple[tuple, list[Any]]:
    """An index as a tuple with a marker in the place of each tensor, and the tensors. Masks are turned into places."""
    items = index if isinstance(index, tuple) else (index,)
    if isinstance(index, list):
        items = (_listed(index),)
    template, arrays = [], []
    for item in items:
        if isinstance(item, (list, np.ndarray, range)):
            item = _listed(item)
        if isinstance(item, np.generic):
            item = item.item()
        if isinstance(item, Tensor):
            kind = item._data.dtype.kind
            if kind == "b":
                array = item._array
                if not array.ndim:
                    template.append(bool(array))
                    continue
                _check_mask(x, item, template)
                places = np.nonzero(array)
                template += ["tensor"] * len(places)
                arrays += [wrap(p) for p in places]
                continue
            if kind == "f":
                raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
            if not item._data.ndim and type(item._array) is not Tracer:
                template.append(int(item._data))
                continue
            template.append("tensor")
            arrays.append(item)
        elif isinstance(item, bool):
            template.append(item)
        elif isinstance(item, slice):
            start, stop, step = (int(v) if v is not None else None for v in (item.start, item.stop, item.step))
            if step is not None and step <= 0:
                raise ValueError("step must be greater than zero: use torch.flip to reverse")
            template.append(("slice", start, stop, step))
        elif item is None or item is Ellipsis:
            template.append(item)
        elif hasattr(item, "__index__"):
            template.append(item.__index__())
        else:
            raise IndexError(
                f"only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {type(item).__name__})"
            )
    _check_bounds(x, template)
    return tuple(template), arrays


def _listed(item: Any) -> Tensor:
    from .creation import tensor

    made = tensor(list(item) if isinstance(item, range) else item)
    return made.long() if not made._data.size else made


def _check_mask(x: Tensor, mask: Tensor, before: list) -> None:
    start = sum(i is not None and type(i) is not bool for i in before)
    if Ellipsis in [i for i in before if not isinstance(i, tuple)]:
        return
    have = x._data.shape[start : start + mask._data.ndim]
    if mask._data.ndim and have != mask._data.shape:
        raise IndexError(
            f"The shape of the mask {list(mask._data.shape)} at index 0 does not match the shape of the indexed tensor {list(x._data.shape)} "
            f"at index {start}"
        )


def _check_bounds(x: Tensor, template: list) -> None:
    shape = x._data.shape
    taken = sum(i is not None and i is not Ellipsis and type(i) is not bool for i in template)
    if taken > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    place, back = 0, len(shape) - taken
    for item in template:
        if item is Ellipsis:
            place += back
        elif item is not None and type(item) is not bool:
            if isinstance(item, int) and not -shape[place] <= item < shape[place]:
                raise IndexError(f"index {item} is out of bounds for dimension {place} with size {shape[place]}")
            place += 1


_index = Primitive("Index", lambda x, *arrays, template: x[_merged(template, arrays)])


def _merged(template: tuple, arrays: Any) -> tuple:
    rest = iter(arrays)
    return tuple([next(rest) if i == "tensor" else _thawed(i) for i in template])


def _plain_slice(index: slice) -> bool:
    """Whether a slice has numbers or nothing in it, and is not all there is."""
    start, stop, step = index.start, index.stop, index.step
    if step is not None and (type(step) is not int or step <= 0):
        return False
    return (type(start) is int or start is None) and (type(stop) is int or stop is None) and (start, stop, step) != (None, None, None)


def _getitem(self: Tensor, index: Any) -> Tensor:
    if type(index) is int:
        shape = self._data.shape
        if not shape:
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
            )
        if not -shape[0] <= index < shape[0]:
            raise IndexError(f"index {index} is out of bounds for dimension 0 with size {shape[0]}")
        return _BASIC["Select"].of_one(self, {"index": (index, Ellipsis)})
    if type(index) is slice and self._data.shape and _plain_slice(index):
        return _BASIC["Slice"].of_one(self, {"index": (("slice", index.start, index.stop, index.step), Ellipsis)})
    template, arrays = _normal(self, index)
    if not arrays and not any(type(i) is bool for i in template):
        if not template or Ellipsis not in [i for i in template if not isinstance(i, tuple)]:
            return _BASIC[_kind(template)](self, index=(*template, Ellipsis))
        return _BASIC[_kind(template)](self, index=template)
    if not arrays and [type(i) for i in template] == [bool]:  # a mask without axes: one row, or none
        return _getitem(self, (None,)) if template[0] else _getitem(_getitem(self, (None,)), slice(0, 0))
    return _index(self, *arrays, template=template)


def _put(x, v, *arrays, template, accumulate=False, dtype=None):
    made = np.copy(x)
    where = _merged(template, arrays)
    if accumulate:
        if isinstance(made, np.ndarray) and not any(isinstance(a, Tracer) for a in (v, *arrays)):
            np.add.at(made, where, cast(v, made.dtype))
            return made
        return made.at[where].add(cast(v, made.dtype)) if isinstance(made, Tracer) else _traced(made).at[where].add(cast(v, made.dtype))
    made = made if isinstance(made, Tracer) or not isinstance(v, Tracer) else _traced(made)
    made[where] = cast(v, made.dtype)
    return made


def _traced(x: Any) -> Any:
    from ...trace.constants import as_proxy

    return as_proxy(x)


_index_put = Primitive("IndexPut", _put)


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    template, arrays = _normal(self, index)
    check_writable(self)
    if not arrays and not any(type(i) is bool for i in template):
        part = _getitem(self, index)
        value = tensor_of(value)
        extra = value._data.ndim - part._data.ndim
        if extra > 0 and all(n == 1 for n in value._data.shape[:extra]):
            value = value.reshape(value._data.shape[extra:])
        part.copy_(value)
        return
    if not arrays and [type(i) for i in template] == [bool]:
        return _setitem(self, Ellipsis, value) if template[0] else None
    start = nodes.count()
    value = tensor_of(value)
    try:
        assign(self, _index_put(self, value.to(self.dtype), *arrays, template=template), start)
    except ValueError as error:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(value._data.shape)} cannot be broadcast to indexing result: {error}"
        ) from None


Tensor.__getitem__ = _getitem
Tensor.__setitem__ = _setitem


@function("index_put", inplace=True)
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """With `values` in the places that index tensors name, or added there."""
    template, arrays = _normal(input, tuple(indices))
    return _index_put(input, values, *arrays, template=template, accumulate=bool(accumulate))


# -- along one dimension
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
    dim = axis(dim, input._data.ndim)
    n, start = input._data.shape[dim], int(start)
    start = start + n if start < 0 else start
    if not 0 <= start <= start + length <= n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return _narrow(input, axis=dim, a=start, b=start + length, step=1)


def _along(x, i, axis):
    """`take_along_axis` where the index may be shorter in other dimensions, as torch allows."""
    part = x[tuple([slice(0, n) if d != axis else _FULL for d, n in enumerate(i.shape)])] if x.shape != i.shape else x
    return np.take_along_axis(part, i, axis)


_gather = Primitive("Gather", lambda x, i, axis: _along(x, i, axis) if x.ndim else x + 0 * i)


def _check_places(index: Tensor, n: int, name: str) -> None:
    array = index._data
    if array.dtype.kind not in "iu":
        raise RuntimeError(f"{name}(): Expected dtype int64 for index")
    if type(array) is np.ndarray and array.size and (array.min() < 0 or array.max() >= n):
        bad = array[(array < 0) | (array >= n)].flat[0]
        raise IndexError(f"index {bad} is out of bounds for dimension with size {n}")


@function("gather")
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on."""
    dim = axis(dim, input._data.ndim)
    if input._data.ndim != index._data.ndim and input._data.ndim and index._data.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    _check_places(index, input._data.shape[dim] if input._data.ndim else 1, "gather")
    return _gather(input, index, axis=dim)


@function("take_along_dim")
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with broadcasting; without `dim`, of the elements in one row."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    dim = axis(dim, input._data.ndim)
    shape = np.broadcast_shapes(*[(*s[:dim], 1, *s[dim + 1 :]) for s in (input._data.shape, indices._data.shape)])
    a, b = [t.expand((*shape[:dim], t._data.shape[dim], *shape[dim + 1 :])) for t in (input, indices)]
    return gather(a, dim, b)


_index_select = Primitive("IndexSelect", lambda x, i, axis: np.take(x, i, axis) if x.ndim else np.reshape(x, ()) + 0)


@function("index_select")
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of a dimension at the places of a vector."""
    dim = axis(dim, input._data.ndim)
    _check_places(index, input._data.shape[dim] if input._data.ndim else 1, "index_select")
    return _index_select(input, index.reshape(-1), axis=dim)


@function("take")
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at places of the tensor in one row."""
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
    return _masked_fill(input, mask, value if isinstance(value, Tensor) else input._data.dtype.type(value))


@function("masked_scatter", inplace=True)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """With the elements of `source`, one after another, where the mask is true."""
    shape = np.broadcast_shapes(input._data.shape, mask._data.shape)
    input, mask = input.expand(shape), mask.expand(shape)
    template, arrays = _normal(input, mask)
    count = arrays[0]._data.size
    return _index_put(input, source.reshape(-1)[:count], *arrays, template=template)


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


@function("scatter", inplace=True)
def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """With elements of `src`, or `value`, in the places along `dim` that `index` names: out[index[i][j]][j] = src[i][j]."""
    src = value if src is None else src
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce!r}")
    dim = axis(dim, input._data.ndim)
    _check_places(index, input._data.shape[dim], "scatter")
    if isinstance(src, Tensor) and src._data.dtype != input._data.dtype:
        raise RuntimeError(f"scatter(): Expected self.dtype to be equal to src.dtype, got {input.dtype} and {src.dtype}")
    return _scatter(input, index, src if isinstance(src, Tensor) else input._data.dtype.type(src), axis=dim, reduce=reduce)


@function("scatter_add", inplace=True)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """With elements of `src` added in the places along `dim` that `index` names."""
    dim = axis(dim, input._data.ndim)
    _check_places(index, input._data.shape[dim], "scatter_add")
    return _scatter_add(input, index, src, axis=dim, reduce="add")


@function("index_add", inplace=True)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """With slices of `source` added at the places of a vector along `dim`."""
    dim = axis(dim, input._data.ndim)
    _check_places(index, input._data.shape[dim], "index_add")
    return _index_put(
        input, source if alpha == 1 else source * alpha, index, template=(*(("slice", None, None, None),) * dim, "tensor"), accumulate=True
    )


@function("index_copy", inplace=True)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """With slices of `source` at the places of a vector along `dim`."""
    dim = axis(dim, input._data.ndim)
    _check_places(index, input._data.shape[dim], "index_copy")
    return _index_put(input, source, index, template=(*(("slice", None, None, None),) * dim, "tensor"))


@function("index_fill", inplace=True)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """With one number in the slices at the places of a vector along `dim`."""
    dim = axis(dim, input._data.ndim)
    return _index_put(input, tensor_of(value).to(input.dtype), index, template=(*(("slice", None, None, None),) * dim, "tensor"))


# -- finding places
@function("nonzero")
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The places of the elements that are not zero: rows of a matrix, or a vector for each dimension."""
    array = input.detach()._array
    if not array.ndim and not as_tuple:
        return wrap(np.zeros((int(bool(array)), 0), np.int64))
    places = np.nonzero(np.atleast_1d(array))
    return tuple([wrap(p) for p in places]) if as_tuple else wrap(np.stack(places, 1) if places else np.zeros((0, 0), np.int64))


@function("argwhere")
def argwhere(input: Tensor) -> Tensor:
    """The places of the elements that are not zero, as rows."""
    return nonzero(input)


_one_hot = Primitive("OneHot", lambda x, n: (np.expand_dims(x, -1) == np.arange(n)).astype(np.int64))


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Rows with a one in the place of each class."""
    if tensor._data.dtype.kind not in "iu":
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    n = int(tensor._array.max()) + 1 if num_classes < 0 else num_classes
    return _one_hot(tensor, n=n)
