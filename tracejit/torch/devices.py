"""`device`: where tensors lie, as torch says it. They lie in the memory of the CPU."""

from __future__ import annotations

from typing import Any

from ..errors import at_user_line


class device:
    """A device, as `torch.device`: only the CPU exists here.

    >>> from tracejit import torch
    >>> torch.device("cpu")
    device(type='cpu')
    """

    def __init__(self, type: Any = "cpu", index: int | None = None):
        name = type.type if isinstance(type, device) else str(type).partition(":")[0]
        if name != "cpu":
            raise RuntimeError(at_user_line(f"device {name!r} is not available: tensors of tracejit.torch lie in the memory of the CPU"))
        self.type, self.index = name, index

    def __repr__(self) -> str:
        return "device(type='cpu')"

    def __str__(self) -> str:
        return "cpu"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) or other == "cpu"

    def __hash__(self) -> int:
        return hash("cpu")


CPU = device("cpu")
