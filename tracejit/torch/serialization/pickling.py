"""A writer of pickles (protocol 2) for tensors and plain data.

`pickle.Pickler` writes a reference to a class only when it can import it, and what tensors are written as are functions of the `torch` package,
which need not be installed.  So the few instructions are written here; everything that `unpickle` reads can be written, and nothing else.
"""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any


class Call:
    """Something that is written as a call of a global: `Call("torch._utils._rebuild_parameter", arguments)`; without arguments, as the global."""

    __slots__ = ("name", "arguments")

    def __init__(self, name: str, arguments: tuple | None = None):
        self.name, self.arguments = name, arguments


class Persistent:
    """Something that is written as a persistent id: what a storage is to the pickle."""

    __slots__ = ("id",)

    def __init__(self, id: tuple):
        self.id = id


class Writer:
    """Writes one pickle. `reduce(value)` gives the `Call` or `Persistent` for what is not plain data, and None for what cannot be written."""

    def __init__(self, reduce: Callable[[Any], Call | Persistent | None]):
        self.reduce = reduce
        self.out = bytearray(b"\x80\x02")
        self.memo: dict[int | str, tuple[int, Any]] = {}  # by identity; the object is kept, so that its identity is not given away

    def dump(self, value: Any) -> bytes:
        """The pickle of `value`. Raises `TypeError` for what is not data."""
        self.write(value, "the object")
        return bytes(self.out + b".")

    def write(self, value: Any, where: str) -> None:
        kind = type(value)
        if value is None:
            self.out += b"N"
        elif kind is bool:
            self.out += b"\x88" if value else b"\x89"
        elif isinstance(value, int) and kind.__module__ in ("builtins", "enum"):
            self._int(int(value))
        elif isinstance(value, float):  # NumPy's float64 among them
            self.out += b"G" + struct.pack(">d", value)
        elif kind is str:
            self._text(value)
        elif not self._known(id(value)):
            self._object(value, where)

    def _object(self, value: Any, where: str) -> None:
        kind = type(value)
        if kind is tuple:
            self._tuple(value, where)
        elif kind is list:
            self.out += b"]"
            self._remember(id(value), value)
            self._items(value, b"e", where)
        elif kind is dict:
            self.out += b"}"
            self._remember(id(value), value)
            self._pairs(value, where)
        elif kind is OrderedDict:
            self._call(Call("collections.OrderedDict", ()), where)
            self._remember(id(value), value)
            self._pairs(value, where)
            if hasattr(value, "_metadata"):
                self.write({"_metadata": value._metadata}, f"{where}._metadata")
                self.out += b"b"
        else:
            written = self._plain(value) or self.reduce(value)
            if written is None:
                raise TypeError(
                    f"{where} is a {kind.__module__}.{kind.__qualname__}, which is no data: files hold tensors, parameters, numbers, texts, lists, "
                    "tuples, dictionaries and sets. Of a module or optimizer save its `state_dict()`, of a NumPy array `torch.from_numpy(array)`"
                )
            if isinstance(written, Persistent):
                self.write(written.id, where)
                self.out += b"Q"
            else:
                self._call(written, where)
            self._remember(id(value), value)

    @staticmethod
    def _plain(value: Any) -> Call | Persistent | None:
        kind = type(value)
        if kind is bytes:
            return Call("_codecs.encode", (value.decode("latin1"), "latin1"))
        if kind is bytearray:
            return Call("__builtin__.bytearray", (value.decode("latin1"), "latin1"))
        if kind is set or kind is frozenset:
            return Call(f"__builtin__.{kind.__name__}", (list(value),))
        if kind is Counter:
            return Call("collections.Counter", (dict(value),))
        if kind is complex:
            return Call("__builtin__.complex", (value.real, value.imag))
        return value if kind in (Call, Persistent) else None

    def _call(self, call: Call, where: str) -> None:
        if not self._known(call.name):
            module, _, name = call.name.rpartition(".")
            self.out += b"c" + module.encode() + b"\n" + name.encode() + b"\n"
            self._remember(call.name, call.name)
        if call.arguments is not None:
            self._tuple(call.arguments, where)
            self.out += b"R"

    def _tuple(self, value: tuple, where: str) -> None:
        if not value:
            self.out += b")"
            return
        if len(value) > 3:
            self.out += b"("
        for i, item in enumerate(value):
            self.write(item, f"{where}[{i}]")
        self.out += {1: b"\x85", 2: b"\x86", 3: b"\x87"}.get(len(value), b"t")
        self._remember(id(value), value)

    def _items(self, items: list, code: bytes, where: str) -> None:
        if items:
            self.out += b"("
            for i, item in enumerate(items):
                self.write(item, f"{where}[{i}]")
            self.out += code

    def _pairs(self, mapping: dict, where: str) -> None:
        if mapping:
            self.out += b"("
            for key, value in mapping.items():
                self.write(key, f"a key of {where}")
                self.write(value, f"{where}[{key!r}]")
            self.out += b"u"

    def _int(self, value: int) -> None:
        if 0 <= value < 256:
            self.out += b"K" + bytes([value])
        elif -(2**31) <= value < 2**31:
            self.out += b"J" + struct.pack("<i", value)
        else:
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            self.out += (b"\x8a" + bytes([len(data)]) if len(data) < 256 else b"\x8b" + struct.pack("<i", len(data))) + data

    def _text(self, value: str) -> None:
        if not self._known(key := "text " + value):
            data = value.encode("utf-8", "surrogatepass")
            self.out += b"X" + struct.pack("<I", len(data)) + data
            self._remember(key, value)

    def _known(self, key: int | str) -> bool:
        found = self.memo.get(key)
        if found is None:
            return False
        self._number(b"h", b"j", found[0])
        return True

    def _remember(self, key: int | str, value: Any) -> None:
        number = len(self.memo)
        self.memo[key] = number, value
        self._number(b"q", b"r", number)

    def _number(self, short: bytes, long: bytes, number: int) -> None:
        self.out += short + bytes([number]) if number < 256 else long + struct.pack("<I", number)
