"""Every way in which a graph can be illegal is found and named."""
from __future__ import annotations

import numpy as np
import pytest

from tracejit.errors import GraphError, Source
from tracejit.ir import ArrayType, Graph, Literal, Node, Var, check
from tracejit.ops import elementwise, movement
from tracejit.ops.call import call

FLOAT3 = ArrayType((3,), np.dtype(float))


def sine(x, y=None):
    return Node(elementwise.sin, (x,), {}, (y or Var(FLOAT3),), Source("model.py", 7, "f"))


def test_a_legal_graph_is_returned():
    x = Var(FLOAT3)
    node = sine(x)
    graph = Graph((x,), (node,), (*node.outputs, Literal(np.float64(1))))
    assert check(graph) is graph


def bad_graphs():
    x, y = Var(FLOAT3), Var(FLOAT3)
    yield "occurs twice", Graph((x, x), (), (x,))
    yield "used before it is defined", Graph((x,), (sine(y),), (x,))
    yield "neither a variable nor a literal", Graph((x,), (sine(1.0),), (x,))
    yield "not hashable", Graph((x,), (Node(movement.reverse, (x,), {"axes": [0]}, (y,)),), (y,))
    yield "its type rule says", Graph((x,), (sine(x, Var(ArrayType((4,), np.dtype(float)))),), (x,))
    yield "its type rule says", Graph((x,), (sine(x, Var(ArrayType((3,), np.dtype(np.float32)))),), (x,))
    yield "defined twice", Graph((x,), (sine(x, y), sine(x, y)), (y,))
    yield "defined twice", Graph((x,), (sine(x, x),), (x,))
    yield "an output is not defined", Graph((x,), (), (y,))
    inner = Graph((x,), (), (y,))
    yield "illegal graph > call", Graph((x,), (Node(call, (x,), {"graph": inner}, (Var(FLOAT3),)),), (x,))


@pytest.mark.parametrize("message, graph", list(bad_graphs()))
def test_an_illegal_graph_is_named(message, graph):
    with pytest.raises(GraphError, match=message):
        check(graph)


def test_the_users_line_is_named():
    x = Var(FLOAT3)
    with pytest.raises(GraphError, match="illegal graph, sin from model.py:7 in f:"):
        check(Graph((x,), (sine(Var(FLOAT3)),), (x,)))
