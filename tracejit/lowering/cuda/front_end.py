"""The source of a kernel as LLVM IR for NVPTX.

    text = llvm_text(source, "kernel", [(np.dtype("f4"), "pointer"), (np.dtype("i4"), "value")])

Numba's compiler takes 65 to 750 ms for a kernel, nearly all of it to find types that our sources say with each word.  This one reads the same
source in one pass over its syntax tree, and takes 1 to 3 ms.  What it knows is what `source.py` writes, and a little more:

- A module of constants (`c0 = float32(0.5)`) and one function, whose globals are these and the words of device_functions.py.
- Assignments to names, tuples of names and elements, `if`, `while`, `for` over ranges of constant step, `break`, `continue`, bare calls, `return`.
- Arithmetic, comparisons, `a if c else b`, `and`, `or`, `not`, `min` and `max`; elements of buffers and of shared and local arrays.

Two operands of different types are converted as NumPy would; a plain number has the type of the other operand.  A variable keeps its first type.
`//` and `%` are Python's.  Anything else raises `SourceError`, with the line.
"""

from __future__ import annotations

import ast
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..cpu.emit import Function, Module, Value
from ..cpu.scalar import kind_of
from .expressions import Array, Expressions, Range, in_memory
from .thread import DeviceThread
from .words import BOOL, TYPES, Typed, same, typed

Parameters = Sequence[tuple[np.dtype, str]]


# Python up to 3.12 counts the depth of syntax trees for all threads together, and raises SystemError where a collection of garbage lets another in.
_parsing = threading.RLock()


class SourceError(Exception):
    """The source of a kernel says something that the front end does not know: a bug in what wrote it."""


def llvm_text(source: str, name: str, parameters: Parameters, thread: type[DeviceThread] = DeviceThread) -> str:
    """The kernel `name` of a source as the text of an LLVM module.

    `parameters` are the dtype of each, and whether it is a "pointer" to such elements or a "value".  An array that a kernel writes to overlaps no
    other one that it takes, so what it only reads goes through the read-only cache.  `thread` is the emitter, which decides where the code runs.
    """
    with _parsing:
        tree = ast.parse(source)
    constants: dict[str, Any] = {name: dtype.type for name, dtype in TYPES.items()}
    known = set(constants)
    function = next((item for item in tree.body if isinstance(item, ast.FunctionDef) and item.name == name), None)
    if function is None:
        raise SourceError(f"the source has no function {name}:\n{source}")
    with _parsing:
        code = compile(ast.Module([item for item in tree.body if isinstance(item, ast.Assign)], []), f"<kernel {name}>", "exec")
    exec(code, constants)
    numbers = {key: value for key, value in constants.items() if isinstance(value, np.generic | bool | int | float) and key not in known}
    return _Kernel(function, source, parameters, numbers, thread).text()


class _Kernel(Expressions):
    """One kernel while it is read."""

    def __init__(
        self,
        tree: ast.FunctionDef,
        source: str,
        parameters: Parameters,
        constants: dict[str, Any],
        thread: type[DeviceThread],
    ):
        super().__init__(thread)
        self.source = source
        self.module = Module()
        self.loops: list[tuple[str, str, Callable[[], None]]] = []  # of each: where continue and break go, and what continue does first
        self.assigned = Counter(name for node in _statements(tree.body) for name in _assigned(node))
        labels = [argument.arg for argument in tree.args.args]
        dtypes = [np.dtype(dtype) for dtype, _ in parameters]
        pointers = {label for label, (_, how) in zip(labels, parameters, strict=True) if how == "pointer"}
        stored = _stored(tree)
        declared = []
        for label, dtype in zip(labels, map(in_memory, dtypes)):
            if label in pointers:
                access = "" if label in stored else "readonly "
                declared.append((f"{thread.buffer} noalias {access}align {dtype.itemsize}", label))
                self.names[label] = Array(Value(f"%{label}", thread.buffer), dtype)
            else:
                declared.append((kind_of(dtype), label))
        self.function = Function(self.module, tree.name, [*declared, *thread.record], linkage=thread.linkage)
        self.emitter = thread(self.function, 1)
        for key, value in constants.items():
            self.names[key] = typed(self.emitter, value.item(), value.dtype) if isinstance(value, np.generic) else value
        for label, dtype in zip(labels, dtypes):
            if label not in pointers:
                value = Typed(self.function.parameter(label), in_memory(dtype))
                value = typed(self.emitter, value, BOOL) if dtype.kind == "b" else value
                if self.assigned[label]:
                    self.assigned[label] += 1  # a variable that has a value already
                self._bind(label, value)
        self.returned = self.function.fresh_label("return")
        self._block(tree.body)
        self.function.br(self.returned)
        self.function.label(self.returned)
        self.function.ret()

    def text(self) -> str:
        return "\n".join([*self.shared, self.module.text()])

    # -- statements
    def _block(self, statements: Sequence[ast.stmt]) -> bool:
        """Write statements; whether control leaves them at their end."""
        for statement in statements:
            write = getattr(self, f"_{type(statement).__name__}", None)
            if write is None:
                raise self._error(statement, f"no {type(statement).__name__}")
            try:
                if write(statement) is False:
                    return False
            except (KeyError, TypeError, AttributeError, ValueError, NotImplementedError) as error:
                raise self._error(statement, str(error)) from error
        return True

    def _error(self, node: ast.AST, why: str) -> SourceError:
        line = self.source.splitlines()[node.lineno - 1].strip()
        return SourceError(f"line {node.lineno}, {line!r}: {why}\n{self.source}")

    def _Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                array, place = self._element(target)
                e = self.emitter
                x = typed(e, self._number(node.value), array.dtype)
                e.store(x.value, place, array.dtype.itemsize)
            elif isinstance(target, ast.Name):
                self._bind(target.id, self._value(node.value))
            elif isinstance(target, ast.Tuple):
                for name, value in zip(target.elts, self._value(node.value), strict=True):
                    self._bind(name.id, value)
            else:
                raise TypeError("only names and elements are assigned to")

    def _AugAssign(self, node: ast.AugAssign) -> None:
        e = self.emitter
        if isinstance(node.target, ast.Name):
            self._bind(node.target.id, self._operate(node.op, self._value(_loaded(node.target)), self._number(node.value)))
            return
        array, place = self._element(node.target)
        old = self._load(array, place)
        e.store(typed(e, self._operate(node.op, old, self._number(node.value)), array.dtype).value, place, array.dtype.itemsize)

    def _bind(self, name: str, value: Any) -> None:
        """Give a name a value: a name with several assignments is memory on the stack, which LLVM promotes to registers."""
        if isinstance(value, Array) or name in self.names and not isinstance(self.names[name], Typed):
            self.names[name] = value
            return
        value = typed(self.emitter, value, self.variables[name][1] if name in self.variables and not isinstance(value, Typed) else None)
        if self.assigned[name] < 2:
            self.names[name] = value
            return
        if name not in self.variables:
            self.variables[name] = self.function.alloca(kind_of(value.dtype), 1, 8), value.dtype
        place, dtype = self.variables[name]
        if dtype != value.dtype:
            raise TypeError(f"{name} is {dtype.name} before and {value.dtype.name} here")
        self.emitter.store(value.value, place, 8)

    def _Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self._value(node.value)

    def _Pass(self, node: ast.Pass) -> None:
        pass

    def _If(self, node: ast.If) -> bool:
        f = self.function
        condition = self._condition(node.test)
        before, then, otherwise, after = f.block, f.fresh_label("then"), f.fresh_label("else"), f.fresh_label("endif")
        f.cbr(condition, then, otherwise if node.orelse else after)
        reached = not node.orelse
        for label, statements in ((then, node.body), (otherwise, node.orelse)):
            if statements:
                f.label(label, dominator=before)
                if self._block(statements):
                    f.br(after)
                    reached = True
        if reached:
            f.label(after, dominator=before)
        return reached

    def _While(self, node: ast.While) -> None:
        self._loop(lambda: self._condition(node.test), node.body, lambda: None)

    def _loop(self, test: Callable[[], Value], body: Sequence[ast.stmt], following: Callable[[], None]) -> None:
        f = self.function
        before, again, inside, after = f.block, f.fresh_label("while"), f.fresh_label("do"), f.fresh_label("done")
        f.br(again)
        f.label(again, dominator=before)
        f.cbr(test(), inside, after)
        tested = f.block
        f.label(inside, dominator=tested)
        self.loops.append((again, after, following))
        if self._block(body):
            following()
            f.br(again)
        self.loops.pop()
        f.label(after, dominator=tested)

    def _For(self, node: ast.For) -> None:
        span = self._value(node.iter)
        if not isinstance(span, Range) or not isinstance(node.target, ast.Name):
            raise TypeError("for loops go over ranges")
        e = self.emitter
        start, stop = same(e, span.start, span.stop)
        name = node.target.id
        self.assigned[name] += 1  # it changes
        self._bind(name, start)

        def test() -> Value:
            return e.icmp("slt" if span.step > 0 else "sgt", self._read(name).value, stop.value)

        def following() -> None:
            self._bind(name, self._operate(ast.Add(), self._read(name), span.step))

        self._loop(test, node.body, following)

    def _Break(self, node: ast.Break) -> bool:
        self.function.br(self.loops[-1][1])
        return False

    def _Continue(self, node: ast.Continue) -> bool:
        again, _, following = self.loops[-1]
        following()
        self.function.br(again)
        return False

    def _Return(self, node: ast.Return) -> bool:
        if node.value is not None:
            raise TypeError("a kernel returns nothing")
        self.function.br(self.returned)
        return False


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements of a block, those inside of others too."""
    for node in body:
        yield node
        for inside in ("body", "orelse"):
            yield from _statements(getattr(node, inside, ()))


def _stored(tree: ast.FunctionDef) -> set[str]:
    """The buffers that a kernel writes to."""
    found = set()
    for node in _statements(tree.body):
        if isinstance(node, ast.Assign | ast.AugAssign):
            found |= {ast.unparse(t.value) for t in _targets(node) if isinstance(t, ast.Subscript)}
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and node.value.args:  # atomic updates, vectors
            found.add(ast.unparse(node.value.args[0]))
    return found


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign | ast.For) else []


def _assigned(node: ast.stmt) -> list[str]:
    """The names that a statement assigns to."""
    return [name.id for t in _targets(node) for name in (t.elts if isinstance(t, ast.Tuple) else [t]) if isinstance(name, ast.Name)]


def _loaded(name: ast.Name) -> ast.Name:
    return ast.copy_location(ast.Name(name.id, ast.Load()), name)


__all__ = ["Parameters", "SourceError", "llvm_text"]
