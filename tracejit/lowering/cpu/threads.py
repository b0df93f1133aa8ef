"""The threads that run large kernels: a pool of workers that sleep in native code until there are chunks to take.

`parallel_for(function, data, chunks)` calls `function(data, c)` for c = 0 .. chunks-1, each once, in the calling thread and in the workers, and
returns when all are done.  Chunks are handed out under one
lock, so they may differ in length; a chunk is worth 50 us or more, and the lock costs 0.05.

The workers are ordinary Python daemon threads that call into native code, without Python's lock, and stay there.  They are started by the first
program that wants them; a forked child starts its own. Numba's pool does the same and is not used because importing Numba takes 260 ms, ten times a
compilation.
"""

from __future__ import annotations

import ctypes
import os
import threading
from functools import cache

from ...config import config
from .llvm import Library, compile_module

# The layout of the pool: three system objects of at most 64 bytes each (pthread_mutex_t has 40 on Linux and 64 on macOS), then the job.
_SIZE = 256
_TEXT = """
@pool = global [256 x i8] zeroinitializer, align 64
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_signal(ptr)
declare i32 @pthread_cond_broadcast(ptr)

define void @reset() {
  store i64 0, ptr getelementptr (i8, ptr @pool, i64 208)
  store i64 0, ptr getelementptr (i8, ptr @pool, i64 216)
  store i64 0, ptr getelementptr (i8, ptr @pool, i64 224)
  %a = call i32 @pthread_mutex_init(ptr @pool, ptr null)
  %b = call i32 @pthread_cond_init(ptr getelementptr (i8, ptr @pool, i64 64), ptr null)
  %c = call i32 @pthread_cond_init(ptr getelementptr (i8, ptr @pool, i64 128), ptr null)
  ret void
}

; With the lock held: run one chunk if there is one. 1 if there was.
define internal i1 @take() {
  %next = load i64, ptr getelementptr (i8, ptr @pool, i64 216)
  %chunks = load i64, ptr getelementptr (i8, ptr @pool, i64 208)
  %some = icmp slt i64 %next, %chunks
  br i1 %some, label %work, label %none
work:
  %function = load ptr, ptr getelementptr (i8, ptr @pool, i64 192)
  %data = load ptr, ptr getelementptr (i8, ptr @pool, i64 200)
  %following = add i64 %next, 1
  store i64 %following, ptr getelementptr (i8, ptr @pool, i64 216)
  %u = call i32 @pthread_mutex_unlock(ptr @pool)
  call void %function(ptr %data, i64 %next)
  %l = call i32 @pthread_mutex_lock(ptr @pool)
  %done = load i64, ptr getelementptr (i8, ptr @pool, i64 224)
  %more = add i64 %done, 1
  store i64 %more, ptr getelementptr (i8, ptr @pool, i64 224)
  %last = icmp eq i64 %more, %chunks
  br i1 %last, label %tell, label %went
tell:
  %s = call i32 @pthread_cond_signal(ptr getelementptr (i8, ptr @pool, i64 128))
  br label %went
went:
  ret i1 1
none:
  ret i1 0
}

define void @worker() {
  %l = call i32 @pthread_mutex_lock(ptr @pool)
  br label %look
look:
  %took = call i1 @take()
  br i1 %took, label %look, label %sleep
sleep:
  %w = call i32 @pthread_cond_wait(ptr getelementptr (i8, ptr @pool, i64 64), ptr @pool)
  br label %look
}

define void @parallel_for(ptr %function, ptr %data, i64 %chunks) {
  %l = call i32 @pthread_mutex_lock(ptr @pool)
  store ptr %function, ptr getelementptr (i8, ptr @pool, i64 192)
  store ptr %data, ptr getelementptr (i8, ptr @pool, i64 200)
  store i64 %chunks, ptr getelementptr (i8, ptr @pool, i64 208)
  store i64 0, ptr getelementptr (i8, ptr @pool, i64 216)
  store i64 0, ptr getelementptr (i8, ptr @pool, i64 224)
  %b = call i32 @pthread_cond_broadcast(ptr getelementptr (i8, ptr @pool, i64 64))
  br label %look
look:
  %took = call i1 @take()
  br i1 %took, label %look, label %wait
wait:
  %done = load i64, ptr getelementptr (i8, ptr @pool, i64 224)
  %all = icmp eq i64 %done, %chunks
  br i1 %all, label %leave, label %sleep
sleep:
  %w = call i32 @pthread_cond_wait(ptr getelementptr (i8, ptr @pool, i64 128), ptr @pool)
  br label %wait
leave:
  %u = call i32 @pthread_mutex_unlock(ptr @pool)
  ret void
}
"""
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
