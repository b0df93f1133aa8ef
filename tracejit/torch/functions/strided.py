"""Views by distances in memory, windows, and tensors with a part of them replaced."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...trace import Tracer
from ...trace.constants import as_proxy
from ..dispatch import FUNCTIONS, Primitive, function
from ..placing import placed, refuse_overlap
from ..tensor import Tensor, wrap
from .joining import cat, split, tensor_split
from .operands import axis, extents, number_in
from .shaping import squeeze, t, transpose, unsqueeze
from .shaping import stride as distances


def _places(shape: tuple[int, ...], steps: tuple[int, ...], offset: int) -> np.ndarray:
    """Which elements of a row lie at these distances."""
    made = np.full(shape, offset)
    for d, (n, step) in enumerate(zip(shape, steps)):
        made = made + (np.arange(n) * step).reshape([-1 if e == d else 1 for e in range(len(shape))])
    return made


def _at_distances(x: Any, shape: tuple[int, ...], steps: tuple[int, ...], offset: int, layout: tuple[int, ...]) -> Any:
    if isinstance(x, Tracer) or tuple([s // x.itemsize for s in x.strides]) != layout:
        return np.reshape(x, (-1,))[_elements(x.shape, layout, _places(shape, steps, offset))]
    row = np.lib.stride_tricks.as_strided(x, (_extent(x.shape, layout),), (x.itemsize,))
    return np.lib.stride_tricks.as_strided(row[offset:], shape, [s * x.itemsize for s in steps])


def _put_at_distances(x: Any, part: Any, shape: tuple[int, ...], steps: tuple[int, ...], offset: int, layout: tuple[int, ...]) -> Any:
    places = _elements(x.shape, layout, _places(shape, steps, offset))
    if np.unique(places).size < places.size:
        refuse_overlap()
    return _proxy(np.reshape(x, (-1,))).at[places].set(part).reshape(x.shape)


_as_strided = Primitive("AsStrided", _at_distances, view=True, put=_put_at_distances)


def _extent(shape: tuple[int, ...], layout: tuple[int, ...]) -> int:
    """How much memory an array takes, from its first element to its last."""
    return 1 + sum([(n - 1) * s for n, s in zip(shape, layout)]) if math.prod(shape) else 0


def _elements(shape: tuple[int, ...], layout: tuple[int, ...], places: np.ndarray) -> np.ndarray:
    """The numbers of the elements of an array that lie at these places, counted from its first; -1 where none does."""
    if layout == _contiguous(shape):
        return places
    at = np.full(_extent(shape, layout), -1)
    at[_places(shape, layout, 0)] = np.arange(math.prod(shape)).reshape(shape)
    return at[places]


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([math.prod(shape[d + 1 :]) for d in range(len(shape))])


@function("as_strided")
def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """The elements at these distances in the memory of the tensor, from `storage_offset` on: a view.

    Raises `RuntimeError` where there is no element of the tensor, or of what it is a view of.
    """
    shape, steps = tuple(size), tuple(stride)
    if len(shape) != len(steps):
        raise RuntimeError(f"mismatch in length of strides and shape: {len(steps)} strides for {len(shape)} dimensions")
    if any(s < 0 for s in steps):
        raise RuntimeError("as_strided: Negative strides are not supported at the moment, got strides: " + str(list(steps)))
    offset = _offset(input) if storage_offset is None else storage_offset
    for source in _holders(input):
        begin, layout = _offset(source), distances(source)
        if _reaches(source._data.shape, layout, shape, steps, offset - begin):
            return _as_strided(source, shape=shape, steps=steps, offset=offset - begin, layout=layout)
    raise RuntimeError(
        f"setStorage: sizes {list(shape)}, strides {list(steps)}, storage offset {offset} reach beyond the {source._data.size} elements that lie "
        f"from {begin} on"
    )


def _holders(t: Tensor) -> Iterator[Tensor]:
    """A tensor, and what it is a view of."""
    yield t
    if t._base is not None:
        yield t._base
    elif t._chain and not t._requires and type(t._data) is not Tracer:  # of a tensor that it was detached from
        yield Tensor._sharing(t._storage._array, t._storage)


def _reaches(shape: tuple[int, ...], layout: tuple[int, ...], size: tuple[int, ...], steps: tuple[int, ...], offset: int) -> bool:
    """Whether there is an element of an array, and one alone, at each of the places."""
    if not math.prod(size):
        return True
    if offset < 0 or offset + _extent(size, steps) > _extent(shape, layout):
        return False
    if layout == _contiguous(shape):
        return True
    if any([s < 0 or s == 0 and n > 1 for n, s in zip(shape, layout)]):
        return False
    taken = _places(shape, layout, 0)
    return np.unique(taken).size == taken.size and bool((_elements(shape, layout, _places(size, steps, offset)) >= 0).all())


def _offset(t: Tensor) -> int:
    """How many elements of the storage come before the first one of a tensor."""
    if type(t._data) is Tracer:
        return 0
    first, root = t._data.__array_interface__["data"][0], t._storage._array.__array_interface__["data"][0]
    return (first - root) // t._data.itemsize


def _windows(x: Any, axis: int, size: int, step: int) -> Any:
    if isinstance(x, Tracer):
        made = np.take(x, _starts(x.shape[axis], size, step), axis)
        return np.moveaxis(made, axis + 1, -1)
    count = (x.shape[axis] - size) // step + 1
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :], size)
    steps = [s * step if d == axis else s for d, s in enumerate(x.strides)]
    return np.lib.stride_tricks.as_strided(x, shape, [*steps, x.strides[axis]])


def _starts(n: int, size: int, step: int) -> np.ndarray:
    return np.arange(0, n - size + 1, step)[:, None] + np.arange(size)


def _put_windows(x: Any, part: Any, axis: int, size: int, step: int) -> Any:
    if step < size and x.shape[axis] >= size + step:
        refuse_overlap()
    places = (*(slice(None),) * axis, _starts(x.shape[axis], size, step))
    return _proxy(x).at[places].set(np.moveaxis(part, -1, axis + 1))


def _proxy(x: Any) -> Any:
    return as_proxy(np.asarray(x)) if not isinstance(x, Tracer) else x


_unfold = Primitive("Unfold", _windows, view=True, put=_put_windows)


@function("unfold", namespace=False)
def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of a dimension, as a new last dimension: a view."""
    if not self._data.ndim:
        axis(dimension, 0)
        if size > 1:
            raise RuntimeError(f"maximum size for tensor at dimension 0 is 1 but size is {size}")
        return self.reshape(1)[:size]
    dimension = axis(dimension, self._data.ndim)
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > self._data.shape[dimension]:
        raise RuntimeError(f"maximum size for tensor at dimension {dimension} is {self._data.shape[dimension]} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return _unfold(self, axis=dimension, size=int(size), step=int(step))


# -- with a part replaced
_scatter_part = Primitive("SliceScatter", lambda x, y, chain: placed(x, y, chain))


def _with_part(input: Tensor, src: Tensor, view: Callable[[Tensor], Tensor]) -> Tensor:
    """A copy in which the part that `view` shows is `src`."""
    plain = input.detach()
    chain = view(plain)._chain[len(plain._chain) :]
    return _scatter_part(input, src.expand(view(plain)._data.shape), chain=chain)


@function("select_scatter")
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """With `src` in the slice at one place of a dimension."""
    return _with_part(input, src, lambda x: x.select(dim, index))


@function("slice_scatter")
def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """With `src` in a range of slices of a dimension."""
    d = axis(dim, input._data.ndim)
    return _with_part(input, src, lambda x: x[(*(slice(None),) * d, slice(start, end, step))])


@function("diagonal_scatter")
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """With `src` on the diagonal of two dimensions."""
    i = np.arange(src._data.shape[-1])
    order = [d for d in range(input._data.ndim) if d not in (dim1 % input._data.ndim, dim2 % input._data.ndim)]
    front = input.movedim((dim1, dim2), (0, 1)).clone()
    rows, columns = (i, i + offset) if offset >= 0 else (i - offset, i)
    front[wrap(rows), wrap(columns)] = src.movedim(-1, 0) if order else src
    return front.movedim((0, 1), (dim1, dim2))


@function("fill_diagonal_", namespace=False)
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Let the diagonal of a matrix be one number."""
    i = _wrap(np.arange(min(self._data.shape)))
    self[(i,) * self._data.ndim] = fill_value
    return self


_wrap = wrap


@function("diagflat")
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements on its diagonal."""
    return FUNCTIONS["diag"](input.reshape(-1), offset)


@function("block_diag", method=False)
def block_diag(*tensors: Tensor) -> Tensor:
    """The matrix with matrices on its diagonal."""
    blocks = [x.reshape(1, -1) if x._data.ndim < 2 else x for x in tensors]
    width = sum(b._data.shape[1] for b in blocks)
    rows, left = [], 0
    for b in blocks:
        m, n = b._data.shape
        rows.append(cat([wrap(np.zeros((m, left), b._data.dtype)), b, wrap(np.zeros((m, width - left - n), b._data.dtype))], 1))
        left += n
    return cat(rows, 0)


# -- taken apart
@function("hsplit")
def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Views of pieces along the second dimension, or the only one."""
    if not input._data.ndim:
        raise RuntimeError("torch.hsplit requires a tensor with at least 1 dimension, but got a tensor with 0 dimensions!")
    return tensor_split(input, indices_or_sections, 0 if input._data.ndim == 1 else 1)


@function("vsplit")
def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Views of pieces along the first dimension."""
    if input._data.ndim < 2:
        raise RuntimeError(f"torch.vsplit requires a tensor with at least 2 dimension, but got a tensor with {input._data.ndim} dimensions!")
    return tensor_split(input, indices_or_sections, 0)


@function("dsplit")
def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Views of pieces along the third dimension."""
    if input._data.ndim < 3:
        raise RuntimeError(f"torch.dsplit requires a tensor with at least 3 dimension, but got a tensor with {input._data.ndim} dimensions!")
    return tensor_split(input, indices_or_sections, 2)


@function("split_with_sizes")
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces of the sizes listed."""
    return split(input, list(split_sizes), dim)


@function("combinations", method=False)
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r elements of a vector, as rows."""
    import itertools

    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array(list(choose(range(input._data.size), r)), np.int64).reshape(-1, r)
    return input[wrap(places)]


@function("sum_to_size", namespace=False)
def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """Sums over what broadcasting to this shape from `size` would repeat."""
    shape, have = extents(size), self._data.shape
    lead = len(have) - len(shape)
    dims = (*range(lead), *(d + lead for d, n in enumerate(shape) if n == 1 and have[d + lead] != 1))
    return self.sum(dims, keepdim=True).reshape(shape) if dims else self.reshape(shape)


@function("renorm")
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """With slices of a dimension scaled down to a norm of `maxnorm` at most."""
    from .reductions import vector_norm

    d = axis(dim, input._data.ndim)
    norms = vector_norm(input, p, [e for e in range(input._data.ndim) if e != d], True)
    return input * FUNCTIONS["where"](norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)


@function("polar", method=False)
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """Complex numbers of these absolute values and angles."""
    return FUNCTIONS["complex"](abs * angle.cos(), abs * angle.sin())


@function("adjoint")
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged, and conjugated."""
    return input.mH


@function("unravel_index", method=False)
def unravel_index(indices: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
    """The places in a shape of places in the row of all elements."""
    return tuple([wrap(np.asarray(p)) for p in np.unravel_index(indices._array, tuple(shape))])


def broadcast_shapes(*shapes: Any) -> Any:
    """The common shape of several."""
    from ..sizes import Size

    return Size(np.broadcast_shapes(*[(s,) if isinstance(s, int) else tuple(s) for s in shapes]))


def scalar_tensor(value: Any, *, dtype: Any = None, device: Any = None, layout: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor of the default floating dtype."""
    from .. import dtypes

    d = dtypes.get_default_dtype().numpy if dtype is None else dtypes.as_numpy(dtype)
    number = number_in(value, d) if isinstance(value, (int, float, complex, Tracer)) else value
    made = wrap(number if type(number) is Tracer else np.asarray(number, d))
    return made.requires_grad_() if requires_grad else made


FUNCTIONS.update(broadcast_shapes=broadcast_shapes, scalar_tensor=scalar_tensor)


# -- the tensor itself as a view of what it was
def _becomes(f: Callable, name: str) -> None:
    def method(self: Tensor, *args: Any) -> Tensor:
        was = Tensor._sharing(self._data, self._storage, self._chain)
        was._node, was._nr, was._requires = self.grad_fn, self._nr, self._requires
        made = f(was, *args)
        self._data, self._chain, self._node, self._nr = made._data, made._chain, made._node, made._nr
        self._history = self._storage.history
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"`{name[:-1]}`, of the tensor itself."
    setattr(Tensor, name, method)


for _name, _f in {"squeeze_": squeeze, "unsqueeze_": unsqueeze, "transpose_": transpose, "t_": t}.items():
    _becomes(_f, _name)
