"""Compilation and loading: the life of a library, object code, threads, failures."""

import ctypes
import gc
from concurrent.futures import ThreadPoolExecutor

import pytest

from tracejit.lowering.cpu import llvm
from tracejit.lowering.cpu.llvm import LoweringError, compile_module, compile_object, lanes, load_object


def constant(number):
    return f"define i64 @answer() {{ ret i64 {number} }}"


def call(library):
    return ctypes.CFUNCTYPE(ctypes.c_int64)(library.address("answer"))()


def test_equal_requests_share_a_library_while_it_lives():
    library = compile_module(constant(41), {}, ["answer"])
    assert compile_module(constant(41), {}, ["answer"]) is library
    assert call(library) == 41
    gc.collect()
    before = len(llvm._libraries)
    del library
    gc.collect()
    assert len(llvm._libraries) == before - 1


def test_object_code_loads_again():
    code = compile_object(constant(42))
    first, second = load_object(code, {}, ["answer"]), load_object(code, {}, ["answer"])
    assert call(first) == call(second) == 42
    with pytest.raises(KeyError):
        first.address("question")
    with pytest.raises(ValueError, match="no LLVM text"):
        first.asm
    assert "answer" in compile_module(constant(42), {}, ["answer"]).asm


def test_many_threads_compile_at_once():
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda number: call(compile_module(constant(number % 5), {}, ["answer"])), range(40)))
    assert found == [number % 5 for number in range(40)]


def test_errors_carry_the_text():
    with pytest.raises(LoweringError, match="(?s)rejected.*1  define double @f"):
        compile_module("define double @f() { ret i32 1 }", {}, ["f"])
    with pytest.raises(LoweringError, match="(?s)linking.*nowhere"):
        compile_module("declare void @nowhere()\ndefine void @f() {\n call void @nowhere()\n ret void }", {}, ["f"])
    with pytest.raises(LoweringError, match="linking"):
        load_object(b"not an object file", {}, ["f"])


def test_vector_width_override(monkeypatch):
    monkeypatch.delenv("TRACEJIT_VECTOR_BYTES", raising=False)
    assert llvm.vector_bytes() in (16, 32, 64)
    monkeypatch.setenv("TRACEJIT_VECTOR_BYTES", "16")
    assert lanes(8) == 2 and lanes(4) == 4
    monkeypatch.setenv("TRACEJIT_VECTOR_BYTES", "24")
    with pytest.raises(ValueError, match="power of two"):
        lanes(8)
