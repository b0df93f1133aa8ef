"""Methods of classes that take traced values while a function is traced: those of the distributions of `scipy.stats`, and of `np.vectorize`.

They convert their arguments to plain arrays inside of the library, so their classes get wrappers in their place, as modules do (see creation.py).
`tracejit.scipy.stats.namesakes` makes the wrappers, once `scipy.stats` has been imported, by somebody else.  To swap all 21 in and out takes 10 us.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import MethodType
from typing import Any

NAMESAKES = {"numpy": "tracejit.numpy.vectorizing", "scipy.stats": "tracejit.scipy.stats"}
Entry = tuple[type, Mapping[str, Any], str, Callable, Callable]  # a class, its attributes, a name, SciPy's function, ours
_found: dict[str, list[Entry]] = {}  # by module
_swapped: list[Entry] = []


def swap_in() -> None:
    """Put the wrappers into the classes."""
    for module, ours in NAMESAKES.items():
        if module not in _found:
            # A module that is being imported stands in sys.modules before it is complete.
            if module not in sys.modules or getattr(sys.modules[module].__spec__, "_initializing", False):
                continue
            _found[module] = [(kind, vars(kind), *rest) for kind, *rest in importlib.import_module(ours).namesakes()]
        for entry in _found[module]:
            kind, attributes, name, original, wrapper = entry
            if attributes.get(name) is original:
                setattr(kind, name, wrapper)
                _swapped.append(entry)


def stand_in(f: Any) -> Any:
    """The wrapper of a method that was bound before its class got it; anything else as it is."""
    if type(f) is MethodType:
        for _, _, _, original, wrapper in _swapped:
            if f.__func__ is original:
                return MethodType(wrapper, f.__self__)
    return f


def swap_out() -> None:
    """Put SciPy's functions back."""
    for kind, attributes, name, original, wrapper in _swapped:
        if attributes.get(name) is wrapper:
            setattr(kind, name, original)
    _swapped.clear()
