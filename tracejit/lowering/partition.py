"""Which values are stored, and what computes each of them.

A value that is cheap or has one reader is never stored: its readers compose its expression into theirs.  Stored are outputs, reductions, what
library and host steps read or make, and values that are dear to compute again.  Each stored value becomes a `Stage`, a loop nest to be fused, or
belongs to a `Library`, `Routine` or `Host` step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterator, Mapping

import numpy as np

from ..ir import Atom, Graph, Literal, Node, Var
from ..ir.types import INT
from ..ops.elementwise import add, stop_gradient
from ..ops.movement import iota
from . import cuts
from . import index as ix
from .index import Counter, Index
from .kernel import Buffer, Expression, Expressions, Reader, constant, load, settled
from .overwrite import Overwriting, readers_first, reads_ahead
from .steps import ROUTINES, Host, Library, Partition, Progression, Routine, Stage, Step, View, identity

# A cheap value with several readers is stored once this many operations would be repeated: about what a store and a load of it cost.
REPEATED_WORK = 6
# The same for what is made of positions alone (the identity matrix): a load, which is often across the lanes, is dearer beside it.
REPEATED_COUNTING = 18
# Composition goes this deep before a value is stored: expressions are walked recursively, and LLVM's time grows faster than linearly in a block.
MAX_DEPTH = 40
# In the body of a loop, stages over up to this many elements are written out: their elements live in registers.
WRITTEN_OUT = 32
# Nodes times elements up to which that is done: LLVM takes about 12 us for each.
MAX_WRITTEN_OUT = 2000


class Partitioner:
    """Walks a graph without calls once and makes its steps. `tiles` and `in_order` are the orders of loops that suit a CPU."""

    tiles = staticmethod(cuts.tiles)
    in_order = staticmethod(cuts.along_the_long_axis)

    def __init__(
        self,
        graph: Graph,
        native: Callable[[Node], bool],
        own: Container[int] = (),
        body: bool = False,
        donated: Mapping[int, int] | None = None,
        overwrites: Callable[[Node], list[tuple[int, int]]] = lambda node: [],
    ):
        """`native(node)` says whether the target can compute a pointwise or reduce node in a kernel, or a library node in its library;
        `overwrites(node)` gives the pairs (operand, result) of a routine that may be one array.

        `own` numbers the outputs that need memory of their own, shared neither with an input nor with another output.  In the `body` of a loop those
        that are constants are stored too, and small stages are written out element by element; `donated` (output -> input) lists the outputs that
        may be made in the memory of an input.
        """
        self.graph = graph = readers_first(graph, overwrites)
        self.native, self.own, self.body, self.donated, self.overwrites = native, own, body, donated or {}, overwrites
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
        self.overwriting = Overwriting(graph, self.readers, self.buffers, self.donated, overwrites)

    # -- what must be stored
    def kind(self, node: Node) -> str:
        return node.op.kind if self.native(node) else "host"

    def _outputs_and_operands(self) -> set[Var]:
        wanted = set(self.outputs)
        self.views: dict[tuple[Node, int], Var] = {}
        for node in self.graph.nodes:
            kind = self.kind(node)
            if kind == "host" or kind in ROUTINES:
                wanted.update(a for i, a in enumerate(node.inputs) if type(a) is Var and self._progression(node, i) is None)
            elif kind not in ("pointwise", "reduce", "write"):
                for position, a in enumerate(node.inputs):
                    if type(a) is Var:
                        base = self._base(a)
                        self.views[node, position] = base
                        wanted.add(base)
        return wanted

    def _progression(self, node: Node, operand: int) -> Progression | None:
        """What a scan counts instead of reading it."""
        if node.op.kind != "scan" or operand < node.params["consts"] + node.params["carry"] or not self.native(node):
            return None
        start, made = 0, self.producer.get(node.inputs[operand])
        if made is not None and made.op is add:
            number, other = made.inputs if type(made.inputs[0]) is Literal else made.inputs[::-1]
            if type(number) is Literal and number.type.dtype == INT:
                start, made = int(number.value), self.producer.get(other)
        counted = made is not None and made.op is iota and made.params == {"shape": node.inputs[operand].type.shape, "axis": 0, "dtype": INT}
        return Progression(start) if counted and len(node.inputs[operand].type.shape) == 1 else None

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

    def _stores(self, node: Node, dear: bool, work: int, depth: int, counted: bool) -> bool:
        var = node.outputs[0]
        if var in self.wanted or depth >= MAX_DEPTH:
            return True
        readers = self.readers.get(var, ())
        repeated = len(readers) > 1 or any(
            r.op.kind == "pointwise" and r.op.name not in _PLACING and r.outputs[0].type.size > var.type.size for r in readers
        )
        return repeated and (dear or work > (REPEATED_COUNTING if counted else REPEATED_WORK))

    # -- the walk
    def run(self) -> Partition:
        steps: list[Step] = []
        dear: dict[Var, bool] = {}
        work: dict[Var, int] = {}
        depth: dict[Var, int] = {}
        counted: dict[Var, bool] = {}
        for node in self.graph.nodes:
            kind = self.kind(node)
            if kind == "pointwise":
                var = node.outputs[0]
                inline = [a for a in node.inputs if type(a) is Var and a not in self.buffers]
                is_dear = node.op.dear or any(dear[a] for a in inline)
                cost = min(1000, (node.op.name not in _MOVEMENT) + sum(work[a] for a in inline))
                deep = 1 + max((depth[a] for a in inline), default=0)
                is_counted = all(type(a) is Literal or counted.get(a, False) for a in node.inputs)
                if self._stores(node, is_dear, cost, deep, is_counted):
                    steps += map(self.in_order, self._pointwise_stages(node)) if is_dear else self._pointwise_stages(node)
                else:
                    dear[var], work[var], depth[var], counted[var] = is_dear, cost, deep, is_counted
                    self.overwriting.compose(node)
            elif kind == "reduce":
                steps += self._reduce_stages(node)
            elif kind == "write":
                steps += self._write_stages(node)
            elif kind == "host":
                operands = [self.buffers[a] if type(a) is Var else a.value for a in node.inputs]
                steps.append(Host(node, operands, [self._buffer(v) for v in node.outputs]))
            elif kind in ROUTINES:
                steps += self._routine(node)
            else:
                steps += self._library(node)
            self.overwriting.done.add(node)
        for a in self.graph.outputs:
            if type(a) is Var and self.buffers[a].role == "temporary":
                self.buffers[a].role = "output"
        outputs: list[Buffer | Literal] = []
        for position, a in enumerate(self.graph.outputs):
            result = a if type(a) is Literal else self.buffers[a]
            if position in self.own and type(a) is Var and (result.role == "input" or result in outputs) and not self._is_donated(position, result):
                result = Buffer(result.type, "output")
                steps += self._copy(a, result)
            elif self.body and type(a) is Literal:
                steps.append(self._number(a, "output"))
                result = steps[-1].buffer
            outputs.append(result)
        return Partition([self.buffers[v] for v in self.graph.inputs], steps, outputs, self.buffers)

    def _is_donated(self, position: int, result: Buffer) -> bool:
        return position in self.donated and result is self.buffers[self.graph.inputs[self.donated[position]]]

    def _buffer(self, var: Var) -> Buffer:
        buffer = self.buffers[var] = Buffer(var.type.strong, "temporary")
        return buffer

    def _library(self, node: Node) -> list[Step]:
        operands = [self._view(node, position) for position in range(len(node.inputs))]
        return [Library(node, operands, self._buffer(node.outputs[0]))]

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

    # -- stages
    def _is_written_out(self, size: int) -> bool:
        return self.body and size <= WRITTEN_OUT and size * len(self.graph.nodes) <= MAX_WRITTEN_OUT

    def _points(self, shape: tuple[int, ...], size: int) -> Iterator[tuple[list[Counter], tuple[Index, ...]]]:
        """The loops of a stage and its index in them; where the stage, which has `size` turns, is written out, each index without a loop."""
        if self._is_written_out(size):
            yield from (([], tuple(Index(constant=i) for i in point)) for point in itertools.product(*map(range, shape)))
        else:
            counters = [Counter(n) for n in shape]
            yield [c for c in counters if c.extent != 1], tuple(map(ix.of, counters))

    def _pointwise_stages(self, node: Node) -> list[Stage]:
        type_ = node.outputs[0].type
        lower = lambda at: self._lower(node, at, self.read)
        made = [(counters, index, lower(index)) for counters, index in self._points(type_.shape, type_.size)]
        if len(made) == 1:
            made = [tile for piece in cuts.pieces(made[0], lower) for tile in self.tiles(piece, lower)]
        buffer = self._buffer(node.outputs[0])
        return [Stage(buffer, counters, index, expression, None, node) for counters, index, expression in made]

    @staticmethod
    def _number(literal: Literal, role: str = "temporary") -> Stage:
        """A constant stored in memory."""
        return Stage(Buffer(literal.type, role), [], (), constant(literal.value, literal.type.dtype))

    def _copy(self, var: Var, result: Buffer) -> list[Stage | Host]:
        node = Node(stop_gradient, (var,), {}, (Var(var.type.strong),))  # the op that gives its input
        if not self.native(node):
            return [Host(node, [self.buffers[var]], [result])]
        return [Stage(result, counters, at, load(self.buffers[var], at)) for counters, at in self._points(result.shape, result.type.size)]

    def _reduce_stages(self, node: Node) -> list[Stage]:
        x, axes = node.inputs[0], node.params["axes"]
        dtype, kept = node.outputs[0].type.dtype, [d for d in range(len(x.type.shape)) if d not in axes]
        combine = node.op.lower(Expressions, (), **node.params)
        if x.type.size == 0:  # nothing to combine: the identity alone
            counters = [Counter(x.type.shape[d]) for d in kept]
            empty = constant(identity(combine, dtype), dtype)
            return [Stage(self._buffer(node.outputs[0]), [c for c in counters if c.extent != 1], tuple(map(ix.of, counters)), empty, None, node)]
        if self._is_written_out(x.type.size):
            return self._written_out_reduction(node, combine, kept)
        counters = [Counter(n) for n in x.type.shape]
        target = tuple(ix.of(counters[d]) for d in kept)
        if all(counters[d].extent == 1 for d in axes):  # one element each: nothing to combine with
            combine = None
        expression = self.read(x, tuple(map(ix.of, counters)))
        return [Stage(self._buffer(node.outputs[0]), [c for c in counters if c.extent != 1], target, expression, combine, node)]

    def _written_out_reduction(self, node: Node, combine: str, kept: list[int]) -> list[Stage]:
        x = node.inputs[0]
        totals: dict[tuple[int, ...], Expression] = {}
        for point in itertools.product(*map(range, x.type.shape)):
            element, target = self.read(x, tuple(Index(constant=i) for i in point)), tuple(point[d] for d in kept)
            totals[target] = Expressions.apply(combine, totals[target], element) if target in totals else element
        buffer = self._buffer(node.outputs[0])
        return [Stage(buffer, [], tuple(Index(constant=i) for i in target), total, None, node) for target, total in totals.items()]

    def _routine(self, node: Node) -> list[Step]:
        steps: list[Step] = []
        operands: list[Buffer | Progression] = []
        for i, a in enumerate(node.inputs):
            if type(a) is Literal:
                steps.append(self._number(a))
            operands.append(steps[-1].buffer if type(a) is Literal else self._progression(node, i) or self.buffers[a])
        for operand, result in self.overwrites(node):
            memory, late = self.overwriting.memory(node, operand, result)
            if memory is not None:
                steps += [stage for v in late for stage in self._pointwise_stages(self.producer[v])]
                self.buffers[node.outputs[result]] = memory
        return [*steps, Routine(node, operands, [self.buffers.get(v) or self._buffer(v) for v in node.outputs])]

    # -- writes
    def _write_stages(self, node: Node) -> list[Stage]:
        """The stages that write the second input into the first: into a copy of it, or in place where nothing needs the old contents later."""
        x, updates = node.inputs[:2]
        stages: list[Stage] = []
        buffer, late = self.overwriting.memory(node, 0, 0)
        if buffer is not None:
            stages += [stage for v in late for stage in self._pointwise_stages(self.producer[v])]
            counters, target, value, _ = self._write(node)
            if reads_ahead(buffer, counters, target, [*(c.expression for i in target for c in i.computed())]):
                buffer = None
            elif reads_ahead(buffer, counters, target, [value]):  # the updates are computed first
                if 2 * updates.type.size > x.type.size:
                    buffer = None
                else:
                    stages += self._pointwise_stages(self.producer[updates])
        if buffer is not None:
            self.buffers[node.outputs[0]] = buffer
        else:
            buffer = self._buffer(node.outputs[0])
            stages += self._rest(node, buffer)
        for counters, index in self._points(updates.type.shape, updates.type.size):
            counters, target, value, combine = self._write(node, counters, index)
            stages.append(Stage(buffer, counters, target, value, combine, node, into=True))
        return stages

    def _write(self, node: Node, counters: list[Counter] | None = None, index: tuple[Index, ...] = ()):
        """Loops, target, value and combination of a write, in loops of its own or at an index in given ones."""
        x, updates = node.inputs[:2]
        if counters is None:
            every = [Counter(n) for n in updates.type.shape]
            counters, index = [c for c in every if c.extent != 1], tuple(map(ix.of, every))
        readers = [Reader(a.type, lambda i, a=a: self.read(a, i)) for a in node.inputs]
        combine, positions = node.op.lower(Expressions, readers, index, **node.params)
        return counters, settled(positions, x.type.shape), self.read(updates, index), combine

    def _rest(self, node: Node, buffer: Buffer) -> list[Stage]:
        """A copy of what a write does not overwrite: for a block at a known place the parts around it, else all."""
        x, updates = node.inputs[:2]
        shape = x.type.shape
        _, target, _, combine = self._write(node)
        adjacent = all(len(i.terms) <= 1 and all(c == 1 for _, c in i.terms) for i in target)
        if combine is not None or not adjacent or updates.type.size == 0 or any(i.computed() for i in target):
            parts = [[(0, n) for n in shape]]
        else:
            inside = [(i.low, i.high + 1) for i in target]
            parts = []
            for d, (n, (low, high)) in enumerate(zip(shape, inside)):
                parts += [[*inside[:d], edge, *((0, m) for m in shape[d + 1 :])] for edge in ((0, low), (high, n)) if edge[0] < edge[1]]
        stages: list[Stage] = []
        for part in parts:
            sizes = tuple(stop - start for start, stop in part)
            for counters, index in self._points(sizes, int(np.prod(sizes))):
                at = tuple(i + start for i, (start, _) in zip(index, part))
                stages.append(Stage(buffer, counters, at, self.read(x, at), None, node, into=bool(stages)))
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


# These put their input into something larger, once.
_PLACING = frozenset({"pad", "concatenate"})
_MOVEMENT = frozenset({"broadcast_to", "reshape", "transpose", "reverse", "slice", "pad", "stop_gradient", "mask_gradient"})


def partition(
    graph: Graph,
    native: Callable[[Node], bool],
    own: Container[int] = (),
    body: bool = False,
    donated: Mapping[int, int] | None = None,
    overwrites: Callable[[Node], list[tuple[int, int]]] = lambda node: [],
) -> Partition:
    """The steps of a graph without calls; see `Partitioner`."""
    return Partitioner(graph, native, own, body, donated, overwrites).run()
