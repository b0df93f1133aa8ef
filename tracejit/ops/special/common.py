"""`function`: a special function as an op. SciPy is the reference, imported when one is computed with NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...errors import at_user_line
from ...trace import type_of
from ..core import Op, add_tangents
from ..elementwise_parts import FLOATS, elementwise_op

Part = Callable | str  # of a jvp: (t, *inputs, result) -> tangent, or the name of a parameter that has no derivative here


def function(name: str, *parts: Part, singular: bool | None = None, lower: Callable | None = None) -> Op:
    """The op of `scipy.special.<name>`, with a part of its jvp for each input.

    Raises `NotImplementedError` where a tangent arrives at a parameter: these derivatives have no closed form.
    """

    def jvp(primals, out, tangents):
        return add_tangents(*[None if t is None else _part(name, part, t, primals, out) for t, part in zip(tangents, parts)])

    return elementwise_op(name, reference(name), FLOATS, None, jvp, None, lower, None, True, singular, show_scipy(name))


def _part(name: str, part: Part, t, primals, out):
    if isinstance(part, str):
        instead = "pass a value that nothing is differentiated in"
        raise NotImplementedError(at_user_line(f"the derivative of scipy.special.{name} with respect to `{part}` is not implemented: {instead}"))
    return part(t, *primals, out)


def reference(name: str) -> Callable:
    """SciPy's function; narrow floats are computed in double, as compiled code does: some of SciPy's own float32 loops lose half of the digits."""

    def fn(*args):
        import scipy.special

        dtype = args[0].dtype
        wide = args if dtype == np.float64 else [a.astype(np.float64) for a in args]
        with np.errstate(all="ignore"):
            return getattr(scipy.special, name)(*wide).astype(dtype, copy=False)

    fn.__name__ = name
    return fn


def show_scipy(name: str) -> Callable:
    """The call as NumPy source."""

    def show(*texts):
        dtype = texts[0].type.dtype
        if dtype == np.float64:
            return f"scipy.special.{name}({', '.join(map(str, texts))})"
        return f"scipy.special.{name}({', '.join(f'np.float64({text})' for text in texts)}).astype(np.{dtype.name})"

    return show


def number(value, like):
    """A constant of the dtype of `like`."""
    return np.asarray(value, type_of(like).dtype)[()]
