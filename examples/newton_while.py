"""Kepler's equation by Newton's method: a `while_loop` of as many turns as each orbit needs, differentiated in reverse, through the iterations.

    python examples/newton_while.py [--orbits N]

E - e sin(E) = M gives the place of a planet on its ellipse. The derivative that comes back through the loop is compared with the one that the
implicit function theorem gives, dE/de = sin(E) / (1 - e cos(E)). Then the eccentricity of an orbit is found from observed places by gradient descent.
"""
import argparse
import time

import numpy as np

import tracejit as tj


def anomaly(eccentricity, mean):
    """The eccentric anomaly E and how many turns it took."""
    def unsettled(state):
        _, change, turns = state
        return (np.abs(change) > 1e-15) & (turns < 50)

    def newton(state):
        angle, _, turns = state
        change = (angle - eccentricity * np.sin(angle) - mean) / (1 - eccentricity * np.cos(angle))
        return angle - change, change, turns + 1

    angle, _, turns = tj.while_loop(unsettled, newton, (mean + 0.85 * eccentricity * np.sign(np.sin(mean)), 1.0, 0))
    return angle, turns


def places(eccentricity, means):
    """Points on an ellipse of unit half axis, one for each mean anomaly."""
    angles = tj.map(lambda mean: anomaly(eccentricity, mean)[0], means)
    return np.stack([np.cos(angles) - eccentricity, np.sqrt(1 - eccentricity**2) * np.sin(angles)])


def misfit(eccentricity, means, observed):
    return np.mean((places(eccentricity, means) - observed) ** 2)


def timed(f, *args):
    start = time.perf_counter()
    f(*args)
    return time.perf_counter() - start


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orbits", type=int, default=2000)
    options = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    eccentricities, means = rng.uniform(0.0, 0.95, options.orbits), rng.uniform(-np.pi, np.pi, options.orbits)

    solve = tj.jit(lambda es, ms: tj.map(lambda em: anomaly(*em), (es, ms)))
    slope = tj.jit(lambda es, ms: tj.map(lambda em: tj.grad(lambda e, m: anomaly(e, m)[0])(*em), (es, ms)))
    angles, turns = solve(eccentricities, means)
    slopes = slope(eccentricities, means)
    seconds = [min(timed(f, eccentricities, means) for _ in range(5)) for f in (solve, slope)]
    expected = np.sin(angles) / (1 - eccentricities * np.cos(angles))
    error = float(np.max(np.abs(slopes - expected) / (1 + np.abs(expected))))
    value_ms, slope_ms = np.array(seconds) * 1e3
    print(f"{options.orbits} orbits, {turns.min()} to {turns.max()} turns each: {value_ms:.2f} ms, their derivatives {slope_ms:.2f} ms")
    print(f"largest difference from the implicit derivative: {error:.1e}")

    times = np.linspace(-3.0, 3.0, 40)
    observed = places(0.6, times) + 1e-3 * rng.standard_normal((2, 40))
    step = tj.jit(tj.value_and_grad(misfit))
    guess = 0.2
    for _ in range(200):
        loss, gradient = step(guess, times, observed)
        guess = float(guess - 0.3 * gradient)
    print(f"eccentricity from noisy places: {guess:.4f} (true: 0.6), misfit {loss:.1e}")
    return error, guess


if __name__ == "__main__":
    main()
