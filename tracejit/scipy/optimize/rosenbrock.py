"""SciPy's test function `rosen`, which converts its argument to a plain array.

>>> import numpy as np, scipy.optimize, tracejit as tj
>>> tj.grad(lambda x: scipy.optimize.rosen(x))(np.array([1.0, 2.0]))
array([-400.,  200.])
"""
from __future__ import annotations

import numpy as np

from ...numpy.promotion import as_array
from ..delegate import scipy_function

__all__ = ["rosen"]


@scipy_function("scipy.optimize")
def rosen(x):
    """As `scipy.optimize.rosen`, the Rosenbrock function.

    >>> import numpy as np, tracejit as tj
    >>> tj.jit(rosen)(np.array([1.0, 1.0, 2.0]))
    np.float64(100.0)
    """
    x = as_array(x)
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2, axis=0)
