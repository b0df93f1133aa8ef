"""Rows for convolutions and windows."""
from __future__ import annotations

import numpy as np

from tracejit.ops import conv as _conv  # noqa: F401  (defines its op)
from tracejit.ops import core
from tracejit.ops import windows as _windows

from .cases import Case, array, on, row, rows


def _conv_case(x, w, strides, padding, lhs_dilation, rhs_dilation, turned=False):
    return on(x, w, strides=strides, padding=padding, lhs_dilation=lhs_dilation, rhs_dilation=rhs_dilation, turned=turned)


row(
    "conv_general",
    _conv_case((1, 2, 3, 7), (1, 4, 3, 3), (1,), ((1, 1),), (1,), (1,)),
    _conv_case((2, 2, 2, 5, 6), (2, 3, 2, 3, 2), (1, 2), ((1, 0), (-1, 2)), (1, 1), (1, 2)),
    _conv_case((1, 2, 3, 4, 4), (1, 3, 2, 3, 3), (1, 1), ((2, 2), (1, 1)), (2, 3), (1, 1), True),
    _conv_case((1, 1, 2, 3, 4, 3), (1, 2, 2, 2, 1, 2), (1, 1, 2), ((0, 0), (0, 1), (1, 0)), (1, 1, 1), (1, 1, 1)),
    _conv_case((1, 2, 3, 8), (1, 3, 2, 6), (1,), ((0, 0),), (1,), (1,), True),
    _conv_case((1, 0, 2, 4), (1, 3, 2, 2), (1,), ((0, 0),), (1,), (1,)),
)

WINDOWS = [
    ((2, 7), dict(window=(3,), strides=(2,), dilation=(1,))),
    ((2, 6, 7), dict(window=(3, 2), strides=(2, 1), dilation=(1, 2))),
    ((5, 18), dict(window=(2, 9), strides=(1, 2), dilation=(1, 1))),
    ((3, 3, 5), dict(window=(1, 2, 3), strides=(2, 1, 1), dilation=(1, 1, 1))),
    ((0, 5), dict(window=(2,), strides=(1,), dilation=(1,))),
]
for _name in ("window_sum", "window_max", "window_argmax"):
    row(_name, *[on(shape, **params) for shape, params in WINDOWS], smooth=_name != "window_argmax")


def _picked(name, shape, params, of_windows):
    """An array, and for each window a number of a tap."""
    lead = len(shape) - len(params["window"])
    places = (*shape[:lead], *_windows.lengths(shape[lead:], **params))

    def make(rng, dtype):
        at = rng.integers(0, np.prod(params["window"]), places)
        return array(rng, dtype, places if of_windows else shape), at

    return Case(core.by_name[name], make, {**params, "shape": shape} if of_windows else params, note=str(shape))


rows["window_pick"] = [_picked("window_pick", shape, params, False) for shape, params in WINDOWS]
rows["window_place"] = [_picked("window_place", shape, params, True) for shape, params in WINDOWS]
