"""Sequences of different lengths."""

from __future__ import annotations

from collections.abc import Sequence

from ...dispatch import FUNCTIONS
from ...tensor import Tensor


def pad_sequence(sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right") -> Tensor:
    """Tensors (length, *) as one (longest, count, *), or (count, longest, *) with `batch_first`; `padding_value` fills the shorter ones.

    >>> import tracejit.torch as torch
    >>> torch.nn.utils.rnn.pad_sequence([torch.ones(2), torch.ones(3)], batch_first=True)
    tensor([[1., 1., 0.],
            [1., 1., 1.]])
    """
    from ..functional import pad

    if padding_side not in ("left", "right"):
        raise RuntimeError(f"padding_side must be 'left' or 'right', got {padding_side!r}")
    longest = max(t.shape[0] for t in sequences)
    padded = []
    for t in sequences:
        short = longest - t.shape[0]
        sides = (0, short) if padding_side == "right" else (short, 0)
        padded.append(pad(t, [0, 0] * (t.dim() - 1) + list(sides), "constant", padding_value))
    return FUNCTIONS["stack"](padded, 0 if batch_first else 1)
