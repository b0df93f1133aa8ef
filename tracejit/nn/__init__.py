"""Neural networks as plain functions over plain arrays: layers, convolutions, pooling, sequences, activations, losses, initialisers.

Nothing here holds state. Parameters are trees that the caller owns, so every function can be jitted, differentiated and batched as it is.

>>> import numpy as np
>>> params = init_mlp(np.random.default_rng(0), [4, 16, 3])
>>> logits = mlp(params, np.ones((5, 4)))
>>> logits.shape
(5, 3)
"""
from .activations import elu, gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, softplus
from .convolution import conv, conv_transpose
from .initializers import glorot_normal, glorot_uniform, he_normal, he_uniform, lecun_normal, lecun_uniform, orthogonal, zeros
from .layers import Dense, dense, init_dense, init_mlp, mlp
from .losses import binary_cross_entropy_with_logits, huber, mae, mse, softmax_cross_entropy
from .normalization import BatchStatistics, batch_norm, group_norm, layer_norm, rms_norm
from .pooling import adaptive_avg_pool, adaptive_max_pool, avg_pool, max_pool
from .sequence import (
    MultiHeadAttention,
    Recurrent,
    attention,
    dropout,
    embedding,
    gru_cell,
    init_gru,
    init_lstm,
    init_multi_head_attention,
    lstm_cell,
    multi_head_attention,
)

__all__ = [
    "BatchStatistics", "Dense", "MultiHeadAttention", "Recurrent", "adaptive_avg_pool", "adaptive_max_pool", "attention", "avg_pool", "batch_norm",
    "binary_cross_entropy_with_logits", "conv", "conv_transpose", "dense", "dropout", "elu", "embedding", "gelu", "glorot_normal", "glorot_uniform",
    "group_norm", "gru_cell", "he_normal", "he_uniform", "huber", "init_dense", "init_gru", "init_lstm", "init_mlp", "init_multi_head_attention",
    "layer_norm", "leaky_relu", "lecun_normal", "lecun_uniform", "log_softmax", "lstm_cell", "mae", "max_pool", "mlp", "mse", "multi_head_attention",
    "orthogonal", "relu", "rms_norm", "sigmoid", "silu", "softmax", "softmax_cross_entropy", "softplus", "zeros",
]  # fmt: skip
