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
    return {name: _address(name) for name in list(_writers)}


def _address(name: str) -> int:
    """That of a function, which may call others that are shared."""
    if name not in _libraries:
        parameters, write = _writers[name]
        module = Module()
        write(Function(module, name, parameters))
        text = module.text()
        called = {other: _address(other) for other in list(_writers) if other != name and f"@{other}(" in text}
        _libraries[name] = compile_module(text, called, [name])
    return _libraries[name].address(name)


__all__ = ["shared", "symbols"]
