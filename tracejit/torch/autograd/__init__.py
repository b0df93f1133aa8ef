"""Automatic differentiation by itself, as `torch.autograd`: the engine, functions with a way back of their own, checks, hooks."""

from ..absent import of_module
from ..engine import backward, grad
from ..modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from ..tensor import Tensor as Variable
from . import forward_ad, functional, graph
from .anomaly import detect_anomaly, is_anomaly_enabled, set_detect_anomaly
from .function import Function, FunctionCtx, once_differentiable
from .gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = [
    "Function",
    "FunctionCtx",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_anomaly_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]

__getattr__ = of_module(globals())
