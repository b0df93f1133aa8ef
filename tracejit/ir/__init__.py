"""What a program is: types, graph, builder, legality, printer."""

from .builder import Builder
from .graph import Atom, Graph, Literal, Node, Var, has_effect, live_nodes, pure_params
from .spec import check, checked
from .types import ArrayType, array_type, is_inexact, supported

__all__ = [
    "ArrayType",
    "Atom",
    "Builder",
    "Graph",
    "Literal",
    "Node",
    "Var",
    "array_type",
    "check",
    "checked",
    "has_effect",
    "is_inexact",
    "live_nodes",
    "pure_params",
    "supported",
]
