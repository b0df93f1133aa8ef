"""`saved_residuals` and `print_saved_residuals`: what a function keeps between its forward and its backward pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..errors import Source
from ..ir import Graph, Literal, Node
from ..ops.call import call
from ..ops.checkpoint import checkpoint
from ..ops.scan import scan
from ..ops.sweeps import sweeps
from ..trace import Trace, Tracer, type_of
from ..transforms import backward, forward
from ..transforms.forward import differentiable
from .recording import abstract, argument_paths, check_leaves, is_abstract, name_of, record, require_callable, with_keywords


class Residual(NamedTuple):
    """One value that is kept for the backward pass.

    `nbytes` is its size. Where `per_turn` holds, it is the record of one turn of a loop of unknown length: what its tape takes grows with the turns.
    `origin` says what it is, `source` on which of the user's lines it was computed (None for arguments and constants).
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    nbytes: int
    origin: str
    source: Source | None
    per_turn: bool = False

    def __str__(self) -> str:
        at = "" if self.source is None else f" at {os.path.basename(self.source.filename)}:{self.source.line}"
        size = f"{self.nbytes:,} bytes{' per step: grows with the steps' if self.per_turn else ''}"
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]  {size}  {self.origin}{at}"


def saved_residuals(f: Callable, *args: Any, **kwargs: Any) -> list[Residual]:
    """What reverse mode through `f` keeps from the forward pass, for arguments like these (arrays, or `ShapeDtype`): see `print_saved_residuals`.

    >>> import numpy as np, tracejit as tj
    >>> [(r.shape, r.nbytes) for r in tj.saved_residuals(lambda x: np.sum(np.exp(x)), np.ones(3))]
    [((3,), 24)]
    """
    require_callable(f, "saved_residuals")
    what = f"saved residuals of {name_of(f)}"
    flat, structure = tree.flatten((args, kwargs), is_leaf=is_abstract)
    types = check_leaves(flat, lambda: argument_paths(args, kwargs), f, what, abstract)
    outer = Trace(what)
    inputs = [outer.input(t.strong) for t in types]
    made = record(with_keywords(f), what, inputs, structure, concrete=True)
    active = differentiable(types)
    _, linear = forward.linearize(made.graph, made.trace.values, active, what)
    paths = {t.atom: path for t, path in zip(inputs, argument_paths(args, kwargs))}
    found: dict[Any, Residual] = {}
    for value in linear.residuals:
        key = value.atom if type(value) is Tracer else id(value)
        if key not in found and not isinstance(key, Literal) and not _is_number(value):
            found[key] = _residual(value, outer, paths)
    cts = [outer.input(made.graph.out_types[i].strong) for i in linear.reached]
    back = backward.transpose(linear.graph, len(active), linear.residuals, cts)
    program, _ = outer.finish([b for b in back if b is not None])
    return [*found.values(), *_tapes(program)]


def print_saved_residuals(f: Callable, *args: Any, **kwargs: Any) -> None:
    """Print what reverse mode through `f` keeps from the forward pass: type, size, and where each value comes from.

    Rows of a `scan` are kept stacked. A `while_loop` keeps its inputs, and in the backward pass a tape, whose bytes a turn are told.

    >>> import numpy as np, tracejit as tj
    >>> tj.print_saved_residuals(lambda x: np.sum(x * x), np.ones(3))
    float64[3]  24 bytes  argument 0
    """
    for residual in saved_residuals(f, *args, **kwargs):
        print(residual)


def _is_number(value: Any) -> bool:
    """Whether a residual is a constant that takes no memory: one number, or one number spread over a shape."""
    return type(value) is not Tracer and (np.ndim(value) == 0 or not any(np.asarray(value).strides))


def _residual(value: Any, outer: Trace, paths: dict) -> Residual:
    t = type_of(value)
    if type(value) is not Tracer or value.owner is not outer:
        return Residual(t.shape, t.dtype, t.nbytes, "a constant that the function closes over", None)
    if value.atom in paths:
        return Residual(t.shape, t.dtype, t.nbytes, f"argument {paths[value.atom]}", None)
    node, atom = _producer(outer.builder.producer[value.atom], value.atom)
    return Residual(t.shape, t.dtype, t.nbytes, _origin(node, atom), node.source)


def _producer(node: Node, atom: Any) -> tuple[Node, Any]:
    """The node that computes a value, and what the value is called there: for a result of a call it is inside."""
    while node.op in (call, checkpoint):
        graph = node.params["graph"]
        inner = graph.outputs[node.outputs.index(atom)]
        found = next((n for n in graph.nodes if inner in n.outputs), None)
        if found is None:
            break
        node, atom = found, inner
    return node, atom


def _origin(node: Node, atom: Any) -> str:
    if node.op is scan and atom in node.outputs[node.params["carry"] :]:
        return f"one row for each of the {node.params['length']} turns of a scan"
    if node.op.name == "named":
        return f"the value named {node.params['name']!r}"
    return f"result of {node.op.name}"


def _tapes(graph: Graph) -> Iterator[Residual]:
    """The tapes of the loops of unknown length in a program and in the bodies of its loops."""
    for node in graph.nodes:
        if node.op is sweeps:
            for sweep, body in zip(node.params["layout"], node.params["bodies"]):
                for t in body.out_types[sweep.carry :]:
                    yield Residual(t.shape, t.dtype, t.nbytes, "the tape of a while_loop", node.source, per_turn=True)
        for value in node.params.values():
            for inner in value if isinstance(value, tuple) else (value,):
                if isinstance(inner, Graph):
                    yield from _tapes(inner)


__all__ = ["Residual", "print_saved_residuals", "saved_residuals"]
