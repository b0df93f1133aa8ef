"""One small call for every function of NumPy that can be overridden: what `tracejit.tools.coverage` traces, differentiates, maps and compiles.

An example is a function of arrays and those arrays.  Its derivatives are compared with differences unless it says that it has none: it is piecewise
constant, or the point is a kink.  `known=True` marks functions whose shapes depend on values: they are traced where values are known.  `text=True`
marks functions of text and dates, which are constants of a traced program.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np


class Example(NamedTuple):
    """`call(*args)`; `smooth` says that derivatives exist there, `mapped` that the call makes sense for each element of a batch."""

    call: Callable
    args: tuple
    smooth: bool = True
    known: bool = False
    mapped: bool = True
    rtol: float = 1e-6
    text: bool = False


# -- arguments
U = np.array([0.3, 0.7, 0.45, 0.6])              # inside (0, 1), where every real function is defined
V = np.array([1.4, 2.1, 1.7, 3.2])               # above 1
M = np.array([[2.0, 0.3, -0.4], [0.1, 1.5, 0.6], [0.7, -0.2, 1.8]])
N = np.array([[1.0, -0.5, 0.2], [0.4, 0.9, -1.1], [0.8, 0.3, 0.7]])
S = M @ M.T                                       # symmetric and positive definite
T = np.arange(24.0).reshape(2, 3, 4) ** 1.3 - 9
C = np.array([1 + 2j, 0.5 - 1j, -2 + 0.3j])
I = np.array([5, 2, 7, 12])
J = np.array([3, 1, 6, 10])
B = np.array([True, False, True, True])
HOLES = np.array([[0.5, np.nan, 1.5], [2.5, -1.0, 0.1]])
WORDS = np.array(["one 1", "Two\t2", "  3 "])
DAYS = np.array(["2024-02-29", "NaT", "2025-01-01"], "M8[D]")
UNSORTED = np.array([3.0, 1.0, 2.5, 0.5, 2.0])

examples: dict[str, Example] = {}


def smooth(name: str, call: Callable, *args: Any, **options: Any) -> None:
    """A function with derivatives."""
    examples[name] = Example(call, args, **options)


def flat(name: str, call: Callable, *args: Any, **options: Any) -> None:
    """A function that is piecewise constant, or whose arguments or results are not real or complex numbers."""
    examples[name] = Example(call, args, smooth=False, **options)


def from_values(name: str, call: Callable, *args: Any, differentiable: bool = False, **options: Any) -> None:
    """A function that needs the values."""
    examples[name] = Example(call, args, smooth=differentiable, known=True, mapped=False, **options)


def of_text(name: str, measure: Callable) -> None:
    """A function of text or dates, in a program of numbers: `measure()` makes a number of each word."""
    examples[name] = Example(lambda x: x * measure(), (U[:3],), smooth=False, text=True)


def on(function: Callable, *arguments: Any, **options: Any) -> Callable:
    """A call with further arguments."""
    return lambda x: function(x, *arguments, **options)


def joined(function: Callable) -> Callable:
    """A call on a pair of arrays."""
    return lambda x, y: function((x, y))


def then(function: Callable, *arguments: Any, part: int = 0) -> Callable:
    """A call with further arguments, of whose results one is taken."""
    return lambda x: function(x, *arguments)[part]


# -- ufuncs
for _name in """sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arctanh exp exp2 expm1 log log2 log10 log1p sqrt cbrt square reciprocal
                negative positive absolute fabs degrees rad2deg radians deg2rad conjugate spacing""".split():
    smooth(_name, getattr(np, _name), U)
smooth("arccosh", np.arccosh, V)
for _name in """add subtract multiply divide true_divide power float_power hypot arctan2 logaddexp logaddexp2 maximum minimum fmax fmin remainder fmod
                copysign""".split():
    smooth(_name, getattr(np, _name), V, np.array([0.9, 0.8, 1.2, 0.7]))
smooth("divmod", lambda x, y: np.divmod(x, y)[1], V, np.array([0.9, 0.8, 1.2, 0.7]))
smooth("modf", lambda x: np.modf(x)[0], V)
smooth("frexp", lambda x: np.frexp(x)[0], V)
smooth("ldexp", lambda x: np.ldexp(x, np.array([1, 2, -1, 0])), V)
smooth("nextafter", lambda x: np.nextafter(x, 9.0), V)
smooth("clip", lambda x: np._core.umath.clip(x, 1.5, 2.5), V)
for _name in "matmul vecdot matvec vecmat".split():
    smooth(_name, getattr(np, _name), M[0] if _name in ("vecdot", "vecmat") else M, N[0] if _name in ("vecdot", "matvec") else N)
for _name in "floor ceil trunc rint sign isnan isinf isfinite signbit logical_not".split():
    flat(_name, getattr(np, _name), V)
for _name in """floor_divide heaviside equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor""".split():
    flat(_name, getattr(np, _name), V, V[::-1].copy())
for _name in "bitwise_and bitwise_or bitwise_xor gcd lcm left_shift right_shift".split():
    flat(_name, getattr(np, _name), I, np.array([1, 2, 3, 1]))
for _name in "invert bitwise_count".split():
    flat(_name, getattr(np, _name), I)
flat("_ones_like", np._core.umath._ones_like, V)

# -- shape and order of axes
for _name in "ravel transpose permute_dims squeeze copy flip fliplr flipud rot90 atleast_1d atleast_2d atleast_3d".split():
    smooth(f"numpy.{_name}", getattr(np, _name), M)
smooth("numpy.matrix_transpose", np.matrix_transpose, M)
smooth("numpy.reshape", lambda x: np.reshape(x, (4, -1)), T)
smooth("numpy.resize", lambda x: np.resize(x, (2, 5)), U)
smooth("numpy.swapaxes", lambda x: np.swapaxes(x, 0, 2), T)
smooth("numpy.moveaxis", lambda x: np.moveaxis(x, 0, -1), T)
smooth("numpy.rollaxis", lambda x: np.rollaxis(x, 2), T)
smooth("numpy.expand_dims", lambda x: np.expand_dims(x, 1), M)
smooth("numpy.broadcast_to", lambda x: np.broadcast_to(x, (2, 4)), U)
smooth("numpy.broadcast_arrays", np.broadcast_arrays, M, N[0])
smooth("numpy.astype", lambda x: np.astype(x, np.complex128), U)
smooth("numpy.roll", lambda x: np.roll(x, 2, axis=1), M)
flat("numpy.shape", lambda x: np.zeros(np.shape(x)) + x, M)
flat("numpy.ndim", lambda x: np.ndim(x) + x, M)
flat("numpy.size", lambda x: np.size(x) + x, M)

# -- joining, splitting, repeating
for _name in "concatenate concat stack vstack hstack dstack column_stack".split():
    smooth(f"numpy.{_name}", joined(getattr(np, _name)), M, N)
smooth("numpy.block", lambda x, y: np.block([[x, y], [y, x]]), M, N)
smooth("numpy.append", np.append, U, V)
smooth("numpy.insert", lambda x: np.insert(x, 1, 9.0), U)
smooth("numpy.delete", lambda x: np.delete(x, 1), U)
for _name in "split array_split hsplit vsplit".split():
    smooth(f"numpy.{_name}", then(getattr(np, _name), [1]), M)
smooth("numpy.dsplit", lambda x: np.dsplit(x, 2)[1], T)
smooth("numpy.unstack", lambda x: np.unstack(x)[1], M)
smooth("numpy.tile", lambda x: np.tile(x, (2, 2)), U)
smooth("numpy.repeat", lambda x: np.repeat(x, 2), U)
smooth("numpy.pad", lambda x: np.pad(x, 1, mode="reflect"), M)
smooth("numpy.kron", np.kron, M, N)
smooth("numpy.meshgrid", np.meshgrid, U, V)
smooth("numpy.lib.stride_tricks.sliding_window_view", lambda x: np.lib.stride_tricks.sliding_window_view(x, 2), U)

# -- diagonals and triangles
for _name in "diag diagflat diagonal tril triu trace".split():
    smooth(f"numpy.{_name}", getattr(np, _name), M)
flat("numpy.diag_indices_from", lambda x: x[np.diag_indices_from(x)], M)
flat("numpy.tril_indices_from", lambda x: x[np.tril_indices_from(x)], M)
flat("numpy.triu_indices_from", lambda x: x[np.triu_indices_from(x)], M)
smooth("numpy.vander", np.vander, U)

# -- products
for _name in "dot inner vdot outer tensordot cross".split():
    smooth(f"numpy.{_name}", getattr(np, _name), M, N)
smooth("numpy.tensordot", lambda x, y: np.tensordot(x, y, 1), M, N)
smooth("numpy.einsum", lambda x, y: np.einsum("ij,jk->ik", x, y), M, N)
flat("numpy.einsum_path", lambda x, y: np.einsum("ij,jk", x, y, optimize=np.einsum_path("ij,jk", x, y)[0]), M, N)
smooth("numpy.convolve", np.convolve, U, V[:2])
smooth("numpy.correlate", np.correlate, U, V[:2])

# -- reductions and runs
for _name in "sum prod max min amax amin mean std var ptp nansum nanprod nanmax nanmin nanmean nanstd nanvar median average".split():
    smooth(f"numpy.{_name}", on(getattr(np, _name), axis=0), M)
for _name in "nanmedian nanquantile nanpercentile quantile percentile".split():
    smooth(f"numpy.{_name}", on(getattr(np, _name), *[0.3] * (_name != "nanmedian"), axis=1), M)
for _name in "cumsum cumprod nancumsum nancumprod cumulative_sum cumulative_prod".split():
    smooth(f"numpy.{_name}", on(getattr(np, _name), axis=0), M)
for _name in "argmax argmin nanargmax nanargmin any all count_nonzero".split():
    flat(f"numpy.{_name}", on(getattr(np, _name), axis=0), M)
smooth("numpy.cov", np.cov, M)
smooth("numpy.corrcoef", np.corrcoef, M)
smooth("numpy.diff", np.diff, M)
smooth("numpy.ediff1d", np.ediff1d, U)
smooth("numpy.gradient", lambda x: np.gradient(x, 0.5, axis=0), M)
smooth("numpy.trapezoid", np.trapezoid, M)
smooth("numpy.unwrap", np.unwrap, 3 * V)

# -- mathematics
for _name in "sinc i0 nan_to_num real imag angle real_if_close".split():
    smooth(f"numpy.{_name}", getattr(np, _name), U)
smooth("numpy.imag", np.imag, C)
smooth("numpy.angle", np.angle, C)
for _name in "around round fix isreal iscomplex isneginf isposinf".split():
    flat(f"numpy.{_name}", getattr(np, _name), V)
flat("numpy.iscomplexobj", lambda x: x * np.iscomplexobj(x), C)
flat("numpy.isrealobj", lambda x: x * np.isrealobj(x), C)
for _name in "isclose allclose array_equal array_equiv".split():
    flat(f"numpy.{_name}", getattr(np, _name), U, V)
smooth("numpy.interp", lambda x, y: np.interp(x, [0.0, 0.5, 1.0], y), U, V[:3])
smooth("numpy.clip", lambda x: np.clip(x, 0.4, 0.65), U)
smooth("numpy.where", lambda x, y: np.where(x > 0.5, x, y), U, V)
smooth("numpy.select", lambda x, y: np.select([x > 0.5, x > 0.4], [x, y], 0.0), U, V)
smooth("numpy.piecewise", lambda x: np.piecewise(x, [x > 0.5], [np.sin, np.cos]), U)
smooth("numpy.apply_along_axis", lambda x: np.apply_along_axis(lambda row: row / row.sum(), 0, x), M)
smooth("numpy.apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, (0,)), M)

# -- polynomials
for _name in "polyadd polysub polymul".split():
    smooth(f"numpy.{_name}", getattr(np, _name), U, V)
smooth("numpy.polydiv", lambda x, y: np.polydiv(x, y)[0], U, V[:2])
for _name in "poly polyder polyint".split():
    smooth(f"numpy.{_name}", getattr(np, _name), U)
smooth("numpy.polyval", np.polyval, U, V)
smooth("numpy.polyfit", lambda x, y: np.polyfit(x, y, 1), U, V)
smooth("numpy.roots", lambda p: np.abs(np.roots(p)), np.array([1.0, -6.0, 11.0, -6.1]), rtol=1e-5)


# -- order and counting
smooth("numpy.sort", np.sort, UNSORTED)
smooth("numpy.sort_complex", lambda x: np.sort_complex(x).real, UNSORTED)
smooth("numpy.partition", lambda x: np.partition(x, 2)[2], UNSORTED)
flat("numpy.argsort", np.argsort, UNSORTED)
flat("numpy.argpartition", lambda x: np.argpartition(x, 2)[2], UNSORTED)
flat("numpy.lexsort", lambda x, y: np.lexsort((x, y)), UNSORTED, UNSORTED[::-1].copy())
flat("numpy.searchsorted", np.searchsorted, np.sort(UNSORTED), V)
flat("numpy.digitize", lambda x: np.digitize(x, [1.0, 2.0, 3.0]), V)
flat("numpy.bincount", lambda i: np.bincount(i, minlength=13), I)
smooth("numpy.histogram", lambda x, w: np.histogram(x, 3, weights=w), V, U)
smooth("numpy.histogram_bin_edges", lambda x: np.histogram_bin_edges(x, 3), V)
smooth("numpy.histogram2d", lambda x, y, w: np.histogram2d(x, y, 3, weights=w), V, U, U)
smooth("numpy.histogramdd", lambda x, w: np.histogramdd(x, (2, 2, 2), weights=w)[0], M, U[:3])
for _name in "unique unique_values".split():
    smooth(f"numpy.{_name}", getattr(np, _name), UNSORTED, mapped=False)
for _name in "unique_all unique_counts unique_inverse".split():
    smooth(f"numpy.{_name}", then(getattr(np, _name)), UNSORTED, mapped=False)
for _name in "intersect1d union1d setdiff1d setxor1d".split():
    from_values(f"numpy.{_name}", getattr(np, _name), UNSORTED, UNSORTED[1:3] + 0.0)
flat("numpy.isin", np.isin, I, J)
from_values("numpy.trim_zeros", np.trim_zeros, np.array([0.0, 1.0, 2.0, 0.0]))

# -- positions
smooth("numpy.take", lambda x: np.take(x, [2, 0]), U)
smooth("numpy.take_along_axis", lambda x: np.take_along_axis(x, np.array([[0], [2], [1]]), 1), M)
smooth("numpy.choose", lambda x, y: np.choose([0, 1, 1, 0], [x, y]), U, V)
smooth("numpy.compress", lambda x: np.compress([True, False, True, False], x), U)
smooth("numpy.extract", lambda x: np.extract([True, False, True, False], x), U)
for _name in "nonzero flatnonzero argwhere".split():
    flat(f"numpy.{_name}", getattr(np, _name), U, mapped=False)
smooth("numpy.ix_", lambda x, i: x[np.ix_(i, i)], M, np.array([2, 0]))
flat("numpy.ravel_multi_index", lambda i, j: np.ravel_multi_index((i, j), (13, 13)), I, J)
flat("numpy.unravel_index", lambda i: np.unravel_index(i, (5, 5)), I)
flat("numpy.packbits", np.packbits, B)
flat("numpy.unpackbits", lambda x: np.unpackbits(x.astype(np.uint8)), I)


# -- in place: on a copy, so that the argument stays as it was
def _written(change: Callable) -> Callable:
    def call(x, *args):
        y = x + 0.0
        change(y, *args)
        return y
    return call


smooth("numpy.copyto", _written(lambda y, v: np.copyto(y, v, where=[True, False, True, True])), U, V)
smooth("numpy.put", _written(lambda y, v: np.put(y, [2, 0], v)), U, V[:2])
smooth("numpy.place", _written(lambda y, v: np.place(y, np.array([True, False, True, False]), v)), U, V[:2])
smooth("numpy.putmask", _written(lambda y, v: np.putmask(y, np.array([True, False, True, False]), v)), U, V)
smooth("numpy.put_along_axis", _written(lambda y, v: np.put_along_axis(y, np.array([[0], [2], [1]]), v, 1)), M, N[:, :1])
smooth("numpy.fill_diagonal", _written(lambda y, v: np.fill_diagonal(y, v)), M, V[0])

# -- creation: empty arrays have any values, so nothing but shape and dtype is compared
def times_nothing(function: Callable, *arguments: Any, **options: Any) -> Callable:
    """A call like an array, or with further arguments and `like=`."""
    if not arguments:
        return lambda x: np.where(np.isnan(x), function(x), x)
    return lambda x: np.where(np.isnan(x), function(*arguments, like=x, **options), x)


for _name in "zeros_like ones_like empty_like".split():
    flat(f"numpy.{_name}", times_nothing(getattr(np, _name)), U)
smooth("numpy.full_like", lambda x, y: np.full_like(x, y), U, V[0])


def spaced(function: Callable) -> Callable:
    """Five numbers between two."""
    return lambda a, b: function(a, b, 5)


for _name in "linspace logspace geomspace".split():
    smooth(f"numpy.{_name}", spaced(getattr(np, _name)), U[0], V[0])
for _name, _arguments in (("zeros", (4,)), ("ones", (4,)), ("empty", (4,)), ("eye", (4,)), ("identity", (4,)), ("tri", (4,)), ("arange", (4,)),
                          ("array", ([1.0, 2, 3, 4],)), ("asarray", ([1.0, 2, 3, 4],)), ("asanyarray", ([1.0, 2, 3, 4],)),
                          ("ascontiguousarray", ([1.0, 2, 3, 4],)), ("asfortranarray", ([1.0, 2, 3, 4],)), ("require", ([1.0, 2, 3, 4],)),
                          ("full", (4, 2.0)), ("fromfunction", (np.square, (4,))), ("fromiter", (range(4), float)), ("frombuffer", (bytes(32),)),
                          ("fromstring", ("1 2 3 4",))):
    flat(f"numpy.{_name}", times_nothing(getattr(np, _name), *_arguments, **{"sep": " "} if _name == "fromstring" else {}), U)

# -- what is asked about arrays
def scaled_by_length(write: Callable) -> Callable:
    """The length of a text as a factor."""
    return lambda x: x * len(write(x))


flat("numpy.common_type", lambda x: x.astype(np.common_type(x)), U)
flat("numpy.result_type", lambda x: x.astype(np.result_type(x, np.float32)), U)
flat("numpy.min_scalar_type", lambda x: x.astype(np.min_scalar_type(x)), U)
flat("numpy.can_cast", lambda x: x * np.can_cast(x.dtype, np.int32), U)
for _name in "array_repr array_str array2string".split():
    from_values(f"numpy.{_name}", scaled_by_length(getattr(np, _name)), U)
flat("numpy.may_share_memory", lambda x: x * np.may_share_memory(x, x), U)
flat("numpy.shares_memory", lambda x: x * np.shares_memory(x, x), U)

# -- functions that leave the real line
for _name in "sqrt log log2 log10 arccos arcsin arctanh".split():
    from_values(f"numpy.lib.scimath.{_name}", getattr(np.lib.scimath, _name), U, differentiable=True)
from_values("numpy.lib.scimath.logn", lambda x: np.lib.scimath.logn(2.0, x), V, differentiable=True)
from_values("numpy.lib.scimath.power", lambda x: np.lib.scimath.power(x, 1.5), V, differentiable=True)

# -- linear algebra
for _name in "cholesky det inv slogdet eigvalsh svdvals pinv norm matrix_norm vector_norm cond trace diagonal matrix_transpose".split():
    smooth(f"numpy.linalg.{_name}", getattr(np.linalg, _name), S)
smooth("numpy.linalg.slogdet", lambda x: np.linalg.slogdet(x)[1], S)
smooth("numpy.linalg.solve", np.linalg.solve, M, N)
smooth("numpy.linalg.lstsq", lambda x, y: np.linalg.lstsq(x, y)[0], M, N)
smooth("numpy.linalg.qr", lambda x: np.linalg.qr(x)[1], M)
smooth("numpy.linalg.svd", lambda x: np.linalg.svd(x)[1], M)
smooth("numpy.linalg.eigh", lambda x: np.linalg.eigh(x + x.T)[0], M)
smooth("numpy.linalg.eig", lambda x: np.abs(np.linalg.eig(x)[0]), np.diag([1.0, 2.5, 4.0]) + 0.1 * N)
smooth("numpy.linalg.eigvals", lambda x: np.abs(np.linalg.eigvals(x)), np.diag([1.0, 2.5, 4.0]) + 0.1 * N)
smooth("numpy.linalg.eigvalsh", lambda x: np.linalg.eigvalsh(x + x.T), M)
smooth("numpy.linalg.cholesky", lambda x: np.linalg.cholesky(x @ x.T + np.eye(3)), M)
flat("numpy.linalg.matrix_rank", np.linalg.matrix_rank, M)
smooth("numpy.linalg.matrix_power", lambda x: np.linalg.matrix_power(x, 3), M)
smooth("numpy.linalg.multi_dot", lambda x, y: np.linalg.multi_dot([x, y, x]), M, N)
smooth("numpy.linalg.tensorinv", lambda x: np.linalg.tensorinv(x.reshape(3, 1, 3), ind=2), M)
smooth("numpy.linalg.tensorsolve", lambda x, y: np.linalg.tensorsolve(x, y), M, N[0])
for _name in "matmul outer cross tensordot vecdot".split():
    smooth(f"numpy.linalg.{_name}", getattr(np.linalg, _name), *((M[0], N[0]) if _name in ("outer", "cross", "vecdot") else (M, N)))

# -- text and dates
def width(words) -> np.ndarray:
    """The lengths of words."""
    return np.strings.str_len(words)


for _name in "isalnum isalpha isdecimal isdigit islower isnumeric isspace istitle isupper str_len".split():
    of_text(_name, partial(getattr(np.strings, _name), WORDS))
for _name in "count endswith find rfind startswith".split():
    of_text(_name, partial(getattr(np.strings, _name), WORDS, "1"))
for _name in "index rindex".split():
    of_text(_name, partial(getattr(np.strings, _name), WORDS, ["n", "w", "3"]))
for _name, _measure in {
    "_center": lambda: width(np.strings.center(WORDS, 8)), "_ljust": lambda: width(np.strings.ljust(WORDS, 8)),
    "_rjust": lambda: width(np.strings.rjust(WORDS, 8)), "_zfill": lambda: width(np.strings.zfill(WORDS, 8)),
    "_expandtabs": lambda: width(np.strings.expandtabs(WORDS)), "_expandtabs_length": lambda: width(np.strings.expandtabs(WORDS, 4)),
    "_lstrip_chars": lambda: width(np.strings.lstrip(WORDS, "o")), "_rstrip_chars": lambda: width(np.strings.rstrip(WORDS, "1")),
    "_strip_chars": lambda: width(np.strings.strip(WORDS, "o1")), "_lstrip_whitespace": lambda: width(np.strings.lstrip(WORDS)),
    "_rstrip_whitespace": lambda: width(np.strings.rstrip(WORDS)), "_strip_whitespace": lambda: width(np.strings.strip(WORDS)),
    "_partition": lambda: width(np.strings.partition(WORDS, " ")[0]), "_partition_index": lambda: width(np.strings.partition(WORDS, " ")[2]),
    "_rpartition": lambda: width(np.strings.rpartition(WORDS, " ")[0]), "_rpartition_index": lambda: width(np.strings.rpartition(WORDS, " ")[2]),
    "_replace": lambda: width(np.strings.replace(WORDS, "o", "oo")), "_slice": lambda: width(np.strings.slice(WORDS, 1, 3)),
    "isnat": lambda: np.isnat(DAYS),
}.items():
    of_text(_name, _measure)

# -- Fourier transforms
for _name in "fft ifft ihfft rfft fft2 ifft2 rfft2 fftn ifftn rfftn fftshift ifftshift".split():
    smooth(f"numpy.fft.{_name}", getattr(np.fft, _name), M)
for _name in "hfft irfft irfft2 irfftn".split():
    smooth(f"numpy.fft.{_name}", getattr(np.fft, _name), np.array([C, C[::-1], C + 1]))

__all__ = ["Example", "examples"]
