"""Find the temperatures that a plate had at first from what they became: plain NumPy loops, lifted, differentiated and inverted.

    python examples/heat_inversion.py

`heat` below knows nothing of tracejit: it loops over time steps and over the points of the plate. `tj.lift` makes native loops of it, which have a
gradient, and BFGS with limited memory finds the initial state between given bounds. Writes `heat_inversion.png` to examples/output, or to `--output`.
"""
import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np

import tracejit as tj
from tracejit.scipy.optimize import minimize

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # after the choice of a backend that needs no display

SIZE, STEPS, RATE = 32, 40, 0.2
NOISE = 1e-3


def heat(u, steps, rate):
    """Explicit steps of the heat equation on a plate whose edges stay as they are."""
    u = u.copy()
    new = u.copy()
    for _ in range(steps):
        for i in range(1, u.shape[0] - 1):
            for j in range(1, u.shape[1] - 1):
                new[i, j] = u[i, j] + rate * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - 4 * u[i, j])
        u[:, :] = new
    return u


def true_state():
    x, y = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE), indexing="ij")
    ring = np.exp(-(((np.hypot(x, y) - 0.5) / 0.12) ** 2))
    spot = np.exp(-((x - 0.1) ** 2 + (y + 0.1) ** 2) / 0.02)
    state = np.maximum(ring, spot)
    state[0] = state[-1] = state[:, 0] = state[:, -1] = 0
    return state


def misfit(u, observed):
    """The squared error of the prediction, and a little for roughness, which the data do not determine."""
    predicted = tj.lift(heat)(u, STEPS, RATE)
    roughness = np.sum(np.diff(u, axis=0) ** 2) + np.sum(np.diff(u, axis=1) ** 2)
    return np.sum((predicted - observed) ** 2) / (2 * NOISE**2) + roughness


def plot(states, path):
    fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.6), layout="constrained")
    for ax, (title, state) in zip(axes, states.items()):
        image = ax.imshow(state.T, origin="lower", cmap="inferno", vmin=0, vmax=1)
        ax.set(title=title, xticks=[], yticks=[])
    fig.colorbar(image, ax=axes, shrink=0.9, label="temperature")
    fig.savefig(path, dpi=150)
    plt.close(fig)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    options = parser.parse_args(argv)

    truth = true_state()
    start = time.perf_counter()
    final = heat(truth, STEPS, RATE)
    plain = time.perf_counter() - start
    compiled = tj.jit(tj.lift(heat), static_argnames=("steps", "rate"))
    compiled(truth, STEPS, RATE)
    compiled(truth, STEPS, RATE)
    start = time.perf_counter()
    error = np.max(np.abs(compiled(truth, STEPS, RATE) - final))
    print(f"forward: {plain * 1e3:.0f} ms in Python, {(time.perf_counter() - start) * 1e3:.2f} ms lifted, difference {error:.0e}")

    observed = final + NOISE * np.random.default_rng(0).standard_normal(final.shape)
    settings = {"bounds": [(0.0, 1.0)] * truth.size, "options": {"maxiter": options.turns, "ftol": 1e-9}}
    solve = tj.jit(lambda u, observed: minimize(misfit, u, observed, **settings))
    start = time.perf_counter()
    found = solve(observed, observed)
    print(f"{found.nit} iterations, {found.nfev} gradients in {time.perf_counter() - start:.2f} s. {found.message}")
    errors = [np.sqrt(np.mean((state - truth) ** 2)) for state in (observed, found.x)]
    print(f"distance from the true initial state: {errors[0]:.3f} for what is observed, {errors[1]:.3f} for what is found")
    options.output.mkdir(parents=True, exist_ok=True)
    plot({"at first": truth, f"observed after {STEPS} steps": observed, "found": found.x}, options.output / "heat_inversion.png")
    print(f"plot in {options.output / 'heat_inversion.png'}")
    return errors


if __name__ == "__main__":
    main()
