"""What is in `device/` needs a CUDA device, or what stands for one: `pytest -m device` on a machine with a GPU, and on any other

    NUMBA_ENABLE_CUDASIM=1 pytest tests/cuda                    Numba's simulator
    TRACEJIT_CUDA=host pytest tests/cuda                        device code on the host's processors
    TRACEJIT_TESTS_CUPY=strict pytest tests/cuda/device         the same, by way of all that is asked of CuPy on a GPU (`strict_cupy.py`)

Without any of them `test_simulator.py` runs it in processes of their own, since Numba chooses its simulator when it is imported.
"""

import importlib.util
import os

import pytest

from tracejit.cuda.backend import host_wanted, simulator_wanted


def _there_is_a_device() -> bool:
    if os.environ.get("TRACEJIT_TESTS_CUPY") == "strict":
        from .strict_cupy import install

        install()
        return True
    if simulator_wanted() or host_wanted():
        return True
    if importlib.util.find_spec("cupy") is None:
        return False
    import tracejit

    return tracejit.cuda.is_available()


collect_ignore_glob = ["test_simulator.py"] if _there_is_a_device() else ["device/*"]


def pytest_collection_modifyitems(items):
    for item in items:
        if "device" in item.path.parts:
            item.add_marker(pytest.mark.device)
