"""Whether the branches of a choice agree where it is already decided: `cond(True, f, g, x)` is a call of f, and what g would give must not differ.

The other branches are traced for their types, once for the same code and the same types of operands.  A branch that cannot be traced is no error
here: it may be one that is not meant for these operands (`cond(n == 0, lambda: 1, lambda: factorial(n - 1))`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import at_user_line
from ..ir import ArrayType
from ..ops.elementwise import convert
from ..trace import type_of
from ..trace.user_code import innermost
from .recording import abstract, as_value, defined_at, record_types

_KEPT = 1024
_known: OrderedDict[Any, list[tuple[tree.Structure, list[ArrayType]] | None]] = OrderedDict()


class _Asking(threading.local):
    asked: frozenset[Any] = frozenset()  # what is being traced: a branch may call the function that it is a branch of


_asking = _Asking()


def agreed(what: str, branches: Sequence[Callable], chosen: int, result: Any, operands: tuple) -> Any:
    """The result of the chosen branch in the dtypes that all branches have in common. Raises `TypeError` where another one returns a tree of another
    structure, or leaves of other shapes."""
    try:
        types = [type_of(x) for x in tree.leaves((operands, result))]
    except TypeError:  # what is decided outside of traces may be about anything
        return result
    leaves, structure = tree.flatten(result)
    own = types[len(types) - len(leaves) :]
    for f, other in zip(branches, _others(branches, chosen, operands, types[: len(types) - len(leaves)])):
        if other is None:
            continue
        name, chosen_name = f"the result of {defined_at(f)}", f"that of {defined_at(branches[chosen])}"
        if other[0] != structure:
            both = f"{name} is {other[0]}, {chosen_name} {structure}"
            raise TypeError(at_user_line(f"{what}: the branches return trees of different structure: {both}"))
        for path, mine, theirs in zip(tree.paths(result), own, other[1]):
            if mine.shape != theirs.shape:
                where = path and f" at {path}"
                raise TypeError(
                    at_user_line(f"{what}: the branches return different shapes{where}: {name} has {theirs.shape}, {chosen_name} {mine.shape}")
                )
        own = [mine._replace(dtype=np.result_type(mine.dtype, theirs.dtype)) for mine, theirs in zip(own, other[1])]
    if all([type_of(x).dtype == t.dtype for x, t in zip(leaves, own)]):
        return result
    return structure.unflatten([x if type_of(x).dtype == t.dtype else convert(as_value(x), dtype=t.dtype) for x, t in zip(leaves, own)])


def _others(branches: Sequence[Callable], chosen: int, operands: tuple, types: list[ArrayType]) -> list[Any]:
    """Structure and types of what each branch gives, None for the chosen one and for those that cannot be traced."""
    codes = tuple([getattr(innermost(f), "__code__", f) for f in branches])
    key = codes, chosen, tree.structure(operands), tuple(types)
    try:
        found = _known.get(key)
    except TypeError:  # a branch that cannot be hashed
        return [None] * len(branches)
    if found is None:
        if key in _asking.asked or codes in _asking.asked:
            return [None] * len(branches)
        before, _asking.asked = _asking.asked, _asking.asked | {key, codes}
        try:
            found = [None if i == chosen else _types(f, operands) for i, f in enumerate(branches)]
        finally:
            _asking.asked = before
        _known[key] = found
        while len(_known) > _KEPT:
            _known.popitem(last=False)
    return found


def _types(f: Callable, operands: tuple) -> tuple[tree.Structure, list[ArrayType]] | None:
    given = tree.map(abstract, operands)
    try:
        made = record_types(f, "a branch that is not taken", given, {})
    except Exception:  # it is not taken: as behind Python's `if`, what it would raise is nobody's concern until then
        return None
    return made.structure, list(made.graph.out_types[: made.structure.num_leaves])


__all__ = ["agreed"]
