"""Functions that many programs call: compiled once a process, each as a library of its own, and called by address.

    name = shared(module, "twice", [("ptr", "x")], write)      declares it in the module of a program; `write(f)` fills in its code
    symbols()                                                  the addresses of all that were asked for
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .emit import Function, Module
from .llvm import Library, compile_module

_writers: dict[str, tuple[Sequence[tuple[str, str]], Callable[[Function], None]]] = {}
_libraries: dict[str, Library] = {}


def shared(module: Module, name: str, parameters: Sequence[tuple[str, str]], write: Callable[[Function], None]) -> str:
    """Declare `void name(parameters)` in a module; gives the name it has there. Equal names mean equal code."""
    full = f"tracejit_{name}"
    module.declare(full, "void", [kind for kind, _ in parameters], "nounwind")
    _writers.setdefault(full, (parameters, write))
    return full


def symbols() -> dict[str, int]:
    """The address of every function that was declared so far, by name."""
    for name, (parameters, write) in list(_writers.items()):
        if name not in _libraries:
            module = Module()
            write(Function(module, name, parameters))
            _libraries[name] = compile_module(module.text(), {}, [name])
    return {name: library.address(name) for name, library in _libraries.items()}


__all__ = ["shared", "symbols"]
