"""From a code object to its definition in the user's file: the syntax tree, with the file's own line numbers."""

from __future__ import annotations

import ast
import linecache
from types import CodeType, FunctionType

from ..errors import TracejitError

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_trees: dict[str, tuple[list[str], ast.Module]] = {}  # by file name, with the lines that were parsed


class SourceError(TracejitError, OSError):
    """The source of a function cannot be found, or is not what the function was compiled from."""


def parsed(filename: str, module_globals: dict | None = None) -> ast.Module:
    """The syntax tree of a file, of a notebook's cell, or of whatever else `linecache` knows by this name."""
    lines = linecache.getlines(filename, module_globals)
    if not lines:
        raise SourceError(f"the source of {filename} cannot be read")
    known = _trees.get(filename)
    if known is None or known[0] is not lines and known[0] != lines:
        try:
            known = _trees[filename] = lines, ast.parse("".join(lines), filename)
        except SyntaxError as error:
            raise SourceError(f"the source of {filename} is not what was imported: {error}") from None
    return known[1]


def definition(function: FunctionType) -> Definition:
    """The definition of a function. Raises `SourceError` where there is none, or where the file has changed since it was imported."""
    code = function.__code__
    tree = parsed(code.co_filename, function.__globals__)
    begin = code.co_name, code.co_firstlineno
    found = [node for node in ast.walk(tree) if _begins(node) == begin and _parameters(node) == _names_of_parameters(code)]
    if len(found) > 1 and code.co_name == "<lambda>":
        found = [node for node in found if _compiles_to(node, code)]
    if len(found) != 1:
        reason = "it has changed since it was imported" if not found else "several functions begin on that line"
        raise SourceError(f"the source of {code.co_qualname} is not found at {code.co_filename}:{code.co_firstlineno}: {reason}")
    return found[0]


def _begins(node: ast.AST) -> tuple[str, int] | None:
    if isinstance(node, ast.Lambda):
        return "<lambda>", node.lineno
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return node.name, min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return None


def _parameters(node: Definition) -> tuple[str, ...]:
    a = node.args
    names = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
    return tuple(p.arg for p in names)


def _names_of_parameters(code: CodeType) -> tuple[str, ...]:
    starred = bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # CO_VARARGS, CO_VARKEYWORDS
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + starred]


def _compiles_to(node: ast.Lambda, code: CodeType) -> bool:
    """Whether this lambda is the one that stands at the code's columns."""
    return any(start == node.body.lineno and column == node.body.col_offset for start, _, column, _ in code.co_positions())
