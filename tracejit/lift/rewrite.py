"""The syntax tree of a function with its loops and branches turned into calls.

    for i in range(n):                     def _tj_turn(_tj_item):
        s += x[i]                              nonlocal i, s
                                               i = _tj_item
                                  ->           s += _tj.item(x, i)
                                           _tj.for_(_tj.called(range)(n), _tj_turn, 0)

The bodies are functions inside of the user's function, whose variables they share as closures do, so the user's code in them stays what it is.
What the calls do is decided when they run (`runtime`): nothing is compiled where nothing is traced.  New nodes have the places of those that they
stand for, so that tracebacks show the user's lines.
"""

from __future__ import annotations

import ast
import copy
from types import CodeType, FunctionType

from .jumps import HELPER, Jumps, helper
from .liveness import Facts, Liveness, declared, names_bound, names_read, paths_written
from .source import Definition, definition

_FACTORY = "_tj_factory"
_PARTS = ("_tj_turn", "_tj_test", "_tj_then", "_tj_else")
_NEVER = {"locals", "eval", "exec", "vars", "dir", "globals"}  # code that looks at its own scope


class Rewritten:
    """A rewritten function: its code, the names of its free variables, and the facts about its loops and branches."""

    def __init__(self, code: CodeType, facts: list[Facts]):
        self.code, self.facts = code, facts


def rewrite(function: FunctionType) -> Rewritten | None:
    """The function's code rewritten, or None where it is left as it is (generators, coroutines, what looks at its own variables).

    Raises `SourceError` where the source is not found.
    """
    code = function.__code__
    node = copy.deepcopy(definition(function))
    if _stays(node):
        return None
    facts: list[Facts] = []
    owner = code.co_qualname.rpartition(".")[0].rpartition(".")[2]
    transformer = _Rewriter(facts, owner if owner != "<locals>" else "", code.co_name)
    outer = [HELPER, *code.co_freevars]
    if isinstance(node, ast.Lambda):
        node = ast.copy_location(ast.Lambda(node.args, transformer.expression(node.body)), node)
        made: list[ast.stmt] = [ast.copy_location(ast.Return(node), node)]
    else:
        node = transformer.function(node, outermost=True)
        made = [] if node.name in code.co_freevars else [ast.copy_location(ast.Global([node.name]), node)]
        made += [node, ast.copy_location(ast.Return(ast.copy_location(ast.Name(node.name, ast.Load()), node)), node)]
    factory = ast.FunctionDef(_FACTORY, ast.arguments([], [ast.arg(n) for n in outer], None, [], [], None, []), made, [])
    module = ast.Module([ast.fix_missing_locations(ast.copy_location(factory, node))], [])
    whole = compile(ast.fix_missing_locations(module), code.co_filename, "exec", dont_inherit=True)
    return Rewritten(_renamed(_inner(_inner(whole, _FACTORY), code.co_name), code), facts)


def _inner(code: CodeType, name: str) -> CodeType:
    return next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name)


def _renamed(made: CodeType, original: CodeType) -> CodeType:
    """The code under the names that tracebacks and messages show: those of the user's function, for the parts that were cut out of it too."""

    def rename(code: CodeType, parent: CodeType) -> CodeType:
        part = code.co_name.startswith(_PARTS)
        own = parent.co_name if part else code.co_name
        qualified = parent.co_qualname if part else f"{parent.co_qualname}.<locals>.{own}"
        code = code.replace(co_name=own, co_qualname=qualified)
        return code.replace(co_consts=tuple(rename(c, code) if isinstance(c, CodeType) else c for c in code.co_consts))

    made = made.replace(co_name=original.co_name, co_qualname=original.co_qualname)
    return made.replace(co_consts=tuple(rename(c, made) if isinstance(c, CodeType) else c for c in made.co_consts))


def _stays(node: Definition) -> bool:
    """Whether a function cannot be taken apart."""
    if isinstance(node, ast.AsyncFunctionDef):
        return True
    todo = list(ast.iter_child_nodes(node)) if isinstance(node, ast.Lambda) else list(node.body)
    while todo:
        n = todo.pop()
        if isinstance(n, (ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFor, ast.AsyncWith)):
            return True
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in _NEVER:
            return True
        if not isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            todo.extend(ast.iter_child_nodes(n))
    return False


def _bind(names, at: ast.AST) -> ast.stmt:
    return ast.copy_location(ast.Assign([ast.Name(n, ast.Store()) for n in names], ast.Constant(None)), at)


class _Rewriter(ast.NodeTransformer):
    def __init__(self, facts: list[Facts], owner: str, name: str):
        self.facts, self.owner, self.name = facts, owner, name
        self.first = ""  # the first parameter, for `super()`
        self.shared: set[str] = set()  # `global` names of the function
        self.local: set[str] = set()

    # -- functions
    def function(self, node: ast.FunctionDef, outermost: bool = False) -> ast.FunctionDef:
        """The function rewritten, with decorators and defaults only if it is one inside of another: those of the outermost are done already."""
        arguments = [*node.args.posonlyargs, *node.args.args]
        saved = self.first, self.shared, self.local
        self.first = arguments[0].arg if arguments else ""
        self.shared = declared(node.body, ast.Global)
        head = [s for s in node.body[:1] if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) and isinstance(s.value.value, str)]
        body = Jumps().function(node.body[len(head) :] or [ast.copy_location(ast.Pass(), node)])
        Liveness(body)
        self.local = set()
        declarations = [s for s in body if isinstance(s, (ast.Global, ast.Nonlocal))]
        body = self.block([s for s in body if s not in declarations])
        parameters = {a.arg for a in (*arguments, *node.args.kwonlyargs, *filter(None, (node.args.vararg, node.args.kwarg)))}
        bound = sorted(self.local - parameters - declared(node.body, (ast.Global, ast.Nonlocal)))
        if bound:
            body = [ast.copy_location(ast.If(ast.Constant(False), [_bind(bound, node)], []), node), *body]
        self.first, self.shared, self.local = saved
        node.body = [*head, *declarations, *body]
        for a in (*arguments, *node.args.kwonlyargs, *filter(None, (node.args.vararg, node.args.kwarg))):
            a.annotation = None
        node.returns = None
        if outermost:
            node.decorator_list = []
            node.args.defaults = [ast.Constant(None) for _ in node.args.defaults]
            node.args.kw_defaults = [d and ast.Constant(None) for d in node.args.kw_defaults]
        else:
            node.decorator_list = [self.visit(d) for d in node.decorator_list]
            node.args.defaults = [self.visit(d) for d in node.args.defaults]
            node.args.kw_defaults = [d and self.visit(d) for d in node.args.kw_defaults]
        return node

    def expression(self, node: ast.expr) -> ast.expr:
        return self.visit(node)

    def block(self, stmts: list[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for s in stmts:
            new = self.visit(s)
            made += new if isinstance(new, list) else [new]
        return made

    def visit_FunctionDef(self, node):
        if _stays(node):
            return node
        return self.function(node)

    def visit_AsyncFunctionDef(self, node):
        return node

    visit_ClassDef = visit_AsyncFunctionDef

    # -- statements
    def _part(self, name: str, body: list[ast.stmt], at: ast.AST, arguments: tuple[str, ...] = ()) -> ast.FunctionDef:
        """Statements as a function that shares the variables around it."""
        bound = [n for n in names_bound(body) if not n.startswith(_PARTS)]
        self.local.update(n for n in bound if n not in self.shared and n not in arguments)
        head: list[ast.stmt] = []
        if shared := [n for n in bound if n in self.shared]:
            head.append(ast.Global(shared))
        if own := [n for n in bound if n not in self.shared and n not in arguments]:
            head.append(ast.Nonlocal(own))
        made = ast.FunctionDef(name, ast.arguments([], [ast.arg(a) for a in arguments], None, [], [], None, []), [*head, *body], [])
        return ast.fix_missing_locations(ast.copy_location(made, at))

    def _facts(self, node, kind: str, body: list[ast.stmt], read: set[str], **more) -> ast.Constant:
        assigned = tuple(names_bound([node]))
        bound = tuple(n for n in assigned if n in node.live)
        self.facts.append(Facts(kind, node.lineno, bound, frozenset(read), paths_written(body), assigned=assigned, **more))
        return ast.Constant(len(self.facts) - 1)

    def visit_For(self, node):
        if getattr(node, "plain", True):
            return self.generic_visit(node)
        targets = names_bound([node.target])
        alone = tuple(n for n in targets if n not in names_bound(node.body))
        number = self._facts(
            node, "for", node.body, names_read(node.body), exits=tuple(node.exits), targets=alone, live_after=frozenset(node.live_after)
        )
        item = "_tj_item"
        first = ast.copy_location(ast.Assign([node.target], ast.copy_location(ast.Name(item, ast.Load()), node)), node.target)
        name = f"_tj_turn{number.value}"
        part = self._part(name, [first, *self.block(node.body)], node, (item,))
        return [part, self._call("for_", [self.visit(node.iter), self._name(name, node), number], node)]

    def visit_While(self, node):
        if getattr(node, "plain", True):
            return self.generic_visit(node)
        read = names_read([node.test, *node.body])
        number = self._facts(node, "while", node.body, read, exits=tuple(node.exits), live_after=frozenset(node.live_after))
        test = self._part(f"_tj_test{number.value}", [ast.copy_location(ast.Return(self.visit(node.test)), node.test)], node.test)
        part = self._part(f"_tj_turn{number.value}", self.block(node.body), node)
        return [test, part, self._call("while_", [self._name(test.name, node), self._name(part.name, node), number], node)]

    def visit_If(self, node):
        if getattr(node, "plain", True):
            return self.generic_visit(node)
        number = self._facts(node, "if", [*node.body, *node.orelse], names_read([*node.body, *node.orelse]))
        orelse = node.orelse or [ast.copy_location(ast.Pass(), node)]
        parts = [self._part(f"_tj_{n}{number.value}", self.block(b), node) for n, b in (("then", node.body), ("else", orelse))]
        return [*parts, self._call("if_", [self.visit(node.test), *(self._name(p.name, node) for p in parts), number], node.test)]

    def visit_Assert(self, node):
        message = self._later(self.visit(node.msg)) if node.msg else ast.Constant(None)
        return self._call("assert_", [self.visit(node.test), message], node)

    def visit_AnnAssign(self, node):
        if node.value is None:
            return node
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    # -- expressions
    def visit_IfExp(self, node):
        if _binds(node):
            return self.generic_visit(node)
        return helper("choose", [self.visit(node.test), self._later(self.visit(node.body)), self._later(self.visit(node.orelse))], node)

    def visit_BoolOp(self, node):
        if _binds(node):
            return self.generic_visit(node)
        first, *others = [self.visit(v) for v in node.values]
        return helper("and_" if isinstance(node.op, ast.And) else "or_", [first, *map(self._later, others)], node)

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        return helper("not_", [node.operand], node) if isinstance(node.op, ast.Not) else node

    def visit_Compare(self, node):
        if len(node.ops) == 1 or _binds(node):
            return self.generic_visit(node)
        self.generic_visit(node)
        links: list[ast.expr] = []
        for op, right in zip(node.ops, node.comparators):
            pair = ast.Compare(ast.Name("_tj_l", ast.Load()), [op], [ast.Name("_tj_r", ast.Load())])
            compare = ast.Lambda(ast.arguments([], [ast.arg("_tj_l"), ast.arg("_tj_r")], None, [], [], None, []), pair)
            links += [compare, self._later(right)]
        return helper("compare", [node.left, *links], node)

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.value.id == HELPER:
            return node
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args and self.first:
            node.args = [ast.Name("__class__", ast.Load()), ast.Name(self.first, ast.Load())]
            return ast.fix_missing_locations(node)
        node.func = helper("called", [node.func], node.func)
        return node

    def visit_Subscript(self, node):
        if not isinstance(node.ctx, ast.Load) or _known(node.slice):
            return self.generic_visit(node)
        value, index = self.visit(node.value), self.visit(node.slice)
        return helper("item", [value, _index(index)], node)

    def visit_Attribute(self, node):
        self.generic_visit(node)
        node.attr = self._mangled(node.attr)
        return node

    def visit_Name(self, node):
        node.id = self._mangled(node.id)
        return node

    def visit_ListComp(self, node):
        return node if _binds(node) else self.generic_visit(node)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    # -- pieces
    def _mangled(self, name: str) -> str:
        """A private name of a class as the class's own code knows it."""
        private = self.owner.lstrip("_") and name.startswith("__") and not name.endswith("__")
        return f"_{self.owner.lstrip('_')}{name}" if private else name

    @staticmethod
    def _later(value: ast.expr) -> ast.Lambda:
        return ast.fix_missing_locations(ast.copy_location(ast.Lambda(ast.arguments([], [], None, [], [], None, []), value), value))

    @staticmethod
    def _name(name: str, at: ast.AST) -> ast.Name:
        return ast.copy_location(ast.Name(name, ast.Load()), at)

    @staticmethod
    def _call(method: str, args: list[ast.expr], at: ast.AST) -> ast.Expr:
        return ast.copy_location(ast.Expr(helper(method, args, at)), at)


def _binds(node: ast.AST) -> bool:
    """Whether an expression binds names or waits: it cannot become a function."""
    return any(isinstance(n, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)) for n in ast.walk(node))


def _known(index: ast.expr) -> bool:
    """Whether an index is the same whenever it is used: numbers, slices of numbers, `...`, `None`."""
    return all(isinstance(n, (ast.Constant, ast.Slice, ast.Tuple, ast.UnaryOp, ast.USub, ast.Load)) for n in ast.walk(index))


def _index(index: ast.expr) -> ast.expr:
    """An index as an ordinary expression."""
    if isinstance(index, ast.Slice):
        parts = [p or ast.Constant(None) for p in (index.lower, index.upper, index.step)]
        return ast.fix_missing_locations(ast.copy_location(helper("slice", parts, index), index))
    if isinstance(index, ast.Tuple):
        return ast.copy_location(ast.Tuple([_index(e) for e in index.elts], ast.Load()), index)
    return index


__all__ = ["Rewritten", "rewrite"]
