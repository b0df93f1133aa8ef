"""What a machine without a GPU sees: nothing is imported, and what is missing is said."""

import os
import subprocess
import sys

import pytest


def run(code):
    clean = {name: value for name, value in os.environ.items() if name not in ("NUMBA_ENABLE_CUDASIM", "TRACEJIT_CUDA")}
    return subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, timeout=100)


def test_importing_tracejit_starts_nothing():
    found = run(
        "import sys, numpy as np, tracejit as tj\n"
        "f = tj.jit(lambda x: np.sin(x) * 2)\n"
        "[f(np.ones(3)) for _ in range(3)], tj.grad(lambda x: np.sum(x))(np.ones(3)), tj.jit(np.sin, target='cuda')\n"
        "print([m for m in ('cupy', 'numba', 'tracejit.cuda.real', 'tracejit.cuda.simulated') if m in sys.modules])\n"
    )
    assert found.stdout.strip() == "[]", found.stderr


HIDDEN = "import sys; sys.modules['cupy'] = None; sys.modules['numba_cuda'] = None\nimport numpy as np, tracejit as tj\n"


@pytest.mark.parametrize("call", ("device_put(np.ones(2))", "jit(np.sin, target='cuda')(np.ones(2))", "devices('cuda')", "cuda.Stream()"))
def test_the_missing_extra_is_named(call):
    found = run(f"{HIDDEN}tj.{call}")
    assert "CudaError" in found.stderr and "pip install 'tracejit[cuda]'" in found.stderr, found.stderr


def test_the_host_does_not_care():
    found = run(
        HIDDEN + "print(tj.cuda.is_available(), tj.devices(), tj.cuda.device_count(), tj.device_get({'a': np.ones(2)}), tj.jit(np.sin)(np.zeros(1)))"
    )
    assert found.stdout.strip() == "False [Device('cpu')] 0 {'a': array([1., 1.])} [0.]", found.stderr


def test_a_simulator_that_is_asked_for_too_late():
    pytest.importorskip("numba")
    found = run("import os, numba; os.environ['NUMBA_ENABLE_CUDASIM'] = '1'\nimport numpy as np, tracejit as tj\ntj.device_put(np.ones(2))")
    assert "NUMBA_ENABLE_CUDASIM was set after Numba had been imported" in found.stderr
