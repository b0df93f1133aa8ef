"""What stays compiled: in this process, and from one process to the next."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import tracejit as tj

PROGRAM = """
import json, sys, warnings
import numpy as np, tracejit as tj
from tracejit.lowering.cpu import llvm

compiled = []
compile_object = llvm.compile_object
llvm.compile_object = lambda *args: compiled.append(1) or compile_object(*args)
f = tj.jit(tj.value_and_grad(lambda w, x: np.mean(np.tanh(x @ w) ** 2)))
def normalised(x):
    x = np.exp(x - x.max(axis=1, keepdims=True))
    x = x / x.sum(axis=1, keepdims=True)
    x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    return np.sum(np.log1p(x**2).std(axis=0))

h = tj.jit(tj.grad(normalised))
g = tj.jit(lambda x: tj.fori_loop(0, 5, lambda i, s: s * 1.5 - i, x))
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    loss, slope = f(np.ones((4, 4)), np.arange(8.0).reshape(2, 4))
    out = g(np.arange(3.0))
    rows = h(np.sin(np.arange(600.0)).reshape(20, 30))
results = [float(loss), slope.tolist(), out.tolist(), rows.tolist()]
print(json.dumps({"results": results, "compiled": len(compiled), "warned": [str(w.message) for w in warned]}))
"""


@pytest.fixture
def run(tmp_path):
    """Runs PROGRAM in a process of its own, with a cache in the test's folder; what it found."""

    def start(**environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TRACEJIT_")}
        clean |= {"TRACEJIT_CACHE_DIR": str(tmp_path / "cache")} | environment
        return subprocess.Popen([sys.executable, "-c", PROGRAM], env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(process):
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return json.loads(out)

    def one(**environment):
        return finish(start(**environment))

    one.start, one.finish, one.folder = start, finish, tmp_path / "cache"
    return one


def test_a_second_process_compiles_nothing(run):
    first = run()
    assert first["compiled"] == 3 and first["warned"] == []
    for seed in "0", "1":  # nothing in a program's text depends on the order of a set
        assert run(PYTHONHASHSEED=seed) == first | {"compiled": 0}
    assert run(TRACEJIT_CACHE="0") == first
    assert run(TRACEJIT_VECTOR_BYTES="16")["compiled"] > 0  # another target


def test_damage_is_repaired(run):
    first = run()
    for file in run.folder.iterdir():
        file.write_bytes(file.read_bytes()[:-3])
    assert run() == first
    assert run()["compiled"] == 0


def test_two_processes_at_once(run):
    both = [run.start(), run.start()]
    first, second = map(run.finish, both)
    assert first["results"] == second["results"] and run()["compiled"] == 0


def test_a_folder_that_is_not_the_users_own(run):
    first = run()
    run.folder.chmod(0o777)
    other = run()
    assert other["results"] == first["results"] and other["compiled"] == 3
    assert len(other["warned"]) == 1 and "other users can write into it" in other["warned"][0]


def test_a_place_that_cannot_be_a_folder(run):
    run.folder.write_text("a file")
    assert run()["compiled"] == 3 and run()["warned"] == []


def test_caches_are_counted_and_cleared(tmp_path, monkeypatch):
    monkeypatch.setattr(tj.config, "cache_dir", str(tmp_path / "code"))
    monkeypatch.setattr(tj.config, "cache", True)
    before = tj.cache_info()
    assert before.disk.files == 0 and before.disk.folder == str(tmp_path / "code")
    f = tj.jit(lambda x: x * 1.25 + np.sin(x))
    f(np.ones(3))
    after = tj.cache_info()
    assert after.disk.files >= 1 and after.disk.bytes > 500 and (after.functions, after.signatures) == (before.functions + 1, before.signatures + 1)
    tj.clear_caches()
    assert tj.cache_info()[:2] == (0, 0) and tj.cache_info().disk == after.disk
    tj.clear_caches(disk=True)
    assert tj.cache_info().disk.files == 0
    monkeypatch.setattr(tj.config, "cache", False)
    assert tj.cache_info().disk.folder is None and tj.cache_info().disk.problem == "it is turned off"
    tj.clear_caches(disk=True)
