"""The loss of connectionist temporal classification (Graves et al., 2006): of a sequence of labels without times."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....api import scan
from ....trace import Tracer
from ...dispatch import Primitive
from ...tensor import Tensor, wrap

_NEVER = -1e30  # the logarithm of the probability of what cannot be: its sums and differences are finite


def _ctc_impl(logs, labels, times, lengths, blank):
    """Minus the log-probabilities (N,): logs (T, N, C), labels (N, S), lengths of both (N,)."""
    n, s = labels.shape
    spread = np.reshape(np.stack([np.full_like(labels, blank) if not isinstance(labels, Tracer) else labels * 0 + blank, labels], 2), (n, 2 * s))
    states = np.concatenate([spread, spread[:, :1] * 0 + blank], 1)  # blank, first label, blank, second label, ..., blank
    skips = np.concatenate([states[:, :2] < -1, (states[:, 2:] != blank) & (states[:, 2:] != states[:, :-2])], 1)
    never = logs.dtype.type(_NEVER)
    index = np.broadcast_to(states[None], (logs.shape[0], n, 2 * s + 1))
    emitted = np.take_along_axis(logs, index, 2)
    emitted = np.where(emitted < never, never, emitted)
    place = np.arange(2 * s + 1)
    start = np.where(place[None] < 2, emitted[0], never)

    def turn(state, row):
        alpha, t = state
        one = np.concatenate([alpha[:, :1] * 0 + never, alpha[:, :-1]], 1)
        two = np.concatenate([alpha[:, :2] * 0 + never, alpha[:, :-2]], 1)[:, : 2 * s + 1]
        two = np.where(skips, two, never)
        most = np.maximum(np.maximum(alpha, one), two)
        total = most + np.log(np.exp(alpha - most) + np.exp(one - most) + np.exp(two - most))
        made = np.where((t < times)[:, None], np.maximum(total + row, never), alpha)
        return (made, t + 1), None

    state: Any = (start, np.int64(1))
    if isinstance(emitted, Tracer):
        state, _ = scan(turn, state, emitted[1:])
    else:
        for row in emitted[1:]:
            state, _ = turn(state, row)
    alpha = state[0]
    last = np.take_along_axis(alpha, (2 * lengths)[:, None], 1)[:, 0]
    before = np.take_along_axis(alpha, np.maximum(2 * lengths - 1, 0)[:, None], 1)[:, 0]
    before = np.where(lengths > 0, before, never)
    most = np.maximum(last, before)
    total = most + np.log(np.exp(last - most) + np.exp(before - most))
    return np.where(total < 0.5 * never, logs.dtype.type(np.inf), -total)


_ctc = Primitive("CtcLoss", _ctc_impl)


def _whole(x: Any) -> Any:
    """Lengths as a vector: an array, or a proxy."""
    array = x.detach()._array if isinstance(x, Tensor) else x
    return array.astype(np.int64).reshape(-1) if isinstance(array, Tracer) else np.asarray(array, np.int64).reshape(-1)


def _check(logs: Tensor, labels: Any, times: Any, lengths: Any, blank: int) -> None:
    """Raise `RuntimeError` for values that do not fit, as far as they are known."""
    if isinstance(times, np.ndarray) and times.size and (times.max() > logs._data.shape[0] or times.min() < 0):
        raise RuntimeError(f"Expected input_lengths to have value at most {logs._data.shape[0]}, but got value {times.max()}")
    if not isinstance(lengths, np.ndarray):
        return
    if lengths.size and lengths.min() < 0:
        raise RuntimeError(f"Expected target_lengths to have value at least 0, but got value {lengths.min()}")
    if labels.shape[1] < lengths.max(initial=0):
        raise RuntimeError(f"Expected tensor to have size at least {lengths.max()} at dimension 1, but got size {labels.shape[1]}: targets")
    if isinstance(labels, np.ndarray):
        inside = np.arange(labels.shape[1]) < lengths[:, None]
        if np.any(inside & ((labels < 0) | (labels >= logs._data.shape[2]))):
            raise RuntimeError(f"targets has labels outside of [0, {logs._data.shape[2]})")


def _rows(labels: Any, lengths: Any, n: int) -> Any:
    """The labels of sequences in one row, one behind another, as a matrix."""
    if isinstance(labels, Tracer) or isinstance(lengths, Tracer):
        raise RuntimeError("ctc_loss: in a compiled function give targets as a matrix (N, S): where sequences begin in one row depends on values")
    if labels.size < lengths.sum():
        raise RuntimeError(f"targets has {labels.size} labels, but target_lengths sum to {lengths.sum()}")
    made = np.zeros((n, max(int(lengths.max(initial=0)), 1)), np.int64)
    for row, end, length in zip(made, np.cumsum(lengths), lengths):
        row[:length] = labels[end - length : end]
    return made


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
) -> Tensor:
    """Minus the log-probabilities of label sequences, summed over all ways to spread them over the time.

    `log_probs` (T, N, C) or (T, C) are log-softmaxes; `targets` are labels (N, S), or those of all sequences in one row; "mean" is that over
    sequences of the loss divided by the length of the labels. With `zero_infinity` a sequence that is too short counts nothing.
    Raises `RuntimeError` where lengths do not fit.
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if log_probs._data.dtype.kind != "f":
        raise RuntimeError(f'"ctc_loss_cpu" not implemented for {log_probs.dtype}: log_probs are floating')
    single = log_probs._data.ndim == 2
    logs = log_probs.unsqueeze(1) if single else log_probs
    times, lengths = _whole(input_lengths), _whole(target_lengths)
    n = logs._data.shape[1]
    if len(times) != n or len(lengths) != n:
        raise RuntimeError(f"input_lengths and target_lengths must be of size batch_size {n}, got {len(times)} and {len(lengths)}")
    if not 0 <= blank < logs._data.shape[2]:
        raise RuntimeError(f"blank must be in label range: [0, {logs._data.shape[2]}), got {blank}")
    labels = targets.detach()._array
    if labels.ndim == 1:
        labels = labels.reshape(1, -1) if single else _rows(labels, lengths, n)
    labels = labels.astype(np.int64) if labels.shape[1] else np.full((n, 1), blank)
    _check(logs, labels, times, lengths, blank)
    labels = np.where(np.arange(labels.shape[1]) < lengths[:, None], labels, blank)
    made = _ctc(logs, wrap(labels), wrap(times), wrap(lengths), blank=int(blank))
    if zero_infinity:
        made = made.masked_fill(made.detach() == float("inf"), 0.0)
    if reduction == "mean":
        return (made / wrap(np.maximum(lengths, 1).astype(made._data.dtype))).mean()
    return made.sum() if reduction == "sum" else made.squeeze(0) if single else made


__all__ = ["ctc_loss"]
