"""The generator MT19937 and what torch makes of its words: draws that go on from a state, which is an array.

    mersenne_words(state, count)            count words of 32 bits as they stand in the state, and the state after them
    mersenne_normals(state, kept, count)    normal numbers one after the other, the state after them, and what is kept for the next
    block_normals(u)                        normal numbers from that many uniform ones, 8 and 8
    shuffled(words)                         the numbers 0 .. len(words) in random order

The state is `STATE` numbers of type uint32: the 624 words of the recurrence and the position of the next one, as they lie in the memory of NumPy's
generator. A word that stands in the state is `tempered` before it is used, by elementwise operations, which fuse with what reads the word.

Source: Matsumoto and Nishimura, "Mersenne twister: a 623-dimensionally equidistributed uniform pseudo-random number generator" (1998).  Normal
numbers: Box and Muller (1958), in the order and the precisions of torch's CPU kernels.  Random order: Durstenfeld (1964).
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import at_user_line
from ..ir import ArrayType
from ..ir.types import FLOAT, INT
from .core import define
from .lanes import one_by_one

WORD = np.dtype(np.uint32)
LENGTH, AHEAD = 624, 397
STATE = LENGTH + 1
UPPER, LOWER, TWIST = 0x80000000, 0x7FFFFFFF, 0x9908B0DF
MASK53 = (1 << 53) - 1
ROW = 8  # of a block of normal numbers: this many radii, then this many angles


def _no_jvp(primals, outs, tangents, **params):
    return [None] * len(outs) if isinstance(outs, (list, tuple)) else None


def _check_state(name: str, state: ArrayType) -> None:
    if state.shape != (STATE,) or state.dtype != WORD:
        raise TypeError(at_user_line(f"{name} needs the {STATE} numbers of a generator's state, of dtype uint32, got {state}"))


# -- mersenne_words
def refilled(key: np.ndarray) -> np.ndarray:
    """The next 624 words of the recurrence x[i + 624] = x[i + 397] ^ twist(upper bit of x[i], lower bits of x[i + 1])."""
    line = np.concatenate([key, np.empty(LENGTH, WORD)])
    reach = LENGTH - AHEAD  # so many at a time read nothing that is made at the same time
    for start in range(0, LENGTH, reach):
        i = np.arange(start, min(start + reach, LENGTH))
        mixed = line[i] & WORD.type(UPPER) | line[i + 1] & WORD.type(LOWER)
        line[i + LENGTH] = line[i + AHEAD] ^ mixed >> WORD.type(1) ^ (mixed & WORD.type(1)) * WORD.type(TWIST)
    return line[LENGTH:]


def _run_words(xp, state, count):
    state = np.array(state)
    key, position, found = state[:LENGTH], int(state[LENGTH]), [np.empty(0, WORD)]
    while count:
        if position >= LENGTH:
            key[:], position = refilled(key), 0
        found.append(key[position : position + count].copy())
        position, count = position + len(found[-1]), count - len(found[-1])
    state[LENGTH] = position
    return np.concatenate(found), state


def _infer_words(state, count):
    _check_state("mersenne_words", state)
    return ArrayType((count,), WORD), state.strong


mersenne_words = define("mersenne_words", infer=_infer_words, run=_run_words, jvp=_no_jvp, multiple=True, dear=True, kind="mersenne",
                        batch=lambda args, batched, count: one_by_one(mersenne_words, args, batched, {"count": count}))  # fmt: skip


def tempered(word):
    """The bits of words that are used, on arrays and proxies of dtype uint32."""
    word = word ^ word >> 11
    word = word ^ word << 7 & 0x9D2C5680
    word = word ^ word << 15 & 0xEFC60000
    return word ^ word >> 18


# -- mersenne_normals: `kept` is NaN where no number is kept
def one_normal(words) -> tuple[float, float]:
    """Two normal numbers in double precision from four tempered words, by Box and Muller: the cosine, then the sine."""
    a, b, c, d = (int(w) for w in words)
    u1, u2 = (((high << 32 | low) & MASK53) * 2.0**-53 for high, low in ((a, b), (c, d)))
    radius, angle = math.sqrt(-2.0 * math.log1p(-u2)), 2.0 * math.pi * u1
    return radius * math.cos(angle), radius * math.sin(angle)


def _run_normals(xp, state, kept, count):
    found, kept = np.empty(count), float(kept)
    for i in range(count):
        if math.isnan(kept):
            words, state = _run_words(xp, state, 4)
            found[i], kept = one_normal(tempered(words))
        else:
            found[i], kept = kept, math.nan
    return found, np.array(state), np.float64(kept)


def _infer_normals(state, kept, count):
    _check_state("mersenne_normals", state)
    if kept.shape != () or kept.dtype != FLOAT:
        raise TypeError(at_user_line(f"mersenne_normals keeps one number of dtype float64, got {kept}"))
    return ArrayType((count,), FLOAT), state.strong, kept.strong


mersenne_normals = define("mersenne_normals", infer=_infer_normals, run=_run_normals, jvp=_no_jvp, multiple=True, dear=True, kind="mersenne",
                          batch=lambda args, batched, count: one_by_one(mersenne_normals, args, batched, {"count": count}))  # fmt: skip


# -- block_normals: in every 16 numbers 8 give the radius and 8 the angle; cosines come first
def _run_block_normals(xp, u):
    blocks = np.asarray(u).reshape(-1, 2, ROW)
    number = blocks.dtype.type
    radius = np.sqrt(number(-2) * np.log(number(1) - blocks[:, 0]))
    angle = number(2 * math.pi) * blocks[:, 1]
    made = np.empty_like(blocks)
    made[:, 0], made[:, 1] = radius * np.cos(angle), radius * np.sin(angle)
    return made.reshape(-1)


def _infer_block_normals(u):
    if u.ndim != 1 or u.shape[0] % (2 * ROW) or u.dtype.name not in ("float32", "float64"):
        raise TypeError(at_user_line(f"block_normals needs a multiple of {2 * ROW} numbers in a row, of dtype float32 or float64, got {u}"))
    return u.strong


block_normals = define("block_normals", infer=_infer_block_normals, run=_run_block_normals, jvp=_no_jvp, dear=True, kind="mersenne",
                       batch=lambda args, batched: block_normals(args[0].reshape(-1)).reshape(args[0].shape))  # fmt: skip


# -- shuffled
def _run_shuffled(xp, words):
    order, n = list(range(len(words) + 1)), len(words) + 1
    for i, word in enumerate(np.asarray(words).tolist()):
        j = i + word % (n - i)
        order[i], order[j] = order[j], order[i]
    return np.array(order, INT)


def _infer_shuffled(words):
    if words.ndim != 1 or words.dtype != WORD:
        raise TypeError(at_user_line(f"shuffled needs a row of words of dtype uint32, got {words}"))
    return ArrayType((words.shape[0] + 1,), INT)


shuffled = define("shuffled", infer=_infer_shuffled, run=_run_shuffled, jvp=_no_jvp, dear=True, kind="mersenne",
                  batch=lambda args, batched: one_by_one(_shuffled_row, args, batched, {})[0])  # fmt: skip


def _shuffled_row(words):
    return (shuffled(words),)
