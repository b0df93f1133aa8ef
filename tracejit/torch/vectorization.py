"""`vmap`: a function of one example as a function of many.

The function is traced on one example (capture.py), and its graph is batched by the rules of the operations.  The batched graph is a primitive: it is
recorded for backward, pushed forward and batched again like any other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..errors import TracerBoolError, TracerConversionError
from ..ir import ArrayType
from ..transforms.batch import batch
from .capture import Place, Recording, filled, record
from .dispatch import Primitive
from .modes import state
from .repeated import Recorded, Repeated
from .tensor import Tensor


def flatten(x: Any) -> tuple[list[Any], Any]:
    """The leaves of a tree, of which tensors are some, and its structure."""
    return tree.flatten(x, is_leaf=lambda leaf: isinstance(leaf, Tensor))


def vmap(func: Callable, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None) -> Callable:
    """`func` of one example as a function of many: `in_dims` says along which dimension each argument has them (None: it is shared).

    The function is traced on one example, so it cannot ask for the values of tensors (`RuntimeError`); a function that only computes is traced anew
    only when something that it reads has changed, other than the contents of tensors. `out_dims` says where the results have the dimension of
    the examples; `chunk_size` is how many to do at once. Random numbers in the function are an error, unless `randomness` is "different" (each
    example has its own) or "same".

    >>> from tracejit import torch
    >>> torch.func.vmap(torch.dot)(torch.ones(2, 3), torch.ones(2, 3))
    tensor([3., 3.])
    """
    if randomness not in ("error", "same", "different"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")

    @functools.wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        flat, structure = flatten((args, kwargs))
        dims = _dims(in_dims, args, kwargs, len(flat))
        sizes = {t._data.shape[d] for t, d in zip(flat, dims) if d is not None}
        if chunk_size is not None and chunk_size <= 0:
            raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
        if not sizes:
            raise ValueError("vmap: at least one input must be mapped over: in_dims has None for all")
        if len(sizes) > 1:
            raise ValueError(
                f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sorted(sizes)} for the mapped dimension"
            )
        n = sizes.pop()
        if chunk_size is not None and chunk_size < n:
            return _chunked(batched_once, flat, structure, dims, n, chunk_size, out_dims)
        return batched_once(flat, structure, dims, n)

    def batched_once(flat: list[Any], structure: Any, dims: list[Any], n: int) -> Any:
        recorded = kept(flat, structure, tuple(dims), n)
        front = [t.movedim(d, 0) if d else t for t, d in zip(flat, dims) if isinstance(t, Tensor)]
        try:
            results = recorded.primitive(*front, *recorded.captured)
        except np.linalg.LinAlgError as error:
            from .linalg import LinAlgError

            raise LinAlgError(f"vmap of {getattr(func, '__name__', func)}: {error}") from None
        places = _out_dims(out_dims, recorded.skeleton)
        return filled(recorded.skeleton, [r if d == 0 else r.movedim(0, d) for r, d in zip(results, places)])

    def recorded_for(flat: list[Any], structure: Any, dims: tuple[Any, ...], n: int) -> Recorded:
        return _recorded(func, flat, structure, dims, n, randomness)

    kept = Repeated(func, recorded_for) if randomness == "error" else recorded_for
    return batched


def _recorded(func: Callable, flat: list[Any], structure: Any, dims: tuple[Any, ...], n: int, randomness: str) -> Recorded:
    """The function of n examples, which the arguments have in front."""
    tensors = [i for i, t in enumerate(flat) if isinstance(t, Tensor)]
    types = []
    for i in tensors:
        shape, d = flat[i]._data.shape, dims[i]
        types.append(ArrayType(shape if d is None else (*shape[:d], *shape[d + 1 :]), flat[i]._data.dtype))

    def one(own: list[Tensor]) -> Any:
        given = list(flat)
        for i, t in zip(tensors, own):
            given[i] = t
        args, kwargs = structure.unflatten(given)
        return func(*args, **kwargs)

    recording = Recording(f"vmap of {getattr(func, '__name__', func)}", randomness, n)
    try:
        graph, constants, captured, skeleton = record(one, types, recording.what, recording)
    except (TracerBoolError, TracerConversionError) as error:
        if state.compiling is not None:
            raise
        raise RuntimeError(f"vmap: the examples differ in this value, so it is no number and decides no branch: {error}") from error
    marks = [*[dims[i] is not None for i in tensors], *[k in recording.drawn for k in range(len(captured))], *[False] * len(constants)]

    def impl(*arrays: Any) -> tuple:
        outputs, batched = batch(graph, [*arrays, *constants], marks)
        return tuple(
            [x if b else np.broadcast_to(x, (n, *np.shape(x))) + np.zeros((), t.dtype) for x, b, t in zip(outputs, batched, graph.out_types)]
        )

    own = [type_ if dims[i] is None else type_._replace(shape=(n, *type_.shape)) for i, type_ in zip(tensors, types)]
    return Recorded(Primitive("Vmap", impl), captured, skeleton, own)


def _dims(in_dims: Any, args: tuple, kwargs: dict, n: int) -> list[Any]:
    """The mapped dimension of each leaf, counted from the front."""
    if not isinstance(in_dims, (int, tuple, list)):
        raise ValueError(
            f"vmap: expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got {type(in_dims).__name__}"
        )
    if isinstance(in_dims, (tuple, list)) and len(in_dims) != len(args):
        raise ValueError(f"vmap: in_dims has {len(in_dims)} entries, but the function was called with {len(args)} arguments")
    found: list[Any] = []
    for x, d in zip(args, in_dims if isinstance(in_dims, (tuple, list)) else (in_dims,) * len(args)):
        found += _spread(x, d)
    for key in sorted(kwargs):
        found += _spread(kwargs[key], 0)
    if len(found) != n:
        raise ValueError("vmap: in_dims does not have the structure of the arguments")
    return found


def _spread(x: Any, d: Any) -> list[Any]:
    if isinstance(d, (tuple, list, dict)):
        parts = [(x[k], d[k]) for k in sorted(x)] if isinstance(d, dict) else list(zip(x, d))
        return [e for part, dim in parts for e in _spread(part, dim)]
    made = []
    for leaf in flatten(x)[0]:
        if d is None or not isinstance(leaf, Tensor):
            if d is not None and not isinstance(leaf, Tensor):
                raise ValueError(
                    f"vmap: Got in_dim={d} for an input of type {type(leaf).__name__}: only tensors are mapped over, use in_dims=None for others"
                )
            made.append(None)
            continue
        n = leaf._data.ndim
        if not -n <= d < n:
            raise ValueError(f"vmap: Got in_dim={d} for some input, but that input is a Tensor of dimensionality {n}")
        made.append(d % n)
    return made


def _out_dims(out_dims: Any, made: Any) -> list[int]:
    """Where each tensor of a result has the dimension of the examples: `out_dims` is one number for all in a part of it."""
    if isinstance(made, (Place, Tensor)):
        if not isinstance(out_dims, int):
            raise ValueError(f"vmap: out_dims must be an int or a collection of ints as the function's result is, got {out_dims!r} for a tensor")
        return [out_dims]
    if isinstance(made, dict):
        parts = [(out_dims if isinstance(out_dims, int) else out_dims[k], v) for k, v in made.items()]
    elif isinstance(made, (tuple, list)):
        if not isinstance(out_dims, int) and len(out_dims) != len(made):
            raise ValueError(f"vmap: out_dims has {len(out_dims)} entries, but the function returned {len(made)} tensors")
        parts = list(zip([out_dims] * len(made) if isinstance(out_dims, int) else out_dims, made))
    else:
        raise ValueError(f"vmap: the function must only return Tensors, or containers of them, got type {type(made).__name__}")
    return [d for out, part in parts for d in _out_dims(out, part)]


def _chunked(run, flat, structure, dims, n, size, out_dims) -> Any:
    """In parts of so many examples, which are joined."""
    from .functions.joining import cat

    parts = []
    for i in range(0, n, size):
        m = min(size, n - i)
        parts.append(run([t.narrow(d, i, m) if d is not None else t for t, d in zip(flat, dims)], structure, dims, m))
    flats = [flatten(p) for p in parts]
    places = _out_dims(out_dims, parts[0])
    return flats[0][1].unflatten([cat([f[0][k] for f in flats], places[k]) for k in range(len(flats[0][0]))])
