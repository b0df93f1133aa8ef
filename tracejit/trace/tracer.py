"""`Tracer`: the proxy that stands for an array while a function is traced.

It has ndarray's operators, methods and attributes, and answers NumPy's protocols, so that plain `np.sin(x)` and `x @ y` are recorded.
What an operator or a NumPy function does is written in `tracejit.numpy`, which fills the tables of `dispatch`. What becomes of a proxy that is
asked for a plain number or array stands in `conversions`.
"""

from __future__ import annotations

import numpy as np

from .. import residence
from ..errors import TracerConversionError, at_user_line
from ..ir import ArrayType
from . import dispatch
from .conversions import Conversions
from .views import refresh


def _with_proxies(proxy, x):
    """x with proxies in place of arrays of a device, of the trace of `proxy` or an inner one."""
    from .beside import with_proxies  # which needs this module

    return with_proxies([proxy, x])[1]


def _binary(ufunc):
    def forward(self, other):
        return self._operator(ufunc, self, other)

    def reflected(self, other):
        return self._operator(ufunc, other, self)

    return forward, reflected


def _in_place(ufunc):
    def method(self, other):
        # A number cannot change: its name is bound anew.
        number = not self.shape and self.part_of is None and not self.owner.stands(self)
        return self._operator(ufunc, self, other) if number else dispatch.operators["in place"](ufunc, self, other)

    return method


def _unary(ufunc):
    def method(self):
        if not self.weak:
            return as_new(dispatch.ufuncs[ufunc](self), self)
        result = as_new(dispatch.ufuncs[ufunc](counting(self)), self)
        result.weak = True
        return result

    return method


def _method(function):
    def method(self, *args, **kwargs):
        if kwargs.get("out") is not None:
            return dispatch.operators["function into"](function, (self, *args), kwargs)
        result = dispatch.functions[function](self, *args, **kwargs)
        return result if function in dispatch.views else as_new(result, self)

    method.__name__ = function.__name__
    method.__doc__ = f"As `numpy.ndarray.{function.__name__}`."
    return method


class Tracer(Conversions):
    """A value of the trace `owner`. `atom` is its variable or literal in the trace's graph; `weak` says that it acts as a Python scalar in
    promotion.

    A write in place rebinds `owner` and `atom`. `part_of`: of what array and how, `views` lists its own parts (see `views`); `home` is the innermost
    trace that was active when it was made, where that is not `owner`: values of traces inside of that one may not be written into it.
    """

    __slots__ = ("owner", "atom", "weak", "part_of", "views", "home", "__weakref__")
    __array_priority__ = 1000.0
    __hash__ = None

    def __init__(self, owner, atom, weak: bool = False):
        self.owner, self.atom, self.weak = owner, atom, weak
        self.part_of = self.views = self.home = None

    def __getattr__(self, name: str):
        if name == "atom":  # deleted when what it is a part of was written into
            return refresh(self)
        if not self.owner.depth:
            return getattr(self.owner.read_only(self), name)
        if name.startswith("__"):  # protocols that libraries ask for
            raise AttributeError(f"a traced array has no attribute {name!r}")
        raise AttributeError(at_user_line(f"a traced value ({self.type}) has no attribute {name!r}: it has no memory during {self.owner.what}"))

    # -- what is known
    @property
    def type(self) -> ArrayType:
        known = self.atom.type
        return known if known.weak == self.weak else ArrayType(known.shape, known.dtype, self.weak)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.atom.type.shape

    @property
    def dtype(self) -> np.dtype:
        return self.atom.type.dtype

    @property
    def ndim(self) -> int:
        return len(self.atom.type.shape)

    @property
    def size(self) -> int:
        return self.atom.type.size

    @property
    def itemsize(self) -> int:
        return self.atom.type.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.atom.type.nbytes

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __repr__(self) -> str:
        if not self.owner.depth:
            return repr(self.atom.value)
        value = f" = {self.owner.ambient(self.atom)}" if self.owner.knows(self.atom) else ""
        return f"<traced {self.type} in {self.owner.what}{value}>"

    # -- operators
    @staticmethod
    def _operator(ufunc, left, right):
        if isinstance(right, FOREIGN) or isinstance(left, FOREIGN):
            return NotImplemented
        if not (acts_as_scalar(left) and acts_as_scalar(right)):
            return dispatch.ufuncs[ufunc](left, right)
        if ufunc in _ARITHMETIC:
            left, right = counting(left), counting(right)
        result = dispatch.ufuncs[ufunc](left, right)
        if type(result) is Tracer:
            result.weak = True  # two Python scalars make a Python scalar
        return result

    __add__, __radd__ = _binary(np.add)
    __sub__, __rsub__ = _binary(np.subtract)
    __truediv__, __rtruediv__ = _binary(np.true_divide)
    __floordiv__, __rfloordiv__ = _binary(np.floor_divide)
    __mod__, __rmod__ = _binary(np.remainder)
    __matmul__, __rmatmul__ = _binary(np.matmul)
    __and__, __rand__ = _binary(np.bitwise_and)
    __or__, __ror__ = _binary(np.bitwise_or)
    __xor__, __rxor__ = _binary(np.bitwise_xor)
    __lshift__, __rlshift__ = _binary(np.left_shift)
    __rshift__, __rrshift__ = _binary(np.right_shift)
    __eq__ = _binary(np.equal)[0]
    __ne__ = _binary(np.not_equal)[0]
    __lt__ = _binary(np.less)[0]
    __le__ = _binary(np.less_equal)[0]
    __gt__ = _binary(np.greater)[0]
    __ge__ = _binary(np.greater_equal)[0]
    __neg__ = _unary(np.negative)
    __pos__ = _unary(np.positive)
    __abs__ = _unary(np.absolute)
    __invert__ = _unary(np.invert)

    def __mul__(self, other):
        return NotImplemented if _repeats(self, other) else self._operator(np.multiply, self, other)

    def __rmul__(self, other):
        return NotImplemented if _repeats(self, other) else self._operator(np.multiply, other, self)

    def __pow__(self, other):
        return dispatch.operators["pow"](self, other)

    def __rpow__(self, other):
        return dispatch.operators["pow"](other, self)

    __iadd__ = _in_place(np.add)
    __isub__ = _in_place(np.subtract)
    __imul__ = _in_place(np.multiply)
    __itruediv__ = _in_place(np.true_divide)
    __ifloordiv__ = _in_place(np.floor_divide)
    __imod__ = _in_place(np.remainder)
    __ipow__ = _in_place(np.power)
    __imatmul__ = _in_place(np.matmul)
    __iand__ = _in_place(np.bitwise_and)
    __ior__ = _in_place(np.bitwise_or)
    __ixor__ = _in_place(np.bitwise_xor)
    __ilshift__ = _in_place(np.left_shift)
    __irshift__ = _in_place(np.right_shift)

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self

    # -- indexing
    def __getitem__(self, index):
        return dispatch.operators["getitem"](self, _with_proxies(self, index) if residence.classes else index)

    def __setitem__(self, index, value):
        if residence.classes:
            index, value = _with_proxies(self, index), _with_proxies(self, value)
        dispatch.operators["setitem"](self, index, value)

    def __contains__(self, value) -> bool:
        return bool(dispatch.functions[np.any](self == value))

    def __iter__(self):
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    @property
    def at(self):
        """`x.at[index].set(v)`, `.add(v)`: an updated copy."""
        return dispatch.operators["at"](self)

    # -- methods and attributes of ndarray
    @property
    def T(self):
        return dispatch.functions[np.transpose](self)

    @property
    def mT(self):
        return dispatch.functions[np.matrix_transpose](self)

    @property
    def real(self):
        return dispatch.functions[np.real](self)

    @real.setter
    def real(self, value):
        self.real[...] = value

    @property
    def imag(self):
        return dispatch.functions[np.imag](self)

    @imag.setter
    def imag(self, value):
        self.imag[...] = value

    @property
    def flat(self):
        return dispatch.operators["flat"](self)

    @flat.setter
    def flat(self, value):
        self.flat[:] = value

    @property
    def device(self) -> str:
        """As `numpy.ndarray.device`, of the array API."""
        return "cpu"

    def to_device(self, device, /, *, stream=None):
        """As `numpy.ndarray.to_device`. Raises `ValueError` for any but "cpu"."""
        if stream is not None:
            raise ValueError(at_user_line("The stream argument in to_device() is not supported"))
        if device != "cpu":
            raise ValueError(at_user_line(f"Unsupported device: {device}. Only 'cpu' is accepted."))
        return self

    def reshape(self, *shape, order="C"):
        """As `numpy.ndarray.reshape`."""
        return dispatch.functions[np.reshape](self, shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes):
        """As `numpy.ndarray.transpose`."""
        return dispatch.functions[np.transpose](self, axes[0] if len(axes) == 1 else axes or None)

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        """As `numpy.ndarray.astype`; memory order does not exist here."""
        if not copy and np.dtype(dtype) == self.dtype and not self.weak:
            return self
        return as_new(dispatch.operators["astype"](self, dtype, casting=casting), self)

    def flatten(self, order="C"):
        """As `numpy.ndarray.flatten`."""
        return as_new(dispatch.functions[np.ravel](self, order=order), self)

    def clip(self, min=None, max=None, out=None, **kwargs):
        """As `numpy.ndarray.clip`."""
        if out is not None:
            return dispatch.operators["function into"](np.clip, (self, min, max), {"out": out, **kwargs})
        return as_new(dispatch.functions[np.clip](self, min, max, **kwargs), self)

    def compress(self, condition, axis=None, out=None):
        """As `numpy.ndarray.compress`."""
        if out is not None:
            return dispatch.operators["function into"](np.compress, (condition, self, axis), {"out": out})
        return as_new(dispatch.functions[np.compress](condition, self, axis), self)

    def sort(self, axis=-1, kind=None, order=None, *, stable=None):
        """As `numpy.ndarray.sort`: in place."""
        self[...] = dispatch.functions[np.sort](self, axis, kind, order, stable=stable)

    def partition(self, kth, axis=-1, kind="introselect", order=None):
        """As `numpy.ndarray.partition`: in place."""
        self[...] = dispatch.functions[np.partition](self, kth, axis, kind, order)

    def view(self, dtype=None, type=None):
        """As `numpy.ndarray.view`: the same array, or its bits as numbers of another dtype."""
        return dispatch.operators["view"](self, dtype, type)

    def fill(self, value):
        """As `numpy.ndarray.fill`."""
        self[...] = value

    def put(self, indices, values, mode="raise"):
        """As `numpy.ndarray.put`."""
        dispatch.functions[np.put](self, indices, values, mode)

    def conj(self):
        """As `numpy.ndarray.conj`."""
        return dispatch.ufuncs[np.conjugate](self) if self.dtype.kind == "c" else self

    conjugate = conj

    sum = _method(np.sum)
    prod = _method(np.prod)
    mean = _method(np.mean)
    var = _method(np.var)
    std = _method(np.std)
    max = _method(np.max)
    min = _method(np.min)
    any = _method(np.any)
    all = _method(np.all)
    argmax = _method(np.argmax)
    argmin = _method(np.argmin)
    cumsum = _method(np.cumsum)
    cumprod = _method(np.cumprod)
    dot = _method(np.dot)
    round = _method(np.round)
    ravel = _method(np.ravel)
    squeeze = _method(np.squeeze)
    swapaxes = _method(np.swapaxes)
    repeat = _method(np.repeat)
    take = _method(np.take)
    trace = _method(np.trace)
    diagonal = _method(np.diagonal)
    copy = _method(np.copy)
    nonzero = _method(np.nonzero)
    choose = _method(np.choose)
    argsort = _method(np.argsort)
    argpartition = _method(np.argpartition)
    searchsorted = _method(np.searchsorted)

    # -- NumPy's protocols
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if not self.owner.depth:
            found = self.owner.call(ufunc if method == "__call__" else getattr(ufunc, method), inputs, kwargs) if method != "at" else NotImplemented
            if found is not NotImplemented:
                return found
        if kwargs.get("out") is not None:
            return dispatch.operators["ufunc into"](ufunc, method, inputs, kwargs)
        return as_new(dispatch.call_ufunc(ufunc, method, inputs, kwargs), *inputs)

    def __array_function__(self, func, types, args, kwargs):
        if not self.owner.depth and func not in dispatch.views and func not in dispatch.writers:
            found = self.owner.call(func, args, kwargs)
            if found is not NotImplemented:
                return found
        if kwargs.get("out") is not None:
            return dispatch.operators["function into"](func, args, kwargs)
        if residence.classes:
            from .beside import with_proxies

            args, kwargs = with_proxies((args, kwargs))
        result = dispatch.call_function(func, args, kwargs)
        return result if func in dispatch.views else as_new(result, *args)

    def __array_namespace__(self, *, api_version=None):
        np.empty(0).__array_namespace__(api_version=api_version)  # raises ValueError for a version that NumPy does not have
        return dispatch.namespace()

    def __dlpack_device__(self) -> tuple[int, int]:
        return np.empty(0).__dlpack_device__()

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        if not self.owner.depth:
            return np.array(self.atom.value).__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)
        raise TracerConversionError(
            at_user_line(
                f"a traced value ({self.type}) has no memory to give to another library while {self.owner.what} is traced (__dlpack__): "
                "hand over the results of the compiled function"
            )
        )

    def __copy__(self):
        return same(self)

    def __deepcopy__(self, memo):
        return same(self)

    def __reduce__(self):
        raise TypeError(at_user_line(f"a traced value ({self.type}) cannot be pickled or copied out of the {self.owner.what} that made it"))


class OwnOperators:
    """A class of operands that know what to do with a proxy: tensors."""

    __slots__ = ()


_ARITHMETIC = frozenset((np.add, np.subtract, np.multiply, np.floor_divide, np.remainder, np.left_shift, np.right_shift))
FOREIGN = (str, bytes, dict, set, OwnOperators)  # what an operator leaves to the other operand


def _repeats(number: Tracer, other) -> bool:
    """Whether a product is Python's repetition of a list or tuple: `[0.0] * n`."""
    return type(other) in (list, tuple) and number.dtype.kind in "iu" and not number.shape


def as_new(result, *given):
    """`result` as a proxy of its own, that shares memory with no other. NumPy's functions return new arrays even where nothing changes."""
    if type(result) is Tracer:
        return same(result) if result.part_of is not None or any([result is x for x in given]) else result
    return type(result)([as_new(r, *given) for r in result]) if type(result) in (tuple, list) else result


def same(x: Tracer) -> Tracer:
    """Another proxy of the same value: a copy, as far as writes go."""
    atom = x.atom
    made = Tracer(x.owner, atom if x.owner.depth else atom.kept(), x.weak)
    made.home = x.owner.inner
    return made


def counting(x):
    """A Python bool, or a traced value that stands for one, as the integer that it is in Python's arithmetic; any other Python number as it is."""
    if type(x) is not Tracer:
        return int(x) if type(x) is bool else x
    if x.dtype != bool:
        return x
    number = x.astype(int)
    number.weak = True
    return number


def as_number(x: Tracer) -> Tracer:
    """A traced array of one element as the Python number that `item` gives where there is a value."""
    number = same(x.reshape(()).astype({"b": bool, "i": int, "u": int, "f": float, "c": complex}[x.dtype.kind]))
    number.weak = True
    return number


def acts_as_scalar(x) -> bool:
    """Whether x is a Python number or a traced value that stands for one."""
    return x.weak if type(x) is Tracer else not isinstance(x, (np.generic, np.ndarray)) and isinstance(x, (int, float, complex))
