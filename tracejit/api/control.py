"""Loops and branches that stay loops and branches: `cond`, `switch`, `while_loop`, `fori_loop`, `scan`, `map`, `associative_scan`."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import tree
from ..errors import at_user_line, user_source
from ..ir import ArrayType
from ..ops.binomial_scan import binomial_scan
from ..ops.bodies import same_captures
from ..ops.callback import anchored
from ..ops.elementwise import convert
from ..ops.scan import counted
from ..ops.scan import scan as scan_op
from ..ops.switch import switch as switch_op
from ..ops.while_loop import Limit
from ..ops.while_loop import while_loop as while_op
from ..trace import Tracer, type_of
from .branch_types import agreed
from .checkpointing import checkpoint
from .recording import argument_paths, as_value, check_leaves, defined_at, name_of, record, require_callable
from .states import carried


def _body(f: Callable, what: str, types: Sequence[ArrayType], structure: tree.Structure):
    return record(f, f"{what} of {name_of(f)}", types, structure, concrete=False, keep_cells=True)


def _settle(what: str, f: Callable, init: Any, run: Callable[[Sequence[ArrayType]], tuple[Sequence[ArrayType], tree.Structure]]) -> list[Any]:
    """The initial state in the dtypes that a turn of the loop leaves unchanged.

    `run(types)` traces the body and tells types and structure of the new state. Python numbers take the dtype that the body gives them; others are
    promoted. Raises `TypeError` with the path of a leaf whose structure or shape changes, or whose dtype does not settle.
    """
    flat, structure = tree.flatten(init)
    check_leaves(flat, lambda: argument_paths((init,)), f, what)
    values = [as_value(x) for x in flat]
    weak = [type_of(x).weak for x in flat]
    for _ in range(4):
        types = [type_of(v)._replace(weak=w) for v, w in zip(values, weak)]
        out, out_structure = run(types)
        if out_structure != structure:
            _same_structure(what, f"the result of the body {defined_at(f)}", _example(out_structure, out), "the state", init)
        changed = False
        for i, (have, new) in enumerate(zip(types, out)):
            if have.shape != new.shape:
                raise TypeError(
                    at_user_line(
                        f"{what}: the body {defined_at(f)} changes the state{tree.paths(init)[i]} from {have} to {new.strong}; "
                        "a loop's state keeps its shape"
                    )
                )
            if have.dtype != new.dtype:
                dtype = new.dtype if weak[i] else np.result_type(have.dtype, new.dtype)
                changed |= dtype != have.dtype
                values[i], weak[i] = convert(values[i], dtype=dtype), False
        if not changed:
            return values
    raise TypeError(at_user_line(f"{what}: the dtypes of the state do not settle: the body {defined_at(f)} promotes them again at each turn"))


def _same_structure(what: str, name: str, made: Any, model_name: str, model: Any) -> None:
    """Raises `TypeError` with the path where the tree `made` differs in structure from `model`."""
    try:
        tree.check_same_structure(model_name, model, name, made)
    except ValueError as difference:
        raise TypeError(at_user_line(f"{what}: {difference}")) from None


def _example(structure: tree.Structure, types: Sequence[ArrayType]) -> Any:
    """A tree of this structure; its leaves have the first of the types."""
    return structure.unflatten([np.zeros(t.shape, t.dtype) for t in types[: structure.num_leaves]])


def _whole_number(what: str, name: str, n: Any, least: int) -> int:
    """A number of turns and the like, known while tracing. Raises `TypeError` for anything else, `ValueError` below `least`."""
    if isinstance(n, (bool, np.bool_)) or not isinstance(n, (int, np.integer, Tracer)) or type(n) is Tracer and n.dtype.kind not in "iu":
        raise TypeError(at_user_line(f"{what}: {name} is a whole number, got {n!r}"))
    n = int(n)
    if n < least:
        raise ValueError(at_user_line(f"{what}: {name} is at least {least}, got {n}"))
    return n


def _as_types(result: Any, wanted: Sequence[ArrayType]) -> Any:
    """A body's result with its leaves in the dtypes of the state."""
    flat, structure = tree.flatten(result)
    return structure.unflatten([convert(as_value(x), dtype=t.dtype) if type_of(x).dtype != t.dtype else x for x, t in zip(flat, wanted)])


# ----------------------------------------------------------------------------------------------------------------------------- branches
def switch(index: Any, branches: Sequence[Callable], *operands: Any) -> Any:
    """`branches[index](*operands)`, where the index may be traced; one outside is moved to the nearer end.

    All branches are traced and must return trees of equal structure, shapes and dtypes; only the chosen one is computed, also in derivatives.
    Where the index is known already, the chosen branch is simply called; the others are traced for the types that they return, once.
    Raises `TypeError` where the branches differ.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(lambda i, x: tj.switch(i, [np.sin, np.cos], x))(1, 0.0)
    np.float64(1.0)
    """
    branches = list(branches)
    if not branches:
        raise ValueError(at_user_line("switch needs at least one branch"))
    for f in branches:
        require_callable(f, "switch")
    return _choose("switch", index, branches, operands)


def cond(pred: Any, true_fun: Callable, false_fun: Callable, *operands: Any) -> Any:
    """`true_fun(*operands)` where `pred` holds, else `false_fun(*operands)`; `pred` is one bool that may be traced. As `switch` with two branches.

    >>> import tracejit as tj
    >>> tj.jit(lambda x: tj.cond(x > 0, lambda x: x, lambda x: -x, x))(-2.0)
    np.float64(2.0)
    """
    require_callable(true_fun, "cond")
    require_callable(false_fun, "cond")
    try:
        type_ = type_of(pred)
    except TypeError:
        raise TypeError(at_user_line(f"cond: the condition must be one bool, got {pred!r}")) from None
    if type_.shape != ():
        raise TypeError(at_user_line(f"cond: the condition must be one bool, got {type_}: use np.where to choose element by element"))
    if type_.dtype.kind in "fc":
        raise TypeError(at_user_line(f"cond: the condition must be one bool, got {type_}: compare it (`x > 0`). NaN is neither true nor false"))
    return _choose("cond", pred != 0 if type_.dtype != bool else pred, [false_fun, true_fun], operands)


def _choose(what: str, index: Any, branches: Sequence[Callable], operands: tuple) -> Any:
    if type(index) is not Tracer:  # decided already: an ordinary call
        if type_of(index).shape or type_of(index).dtype.kind not in "biu":
            raise TypeError(at_user_line(f"{what}: the index must be one integer, got {type_of(index)}"))
        chosen = min(max(int(index), 0), len(branches) - 1)
        return agreed(what, branches, chosen, branches[chosen](*operands), operands)
    if index.dtype.kind not in "biu" or index.shape:
        raise TypeError(at_user_line(f"{what}: the index must be one integer, got {index.type}"))
    flat, structure = tree.flatten(operands)
    types = check_leaves(flat, lambda: argument_paths(operands), branches[0], what)
    made = [_body(f, what, types, structure) for f in branches]
    first = made[0]
    for other, f in zip(made[1:], branches[1:]):
        if other.structure != first.structure:
            theirs, ours = (_example(m.structure, m.graph.out_types) for m in (other, first))
            differ = f"{what}: the branches return trees of different structure"
            _same_structure(differ, f"the result of {defined_at(f)}", theirs, f"that of {defined_at(branches[0])}", ours)
    count = first.structure.num_leaves
    wanted = [ArrayType(ts[0].shape, np.result_type(*[t.dtype for t in ts])) for ts in zip(*[m.graph.out_types[:count] for m in made])]
    for m, f in zip(made, branches):
        for i, (t, w) in enumerate(zip(m.graph.out_types, wanted)):
            if t.shape != w.shape:
                path = tree.paths(first.structure.unflatten(range(len(wanted))))[i]
                both = f"{defined_at(branches[0])} {w.shape}, {defined_at(f)} {t.shape}"
                raise TypeError(at_user_line(f"{what}: the branches return different shapes{path and f' at {path}'}: {both}"))
    if any(t.dtype != w.dtype for m in made for t, w in zip(m.graph.out_types, wanted)):
        made = [_body(lambda *a, f=f: _as_types(f(*a), wanted), what, types, structure) for f in branches]
    cells = list(dict.fromkeys(cell for m in made for cell in m.cells.written))
    bodies = [carried(m, len(flat), count, cells) for m in made]
    graphs, outside = same_captures([(b.captures_last(), b.consts) for b in bodies])
    number = convert(index, dtype=np.dtype(np.int64))
    operands_now = anchored(graphs, [number, *builtins.map(as_value, flat), *(cell.read() for cell in cells)])
    results = switch_op(*operands_now, *outside, branches=graphs)
    for cell, new in zip(cells, results[count:]):
        cell.write(new)
    return first.structure.unflatten(results[:count])


# -------------------------------------------------------------------------------------------------------------------------------- loops
def scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int = 1,
    checkpoint_every: int | str | None = None,
    checkpoints: int | None = None,
) -> tuple[Any, Any]:
    """Run `state, y = f(state, x)` over the leading axis of `xs`; returns the last state and the stacked ys.

    `init` and `xs` are trees; every leaf of `xs` has the same number of elements along its first axis, which is `length` (needed where `xs` is None:
    then x is None).
    The state keeps its structure and shapes; its dtypes are promoted until they settle.  `reverse` runs from the last element to the first, and ys
    stay in the order of xs.
    `unroll` turns are written out one after the other in each turn of the compiled loop.

    Reverse mode keeps what each turn's derivative reads: n rows for n turns. With `checkpoint_every=k` it keeps the state before every k turns, and
    runs k turns again at a time on the way back: n / k states and k rows at once, for one more run forwards; k near the square root of n takes
    least. With `checkpoint_every="binomial"` it keeps `checkpoints=c` states (by default about log2 n) and one turn's row, and runs each turn
    again at most r times, where r is the least number with C(c + r, c) >= n. xs and the cotangents of ys are whole either way.
    Raises `TypeError` with the path of the leaf of the state that changes shape, `ValueError` where lengths differ.

    >>> import numpy as np, tracejit as tj
    >>> tj.scan(lambda total, x: (total + x, total), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 1., 3.]))
    """
    require_callable(f, "scan")
    flat_xs, xs_structure = tree.flatten(xs)
    check_leaves(flat_xs, lambda: [f"xs{path}" for path in tree.paths(xs)], f, "scan")
    length = None if length is None else _whole_number("scan", "length", length, 0)
    unroll = _whole_number("scan", "unroll", unroll, 1)
    rows = [counted(as_value(x)) for x in flat_xs]
    for i, x in enumerate(rows):
        shape = type_of(x).shape
        if not shape or length is not None and shape[0] != length:
            wanted = f"{length} elements along the first axis" if shape else "at least one axis"
            raise ValueError(at_user_line(f"scan: xs{tree.paths(xs)[i]} has shape {shape}, expected {wanted}"))
        length = shape[0]
    if length is None:
        raise ValueError(at_user_line("scan: without xs the number of turns must be given as `length=`"))
    slots = _checkpoints("scan", checkpoint_every, checkpoints, length)
    if slots is None and checkpoint_every is not None and length > checkpoint_every:
        return _in_blocks(f, init, xs, length, reverse, checkpoint_every, checkpoint(lambda s, x: scan(f, s, x, checkpoint_every, reverse, unroll)))
    if unroll > 1 and length >= unroll:
        return _in_blocks(f, init, xs, length, reverse, unroll, _unrolled(f, unroll, reverse), slots)
    row_types = [type_of(x)._replace(shape=type_of(x).shape[1:]) for x in rows]
    structure = tree.structure((init, xs))
    made: list[Any] = [None]
    count = len(tree.leaves(init))
    state_structure = tree.structure(init)

    def run(types, wanted=None):
        function = f if wanted is None else lambda s, x: _first_as_types(f(s, x), wanted)
        made[0] = _body(function, "scan", [*types, *row_types], structure)
        split = _state_and_rows(made[0], f)
        return made[0].graph.out_types[: split[1]], split[0]

    values = _settle("scan", f, init, run)
    types = [type_of(v).strong for v in values]
    if [t.strong for t in made[0].graph.out_types[:count]] != types:
        run(types, types)
    recording = made[0]
    cells = recording.cells.written
    body = carried(recording, count, count, cells)
    loop = scan_op if slots is None else partial(binomial_scan, slots=slots)
    results = loop(
        *body.consts,
        *anchored([body.graph], [*values, *(cell.read() for cell in cells), *rows]),
        body=body.graph,
        consts=len(body.consts),
        carry=count + len(cells),
        length=length,
        reverse=reverse,
    )
    _, ys_structure = recording.structure.children()
    ys = count + len(cells)
    recording.cells.write(results[count:ys])
    return state_structure.unflatten(results[:count]), ys_structure.unflatten(results[ys:])


def _first_as_types(pair: Any, wanted: Sequence[ArrayType]) -> Any:
    state, y = pair
    return _as_types(state, wanted), y


def _state_and_rows(recording, f: Callable) -> tuple[tree.Structure, int]:
    """Structure and number of leaves of the state that a scan's body returns."""
    if recording.structure.type is not tuple or len(recording.structure.children()) != 2:
        raise TypeError(at_user_line(f"scan: {defined_at(f)} must return a pair (state, y), got {recording.structure}"))
    state = recording.structure.children()[0]
    return state, state.num_leaves


def _checkpoints(what: str, every: int | str | None, count: int | None, length: int) -> int | None:
    """How many states binomial checkpointing keeps, where it is asked for. Raises where the options do not fit together."""
    if every == "binomial" or every is None and count is not None:
        count = max(1, (length - 1).bit_length()) if count is None else count
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise TypeError(at_user_line(f"{what}: checkpoints is a number of states to keep, at least 1, got {count!r}"))
        return int(count)
    if count is not None:
        raise TypeError(at_user_line(f'{what}: checkpoints={count!r} goes with checkpoint_every="binomial", not with {every!r}'))
    if every is not None and (isinstance(every, bool) or not isinstance(every, (int, np.integer)) or every < 1):
        raise TypeError(at_user_line(f'{what}: checkpoint_every is a number of turns, at least 1, or "binomial", got {every!r}'))
    return None


def _unrolled(f: Callable, unroll: int, reverse: bool) -> Callable:
    """The body of a scan for several turns, written out one after the other."""

    def several(state, block):
        ys = []
        for k in reversed(range(unroll)) if reverse else range(unroll):
            state, y = f(state, tree.map(lambda x, k=k: x[k], block))
            ys.append(y)
        if reverse:
            ys.reverse()
        return state, tree.map(lambda *y: np.stack(y), *ys)

    return several


def _in_blocks(
    f: Callable, init: Any, xs: Any, length: int, reverse: bool, size: int, several: Callable, slots: int | None = None
) -> tuple[Any, Any]:
    """A scan in which each turn does `size` turns by `several(state, block)`; the turns that are left over follow one by one."""
    whole = length // size * size
    first, rest = (slice(0, whole), slice(whole, length)) if not reverse else (slice(length - whole, length), slice(0, length - whole))
    blocks = tree.map(lambda x: np.reshape(x[first], (whole // size, size, *type_of(x).shape[1:])), xs)
    state, ys = scan(several, init, blocks, whole // size, reverse, checkpoints=slots)
    ys = tree.map(lambda y: np.reshape(y, (whole, *type_of(y).shape[2:])), ys)
    if whole == length:
        return state, ys
    state, tail = scan(f, state, tree.map(lambda x: x[rest], xs), length - whole, reverse)
    join = (lambda a, b: np.concatenate([b, a])) if reverse else (lambda a, b: np.concatenate([a, b]))
    return state, tree.map(join, ys, tail)


def while_loop(cond_fun: Callable, body_fun: Callable, init: Any, max_steps: int | None = None) -> Any:
    """`while cond_fun(state): state = body_fun(state)`, where the state is a tree of arrays that may be traced; returns the last state.

    Forward mode, reverse mode and `vmap` work at any number of turns. Reverse mode runs the loop with what the way back needs on a tape, which
    grows with the turns: `print_saved_residuals` tells how much a turn takes.
    `max_steps` is for loops that might not end: `RuntimeError` where more turns are needed.
    Raises `TypeError` with the path of a leaf of the state that changes shape, or where the condition is not one bool.

    >>> import tracejit as tj
    >>> tj.while_loop(lambda x: x < 100.0, lambda x: 2.0 * x, 3.0)
    np.float64(192.0)
    """
    require_callable(cond_fun, "while_loop")
    require_callable(body_fun, "while_loop")
    structure = tree.structure((init,))
    made: list[Any] = [None]

    def run(types, wanted=None):
        function = body_fun if wanted is None else lambda s: _as_types(body_fun(s), wanted)
        made[0] = _body(function, "while_loop", types, structure)
        return made[0].graph.out_types[: made[0].structure.num_leaves], made[0].structure

    values = _settle("while_loop", body_fun, init, run)
    types = [type_of(v).strong for v in values]
    if [t.strong for t in made[0].graph.out_types[: len(types)]] != types:
        run(types, types)
    tested = record(cond_fun, f"condition {name_of(cond_fun)} of a while_loop", types, structure, made[0].cells.written, concrete=False)
    if len(tested.graph.outputs) != 1 or tested.graph.out_types[0].shape or tested.graph.out_types[0].dtype != bool:
        raise TypeError(
            at_user_line(f"while_loop: {defined_at(cond_fun)} must return one bool, got {', '.join(builtins.map(str, tested.graph.out_types))}")
        )

    count, cells = len(values), made[0].cells.written
    condition, body = carried(tested, count, 1, cells).with_outputs(1), carried(made[0], count, count, cells)
    state = anchored([condition.graph, body.graph], [*values, *(cell.read() for cell in cells)])
    numbers = {"cond_consts": len(condition.consts), "body_consts": len(body.consts), "limit": _limit("while_loop", max_steps)}
    results = while_op(*condition.consts, *body.consts, *state, cond=condition.graph, body=body.graph, **numbers)
    made[0].cells.write(results[count:])
    return tree.structure(init).unflatten(results[:count])


def _limit(what: str, max_steps: int | None) -> Limit | None:
    if max_steps is None:
        return None
    if isinstance(max_steps, bool) or not isinstance(max_steps, (int, np.integer)) or max_steps < 0:
        raise TypeError(at_user_line(f"{what}: max_steps is a number of turns that is known while tracing, got {max_steps!r}"))
    return Limit(int(max_steps), str(user_source() or ""))


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable,
    init: Any,
    max_steps: int | None = None,
    checkpoint_every: int | str | None = None,
    checkpoints: int | None = None,
) -> Any:
    """`for i in range(lower, upper): state = body_fun(i, state)`; returns the last state.

    The bounds may be traced: then it is a `while_loop`, and `max_steps` has the meaning that it has there. `checkpoint_every` and `checkpoints` have
    the meaning that they have for `scan`, and need bounds that are known.

    >>> import tracejit as tj
    >>> tj.fori_loop(0, 5, lambda i, total: total + i, 0)
    np.int64(10)
    """
    require_callable(body_fun, "fori_loop")
    for bound in (lower, upper):
        if type_of(bound).shape or type_of(bound).dtype.kind not in "biu":
            raise TypeError(at_user_line(f"fori_loop: the bounds are integers, got {type_of(bound)}"))
    if type(lower) is not Tracer and type(upper) is not Tracer:
        count = max(0, int(upper) - int(lower))
        turns = np.arange(int(lower), int(lower) + count)
        return scan(lambda state, i: (body_fun(i, state), None), init, turns, checkpoint_every=checkpoint_every, checkpoints=checkpoints)[0]
    if checkpoint_every is not None or checkpoints is not None:
        raise TypeError(at_user_line("fori_loop: checkpoints need bounds that are known while tracing"))
    first = convert(as_value(lower), dtype=np.dtype(np.int64))
    last = while_loop(lambda s: s[0] < upper, lambda s: (s[0] + 1, body_fun(s[0], s[1])), (first, init), max_steps)
    return last[1]


def map(f: Callable, xs: Any, batch_size: int | None = None) -> Any:
    """`f` of each element along the leading axis of the tree `xs`, one after the other, or `batch_size` at a time by `vmap`; the results stacked.

    >>> import numpy as np, tracejit as tj
    >>> tj.map(lambda x: x * x, np.arange(3.0))
    array([0., 1., 4.])
    """
    require_callable(f, "map")
    n = _common_length("map", xs, 0)
    if batch_size is None:
        return scan(lambda _, x: (None, f(x)), None, xs)[1]
    from .vectorization import vmap

    batch_size = _whole_number("map", "batch_size", batch_size, 1)
    whole = n // batch_size * batch_size
    blocks = tree.map(lambda x: np.reshape(x[:whole], (whole // batch_size, batch_size, *type_of(x).shape[1:])), xs)
    ys = tree.map(lambda y: np.reshape(y, (whole, *type_of(y).shape[2:])), scan(lambda _, x: (None, vmap(f)(x)), None, blocks)[1])
    if whole == n:
        return ys
    return tree.map(lambda a, b: np.concatenate([a, b]), ys, vmap(f)(tree.map(lambda x: x[whole:], xs)))


def _common_length(what: str, xs: Any, axis: int) -> int:
    """The number of elements along an axis, the same in every leaf. Raises `ValueError` with the path of a leaf that does not fit."""
    length = None
    for x, path in zip(tree.leaves(xs), tree.paths(xs)):
        shape = type_of(x).shape
        if not -len(shape) <= axis < len(shape):
            raise ValueError(at_user_line(f"{what}: xs{path} has shape {shape}, and no axis {axis}"))
        length = shape[axis] if length is None else length
        if shape[axis] != length:
            raise ValueError(at_user_line(f"{what}: xs{path} has shape {shape}, expected {length} elements along axis {axis}"))
    if length is None:
        raise ValueError(at_user_line(f"{what}: xs holds no array"))
    return length


def _require_alike(f: Callable, combined: Any, xs: Any, n: int) -> None:
    """Raises `TypeError` where what `f` makes of two slices of n elements is no such slice."""
    _same_structure("associative_scan", f"the result of {defined_at(f)}", combined, "xs", xs)
    for c, x, path in zip(tree.leaves(combined), tree.leaves(xs), tree.paths(xs)):
        wanted = (n, *type_of(x).shape[1:])
        if type_of(c).shape != wanted:
            said = f"shape {type_of(c).shape}, expected {wanted}: it combines whole slices, element by element along axis 0"
            raise TypeError(at_user_line(f"associative_scan: the result of {defined_at(f)}{path} has {said}"))


def associative_scan(f: Callable, xs: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All prefixes of `xs` combined by the associative `f(a, b)`, which works on whole slices at once: log2(n) rounds.

    >>> import numpy as np, tracejit as tj
    >>> tj.associative_scan(np.add, np.array([1.0, 2.0, 3.0, 4.0]))
    array([ 1.,  3.,  6., 10.])
    """
    require_callable(f, "associative_scan")
    n = _common_length("associative_scan", xs, axis)
    xs = tree.map(lambda x: np.moveaxis(x, axis, 0), xs)
    if reverse:
        xs = tree.map(lambda x: x[::-1], xs)
    step = 1
    while step < n:  # Hillis and Steele (1986): after round k each element holds the combination of the 2^k before it
        combined = f(tree.map(lambda x, s=step: x[:-s], xs), tree.map(lambda x, s=step: x[s:], xs))
        _require_alike(f, combined, xs, n - step)
        xs = tree.map(lambda x, c, s=step: np.concatenate([x[:s], c]), xs, combined)
        step *= 2
    if reverse:
        xs = tree.map(lambda x: x[::-1], xs)
    return tree.map(lambda x: np.moveaxis(x, 0, axis), xs)
