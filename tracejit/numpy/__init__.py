"""NumPy's functions on traced values."""
from . import comparing, creation, einsum, indexing, joining, mathematics, matrices, norms, padding, powers, products, promotion, reductions, shaping, statistics, taking, ufunc_methods, ufuncs  # noqa: F401
