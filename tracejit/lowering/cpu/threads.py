"""The threads that run large kernels: a pool of workers that wait in native code until there are chunks to take.

`parallel_for(function, data, chunks)` calls `function(data, c)` for c = 0 .. chunks-1, each once, in the calling thread and in the workers, and
returns when all are done.  Chunks are taken from one word, which has the number of the job and how many of its chunks are left: whoever changes it
from n to n - 1 has a chunk, and the job's function and data stand still until that chunk is done.  A word of an older job can't be changed any more,
so a worker that comes late takes nothing.

A thread that has nothing to do looks for work for some 50 us before it sleeps, so that kernels in close succession meet workers that are awake: a
chunk is handed over in 0.5 us, where waking a thread takes up to 50.  Inside of a chunk, or beside another thread's job, all chunks run in the
calling thread.

The workers are ordinary Python daemon threads that call into native code, without Python's lock, and stay there.  They are started by the first
program that wants them; a forked child starts its own. Numba's pool does the same and is not used because importing Numba takes 260 ms, ten times a
compilation.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from functools import cache

from ...config import config
from .llvm import Library, compile_module

# How often a thread looks for work, or for the end of the others' chunks, before it sleeps: a pause takes 10 to 40 ns.
LOOKS = 2000
# What tells the processor that it is a look in a row, by architecture.
_PAUSES = {"x86_64": "llvm.x86.sse2.pause()", "arm64": "llvm.aarch64.hint(i32 1)"}
_PAUSE = _PAUSES.get({"AMD64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()))

# `lock`, `work` and `end` are a mutex and two conditions of the system, of at most 64 bytes each (pthread_mutex_t has 40 on Linux and 64 on macOS).
# `left` has the job's number times 2^24 and the number of chunks that are left.
_TEXT = """
@lock = internal global [64 x i8] zeroinitializer, align 64
@work = internal global [64 x i8] zeroinitializer, align 64
@end = internal global [64 x i8] zeroinitializer, align 64
@left = internal global i64 0, align 64
@done = internal global i64 0, align 64
@function = internal global ptr null, align 64
@data = internal global ptr null
@chunks = internal global i64 0
@busy = internal global i32 0, align 64
@asleep = internal global i64 0, align 64
@waiting = internal global i64 0
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_signal(ptr)
declare i32 @pthread_cond_broadcast(ptr)
DECLARE

define void @reset() {
  store i64 0, ptr @left
  store i64 0, ptr @done
  store i32 0, ptr @busy
  store i64 0, ptr @asleep
  store i64 0, ptr @waiting
  %a = call i32 @pthread_mutex_init(ptr @lock, ptr null)
  %b = call i32 @pthread_cond_init(ptr @work, ptr null)
  %c = call i32 @pthread_cond_init(ptr @end, ptr null)
  ret void
}

; How many chunks of the current job are left.
define internal i64 @some() alwaysinline {
  %word = load atomic i64, ptr @left seq_cst, align 8
  %count = and i64 %word, 16777215
  ret i64 %count
}

; Run chunks until none is left.
define internal void @take() {
entry:
  br label %look
look:
  %word = load atomic i64, ptr @left acquire, align 8
  br label %try
try:
  %old = phi i64 [ %word, %look ], [ %seen, %again ]
  %count = and i64 %old, 16777215
  %none = icmp eq i64 %count, 0
  br i1 %none, label %leave, label %change
change:
  %less = sub i64 %old, 1
  %pair = cmpxchg ptr @left, i64 %old, i64 %less acq_rel acquire
  %seen = extractvalue { i64, i1 } %pair, 0
  %well = extractvalue { i64, i1 } %pair, 1
  br i1 %well, label %run, label %again
again:
  br label %try
run:
  %function = load ptr, ptr @function
  %data = load ptr, ptr @data
  %chunks = load i64, ptr @chunks
  %chunk = sub i64 %chunks, %count
  call void %function(ptr %data, i64 %chunk)
  %before = atomicrmw add ptr @done, i64 1 seq_cst
  %after = add i64 %before, 1
  %last = icmp eq i64 %after, %chunks
  br i1 %last, label %over, label %look
over:
  %waiting = load atomic i64, ptr @waiting seq_cst, align 8
  %sleeps = icmp ne i64 %waiting, 0
  br i1 %sleeps, label %tell, label %leave
tell:
  %l = call i32 @pthread_mutex_lock(ptr @lock)
  %u = call i32 @pthread_mutex_unlock(ptr @lock)
  %s = call i32 @pthread_cond_signal(ptr @end)
  br label %leave
leave:
  ret void
}

define void @worker() {
entry:
  br label %work
work:
  call void @take()
  br label %look
look:
  %turn = phi i64 [ 0, %work ], [ %next, %pause ]
  %some = call i64 @some()
  %any = icmp ne i64 %some, 0
  br i1 %any, label %work, label %pause
pause:
  PAUSE
  %next = add i64 %turn, 1
  %on = icmp slt i64 %next, LOOKS
  br i1 %on, label %look, label %sleep
sleep:
  %l = call i32 @pthread_mutex_lock(ptr @lock)
  %a = atomicrmw add ptr @asleep, i64 1 seq_cst
  br label %check
check:
  %now = call i64 @some()
  %again = icmp ne i64 %now, 0
  br i1 %again, label %wake, label %wait
wait:
  %w = call i32 @pthread_cond_wait(ptr @work, ptr @lock)
  br label %check
wake:
  %b = atomicrmw sub ptr @asleep, i64 1 seq_cst
  %u = call i32 @pthread_mutex_unlock(ptr @lock)
  br label %work
}

define void @parallel_for(ptr %function, ptr %data, i64 %chunks) {
entry:
  %others = atomicrmw xchg ptr @busy, i32 1 acq_rel
  %free = icmp eq i32 %others, 0
  br i1 %free, label %publish, label %alone
alone:
  %c = phi i64 [ 0, %entry ], [ %following, %here ]
  %more = icmp slt i64 %c, %chunks
  br i1 %more, label %here, label %back
here:
  call void %function(ptr %data, i64 %c)
  %following = add i64 %c, 1
  br label %alone
back:
  ret void
publish:
  store ptr %function, ptr @function
  store ptr %data, ptr @data
  store i64 %chunks, ptr @chunks
  store atomic i64 0, ptr @done release, align 8
  %old = load i64, ptr @left
  %job = and i64 %old, -16777216
  %new = add i64 %job, 16777216
  %word = or i64 %new, %chunks
  store atomic i64 %word, ptr @left seq_cst, align 8
  %asleep = load atomic i64, ptr @asleep seq_cst, align 8
  %sleeps = icmp ne i64 %asleep, 0
  br i1 %sleeps, label %wake, label %work
wake:
  %l = call i32 @pthread_mutex_lock(ptr @lock)
  %u = call i32 @pthread_mutex_unlock(ptr @lock)
  %b = call i32 @pthread_cond_broadcast(ptr @work)
  br label %work
work:
  call void @take()
  br label %look
look:
  %turn = phi i64 [ 0, %work ], [ %next, %pause ]
  %done = load atomic i64, ptr @done acquire, align 8
  %all = icmp eq i64 %done, %chunks
  br i1 %all, label %leave, label %pause
pause:
  PAUSE
  %next = add i64 %turn, 1
  %on = icmp slt i64 %next, LOOKS
  br i1 %on, label %look, label %sleep
sleep:
  %l2 = call i32 @pthread_mutex_lock(ptr @lock)
  store atomic i64 1, ptr @waiting seq_cst, align 8
  br label %check
check:
  %done2 = load atomic i64, ptr @done seq_cst, align 8
  %all2 = icmp eq i64 %done2, %chunks
  br i1 %all2, label %awake, label %wait
wait:
  %w = call i32 @pthread_cond_wait(ptr @end, ptr @lock)
  br label %check
awake:
  store atomic i64 0, ptr @waiting seq_cst, align 8
  %u2 = call i32 @pthread_mutex_unlock(ptr @lock)
  br label %leave
leave:
  store atomic i32 0, ptr @busy release, align 4
  ret void
}
"""
_TEXT = _TEXT.replace("LOOKS", str(LOOKS)).replace("DECLARE", f"declare void @{_PAUSE.replace('i32 1', 'i32')}" if _PAUSE else "")
_TEXT = _TEXT.replace("PAUSE", f"call void @{_PAUSE}" if _PAUSE else "")
_lock = threading.Lock()
_workers: list[threading.Thread] = []


@cache
def _library() -> Library:
    library = compile_module(_TEXT, {}, ["reset", "worker", "parallel_for"])
    # Workers never leave this code, not even at exit, so it is never unloaded.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(library))
    ctypes.CFUNCTYPE(None)(library.address("reset"))()
    os.register_at_fork(after_in_child=_forget)
    return library


def _forget() -> None:
    """In a forked child the workers do not exist, and the lock may have been held."""
    _workers.clear()
    ctypes.CFUNCTYPE(None)(_library().address("reset"))()


def parallel_for() -> int:
    """The address of `void parallel_for(ptr function, ptr data, i64 chunks)`. Starts the workers that `config.threads` asks for."""
    library = _library()
    with _lock:
        work = ctypes.CFUNCTYPE(None)(library.address("worker"))
        while len(_workers) < config.threads - 1:
            thread = threading.Thread(target=work, name=f"tracejit-{len(_workers)}", daemon=True)
            thread.start()
            _workers.append(thread)
    return library.address("parallel_for")
