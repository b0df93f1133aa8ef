"""What would take a traced value out of its trace: `bool`, `int`, `float`, `np.asarray`, `item`, `format`.

Where the context outside knows the value, it is given. A guarded trace answers questions about truth and integers from the arguments of the call
that it is made for, and gives all that is in a value which depends on nothing but arrays from outside (see `guards`). Everything else would lose
the trace or a derivative without a word, and raises at the user's line instead, with what to write.
"""

from __future__ import annotations

import numpy as np

from .. import residence
from ..errors import TracerBoolError, TracerConversionError, at_user_line, scipy_function
from ..ir import is_inexact
from . import dispatch


class Conversions:
    """The conversions of a `Tracer`, which has the `owner`, `atom` and `type` that they are about."""

    __slots__ = ()

    def __bool__(self) -> bool:
        if self._has_value():
            return bool(self.owner.ambient(self.atom))
        if self.size != 1:
            what = "an empty array" if self.size == 0 else "an array with more than one element"
            raise ValueError(at_user_line(f"The truth value of {what} is ambiguous. Use a.any() or a.all()"))
        condition = self if self.dtype == bool else self != 0
        return self._answer(condition, bool) if isinstance(condition, Conversions) else bool(condition)

    def __int__(self) -> int:
        return int(self._known("int", "x.astype(int)"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.shape:
            raise TypeError(at_user_line(f"only 0-d integers can be used as an index, got {self.type}"))
        return int(self._known("index", "np.take or x[i] with the traced index"))

    def __float__(self) -> float:
        return float(self._detached("float", "x.astype(float)"))

    def __complex__(self) -> complex:
        return complex(self._detached("complex", "x.astype(complex)"))

    def __bytes__(self) -> bytes:
        known = self.read_outside()
        if known is not None:
            return bytes(known)
        raise self._conversion("bytes", "the value itself")

    def __round__(self, digits=None):
        return dispatch.functions[np.round](self, digits) if digits is not None else round(self._detached("round", "np.round(x)"))

    def __trunc__(self) -> int:
        return int(self._detached("trunc", "np.trunc(x)"))

    def __str__(self) -> str:
        if self.weak and self.owner.advice and not self._has_value():  # under torch.compile it is a Python number to the user, who wants digits
            raise self._conversion("str", "repr(x), which shows the type")
        return repr(self)

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self._has_value():
            return format(self.owner.ambient(self.atom), spec)
        known = self.read_outside()
        if known is not None:
            return format(known[()], spec)
        raise self._conversion("format", "an empty format, which shows the type, and print the results")

    def __array__(self, dtype=None, copy=None):
        if not self.owner.depth:
            return np.array(self.atom.value, dtype)
        if self._has_value() and not is_inexact(self.dtype):  # no derivative is lost: positions in a plain array, say
            return np.asarray(residence.on_host(self.owner.ambient(self.atom)), dtype)
        if self.dtype.kind in "iu" and not self.shape and self.owner.answers():  # a size or a place in a library's function, as `range` asks for one
            return np.asarray(int(self), dtype or self.dtype)
        known = self.read_outside()
        if known is not None:
            return np.array(known, dtype) if copy else np.asarray(known, dtype)
        raise TracerConversionError(
            at_user_line(
                f"a traced value ({self.type}) cannot become a plain ndarray while {self.owner.what} is traced: "
                f"it would leave the trace and its derivative would be lost. {self.owner.advice or self._instead_of_conversion()}"
            )
        )

    @staticmethod
    def _instead_of_conversion() -> str:
        called = scipy_function()
        ours = called and dispatch.rewrite(*called)
        if ours:
            return f"`{'.'.join(called)}` converts its arguments: call `{ours}`, which takes traced values."
        if called:
            return f"`{'.'.join(called)}` converts its arguments and has no traced form: write it with functions of numpy and scipy.special."
        return (
            "Use it as it is: np functions, operators and methods work on it. "
            "To build an array from traced numbers use `np.stack([...])`; to index a plain array with one make that array an argument; "
            "to write into an array from outside copy it inside of the function first (`np.array(a)`)."
        )

    def item(self, *args):
        """The Python number, where a value exists. It leaves the trace: no derivative flows through it."""
        if self._has_value():
            return self.owner.ambient(self.atom).item(*args)
        if self.dtype.kind in "biu" and self.owner.answers():
            element = dispatch.functions[np.ravel](self)[args[0] if args else 0] if len(args) < 2 and (args or self.size == 1) else self[args]
            return bool(element) if self.dtype.kind == "b" else int(element)
        known = self.read_outside()
        if known is not None:
            return known.item(*args)
        raise self._conversion("item", "the value itself")

    def tolist(self):
        """The nested Python list, where a value exists, as `item`."""
        if self._has_value():
            return self.owner.ambient(self.atom).tolist()
        known = self.read_outside()
        if known is not None:
            return known.tolist()
        raise self._conversion("tolist", "the value itself")

    def _has_value(self) -> bool:
        """Whether the context outside has a value for this one. Raises where the trace has ended."""
        if not self.owner.alive:
            raise self.owner.leaked(self)
        return self.owner.knows(self.atom)

    def read_outside(self) -> np.ndarray | None:
        """What is in a value that depends on nothing but arrays from outside, where the trace can give it: no derivative flows through it."""
        if not (self.owner.alive and self.owner.kept):
            return None
        try:
            return self.owner.contents(self)
        except LookupError:
            return None

    def _known(self, wanted: str, instead: str):
        """The value outside, for a number that shapes and indices are made from (derivatives do not flow through those)."""
        if self._has_value():
            return self.owner.ambient(self.atom)
        if not self.owner.answers() or self.dtype.kind == "c":
            known = self.read_outside()
            if known is not None:
                return known[()]
            raise self._conversion(wanted, instead)
        if self.shape:
            raise TypeError(at_user_line("only 0-dimensional arrays can be converted to Python scalars"))
        return self._answer(self, int)

    def _answer(self, asked, convert):
        """`bool` or `int` of a 0-d value, from the arguments of the call that is being traced. See `guards`."""
        if self.owner.answers():
            try:
                return self.owner.answer(asked if not asked.shape else asked.reshape(()), convert)
            except LookupError as effect:
                why = f"it depends on the result of {effect}, which happens when the compiled function runs"
        else:
            known = asked.read_outside()
            if known is not None:
                return convert(known)
            why = f"it is not known while {self.owner.what} is traced"
        raise TracerBoolError(
            at_user_line(
                f"the {'truth' if convert is bool else 'integer value'} of a traced value ({self.type}) was asked, but {why}. "
                f"Use `np.where(condition, a, b)` for values, `tracejit.cond` and `tracejit.while_loop` for branches and loops on data."
            )
        )

    def _detached(self, wanted: str, instead: str):
        if is_inexact(self.dtype) and self.owner.depth:
            self._has_value()  # a leaked value is told as such
            known = self.read_outside()
            if known is not None:
                return known[()]
            raise self._conversion(wanted, instead)
        return self._known(wanted, instead)

    def _conversion(self, wanted: str, instead: str) -> TracerConversionError:
        advice = self.owner.advice or (
            f"Use {instead}; `np.sin(x)` in place of `math.sin(x)`; `np.stack(list_of_numbers)`, or a copy made inside of the function "
            "(`np.array(a)`), in place of writing into an array from outside; or make the argument static (`static_argnums=`)."
        )
        return TracerConversionError(
            at_user_line(
                f"{wanted}() of a traced value ({self.type}) while {self.owner.what} is traced: "
                f"a plain Python number would leave the trace and its derivative would be lost. {advice}"
            )
        )
