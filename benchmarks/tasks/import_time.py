"""How long a fresh interpreter takes to start and import a system; every row includes NumPy's, so that is the row to subtract."""

import subprocess
import sys

import numpy as np

from benchmarks.task import Data, Prepared, Task


def make_data() -> Data:
    return {}


def interpreter_that_imports(modules: str) -> Prepared:
    command = [sys.executable, "-c", f"import numpy, {modules}"]
    return Prepared(subprocess.run, (command,), result=lambda: np.asarray(subprocess.run(command, check=True).returncode))


def tracejit(data: Data) -> Prepared:
    return interpreter_that_imports("tracejit")


def jax(data: Data) -> Prepared:
    return interpreter_that_imports("jax, jax.numpy")


def torch(data: Data) -> Prepared:
    return interpreter_that_imports("torch")


def autograd(data: Data) -> Prepared:
    return interpreter_that_imports("autograd, autograd.numpy")


def numpy(data: Data) -> Prepared:
    return interpreter_that_imports("numpy")


TASKS = (Task("import_time", "fresh interpreter and import, NumPy included", make_data, 0.0, in_process=False, not_peers=("numpy",)),)
