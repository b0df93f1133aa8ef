"""The row of `cases` for random bits: keys and counters of 64 bits, whatever dtype the grid asks for."""

from __future__ import annotations

import numpy as np

from tracejit.ops import core
from tracejit.ops import random_bits as _random_bits  # noqa: F401  (defines its op)

from .cases import PAIRS, Case, rows


def _words(*shapes):
    return lambda rng, dtype: tuple(rng.integers(0, 1 << 64, shape, np.uint64)[()] for shape in shapes)


rows["random_bits"] = [Case(core.by_name["random_bits"], _words(*s), note=" ".join(map(str, s))) for s in PAIRS]
