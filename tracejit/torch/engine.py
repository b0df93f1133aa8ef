"""The way back through a recorded graph.

Operands are made before results, so nodes are gone through from the last made to the first: when a node's turn comes, everything that reads its
outputs has had its own.  A heap holds the nodes that something has arrived at; there is no recursion, and no count of readers.  Gradients travel as
arrays; as tensors where the way back is recorded (`create_graph`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..trace import Tracer
from ..trace.tracer import same
from . import dtypes
from .modes import state
from .nodes import Node
from .tensor import Tensor, wrap


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
    found = _run(roots, grads, retain_graph, create_graph, targets, recorded)
    if targets is not None:
        done = set()
        for t in chosen:
            g = found.get(t._edge)
            if g is not None and t._edge not in done:
                done.add(t._edge)
                accumulate(t, g if isinstance(g, Tensor) else _fresh(g, set()), create_graph)


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
        if not isinstance(t, Tensor):
            raise TypeError(f"grad expects tensors as inputs, got {type(t).__name__}")
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
    found = _run(roots, grads, retain_graph, create_graph, targets, recorded)
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
            results.append(g if isinstance(g, Tensor) else wrap(_fresh(g, taken)))
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
    return tuple(x) if isinstance(x, Sequence) and not isinstance(x, Tensor) else (x,) if isinstance(x, Tensor) or x is None else tuple(x)


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
            ones = np.ones(shape, dtype)
            results.append(wrap(ones) if create_graph else ones)
            continue
        if not isinstance(g, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
        if g._data.shape != shape:
            raise RuntimeError(f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of {t.shape}.")
        if g._data.dtype != dtype:
            if dtypes.of(dtype).is_complex != g.dtype.is_complex:
                raise RuntimeError(
                    f"For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: grad_output[{i}] has "
                    f"a dtype of {g.dtype} and output[{i}] has a dtype of {t.dtype}."
                )
            g = g.to(dtypes.of(dtype))
        results.append(g if create_graph else g._array)
    return results


def _relevant(roots: Sequence[Node], targets: dict[Node, Any]) -> set[Node]:
    """The nodes that lead to a target. Operands are older than results, so one pass from the oldest tells."""
    seen, stack = set(roots), list(roots)
    while stack:
        for e in stack.pop().edges:
            if e is not None and e[0] not in seen:
                seen.add(e[0])
                stack.append(e[0])
    leading: set[Node] = set()
    for node in sorted(seen, key=_sequence):
        if node in targets or any([e is not None and e[0] in leading for e in node.edges]):
            leading.add(node)
    return leading


def _sequence(node: Node) -> int:
    return node.sequence


def _run(
    roots, grads, retain: bool, create_graph: bool, targets: dict[Node, dict[int, list]] | None, recorded: bool = False
) -> dict[tuple[Node, int], Any]:
    """Go back from `roots`. With `targets`, only to these, whose gradients are returned; else to all leaves, whose gradients are accumulated.

    With `create_graph` gradients travel as tensors; what is done to them is `recorded` or not.
    """
    found: dict[tuple[Node, int], Any] = {}
    arrived: dict[Node, dict[int, Any]] = {}
    heap: list[tuple[int, int, Node]] = []
    leaves: list[Node] = []
    taken: set[int] = {id(g) for g in grads}
    edges = [t._edge for t in roots]
    relevant = None if targets is None else _relevant([e[0] for e in edges], targets)

    def add(node: Node, number: int, g: Any) -> None:
        there = arrived.get(node)
        if there is None:
            arrived[node] = {number: g}
            if node.sequence:
                heapq.heappush(heap, (-node.sequence, id(node), node))
            else:
                leaves.append(node)
        elif number in there:
            there[number] = there[number] + g
        else:
            there[number] = g

    before, state.grad = state.grad, recorded
    try:
        with np.errstate(all="ignore"):
            for e, g in zip(edges, grads):
                if relevant is None or e[0] in relevant:
                    add(*e, g)
            while heap:
                node = heapq.heappop(heap)[2]
                gradients = arrived.pop(node)
                extras = node.extras
                if extras is not None:
                    gradients = _before(node, extras, gradients, create_graph, taken)
                if targets is not None and node in targets:
                    for number in targets[node]:
                        if number in gradients:
                            found[node, number] = gradients[number]
                    if not any([e is not None and e[0] in relevant for e in node.edges]):
                        continue
                if state.anomaly:
                    results = _watched(node, gradients, create_graph)
                else:
                    results = node.apply(gradients, create_graph)
                if not retain:
                    node.release()
                if extras is not None and extras.after:
                    results = _after(extras, results, gradients, create_graph)
                del gradients
                for e, g in zip(node.edges, results):
                    if e is not None and g is not None and (relevant is None or e[0] in relevant):
                        add(e[0], e[1], g)
                del results
            for node in leaves:
                gradients = arrived.pop(node)
                if node.extras is not None:
                    gradients = _before(node, node.extras, gradients, create_graph, taken)
                g = gradients[0]
                if targets is not None:
                    found[node, 0] = g
                    continue
                variable = node.variable
                accumulate(variable, g if isinstance(g, Tensor) else _fresh(g, taken), create_graph)
                if node.extras is not None and node.extras.post_accumulate:
                    for hook in list(node.extras.post_accumulate.values()):
                        hook(variable)
    finally:
        state.grad = before
    return found


def accumulate(variable: Tensor, g: Any, create_graph: bool) -> None:
    """Add to the gradient of a tensor: an array that is nobody else's, or a tensor where the way back is recorded."""
    have = variable._grad
    if create_graph:
        g = g if isinstance(g, Tensor) else wrap(g)
        variable._grad = g if have is None else have + g
    elif have is None:
        variable._grad = g if isinstance(g, Tensor) else wrap(g)
    else:
        from .inplace import overwrite

        g = g._array if isinstance(g, Tensor) else g
        if have._requires:
            variable._grad = wrap(have._array + g)
        else:
            overwrite(have, have._array + g)


def _fresh(g: Any, taken: set[int]) -> Any:
    """The gradient as an array that nobody else holds. The engine's own results are handed over as they are."""
    if type(g) is Tracer:
        return same(g)
    if type(g) is not np.ndarray:
        return np.asarray(g)
    flags = g.flags
    if g.base is not None or not flags.owndata or not flags.writeable or not flags.c_contiguous or id(g) in taken:
        g = np.array(g, order="C")  # rows one after the other, as parameters are: what reads both goes through them in one order
    taken.add(id(g))
    return g


def _tensor(g: Any) -> Tensor:
    return g if isinstance(g, Tensor) else wrap(g)


def _untensor(g: Any, create_graph: bool) -> Any:
    return g if create_graph else g._array


def _before(node: Node, extras: Any, gradients: dict[int, Any], create_graph: bool, taken: set[int]) -> dict[int, Any]:
    """What hooks make of the gradients that arrived at a node; results that retain theirs get it."""
    for number, hooks in extras.on_gradient.items():
        if number in gradients:
            for hook in list(hooks.values()):
                g = _tensor(gradients[number])
                replaced = hook(g)
                if replaced is not None:
                    _check_replaced(hook, g, replaced)
                    g = replaced
                gradients[number] = _untensor(g, create_graph)
                taken.add(id(gradients[number]))
    if extras.before:
        n = max(gradients) + 1
        for hook in list(extras.before.values()):
            replaced = hook(tuple([_tensor(gradients[i]) if i in gradients else None for i in range(n)]))
            if replaced is not None:
                gradients = {i: _untensor(g, create_graph) for i, g in enumerate(replaced) if g is not None}
        taken.update(map(id, gradients.values()))
    for number, tensor in extras.retains.items():
        t = tensor()
        if t is not None and number in gradients:
            taken.add(id(gradients[number]))
            accumulate(t, gradients[number] if create_graph else _fresh(gradients[number], taken), create_graph)
    return gradients


def _check_replaced(hook: Callable, g: Tensor, replaced: Any) -> None:
    name = getattr(hook, "__name__", repr(hook))
    if not isinstance(replaced, Tensor):
        raise TypeError(f"hook '{name}' has returned a {type(replaced).__name__}: it returns None or a tensor")
    if replaced._data.shape != g._data.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value: expected {list(g._data.shape)}, got {list(replaced._data.shape)}")
    if replaced._data.dtype != g._data.dtype:
        raise RuntimeError(f"hook '{name}' has changed the type of value (was {g.dtype}, got {replaced.dtype})")


def _after(extras: Any, results: Sequence[Any], gradients: dict[int, Any], create_graph: bool) -> Sequence[Any]:
    """What hooks make of the gradients of a node's operands."""
    given = tuple([_tensor(gradients[i]) if i in gradients else None for i in range(max(gradients) + 1)])
    tensors = tuple([None if g is None else _tensor(g) for g in results])
    for hook in list(extras.after.values()):
        replaced = hook(tensors, given)
        if replaced is not None:
            if not isinstance(replaced, Sequence) or isinstance(replaced, Tensor):
                replaced = (replaced,)
            if len(replaced) != len(tensors):
                raise RuntimeError(f"a hook of a node returned {len(replaced)} gradients, expected {len(tensors)}")
            tensors = tuple(replaced)
    return [None if g is None else _untensor(g, create_graph) for g in tensors]


def _watched(node: Node, gradients: dict[int, Any], create_graph: bool) -> Sequence[Any]:
    """Run a node under anomaly detection: an error, or a NaN, is told with the stack at which the node was recorded."""
    import sys

    stack = node.extras.stack if node.extras is not None else None
    try:
        results = node.apply(gradients, create_graph)
    except Exception:
        if stack:
            print(f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{stack}", file=sys.stderr)
        raise
    if state.check_nan:
        for i, g in enumerate(results):
            array = None if g is None else g._array if isinstance(g, Tensor) else g
            if array is not None and type(array) is not Tracer and np.isnan(array).any():
                where = f" It was recorded at {node.place}." if node.place is not None else ""
                if stack:
                    print(f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{stack}", file=sys.stderr)
                raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.{where}")
    return results
