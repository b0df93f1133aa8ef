"""NumPy's functions on traced values.

Importing this package fills the tables of `trace.dispatch`, so that plain `np.sin(x)`, `x @ y` and `x[i]` work on traced values.  The names here are
NumPy's own functions, listed because they have a traced form; on plain arrays they are NumPy.  Some are not: `array`, `asarray`, `full` and
`from_dlpack`, to which NumPy offers no protocol, also take nested lists and fill values that are traced; `nonzero`,
`flatnonzero`, `argwhere` and `unique` also take `size=`; and NumPy does not have `top_k`.

It is a namespace of the array API standard, 2024.12, as far as NumPy's is one.

>>> import tracejit.numpy as tnp
>>> tnp.asarray([1.0, 2.0]).sum()
np.float64(3.0)
"""
# ruff: noqa: F401, I001  (the names are NumPy's; the first imports are for what they enter into the tables)
from . import applying, bits, comparing, concatenators, creation, einstein, histograms, indexing, inspecting, joining, likeness, mathematics, matrices
from . import norms, ordering, padding, places, polynomials, powers, products, quantiles, ranges, reductions, refused, scimath, scipy_ufuncs, sets
from . import shaping, statistics, taking, text, ufunc_methods, ufuncs, windows
from . import aliasing, reinterpreting, writing
from numpy import (  # traced
    abs, absolute, acos, acosh, add, all, allclose, amax, amin, angle, any, append, apply_along_axis, apply_over_axes, arange, arccos, arccosh,
    arcsin, arcsinh, arctan, arctan2, arctanh, argmax, argmin, argpartition, argsort, around, array2string, array_equal, array_equiv,
    array_repr, array_split, array_str, asanyarray, ascontiguousarray, asfortranarray, asin, asinh, astype, atan, atan2, atanh, atleast_1d,
    atleast_2d, atleast_3d, average, bincount, bitwise_and, bitwise_count, bitwise_invert, bitwise_left_shift, bitwise_not, bitwise_or,
    bitwise_right_shift, bitwise_xor, block, broadcast_arrays, broadcast_to, can_cast, cbrt, ceil, choose, clip, column_stack, common_type, compress,
    concat, concatenate, conj, conjugate, convolve, copy, copysign, copyto, corrcoef, correlate, cos, cosh, count_nonzero, cov, cross, cumprod,
    cumsum, cumulative_prod, cumulative_sum, deg2rad, degrees, delete, diag, diag_indices_from, diagflat, diagonal, diff, digitize, divide, divmod,
    dot, dsplit, dstack, ediff1d, einsum, einsum_path, empty, empty_like, equal, exp, exp2, expand_dims, expm1, extract, eye, fabs, fill_diagonal,
    fix, flip, fliplr, flipud, float_power, floor, floor_divide, fmax, fmin, fmod, frexp, frombuffer, fromfunction, fromiter, fromstring,
    full_like, gcd, geomspace, gradient, greater, greater_equal, heaviside, histogram, histogram2d, histogram_bin_edges, histogramdd, hsplit, hstack,
    hypot, i0, identity, imag, inner, insert, interp, intersect1d, invert, isclose, iscomplex, iscomplexobj, isfinite, isin, isinf, isnan, isneginf,
    isposinf, isreal, isrealobj, ix_, kron, lcm, ldexp, left_shift, less, less_equal, lexsort, linspace, log, log10, log1p, log2, logaddexp,
    logaddexp2, logical_and, logical_not, logical_or, logical_xor, logspace, matmul, matrix_transpose, matvec, max, maximum, mean, median, meshgrid,
    min, min_scalar_type, minimum, mod, modf, moveaxis, multiply, nan_to_num, nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmedian,
    nanmin, nanpercentile, nanprod, nanquantile, nanstd, nansum, nanvar, ndim, negative, nextafter, not_equal, ones, ones_like, outer,
    packbits, pad, partition, percentile, permute_dims, piecewise, place, poly, polyadd, polyder, polydiv, polyfit, polyint, polymul, polysub,
    polyval, positive, pow, power, prod, ptp, put, put_along_axis, putmask, quantile, rad2deg, radians, ravel, ravel_multi_index, real, real_if_close,
    reciprocal, remainder, repeat, require, reshape, resize, result_type, right_shift, rint, roll, rollaxis, roots, rot90, round, searchsorted,
    select, setdiff1d, setxor1d, shape, sign, signbit, sin, sinc, sinh, size, sort, sort_complex, spacing, split, sqrt, square, squeeze, stack, std,
    subtract, sum, swapaxes, take, take_along_axis, tan, tanh, tensordot, tile, trace, transpose, trapezoid, tri, tril, tril_indices_from, trim_zeros,
    triu, triu_indices_from, true_divide, trunc, union1d, unique_all, unique_counts, unique_inverse, unique_values, unpackbits, unravel_index,
    unstack, unwrap, vander, var, vdot, vecdot, vecmat, vsplit, vstack, where, zeros, zeros_like,
)
from numpy import (  # of known numbers only
    bool, broadcast_shapes, complex128, complex64, diag_indices, dtype, e, euler_gamma, finfo, float16, float32, float64, iinfo, indices, inf, int16,
    int32, int64, int8, isdtype, isscalar, issubdtype, nan, newaxis, pi, promote_types, tril_indices, triu_indices, uint16, uint32, uint64, uint8,
)
from numpy import __array_api_version__, __array_namespace_info__
from . import fft, linalg
from .creation import array, asarray, from_dlpack, full
from .ordering import top_k
from .sized import argwhere, flatnonzero, nonzero, unique

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "all", "allclose", "amax", "amin", "angle", "any", "append", "apply_along_axis", "apply_over_axes",
    "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argpartition", "argsort", "argwhere",
    "around", "array", "array2string", "array_equal", "array_equiv", "array_repr", "array_split", "array_str", "asanyarray", "asarray",
    "ascontiguousarray", "asfortranarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d", "average",
    "bincount", "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "block", "bool", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "can_cast", "cbrt", "ceil", "choose", "clip",
    "column_stack", "common_type", "complex128", "complex64", "compress", "concat", "concatenate", "conj", "conjugate", "convolve", "copy",
    "copysign", "copyto", "corrcoef", "correlate", "cos", "cosh", "count_nonzero", "cov", "cross", "cumprod", "cumsum", "cumulative_prod",
    "cumulative_sum", "deg2rad", "degrees", "delete", "diag", "diag_indices", "diag_indices_from", "diagflat", "diagonal", "diff", "digitize",
    "divide", "divmod", "dot", "dsplit", "dstack", "dtype", "e", "ediff1d", "einsum", "einsum_path", "empty", "empty_like", "equal", "euler_gamma",
    "exp", "exp2", "expand_dims", "expm1", "extract", "eye", "fabs", "fft", "fill_diagonal", "finfo", "fix", "flatnonzero", "flip", "fliplr",
    "flipud", "float16", "float32", "float64", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frexp", "from_dlpack", "frombuffer",
    "fromfunction", "fromiter", "fromstring", "full", "full_like", "gcd", "geomspace", "gradient", "greater", "greater_equal", "heaviside",
    "histogram", "histogram2d", "histogram_bin_edges", "histogramdd", "hsplit", "hstack", "hypot", "i0", "identity", "iinfo", "imag", "indices",
    "inf", "inner", "insert", "int16", "int32", "int64", "int8", "interp", "intersect1d", "invert", "isclose", "iscomplex", "iscomplexobj", "isdtype",
    "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf", "isreal", "isrealobj", "isscalar", "issubdtype", "ix_", "kron", "lcm", "ldexp",
    "left_shift", "less", "less_equal", "lexsort", "linalg", "linspace", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and",
    "logical_not", "logical_or", "logical_xor", "logspace", "matmul", "matrix_transpose", "matvec", "max", "maximum", "mean", "median", "meshgrid",
    "min", "min_scalar_type", "minimum", "mod", "modf", "moveaxis", "multiply", "nan", "nan_to_num", "nanargmax", "nanargmin", "nancumprod",
    "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar", "ndim",
    "negative", "newaxis", "nextafter", "nonzero", "not_equal", "ones", "ones_like", "outer", "packbits", "pad", "partition", "percentile",
    "permute_dims", "pi", "piecewise", "place", "poly", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval",
    "positive", "pow", "power", "prod", "promote_types", "ptp", "put", "put_along_axis", "putmask", "quantile", "rad2deg", "radians", "ravel",
    "ravel_multi_index", "real", "real_if_close", "reciprocal", "remainder", "repeat", "require", "reshape", "resize", "result_type", "right_shift",
    "rint", "roll", "rollaxis", "roots", "rot90", "round", "searchsorted", "select", "setdiff1d", "setxor1d", "shape", "sign", "signbit", "sin",
    "sinc", "sinh", "size", "sort", "sort_complex", "spacing", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes",
    "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "top_k", "trace", "transpose", "trapezoid", "tri", "tril", "tril_indices",
    "tril_indices_from", "trim_zeros", "triu", "triu_indices", "triu_indices_from", "true_divide", "trunc", "uint16", "uint32", "uint64", "uint8",
    "union1d", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values", "unpackbits", "unravel_index", "unstack", "unwrap",
    "vander", "var", "vdot", "vecdot", "vecmat", "vsplit", "vstack", "where", "zeros", "zeros_like",
]
