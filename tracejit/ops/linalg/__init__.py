"""Linear algebra: factorisations, systems of equations, spectra, and functions of matrices, on stacks of real and complex matrices.

Every derivative is written with other ops of this package, so there is one of every order; reverse mode transposes those that are linear.
"""
from .cholesky import cholesky
from .det import cofactor_slope, cofactors, det, slogdet
from .eig import eig, eigvals
from .eigh import eigh, eigvalsh, over_gap
from .expm import expm, expm_slope
from .lu import lu, permutation
from .matrices import adjoint, half_lower, hermitian
from .pinv import lstsq, pinv
from .qr import qr
from .solve import factor, factored_solve, inverse, linear_solve, solve
from .svd import singular_values, svd
from .sylvester import sqrtm, sylvester
from .triangular import triangular_solve

__all__ = [
    "adjoint", "cholesky", "cofactor_slope", "cofactors", "det", "eig", "eigh", "eigvals", "eigvalsh", "expm", "expm_slope", "factor",
    "factored_solve", "half_lower", "hermitian", "inverse", "linear_solve", "lstsq", "lu", "over_gap", "permutation", "pinv", "qr",
    "singular_values", "slogdet", "solve", "sqrtm", "svd", "sylvester", "triangular_solve",
]
