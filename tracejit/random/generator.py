"""`default_rng(seed)`: a generator with the methods of `numpy.random.Generator`, which works inside of traced functions.

Its state is a key and the number of draws so far; a draw uses `fold_in(key, number)` and counts one on.  So a draw is a function of the seed, of how
many draws came before, and of its own arguments: in every tier and for any number of threads.  The numbers are not those of NumPy's generators, and
ten draws of one number are not one draw of ten.

The state is a cell (`trace/cells.py`): a function that closes over a generator advances it in every call, compiled or not.

    jit, grad, scan,     as the plain function would: the state after n calls, turns or the taken branch is that of the plain loop
    while_loop, cond
    vmap                 every example has numbers of its own, those of a child of the generator (as `spawn` makes them), which goes on by one draw.
                         A generator that is an argument with `in_axes=None` gives every example the same numbers
    as an argument       a generator is a tree of one array, its state; under `jit` the caller's advances.  Where it cannot (it is an argument of a
                         mapped or differentiated function, or comes out of a loop's xs), it must be returned, or an error says so
"""

from __future__ import annotations

import operator
import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import at_user_line
from ..numpy.promotion import as_array
from ..ops.movement import broadcast_to, concatenate, reshape
from ..ops.random_bits import WORD, counters, random_bits
from ..trace import Tracer, type_of
from ..trace.cells import Cell
from ..trace.constants import constant
from . import counting, flat, gammas, gaussian, inversion, selection
from .draws import FLOAT, fitting
from .keys import as_shape, fold_in
from .keys import key as key_of

_FLOATS = np.dtype(np.float32), np.dtype(np.float64)


class Generator:
    """A stream of random numbers with NumPy's methods; made by `default_rng`.

    Real parameters have derivatives as those of the functions of `tracejit.random` do. `dtype=` and `out=` are there where NumPy has them.

    >>> import numpy as np, tracejit as tj
    >>> rng, twin = tj.random.default_rng(1), tj.random.default_rng(1)
    >>> noisy = tj.jit(lambda x: x + rng.normal(size=3))
    >>> bool(np.allclose([noisy(0.0) for _ in range(3)], [twin.normal(size=3) for _ in range(3)]))
    True
    """

    __slots__ = ("_cell",)

    def __init__(self, seed: Any = None):
        self._cell = Cell(_first_state(seed), _spread)

    @property
    def state(self) -> Any:
        """The key and the number of draws so far: two uint64, as a new array."""
        return constant(self._cell.read())

    @state.setter
    def state(self, value: Any) -> None:
        value = value if type(value) is Tracer else np.asarray(value)
        if type_of(value).shape != (2,) or type_of(value).dtype != WORD:
            raise TypeError(at_user_line(f"the state of a generator is an array of two uint64, got {type_of(value)}"))
        self._cell.write(value)

    def next_key(self) -> Any:
        """A key that is used for nothing else: for the functions of `tracejit.random`. It counts as a draw."""
        state = self._cell.read()
        self._cell.write(_advanced(state))
        return random_bits(state[0], state[1])

    def spawn(self, n_children: int) -> list[Generator]:
        """Generators whose streams are independent of this one and of each other. It counts as one draw."""
        key = self.next_key()
        return [_with_state(_state_of(fold_in(key, i))) for i in range(operator.index(n_children))]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of tracejit.random, state {self._cell.array}>"

    def __getattr__(self, name: str):
        known = hasattr(np.random.Generator, name) and not name.startswith("_")
        said = "is not there in tracejit yet" if known else "does not exist in numpy.random.Generator either"
        raise AttributeError(at_user_line(f"Generator.{name} {said}"))

    def __copy__(self) -> Generator:
        return _with_state(self._cell.read())

    def __deepcopy__(self, memo: dict) -> Generator:
        return self.__copy__()

    def __reduce__(self):
        return _with_state, (np.array(self._cell.array),)

    # -- uniform
    def random(self, size: Any = None, dtype: Any = float, out: Any = None) -> Any:
        """Uniform in [0, 1)."""
        return self._filled(flat.uniform, "random", size, dtype, out)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Uniform in [low, high)."""
        return self._of(_uniform, size, low, high)

    def integers(self, low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64, endpoint: bool = False) -> Any:
        """Integers in [low, high), or [0, low) where `high` is None; with `endpoint` the upper bound belongs to them.

        Raises `ValueError` for an empty range of known bounds.
        """
        if high is None:
            low, high = 0, low
        dtype = np.dtype(dtype)
        if dtype.kind == "b":
            return self.integers(low, high, size, np.uint8, endpoint).astype(bool)
        if endpoint:
            high = high + 1 if isinstance(high, int) else as_array(high) + 1
        low, high = (x if isinstance(x, (int, Tracer)) else _whole(x) for x in (low, high))
        if not any(type(x) is Tracer for x in (low, high)) and np.any(np.asarray(low) >= np.asarray(high)):
            raise ValueError(at_user_line("integers: low >= high"))
        shape = np.broadcast_shapes(np.shape(low), np.shape(high)) if size is None else size
        return flat.randint(self.next_key(), shape, low, high, dtype)

    def bytes(self, length: int) -> bytes:
        """Random bytes, outside of traced functions."""
        return np.asarray(flat.randint(self.next_key(), (length,), 0, 256, np.uint8)).tobytes()

    # -- normal
    def standard_normal(self, size: Any = None, dtype: Any = float, out: Any = None) -> Any:
        """Normal of mean 0 and variance 1."""
        return self._filled(gaussian.normal, "standard_normal", size, dtype, out)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Normal of mean `loc` and standard deviation `scale`."""
        return self._moved(gaussian.normal, loc, scale, size)

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None) -> Any:
        """exp(mean + sigma z) of a normal z."""
        return np.exp(self.normal(mean, sigma, size))

    def multivariate_normal(
        self, mean: Any, cov: Any, size: Any = None, check_valid: str = "warn", tol: float = 1e-8, *, method: str = "svd"
    ) -> Any:
        """Normal vectors: `size` + (n,). The covariance is not checked, it is taken to be valid."""
        shape = () if size is None else as_shape(size, "multivariate_normal")
        if type_of(as_array(mean)).ndim != 1:
            raise ValueError(at_user_line("multivariate_normal: mean must be 1 dimensional"))
        return gaussian.multivariate_normal(self.next_key(), mean, cov, shape, method=method)

    def wald(self, mean: Any, scale: Any, size: Any = None) -> Any:
        """Inverse Gaussian."""
        return self._of(_wald, size, mean, scale)

    # -- by inversion
    def standard_exponential(self, size: Any = None, dtype: Any = float, method: str = "zig", out: Any = None) -> Any:
        """Density exp(-x). `method` is NumPy's, and makes no difference here."""
        return self._filled(inversion.exponential, "standard_exponential", size, dtype, out)

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        """Exponential of mean `scale`."""
        return self._moved(inversion.exponential, None, scale, size)

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Density exp(-|x - loc| / scale) / (2 scale)."""
        return self._moved(inversion.laplace, loc, scale, size)

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Logistic."""
        return self._moved(inversion.logistic, loc, scale, size)

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Gumbel, of maxima."""
        return self._moved(inversion.gumbel, loc, scale, size)

    def standard_cauchy(self, size: Any = None) -> Any:
        """Density 1 / (pi (1 + x^2))."""
        return self._moved(inversion.cauchy, None, None, size)

    def rayleigh(self, scale: Any = 1.0, size: Any = None) -> Any:
        """Rayleigh."""
        return self._of(inversion.rayleigh, size, scale)

    def weibull(self, a: Any, size: Any = None) -> Any:
        """Weibull of shape `a` and scale 1."""
        return self._of(_weibull, size, a)

    def pareto(self, a: Any, size: Any = None) -> Any:
        """Pareto II, which begins at 0: one less than `tracejit.random.pareto`."""
        return self._of(inversion.pareto, size, a) - 1

    def power(self, a: Any, size: Any = None) -> Any:
        """Density a x^(a-1) on [0, 1]."""
        return self._of(inversion.power_function, size, a)

    def triangular(self, left: Any, mode: Any, right: Any, size: Any = None) -> Any:
        """Triangular."""
        return self._of(inversion.triangular, size, left, mode, right)

    # -- gamma and its relatives
    def standard_gamma(self, shape: Any, size: Any = None, dtype: Any = float, out: Any = None) -> Any:
        """Gamma of scale 1."""
        return self._filled(gammas.gamma, "standard_gamma", size, dtype, out, shape)

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None) -> Any:
        """Gamma."""
        shape, scale = np.broadcast_arrays(as_array(shape), as_array(scale)) if size is None else (shape, scale)
        return self._of(gammas.gamma, size, shape) * scale

    def beta(self, a: Any, b: Any, size: Any = None) -> Any:
        """Beta."""
        return self._of(gammas.beta, size, a, b)

    def chisquare(self, df: Any, size: Any = None) -> Any:
        """Chi-square."""
        return self._of(gammas.chisquare, size, df)

    def f(self, dfnum: Any, dfden: Any, size: Any = None) -> Any:
        """F."""
        return self._of(gammas.f, size, dfnum, dfden)

    def standard_t(self, df: Any, size: Any = None) -> Any:
        """Student's."""
        return self._of(gammas.t, size, df)

    def dirichlet(self, alpha: Any, size: Any = None) -> Any:
        """Vectors of the sum 1: `size` + (n,)."""
        return gammas.dirichlet(self.next_key(), alpha, () if size is None else size)

    # -- counts
    def poisson(self, lam: Any = 1.0, size: Any = None) -> Any:
        """Poisson."""
        return self._of(counting.poisson, size, lam)

    def binomial(self, n: Any, p: Any, size: Any = None) -> Any:
        """Binomial."""
        return self._of(counting.binomial, size, n, p)

    def negative_binomial(self, n: Any, p: Any, size: Any = None) -> Any:
        """Failures before the n-th success."""
        return self._of(counting.negative_binomial, size, n, p)

    def geometric(self, p: Any, size: Any = None) -> Any:
        """Trials up to the first success."""
        return self._of(counting.geometric, size, p)

    def logseries(self, p: Any, size: Any = None) -> Any:
        """Logarithmic series."""
        return self._of(counting.logseries, size, p)

    def zipf(self, a: Any, size: Any = None) -> Any:
        """Zipf."""
        return self._of(counting.zipf, size, a)

    def multinomial(self, n: Any, pvals: Any, size: Any = None) -> Any:
        """Numbers in classes: `size` + (k,)."""
        return counting.multinomial(self.next_key(), n, pvals, size)

    # -- orders and choices
    def choice(self, a: Any, size: Any = None, replace: bool = True, p: Any = None, axis: int = 0, shuffle: bool = True) -> Any:
        """Elements of `a`, or of `arange(a)`, with or without replacement. `shuffle` is NumPy's, and makes no difference here."""
        return selection.choice(self.next_key(), a, () if size is None else size, replace, p, axis)

    def permutation(self, x: Any, axis: int = 0) -> Any:
        """A copy in random order along `axis`, or `arange(x)` in random order."""
        return selection.permutation(self.next_key(), x, axis)

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Reorder an array in place, along `axis`."""
        if not isinstance(x, (np.ndarray, Tracer)):
            raise TypeError(at_user_line(f"shuffle works on arrays, got {type(x).__name__}: for a list take `permutation` of its positions"))
        x[...] = selection.permutation(self.next_key(), x, axis)

    def permuted(self, x: Any, *, axis: int | None = None, out: Any = None) -> Any:
        """A copy in which each line along `axis` has an order of its own; all elements in one where it is None."""
        x = as_array(x)
        if axis is None:
            found = np.reshape(selection.permutation(self.next_key(), np.reshape(x, -1)), type_of(x).shape)
        else:
            found = selection.permutation(self.next_key(), x, axis, independent=True)
        return _into(out, found)

    # -- how a draw is made
    def _of(self, function: Any, size: Any, *parameters: Any) -> Any:
        return function(self.next_key(), *parameters, shape=size)

    def _moved(self, function: Any, loc: Any, scale: Any, size: Any) -> Any:
        """loc + scale times a standard number; None stands for 0 and 1."""
        given = [as_array(x) for x in (loc, scale) if x is not None]
        needed = np.broadcast_shapes(*[type_of(x).shape for x in given])
        found = function(self.next_key(), needed if size is None else fitting(function.__name__, size, needed))
        found = found if scale is None else found * scale
        return found if loc is None else found + loc

    def _filled(self, function: Any, what: str, size: Any, dtype: Any, out: Any, *parameters: Any) -> Any:
        """A draw of float32 or float64, written into `out` where that is given."""
        dtype = np.dtype(dtype)
        if dtype not in _FLOATS:
            raise TypeError(at_user_line(f"{what}: unsupported dtype {dtype}: float32 or float64"))
        if out is not None:
            if out.dtype != dtype:
                raise TypeError(at_user_line(f"{what}: out has dtype {out.dtype}, expected {dtype}"))
            if size is not None and as_shape(size, what) != out.shape:
                raise ValueError(at_user_line(f"{what}: size {size} is not the shape {out.shape} of out"))
            size = out.shape
        shape = size if parameters or size is not None else ()
        return _into(out, function(self.next_key(), *parameters, shape=shape, dtype=dtype))


def _uniform(key: Any, low: Any, high: Any, shape: Any) -> Any:
    needed = np.broadcast_shapes(*[type_of(as_array(x)).shape for x in (low, high)])
    return flat.uniform(key, needed if shape is None else shape, FLOAT, low, high)


def _weibull(key: Any, a: Any, shape: Any) -> Any:
    return inversion.weibull_min(key, 1.0, a, shape)


def _wald(key: Any, mean: Any, scale: Any, shape: Any) -> Any:
    return gaussian.wald(key, mean, shape, FLOAT, scale)


def _whole(x: Any) -> Any:
    """Bounds that may be given as floats without a fraction."""
    x = np.asarray(x)
    if x.dtype.kind == "f" and np.all(x == np.floor(x)):
        x = x.astype(np.int64)
    return int(x) if not x.ndim else x


def _into(out: Any, found: Any) -> Any:
    if out is None:
        return found
    out[...] = found
    return out


# -- state
def _first_state(seed: Any) -> Any:
    """The state for what NumPy takes as a seed: None for entropy of the system, an integer, which may be traced, or a sequence of integers."""
    if seed is None:
        return _state_of(WORD.type(secrets.randbits(64)))
    if type(seed) is Tracer or isinstance(seed, (int, np.integer)) and 0 <= seed < 1 << 64:
        return _state_of(key_of(seed))
    if isinstance(seed, np.random.SeedSequence):
        return _state_of(seed.generate_state(1, np.uint64)[0])
    if isinstance(seed, (int, np.integer)) and seed < 0:
        raise ValueError(at_user_line(f"a seed is not negative, got {seed}"))
    if isinstance(seed, str) or not isinstance(seed, (int, Sequence, np.ndarray)):
        raise TypeError(at_user_line(f"a seed is None, an integer or a sequence of integers, got {type(seed).__name__}"))
    return _state_of(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])


def _state_of(key: Any) -> Any:
    if type(key) is not Tracer:
        return np.array([key, 0], WORD)
    return concatenate(reshape(key, shape=(1,)), np.zeros(1, WORD), axis=0)


def _advanced(state: Any) -> Any:
    return state + np.array([0, 1], WORD) if type(state) is not Tracer else state + counters(state, 2)


def _with_state(state: Any) -> Generator:
    made = object.__new__(Generator)
    made._cell = Cell(state, _spread)
    return made


def _spread(state: Any, n: int) -> tuple[Any, Any]:
    """States of n children, stacked, and the next state of the parent."""
    keys = random_bits(random_bits(state[0], state[1]), counters(state, n))
    columns = [reshape(keys, shape=(n, 1)), broadcast_to(WORD.type(0), shape=(n, 1))]
    return concatenate(*columns, axis=1), _advanced(state)


def _rebuilt(metadata: None, children: Any) -> Generator:
    (state,) = children
    made = object.__new__(Generator)
    made._cell = Cell.holding(state, _spread)
    return made


tree.register_node(Generator, lambda rng: ((rng._cell.array,), None, ("state",)), _rebuilt)


def default_rng(seed: Any = None) -> Generator:
    """A generator for a seed: None for one from the entropy of the system, an integer, which may be traced, a sequence of integers.

    A generator is returned as it is.  Raises `TypeError` or `ValueError` for what is no seed.

    >>> import tracejit as tj
    >>> tj.random.default_rng(0).integers(10, size=3).dtype
    dtype('int64')
    """
    return seed if isinstance(seed, Generator) else Generator(seed)


__all__ = ["Generator", "default_rng"]
