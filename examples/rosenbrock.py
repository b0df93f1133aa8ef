"""Minimise the Rosenbrock function with SciPy's trust-region Newton method, given a compiled gradient and compiled Hessian-vector products.

    python examples/rosenbrock.py [--size N] [--method trust-krylov]

The Hessian is never formed: a product with it costs about two gradients, so thousands of variables are no trouble.
"""
import argparse
import time

import numpy as np
from scipy.optimize import minimize

import tracejit as tj


def rosenbrock(x):
    """Zero at (1, ..., 1), at the end of a long curved valley."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--method", choices=["trust-krylov", "trust-ncg"], default="trust-krylov")
    options = parser.parse_args(argv)

    start_point = np.tile([-1.2, 1.0], options.size)[:options.size]
    start = time.perf_counter()
    result = minimize(tj.jit(tj.value_and_grad(rosenbrock)), start_point, jac=True, hessp=tj.jit(tj.hvp(rosenbrock)), method=options.method)
    seconds = time.perf_counter() - start

    error = float(np.max(np.abs(result.x - 1)))
    print(f"{options.size} variables, {options.method}: {result.nit} iterations in {seconds:.2f} s, "
          f"with {result.nfev} gradients and {result.nhev} Hessian products")
    print(f"value {result.fun:.1e}, largest distance from the minimum {error:.1e}")
    return error


if __name__ == "__main__":
    main()
