"""Random numbers in torch's own order: the MT19937 generator and what torch's CPU kernels make of its words.

A generator gives 32-bit words.  A float in [0, 1) is the low 24 bits of one (float32) or the low 53 bits of two, the first one high (float64).
Normal numbers come in two ways: fewer than 16 by Box-Muller in double precision, cosine first and the sine kept for the next; 16 or more from that
many uniform ones, in blocks of which the first eight give the radius and the last eight the angle, and a ragged end is drawn again.

The state of a generator lies in cells (trace/cells.py): its words in the very memory of NumPy's generator, which draws outside of compiled functions.
A compiled function goes on from that memory and leaves there how far it came, by the operations of ops/mersenne.py; both draw the same numbers.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np

from ..errors import TracejitError, at_user_line
from ..ops.mersenne import MASK53, STATE, block_normals, mersenne_normals, mersenne_words, one_normal, shuffled, tempered
from ..trace import Tracer
from ..trace.cells import Cell
from ..trace.constants import active_traces, as_proxy
from ..trace.views import assign
from .modes import state

_MASK24 = (1 << 24) - 1
_BLOCK = 16  # fewer normal numbers are drawn one after the other
_TORCHS = np.dtype(  # how torch lays out the state of a generator: its words in 64 bits each, one of them left before they are made anew
    [("seed", "u8"), ("left", "i4"), ("seeded", "i4"), ("next", "u8"), ("words", "u8", STATE - 1), ("x", "f8"), ("normal", "f8"), ("rho", "f8"),
     ("has_normal", "i4"), ("rest", "V12")]
)  # fmt: skip


class Generator:
    """A source of random numbers, as `torch.Generator`.

    >>> from tracejit import torch
    >>> g = torch.Generator().manual_seed(0)
    >>> torch.rand(2, generator=g)
    tensor([0.4963, 0.7682])
    """

    def __init__(self, device: Any = "cpu"):
        self.device = device
        self._source = np.random.MT19937(0)
        memory = (ctypes.c_uint32 * STATE).from_address(self._source.ctypes.state_address)
        self._words = Cell.holding(np.frombuffer(memory, np.uint32))
        self._kept = Cell.holding(np.array(math.nan))  # a normal number that is left over, or NaN
        self._seed = Cell.holding(np.array(0, np.uint64))
        self.manual_seed(67280421310721)

    def manual_seed(self, seed: int) -> Generator:
        """Start anew from a seed: an integer of 64 bits."""
        if not -(1 << 63) <= int(seed) < 1 << 64:
            raise RuntimeError(f"Overflow when unpacking long: the seed {seed} does not fit into 64 bits")
        seed = int(seed) % (1 << 64)
        source = np.random.MT19937(0)
        source._legacy_seeding(seed & 0xFFFFFFFF)
        fresh = source.state["state"]
        self.set((np.array([*fresh["key"], fresh["pos"]], np.uint32), np.float64(math.nan), np.uint64(seed)))
        return self

    def seed(self) -> int:
        """Start anew from a seed that the system gives, which is returned. Raises `TracejitError` in a compiled function."""
        if state.compiling is not None:
            raise TracejitError(at_user_line("seed() in a compiled function would give every run the same seed: call it outside"))
        seed = int(np.random.SeedSequence().entropy) & ((1 << 53) - 1)
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed."""
        return int(self._here(self._seed))

    def state(self) -> tuple[Any, Any, Any]:
        """All that decides what comes next: words and position, the normal number that is left over, the seed."""
        return tuple([_unchanging(self._here(cell)) for cell in (self._words, self._kept, self._seed)])

    def set(self, state: tuple[Any, Any, Any]) -> None:
        """Go on from what `state` gave."""
        for cell, value in zip((self._words, self._kept, self._seed), state):
            self._put(cell, value)

    def get_state(self) -> Any:
        """The state as a tensor of bytes, in torch's format. Raises `TracejitError` in a compiled function."""
        from .tensor import wrap

        if state.compiling is not None:
            raise TracejitError(at_user_line("the state of a generator is not known inside of a compiled function: ask for it outside"))
        words, normal, seed = self.state()
        made, position = np.zeros((), _TORCHS), int(words[-1])
        made["seed"], made["seeded"], made["words"] = seed, 1, words[:-1]
        made["next"], made["left"] = position, max(STATE - position, 1)
        if not math.isnan(normal):
            made["normal"], made["has_normal"] = normal, 1
        return wrap(np.frombuffer(made.tobytes(), np.uint8).copy())

    def set_state(self, new_state: Any) -> Generator:
        """Go on from what `get_state` gave, here or in torch. Raises `RuntimeError` for other tensors."""
        given = new_state.numpy()
        if given.dtype != np.uint8 or given.size != _TORCHS.itemsize:
            raise RuntimeError(f"not the state of a generator, which is {_TORCHS.itemsize} bytes: got {list(new_state.shape)} of {new_state.dtype}")
        kept = np.frombuffer(given.tobytes(), _TORCHS)[0]
        left, position = int(kept["left"]), int(kept["next"])
        if not (0 < left < STATE and position < STATE):
            raise RuntimeError(f"not the state of a generator: its position is {position}, of {STATE - 1} words, and {left} are left")
        words = np.array([*kept["words"], STATE - 1 if left == 1 else position]).astype(np.uint32)
        self.set((words, np.float64(kept["normal"] if kept["has_normal"] else math.nan), kept["seed"]))
        return self

    def __getstate__(self) -> tuple:
        return self.device, self.state()

    def __setstate__(self, kept: tuple) -> None:
        self.__init__(kept[0])
        self.set(kept[1])

    # -- the cells, here
    def _here(self, cell: Cell) -> Any:
        """What stands for a cell: its memory; in a compiled function a proxy, and under `vmap` that of the function around it."""
        if state.compiling is None:
            return cell._array
        return cell._in(active_traces()[: active_traces().index(state.compiling) + 1]) if state.recordings else cell.array

    def _put(self, cell: Cell, value: Any) -> None:
        here = self._here(cell)
        if type(here) is Tracer:
            assign(here, as_proxy(value))
        else:
            here[...] = value

    # -- words
    def words(self, n: int) -> Any:
        """The next n words of 32 bits."""
        here = self._here(self._words)
        if type(here) is not Tracer:
            return self._source.random_raw(n) if n else np.zeros(0, np.uint64)
        drawn, after = mersenne_words(here, count=n)
        self._put(self._words, after)
        return tempered(drawn)

    def long_words(self, n: int) -> Any:
        """The next n words of 64 bits, each made of two, the first one high."""
        pairs = self.words(2 * n).astype(np.uint64).reshape(-1, 2)
        return pairs[:, 0] << 32 | pairs[:, 1]

    # -- floats
    def uniform(self, n: int, dtype: np.dtype, low: float = 0.0, high: float = 1.0) -> Any:
        """n numbers in [low, high)."""
        if dtype == np.float64:
            unit = (self.long_words(n) & MASK53).astype(np.float64) * 2.0**-53
            return unit * (high - low) + low
        unit = (self.words(n) & _MASK24).astype(np.float32) * np.float32(2.0**-24)
        made = unit if (low, high) == (0.0, 1.0) else unit * np.float32(high - low) + np.float32(low)
        if dtype != np.float16:
            return made.astype(dtype)
        made = made.astype(dtype)
        return np.where(made == dtype.type(high), dtype.type(low), made)  # what was rounded up to the end begins anew, as in torch

    def normals_in_turn(self, n: int) -> Any:
        """n normal numbers in double precision, one after the other, by Box-Muller."""
        here, kept = self._here(self._words), self._here(self._kept)
        if type(here) is Tracer:
            drawn, after, left = mersenne_normals(here, kept, count=n)
            self._put(self._words, after)
            self._put(self._kept, left)
            return drawn
        drawn, left = np.empty(n), float(kept)
        for i in range(n):
            drawn[i], left = one_normal(self._source.random_raw(4)) if math.isnan(left) else (left, math.nan)
        kept[...] = left
        return drawn

    def normal(self, n: int, dtype: np.dtype, mean: float = 0.0, std: float = 1.0) -> Any:
        """n normal numbers."""
        if n < _BLOCK:
            return (self.normals_in_turn(n) * std + mean).astype(dtype)
        work = np.dtype(np.float64) if dtype == np.float64 else np.dtype(np.float32)
        flat = self.uniform(n - n % _BLOCK if dtype == np.float16 else n, work)  # numbers of half precision are drawn block by block
        made = block_normals(flat[: n - n % _BLOCK])
        if n % _BLOCK:
            made = np.concatenate([made[: n - _BLOCK], block_normals(self.uniform(_BLOCK, work))])
        return (made * work.type(std) + work.type(mean)).astype(dtype)

    # -- integers
    def integers(self, n: int, low: int, high: int) -> Any:
        """n integers in [low, high)."""
        extent = high - low
        words = self.long_words(n) if extent >= 1 << 32 else self.words(n)
        return (words % extent).astype(np.int64) + low

    def permutation(self, n: int) -> Any:
        """The numbers below n in random order."""
        return shuffled(self.words(max(n - 1, 0)).astype(np.uint32))[:n]


def _unchanging(array: Any) -> Any:
    return Tracer(array.owner, array.atom) if type(array) is Tracer else array.copy()


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start torch's random stream anew from a seed.

    >>> from tracejit import torch
    >>> torch.manual_seed(0) is torch.default_generator
    True
    >>> torch.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the stream anew from a seed that the system gives."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the stream."""
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """The state of the stream as a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Go on from what `get_rng_state` gave."""
    default_generator.set_state(new_state)


class fork_rng:
    """What is drawn inside is as if it had not been: the stream goes on outside from where it was."""

    def __init__(self, devices: Any = None, enabled: bool = True):
        self._enabled = enabled

    def __enter__(self) -> None:
        self._state = default_generator.state()

    def __exit__(self, *exception: Any) -> None:
        if self._enabled:
            default_generator.set(self._state)
