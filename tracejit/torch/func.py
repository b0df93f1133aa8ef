"""Transformations of functions of tensors, as `torch.func`.

Gradients are made by the engine, on aliases of the arguments; derivatives along vectors by dual numbers (duals.py).  They can be nested to any depth:
what an outer derivative goes by is part of the graph of the inner one, or has a level of its own.  `vmap` traces the function on one example and
applies the batched graph (vectorization.py), a primitive like any other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import engine
from .absent import of_module
from .duals import below_of, dual_of, entered, lifted, without_graph
from .functions.joining import stack
from .jacobians import by_columns, by_rows, lift, unpack
from .modes import enable_grad, state
from .nodes import AccumulateGrad, Node
from .tensor import Tensor, wrap
from .vectorization import flatten as _flatten
from .vectorization import vmap

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "replace_all_batch_norm_modules_",
    "stack_module_state", "vjp", "vmap",
]  # fmt: skip


# -- tensors to differentiate by
def _alias(t: Any) -> Any:
    """A tensor to differentiate by, which is in the graph of the argument where there is one, and has its tangents."""
    if not isinstance(t, Tensor) or t._data.dtype.kind not in "fc":
        return t
    if t.requires_grad:
        return t.view_as(t)
    made = (wrap(state.recordings[-1].array_of(t)) if state.recordings else t.detach()).requires_grad_()
    dual = dual_of(t)
    return made if dual is None else lifted(made, below_of(made, dual_of(dual.primal)), dual.tangent, dual.level)


def _leads_outside(nodes: Sequence[Node], own: set[int]) -> bool:
    """Whether a graph has leaves other than those that a transformation made."""
    stack, seen = list(nodes), set(nodes)
    while stack:
        node = stack.pop()
        if type(node) is AccumulateGrad and id(node.variable) not in own:
            return True
        for e in node.edges:
            if e is not None and e[0] not in seen:
                seen.add(e[0])
                stack.append(e[0])
    return False


def _settled(results: Sequence[Any], aliases: Sequence[Any]) -> list[Any]:
    """The results without a graph, unless something outside is in it."""
    own = {id(a) for a in aliases if isinstance(a, Tensor) and a._node is None}
    nodes = [node for r in results for node in _nodes(r)]
    if nodes and _leads_outside(nodes, own):
        return list(results)
    return [without_graph(r) if _nodes(r) else r for r in results]


def _nodes(r: Any) -> list[Node]:
    """The nodes of a tensor and of its tangents."""
    if not isinstance(r, Tensor):
        return []
    dual = dual_of(r)
    tangent = [] if dual is None else [*_nodes(dual.tangent), *_nodes(dual.primal)]
    return [r._edge[0], *tangent] if r.requires_grad else tangent


def _zeros(t: Tensor) -> Tensor:
    return wrap(np.zeros(t._data.shape, t._data.dtype))


def _split(has_aux: bool, made: Any, what: str) -> tuple[Any, Any]:
    if not has_aux:
        return made, None
    if not isinstance(made, tuple) or len(made) != 2:
        raise RuntimeError(f"{what}: the output of a function with has_aux=True is a pair (output, aux)")
    return made


# -- reverse mode
def grad_and_value(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """A function that gives the gradient and the value of `func`, a number: `(gradient, value)`, or `(gradient, (value, aux))`.

    >>> from tracejit import torch
    >>> torch.func.grad_and_value(torch.sin)(torch.tensor(0.0))
    (tensor(1.), tensor(0.))
    """

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        for n in numbers:
            if not -len(args) <= n < len(args):
                raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
        flat, structure = _flatten([args[n] for n in numbers])
        for leaf in flat:
            if not isinstance(leaf, Tensor):
                raise RuntimeError(f"grad: arguments to differentiate by are tensors or containers of them, got {type(leaf).__name__}")
        with enable_grad():
            aliases = [_alias(t) for t in flat]
            given = list(args)
            for n, x in zip(numbers, structure.unflatten(aliases)):
                given[n] = x
            value, aux = _split(has_aux, func(*given, **kwargs), "grad")
            if not isinstance(value, Tensor):
                raise RuntimeError(f"Expected the given function to return a Tensor, got {type(value).__name__}")
            if value._data.ndim:
                raise RuntimeError(f"Expected the given function to return a scalar tensor, got a tensor with {value._data.ndim} dims")
            found = engine.grad(value, aliases, create_graph=True, allow_unused=True) if value.requires_grad else (None,) * len(flat)
        gradients = _settled([_zeros(a) if g is None else g for g, a in zip(found, aliases)], aliases)
        flat_aux, aux_structure = _flatten((value, aux))
        value, aux = aux_structure.unflatten(_settled(flat_aux, aliases))
        made = structure.unflatten(gradients)
        result = made[0] if isinstance(argnums, int) else tuple(made)
        return result, (value, aux) if has_aux else value

    return both


def grad(func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable:
    """The gradient of `func`, which returns one number, as a function of the same arguments; with `has_aux`, `(gradient, aux)`.

    >>> from tracejit import torch
    >>> torch.func.grad(torch.func.grad(torch.sin))(torch.tensor(1.0))
    tensor(-0.8415)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        g, value = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return gradient


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """The value of `func` and its pullback: a function from cotangents of the value to the tuple of those of the arguments.

    >>> from tracejit import torch
    >>> out, pull = torch.func.vjp(lambda x, y: x * y, torch.tensor(2.0), torch.tensor(3.0))
    >>> pull(torch.tensor(1.0))
    (tensor(3.), tensor(2.))
    """
    flat, structure = _flatten(primals)
    with enable_grad():
        aliases = [_alias(t) for t in flat]
        made, aux = _split(has_aux, func(*structure.unflatten(aliases)), "vjp")
    outputs, out_structure = _flatten(made)

    def pull(*cotangents: Any) -> Any:
        given = _flatten(cotangents[0] if len(cotangents) == 1 else cotangents)[0]
        if len(given) != len(outputs):
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as that of the outputs: {len(outputs)} tensors, got {len(given)}"
            )
        kept = [(o, c) for o, c in zip(outputs, given) if o.requires_grad]
        with enable_grad():
            found = (
                engine.grad([o for o, _ in kept], aliases, [c for _, c in kept], retain_graph=True, create_graph=True, allow_unused=True)
                if kept
                else (None,) * len(aliases)
            )
        results = structure.unflatten(_settled([_zeros(a) if g is None else g for g, a in zip(found, aliases)], aliases))
        return tuple(results)

    out = out_structure.unflatten(_settled(outputs, aliases))
    return (out, pull, aux) if has_aux else (out, pull)


def jacrev(func: Callable, argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False, chunk_size: int | None = None) -> Callable:
    """The Jacobian of `func`, by reverse mode: all rows at once, or `chunk_size` of them.

    >>> from tracejit import torch
    >>> torch.func.jacrev(torch.square)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    _check_chunk(chunk_size, "jacrev")

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        flat, structure, run = _opened(func, argnums, args, kwargs, "jacrev")
        with enable_grad():
            aliases = [_alias(t) for t in flat]
            outputs, (out_structure, aux) = run(has_aux, aliases)
            rows = by_rows(outputs, aliases, True, chunk_size)
        settled = iter(_settled([t for row in rows for t in row], aliases))
        result = out_structure.unflatten([_row(structure, [next(settled) for _ in row], argnums) for row in rows])
        return (result, _settled_tree(aux, aliases)) if has_aux else result

    return jacobian


def jacfwd(
    func: Callable, argnums: int | tuple[int, ...] = 0, has_aux: bool = False, *, randomness: str = "error", chunk_size: int | None = None
) -> Callable:
    """The Jacobian of `func`, by forward mode: all columns at once, or `chunk_size` of them.

    >>> from tracejit import torch
    >>> torch.func.jacfwd(torch.square)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    _check_chunk(chunk_size, "jacfwd")

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        flat, structure, run = _opened(func, argnums, args, kwargs, "jacfwd")
        _, columns, (out_structure, aux) = by_columns(lambda *xs: run(has_aux, xs), flat, chunk_size)
        result = out_structure.unflatten([_row(structure, row, argnums) for row in columns])
        return (result, aux) if has_aux else result

    return jacobian


def _check_chunk(chunk_size: int | None, what: str) -> None:
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"{what}: `chunk_size` should be greater than 0.")


def _opened(func: Callable, argnums: int | tuple[int, ...], args: tuple, kwargs: dict, what: str) -> tuple[list[Tensor], Any, Callable]:
    """The tensors to differentiate by, their structure, and `run(has_aux, tensors)`: flat outputs with `(structure, aux)`."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    flat, structure = _flatten([args[n] for n in numbers])
    for leaf in flat:
        if not isinstance(leaf, Tensor) or leaf._data.dtype.kind not in "fc":
            kind = leaf.dtype if isinstance(leaf, Tensor) else type(leaf).__name__
            raise RuntimeError(f"{what}: arguments to differentiate by are floating or complex tensors or containers of them, got {kind}")

    def run(has_aux: bool, tensors: Sequence[Tensor]) -> tuple[list[Tensor], tuple[Any, Any]]:
        given = list(args)
        for n, x in zip(numbers, structure.unflatten(list(tensors))):
            given[n] = x
        made, aux = _split(has_aux, func(*given, **kwargs), what)
        outputs, out_structure = _flatten(made)
        for o in outputs:
            if not isinstance(o, Tensor):
                raise RuntimeError(f"{what}(f, ...)(*args): Expected f to return tensors or containers of them, got {type(o).__name__}")
        return outputs, (out_structure, aux)

    return flat, structure, run


def _row(structure: Any, parts: Sequence[Tensor], argnums: int | tuple[int, ...]) -> Any:
    made = structure.unflatten(list(parts))
    return made[0] if isinstance(argnums, int) else tuple(made)


def _settled_tree(x: Any, aliases: Sequence[Any]) -> Any:
    flat, structure = _flatten(x)
    return structure.unflatten(_settled(flat, aliases))


def hessian(func: Callable, argnums: int | tuple[int, ...] = 0) -> Callable:
    """The second derivatives of `func`: forward mode over reverse mode.

    >>> from tracejit import torch
    >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


# -- forward mode
def jvp(func: Callable, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> tuple:
    """The value of `func` and its derivative along `tangents`, a tuple like the arguments.

    >>> from tracejit import torch
    >>> torch.func.jvp(torch.sin, (torch.tensor(0.0),), (torch.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError("jvp: expected primals and tangents to be tuples of arguments")
    flat, structure = _flatten(primals)
    along = _flatten(tangents)[0]
    if len(flat) != len(along) or any(a._data.shape != b._data.shape for a, b in zip(flat, along)):
        raise RuntimeError(f"jvp: tangents have shapes {[list(t.shape) for t in along]}, but primals {[list(t.shape) for t in flat]}")
    if any(a._data.dtype != b._data.dtype for a, b in zip(flat, along)):
        raise RuntimeError(f"jvp: tangents have dtypes {[t.dtype for t in along]}, but primals {[t.dtype for t in flat]}")
    with entered() as level:
        made, aux = _split(has_aux, func(*structure.unflatten([lift(x, t, level) for x, t in zip(flat, along)])), "jvp")
        outputs, out_structure = _flatten(made)
        pairs = [unpack(o, level) for o in outputs]
        rest, aux_structure = _flatten(aux)
        rest = [unpack(x, level)[0] for x in rest]
    for o, t in pairs:
        if not isinstance(o, Tensor):
            raise RuntimeError(f"jvp(f, primals, tangents): Expected f to return tensors or containers of them, got {type(o).__name__}")
        if strict and t is None:
            raise RuntimeError(
                "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed with strict"
            )
    out = out_structure.unflatten([o for o, _ in pairs])
    moved = out_structure.unflatten([_zeros(o) if t is None else t for o, t in pairs])
    return (out, moved, aux_structure.unflatten(rest)) if has_aux else (out, moved)


def linearize(func: Callable, *primals: Any) -> tuple[Any, Callable]:
    """The value of `func` and its derivative there as a function of tangents."""
    out = func(*primals)

    def push(*tangents: Any) -> Any:
        return jvp(func, primals, tangents)[1]

    return out, push


# -- modules as functions
def functional_call(
    module: Any, parameters_and_buffer_dicts: Any, args: Any = (), kwargs: dict | None = None, *, tie_weights: bool = True, strict: bool = False
) -> Any:
    """Call a module with other tensors in the place of its parameters and buffers.

    Raises `RuntimeError` with `strict` where a name is missing or unknown.
    """
    dicts = parameters_and_buffer_dicts if isinstance(parameters_and_buffer_dicts, (tuple, list)) else (parameters_and_buffer_dicts,)
    given = {name: t for d in dicts for name, t in d.items()}
    own = {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers(remove_duplicate=False))}
    unknown = [name for name in given if name not in own]
    missing = [name for name in own if name not in given]
    if strict and (unknown or missing):
        raise RuntimeError(f"functional_call(strict=True): unknown names {unknown}, missing names {missing}")
    if unknown:
        raise RuntimeError(f"functional_call: the module has no parameters or buffers named {', '.join(unknown)}")
    if tie_weights:
        same = {id(own[name]): t for name, t in given.items()}
        given.update({name: same[id(t)] for name, t in own.items() if name not in given and id(t) in same})
    kept = []
    try:
        for name, t in given.items():
            path, _, last = name.rpartition(".")
            holder = module.get_submodule(path) if path else module
            table = holder._parameters if last in holder._parameters else holder._buffers
            kept.append((table, last, table[last]))
            table[last] = t
        return module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
    finally:
        for table, last, before in reversed(kept):
            table[last] = before


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Let batch normalisations keep no running statistics, which a function that is transformed could not write. Returns the module.

    >>> from tracejit import torch
    >>> net = torch.func.replace_all_batch_norm_modules_(torch.nn.Sequential(torch.nn.BatchNorm1d(2)))
    >>> net[0].running_mean is None
    True
    """
    for module in root.modules():
        if hasattr(module, "running_mean") and hasattr(module, "track_running_stats"):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
    return root


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of models of one kind, stacked, for `vmap` over `functional_call`."""
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")

    def stacked(tables: list[dict[str, Tensor]], leaves: bool) -> dict[str, Tensor]:
        return {name: stack([t[name].detach() for t in tables]).requires_grad_(leaves and tables[0][name].requires_grad) for name in tables[0]}

    return stacked([dict(m.named_parameters()) for m in models], True), stacked([dict(m.named_buffers()) for m in models], False)

__getattr__ = of_module(globals())
