"""Views by distances in memory, windows, and tensors with a part of them replaced."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dispatch import FUNCTIONS, Primitive, function
from ..tensor import Tensor, along, wrap
from .joining import cat, split, tensor_split
from .operands import axis, extents
from .shaping import squeeze, t, transpose, unsqueeze


def _places(shape: tuple[int, ...], steps: tuple[int, ...], offset: int) -> np.ndarray:
    """Which elements of a row lie at these distances."""
    made = np.full(shape, offset)
    for d, (n, step) in enumerate(zip(shape, steps)):
        made = made + (np.arange(n) * step).reshape([-1 if e == d else 1 for e in range(len(shape))])
    return made


_as_strided = Primitive("AsStrided", lambda x, shape, steps, offset: np.reshape(x, (-1,))[_places(shape, steps, offset)])


@function("as_strided")
def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """The elements at these distances in the row of all elements: a copy. Raises `RuntimeError` where that row ends before them."""
    shape, steps, offset = tuple(size), tuple(stride), storage_offset or 0
    last = offset + sum((n - 1) * s for n, s in zip(shape, steps)) if math.prod(shape) else 0
    if last >= max(input._data.size, 1):
        raise RuntimeError(f"as_strided: sizes {list(shape)} and strides {list(steps)} reach beyond the {input._data.size} elements of the tensor")
    return _as_strided(input, shape=shape, steps=steps, offset=offset)


def _windows(x: Any, axis: int, size: int, step: int) -> Any:
    starts = np.arange(0, x.shape[axis] - size + 1, step)
    made = np.take(x, starts[:, None] + np.arange(size), axis)
    order = [d if d <= axis else d + 1 for d in range(len(x.shape))]
    return np.transpose(made, (*order, axis + 1))


_unfold = Primitive("Unfold", _windows)


@function("unfold", namespace=False)
def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of a dimension, as a new last dimension: a copy."""
    dimension = axis(dimension, self._data.ndim)
    if size > self._data.shape[dimension]:
        raise RuntimeError(f"maximum size for tensor at dimension {dimension} is {self._data.shape[dimension]} but size is {size}")
    return _unfold(self, axis=dimension, size=int(size), step=int(step))


# -- with a part replaced
def _replaced(x: Any, y: Any, chain: tuple) -> Any:
    made = np.copy(x)
    along(chain, made)[...] = y
    return made


_scatter_part = Primitive("SliceScatter", _replaced)


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
    from ..tensor import Size

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
