"""NumPy's functions on traced values."""
from . import comparing, creation, indexing, joining, powers, promotion, reductions, shaping, ufuncs  # noqa: F401
