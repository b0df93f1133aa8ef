"""Guards: what a traced function asked of its values, and the answers it was given.

`if x.sum() > 0` needs a truth, `range(n)` an integer. Under `jit` a value has neither, but the call that is being traced has actual arguments: the
question is answered on them, and the answer is remembered. The traced graph stands for every call with the same answers. What depends on nothing
but arrays that the function closes over may be asked for all that is in it (`float(w[0])`, a library that takes plain arrays): the contents are the
answer, and are compared bit by bit, so that the graph does not outlive a change of what was read, and of nothing else.

Values are computed when they are asked for, once, in the context outside: with NumPy at top level, and as values of an outer trace inside one, which
is asked in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import residence
from ..errors import Source
from ..ir import Graph, Literal, Node
from ..ir.graph import Atom, Var, live_nodes

Answer = bool | int | np.ndarray


class Guard(NamedTuple):
    """`answer` is what `bool` or `int` (`convert`) gave of a 0-d value, or, where `convert` is `np.ndarray`, what was in an array; `source` is the
    line that asked."""

    convert: type
    answer: Answer
    source: Source | None

    def __str__(self) -> str:
        if self.convert is np.ndarray:
            return f"what Python read at {self.source}, of arrays from outside, was {np.array2string(self.answer, threshold=8)}"
        asked = "the condition" if self.convert is bool else "the integer"
        return f"{asked} at {self.source} was {self.answer}"

    def agrees(self, value: Any) -> bool:
        """Whether `value` gives the same answer."""
        if self.convert is np.ndarray:
            return np.asarray(residence.on_host(value)).tobytes() == self.answer.tobytes()
        return self.convert(value) == self.answer


class Evaluation:
    """Values of a graph's atoms on actual arguments, each computed when it is first asked for.

    `producer` has the node of each computed variable, `values` what is known from the start; `outside(var)` is the value of any other variable.
    """

    __slots__ = ("values", "_producer", "_outside")

    def __init__(self, producer: Mapping[Var, Node], values: dict[Var, Any], outside: Callable[[Var], Any] | None = None):
        self._producer, self.values, self._outside = producer, values, outside

    def value(self, atom: Atom) -> Any:
        """The value of an atom in the context outside. Raises what its computation raises, and `LookupError` below an effect, which must not
        happen twice."""
        from .trace import bind  # the two modules need each other

        if type(atom) is Literal:
            return atom.value
        values, waiting = self.values, [atom]
        with np.errstate(all="ignore"):
            while waiting:
                if waiting[-1] in values:
                    waiting.pop()
                    continue
                node = self._producer.get(waiting[-1])
                if node is None:
                    values[waiting[-1]] = self._outside(waiting[-1])
                    continue
                missing = [a for a in node.inputs if type(a) is Var and a not in values]
                if missing:
                    waiting += missing
                    continue
                if node.effect:
                    raise LookupError(node.op.name)
                results = bind(node.op, [values[a] if type(a) is Var else a.value for a in node.inputs], node.params)
                values.update(zip(node.outputs, results if node.op.multiple else (results,)))
        return values[atom]


class Guards(NamedTuple):
    """All that one traced call asked, in order.

    `graph` takes the inputs of the traced graph and gives the values that were asked; `checked` gives the traced graph's outputs, and then whether
    all answers are right.
    """

    graph: Graph
    asked: tuple[Guard, ...]
    checked: Graph

    @property
    def check(self) -> Graph:
        """The graph that tells whether all answers are right, and nothing else."""
        checked = self.checked.pure
        last = checked.outputs[-1:]
        return checked.derived("check", lambda: Graph(checked.inputs, live_nodes(checked.nodes, last), last))

    def broken(self, args: Sequence[Any]) -> Guard | None:
        """The first guard that does not hold for these arguments; None where the traced graph stands for them.

        They are asked one after the other, since what a later one asks may have no value where an earlier one fails.
        """
        graph = self.graph
        producer = graph.derived("producer", lambda: {v: node for node in graph.nodes for v in node.outputs})
        evaluation = Evaluation(producer, dict(zip(graph.inputs, args)))
        for guard, atom in zip(self.asked, graph.outputs):
            if not guard.agrees(evaluation.value(atom)):
                return guard
        return None
