"""The error for a trace that grows too large: which Python loop is being unrolled, and the two ways out."""

from __future__ import annotations

import ast
import linecache
import sys

from .errors import Source, TracejitError, at_user_line, is_library


class TraceSizeError(TracejitError, RuntimeError):
    """Tracing passed `tracejit.config.max_nodes` operations, because a Python loop was unrolled."""


def too_large(limit: int, source: Source | None) -> TraceSizeError:
    """The error, at the line of the operation that passed the limit, naming the loops around it."""
    where = _loops_on_the_stack()
    if where:
        said = f"a Python loop is being unrolled, {where}"
        ways = "`tracejit.lift` (or `jit(f, lift=True)`) compiles it as a loop; or write it with `tracejit.fori_loop` or `tracejit.scan`."
    else:
        said = "a Python loop is being unrolled, or a recursion"
        ways = "`tracejit.lift` (or `jit(f, lift=True)`) compiles loops as loops; or write them with `tracejit.fori_loop` or `tracejit.scan`."
    rest = "If so many operations are what you want, raise `tracejit.config.max_nodes`."
    return TraceSizeError(at_user_line(f"tracing passed {limit} operations: {said}. {ways} {rest}", source))


def _loops_on_the_stack() -> str:
    """The loops that the user's program is in, in the innermost of its functions that is in any."""
    frame = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not is_library(filename):
            lines = loops_around(filename, frame.f_lineno, frame.f_globals)
            if lines:
                outer, *inner = lines
                nested = f", with the loop{'s' if len(inner) > 1 else ''} in it at line {' and '.join(map(str, inner))}" if inner else ""
                return f"the loop at {filename}:{outer}{nested}"
        frame = frame.f_back
    return ""


def loops_around(filename: str, line: int, module_globals: dict | None = None) -> list[int]:
    """The lines of the loops that contain a line of a file, the outermost first: those of the innermost function there."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename, module_globals)), filename)
    except SyntaxError:
        return []
    found: list[int] = []
    node: ast.AST | None = tree
    while node is not None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            found = []
        elif isinstance(node, (ast.For, ast.While)):
            found = [*found, node.lineno]
        node = next((c for c in _parts(node) if c.lineno <= line <= c.end_lineno), None)
    return found


def _parts(node: ast.AST) -> list[ast.AST]:
    """The nodes directly inside of one that have places."""
    parts: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        parts += [child] if hasattr(child, "lineno") else _parts(child)
    return parts


__all__ = ["TraceSizeError", "loops_around", "too_large"]
