"""Devices, and trees of arrays on their way to one and back."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np

from .. import residence, tree
from ..errors import at_user_line
from ..trace import Tracer
from .backend import backend
from .errors import CudaError


class Device(NamedTuple):
    """Where arrays live: `kind` is "cpu" or "cuda".

    >>> str(Device("cuda", 1))
    'cuda:1'
    """

    kind: str
    index: int = 0

    @classmethod
    def of(cls, device: Any) -> Device:
        """From a `Device`, a text ("cpu", "cuda", "cuda:1"), or the number of a CUDA device. "cuda" is the current one."""
        if isinstance(device, cls):
            return device
        kind, _, number = (f"cuda:{device}" if isinstance(device, int) else str(device)).partition(":")
        if kind not in ("cpu", "cuda") or number and not number.isdigit() or kind == "cpu" and number not in ("", "0"):
            raise ValueError(at_user_line(f'a device is "cpu", "cuda", "cuda:0", "cuda:1", ..., got {device!r}'))
        if kind == "cuda" and not number:
            return cls("cuda", backend().current_device())
        return cls(kind, int(number or 0))

    @property
    def properties(self) -> dict[str, Any]:
        """Of a CUDA device: `name`, `capability` (major, minor), `memory` in bytes and `processors`."""
        return backend().properties(self.index) if self.kind == "cuda" else {}

    def __str__(self) -> str:
        return f"cuda:{self.index}" if self.kind == "cuda" else "cpu"

    def __repr__(self) -> str:
        return f"Device({str(self)!r})"


def is_available() -> bool:
    """Whether there is a CUDA device that can be used, with all that it takes.

    >>> import tracejit as tj
    >>> isinstance(tj.cuda.is_available(), bool)
    True
    """
    try:
        return backend().device_count() > 0
    except CudaError:
        return False


def device_count() -> int:
    """How many CUDA devices there are; 0 where CUDA cannot be used."""
    return backend().device_count() if is_available() else 0


def devices(kind: str | None = None) -> list[Device]:
    """The devices that arrays can live on: the host first, then those of CUDA. With a kind, "cpu" or "cuda", those of it.

    Raises `CudaError`, which says what is missing, for "cuda" where there is none.

    >>> import tracejit as tj
    >>> tj.devices("cpu")
    [Device('cpu')]
    """
    if kind not in (None, "cpu", "cuda"):
        raise ValueError(at_user_line(f'devices: kind is "cpu" or "cuda", got {kind!r}'))
    count = backend().device_count() if kind == "cuda" else 0 if kind == "cpu" else device_count()
    return [Device("cpu")] * (kind != "cuda") + [Device("cuda", i) for i in range(count)]


def current_device() -> Device:
    """The CUDA device that arrays are made on. Raises `CudaError` where there is none."""
    return Device("cuda", backend().current_device())


def device(which: Any) -> AbstractContextManager:
    """`with tracejit.cuda.device(1):` makes another CUDA device the current one."""
    place = Device.of(which)
    if place.kind != "cuda":
        raise ValueError(at_user_line(f"device: the current device is a CUDA device, got {place}"))
    return backend().on(place.index)


def device_put(x: Any, device: Any = None) -> Any:
    """The arrays and numbers of a tree on a device: the current CUDA device, or the one that is named ("cuda:1", "cpu").

    Arrays that are there already stay the same objects; arrays of other libraries on a CUDA device (CuPy, Numba, PyTorch, JAX) are taken over without
    a copy.  Numbers become 0-d arrays. Proxies of a traced function stay as they are. Raises `CudaError` where there is no device, and
    `DeviceMemoryError` where its memory does not suffice.

    >>> import numpy as np, tracejit as tj
    >>> tj.device_put({"w": np.ones(2)}, "cpu")
    {'w': array([1., 1.])}
    """
    place = Device.of("cuda" if device is None else device)
    if place.kind == "cpu":
        return device_get(x)
    there = backend()

    def put(leaf: Any) -> Any:
        if type(leaf) is Tracer:
            return leaf
        leaf = residence.adopted(leaf)
        if type(leaf) is there.array:
            return leaf if there.device_of(leaf) == place.index else there.copy_to(leaf, place.index)
        leaf = np.asarray(leaf)
        if leaf.dtype.kind not in "biufc":
            raise TypeError(at_user_line(f"device_put: arrays of booleans and numbers can be on a device, got dtype {leaf.dtype}"))
        return there.from_host(leaf)

    with there.on(place.index):
        return tree.map(put, x)


def device_get(x: Any) -> Any:
    """The arrays of a tree on the host: NumPy arrays, and NumPy scalars for 0-d ones. It waits for what computes them.

    >>> import numpy as np, tracejit as tj
    >>> tj.device_get((np.ones(2), 3.0))
    (array([1., 1.]), 3.0)
    """

    def get(leaf: Any) -> Any:
        leaf = residence.adopted(leaf)
        home = residence.home(leaf)
        return leaf if home is None else home.to_host(leaf)[()]

    return tree.map(get, x)


def memory() -> dict[str, int]:
    """Bytes of the current device: `free` and `total`, `used` by arrays, and `held` by the pool that these come from."""
    return backend().memory()


def empty_cache() -> None:
    """Give memory that no array uses back to the device, for other programs: the pool keeps it otherwise."""
    backend().empty_cache()


def synchronize(device: Any = None) -> None:
    """Wait for all that is queued on a device, the current one if none is given. Errors of kernels come to light here, too."""
    backend().synchronize(None if device is None else Device.of(device).index)


def pinned(shape: int | tuple[int, ...], dtype: Any = np.float64) -> np.ndarray:
    """A new NumPy array in page-locked memory: `device_put` of it is done while Python goes on, at the full speed of the bus. Do not write into it
    before that has ended (`synchronize`)."""
    return backend().pinned((shape,) if isinstance(shape, int) else tuple(shape), np.dtype(dtype))


__all__ = [
    "Device", "current_device", "device", "device_count", "device_get", "device_put", "devices", "empty_cache", "is_available", "memory", "pinned",
    "synchronize",
]  # fmt: skip
