"""From a Python function to a graph: arguments are flattened, traced and checked, and an error leaves no trace half open."""

from __future__ import annotations

import functools
import inspect
import opcode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import residence, tree
from ..errors import TracejitError, TracerBoolError, TracerConversionError, at_user_line
from ..ir import ArrayType, Graph
from ..ir.graph import live_nodes
from ..ir.types import refusal
from ..trace import Trace, Tracer, dispatch, type_of
from ..trace.cells import Outside, stand_ins
from ..trace.closed_over import arrays_of, read_only, refuse_references, refuses_references, want_references, wants_references
from ..trace.constants import CONSTANTS, Reference, is_constant, released
from ..trace.creation import tracing
from ..trace.guards import Guards
from ..trace.stand_ins import StandIn, references_in_place
from ..trace.user_code import in_library, innermost
from ..trace.views import OutsideWriteError, rebind, root
from .states import Cells, require_returned


class Recording(NamedTuple):
    """A traced function: its graph takes the flat arguments, then `outside`, the values that it closes over.

    `made_here` numbers the results that the function computed, as opposed to objects that it was given or returns twice: in NumPy they would be new
    arrays. The last outputs of the graph are the new contents of the arguments numbered in `written`, which the function writes into; a result that
    is such an argument itself is that input of the graph, like any argument that is returned. Behind them are the new contents of the cells that it
    writes into.
    """

    graph: Graph
    outside: list[Any]
    structure: tree.Structure
    trace: Trace
    made_here: frozenset[int]
    written: tuple[int, ...] = ()
    aux: Any = None
    guards: Guards | None = None
    cells: Cells = Cells({}, ())
    in_order: tuple[int, ...] = ()
    """Numbers of the arguments that must be C-ordered, since something is written into what they were reshaped to."""
    unread: tuple[np.ndarray, ...] = ()
    """Arrays from outside that nothing has looked at but the graph and its guards."""


def name_of(f: Callable) -> str:
    """What messages call the function."""
    inner = innermost(f)
    return getattr(inner, "__qualname__", None) or type(inner).__qualname__


def defined_at(f: Callable) -> str:
    """ "name (file:line)" of a function, for messages."""
    code = getattr(innermost(f), "__code__", None)
    return name_of(f) if code is None else f"{name_of(f)} ({code.co_filename}:{code.co_firstlineno})"


def with_keywords(f: Callable) -> Callable:
    """`f` as a function of the tuple of its positional arguments and the dict of its keyword arguments."""

    @functools.wraps(f)
    def function(args: tuple, kwargs: dict):
        return f(*args, **kwargs)

    return function


def require_callable(f: Any, what: str) -> None:
    if not callable(f):
        raise TypeError(at_user_line(f"{what} expects a function, got {type(f).__qualname__}"))


def as_value(x: Any) -> Any:
    """A leaf as an array of native byte order or on a device, a NumPy scalar or a proxy. Raises `TypeError` for anything else."""
    type_ = type_of(x)
    if type(x) is Tracer or isinstance(x, np.generic) or type(x) in residence.classes:
        return x
    x = residence.adopted(x)
    if type(x) in residence.classes:
        return x
    value = np.asarray(x, type_.dtype)
    return value if isinstance(x, np.ndarray) else value[()]


def argument_paths(args: Sequence[Any], kwargs: dict[str, Any] | None = None, numbers: Iterable[int] | None = None) -> list[str]:
    """What messages call the leaves of the arguments: `0["w"]`, `scale`. `numbers` are the positions of `args` where these are not all."""
    places = range(len(args)) if numbers is None else numbers
    named = kwargs or {}
    return [
        f"{place}{path}" for place, x in (*zip(places, args), *((name, named[name]) for name in sorted(named))) for path in tree.paths(x, is_abstract)
    ]


def parameter_names(f: Callable, paths: Sequence[str]) -> list[str]:
    """`argument_paths` with the names that the signature of `f` gives the positions, where it has them."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # builtins without a signature
        return list(paths)
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]

    def named(path: str) -> str:
        digits = len(path) - len(path.lstrip("0123456789"))
        place = int(path[:digits]) if digits else len(positional)
        return positional[place] + path[digits:] if place < len(positional) else path

    return [named(path) for path in paths]


def check_leaves(
    flat: Sequence[Any], paths: Callable[[], list[str]], f: Callable, what: str, rule: Callable[[Any], ArrayType] = type_of
) -> list[ArrayType]:
    """The types of the leaves of some arguments. Raises `TypeError` naming the path of a leaf that is no array."""
    types = []
    for i, leaf in enumerate(flat):
        try:
            types.append(rule(leaf))
        except TypeError:
            raise TypeError(
                at_user_line(
                    f"{what}: argument {paths()[i]} of {defined_at(f)} cannot be traced: {refusal(leaf)} "
                    f"A value that is no array can be static under jit (`static_argnums=`, `static_argnames=`), or be closed over."
                )
            ) from None
    return types


def record(f: Callable, what: str, flat: Sequence[Any], structure: tree.Structure, changing: Iterable[Any] = (), **how) -> Recording:
    """Trace `f`, as `record_once` does; once more, with proxies of the arrays that it closes over, where one of those refused a traced value or is
    written into, and once more for each array of another kind that it turns out to write into. `changing` are cells whose contents differ from run to
    run, though `f` itself only reads them. `undone`: what `f` binds anew outside of itself is taken back and not missed.

    A function whose graph is kept (`keep_writes`) gets proxies at once; where `f` does not work with them it is traced once more without."""
    arrays, binds = arrays_of(f)
    on_device = bool(residence.classes) and residence.meeting(arrays) is not None
    wanted = on_device or wants_references(f)
    tried = not wanted and bool(arrays) and how.get("keep_writes", False) and not refuses_references(f)
    outside = Surroundings(f, wanted or tried)
    for cell in changing:
        outside.expect(cell)
    how.setdefault("kept", arrays)
    if binds and not how.get("keep_writes"):  # else the caller has seen to it
        from .rebinding import Assigning  # which needs this module

        f = Assigning(f, what, undone=how.pop("undone", False))
    how.pop("undone", None)
    first: Exception | None = None  # what was refused when the function was traced as it is
    without = False
    while True:
        try:
            try:
                made = record_once(f, what, flat, structure, outside, **how)
            finally:
                outside.release()
            break
        except Exception as error:
            if not (isinstance(error, OutsideWriteError) and outside.write_into(error.target, how)):
                if tried and not outside.written and not outside.proxies and _may_be_of_proxies(error):
                    outside, tried, without = Surroundings(f, False), False, True
                    continue
                refused = isinstance(error, TracerConversionError) or isinstance(error, ValueError) and "read-only" in str(error)
                if outside.references or not refused or not arrays:
                    if first is None:
                        raise
                    raise first from error
                outside.references = True
                first = error if isinstance(error, TracerConversionError) else None
    if without and not outside.references:
        refuse_references(f)
    if outside.references and not on_device and not tried:
        want_references(f)
    return made._replace(unread=outside.unread())


def _may_be_of_proxies(error: Exception) -> bool:
    """Whether a function may have failed because proxies stood in place of its arrays: it has not raised the exception itself, and no argument was
    refused a conversion."""
    if isinstance(error, (TracerConversionError, TracerBoolError)):
        return False
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or in_library(last.tb_frame.f_code.co_filename):
        return True
    return last.tb_frame.f_code.co_code[last.tb_lasti] != opcode.opmap["RAISE_VARARGS"]


class Surroundings:
    """What is put in place of arrays outside while `f` is traced. `references`: proxies stand for those that it closes over."""

    def __init__(self, f: Callable, references: bool):
        self.f, self.references = f, references
        self.written: list[np.ndarray] = []  # arrays of integers or booleans among them, that are not known because they are written into
        self.proxies: list[Tracer] = []  # of traces outside, that it writes into
        self._standing: Sequence[StandIn] = ()  # of the last trace

    def unread(self) -> tuple[np.ndarray, ...]:
        """The arrays that nothing has looked at, when the function was traced last, but what its graph says."""
        return tuple([s.array for s in self._standing if s.untouched()])

    def release(self) -> None:
        """End what stood in the last trace."""
        for s in self._standing:
            s.release()

    def expect(self, cell: Any) -> None:
        """What `cell` holds is not what it holds now."""
        if type(cell) is Outside and type(cell.array) is Tracer:
            self.proxies.append(cell.array)
        elif type(cell) is Outside:
            self.references = True
            self.written.append(cell.array)

    def write_into(self, target: Tracer, how: Mapping[str, Any]) -> bool:
        """Let the function, traced as `how` says, write into what `target` stands for. Whether that is something new from outside of it."""
        source = getattr(target.atom, "source", None)
        home = target.home or target.owner
        if not home.alive:  # it was made inside
            return False
        if source is not None and home is CONSTANTS:
            new = not how["concrete"] and not any(source is x for x in self.written)
            self.written += [source] * new
            return new
        new = how.get("keep_cells", False) and not any(target is x for x in self.proxies)
        self.proxies += [target] * new
        return new

    @contextmanager
    def around(self, trace: Trace) -> Iterator[list[Tracer]]:
        """Put them in place. Gives the proxies that are bound to something else again afterwards: what is written under a concrete trace is undone,
        under another one cells of the trace have it."""
        concrete = trace.values is not None
        proxies = stand_ins() if concrete else self.proxies
        saved = [(x, x.owner, x.atom, x.home) for x in proxies]
        cells = []
        for x in proxies:
            if concrete:
                x.home = trace
            else:
                cell = trace.cell(Outside(x), partial(Tracer, x.owner, x.atom))
                cells.append(cell)
                rebind(x, trace, cell.atom, trace)
        try:
            with references_in_place(self.f, trace, self.written) if self.references else nullcontext(()) as self._standing:
                yield proxies
            for x, cell in zip(proxies, cells):
                cell.owner, cell.atom = x.owner, x.atom
        finally:
            for x, owner, atom, home in saved:
                if x.atom is not atom:
                    rebind(x, owner, atom, home)
                x.home = home


def record_once(
    f: Callable, what: str, flat: Sequence[Any], structure: tree.Structure, outside: Surroundings, *, concrete: bool,
    has_aux: bool = False, keep_writes: bool = False, keep_cells: bool = False, actual: Sequence[Any] | None = None,
    kept: Sequence[np.ndarray] = (),
) -> Recording:  # fmt: skip
    """Trace `f` on the arguments that `structure` builds from `flat`: values if concrete, else types. With `actual` arguments beside the types,
    Python's questions to traced values are answered on those, and the answers are the recording's `guards`.

    What the function writes into its arguments is lost, as if they were copies, unless `keep_writes`; what it writes into cells is given in
    `Recording.cells` where the caller hands it over (`keep_cells`), else it is refused. Nothing is written into the arrays `kept`.
    """
    trace = Trace(what, concrete)
    trace.apart, trace.kept = not concrete, keep_writes
    try:
        if concrete:
            tracers = []
            for leaf in flat:
                tracers.append(trace.input_value(as_value(leaf)))
                tracers[-1].weak = type_of(leaf).weak
        elif actual is not None:
            tracers = [trace.guarded_input(t, as_value(x)) for t, x in zip(flat, actual)]
        else:
            tracers = [trace.input(t) for t in flat]
        begin = [t.atom for t in tracers]
        try:
            with tracing(trace, f) as traced, outside.around(trace) as rebound, read_only(kept):
                given = structure.unflatten(tracers)  # here, since what has cells belongs to the trace that makes it
                out = _as_they_are(traced(*given), rebound)
            if keep_writes:
                _check_containers(given, structure, tracers, f, what)
        except ValueError as error:
            # `array[i] = x` hides the refusal of a traced x behind "setting an array element with a sequence".
            if isinstance(error.__cause__, TracerConversionError):
                raise error.__cause__ from None
            raise
        aux = given_aside = None
        if has_aux:
            out, given_aside = _split_aux(out, f, what)
            aux = tree.map(lambda leaf: outside_value(trace, leaf), given_aside)
        leaves, out_structure = tree.flatten(out)
        leaves = [dispatch.operators["settled"](x) for x in leaves]
        check_result(leaves, out, f, what)
        made_here = _made_here(trace, [*tracers, *_outside(trace)] if keep_writes else tracers, leaves)
        written = tuple(i for i, t in enumerate(tracers) if t.atom is not begin[i]) if keep_writes else ()
        made_here |= frozenset(range(len(leaves), len(leaves) + len(written)))
        if not keep_writes:
            require_returned(trace, tracers, begin, [*leaves, *tree.leaves(given_aside)])
        held = trace.written_cells() if keep_cells else {}
        if keep_writes:  # such an array that is returned is that very array
            _begin_again(trace)
        made_here |= frozenset(range(len(leaves) + len(written), len(leaves) + len(written) + len(held)))
        contents = [Tracer(t.owner, t.atom) for t in tracers]
        for i in written:
            tracers[i].owner, tracers[i].atom, tracers[i].part_of = trace, begin[i], None
        results, holds, guards = [*leaves, *[contents[i] for i in written], *held.values()], trace.holding(), None
        graph, outside = trace.finish(results if holds is None else [*results, holds], keep_cells)
        if holds is not None:
            guards = trace.guards(graph)
            graph = Graph(graph.inputs, live_nodes(graph.nodes, graph.outputs[:-1]), graph.outputs[:-1])
    finally:
        trace.abandon()
    in_order = tuple([i for i, t in enumerate(tracers) if any([t is x for x in trace.laid_out])]) if keep_writes else ()
    cells = Cells.of(trace, graph, len(outside), held)
    return Recording(graph, outside, out_structure, trace, made_here, written, aux, guards, cells, in_order)


def _check_containers(given: Any, structure: tree.Structure, tracers: Sequence[Tracer], f: Callable, what: str) -> None:
    """Raises `TracejitError` where the function has changed a list or dict among its arguments `given`, positional and by keyword, which are copies
    of the caller's."""
    leaves, now = tree.flatten(given)
    if now == structure and all([x is t for x, t in zip(leaves, tracers)]):
        return
    if now != structure:
        path = next((path for path, *_ in tree.differences(structure.unflatten(tracers), given)), "")
    else:
        path = next(path for path, x, t in zip(tree.paths(given), leaves, tracers) if x is not t)
    place = parameter_names(f, [path[4:].replace("]", "", 1)])[0] if path.startswith("[0][") else path[3:]  # positional, or by keyword
    raise TracejitError(
        at_user_line(
            f"{what}: {defined_at(f)} puts other items into a list or dict among its arguments, or takes some out (`{place}`). What a traced "
            "function gets are copies of the lists and dicts, and the caller's would stay as they are: change a copy (`dict(d)`, `list(l)`) and "
            "return it, or write into the arrays (`d[key][...] = value`)."
        )
    )


def _as_they_are(out: Any, rebound: Sequence[Tracer]) -> Any:
    """A result without proxies that will be bound to something else again."""
    if not rebound:
        return out

    def settle(leaf: Any) -> Any:
        inside = type(leaf) is Tracer and any(root(leaf) is x for x in rebound)
        return Tracer(leaf.owner, leaf.atom, leaf.weak) if inside else leaf

    return tree.map(settle, out)


def _outside(trace: Trace) -> list[Tracer]:
    """The proxies that stand for arrays outside which the function may write into."""
    return [proxy for cell, (proxy, _) in trace.cells.items() if type(cell) is Outside]


def _begin_again(trace: Trace) -> None:
    for cell, (proxy, begin) in trace.cells.items():
        if type(cell) is Outside:
            proxy.owner, proxy.atom, proxy.part_of = trace, begin, None


def _made_here(trace: Trace, inputs: Sequence[Tracer], leaves: Sequence[Any]) -> frozenset[int]:
    given = {id(x) for x in inputs}
    found = []
    for i, leaf in enumerate(leaves):
        own = type(leaf) is Tracer and (leaf.owner is trace or is_constant(leaf) and type(leaf.atom) is not Reference)
        if own and id(leaf) not in given:
            found.append(i)
            given.add(id(leaf))
    return frozenset(found)


def _split_aux(out: Any, f: Callable, what: str):
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(at_user_line(f"{what} with has_aux=True: {defined_at(f)} must return a pair (value, aux), got {type(out).__qualname__}"))
    return out


def outside_value(trace: Trace, leaf: Any) -> Any:
    """A result that is not differentiated, as the context outside knows it."""
    return trace.ambient(leaf.atom) if type(leaf) is Tracer and leaf.owner is trace else released(leaf)


def check_result(leaves: Sequence[Any], out: Any, f: Callable, what: str) -> None:
    """Raises `TypeError` naming the path of a result that is no array."""
    for i, leaf in enumerate(leaves):
        try:
            type_of(leaf)
        except TypeError:
            path = tree.paths(out)[i]
            where = f"result{path}" if path else "the result"
            raise TypeError(at_user_line(f"{what}: {where} of {defined_at(f)} cannot be returned: {refusal(leaf)}")) from None


class ShapeDtype(NamedTuple):
    """Shape and dtype of an array that need not exist: an argument for `trace` and `eval_shape`, and what `eval_shape` returns."""

    shape: tuple[int, ...]
    dtype: np.dtype


def abstract(x: Any) -> ArrayType:
    """The type of an argument that may be given by its type alone."""
    if isinstance(x, ArrayType):
        return x
    if isinstance(x, ShapeDtype):
        return ArrayType(tuple(x.shape), np.dtype(x.dtype))
    return type_of(x)


def is_abstract(x: Any) -> bool:
    """Whether x is a type that stands for an array: named tuples, but leaves of an argument."""
    return isinstance(x, (ArrayType, ShapeDtype))


def record_types(f: Callable, what: str, args: tuple, kwargs: dict) -> Recording:
    """Trace `f` symbolically; arrays in `args` and `kwargs` stand for their types."""
    flat, structure = tree.flatten((args, kwargs), is_leaf=is_abstract)
    types = check_leaves(flat, lambda: argument_paths(args, kwargs), f, what, abstract)
    return record(with_keywords(f), what, types, structure, concrete=False, keep_cells=True, undone=True)


def trace(f: Callable) -> Callable[..., Graph]:
    """The graph of `f`: call the result with arrays, numbers or `ShapeDtype(shape, dtype)`.

    Print it to read the program as NumPy code.  Arrays that `f` closes over become inputs after the arguments.

    >>> import numpy as np, tracejit as tj
    >>> tj.trace(lambda x: np.sin(x) * 2.0)(np.ones(3))
    <Graph of 2 nodes: float64[3] -> float64[3]>
    """
    require_callable(f, "trace")

    def traced(*args, **kwargs) -> Graph:
        return record_types(f, f"trace of {name_of(f)}", args, kwargs).graph

    return traced


def eval_shape(f: Callable, *args, **kwargs) -> Any:
    """Shapes and dtypes of the results of `f`, which is traced but not computed.

    >>> import numpy as np, tracejit as tj
    >>> tj.eval_shape(lambda x: x @ x.T, tj.ShapeDtype((3, 4), np.float32))
    ShapeDtype(shape=(3, 3), dtype=dtype('float32'))
    """
    require_callable(f, "eval_shape")
    made = record_types(f, f"eval_shape of {name_of(f)}", args, kwargs)
    return made.structure.unflatten([ShapeDtype(t.shape, t.dtype) for t in made.graph.out_types[: made.structure.num_leaves]])


__all__ = [
    "Recording",
    "ShapeDtype",
    "abstract",
    "argument_paths",
    "as_value",
    "check_leaves",
    "check_result",
    "defined_at",
    "eval_shape",
    "is_abstract",
    "name_of",
    "record",
    "record_types",
    "require_callable",
    "trace",
    "with_keywords",
]
