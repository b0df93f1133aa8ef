"""Attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .... import nn
from ...dispatch import FUNCTIONS, Primitive
from ...tensor import Tensor
from .activations import softmax
from .layers import dropout, linear


def _attention_impl(q, k, v, *mask, causal, scale):
    if not mask:
        return nn.attention(q, k, v, causal=causal, scale=scale)
    m = mask[0]
    taking_part = np.any(m if m.dtype == np.bool_ else m > -math.inf, -1, keepdims=True)
    if isinstance(taking_part, np.ndarray) and taking_part.all():
        return nn.attention(q, k, v, m, causal=causal, scale=scale)
    # Where no key takes part the result is zero, as in torch.
    m = np.where(taking_part, m, m.dtype.type(m.dtype == np.bool_))
    return np.where(taking_part, nn.attention(q, k, v, m, causal=causal, scale=scale), q.dtype.type(0))


_attention = Primitive("ScaledDotProductFlashAttentionForCpu", _attention_impl, native=True)


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """`softmax(query key^T * scale) value`: query (..., m, d), key (..., n, d), value (..., n, e).

    `attn_mask` broadcasts to (..., m, n): booleans say which keys take part, numbers are added. `enable_gqa` repeats the heads (the third dimension
    from the end) of keys and values.
    """
    if not query._data.dtype == key._data.dtype == value._data.dtype:
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got query.dtype: {query.dtype} key.dtype: {key.dtype} and value.dtype: "
            f"{value.dtype} instead."
        )
    if min(t._data.ndim for t in (query, key, value)) < 2:
        raise RuntimeError("Expected query, key, and value to all be at least 2 dimensional")
    if query._data.shape[-1] != key._data.shape[-1] or key._data.shape[-2] != value._data.shape[-2]:
        raise RuntimeError(
            f"scaled_dot_product_attention: query {list(query.shape)}, key {list(key.shape)} and value {list(value.shape)} do not fit: query and key "
            "have the same last dimension, key and value the same number of rows"
        )
    if attn_mask is not None and is_causal:
        raise RuntimeError("scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    if enable_gqa:
        if any(query._data.shape[-3] % t._data.shape[-3] for t in (key, value)):
            raise RuntimeError("Number of heads in key and value must divide the number of heads in query")
        times = query._data.shape[-3] // key._data.shape[-3]
        key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
    if dropout_p == 0:
        return _attention(query, key, value, *(() if attn_mask is None else (attn_mask,)), causal=bool(is_causal), scale=scale)
    m, d = query._data.shape[-2:]
    scores = FUNCTIONS["matmul"](query, key.transpose(-2, -1)) * (1 / math.sqrt(d) if scale is None else scale)
    if is_causal:
        attn_mask = FUNCTIONS["ones"](m, key._data.shape[-2], dtype=bool).tril()
    if attn_mask is not None:
        scores = scores.masked_fill(attn_mask.logical_not(), -math.inf) if attn_mask._data.dtype == np.bool_ else scores + attn_mask
    shares = softmax(scores, -1)
    if attn_mask is not None:
        shares = shares.masked_fill((scores == -math.inf).all(-1, keepdim=True), 0.0)
    return FUNCTIONS["matmul"](dropout(shares, dropout_p), value)


def _added(mask: Tensor | None, like: Tensor) -> Tensor | None:
    """A mask of numbers to add, from one of booleans that are true where a key takes no part."""
    if mask is None or mask._data.dtype.kind == "f":
        return mask
    return FUNCTIONS["zeros_like"](mask, dtype=like.dtype).masked_fill(mask, -math.inf)


def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, in_proj_weight: Tensor | None, in_proj_bias: Tensor | None,
    bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor, out_proj_bias: Tensor | None,
    training: bool = True, key_padding_mask: Tensor | None = None, need_weights: bool = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None, static_k: Any = None, static_v: Any = None, average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Attention with several heads: query (L, N, E), key and value (S, N, E), or without N.

    Gives the result, and the weights (N, L, S) if they are asked for.
    """
    batched = query._data.ndim == 3
    if not batched:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, count, features = query._data.shape
    if features != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {features}")
    size = features // num_heads
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    weights = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight.chunk(3)
    q, k, v = (linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases))
    key_padding_mask, attn_mask = _added(key_padding_mask, q), _added(attn_mask, q)

    def widen(mask: Tensor | None) -> Tensor | None:
        """One more key that takes part."""
        from .images import pad

        return None if mask is None else pad(mask, (0, 1))

    if bias_k is not None:
        k, v = FUNCTIONS["cat"]([k, bias_k.expand(1, count, features)]), FUNCTIONS["cat"]([v, bias_v.expand(1, count, features)])
        attn_mask, key_padding_mask = widen(attn_mask), widen(key_padding_mask)
    if add_zero_attn:
        zeros = FUNCTIONS["zeros"](1, count, features, dtype=k.dtype)
        k, v = FUNCTIONS["cat"]([k, zeros]), FUNCTIONS["cat"]([v, zeros])
        attn_mask, key_padding_mask = widen(attn_mask), widen(key_padding_mask)
    keys = k._data.shape[0]
    heads = lambda x, n: x.reshape(n, count, num_heads, size).permute(1, 2, 0, 3)
    q, k, v = heads(q, length), heads(k, keys), heads(v, keys)
    mask = None
    if attn_mask is not None:
        mask = attn_mask.view(count, num_heads, length, keys) if attn_mask._data.ndim == 3 else attn_mask
    if key_padding_mask is not None:
        padding = key_padding_mask.view(count, 1, 1, keys)
        mask = padding if mask is None else mask + padding
    dropout_p = dropout_p if training else 0.0
    merge = lambda x: linear(x.permute(2, 0, 1, 3).reshape(length, count, features), out_proj_weight, out_proj_bias)
    if not need_weights:
        made = merge(scaled_dot_product_attention(q, k, v, mask, dropout_p))
        return (made if batched else made.squeeze(1)), None
    scores = FUNCTIONS["matmul"](q * (1 / math.sqrt(size)), k.transpose(-2, -1))
    shares = softmax(scores if mask is None else scores + mask, -1)
    shares = dropout(shares, dropout_p, True) if dropout_p else shares
    made = merge(FUNCTIONS["matmul"](shares, v))
    shares = shares.mean(1) if average_attn_weights else shares
    return (made, shares) if batched else (made.squeeze(1), shares.squeeze(0))


__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]
