"""Measures one task on one system and exits: ``python -m benchmarks.worker TASK SYSTEM FOLDER SECONDS``.

Order: import the system (timed), make the data, let the task's function place it and apply its decorators (timed as setup), note the
resident memory, make the first call (timed: it traces, compiles and runs), time the steady calls, and only then compute the result
to compare. Writes ``result.npz`` and ``report.json`` into FOLDER. SYSTEM ``reference`` runs the NumPy version in float64, or the task's own
``reference``, and times nothing.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import MemoryPeak, first_call, steady_calls
from benchmarks.systems import ALL_SYSTEMS
from benchmarks.task import Prepared, Task, in_float64
from benchmarks.tasks import load_tasks

REFERENCE = "reference"


def measure(task: Task, system: str, seconds: float) -> tuple[dict[str, object], Prepared]:
    import_seconds = ALL_SYSTEMS[system].import_seconds()
    data = task.make_data()
    start = time.perf_counter()
    prepared = task.versions[system](data)
    setup_seconds = time.perf_counter() - start
    del data

    memory = MemoryPeak()
    first_call_seconds = first_call(prepared)
    first_call_peak_bytes = memory.grown_bytes()
    steady = steady_calls(prepared, seconds)
    report = {"import_seconds": import_seconds, "setup_seconds": setup_seconds, "steady": steady}
    if task.in_process:
        report |= {
            "first_call_seconds": first_call_seconds,
            "first_call_peak_bytes": first_call_peak_bytes,
            "peak_bytes": memory.grown_bytes(),
            "memory_method": memory.method,
        }
    return report, prepared


def main(arguments: list[str], tasks: dict[str, Task] | None = None) -> None:
    task_name, system, folder_name, seconds = arguments
    folder = Path(folder_name)
    task = (tasks or load_tasks())[task_name]
    if system == REFERENCE:
        make = task.versions.get(REFERENCE) or task.versions["numpy"]
        report, prepared = {}, make(in_float64(task.make_data()))
    else:
        report, prepared = measure(task, system, float(seconds))
    np.savez(folder / "result.npz", **prepared.arrays())
    (folder / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1:])
