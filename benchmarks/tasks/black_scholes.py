"""Price and Greeks of a million European calls.

Delta, vega, theta and rho are the gradient of the summed price, gamma the derivative of delta; options do not depend on one another, so a
sum's gradient holds each option's own. JAX and torch.compile take gamma forward over reverse, which is the faster of the two ways there.
NumPy evaluates the closed forms.
"""

import math
from functools import partial

import numpy as np

from benchmarks.task import Data, Prepared, Task

OPTIONS = 10**6
GREEKS = ("price", "delta", "gamma", "vega", "theta", "rho")


def make_data(dtype: type) -> Data:
    random = np.random.default_rng(0)
    ranges = {"spot": (80, 120), "strike": (80, 120), "years": (0.1, 2.0), "rate": (0.0, 0.05), "volatility": (0.1, 0.5)}
    return {name: random.uniform(low, high, OPTIONS).astype(dtype) for name, (low, high) in ranges.items()}


def tracejit(data: Data) -> Prepared:
    from scipy.special import erf

    import tracejit as tj

    def normal_cdf(x):
        return 0.5 * (1.0 + erf(x / math.sqrt(2.0)))

    def price(spot, strike, years, rate, volatility):
        spread = volatility * np.sqrt(years)
        d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / spread
        return spot * normal_cdf(d1) - strike * np.exp(-rate * years) * normal_cdf(d1 - spread)

    def total(*option):
        prices = price(*option)
        return np.sum(prices), prices

    @tj.jit
    def greeks(spot, *rest):
        def gradient(spot):
            return tj.value_and_grad(total, argnums=(0, 2, 3, 4), has_aux=True)(spot, *rest)

        ((_, prices), (delta, by_years, rho, vega)), (_, (gamma, *_)) = tj.jvp(gradient, (spot,), (np.ones_like(spot),))
        return dict(zip(GREEKS, (prices, delta, gamma, vega, -by_years, rho), strict=True))

    return Prepared(greeks, tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", data["spot"].dtype == np.float64)

    def normal_cdf(x):
        return 0.5 * (1.0 + jax.scipy.special.erf(x / math.sqrt(2.0)))

    def price(spot, strike, years, rate, volatility):
        spread = volatility * jnp.sqrt(years)
        d1 = (jnp.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / spread
        return spot * normal_cdf(d1) - strike * jnp.exp(-rate * years) * normal_cdf(d1 - spread)

    def total(*option):
        prices = price(*option)
        return jnp.sum(prices), prices

    @jax.jit
    def greeks(spot, *rest):
        def gradient(spot):
            return jax.value_and_grad(total, argnums=(0, 2, 3, 4), has_aux=True)(spot, *rest)

        ((_, prices), (delta, by_years, rho, vega)), (_, (gamma, *_)) = jax.jvp(gradient, (spot,), (jnp.ones_like(spot),))
        return dict(zip(GREEKS, (prices, delta, gamma, vega, -by_years, rho), strict=True))

    return Prepared(greeks, jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def torch_price(spot, strike, years, rate, volatility):
    import torch

    def normal_cdf(x):
        return 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))

    spread = volatility * torch.sqrt(years)
    d1 = (torch.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / spread
    return spot * normal_cdf(d1) - strike * torch.exp(-rate * years) * normal_cdf(d1 - spread)


def torch(data: Data) -> Prepared:
    import torch

    def greeks(spot, strike, years, rate, volatility):
        prices = torch_price(spot, strike, years, rate, volatility)
        delta, by_years, rho, vega = torch.autograd.grad(prices.sum(), (spot, years, rate, volatility), create_graph=True)
        (gamma,) = torch.autograd.grad(delta.sum(), spot)
        values = (prices.detach(), delta.detach(), gamma, vega.detach(), -by_years.detach(), rho.detach())
        return dict(zip(GREEKS, values, strict=True))

    options = {name: torch.from_numpy(value).requires_grad_(name != "strike") for name, value in data.items()}
    return Prepared(greeks, tuple(options.values()))


def torch_compile(data: Data) -> Prepared:
    import torch

    def total(*option):
        prices = torch_price(*option)
        return prices.sum(), prices

    @torch.compile
    def greeks(spot, *rest):
        def gradient(spot):
            return torch.func.grad(total, argnums=(0, 2, 3, 4), has_aux=True)(spot, *rest)

        ((delta, by_years, rho, vega), prices), ((gamma, *_), _) = torch.func.jvp(gradient, (spot,), (torch.ones_like(spot),))
        return {"price": prices, "delta": delta, "gamma": gamma, "vega": vega, "theta": -by_years, "rho": rho}

    return Prepared(greeks, tuple(torch.from_numpy(value) for value in data.values()))


def autograd(data: Data) -> Prepared:
    import autograd.numpy as anp
    from autograd import elementwise_grad
    from autograd.scipy.special import erf

    def normal_cdf(x):
        return 0.5 * (1.0 + erf(x / math.sqrt(2.0)))

    def price(spot, strike, years, rate, volatility):
        spread = volatility * anp.sqrt(years)
        d1 = (anp.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / spread
        return spot * normal_cdf(d1) - strike * anp.exp(-rate * years) * normal_cdf(d1 - spread)

    gradient = elementwise_grad(price, (0, 2, 3, 4))
    second = elementwise_grad(elementwise_grad(price))

    def greeks(*option):
        delta, by_years, rho, vega = gradient(*option)
        return dict(zip(GREEKS, (price(*option), delta, second(*option), vega, -by_years, rho), strict=True))

    return Prepared(greeks, tuple(data.values()))


def numpy(data: Data) -> Prepared:
    from scipy.special import ndtr

    def greeks(spot, strike, years, rate, volatility):
        root = np.sqrt(years)
        spread = volatility * root
        d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / spread
        density = np.exp(-0.5 * d1**2) * (1.0 / math.sqrt(2.0 * math.pi))
        delta = ndtr(d1)
        discounted = strike * np.exp(-rate * years) * ndtr(d1 - spread)
        theta = -spot * density * volatility / (2.0 * root) - rate * discounted
        values = (spot * delta - discounted, delta, density / (spot * spread), spot * density * root, theta, years * discounted)
        return dict(zip(GREEKS, values, strict=True))

    return Prepared(greeks, tuple(data.values()))


TASKS = (
    Task("black_scholes_f64", "Black-Scholes price and Greeks, 10^6 options, f64", partial(make_data, np.float64), tolerance=1e-12),
    Task("black_scholes_f32", "Black-Scholes price and Greeks, 10^6 options, f32", partial(make_data, np.float32), tolerance=1e-5),
)
