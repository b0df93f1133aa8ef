"""Drawing again until accepted: a loop over whole blocks of elements, in which those that are accepted keep their value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..api.control import scan, while_loop
from ..ops.elementwise import logical_not, logical_or, select
from ..ops.movement import reshape
from ..ops.random_bits import WORD, counters
from ..ops.reduction import reduce_all
from ..trace import type_of
from .keys import fold_in

BLOCK = 1 << 10
"""Elements that are drawn together until all are accepted.  A loop over all elements at once is bound by memory, and turns until the last of them is
accepted.  It is part of what the stream is: each block has a key of its own."""

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

    def block(_, row):
        number, *rows = row
        return None, draw(fold_in(key, number), *place(rows), shape=(BLOCK,))

    end = whole * BLOCK
    rows = [reshape(x[:end], shape=(whole, BLOCK)) for x in several]
    found = reshape(scan(block, None, (counters(key, whole), *rows))[1], shape=(end,))
    if rest:
        last = draw(fold_in(key, whole), *place([x[end:] for x in several]), shape=(rest,))
        found = np.concatenate([found, last])
    return reshape(found, shape=shape)


