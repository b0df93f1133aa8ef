"""Arrays of the host that compiled functions close over, on the device: each is copied there once, and again where its contents have changed.

Read-only arrays count as constant.  Others are compared with what was copied, up to 1 MiB (0.05 ms); larger ones, whose comparison would take as long
as the copy, are copied at each call, which is said once.
"""

from __future__ import annotations

import threading
import warnings
import weakref
from typing import Any, NamedTuple

import numpy as np

COMPARED = 1 << 20


class _Upload(NamedTuple):
    reference: weakref.ref
    content: bytes | None
    copy: Any


_lock = threading.Lock()
_uploads: dict[tuple[int, int], _Upload] = {}  # by identity of the array and number of the device
_told: set[int] = set()


def uploaded(backend: Any, x: np.ndarray) -> Any:
    """What `x` holds now, as an array on the current device."""
    if x.flags.writeable and x.nbytes > COMPARED:
        _tell(x)
        return backend.from_host(x)
    key = id(x), backend.current_device()
    found = _uploads.get(key)
    if found is not None and found.reference() is x and (found.content is None or found.content == x.tobytes()):
        return found.copy
    content = x.tobytes() if x.flags.writeable else None
    made = _Upload(weakref.ref(x, lambda _: _uploads.pop(key, None)), content, backend.from_host(x))
    with _lock:
        _uploads[key] = made
    return made.copy


def _tell(x: np.ndarray) -> None:
    if id(x) in _told:
        return
    _told.add(id(x))
    weakref.finalize(x, _told.discard, id(x))
    warnings.warn(
        f"a compiled function closes over an array of the host ({x.dtype}{list(x.shape)}, {x.nbytes / 2**20:.0f} MiB) that may have been written "
        "into since the last call, so it is copied to the device at each call: close over `tracejit.device_put(x)` instead, or make it "
        "read-only (`x.flags.writeable = False`)",
        RuntimeWarning,
        stacklevel=2,
    )
