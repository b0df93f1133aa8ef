"""Hamiltonian Monte Carlo on logistic regression: gradients, leapfrog steps, acceptance and adaptation of the step, all in one compiled `scan`.

    python examples/hmc_logistic.py [--chains N] [--draws N]

The data are made with known weights; chains run side by side under `vmap`. Prints means, errors and the convergence diagnostic of Gelman and Rubin,
and writes `hmc_logistic.png` to examples/output, or to the folder given by `--output`.
"""
import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np

import tracejit as tj

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # after the choice of a backend that needs no display

WEIGHTS = np.array([0.5, 1.0, -2.0, 0.0, 1.5])  # the first is the intercept
LEAPS = 10
WANTED = 0.8  # rate of acceptance


def log_posterior(weights, x, y):
    """Labels y are -1 or 1; the prior is normal with standard deviation 3."""
    return -np.sum(np.logaddexp(0.0, -y * (x @ weights))) - np.sum(weights**2) / 18


def leapfrog(position, momentum, step, slope):
    momentum = momentum + step / 2 * slope(position)
    for _ in range(LEAPS - 1):
        position = position + step * momentum
        momentum = momentum + step * slope(position)
    position = position + step * momentum
    return position, momentum + step / 2 * slope(position)


def chain(key, start, x, y, warmup, draws):
    """Positions (draws x weights) and rates of acceptance of one chain; the step adapts during the warm-up (Andrieu and Thoms 2008)."""
    density = lambda w: log_posterior(w, x, y)
    slope = tj.grad(density)

    def turn(state, i):
        position, log_step = state
        for_momentum, for_length, for_choice = tj.random.split(tj.random.fold_in(key, i), 3)
        momentum = tj.random.normal(for_momentum, position.shape)
        step = np.exp(log_step) * tj.random.uniform(for_length, minval=0.4, maxval=1.0)  # or trajectories close to whole periods lead nowhere
        proposed, moved = leapfrog(position, momentum, step, slope)
        gain = density(proposed) - density(position) + (momentum @ momentum - moved @ moved) / 2
        rate = np.where(np.isnan(gain), 0.0, np.exp(np.minimum(gain, 0.0)))
        position = np.where(tj.random.uniform(for_choice) < rate, proposed, position)
        log_step = log_step + np.where(i < warmup, (rate - WANTED) / np.sqrt(i + 1.0), 0.0)
        return (position, log_step), (position, rate)

    _, (positions, rates) = tj.scan(turn, (start, np.log(0.1)), np.arange(warmup + draws))
    return positions[warmup:], rates[warmup:]


def diagnostic(positions):
    """Gelman and Rubin's ratio for draws (chains x draws x weights): near 1 where the chains agree."""
    draws = positions.shape[1]
    within = positions.var(axis=1, ddof=1).mean(axis=0)
    between = positions.mean(axis=1).var(axis=0, ddof=1)
    return np.sqrt((draws - 1) / draws + between / within)


def plot(positions, path):
    names = ["intercept", *(f"weight {i}" for i in range(1, len(WEIGHTS)))]
    fig, (trace, densities) = plt.subplots(1, 2, figsize=(10.5, 4), layout="constrained")
    for k, name in enumerate(names):
        colour = f"C{k}"
        trace.plot(positions[0, :400, k], color=colour, linewidth=0.7)
        densities.hist(positions[:, :, k].ravel(), bins=60, density=True, color=colour, alpha=0.6, label=name)
        densities.axvline(WEIGHTS[k], color=colour, linestyle="--", linewidth=1)
    trace.set(xlabel="draw", ylabel="value", title="First chain")
    densities.set(xlabel="value", ylabel="density", title="All chains; dashed: the weights that made the data")
    densities.legend(fontsize=8)
    fig.savefig(path, dpi=150)
    plt.close(fig)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--warmup", type=int, default=500)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    options = parser.parse_args(argv)

    rng = np.random.default_rng(0)
    x = np.concatenate([np.ones((500, 1)), rng.normal(size=(500, len(WEIGHTS) - 1))], axis=1)
    y = np.where(rng.random(500) < 1 / (1 + np.exp(-x @ WEIGHTS)), 1.0, -1.0)

    sample = tj.jit(tj.vmap(lambda key, start, x, y: chain(key, start, x, y, options.warmup, options.draws), in_axes=(0, 0, None, None)))
    keys, starts = tj.random.split(tj.random.key(1), options.chains), rng.normal(size=(options.chains, len(WEIGHTS)))
    begin = time.perf_counter()
    sample(keys, starts, x, y)
    compiled = time.perf_counter()
    positions, rates = sample(keys, starts, x, y)
    seconds = time.perf_counter() - compiled
    gradients = options.chains * (options.warmup + options.draws) * (LEAPS + 1)
    print(f"first call {compiled - begin:.2f} s, then {seconds:.2f} s: {seconds / gradients * 1e6:.1f} us a gradient of {len(x)} rows")

    mean, deviation, ratio = positions.mean((0, 1)), positions.std((0, 1)), diagnostic(positions)
    print(f"acceptance {rates.mean():.2f}")
    for row in zip(WEIGHTS, mean, deviation, ratio):
        print("true {:5.2f}   posterior {:5.2f} +- {:.2f}   R {:.3f}".format(*row))
    options.output.mkdir(parents=True, exist_ok=True)
    plot(positions, options.output / "hmc_logistic.png")
    print(f"plot in {options.output / 'hmc_logistic.png'}")
    return np.abs(mean - WEIGHTS) / deviation, ratio


if __name__ == "__main__":
    main()
