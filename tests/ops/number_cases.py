"""Rows for the functions of numbers that have no formula in elementwise operations."""
from __future__ import annotations

import numpy as np

from tracejit.ops import numbers as _numbers  # noqa: F401  (defines its ops)

from .cases import PAIRS, on, row

row("gcd", *[on(*s, domain=(-20, 20)) for s in PAIRS])
row("exponent", *[on(s, domain=(-20, 20)) for s in ((3, 4), (), (1,), (0, 3))])
row("reinterpret", *[on(s, dtype=np.dtype(d)) for s, d in (((3, 4), "int64"), ((), "uint32"), ((0, 3), "float64"), ((2,), "float32"))], smooth=False)
