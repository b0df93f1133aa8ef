"""Sequences of different lengths: padded to one length, or packed without padding for recurrent networks.

A packed sequence has the elements of all sequences, time by time, sorted by length with the longest first; `batch_sizes` says how many sequences
there are at each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ....errors import TracerConversionError, at_user_line
from ....trace import Tracer
from ...dispatch import FUNCTIONS
from ...modes import DecidesByValues, state
from ...tensor import Tensor, wrap


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences without padding: make one with `pack_sequence` or `pack_padded_sequence`.

    `data` is (elements, *), `batch_sizes` (longest,); `sorted_indices` are the numbers of the sequences in their order here, if they were sorted, and
    `unsorted_indices` undo that.
    """

    __slots__ = ()

    def __new__(
        cls, data: Tensor, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None, unsorted_indices: Tensor | None = None
    ) -> PackedSequence:
        if batch_sizes is None:
            raise ValueError("PackedSequence: batch_sizes is missing; use pack_sequence or pack_padded_sequence to make one")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return _Packed.__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With the data in another dtype."""
        return self._with(self.data.to(*args, **kwargs))

    def _with(self, data: Tensor) -> PackedSequence:
        return PackedSequence(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def double(self) -> PackedSequence:
        """With the data in float64."""
        return self._with(self.data.double())

    def float(self) -> PackedSequence:
        """With the data in float32."""
        return self._with(self.data.float())

    def cpu(self) -> PackedSequence:
        """Itself."""
        return self

    @property
    def is_cuda(self) -> bool:
        """No."""
        return False

    def is_pinned(self) -> bool:
        """No."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another one."""
    return None if permutation is None else wrap(np.argsort(permutation._array, kind="stable"))


def _known(numbers: Any) -> np.ndarray:
    """Lengths as they are, which decide what is computed. A compiled function that is given other ones at each call runs as it is."""
    given = numbers._array if isinstance(numbers, Tensor) else numbers
    decides = state.compiling is not None and not state.recordings
    try:
        if not (decides and type(given) in (list, tuple) and any([type(n) is Tracer for n in given])):
            return np.asarray(given, np.int64)
    except TracerConversionError:
        if not decides:
            raise
    raise DecidesByValues(at_user_line("lengths of packed sequences decide what is computed"))


def lengths_of(batch_sizes: Tensor) -> np.ndarray:
    """The lengths of the sequences, the longest first, from how many there are at each time."""
    sizes = _known(batch_sizes)
    return (sizes[:, None] > np.arange(sizes[0] if sizes.size else 0)).sum(0)


def _places(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times and numbers of all elements of sequences of these lengths, time by time."""
    return np.nonzero(np.arange(lengths.max(initial=0))[:, None] < lengths)


def pack_padded_sequence(input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences that are padded: input (longest, count, *), or (count, longest, *) with `batch_first`; `lengths` (count,).

    Raises `RuntimeError` for lengths that are not sorted, the longest first, unless `enforce_sorted` is off: then they are sorted.

    >>> import tracejit.torch as torch
    >>> packed = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
    >>> packed.data, packed.batch_sizes
    (tensor([1, 3, 2]), tensor([2, 1]))
    """
    sizes = _known(lengths)
    x = input.transpose(0, 1) if batch_first else input
    if sizes.ndim != 1 or len(sizes) != x.shape[1]:
        raise RuntimeError(f"Expected `len(lengths)` to be equal to batch_size, but got {sizes.size} (batch_size={x.shape[1]})")
    if sizes.size and sizes.min() <= 0:
        raise RuntimeError("Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0")
    if sizes.size and sizes.max() > x.shape[0]:
        raise RuntimeError(f"Expected lengths of at most {x.shape[0]}, the extent of the time dimension, but got {sizes.max()}")
    order = None
    if not enforce_sorted:
        order = np.argsort(-sizes, kind="stable")
        x, sizes = FUNCTIONS["index_select"](x, 1, wrap(order)), sizes[order]
    elif np.any(sizes[1:] > sizes[:-1]):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass `enforce_sorted=False` to "
            "pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not need ONNX exportability."
        )
    times, numbers = _places(sizes)
    counts = (np.arange(sizes.max(initial=0))[:, None] < sizes).sum(1)
    return PackedSequence(x[wrap(times), wrap(numbers)], wrap(counts), None if order is None else wrap(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Undo `pack_padded_sequence`: the padded tensor, and the lengths. It is padded to `total_length`, if that is given."""
    sizes = lengths_of(sequence.batch_sizes)
    longest = len(sequence.batch_sizes)
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {longest}"
            )
        longest = total_length
    times, numbers = _places(sizes)
    data = sequence.data
    made = FUNCTIONS["full"]((longest, len(sizes), *data.shape[1:]), padding_value, dtype=data.dtype)
    made = made.index_put((wrap(times), wrap(numbers)), data)
    lengths = wrap(sizes)
    if sequence.unsorted_indices is not None:
        made, lengths = FUNCTIONS["index_select"](made, 1, sequence.unsorted_indices), lengths[sequence.unsorted_indices]
    return (made.transpose(0, 1) if batch_first else made), lengths


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack tensors (length, *).

    >>> import tracejit.torch as torch
    >>> torch.nn.utils.rnn.pack_sequence([torch.tensor([1, 2, 3]), torch.tensor([4])]).data
    tensor([1, 4, 2, 3])
    """
    return pack_padded_sequence(pad_sequence(sequences), [len(t) for t in sequences], enforce_sorted=enforce_sorted)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The tensors (length, *) that were padded."""
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(n)] for row, n in zip(x, lengths)]


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The tensors (length, *) that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


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
