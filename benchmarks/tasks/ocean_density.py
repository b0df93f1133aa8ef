"""Density of sea water at 10^6 points: the 75-term polynomial of TEOS-10 for the specific volume, float64.

F. Roquet, G. Madec, T. McDougall, P. Barker: Accurate polynomial expressions for the density and specific volume of seawater using the
TEOS-10 standard, Ocean Modelling 90 (2015), 29-43; appendix K of the TEOS-10 manual. Its check value is in tests/test_benchmarks.py.
"""

from collections.abc import Callable
from operator import methodcaller

import numpy as np

from benchmarks.task import Data, Prepared, Task

POINTS = 1_000_000
SALINITY_FACTOR = 0.0248826675584615  # 1 / (40 kg/g * 35.16504/35)
SALINITY_OFFSET = 24.0 * SALINITY_FACTOR

# Coefficients of the specific volume in m^3/kg: by power of the pressure, then of the temperature, then of the root of the salinity.
SPECIFIC_VOLUME = (
    (
        (1.0769995862e-3, -3.1038981976e-4, 6.6928067038e-4, -8.5047933937e-4, 5.8086069943e-4, -2.1092370507e-4, 3.1932457305e-5),
        (-1.5649734675e-5, 3.5009599764e-5, -4.3592678561e-5, 3.4532461828e-5, -1.1959409788e-5, 1.3864594581e-6),
        (2.7762106484e-5, -3.7435842344e-5, 3.5907822760e-5, -1.8698584187e-5, 3.8595339244e-6),
        (-1.6521159259e-5, 2.4141479483e-5, -1.4353633048e-5, 2.2863324556e-6),
        (6.9111322702e-6, -8.7595873154e-6, 4.3703680598e-6),
        (-8.0539615540e-7, -3.3052758900e-7),
        (2.0543094268e-7,),
    ),
    (
        (-6.0799143809e-5, 2.4262468747e-5, -3.4792460974e-5, 3.7470777305e-5, -1.7322218612e-5, 3.0927427253e-6),
        (1.8505765429e-5, -9.5677088156e-6, 1.1100834765e-5, -9.8447117844e-6, 2.5909225260e-6),
        (-1.1716606853e-5, -2.3678308361e-7, 2.9283346295e-6, -4.8826139200e-7),
        (7.9279656173e-6, -3.4558773655e-6, 3.1655306078e-7),
        (-3.4102187482e-6, 1.2956717783e-6),
        (5.0736766814e-7,),
    ),
    (
        (9.9856169219e-6, -5.8484432984e-7, -4.8122251597e-6, 4.9263106998e-6, -1.7811974727e-6),
        (-1.1736386731e-6, -5.5699154557e-6, 5.4620748834e-6, -1.3544185627e-6),
        (2.1305028740e-6, 3.9137387080e-7, -6.5731104067e-7),
        (-4.6132540037e-7, 7.7618888092e-9),
        (-6.3352916514e-8,),
    ),
    (
        (-1.1309361437e-6, 3.6310188515e-7, 1.6746303780e-8),
        (-3.6527006553e-7, -2.7295696237e-7),
        (2.8695905159e-7,),
    ),
    (
        (1.0531153080e-7, -1.1147125423e-7),
        (3.1454099902e-7,),
    ),
    ((-1.2647261286e-8,),),
    ((1.9613503930e-9,),),
)


def horner(coefficients: tuple | float, variables: str) -> str:
    """The polynomial as text, nested by Horner's scheme: the outermost coefficients belong to the powers of the first variable."""
    if not variables:
        return repr(coefficients)
    text = horner(coefficients[-1], variables[1:])
    for coefficient in coefficients[-2::-1]:
        text = f"{horner(coefficient, variables[1:])} + {variables[0]} * ({text})"
    return text


POLYNOMIAL = horner(SPECIFIC_VOLUME, "zyx")


def make_data() -> Data:
    random = np.random.default_rng(0)
    ranges = {"salinity": (30.0, 40.0), "temperature": (-1.0, 30.0), "pressure": (0.0, 5000.0)}
    return {name: random.uniform(low, high, POINTS) for name, (low, high) in ranges.items()}


def density_with(sqrt: Callable) -> Callable:
    """In kg/m^3, of the absolute salinity in g/kg, the conservative temperature in degrees Celsius and the pressure in dbar."""
    polynomial = eval(f"lambda x, y, z: {POLYNOMIAL}")

    def density(salinity, temperature, pressure):
        return 1.0 / polynomial(sqrt(SALINITY_FACTOR * salinity + SALINITY_OFFSET), 0.025 * temperature, 1e-4 * pressure)

    return density


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    return Prepared(tj.jit(density_with(np.sqrt)), tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    return Prepared(jax.jit(density_with(jnp.sqrt)), jax.device_put(tuple(data.values())), wait=methodcaller("block_until_ready"))


def torch(data: Data) -> Prepared:
    import torch

    return Prepared(density_with(torch.sqrt), tuple(torch.from_numpy(value) for value in data.values()))


def torch_compile(data: Data) -> Prepared:
    import torch

    return Prepared(torch.compile(density_with(torch.sqrt)), tuple(torch.from_numpy(value) for value in data.values()))


def numba(data: Data) -> Prepared:
    from numba import njit, prange

    polynomial = njit(eval(f"lambda x, y, z: {POLYNOMIAL}"))

    @njit(parallel=True)
    def density(salinity, temperature, pressure):
        result = np.empty_like(salinity)
        for i in prange(salinity.size):
            x = np.sqrt(SALINITY_FACTOR * salinity[i] + SALINITY_OFFSET)
            result[i] = 1.0 / polynomial(x, 0.025 * temperature[i], 1e-4 * pressure[i])
        return result

    return Prepared(density, tuple(data.values()))


def numpy(data: Data) -> Prepared:
    return Prepared(density_with(np.sqrt), tuple(data.values()))


TASKS = (Task("ocean_density", "TEOS-10 density of sea water, 75 terms, 10^6 points, f64", make_data, tolerance=1e-13),)
