"""What kernels report: that an index was out of range, or that a loop needs more turns than it may take.

A kernel cannot raise, and Python does not wait for it.  It writes to a number in the memory of the host, which the device reaches too, so nothing is
spent where nothing is wrong; Python looks at the number when it waits for the device anyway, and at the next call.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np


class Flag:
    """`argument` is what a kernel takes as a pointer to the number, `number` what the host sees of it, an int32 array of one element.

    `message` is that of the IndexError to raise where it is 1, `limits` those of the RuntimeErrors where it is 2, 3, ...
    """

    def __init__(self, argument: Any, number: np.ndarray, message: str):
        self.argument, self.number, self.message = argument, number, message
        self.limits: tuple[str, ...] = ()
        number[0] = 0
        _flags.add(self)

    def take(self) -> Exception | None:
        """The error that was reported; there is none, after this."""
        found = int(self.number[0])
        if not found:
            return None
        self.number[0] = 0
        return IndexError(self.message) if found == 1 else RuntimeError(self.limits[found - 2])


_flags: weakref.WeakSet[Flag] = weakref.WeakSet()


def raise_reported() -> None:
    """Raise what kernels have reported, whose work has ended."""
    for flag in list(_flags):
        error = flag.take()
        if error is not None:
            raise error


__all__ = ["Flag", "raise_reported"]
