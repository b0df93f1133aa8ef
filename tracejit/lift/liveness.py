"""Which variables a loop or branch reads, binds and writes into, and which of them are still needed behind it.

The statements have no jumps any more (`jumps`), but for those that stay Python's.  Liveness goes backwards over them: a loop carries a variable
that it binds only if the next turn, or what follows the loop, may read it.  So a temporary may have another shape in each loop that uses its name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import NamedTuple

_DEFERRED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.GeneratorExp)


class Facts(NamedTuple):
    """What is known of a lifted loop or branch before it runs.

    `bound`: variables that it binds and that are live at its end (a loop: at the head of a turn), in the order of the source. `read`: all names in
    it. `written`: paths (`("u",)`, `("self", "u")`) of what it writes into by index or augmented assignment. `exits`: the flags that end a loop.
    `assigned`: all that it binds.
    `targets`: variables that a `for` binds itself, if that is all it binds them by.
    """

    kind: str
    line: int
    bound: tuple[str, ...]
    read: frozenset[str]
    written: tuple[tuple[str, ...], ...]
    exits: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    live_after: frozenset[str] = frozenset()
    assigned: tuple[str, ...] = ()


def names_read(node: ast.AST | Iterable[ast.AST]) -> set[str]:
    nodes = [node] if isinstance(node, ast.AST) else node
    return {n.id for top in nodes for n in ast.walk(top) if isinstance(n, ast.Name) and isinstance(n.ctx, (ast.Load, ast.Del))}


def names_bound(stmts: Iterable[ast.AST]) -> list[str]:
    """Variables that statements bind, in the order of the source; not those of functions and comprehensions inside."""
    found: dict[str, None] = {}

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                found[node.id] = None
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[node.name] = None
            return
        elif isinstance(node, ast.Lambda):
            return
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            for n in ast.walk(node):
                if isinstance(n, ast.NamedExpr):
                    found[n.target.id] = None
            return
        elif isinstance(node, ast.alias):
            found[(node.asname or node.name).partition(".")[0]] = None
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found[node.name] = None
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            found[node.name] = None
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found[node.rest] = None
        for child in ast.iter_child_nodes(node):
            visit(child)

    for s in stmts:
        visit(s)
    return list(found)


def declared(stmts: Iterable[ast.AST], kind: type) -> set[str]:
    """Names in `global` or `nonlocal` statements of this scope."""
    found: set[str] = set()
    todo = list(stmts)
    while todo:
        node = todo.pop()
        if isinstance(node, kind):
            found.update(node.names)
        if not isinstance(node, _DEFERRED):
            todo.extend(ast.iter_child_nodes(node))
    return found


def paths_written(stmts: Iterable[ast.stmt]) -> tuple[tuple[str, ...], ...]:
    """What statements write into in place, as far as one can see: the bases of `u[i] = v`, `self.u[i] += v`, and `u` of `u += v`."""
    found: dict[tuple[str, ...], None] = {}
    for node in (n for s in stmts for n in ast.walk(s)):
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            path = _path(node.value)
        elif isinstance(node, ast.AugAssign):
            path = _path(node.target)
        elif isinstance(node, ast.keyword) and node.arg == "out":
            path = _path(node.value)
        else:
            continue
        if path:
            found[path] = None
    return tuple(found)


def _path(node: ast.expr) -> tuple[str, ...]:
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        base = _path(node.value)
        return (*base, node.attr) if base else ()
    return ()


class Liveness:
    """Annotates the branches and loops in the body of a function: `live`, the variables that are live behind a branch or at the head of a loop."""

    def __init__(self, body: list[ast.stmt]):
        shared = declared(body, (ast.Global, ast.Nonlocal))
        deferred = {name for s in body for n in ast.walk(s) if isinstance(n, _DEFERRED) for name in names_read(n)}
        self.always = frozenset(shared | deferred)  # what others may read at any time
        self.loops: list[tuple[frozenset[str], frozenset[str]]] = []
        self.block(body, self.always)

    def block(self, stmts: list[ast.stmt], live: frozenset[str]) -> frozenset[str]:
        for s in reversed(stmts):
            live = self.statement(s, live) | self.always
        return live

    def statement(self, s: ast.stmt, live: frozenset[str]) -> frozenset[str]:
        if isinstance(s, ast.If):
            s.live = live
            return self.block(s.body, live) | self.block(s.orelse, live) | names_read(s.test)
        if isinstance(s, ast.While):
            return self.loop(s, live, names_read(s.test), set())
        if isinstance(s, (ast.For, ast.AsyncFor)):
            return self.loop(s, live, set(), set(names_bound([s.target]))) | names_read(s.iter)
        if isinstance(s, (ast.With, ast.AsyncWith)):
            inside = self.block(s.body, live)
            return inside | names_read([i.context_expr for i in s.items])
        if isinstance(s, (ast.Try, ast.Match)) or type(s).__name__ == "TryStar":
            return self.opaque(s, live)
        if isinstance(s, ast.Return):
            return frozenset(names_read(s))
        if isinstance(s, ast.Raise):
            return frozenset(names_read(s))
        if isinstance(s, ast.Break):
            return self.loops[-1][0]
        if isinstance(s, ast.Continue):
            return self.loops[-1][1]
        killed: set[str] = set()
        if isinstance(s, (ast.Assign, ast.Delete, ast.FunctionDef, ast.Import, ast.ImportFrom)) or isinstance(s, ast.AnnAssign) and s.value:
            killed = set(names_bound([s] if not isinstance(s, ast.Assign) else s.targets))
        read = names_read(s)
        if isinstance(s, ast.AugAssign):
            read |= set(names_bound([s.target]))
        return (live - killed) | read

    def loop(self, s, live: frozenset[str], test: set[str], targets: set[str]) -> frozenset[str]:
        after = self.block(s.orelse, live) | set(getattr(s, "exits", ()))
        head = after | test
        while True:
            self.loops.append((live, head))
            inside = self.block(s.body, head)
            self.loops.pop()
            grown = head | (inside - targets)
            if grown == head:
                break
            head = grown
        s.live, s.live_after = head, live
        return head

    def opaque(self, s: ast.stmt, live: frozenset[str]) -> frozenset[str]:
        """Any part may be left at any place: whatever is read anywhere in it is live throughout."""
        live = live | names_read(s)
        for part in (s, *getattr(s, "handlers", ()), *getattr(s, "cases", ())):
            for _, field in ast.iter_fields(part):
                if isinstance(field, list) and field and isinstance(field[0], ast.stmt):
                    self.block(field, live)
        return live
