"""Large results get memory that earlier results gave back.

A fresh page costs a fault and a clearing, 0.2 to 0.5 us for 4 KiB: more than most kernels spend on computing its contents.  malloc recycles one
buffer at a time well enough, several it gives back to the system: filling and dropping three arrays of 8 MB takes 3 to 4 ms and over 1000 faults
with `np.empty`, 0.4 ms and no fault here; ten arrays of 128 KB take 430 us and 288 faults, 17 us and none here.

How an array gives its data back: NumPy lets each name the allocator of its data (NEP 49, `PyDataMem_Handler`), and the entry fills in ours.  To a
user the array is an ordinary one that owns its data: `x.flags.owndata`, `x.base is None`, `x.resize(...)` all work.  The other way, a capsule as
the base of an array that owns nothing, takes 10 ns more and has none of these.

The pool is a list of free blocks in the order of their return.  Sizes are rounded up to an eighth of the power of two below, so a block serves
requests of about its size, and at most an eighth is wasted.  A request takes the newest block of its size, whose pages are the likeliest to be in
cache; a block that would take the pool over its limit pushes the oldest ones out.  The GIL is the lock: NumPy makes and frees arrays under it.
"""
import ctypes
import os
import sys

import numpy as np

from .abi import data_address
from .fields import words

LARGE = 32 * 1024
"""Results of at least so many bytes come from the pool; below, malloc does as well."""

HUGE = 4 << 20
"""Blocks of at least so many bytes ask for 2 MiB pages, as NumPy's own do."""

LIMIT = int(os.environ.get("TRACEJIT_POOL_BYTES", 256 << 20))
"""How many bytes of free blocks the pool keeps at first."""

BLOCKS = 256
"""How many free blocks the pool can list: the state of a large training step, twice."""

LAYOUT = {
    "Pool": {**words("limit", "held", "count", "reused", "fresh"), "blocks": 40},
    "Block": words("data", "capacity"),
}

CONSTANTS = {
    "LARGE": LARGE,
    "HUGE": HUGE if sys.platform == "linux" else sys.maxsize,
    "HUGE_PAGE": 2 << 20,
    "MADV_HUGEPAGE": 14,
    "BLOCKS": BLOCKS,
}

TEXT = """
; ---- pool: LARGE results.  Every function that NumPy calls has the pool as its context.

%Block = type { ptr, i64 }

declare ptr @malloc(i64)
declare ptr @realloc(ptr, i64)
declare void @free(ptr)
declare i32 @posix_memalign(ptr, i64, i64)
declare i32 @madvise(ptr, i64, i32)
declare i64 @llvm.ctlz.i64(i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)

define internal i64 @pool_capacity(i64 %size) {            ; rounded up to an eighth of the power of two below it
  %zeros = call i64 @llvm.ctlz.i64(i64 %size, i1 true)
  %exponent = sub i64 60, %zeros
  %step = shl i64 1, %exponent
  %most = sub i64 %step, 1
  %sum = add i64 %size, %most
  %mask = sub i64 0, %step
  %capacity = and i64 %sum, %mask
  ret i64 %capacity
}

define internal void @pool_remove(ptr %pool, i64 %index) {
  %count = get i64, %pool, Pool.count
  %left = sub i64 %count, 1
  set i64 %left, %pool, Pool.count
  %blocks = at %pool, Pool.blocks
  %block = getelementptr %Block, ptr %blocks, i64 %index
  %capacity = get i64, %block, Block.capacity
  %held = get i64, %pool, Pool.held
  %rest = sub i64 %held, %capacity
  set i64 %rest, %pool, Pool.held
  %following = getelementptr %Block, ptr %block, i64 1
  %newer = sub i64 %left, %index
  %bytes = mul i64 %newer, 16
  call void @llvm.memmove.p0.p0.i64(ptr %block, ptr %following, i64 %bytes, i1 false)
  ret void
}

define void @pool_make_room(ptr %pool, i64 %room) {        ; free the oldest until another block of that capacity would fit
  br label %look
look:
  %count = get i64, %pool, Pool.count
  %held = get i64, %pool, Pool.held
  %limit = get i64, %pool, Pool.limit
  %sum = add i64 %held, %room
  %fits = icmp sle i64 %sum, %limit
  %listed = icmp slt i64 %count, BLOCKS
  %done = and i1 %fits, %listed
  br i1 %done, label %leave, label %evict
evict:
  %blocks = at %pool, Pool.blocks
  %oldest = get ptr, %blocks, Block.data
  call void @free(ptr %oldest)
  call void @pool_remove(ptr %pool, i64 0)
  br label %look
leave:
  ret void
}

define internal ptr @pool_fresh(ptr %pool, i64 %capacity) {
  %made = get i64, %pool, Pool.fresh
  %more = add i64 %made, 1
  set i64 %more, %pool, Pool.fresh
  %cell = alloca ptr
  %huge = icmp uge i64 %capacity, HUGE
  %alignment = select i1 %huge, i64 HUGE_PAGE, i64 64
  %failed = call i32 @posix_memalign(ptr %cell, i64 %alignment, i64 %capacity)
  %good = icmp eq i32 %failed, 0
  br i1 %good, label %got, label %none
got:
  %data = load ptr, ptr %cell
  br i1 %huge, label %advise, label %leave
advise:
  %ignored = call i32 @madvise(ptr %data, i64 %capacity, i32 MADV_HUGEPAGE)
  br label %leave
leave:
  ret ptr %data
none:
  ret ptr null
}

define ptr @pool_allocate(ptr %pool, i64 %size) {
  %large = icmp uge i64 %size, LARGE
  br i1 %large, label %pooled, label %plain
plain:
  %small = call ptr @malloc(i64 %size)
  ret ptr %small
pooled:
  %capacity = call i64 @pool_capacity(i64 %size)
  %blocks = at %pool, Pool.blocks
  %count = get i64, %pool, Pool.count
  br label %search
search:                                                  ; from the newest to the oldest
  %left = phi i64 [ %count, %pooled ], [ %index, %look ]
  %none = icmp eq i64 %left, 0
  br i1 %none, label %fresh, label %look
look:
  %index = sub i64 %left, 1
  %block = getelementptr %Block, ptr %blocks, i64 %index
  %offered = get i64, %block, Block.capacity
  %fits = icmp eq i64 %offered, %capacity
  br i1 %fits, label %found, label %search
found:
  %data = get ptr, %block, Block.data
  call void @pool_remove(ptr %pool, i64 %index)
  %reused = get i64, %pool, Pool.reused
  %again = add i64 %reused, 1
  set i64 %again, %pool, Pool.reused
  ret ptr %data
fresh:
  %new = call ptr @pool_fresh(ptr %pool, i64 %capacity)
  ret ptr %new
}

define ptr @pool_zeroed(ptr %pool, i64 %count, i64 %itemsize) {
  %size = mul i64 %count, %itemsize
  %data = call ptr @pool_allocate(ptr %pool, i64 %size)
  %failed = icmp eq ptr %data, null
  br i1 %failed, label %leave, label %clear
clear:
  call void @llvm.memset.p0.i64(ptr %data, i8 0, i64 %size, i1 false)
  br label %leave
leave:
  ret ptr %data
}

define ptr @pool_resize(ptr %pool, ptr %data, i64 %size) {      ; what it returns will be freed as a block of the new size
  %large = icmp uge i64 %size, LARGE
  br i1 %large, label %pooled, label %plain
pooled:
  %capacity = call i64 @pool_capacity(i64 %size)
  br label %plain
plain:
  %bytes = phi i64 [ %size, %0 ], [ %capacity, %pooled ]
  %new = call ptr @realloc(ptr %data, i64 %bytes)
  ret ptr %new
}

define void @pool_free(ptr %pool, ptr %data, i64 %size) {
  %large = icmp uge i64 %size, LARGE
  br i1 %large, label %pooled, label %plain
pooled:
  %capacity = call i64 @pool_capacity(i64 %size)
  %limit = get i64, %pool, Pool.limit
  %fits = icmp sle i64 %capacity, %limit
  br i1 %fits, label %keep, label %plain
plain:
  call void @free(ptr %data)
  ret void
keep:
  call void @pool_make_room(ptr %pool, i64 %capacity)
  %count = get i64, %pool, Pool.count
  %blocks = at %pool, Pool.blocks
  %block = getelementptr %Block, ptr %blocks, i64 %count
  set ptr %data, %block, Block.data
  set i64 %capacity, %block, Block.capacity
  %more = add i64 %count, 1
  set i64 %more, %pool, Pool.count
  %held = get i64, %pool, Pool.held
  %sum = add i64 %held, %capacity
  set i64 %sum, %pool, Pool.held
  ret void
}
"""

EXPORTS = ("pool_allocate", "pool_zeroed", "pool_resize", "pool_free", "pool_make_room")


class _Handler(ctypes.Structure):
    """PyDataMem_Handler."""

    _fields_ = [("name", ctypes.c_char * 127), ("version", ctypes.c_uint8)] + [
        (part, ctypes.c_void_p) for part in ("context", "malloc", "calloc", "realloc", "free")
    ]


class Pool:
    """The pool of this process, over the compiled functions at `addresses` (by the names in `EXPORTS`).

    `capsule` is the NumPy memory handler that arrays with pooled data carry.  None of it is ever freed, since such an array may outlive every module.
    """

    def __init__(self, addresses: dict[str, int]):
        self._state = np.zeros((LAYOUT["Pool"]["blocks"] + 16 * BLOCKS) // 8, np.int64)
        self.address = data_address(self._state)
        self._make_room = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(addresses["pool_make_room"])
        self.limit = LIMIT
        functions = (addresses[name] for name in ("pool_allocate", "pool_zeroed", "pool_resize", "pool_free"))
        self._handler = _Handler(b"tracejit pool", 1, self.address, *functions)
        new_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(("PyCapsule_New", ctypes.pythonapi))
        self._capsule_name = ctypes.c_char_p(b"mem_handler")
        self.capsule = new_capsule(ctypes.addressof(self._handler), self._capsule_name, None)

    @property
    def held(self) -> int:
        """Bytes of free blocks that wait for a next use."""
        return self._get("held")

    @property
    def reused(self) -> int:
        """How many results were given memory that an earlier one had."""
        return self._get("reused")

    @property
    def fresh(self) -> int:
        """How many results were given new memory."""
        return self._get("fresh")

    @property
    def limit(self) -> int:
        """The most bytes that may wait for a next use.  Setting it frees what is over; 0 keeps nothing."""
        return self._get("limit")

    @limit.setter
    def limit(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"the pool's limit is a number of bytes, not {size}")
        self._set("limit", size)
        self._make_room(self.address, 0)

    def clear(self) -> None:
        """Give every free block back to the operating system."""
        limit = self.limit
        self.limit = 0
        self.limit = limit

    def _get(self, field: str) -> int:
        return int(self._state[LAYOUT["Pool"][field] // 8])

    def _set(self, field: str, value: int) -> None:
        self._state[LAYOUT["Pool"][field] // 8] = value
