"""Reading and writing by index."""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np

from ...trace import Tracer
from ...trace.constants import as_proxy
from .. import nodes
from ..dispatch import Primitive, function
from ..inplace import assign, check_writable
from ..tensor import Tensor, wrap
from .operands import cast, number_in, tensor_of

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
    items = [_item(i) for i in items]
    if any(isinstance(i, Tensor) for i in items):
        items = _spelled_out(x, items)
    for item in items:
        if isinstance(item, Tensor):
            kind = item._data.dtype.kind
            if item._data.dtype == np.uint8:
                warnings.warn("indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.", UserWarning, stacklevel=4)
                item, kind = item.bool(), "b"
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


def _item(item: Any) -> Any:
    """An item of an index as a tensor, where it is something like one."""
    if isinstance(item, (list, np.ndarray, range)):
        return _listed(item)
    if isinstance(item, np.generic):
        return item.item()
    return wrap(item) if type(item) is Tracer else item  # a number that is an input of a compiled function


def _spelled_out(x: Tensor, items: list[Any]) -> list[Any]:
    """The items with slices in the place of `...`, which NumPy takes for something between tensors even where it stands for no dimension."""
    where = next((k for k, i in enumerate(items) if i is Ellipsis), None)
    if where is None:
        return items
    masks = [i._data.ndim for i in items if isinstance(i, Tensor) and i._data.dtype in (np.bool_, np.uint8)]
    others = [i for i in items if not (i is None or i is Ellipsis or isinstance(i, bool))]
    left = x._data.ndim - (len(others) - len(masks) + sum(masks))
    return [*items[:where], *[slice(None)] * left, *items[where + 1 :]]


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
    if any(type(i) is bool for i in template):
        self, template, arrays = _with_new_axes(self, template, arrays)
    if any(type(i) is int for i in template):
        basic, template = _apart(template)
        self = _getitem(self, basic)
    while _mixed(arrays):
        place = next(k for k, a in enumerate(arrays) if not a._data.ndim)
        self, template = _taken(self, arrays.pop(place), template, place)
    return _index(self, *arrays, template=template)


def _with_new_axes(x: Tensor, template: tuple, arrays: list[Tensor]) -> tuple[Tensor, tuple, list[Tensor]]:
    """An index with tensors in the place of `True` and `False`, which are masks without axes: of the one place of a new axis, or of none."""
    rest = iter(arrays)
    found = [wrap(np.zeros(int(i), np.int64)) if type(i) is bool else next(rest) for i in template if i == "tensor" or type(i) is bool]
    axes = tuple([None if type(i) is bool else i if i is Ellipsis else slice(None) for i in template if i is not None])
    return _getitem(x, axes), tuple(["tensor" if type(i) is bool else i for i in template]), found


def _mixed(arrays: list[Tensor]) -> bool:
    """Whether there are traced numbers among tensors with dimensions, which are applied later."""
    return any(not a._data.ndim for a in arrays) and any(a._data.ndim for a in arrays)


def _apart(template: tuple) -> tuple[tuple, tuple]:
    """An index in two steps, as torch takes it: numbers, slices and new axes first, and tensors in what these leave. NumPy counts numbers among
    the tensors, so that these are apart where a slice lies between, and their axes come first."""
    whole = ("slice", None, None, None)
    first = tuple([whole if i == "tensor" else i for i in template])
    return tuple([_thawed(i) for i in first]), tuple([i if i == "tensor" else whole for i in template if type(i) is not int])


def _taken(x: Tensor, index: Tensor, template: tuple, place: int) -> tuple[Tensor, tuple]:
    """The slice of x at a traced number, which is the tensor at this place among those of the template; and the template without it."""
    whole = ("slice", None, None, None)
    at = [k for k, i in enumerate(template) if i == "tensor"][place]
    first = tuple([i if k == at else whole for k, i in enumerate(template) if i is not None])
    return _index(x, index, template=first), tuple([i for k, i in enumerate(template) if k != at])


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


def _assigned(value: Any, into: Tensor) -> Tensor:
    """What is assigned to elements, as a tensor. Raises `TypeError` for what is no number, and `RuntimeError` for one that does not fit."""
    if isinstance(value, Tensor) or type(value) is Tracer or isinstance(value, (np.ndarray, list, tuple)):
        return tensor_of(value)
    if type(value) is not float and not isinstance(value, numbers.Number):
        raise TypeError(f"can't assign a {type(value).__name__} to a torch.{into.dtype.legacy}Tensor")
    return tensor_of(number_in(value.item() if isinstance(value, np.generic) else value, into._data.dtype))


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    value = _assigned(value, self)
    template, arrays = _normal(self, index)
    check_writable(self)
    if not arrays and not any(type(i) is bool for i in template):
        part = _getitem(self, index)
        extra = value._data.ndim - part._data.ndim
        if extra > 0 and all(n == 1 for n in value._data.shape[:extra]):
            value = value.reshape(value._data.shape[extra:])
        part.copy_(value)
        return
    if not arrays and [type(i) for i in template] == [bool]:
        return _setitem(self, Ellipsis, value) if template[0] else None
    if any(type(i) is int for i in template) and not any(type(i) is bool for i in template):
        basic, template = _apart(template)
        self = _getitem(self, basic)
    if _mixed(arrays):
        places = _getitem(wrap(np.arange(self._data.size).reshape(self._data.shape)), _merged(template, arrays))
        self.put_(places, tensor_of(value).to(self.dtype).expand(places._data.shape))
        return
    start = nodes.count()
    if value._data.ndim and value._data.dtype != self._data.dtype and type(self._data) is np.ndarray:
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {self.dtype} for the destination and {value.dtype} for the source: "
            "convert it, value.to(x.dtype)"
        )
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


def _one_hot_impl(x, n):
    if isinstance(x, Tracer):  # a program complains of a row that is not there, and counts those below zero from the end
        return np.take(as_proxy(np.eye(n, dtype=np.int64)), np.where(x < 0, x.dtype.type(n), x), axis=0)
    return (np.expand_dims(x, -1) == np.arange(n)).astype(np.int64)


_one_hot = Primitive("OneHot", _one_hot_impl)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Rows with a one in the place of each class."""
    if tensor._data.dtype.kind not in "iu":
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    classes = tensor._array
    if classes.size == 0 and num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    n = int(classes.max()) + 1 if num_classes < 0 else num_classes
    if type(classes) is np.ndarray and classes.size:
        if classes.min() < 0:
            raise RuntimeError("Class values must be non-negative.")
        if classes.max() >= n:
            raise RuntimeError(f"Class values must be smaller than num_classes: {classes.max()} is not smaller than {n}.")
    return _one_hot(tensor, n=n)
