"""`device`: where tensors lie, as torch says it."""

from __future__ import annotations

from typing import Any

from ..errors import at_user_line


class device:
    """A device, as `torch.device`: "cpu", "cuda" (the current one) or "cuda:1".

    >>> from tracejit import torch
    >>> torch.device("cpu"), torch.device("cuda", 1)
    (device(type='cpu'), device(type='cuda', index=1))
    """

    def __init__(self, type: Any = "cpu", index: int | None = None):
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int):
            type, index = "cuda", type
        name, _, number = str(type).partition(":")
        if name not in ("cpu", "cuda") or number and not number.isdigit():
            raise RuntimeError(at_user_line(f"device {str(type)!r} is not available: tensors of tracejit.torch live on the CPU or on CUDA devices"))
        self.type, self.index = name, int(number) if number else index

    def __repr__(self) -> str:
        return f"device(type={self.type!r}{'' if self.index is None else f', index={self.index}'})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return str(self) == other
        return isinstance(other, device) and (self.type == other.type == "cpu" or (self.type, self.index) == (other.type, other.index))

    def __hash__(self) -> int:
        return hash(self.type) if self.type == "cpu" else hash((self.type, self.index))


CPU = device("cpu")
