"""The entry of a compiled function on a device: what one call does in Python before and after its kernels are queued.

A small call should cost a few microseconds, so the look at the arguments is a function that is written out for their types, with no loop in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import residence, tree
from ..trace.constants import active_traces
from .environment import Environment
from .places import unchanged
from .statics import identity
from .variant import MISS, Static, harmless, never

_NUMBERS = {bool: "bool", int: "int", float: "float", complex: "complex"}
_RANGE = f"-{1 << 63} <= {{0}} < {1 << 63}"


def device_entry(variant: Any, positional: Sequence[Any], environment: Environment, alone: bool, named: Mapping[str, Any]) -> Callable:
    """An entry that takes calls like the one with these arguments (statics in `Static`), or `never`. It misses when anything has changed."""
    guarded = variant.guards is not None
    if guarded and not (alone and harmless(variant.graph)):
        return never  # which variant it is, is asked first: the slow way does
    states = [place.get() for place in environment.states]
    moving = [x for x in positional if type(x) is not Static]
    given = {k: x for k, x in named.items() if type(x) is not Static}
    flat, structure = tree.flatten((moving, given, states) if states else (moving, given))
    look = _look(variant, flat)
    if look is None:
        return never
    outside, fixed = variant.outside(environment), False
    values_outside: Sequence[Any] = ()
    if all(type(x) is variant.backend.array for x in outside) and not variant.cells.places:
        fixed, values_outside = True, [variant.backend.contiguous(x) for x in outside]
        fixed = all(a is b for a, b in zip(values_outside, outside))
    run, passed, on_device, finish = variant.program.run, variant.passed, variant.on_device, variant.rebuild
    simple = variant.structure.num_nodes == 1 and len(passed) == 1 and passed[0] is None and not (variant.written or variant.effects)
    simple = simple and not variant.written_cells and not guarded
    writes = bool(variant.written or variant.written_outside)
    watches, reads_the_same = environment.watches, variant.reads_the_same if variant.was_read else None
    leaves = _leaves(positional, named, states, structure, environment)
    array, backend, device = variant.backend.array, variant.backend, variant.placement.device
    several = backend.device_count() > 1

    def enter(*args: Any, **kwargs: Any) -> Any:
        if several and backend.current_device() != device:
            with backend.on(device):
                return enter(*args, **kwargs)
        found = leaves(args, kwargs)
        if found is None or not unchanged(watches):
            return MISS
        values = look(*found)
        if values is None or (reads_the_same is not None and not reads_the_same(environment)):
            return MISS
        if fixed:
            closed = outside
            values += values_outside
        elif active_traces():  # a cell is another array there
            return MISS
        else:
            closed = variant.outside(environment)
            values = variant.placed([*values, *closed])
        if writes:
            found = list(map(residence.adopted, found))
            variant.check(found, environment)
        results = run(values)
        if simple and type(results[0]) is array:
            return results[0]
        results = on_device(results)
        if guarded and not results.pop():
            return MISS
        return finish(results, found, closed, environment)

    return enter


def _leaves(positional: Sequence[Any], named: Mapping[str, Any], states: Sequence[Any], structure: Any, environment: Environment) -> Callable:
    """A function that gives the flat arguments of a call, in the order of the graph's inputs, or None for a call of another form."""
    count, names = len(positional), tuple(named)
    numbered = [(n, identity(x.value)) for n, x in enumerate(positional) if type(x) is Static]
    by_name = [(k, identity(x.value)) for k, x in named.items() if type(x) is Static]
    if not names and not states and not numbered and all(map(tree.is_leaf, positional)):
        return lambda args, kwargs: args if len(args) == count and not kwargs else None
    reads = [(place.read, place.container, place.key) for place in environment.states]
    statics = {n for n, _ in numbered}
    static_names = {k for k, _ in by_name}

    def leaves(args: tuple, kwargs: dict) -> Sequence[Any] | None:
        if len(args) != count or tuple(kwargs) != names:
            return None
        for n, value in numbered:
            if identity(args[n]) != value:
                return None
        for k, value in by_name:
            if identity(kwargs[k]) != value:
                return None
        moving = [x for n, x in enumerate(args) if n not in statics] if statics else list(args)
        given = {k: x for k, x in kwargs.items() if k not in static_names}
        flat, form = tree.flatten((moving, given, [read(container, key) for read, container, key in reads]) if reads else (moving, given))
        return flat if form == structure else None

    return leaves


def _look(variant: Any, flat: Sequence[Any]) -> Callable | None:
    """A function of the flat arguments that gives the program's inputs, or None where they are of other types. None for arguments that cannot be
    told so."""
    backend, by_value = variant.backend, variant.by_value
    several = backend.device_count() > 1
    names: dict[str, Any] = {
        "array": backend.array, "ndarray": np.ndarray, "contiguous": backend.contiguous, "from_host": backend.from_host,
        "device_of": backend.device_of, "adopted": residence.adopted,
    }  # fmt: skip
    lines = []
    for i, x in enumerate(flat):
        a, dtype = f"a{i}", variant.graph.inputs[i].type.dtype
        names[f"d{i}"], names[f"s{i}"], names[f"t{i}"], names[f"k{i}"] = dtype, variant.graph.inputs[i].type.shape, dtype.type, type(x)
        if i in by_value and type(x) in _NUMBERS:
            lines.append(f"if type({a}) is not {_NUMBERS[type(x)]}{' or not ' + _RANGE.format(a) if type(x) is int else ''}: return None")
            lines.append(f"{a} = t{i}({a})")
        elif i in by_value and isinstance(x, np.generic):
            lines.append(f"if type({a}) is not k{i}: return None")
        elif type(x) is np.ndarray and x.ndim:
            lines.append(f"if type({a}) is not ndarray or {a}.shape != s{i} or {a}.dtype is not d{i}: return None")
            lines.append(f"{a} = from_host({a})")
        elif residence.is_foreign(x) and i not in by_value:
            if type(x) is not backend.array:
                lines.append(f"{a} = adopted({a})")
            elsewhere = f" or device_of({a}) != {variant.placement.device}" if several else ""
            lines.append(f"if type({a}) is not array or {a}.shape != s{i} or {a}.dtype is not d{i}{elsewhere}: return None")
            lines.append(f"if not {a}.flags.c_contiguous: {a} = contiguous({a})")
        else:
            return None
    parameters = [f"a{i}" for i in range(len(flat))]
    body = "\n    ".join([*lines, f"return [{', '.join(parameters)}]"])
    exec(f"def look({', '.join(parameters)}):\n    {body}\n", names)
    return names["look"]


__all__ = ["device_entry"]
