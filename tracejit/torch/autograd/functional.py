"""Derivatives of functions of tensors in torch's older form: the function first, then its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import engine
from ..functions.joining import stack
from ..jacobians import by_columns, by_rows
from ..modes import enable_grad
from ..tensor import Tensor, wrap


def _tuple(x: Any, what: str) -> tuple[bool, tuple[Tensor, ...]]:
    """Whether there are several, and the tensors. Raises `TypeError` for anything else."""
    several = isinstance(x, (tuple, list))
    found = tuple(x) if several else (x,)
    for i, t in enumerate(found):
        if not isinstance(t, Tensor):
            raise TypeError(f"The {what} must be either a Tensor or a tuple of Tensors but the value at index {i} has type {type(t)}.")
    return several, found


def _leaves(inputs: Sequence[Tensor], create_graph: bool) -> tuple[Tensor, ...]:
    """The inputs as tensors to differentiate by: in the graph where that is asked for and they are in one."""
    return tuple([t.view_as(t) if create_graph and t.requires_grad else t.detach().requires_grad_() for t in inputs])


def _finished(results: Any, create_graph: bool) -> Any:
    return results if create_graph else tuple([_finished(r, False) if isinstance(r, tuple) else r.detach() for r in results])


def _like(several: bool, x: tuple) -> Any:
    return x if several else x[0]


def _vectors(v: Any, like: Sequence[Tensor], what: str) -> tuple[Tensor, ...]:
    if v is None:
        if len(like) != 1 or like[0]._data.size != 1:
            raise RuntimeError(f"The vector v can only be None if {what} contains a single Tensor with a single element.")
        return (wrap(np.ones_like(like[0]._data)),)
    vectors = _tuple(v, "vectors")[1]
    if len(vectors) != len(like) or any(a._data.shape != b._data.shape for a, b in zip(vectors, like)):
        raise RuntimeError(f"v has invalid size: should be {[t.shape for t in like]} like {what}, but got {[t.shape for t in vectors]}.")
    return vectors


def _grad(outputs, inputs, vectors, create_graph, strict, where=""):
    """The gradients, zeros where there are none; with `strict` that is an error, which says `where` the output stands."""
    if strict:
        for k, o in enumerate(outputs):
            if not o.requires_grad:
                raise RuntimeError(
                    f"Output {where or k} of the user-provided function does not require gradients. The outputs must be computed in a differentiable "
                    "manner from the input when running in strict mode."
                )
    kept = [(o, v) for o, v in zip(outputs, vectors) if o.requires_grad]
    found = engine.grad([o for o, _ in kept], inputs, [v for _, v in kept], True, create_graph, allow_unused=True) if kept else (None,) * len(inputs)
    for i, g in enumerate(found):
        if g is None and strict:
            which = f"Output {where}" if where else "The output"
            raise RuntimeError(f"{which} of the user-provided function is independent of input {i}. This is not allowed in strict mode.")
    return tuple([wrap(np.zeros_like(x._data)) if g is None else g for g, x in zip(found, inputs)])


def vjp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """The outputs, and the product of the vector v with the Jacobian.

    >>> from tracejit import torch
    >>> torch.autograd.functional.vjp(lambda x: x ** 2, torch.tensor([3.0]), torch.tensor([1.0]))
    (tensor([9.]), tensor([6.]))
    """
    several, given = _tuple(inputs, "inputs given to vjp")
    with enable_grad():
        xs = _leaves(given, create_graph)
        some, outputs = _tuple(func(*xs), "outputs of the user-provided function given to vjp")
        found = _grad(outputs, xs, _vectors(v, outputs, "the output of the function"), create_graph, strict)
    return _like(some, _finished(outputs, create_graph)), _like(several, _finished(found, create_graph))


def jvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """The outputs, and the product of the Jacobian with the vector v: the derivative, by its vector, of the vector-Jacobian product."""
    several, given = _tuple(inputs, "inputs given to jvp")
    with enable_grad():
        xs = _leaves(given, create_graph)
        vectors = _vectors(v, xs, "the input of the function")
        some, outputs = _tuple(func(*xs), "outputs of the user-provided function given to jvp")
        pushed = push(outputs, xs, vectors, create_graph, strict)
    return _like(some, _finished(outputs, create_graph)), _like(some, _finished(pushed, create_graph))


def push(
    outputs: Sequence[Tensor], xs: Sequence[Tensor], vectors: Sequence[Tensor], create_graph: bool, strict: bool = False, own: list | None = None
) -> tuple[Tensor, ...]:
    """The derivatives of outputs along vectors: u -> u J is linear, and its transpose is J v. The leaves u are appended to `own`."""
    us = tuple([wrap(np.zeros_like(o._data)).requires_grad_() for o in outputs])
    if own is not None:
        own += us
    pulled = _grad(outputs, xs, us, True, strict)
    return _grad(pulled, us, vectors, create_graph, False)


def jacobian(
    func: Callable, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False, strategy: str = "reverse-mode"
) -> Any:
    """The Jacobian: for each output and input a tensor of the output's shape and then the input's.

    With `vectorize` all rows are computed at once; the strategy "forward-mode" computes all columns at once.
    Raises `RuntimeError` where an output is independent of an input and `strict` is on.

    >>> from tracejit import torch
    >>> torch.autograd.functional.jacobian(lambda x: x ** 2, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"Expected strategy to be either 'forward-mode' or 'reverse-mode', got {strategy!r}")
    if strict and (vectorize or strategy == "forward-mode"):
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorize=True` are not supported together: "
            "whether an output depends on an input is known row by row. Please either set `strict=False` or `vectorize=False`"
        )
    several, given = _tuple(inputs, "inputs given to jacobian")
    with enable_grad():
        xs = _leaves(given, create_graph)
        if strategy == "forward-mode":
            _, columns, some = by_columns(lambda *duals: _tuple(func(*duals), "outputs of the user-provided function given to jacobian")[::-1], xs)
            found = tuple([tuple(row) for row in columns])
        else:
            some, outputs = _tuple(func(*xs), "outputs of the user-provided function given to jacobian")
            if vectorize:
                found = tuple([tuple(row) for row in by_rows(outputs, xs, create_graph)])
            else:
                found = tuple([_rows(o, xs, create_graph, strict, str(k)) for k, o in enumerate(outputs)])
    found = _finished(found, create_graph)
    rows = tuple([_like(several, row) for row in found])
    return _like(some, rows)


def _rows(output: Tensor, xs: Sequence[Tensor], create_graph: bool, strict: bool, where: str = "") -> tuple[Tensor, ...]:
    rows = [_grad((output,), xs, one, create_graph, strict, where) for one in _basis((output,), 0)]
    return tuple([_joined([r[i] for r in rows], output, x, 0) for i, x in enumerate(xs)])


def _basis(tensors: Sequence[Tensor], i: int):
    """Unit vectors of the i-th tensor; the others are zero."""
    for k in range(tensors[i]._data.size):
        found = [np.zeros_like(t._data) for t in tensors]
        found[i].reshape(-1)[k] = 1
        yield tuple([wrap(a) for a in found])


def _joined(rows: Sequence[Tensor], output: Tensor, x: Tensor, dim: int) -> Tensor:
    shape = (*output._data.shape, *x._data.shape)
    if not rows:
        return wrap(np.zeros(shape, output._data.dtype))
    return stack([r.reshape(-1) for r in rows], dim).reshape(shape)


def _require_number(outputs: Sequence[Tensor], what: str) -> None:
    if len(outputs) != 1 or outputs[0]._data.size != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {what} should contain a single element")


def hessian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function with one number as its result; the options are those of `jacobian`, which is taken of the gradient."""
    several, given = _tuple(inputs, "inputs given to hessian")

    def gradient(*xs: Tensor) -> Any:
        outputs = _tuple(func(*xs), "outputs of the user-provided function given to hessian")[1]
        _require_number(outputs, "hessian")
        return _like(several, _grad(outputs, xs, (wrap(np.ones_like(outputs[0]._data)),), True, strict))

    return jacobian(gradient, _like(several, given), create_graph, strict, vectorize, outer_jacobian_strategy)


def vhp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """The output, and the product of the vector v with the Hessian."""
    several, given = _tuple(inputs, "inputs given to vhp")
    with enable_grad():
        xs = _leaves(given, create_graph)
        vectors = _vectors(v, xs, "the input of the function")
        outputs = _tuple(func(*xs), "outputs of the user-provided function given to vhp")[1]
        _require_number(outputs, "vhp")
        gradient = _grad(outputs, xs, (wrap(np.ones_like(outputs[0]._data)),), True, strict)
        found = _grad(gradient, xs, vectors, create_graph, strict)
    return _finished(outputs, create_graph)[0], _like(several, _finished(found, create_graph))


def hvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """The output, and the product of the Hessian with the vector v: equal to `vhp`, since it is symmetric."""
    return vhp(func, inputs, v, create_graph, strict)
