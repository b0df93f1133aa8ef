"""Which variant stands for a call, and in words why one does or does not: what `f.explain` says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..errors import at_user_line
from ..ir import ArrayType
from ..trace.guards import Guard
from .cache import Store
from .environment import Environment, Fingerprint
from .placement import Placement
from .recording import parameter_names
from .variant import Variant


class Key(NamedTuple):
    """What the variants of a function are kept under."""

    fingerprint: Fingerprint
    structure: tree.Structure
    types: tuple[ArrayType, ...]
    statics: tuple
    placement: Placement | None = None


class Signature(NamedTuple):
    """A call as the cache sees it. `paths` names the flat arguments."""

    key: Key
    environment: Environment
    flat: list[Any]
    statics: tuple
    paths: Callable[[], list[str]]


def choose(variants: Sequence[Variant], environment: Environment, flat: Sequence[Any]) -> tuple[Variant | None, list[Guard | None]]:
    """The first variant that stands for the call, and for each one before it the guard that does not hold (None where an array that was read has
    changed)."""
    reasons: list[Guard | None] = []
    for variant in variants:
        broken = None
        if variant.reads_the_same(environment):
            broken = variant.broken(flat, variant.outside(environment))
            if broken is None:
                return variant, reasons
        reasons.append(broken)
    return None, reasons


def too_many(what: str, reasons: Sequence[Guard | None]) -> str:
    """The message for a call that would need one variant more than is allowed."""
    last = next((guard for guard in reasons if guard is not None), None)
    said = "arrays that it reads with plain Python have changed" if last is None else f"{last} last time, and is not now"
    if last is None or last.convert is np.ndarray:
        instead = (
            "Use elements of closed-over arrays as they are (`w[0]`, not `float(w[0])`): they are read in each run then. What a library wants as a "
            "plain array can be computed outside and passed."
        )
        return _limit(what, reasons, said, instead)
    instead = (
        "Write the branch or loop with `tracejit.cond`, `tracejit.while_loop` or `tracejit.fori_loop`, or have it rewritten by `tracejit.lift`; "
        "`np.where` chooses between values."
        if last.convert is bool
        else "A loop of that many turns is `tracejit.fori_loop`; to index a plain array with a traced integer make that array an argument, or use "
        "`tracejit.numpy.take`; an argument that is a size can be static (`static_argnums=`)."
    )
    return _limit(what, reasons, said, instead)


def _limit(what: str, reasons: Sequence[Guard | None], said: str, instead: str) -> str:
    return at_user_line(
        f"{what}: {len(reasons)} variants are compiled for arguments of this type, since Python branches on their values: {said}. "
        f"{instead} (`tracejit.config.max_variants` is the limit.)"
    )


def explain(f: Callable, store: Store, signature: Signature) -> str:
    """One line for the call, or one for each difference from the nearest call that was compiled."""
    key = signature.key
    variants = store.under(key)
    found, reasons = choose(variants, signature.environment, signature.flat)
    if found is not None:
        guards = "" if found.guards is None else "; " + "; ".join(map(str, found.guards.asked))
        return f"{found.state()}{guards}"
    if variants:
        lines = ["an array that was read with plain Python has other contents" if guard is None else str(guard) for guard in reasons]
        return "\n".join(f"compiles anew: {line}" for line in dict.fromkeys(lines))
    keys = store.keys()
    if not keys:
        return "compiles: nothing is compiled for this function"
    names = parameter_names(f, signature.paths())
    nearest = min(reversed(keys), key=lambda other: _distance(key, other))
    return "\n".join(f"compiles anew: {line}" for line in _differences(f, key, nearest, names))


def _distance(key: Key, other: Key) -> int:
    if key.structure != other.structure:
        return 1_000_000
    pairs = sum(a != b for a, b in zip(key.types, other.types)) + sum(a != b for a, b in zip(key.statics, other.statics))
    return pairs + (key.placement != other.placement) + 1000 * (key.fingerprint != other.fingerprint)


def _differences(f: Callable, key: Key, other: Key, names: Sequence[str]) -> list[str]:
    found = [f"closed-over {line}" for line in key.fingerprint.differences(other.fingerprint)]
    if key.structure != other.structure:
        found.append(_other_structure(f, key, other))
    else:
        for name, now, before in zip(names, key.types, other.types):
            if now.shape != before.shape:
                found.append(f"argument `{name}`: shape {now.shape} was {before.shape}")
            if now.dtype != before.dtype:
                found.append(f"argument `{name}`: dtype {now.dtype} was {before.dtype}")
            elif now.weak != before.weak:
                kinds = {True: "a Python number", False: "an array or NumPy number"}
                found.append(f"argument `{name}`: {kinds[now.weak]} was {kinds[before.weak]}")
    if key.placement != other.placement:
        found.append(f"runs on {key.placement or 'the host'}, ran on {other.placement or 'the host'}")
    for now, before in zip(key.statics, other.statics):
        if now != before:
            found.append(f"static argument {now[0]!r}: {_said(now[1])} was {_said(before[1])}")
    return found or ["the function's static arguments are others"]


def _other_structure(f: Callable, key: Key, other: Key) -> str:
    """Where the trees of the arguments differ, as far as one place tells it."""
    (now, now_named), (before, before_named) = (k.structure.unflatten(k.types) for k in (key, other))
    if len(now) != len(before):
        return f"{len(now)} positional arguments were {len(before)}"
    if set(now_named) != set(before_named):
        return f"the keyword arguments {_listed(now_named)} were {_listed(before_named)}"
    statics = {place for place, _ in key.statics}
    places = [n for n in range(len(now) + len(statics)) if n not in statics]
    named = [(parameter_names(f, [str(n)])[0], a, b) for n, a, b in zip(places, now, before)]
    for name, a, b in (*named, *((n, now_named[n], before_named[n]) for n in now_named)):
        for path, was, is_now in tree.differences(b, a, lambda x: isinstance(x, ArrayType)):
            return f"argument `{name}{path}`: {is_now} was {was}"
    return f"the arguments are {key.structure}, were {other.structure}"


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "(none)"


def _said(described: Any) -> str:
    return repr(described[1]) if isinstance(described, tuple) and len(described) == 2 else repr(described)
