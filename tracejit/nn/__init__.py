"""Neural networks as plain functions over plain arrays: layers, activations, losses, initialisers.

Nothing here holds state. Parameters are trees that the caller owns, so every function can be jitted, differentiated and batched as it is.

>>> import numpy as np
>>> params = init_mlp(np.random.default_rng(0), [4, 16, 3])
>>> logits = mlp(params, np.ones((5, 4)))
>>> logits.shape
(5, 3)
"""
from .activations import elu, gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, softplus
from .initializers import glorot_normal, glorot_uniform, he_normal, he_uniform, lecun_normal, lecun_uniform, orthogonal, zeros
from .layers import Dense, dense, init_dense, init_mlp, mlp
from .losses import binary_cross_entropy_with_logits, huber, mae, mse, softmax_cross_entropy

__all__ = ["Dense", "binary_cross_entropy_with_logits", "dense", "elu", "gelu", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform",
           "huber", "init_dense", "init_mlp", "leaky_relu", "lecun_normal", "lecun_uniform", "log_softmax", "mae", "mlp", "mse", "orthogonal", "relu",
           "sigmoid", "silu", "softmax", "softmax_cross_entropy", "softplus", "zeros"]
