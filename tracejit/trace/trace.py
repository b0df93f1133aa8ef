"""`Trace`: one recording in progress, and `bind`, which sends every operation to the recording it belongs to.

An operation is emitted into the *innermost* trace that any of its arguments belongs to; what comes from outside becomes a capture, an extra input of
the graph. So work that does not depend on an inner trace hoists itself out of it, and nesting needs no levels and no interpreter stack.
A trace that may not run (one side of a branch) claims what must not be done without it (`Trace.claims`).

A *symbolic* trace knows types only (`vmap`, loop bodies).  A *concrete* trace (`grad`, `jvp`, `vjp`) also keeps each variable's ambient value,
computed at once in the context outside: NumPy arrays at top level, proxies of an outer trace inside one.  A *guarded* trace (`jit`) knows types, and
the actual arguments of the call that it is made for: on these it answers what Python asks (`if`, `range(n)`), and remembers the answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from threading import get_ident
from typing import Any

import numpy as np

from .. import residence
from ..errors import LeakedTracerError, at_user_line, user_source
from ..ir import ArrayType, Builder, Graph, Literal, Var, array_type, checked
from ..ir.graph import Atom, live_nodes
from . import dispatch
from .cells import Outside
from .constants import CONSTANTS, Reference, active_traces
from .guards import Evaluation, Guard, Guards
from .tracer import Tracer
from .views import link

_depth = itertools.count(1)


# Arrays of up to this many bytes that a function closes over are compared when they are read again, in case the function writes into them: 1 MiB
# takes 0.1 ms.
COMPARED = 1 << 20


class Capture:
    """A value from outside, which the graph takes as an extra input.

    An array is passed by reference, so that a compiled function sees what is in it at each call.  One that the function itself writes into while it
    is traced is a buffer: the graph takes what was in it when it was read.  What is computed at once on a `device` takes a copy there.
    """

    __slots__ = ("value", "var", "content", "source")

    def __init__(self, value: Any, var: Var, device: Any = None):
        self.source, self.var = value, var
        compared = type(value) is np.ndarray and value.flags.writeable and value.nbytes <= COMPARED
        self.content = value.tobytes() if compared else None
        self.value = device.from_host(value) if device is not None and type(value) is np.ndarray else value

    def written(self) -> bool:
        """Whether the array has been written into since it was read."""
        return self.content is not None and self.source.tobytes() != self.content

    def now(self) -> Any:
        """The value to pass: the outside one, or what it was if it has changed."""
        if self.value is self.source and self.written():
            return np.frombuffer(self.content, self.value.dtype).reshape(self.value.shape)
        return self.value

    def settle(self) -> Any:
        """The value to pass, from here on."""
        if self.written():
            self.value, self.content = self.now(), None
        return self.value


class Trace:
    """Grows one graph from Python. `what` names the transformation in messages ("jit of loss")."""

    __slots__ = (
        "what", "depth", "thread", "builder", "alive", "values", "inner", "claims", "partial", "apart", "device", "advice", "states", "cells",
        "_captures", "_settled", "_actual", "_asked", "_of_arguments", "kept", "laid_out",
        "_held",
    )  # fmt: skip

    def __init__(self, what: str, concrete: bool = False):
        self.what = what
        self.thread = get_ident()
        self.depth = next(_depth)
        self.builder = Builder()
        self.alive = True
        self.inner: Trace | None = None  # the innermost trace that runs inside of this one
        self.claims: Callable[[Any], bool] | None = None  # which ops are emitted here while it is active, even if nothing that they take belongs here
        self.values: dict[Var, Any] | None = {} if concrete else None
        self.partial = False  # whether it stands for a turn of a loop or one side of a branch: what it does may be done many times, or never
        self.advice: str | None = None  # what to write in place of a conversion to a plain number, where the usual advice does not fit
        self.apart = False  # whether nothing may be written from it into arrays outside: who recorded it does that, with what it gives
        self.device: Any = None  # where values are computed at once, if not on the host
        self.states: list[Tracer] = []  # what `Cell.write` has written here
        self.cells: dict[Any, tuple[Tracer, Var]] = {}  # the cells that were looked at: what stands for each, and what it began as
        self.laid_out: list[Tracer] = []  # what counts as C-ordered where a write depends on it (see `views`)
        self._held: dict[Any, Tracer] = {}  # what `written_cells` gave last
        self.kept = False  # whether the graph is used again, where its guards hold
        self._captures: dict[Any, Capture] = {}  # by identity of the outside value, which it keeps alive
        self._settled: list[Capture] = []
        self._actual: Evaluation | None = None
        self._asked: dict[tuple[Atom, type], Guard] = {}
        self._of_arguments: dict[Var, bool] = {}  # for the variables that this was asked of: whether they depend on an argument

    # -- inputs and captures
    def input(self, type_: ArrayType) -> Tracer:
        """A symbolic input."""
        tracer = Tracer(self, self.builder.input(type_), type_.weak)
        self._of_arguments[tracer.atom] = True
        return tracer

    def guarded_input(self, type_: ArrayType, value: Any) -> Tracer:
        """An input of a guarded trace, with the actual argument."""
        tracer = self.input(type_)
        if self._actual is None:
            self._actual = Evaluation(self.builder.producer, {}, self._captured)
        self._actual.values[tracer.atom] = Tracer(value.owner, value.atom) if type(value) is Tracer else value
        return tracer

    def input_value(self, value: Any) -> Tracer:
        """An input of a concrete trace, with its ambient value."""
        type_ = type_of(value)
        var = self.builder.input(type_)
        self.device = self.device or residence.home(value)
        self.values[var] = Tracer(value.owner, value.atom) if type(value) is Tracer else value
        return Tracer(self, var, type_.weak)

    def atom(self, x: Any) -> Atom:
        """What stands for `x` in this trace's graph: its own variable, a literal, or a captured input."""
        if type(x) is Tracer:
            if x.owner is self:
                return x.atom
            if not x.owner.alive:
                raise x.owner.leaked(x)
            if type(x.atom) is Literal:
                return x.atom
            key = x.atom
            x = Tracer(x.owner, key)  # what it is now, whatever is written into it later
            if type(key) is Reference:
                return self.atom(key.source)
            if x.owner is CONSTANTS:
                x = key.value.view()
                x.flags.writeable = False
                if not x.ndim or x.size and not any(x.strides):
                    return self.atom(x if x.ndim else x[()])
        elif isinstance(x, np.ndarray):
            if x.ndim and x.size and not x.flags.writeable and not any(x.strides):  # one number, spread: `ops.core.zeros`
                return self.builder.emit(dispatch.operators["spread"], (Literal(x[(0,) * x.ndim]),), {"shape": x.shape})[0]
            key = id(x)
        elif type(x) in residence.classes:
            key = id(x)
        else:
            array_type(x)
            return Literal(np.asarray(x)[()])
        found = self._captures.get(key)
        if found is not None and found.written():
            found.settle()
            self._settled.append(found)
            found = None
        if found is None:
            found = self._captures[key] = Capture(x, Var(type_of(x).strong), self.device)
            if self.values is not None:
                self.values[found.var] = found.value
        return found.var

    def cell(self, cell: Any, outside: Callable[[], Any]) -> Tracer:
        """What stands for a cell (see `cells`) in this trace; `outside()` is what stands for it in the context outside."""
        found = self.cells.get(cell)
        if found is None:
            value = outside()
            if type(value) is Tracer:
                value = Tracer(value.owner, value.atom)
            capture = self._captures[cell] = Capture(value, Var(type_of(value).strong))
            found = self.cells[cell] = Tracer(self, capture.var), capture.var
            self._of_arguments[capture.var] = type(cell) is not Outside  # a generator, say, which is another one in each run
        return found[0]

    def stands(self, x: Tracer) -> bool:
        """Whether x stands for an array outside, as opposed to a number that is computed from it."""
        return any([proxy is x for proxy, _ in self.cells.values()])

    def _original(self, x: Any) -> Any:
        """The array outside that a proxy stands for; anything else as it is."""
        if type(x) is not Tracer:
            return x
        return next((cell.array for cell, (proxy, begin) in self.cells.items() if proxy is x and x.atom is begin and type(cell) is Outside), x)

    # -- operations
    def emit(self, op, args: tuple, params: dict[str, Any]):
        if not self.alive:
            raise self.leaked(next(a for a in args if type(a) is Tracer and a.owner is self))
        if self.thread != get_ident():
            originals = [self._original(a) for a in args]
            if not any([type(a) is Tracer for a in originals]):  # another program meets what stands for its array
                return bind(op, originals, params)
        builder = self.builder
        inputs = tuple([a.atom if type(a) is Tracer and a.owner is self else self.atom(a) for a in args])
        outputs = builder.emit(op, inputs, params, user_source())
        if self.values is not None:
            for o in outputs:
                self.ambient(o)  # at once, so that an error comes from the line that made it
        tracers = [Tracer(self, o) for o in outputs]
        if op.view is not None and type(args[0]) is Tracer:
            link(tracers[0], op, args, params)
        if self.inner is not None:
            for tracer in tracers:
                tracer.home = self.inner
        return tracers if op.multiple else tracers[0]

    def ambient(self, atom: Atom) -> Any:
        """The value of `atom` in the context outside. Only a concrete trace has one for a variable."""
        if type(atom) is Literal:
            return atom.value
        if atom not in self.values:
            node = self.builder.producer[atom]
            results = bind(node.op, [self.ambient(a) for a in node.inputs], node.params)
            self.values.update(zip(node.outputs, results if node.op.multiple else (results,)))
        return self.values[atom]

    def knows(self, atom: Atom) -> bool:
        return type(atom) is Literal or self.values is not None

    # -- guards
    def answers(self) -> bool:
        """Whether the trace can answer what Python asks of its values."""
        return self.alive and self._actual is not None

    def answer(self, x: Tracer, convert: type) -> bool | int:
        """What `convert`, `bool` or `int`, gives of a 0-d value on the actual arguments. The graph then stands for calls with the same answer only.

        Raises `LookupError` where the value depends on an effect.
        """
        atom = x.atom
        found = self._asked.get((atom, convert))
        if found is None:
            answer = convert(self._actual.value(atom))
            found = self._asked[atom, convert] = Guard(convert, answer, user_source())
        return found.answer

    def contents(self, x: Tracer) -> np.ndarray:
        """All that is in a value that depends on nothing but arrays from outside. The graph then stands for calls with the same contents only.

        Raises `LookupError` where the value depends on an argument or an effect.
        """
        atom = x.atom
        found = self._asked.get((atom, np.ndarray))
        if found is None:
            if self._depends_on_arguments(atom):
                raise LookupError("argument")
            actual = self._actual or Evaluation(self.builder.producer, {}, self._captured)
            answer = np.array(residence.on_host(actual.value(atom)), order="C")
            answer.flags.writeable = False
            found = self._asked[atom, np.ndarray] = Guard(np.ndarray, answer, user_source())
        return found.answer

    def _depends_on_arguments(self, atom: Atom) -> bool:
        known, waiting = self._of_arguments, [atom]
        while waiting:
            last = waiting[-1]
            node = None if type(last) is Literal or last in known else self.builder.producer.get(last)
            missing = [a for a in node.inputs if type(a) is Var and a not in known] if node is not None else []
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if type(last) is Var and last not in known:
                known[last] = node is not None and any([known[a] for a in node.inputs if type(a) is Var])
        return type(atom) is Var and known[atom]

    def _captured(self, var: Var) -> Any:
        """The value that a captured input has."""
        return next(c.now() for c in (*self._captures.values(), *self._settled) if c.var is var)

    def holding(self) -> Tracer | None:
        """Whether every answer was right, as a value of this trace; None where nothing was asked."""
        holds = None
        for (atom, convert), guard in self._asked.items():
            value = Tracer(self, atom)
            if convert is np.ndarray:
                if not value.size:
                    continue
                right = _same(value, guard.answer)
            elif convert is bool:
                right = value if guard.answer else ~value
            else:
                right = (np.trunc(value) if value.dtype.kind == "f" else value) == guard.answer
            holds = right if holds is None else holds & right
        return holds

    def guards(self, graph: Graph) -> Guards:
        """What was asked in this trace. `graph` has come from it, and its last output is what `holding` gave."""
        atoms = tuple([atom for atom, _ in self._asked])
        # Of all nodes: what was asked may be there in another form only where it is compared.
        return Guards(Graph(graph.inputs, live_nodes(self.builder.nodes, atoms), atoms), tuple(self._asked.values()), graph)

    # -- the end
    def written_cells(self) -> dict[Any, Tracer]:
        """The cells that were written into, with their new contents."""
        self._held = {cell: Tracer(proxy.owner, proxy.atom) for cell, (proxy, begin) in self.cells.items() if proxy.atom is not begin}
        return self._held

    def finish(self, outputs, keep_cells: bool = False) -> tuple[Graph, list]:
        """The graph, and the outside values for the inputs that follow its own.

        Raises `TypeError` where a cell was written into, unless the caller hands its new contents over (`keep_cells`).
        """
        if not keep_cells and self.written_cells():
            raise TypeError(
                at_user_line(
                    f"a random generator, or another state that is held by reference, changes inside the {self.what}, which cannot hand that over: "
                    "the same numbers would come again. Draw outside and pass the numbers, or pass keys (`tracejit.random.key`, `split`)."
                )
            )
        atoms = tuple([self.atom(o) for o in outputs])
        self.alive = False
        idle = self._idle_cells(atoms)
        kept = [*self._settled, *(c for c in self._captures.values() if c.var not in idle)]
        outside = [c.settle() for c in kept]
        if self.values is not None:
            self.values.update((c.var, c.value) for c in kept)
        graph = self.builder.finish(atoms, tuple([c.var for c in kept]))
        return checked(graph, self.what), outside

    def _idle_cells(self, outputs: tuple[Atom, ...]) -> set[Var]:
        """The inputs that stand for arrays outside of which nothing is read."""
        begins = {begin for cell, (_, begin) in self.cells.items() if type(cell) is Outside and cell not in self._held}
        if not begins:
            return begins
        asked = tuple([atom for atom, _ in self._asked])
        used = {a for node in live_nodes(self.builder.nodes, (*outputs, *asked)) for a in node.inputs if type(a) is Var}
        return begins - used - set(outputs) - set(asked)

    def abandon(self) -> None:
        """End the trace, without a graph if there is none yet: after an error in the user's function."""
        self.alive = False
        self._actual = None

    def leaked(self, tracer: Tracer) -> LeakedTracerError:
        """The error for a proxy of this trace that is used after its end."""
        node = self.builder.producer.get(tracer.atom) if type(tracer.atom) is Var else None
        origin = "an argument" if node is None else f"made at {node.source}"
        return LeakedTracerError(
            at_user_line(
                f"a traced value ({tracer.type}, {origin}) is used after the {self.what} that made it has ended. "
                f"It was kept in a global, an attribute or a container: return it from the traced function instead."
            )
        )


def bind(op, args, params: dict[str, Any]):
    """Apply `op`: at once if nothing is traced, with NumPy or where its arguments live; else in the innermost trace of its arguments."""
    trace = None
    for a in args:
        if type(a) is Tracer and (trace is None or a.owner.depth > trace.depth):
            trace = a.owner
    if trace is None:
        device = residence.meeting(args) if residence.classes else None
        return op.run(np, *args, **params) if device is None else device.run(op, args, params)
    if trace.depth:
        for active in reversed(active_traces()):
            if active.depth <= trace.depth:
                break
            if active.claims is not None and active.claims(op):
                trace = active
                break
    return trace.emit(op, args, params)


def _same(x: Tracer, known: np.ndarray) -> Tracer:
    """Whether what is in x is what is known: NaN where that is NaN, and zeros of its signs."""
    if known.dtype.kind == "c":
        return _same(x.real, np.ascontiguousarray(known.real)) & _same(x.imag, np.ascontiguousarray(known.imag))
    equal = x == (known if known.ndim else known[()])
    if known.dtype.kind == "f":
        if not known.all():
            equal = equal & (np.signbit(x) == np.signbit(known))
        if np.isnan(known).any():
            equal = equal | (np.isnan(x) & np.isnan(known))
    return equal.all() if x.shape else equal


def constant_beside(x: Any, value: np.generic):
    """`value` as a constant of the trace that `x` belongs to, so that what is computed from it is folded and fused there; where x is not traced, in
    the memory that x lives in."""
    if type(x) is Tracer:
        return Tracer(x.owner, Literal(value))
    device = residence.home(x)
    return value if device is None else device.from_host(value)


def type_of(x: Any) -> ArrayType:
    """The type of a proxy, an array or a number."""
    return x.type if type(x) is Tracer else array_type(x)
