"""The benchmark runner end to end on one tiny task with NumPy alone, and the parts that judge and print what it measured."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import tracejit.cuda.backend
from benchmarks import cuda, report, runner
from benchmarks.__main__ import main
from benchmarks.measure import MemoryPeak, first_call, steady_calls
from benchmarks.systems import SYSTEMS
from benchmarks.task import Prepared, disagreement, flatten, in_float64
from benchmarks.tasks import load_tasks, ocean_density
from tracejit.cuda import CudaError


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The JSON file and Markdown page of one short run."""
    folder = tmp_path_factory.mktemp("benchmarks")
    files = folder / "results.json", folder / "RESULTS.md"
    arguments = ["--tasks", "tiny_call", "--systems", "numpy", "autograd", "--rounds", "2", "--seconds", "0.02"]
    assert main([*arguments, "--json", str(files[0]), "--markdown", str(files[1])]) == 0
    return files


def test_json_holds_machine_settings_and_every_round(written):
    results = json.loads(written[0].read_text())
    assert results["settings"] == {"systems": ["numpy", "autograd"], "rounds": 2, "seconds": 0.02}
    assert results["machine"]["cores"] >= 1 and results["machine"]["cpu"] and results["machine"]["date"]
    assert results["machine"]["versions"]["numpy"] == np.__version__
    (task,) = results["tasks"]
    assert (task["name"], task["tolerance"]) == ("tiny_call", 0.0)
    record = task["systems"]["numpy"]
    assert record["status"] == "ok" and record["error"] == 0.0 and record["ratio_to_best_peer"] == 1.0
    assert len(record["rounds"]) == 2
    assert 0 < record["steady_min_seconds"] <= record["steady_median_seconds"]
    assert record["first_call_seconds"] > 0 and record["peak_bytes"] >= 0
    assert task["systems"]["autograd"] == {"status": "not in this task", "rounds": []}


def test_tables_show_every_system(written, capsys):
    assert main(["--load", str(written[0])]) == 0
    text = capsys.readouterr().out
    page = written[1].read_text()
    for shown in (text, page):
        assert all(column in shown for column in report.COLUMNS)
        assert "NumPy by hand" in shown and "HIPS autograd" in shown and "not in this task" in shown
    assert "| NumPy by hand |" in page


def test_absent_system_is_reported(monkeypatch):
    absent = dataclasses.replace(SYSTEMS["jax"], modules=("a_package_that_nobody_has",))
    monkeypatch.setitem(SYSTEMS, "jax", absent)
    record = runner.run_task(load_tasks()["tiny_call"], ["jax"], 1, 0.02, 60, lambda step: None)["systems"]["jax"]
    assert record["status"] == "absent"
    assert report.row("jax", record)[:2] == ["JAX (jit)", "absent"]


def test_failing_worker_is_reported_with_its_last_line(monkeypatch):
    def fail(*arguments):
        raise runner.WorkerError("ValueError: no such thing")

    monkeypatch.setattr(runner, "run_worker", fail)
    record = {"status": "ok", "rounds": []}
    runner.measure_once(load_tasks()["tiny_call"], "numpy", record, {}, 0.02, 60)
    assert record == {"status": "failed", "message": "ValueError: no such thing", "rounds": []}


def test_wrong_result_is_reported(monkeypatch):
    monkeypatch.setattr(runner, "run_worker", lambda *arguments: ({"steady": {}}, {"result": np.array([1.0, 2.5])}))
    record = {"status": "ok", "rounds": []}
    runner.measure_once(load_tasks()["tiny_call"], "numpy", record, {"result": np.array([1.0, 2.0])}, 0.02, 60)
    assert record["status"] == "disagrees" and "2.5e-01" in record["message"]


def test_every_task_has_tracejit_peers_and_a_reference():
    tasks = load_tasks()
    assert len(tasks) == 39
    wanted = {"torch": {"tracejit", "torch", "torch_compile", "reference"}, "eager": {"tracejit", "torch", "reference"}}
    for name, task in tasks.items():
        assert wanted.get(name.partition("_")[0], {"tracejit", "jax", "numpy"}) <= task.versions.keys()


@pytest.mark.parametrize("name", ["lorenz", "lotka_volterra_gradient", "jacobians", "hessian", "newton_while"])
def test_tracejit_agrees_with_the_version_by_hand(name):
    task = load_tasks()[name]
    by_hand = task.versions["numpy"](task.make_data()).arrays()
    assert disagreement(task.versions["tracejit"](task.make_data()).arrays(), by_hand) <= task.tolerance


def test_ocean_density_gives_the_check_value_of_its_manual():
    volume = 1.0 / ocean_density.density_with(np.sqrt)(35.0, 25.0, 2000.0)
    assert abs(volume / 0.000969429311180351 - 1.0) < 1e-14


def test_only_selects_tasks_by_their_names(monkeypatch):
    chosen = []
    monkeypatch.setattr("benchmarks.__main__.run", lambda tasks, *settings: chosen.extend(task.name for task in tasks) or {"tasks": []})
    monkeypatch.setattr(report, "text", lambda results: "")
    assert main(["--only", "lotka", "tiny"]) == 0
    assert chosen == ["tiny_call", "lotka_volterra", "lotka_volterra_gradient"]


def test_compile_tasks_are_compared_by_their_first_call():
    records = {
        "tracejit": {"status": "ok", "steady_min_seconds": 1.0, "first_call_seconds": 2.0},
        "jax": {"status": "ok", "steady_min_seconds": 1.0, "first_call_seconds": 4.0},
    }
    runner.add_ratios(load_tasks()["compile_scan"], records)
    assert records["tracejit"]["ratio_to_best_peer"] == 0.5


def test_disagreement():
    reference = {"a": np.array([0.0, 4.0]), "b": np.zeros(2)}
    assert disagreement(reference, reference) == 0.0
    assert disagreement({"a": np.array([0.0, 3.0]), "b": np.zeros(2)}, reference) == 0.25
    assert disagreement({"a": np.array([0.0, np.nan]), "b": np.zeros(2)}, reference) == np.inf
    assert disagreement({"a": np.zeros(3), "b": np.zeros(2)}, reference) == np.inf
    assert disagreement({"a": reference["a"]}, reference) == np.inf


def test_flatten_names_arrays_by_path():
    arrays = flatten({"loss": 1.0, "layers": [(np.ones(2), np.zeros(3))]})
    assert {path: array.shape for path, array in arrays.items()} == {"result/loss": (), "result/layers/0/0": (2,), "result/layers/0/1": (3,)}


def test_reference_data_is_float64_and_keeps_integers():
    widened = in_float64({"x": np.ones(2, np.float32), "labels": np.arange(2, dtype=np.int32)})
    assert {name: array.dtype.name for name, array in widened.items()} == {"x": "float64", "labels": "int32"}


def test_measuring_waits_for_the_output():
    waited_for = []
    prepared = Prepared(lambda x, y: x + y, (1, 2), wait=waited_for.append)
    assert first_call(prepared) >= 0.0
    assert waited_for == [3]
    steady = steady_calls(prepared, 0.02)
    assert 0 < steady["min"] <= steady["median"] and steady["repeats"] >= 5
    assert set(waited_for) == {3}


@pytest.mark.skipif(sys.platform != "linux", reason="the resettable high-water mark is Linux's")
def test_memory_peak_is_seen_after_it_is_freed():
    gauge = MemoryPeak()
    np.ones(4_000_000)
    assert gauge.grown_bytes() >= 30_000_000


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5e-7, "250 ns"), (1e-6, "1.00 us"), (9.996e-4, "1.00 ms"), (0.0123, "12.3 ms"), (123.0, "123 s"), (1.5, "1.50 s")]
)
def test_seconds_text(seconds, text):
    assert report.seconds_text(seconds) == text


# -- on a GPU
def run_cuda(*arguments):
    command = [sys.executable, "-m", "benchmarks.cuda", "--small", "--rounds", "1", "--seconds", "0.02", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"} | {"TRACEJIT_CUDA": "host"}
    return subprocess.run(command, cwd=runner.REPOSITORY, env=environment, capture_output=True, text=True, timeout=120)


def test_tasks_of_the_gpu_run_small_on_the_host(tmp_path):
    done = run_cuda("--systems", "tracejit", "--only", "copy", "greeks", "mlp_step", "--json", str(tmp_path / "results.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100% of the fastest copy" in done.stdout and "the host's processors" in done.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    assert [task["systems"]["tracejit"]["status"] for task in results["tasks"]] == ["ok"] * 3


def test_without_a_gpu_there_is_a_message(monkeypatch, capsys):
    def backend():
        raise CudaError("there is no CUDA device")

    monkeypatch.setattr(tracejit.cuda.backend, "backend", backend)
    assert cuda.main([]) == 2
    assert "There is nothing to measure: there is no CUDA device" in capsys.readouterr().err


def test_every_task_of_the_gpu_has_a_version_of_ours_and_a_reference():
    for task in cuda.chosen_tasks().values():
        assert {"tracejit", "reference"} <= task.versions.keys()
