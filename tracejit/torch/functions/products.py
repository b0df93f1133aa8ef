"""Products of matrices and vectors."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ..dispatch import Primitive, function
from ..tensor import Tensor, wrap
from .operands import axis, require_tensor

_dot = Primitive("Dot", lambda x, y: np.dot(x, y), ufunc=np.dot)
_mv = Primitive("Mv", np.matmul, ufunc=np.matmul)
_mm = Primitive("Mm", np.matmul, ufunc=np.matmul)
_bmm = Primitive("Bmm", np.matmul, ufunc=np.matmul)
_matmul = Primitive("UnsafeView", np.matmul, ufunc=np.matmul)
_vdot = Primitive("Vdot", lambda x, y: np.dot(np.conjugate(x), y))


def _text(t: Tensor) -> str:
    return "x".join(map(str, t._data.shape))


def _do_not_fit(a: Tensor, b: Tensor) -> RuntimeError:
    """What to raise for two matrices, the first of which may be a vector that counts as a row."""
    row = "1x" if a._data.ndim == 1 else ""
    return RuntimeError(
        f"mat1 and mat2 shapes cannot be multiplied ({row}{_text(a)} and {_text(b)}): the first should have {b._data.shape[0]} columns, as many as "
        "the second has rows (a Linear layer's in_features)"
    )


def _same_dtype(name: str, *tensors: Tensor) -> None:
    for t in tensors[1:]:
        if t._data.dtype != tensors[0]._data.dtype:
            a, b = tensors[0].dtype, t.dtype
            raise RuntimeError(f"{name}: expected both tensors to have the same dtype, but got {a} and {b}. Convert one: x.to({b})")


def _require(name: str, t: Tensor, ndim: int, position: str) -> None:
    require_tensor(t, name, position)
    if t._data.ndim != ndim:
        raise RuntimeError(f"{name}(): {position} must be a {ndim}-D tensor, but it has shape {list(t._data.shape)}")


@function("dot")
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of products of two vectors of one length."""
    for t in (input, tensor):
        if t._data.ndim != 1:
            raise RuntimeError(f"1D tensors expected, but got {input._data.ndim}D and {tensor._data.ndim}D tensors")
    if input._data.shape != tensor._data.shape:
        a, b = input._data.size, tensor._data.size
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{a}] and src [{b}] to have the same number of elements, "
            f"but got {a} and {b} elements respectively"
        )
    _same_dtype("dot", input, tensor)
    return _dot.of_two(input, tensor)


@function("vdot")
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """`dot` with the conjugate of the first vector."""
    return _vdot(input, other) if input._data.dtype.kind == "c" else dot(input, other)


@function("inner")
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products along the last dimensions."""
    if not input._data.ndim or not other._data.ndim:
        return input * other
    return tensordot(input, other, ([-1], [-1]))


@function("mv")
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """A matrix times a vector."""
    _require("mv", input, 2, "input")
    _require("mv", vec, 1, "vec")
    if input._data.shape[1] != vec._data.shape[0]:
        raise RuntimeError(f"size mismatch, got input ({input._data.shape[0]}), mat ({_text(input)}), vec ({vec._data.size})")
    _same_dtype("mv", input, vec)
    return _mv(input, vec)


@function("mm")
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices."""
    _require("mm", input, 2, "input")
    _require("mm", mat2, 2, "mat2")
    if input._data.shape[1] != mat2._data.shape[0]:
        raise _do_not_fit(input, mat2)
    _same_dtype("mm", input, mat2)
    return _mm.of_two(input, mat2)


@function("bmm")
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Products of matrices, one for each of a batch."""
    _require("bmm", input, 3, "input")
    _require("bmm", mat2, 3, "mat2")
    a, b = input._data.shape, mat2._data.shape
    if a[0] != b[0] or a[2] != b[1]:
        raise RuntimeError(f"Expected size for first two dimensions of batch2 tensor to be: [{a[0]}, {a[2]}] but got: [{b[0]}, {b[1]}].")
    _same_dtype("bmm", input, mat2)
    return _bmm.of_two(input, mat2)


@function("matmul")
def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The matrix product, broadcast over leading dimensions; vectors count as a row on the left and a column on the right."""
    require_tensor(other, "matmul", "other")
    a, b = input._data.shape, other._data.shape
    if not a or not b:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {len(a)}D and {len(b)}D")
    if a[-1] != b[-2 if len(b) > 1 else 0]:
        if len(a) <= 2 and len(b) == 2:
            raise _do_not_fit(input, other)
        if len(b) == 1:
            raise RuntimeError(f"size mismatch, got input ({a[0]}), mat ({_text(input)}), vec ({b[0]})")
        raise RuntimeError(f"Expected the last dimension of {list(a)} to equal the second-last of {list(b)} in matmul, got {a[-1]} and {b[-2]}")
    _same_dtype("matmul", input, other)
    if len(a) == 1 and len(b) == 1:
        made = _dot.of_two(input, other)
    elif len(a) == 2 and len(b) == 1:
        made = _mv.of_two(input, other)
    elif len(a) == 2 and len(b) == 2:
        made = _mm.of_two(input, other)
    else:
        made = (_bmm if len(a) == len(b) == 3 else _matmul).of_two(input, other)
    return made if out is None else out.copy_(made)


def _operator(self: Tensor, other: Any) -> Any:
    return matmul(self, other) if isinstance(other, Tensor) else NotImplemented


def _reflected(self: Tensor, other: Any) -> Any:
    return matmul(wrap(other), self) if isinstance(other, np.ndarray) else NotImplemented


Tensor.__matmul__, Tensor.__rmatmul__ = _operator, _reflected


def _linear_sum(x, a, b, beta, alpha):
    product = np.matmul(a, b)
    if product.dtype.kind in "iu":  # factors of integers are cut off
        alpha, beta = int(alpha), int(beta)
    product = product if alpha == 1 else alpha * product
    return product if beta == 0 else x + product if beta == 1 else beta * x + product


_addmm = Primitive("Addmm", _linear_sum)
_addmv = Primitive("Addmv", _linear_sum)
_baddbmm = Primitive("Baddbmm", _linear_sum)


def _summed_product(x, a, b, beta, alpha):
    if x.dtype.kind in "iu":
        alpha, beta = int(alpha), int(beta)
    return beta * x + alpha * np.sum(np.matmul(a, b), axis=0, dtype=x.dtype)


_addbmm = Primitive("Addbmm", _summed_product)


def _outer_sum(x, a, b, beta, alpha):
    made = beta * x + alpha * np.outer(a, b)
    return made.astype(x.dtype) if x.dtype.kind == "b" else made


_addr = Primitive("Addr", _outer_sum)


@function("addmm", inplace=True)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2)."""
    for t, position in ((mat1, "mat1"), (mat2, "mat2")):
        _require("addmm", t, 2, position)
    if mat1._data.shape[1] != mat2._data.shape[0]:
        raise _do_not_fit(mat1, mat2)
    _same_dtype("addmm", mat1, mat2, input)
    if input._data.dtype.kind in "iu" and (isinstance(beta, float) or isinstance(alpha, float)):
        raise RuntimeError("For integral input tensors, arguments alpha and beta must not be floating point numbers.")
    return _addmm(input, mat1, mat2, beta=beta, alpha=alpha)


@function("addmv", inplace=True)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (mat @ vec)."""
    return _addmv(input, mat, vec, beta=beta, alpha=alpha)


@function("baddbmm", inplace=True)
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * bmm(batch1, batch2)."""
    return _baddbmm(input, batch1, batch2, beta=beta, alpha=alpha)


@function("addbmm", inplace=True)
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * the sum of bmm(batch1, batch2)."""
    return _addbmm(input, batch1, batch2, beta=beta, alpha=alpha)


@function("addr", inplace=True)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2)."""
    return _addr(input, vec1, vec2, beta=beta, alpha=alpha)


_outer = Primitive("Mul", lambda x, y: np.outer(x, y))


@function("outer", "ger")
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of the elements of two vectors."""
    return _outer(input, vec2)


_einsum = Primitive("Einsum", lambda *xs, equation: np.einsum(equation, *xs, optimize=len(xs) > 2))


def _of_lists(*given: Any) -> tuple[str, tuple[Tensor, ...]]:
    """The equation and operands that are given as tensors with lists of numbers for their dimensions, and a list for those of the result."""
    from string import ascii_letters

    def term(places: Any) -> str:
        return "".join(["..." if d is Ellipsis else ascii_letters[d] for d in places])

    pairs = len(given) // 2
    terms = ",".join([term(given[2 * i + 1]) for i in range(pairs)])
    return f"{terms}->{term(given[-1])}" if len(given) % 2 else terms, tuple(given[: 2 * pairs : 2])


@function("einsum", method=False)
def einsum(equation: str, *operands: Any) -> Tensor:
    """Sums of products by Einstein's notation: `einsum("ij,jk->ik", a, b)`, or `einsum(a, [0, 1], b, [1, 2], [0, 2])`."""
    if isinstance(equation, Tensor):
        equation, operands = _of_lists(equation, *operands)
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    for t in operands:
        require_tensor(t, "einsum", "operands")
    _same_dtype("einsum", *operands)
    equation = equation.replace(" ", "")
    terms, arrow, result = equation.partition("->")
    if "..." in terms and arrow and "..." not in result:  # what the dots stand for is summed
        letters = [len(term.replace("...", "")) for term in terms.split(",")]
        dots = max([t._data.ndim - n for t, n in zip(operands, letters)], default=0)
        return einsum(f"{terms}->...{result}", *operands).sum(tuple(range(dots))) if dots else einsum(equation.replace("...", ""), *operands)
    try:
        return _einsum(*operands, equation=equation)
    except ValueError as error:
        shapes = ", ".join(str(list(t._data.shape)) for t in operands)
        raise RuntimeError(f"einsum(): {error} (equation {equation!r}, shapes {shapes})") from None


_tensordot = Primitive("Tensordot", lambda x, y, dims: np.tensordot(x, y, dims))


@function("tensordot", method=False)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sums of products over several dimensions: their number, or the lists of them. An extent of one is repeated."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if not 0 <= dims <= min(a._data.ndim, b._data.ndim):
            raise RuntimeError(f"tensordot expects dims >= 0 and no more than the tensors have, but got dims={dims}")
        dims = tuple(range(a._data.ndim - dims, a._data.ndim)), tuple(range(dims))
    first, second = [
        tuple([axis(int(d), t._data.ndim) for d in (ds if isinstance(ds, (list, tuple)) else (ds,))]) for ds, t in zip(dims, (a, b))
    ]
    if len(first) != len(second):
        raise RuntimeError(f"both dimension lists should have same length, got {list(first)} and {list(second)}")
    for i, j in zip(first, second):
        m, n = a._data.shape[i], b._data.shape[j]
        if m == 1 and n != 1:
            b = b.sum(j, keepdim=True, dtype=b.dtype)
        elif n == 1 and m != 1:
            a = a.sum(i, keepdim=True, dtype=a.dtype)
        elif m != n:
            raise RuntimeError(f"contracted dimensions need to match, but first has size {m} in dim {i} and second has size {n} in dim {j}")
    _same_dtype("tensordot", a, b)
    return _tensordot(a, b, dims=(first, second))


_kron = Primitive("Kron", np.kron)


@function("kron")
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product."""
    return _kron(input, other)


def _cross_impl(x, y, axis):
    return np.cross(x, y, axis=axis)


_cross = Primitive("LinalgCross", _cross_impl)


@function("cross")
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product along a dimension of extent three."""
    if dim is None:
        dim = next((i for i, n in enumerate(input._data.shape) if n == 3), -1)
    return _cross(*_broadcast(input, other), axis=axis(dim, input._data.ndim))


def _broadcast(*tensors: Tensor) -> tuple[Tensor, ...]:
    from .shaping import broadcast_tensors

    return broadcast_tensors(*tensors)


@function("chain_matmul", method=False)
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of several matrices."""
    return functools.reduce(mm, matrices)


_trace = Primitive("Trace", lambda x: np.trace(x if x.dtype.kind in "fc" else x.astype(np.int64)))


@function("trace")
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix."""
    _require("trace", input, 2, "input")
    return _trace(input)


@function("matrix_power")
def matrix_power(input: Tensor, n: int) -> Tensor:
    """The product of n equal matrices; of their inverses for negative n."""
    if n < 0:
        from ..linalg import inv

        return matrix_power(inv(input), -n)
    if n == 0:
        return wrap(np.broadcast_to(np.eye(input._data.shape[-1], dtype=input._data.dtype), input._data.shape).copy())
    made = None
    while n:
        made = (input if made is None else matmul(made, input)) if n & 1 else made
        n >>= 1
        input = matmul(input, input) if n else input
    return made


@function("cdist", method=False)
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """Distances between all rows of one and of another. They are computed from the differences in every `compute_mode`."""
    if x1._data.ndim < 2 or x2._data.ndim < 2 or x1._data.shape[-1] != x2._data.shape[-1]:
        raise RuntimeError(f"cdist: rows of one length are needed, got tensors of shapes {list(x1._data.shape)} and {list(x2._data.shape)}")
    from .reductions import vector_norm

    return vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), math.inf if p == math.inf else p, -1)
