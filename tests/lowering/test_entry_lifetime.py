"""The native entry neither leaks nor drops a reference, and keeps alive what it needs."""

import gc
import sys
import tracemalloc
import weakref

import numpy as np

from tracejit.lowering.cpu.entry import compile_entry
from tracejit.lowering.cpu.llvm import compile_module
from tracejit.lowering.cpu.specs import Argument, Array, Constant, Dict, List, NamedTuple, Nothing, PyScalar, SameAs, Static, Tuple

from .entries import MISS, VECTOR, Pair, entry, native, put, values


def everything():
    """A signature with every kind of spec, and arguments for it."""
    arguments = [
        Tuple([VECTOR, Array((), "f4")]),
        Dict(("k", 2), [List([PyScalar("int"), PyScalar("float"), PyScalar("bool"), PyScalar("complex")]), Nothing()]),
        NamedTuple(Pair, [Static("mode"), Array((2, 2), "i8")]),
    ]
    big = Array((100_000,), "f8")
    new = [VECTOR, Array((), "f8"), Array((), "?"), big]
    again = NamedTuple(Pair, [Nothing(), SameAs(3)])
    result = Tuple([*new, Dict(("k", "l"), [SameAs(0), Argument(0)]), List([Argument(2), Constant("mode"), again])])
    x, mode = np.zeros(4), "".join(["mo", "de"])
    return arguments, result, ((x, np.float32(1)), {"k": [12345, 1.5, True, 2j], 2: None}, Pair(mode, np.zeros((2, 2), int)))


def counts(things):
    return [sys.getrefcount(thing) for thing in things]


def test_references_balance():
    arguments, result, given_arguments = everything()
    status = [0]
    library = compile_module("define i64 @obey(ptr %s) { %p = load ptr, ptr %s  %v = load i64, ptr %p  ret i64 %v }", {}, ["obey"])
    call = compile_entry("obey", arguments, result, library.address("obey"), [], MISS, keep=[library]).call
    first = given_arguments[0][0]
    near_miss = (*given_arguments[:2], Pair("other", given_arguments[2][1]))
    watched = [MISS, Pair, np.ndarray, np.dtype("f8"), "mode", "k", first, given_arguments[0], given_arguments[1]["k"], given_arguments[1]["k"][0],
               given_arguments[1]["k"][3], given_arguments[2][1], call, status]  # fmt: skip
    for wanted, arguments_now in ((0, given_arguments), (1, given_arguments), (0, near_miss), (0, (1, 2, 3)), (0, ())):
        first.view(np.int64)[0] = wanted
        call(*arguments_now)
        gc.collect()
        before = counts(watched)
        for _ in range(200):
            call(*arguments_now)
        assert counts(watched) == before
    gc.collect()


def test_results_hold_exactly_the_references_that_they_show():
    x = np.zeros(4)
    call = entry([VECTOR], List([Argument(0), Argument(0), VECTOR, SameAs(0)]))
    before = sys.getrefcount(x)
    out = call(x)
    assert sys.getrefcount(x) == before + 2
    new = out[2]
    assert sys.getrefcount(new) == 4  # twice in the list, `new`, the call's argument
    del out
    assert sys.getrefcount(x) == before and sys.getrefcount(new) == 2


def test_memory_does_not_grow():
    arguments, result, given_arguments = everything()
    library = compile_module("define i64 @fine(ptr %s) { ret i64 0 }\ndefine i64 @bad(ptr %s) { ret i64 1 }", {}, ["fine", "bad"])
    calls = [compile_entry(name, arguments, result, library.address(name), [], MISS, keep=[library]).call for name in ("fine", "bad")]

    def rounds(count):
        for _ in range(count):
            for call in calls:
                call(*given_arguments)
                call(*given_arguments[:2], None)

    tracemalloc.start()
    try:
        rounds(50)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        rounds(500)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 2000
    finally:
        tracemalloc.stop()


class Owner:
    pass


def test_a_dropped_entry_drops_what_it_kept():
    arguments, result, given_arguments = everything()
    callback, address = native(lambda slots: 0)
    watched = [MISS, Pair, np.ndarray, np.dtype("f8"), np.float32, tuple, callback]
    before = counts(watched)
    for _ in range(20):
        owner = Owner()
        alive = weakref.ref(owner)
        made = compile_entry("short-lived", arguments, result, address, [], MISS, keep=[callback, owner])
        del owner
        assert made.call(*given_arguments) is not MISS and alive() is not None
        del made
        assert alive() is None
    assert counts(watched) == before


def test_an_entry_keeps_what_it_needs_and_cycles_are_collected():
    owner = Owner()
    owner.call = entry([], Constant(owner), keep=[owner])
    alive = weakref.ref(owner)
    assert owner.call() is owner
    del owner
    gc.collect()
    assert alive() is None


def test_the_last_reference_may_die_during_the_call():
    holder = {}

    def program(slots):
        holder.clear()
        gc.collect()
        put(slots[1], "4d", 1, 2, 3, 4)

    holder["call"] = entry([VECTOR], VECTOR, program)
    np.testing.assert_array_equal(holder["call"](np.zeros(4)), [1, 2, 3, 4])


def test_arguments_live_until_the_program_has_run():
    inside = []
    arguments = [[np.full(4, 7.0)]]

    def program(slots):
        arguments[0].clear()
        gc.collect()
        np.full(4, 9.0)
        inside.append(values(slots[0], 4))

    assert entry([List([VECTOR])], Nothing(), program)(arguments[0]) is None
    assert inside == [(7.0, 7.0, 7.0, 7.0)]
