"""`scipy_ufunc`: every other ufunc of `scipy.special`, computed by SciPy itself. It has values in compiled programs, but no derivative."""

from __future__ import annotations

import numpy as np

from ...errors import at_user_line
from ...ir import ArrayType
from ...trace import type_of
from ..core import Op, define
from ..elementwise_parts import batch_elementwise, broadcast_shape


def _ufunc(name: str) -> np.ufunc:
    import scipy.special._ufuncs

    return getattr(scipy.special._ufuncs, name)


def _infer(*types, name):
    *_, dtype = _ufunc(name).resolve_dtypes((*[t.dtype for t in types], None))
    return ArrayType(broadcast_shape(name, *types), dtype)


def _jvp(primals, out, tangents, name):
    if type_of(out).dtype.kind not in "fc":
        return None
    raise NotImplementedError(at_user_line(f"the derivative of scipy.special.{name.lstrip('_')} is not implemented"))


_cell: list[Op] = []
scipy_ufunc = define(
    "scipy_ufunc", infer=_infer, run=lambda xp, *args, name: _ufunc(name)(*args), jvp=_jvp, batch=batch_elementwise(_cell), elementwise=True,
    show=lambda *texts, name: f"scipy.special._ufuncs.{name}({', '.join(map(str, texts))})",
)  # fmt: skip
_cell.append(scipy_ufunc)
