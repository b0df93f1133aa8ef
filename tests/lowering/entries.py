"""Native entries of programs that are Python functions of their slots."""

import collections
import ctypes
import struct
import typing

import numpy as np

from tracejit.lowering.cpu.entry import compile_entry
from tracejit.lowering.cpu.specs import Array

MISS = object()
VECTOR = Array((4,), np.float64)
KINDS = ("bool", "int", "float", "complex")
Pair = collections.namedtuple("Pair", ["left", "right"])


class Triple(typing.NamedTuple):
    a: object
    b: object
    c: object = None


def native(function):
    """A native program that is a Python function of the slots (an array of addresses); its status is what the function returns, None for 0."""

    def program(slots):
        return function(ctypes.cast(slots, ctypes.POINTER(ctypes.c_void_p))) or 0

    callback = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(program)
    return callback, ctypes.cast(callback, ctypes.c_void_p).value


def entry(arguments, result, function=lambda slots: 0, **options):
    callback, address = native(function)
    keep = (callback, *options.pop("keep", ()))
    return compile_entry("entry", arguments, result, address, options.pop("captured", ()), MISS, keep=keep, **options).call


def values(address, count, code="d"):
    return struct.unpack(f"{count}{code}", ctypes.string_at(address, count * struct.calcsize(code)))


def put(address, code, *numbers):
    ctypes.memmove(address, struct.pack(code, *numbers), struct.calcsize(code))
