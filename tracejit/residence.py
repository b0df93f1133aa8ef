"""Where arrays live: NumPy's on the host; others on a device, as soon as one is in use.

Nothing here knows CUDA.  The runtime (`tracejit.cuda`) enters the class of its arrays into `classes` when it starts, which happens when the first
device array is met; until then the table is empty and every question costs a look at that.  The layers below it ask here whether something is an
array, and with which namespace it is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np


class Home(Protocol):
    """What the runtime of a device says of its arrays."""

    kind: str  # "cuda"
    array: type  # their class
    xp: Any  # the namespace that computes with them

    def run(self, op: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """The result of an op on arguments of which at least one lives there."""

    def adopt(self, x: Any) -> Any:
        """A foreign array on the device as one of the runtime's own class, over the same memory."""

    def from_host(self, x: Any) -> Any:
        """An array or number of the host's, there."""

    def to_host(self, x: Any) -> np.ndarray:
        """A copy of an array on the host."""

    def copy(self, x: Any) -> Any:
        """A new array of the same contents, in C order."""

    def write(self, target: Any, value: Any) -> None:
        """Give `target` the contents of `value`, which lives here or there."""

    def shares_memory(self, x: Any, y: Any) -> bool:
        """Whether two of its arrays overlap."""


classes: dict[type, Home] = {}
"""The class of the arrays of each device that is in use."""


def home(x: Any) -> Home | None:
    """The device that an array of ours lives on; None for the host, and for what is no array."""
    return classes.get(type(x))


def is_array(x: Any) -> bool:
    """Whether x is an array of NumPy's, or lives on a device."""
    return isinstance(x, np.ndarray) or type(x) in classes


def meeting(args: Iterable[Any]) -> Home | None:
    """The device of the first argument that lives on one."""
    for a in args:
        found = classes.get(type(a))
        if found is not None:
            return found
    return None


def is_foreign(x: Any) -> bool:
    """Whether x says that it is an array in the memory of a CUDA device: of CuPy, Numba, PyTorch or JAX, say."""
    kind = type(x)
    if hasattr(kind, "__cuda_array_interface__"):  # of PyTorch's tensors those on a device have it, or refuse it
        try:
            return x.__cuda_array_interface__ is not None
        except AttributeError:
            return False
        except RuntimeError:
            return True
    if hasattr(kind, "__dlpack_device__"):
        return int(x.__dlpack_device__()[0]) in _CUDA
    # Numba's arrays in its simulator say no more than that they are some.
    return hasattr(kind, "__cuda_ndarray__") or "__cuda_array_interface__" in getattr(x, "__dict__", ())


def may_share_memory(x: Any, y: Any) -> bool:
    """Whether x and y are arrays whose extents in memory overlap."""
    if isinstance(x, np.ndarray):
        return isinstance(y, np.ndarray) and np.may_share_memory(x, y)
    device = classes.get(type(x))
    return device is not None and type(y) is type(x) and device.shares_memory(x, y)


def is_writeable(x: Any) -> bool:
    """Whether an array may be written into. On a device all may."""
    return not isinstance(x, np.ndarray) or x.flags.writeable


def gathered(values: Sequence[Any], beside: Iterable[Any]) -> list[Any]:
    """The values, with arrays and numbers of the host brought to the device where something of `beside` lives on one."""
    device = meeting(beside) if classes else None
    if device is None:
        return list(values)
    return [device.from_host(x) if isinstance(x, (np.ndarray, np.generic)) else x for x in values]


def on_host(x: Any) -> Any:
    """An array of a device as one of the host's, which waits for it; anything else as it is."""
    device = classes.get(type(x)) if classes else None
    return x if device is None else device.to_host(x)[()]


def copied(x: Any) -> Any:
    """A copy of an array, where it lives; anything else as it is."""
    if type(x) is np.ndarray:
        return np.array(x)
    device = classes.get(type(x))
    return x if device is None else device.copy(x)


def write(target: Any, value: Any) -> None:
    """Give an array the contents of another one, or of a number. Each may live on the host or on a device."""
    device, other = classes.get(type(target)), classes.get(type(value))
    if device is not None:
        device.write(target, value)
    else:
        np.copyto(target, value if other is None else other.to_host(value))


_CUDA = (2, 13)  # DLPack's numbers of CUDA memory and of managed memory


def adopted(x: Any) -> Any:
    """A foreign array on a device as an array of that device's own class, without copy; anything else as it is."""
    if type(x) in classes or isinstance(x, (np.ndarray, np.generic, int, float, complex)) or not is_foreign(x):
        return x
    from .cuda.backend import backend

    return backend().adopt(x)
