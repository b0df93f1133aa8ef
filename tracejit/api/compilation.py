"""`jit`: a function traced once for each signature of its arguments, and compiled.

A call goes to the native entry of the signature that was met last.  What the entry does not take (another signature, keyword arguments, strided
arrays, proxies) goes the slow way: flatten, look up, trace and compile if new.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..errors import at_user_line
from ..ir import Graph
from ..ops import call as call_module
from ..ops.call import call
from ..trace import Tracer
from .recording import Recording, argument_paths, as_value, check_leaves, defined_at, name_of, record, require_callable, with_keywords
from .write_back import check_targets, write_back

_MISS = object()


def _never(*args: Any) -> Any:
    return _MISS


def _execute(graph: Graph, args: list) -> list:
    from ..lowering.program import execute

    return execute(graph, args)


call_module.executor = _execute


class Variant:
    """The function for one signature: its graph, and once it is needed its program and native entry."""

    def __init__(self, made: Recording, name: str):
        self.graph, self.outside, self.structure, self.name = made.graph, made.outside, made.structure, name
        self.made_here = made.made_here
        inputs = {v: i for i, v in enumerate(made.graph.inputs)}
        self.written = made.written  # numbers of the arguments that the function writes into; their new contents are the last outputs
        leaves = enumerate(made.graph.outputs[: made.structure.num_leaves])
        self.passed = [None if i in made.made_here else inputs.get(a) for i, a in leaves]
        self.calls = 0
        self._program = None

    @property
    def program(self):
        if self._program is None:
            from ..lowering.program import Program

            self._program = Program(self.graph, self.made_here)
        return self._program

    def run(self, flat: Sequence[Any]) -> Any:
        check_targets(flat, self.written)
        values = [as_value(x) for x in flat]
        return self.rebuild(self.program.run([*values, *self.outside]), flat)

    def rebuild(self, results: Sequence[Any], flat: Sequence[Any]) -> Any:
        """The tree of results; an argument or closed-over array that is returned is the very object. Arguments get what was written into them."""
        write_back(flat, self.written, results[len(self.passed) :])
        given = [*flat, *self.outside]
        return self.structure.unflatten([r if i is None else given[i] for r, i in zip(results, self.passed)])

    def entry(self, positional: Iterable[Any]) -> Callable:
        """The native entry for these arguments (statics in `Static`), or a function that always misses where there is none."""
        from ..lowering.cpu.entry import compile_entry
        from .entry_specs import argument_specs, result_spec

        program, positional = self.program, list(positional)
        if program.address is None or not all(x.flags.c_contiguous and x.flags.aligned and x.dtype.isnative for x in self.outside):
            return _never
        specs = argument_specs(positional)
        if specs is None:
            return _never
        count = len(program.partition.inputs) - len(self.outside)
        result = result_spec(self.structure, self.graph, program, count, len(self.written))
        if result is None:
            return _never
        captured = [x.ctypes.data for x in self.outside] + [program.arena_address]
        statics = [n for n, x in enumerate(positional) if type(x) is Static]
        entry = compile_entry(self.name, specs, result, program.address, captured, _MISS, keep=(program, self.outside)).call
        return self._writing(entry, statics) if self.written else entry

    def _writing(self, entry: Callable, statics: Sequence[int]) -> Callable:
        """A native entry that gives the tree of results and new contents of arguments, followed by the writes."""
        written = self.written

        def write(*args):
            found = entry(*args)
            if found is _MISS:
                return found
            flat = args if all([type(x) is np.ndarray for x in args]) else tree.leaves([x for n, x in enumerate(args) if n not in statics])
            check_targets(flat, written)
            write_back(flat, written, found[1:])
            return found[0]

        return write


class Static(NamedTuple):
    """A static argument in the list that an entry is made for."""

    value: Any


class Jit:
    """A compiled function; made by `jit`."""

    def __init__(self, f: Callable, static_argnums: Sequence[int], static_argnames: Sequence[str]):
        functools.update_wrapper(self, f)
        self.f = f
        self._what = f"jit of {name_of(f)}"
        self._static_numbers, self._static_names = _statics(f, static_argnums, static_argnames)
        self._variants: dict[Any, Variant] = {}
        self._entry = _never
        self._bound: dict[int, tuple[weakref.ref, Jit]] = {}

    def __call__(self, *args, **kwargs):
        if not kwargs:
            out = self._entry(*args)
            if out is not _MISS:
                return out
        return self._slow(args, kwargs)

    def __get__(self, instance: Any, owner: Any = None):
        if instance is None:
            return self
        if not tree.is_leaf(instance):  # a named tuple or registered dataclass is an argument like any other
            return types.MethodType(self, instance)
        found = self._bound.get(id(instance))
        if found is None or found[0]() is not instance:
            key = id(instance)
            reference = _reference(instance, lambda _: self._bound.pop(key, None))
            method = functools.wraps(self.f)(lambda *args, **kwargs: self.f(reference(), *args, **kwargs))
            first, *others = inspect.signature(self.f).parameters.values()
            method.__signature__ = inspect.Signature([first, *others] if first.kind is first.VAR_POSITIONAL else others)
            numbers = [n - (n > 0) for n in self._static_numbers if n]
            found = self._bound[id(instance)] = reference, Jit(method, numbers, self._static_names)
        return BoundJit(instance, found[1])

    def __repr__(self) -> str:
        return f"<jit of {defined_at(self.f)}, {len(self._variants)} compiled>"

    # Copied as functions are: a copy is the same object, and a pickle has its name, or what it was made from where that has another name.
    def __copy__(self) -> Jit:
        return self

    def __deepcopy__(self, memo: dict) -> Jit:
        return self

    def __reduce__(self):
        found: Any = sys.modules.get(self.__module__)
        for part in getattr(self, "__qualname__", "").split("."):
            found = getattr(found, part, None)
        return self.__qualname__ if found is self else (Jit, (self.f, self._static_numbers, self._static_names))

    # -- the slow way
    def _static_places(self, args: tuple) -> set[int]:
        return {n % len(args) for n in self._static_numbers if -len(args) <= n < len(args)}

    def _split(self, args: tuple, kwargs: dict) -> tuple[tuple, dict, tuple]:
        """Traced positional and keyword arguments, and the static ones: ((place, value), ...)."""
        if not self._static_numbers and not self._static_names:
            return args, kwargs, ()
        numbers = self._static_places(args)
        statics = (*((n, args[n]) for n in sorted(numbers)), *((k, kwargs[k]) for k in sorted(kwargs) if k in self._static_names))
        for place, value in statics:
            try:
                hash(_identity(value))
            except TypeError:
                raise TypeError(
                    at_user_line(
                        f"{self._what}: static argument {place!r} of {defined_at(self.f)} is a {type(value).__qualname__}, which cannot be hashed: "
                        f"pass a tuple instead of a list, a frozen dataclass instead of a dict, or make the argument an ordinary one"
                    )
                ) from None
        return tuple(a for n, a in enumerate(args) if n not in numbers), {k: v for k, v in kwargs.items() if k not in self._static_names}, statics

    def _variant(self, args: tuple, kwargs: dict) -> tuple[Variant, list]:
        """The variant for these arguments, traced if it is new, and the flat arguments."""
        moving, named, statics = self._split(args, kwargs)
        flat, structure = tree.flatten((moving, named))
        in_types = check_leaves(
            flat, lambda: argument_paths(moving, named, [n for n in range(len(args)) if n not in self._static_places(args)]), self.f, self._what
        )
        key = (structure, *in_types, *((place, _identity(value)) for place, value in statics))
        variant = self._variants.get(key)
        if variant is None:
            made = record(with_keywords(_with_statics(self.f, statics)), self._what, in_types, structure, concrete=False, keep_writes=True)
            variant = Variant(made, name_of(self.f))
            # A function that closes over a value of an outer trace means something else each time.
            if not any(type(x) is Tracer for x in made.outside):
                self._variants[key] = variant
        return variant, flat

    def _slow(self, args: tuple, kwargs: dict) -> Any:
        variant, flat = self._variant(args, kwargs)
        if any(type(x) is Tracer for x in (*flat, *variant.outside)):
            check_targets(flat, variant.written)
            values = [as_value(x) for x in flat]
            results = call(*values, *variant.outside, graph=variant.graph)
            return variant.rebuild(results, flat)
        out = variant.run(flat)
        variant.calls += 1
        if not kwargs and variant.calls > 1:  # a function that is called once needs no entry: loading the first one takes 15 ms
            numbers = self._static_places(args)
            self._entry = variant.entry(Static(a) if n in numbers else a for n, a in enumerate(args))
        return out

    # -- what was built
    def graph(self, *args, **kwargs) -> Graph:
        """The traced graph for these arguments; printed, it is NumPy code."""
        return self._variant(args, kwargs)[0].graph

    def kernels(self, *args, **kwargs) -> str:
        """What the compiled program does, step by step: its loop nests as readable code, library calls and host calls."""
        from ..lowering.show import show

        return show(self._variant(args, kwargs)[0].program)

    def llvm(self, *args, **kwargs) -> str:
        """The LLVM module of the compiled program, as text."""
        return self._variant(args, kwargs)[0].program.segments.text


def _statics(f: Callable, numbers: Sequence[int], names: Sequence[str]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Static positions and names, each completed by the other where the signature of `f` tells."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # builtins without a signature
        return tuple(numbers), tuple(names)
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    for n in numbers:
        if not variadic and not -len(positional) <= n < len(positional):
            raise ValueError(at_user_line(f"jit: static_argnums has {n}, but {defined_at(f)} takes {len(positional)} positional arguments"))
    known = {p.name for p in parameters}
    for name in names:
        if name not in known and not any(p.kind is p.VAR_KEYWORD for p in parameters):
            raise ValueError(at_user_line(f"jit: static_argnames has {name!r}, which is not a parameter of {defined_at(f)}"))
    all_numbers = {n if variadic or n >= 0 else n + len(positional) for n in numbers} | {
        positional.index(name) for name in names if name in positional
    }
    all_names = set(names) | {positional[n] for n in all_numbers if -len(positional) <= n < len(positional)}
    return tuple(sorted(all_numbers)), tuple(sorted(all_names))


class BoundJit:
    """A compiled method of an instance, which lives at least as long as this object."""

    __slots__ = ("__self__", "__func__")

    def __init__(self, instance: Any, function: Jit):
        self.__self__, self.__func__ = instance, function

    def __call__(self, *args, **kwargs):
        return self.__func__(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func__, name)

    def __repr__(self) -> str:
        return f"<method of {self.__self__!r}: {self.__func__!r}>"


def _reference(instance: Any, when_dead: Callable) -> Callable[[], Any]:
    """A function that gives the instance and does not keep it alive, unless its class has no weak references."""
    try:
        return weakref.ref(instance, when_dead)
    except TypeError:
        return lambda: instance


def _identity(value: Any) -> Any:
    """Equal for two static values only if a program may not tell them apart: 2, 2.0 and True may be told apart, and 0.0 and -0.0."""
    if isinstance(value, tuple):
        return type(value), tuple(map(_identity, value))
    if isinstance(value, slice):  # not hashable before Python 3.12
        return slice, _identity((value.start, value.stop, value.step))
    return type(value), repr(value) if isinstance(value, (float, complex)) else value


def _with_statics(f: Callable, statics: tuple) -> Callable:
    """`f` with its static arguments put back in their places."""
    if not statics:
        return f
    numbered = [(place, value) for place, value in statics if isinstance(place, int)]
    named = {place: value for place, value in statics if isinstance(place, str)}

    @functools.wraps(f)
    def function(*moving, **kwargs):
        args = list(moving)
        for place, value in numbered:
            args.insert(place, value)
        return f(*args, **kwargs, **named)

    return function


def jit(f: Callable | None = None, *, static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = ()):
    """`f`, compiled: traced once for each combination of shapes, dtypes and static arguments, and then run as native code.

    Arguments are trees of arrays and numbers; those in `static_argnums` or `static_argnames` are hashable values that the traced function sees as
    they are.  Results are NumPy arrays, 0-d results NumPy scalars.  Arrays that `f` closes over are read at each call; other values that it closes
    over are fixed when it is traced.  Usable as a decorator, with or without arguments, on methods too.
    Raises `TypeError` for arguments or results that are not arrays, and `TracerBoolError` or `TracerConversionError` where `f` asks a traced value
    for a Python value.

    >>> import numpy as np, tracejit as tj
    >>> f = tj.jit(lambda x: np.sin(x) ** 2 + np.cos(x) ** 2)
    >>> f(np.zeros(2))
    array([1., 1.])
    """
    numbers = _one_or_more("static_argnums", static_argnums, int)
    names = _one_or_more("static_argnames", static_argnames, str)
    if f is None:
        return lambda g: jit(g, static_argnums=numbers, static_argnames=names)
    if isinstance(f, (staticmethod, classmethod)):
        return type(f)(jit(f.__func__, static_argnums=numbers, static_argnames=names))
    require_callable(f, "jit")
    return Jit(f, numbers, names)


def _one_or_more(name: str, given: Any, kind: type) -> tuple:
    items = (given,) if isinstance(given, kind) else tuple(given) if isinstance(given, (tuple, list, set, frozenset, range)) else (None,)
    if not all(isinstance(x, kind) for x in items):
        raise TypeError(at_user_line(f"jit: {name} takes one {kind.__name__} or several, got {given!r}"))
    return items


__all__ = ["Jit", "jit"]
