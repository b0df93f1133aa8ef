"""Views by distances in memory, windows, and tensors with a part of them replaced."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...trace import Tracer
from ...trace.constants import as_proxy
from ..dispatch import FUNCTIONS, Primitive, function
from ..placing import placed, refuse_overlap
from ..tensor import Tensor, wrap
from .joining import cat, split, tensor_split
from .operands import axis, extents
from .shaping import squeeze, storage_offset, t, transpose, unsqueeze


def _places(shape: tuple[int, ...], steps: tuple[int, ...], offset: int) -> np.ndarray:
    """Which elements of a row lie at these distances."""
    made = np.full(shape, offset)
    for d, (n, step) in enumerate(zip(shape, steps)):
        made = made + (np.arange(n) * step).reshape([-1 if e == d else 1 for e in range(len(shape))])
    return made


def _at_distances(x: Any, shape: tuple[int, ...], steps: tuple[int, ...], offset: int) -> Any:
    if isinstance(x, Tracer):
        return np.reshape(x, (-1,))[_places(shape, steps, offset)]
    return np.lib.stride_tricks.as_strided(x.reshape(-1)[offset:], shape, [s * x.itemsize for s in steps])


def _put_at_distances(x: Any, part: Any, shape: tuple[int, ...], steps: tuple[int, ...], offset: int) -> Any:
    places = _places(shape, steps, offset)
    if np.unique(places).size < places.size:
        refuse_overlap()
    return _proxy(np.reshape(x, (-1,))).at[places].set(part).reshape(x.shape)


_as_strided = Primitive("AsStrided", _at_distances, view=True, put=_put_at_distances)


@function("as_strided")
def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """The elements at these distances in the memory of the tensor, from `storage_offset` on: a view.

    Raises `RuntimeError` where the memory ends before them, and for a tensor that does not lie in one piece, unless what it is a view of does.
    """
    shape, steps = tuple(size), tuple(stride)
    if len(shape) != len(steps):
        raise RuntimeError(f"mismatch in length of strides and shape: {len(steps)} strides for {len(shape)} dimensions")
    if any(s < 0 for s in steps):
        raise RuntimeError("as_strided: Negative strides are not supported at the moment, got strides: " + str(list(steps)))
    first = _offset(input)
    offset = first if storage_offset is None else storage_offset
    last = offset + sum((n - 1) * s for n, s in zip(shape, steps)) if math.prod(shape) else offset
    source, begin = input, first
    if (offset < first or last >= first + input._data.size or not _in_one_piece(input)) and input._base is not None:
        source, begin = input._base, _offset(input._base)
    if not _in_one_piece(source) or offset < begin or math.prod(shape) and last >= begin + source._data.size:
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(steps)}, storage offset {offset} reach beyond the {source._data.size} elements that lie "
            f"in one piece from {begin} on"
        )
    return _as_strided(source, shape=shape, steps=steps, offset=offset - begin)


def _in_one_piece(t: Tensor) -> bool:
    return type(t._data) is Tracer or t._data.flags.c_contiguous


def _offset(t: Tensor) -> int:
    """How many elements of the storage come before the first one of a tensor."""
    return 0 if type(t._data) is Tracer else storage_offset(t)


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
        self = self.reshape(1)
    dimension = axis(dimension, self._data.ndim)
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
    return tensor_split(input, indices_or_sections, 0 if input._data.ndim == 1 else 1)


@function("vsplit")
def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Views of pieces along the first dimension."""
    return tensor_split(input, indices_or_sections, 0)


@function("dsplit")
def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Views of pieces along the third dimension."""
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


def scalar_tensor(value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A 0-d tensor of the default floating dtype."""
    from .. import dtypes

    return wrap(np.asarray(value, dtypes.get_default_dtype().numpy if dtype is None else dtypes.as_numpy(dtype)))


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
