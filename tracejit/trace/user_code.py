"""Which code is the user's: that of no installed library, or of one that was traced itself."""

from __future__ import annotations

import os
import sys
import sysconfig
from types import FunctionType
from typing import Any

_STANDARD = tuple({os.path.join(path, "") for key in ("stdlib", "platstdlib") if (path := sysconfig.get_path(key))})
_PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
_ARRAY_LIBRARIES = tuple(f"{folder}{name}{os.sep}" for folder in _PACKAGES for name in ("numpy", "scipy"))
_THIS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_known: dict[str, bool] = {}  # by file name
_modules: tuple[int, list[dict[str, Any]]] = (0, [])


def in_library(filename: str) -> bool:
    """Whether a file belongs to the standard library, an installed package or this one, and no function in it was traced."""
    found = _known.get(filename)
    if found is None:
        installed = filename.startswith((*_STANDARD, _THIS, "<frozen", "<__array_function__")) or any(part in filename for part in _PACKAGES)
        found = _known[filename] = installed
    return found


def adopt(function: FunctionType) -> bool:
    """Whether a function that is traced is the user's; its file is from now on. One in an installed package is, unless that is an array library."""
    filename = function.__code__.co_filename
    if in_library(filename):
        package = any(part in filename for part in _PACKAGES)
        if not package or filename.startswith(_THIS) or any(part in filename for part in _ARRAY_LIBRARIES):
            return False
        _known[filename] = False
    return True


def user_globals() -> list[dict[str, Any]]:
    """The globals of the modules that are the user's. Looked for anew when modules were imported."""
    global _modules
    if _modules[0] != len(sys.modules):
        found = []
        for name, module in list(sys.modules.items()):
            filename = getattr(module, "__file__", None)
            if name == "__main__" or isinstance(filename, str) and not in_library(filename):
                found.append(module.__dict__)
        _modules = len(sys.modules), found
    return _modules[1]
