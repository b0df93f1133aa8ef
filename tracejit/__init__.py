"""tracejit differentiates and compiles the NumPy code you already have.

>>> import numpy as np, tracejit as tj
>>> f = tj.jit(tj.grad(lambda x: np.sum(np.sin(x) ** 2)))
>>> f(np.zeros(3))
array([0., 0., 0.])
"""

from . import nn, optim, tree
from . import numpy as numpy
from .api import (
    ShapeDtype,
    eval_shape,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jit,
    jvp,
    linear_transpose,
    linearize,
    stop_gradient,
    trace,
    value_and_grad,
    vjp,
    vmap,
)
from .config import config
from .errors import GraphError, LeakedTracerError, TracejitError, TracerBoolError, TracerConversionError
from .tools import check_grads

__version__ = "0.1.0"
__all__ = [
    "GraphError",
    "LeakedTracerError",
    "ShapeDtype",
    "TracejitError",
    "TracerBoolError",
    "TracerConversionError",
    "check_grads",
    "config",
    "eval_shape",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacrev",
    "jit",
    "jvp",
    "linear_transpose",
    "linearize",
    "nn",
    "numpy",
    "optim",
    "stop_gradient",
    "trace",
    "tree",
    "value_and_grad",
    "vjp",
    "vmap",
]
