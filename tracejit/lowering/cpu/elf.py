"""A linker for the object code that tracejit's own modules become, on x86-64 systems with ELF: from bytes to addresses in 0.3 ms.

LLVM's JIT links as well, and is what other platforms use (`llvm.load_object`).  But importing llvmlite takes 27 ms and making its JIT takes 2: where
every kernel comes from the disk cache, that was half of a first call.

What is linked is position-independent code in the small model (`llvm._machine`), so all there is to do is:

- lay out the sections in one mapping, those that are written behind those that are read or run;
- give each imported symbol a cell, a jump and behind it the address that it jumps to, which serves calls (PLT) and loads of the address (GOT) alike;
- add up the relocations, of which the small model has six kinds.

Memory is written first and made executable then, never both at once.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import struct
import sys
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

SUPPORTED = sys.platform == "linux" and platform.machine() == "x86_64"

_HEADER = np.dtype([
    ("magic", "S4"), ("bits", "u1"), ("order", "u1"), ("rest", "V10"), ("type", "<u2"), ("machine", "<u2"), ("version", "<u4"), ("entry", "<u8"),
    ("program_headers", "<u8"), ("sections", "<u8"), ("flags", "<u4"), ("header_size", "<u2"), ("program_size", "<u2"), ("programs", "<u2"),
    ("section_size", "<u2"), ("section_count", "<u2"), ("names", "<u2"),
])  # fmt: skip
_SECTION = np.dtype([
    ("name", "<u4"), ("type", "<u4"), ("flags", "<u8"), ("address", "<u8"), ("offset", "<u8"), ("size", "<u8"), ("link", "<u4"), ("info", "<u4"),
    ("align", "<u8"), ("entry_size", "<u8"),
])  # fmt: skip
_SYMBOL = np.dtype([("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")])
_RELOCATION = np.dtype([("offset", "<u8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])

_RELOCATABLE, _X86_64 = 1, 62
_SYMBOLS, _RELOCATIONS, _UNINITIALISED, _UNWIND = 2, 4, 8, 0x70000001  # types of sections
_WRITTEN, _LOADED = 1, 2  # flags of sections
_UNDEFINED, _ABSOLUTE, _RESERVED = 0, 0xFFF1, 0xFF00  # numbers of sections
_ABS64, _PC32, _PLT32, _GOTPCREL, _PC64, _GOTPCRELX, _REX_GOTPCRELX = 1, 2, 4, 9, 24, 41, 42

_THROUGH_SLOT = _GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX

_CELL = 16
_JUMP = bytes.fromhex("ff25 0200 0000 cccc")  # jmp *2(%rip): the address stands behind these eight bytes
_READ_AND_RUN = 1 | 4


class Unlinkable(Exception):
    """Object code that is not linked here: of another format, with a relocation that is not known, with a symbol that nobody defines."""


class Image:
    """Linked machine code in memory, which is given back when the image dies. `image[name]` is the address of a global symbol."""

    def __init__(self, memory: mmap.mmap, addresses: Mapping[str, int]):
        self._memory, self._addresses = memory, addresses

    def __getitem__(self, name: str) -> int:
        return self._addresses[name]


def link(code: bytes, imports: Mapping[str, int], exports: Sequence[str]) -> Image:
    """The image of an object file: `imports` are the addresses of symbols that it does not define, unless the process does.

    Raises `Unlinkable` for anything that is not exactly as expected.
    """
    try:
        return _Linker(code).link(imports, exports)
    except (ValueError, IndexError, OSError, struct.error) as error:  # not an object file, or one that is cut short; a system that forbids it
        raise Unlinkable(str(error)) from error


class _Linker:
    def __init__(self, code: bytes):
        self.code = code
        header = np.frombuffer(code, _HEADER, 1)[0]
        kind = header["magic"], header["bits"], header["order"], header["type"], header["machine"]
        if kind != (b"\x7fELF", 2, 1, _RELOCATABLE, _X86_64):
            raise Unlinkable("this is no ELF object code for x86-64")
        self.sections = np.frombuffer(code, _SECTION, header["section_count"], header["sections"])
        tables = [s for s in self.sections if s["type"] == _SYMBOLS]
        self.symbols = np.concatenate([self._rows(s, _SYMBOL) for s in tables]) if tables else np.zeros(0, _SYMBOL)
        texts = self.sections[tables[0]["link"]] if tables else None
        self._names = b"" if texts is None else code[texts["offset"] : texts["offset"] + texts["size"]]
        if len(tables) > 1 or np.any((self.symbols["section"] >= _RESERVED) & (self.symbols["section"] != _ABSOLUTE)):
            raise Unlinkable("object code with several tables of symbols, or symbols of an unknown kind")

    def _rows(self, section: np.void, dtype: np.dtype) -> np.ndarray:
        return np.frombuffer(self.code, dtype, int(section["size"]) // dtype.itemsize, int(section["offset"]))

    def _name(self, symbol: int) -> str:
        start = int(self.symbols["name"][symbol])
        return self._names[start : self._names.index(b"\0", start)].decode()

    def link(self, imports: Mapping[str, int], exports: Sequence[str]) -> Image:
        relocations = [(s["info"], self._rows(s, _RELOCATION)) for s in self.sections if s["type"] == _RELOCATIONS]
        places, cells, fixed, size = self._layout([rows for target, rows in relocations if self._is_loaded(self.sections[target])])
        # Private: what a forked child writes is its own.
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        image = np.frombuffer(memory, np.uint8)
        base = image.ctypes.data
        for number, place in places.items():
            section = self.sections[number]
            if section["type"] != _UNINITIALISED:
                image[place : place + int(section["size"])] = np.frombuffer(self.code, np.uint8, int(section["size"]), int(section["offset"]))
        addresses = self._addresses(base, places, cells, imports)
        for symbol, place in cells.items():
            image[place : place + _CELL] = np.frombuffer(_JUMP + int(addresses[symbol]).to_bytes(8, "little"), np.uint8)
        for target, rows in relocations:
            if target in places:
                self._relocate(image, base, places[target], rows, addresses, cells)
        self._protect(base, fixed)
        del image  # the mapping is freed with the last view of it
        found = {self._name(n): int(addresses[n]) for n in np.flatnonzero((self.symbols["info"] >> 4 != 0) & (self.symbols["section"] != _UNDEFINED))}
        return Image(memory, {name: found[name] for name in exports if name in found})

    def _is_loaded(self, section: np.void) -> bool:
        return bool(section["flags"] & _LOADED) and section["type"] != _UNWIND and section["size"] > 0

    def _layout(self, relocations: Sequence[np.ndarray]) -> tuple[dict[int, int], dict[int, int], int, int]:
        """Places of sections and of symbols' cells in the mapping; where what is written begins, a multiple of the page size; the size of all."""
        end, places = 0, {}
        loaded = [n for n, s in enumerate(self.sections) if self._is_loaded(s)]

        def place(numbers: Sequence[int]) -> None:
            nonlocal end
            for number in numbers:
                align = max(int(self.sections[number]["align"]), 1)
                places[number] = end = -(-end // align) * align
                end += int(self.sections[number]["size"])

        place([n for n in loaded if not self.sections[n]["flags"] & _WRITTEN])
        end = -(-end // _CELL) * _CELL
        wanted: set[int] = set()  # symbols from outside, and those whose address is loaded from a slot
        for rows in relocations:
            outside = self.symbols["section"][rows["symbol"]] == _UNDEFINED
            wanted.update(rows["symbol"][outside | np.isin(rows["type"], _THROUGH_SLOT)].tolist())
        cells = {symbol: end + _CELL * i for i, symbol in enumerate(sorted(wanted))}
        end = fixed = -(-(end + _CELL * len(cells)) // mmap.PAGESIZE) * mmap.PAGESIZE
        place([n for n in loaded if self.sections[n]["flags"] & _WRITTEN])
        return places, cells, fixed, max(end, mmap.PAGESIZE)

    def _addresses(self, base: int, places: Mapping[int, int], cells: Mapping[int, int], imports: Mapping[str, int]) -> np.ndarray:
        """Of each symbol; 0 for one that is not needed."""
        starts = np.zeros(len(self.sections) + 1, np.int64)
        for number, place in places.items():
            starts[number] = base + place
        numbers = self.symbols["section"].astype(np.int64)
        addresses = self.symbols["value"].astype(np.int64)
        inside = (numbers != _UNDEFINED) & (numbers != _ABSOLUTE)
        addresses[inside] += starts[numbers[inside]]
        for symbol in cells:
            if numbers[symbol] == _UNDEFINED:
                name = self._name(symbol)
                addresses[symbol] = imports[name] if name in imports else _of_process(name)
        return addresses

    def _relocate(self, image: np.ndarray, base: int, place: int, rows: np.ndarray, addresses: np.ndarray, cells: Mapping[int, int]) -> None:
        cell_of = np.zeros(len(self.symbols), np.int64)
        cell_of[list(cells)] = list(cells.values())
        kind, symbol = rows["type"], rows["symbol"]
        at = place + rows["offset"].astype(np.int64)
        external = self.symbols["section"][symbol] == _UNDEFINED
        through_slot = np.isin(kind, _THROUGH_SLOT)
        called = (kind == _PLT32) & external
        target = np.where(through_slot, base + cell_of[symbol] + 8, np.where(called, base + cell_of[symbol], addresses[symbol])) + rows["addend"]
        relative = kind != _ABS64
        value = np.where(relative, target - (base + at), target)
        wide = (kind == _ABS64) | (kind == _PC64)
        narrow = ~wide
        if not np.all(wide | through_slot | (kind == _PLT32) | (kind == _PC32)) or np.any(np.abs(value[narrow]) >= 2**31):
            raise Unlinkable("a relocation that is not known, or reaches too far")
        for which, dtype in ((narrow, "<i4"), (wide, "<i8")):
            width = np.dtype(dtype).itemsize
            image[at[which, None] + np.arange(width)] = value[which].astype(dtype)[:, None].view(np.uint8).reshape(-1, width)

    def _protect(self, base: int, size: int) -> None:
        if size and _mprotect()(base, size, _READ_AND_RUN):
            raise OSError("this system does not let memory become executable")


@cache
def _process() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@cache
def _mprotect():
    function = _process().mprotect
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function


def _of_process(name: str) -> int:
    """The address of a symbol of the process: those of the C library and of its mathematics."""
    try:
        return ctypes.cast(getattr(_process(), name), ctypes.c_void_p).value or 0
    except AttributeError:
        raise Unlinkable(f"nobody defines {name}") from None


__all__ = ["SUPPORTED", "Image", "Unlinkable", "link"]
