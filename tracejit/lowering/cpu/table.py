"""From two trees of specs to the table of words that drives an entry: the records that the entry's code reads.

Arguments and result are walked once.  A node's children are written before it, and it refers to them by address.  Which slot, object and cell of the
call's frame a leaf uses is settled here, as an offset.  Ten leaves take 0.15 ms.
"""
import sys
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple as Named

import numpy as np

from . import abi
from .entry_code import LAYOUT
from .pool import LARGE, Pool
from .specs import Argument, Array, Constant, Dict, List, NamedTuple, Nothing, PyScalar, Registered, SameAs, Spec, Static, Tuple, Watch, leaves

_WORD = 8
_CELL = 16

_PYTHON_TYPES = {"bool": bool, "int": int, "float": float, "complex": complex}


class Table(np.ndarray):
    """The words of one entry, and in `owned` the objects that they point at."""

    owned: tuple


class Call(Named):
    """How the arguments of a call come: the last ones by these keywords; their leaves are numbered in `order`, a permutation of the arguments.
    `watches` are places that must not have changed; `guarded`: the program has one result more, a bool, and the call is a miss where that is false.
    """

    keywords: Sequence[str] = ()
    order: Sequence[int] | None = None
    watches: Sequence[Watch] = ()
    guarded: bool = False


def write_table(code: Mapping[str, int], pool: Pool, arguments: Sequence[Spec], result: Spec, program: int, captured: Sequence[int], miss: object,
                call: Call, release_gil: bool) -> Table:
    """The table for one signature, over the shared functions at the addresses `code`.  Errors and the other arguments: see `compile_entry`."""
    return _Writer(code, pool, arguments, result, len(captured), call).write_table(program, captured, miss, release_gil)


class _Place(Named):
    """A word of the table whose address is wanted."""

    index: int


class _Writer:
    def __init__(self, code: Mapping[str, int], pool: Pool, arguments: Sequence[Spec], result: Spec, captured_count: int, call: Call):
        self.code, self.pool = code, pool
        self.arguments, self.result, self.call = arguments, result, call
        self.argument_count = sum(1 for _ in leaves(arguments))  # leaves
        self.result_count = sum(1 for _ in leaves([result])) + call.guarded
        self.handed_on = {spec.leaf for spec in _nodes(result) if isinstance(spec, Argument)}  # arguments that are results
        self.captured_count = captured_count
        self.words: list[int | _Place] = []
        self.owned: list[object] = []
        self.arrays: list[_Place] = []  # the result leaves that are allocated, and those that are boxed
        self.scalars: list[_Place] = []
        self.taken = self.given = self.cells = 0

    def write_table(self, program: int, captured: Sequence[int], miss: object, release_gil: bool) -> Table:
        self.write([0] * (len(LAYOUT["Signature"]) - 1 + len(self.arguments)))  # the signature comes first and is known last
        order = range(len(self.arguments)) if self.call.order is None else self.call.order
        taken = {place: self.take(self.arguments[place]) for place in order}
        arguments = [taken[place] for place in range(len(self.arguments))]
        result = self.give(self.result)
        guard = self.cell(self.cells) if self.call.guarded else 0
        if self.call.guarded:
            self.give_array(Array((), np.dtype(bool)))
        signature = self.row(
            "Signature",
            argument_count=len(arguments),
            keyword_count=len(self.call.keywords),
            keywords=self.write([self.own(sys.intern(name)) for name in self.call.keywords]),
            watch_count=len(self.call.watches),
            watches=self.write([self.watch(each) for each in self.call.watches]),
            miss=self.own(miss),
            frame_size=self.cell(self.cells),
            objects=self.argument_object(0),
            object_count=self.argument_count + self.result_count,
            captured_slots=self.argument_slot(self.argument_count),
            captured_count=len(captured),
            captured=self.write(captured),
            array_count=len(self.arrays),
            arrays=self.write(self.arrays),
            scalar_count=len(self.scalars),
            scalars=self.write(self.scalars),
            program=program,
            releases_gil=int(release_gil),
            guard=guard,
            result=result,
            arguments=arguments,
        )
        self.words[: len(signature)] = signature
        table = np.zeros(len(self.words), np.int64).view(Table)
        base = abi.data_address(table)
        table[:] = [base + _WORD * word.index if isinstance(word, _Place) else word for word in self.words]
        table.flags.writeable = False
        table.owned = tuple(self.owned)
        return table

    # ------------------------------------------------------------------------------------------------------------------------ words
    def write(self, values: Sequence[int | _Place]) -> _Place:
        place = _Place(len(self.words))
        self.words += values
        return place

    def record(self, kind: str, **values: int | _Place | list) -> _Place:
        return self.write(self.row(kind, **values))

    def row(self, kind: str, **values: int | _Place | list) -> list[int | _Place]:
        """The words of a record; a list goes inline."""
        row: list = []
        for name in LAYOUT[kind]:
            value = values.pop(name)
            row += value if isinstance(value, list) else [value]
        assert not values, f"{kind} has no fields {list(values)}"
        return row

    def own(self, thing: object) -> int:
        """The address of an object, which will live as long as the table."""
        self.owned.append(thing)
        return id(thing)

    # ---------------------------------------------------------------------------------------------------------- offsets into the frame
    def argument_slot(self, leaf: int) -> int:
        return _WORD * leaf

    def result_slot(self, leaf: int) -> int:
        return _WORD * (self.argument_count + self.captured_count + leaf)

    def argument_object(self, leaf: int) -> int:
        return self.result_slot(self.result_count) + _WORD * leaf

    def result_object(self, leaf: int) -> int:
        return self.argument_object(self.argument_count) + _WORD * leaf

    def cell(self, index: int) -> int:
        """Cells start at the next multiple of their size after the objects."""
        return -(-self.result_object(self.result_count) // _CELL) * _CELL + index * _CELL

    def new_cell(self, size: int = _CELL) -> int:
        offset = self.cell(self.cells)
        self.cells += -(-size // _CELL)
        return offset

    # ---------------------------------------------------------------------------------------------------------------------- arguments
    def take(self, spec: Spec) -> _Place:
        match spec:
            case Array():
                return self.take_array(spec)
            case PyScalar():
                return self.take_number(spec)
            case Tuple(children):
                return self.take_items("take_tuple", tuple, children)
            case NamedTuple(cls, children):
                return self.take_items("take_tuple", _checked(cls, children), children)
            case List(children):
                return self.take_items("take_list", list, children)
            case Dict(keys, children):
                pairs = self.pairs(keys, [self.take(child) for child in children])
                return self.record("Keyed", function=self.code["take_dict"], type=self.own(dict), count=len(keys), pairs=pairs)
            case Nothing():
                return self.record("Exact", function=self.code["take_same"], value=self.own(None), type=self.own(type(None)))
            case Static(value):
                compare = {int: "take_equal", str: "take_equal", float: "take_bits"}.get(type(value), "take_same")
                return self.record("Exact", function=self.code[compare], value=self.own(value), type=self.own(type(value)))
            case Registered(cls, flatten, _, metadata, children):
                nodes = [self.take(child) for child in children]
                return self.record("Registered", function=self.code["take_registered"], type=self.own(cls), convert=self.own(flatten),
                                   metadata=self.own(metadata), type_of_tuple=self.own(tuple), count=len(nodes), children=nodes)
        raise TypeError(f"{spec!r} does not describe an argument")

    def take_items(self, function: str, cls: type, children: Sequence[Spec]) -> _Place:
        nodes = [self.take(child) for child in children]
        return self.record("Items", function=self.code[function], type=self.own(cls), count=len(nodes), children=nodes)

    def argument_leaf(self) -> dict[str, int]:
        """Where the next argument leaf goes."""
        leaf = {"slot": self.argument_slot(self.taken), "object": self.argument_object(self.taken)}
        self.taken += 1
        return leaf

    def take_array(self, spec: Array) -> _Place:
        dtype = _number(spec.dtype)
        copies = int(self.taken not in self.handed_on)
        return self.record(
            "ArrayLeaf",
            function=self.code["take_array" if spec.shape else "take_number"],
            type=self.own(np.ndarray),
            **self.argument_leaf(),
            copies=copies,
            scalar_type=self.own(dtype.type),
            descr=self.own(dtype),
            type_num=dtype.num,
            twin_num=_twin(dtype.char),
            rank=len(spec.shape),
            dims=list(spec.shape),
        )

    def take_number(self, spec: PyScalar) -> _Place:
        leaf = {"type": self.own(_PYTHON_TYPES[spec.kind]), **self.argument_leaf()}
        match spec.kind:
            case "int":
                return self.record("IntLeaf", function=self.code["take_int"], **leaf, cell=self.new_cell())
            case "bool":
                return self.record("BoolLeaf", function=self.code["take_bool"], **leaf, true=self.own(True))
        return self.record("Leaf", function=self.code["take_float"], **leaf)  # a complex number's value is in the same place

    def watch(self, watch: Watch) -> _Place:
        if watch.kind == "contents":
            self.own(watch.value)
            place, contents = self.own(watch.container), abi.data_address(watch.value)
            return self.record("Watch", function=self.code["watch_contents"], container=place, key=watch.value.nbytes, value=contents)
        is_length = watch.kind.endswith("length")
        return self.record(
            "Watch",
            function=self.code[f"watch_{watch.kind}"],
            container=self.own(watch.container),
            key=watch.key if watch.kind == "item" else self.own(watch.key),
            value=watch.value if is_length else 0 if watch.absent else self.own(watch.value),
        )

    # ------------------------------------------------------------------------------------------------------------------------ results
    def give(self, spec: Spec) -> _Place:
        match spec:
            case Array():
                return self.give_array(spec)
            case Argument(leaf):
                _check_leaf(spec, leaf, self.argument_count)
                return self.give_object(self.argument_object(leaf))
            case SameAs(leaf):
                _check_leaf(spec, leaf, self.result_count)
                return self.give_object(self.result_object(leaf))
            case Nothing():
                return self.record("Known", function=self.code["give_known"], value=self.own(None))
            case Constant(value):
                return self.record("Known", function=self.code["give_known"], value=self.own(value))
            case Tuple(children):
                return self.give_items("give_tuple", tuple, children)
            case NamedTuple(cls, children):
                return self.give_items("give_named", _checked(cls, children), children)
            case List(children):
                return self.give_items("give_list", list, children)
            case Dict(keys, children):
                pairs = self.pairs(keys, [self.give(child) for child in children])
                return self.record("NewDict", function=self.code["give_dict"], template=self.own(dict.fromkeys(keys)), count=len(keys), pairs=pairs)
            case Registered(_, _, unflatten, metadata, children):
                items = self.give_items("give_tuple", tuple, children)
                return self.record("NewRegistered", function=self.code["give_registered"], convert=self.own(unflatten),
                                   metadata=self.own(metadata), children=items)
        raise TypeError(f"{spec!r} does not describe a result")

    def give_items(self, function: str, cls: type, children: Sequence[Spec]) -> _Place:
        nodes = [self.give(child) for child in children]
        return self.record("Items", function=self.code[function], type=self.own(cls), count=len(nodes), children=nodes)

    def give_object(self, offset: int) -> _Place:
        return self.record("FrameObject", function=self.code["give_object"], object=offset)

    def give_array(self, spec: Array) -> _Place:
        dtype = _number(spec.dtype)
        leaf = {"slot": self.result_slot(self.given), "object": self.result_object(self.given), "descr": self.own(dtype)}
        self.given += 1
        if spec.shape:
            self.arrays.append(self.record(
                "NewArray",
                function=self.code["prepare_pooled" if spec.nbytes >= LARGE else "prepare_array"],
                **leaf,
                type=self.own(np.ndarray),
                rank=len(spec.shape),
                dims=self.write(spec.shape),
                size=spec.nbytes,
                pool=self.pool.address,
                handler=self.own(self.pool.capsule),
            ))  # fmt: skip
        else:
            self.scalars.append(self.record("NewScalar", **leaf, cell=self.new_cell(dtype.itemsize)))
        return self.give_object(leaf["object"])

    # --------------------------------------------------------------------------------------------------------------------------- both
    def pairs(self, keys: Sequence[Hashable], nodes: list[_Place]) -> list[int | _Place]:
        if not len(set(keys)) == len(keys) == len(nodes):
            raise TypeError(f"a dict with the keys {list(keys)} cannot have {len(nodes)} children")
        return [word for key, node in zip(keys, nodes, strict=True) for word in (self.own(key), node)]


def _nodes(spec: Spec) -> Iterator[Spec]:
    yield spec
    for child in getattr(spec, "children", ()):
        yield from _nodes(child)


def _number(dtype: np.dtype) -> np.dtype:
    """NumPy's own object for a native number's dtype."""
    if not dtype.isnative or dtype.char not in abi.NUMBERS:
        raise TypeError(f"a native call takes and gives booleans, integers, floats and complex numbers of native byte order, not {dtype!r}")
    return np.dtype(dtype.char)


@cache
def _twin(character: str) -> int:
    """The type number of the other C type of the same meaning (`long long` for `long`), or its own."""
    dtype = np.dtype(character)
    return next((other.num for other in map(np.dtype, abi.NUMBERS) if other == dtype and other.num != dtype.num), dtype.num)


def _checked(cls: type, children: Sequence[Spec]) -> type:
    if not (issubclass(cls, tuple) and hasattr(cls, "_fields") and len(cls._fields) == len(children)):
        raise TypeError(f"{cls.__name__} is not a named tuple of {len(children)} fields")
    return cls


def _check_leaf(spec: Argument | SameAs, leaf: int, count: int) -> None:
    if not 0 <= leaf < count:
        raise IndexError(f"{spec!r}: there are {count} such leaves")
