"""`jit`: a function traced once for each signature of its arguments, and compiled.

A call goes to the native entry of the signature that was met last.  What the entry does not take (another signature, other keywords, proxies;
arguments that a guard does not hold for; a changed environment) goes the slow way: flatten, look up, trace and compile if new.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from .. import residence, tree
from ..config import config
from ..errors import GuardLimitError, at_user_line
from ..ir import Graph
from ..lowering.cpu.dispatch import BoundDispatcher, Dispatcher
from ..ops import call as call_module
from ..ops.call import call
from ..ops.callback import anchored
from ..trace import Tracer
from ..trace.stand_ins import originals_in_place, replacing
from . import explanation
from .aot import Lowered
from .cache import SIGNATURES, CacheInfo, store
from .environment import Environment
from .placement import new_variant, parse_target, placement, require_one_place
from .plain_draws import told
from .rebinding import Rebinding
from .recording import argument_paths, as_value, check_leaves, defined_at, name_of, record, require_callable, with_keywords
from .statics import identity, static_places, with_statics
from .variant import MISS, Static, Variant, never

_ENTRIES = 8  # native entries that a call tries before it goes the slow way: a miss costs some 50 ns, the slow way 20 us


def _execute(graph: Graph, args: list) -> list:
    if residence.classes and residence.meeting(args) is not None:
        from ..cuda.programs import execute_anywhere

        return execute_anywhere(graph, args)
    from ..lowering.program import execute

    return execute(graph, args)


call_module.executor = _execute


class Jit(Dispatcher):
    """A compiled function; made by `jit`."""

    def __init__(self, f: Callable, static_argnums: Sequence[int], static_argnames: Sequence[str], target: str | None = None):
        super().__init__(never, MISS, Jit._missed)
        functools.update_wrapper(self, f)
        self.f = f
        self._what = f"jit of {name_of(f)}"
        self.statics = self._static_numbers, self._static_names = static_places(f, static_argnums, static_argnames)
        self.target = target
        codes = _codes(f)
        self._store = store((*codes, self.statics, target) if codes else None, self)
        self._environments: dict[Any, Environment] = {}  # by the static arguments that are objects
        self._entries: list[Callable] = []
        self._made_for: list[tuple] = []  # for each: variant, environment, whether it is the only variant, keywords
        self._misses = 0
        self._bound: dict[int, tuple[weakref.ref, Jit]] = {}

    def _missed(self, *args, **kwargs):
        """The result where the entry that is tried first has none."""
        self._calls[0] += 1
        for entry in self._entries:
            if entry is not self._entry:
                out = entry(*args, **kwargs)
                if out is not MISS:
                    self._entry = entry
                    return out
        if args and isinstance(args[0], type) and self._is_class_method_of(args[0]):
            return self.__get__(args[0])(*args[1:], **kwargs)
        return self._slow(args, kwargs)

    def _is_class_method_of(self, owner: type) -> bool:
        """Whether `owner.name` calls this one with `owner` in front: under `classmethod`, which from Python 3.13 on does not ask what it wraps
        for a method."""
        method = getattr(owner, getattr(self, "__name__", ""), None)
        return type(method) is types.MethodType and method.__func__ is self and method.__self__ is owner

    def __get__(self, instance: Any, owner: Any = None):
        if instance is None:
            return self
        found = self._bound.get(id(instance))
        if found is None or found[0]() is not instance:
            if not tree.is_leaf(instance):  # a named tuple or registered dataclass is an argument like any other
                return types.MethodType(self, instance)
            key = id(instance)
            reference = _reference(instance, lambda _: self._bound.pop(key, None))
            method = functools.wraps(self.f)(lambda *args, **kwargs: self.f(reference(), *args, **kwargs))
            first, *others = inspect.signature(self.f).parameters.values()
            method.__signature__ = inspect.Signature([first, *others] if first.kind is first.VAR_POSITIONAL else others)
            numbers = [n - (n > 0) for n in self._static_numbers if n]
            found = self._bound[id(instance)] = reference, Jit(method, numbers, self._static_names, self.target)
        return BoundJit(instance, found[1])

    def __repr__(self) -> str:
        return f"<jit of {defined_at(self.f)}, {len(self._store)} compiled>"

    # Copied as functions are: a copy is the same object, and a pickle has its name, or what it was made from where that has another name.
    def __copy__(self) -> Jit:
        return self

    def __deepcopy__(self, memo: dict) -> Jit:
        return self

    def __reduce__(self):
        found: Any = sys.modules.get(self.__module__)
        for part in getattr(self, "__qualname__", "").split("."):
            found = getattr(found, part, None)
        return self.__qualname__ if found is self else (Jit, (self.f, *self.statics, self.target))

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
                hash(identity(value))
            except TypeError:
                raise TypeError(
                    at_user_line(
                        f"{self._what}: static argument {place!r} of {defined_at(self.f)} is a {type(value).__qualname__}, which cannot be hashed: "
                        f"pass a tuple instead of a list, a frozen dataclass instead of a dict, or make the argument an ordinary one"
                    )
                ) from None
        return tuple(a for n, a in enumerate(args) if n not in numbers), {k: v for k, v in kwargs.items() if k not in self._static_names}, statics

    def _environment(self, statics: tuple) -> Environment:
        """What the function reads now, besides its arguments."""
        key = tuple([(place, identity(value)) for place, value in statics])
        with originals_in_place():
            found = self._environments.get(key)
            if found is None or not found.unchanged():
                if len(self._environments) >= SIGNATURES:
                    self._environments.clear()
                found = self._environments[key] = self._look(statics)
            return found

    def _look(self, statics: tuple) -> Environment:
        return Environment(self.f, statics, self._store.ignored, self._store.states, self._store.added_to)

    def _without_own_effects(self, key: explanation.Key, environment: Environment, statics: tuple) -> tuple[explanation.Key, Environment]:
        """The key without what the traced function has itself rebound or filled (a counter, a list that it appends to): that happens once a trace,
        and is no reason to trace again."""
        with originals_in_place():
            if environment.unchanged():
                return key, environment
            now = self._look(statics)
            self._store.ignored |= environment.fingerprint.changed(now.fingerprint) - now.defaults(environment)
            now = self._environments[key.statics] = self._look(statics)
        return key._replace(fingerprint=now.fingerprint), now

    def _signature(self, args: tuple, kwargs: dict) -> explanation.Signature:
        """What decides which variants a call may use."""
        moving, named, statics = self._split(args, kwargs)
        environment = self._environment(statics)
        states = [place.get() for place in environment.states]
        flat, structure = tree.flatten((moving, named, states) if states else (moving, named))
        flat = [residence.adopted(x) for x in flat]

        def paths() -> list[str]:
            given = argument_paths(moving, named, [n for n in range(len(args)) if n not in self._static_places(args)])
            return given + [place.path + path for place, x in zip(environment.states, states) for path in tree.paths(x)]

        in_types = check_leaves(flat, paths, self.f, self._what)
        where = placement(flat, environment.arrays, self.target, self.f, self._what, paths)
        known = tuple([(place, identity(value)) for place, value in statics])
        key = explanation.Key(environment.fingerprint, structure, tuple(in_types), known, where)
        return explanation.Signature(key, environment, flat, statics, paths)

    def _variant(self, args: tuple, kwargs: dict) -> tuple[Variant, list, explanation.Key, Environment]:
        """The variant for these arguments, traced if it is new, with the flat arguments, its key, and the environment."""
        with replacing:
            key, environment, flat, statics, _ = self._signature(args, kwargs)
        variant, reasons = explanation.choose(self._store.under(key), environment, flat)
        if variant is None:
            if len(reasons) >= config.max_variants:
                raise GuardLimitError(explanation.too_many(self._what, reasons))
            self._misses += 1
            with replacing:
                variant, flat, key, environment = self._traced(args, kwargs)
        else:
            self._store.prefer(key, variant)
        variant.tell(flat, environment)
        return variant, flat, key, environment

    def _traced(self, args: tuple, kwargs: dict) -> tuple[Variant, list, explanation.Key, Environment]:
        """A new variant for these arguments."""
        while True:
            key, environment, flat, statics, _ = self._signature(args, kwargs)
            f = Rebinding(with_keywords(with_statics(self.f, statics)), environment, self._what)
            how = {"keep_writes": True, "keep_cells": True, "actual": flat, "kept": environment.arrays}
            with originals_in_place(), told(environment.fingerprint.objects(), self._what):
                made = record(f, self._what, key.types, key.structure, concrete=False, **how)
            if not (f.missing or f.added_to):
                break
            self._store.states |= set(f.missing)
            self._store.added_to |= set(f.added_to)
            self._environments.clear()
        key, environment = self._without_own_effects(key, environment, statics)
        require_one_place(made.outside, key.placement, self.f, self._what)
        variant = new_variant(made, name_of(self.f), environment, f.effects, key.placement)
        # A function that closes over a value of an outer trace means something else each time.
        if not any(type(x) is Tracer for x in made.outside):
            self._store.add(key, variant)
        return variant, flat, key, environment

    def _slow(self, args: tuple, kwargs: dict) -> Any:
        variant, flat, key, environment = self._variant(args, kwargs)
        outside = variant.outside(environment)
        values = [as_value(x) for x in flat]
        if variant.graph.effect:
            values = anchored([variant.graph], values)
        if any(type(x) is Tracer for x in (*values, *outside)):
            variant.check(flat, environment)
            results = call(*values, *outside, graph=variant.graph)
            return variant.rebuild(results, flat, outside, environment)
        out = variant.run(flat, outside, environment)
        variant.calls += 1
        if variant.calls > 1:  # a function that is called once needs no entry: loading the first one takes 15 ms
            self._enter(variant, key, args, kwargs, environment)
        return out

    def _enter(self, variant: Variant, key: Any, args: tuple, kwargs: dict, environment: Environment) -> None:
        """Make the native entry for these arguments the one that is tried first."""
        alone = variant.guards is None or len(self._store.under(key)) < 2
        made_for = variant, environment, alone, tuple(kwargs)
        entry = next((e for e, others in zip(self._entries, self._made_for) if others == made_for), None)
        if entry is None:
            numbers = self._static_places(args)
            positional = [Static(a) if n in numbers else a for n, a in enumerate(args)]
            named = {k: Static(x) if k in self._static_names else x for k, x in kwargs.items()}
            entry = variant.entry(positional, environment, alone, named)
            if entry is not never:
                same_call = lambda others: others[0] is variant and others[3] == made_for[3]
                kept = [(e, others) for e, others in zip(self._entries, self._made_for) if not same_call(others)]
                kept = [(entry, made_for), *kept][:_ENTRIES]
                self._entries, self._made_for = [e for e, _ in kept], [others for _, others in kept]
        self._entry = entry

    # -- what was built
    def graph(self, *args, **kwargs) -> Graph:
        """The traced graph for these arguments; printed, it is NumPy code."""
        return self._variant(args, kwargs)[0].graph

    def kernels(self, *args, **kwargs) -> str:
        """What the compiled program does, step by step: its loop nests as readable code, library calls and host calls; on a device the sources of its
        kernels with their PTX and SASS."""
        return self._variant(args, kwargs)[0].show()

    def llvm(self, *args, **kwargs) -> str:
        """The LLVM module of the compiled program, as text; for a device the sources of its kernels."""
        return self._variant(args, kwargs)[0].code()

    def explain(self, *args, **kwargs) -> str:
        """Why a call with these arguments runs what is compiled, or must be compiled anew: it is compared with the nearest call that was.

        >>> import numpy as np, tracejit as tj
        >>> f = tj.jit(lambda x: x * 2.0)
        >>> _ = f(np.zeros(3))
        >>> print(f.explain(np.zeros(4)))
        compiles anew: argument `x`: shape (4,) was (3,)
        """
        return explanation.explain(self.f, self._store, self._signature(args, kwargs))

    def lower(self, *args, **kwargs) -> Lowered:
        """The function traced for arguments of these types, to be compiled ahead of time; `ShapeDtype(shape, dtype)` may stand for an array.

        >>> import numpy as np, tracejit as tj
        >>> compiled = tj.jit(lambda x: x * 2.0).lower(tj.ShapeDtype((2,), np.float64)).compile()
        >>> compiled(np.ones(2))
        array([2., 2.])
        """
        return Lowered(self, args, kwargs)

    def cache_info(self) -> CacheInfo:
        """Calls that found a program and calls that traced; how many signatures are kept at most, and are now.

        >>> import tracejit as tj
        >>> f = tj.jit(lambda x: x * 3.0)
        >>> f(1.0), f(2.0)
        (np.float64(3.0), np.float64(6.0))
        >>> f.cache_info()
        CacheInfo(hits=1, misses=1, maxsize=256, currsize=1)
        """
        return CacheInfo(int(self._calls[0]) - self._misses, self._misses, SIGNATURES, len(self._store))

    def clear_cache(self) -> None:
        """Forget what was compiled for this function, and for others of the same code."""
        self._store.clear()
        self._environments.clear()
        self._entry, self._entries, self._made_for = never, [], []
        self._calls[0] = self._misses = 0
        for _, bound in list(self._bound.values()):
            bound.clear_cache()


class BoundJit(BoundDispatcher):
    """A compiled method of an instance, which lives at least as long as this object."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func__, name)

    def __repr__(self) -> str:
        return f"<method of {self.__self__!r}: {self.__func__!r}>"


def _codes(f: Any) -> list[types.CodeType]:
    """The code of a function and of what it wraps."""
    found = [getattr(f, "__code__", None)]
    while isinstance(f, functools.partial) or hasattr(f, "__wrapped__"):
        f = f.func if isinstance(f, functools.partial) else f.__wrapped__
        found.append(getattr(f, "__code__", None))
    return [code for code in found if code is not None]


def _reference(instance: Any, when_dead: Callable) -> Callable[[], Any]:
    """A function that gives the instance and does not keep it alive, unless its class has no weak references."""
    try:
        return weakref.ref(instance, when_dead)
    except TypeError:
        return lambda: instance


def jit(
    f: Callable | None = None, *, static_argnums: int | Sequence[int] = (), static_argnames: str | Sequence[str] = (), lift: bool = False,
    target: str | None = None,
):  # fmt: skip
    """`f`, compiled: traced once for each combination of shapes, dtypes and static arguments, and then run as native code.

    Arguments are trees of arrays and numbers; those in `static_argnums` or `static_argnames` are hashable values that the traced function sees as
    they are.  Results are NumPy arrays, 0-d results NumPy scalars.  What `f` reads besides its arguments (closed-over values, globals, attributes) is
    read as it is at each call: arrays are passed by reference, another change compiles anew, also one of elements that plain Python has read
    (`float(w[0])`).  Usable as a decorator, with or without arguments, on
    methods too.

    Python may branch on values: `if x.sum() > 0`, `while error > tol`, `range(n)`.  What was asked is remembered as a guard, and a call that would
    get other answers compiles another variant, up to `config.max_variants` for one signature. With `lift`, loops and branches of Python are compiled
    as such (see `tracejit.lift`), instead of unrolled and guarded.

    What `f` writes into its arguments, and into arrays that it closes over (`self.u[1:-1] += ...`), is in them after each call; attributes and
    globals that it binds anew (`self.t += dt`) have their new values, and lists that it appends to have grown.

    It runs where its arguments live: on the host, or on a CUDA device for arrays that are there; results live there, too. With `target="cuda"` (or
    "cuda:1") arrays of the host are copied to the device first. See docs/cuda.md.

    Raises `TypeError` for arguments or results that are not arrays, `LeakedTracerError` for a traced value in a container that cannot get what a run
    computes, `TracejitError` where `f` changes a list or dict among its arguments, `DeviceError` for arrays in several places,
    `TracerConversionError` where `f` asks a traced value for a Python float, `GuardLimitError` where too many calls got different answers.

    >>> import numpy as np, tracejit as tj
    >>> f = tj.jit(lambda x: np.sin(x) ** 2 + np.cos(x) ** 2)
    >>> f(np.zeros(2))
    array([1., 1.])
    """
    numbers = _one_or_more("static_argnums", static_argnums, int)
    names = _one_or_more("static_argnames", static_argnames, str)
    if f is None:
        return lambda g: jit(g, static_argnums=numbers, static_argnames=names, lift=lift, target=target)
    if isinstance(f, (staticmethod, classmethod)):
        return type(f)(jit(f.__func__, static_argnums=numbers, static_argnames=names, lift=lift, target=target))
    require_callable(f, "jit")
    if lift:
        from ..lift import lift as lifted

        f = lifted(f)
    return Jit(f, numbers, names, parse_target(target))


def _one_or_more(name: str, given: Any, kind: type) -> tuple:
    items = (given,) if isinstance(given, kind) else tuple(given) if isinstance(given, (tuple, list, set, frozenset, range)) else (None,)
    if not all(isinstance(x, kind) for x in items):
        raise TypeError(at_user_line(f"jit: {name} takes one {kind.__name__} or several, got {given!r}"))
    return items


__all__ = ["Jit", "jit"]
