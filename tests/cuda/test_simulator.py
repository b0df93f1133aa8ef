"""The tests of `device/`: in Numba's simulator, and those that compile each operation also as device code on the host's processors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "device"
FILES = sorted(path.name for path in FOLDER.glob("test_*.py"))


def run(name, choice, *options):
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_XDIST_WORKER"} | choice
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(FOLDER / name), *options]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]


@pytest.mark.parametrize("name", FILES)
def test_in_simulator(name):
    run(name, {"NUMBA_ENABLE_CUDASIM": "1"})


def test_operations_as_device_code():
    run("test_grid.py", {"TRACEJIT_CUDA": "host"}, "-k", "test_compiled")
