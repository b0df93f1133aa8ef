"""Named tuples of functions with several results, printed as torch prints them."""

from __future__ import annotations

from collections.abc import Callable


def printed_as(name: str) -> Callable[[type], type]:
    """Let the named tuples of a class be printed as torch's `torch.return_types.<name>`, with a line for each result.

    >>> from tracejit import torch
    >>> torch.tensor([1.0, 3.0]).max(0)
    torch.return_types.max(
    values=tensor(3.),
    indices=tensor(1))
    """

    def text(self) -> str:
        return f"torch.return_types.{name}(\n" + ",\n".join([f"{field}={value!r}" for field, value in zip(self._fields, self)]) + ")"

    def decorate(kind: type) -> type:
        kind.__repr__ = text
        return kind

    return decorate
