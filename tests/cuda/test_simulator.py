"""The tests of `device/` where there is no device: in Numba's simulator, or, where that takes too long, as device code on the host's processors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "device"
LONG = ("test_examples.py", "test_torch.py")
FILES = sorted(path.name for path in FOLDER.glob("test_*.py"))


@pytest.mark.parametrize("name", FILES)
def test_in_simulator(name):
    mode = {"TRACEJIT_CUDA": "host"} if name in LONG else {"NUMBA_ENABLE_CUDASIM": "1"}
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"} | mode
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FOLDER / name)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
