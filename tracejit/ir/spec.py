"""What a legal graph is. `check` runs after every pass under `TRACEJIT_CHECK=1`, so that a bug is caught in the pass that made it."""
from __future__ import annotations

from ..config import config
from ..errors import GraphError
from .graph import Graph, Literal, Node, Var


def check(graph: Graph, where: str = "graph") -> Graph:
    """Verify types, single definition, definition before use and hashable parameters; returns the graph.

    Raises `GraphError` naming the node and the user's line.
    """
    defined = set(graph.inputs)
    _require(len(defined) == len(graph.inputs), where, None, "an input occurs twice")
    for node in graph.nodes:
        for atom in node.inputs:
            _require(isinstance(atom, (Var, Literal)), where, node, f"{atom!r} is neither a variable nor a literal")
            _require(not isinstance(atom, Var) or atom in defined, where, node, "an input is used before it is defined")
        try:
            hash(tuple(node.params.items()))
        except TypeError as error:
            raise GraphError(_text(where, node, f"a parameter is not hashable: {error}")) from error
        types = node.op.infer(*[a.type for a in node.inputs], **node.params)
        types = tuple(types) if node.op.multiple else (types,)
        _require(tuple(t.strong for t in types) == tuple(v.type.strong for v in node.outputs), where, node,
                 f"its outputs are {[str(v.type) for v in node.outputs]}, its type rule says {[str(t) for t in types]}")
        for var in node.outputs:
            _require(var not in defined, where, node, "an output is defined twice")
            defined.add(var)
    for atom in graph.outputs:
        _require(isinstance(atom, Literal) or atom in defined, where, None, "an output is not defined")
    for node, inner in graph.subgraphs():
        check(inner, f"{where} > {node.op.name}")
    return graph


def checked(graph: Graph, where: str) -> Graph:
    """`check` when `config.check` is on."""
    return check(graph, where) if config.check else graph


def _text(where: str, node: Node | None, message: str) -> str:
    at = "" if node is None else f", {node.op.name} from {node.source}"
    return f"illegal {where}{at}: {message}"


def _require(ok: bool, where: str, node: Node | None, message: str) -> None:
    if not ok:
        raise GraphError(_text(where, node, message))
