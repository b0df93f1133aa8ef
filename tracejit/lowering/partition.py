"""Which values are stored, and what computes each of them.

A value that is cheap or has one reader is never stored: its readers compose its expression into theirs.  Stored are outputs, reductions, what
library and host steps read or make, and values that are dear to compute again.  Each stored value becomes a `Stage`, a loop nest to be fused, or
belongs to a `Library`, `Routine` or `Host` step.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ir import Atom, Graph, Literal, Node, Var
from ..ops.elementwise import stop_gradient
from . import index as ix
from .index import Counter, Index
from .kernel import Buffer, Expression, Expressions, Reader, constant, load, settled

# A cheap value with several readers is stored once this many operations would be repeated: about what a store and a load of it cost.
REPEATED_WORK = 6
# Composition goes this deep before a value is stored: expressions are walked recursively, and LLVM's time grows faster than linearly in a block.
MAX_DEPTH = 40


@dataclass(eq=False)
class Stage:
    """A loop nest: for all `counters`, store `expression` at `target` of `buffer`, or combine it into what is there.

    A reduction combines into its identity, which fusion stores first; with `into`, the stage changes an array that was made before.
    """

    buffer: Buffer
    counters: list[Counter]
    target: tuple[Index, ...]
    expression: Expression
    combine: str | None = None
    node: Node | None = None
    into: bool = False


@dataclass
class View:
    """Strided access to a stored array: element strides and offset for the axes of `shape`."""

    buffer: Buffer
    shape: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]


@dataclass(eq=False)
class Library:
    """A call into a library: a product of arrays."""

    node: Node
    operands: list[View]
    result: Buffer


@dataclass(eq=False)
class Routine:
    """An op on whole arrays that a routine of a library computes. The results end with its work arrays."""

    node: Node
    operands: list[Buffer]
    results: list[Buffer]


@dataclass(eq=False)
class Host:
    """An op without a native form: its `run` is called with NumPy arrays."""

    node: Node
    operands: list[Buffer | Any]
    results: list[Buffer]


Step = Stage | Library | Routine | Host


@dataclass
class Partition:
    """The stored program: input buffers, steps in order, and for each output its buffer, or an input position, or a constant."""

    inputs: list[Buffer]
    steps: list[Step]
    outputs: list[Buffer | Literal]
    buffers: dict[Var, Buffer] = field(default_factory=dict)


class Partitioner:
    """Walks a graph without calls once and makes its steps."""

    def __init__(self, graph: Graph, native, own: Container[int] = (), constants: bool = False):
        """`native(node)` says whether the target can compute a pointwise or reduce node in a kernel, or a library node in its library.

        `own` numbers the outputs that need memory of their own, shared neither with an input nor with another output; with `constants`, those that
        are constants are stored too.
        """
        self.graph, self.native, self.own, self.constants = graph, native, own, constants
        self.readers: dict[Var, list[Node]] = {}
        self.producer: dict[Var, Node] = {}
        for node in graph.nodes:
            for a in {a for a in node.inputs if type(a) is Var}:
                self.readers.setdefault(a, []).append(node)
            for v in node.outputs:
                self.producer[v] = node
        self.buffers: dict[Var, Buffer] = {v: Buffer(v.type.strong, "input") for v in graph.inputs}
        self.outputs = {a for a in graph.outputs if type(a) is Var}
        self.wanted = self._outputs_and_operands()
        self._lines: dict[tuple[Var, tuple[Index, ...]], Expression] = {}

    # -- what must be stored
    def kind(self, node: Node) -> str:
        return node.op.kind if self.native(node) else "host"

    def _outputs_and_operands(self) -> set[Var]:
        wanted = set(self.outputs)
        self.views: dict[tuple[Node, int], Var] = {}
        for node in self.graph.nodes:
            kind = self.kind(node)
            if kind == "host" or kind in ROUTINES:
                wanted.update(a for a in node.inputs if type(a) is Var)
            elif kind not in ("pointwise", "reduce", "write"):
                for position, a in enumerate(node.inputs):
                    if type(a) is Var:
                        base = self._base(a)
                        self.views[node, position] = base
                        wanted.add(base)
        return wanted

    def _base(self, var: Var) -> Var:
        """The value that `var` is a strided view of; `var` itself where it is computed."""
        base = var
        while base in self.producer:
            node = self.producer[base]
            if node.op.name not in ("transpose", "reshape", "slice", "reverse") or not self.native(node) or type(node.inputs[0]) is Literal:
                break
            strided = self._strided(var, node.inputs[0])
            if strided is None or not is_matrix(var.type.shape, strided[1]):
                break
            base = node.inputs[0]
        return base

    def _strided(self, var: Var, base: Var) -> tuple[int, tuple[int, ...]] | None:
        """Offset and strides of `var` in the memory of `base`, if it is a view of that."""
        counters = [Counter(n) for n in var.type.shape]
        buffer = Buffer(base.type.strong, "temporary")

        def read(v: Var, index):
            return load(buffer, index) if v is base else self._lower(self.producer[v], index, read)

        found = read(var, tuple(map(ix.of, counters)))
        if found.op != "load":
            return None
        flat = ix.flatten(found.data[1], base.type.shape)
        if any(not isinstance(a, Counter) for a, _ in flat.terms):
            return None
        return flat.constant, tuple(flat.coefficient(c) for c in counters)

    def _stores(self, node: Node, dear: bool, work: int, depth: int) -> bool:
        var = node.outputs[0]
        if var in self.wanted or depth >= MAX_DEPTH:
            return True
        readers = self.readers.get(var, ())
        repeated = len(readers) > 1 or any(
            r.op.kind == "pointwise" and r.op.name not in _PLACING and r.outputs[0].type.size > var.type.size for r in readers
        )
        return repeated and (dear or work > REPEATED_WORK)

    # -- the walk
    def run(self) -> Partition:
        steps: list[Step] = []
        dear: dict[Var, bool] = {}
        work: dict[Var, int] = {}
        depth: dict[Var, int] = {}
        for node in self.graph.nodes:
            kind = self.kind(node)
            if kind == "pointwise":
                var = node.outputs[0]
                inline = [a for a in node.inputs if type(a) is Var and a not in self.buffers]
                is_dear = node.op.dear or any(dear[a] for a in inline)
                cost = min(1000, (node.op.name not in _MOVEMENT) + sum(work[a] for a in inline))
                deep = 1 + max((depth[a] for a in inline), default=0)
                if self._stores(node, is_dear, cost, deep):
                    steps.append(self._pointwise_stage(node))
                else:
                    dear[var], work[var], depth[var] = is_dear, cost, deep
            elif kind == "reduce":
                steps.append(self._reduce_stage(node))
            elif kind == "write":
                steps += self._write_stages(node)
            elif kind == "host":
                operands = [self.buffers[a] if type(a) is Var else a.value for a in node.inputs]
                steps.append(Host(node, operands, [self._buffer(v) for v in node.outputs]))
            elif kind in ROUTINES:
                numbers = {i: self._number(a) for i, a in enumerate(node.inputs) if type(a) is Literal}
                steps += numbers.values()
                operands = [numbers[i].buffer if i in numbers else self.buffers[a] for i, a in enumerate(node.inputs)]
                steps.append(Routine(node, operands, [self._buffer(v) for v in node.outputs]))
            else:
                operands = [self._view(node, position) for position in range(len(node.inputs))]
                steps.append(Library(node, operands, self._buffer(node.outputs[0])))
        for a in self.graph.outputs:
            if type(a) is Var and self.buffers[a].role == "temporary":
                self.buffers[a].role = "output"
        outputs: list[Buffer | Literal] = []
        for position, a in enumerate(self.graph.outputs):
            result = a if type(a) is Literal else self.buffers[a]
            if position in self.own and type(a) is Var and (result.role == "input" or result in outputs):
                result = Buffer(result.type, "output")
                steps.append(self._copy(a, result))
            elif self.constants and type(a) is Literal:
                steps.append(self._number(a, "output"))
                result = steps[-1].buffer
            outputs.append(result)
        return Partition([self.buffers[v] for v in self.graph.inputs], steps, outputs, self.buffers)

    def _buffer(self, var: Var) -> Buffer:
        buffer = self.buffers[var] = Buffer(var.type.strong, "temporary")
        return buffer

    def _view(self, node: Node, position: int) -> View:
        atom = node.inputs[position]
        base = self.views[node, position]
        offset, strides = self._strided(atom, base)
        return View(self.buffers[base], atom.type.shape, offset, strides)

    # -- expressions
    def read(self, atom: Atom, index: tuple[Index, ...]) -> Expression:
        """The element of a value at an index: a constant, a load, or the expression that computes it."""
        if type(atom) is Literal:
            return constant(atom.value, atom.type.dtype)
        buffer = self.buffers.get(atom)
        if buffer is not None:
            return load(buffer, index)
        key = (atom, index)
        found = self._lines.get(key)
        if found is None:
            found = self._lines[key] = self._lower(self.producer[atom], index, self.read)
        return found

    @staticmethod
    def _lower(node: Node, index: tuple[Index, ...], read) -> Expression:
        readers = [Reader(a.type, lambda i, a=a: read(a, i)) for a in node.inputs]
        return node.op.lower(Expressions, readers, index, **node.params)

    def _pointwise_stage(self, node: Node) -> Stage:
        counters = [Counter(n) for n in node.outputs[0].type.shape]
        index = tuple(map(ix.of, counters))
        expression = self._lower(node, index, self.read)
        return Stage(self._buffer(node.outputs[0]), [c for c in counters if c.extent != 1], index, expression, None, node)

    @staticmethod
    def _number(literal: Literal, role: str = "temporary") -> Stage:
        """A constant stored in memory."""
        return Stage(Buffer(literal.type, role), [], (), constant(literal.value, literal.type.dtype))

    def _copy(self, var: Var, result: Buffer) -> Stage | Host:
        node = Node(stop_gradient, (var,), {}, (Var(var.type.strong),))  # the op that gives its input
        if not self.native(node):
            return Host(node, [self.buffers[var]], [result])
        counters = [Counter(n) for n in result.shape]
        index = tuple(map(ix.of, counters))
        return Stage(result, [c for c in counters if c.extent != 1], index, load(self.buffers[var], index))

    def _reduce_stage(self, node: Node) -> Stage:
        x, axes = node.inputs[0], node.params["axes"]
        dtype = node.outputs[0].type.dtype
        combine = node.op.lower(Expressions, (), **node.params)
        counters = [Counter(n) for n in x.type.shape]
        kept = [c for d, c in enumerate(counters) if d not in axes]
        target = tuple(map(ix.of, kept))
        if x.type.size == 0:  # nothing to combine: the identity alone
            return Stage(
                self._buffer(node.outputs[0]), [c for c in kept if c.extent != 1], target, constant(identity(combine, dtype), dtype), None, node
            )
        if all(c.extent == 1 for d, c in enumerate(counters) if d in axes):  # one element each: nothing to combine with
            combine = None
        expression = self.read(x, tuple(map(ix.of, counters)))
        return Stage(self._buffer(node.outputs[0]), [c for c in counters if c.extent != 1], target, expression, combine, node)

    def _write_stages(self, node: Node) -> list[Stage]:
        """A copy of the first input, and the stage that writes the second into it. Nothing is copied where this is the only reader of a temporary:
        it is changed in place."""
        x, updates = node.inputs[:2]
        counters = [Counter(n) for n in updates.type.shape]
        index = tuple(map(ix.of, counters))
        readers = [Reader(a.type, lambda i, a=a: self.read(a, i)) for a in node.inputs]
        combine, positions = node.op.lower(Expressions, readers, index, **node.params)
        value = self.read(updates, index)
        stages = []
        buffer = self.buffers.get(x) if type(x) is Var else None
        if buffer is not None and buffer.role == "temporary" and x not in self.outputs and self.readers[x] == [node] and node.inputs.count(x) == 1:
            self.buffers[node.outputs[0]] = buffer
        else:
            buffer = self._buffer(node.outputs[0])
            own = [Counter(n) for n in x.type.shape]
            at = tuple(map(ix.of, own))
            stages.append(Stage(buffer, [c for c in own if c.extent != 1], at, self.read(x, at), None, node))
        stages.append(Stage(buffer, [c for c in counters if c.extent != 1], settled(positions, x.type.shape), value, combine, node, into=True))
        return stages


def is_matrix(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether the last two axes are a matrix as BLAS takes it: one of them adjacent in memory, and a positive step from line to line at least as
    long as a line."""
    if len(shape) < 2:
        return True
    (m, n), (row, column) = shape[-2:], strides[-2:]
    by_rows = (column == 1 or n == 1) and (row >= max(n, 1) or m == 1)
    by_columns = (row == 1 or m == 1) and (column >= max(m, 1) or n == 1)
    return by_rows or by_columns


# Kinds of ops on whole arrays that a routine of a library computes, and the library.
ROUTINES = {"lapack": "LAPACK", "fft": "pocketfft", "scan": "native loop", "while": "native loop", "switch": "native branches"}
# These put their input into something larger, once.
_PLACING = frozenset({"pad", "concatenate"})
_MOVEMENT = frozenset({"broadcast_to", "reshape", "transpose", "reverse", "slice", "pad", "stop_gradient", "mask_gradient"})


def identity(combine: str, dtype: np.dtype) -> Any:
    """What a reduction starts from."""
    if combine in ("add", "logical_or"):
        return 0
    if combine in ("multiply", "logical_and"):
        return 1
    if dtype.kind in "fc":
        infinity = -np.inf if combine == "maximum" else np.inf
        return complex(infinity, infinity) if dtype.kind == "c" else infinity
    if dtype.kind == "b":
        return combine == "minimum"
    info = np.iinfo(dtype)
    return info.min if combine == "maximum" else info.max


def partition(graph: Graph, native, own: Container[int] = (), constants: bool = False) -> Partition:
    """The steps of a graph without calls; see `Partitioner`."""
    return Partitioner(graph, native, own, constants).run()
