"""`gradcheck` and `gradgradcheck`: the way back beside finite differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import engine
from ..duals import entered
from ..jacobians import lift, unpack
from ..modes import enable_grad, no_grad
from ..tensor import Tensor, wrap
from .function import FunctionNode


class GradcheckError(RuntimeError):
    """The way back disagrees with finite differences."""


def gradcheck(
    func: Callable, inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True, nondet_tol: float = 0.0,
    check_undefined_grad: bool = True, check_grad_dtypes: bool = False, check_batched_grad: bool = False, check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False, check_backward_ad: bool = True, fast_mode: bool = False, masked: bool | None = None,
) -> bool:  # fmt: skip
    """Whether the gradients of `func` agree with central differences, within `atol` and `rtol`.

    Inputs that require a gradient are to be of double precision.  `fast_mode` compares projections of the Jacobian onto random vectors instead of
    all of it; `check_forward_ad` also compares derivatives in forward mode, and `check_batched_forward_grad` many of them at once;
    `check_batched_grad` compares many gradients at once with one after the other; `check_undefined_grad` calls functions of the user's own that take
    None for a gradient with it; `nondet_tol` is how far two runs of the way back may differ.
    Raises `GradcheckError` with both Jacobians, unless `raise_exception` is off (then the result is False).

    >>> from tracejit import torch
    >>> x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(torch.sin, (x,))
    True
    """
    given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    try:
        _check(func, given, eps, atol, rtol, nondet_tol, check_forward_ad, check_backward_ad, fast_mode)
        if check_backward_ad:
            _check_more(func, given, atol, rtol, check_undefined_grad, check_batched_grad)
        if check_batched_forward_grad:
            _check_batched_forward(func, given, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(func, given, eps, atol, rtol, nondet_tol, forward, back, fast) -> None:
    moving = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    if not moving:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of the them have requires_grad=True.")
    for i in moving:
        if given[i]._data.dtype not in (np.float64, np.complex128):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check will likely fail if all the "
                "inputs are not of double precision floating point or complex.",
                stacklevel=4,
            )
        if given[i]._data.size and 0 in given[i]._data.strides and given[i]._data.size > 1:
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are non-overlapping: call .contiguous()"
            )
    xs = [given[i] for i in moving]

    def run() -> list[Tensor]:
        return _outputs(func(*given))

    with enable_grad():
        outputs = run()
    outputs = [o for o in outputs if o.requires_grad]
    if not outputs:
        raise ValueError("gradcheck: none of the outputs require gradient")
    rng = np.random.default_rng(0)
    for k, output in enumerate(outputs):
        if output._data.dtype.kind == "c" or any(x._data.dtype.kind == "c" for x in xs):
            _compare_complex(run, outputs, k, xs, moving, eps, atol, rtol)
            continue
        numerical = _numerical(run, k, xs, eps) if not fast else None
        for j, x in enumerate(xs):
            if fast:
                _compare_fast(run, func, given, output, k, x, moving[j], eps, atol, rtol, rng, back, forward)
                continue
            if back:
                analytical = _jacobian(output, xs, j)
                if nondet_tol is not None and np.max(np.abs(analytical - _jacobian(output, xs, j)), initial=0.0) > nondet_tol:
                    raise GradcheckError(
                        "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives different values, "
                        "although analytical gradient matches numerical gradient."
                    )
                _compare(k, moving[j], numerical[j], analytical, atol, rtol, "")
            if forward:
                columns = [_pushed(func, given, moving[j], k, one).reshape(-1) for one in _unit_vectors(x._data)]
                analytical = np.stack(columns) if columns else np.zeros((0, output._data.size))
                _compare(k, moving[j], numerical[j], analytical, atol, rtol, " computed with forward mode")


def _check_more(func, given, atol, rtol, undefined: bool, batched: bool) -> None:
    """What concerns the way back beside its values."""
    xs = [x for x in given if isinstance(x, Tensor) and x.requires_grad]
    with enable_grad():
        outputs = [o for o in _outputs(func(*given)) if o.requires_grad]
    for o in outputs:
        node = o.grad_fn
        if undefined and isinstance(node, FunctionNode) and not node._materialize:
            try:
                found = node.apply({}, True)
            except Exception as error:
                raise GradcheckError(f"Expected backward function to handle undefined output grads (None), but it raised: {error}") from error
            if any(g is not None and np.any(g._array) for g in found):
                raise GradcheckError("Expected all input grads to be undefined or zero when all output grads are undefined or zero.")
        if batched and o._data.size:
            rng = np.random.default_rng(2)
            vectors = wrap(rng.normal(size=(2, *o._data.shape)).astype(o._data.dtype))
            once = engine.grad(o, xs, vectors, retain_graph=True, allow_unused=True, is_grads_batched=True)
            for row in range(2):
                for i, (a, b) in enumerate(zip(once, engine.grad(o, xs, vectors[row], retain_graph=True, allow_unused=True))):
                    if (a is None) != (b is None) or a is not None and not np.allclose(a._array[row], b._array, rtol, atol):
                        raise GradcheckError(f"For input {i}, the gradients of a batch differ from those that are computed one by one.")


def _check_batched_forward(func, given, atol, rtol) -> None:
    moving = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    rng = np.random.default_rng(2)
    for i in moving:
        vectors = rng.normal(size=(2, *given[i]._data.shape)).astype(given[i]._data.dtype)
        for k in range(len(_outputs(func(*given)))):
            once = _pushed(func, given, i, k, vectors, 2)
            rows = np.stack([_pushed(func, given, i, k, v) for v in vectors])
            if not np.allclose(once, rows, rtol, atol):
                raise GradcheckError(f"For output {k} and input {i}, the tangents of a batch differ from those that are computed one by one.")


def _outputs(made: Any) -> list[Tensor]:
    return [t for t in (made if isinstance(made, (tuple, list)) else (made,)) if isinstance(t, Tensor) and t._data.dtype.kind in "fc"]


def _unit_vectors(x: np.ndarray) -> Iterator[np.ndarray]:
    for c in range(x.size):
        one = np.zeros_like(x)
        one.reshape(-1)[c] = 1
        yield one


def _pushed(func: Callable, given: Sequence[Any], i: int, k: int, v: np.ndarray, batch: int | None = None) -> np.ndarray:
    """The derivative of the k-th output along `v`, a direction of the i-th input or a batch of them, in forward mode."""
    with entered(batch) as level:
        args = list(given)
        args[i] = lift(given[i], wrap(np.ascontiguousarray(v)), level)
        o, t = unpack(_outputs(func(*args))[k], level)
    return np.zeros(o._data.shape if batch is None else (batch, *o._data.shape), o._data.dtype) if t is None else t.detach()._array


def _numerical(run: Callable, k: int, xs: Sequence[Tensor], eps: float) -> list[np.ndarray]:
    """For each input the matrix d output / d input by central differences, a row for each element of the input."""
    found = []
    for x in xs:
        rows = []
        for place in np.ndindex(*x._data.shape):
            rows.append(_difference(run, k, x, place, eps))
        found.append(np.stack(rows) if rows else np.zeros((0, 0)))
    return found


def _difference(run: Callable, k: int, x: Tensor, place: Any, eps: float) -> np.ndarray:
    kept = x._data[place]
    with no_grad():
        x._data[place] = kept + eps
        above = run()[k]._array.reshape(-1).copy()
        x._data[place] = kept - eps
        below = run()[k]._array.reshape(-1).copy()
        x._data[place] = kept
    return (above - below) / (2 * eps)


def _jacobian(output: Tensor, xs: Sequence[Tensor], j: int) -> np.ndarray:
    columns = []
    for place in np.ndindex(*output._data.shape):
        one = np.zeros_like(output._data)
        one[place] = 1
        (g,) = engine.grad(output, xs[j], wrap(one), retain_graph=True, allow_unused=True)
        columns.append(np.zeros(xs[j]._data.size) if g is None else g._array.reshape(-1))
    return np.stack(columns, 1) if columns else np.zeros((xs[j]._data.size, 0))


def _compare(k: int, i: int, numerical: np.ndarray, analytical: np.ndarray, atol: float, rtol: float, how: str) -> None:
    if not np.allclose(analytical, numerical, rtol, atol):
        raise GradcheckError(
            f"Jacobian{how} mismatch for output {k} with respect to input {i},\nnumerical:{wrap(numerical)}\nanalytical:{wrap(analytical)}\n"
        )


def _compare_fast(run, func, given, output, k, x, i, eps, atol, rtol, rng, back, forward) -> None:
    """v J u by differences along u, beside the analytical one, for random unit vectors u and v."""
    u = rng.normal(size=x._data.shape)
    u /= np.linalg.norm(u) or 1.0
    v = rng.normal(size=output._data.shape)
    kept = x._data.copy()
    with no_grad():
        x._data[...] = kept + eps * u
        above = run()[k]._array.copy()
        x._data[...] = kept - eps * u
        below = run()[k]._array.copy()
        x._data[...] = kept
    numerical = np.sum(v * (above - below)) / (2 * eps)
    if back:
        (g,) = engine.grad(output, x, wrap(np.asarray(v)), retain_graph=True, allow_unused=True)
        _compare(k, i, np.asarray(numerical), np.asarray(0.0 if g is None else np.sum(g._array * u)), atol, rtol, " (fast mode)")
    if forward:
        pushed = _pushed(func, given, i, k, np.asarray(u))
        _compare(k, i, np.asarray(numerical), np.asarray(np.sum(v * pushed)), atol, rtol, " computed with forward mode (fast mode)")


def _compare_complex(run, outputs, k, xs, moving, eps, atol, rtol) -> None:
    """Real and imaginary parts apart: torch's gradient of a real number s is ds/da + i ds/db for an input a + ib."""
    output = outputs[k]
    weights = (1, 1j) if output._data.dtype.kind == "c" else (1,)
    for x, i in zip(xs, moving):
        for place in np.ndindex(*output._data.shape):
            for w in weights:
                one = np.zeros_like(output._data)
                one[place] = w
                (g,) = engine.grad(output, x, wrap(one), retain_graph=True, allow_unused=True)
                analytical = np.zeros_like(x._data) if g is None else g.detach()._array
                for at in np.ndindex(*x._data.shape):
                    n = np.ravel_multi_index(place, output._data.shape) if place else 0
                    along = np.real(np.conj(w) * _difference(run, k, x, at, eps)[n])
                    if x._data.dtype.kind == "c":
                        kept = x._data[at]
                        with no_grad():
                            x._data[at] = kept + 1j * eps
                            above = run()[k]._array.reshape(-1)[n].copy()
                            x._data[at] = kept - 1j * eps
                            below = run()[k]._array.reshape(-1)[n].copy()
                            x._data[at] = kept
                        along = along + 1j * np.real(np.conj(w) * (above - below) / (2 * eps))
                    _compare(k, i, np.asarray(along), np.asarray(analytical[at]), atol, rtol, "")


def gradgradcheck(
    func: Callable, inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True, nondet_tol: float = 0.0, check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False, check_batched_grad: bool = False, check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True,
    fast_mode: bool = False, masked: bool = False,
) -> bool:  # fmt: skip
    """Whether the second derivatives agree with differences of the first, as `gradcheck`; `check_fwd_over_rev` also compares those in forward mode.

    >>> from tracejit import torch
    >>> x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradgradcheck(torch.sin, (x,))
    True
    """
    given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    n = len(given)
    made = func(*given)
    outputs = [t for t in (made if isinstance(made, (tuple, list)) else (made,)) if isinstance(t, Tensor) and t.requires_grad]
    if grad_outputs is None:
        rng = np.random.default_rng(1)
        vectors = [rng.normal(size=o._data.shape) + (1j * rng.normal(size=o._data.shape) if o._data.dtype.kind == "c" else 0) for o in outputs]
        arrays = [np.asarray(v, o._data.dtype) for v, o in zip(vectors, outputs)]
        if gen_non_contig_grad_outputs:
            arrays = [np.repeat(a, 2, -1)[..., ::2] if a.ndim else a for a in arrays]
        weights = tuple([wrap(a).requires_grad_() for a in arrays])
    else:
        weights = tuple(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else (grad_outputs,)
    moving = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        made = func(*args[:n])
        outputs = [t for t in (made if isinstance(made, (tuple, list)) else (made,)) if isinstance(t, Tensor) and t.requires_grad]
        with enable_grad():
            found = engine.grad(outputs, [args[i] for i in moving], args[n:], create_graph=True, allow_unused=True)
        return tuple([g for g in found if g is not None])

    with enable_grad():
        if not any(g.requires_grad for g in gradients(*given, *weights)):
            return True

    def differentiable(*args: Any) -> tuple[Tensor, ...]:
        with enable_grad():
            return gradients(*args)

    return gradcheck(differentiable, (*given, *weights), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception, nondet_tol=nondet_tol,
                     check_undefined_grad=check_undefined_grad, check_batched_grad=check_batched_grad, check_forward_ad=check_fwd_over_rev,
                     check_backward_ad=check_rev_over_rev, fast_mode=fast_mode)  # fmt: skip
