"""`Trace`: one recording in progress, and `bind`, which sends every operation to the recording it belongs to.

An operation is emitted into the *innermost* trace that any of its arguments belongs to; what comes from outside becomes a capture, an extra input of
the graph. So work that does not depend on an inner trace hoists itself out of it, and nesting needs no levels and no interpreter stack.

A *symbolic* trace knows types only (`jit`, `vmap`).  A *concrete* trace (`grad`, `jvp`, `vjp`) also keeps each variable's ambient value, computed at
once in the context outside: NumPy arrays at top level, proxies of an outer trace inside one.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..errors import LeakedTracerError, at_user_line, user_source
from ..ir import ArrayType, Builder, Graph, Literal, Var, array_type, checked
from ..ir.graph import Atom
from . import dispatch
from .constants import CONSTANTS
from .tracer import Tracer
from .views import link

_depth = itertools.count(1)


# Arrays of up to this many bytes that a function closes over are compared when they are read again, in case the function writes into them: 1 MiB
# takes 0.1 ms.
COMPARED = 1 << 20


class Capture:
    """A value from outside, which the graph takes as an extra input.

    An array is passed by reference, so that a compiled function sees what is in it at each call.  One that the function itself writes into while it
    is traced is a buffer: the graph takes what was in it when it was read.
    """

    __slots__ = ("value", "var", "content")

    def __init__(self, value: Any, var: Var):
        self.value, self.var = value, var
        compared = type(value) is np.ndarray and value.flags.writeable and value.nbytes <= COMPARED
        self.content = value.tobytes() if compared else None

    def written(self) -> bool:
        """Whether the array has been written into since it was read."""
        return self.content is not None and self.value.tobytes() != self.content

    def settle(self) -> Any:
        """The value to pass: the outside one, or what it was if it has changed."""
        if self.written():
            self.value = np.frombuffer(self.content, self.value.dtype).reshape(self.value.shape)
            self.content = None
        return self.value


class Trace:
    """Grows one graph from Python. `what` names the transformation in messages ("jit of loss")."""

    __slots__ = ("what", "depth", "builder", "alive", "values", "inner", "_captures", "_settled")

    def __init__(self, what: str, concrete: bool = False):
        self.what = what
        self.depth = next(_depth)
        self.builder = Builder()
        self.alive = True
        self.inner: Trace | None = None  # the innermost trace that runs inside of this one
        self.values: dict[Var, Any] | None = {} if concrete else None
        self._captures: dict[Any, Capture] = {}  # by identity of the outside value, which it keeps alive
        self._settled: list[Capture] = []

    # -- inputs and captures
    def input(self, type_: ArrayType) -> Tracer:
        """A symbolic input."""
        return Tracer(self, self.builder.input(type_), type_.weak)

    def input_value(self, value: Any) -> Tracer:
        """An input of a concrete trace, with its ambient value."""
        type_ = type_of(value)
        var = self.builder.input(type_)
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
            if x.owner is CONSTANTS:
                x = key.value.view()
                x.flags.writeable = False
                if not x.ndim or x.size and not any(x.strides):
                    return self.atom(x if x.ndim else x[()])
        elif isinstance(x, np.ndarray):
            if x.ndim and x.size and not x.flags.writeable and not any(x.strides):  # one number, spread: `ops.core.zeros`
                return self.builder.emit(dispatch.operators["spread"], (Literal(x[(0,) * x.ndim]),), {"shape": x.shape})[0]
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
            found = self._captures[key] = Capture(x, Var(type_of(x).strong))
            if self.values is not None:
                self.values[found.var] = x
        return found.var

    # -- operations
    def emit(self, op, args: tuple, params: dict[str, Any]):
        if not self.alive:
            raise self.leaked(next(a for a in args if type(a) is Tracer and a.owner is self))
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

    # -- the end
    def finish(self, outputs) -> tuple[Graph, list]:
        """The graph, and the outside values for the inputs that follow its own."""
        atoms = tuple([self.atom(o) for o in outputs])
        self.alive = False
        kept = [*self._settled, *self._captures.values()]
        outside = [c.settle() for c in kept]
        if self.values is not None:
            self.values.update((c.var, c.value) for c in kept)
        graph = self.builder.finish(atoms, tuple([c.var for c in kept]))
        return checked(graph, self.what), outside

    def abandon(self) -> None:
        """End the trace without a graph: after an error in the user's function."""
        self.alive = False

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
    """Apply `op`: with NumPy at once if nothing is traced, else in the innermost trace of its arguments."""
    trace = None
    for a in args:
        if type(a) is Tracer and (trace is None or a.owner.depth > trace.depth):
            trace = a.owner
    if trace is None:
        return op.run(np, *args, **params)
    return trace.emit(op, args, params)


def constant_beside(x: Any, value: np.generic):
    """`value` as a constant of the trace that `x` belongs to, so that what is computed from it is folded and fused there; just `value` where x is
    not traced."""
    return Tracer(x.owner, Literal(value)) if type(x) is Tracer else value


def type_of(x: Any) -> ArrayType:
    """The type of a proxy, an array or a number."""
    return x.type if type(x) is Tracer else array_type(x)
