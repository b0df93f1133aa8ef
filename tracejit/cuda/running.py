"""An op by its own `run`, on arrays of a device: with CuPy, or on the host where CuPy has no such function.

Most references are written for any array library that looks like NumPy.  Those that are not have another one here (`RULES`), or go to the host and
back (`HOST`): SciPy's algorithms, and what calls back into Python.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir.types import INT
from ..ops.core import by_name
from ..trace.constants import outside_of_traces

HOST = frozenset(
    """betainc_slope block_normals callback cofactor_slope cofactors expm expm_slope gammainc_slope lstsq mersenne_normals mersenne_words
    pure_callback shuffled sqrtm sylvester""".split()
)
_found_missing: set[str] = set()  # ops of functions that CuPy turned out not to have


def on_host(op: Any) -> bool:
    """Whether an op is computed on the host, as far as that is known before it is met."""
    return op.name in HOST or op.name in _found_missing


def run(backend: Any, op: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """The result of `op`, or its results, on the device of its arguments; numbers and constants of the host may stand beside these."""
    with outside_of_traces():
        if not on_host(op):
            try:
                return _on_device(backend, op, args, params)
            except MissingFunctionError:
                _found_missing.add(op.name)
            except UnsupportedTypeError:
                pass
        return _on_host(backend, op, args, params)


def _on_device(backend: Any, op: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
    functions = _functions(backend)
    given = [placed(backend, a) for a in args]
    rule = RULES.get(op.name)
    made = op.run(functions, *given, **params) if rule is None else rule(functions, *given, **params)
    resident = lambda x: x if type(x) is backend.array else backend.from_host(x)
    return tuple(map(resident, made)) if op.multiple else resident(made)


def _on_host(backend: Any, op: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
    given = [backend.to_host(a)[()] if type(a) is backend.array else a for a in args]
    with np.errstate(all="ignore"):
        made = op.run(np, *given, **params)
    return tuple(map(backend.from_host, made)) if op.multiple else backend.from_host(made)


def placed(backend: Any, x: Any) -> Any:
    """x as an argument of a function of the device: an array of the host goes there, one number that is spread over a shape as that."""
    if not isinstance(x, np.ndarray):
        return x
    if not x.ndim:
        return x[()]
    if x.size and not any(x.strides):
        return backend.xp.broadcast_to(backend.from_host(x[(0,) * x.ndim]), x.shape)
    return backend.from_host(x)


class MissingFunctionError(AttributeError):
    """CuPy has no such function."""


class UnsupportedTypeError(TypeError):
    """CuPy has the function, but not for this dtype."""


class Functions:
    """The namespace that references compute with: CuPy's, with the special functions of its SciPy, and its linear algebra as `scipy_linalg`."""

    def __init__(self, backend: Any):
        self._spaces = (backend.xp, backend.special)
        self.scipy_linalg = backend.scipy_linalg
        self.empty_array, self.array_class = backend.empty, backend.array

    def __getattr__(self, name: str) -> Any:
        for space in self._spaces:
            found = getattr(space, name, None)
            if found is not None:
                setattr(self, name, found)
                return found
        raise MissingFunctionError(name)


_made: dict[int, Functions] = {}


def _functions(backend: Any) -> Functions:
    found = _made.get(id(backend))
    if found is None:
        found = _made[id(backend)] = Functions(backend)
    return found


# -- references for devices
def _running(name: str) -> Callable:
    """Running sums and products are CuPy's; running extrema are made by doubling steps, since it has none."""

    def run(xp, x, axis, reverse):
        x = xp.flip(x, axis) if reverse else x
        if name in ("cumsum", "cumprod"):
            out = getattr(xp, name)(x, axis=axis, dtype=x.dtype)
        else:
            out = _doubling(xp.maximum if name == "cummax" else xp.minimum, x, axis)
        return xp.flip(out, axis) if reverse else out

    return run


def _doubling(combine: Callable, x: Any, axis: int) -> Any:
    part = lambda first, last: (slice(None),) * axis + (slice(first, last),)
    out, step, n = x.copy(), 1, x.shape[axis]
    while step < n:
        before = out.copy()
        out[part(step, None)] = combine(before[part(step, None)], before[part(None, n - step)])
        step *= 2
    return out


_SIGNED, _UNSIGNED = np.dtype(np.int64), np.dtype(np.uint64)
_ATOMIC = {"scatter_add": "uint32 uint64 int32 float16 float32 float64 complex64 complex128", "scatter_set": None}
_ATOMIC["scatter_max"] = _ATOMIC["scatter_min"] = "uint32 uint64 int32 float32 float64"


def _scatter(name: str) -> Callable:
    """Updates that meet at one position are combined by atomic operations, of which CuPy has some; of those that are set, the last one stays."""

    def run(xp, x, updates, *indices, axes, mode):
        x, updates = xp.asarray(x), xp.asarray(updates)
        dtype = compute = x.dtype
        if _ATOMIC[name] is not None and dtype.name not in _ATOMIC[name].split():
            if dtype == _SIGNED and name == "scatter_add":
                compute = _UNSIGNED  # the same bits
            elif dtype.kind in "iu" and dtype.itemsize < 4:
                compute = np.dtype(np.int32)
            else:
                raise UnsupportedTypeError(name)
        made = by_name[name].run(xp, x.astype(compute, copy=False), updates.astype(compute, copy=False), *indices, axes=axes, mode=mode)
        return made.astype(dtype, copy=False)

    return run


def _make_complex(xp, x, y):
    out = xp.empty_array(np.broadcast_shapes(np.shape(x), np.shape(y)), np.result_type(x.dtype, np.complex64))
    out.real = x
    out.imag = y
    return out


def _each(xp, function, lead, *stacks):
    """Tuples of arrays that `function` gives of the items at each position of the stacks, which have the axes `lead` in front; stacked alike."""
    if not lead:
        return function(*stacks)
    flat = [s.reshape(-1, *s.shape[len(lead) :]) for s in stacks]
    return tuple(xp.stack(part).reshape(*lead, *part[0].shape) for part in zip(*[function(*items) for items in zip(*flat)]))


def _factor(xp, a):
    """LU factors of a^T, and pivots from 1."""

    def one(a):
        packed, pivots = xp.scipy_linalg.lu_factor(a.T, check_finite=False)
        return xp.ascontiguousarray(packed.T), pivots.astype(INT) + 1

    if not a.size:
        return xp.zeros(a.shape, a.dtype), xp.zeros(a.shape[:-1], INT)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # how CuPy and SciPy say it
        try:
            return _each(xp, one, a.shape[:-2], a)
        except RuntimeWarning:
            raise np.linalg.LinAlgError("Singular matrix") from None


def _factored_solve(xp, a, factors, pivots, b, transposed):
    def one(factors, pivots, b):
        return (xp.scipy_linalg.lu_solve((factors.T, (pivots - 1).astype(np.int32)), b, trans=0 if transposed else 1, check_finite=False),)

    return _each(xp, one, b.shape[:-2], factors, pivots, b)[0] if b.size else xp.zeros(b.shape, b.dtype)


def _lu(xp, a):
    def one(a):
        packed, pivots = xp.scipy_linalg.lu_factor(a, check_finite=False)
        return packed, pivots.astype(INT)

    if not a.size:
        return xp.zeros(a.shape, a.dtype), xp.zeros((*a.shape[:-2], min(a.shape[-2:])), INT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # singular matrices have factors too
        return _each(xp, one, a.shape[:-2], a)


def _triangular_solve(xp, a, b, lower, transposed, unit):
    if not b.size:
        return xp.zeros(b.shape, b.dtype)
    if a.ndim == 2:
        return xp.scipy_linalg.solve_triangular(a, b, trans=int(transposed), lower=lower, unit_diagonal=unit, check_finite=False)
    return by_name["triangular_solve"].run(xp, a, b, lower, transposed, unit)


def _pinv(xp, a, rcond, hermitian):
    if not hermitian:
        return xp.linalg.pinv(a, rcond)
    values, vectors = xp.linalg.eigh(a)
    size = xp.abs(values)
    kept = size > rcond * xp.max(size, axis=-1, keepdims=True)
    inverse = xp.where(kept, 1 / xp.where(kept, values, 1), 0).astype(values.dtype)
    return (vectors * inverse[..., None, :]) @ xp.conj(vectors).mT


def _polygamma(xp, x, order):
    return xp.polygamma(xp.full(np.shape(x), order, x.dtype), x)


def _scipy_ufunc(xp, *args, name):
    return getattr(xp, name)(*args)


def _gamma_path(xp, a, y):
    return xp.array(xp.broadcast_to(y, np.broadcast_shapes(np.shape(a), np.shape(y))))


def _by_protocol(name: str) -> Callable:
    """A reference of NumPy functions, which find the device by their protocols."""
    return lambda xp, *args: by_name[name].run(np, *args)


RULES: dict[str, Callable] = {
    **{name: _running(name) for name in ("cumsum", "cumprod", "cummax", "cummin")},
    "make_complex": _make_complex, "factor": _factor, "factored_solve": _factored_solve, "lu": _lu, "triangular_solve": _triangular_solve,
    "pinv": _pinv, "polygamma": _polygamma, "scipy_ufunc": _scipy_ufunc, "gamma_path": _gamma_path,
    **{name: _scatter(name) for name in _ATOMIC},
    **{name: _by_protocol(name) for name in ("over", "over_gap", "offset")},
}  # fmt: skip

__all__ = ["HOST", "MissingFunctionError", "on_host", "placed", "run"]
