"""`Size`: the extents of a tensor."""

from __future__ import annotations

from typing import Any


class Size(tuple):
    """A shape, as `torch.Size`."""

    def numel(self) -> int:
        """The number of elements."""
        n = 1
        for extent in self:
            n *= extent
        return n

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))
