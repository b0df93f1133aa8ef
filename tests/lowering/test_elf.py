"""The linker: every kind of relocation, what it refuses, and that LLVM's own linker gives the same."""

import ctypes
import gc
import math
import os
import subprocess
import sys

import pytest

from tracejit.lowering.cpu import elf, llvm
from tracejit.lowering.cpu.host import Host, host
from tracejit.lowering.cpu.llvm import LoweringError, compile_object, load_object

pytestmark = pytest.mark.skipif(not elf.SUPPORTED, reason="links for x86-64 Linux alone")

TEXT = """
@zeros = global [64 x i8] zeroinitializer, align 64
@counter = global i64 5
@table = internal constant [3 x i64] [i64 3, i64 4, i64 5]
@pointer = global ptr @one
declare double @sin(double)
declare double @twice(double)
define i64 @one() { ret i64 1 }
define double @call(double %x) {
  %y = call double @sin(double %x)
  %z = fadd double %y, 1.5
  %w = call double @twice(double %z)
  ret double %w
}
define i64 @count(i64 %i) {
  %place = getelementptr i64, ptr @table, i64 %i
  %v = load i64, ptr %place
  %old = load i64, ptr @counter
  %sum = add i64 %v, %old
  store i64 %sum, ptr @counter
  %f = load ptr, ptr @pointer
  %o = call i64 %f()
  %r = add i64 %sum, %o
  ret i64 %r
}
define ptr @where() { ret ptr @twice }
"""
EXPORTS = ["zeros", "call", "count", "where"]
_twice = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: 2 * x)
IMPORTS = {"twice": ctypes.cast(_twice, ctypes.c_void_p).value}


@pytest.fixture(scope="module")
def code():
    return compile_object(TEXT)


@pytest.fixture(params=["elf", "llvm"])
def library(request, code, monkeypatch):
    monkeypatch.setattr(elf, "SUPPORTED", request.param == "elf")
    made = load_object(code, IMPORTS, EXPORTS)
    assert isinstance(made._addresses, elf.Image) == (request.param == "elf")
    return made


def test_calls_constants_data_and_addresses(library):
    function = lambda name, result, *arguments: ctypes.CFUNCTYPE(result, *arguments)(library.address(name))
    assert function("call", ctypes.c_double, ctypes.c_double)(0.5) == 2 * (math.sin(0.5) + 1.5)
    count = function("count", ctypes.c_int64, ctypes.c_int64)
    assert [count(0), count(2)] == [9, 14]
    assert function("where", ctypes.c_void_p)() == IMPORTS["twice"]
    zeros = library.address("zeros")
    assert zeros % 64 == 0 and ctypes.string_at(zeros, 64) == bytes(64)
    with pytest.raises(KeyError):
        library.address("table")
    with pytest.raises(KeyError):
        library.address("one")  # there, but no export


def test_each_library_has_data_of_its_own(code):
    first, second = elf.link(code, IMPORTS, EXPORTS), elf.link(code, IMPORTS, EXPORTS)
    counts = [ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(image["count"]) for image in (first, second)]
    assert [counts[0](0), counts[0](0), counts[1](0)] == [9, 12, 9]


def test_a_forked_child_writes_into_a_copy(code):
    image = elf.link(code, IMPORTS, EXPORTS)
    count = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(image["count"])
    child = os.fork()
    if not child:
        os._exit(0 if count(0) == 9 else 1)
    assert os.waitpid(child, 0)[1] == 0 and count(0) == 9


def test_memory_is_given_back(code):
    with open("/proc/self/maps") as maps:
        before = len(maps.readlines())
    for _ in range(200):
        elf.link(code, IMPORTS, EXPORTS)
    gc.collect()
    with open("/proc/self/maps") as maps:
        assert len(maps.readlines()) < before + 100


def test_code_cannot_be_written_and_data_not_run(code):
    image = elf.link(code, IMPORTS, EXPORTS)
    with open("/proc/self/maps") as maps:
        ranges = [(int(a, 16), int(b, 16), mode) for a, _, b, mode in ((*line.split()[0].partition("-"), line.split()[1]) for line in maps)]
    mode = lambda name: next(mode for start, stop, mode in ranges if start <= image[name] < stop)
    assert mode("call") == "r-xp" and mode("zeros") == "rw-p"


@pytest.mark.parametrize("text, message", [
    ("declare void @nowhere()\ndefine void @f() {\n call void @nowhere()\n ret void }", "nobody defines nowhere"),
    ("@x = external thread_local global i64\ndefine i64 @f() {\n %v = load i64, ptr @x\n ret i64 %v }", "not known|nobody"),
], ids=["undefined", "thread-local"])  # fmt: skip
def test_what_is_not_linked(text, message):
    with pytest.raises(elf.Unlinkable, match=message):
        elf.link(compile_object(text), {}, ["f"])
    with pytest.raises(LoweringError, match="linking"):
        load_object(compile_object(text), {}, ["f"])


def test_damaged_objects_are_refused(code):
    for size in range(0, len(code), 7):
        with pytest.raises(elf.Unlinkable):
            elf.link(code[:size], IMPORTS, EXPORTS)
    with pytest.raises(elf.Unlinkable, match="no ELF"):
        elf.link(b"\0" * 1000, {}, [])


def test_a_system_that_forbids_it(code, monkeypatch):
    monkeypatch.setattr(elf, "_mprotect", lambda: lambda *args: -1)
    with pytest.raises(elf.Unlinkable, match="executable"):
        elf.link(code, IMPORTS, EXPORTS)
    assert load_object(code, IMPORTS, EXPORTS).address("call") > 0  # LLVM may find a way


def test_the_host_is_what_llvm_says():
    import llvmlite.binding as binding

    assert host().processor == binding.get_host_cpu_name() and host().triple == binding.get_process_triple()
    features = binding.get_host_cpu_features()
    assert all(host().has(name) == present for name, present in features.items())
    assert not Host("", "", "+avx2,-fma", "").has("fma") and Host("", "", "+avx2,-fma", "").has("avx2")
    assert llvm.target_key().count("|") == 3


def test_a_warm_process_does_not_load_llvm(tmp_path):
    program = (
        "import sys, numpy as np, tracejit as tj\n"
        "f = tj.jit(tj.value_and_grad(lambda w, x: np.mean(np.tanh(x @ w) ** 2)))\n"
        "for _ in range(4): loss, slope = f(np.ones((4, 4)), np.arange(8.0).reshape(2, 4))\n"
        "print(float(loss), slope.tolist(), 'llvmlite' in sys.modules)"
    )
    environment = {**os.environ, "TRACEJIT_CACHE_DIR": str(tmp_path / "cache"), "TRACEJIT_CACHE": "1"}
    run = lambda: subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True).stdout.strip()
    cold, warm = run(), run()
    assert cold.endswith("True") and warm.endswith("False") and cold.rpartition(" ")[0] == warm.rpartition(" ")[0]
