"""`backward` and `grad`: what is asked for on the way back through a recorded graph, which `traversal` goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import residence
from . import dtypes
from .modes import state
from .nodes import Node
from .tensor import Tensor, wrap
from .traversal import accumulate, fresh, run_back


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None) -> None:
    """Accumulate gradients of the leaves that `tensors` were made of, as `torch.autograd.backward`. See `Tensor.backward`."""
    if state.recordings:
        raise RuntimeError(
            "backward() cannot be called inside a function that is being transformed: use torch.autograd.grad or torch.func.grad there"
        )
    roots = _tuple(tensors)
    chosen = None
    if inputs is not None:
        chosen = _tuple(inputs)
        if not chosen:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        for t in chosen:
            if not t.requires_grad:
                raise RuntimeError("One of the differentiated Tensors given as `inputs` to backward does not require grad")
    retain_graph = create_graph if retain_graph is None else retain_graph
    recorded, create_graph = create_graph, bool(create_graph or state.levels)  # as tensors, which may have tangents
    grads = _root_gradients(roots, grad_tensors if grad_tensors is not None else grad_variables, create_graph)
    targets = None
    if chosen is not None:
        targets = {}
        for t in chosen:
            node, number = t._edge
            targets.setdefault(node, {}).setdefault(number, []).append(t)
    found = run_back(roots, grads, retain_graph, create_graph, targets, recorded)
    if targets is not None:
        done = set()
        for t in chosen:
            g = found.get(t._edge)
            if g is not None and t._edge not in done:
                done.add(t._edge)
                accumulate(t, g, create_graph, set())


def grad(
    outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True, allow_unused=None, is_grads_batched=False,
    materialize_grads=False,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The gradients of `outputs` with respect to `inputs`, as `torch.autograd.grad`: nothing is accumulated anywhere.

    `grad_outputs` are those of the outputs, one for each; with `is_grads_batched` each has an axis of many in front, and so have the results.
    Raises `RuntimeError` for an input that the outputs were not made of, unless `allow_unused` (then None) or `materialize_grads` (then zeros).

    >>> from tracejit import torch
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> torch.autograd.grad(x * x, x)
    (tensor(6.),)
    """
    if not only_inputs:
        raise ValueError("only_inputs=False is not supported: use backward()")
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.")
    roots, wanted = _tuple(outputs), _tuple(inputs)
    for t in wanted:
        if not hasattr(t, "_edge"):
            raise TypeError(f"grad expects tensors as inputs, or gradient edges, got {type(t).__name__}")
    if is_grads_batched:
        return _batched(roots, wanted, _tuple(grad_outputs), retain_graph, create_graph, allow_unused, materialize_grads)
    retain_graph = create_graph if retain_graph is None else retain_graph
    recorded, create_graph = create_graph, bool(create_graph or state.levels)  # as tensors, which may have tangents
    grads = _root_gradients(roots, grad_outputs, create_graph)
    targets: dict[Node, dict[int, list]] = {}
    for t in wanted:
        if not t.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
        node, number = t._edge
        targets.setdefault(node, {}).setdefault(number, []).append(t)
    found = run_back(roots, grads, retain_graph, create_graph, targets, recorded)
    results, taken = [], set()
    for i, t in enumerate(wanted):
        g = found.get(t._edge)
        if g is None:
            if not (allow_unused or materialize_grads):
                raise RuntimeError(
                    f"The differentiated Tensor at index {i} appears to not have been used in the graph. "
                    "Set allow_unused=True if this is the desired behavior."
                )
            results.append(wrap(np.zeros(t._data.shape, t._data.dtype)) if materialize_grads else None)
        else:
            results.append(g if isinstance(g, Tensor) else wrap(fresh(g, taken)))
    return tuple(results)


def _batched(roots, wanted, grads, retain_graph, create_graph, allow_unused, materialize_grads):
    from .batched import gradients

    sizes = {len(g) for g in grads if g is not None}
    if len(sizes) != 1:
        raise ValueError(f"is_grads_batched=True needs gradients with one common extent in front, got {sorted(sizes)}")
    for i, (t, g) in enumerate(zip(roots, grads)):
        if g is not None and g._data.shape[1:] != t._data.shape:
            raise RuntimeError(
                f"If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. The sizes of the "
                f"remaining dimensions are expected to match the shape of corresponding output, but a mismatch was detected: grad_output[{i}] has a "
                f"shape of {g.shape} and output[{i}] has a shape of {t.shape}."
            )
    n, keep = sizes.pop(), create_graph if retain_graph is None else retain_graph
    found = gradients(roots, wanted, grads, keep, create_graph)
    for i, g in enumerate(found):
        if g is None and not (allow_unused or materialize_grads):
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set allow_unused=True if this is the desired "
                "behavior."
            )
    zeros = [wrap(np.zeros((n, *t._data.shape), t._data.dtype)) if g is None and materialize_grads else g for t, g in zip(wanted, found)]
    return tuple(zeros)


def _tuple(x: Any) -> tuple:
    return (x,) if x is None or hasattr(x, "_edge") else tuple(x)


def _root_gradients(roots: Sequence[Tensor], given: Any, create_graph: bool) -> list[Any]:
    gradients = (None,) * len(roots) if given is None else _tuple(given)
    if len(gradients) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(gradients)} gradients")
    results = []
    for i, (t, g) in enumerate(zip(roots, gradients)):
        if not t.requires_grad:
            raise RuntimeError(
                f"element {i} of tensors does not require grad and does not have a grad_fn. Set requires_grad=True on what it is computed from, "
                "outside of torch.no_grad()"
            )
        shape, dtype = t._data.shape, t._data.dtype
        if g is None:
            if t._data.size != 1:
                raise RuntimeError(
                    f"grad can be implicitly created only for scalar outputs: this one has shape {list(shape)}. "
                    "Reduce it (.sum(), .mean()), or pass `gradient`, a tensor of its shape"
                )
            if dtype.kind == "c":
                raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {dtypes.of(dtype)}")
            ones = np.empty(shape, dtype)  # np.ones takes twice as long
            ones.fill(1)
            (ones,) = residence.gathered([ones], [t._data])
            results.append(wrap(ones) if create_graph else ones)
            continue
        if not isinstance(g, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
        if g._data.shape != shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of {t.shape}. "
                "Pass a gradient of the output's shape."
            )
        if g._data.dtype != dtype:
            if dtypes.of(dtype).is_complex != g.dtype.is_complex:
                raise RuntimeError(
                    f"For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: grad_output[{i}] has "
                    f"a dtype of {g.dtype} and output[{i}] has a dtype of {t.dtype}."
                )
            g = g.to(dtypes.of(dtype))
        results.append(g if create_graph else g._array)
    return results
