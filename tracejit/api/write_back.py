"""What a compiled function writes into its arguments: the caller's arrays get it after the run, as they would have without `jit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import residence
from ..errors import at_user_line
from ..trace import Tracer
from ..trace.cells import overwrite


def check_targets(flat: Sequence[Any], written: Sequence[int], read: Sequence[Any] = ()) -> None:
    """Raise what NumPy raises for arguments that cannot be written into.

    Also `ValueError` where such an argument shares memory with another one, or with an array that the function closes over and reads: it was traced
    as if all were apart.
    """
    for i in written:
        target = flat[i]
        if residence.is_array(target):
            if not residence.is_writeable(target):
                raise ValueError(at_user_line("assignment destination is read-only"))
            if any(j != i and residence.may_share_memory(target, x) for j, x in enumerate(flat)):
                raise ValueError(
                    at_user_line(
                        "a compiled function writes into an argument that shares memory with another argument: pass a copy of one of the two, "
                        "or pass the array once and slice it inside"
                    )
                )
            if any(residence.may_share_memory(target, x) for x in read):
                raise ValueError(
                    at_user_line(
                        f"a compiled function writes into an argument ({target.dtype}{list(target.shape)}) that shares memory with an array which it "
                        "closes over and reads: pass a copy, or use one of the two alone inside of the function"
                    )
                )
        elif type(target) is not Tracer:
            raise TypeError(at_user_line(f"{type(target).__name__!r} object does not support item assignment: pass an array"))
        elif any(j != i and target is x for j, x in enumerate(flat)):
            raise ValueError(at_user_line("a compiled function writes into an argument that is passed twice: pass a copy of it once"))


def check_order(flat: Sequence[Any], in_order: Sequence[int]) -> None:
    """Raise `ValueError` where an argument numbered in `in_order` is not C-ordered."""
    if not all([is_in_order(flat[i]) for i in in_order]):
        raise ValueError(
            at_user_line(
                "a compiled function writes into what it has reshaped or raveled of an argument that is not C-contiguous: whether that is a view or "
                "a copy depends on the memory order, for which one program cannot stand. Pass `np.ascontiguousarray(x)`, or copy after the reshape"
            )
        )


def is_in_order(x: Any) -> bool:
    """Whether an argument is C-ordered, as numbers and proxies count."""
    return not isinstance(x, np.ndarray) or x.flags.c_contiguous


def check_outside(flat: Sequence[Any], arrays: Sequence[np.ndarray], written: Sequence[int], target_of: Callable[[int], Any]) -> None:
    """Raise `ValueError` where an array that the function closes over and writes into, one of those numbered in `written`, is read-only or shares
    memory with an argument, or with another array that it closes over. `target_of(number)` is the array, or a proxy that stands for it."""
    for i in written:
        target = arrays[i]
        if not residence.is_writeable(target) and target_of(i) is target:
            raise ValueError(at_user_line("assignment destination is read-only"))
        others = [x for j, x in enumerate(arrays) if j != i]
        if any(residence.may_share_memory(target, x) for x in (*flat, *others)):
            raise ValueError(
                at_user_line(
                    f"a compiled function writes into an array that it closes over ({target.dtype}{list(target.shape)}), which shares memory with an "
                    "argument or with another array that it closes over: make one of the two a copy, or slice the array inside of the function"
                )
            )


def write_back(flat: Sequence[Any], written: Sequence[int], contents: Sequence[Any]) -> None:
    """Give the arguments numbered in `written` their new contents."""
    for i, new in zip(written, contents):
        overwrite(flat[i], new)
