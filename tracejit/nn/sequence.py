"""Sequences: embeddings, dropout, attention, and the cells of recurrent networks."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import random
from ..errors import at_user_line
from .activations import sigmoid, softmax
from .initializers import Initializer, glorot_uniform, orthogonal, zeros


def embedding(table: Any, indices: Any) -> Any:
    """Rows of `table`, of shape (entries, features), at integer `indices` of any shape.

    >>> embedding(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0, 1]))
    array([[3., 4.],
           [1., 2.],
           [3., 4.]])
    """
    return np.take(table, indices, axis=0)


def dropout(key: Any, x: Any, rate: float = 0.5, *, training: bool = True) -> Any:
    """`x` with each element zero with probability `rate` and the others scaled by 1 / (1 - rate); `key` is one of `tracejit.random`.

    Unless `training`, x as it is. Raises ValueError for a rate outside of [0, 1].

    >>> import tracejit as tj
    >>> y = dropout(tj.random.key(0), np.ones(1000), 0.25)
    >>> np.unique(y).round(3), bool(abs((y == 0).mean() - 0.25) < 0.05)
    (array([0.   , 1.333]), True)
    """
    if not 0 <= rate <= 1:
        raise ValueError(at_user_line(f"dropout: rate must be in [0, 1], got {rate}"))
    if not training or rate == 0:
        return x
    if rate == 1:
        return x * 0
    return np.where(random.bernoulli(key, 1 - rate, np.shape(x)), x / (1 - rate), 0)


def attention(query: Any, key: Any, value: Any, mask: Any = None, *, causal: bool = False, scale: float | None = None) -> Any:
    """`softmax(query key^T * scale) value`: query (..., m, d), key (..., n, d), value (..., n, e); the result is (..., m, e) (Vaswani et al., 2017).

    `mask` broadcasts to (..., m, n): booleans say which keys take part, numbers are added. `causal`: only keys up to the query's own place.
    `scale` is 1 / sqrt(d) by default.

    >>> attention(np.zeros((1, 2)), np.zeros((3, 2)), np.array([[1.0], [2.0], [6.0]]))
    array([[3.]])
    """
    m, d = np.shape(query)[-2:]
    scores = np.matmul(query, np.swapaxes(key, -1, -2)) * (1 / math.sqrt(d) if scale is None else scale)
    if causal:
        scores = np.where(np.tril(np.ones((m, np.shape(key)[-2]), bool)), scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if np.result_type(mask).kind == "b" else scores + mask
    return np.matmul(softmax(scores), value)


class MultiHeadAttention(NamedTuple):
    """Weights of an attention with several heads: `query`, `key`, `value` of shape (features, heads, size), `out` of (heads, size, features)."""

    query: Any
    key: Any
    value: Any
    out: Any


def init_multi_head_attention(rng: np.random.Generator, features: int, heads: int, *, initializer: Initializer = glorot_uniform,
                              dtype: Any = np.float64) -> MultiHeadAttention:
    """Weights for `multi_head_attention`. Raises ValueError where the features are no multiple of the heads.

    >>> init_multi_head_attention(np.random.default_rng(0), 6, 2).out.shape
    (2, 3, 6)
    """
    if features % heads:
        raise ValueError(f"{features} features are no multiple of {heads} heads")
    size = features // heads
    made = [initializer(rng, (features, features), dtype) for _ in range(4)]
    return MultiHeadAttention(*(w.reshape(features, heads, size) for w in made[:3]), made[3].reshape(heads, size, features))


def multi_head_attention(params: MultiHeadAttention, x: Any, context: Any = None, mask: Any = None, *, causal: bool = False) -> Any:
    """Attention of `x` (..., m, features) to itself, or to `context` (..., n, features), with several heads; `mask` and `causal` as in `attention`.

    >>> params = init_multi_head_attention(np.random.default_rng(0), 6, 2)
    >>> multi_head_attention(params, np.ones((4, 5, 6)), causal=True).shape
    (4, 5, 6)
    """
    context = x if context is None else context
    heads = lambda v, w: np.einsum("...nf,fhd->...hnd", v, w)
    found = attention(heads(x, params.query), heads(context, params.key), heads(context, params.value), mask, causal=causal)
    return np.einsum("...hnd,hdf->...nf", found, params.out)


class Recurrent(NamedTuple):
    """Weights of a recurrent cell with g gates: `inputs` (features, g * size), `state` (size, g * size), `bias` (g * size,)."""

    inputs: Any
    state: Any
    bias: Any


def init_lstm(rng: np.random.Generator, features: int, size: int, *, dtype: Any = np.float64) -> Recurrent:
    """Weights for `lstm_cell`, with a bias of one for the forget gate (Jozefowicz et al., 2015).

    >>> init_lstm(np.random.default_rng(0), 3, 4).state.shape
    (4, 16)
    """
    made = _init_recurrent(rng, features, size, 4, dtype)
    made.bias[size : 2 * size] = 1
    return made


def init_gru(rng: np.random.Generator, features: int, size: int, *, dtype: Any = np.float64) -> Recurrent:
    """Weights for `gru_cell`.

    >>> init_gru(np.random.default_rng(0), 3, 4).inputs.shape
    (3, 12)
    """
    return _init_recurrent(rng, features, size, 3, dtype)


def _init_recurrent(rng: np.random.Generator, features: int, size: int, gates: int, dtype: Any) -> Recurrent:
    state = np.concatenate([orthogonal(rng, (size, size), dtype) for _ in range(gates)], axis=1)
    return Recurrent(glorot_uniform(rng, (features, gates * size), dtype), state, zeros(rng, (gates * size,), dtype))


def lstm_cell(params: Recurrent, carry: tuple[Any, Any], x: Any) -> tuple[tuple[Any, Any], Any]:
    """One step of a long short-term memory (Hochreiter and Schmidhuber, 1997): `carry` is (hidden, memory), each (..., size), `x` (..., features).

    The result, the new carry and the new hidden state, is what `tj.scan` takes. Gates in order: input, forget, candidate, output.

    >>> import tracejit as tj
    >>> params, start = init_lstm(np.random.default_rng(0), 3, 4), (np.zeros((2, 4)), np.zeros((2, 4)))
    >>> carry, hidden = tj.scan(lambda carry, x: lstm_cell(params, carry, x), start, np.ones((5, 2, 3)))
    >>> hidden.shape
    (5, 2, 4)
    """
    hidden, memory = carry
    i, f, g, o = np.split(x @ params.inputs + hidden @ params.state + params.bias, 4, axis=-1)
    memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
    hidden = sigmoid(o) * np.tanh(memory)
    return (hidden, memory), hidden


def gru_cell(params: Recurrent, carry: Any, x: Any) -> tuple[Any, Any]:
    """One step of a gated recurrent unit (Cho et al., 2014): `carry` (..., size), `x` (..., features).

    The result, the new state twice, is what `tj.scan` takes. Gates in order: reset, update, candidate; the reset gate acts on the
    product with the state.

    >>> gru_cell(init_gru(np.random.default_rng(0), 3, 4), np.zeros((2, 4)), np.ones((2, 3)))[1].shape
    (2, 4)
    """
    from_x, from_state = x @ params.inputs + params.bias, carry @ params.state
    (rx, zx, nx), (rh, zh, nh) = np.split(from_x, 3, axis=-1), np.split(from_state, 3, axis=-1)
    update = sigmoid(zx + zh)
    candidate = np.tanh(nx + sigmoid(rx + rh) * nh)
    hidden = (1 - update) * candidate + update * carry
    return hidden, hidden
