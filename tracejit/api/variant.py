"""`Variant`: a function traced and compiled for one signature, one environment and one set of answers to what it asked."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Container, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..ir import Graph
from ..trace import Tracer
from ..trace.cells import Outside
from ..trace.guards import Guard
from ..trace.stand_ins import as_it_is, look_at
from .environment import Environment
from .places import unchanged
from .rebinding import Effect, apply
from .recording import Recording, as_value
from .states import Cells
from .write_back import check_order, check_outside, check_targets, is_in_order, write_back

MISS = object()
"""What an entry returns for arguments that it does not take, or that its guards do not hold for. Nothing has happened then."""


def _content(x: Any) -> Any:
    """What tells whether an array is as it was: its bytes, on a device only which array it is."""
    return x.tobytes() if isinstance(x, np.ndarray) else weakref.ref(x)


def _holds(x: Any, content: Any) -> bool:
    """Whether an array is as it was."""
    if type(content) is weakref.ref:
        return content() is x
    if x.nbytes != len(content):
        return False
    plain = type(x) is np.ndarray and x.flags.c_contiguous and x.size
    return memoryview(x.reshape(-1).view(np.uint8)) == content if plain else x.tobytes() == content


def never(*args: Any, **kwargs: Any) -> Any:
    """The entry that takes nothing."""
    return MISS


class Static(NamedTuple):
    """A static argument in the list that an entry is made for."""

    value: Any


class Variant:
    """The function for one signature: its graph, and once it is needed its program and native entry."""

    def __init__(self, made: Recording, name: str, environment: Environment, effects: Sequence[Effect] = ()):
        self.graph, self.structure, self.name, self.guards = made.graph, made.structure, name, made.guards
        self.made_here = made.made_here
        inputs = {v: i for i, v in enumerate(made.graph.inputs)}
        # Numbers of the arguments that the function writes into. Their new contents, and then those of cells and of arrays that it closes over, are
        # the last outputs.
        self.written, self.in_order = made.written, made.in_order
        leaves = enumerate(made.graph.outputs[: made.structure.num_leaves])
        self.passed = [None if i in made.made_here else inputs.get(a) for i, a in leaves]
        self.effects = effects  # assignments, whose values follow the result
        self.calls = 0
        self._program = None
        self._checks = 0
        # Arrays that the function closes over are inputs: another array of the same type may take the place of each, and none is kept alive.
        place = {id(x): i for i, x in enumerate(environment.arrays)}
        self._places = [place.get(id(x)) for x in made.outside]
        self._outside = [x if i is None else None for x, i in zip(made.outside, self._places)]
        located = {c: self._places[i] for c, i in made.cells.places.items() if type(c) is Outside and self._places[i] is not None}
        self.cells = Cells({c: i for c, i in made.cells.places.items() if c not in located}, ())
        self.written_cells: list[Any] = [located.get(c, c) for c in made.cells.written]
        self.written_outside = [c for c in self.written_cells if type(c) is int]
        """Which arrays of the environment the function writes into."""
        # What plain Python may have read must still be in it. Arrays that proxies stood for were not read, unless the proxies tell so.
        unread = set(map(id, made.unread))
        self._read = sorted({i for i, x in enumerate(environment.arrays) if id(x) not in unread} | {i for i in self._places if i is not None})
        self._apart = [x for x in self._outside if isinstance(x, np.ndarray)]
        self.was_read = [(i, _content(x)) for i, x in enumerate(environment.arrays) if id(x) not in unread and not x.dtype.hasobject]

    @property
    def program(self):
        """The compiled program of the graph. Where there are guards, its last output tells whether they hold."""
        if self._program is None:
            from ..lowering.program import Program

            graph = self.graph if self.guards is None else self.guards.checked
            self._program = Program(graph, self.made_here | {len(self.graph.outputs)})
        return self._program

    # -- whether it is the right one
    def reads_the_same(self, environment: Environment) -> bool:
        """Whether arrays that were read while tracing are as they were. The fingerprint of the environment is that of the trace."""
        arrays = environment.arrays
        return all([_holds(arrays[i], content) for i, content in self.was_read])

    def tell(self, flat: Sequence[Any], environment: Environment) -> None:
        """Let the traces in which it is used know what its graph depends on: the answers to its guards, and what plain Python has read."""
        for i, _ in self.was_read:
            look_at(environment.arrays[i])
        outside = self.outside(environment)
        if self.guards is not None and any(type(x) is Tracer for x in outside):
            self.broken(flat, outside)

    def broken(self, flat: Sequence[Any], outside: Sequence[Any]) -> Guard | None:
        """The first guard that does not hold for these arguments."""
        if self.guards is None:
            return None
        values = [as_value(x) for x in (*flat, *outside)]
        traced = any(type(x) is Tracer for x in values)
        self._checks += 1
        if not traced and self._checks > 2:  # a few checks are quicker interpreted than compiled
            from ..lowering.program import execute

            try:
                if execute(self.guards.check, values)[0]:
                    return None
            except (IndexError, ValueError, ArithmeticError):
                pass  # a later question has no answer where an earlier guard fails
        return self.guards.broken(values)

    def outside(self, environment: Environment) -> list[Any]:
        """What the function closes over, as it is now."""
        return self.cells.outside([x if i is None else as_it_is(environment.arrays[i]) for x, i in zip(self._outside, self._places)])

    # -- running
    def check(self, flat: Sequence[Any], environment: Environment) -> None:
        """Raise where what the function writes into cannot be written."""
        if self.written:
            check_targets(flat, self.written, [environment.arrays[i] for i in self._read] + self._apart)
        check_order(flat, self.in_order)
        if self.written_outside:
            check_outside(flat, environment.arrays, self.written_outside, environment.target)

    def run(self, flat: Sequence[Any], outside: Sequence[Any], environment: Environment) -> Any:
        """The result for arguments that the guards hold for."""
        self.check(flat, environment)
        values = [as_value(x) for x in flat]
        results = self.program.run([*values, *outside])
        return self.rebuild(results if self.guards is None else results[:-1], flat, outside, environment)

    def rebuild(self, results: Sequence[Any], flat: Sequence[Any], outside: Sequence[Any], environment: Environment) -> Any:
        """The tree of results; an argument or closed-over array that is returned is the very object. Arguments, and arrays that the function closes
        over, get what was written into them."""
        given = [*flat, *outside]
        self._write(flat, results[len(self.passed) :], environment)
        made = self.structure.unflatten([r if i is None else self.passed_on(r, given[i]) for r, i in zip(results, self.passed)])
        if not self.effects:
            return made
        apply(self.effects, made[1], environment)
        return made[0]

    def passed_on(self, result: Any, given: Any) -> Any:
        """What stands for an argument or closed-over array that is returned, and that the program gave as `result`."""
        return given

    def _write(self, flat: Sequence[Any], contents: Sequence[Any], environment: Environment) -> None:
        count = len(self.written)
        write_back(flat, self.written, contents[:count])
        for cell, new in zip(self.written_cells, contents[count:]):
            if type(cell) is int:
                cell = Outside(environment.target(cell))
            cell.write(new)

    # -- what was built
    def state(self) -> str:
        """That it is compiled, and for what."""
        return "is compiled"

    def show(self) -> str:
        """The steps of the program."""
        from ..lowering.show import show

        return show(self.program)

    def code(self) -> str:
        """The program as the text that machine code is made from."""
        return self.program.segments.text

    def bytes_moved(self) -> int:
        """Bytes that the steps of the program read and write."""
        from ..lowering.costs import bytes_moved

        return bytes_moved(self.program)

    # -- native entries
    def entry(self, positional: Sequence[Any], environment: Environment, alone: bool, named: Mapping[str, Any] = MappingProxyType({})) -> Callable:
        """The native entry for these arguments (statics in `Static`), keywords in this order, or `never` where there is none.

        It misses when the environment has changed. Where this is the only variant for the signature (`alone`), its results are computed on trust,
        and thrown away if the guards turn out not to hold; else a small program looks first.
        """
        from ..lowering.cpu.specs import Array, Tuple
        from ..lowering.cpu.table import Call
        from .entry_specs import argument_specs, result_specs
        from .watching import contents, split

        program, outside = self.program, self.outside(environment)
        if program.address is None or not all(x.flags.c_contiguous and x.flags.aligned and x.dtype.isnative for x in outside):
            return never
        states = [[place.get() for place in environment.states]] if environment.states else []
        specs = argument_specs([*positional, *states, *named.values()])
        if specs is None:
            return never
        count = len(program.partition.inputs) - len(outside)
        writes = len(self.written) + len(self.written_cells)
        results = result_specs(self.structure, self.graph, program, count, writes + (self.guards is not None))
        if results is None:
            return never
        guarded = self.guards is not None and isinstance(results[-1], Array)
        asks = self.guards is not None and not guarded  # the answer is no array of its own: it comes with the results
        if guarded:
            results.pop()
        watches, others = split(environment.watches)
        compared = contents([(environment.arrays[i], there) for i, there in self.was_read])
        watches += compared or []
        call = Call(tuple(named), _leaf_order(len(positional), len(states), list(named)), watches, guarded)
        entry = self._native(specs, results[0] if len(results) == 1 else Tuple(results), program, outside, call)
        statics = {*(n for n, x in enumerate(positional) if type(x) is Static), *(k for k, x in named.items() if type(x) is Static)}
        if writes:
            entry = self._writing(entry, statics, environment, asks)
        elif asks:
            entry = _trusting(entry)
        if self.in_order:
            entry = self._ordered(entry, statics)
        if self.guards is not None and not (alone and harmless(self.graph)):
            from ..lowering.program import program as compiled

            check = compiled(self.guards.check)
            if check.address is None:
                return never
            entry = _looking(self._native(specs, Array((), np.dtype(bool)), check, outside, call._replace(watches=(), guarded=False)), entry)
        if states or self.effects:
            entry = _advancing(entry, environment, self.effects)
        if self.cells.places:
            entry = _at_home(self.cells, outside, entry)
        return _watching(others, environment, entry, self) if others or compared is None else entry

    def _native(self, specs, result, program, outside: Sequence[np.ndarray], call) -> Callable:
        from ..lowering.cpu.dispatch import install
        from ..lowering.cpu.entry import compile_entry

        install()
        captured = [x.ctypes.data for x in outside] + [program.arena_address]
        return compile_entry(self.name, specs, result, program.address, captured, MISS, call=call, keep=(program, outside)).call

    def _writing(self, entry: Callable, statics: Container[int | str], environment: Environment, asks: bool) -> Callable:
        """A native entry that gives the tree of results and new contents of arguments and cells, followed by the writes."""

        def write(*args, **kwargs):
            found = entry(*args, **kwargs)
            if found is MISS or asks and not found[-1]:
                return MISS
            flat = _flat(args, kwargs, statics)
            self.check(flat, environment)
            self._write(flat, found[1:], environment)
            return found[0]

        return write

    def _ordered(self, entry: Callable, statics: Container[int | str]) -> Callable:
        """An entry that takes arguments in C order only."""

        def ordered(*args, **kwargs):
            flat = _flat(args, kwargs, statics)
            return entry(*args, **kwargs) if all([is_in_order(flat[i]) for i in self.in_order]) else MISS

        return ordered


def _flat(args: tuple, kwargs: dict, statics: Container[int | str]) -> Sequence[Any]:
    """The leaves of the arguments of a call that are not static."""
    if not kwargs and all([type(x) is np.ndarray for x in args]):
        return args
    moving = [x for n, x in enumerate(args) if n not in statics]
    return tree.leaves((moving, {k: x for k, x in kwargs.items() if k not in statics}))


def _leaf_order(positional: int, states: int, named: list[str]) -> list[int]:
    """Arguments come by position, then the states, then by keyword; their leaves in the order of the graph's inputs, by position, by sorted keyword,
    states."""
    first = positional + states
    return [*range(positional), *sorted(range(first, first + len(named)), key=lambda n: named[n - first]), *range(positional, first)]


def _trusting(entry: Callable) -> Callable:
    def trust(*args, **kwargs):
        found = entry(*args, **kwargs)
        return found[0] if found is not MISS and found[1] else MISS

    return trust


def _advancing(entry: Callable, environment: Environment, effects: Sequence[Effect]) -> Callable:
    """An entry that takes what the function advances behind its positional arguments, and gives the values of its assignments behind its result."""
    reads = [(place.read, place.container, place.key) for place in environment.states]

    def advance(*args, **kwargs):
        found = entry(*args, [read(container, key) for read, container, key in reads], **kwargs) if reads else entry(*args, **kwargs)
        if found is MISS or not effects:
            return found
        apply(effects, found[1], environment)
        return found[0]

    return advance


def _at_home(cells: Any, outside: Sequence[np.ndarray], entry: Callable) -> Callable:
    """Inside of another trace a cell is not the memory that the entry reads."""

    def home(*args, **kwargs):
        return entry(*args, **kwargs) if all([cell.array is outside[i] for cell, i in cells.places.items()]) else MISS

    return home


def _looking(check: Callable, entry: Callable) -> Callable:
    def look(*args, **kwargs):
        holds = check(*args, **kwargs)
        return entry(*args, **kwargs) if holds is not MISS and holds else MISS

    return look


def _watching(watches: Sequence[tuple], environment: Environment, entry: Callable, variant: Variant) -> Callable:
    """An entry in front of which Python looks at what native code cannot: these watches, and the contents of arrays."""

    def watch(*args, **kwargs):
        return entry(*args, **kwargs) if unchanged(watches) and variant.reads_the_same(environment) else MISS

    return watch


def harmless(graph: Graph) -> bool:
    """Whether the graph may run on arguments that it was not traced for: it ends, and has no effects."""
    return not any(node.effect or node.op.name.startswith("while") for node in graph.nodes) and all(harmless(g) for _, g in graph.subgraphs())


__all__ = ["MISS", "Static", "Variant", "harmless", "never"]
