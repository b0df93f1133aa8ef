"""The rows of `cases` for random numbers. Random bits have keys and counters of 64 bits, whatever dtype the grid asks for."""

from __future__ import annotations

import numpy as np

from tracejit.ops import core
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
