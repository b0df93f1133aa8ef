"""Which dtype a computation has: NumPy's own rules (NEP 50), asked of NumPy once per combination and remembered.

The *kind* of an operand is its dtype, or its type where it is a Python number.  Traced values that stand for Python numbers have those kinds, too:
`int`, `float` and `complex` are weak, they yield to the dtype of the others.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from .. import residence
from ..errors import TracerBoolError, at_user_line
from ..ir import supported
from ..ir.types import BOOL, COMPLEX, FLOAT, INT
from ..ops.elementwise import convert, greater_equal, less_equal, logical_and
from ..trace import Tracer

_PYTHON = {bool: bool, int: int, float: float, complex: complex}
_WEAK = {"b": BOOL, "i": int, "f": float, "c": complex}          # by the dtype kind of a weak traced value
_EXAMPLE: dict[Any, Any] = {bool: BOOL, int: 0, float: 0.0, complex: 0j}
_DEFAULT = {bool: BOOL, int: INT, float: FLOAT, complex: COMPLEX}
_common: dict[tuple, np.dtype] = {}


def kind_of(x: Any):
    """The kind of an operand; None for anything that is neither a number nor an array, which `as_array` may turn into one."""
    if type(x) is Tracer:
        dtype = x.atom.type.dtype
        return _WEAK[dtype.kind] if x.weak else dtype
    if isinstance(x, (np.ndarray, np.generic)) or type(x) in residence.classes:
        return x.dtype
    return _PYTHON.get(type(x))


def cast(x: Any, dtype: np.dtype):
    """`x` as an array, scalar or traced value of `dtype`. A Python integer that does not fit raises `OverflowError`, as in NumPy."""
    if type(x) is Tracer or isinstance(x, (np.ndarray, np.generic)) or type(x) in residence.classes:
        if x.dtype == dtype:
            return x
        if dtype.kind in "iu" and type(x) is Tracer and x.weak and x.dtype == INT:
            _require_in_range(x, dtype)
        return convert(x, dtype=dtype)
    return dtype.type(x)


def _require_in_range(x: Tracer, dtype: np.dtype) -> None:
    """Raise NumPy's `OverflowError` where the traced Python integer x does not fit into the dtype. Under `jit` the answer is a guard, so each call is
    checked; where there is no answer, as in the body of a loop, it wraps round."""
    info = np.iinfo(dtype)
    inside = greater_equal(x, INT.type(info.min))
    if info.max < np.iinfo(INT).max:
        inside = logical_and(inside, less_equal(x, INT.type(info.max)))
    if known_truth(inside) is False:
        raise OverflowError(at_user_line(f"Python integer {int(x)} out of bounds for {dtype}"))


def known_truth(condition: Any) -> bool | None:
    """Whether a condition holds, as a guard under `jit`; None where that cannot be known while tracing."""
    try:
        return bool(condition)
    except TracerBoolError:
        return None


def as_array(x: Any):
    """`x` as something with a shape and a dtype of its own: arrays stay, numbers become NumPy scalars, nested lists arrays."""
    if type(x) is Tracer:
        return Tracer(x.owner, x.atom) if x.weak else x
    if isinstance(x, (np.ndarray, np.generic)) or type(x) in residence.classes:
        return x
    x = residence.adopted(x)
    if type(x) in residence.classes:
        return x
    if isinstance(x, (list, tuple)) and holds_tracer(x):
        from .creation import stack_nested
        return stack_nested(x)
    return np.asarray(x)[()]


def holds_tracer(x: Any) -> bool:
    """Whether a traced value is inside nested lists and tuples."""
    return type(x) is Tracer or isinstance(x, (list, tuple)) and any(map(holds_tracer, x))


def operand(x: Any):
    """`x` as an operand of a promotion: a Python number stays one, so that it can yield."""
    return x if type(x) is Tracer or type(x) in _PYTHON else as_array(x)


def common_dtype(*operands: Any) -> np.dtype:
    """The dtype that the operands have together; as `np.result_type`, which knows nothing of weak traced values."""
    kinds = tuple(map(kind_of, operands))
    found = _common.get(kinds)
    if found is None:
        found = _common[kinds] = checked_dtype(np.result_type(*[_EXAMPLE.get(k, k) for k in kinds]))
    return found


def promote(*operands: Any, wrap: bool = False) -> list:
    """The operands, all of their common dtype. With `wrap` a Python integer that does not fit wraps round, as in `np.where`."""
    operands = tuple(map(operand, operands))
    dtype = common_dtype(*operands)
    return [cast(np.asarray(x)[()] if wrap and type(x) in _PYTHON else x, dtype) for x in operands]


def checked_dtype(dtype: Any) -> np.dtype:
    """A dtype that can be traced. Raises `TypeError` for the others."""
    dtype = np.dtype(dtype)
    if not supported(dtype):
        raise TypeError(at_user_line(f"dtype {dtype} cannot be traced: only booleans, integers, floats up to 64 bits and complex numbers "
                                     f"up to 128 bits in native byte order can"))
    return dtype


def strong_dtype(kind: Any) -> np.dtype:
    """The dtype of a value of this kind on its own."""
    return _DEFAULT.get(kind) or kind


def astype(x: Any, dtype: Any, casting: str = "unsafe"):
    """`x.astype(dtype)`. Raises `TypeError` where `casting` forbids it."""
    x, dtype = as_array(x), checked_dtype(dtype)
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(at_user_line(f"Cannot cast array data from {x.dtype!r} to {dtype!r} according to the rule {casting!r}"))
    return cast(x, dtype)
