"""The rows of `cases` for random numbers. Random bits have keys and counters of 64 bits, whatever dtype the grid asks for."""

from __future__ import annotations

import numpy as np

from tracejit.ops import core, mersenne
from tracejit.ops import gamma_path as _gamma_path  # noqa: F401  (defines its op)
from tracejit.ops import random_bits as _random_bits  # noqa: F401

from .cases import PAIRS, Case, array, rows


def _words(*shapes):
    return lambda rng, dtype: tuple(rng.integers(0, 1 << 64, shape, np.uint64)[()] for shape in shapes)


rows["random_bits"] = [Case(core.by_name["random_bits"], _words(*s), note=" ".join(map(str, s))) for s in PAIRS]


def _paths(*shapes):
    def make(rng, dtype):
        return array(rng, dtype, shapes[0], 0.3, 4.0), array(rng, dtype, shapes[1], -2.0, 2.0)

    return make


# The derivative is that of a distribution function, not of `run`, so differences say nothing: see tests/random/test_gamma.py.
rows["gamma_path"] = [Case(core.by_name["gamma_path"], _paths(*s), smooth=False, note=" ".join(map(str, s))) for s in PAIRS]


# -- MT19937: the position of a state is where it may stand in a generator. The grid's dtypes play no role, and draws have no derivatives.
def _state(rng, position):
    return np.append(rng.integers(0, 1 << 32, mersenne.LENGTH, np.uint32), np.uint32(position))


def _draw(name, make, **params):
    return Case(core.by_name[name], lambda rng, dtype: make(rng), params, smooth=False)


rows["mersenne_words"] = [_draw("mersenne_words", lambda rng, p=p: (_state(rng, p),), count=n) for p, n in ((624, 5), (620, 9), (3, 0), (0, 1300))]
rows["mersenne_normals"] = [
    _draw("mersenne_normals", lambda rng, p=p, kept=kept: (_state(rng, p), np.float64(kept)), count=n)
    for p, kept, n in ((624, np.nan, 3), (622, 0.5, 4), (7, 0.5, 0))
]
rows["block_normals"] = [_draw("block_normals", lambda rng, d=d, n=n: (rng.random(n).astype(d),)) for d, n in (("f4", 16), ("f8", 32), ("f4", 0))]
rows["shuffled"] = [_draw("shuffled", lambda rng, n=n: (rng.integers(0, 1 << 32, n, np.uint32),)) for n in (0, 1, 9)]
