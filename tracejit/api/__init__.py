"""What users call."""

from . import checkpoint_policies
from .cache import cache_info, clear_caches
from .callbacks import pure_callback
from .checkpointing import checkpoint, checkpoint_name, remat
from .closure_convert import closure_convert
from .compilation import jit
from .control import associative_scan, cond, fori_loop, map, scan, switch, while_loop
from .custom import SymbolicZero, custom
from .custom_jvp_vjp import custom_jvp, custom_vjp
from .differentiation import grad, hessian, hvp, jacfwd, jacrev, jvp, linear_transpose, linearize, stop_gradient, value_and_grad, vjp
from .implicit import custom_linear_solve, custom_root, fixed_point
from .linear_call import linear_call
from .recording import ShapeDtype, eval_shape, trace
from .residuals import print_saved_residuals, saved_residuals
from .vectorization import vmap

__all__ = [
    "associative_scan",
    "cache_info",
    "checkpoint",
    "checkpoint_name",
    "checkpoint_policies",
    "clear_caches",
    "closure_convert",
    "cond",
    "fixed_point",
    "fori_loop",
    "map",
    "print_saved_residuals",
    "remat",
    "saved_residuals",
    "scan",
    "switch",
    "while_loop",
    "ShapeDtype",
    "SymbolicZero",
    "custom",
    "custom_jvp",
    "custom_linear_solve",
    "custom_root",
    "custom_vjp",
    "eval_shape",
    "grad",
    "hessian",
    "hvp",
    "jit",
    "jacfwd",
    "jacrev",
    "jvp",
    "linear_call",
    "linear_transpose",
    "pure_callback",
    "linearize",
    "stop_gradient",
    "trace",
    "value_and_grad",
    "vjp",
    "vmap",
]
