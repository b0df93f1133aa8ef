"""Runs tasks on systems: one process per measurement, systems alternating within each round, results checked against the reference.

A round measures every system once (A B C), and rounds follow one another (A B C A B C), so that a machine that is slow for a while is
slow for all. Each process finds every compiler cache empty: a first call is a cold one.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.systems import ALL_SYSTEMS, SUBJECT, environment_with_caches_in
from benchmarks.task import Task, disagreement
from benchmarks.worker import REFERENCE

REPOSITORY = Path(__file__).resolve().parent.parent


class WorkerError(Exception):
    """A worker process that ended without a report; the message is its last line on stderr."""


WORKER = ("-m", "benchmarks.worker")


def run_worker(task: str, system: str, seconds: float, timeout: float, worker: Sequence[str] = WORKER) -> tuple[dict, dict[str, np.ndarray]]:
    """Measure one task on one system in a new process, which runs Python with the arguments `worker`; returns its report and its result's arrays.

    Raises WorkerError.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        command = [sys.executable, *worker, task, system, folder, str(seconds)]
        environment = environment_with_caches_in(folder)
        try:
            process = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise WorkerError(f"no result after {timeout:g} s") from None
        if process.returncode != 0:
            complaint = process.stderr.strip().splitlines()
            raise WorkerError(complaint[-1] if complaint else f"ended with status {process.returncode}")
        with np.load(Path(folder) / "result.npz") as arrays:
            return json.loads((Path(folder) / "report.json").read_text()), dict(arrays)


def run_task(
    task: Task,
    systems: Iterable[str],
    rounds: int,
    seconds: float,
    timeout: float,
    announce: Callable[[str], None],
    worker: Sequence[str] = WORKER,
) -> dict:
    """Measure one task on all ``systems``; returns the record that `report` prints and the JSON file holds."""
    announce(f"{task.name}: reference")
    _, reference = run_worker(task.name, REFERENCE, seconds, timeout, worker)
    records = {system: {"status": status_before_running(task, system), "rounds": []} for system in systems}
    for number in range(1, rounds + 1):
        for system, record in records.items():
            if record["status"] == "ok":
                announce(f"{task.name}: {ALL_SYSTEMS[system].title}, round {number} of {rounds}")
                measure_once(task, system, record, reference, seconds, timeout, worker)
    for record in records.values():
        if record["status"] == "ok":
            record |= summary(record["rounds"])
    add_ratios(task, records)
    return {"name": task.name, "title": task.title, "tolerance": task.tolerance, "compared": task.compared, "systems": records}


def status_before_running(task: Task, system: str) -> str:
    if system not in task.versions:
        return "not in this task"
    return "ok" if ALL_SYSTEMS[system].is_installed() else "absent"


def measure_once(
    task: Task, system: str, record: dict, reference: dict[str, np.ndarray], seconds: float, timeout: float, worker: Sequence[str] = WORKER
) -> None:
    """Add one round to a system's record, or the reason why it has none."""
    try:
        report, result = run_worker(task.name, system, seconds, timeout, worker)
    except WorkerError as error:
        record |= {"status": "failed", "message": str(error)}
        return
    report["error"] = disagreement(result, reference)
    record["rounds"].append(report)
    if not report["error"] <= task.tolerance:
        record |= {"status": "disagrees", "message": f"differs from the reference by {report['error']:.1e}, allowed {task.tolerance:.0e}"}


def summary(rounds: list[dict]) -> dict[str, float]:
    """One number of each kind for a system: the fastest repeat of all rounds, medians over rounds, the largest memory and error."""
    record = {
        "steady_min_seconds": min(each["steady"]["min"] for each in rounds),
        "steady_median_seconds": statistics.median(each["steady"]["median"] for each in rounds),
        "import_seconds": statistics.median(each["import_seconds"] for each in rounds),
        "error": max(each["error"] for each in rounds),
    }
    if "first_call_seconds" in rounds[0]:
        record["first_call_seconds"] = statistics.median(each["first_call_seconds"] for each in rounds)
        record["peak_bytes"] = max(each["peak_bytes"] for each in rounds)
    return record


def add_ratios(task: Task, records: dict[str, dict]) -> None:
    """Give each measured system its time over that of the best peer: the fastest system other than tracejit."""
    measured = {system: record[task.compared] for system, record in records.items() if record["status"] == "ok"}
    peers = [seconds for system, seconds in measured.items() if system != SUBJECT and system not in task.not_peers]
    if peers:
        for system, seconds in measured.items():
            records[system]["ratio_to_best_peer"] = seconds / min(peers)


def run(
    tasks: Iterable[Task],
    systems: list[str],
    rounds: int,
    seconds: float,
    timeout: float,
    announce: Callable[[str], None],
    worker: Sequence[str] = WORKER,
) -> dict:
    """Measure all tasks; returns a JSON-ready dict with the machine, the settings and one record per task."""
    described = machine.describe()
    settings = {"systems": systems, "rounds": rounds, "seconds": seconds}
    measured = [run_task(task, systems, rounds, seconds, timeout, announce, worker) for task in tasks]
    return {"machine": described, "settings": settings, "tasks": measured}
