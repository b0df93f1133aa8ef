"""Elementary functions as vector code: formulas that write LLVM IR through an `Emitter`, for every width, within 4 ULP over the whole range.

The special functions (gamma, Bessel, inverse error functions ...) are within 8 ULP, apart from the roots that `accuracy.py` names.

`FUNCTIONS[name](e, *values)` writes the function into the emitter's function and returns its value; `arity[name]` is its number of arguments.
Kinds float and double are computed as they are, half by way of float; special functions in double.  Results at zeros, infinities and NaN are NumPy's.
sin, cos and tan end the current block (see trigonometric.py), so a caller that builds phis reads `Function.block` after emitting an expression.

`COMPLEX_FUNCTIONS` holds those of complex numbers, as pairs of values.

    e.store(FUNCTIONS["tanh"](e, e.load(pointer, "double", 8)), pointer, 8)

Formulas are one file a family; `number.py` is the notation they are written in, `fit.py` makes their coefficients, `accuracy.py` measures them.
"""

from . import (  # noqa: F401  fill the table
    bessel,
    error_function,
    exponential,
    gamma,
    hyperbolic,
    inverse_error_function,
    inverse_trigonometric,
    logarithm,
    normal,
    odds,
    power,
    trigonometric,
    zeta,
)
from .complex_functions import COMPLEX_FUNCTIONS
from .registry import FUNCTIONS, arity

__all__ = ["COMPLEX_FUNCTIONS", "FUNCTIONS", "arity"]
