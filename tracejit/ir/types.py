"""`ArrayType`: everything that is known of an array before it is computed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import residence
from ..errors import at_user_line


class ArrayType(NamedTuple):
    """Shape and dtype; `weak` marks a value that stands for a Python scalar, which yields to other dtypes in promotion (NEP 50).

    >>> import numpy as np
    >>> str(ArrayType((3, 4), np.dtype("float32")))
    'float32[3,4]'
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    weak: bool = False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        n = 1
        for extent in self.shape:
            n *= extent
        return n

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def strong(self) -> ArrayType:
        return ArrayType(self.shape, self.dtype) if self.weak else self

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]{'*' if self.weak else ''}"


BOOL = np.dtype(bool)
INT = np.dtype(np.int64)
FLOAT = np.dtype(np.float64)
COMPLEX = np.dtype(np.complex128)
_SCALARS = {bool: ArrayType((), BOOL, True), int: ArrayType((), INT, True), float: ArrayType((), FLOAT, True), complex: ArrayType((), COMPLEX, True)}
_KINDS = "biufc"


_LOW, _HIGH = -(1 << 63), 1 << 63


def supported(dtype: np.dtype) -> bool:
    """Whether arrays of this dtype can be traced: booleans, integers, float16/32/64, complex64/128."""
    return dtype.kind in _KINDS and dtype.itemsize <= (16 if dtype.kind == "c" else 8)


def array_type(x: Any) -> ArrayType:
    """The type of an array, on the host or on a device, or of a scalar; one of foreign byte order counts as native, since it is converted before it
    is used.

    Raises `TypeError` for anything else, and `OverflowError` for an integer that does not fit into 64 bits.
    """
    kind = type(x)
    if (kind is np.ndarray or isinstance(x, (np.generic, np.memmap))) and supported(x.dtype):
        return ArrayType(x.shape, x.dtype if x.dtype.isnative else x.dtype.newbyteorder("="))
    known = _SCALARS.get(kind) or next((_SCALARS[k] for k in (int, float, complex) if isinstance(x, k)), None)
    if known is None:
        x = residence.adopted(x)
        if type(x) in residence.classes and supported(x.dtype):
            return ArrayType(x.shape, x.dtype)
        raise TypeError(at_user_line(f"expected an array or a number: {refusal(x)}"))
    if known is _SCALARS[int] and not _LOW <= x < _HIGH:
        raise OverflowError(at_user_line(f"the integer {x} does not fit into 64 bits: use a float"))
    return known


def refusal(x: Any) -> str:
    """Why `array_type` does not take x, and what to do."""
    if (isinstance(x, np.generic) or residence.is_array(x)) and not supported(x.dtype):
        advice = "Convert it (`x.astype(float)`)." if x.dtype.kind in "Ofc" else ""
        return f"it has dtype {x.dtype}, and only booleans, integers, floats and complex numbers can be traced. {advice}".rstrip()
    name = f"{type(x).__module__}.{type(x).__qualname__}"
    if isinstance(x, np.ndarray):
        return f"it is a {name}, whose own rules would be lost. Pass a plain array (`np.asarray(x)`)."
    return f"it is a {name} ({_short(x)}), and only arrays and numbers can be traced."


def _short(x: Any) -> str:
    text = " ".join(repr(x).split())
    return text if len(text) <= 60 else text[:57] + "..."


def is_inexact(dtype: np.dtype) -> bool:
    """Whether values of this dtype have tangents: floats and complex numbers do."""
    return dtype.kind in "fc"
