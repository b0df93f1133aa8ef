"""NumPy's aliasing on values that never change: a write makes a new value and rebinds the proxies that share the memory.

An op that reads a part of an array (`Op.view`) leaves a note in its result: `Tracer.part_of = (base, op, other inputs, params)`.  A write into a view
goes up: `op.view` makes the base's new value, and so on to the array that owns the memory, the root.  Then all views of the root are out of date:
their `atom` is deleted, and the next look at it replays the op on the base's new value (`Tracer.__getattr__`).

So a program that writes nothing pays for the note alone, 0.3 us a view, and a view that is never read again after a write costs nothing.

NumPy copies in a `reshape` whose elements do not lie at even distances.  Whether one did is asked only when something is written: `layout` gives
NumPy's strides, where arrays that own their memory count as C-ordered.  What was asked of is noted (`Trace.laid_out`): an argument of a compiled
function has to be so, then.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np

from ..errors import LeakedTracerError, TracejitError, at_user_line

READ_ONLY = object()  # as `Op.view`: NumPy does not allow writes through this one
_RESHAPES = ("reshape", "ravel")
_CROWD = 64  # from so many views on the dead ones are removed, each time that their number has doubled


class Reading:
    """A function that reads a part of an array: what an op is to other views. `view` is as in an op."""

    def __init__(self, name: str, function: Callable, view: Any = READ_ONLY):
        self.name, self.function, self.view = name, function, view

    def __call__(self, base, **params):
        return self.function(base, **params)


def link(part, op, args: tuple, params: dict[str, Any]) -> None:
    """Note that the proxy `part` is what `op` reads of the proxy args[0]."""
    base = args[0]
    part.part_of = base, op, args[1:], params
    if base.views is None:
        base.views = [ref(part)]
    else:
        base.views.append(ref(part))
        n = len(base.views)
        if n >= _CROWD and not n & (n - 1):
            base.views = [r for r in base.views if r() is not None]


def is_view(x) -> bool:
    """Whether x shares the memory of another array."""
    if x.part_of is None:
        return False
    base, op, _, params = x.part_of
    if op.name in _RESHAPES and (op.name == "ravel" or _long(base.shape) != _long(params["shape"])):
        _note_layout(root(base))
        if is_view(base) and not _stays(layout(base), op.name, params["shape"]):
            x.part_of = None  # a copy, now and for ever
            return False
    return True


def _note_layout(owner) -> None:
    from .constants import active_traces  # which needs this module

    for trace in active_traces():
        if not any([owner is x for x in trace.laid_out]):
            trace.laid_out.append(owner)


def _stays(array: np.ndarray, name: str, shape: tuple[int, ...]) -> bool:
    """Whether NumPy gives the elements of this array another shape without moving them. `ravel` moves what is not contiguous."""
    if name == "ravel":
        return array.flags.c_contiguous
    if _long(array.shape) == _long(shape):
        return True
    try:
        np.reshape(array, shape, copy=False)
    except ValueError:
        return False
    return True


def _long(shape: tuple[int, ...]) -> list[int]:
    """Axes of length one have no stride to speak of."""
    return [n for n in shape if n != 1]


def layout(x) -> np.ndarray:
    """An array with the shape and the strides that x has in NumPy. Its elements do not exist."""
    if not is_view(x):
        strides = tuple(itertools.accumulate(x.shape[:0:-1], lambda stride, n: stride * max(n, 1), initial=1))[::-1]
        return np.lib.stride_tricks.as_strided(np.empty((), np.uint8), x.shape, strides[-x.ndim :] if x.ndim else ())
    base, op, others, params = x.part_of
    if op.name in _RESHAPES:
        return np.reshape(layout(base), params["shape"])
    if op.name in ("slice", "transpose", "reverse", "broadcast_to"):
        return op.run(np, layout(base), **params)
    if others:  # a block, wherever it begins
        return layout(base)[tuple(map(slice, x.shape))]
    return layout(base) if base.shape == x.shape else layout(base).diagonal(**params)


def refresh(x) -> Any:
    """Read a view that is out of date again, and return its atom."""
    base, op, others, params = x.part_of
    found = _unclaimed(op, base, *others, **params)
    found.part_of = None
    x.owner, x.atom = found.owner, found.atom
    return x.atom


def _unclaimed(op, base, *others, **params):
    """What the op reads, in the trace that its operands belong to, also while another one claims what is done (`Trace.claims`): x outlives that."""
    from .constants import active_traces  # which needs this module

    claiming = [t for t in active_traces() if t.claims is not None and t.depth > base.owner.depth]
    claims = [t.claims for t in claiming]
    for t in claiming:
        t.claims = None
    try:
        return op(base, *others, **params)
    finally:
        for t, claim in zip(claiming, claims):
            t.claims = claim


def assign(x, value, decided: bool = False) -> None:
    """From now on the proxy x holds `value`, a proxy of the same shape and dtype, and whatever shares memory with x holds its part of it.
    `decided`: the value is what writes have left that were allowed (`mark_undecided`).

    Raises `ValueError` for a read-only view, and `LeakedTracerError` where the value belongs to a trace that began after x was made and ends before.
    """
    written = [(x, value)]
    while is_view(x):
        base, op, others, params = x.part_of
        if op.view is READ_ONLY:
            raise ValueError(at_user_line("assignment destination is read-only"))
        value = op.view(base, value, *others, **params)
        x = base
        written.append((x, value))
    stay_inside(x, value)
    if hasattr(x.atom, "source") and x.home is None:  # known while a program is recorded, which will not know what is written
        raise _written_outside(x, value)
    if _undecided and not decided:
        _require_decided(x)
    _outdate(_parts(x), value.owner)
    for tracer, value in written:
        if tracer.owner is not value.owner:
            tracer.home = tracer.home or tracer.owner
            tracer.owner = value.owner
        tracer.atom = value.atom


def _outdate(parts: list, owner) -> None:
    """Let the views be read again, from a root that now belongs to the trace `owner`, when they are next looked at."""
    for part in parts:
        part.home = part.home or part.owner
        part.owner = max((owner, *[a.owner for a in part.part_of[2] if hasattr(a, "owner")]), key=lambda trace: trace.depth)
        if not _is_outdated(part):
            del part.atom


def _parts(x) -> list:
    """All proxies that share the memory of x as views of it, or of such views."""
    alive, found = [], []
    for reference in x.views or ():
        part = reference()
        # What is out of date was found to be a view when it became so; to ask again would read it.
        if part is not None and part.part_of is not None and part.part_of[0] is x and (_is_outdated(part) or is_view(part)):
            alive.append(reference)
            found.append(part)
            found += _parts(part)
    x.views = alive or None
    return found


def _is_outdated(x) -> bool:
    try:
        type(x).atom.__get__(x)
    except AttributeError:
        return True
    return False


class OutsideWriteError(LeakedTracerError):
    """The error for a write into an array from outside of the trace that the value belongs to. `target` owns the memory."""

    def __init__(self, message: str, target):
        super().__init__(message)
        self.target = target


_undecided: dict[int, list[tuple[ref, ref, str]]] = {}  # by identity of a proxy that owns its memory, if it does


def mark_undecided(x, reason: str, beside=None) -> None:
    """From now on a write into x is an error: whether it shares its memory with another array depends on values. `reason` says why. The other one may
    be given (`beside`): when nobody has that any more, x may be written again."""
    key = id(x)
    _undecided.setdefault(key, []).append((ref(x, lambda _: _undecided.pop(key, None)), ref(x if beside is None else beside), reason))


def undecided() -> dict[int, list[tuple[ref, ref, str]]]:
    """What is marked now, for `put_back_undecided`."""
    return {key: list(marks) for key, marks in _undecided.items()}


def put_back_undecided(before: dict[int, list[tuple[ref, ref, str]]]) -> None:
    """Forget what was marked since: while a side or turn was traced, which is no part of what is traced next."""
    _undecided.clear()
    _undecided.update({key: marks for key, marks in before.items() if marks[0][0]() is not None})


def _require_decided(x) -> None:
    found = _undecided.get(id(x), ())
    if any(beside() is not None for _, beside, _ in found):
        _let_go_of_variables()
    for marked, beside, reason in found:
        if marked() is x and beside() is not None:
            raise TracejitError(at_user_line(reason))


def _let_go_of_variables() -> None:
    """Whoever has looked at the variables of a running function (`f_locals`) keeps what they held then, before Python 3.13, until they are looked at
    again."""
    frame = sys._getframe(1)
    while frame is not None:
        frame.f_locals  # noqa: B018
        frame = frame.f_back


def stay_inside(x, value) -> None:
    """Raise `OutsideWriteError` where x, which owns its memory, is from outside of the trace of `value`, or of a turn or side."""
    from .constants import active_traces  # which needs this module

    home = x.home or x.owner
    if value.owner.depth > home.depth or any([(t.partial or t.apart) and t.depth > home.depth for t in active_traces()]):
        raise _written_outside(x, value)


def _written_outside(x, value) -> OutsideWriteError:
    return OutsideWriteError(
        at_user_line(
            f"a value that is traced inside the {value.owner.what} is written into an array from outside of it ({x.type}): "
            f"it would outlive its trace. "
            f"Return the value and write it outside, or make the array inside (`np.copy`)."
        ),
        x,
    )


def root(x):
    """The proxy that owns the memory that x is a view of, or x itself."""
    while is_view(x):
        x = x.part_of[0]
    return x


def is_shared(x) -> bool:
    """Whether x is a view, or something else is a view of it."""
    return is_view(x) or bool(_parts(x))


def rebind(x, owner, atom, home) -> None:
    """Let x, which owns its memory, stand for another value; what shares the memory is read again when it is next looked at."""
    x.owner, x.atom, x.home = owner, atom, home
    _outdate(_parts(x), owner)
