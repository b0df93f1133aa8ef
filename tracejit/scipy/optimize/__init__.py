"""Minima, roots and fits on traced values: the names, arguments and results of `scipy.optimize`.

The iterations are native loops, under `jit` and without; results are differentiable by the equations that they solve, to any order and in both modes,
whatever the number of iterations was; and `vmap` solves many problems side by side.
"""

from .fitting import curve_fit, least_squares
from .minimization import OptimizeResult, minimize
from .rosenbrock import rosen
from .scalar_roots import RootResults, root_scalar
from .systems import root

__all__ = ["OptimizeResult", "RootResults", "curve_fit", "least_squares", "minimize", "root", "root_scalar", "rosen"]
