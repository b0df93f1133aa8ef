"""`ArrayType`: everything that is known of an array before it is computed."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

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


def supported(dtype: np.dtype) -> bool:
    """Whether arrays of this dtype can be traced: booleans, integers, float16/32/64, complex64/128, in native byte order."""
    return dtype.kind in _KINDS and dtype.itemsize <= (16 if dtype.kind == "c" else 8) and dtype.isnative


def array_type(x: Any) -> ArrayType:
    """The type of a plain array or scalar. Raises `TypeError` for anything that is neither."""
    if isinstance(x, (np.ndarray, np.generic)):
        if not supported(x.dtype):
            raise TypeError(at_user_line(f"arrays of dtype {x.dtype} cannot be traced: only booleans, integers, floats and complex numbers can. "
                                         f"Convert the array first (`x.astype(float)`), or pass it as a static argument."))
        return ArrayType(x.shape, x.dtype)
    known = _SCALARS.get(type(x))
    if known is None:
        for kind in (bool, int, float, complex):
            if isinstance(x, kind):
                return _SCALARS[kind]
        raise TypeError(at_user_line(f"expected an array or a number, got {type(x).__module__}.{type(x).__qualname__}: {_short(x)}"))
    return known


def _short(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."


def is_inexact(dtype: np.dtype) -> bool:
    """Whether values of this dtype have tangents: floats and complex numbers do."""
    return dtype.kind in "fc"
