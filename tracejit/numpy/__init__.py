"""NumPy's functions on traced values.

Importing this package fills the tables of `trace.dispatch`, so that plain `np.sin(x)`, `x @ y` and `x[i]` work on traced values.  The names here are
NumPy's own functions, listed because they have a traced form; on plain arrays they are NumPy.  Three of them are not: `array`, `asarray` and `full`,
to which NumPy offers no protocol, also take nested lists and fill values that are traced.

>>> import tracejit.numpy as tnp
>>> tnp.asarray([1.0, 2.0]).sum()
np.float64(3.0)
"""
# ruff: noqa: F401, I001  (the names are NumPy's; the first imports are for what they enter into the tables)
from . import applying, bits, comparing, creation, einstein, histograms, indexing, inspecting, joining, likeness, mathematics, matrices, norms
from . import ordering, padding, places, polynomials, powers, products, quantiles, ranges, reductions, refused, scimath, scipy_ufuncs, sets
from . import shaping, statistics, taking, ufunc_methods, ufuncs, windows
from . import aliasing, writing
from numpy import (  # traced
    abs, absolute, acos, acosh, add, all, allclose, amax, amin, angle, any, append, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh,
    argmax, argmin, argsort, argwhere, around, array_equal, array_equiv, array_split, asin, asinh, astype, atan, atan2, atanh, atleast_1d,
    atleast_2d, atleast_3d, average, bitwise_and, bitwise_invert, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor,
    block, broadcast_arrays, broadcast_to, can_cast, cbrt, ceil, choose, clip, column_stack, compress, concat, concatenate, conj, conjugate,
    convolve, copy, copysign, corrcoef, correlate, cos, cosh, count_nonzero, cov, cross, cumprod, cumsum, cumulative_prod, cumulative_sum,
    deg2rad, degrees, delete, diag, diagflat, diagonal, diff, digitize, divide, divmod, dot, dsplit, dstack, ediff1d, einsum, einsum_path,
    empty_like, equal, exp, exp2, expand_dims, expm1, extract, fabs, fix, flatnonzero, flip, fliplr, flipud, float_power, floor, floor_divide,
    fmax, fmin, fmod, full_like, gradient, greater, greater_equal, heaviside, hsplit, hstack, hypot, imag, inner, insert, interp, invert, isclose,
    iscomplex, iscomplexobj, isfinite, isinf, isnan, isneginf, isposinf, isreal, isrealobj, kron, ldexp, left_shift, less, less_equal, linspace,
    log, log10, log1p, log2, logaddexp, logaddexp2, logical_and, logical_not, logical_or, logical_xor, matmul, matrix_transpose, matvec, max,
    maximum, mean, median, meshgrid, min, minimum, mod, modf, moveaxis, multiply, nan_to_num, nanargmax, nanargmin, nancumprod, nancumsum, nanmax,
    nanmean, nanmin, nanprod, nanstd, nansum, nanvar, ndim, negative, nextafter, nonzero, not_equal, ones_like, outer, pad, percentile,
    permute_dims, piecewise, polyval, positive, pow, power, prod, ptp, quantile, rad2deg, radians, ravel, real, real_if_close, reciprocal,
    remainder, repeat, reshape, result_type, right_shift, rint, roll, rollaxis, rot90, round, searchsorted, select, shape, sign, signbit, sin,
    sinc, sinh, size, sort, spacing, split, sqrt, square, squeeze, stack, std, subtract, sum, swapaxes, take, take_along_axis, tan, tanh,
    tensordot, tile, trace, transpose, trapezoid, tril, triu, true_divide, trunc, unstack, unwrap, var, vdot, vecdot, vecmat, vsplit, vstack,
    where, zeros_like,
)
from numpy import (  # of known numbers only
    arange, bool, broadcast_shapes, complex128, complex64, diag_indices, dtype, e, empty, euler_gamma, eye, finfo, float16, float32, float64,
    geomspace, identity, iinfo, indices, inf, int16, int32, int64, int8, isdtype, isscalar, issubdtype, logspace, nan, newaxis, ones, pi,
    promote_types, tri, tril_indices, triu_indices, uint16, uint32, uint64, uint8, zeros,
)
from . import fft, linalg
from .creation import array, asarray, full

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "all", "allclose", "amax", "amin", "angle", "any", "append", "arange", "arccos", "arccosh",
    "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere", "around", "array", "array_equal",
    "array_equiv", "array_split", "asarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d",
    "average", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "block",
    "bool", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "can_cast", "cbrt", "ceil", "choose", "clip", "column_stack", "complex128",
    "complex64", "compress", "concat", "concatenate", "conj", "conjugate", "convolve", "copy", "copysign", "corrcoef", "correlate", "cos", "cosh",
    "count_nonzero", "cov", "cross", "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "deg2rad", "degrees", "delete", "diag",
    "diag_indices", "diagflat", "diagonal", "diff", "digitize", "divide", "divmod", "dot", "dsplit", "dstack", "dtype", "e", "ediff1d", "einsum",
    "einsum_path", "empty", "empty_like", "equal", "euler_gamma", "exp", "exp2", "expand_dims", "expm1", "extract", "eye", "fabs", "fft", "finfo",
    "fix", "flatnonzero", "flip", "fliplr", "flipud", "float16", "float32", "float64", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod",
    "full", "full_like", "geomspace", "gradient", "greater", "greater_equal", "heaviside", "hsplit", "hstack", "hypot", "identity", "iinfo",
    "imag", "indices", "inf", "inner", "insert", "int16", "int32", "int64", "int8", "interp", "invert", "isclose", "iscomplex", "iscomplexobj",
    "isdtype", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "isreal", "isrealobj", "isscalar", "issubdtype", "kron", "ldexp",
    "left_shift", "less", "less_equal", "linalg", "linspace", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and",
    "logical_not", "logical_or", "logical_xor", "logspace", "matmul", "matrix_transpose", "matvec", "max", "maximum", "mean", "median",
    "meshgrid", "min", "minimum", "mod", "modf", "moveaxis", "multiply", "nan", "nan_to_num", "nanargmax", "nanargmin", "nancumprod", "nancumsum",
    "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "ndim", "negative", "newaxis", "nextafter", "nonzero", "not_equal",
    "ones", "ones_like", "outer", "pad", "percentile", "permute_dims", "pi", "piecewise", "polyval", "positive", "pow", "power", "prod",
    "promote_types", "ptp", "quantile", "rad2deg", "radians", "ravel", "real", "real_if_close", "reciprocal", "remainder", "repeat", "reshape",
    "result_type", "right_shift", "rint", "roll", "rollaxis", "rot90", "round", "searchsorted", "select", "shape", "sign", "signbit", "sin",
    "sinc", "sinh", "size", "sort", "spacing", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take",
    "take_along_axis", "tan", "tanh", "tensordot", "tile", "trace", "transpose", "trapezoid", "tri", "tril", "tril_indices", "triu",
    "triu_indices", "true_divide", "trunc", "uint16", "uint32", "uint64", "uint8", "unstack", "unwrap", "var", "vdot", "vecdot", "vecmat",
    "vsplit", "vstack", "where", "zeros", "zeros_like",
]
