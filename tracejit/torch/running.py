"""Graphs that are run again and again: the way back of every recorded function, and functions themselves.

At first a graph runs as a Python function over NumPy, written for it (`written`): a few ready calls, without dispatch on operations.  When native
code would have paid, it is compiled, once, and entered through the same native entry as `jit`'s; arguments that the entry does not take (strided
ones, say) go to NumPy as before.

To change from one to the other must change no bit: who trains twice from one seed wants the same numbers twice.  So a graph changes over only if it
is made of operations that IEEE arithmetic leaves no choice (`EXACT`).  Others, with sums, products of matrices or exponentials in them, are native
from their first run on, if they are large or belong to a layer or loss (`at_once`), or never.  All this is decided by operations and extents, never
by a clock.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import residence
from ..api.variant import MISS
from ..interpret import last_uses
from ..ir import Graph, Literal, Node, Var
from ..ops.dot import as_matrices

CALL = 0.4  # microseconds that compiled code saves for each operation after the first: a ufunc's call, and the array between the two
ELEMENT = 0.0005  # and for each element: it stays in a register, or in memory that was there before
WORTH = 2000.0  # microseconds to be saved before a graph is compiled: compiling takes 5 to 30 ms, a tenth where the code is in the cache on disk
LARGE = 100.0  # microseconds to be saved by each run of what is always compiled at once
SMALL = 1.0  # and of what is if it is asked for
SHAPES = 8  # small graphs of one name that are compiled at once: a loop over lengths would compile for each
LARGE_SHAPES = 64  # and large ones
ARENA = 1 << 26  # bytes of temporaries: a program keeps its own for as long as it lives

VIEWS = frozenset(("reshape", "transpose"))
EXACT = VIEWS | frozenset(  # not maximum and minimum: NumPy's choice among zeros of both signs depends on where they stand
    ("absolute", "add", "broadcast_to", "ceil", "concatenate", "convert", "copysign", "divide", "equal", "floor", "gather", "greater",
     "greater_equal", "iota", "less", "less_equal", "logical_and", "logical_not", "logical_or", "multiply", "negative", "not_equal", "pad",
     "reverse", "rint", "select", "sign", "slice", "slice_add", "slice_update", "sqrt", "square", "subtract", "trunc", "window_argmax",
     "window_place")
)  # fmt: skip


class Running:
    """A graph as a function of arrays.

    `entry` is the native function, or None; it gives `MISS` for arguments that it does not take, which `slow` does. Both give a tuple.
    """

    __slots__ = ("name", "graph", "constants", "own", "entry", "runs", "due", "_function")

    def __init__(self, name: str, graph: Graph, constants: Sequence[Any] = (), own: bool = False, at_once: bool = False):
        """`constants` are the last inputs. `own`: each result is an array of its own, never an argument or another result. `at_once`: see above."""
        self.name, self.graph, self.constants, self.own = name, graph, constants, own
        self.entry: Callable | None = None
        self.runs, self.due = 0, due(name, graph, at_once)
        self._function: Callable | None = None

    def __call__(self, *values: Any) -> tuple:
        """The results for arrays."""
        if self.entry is not None:
            found = self.entry(*values)
            if found is not MISS:
                return found
        return self.slow(*values)

    def slow(self, *values: Any) -> tuple:
        """The results by NumPy; the run is counted. On a device by the program of the graph."""
        if residence.classes and residence.meeting(values) is not None:
            from .resident import run

            return run(self.graph, [*values, *self.constants])
        if self.count():
            found = self.entry(*values)
            if found is not MISS:
                return found
        if self._function is None:
            self._function = written(self.graph)
        return self._function(*values, *self.constants)

    def count(self) -> bool:
        """Count a run by NumPy; when it is due, the graph is compiled. True if there is an entry now."""
        self.runs += 1
        if self.runs == self.due:
            self.entry = native(self.name, self.graph, self.constants, self.own)
            return self.entry is not None
        return False


# -- native code
_at_once: Counter[tuple[str, bool]] = Counter()


def due(name: str, graph: Graph, at_once: bool) -> int:
    """The run at which the graph is compiled; 0 for never. `at_once`: small ones too, at the first."""
    saved, working = saving(graph)
    if all([n.op.name in EXACT for n in working]):
        return max(2, math.ceil(WORTH / saved)) if saved > 0.3 else 0
    large = saved > LARGE
    if not large and (not at_once or saved < SMALL) or _at_once[name, large] >= (LARGE_SHAPES if large else SHAPES):
        return 0
    _at_once[name, large] += 1
    return 1


def saving(graph: Graph) -> tuple[float, list[Node]]:
    """How many microseconds compiled code would save in each run, and the nodes that compute something."""
    working = [n for n in graph.nodes if n.op.name not in VIEWS]
    elements = sum([v.type.size for n in working for v in n.outputs])
    return CALL * max(len(working) - 1, 0) + ELEMENT * elements, working


def native(name: str, graph: Graph, constants: Sequence[Any], own: bool) -> Callable | None:
    """The native entry of a graph, whose last inputs are the constants; None where there is no native form of it."""
    from .. import tree
    from ..api.entry_specs import result_specs
    from ..lowering.cpu.entry import compile_entry
    from ..lowering.cpu.specs import Array
    from ..lowering.program import Program

    if not all([isinstance(x, np.ndarray) and x.flags.c_contiguous and x.flags.aligned and x.dtype.isnative for x in constants]):
        return None
    program = Program(graph, range(len(graph.outputs)) if own else ())
    if program.address is None or program.plan.arena_bytes > ARENA:
        return None
    count = len(graph.inputs) - len(constants)
    results = result_specs(tree.structure((0,) * len(graph.outputs)), graph, program, count)
    if results is None:
        return None
    arguments = [Array(v.type.shape, v.type.dtype) for v in graph.inputs[:count]]
    captured = [*[x.ctypes.data for x in constants], program.arena_address]
    return compile_entry(name, arguments, results[0], program.address, captured, MISS, keep=(program, constants)).call


# -- NumPy
def written(graph: Graph) -> Callable[..., tuple]:
    """The graph as one Python function of arrays."""
    return _Writer(graph).function()


class _Writer:
    """Writes the source, and gathers what it names."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.names: dict[Var, str] = {v: f"x{i}" for i, v in enumerate(graph.inputs)}
        self.space: dict[str, Any] = {"np": np, "filled": _filled}
        self.readers: dict[Var, list[Node]] = {}
        for node in graph.nodes:
            for a in node.inputs:
                if type(a) is Var:
                    self.readers.setdefault(a, []).append(node)
        self.kept = {a for a in graph.outputs if type(a) is Var}

    def function(self) -> Callable[..., tuple]:
        graph, names = self.graph, self.names
        lines = [f"def run({', '.join(names.values())}):"]
        for k, (node, dead) in enumerate(zip(graph.nodes, last_uses(graph))):
            call = self._call(node)
            for j, var in enumerate(node.outputs):
                names[var] = f"t{k}_{j}"
            lines.append(f"    {', '.join(names[v] for v in node.outputs)}{',' if node.op.multiple else ''} = {call}")
            gone = [names[v] for v in dead if v in names and v not in self.kept]
            if gone:
                lines.append(f"    del {', '.join(gone)}")
        lines.append(f"    return ({' '.join(self._given(a) + ',' for a in graph.outputs)})")
        exec(compile("\n".join(lines), f"<{len(graph.nodes)} operations>", "exec"), self.space)
        return self.space["run"]

    def _constant(self, value: Any) -> str:
        name = f"c{len(self.space)}"
        self.space[name] = value
        return name

    def _given(self, atom: Any, array: bool = False) -> str:
        if type(atom) is not Literal:
            return self.names[atom]
        # ufuncs take 0.3 us with a 0-d array beside them, 0.7 with a NumPy scalar
        return self._constant(np.asarray(atom.value) if array else atom.value)

    def _call(self, node: Node) -> str:
        op, params = node.op, node.params
        if _is_ufunc(node):
            return f"{self._constant(getattr(np, op.show[3:]))}({', '.join([self._given(a, True) for a in node.inputs])})"
        given = [self._given(a) for a in node.inputs]
        short = _SHORT.get(op.name)
        text = short(self, node, given, **params) if short is not None else None
        if text is not None:
            return text
        inputs = ", ".join(["np", *given])
        return f"{self._constant(op.run)}({inputs}, **{self._constant(params)})"

    def broadcast(self, node: Node, given: list[str], shape: tuple[int, ...]) -> str:
        """Where ufuncs read it beside arrays of that shape, they broadcast by themselves."""
        made = node.outputs[0]
        users = self.readers.get(made, [])
        if made not in self.kept and all(_is_ufunc(n) and any(a is not made and self._has(a, shape) for a in n.inputs) for n in users):
            return given[0]
        if made.type.size <= _SMALL:
            return f"filled({given[0]}, {shape})"
        return f"np.broadcast_to({given[0]}, {shape})"

    def _has(self, atom: Any, shape: tuple[int, ...]) -> bool:
        """Whether the array under the atom's name really has this shape."""
        return atom.type.shape == shape and not any(n.op.name == "broadcast_to" and atom in n.outputs for n in self.graph.nodes)


_SMALL = 1 << 14  # elements: to fill so many takes less than np.broadcast_to, which takes 2.4 us


def _filled(x: Any, shape: tuple[int, ...]) -> np.ndarray:
    made = np.empty(shape, x.dtype)
    made[...] = x
    return made


def _is_ufunc(node: Node) -> bool:
    """Whether the node is a NumPy function of its inputs, without more."""
    op = node.op
    return op.elementwise and not node.params and isinstance(op.show, str) and op.show.startswith("np.") and hasattr(np, op.show[3:])


def _reduce(ufunc: np.ufunc) -> Callable:
    """Twice as quick as np.sum and its kind, which look for other array types first."""

    def text(writer: _Writer, node: Node, given: list[str], axes: tuple[int, ...]) -> str:
        dtype = f", {writer._constant(node.outputs[0].type.dtype)}" if ufunc in (np.add, np.multiply) else ""
        return f"{writer._constant(ufunc.reduce)}({given[0]}, {axes}{dtype})"

    return text


def _product(writer: _Writer, node: Node, given: list[str], contract: tuple, batch: tuple) -> str | None:
    """As `dot_general` does it, with permutations and extents worked out beforehand: that takes 15 us."""
    x, y = [a.type for a in node.inputs]
    if not all([type(a) is Var for a in node.inputs]):
        return None
    b, c = len(batch[0]), len(contract[0])
    px, py = as_matrices(x.ndim, y.ndim, contract, batch)
    moved_x, moved_y = tuple([x.shape[d] for d in px]), tuple([y.shape[d] for d in py])
    lead, rows, columns, k = moved_x[:b], moved_x[b : x.ndim - c], moved_y[b + c :], math.prod(moved_y[b : b + c])
    left = _arranged(given[0], px, moved_x, (*lead, math.prod(rows), k))
    right = _arranged(given[1], py, moved_y, (*lead, k, math.prod(columns)))
    return _arranged(f"({left} @ {right})", (), (*lead, math.prod(rows), math.prod(columns)), (*lead, *rows, *columns))


def _arranged(text: str, permutation: tuple[int, ...], moved: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """An array with its axes permuted, which has extents `moved` then, in another shape."""
    if permutation != tuple(range(len(permutation))):
        text += ".T" if permutation == (1, 0) else f".transpose({permutation})"
    return text if moved == shape else f"{text}.reshape({shape})"


_SHORT: dict[str, Callable] = {
    "broadcast_to": _Writer.broadcast,
    "dot_general": _product,
    "reduce_sum": _reduce(np.add),
    "reduce_prod": _reduce(np.multiply),
    "reduce_max": _reduce(np.maximum),
    "reduce_min": _reduce(np.minimum),
    "reshape": lambda writer, node, given, shape: f"{given[0]}.reshape({shape})" if type(node.inputs[0]) is Var else None,
    "transpose": lambda writer, node, given, permutation: f"{given[0]}.transpose({permutation})",
    "select": lambda writer, node, given: f"np.where({', '.join(given)})",
    "convert": lambda writer, node, given, dtype: f"{given[0]}.astype({writer._constant(dtype)})" if _keeps_kind(node, dtype) else None,
}


def _keeps_kind(node: Node, dtype: np.dtype) -> bool:
    return type(node.inputs[0]) is Var and node.inputs[0].type.dtype.kind in "biuf" and dtype.kind == "f"
