"""The native entry: a builtin function that takes nested Python arguments, runs a native program on their data and returns nested results.

    entry = compile_entry("step", [Array((4,), "f8"), PyScalar("float")], Tuple([Array((4,), "f8"), Argument(0)]), program, [], MISS)
    out = entry.call(x, 0.5)
    if out is MISS: ...                      # these arguments are not what it was compiled for: the slow path

With one small array in and one out a call takes 0.09 us, the new array included, where NumPy's own `x + 1.0` takes 0.5; a dict of ten arrays
in and out takes 1.0 us.  A call that does not match returns the `miss` object, and nothing has happened then.

The native program is `i64 program(ptr slots)`.  Its slots are the data pointers of the argument leaves, of the captured arrays and of the result
leaves, in this order.  It returns 0, or another status to make the call a miss (or, where it has set a Python exception, to raise that).
It runs with the GIL held unless the entry was made with `release_gil`.

`run` calls such a program through ctypes, for the slow path.  What can be described: `specs.py`.  How it works: `entry_code.py`.
"""
import ctypes
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from . import abi, entry_code
from .llvm import load_object
from .pool import Pool
from .specs import Spec
from .table import Call, Table, write_table


class Entry:
    """A compiled signature.  `call(*arguments)` is the builtin; `name` is its name.

    The builtin's `__self__` is the table that drives it, which owns everything that it points at: types, keys, constants, and what was passed as
    `keep`.  CPython holds a reference to a function while it runs, so the last reference to an entry may well die during a call: code and data
    live until that call is over.
    """

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable):
        self.name = name
        self.call = call

    def __repr__(self):
        return f"<native entry {self.name}>"


_PLAIN = Call()


def compile_entry(name: str, arguments: Sequence[Spec], result: Spec, program: int, captured: Sequence[int], miss: object, *,
                  call: Call = _PLAIN, keep: Sequence[Any] = (), release_gil: bool = False) -> Entry:
    """The entry that takes `arguments`, runs the native program at address `program` and returns `result`.

    `call` says which of them come by keyword, and what must hold besides (`table.Call`); all come by position unless it is given.

    `captured` are the data addresses of captured arrays.  `miss` is what a call returns that does not match.  `keep` are objects to keep alive
    as long as the entry: the library of the program, the captured arrays.  `release_gil` lets other Python threads run while the program does,
    which must then be safe to run in several threads at once; that adds 0.03 us where no other thread waits.
    Raises TypeError for a spec on the wrong side, a dtype that is not a native number, or a named tuple or dict of another length; IndexError for
    an `Argument` or `SameAs` of a leaf that there is not.  Where `abi.supported()` is false every call misses.

    >>> from tracejit.lowering.cpu.llvm import compile_module
    >>> from tracejit.lowering.cpu.specs import Argument, Array, Constant, Tuple
    >>> library = compile_module("define i64 @nothing(ptr %slots) { ret i64 0 }", {}, ["nothing"])
    >>> entry = compile_entry("f", [Array((2,), "f8")], Tuple([Argument(0), Constant(3)]), library.address("nothing"), [], "miss", keep=[library])
    >>> entry.call(np.zeros(2)), entry.call(np.zeros(3))
    ((array([0., 0.]), 3), 'miss')
    """
    if not abi.supported():
        return Entry(name, lambda *arguments, **keywords: miss)
    shared = _shared()
    table = write_table(shared.code, shared.pool, arguments, result, program, captured, miss, call, release_gil)
    table.owned += tuple(keep)
    return Entry(name, _builtin(name, table))


def run(program: int, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], captured: Sequence[np.ndarray] = (), *,
        release_gil: bool = False) -> int:
    """Call a native program on arrays that already exist, and return its status: some 5 us through ctypes.

    `inputs` and `captured` are read, `outputs` written; 0-d arrays stand for numbers.  The caller sees to shapes and dtypes.
    Raises ValueError for an array that is not C-contiguous, aligned and native, or an output that is read-only.

    >>> from tracejit.lowering.cpu.llvm import compile_module
    >>> library = compile_module("define i64 @seven(ptr %slots) {  %y = load ptr, ptr %slots  store double 7.0, ptr %y  ret i64 0 }", {}, ["seven"])
    >>> out = np.zeros(())
    >>> run(library.address("seven"), [], [out]), float(out)
    (0, 7.0)
    """
    arrays = [*inputs, *captured, *outputs]
    for place, array in enumerate(arrays):
        if not (array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative):
            what = f"{array.dtype} with shape {array.shape} and strides {array.strides}"
            raise ValueError(f"array {place} of a native call must be C-contiguous, aligned and of native byte order: {what}")
    for place, array in enumerate(outputs):
        if not array.flags.writeable:
            raise ValueError(f"output {place} of a native call is read-only")
    slots = (ctypes.c_void_p * len(arrays))(*map(abi.data_address, arrays))
    prototype = _RUNS_FREE if release_gil else _RUNS_HELD
    return prototype(program)(ctypes.addressof(slots))


_RUNS_HELD = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
_RUNS_FREE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)


def pool() -> Pool:
    """The pool that large results of this process come from.

    >>> pool().limit
    268435456
    """
    return _shared().pool


# ------------------------------------------------------------------------------------------------------- what all entries have in common
@dataclass(frozen=True)
class _Shared:
    """The addresses of the shared functions by name, and the pool."""

    code: dict[str, int]
    pool: Pool


_loading = threading.Lock()


def _shared() -> _Shared:
    with _loading:
        return _load()


@cache
def _load() -> _Shared:
    """Nothing of this is ever freed: a large result calls into it when it dies, which may be after every module of this package is gone."""
    library = load_object(entry_code.object_code(), abi.symbols(), list(entry_code.EXPORTS))
    code = {name: library.address(name) for name in entry_code.EXPORTS}
    shared = _Shared(code, Pool(code))
    for immortal in (library, shared):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(immortal))
    return shared


# ---------------------------------------------------------------------------------------------------------------------------- the builtin
_FASTCALL_WITH_KEYWORDS = 0x80 | 0x02


class _MethodDef(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


_new_function = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(("PyCFunction_NewEx", ctypes.pythonapi))


def _builtin(name: str, table: Table) -> Callable:
    definition = _MethodDef(name.encode(), _shared().code["enter"], _FASTCALL_WITH_KEYWORDS, None)
    table.owned += (definition,)  # CPython allows for this: a function object lets go of its self last
    return _new_function(ctypes.addressof(definition), table, None)


_new_method = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_void_p)(("PyDescr_NewMethod", ctypes.pythonapi))


def method(cls: type, name: str) -> Any:
    """The shared function `name` as the `__call__` of a class; it lives as long as the process."""
    definition = _MethodDef(b"__call__", _shared().code[name], _FASTCALL_WITH_KEYWORDS, None)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(definition))
    return _new_method(cls, ctypes.addressof(definition))
