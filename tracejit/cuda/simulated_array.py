"""`SimulatedArray`: what the simulator has in place of a CuPy array, and the namespace that computes with such arrays.

The memory of the simulated device is the host's, and the arithmetic NumPy's.  What is imitated is the border: such an array is no `np.ndarray`, does
not become one unless it is asked for a copy (`get()`), and refuses to be computed with beside one, so what works here keeps its arrays on a device.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np


class SimulatedArray:
    """An array in the memory of the simulated device; it has the methods, operators and protocols of `cupy.ndarray`."""

    __slots__ = ("host", "device_id", "__weakref__")
    __array_priority__ = 100.0
    __hash__ = None

    def __init__(self, host: np.ndarray, device_id: int = 0):
        self.host, self.device_id = host, device_id

    # -- what is known without a look at the device
    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)
    nbytes = property(lambda self: self.host.nbytes)
    itemsize = property(lambda self: self.host.itemsize)
    strides = property(lambda self: self.host.strides)
    flags = property(lambda self: self.host.flags)
    T = property(lambda self: SimulatedArray(self.host.T, self.device_id))
    mT = property(lambda self: SimulatedArray(self.host.mT, self.device_id))
    real = property(lambda self: SimulatedArray(self.host.real, self.device_id), lambda self, x: setattr(self.host, "real", on_host(_refused(x))))
    imag = property(lambda self: SimulatedArray(self.host.imag, self.device_id), lambda self, x: setattr(self.host, "imag", on_host(_refused(x))))

    def __len__(self) -> int:
        return len(self.host)

    # -- to the host
    def get(self, out: np.ndarray | None = None) -> np.ndarray:
        """A copy on the host."""
        if out is None:
            return np.array(self.host)
        np.copyto(out, self.host)
        return out

    def set(self, array: np.ndarray) -> None:
        """Take the contents of an array on the host."""
        np.copyto(self.host, array)

    def item(self, *where: int) -> Any:
        return self.host.item(*where)

    def tolist(self) -> Any:
        return self.host.tolist()

    def tobytes(self) -> bytes:
        return self.host.tobytes()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly.")

    def __bool__(self) -> bool:
        return bool(self.host)

    def __int__(self) -> int:
        return int(self.host)

    def __float__(self) -> float:
        return float(self.host)

    def __complex__(self) -> complex:
        return complex(self.host)

    def __repr__(self) -> str:
        return repr(self.host)

    def __str__(self) -> str:
        return str(self.host)

    def __format__(self, spec: str) -> str:
        return format(self.host if self.ndim else self.host[()], spec)

    def __reduce__(self):
        return SimulatedArray, (self.get(), self.device_id)

    def __copy__(self) -> SimulatedArray:
        return SimulatedArray(self.host.copy(), self.device_id)

    def __deepcopy__(self, memo: dict) -> SimulatedArray:
        return self.__copy__()

    # -- indexing
    def __getitem__(self, index: Any) -> SimulatedArray:
        return on_device(np.asarray(self.host[on_host(index)]), self.device_id)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.host[on_host(index)] = on_host(_refused(value))

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    # -- protocols
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {**self.host.__array_interface__, "version": 3}

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        if method != "__call__" or ufunc.__name__ in ABSENT or not all(_computes(x) for x in (*inputs, *(out or ()))):
            return NotImplemented
        if out is not None:
            kwargs["out"] = out[0] if len(out) == 1 else out
        if ufunc in _COMPARISONS.values():  # NumPy makes arrays of its scalars there, and CuPy takes them
            inputs = tuple([x.item() if isinstance(x, np.ndarray) and not x.ndim else x for x in inputs])
        return _call(ufunc, inputs, kwargs)

    def __array_function__(self, function: Callable, kinds: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        known = function.__name__ not in ABSENT and all(kind in (SimulatedArray, np.ndarray) for kind in kinds)
        return _call(function, args, kwargs) if known else NotImplemented


def _computes(x: Any) -> bool:
    return isinstance(x, (SimulatedArray, np.ndarray, np.generic, bool, int, float, complex))


def _refused(x: Any) -> Any:
    """x, unless it is an array on the host."""
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {np.ndarray}")
    return x


def on_host(x: Any) -> Any:
    """x, which may be a nest of tuples, lists and slices, with the arrays on the host."""
    kind = type(x)
    if kind is SimulatedArray:
        return x.host
    if kind in (tuple, list):
        return kind([on_host(item) for item in x])
    return slice(on_host(x.start), on_host(x.stop), on_host(x.step)) if kind is slice else x


def on_device(x: Any, device_id: int = 0) -> Any:
    """x, which may be a nest of tuples and lists, with the arrays on the device."""
    if isinstance(x, (np.ndarray, np.generic)):
        return SimulatedArray(np.asarray(x), device_id)
    return type(x)(*[on_device(item, device_id) for item in x]) if hasattr(x, "_fields") else _plain(x, device_id)


def _plain(x: Any, device_id: int) -> Any:
    return type(x)([on_device(item, device_id) for item in x]) if type(x) in (tuple, list) else x


def _device(x: Any) -> int | None:
    """The device of the first array in a nest."""
    if type(x) is SimulatedArray:
        return x.device_id
    return next((found for item in x if (found := _device(item)) is not None), None) if type(x) in (tuple, list) else None


def _call(function: Callable, args: tuple, kwargs: dict[str, Any]) -> Any:
    """A function of NumPy's on arrays of the device. Raises `TypeError`, as CuPy does, for one on the host among them."""
    for x in (*args, *kwargs.values()):
        for item in x if type(x) in (tuple, list) else (x,):
            _refused(item)
    device_id = _device((*args, *kwargs.values())) or 0
    with np.errstate(all="ignore"):
        result = function(*on_host(args), **{name: on_host(x) for name, x in kwargs.items()})
    out = kwargs.get("out")
    return out if type(out) is SimulatedArray else on_device(result, device_id)


def _operator(name: str) -> Callable:
    ufunc = _OPERATORS[name]

    def forward(self, other):
        return ufunc(self, other) if _computes(other) or hasattr(other, "__array_ufunc__") else NotImplemented

    def reflected(self, other):
        return ufunc(other, self) if _computes(other) else NotImplemented

    def in_place(self, other):
        return ufunc(self, other, out=self)

    return forward, reflected, in_place


_OPERATORS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide, "mod": np.remainder,
    "pow": np.power, "matmul": np.matmul, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "lshift": np.left_shift,
    "rshift": np.right_shift,
}  # fmt: skip
_COMPARISONS = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal}
_UNARY = {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}
_METHODS = (
    "all", "any", "argmax", "argmin", "argpartition", "argsort", "astype", "choose", "clip", "compress", "conj", "conjugate", "copy", "cumprod",
    "cumsum", "diagonal", "dot", "fill", "flatten", "max", "mean", "min", "nonzero", "partition", "prod", "put", "ravel", "repeat", "reshape",
    "round", "searchsorted", "sort", "squeeze", "std", "sum", "swapaxes", "take", "trace", "transpose", "var", "view",
)  # fmt: skip


def _method(name: str) -> Callable:
    plain = getattr(np.ndarray, name)

    def method(self, *args: Any, **kwargs: Any) -> Any:
        return _call(plain, (self, *args), kwargs)

    method.__name__ = name
    return method


for _name in _OPERATORS:
    for _form, _made in zip(("__{}__", "__r{}__", "__i{}__"), _operator(_name)):
        setattr(SimulatedArray, _form.format(_name), _made)
del SimulatedArray.__imatmul__
for _name, _ufunc in _COMPARISONS.items():
    setattr(SimulatedArray, f"__{_name}__", lambda self, other, ufunc=_ufunc: ufunc(self, other))
for _name, _ufunc in _UNARY.items():
    setattr(SimulatedArray, f"__{_name}__", lambda self, ufunc=_ufunc: ufunc(self))
for _name in _METHODS:
    setattr(SimulatedArray, _name, _method(_name))


# Functions of NumPy's and SciPy's that CuPy 14 has not.
ABSENT = frozenset(
    """asmatrix betaincc betainccinv block bmat dawsn einsum_path erfi frompyfunc geomspace histogram_bin_edges insert iv ive jv kv kve matrix_norm
    matvec multi_dot nanpercentile nanquantile polyder polydiv polyint spacing spence stdtr stdtrit svdvals unstack vecdot vecmat vector_norm
    yv""".split()
)


class Namespace:
    """NumPy, or a module of it, for arrays of the device: what CuPy is to a GPU."""

    def __init__(self, module: types.ModuleType):
        self._module = module

    ndarray = SimulatedArray

    def __getattr__(self, name: str) -> Any:
        if name in ABSENT:
            raise AttributeError(f"CuPy has no function {name}")
        found = getattr(self._module, name)
        if isinstance(found, types.ModuleType):
            made: Any = Namespace(found)
        elif callable(found) and not isinstance(found, type):
            made = _function(found)
        else:
            made = found
        setattr(self, name, made)
        return made

    def asarray(self, x: Any, dtype: Any = None, order: str | None = None) -> SimulatedArray:
        """x on the device; an array of the host is copied there."""
        made = x.host if type(x) is SimulatedArray else np.array(x)
        return SimulatedArray(np.asarray(made, dtype, order=order), _device(x) or 0)

    def array(self, x: Any, dtype: Any = None, copy: bool = True, order: str = "K") -> SimulatedArray:
        """A copy of x on the device."""
        return SimulatedArray(np.array(on_host(x), dtype, order=order), _device(x) or 0)

    def ascontiguousarray(self, x: Any, dtype: Any = None) -> SimulatedArray:
        made = self.asarray(x, dtype)
        return SimulatedArray(np.asarray(made.host, order="C"), made.device_id)

    def asnumpy(self, x: Any) -> np.ndarray:
        """x on the host."""
        return x.get() if type(x) is SimulatedArray else np.asarray(x)


_UFUNC_METHODS = {"add": ("at", "accumulate", "reduce"), "multiply": ("accumulate", "reduce"), "maximum": ("at",), "minimum": ("at",)}


def _function(found: Callable) -> Callable:
    def function(*args: Any, **kwargs: Any) -> Any:
        return _call(found, args, kwargs)

    function.__name__ = getattr(found, "__name__", "function")
    for method in _UFUNC_METHODS.get(function.__name__, ()):
        setattr(function, method, _function(getattr(found, method)))
    return function


namespace = Namespace(np)

__all__ = ["Namespace", "SimulatedArray", "namespace", "on_device", "on_host"]
