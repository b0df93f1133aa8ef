"""Elementwise functions for a GPU thread: what the device computes itself, and for the rest the formulas of the CPU target at one lane."""

from __future__ import annotations

import numpy as np

from ..cpu import scalar, special_library
from ..cpu.complex import ComplexValue
from ..cpu.emit import Value
from ..cpu.threefry import block
from ..cpu.vmath import FUNCTIONS
from .source import SourceEmitter

# Functions of the device's own library, by the names of ops: within 2 ULP, faster than the CPU's formulas, and one call to compile.
DEVICE = {
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "cbrt": "cbrt",
    "cos": "cos",
    "cosh": "cosh",
    "erf": "erf",
    "erfc": "erfc",
    "exp": "exp",
    "exp2": "exp2",
    "expm1": "expm1",
    "gammaln": "gammaln",
    "hypot": "hypot",
    "log": "log",
    "log10": "log10",
    "log1p": "log1p",
    "log2": "log2",
    "pow": "power",
    "power": "power",
    "sin": "sin",
    "sinh": "sinh",
    "sqrt": "sqrt",
    "tan": "tan",
    "tanh": "tanh",
}


KNOWN = frozenset({*scalar.FLOAT, *scalar.INTEGER, *scalar.BOOL, *scalar.COMPLEX, *FUNCTIONS})
has_kind = scalar.has_kind


def is_native(name: str, dtype: np.dtype) -> bool:
    """Whether a kernel can apply the function to values of this dtype: all that the CPU target can, but for SciPy's compiled code."""
    return scalar.is_native(name, dtype) and not (dtype.kind == "f" and name in special_library.FUNCTIONS)


def apply(e: SourceEmitter, name: str, dtype: np.dtype, *args: Value | ComplexValue) -> Value | ComplexValue:
    """The function `name` of arguments of `dtype` (of a select: its branches)."""
    if dtype.kind == "f" and name in DEVICE:
        return e.call(DEVICE[name], *args)
    if name == "random_bits":
        return block(e, *args)
    if dtype.kind == "f" and name in FUNCTIONS and name not in scalar.FLOAT:
        return FUNCTIONS[name](e, *args)
    return scalar.apply(e, name, dtype, *args)
