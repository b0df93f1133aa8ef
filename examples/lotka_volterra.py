"""Fit the four rates of the Lotka-Volterra equations to noisy counts of hares and lynxes, through an adaptive ODE solver.

    python examples/lotka_volterra.py [--adjoint continuous]

The logarithms of the rates and of the first counts are found by BFGS, whose loop is compiled with the solver and its adjoint in it: one native
function from data to fit. The Jacobian at the end gives the errors of the rates. Writes `lotka_volterra.png` to examples/output, or to `--output`.
"""
import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np

import tracejit as tj
from tracejit.scipy.integrate import odeint
from tracejit.scipy.optimize import minimize

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # after the choice of a backend that needs no display

RATES, FIRST = np.array([1.1, 0.4, 0.1, 0.4]), np.array([10.0, 5.0])
NAMES = ("hares born", "hares eaten", "lynxes born", "lynxes dying")
NOISE = 0.08  # standard deviation of the logarithms of the counts


def predation(counts, t, rates):
    hares, lynxes = counts
    return np.stack([hares * (rates[0] - rates[1] * lynxes), lynxes * (rates[2] * hares - rates[3])])


def simulate(logs, times, adjoint="discrete"):
    """The counts at the given times; `logs` holds the logarithms of four rates and two first counts."""
    return odeint(predation, np.exp(logs[4:]), times, np.exp(logs[:4]), rtol=1e-7, atol=1e-7, adjoint=adjoint)


def misfit(logs, times, counts, weights, adjoint):
    """The negative logarithm of the likelihood, without constants; each time has a weight."""
    return np.sum(weights[:, None] * (np.log(simulate(logs, times, adjoint)) - np.log(counts)) ** 2) / (2 * NOISE**2)


def plot(times, counts, logs, errors, path):
    fine = np.linspace(times[0], times[-1], 400)
    solve = tj.jit(simulate)
    fit, true = solve(logs, fine), solve(np.log(np.concatenate([RATES, FIRST])), fine)
    fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4), width_ratios=(2, 1), layout="constrained")
    for k, (name, colour) in enumerate((("hares", "tab:blue"), ("lynxes", "tab:red"))):
        left.plot(times, counts[:, k], "o", color=colour, markersize=4, label=f"{name}, counted")
        left.plot(fine, fit[:, k], color=colour, label=f"{name}, fit")
    left.plot(fine, true, color="black", linestyle=":", linewidth=1, label=["true", None])
    left.set(xlabel="year", ylabel="thousands", title="Counts and the fitted solution", ylim=(0, 1.35 * counts.max()))
    left.legend(ncols=2, fontsize=8, loc="upper right")
    right.errorbar(np.exp(logs[:4]) / RATES, np.arange(4), xerr=2 * errors[:4] * np.exp(logs[:4]) / RATES, fmt="o", capsize=3)
    right.axvline(1.0, color="grey", linewidth=0.8)
    right.set(yticks=np.arange(4), yticklabels=NAMES, xlabel="fitted rate / true rate", title="Rates, two standard errors", ylim=(3.5, -0.5))
    fig.savefig(path, dpi=150)
    plt.close(fig)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--adjoint", choices=["discrete", "continuous"], default="discrete")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    options = parser.parse_args(argv)

    times = np.linspace(0.0, 30.0, 61)
    clean = tj.jit(simulate)(np.log(np.concatenate([RATES, FIRST])), times)
    counts = clean * np.exp(NOISE * np.random.default_rng(1).standard_normal(clean.shape))

    guess = np.log(np.concatenate([np.array([0.8, 0.3, 0.15, 0.6]), counts[0]]))
    # A few years at first: over many, a guess that is out of step with the data has no slope towards it.
    fit = tj.jit(lambda logs, weights: minimize(misfit, logs, (times, counts, weights, options.adjoint), options={"gtol": 1e-4}))
    start = time.perf_counter()
    for years in (4, 8, 15, 30):
        found = fit(guess, np.where(times < years + 0.1, 1.0, 0.0))
        guess = found.x
        print(f"{years:4d} years: {found.nit:3d} iterations, {found.nfev:3d} gradients, misfit {found.fun:8.2f}. {found.message}")
    print(f"{time.perf_counter() - start:.2f} s, compiling included")

    jacobian = tj.jit(tj.jacfwd(lambda logs: np.log(simulate(logs, times)).ravel()))(found.x) / NOISE
    errors = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    for name, value, error, true in zip(NAMES, np.exp(found.x), errors, RATES):
        print(f"{name:12s}  {value:.4f} +- {error * value:.4f}   (true: {true})")
    options.output.mkdir(parents=True, exist_ok=True)
    plot(times, counts, found.x, errors, options.output / "lotka_volterra.png")
    print(f"plot in {options.output / 'lotka_volterra.png'}")
    return np.abs(found.x[:4] - np.log(RATES)) / errors[:4]


if __name__ == "__main__":
    main()
