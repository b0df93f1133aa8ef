"""`torch.utils`: `data` (datasets and batches of them) and `checkpoint` (memory for time), imported when they are first used."""

import importlib as _importlib

from ..absent import explained


def __getattr__(name: str):
    if name in ("data", "checkpoint"):
        return _importlib.import_module(f"{__name__}.{name}")
    raise explained(f"module {__name__!r}", name, globals())
