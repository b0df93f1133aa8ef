"""Random numbers in torch's own order: the MT19937 generator and what torch's CPU kernels make of its words.

A generator gives 32-bit words.  A float in [0, 1) is the low 24 bits of one (float32) or the low 53 bits of two, the first one high (float64).
Normal numbers come in two ways: fewer than 16 by Box-Muller in double precision, cosine first and the sine kept for the next; 16 or more from that
many uniform ones, in blocks of which the first eight give the radius and the last eight the angle, and a ragged end is drawn again.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .modes import state

_MASK24, _MASK53 = (1 << 24) - 1, (1 << 53) - 1


def drawn(method: Callable) -> Callable:
    """A method that draws numbers. While a function is compiled they are inputs of its program, drawn before each run."""

    @functools.wraps(method)
    def draw(self: Generator, *args: Any) -> Any:
        recorder = state.drawing
        if recorder is None:
            return method(self, *args)
        state.drawing = None
        try:
            return recorder(method, self, args)
        finally:
            state.drawing = recorder

    return draw


class Generator:
    """A source of random numbers, as `torch.Generator`.

    >>> from tracejit import torch
    >>> g = torch.Generator().manual_seed(0)
    >>> torch.rand(2, generator=g)
    tensor([0.4963, 0.7682])
    """

    def __init__(self, device: Any = "cpu"):
        self.device = device
        self.manual_seed(67280421310721)

    def manual_seed(self, seed: int) -> Generator:
        """Start anew from a seed: an integer of 64 bits."""
        if not -(1 << 63) <= int(seed) < 1 << 64:
            raise RuntimeError(f"Overflow when unpacking long: the seed {seed} does not fit into 64 bits")
        self._seed = int(seed) % (1 << 64)
        self._source = np.random.MT19937()
        self._source._legacy_seeding(self._seed & 0xFFFFFFFF)
        self._kept: float | None = None
        return self

    def seed(self) -> int:
        """Start anew from a seed that the system gives, which is returned."""
        seed = int(np.random.SeedSequence().entropy) & ((1 << 53) - 1)
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed."""
        return self._seed

    def state(self) -> tuple[Any, float | None, int]:
        """All that decides what comes next."""
        return self._source.state, self._kept, self._seed

    def set(self, state: tuple[Any, float | None, int]) -> None:
        """Go on from what `state` gave."""
        self._source.state, self._kept, self._seed = state

    def get_state(self) -> Any:
        """The state as a tensor of bytes."""
        import pickle

        from .tensor import wrap

        return wrap(np.frombuffer(pickle.dumps(self.state()), np.uint8).copy())

    def set_state(self, new_state: Any) -> Generator:
        """Go on from what `get_state` gave. Raises `RuntimeError` for other tensors."""
        import pickle

        class Restricted(pickle.Unpickler):
            def find_class(self, module: str, name: str) -> Any:
                if module.split(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype", "_frombuffer", "scalar"):
                    return super().find_class(module, name)
                raise pickle.UnpicklingError(f"{module}.{name} is no part of a generator's state")

        import io

        try:
            self.set(Restricted(io.BytesIO(new_state.numpy().tobytes())).load())
        except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise RuntimeError(f"not the state of a generator: {error}") from None
        return self

    # -- words
    def words(self, n: int) -> np.ndarray:
        """The next n words of 32 bits."""
        return self._source.random_raw(n) if n else np.zeros(0, np.uint64)

    def long_words(self, n: int) -> np.ndarray:
        """The next n words of 64 bits, each made of two, the first one high."""
        pairs = self.words(2 * n).reshape(-1, 2)
        return pairs[:, 0] << np.uint64(32) | pairs[:, 1]

    # -- floats
    @drawn
    def uniform(self, n: int, dtype: np.dtype, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """n numbers in [low, high)."""
        if dtype == np.float64:
            unit = (self.long_words(n) & np.uint64(_MASK53)).astype(np.float64) * 2.0**-53
            return unit * (high - low) + low
        unit = (self.words(n) & np.uint64(_MASK24)).astype(np.float32) * np.float32(2.0**-24)
        if (low, high) == (0.0, 1.0):
            return unit.astype(dtype)
        return (unit * np.float32(high - low) + np.float32(low)).astype(dtype)

    def one_normal(self) -> float:
        """The next normal number in double precision, by Box-Muller."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            return kept
        u1, u2 = ((self.long_words(2) & np.uint64(_MASK53)).astype(np.float64) * 2.0**-53).tolist()
        r = math.sqrt(-2.0 * math.log1p(-u2))
        theta = 2.0 * math.pi * u1
        self._kept = r * math.sin(theta)
        return r * math.cos(theta)

    @drawn
    def normal(self, n: int, dtype: np.dtype, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
        """n normal numbers."""
        if n < 16:
            return np.array([self.one_normal() * std + mean for _ in range(n)], np.float64).astype(dtype)
        work = np.dtype(np.float64) if dtype == np.float64 else np.dtype(np.float32)
        flat = self.uniform(n, work)
        whole = n - n % 16
        made = np.empty(n, work)
        made[:whole] = _box_muller(flat[:whole], work, mean, std)
        if n != whole:
            made[-16:] = _box_muller(self.uniform(16, work), work, mean, std)
        return made.astype(dtype)

    # -- integers
    @drawn
    def integers(self, n: int, low: int, high: int) -> np.ndarray:
        """n integers in [low, high)."""
        extent = high - low
        words = self.long_words(n) if extent >= 1 << 32 else self.words(n)
        return (words % np.uint64(extent)).astype(np.int64) + low

    @drawn
    def permutation(self, n: int) -> np.ndarray:
        """The numbers below n in random order."""
        order = list(range(n))
        for i, word in enumerate(self.words(max(n - 1, 0)).tolist()):
            j = i + word % (n - i)
            order[i], order[j] = order[j], order[i]
        return np.array(order, np.int64)


def _box_muller(u: np.ndarray, dtype: np.dtype, mean: float, std: float) -> np.ndarray:
    blocks = u.reshape(-1, 2, 8)
    radius = np.sqrt(dtype.type(-2) * np.log(dtype.type(1) - blocks[:, 0]))
    theta = dtype.type(2 * math.pi) * blocks[:, 1]
    made = np.empty_like(blocks)
    made[:, 0], made[:, 1] = radius * np.cos(theta), radius * np.sin(theta)
    return (made * dtype.type(std) + dtype.type(mean)).reshape(-1)


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
