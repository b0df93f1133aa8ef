"""The pool: every chunk is run once, whether workers are awake or asleep, and inside of chunks too."""

import ctypes
import time

import pytest

import tracejit as tj
from tracejit.lowering.cpu import threads
from tracejit.lowering.cpu.llvm import compile_module

# `one` counts a chunk in the number of its place; `many` runs jobs of so many chunks one after the other, `nested` a job in each chunk of a job.
CODE = """
declare void @parallel_for(ptr, ptr, i64)
define void @one(ptr %data, i64 %chunk) {
  %at = getelementptr i64, ptr %data, i64 %chunk
  %old = atomicrmw add ptr %at, i64 1 seq_cst
  ret void
}
define void @many(ptr %data, i64 %jobs, i64 %chunks) {
entry:
  br label %job
job:
  %i = phi i64 [ 0, %entry ], [ %j, %job ]
  call void @parallel_for(ptr @one, ptr %data, i64 %chunks)
  %j = add i64 %i, 1
  %more = icmp slt i64 %j, %jobs
  br i1 %more, label %job, label %done
done:
  ret void
}
define void @inner(ptr %data, i64 %chunk) {
  call void @parallel_for(ptr @one, ptr %data, i64 5)
  ret void
}
define void @nested(ptr %data, i64 %jobs, i64 %chunks) {
  call void @parallel_for(ptr @inner, ptr %data, i64 %chunks)
  ret void
}
"""


@pytest.fixture(scope="module")
def run():
    before, tj.config.threads = tj.config.threads, 4
    library = compile_module(CODE, {"parallel_for": threads.parallel_for()}, ["many", "nested"])
    tj.config.threads = before

    def call(name, jobs, chunks, places=64):
        counts = (ctypes.c_int64 * places)()
        ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(library.address(name))(ctypes.addressof(counts), jobs, chunks)
        return list(counts)

    return call


@pytest.mark.parametrize("chunks", [0, 1, 2, 3, 7, 64])
def test_jobs_in_a_row(run, chunks):
    assert run("many", 5000, chunks) == [5000] * chunks + [0] * (64 - chunks)


def test_workers_that_sleep_are_woken(run):
    for _ in range(20):
        time.sleep(0.001)
        assert run("many", 1, 64) == [1] * 64


def test_a_job_inside_of_a_chunk_runs_there(run):
    assert run("nested", 1, 9)[:6] == [9] * 5 + [0]
    assert run("many", 10, 8)[:9] == [10] * 8 + [0]
