"""The printer: a graph as NumPy source that a person can read, paste and run.

    import numpy as np


    def f(a, b):  # float64[3], float64[]
        c = np.sin(a)  # float64[3]  model.py:12
        d = c * b  # float64[3]  model.py:12
        return d

Every op says how it is written (`Op.show`): by the name of a function of its inputs ("np.sin"; parameters are left out), or by a function of the
inputs' texts and the parameters.  The texts are `Operand`s: strings that know their type.  That function returns an expression, or a pair of an
expression and a function from the result's name to a statement that follows: NumPy's way to write into a copy.

Literals keep their dtype: a Python number where another operand or NumPy's default fixes it (NEP 50), else `np.float32(2.0)`.
"""
from __future__ import annotations

import itertools
import keyword
import os
import string
from collections.abc import Iterator
from typing import Any

import numpy as np

from .graph import Atom, Graph, Literal, Node, Var
from .types import BOOL, COMPLEX, FLOAT, INT, ArrayType

INFIX = {"np.add": "+", "np.subtract": "-", "np.multiply": "*", "np.divide": "/",
         "np.less": "<", "np.less_equal": "<=", "np.greater": ">", "np.greater_equal": ">=", "np.equal": "==", "np.not_equal": "!="}
IMPORTS = "numpy", "scipy.special", "tracejit"
DEFAULTS = BOOL, INT, FLOAT, COMPLEX  # what NumPy makes of Python's numbers


class Operand(str):
    """The text of one input of a node, with its type."""

    type: ArrayType

    @classmethod
    def of(cls, text: str, type: ArrayType) -> Operand:
        operand = cls(text)
        operand.type = type
        return operand


def to_source(graph: Graph, name: str = "f") -> str:
    """`graph` as the source of a NumPy function called `name`, with the imports it needs; sub-graphs are functions in front of it.

    The function takes the graph's inputs and returns its output, or a tuple of them if it has more than one.

    >>> import numpy as np, tracejit as tj
    >>> graph = tj.trace(lambda x: np.sin(x) * 2.0)(np.ones(3))
    >>> space = {}
    >>> exec(to_source(graph, "double_sine"), space)
    >>> space["double_sine"](np.zeros(3))
    array([0., 0., 0.])
    """
    functions = _Functions()
    functions.define(graph, name)
    body = "\n\n\n".join(functions.sources)
    imports = [f"import {module}" + (" as np" if module == "numpy" else "") for module in IMPORTS if module == "numpy" or f"{module}." in body]
    return "\n".join(imports) + "\n\n\n" + body + "\n"


class _Functions:
    """The functions of one printed program, in the order in which they are defined; each sub-graph is printed once."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.names: dict[int, str] = {}   # by identity of the graph, which the printed graph keeps alive

    def name_of(self, graph: Graph, stem: str) -> str:
        name = self.names.get(id(graph))
        if name is None:
            name = f"{stem}_{len(self.names)}"
            self.define(graph, name)
        return name

    def define(self, graph: Graph, name: str) -> None:
        self.names[id(graph)] = name
        self.sources.append(_Body(self, name).function(graph))


class _Body:
    """One function: the names of its variables and its lines."""

    def __init__(self, functions: _Functions, name: str):
        self.functions, self.name = functions, name
        self.variables: dict[Var, str] = {}
        self.fresh = (n for n in _names() if n not in (name, "np") and not keyword.iskeyword(n))

    def function(self, graph: Graph) -> str:
        given = ", ".join(self.variable(v) for v in graph.inputs)
        types = ", ".join(map(str, graph.in_types))
        lines = [f"def {self.name}({given}):" + (f"  # {types}" if types else "")]
        for node in graph.nodes:
            lines += [f"    {line}" for line in self.statements(node)]
        lines.append(f"    return {', '.join(self.atom(a) for a in graph.outputs) or '()'}")
        return "\n".join(lines)

    def variable(self, var: Var) -> str:
        if var not in self.variables:
            self.variables[var] = next(self.fresh)
        return self.variables[var]

    def atom(self, atom: Atom) -> str:
        return self.variable(atom) if isinstance(atom, Var) else literal(atom)

    def statements(self, node: Node) -> Iterator[str]:
        expression, following = self.expression(node), None
        if isinstance(expression, tuple):
            expression, following = expression
        results = ", ".join(self.variable(v) for v in node.outputs)
        source = f"  {os.path.basename(node.source.filename)}:{node.source.line}" if node.source else ""
        yield (f"{results} = " if results else "") + f"{expression}  # {', '.join(str(v.type) for v in node.outputs)}{source}"
        if following:
            yield following(results)

    def _named(self, value: Any, stem: str) -> Any:
        """A parameter, with the names of functions for the graphs in it."""
        if isinstance(value, Graph):
            return self.functions.name_of(value, stem)
        if isinstance(value, tuple) and any(isinstance(v, Graph) for v in value):
            return tuple(self._named(v, stem) for v in value)
        return value

    def expression(self, node: Node) -> str | tuple:
        op, show = node.op, node.op.show
        if isinstance(show, str):
            texts = [self.variable(a) if isinstance(a, Var) else literal(a, fixed=_fixed_by(node.inputs, a)) for a in node.inputs]
            if show == "np.negative":
                return f"-{texts[0]}"
            return f"{texts[0]} {INFIX[show]} {texts[1]}" if show in INFIX else f"{show}({', '.join(texts)})"
        operands = [Operand.of(self.atom(a), a.type) for a in node.inputs]
        if show is not None:
            return show(*operands, **{k: self._named(v, op.name) for k, v in node.params.items()})
        inner = op.inline and op.inline(*[a.type for a in node.inputs], **node.params)
        if inner is not None:
            return f"{self.functions.name_of(inner, op.name)}({', '.join(operands)})"
        given = ["np", *operands, *(f"{k}={parameter(v)}" for k, v in node.params.items())]
        return f"tracejit.ops.core.by_name[{op.name!r}].run({', '.join(given)})"


def _names() -> Iterator[str]:
    """a, b, ..., z, aa, ab, ..."""
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            yield "".join(letters)


def _fixed_by(inputs: tuple[Atom, ...], atom: Literal) -> bool:
    """Whether a variable among `inputs` has the literal's dtype, so that NumPy's promotion gives it to a Python number beside it."""
    return any(isinstance(a, Var) and a.type.dtype == atom.type.dtype for a in inputs)


def literal(atom: Literal, fixed: bool = False) -> str:
    """A literal's text; `fixed`: its dtype follows from where it stands."""
    return number(atom.value, plain=fixed or atom.type.dtype in DEFAULTS)


def number(value: Any, plain: bool = False) -> str:
    """The text of a NumPy scalar, as a Python number if `plain`."""
    text = _python(value.item())
    return text if plain else f"np.{value.dtype.name}({text})"


def _python(value: bool | int | float | complex) -> str:
    if isinstance(value, complex):   # in parts, since 0.0 + -0.0j and the like do not survive as a sum
        return f"complex({_python(value.real)}, {_python(value.imag)})"
    if isinstance(value, float) and not np.isfinite(value):
        return "np.nan" if np.isnan(value) else "np.inf" if value > 0 else "-np.inf"
    return repr(value)


def parameter(value: Any) -> str:
    """The text of a static parameter."""
    if isinstance(value, np.dtype):
        return f"np.dtype({value.name!r})"
    if isinstance(value, np.generic):
        return number(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(parameter, value))}{',' if len(value) == 1 else ''})"
    return _python(value) if isinstance(value, (float, complex)) else repr(value)
