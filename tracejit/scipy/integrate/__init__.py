"""Integrals and differential equations on traced values: the names, arguments and results of `scipy.integrate`.

Everything is a native loop under `jit`, and differentiates in both modes: solutions of differential equations in their initial values, times and
parameters, integrals in their limits and parameters.
"""

from .initial_value import OdeResult, odeint, rk4, solve_ivp
from .quadrature import IntegrationWarning, fixed_quad, quad
from .sampled import cumulative_trapezoid, simpson, trapezoid

__all__ = [
    "IntegrationWarning", "OdeResult", "cumulative_trapezoid", "fixed_quad", "odeint", "quad", "rk4", "simpson", "solve_ivp", "trapezoid",
]  # fmt: skip
