"""`torch.nn.utils`: gradients cut to size, parameters as one vector, weights under constraints, sequences of different lengths."""

from importlib import import_module as _import_module

from ...absent import explained as _explained
from . import rnn
from .gradients import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from .vectors import parameters_to_vector, vector_to_parameters
from .weights import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval",
           "fuse_linear_bn_weights",
           "get_total_norm", "parameters_to_vector", "parametrizations", "parametrize", "remove_spectral_norm", "remove_weight_norm", "rnn",
           "skip_init", "spectral_norm", "vector_to_parameters", "weight_norm"]  # fmt: skip


def __getattr__(name: str):
    """Parts that are made of modules, which themselves need this package."""
    if name in ("parametrizations", "parametrize"):
        return _import_module(f".{name}", __name__)
    if name in __all__:
        return getattr(_import_module(".fusion", __name__), name)
    raise _explained(f"module {__name__!r}", name, globals())
