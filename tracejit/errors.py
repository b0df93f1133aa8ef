"""Exceptions that tracejit raises, and the search for the user's own line that each of them names."""
from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable
from types import CodeType
from typing import NamedTuple

from numpy.linalg import LinAlgError


class TracejitError(Exception):
    """Base of every exception defined here."""


class TracerConversionError(TracejitError, TypeError):
    """A traced value was asked to become a plain number or array, which would cut it out of the trace."""


class TracerBoolError(TracejitError, TypeError):
    """The truth of a traced value was asked where it has none: `if`, `while`, `and`, `or`, `not`."""


class GuardLimitError(TracejitError, RuntimeError):
    """A compiled function branches on its values in too many ways: each combination of answers is compiled apart."""


class LeakedTracerError(TracejitError, RuntimeError):
    """A traced value was used after the trace that made it had ended."""


class GraphError(TracejitError, AssertionError):
    """A graph breaks the rules of the IR: a bug in tracejit or in a user's operation, never in the traced program."""


class LocatedLinAlgError(LinAlgError):
    """NumPy's `LinAlgError`, of a singular matrix say, with the user's line in front."""


class Source(NamedTuple):
    """A line of the user's program."""

    filename: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.filename}:{self.line} in {self.function}"


_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LIBRARIES = tuple(f"{os.sep}site-packages{os.sep}{name}{os.sep}" for name in ("numpy", "scipy", "optree"))
_STANDARD = tuple({os.path.join(path, "") for key in ("stdlib", "platstdlib") if (path := sysconfig.get_path(key))})
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
_is_library: dict[str, bool] = {}  # by file name: the test runs once per file, not once per operation


def is_library(filename: str) -> bool:
    """Whether a file belongs to tracejit, the array libraries or the standard library."""
    known = _is_library.get(filename)
    if known is None:
        standard = filename.startswith(_STANDARD) and not any(part in filename for part in _INSTALLED)
        known = standard or filename.startswith((_PACKAGE, "<__array_function__", "<frozen")) or any(part in filename for part in _LIBRARIES)
        _is_library[filename] = known
    return known


_replaying: dict[int, CodeType] = {}  # by identity: to hash code is to hash all of it


def replaying(function: Callable) -> Callable:
    """Marks a pass that goes through the nodes of a graph, in a variable `node`: what it makes of a node comes from the node's own line."""
    _replaying[id(function.__code__)] = function.__code__
    return function


def user_source() -> Source | None:
    """The innermost line on the stack that belongs to no library that `is_library` knows; in a pass over a graph, the line of the node."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if id(code) in _replaying:
            source = getattr(frame.f_locals.get("node"), "source", None)
            if source is not None:
                return source
        filename = code.co_filename
        if not (_is_library.get(filename) or is_library(filename)):
            return Source(filename, frame.f_lineno, code.co_qualname)
        frame = frame.f_back
    return None


def scipy_function() -> tuple[str, str] | None:
    """The function of SciPy that the user's line has called, as its public module and name; None if that line did not call SciPy."""
    frame, outermost = sys._getframe(1), None
    while frame is not None and is_library(frame.f_code.co_filename):
        if frame.f_globals.get("__name__", "").startswith("scipy."):
            outermost = frame
        frame = frame.f_back
    if outermost is None:
        return None
    # SciPy wraps a function `f` in a `wrapper` that runs it over stacks of matrices.
    code, variables = outermost.f_code, outermost.f_locals
    inner = variables.get("f", variables.get("fun")) if code.co_name == "wrapper" else None
    module = ".".join(getattr(inner, "__module__", outermost.f_globals["__name__"]).split(".")[:2])
    if inner is not None or "." not in code.co_qualname or "<locals>" in code.co_qualname:
        return module, getattr(inner, "__name__", code.co_name)
    owner = variables.get("self")  # of a method: a distribution is known by its name
    name = getattr(owner, "name", None) or type(owner).__name__.removesuffix("_gen")
    return module, name if code.co_name == "__init__" else f"{name}.{code.co_name}"


def at_user_line(message: str, source: Source | None = None) -> str:
    """`message` with the user's line in front."""
    source = source or user_source()
    return message if source is None else f"{source}: {message}"
