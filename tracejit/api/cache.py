"""Where compiled functions are kept: bounded, and shared between functions of the same code.

A function that is defined again, in a loop or in a notebook cell that is run twice, finds what was compiled for it: what it closes over is part of
the key (`environment`), so the code alone names the store.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config import config

if TYPE_CHECKING:
    from ..lowering.disk_cache import DiskInfo

FUNCTIONS = 512
"""How many functions are remembered, by code."""

SIGNATURES = 256
"""How many signatures of one function are kept compiled; the one that was used longest ago is dropped first."""


class CacheInfo(NamedTuple):
    """As that of `functools.lru_cache`: calls that found a compiled program and calls that had to trace; signatures kept, at most and now."""

    hits: int
    misses: int
    maxsize: int
    currsize: int


class Store:
    """The variants of a function by key; those of one key differ in what they asked of their arguments, the one used last comes first.

    `ignored` are the paths of what the function itself changes while it is traced (`environment`), `states` of what it advances in each run
    (`rebinding`), `added_to` of lists that it adds to in each run (`growth`).
    """

    __slots__ = ("added_to", "ignored", "states", "_variants", "__weakref__")

    def __init__(self) -> None:
        self.ignored: frozenset[str] = frozenset()
        self.states: frozenset[str] = frozenset()
        self.added_to: frozenset[str] = frozenset()
        self._variants: OrderedDict[Hashable, list[Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._variants)

    def keys(self) -> list[Hashable]:
        return list(self._variants)

    def under(self, key: Hashable) -> list[Any]:
        """The variants of a key, to be looked at."""
        found = self._variants.get(key)
        if found is None:
            return []
        self._variants.move_to_end(key)
        return list(found)

    def add(self, key: Hashable, variant: Any) -> None:
        self._variants.setdefault(key, []).insert(0, variant)
        while len(self._variants) > SIGNATURES:
            self._variants.popitem(last=False)

    def prefer(self, key: Hashable, variant: Any) -> None:
        """Put a variant that was used in front."""
        found = self._variants.get(key)
        if found and found[0] is not variant and variant in found:
            found.remove(variant)
            found.insert(0, variant)

    def clear(self) -> None:
        self._variants.clear()


_lock = threading.Lock()
_stores: OrderedDict[Hashable, Store] = OrderedDict()
_functions: weakref.WeakSet = weakref.WeakSet()  # every jitted function, to forget its entries


def store(key: Hashable | None, function: Any) -> Store:
    """The store of a compiled function; `key` names its code, None where there is no code to compare."""
    with _lock:
        _functions.add(function)
        if key is None:
            return Store()
        found = _stores.setdefault(key, Store())
        _stores.move_to_end(key)
        while len(_stores) > FUNCTIONS:
            _stores.popitem(last=False)
        return found


class Caches(NamedTuple):
    """What is kept compiled: functions of different code and their signatures in this process, and on disk (`DiskInfo`: folder, files, bytes, limit,
    problem)."""

    functions: int
    signatures: int
    disk: DiskInfo


def cache_info() -> Caches:
    """What is kept compiled, in this process and on disk. Files are counted by looking at each: 2 us a file.

    >>> import tracejit as tj
    >>> info = tj.cache_info()
    >>> info.disk.bytes <= info.disk.limit
    True
    """
    from ..lowering.disk_cache import DiskInfo, current  # imports hashlib: 3 ms

    cache = current()
    disk = cache.info() if cache else DiskInfo(None, 0, 0, config.cache_bytes, "it is turned off")
    with _lock:
        return Caches(len(_stores), sum(map(len, _stores.values())), disk)


def clear_caches(*, disk: bool = False) -> None:
    """Forget everything that was compiled: the next call of each function traces and compiles anew. With `disk`, what earlier processes have left on
    disk is deleted, too; without, object code is found there again.

    >>> import tracejit as tj
    >>> f = tj.jit(lambda x: x + 1.0)
    >>> f(1.0), f.cache_info().currsize
    (np.float64(2.0), 1)
    >>> tj.clear_caches()
    >>> f.cache_info().currsize
    0
    """
    with _lock:
        _stores.clear()
        functions = list(_functions)
    for function in functions:
        function.clear_cache()
    if disk:
        from ..lowering.disk_cache import current

        cache = current()
        if cache is not None:
            cache.clear()
