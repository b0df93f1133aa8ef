"""The 500 sweeps of `jacobi` written as a nest of three loops over single points: the same source under `tj.lift` and under `@njit`."""

from benchmarks.task import Data, Prepared, Task
from benchmarks.tasks.jacobi import jax, make_data, numba, numpy, sweeps_by_points

__all__ = ["TASKS", "jax", "numba", "numpy", "tracejit"]


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    return Prepared(tj.jit(tj.lift(sweeps_by_points)), tuple(data.values()))


TASKS = (Task("jacobi_by_points", "Jacobi 256x256, 500 sweeps, three nested loops lifted, f64", make_data, tolerance=1e-12),)
