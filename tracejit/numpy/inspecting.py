"""What NumPy asks about arrays without computing: dtypes, memory, and how an array is written as text."""
from __future__ import annotations

import numpy as np

from ..ir.types import FLOAT
from .promotion import as_array, kind_of, strong_dtype
from .register import implements, known, static


@implements(np.common_type)
def common_type(*arrays):
    """As `numpy.common_type`."""
    dtypes = [np.dtype(strong_dtype(kind_of(a))) if kind_of(a) else as_array(a).dtype for a in arrays]
    return np.common_type(*[np.empty(0, dtype) for dtype in dtypes]) if dtypes else FLOAT.type


@implements(np.min_scalar_type)
def min_scalar_type(a, /):
    """As `numpy.min_scalar_type`; a number must be known while tracing."""
    x = as_array(a)
    return x.dtype if x.ndim else np.min_scalar_type(static(x, "np.min_scalar_type", "a"))


def _text(name: str, write):
    """The text of the values where they are known, and of the traced value's type where not."""
    def text(a, *args, **kwargs):
        values = known(a)
        return repr(a) if values is None else write(np.asarray(values), *args, **kwargs)
    text.__name__ = name
    return text


array_repr = implements(np.array_repr)(_text("array_repr", np.array_repr))
array_str = implements(np.array_str)(_text("array_str", np.array_str))
array2string = implements(np.array2string)(_text("array2string", np.array2string))
