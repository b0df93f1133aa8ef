"""A reader of pickles that can build plain containers, numbers, texts and what its table names, and nothing else.

`pickle.Unpickler` is a machine that imports and calls whatever the file asks for; closing its holes one by one is a race.  This is a machine of its
own for the few instructions that data needs: it imports nothing, calls nothing but the functions of its table, sets no attribute but `_metadata`
of an ordered dictionary, and allocates nothing whose size the file merely states.  `pickletools.genops` cuts the bytes into instructions.
"""

from __future__ import annotations

import pickle
import pickletools
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

_VALUES = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 "
    "SHORT_BINBYTES BINBYTES BINBYTES8 BYTEARRAY8".split()
)
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}  # fmt: skip
_FROM_MARK: dict[str, Callable[[list], Any]] = {
    "TUPLE": tuple, "LIST": list, "FROZENSET": lambda items: frozenset(map(_key, items)),
    "DICT": lambda items: {_key(k): v for k, v in zip(items[::2], items[1::2])},
}  # fmt: skip
_SIZED = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ITEMS = {"APPEND": 1, "SETITEM": 2}  # the others take all that lies above the mark
_IGNORED = frozenset({"PROTO", "FRAME"})
_MARK = object()


class Global:
    """A function or type that the file may name. It can be called, or stand in a persistent id; `value` is what it is as data (a dtype, say)."""

    __slots__ = ("name", "call", "value")

    def __init__(self, name: str, call: Callable | None = None, value: Any = None):
        self.name, self.call, self.value = name, call, value

    def __repr__(self) -> str:
        return self.name


def refuse(what: str) -> pickle.UnpicklingError:
    """The exception for a file that asks for more than data."""
    return pickle.UnpicklingError(
        f"{what}. Only tensors, parameters, numbers, texts, lists, tuples, dictionaries and sets are read from a file, since anything else could run "
        "code of whoever wrote it. Save `model.state_dict()` instead of the model itself"
    )


def _key(key: Any) -> Any:
    """A key of a dictionary or set: of types whose hash runs no code of the file's and does not recurse."""
    flat = key if type(key) is tuple else (key,)
    if any(isinstance(part, tuple | frozenset | Global) for part in flat):
        raise refuse("the file has a dictionary or set whose keys are nested tuples")
    return key


def _complex(real: float, imag: float) -> complex:
    if not (isinstance(real, int | float) and isinstance(imag, int | float)):
        raise refuse("the file has a complex number that is not made of two numbers")
    return complex(real, imag)


def _bytes(text: str, encoding: str) -> bytes:
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise refuse("the file encodes a text in an unusual way")
    return text.encode("latin1")


def _bytearray(contents: Any = b"", encoding: str = "latin1") -> bytearray:
    return bytearray(_bytes(contents, encoding) if type(contents) is str else _of(bytes, contents))


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise refuse(f"the file has a {type(value).__name__} where a {kind.__name__} is due")
    return value


def _mapping(kind: type) -> Callable:
    """An `OrderedDict` or `Counter` from nothing, from a dictionary or from a list of pairs."""

    def make(items: Any = ()) -> Any:
        pairs = items.items() if isinstance(items, dict) else items
        if not all(type(pair) in (tuple, list) and len(pair) == 2 for pair in pairs):
            raise refuse(f"the file has a {kind.__name__} that is not made of pairs")
        return kind({_key(k): v for k, v in pairs})

    return make


def _set_of(kind: type) -> Callable:
    return lambda items=(): kind(_key(item) for item in _of(list, items or []))


PLAIN = {
    g.name: g
    for g in (
        Global("collections.OrderedDict", _mapping(OrderedDict)),
        Global("collections.Counter", _mapping(Counter)),
        Global("builtins.set", _set_of(set)),
        Global("builtins.frozenset", _set_of(frozenset)),
        Global("builtins.complex", _complex),
        Global("builtins.bytearray", _bytearray),
        Global("_codecs.encode", _bytes),
    )
}
"""What every file may name: types of plain data."""


class _Machine:
    """The stack, marks and memo of one reading."""

    def __init__(self, names: Mapping[str, Global], persistent: Callable[[Any], Any]):
        self.names, self.persistent = names, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def above_mark(self) -> list[Any]:
        stack = self.stack
        for at in range(len(stack) - 1, -1, -1):
            if stack[at] is _MARK:
                items = stack[at + 1 :]
                del stack[at:]
                return items
        raise IndexError("no mark")

    def named(self, module: str, name: str) -> Any:
        full = f"{'builtins' if module == '__builtin__' else module}.{name}"
        found = self.names.get(full)
        if found is None:
            raise refuse(f"the file asks for {full!r}")
        return found if found.value is None else found.value

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Global or function.call is None or type(arguments) is not tuple:
            raise refuse(f"the file calls {function!r:.80}")
        try:
            self.stack.append(function.call(*arguments))
        except TypeError as error:  # a wrong number of arguments, or of wrong types
            raise pickle.UnpicklingError(f"{function.name} got arguments that it cannot take: {error}") from error

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is not OrderedDict or not isinstance(state, dict) or set(state) != {"_metadata"}:
            raise refuse(f"the file sets attributes of a {type(target).__name__}")
        target._metadata = state["_metadata"]

    def extend(self, items: list[Any], code: str) -> None:
        target = self.stack[-1]
        if code.startswith("APPEND"):
            _of(list, target).extend(items)
        elif code == "ADDITEMS":
            _of(set, target).update(map(_key, items))
        elif isinstance(target, dict) and len(items) % 2 == 0:
            for key, value in zip(items[::2], items[1::2]):
                target[_key(key)] = value
        else:
            raise refuse(f"the file sets items of a {type(target).__name__}")

    def step(self, code: str, argument: Any) -> None:
        stack = self.stack
        if code in _VALUES:
            stack.append(argument)
        elif code in _MADE:
            stack.append(_MADE[code]())
        elif code == "MARK":
            stack.append(_MARK)
        elif code in _SIZED:
            n = _SIZED[code]
            items = tuple(stack[-n:])
            del stack[-n:]
            stack.append(items)
        elif code in _FROM_MARK:
            stack.append(_FROM_MARK[code](self.above_mark()))
        elif code in _ITEMS:
            n = _ITEMS[code]
            items = stack[-n:]
            del stack[-n:]
            self.extend(items, code)
        elif code in ("APPENDS", "SETITEMS", "ADDITEMS"):
            self.extend(self.above_mark(), code)
        elif code in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif code == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif code in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif code == "GLOBAL":
            stack.append(self.named(*argument.split(" ", 1)))
        elif code == "STACK_GLOBAL":
            name, module = stack.pop(), stack.pop()
            stack.append(self.named(_of(str, module), _of(str, name)))
        elif code == "REDUCE":
            self.reduce()
        elif code == "BUILD":
            self.build()
        elif code == "BINPERSID":
            stack.append(self.persistent(stack.pop()))
        elif code not in _IGNORED:
            raise refuse(f"the file has the pickle instruction {code}")


def read(data: bytes, names: Mapping[str, Global], persistent: Callable[[Any], Any]) -> Any:
    """The object that a pickle describes.

    names: what the file may name besides plain data, by "module.name".
    persistent: what to make of a persistent id.
    Raises `pickle.UnpicklingError` for whatever is not data, and for a damaged pickle.
    """
    machine = _Machine({**PLAIN, **names}, persistent)
    code, at = None, 0
    try:
        for opcode, argument, position in pickletools.genops(data):
            code, at = opcode.name, position
            if code == "STOP":
                if len(machine.stack) != 1 or machine.stack[0] is _MARK:
                    break
                return machine.stack[0]
            machine.step(code, argument)
    except (IndexError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise pickle.UnpicklingError(f"the pickle is damaged: {code} at byte {at}: {error}") from error
    raise pickle.UnpicklingError("the pickle is damaged: it does not leave one object")
