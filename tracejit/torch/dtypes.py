"""torch's dtypes and its promotion rules.

They differ from NumPy's in two ways: there are three ranks of operands (arrays, 0-d arrays, Python numbers), and one of a lower rank changes the
dtype only by its category (bool < integer < float < complex); and an integer beside a float takes the float's dtype, whatever its size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import at_user_line


class dtype:
    """A torch dtype, such as `torch.float32`. `numpy` is the same for NumPy.

    >>> from tracejit import torch
    >>> torch.float32, torch.float32.is_floating_point, torch.float32.itemsize
    (torch.float32, True, 4)
    """

    __slots__ = ("name", "numpy", "category", "legacy")

    def __init__(self, name: str, legacy: str):
        self.name, self.numpy, self.legacy = name, np.dtype(name), legacy
        self.category = "biufc".replace("u", "").index(self.numpy.kind.replace("u", "i"))

    @property
    def is_floating_point(self) -> bool:
        return self.numpy.kind == "f"

    @property
    def is_complex(self) -> bool:
        return self.numpy.kind == "c"

    @property
    def is_signed(self) -> bool:
        return self.numpy.kind in "ifc"

    @property
    def itemsize(self) -> int:
        return self.numpy.itemsize

    def to_real(self) -> dtype:
        """The dtype of the real part."""
        return of(np.dtype(f"f{self.itemsize // 2}")) if self.is_complex else self

    def to_complex(self) -> dtype:
        """The complex dtype of this precision."""
        return self if self.is_complex else complex128 if self is float64 else complex64

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self):
        return of, (self.numpy,)


_LEGACY = {
    "bool": "Bool", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long", "float16": "Half", "float32": "Float",
    "float64": "Double", "complex64": "ComplexFloat", "complex128": "ComplexDouble", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64",
}  # fmt: skip
DTYPES = {name: dtype(name, legacy) for name, legacy in _LEGACY.items()}
_BY_NUMPY = {d.numpy: d for d in DTYPES.values()}
bool_, uint8, int8, int16, int32, int64, float16, float32, float64, complex64, complex128, uint16, uint32, uint64 = DTYPES.values()

NAMES = {
    **DTYPES, "float": float32, "double": float64, "half": float16, "int": int32, "long": int64, "short": int16, "cfloat": complex64,
    "cdouble": complex128,
}  # fmt: skip
"""What `tracejit.torch` calls them."""

_PYTHON = {bool: bool_, int: int64, float: float64, complex: complex128}


class _Default:
    real = float32


def get_default_dtype() -> dtype:
    """The dtype of tensors made of Python floats."""
    return _Default.real


def set_default_dtype(d: dtype) -> None:
    """Let tensors that are made of Python floats have dtype `d`. Raises `TypeError` for a dtype that is not floating."""
    if not (isinstance(d, dtype) and d.is_floating_point):
        raise TypeError(at_user_line(f"only floating-point types are supported as the default type, got {d!r}"))
    _Default.real = d


def of(numpy_dtype: np.dtype) -> dtype:
    """The torch dtype of an array. Raises `TypeError` for what torch has none for."""
    found = _BY_NUMPY.get(numpy_dtype)
    if found is None:
        found = _BY_NUMPY.get(np.dtype(numpy_dtype).newbyteorder("="))
    if found is None:
        raise TypeError(at_user_line(f"can't convert an array of dtype {numpy_dtype} to a tensor: convert it first, with `array.astype`"))
    return found


def as_numpy(d: Any) -> np.dtype:
    """The NumPy dtype that is meant by a torch dtype, a Python type or a NumPy dtype."""
    if isinstance(d, dtype):
        return d.numpy
    if d is float:
        return np.dtype(np.float64)
    if d in _PYTHON:
        return _PYTHON[d].numpy
    return of(np.dtype(d)).numpy


def scalar_dtype(x: Any) -> np.dtype:
    """The NumPy dtype that a Python number has for torch, or a proxy of one."""
    kind = getattr(getattr(x, "dtype", None), "kind", "") if getattr(x, "weak", False) else ""
    if kind:
        return {"b": bool_.numpy, "i": int64.numpy, "c": _Default.real.to_complex().numpy}.get(kind, _Default.real.numpy)
    if isinstance(x, bool | np.bool_):
        return bool_.numpy
    if isinstance(x, int | np.integer):
        return int64.numpy
    if isinstance(x, complex | np.complexfloating) and not isinstance(x, float):
        return _Default.real.to_complex().numpy
    return _Default.real.numpy


_promoted: dict[tuple[np.dtype, np.dtype], np.dtype] = {}


def promote(a: np.dtype, b: np.dtype) -> np.dtype:
    """torch's `promote_types` on NumPy dtypes."""
    found = _promoted.get((a, b))
    if found is None:
        left, right = of(a), of(b)
        if left.category == right.category or (left.category > 1 and right.category > 1):
            found = np.promote_types(a, b)
        else:
            found = a if left.category > right.category else b
        _promoted[a, b] = found
    return found


def _combine(higher: np.dtype | None, lower: np.dtype | None) -> np.dtype | None:
    """The dtype of operands of one rank beside some of a lower rank, which count by their category alone."""
    if higher is None or lower is None:
        return lower if higher is None else higher
    kind, other = higher.kind, lower.kind
    if kind == "c" or (kind == "f" and other != "c"):
        return higher
    if kind == "f":
        return of(higher).to_complex().numpy
    return promote(higher, lower) if kind == "b" or other in "fc" else higher


def result_dtype(operands: Any) -> np.dtype:
    """The common NumPy dtype of arrays (or proxies), 0-d arrays and Python numbers, by torch's rule."""
    dims = zeros = numbers = None
    for x in operands:
        d = getattr(x, "dtype", None)
        if d is None or isinstance(x, np.generic) or getattr(x, "weak", False):
            if d is None or not isinstance(x, np.generic):
                d = scalar_dtype(x if d is None else d.type(0).item())  # a weak proxy is a Python number
            numbers = d if numbers is None else promote(numbers, d)
        elif x.ndim:
            dims = d if dims is None else promote(dims, d)
        else:
            zeros = d if zeros is None else promote(zeros, d)
    return _combine(dims, _combine(zeros, numbers))


class _Info:
    """What `torch.finfo` and `torch.iinfo` have in common."""

    _of: Any
    _shown: tuple[str, ...]

    def __init__(self, type: dtype | None = None):
        d = (type or _Default.real).numpy
        self._require(d)
        info = self._of(np.dtype(f"f{d.itemsize // 2}") if d.kind == "c" else d)
        self.bits, self.min, self.max, self.dtype = info.bits, info.min.__class__(info.min), info.max.__class__(info.max), str(d)
        if d.kind in "fc":
            self.min, self.max = float(info.min), float(info.max)
            self.eps, self.tiny, self.resolution = float(info.eps), float(info.tiny), float(f"1e-{info.precision}")
            self.smallest_normal = self.tiny

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={getattr(self, k):g}' for k in self._shown)}, dtype={self.dtype})"

    @staticmethod
    def _require(d: np.dtype) -> None:
        """Raise `TypeError` for a dtype of another kind."""


class finfo(_Info):
    """The limits of a floating dtype, as `torch.finfo`.

    >>> from tracejit import torch
    >>> torch.finfo(torch.float32).eps
    1.1920928955078125e-07
    """

    _of = np.finfo
    _shown = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")

    @staticmethod
    def _require(d: np.dtype) -> None:
        if d.kind not in "fc":
            raise TypeError(f"torch.finfo() requires a floating point input type, got {d}. Use torch.iinfo")


class iinfo(_Info):
    """The limits of an integer dtype, as `torch.iinfo`.

    >>> from tracejit import torch
    >>> torch.iinfo(torch.int8).max
    127
    """

    _of = np.iinfo
    _shown = ("min", "max")

    @staticmethod
    def _require(d: np.dtype) -> None:
        if d.kind not in "iu":
            raise TypeError(f"torch.iinfo() requires an integer input type, got {d}. Use torch.finfo")

