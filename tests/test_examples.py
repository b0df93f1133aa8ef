"""The examples run, and get the results that they promise."""
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tracejit import torch

ROOT = Path(__file__).resolve().parents[1]


def load(name):
    spec = importlib.util.spec_from_file_location(f"examples_{name.replace('/', '_')}", ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_train_digits(tmp_path, capsys):
    pytest.importorskip("sklearn")
    assert load("train_digits").main(["--output", str(tmp_path)]) >= 0.97
    assert re.search(r"test accuracy 9[789]\.\d\d%\n$", capsys.readouterr().out)
    assert {path.name for path in tmp_path.iterdir()} == {"loss.png", "misclassified.png"}


def test_train_digits_without_jit(tmp_path):
    pytest.importorskip("sklearn")
    assert load("train_digits").main(["--no-jit", "--epochs", "3", "--output", str(tmp_path)]) >= 0.9


def test_torch_digits(tmp_path):
    pytest.importorskip("sklearn")
    run = load("torch_digits").main
    assert run(["--epochs", "2", "--output", str(tmp_path)]) >= 0.95
    assert run(["--epochs", "2", "--resume", "--output", str(tmp_path)]) >= 0.95  # nothing is left to do
    assert {path.name for path in tmp_path.iterdir()} == {"torch_digits.png", "torch_digits.pt"}


def test_train_resnet_goes_on_bit_for_bit(tmp_path):
    """Each run is a process of its own, as a resumption is: a function that has often run in one may be native code from then on."""
    pytest.importorskip("sklearn")
    small = ["--size", "8", "--images", "96", "--epochs", "2", "--output"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"

    for arguments in ([whole], [parts, "--stop-after", "1"], [parts, "--resume"]):
        command = [sys.executable, str(ROOT / "examples" / "train_resnet.py"), *map(str, (*small, *arguments))]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=200, capture_output=True, text=True)
        assert re.search(r"test accuracy \d+\.\d\d%\n$", done.stdout), done.stderr
    assert {path.name for path in parts.iterdir()} == {"resnet.pt", "resnet_loss.png", "resnet_digits.png"}
    a, b = (torch.load(folder / "resnet.pt") for folder in (whole, parts))
    assert len(a["losses"]) == 4 and a["losses"] == b["losses"] and a["accuracies"] == b["accuracies"]
    for (name, x), y in zip(a["model"].items(), b["model"].values(), strict=True):
        np.testing.assert_array_equal(x.numpy(), y.numpy(), err_msg=name)
    with pytest.raises(SystemExit, match="is of a run with --batch 32: give the same options"):
        load("train_resnet").main([*small, str(parts), "--batch", "16", "--resume"])


def test_char_lstm(tmp_path, capsys):
    pytest.importorskip("safetensors")
    main = load("char_lstm").main
    small = ["--width", "32", "--characters", "20000", "--epochs", "2", "--batch", "8", "--length", "32", "--output", str(tmp_path)]
    before, after = main(small)
    assert 85 < before < 100 and after < 40
    assert "after training" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"char_lstm.safetensors", "char_lstm.png"}
    main([*small, "--sample", "20"])
    assert re.search(r"20 characters -+\nThe .{20}\n\n$", capsys.readouterr().out, flags=re.S)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 2e-4)])
@pytest.mark.parametrize("extra", [[], ["--no-jit"]])
def test_black_scholes(dtype, tolerance, extra):
    errors = load("black_scholes").main(["--options", "5000", "--dtype", dtype, *extra])
    assert len(errors) == 8 and max(errors.values()) < tolerance


@pytest.mark.parametrize("method", ["trust-krylov", "trust-ncg"])
def test_rosenbrock(method):
    assert load("rosenbrock").main(["--size", "50", "--method", method]) < 1e-3


@pytest.mark.parametrize("adjoint", ["discrete", pytest.param("continuous", marks=pytest.mark.slow)])
def test_lotka_volterra(adjoint, tmp_path, capsys):
    errors = load("lotka_volterra").main(["--adjoint", adjoint, "--output", str(tmp_path)])
    assert max(errors) < 3  # standard errors
    assert capsys.readouterr().out.count("terminated successfully") == 4
    assert (tmp_path / "lotka_volterra.png").stat().st_size > 10_000


def test_hmc_logistic(tmp_path):
    errors, ratio = load("hmc_logistic").main(["--draws", "600", "--warmup", "300", "--output", str(tmp_path)])
    assert max(errors) < 3 and max(ratio) < 1.05
    assert (tmp_path / "hmc_logistic.png").exists()


def test_pendulum_ilqr(tmp_path):
    angle, velocity = load("pendulum_ilqr").main(["--output", str(tmp_path)])
    assert abs(angle - 3.14159) < 0.02 and abs(velocity) < 0.05
    assert (tmp_path / "pendulum_ilqr.png").exists()


def test_newton_while():
    error, eccentricity = load("newton_while").main(["--orbits", "300"])
    assert error < 1e-13 and abs(eccentricity - 0.6) < 1e-3


def test_heat_inversion(tmp_path):
    observed, found = load("heat_inversion").main(["--turns", "500", "--output", str(tmp_path)])
    assert found < observed / 2.5
    assert (tmp_path / "heat_inversion.png").exists()


@pytest.mark.parametrize("name", ["first_step", "perceptron", "descent", "lab", "fine_tuning"])
def test_tutorials(name, tmp_path):
    """Each runs and draws, and its page has its text and its code."""
    build = load("tutorials/build")
    build.main([name, "--output", str(tmp_path)])
    page, kept = ((folder / f"{name}.html").read_text() for folder in (tmp_path, ROOT / "examples" / "tutorials" / "pages"))
    assert 'src="data:image/png;base64,' in page and 20_000 < len(kept) < 300_000

    def without_results(text):
        return re.sub(r'<pre class="out">.*?</pre>|<img [^>]*>', "", text, flags=re.S)

    assert without_results(page) == without_results(kept), "run examples/tutorials/build.py"
    index = (ROOT / "examples" / "tutorials" / "pages" / "index.html").read_text()
    assert index == (tmp_path / "index.html").read_text() and f'href="{name}.html"' in index
