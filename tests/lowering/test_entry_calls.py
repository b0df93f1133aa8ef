"""How an entry is called: by keyword, with strided arrays and registered containers, and what it watches besides; and the dispatcher in front."""

import collections
import gc
import sys

import numpy as np
import pytest

from tracejit.lowering.cpu.dispatch import BoundDispatcher, Dispatcher, install
from tracejit.lowering.cpu.entry import compile_entry
from tracejit.lowering.cpu.llvm import compile_module
from tracejit.lowering.cpu.specs import Argument, Array, Constant, Dict, Nothing, PyScalar, Registered, Static, Tuple, Watch
from tracejit.lowering.cpu.table import Call

MISS = object()
# Writes the four numbers of its first slot into its second one; `second` those of its second into its third.
COPY = compile_module(
    "define i64 @first(ptr %slots) {\n  %to = getelementptr ptr, ptr %slots, i64 1\n  %x = load ptr, ptr %slots\n  %y = load ptr, ptr %to\n"
    "  %v = load <4 x double>, ptr %x, align 8\n  store <4 x double> %v, ptr %y, align 8\n  ret i64 0\n}\n"
    "define i64 @second(ptr %slots) {\n  %from = getelementptr ptr, ptr %slots, i64 1\n  %to = getelementptr ptr, ptr %slots, i64 2\n"
    "  %x = load ptr, ptr %from\n  %y = load ptr, ptr %to\n  %v = load <4 x double>, ptr %x, align 8\n"
    "  store <4 x double> %v, ptr %y, align 8\n  ret i64 0\n}\n"
    "define i64 @nothing(ptr %slots) {\n  ret i64 0\n}\n",
    {},
    ["first", "second", "nothing"],
)
VECTOR = Array((4,), "f8")


def entry(arguments, result, program="nothing", **options):
    return compile_entry("entry", arguments, result, COPY.address(program), [], MISS, call=Call(**options), keep=[COPY]).call


def test_keywords_must_be_these_in_this_order():
    call = entry([Nothing(), Static(1), Static(2)], Constant("taken"), keywords=("b", "a"))
    assert call(None, b=1, a=2) == "taken"
    assert call(None, a=2, b=1) is MISS and call(None, 1, 2) is MISS and call(None, 1, a=2) is MISS
    assert call(None, b=1, c=2) is MISS and call(None) is MISS
    assert call(None, **{"".join(["b"]): 1, "a": 2}) == "taken"


def test_leaves_are_numbered_in_the_given_order():
    x, y = np.arange(4.0), np.arange(4.0) + 10
    call = entry([VECTOR, VECTOR], VECTOR, "second", keywords=("b", "a"))
    np.testing.assert_array_equal(call(b=x, a=y), y)
    call = entry([VECTOR, VECTOR], VECTOR, "second", keywords=("b", "a"), order=(1, 0))
    np.testing.assert_array_equal(call(b=x, a=y), x)


@pytest.mark.parametrize("given", [
    np.arange(8.0)[::2], np.arange(4.0)[::-1], np.arange(33, dtype=np.uint8)[1:].view(np.float64), np.broadcast_to(3.0, (4,)),
], ids=["strided", "reversed", "unaligned", "broadcast"])  # fmt: skip
def test_other_layouts_are_copied(given):
    call = entry([VECTOR], VECTOR, "first")
    for _ in range(3):
        np.testing.assert_array_equal(call(given), given)
    before = sys.getrefcount(given)
    call(given)
    assert sys.getrefcount(given) == before


def test_an_argument_that_is_a_result_is_not_copied():
    call = entry([VECTOR, VECTOR], Tuple([Argument(0), VECTOR]), "second")
    x, y = np.arange(4.0), np.arange(8.0)[::2]
    result = call(x, y)
    assert result[0] is x and np.array_equal(result[1], y)
    assert call(y, x) is MISS


class Box:
    def __init__(self, value, kind):
        self.value, self.kind = value, kind


def flatten_box(box):
    return (box.value,), box.kind, ("value",)


def unflatten_box(kind, children):
    return Box(*children, kind)


BOX = Registered(Box, flatten_box, unflatten_box, "k", [VECTOR])


def test_registered_containers_in_and_out():
    call = entry([BOX], Tuple([BOX, Dict(("a",), [Constant(1)])]), "first")
    for x in (np.arange(4.0), np.arange(8.0)[::2]):
        out, _ = call(Box(x, "k"))
        assert type(out) is Box and out.kind == "k"
        np.testing.assert_array_equal(out.value, x)
    for wrong in (Box(x, "other"), Box(np.zeros(3), "k"), x, None):
        assert call(wrong) is MISS


def test_registered_containers_that_are_odd():
    broken = Registered(Box, lambda box: 1 / 0, unflatten_box, "k", [])
    with pytest.raises(ZeroDivisionError):
        entry([broken], Nothing())(Box(0, "k"))
    with pytest.raises(ZeroDivisionError):
        entry([], Registered(Box, flatten_box, lambda kind, children: 1 / 0, "k", []))()
    for found in (None, [1, 2], (), ((1,),)):  # no tuple of two
        assert entry([Registered(Box, lambda box, found=found: found, unflatten_box, "k", [])], Nothing())(Box(0, "k")) is MISS
    many = Registered(Box, lambda box: (iter([1, 2]), "k"), unflatten_box, "k", [Static(1), Static(2)])
    assert entry([many], Constant(5))(Box(0, "k")) == 5
    with pytest.raises(TypeError, match="iterable"):
        entry([Registered(Box, lambda box: (5, "k"), unflatten_box, "k", [])], Nothing())(Box(0, "k"))


def test_registered_containers_do_not_leak():
    call = entry([BOX], BOX, "first")
    x = np.arange(4.0)
    good, bad = Box(x, "k"), Box(x, "other")
    counts = lambda: [sys.getrefcount(o) for o in (x, good, bad, flatten_box, unflatten_box, Box)]
    call(good), call(bad)
    before = counts()
    for _ in range(50):
        call(good), call(bad)
    assert counts() == before


# ------------------------------------------------------------------------------------------------------------------------------- watches
def cell_of(value):
    return (lambda: value).__closure__[0]


class Holder:
    __slots__ = ("name",)


def test_watches_of_each_kind():
    first, second = object(), object()
    cell, space, things, holder = cell_of(first), {"key": first, 5: first}, [None, first], Holder()
    holder.name = first
    watches = [
        Watch("cell", cell, None, first), Watch("dict", space, "key", first), Watch("dict", space, 5, first), Watch("item", things, 1, first),
        Watch("attribute", holder, "name", first), Watch("list_length", things, None, 2), Watch("dict_length", space, None, 2),
        Watch("dict", space, "other", None, absent=True),
    ]  # fmt: skip
    call = entry([], Constant("same"), watches=watches)

    def change(do, undo):
        assert call() == "same"
        do()
        assert call() is MISS
        undo()
        assert call() == "same"

    change(lambda: setattr(cell, "cell_contents", second), lambda: setattr(cell, "cell_contents", first))
    for key in ("key", 5):
        change(lambda: space.update({key: second}), lambda: space.update({key: first}))
    change(lambda: setattr(holder, "name", second), lambda: setattr(holder, "name", first))
    change(lambda: delattr(holder, "name"), lambda: setattr(holder, "name", first))
    change(lambda: things.__setitem__(1, second), lambda: things.__setitem__(1, first))
    change(lambda: things.append(0), things.pop)
    change(things.pop, lambda: things.append(first))
    change(lambda: space.update(more=1), lambda: space.pop("more"))
    change(lambda: space.update(other=1), lambda: space.pop("other"))
    change(lambda: space.pop("key"), lambda: space.update(key=first))


def test_a_cell_without_contents():
    cell = cell_of(1)
    del cell.cell_contents
    call = entry([], Constant("same"), watches=[Watch("cell", cell, None, None, absent=True)])
    assert call() == "same"
    cell.cell_contents = None
    assert call() is MISS


def test_watches_keep_what_they_compare_with():
    """Else another object might get the address of the one that was there."""
    cell, space = cell_of(object()), {"a": object()}
    call = entry([], Constant("same"), watches=[Watch("cell", cell, None, cell.cell_contents), Watch("dict", space, "a", space["a"])])
    for _ in range(100):
        cell.cell_contents = object()
        assert call() is MISS
    space.clear()
    gc.collect()
    assert call() is MISS


# --------------------------------------------------------------------------------------------------------------------------------- guards
def test_a_guard_decides_after_the_run():
    text = "define i64 @ask(ptr %slots) {\n  %p = load ptr, ptr %slots\n  %v = load i64, ptr %p\n  %b = icmp sgt i64 %v, 0\n  %w = zext i1 %b to i8\n"
    text += "  %to = getelementptr ptr, ptr %slots, i64 1\n  %q = load ptr, ptr %to\n  store i8 %w, ptr %q\n  ret i64 0\n}\n"
    library = compile_module(text, {}, ["ask"])
    call = compile_entry("f", [PyScalar("int")], Constant("held"), library.address("ask"), [], MISS, call=Call(guarded=True), keep=[library]).call
    assert call(3) == "held" and call(-3) is MISS and call(1) == "held"


# ----------------------------------------------------------------------------------------------------------------------------- dispatchers
@pytest.fixture(params=["python", "native"])
def kinds(request):
    """The two classes as they are written, and with `__call__` in machine code."""
    if request.param == "native":
        install()
        assert type(Dispatcher.__call__).__name__ == "method_descriptor"
        return Dispatcher, BoundDispatcher
    import importlib.util

    from tracejit.lowering.cpu import dispatch

    spec = importlib.util.spec_from_file_location("tracejit.lowering.cpu.dispatch_again", dispatch.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Dispatcher, module.BoundDispatcher


def test_dispatchers(kinds):
    dispatcher, bound = kinds
    log = []

    def otherwise(self, *args, **kwargs):
        log.append(self)
        return "otherwise", args, kwargs

    class Named(dispatcher):
        """With a dict of its own, as a compiled function has."""

    f = Named(lambda *args, **kwargs: MISS if len(args) == 3 else ("entry", args, kwargs), MISS, otherwise)
    f.note = 1
    assert f(1, k=2) == ("entry", (1,), {"k": 2}) and f() == ("entry", (), {}) and f._calls[0] == 2
    assert f(1, 2, 3, k=4) == ("otherwise", (1, 2, 3), {"k": 4}) and log == [f] and f._calls[0] == 2
    g = bound("instance", f)
    assert g(1) == ("entry", (1,), {}) and g.__self__ == "instance" and g(1, 2, 3)[0] == "otherwise"

    def fails(*args):
        raise KeyError(args)

    f._entry = fails
    with pytest.raises(KeyError):
        f(1)

    def replaces(*args):
        f._entry = lambda *args: "later"
        gc.collect()
        return "now"

    f._entry = replaces
    assert f(1) == "now" and f(1) == "later"


def test_dispatchers_do_not_leak():
    install()
    counted = collections.Counter()
    f = Dispatcher(lambda x, k=None: MISS if x is None else x, MISS, lambda self, x, k=None: counted)
    things = [object(), MISS, counted, f]
    f(things[0]), f(None), f(None, k=1)
    before = [sys.getrefcount(x) for x in things]
    for _ in range(50):
        f(things[0]), f(None), f(None, k=things[0])
    assert [sys.getrefcount(x) for x in things] == before


def test_a_dispatcher_that_was_never_made():
    install()
    with pytest.raises(SystemError):
        Dispatcher.__new__(Dispatcher)()


def test_the_entry_reads_cells_where_they_are():
    from tracejit.lowering.cpu import abi

    value = object()
    assert abi.pointer(cell_of(value), "PyCellObject.ref") == id(value)
