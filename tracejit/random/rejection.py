"""Drawing again until accepted: a loop over whole blocks of elements, in which those that are accepted keep their value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..api.control import scan, while_loop
from ..api.vectorization import vmap
from ..ops.elementwise import logical_not, logical_or, select
from ..ops.movement import reshape
from ..ops.random_bits import WORD, counters
from ..ops.reduction import reduce_all
from ..trace import Tracer, type_of
from .keys import fold_in

BLOCK = 64
"""Elements that are drawn together until all are accepted: so few that most blocks need few turns, and enough to pay for a loop.  Of 10^6 elements,
gamma and binomial numbers take 36 and 99 ms in blocks of 64, 47 and 142 ms in blocks of 1024.  It is part of what the stream is: each block has a key
of its own."""

Propose = Callable[..., tuple[Any, Any]]


def until_accepted(key: Any, propose: Propose, parameters: Sequence[Any], shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """An array of what `propose(key, *parameters, shape=, dtype=)` gives, candidates and whether they are accepted, where they first are.

    Parameters have the shape of the result or none at all; a candidate depends on the parameters in its own place.
    """
    return in_blocks(key, lambda k, *ps, shape: _until(k, propose, ps, shape, dtype), parameters, shape, dtype)


def _until(key: Any, propose: Propose, parameters: Sequence[Any], shape: tuple[int, ...], dtype: np.dtype) -> Any:
    def turn(state):
        n, value, done = state
        candidate, accepted = propose(fold_in(key, n), *parameters, shape=shape, dtype=dtype)
        return n + WORD.type(1), select(done, value, candidate), logical_or(done, accepted)

    start = WORD.type(0), np.zeros(shape, dtype)[()], np.zeros(shape, bool)[()]
    axes = tuple(range(len(shape)))
    return while_loop(lambda state: logical_not(reduce_all(state[2], axes=axes)), turn, start)[1]


def in_blocks(key: Any, draw: Callable[..., Any], parameters: Sequence[Any], shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """`draw(key, *parameters, shape=)` for each block of the flattened result, with a key for each; a small result is one block."""
    size = math.prod(shape)
    if size <= BLOCK:
        return draw(key, *parameters, shape=shape)
    whole, rest = divmod(size, BLOCK)
    flat = [x if type_of(x).shape == () else reshape(x, shape=(size,)) for x in parameters]
    single = [x for x in flat if type_of(x).shape == ()]
    several = [x for x in flat if type_of(x).shape]

    def place(rows):
        rows, numbers = iter(rows), iter(single)
        return [next(numbers) if type_of(x).shape == () else next(rows) for x in flat]

    def block(number, *rows):
        return draw(fold_in(key, number), *place(rows), shape=(BLOCK,))

    end = whole * BLOCK
    rows = [counters(key, whole), *[reshape(x[:end], shape=(whole, BLOCK)) for x in several]]
    if any(type(x) is Tracer for x in (key, *parameters)):
        found = scan(lambda _, row: (None, block(*row)), None, tuple(rows))[1]
    else:  # interpreted: all blocks at once
        found = vmap(block)(*rows)
    found = reshape(found, shape=(end,))
    if rest:
        last = draw(fold_in(key, whole), *place([x[end:] for x in several]), shape=(rest,))
        found = np.concatenate([found, last])
    return reshape(found, shape=shape)


