"""The tests of `device/` where there is no device: kernels in Numba's simulator, and what runs on a GPU over a strict stand-in for CuPy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "device"
FILES = {path.name for path in FOLDER.glob("test_*.py")}
SIMULATOR, STAND_IN = {"NUMBA_ENABLE_CUDASIM": "1"}, {"TRACEJIT_TESTS_CUPY": "strict"}


def run(mode, files):
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"} | mode
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(FOLDER / name) for name in sorted(files))]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]


def test_in_the_simulator():
    run(SIMULATOR, {"test_arrays.py", "test_grid.py", "test_transforms.py"})


def test_over_the_stand_in():
    run(STAND_IN, FILES - {"test_grid.py"})


@pytest.mark.slow
def test_the_grid_over_the_stand_in():
    run(STAND_IN, {"test_grid.py"})
