"""All the Greeks of a million options, by differentiating one plain NumPy price function, checked against their closed forms.

    python examples/black_scholes.py [--options N] [--dtype float32] [--no-jit]

Options do not depend on each other, so the gradient of the *sum* of all prices holds each option's own derivatives: four first-order Greeks
are one reverse pass. The second-order ones are directional derivatives of those: along the spot price for gamma and vanna, along the
volatility for volga.
"""
import argparse
import math
import time

import numpy as np
from scipy.special import erf

import tracejit as tj


def normal_cdf(x):
    return 0.5 * (1 + erf(math.sqrt(0.5) * x))


def price(spot, strike, years, rate, volatility):
    """The value of European calls; every argument is an array with one element an option."""
    deviation = volatility * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility * volatility) * years) / deviation
    return spot * normal_cdf(d1) - strike * np.exp(-rate * years) * normal_cdf(d1 - deviation)


def greeks(spot, strike, years, rate, volatility):
    """Prices and their derivatives, by differentiation."""
    def total(spot, years, rate, volatility):
        prices = price(spot, strike, years, rate, volatility)
        return np.sum(prices), prices

    def first_order(spot, volatility):
        (_, prices), gradient = tj.value_and_grad(total, argnums=(0, 1, 2, 3), has_aux=True)(spot, years, rate, volatility)
        return prices, gradient

    one = np.ones_like(spot)
    (prices, (delta, decay, rho, vega)), (_, (gamma, _, _, vanna)) = tj.jvp(lambda s: first_order(s, volatility), (spot,), (one,))
    _, (_, (_, _, _, volga)) = tj.jvp(lambda v: first_order(spot, v), (volatility,), (one,))
    return {"price": prices, "delta": delta, "vega": vega, "theta": -decay, "rho": rho, "gamma": gamma, "vanna": vanna, "volga": volga}


def closed_forms(spot, strike, years, rate, volatility):
    """What the textbooks say."""
    deviation = volatility * np.sqrt(years)
    d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / deviation
    d2 = d1 - deviation
    density = np.exp(-0.5 * d1 * d1) / np.sqrt(2 * np.pi)
    discounted = strike * np.exp(-rate * years)
    vega = spot * density * np.sqrt(years)
    return {
        "price": spot * normal_cdf(d1) - discounted * normal_cdf(d2),
        "delta": normal_cdf(d1),
        "vega": vega,
        "theta": -spot * density * volatility / (2 * np.sqrt(years)) - rate * discounted * normal_cdf(d2),
        "rho": discounted * years * normal_cdf(d2),
        "gamma": density / (spot * deviation),
        "vanna": -density * d2 / volatility,
        "volga": vega * d1 * d2 / volatility,
    }


def sample(options, dtype, seed=0):
    """Spot, strike, years to maturity, interest rate and volatility of random options."""
    rng = np.random.default_rng(seed)
    ranges = [(50, 150), (50, 150), (0.1, 2.0), (0.0, 0.08), (0.1, 0.6)]
    return [rng.uniform(low, high, options).astype(dtype) for low, high in ranges]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--options", type=int, default=1_000_000)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    parser.add_argument("--no-jit", dest="jit", action="store_false", help="run every operation at once with NumPy instead of compiling")
    options = parser.parse_args(argv)

    arguments = sample(options.options, options.dtype)
    compute = tj.jit(greeks) if options.jit else greeks
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        result = compute(*arguments)
        seconds.append(time.perf_counter() - start)
    print(f"{options.options} options, {options.dtype}: first call {seconds[0] * 1e3:.0f} ms, then {min(seconds[1:]) * 1e3:.1f} ms")

    exact = closed_forms(*(x.astype(np.float64) for x in arguments))
    errors = {name: float(np.max(np.abs(result[name] - exact[name])) / np.max(np.abs(exact[name]))) for name in exact}
    for name, error in errors.items():
        print(f"  {name:6} largest error {error:.1e} of the largest value")
    return errors


if __name__ == "__main__":
    main()
