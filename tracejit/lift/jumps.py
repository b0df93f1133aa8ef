"""`break`, `continue` and early `return` written without jumps.

A branch or loop that may be compiled becomes a function of its own, and one cannot jump out of a function.  So

    if a:                     if a:                                for x in xs:                for x in xs:  (while not stop)
        return 1                  result = 1                           if c(x): break              if c(x): stop = True
    b()                  ->   else:                        and         f(x)               ->       else:
    return 2                      b()                                                                  f(x)
                                  result = 2
                              return result

What follows a branch that always jumps goes into the other branch; where that is not enough a flag is set, and what follows is done if it is not.
A jump out of `try`, `with` or `match` stays a jump, and the statements around it stay Python's (`plain`).
"""

from __future__ import annotations

import ast
from typing import NamedTuple

RESULT, RETURNED = "_tj_result", "_tj_returned"
HELPER = "_tj"
_OPAQUE = (ast.Try, ast.With, ast.Match) + ((ast.TryStar,) if hasattr(ast, "TryStar") else ())
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_LOOPS = (ast.For, ast.While)


class Loop(NamedTuple):
    """The flags of a loop: `stop` ends it, `skip` ends the turn."""

    stop: str
    skip: str


def escaping(node: ast.AST) -> set[str]:
    """Which jumps leave a statement: "return", "break", "continue"."""
    if isinstance(node, ast.Return):
        return {"return"}
    if isinstance(node, ast.Break):
        return {"break"}
    if isinstance(node, ast.Continue):
        return {"continue"}
    if isinstance(node, _SCOPES):
        return set()
    if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
        inside = set().union(*map(escaping, node.body)) & {"return"}
        return inside.union(*map(escaping, node.orelse))
    return set().union(*map(escaping, ast.iter_child_nodes(node)))


def _has_opaque_jump(node: ast.AST) -> bool:
    """Whether a jump leaves this statement, or turns a loop that it is, from inside of a `try`, `with` or `match`."""
    if isinstance(node, _SCOPES):
        return False
    if isinstance(node, _OPAQUE):
        return bool(escaping(node))
    if isinstance(node, ast.AsyncFor):
        return bool(escaping(node))
    return any(map(_has_opaque_jump, ast.iter_child_nodes(node)))


def _ends(stmts: list[ast.stmt]) -> bool:
    """Whether control never goes on behind these statements."""
    for s in stmts:
        if isinstance(s, (ast.Return, ast.Break, ast.Continue, ast.Raise)):
            return True
        if isinstance(s, ast.If) and s.orelse and _ends(s.body) and _ends(s.orelse):
            return True
    return False


def _only_raises(stmts: list[ast.stmt]) -> bool:
    return _ends(stmts) and not set().union(*map(escaping, stmts))


def _name(name: str, at: ast.AST, store: bool = False) -> ast.Name:
    return ast.copy_location(ast.Name(name, ast.Store() if store else ast.Load()), at)


def assign(name: str, value: ast.expr, at: ast.AST) -> ast.Assign:
    return ast.copy_location(ast.Assign([_name(name, at, True)], value), at)


def helper(method: str, args: list[ast.expr], at: ast.AST) -> ast.Call:
    """The call of one of the functions that lifted code works with."""
    made = ast.Call(ast.Attribute(_name(HELPER, at), method, ast.Load()), args, [])
    return ast.fix_missing_locations(ast.copy_location(made, at))


def _constant(value, at: ast.AST) -> ast.Constant:
    return ast.copy_location(ast.Constant(value), at)


class Jumps:
    """Rewrites the body of one function. Loops get attributes `exits`, the flags that end them; what stays Python's gets `plain`."""

    def __init__(self) -> None:
        self.count = 0
        self.returns = False

    def function(self, body: list[ast.stmt]) -> list[ast.stmt]:
        last = body[-1]
        if not _ends(body):
            body = [*body, ast.copy_location(ast.Return(None), last)]
        made, _ = self._block(body, None, lifted=False, plain=False)
        if self.returns:
            made = [assign(RETURNED, _constant(False, body[0]), body[0]), *made]
            made.append(ast.copy_location(ast.Return(_name(RESULT, last)), last))
        return _without_idle_flags(made)

    def _block(self, stmts: list[ast.stmt], loop: Loop | None, lifted: bool, plain: bool) -> tuple[list[ast.stmt], set[str]]:
        """The statements without jumps, and the flags that they may have set at their end. `lifted`: they become a function of their own."""
        made: list[ast.stmt] = []
        flags: set[str] = set()
        for i, s in enumerate(stmts):
            rest = stmts[i + 1 :]
            if isinstance(s, (ast.Return, ast.Break, ast.Continue)):
                if plain or isinstance(s, ast.Return) and not lifted:
                    return [*made, s], flags
                new, more = self._jump(s, loop)
                return [*made, *new], flags | more
            if isinstance(s, ast.If) and rest and not plain and escaping(s) and not _has_opaque_jump(s):
                if _ends(s.body):
                    s = _copied(s, ast.If(s.test, s.body, [*s.orelse, *rest]))
                    rest = []
                elif s.orelse and _ends(s.orelse):
                    s = _copied(s, ast.If(s.test, [*s.body, *rest], s.orelse))
                    rest = []
            new, more = self._statement(s, loop, lifted, plain)
            made += new
            flags |= more
            if more and rest:
                inside, later = self._block(rest, loop, True, plain)
                test = helper("unset", [_name(f, s) for f in sorted(more)], rest[0])
                made.append(_branch(test, inside, rest[0]))
                return made, flags | later
            if not rest:
                break
        return made, flags

    def _jump(self, s: ast.stmt, loop: Loop | None) -> tuple[list[ast.stmt], set[str]]:
        if isinstance(s, ast.Return):
            self.returns = True
            value = s.value or _constant(None, s)
            return [assign(RESULT, value, s), assign(RETURNED, _constant(True, s), s)], {RETURNED}
        new = [assign(loop.skip, _constant(True, s), s)]
        if isinstance(s, ast.Break):
            new.append(assign(loop.stop, _constant(True, s), s))
        return new, {loop.skip}

    def _statement(self, s: ast.stmt, loop: Loop | None, lifted: bool, plain: bool) -> tuple[list[ast.stmt], set[str]]:
        if isinstance(s, _SCOPES):
            return [s], set()
        if isinstance(s, (ast.If, *_LOOPS)):
            stays = _has_opaque_jump(s) or plain and bool(escaping(s))
            if isinstance(s, ast.If):
                return self._if(s, loop, lifted, plain or stays, stays)
            return self._plain_loop(s) if stays else self._loop(s)
        if isinstance(s, _OPAQUE):
            for _, field in ast.iter_fields(s):
                if isinstance(field, list) and field and isinstance(field[0], ast.stmt):
                    field[:] = self._block(field, loop, lifted, True)[0]
            for part in (*getattr(s, "handlers", ()), *getattr(s, "cases", ())):
                part.body = self._block(part.body, loop, lifted, True)[0]
        return [s], set()

    def _if(self, s: ast.If, loop: Loop | None, lifted: bool, plain: bool, stays: bool) -> tuple[list[ast.stmt], set[str]]:
        # A branch that raises cannot be compiled: which way to go must be known.
        stays = stays or _only_raises(s.body) or bool(s.orelse) and _only_raises(s.orelse)
        lifted = lifted or not stays
        body, flags = self._block(s.body, loop, lifted, plain)
        orelse, more = self._block(s.orelse, loop, lifted, plain) if s.orelse else ([], set())
        made = _copied(s, ast.If(s.test, body or [ast.copy_location(ast.Pass(), s)], orelse))
        made.plain = stays
        return [made], flags | more

    def _plain_loop(self, s: ast.For | ast.While) -> tuple[list[ast.stmt], set[str]]:
        s.body = self._block(s.body, None, False, True)[0]
        s.orelse = self._block(s.orelse, None, False, True)[0] if s.orelse else []
        s.plain = True
        return [s], set()

    def _loop(self, s: ast.For | ast.While) -> tuple[list[ast.stmt], set[str]]:
        self.count += 1
        if isinstance(s, ast.While) and any(isinstance(n, ast.NamedExpr) for n in ast.walk(s.test)):
            if set().union(*map(escaping, s.orelse)) & {"break", "continue"}:
                return self._plain_loop(s)
            s = _tested_inside(s, f"_tj_going{self.count}")
        own = Loop(f"_tj_stop{self.count}", f"_tj_skip{self.count}")
        jumps = set().union(*map(escaping, s.body))
        body, flags = self._block(s.body, own, True, False)
        if own.skip in flags:
            body = [assign(own.skip, _constant(False, s), s), *body]
        made = _copied(s, ast.For(s.target, s.iter, body, []) if isinstance(s, ast.For) else ast.While(s.test, body, []))
        made.exits = [*([own.stop] if "break" in jumps else []), *([RETURNED] if "return" in jumps else [])]
        made.plain = False
        result: list[ast.stmt] = [assign(own.stop, _constant(False, s), s)] if "break" in jumps else []
        result.append(made)
        flags = {RETURNED} if "return" in jumps else set()
        if s.orelse:
            after, more = self._block(s.orelse, None, True, False)
            if made.exits:
                test = helper("unset", [_name(f, s) for f in made.exits], s.orelse[0])
                after = [_branch(test, after, s.orelse[0])]
            result += after
            flags |= more
        return result, flags


def _tested_inside(s: ast.While, going: str) -> ast.While:
    """A loop whose condition binds variables (`while (y := f(x)) > 0`), which a function of its own could not carry to the next turn: as a statement
    of the turn it can."""
    ends = ast.copy_location(ast.If(ast.UnaryOp(ast.Not(), _name(going, s.test)), [*s.orelse, ast.copy_location(ast.Break(), s.test)], []), s.test)
    made = _copied(s, ast.While(_constant(True, s.test), [assign(going, s.test, s.test), ends, *s.body], []))
    return ast.fix_missing_locations(made)


def _branch(test: ast.expr, body: list[ast.stmt], at: ast.AST) -> ast.If:
    made = ast.copy_location(ast.If(test, body, []), at)
    made.plain = False
    return made


def _copied(old: ast.AST, new: ast.AST):
    return ast.copy_location(new, old)


def _without_idle_flags(stmts: list[ast.stmt]) -> list[ast.stmt]:
    """The statements without the flags that nobody asks for: nested branches have done without."""
    asked = {n.id for s in stmts for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    asked |= {name for s in stmts for n in ast.walk(s) for name in getattr(n, "exits", ())}

    class Prune(ast.NodeTransformer):
        def visit_Assign(self, node):
            target = node.targets[0]
            idle = isinstance(target, ast.Name) and target.id.startswith("_tj_") and target.id != RESULT and target.id not in asked
            return ast.copy_location(ast.Pass(), node) if idle else node

        def visit_FunctionDef(self, node):
            return node

        visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = visit_FunctionDef

    return [Prune().visit(s) for s in stmts]
