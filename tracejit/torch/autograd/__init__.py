"""The engine by itself, as `torch.autograd`."""

from ..engine import backward, grad
from ..modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from ..tensor import Tensor as Variable

__all__ = ["Variable", "backward", "enable_grad", "grad", "inference_mode", "no_grad", "set_grad_enabled"]
