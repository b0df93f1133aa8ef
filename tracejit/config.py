"""Settings, read from the environment once and changeable at run time.

    >>> import tracejit as tj
    >>> tj.config.check
    False
"""
from __future__ import annotations

import os


def _flag(name: str, default: bool) -> bool:
    return os.environ.get(name, "1" if default else "0").strip().lower() not in ("0", "", "false", "no", "off")


class Config:
    """`check`: verify every graph after every pass (environment: `TRACEJIT_CHECK=1`).

    `max_nodes`: the size at which tracing stops with an error, because a Python loop was unrolled (`TRACEJIT_MAX_NODES`).
    """

    __slots__ = ("check", "max_nodes")

    def __init__(self) -> None:
        self.check = _flag("TRACEJIT_CHECK", False)
        self.max_nodes = int(os.environ.get("TRACEJIT_MAX_NODES", "200000"))


config = Config()
