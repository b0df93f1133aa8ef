"""What kernels report: that an index was out of range.

A kernel cannot raise, and Python does not wait for it.  It writes to a number in the memory of the host, which the device reaches too, so nothing is
spent where nothing is wrong; Python looks at the number when it waits for the device anyway, and at the next call.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np


class Flag:
    """`argument` is what a kernel takes as a pointer to the number, `number` what the host sees of it, an int32 array of one element.

    `message` is that of the IndexError to raise where it was set.
    """

    def __init__(self, argument: Any, number: np.ndarray, message: str):
        self.argument, self.number, self.message = argument, number, message
        number[0] = 0
        _flags.add(self)

    def take(self) -> bool:
        """Whether it was set; it is not, after this."""
        if not self.number[0]:
            return False
        self.number[0] = 0
        return True


_flags: weakref.WeakSet[Flag] = weakref.WeakSet()


def raise_reported() -> None:
    """Raise what kernels have reported, whose work has ended."""
    for flag in list(_flags):
        if flag.take():
            raise IndexError(flag.message)


__all__ = ["Flag", "raise_reported"]
