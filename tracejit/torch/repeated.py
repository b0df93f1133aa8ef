"""Transformed functions that are recorded once and applied again and again.

`vmap` has to trace the function, which takes ten times as long as what is traced.  What was recorded can be kept if nobody is to notice: the function
only computes (compiling/purity.py), and all that it reads is as it was (compiling/surroundings.py), but for the contents of tensors, which are
operands.  A function that is defined anew at each call has the programs of its code; where those do not serve, as for a number that is another one at
each call, it is recorded at each call from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from ..api.recording import name_of
from ..api.statics import identity
from ..interpret import replay
from ..ir import ArrayType, Graph, Var
from ..trace import Tracer
from ..trace.constants import _active
from ..trace.trace import type_of
from ..trace.user_code import in_library
from . import dtypes
from .dispatch import Primitive
from .dispatch import _keep as keep
from .modes import state
from .plan import forward_graph
from .running import Running
from .tensor import Tensor

_TRIES = 8  # recordings of one function, more than were used again, after which it is recorded at each call
_BOUND = 4  # of one transformed function
_ITEMS = 1 << 15  # what a function may read: to go through so many takes 50 ms
_AGAIN = 3  # uses in the same surroundings after which those are watched, which takes 0.3 ms to set up
_VALUES = (bool, int, float, complex, str, bytes, type(None), np.dtype, dtypes.dtype)


class Recorded(NamedTuple):
    """A function of tensors as a primitive of its arguments and of the tensors from outside that it reads."""

    primitive: Primitive
    captured: Sequence[Tensor]
    skeleton: Any  # the result, with places for tensors
    types: Sequence[ArrayType]  # of the arguments


class _Program(NamedTuple):
    """What was recorded; the tensors from outside by their positions in the surroundings. `described` keeps alive what the key identifies."""

    primitive: Primitive
    positions: tuple[int, ...]
    skeleton: Any
    described: list[Any]


class _Bound:
    """A program in surroundings that are watched, for arguments like those that it was made for."""

    __slots__ = ("arguments", "unchanged", "integers", "recorded")

    def __init__(self, arguments: tuple, look: Any, integers: Any, recorded: Recorded):
        from .compiling.places import Fluid, Watch

        self.arguments, self.integers, self.recorded = arguments, integers, recorded
        read = [w for w in look.watches if w[0] != "state" or w[2] != "_grad" or look.reads("grad")]  # training replaces gradients
        self.unchanged = Watch(read, Fluid(frozenset(), frozenset(), frozenset())).unchanged

    def serves(self, arguments: tuple) -> bool:
        """Whether these arguments are of the same types, and nothing else has changed."""
        if arguments != self.arguments:
            return False
        for storage, version in self.integers:
            if storage.version != version:
                return False
        return self.unchanged()


_programs: dict[Any, _Program] = {}
_tries: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # by code: how many more recordings it may have that serve no other call


class Repeated:
    """What is kept of one transformed function `f`. `make(flat, structure, *options)` records it for such arguments."""

    __slots__ = ("f", "make", "bound", "last", "uses", "patience")
    compiled_from = "make"

    def __init__(self, f: Callable, make: Callable[..., Recorded]):
        self.f, self.make = f, make
        self.bound: list[_Bound] = []
        self.last: Any = None  # the key that served last, and how often it has in a row
        self.uses, self.patience = 0, _AGAIN

    def __call__(self, flat: list[Any], structure: Any, *options: Any) -> Recorded:
        """What is to be applied for these arguments. Options are hashable."""
        arguments = described(flat)
        if arguments is None or _active.traces or state.recordings or state.anomaly:
            return self.make(flat, structure, *options)
        arguments = arguments, structure, options, state.grad, state.inference, dtypes.get_default_dtype()
        for bound in self.bound:
            if bound.serves(arguments):
                return bound.recorded
        owner = _code(self.f)
        found = self._looked_up(flat, arguments, owner) if owner is not None and _tries.get(owner, _TRIES) > 0 else None
        return self.make(flat, structure, *options) if found is None else found

    def _looked_up(self, flat: list[Any], arguments: tuple, owner: Any) -> Recorded | None:
        """The program for what the function reads now; None where there can be none."""
        from .compiling.purity import integers, only_computes
        from .compiling.surroundings import Surroundings

        look = Surroundings(self.f, (), frozenset())
        held = integers(look) if len(look.items) < _ITEMS and only_computes(look) else None
        if held is None:
            _tries[owner] = 0
            return None
        key = look.key, arguments, tuple([(id(s), version) for s, version in held])
        program = _programs.get(key)
        if program is None:
            _tries[owner] = _tries.get(owner, _TRIES) - 1
            program = self._new_program(flat, arguments, look, held)
            if program is None:
                _tries[owner] = 0
                return None
            keep(_programs, key, program)
        else:
            _tries[owner] = _TRIES
        recorded = Recorded(program.primitive, [look.tensors[i] for i in program.positions], program.skeleton, ())
        self.uses = self.uses + 1 if key == self.last else 0
        self.last = key
        if self.uses >= self.patience:
            self.uses, self.patience = 0, self.patience * 2  # where things are replaced by equal ones all the time, it does not pay
            self.bound = [_Bound(arguments, look, held, recorded), *self.bound][:_BOUND]
        return recorded

    def _new_program(self, flat: list[Any], arguments: tuple, look: Any, held: Any) -> _Program | None:
        _, structure, options, *_ = arguments
        before = look.contents()
        try:
            made = self.make(flat, structure, *options)
        finally:
            changed = look.put_back(before)
        positions = [look.tensor_number(t) for t in made.captured]
        if changed or None in positions:
            return None
        types = [*made.types, *[type_of(t._data).strong for t in made.captured]]
        with np.errstate(all="ignore"):
            graph, constants, _ = forward_graph(made.primitive.name, made.primitive.impl, types, {})
        primitive = Primitive(made.primitive.name, as_function(f"{made.primitive.name} of {name_of(self.f)}", graph, constants))
        return _Program(primitive, tuple(positions), made.skeleton, [*look.described, *[s for s, _ in held]])


def described(flat: Sequence[Any]) -> tuple | None:
    """The types of arguments, and the values of those that are no tensors; None where one is neither."""
    made = []
    for x in flat:
        if isinstance(x, Tensor):
            data = x._data
            made.append((type(x), type(data), data.shape, data.dtype.num))
        elif isinstance(x, _VALUES):
            made.append(identity(x))
        else:
            return None
    return tuple(made)


def _code(f: Any) -> Any:
    """The code of the user's function inside of transformations, or of the library's; a module or another object is its own. None for what cannot be
    a key."""
    while True:
        if isinstance(f, partial):
            f = f.func
            continue
        code = getattr(f, "__code__", None)
        if code is None:
            return f if type(f).__hash__ is object.__hash__ and type(f).__weakrefoffset__ else None
        wrapped = getattr(f, "__wrapped__", None)
        if wrapped is None or not in_library(code.co_filename):
            return code
        f = wrapped


def as_function(name: str, graph: Graph, constants: Sequence[Any]) -> Callable[..., tuple]:
    """A graph, whose last inputs are the constants, as the function of a primitive: on arrays it runs as `Running`, on proxies it is replayed. No two
    results lie in the same memory, and none in a constant."""
    running = Running(name, graph, constants, own=True)
    seen: set[Any] = set(graph.inputs)
    copied = []
    for i, atom in enumerate(graph.outputs):
        if type(atom) is not Var or atom in seen:
            copied.append(i)
        seen.add(atom)

    def function(*arrays: Any) -> tuple:
        if any([type(x) is Tracer for x in arrays]):
            return tuple(replay(graph, [*arrays, *constants]))
        made = running(*arrays)
        if copied:
            made = list(made)
            for i in copied:
                made[i] = np.array(made[i])
        return tuple(made)

    return function
