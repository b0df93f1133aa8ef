"""`dot_general(x, y, contract, batch)`: the one product of arrays.

`contract` and `batch` are pairs of axis tuples, of x and of y.  The result has the batch axes, then x's other axes, then y's.
"""

from __future__ import annotations

import string

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType
from ..trace import type_of
from .core import Linear, add_tangents, define
from .movement import broadcast_to, transpose


def _free(ndim: int, *used: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(d for d in range(ndim) if not any(d in axes for axes in used))


def _infer(x, y, contract, batch):
    if x.dtype != y.dtype:
        raise TypeError(at_user_line(f"a product of arrays needs equal dtypes, got {x} and {y}"))
    for kind, (ax, ay) in (("contracted", contract), ("batch", batch)):
        if tuple(x.shape[a] for a in ax) != tuple(y.shape[a] for a in ay):
            raise ValueError(at_user_line(f"shapes {x.shape} and {y.shape} do not match: {kind} axes {ax} and {ay}"))
    shape = (
        *(x.shape[a] for a in batch[0]),
        *(x.shape[a] for a in _free(x.ndim, contract[0], batch[0])),
        *(y.shape[a] for a in _free(y.ndim, contract[1], batch[1])),
    )
    return ArrayType(shape, x.dtype)


def as_matrices(ndim_x: int, ndim_y: int, contract, batch):
    """The permutations that bring x to (batch, free, contracted) and y to (batch, contracted, free)."""
    return (*batch[0], *_free(ndim_x, contract[0], batch[0]), *contract[0]), (*batch[1], *contract[1], *_free(ndim_y, contract[1], batch[1]))


def _run(xp, x, y, contract, batch):
    b, c = len(batch[0]), len(contract[0])
    px, py = as_matrices(x.ndim, y.ndim, contract, batch)
    tx, ty = xp.transpose(x, px), xp.transpose(y, py)
    lead, mx, my = tx.shape[:b], tx.shape[b : x.ndim - c], ty.shape[b + c :]
    k = int(np.prod(tx.shape[x.ndim - c :], dtype=np.int64))
    product = xp.matmul(xp.reshape(tx, (*lead, int(np.prod(mx, dtype=np.int64)), k)), xp.reshape(ty, (*lead, k, int(np.prod(my, dtype=np.int64)))))
    return xp.reshape(product, (*lead, *mx, *my))[()]


def _jvp(primals, out, tangents, contract, batch):
    (x, y), (tx, ty) = primals, tangents
    return add_tangents(
        None if tx is None else dot_general(tx, y, contract=contract, batch=batch),
        None if ty is None else dot_general(x, ty, contract=contract, batch=batch),
    )


def _transpose(ct, x, y, contract, batch):
    b, ndim_x, ndim_y = len(batch[0]), len(x.shape), len(y.shape)
    free_x, free_y = _free(ndim_x, contract[0], batch[0]), _free(ndim_y, contract[1], batch[1])
    in_front = tuple(range(b))
    if isinstance(x, Linear):  # contract the cotangent's y axes with y: the result has batch, x's free axes, then the contracted axes in y's order
        rows = tuple(range(b + len(free_x), b + len(free_x) + len(free_y)))
        got = dot_general(ct, y, contract=(rows, free_y), batch=(in_front, batch[1]))
        order = sorted(range(len(contract[1])), key=lambda i: contract[1][i])
        axes = (*batch[0], *free_x, *(contract[0][i] for i in order))
        return transpose(got, permutation=_inverse(axes)), None
    # With x first, the result of an ordinary product has y's own order of axes, and needs no transpose in memory.
    columns = tuple(range(b, b + len(free_x)))
    got = dot_general(x, ct, contract=(free_x, columns), batch=(batch[0], in_front))
    order = sorted(range(len(contract[0])), key=lambda i: contract[0][i])
    axes = (*batch[1], *(contract[1][i] for i in order), *free_y)
    return None, transpose(got, permutation=_inverse(axes))


def _inverse(axes):
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def _batch(args, batched, contract, batch):
    x, y = args
    (cx, cy), (bx, by) = contract, batch
    up = lambda axes: tuple(a + 1 for a in axes)
    if all(batched):
        return dot_general(x, y, contract=(up(cx), up(cy)), batch=((0, *up(bx)), (0, *up(by))))
    if batched[0]:
        if not bx:  # the batch is one more free axis of x, and comes out in front
            return dot_general(x, y, contract=(up(cx), cy), batch=batch)
        got = dot_general(x, y, contract=(up(cx), cy), batch=(up(bx), by))
        return transpose(got, permutation=_front(type_of(got).ndim, len(bx)))
    got = dot_general(x, y, contract=(cx, up(cy)), batch=(bx, up(by)))
    return transpose(got, permutation=_front(type_of(got).ndim, len(bx) + len(_free(type_of(x).ndim, cx, bx))))


def _front(ndim: int, axis: int) -> tuple[int, ...]:
    return (axis, *(d for d in range(ndim) if d != axis))


def subscripts(ndim_x: int, ndim_y: int, contract, batch) -> str:
    """The einsum formula."""
    letters = iter(string.ascii_letters)
    x, y = [""] * ndim_x, [""] * ndim_y
    for ax, ay in (*zip(*contract), *zip(*batch)):
        x[ax] = y[ay] = next(letters)
    for side in (x, y):
        for d, known in enumerate(side):
            side[d] = known or next(letters)
    out = [x[a] for a in batch[0]] + [x[a] for a in _free(ndim_x, contract[0], batch[0])] + [y[a] for a in _free(ndim_y, contract[1], batch[1])]
    return f"{''.join(x)},{''.join(y)}->{''.join(out)}"


def _show(x, y, contract, batch):
    """`x @ y` where that says it, with transposes of matrices, else einsum."""
    b, (nx, ny) = len(batch[0]), (x.type.ndim, y.type.ndim)
    if b == 0 and len(contract[0]) == 1 and nx <= 2 >= ny:
        return f"{x}{'.T' if contract[0] != (nx - 1,) else ''} @ {y}{'.T' if contract[1] != (0,) else ''}"
    if batch == (tuple(range(b)),) * 2 and contract == ((nx - 1,), (b,)) and (nx, ny) == (b + 2, b + 2):
        return f"{x} @ {y}"
    return f"np.einsum({subscripts(nx, ny, contract, batch)!r}, {x}, {y}, optimize=True)"


dot_general = define("dot_general", infer=_infer, run=_run, jvp=_jvp, transpose=_transpose, batch=_batch, kind="dot", dear=True, singular=True,
                     show=_show)
__all__ = ["as_matrices", "broadcast_to", "dot_general", "subscripts"]
