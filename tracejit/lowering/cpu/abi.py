"""Where CPython and NumPy keep things in memory, and the addresses of the C functions that the entry calls.

`LAYOUT` names byte offsets into the structs of both, for 64-bit builds with a GIL: those of CPython 3.11 to 3.13 and of NumPy 2.  All are in the
public headers.  Public is not frozen, so importing this module reads each field of objects whose contents are known and compares (3 ms).  A
difference switches the native entry off (`supported()` is then false, and warns once): calls take the slow path, and nothing is read from a place
that means something else.
"""
import ctypes
import os
import struct
import sys
import warnings
from functools import cache

import numpy as np
import numpy._core._multiarray_umath as _umath

LAYOUT = {
    "PyObject": {"type": 8},
    "PyVarObject": {"size": 16},
    "PyTupleObject": {"items": tuple.__basicsize__},  # the items themselves: 24, and 32 where tuples keep their hash (from CPython 3.14 on)
    "PyListObject": {"items": 24},  # a pointer to them
    "PyDictObject": {"used": 16},
    "PyCellObject": {"ref": 16},
    "Number": {"value": 16},  # float, complex and every NumPy scalar of a fixed size
    "PyArrayObject": {"data": 16, "nd": 24, "dimensions": 32, "strides": 40, "base": 48, "descr": 56, "flags": 64, "mem_handler": 88},
    "PyArray_Descr": {"byteorder": 26, "type_num": 28},
    "Dispatcher": {"calls": 16, "entry": 24, "miss": 32, "otherwise": 40},  # `dispatch.py`: slots come in the order of their names
    "BoundDispatcher": {"function": 16},
}

C_CONTIGUOUS, OWNDATA, ALIGNED, WRITEABLE = 0x1, 0x4, 0x100, 0x400
FOREIGN_ORDER = ord(">" if sys.byteorder == "little" else "<")

NUMBERS = "?bhilqBHILQefdgFDG"
"""Type characters of the dtypes that the entry knows: booleans, integers, floats and complex numbers."""

_PYTHON_FUNCTIONS = (
    "Py_IncRef", "Py_DecRef", "PyErr_Occurred", "PyErr_NoMemory", "PyMem_Malloc", "PyMem_Free", "PyLong_AsLongLongAndOverflow",
    "PyObject_RichCompareBool", "PyTuple_New", "PyList_New", "PyDict_Copy", "PyDict_SetItem", "PyDict_GetItemWithError", "PyType_GenericAlloc",
    "PyEval_SaveThread", "PyEval_RestoreThread", "PyTraceMalloc_Track", "PyObject_GetAttr", "PyErr_Clear", "PyObject_Vectorcall",
    "PyErr_BadInternalCall", "PySequence_Tuple",
)  # fmt: skip
_ARRAY_FUNCTIONS = {"PyArray_Scalar": 60, "PyArray_NewCopy": 85, "PyArray_NewFromDescr": 94}  # places in NumPy's table of C functions
_ARRAY_ABI_VERSION, _ARRAY_TYPE, _GET_MEM_HANDLER = 0, 2, 305
_HANDLER_VERSION = 127  # byte offset in PyDataMem_Handler, after its name


@cache
def symbols() -> dict[str, int]:
    """The address of each C function of CPython and NumPy that the entry calls, by name.

    >>> symbols()["PyTuple_New"] > 0
    True
    """
    found = {name: _address(getattr(ctypes.pythonapi, name)) for name in _PYTHON_FUNCTIONS}
    return found | {name: _array_api()[place] for name, place in _ARRAY_FUNCTIONS.items()}


def supported() -> bool:
    """Whether the native entry may be used in this process; where not, a RuntimeWarning says why, once.

    >>> supported()
    True
    """
    if PROBLEM is not None:
        _warn()
    return PROBLEM is None


@cache
def _warn() -> None:
    warnings.warn(f"tracejit's native entry is off, so each call costs tens of microseconds more: {PROBLEM}", RuntimeWarning, stacklevel=4)


def c_function(place: int) -> int:
    """The address of a function of NumPy's C interface, by its place in the table.

    >>> c_function(_ARRAY_FUNCTIONS["PyArray_Scalar"]) == symbols()["PyArray_Scalar"]
    True
    """
    return _array_api()[place]


def data_address(array: np.ndarray) -> int:
    """The address of an array's first element.

    >>> data_address(np.zeros(3)) % 8
    0
    """
    return array.__array_interface__["data"][0]


def pointer(thing: object, path: str) -> int:
    """The pointer in a field of an object, named as in `LAYOUT`.

    >>> pointer(0.5, "PyObject.type") == id(float)
    True
    """
    structure, name = path.split(".")
    return _read(id(thing) + LAYOUT[structure][name], "P")


def _address(function) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value


@cache
def _array_api():
    get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
    return ctypes.cast(get_pointer(_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))


def _read(address: int, code: str):
    """One C value (`code` is struct's) from memory."""
    return struct.unpack(code, ctypes.string_at(address, struct.calcsize(code)))[0]


def _problem() -> str | None:
    """What is different here from what `LAYOUT` says, or None."""
    if sys.implementation.name != "cpython" or os.name != "posix":
        return f"it knows CPython on POSIX systems, and this is {sys.implementation.name} on {os.name}"
    if struct.calcsize("P") != 8:
        return "it knows 64-bit builds only"
    if "t" in sys.abiflags:
        return "it relies on the GIL, and this Python was built without one"
    version = ctypes.CFUNCTYPE(ctypes.c_uint)(_array_api()[_ARRAY_ABI_VERSION])()
    if version >> 24 != 2:
        return f"it knows NumPy's ABI 2, and this is {version:#x}"
    if _array_api()[_ARRAY_TYPE] != id(np.ndarray):
        return "NumPy's table of C functions is not laid out as expected"
    for what, found, expected in _observations():
        if found != expected:
            return f"{what} is not where it was expected (found {found!r}, expected {expected!r})"
    return None


def _observations():
    """(field, what is at its offset, what should be), in an order in which no pointer is followed before it was checked."""

    def field(thing, path: str, code: str = "P"):
        structure, name = path.split(".")
        return path, _read(id(thing) + LAYOUT[structure][name], code)

    items = [object(), object(), object()]
    frozen = tuple(items)
    array = np.empty((2, 3), np.float32)
    view = array[:, 1]
    for thing in (items, frozen, array):
        yield *field(thing, "PyObject.type"), id(type(thing))
    for thing in (items, frozen):
        yield *field(thing, "PyVarObject.size"), 3
    yield *field(frozen, "PyTupleObject.items"), id(items[0])
    first = field(items, "PyListObject.items")[1]
    yield "PyListObject.items", first != 0 and _read(first, "P"), id(items[0])
    yield *field({1: None, 2: None}, "PyDictObject.used"), 2
    yield *field((lambda: items).__closure__[0], "PyCellObject.ref"), id(items)
    yield *field(0.7, "Number.value", "d"), 0.7
    yield *field(0.7 + 2j, "Number.value", "d"), 0.7

    yield *field(array, "PyArrayObject.data"), data_address(array)
    yield *field(array, "PyArrayObject.nd", "i"), 2
    yield *field(view, "PyArrayObject.base"), id(array)
    yield *field(array, "PyArrayObject.base"), 0
    yield *field(array, "PyArrayObject.descr"), id(array.dtype)
    yield *field(array, "PyArrayObject.flags", "i"), C_CONTIGUOUS | OWNDATA | ALIGNED | WRITEABLE
    for name, values in (("dimensions", (2, 3)), ("strides", (12, 4))):
        at = field(array, f"PyArrayObject.{name}")[1]
        yield f"PyArrayObject.{name}", at != 0 and (_read(at, "q"), _read(at + 8, "q")), values

    get_handler = ctypes.PYFUNCTYPE(ctypes.py_object)(_array_api()[_GET_MEM_HANDLER])
    handler = get_handler()
    yield *field(array, "PyArrayObject.mem_handler"), id(handler)
    get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
    yield "PyDataMem_Handler.version", _read(get_pointer(handler, b"mem_handler") + _HANDLER_VERSION, "B"), 1

    for character in NUMBERS:
        dtype = np.dtype(character)
        yield *field(dtype, "PyArray_Descr.type_num", "i"), dtype.num
        yield *field(dtype.newbyteorder("S"), "PyArray_Descr.byteorder", "B"), FOREIGN_ORDER if dtype.itemsize > 1 else ord("|")
        number = dtype.type(1)
        found = np.frombuffer(ctypes.string_at(id(number) + LAYOUT["Number"]["value"], dtype.itemsize), dtype)[0]
        yield f"the value of numpy.{dtype.type.__name__}", found, number


PROBLEM = _problem()
"""Why the native entry cannot be used in this process, or None."""
