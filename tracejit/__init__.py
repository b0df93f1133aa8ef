"""tracejit differentiates and compiles the NumPy code you already have.

>>> import numpy as np, tracejit as tj
>>> f = tj.jit(tj.grad(lambda x: np.sum(np.sin(x) ** 2)))
>>> f(np.zeros(3))
array([0., 0., 0.])
"""

from . import debug, extend, tree
from . import numpy as numpy
from .api import (
    ShapeDtype,
    SymbolicZero,
    associative_scan,
    cache_info,
    checkpoint,
    checkpoint_name,
    checkpoint_policies,
    clear_caches,
    closure_convert,
    cond,
    custom,
    custom_jvp,
    custom_linear_solve,
    custom_root,
    custom_vjp,
    eval_shape,
    fixed_point,
    fori_loop,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jit,
    jvp,
    linear_call,
    linear_transpose,
    linearize,
    map,
    print_saved_residuals,
    pure_callback,
    remat,
    saved_residuals,
    scan,
    stop_gradient,
    switch,
    trace,
    value_and_grad,
    vjp,
    vmap,
    while_loop,
)
from .config import config
from .errors import GraphError, GuardLimitError, LeakedTracerError, TracejitError, TracerBoolError, TracerConversionError
from .lift import LiftWarning, lift
from .tools import check_grads

__version__ = "0.1.0"
__all__ = [
    "GraphError",
    "GuardLimitError",
    "LeakedTracerError",
    "LiftWarning",
    "ShapeDtype",
    "SymbolicZero",
    "TracejitError",
    "TracerBoolError",
    "TracerConversionError",
    "associative_scan",
    "check_grads",
    "cache_info",
    "checkpoint",
    "checkpoint_name",
    "checkpoint_policies",
    "clear_caches",
    "closure_convert",
    "cond",
    "config",
    "cuda",
    "custom",
    "custom_jvp",
    "custom_linear_solve",
    "custom_root",
    "custom_vjp",
    "debug",
    "device_get",
    "device_put",
    "devices",
    "eval_shape",
    "extend",
    "fixed_point",
    "fori_loop",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacrev",
    "jit",
    "jvp",
    "lift",
    "linear_call",
    "linear_transpose",
    "linearize",
    "map",
    "nn",
    "numpy",
    "optim",
    "print_saved_residuals",
    "pure_callback",
    "random",
    "remat",
    "saved_residuals",
    "scan",
    "stop_gradient",
    "stream",
    "switch",
    "torch",
    "trace",
    "tree",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]


_LAZY = dict.fromkeys(("cuda", "nn", "optim", "random", "torch")) | dict.fromkeys(("device_get", "device_put", "devices", "stream"), "cuda")


def __getattr__(name: str):
    """The subpackages that are imported when they are first used, and functions of these."""
    if name in _LAZY:
        import importlib

        package = _LAZY[name]
        return importlib.import_module("." + name, __name__) if package is None else getattr(importlib.import_module("." + package, __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
