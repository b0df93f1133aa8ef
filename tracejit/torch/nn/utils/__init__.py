"""`torch.nn.utils`: gradients cut to size, parameters as one vector, weights under constraints."""

from ...absent import of_module
from . import rnn
from .gradients import clip_grad_norm_, clip_grad_value_, get_total_norm
from .vectors import parameters_to_vector, vector_to_parameters
from .weights import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm", "parameters_to_vector", "remove_spectral_norm", "remove_weight_norm", "rnn",
           "spectral_norm", "vector_to_parameters", "weight_norm"]  # fmt: skip

__getattr__ = of_module(globals())
