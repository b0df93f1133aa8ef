"""The native entry: what it takes, what it refuses, and what it returns."""

import collections
import ctypes
import gc
import pickle
import struct
import sys
import threading
import timeit
import warnings

import numpy as np
import pytest

from tracejit.lowering.cpu import abi
from tracejit.lowering.cpu.entry import compile_entry, run
from tracejit.lowering.cpu.llvm import compile_module
from tracejit.lowering.cpu.specs import Argument, Array, Constant, Dict, List, NamedTuple, Nothing, PyScalar, SameAs, Static, Tuple, leaves

from .entries import KINDS, MISS, VECTOR, Pair, Triple, entry, native, put, values


@pytest.fixture(scope="module")
def add_one():
    library = compile_module(
        """
        define i64 @add_one(ptr %slots) {
          %x = load ptr, ptr %slots
          %slot = getelementptr ptr, ptr %slots, i64 1
          %y = load ptr, ptr %slot
          %v = load <4 x double>, ptr %x, align 8
          %w = fadd <4 x double> %v, <double 1.0, double 1.0, double 1.0, double 1.0>
          store <4 x double> %w, ptr %y, align 8
          ret i64 0
        }
        """,
        {},
        ["add_one"],
    )
    return compile_entry("add_one", [VECTOR], VECTOR, library.address("add_one"), [], MISS, keep=[library]).call


# ------------------------------------------------------------------------------------------------------------------------- arrays
def test_an_array_in_and_a_new_one_out(add_one):
    x = np.arange(4.0)
    first, second = add_one(x), add_one(x)
    np.testing.assert_array_equal(first, x + 1)
    assert first is not second and first.base is None
    assert first.flags.carray and first.flags.owndata and type(first) is np.ndarray and first.dtype is np.dtype(np.float64)


def test_read_only_arrays_are_fine_as_arguments(add_one):
    x = np.arange(4.0)
    x.flags.writeable = False
    np.testing.assert_array_equal(add_one(x), x + 1)


def test_an_equal_dtype_object_is_fine(add_one):
    x = pickle.loads(pickle.dumps(np.arange(4.0)))
    x = np.ndarray(4, np.dtype(np.float64, metadata={"unit": "m"}), x)
    assert x.dtype is not np.dtype(np.float64)
    np.testing.assert_array_equal(add_one(x), [1, 2, 3, 4])


def test_long_and_long_long_are_one_type():
    call = entry([Array((2,), "l")], Argument(0))
    if np.dtype("l") == np.dtype("q"):
        assert call(np.zeros(2, "q")) is not MISS
    assert call(np.zeros(2, "l")) is not MISS
    assert call(np.zeros(2, "L")) is MISS


class Subclass(np.ndarray):
    pass


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [0.0] * 4,
        np.zeros(3),
        np.zeros((4, 1)),
        np.zeros(()),
        np.float64(0),
        np.zeros(4, np.float32),
        np.zeros(4, np.int64),
        np.zeros(4, "M8[s]"),
        np.zeros(4, object),
        np.zeros(4, np.dtype(np.float64).newbyteorder("S")),
        np.zeros(8)[:6:2],
        np.zeros(4).view(Subclass),
        np.ma.zeros(4),
    ],
    ids=lambda wrong: f"{type(wrong).__name__} {getattr(wrong, 'dtype', '')} {getattr(wrong, 'strides', '')}",
)
def test_other_arrays_miss(add_one, wrong):
    assert add_one(wrong) is MISS


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 0, 2), (1,), (2, 3, 4), (1,) * 32])
@pytest.mark.parametrize("dtype", list("?bBhHiIlLqQefdgFD"))
def test_every_dtype_and_shape_passes_its_data(shape, dtype):
    x = (np.arange(np.prod(shape, dtype=int)) % 3).reshape(shape).astype(dtype)
    call = entry([Array(shape, dtype)], Array(shape, dtype), lambda slots: ctypes.memmove(slots[1], slots[0], x.nbytes) and 0)
    out = call(x)
    assert out.dtype == x.dtype and out.shape == x.shape and out.flags.carray
    np.testing.assert_array_equal(out, x)


def test_a_fortran_array_misses_unless_it_is_contiguous_both_ways():
    call = entry([Array((2, 3), "f8")], Argument(0))
    assert call(np.zeros((2, 3), order="F")) is MISS
    both = entry([Array((1, 3), "f8")], Argument(0))
    assert both(np.zeros((1, 3), order="F")) is not MISS


@pytest.mark.parametrize("dtype", list("?bBhHiIlLqQefdgFDG"))
def test_numbers_come_as_scalars_or_0d_arrays_and_go_as_scalars(dtype):
    size = np.dtype(dtype).itemsize
    call = entry([Array((), dtype)], Array((), dtype), lambda slots: ctypes.memmove(slots[1], slots[0], size) and 0)
    for number in (1, 0):
        scalar = np.dtype(dtype).type(number)
        for argument in (scalar, np.array(number, dtype)):
            out = call(argument)
            assert type(out) is np.dtype(dtype).type and out == number
    assert call(np.zeros(1, dtype)) is MISS
    assert call(1.0) is MISS
    assert call(np.dtype("f4" if dtype != "f" else "f8").type(1)) is MISS


# --------------------------------------------------------------------------------------------------------------------- Python numbers
@pytest.mark.parametrize(
    ("kind", "code", "numbers"),
    [
        ("bool", "?", [True, False]),
        ("int", "q", [0, 1, -1, 2**31, -(2**63), 2**63 - 1]),
        ("float", "d", [0.0, -0.5, 1e308, float("inf")]),
        ("complex", "2d", [0j, 1 - 2j]),
    ],
)
def test_python_numbers_are_unpacked(kind, code, numbers):
    seen = []

    def program(slots):
        seen.extend(struct.unpack(code, ctypes.string_at(slots[leaf], struct.calcsize(code))) for leaf in (0, 1))

    call = entry([PyScalar(kind), PyScalar(kind)], Tuple([Argument(1), Argument(0)]), program)
    for number in numbers:
        seen.clear()
        swapped = call(number, numbers[0])
        assert swapped[0] is numbers[0] and swapped[1] is number
        assert seen == [(n.real, n.imag) if kind == "complex" else (n,) for n in (number, numbers[0])]


@pytest.mark.parametrize("kind", KINDS)
def test_other_python_numbers_miss(kind):
    call = entry([PyScalar(kind)], Argument(0))
    exact = {"bool": True, "int": 7, "float": 7.5, "complex": 7j}
    subclasses = [type("Derived", (base,), {})(7) for base in (int, float, complex)]
    for other in [*(value for name, value in exact.items() if name != kind), *subclasses, np.float64(7), np.int64(7), np.bool_(True), "7", None]:
        assert call(other) is MISS
    assert call(exact[kind]) is exact[kind]


def test_integers_beyond_64_bits_miss_without_an_exception():
    call = entry([PyScalar("int")], Argument(0))
    for number in (2**63, -(2**63) - 1, 10**40):
        assert call(number) is MISS


# -------------------------------------------------------------------------------------------------------------------------- containers
def test_slots_come_in_the_order_of_arguments_captured_results():
    tree = [
        Tuple([VECTOR, List([Array((2,), "f4"), PyScalar("int")])]),
        Dict(("z", "a"), [PyScalar("float"), Array((), "i4")]),
        NamedTuple(Pair, [Nothing(), VECTOR]),
    ]
    assert len(list(leaves(tree))) == 6
    captured = np.array([5.0, 6.0])
    seen = []

    def program(slots):
        seen.append((*values(slots[0], 4), *values(slots[1], 2, "f"), *values(slots[2], 1, "q"), *values(slots[3], 1), *values(slots[4], 1, "i"),
                     *values(slots[5], 4), *values(slots[6], 2)))  # fmt: skip
        put(slots[7], "2d", 8, 9)
        put(slots[8], "i", 11)

    result = Dict(("out", "same"), [List([Array((2,), "f8"), Array((), "i4")]), Tuple([SameAs(0), SameAs(1), Argument(3), Constant("c"), Nothing()])])
    call = entry(tree, result, program, captured=[abi.data_address(captured)], keep=[captured])
    x, y = np.arange(4.0), np.arange(4.0) + 10
    out = call((x, [np.array([1, 2], "f4"), 3]), {"a": np.int32(-4), "z": 0.5}, Pair(None, y))
    assert seen == [(0, 1, 2, 3, 1, 2, 3, 0.5, -4, 10, 11, 12, 13, 5, 6)]
    assert list(out) == ["out", "same"]
    np.testing.assert_array_equal(out["out"][0], [8, 9])
    assert out["out"][1] == 11 and type(out["out"][1]) is np.int32
    assert out["same"][0] is out["out"][0] and out["same"][1] is out["out"][1] and out["same"][2:] == (0.5, "c", None)


@pytest.mark.parametrize(
    ("spec", "right", "wrongs"),
    [
        (Tuple([]), (), [[], (1,), None, Pair(1, 2), {}]),
        (List([]), [], [(), [1], None, collections.UserList()]),
        (Dict((), []), {}, [[], {1: 2}, None, collections.OrderedDict(), collections.defaultdict(int)]),
        (Tuple([Nothing()]), (None,), [(), (None, None), (0,), [None]]),
        (List([Nothing(), Nothing()]), [None, None], [[None], [None, 1], (None, None)]),
        (
            Dict(("a", "b"), [Nothing(), Nothing()]),
            {"b": None, "a": None},
            [{"a": None}, {"a": None, "c": None}, {"a": None, "b": None, "c": None}, {"a": None, "b": 1}],
        ),
        (Dict((1, (2, "x")), [Nothing(), Nothing()]), {(2, "x"): None, 1: None}, [{(2, "y"): None, 1: None}]),
        (NamedTuple(Pair, [Nothing(), Nothing()]), Pair(None, None), [(None, None), Pair(None, 1), Triple(None, None), [None, None]]),
        (Nothing(), None, [0, False, ()]),
    ],
    ids=repr,
)
def test_containers_match_exactly(spec, right, wrongs):
    call = entry([spec], Constant("taken"))
    assert call(right) == "taken"
    for wrong in wrongs:
        assert call(wrong) is MISS


def test_the_wrong_number_of_arguments_misses():
    call = entry([Nothing(), Nothing()], Nothing())
    assert call(None, None) is None
    for arguments in ((), (None,), (None,) * 3):
        assert call(*arguments) is MISS
    assert call(None, None, key=None) is MISS and call(None, key=None) is MISS


@pytest.mark.parametrize(
    ("value", "equals", "others"),
    [
        (3, [3], [4, 3.0, True, "3", None]),
        (10**30, [10**30], [10**30 + 1]),
        ("axis", ["".join(["ax", "is"])], ["axes", b"axis", 0]),
        (True, [True], [1, 1.0, False, np.True_]),
        (None, [None], [0, False]),
        (0.0, [float("0")], [-0.0, 0, False]),
        (float("nan"), [float("nan")], [0.0]),
        (np.float32, [np.float32], [np.float64]),
        ((1, 2), [], [tuple([1, 2])]),
    ],
    ids=repr,
)
def test_static_values(value, equals, others):
    call = entry([Static(value)], Nothing())
    assert call(value) is None
    assert all(call(equal) is None for equal in equals)
    assert all(call(other) is MISS for other in others)


def test_empty_containers_and_constants_as_results():
    shared = []
    spec = Tuple([Tuple([]), List([]), Dict((), []), Constant(shared), Nothing(), NamedTuple(Pair, [Constant(1), List([Constant(2)])])])
    out = entry([], spec)()
    assert out == ((), [], {}, shared, None, Pair(1, [2]))
    assert out[3] is shared and type(out[5]) is Pair and out[5].right == [2]
    again = entry([], spec)()
    assert again[1] is not out[1] and again[2] is not out[2]


def test_named_tuples_with_defaults_and_attributes():
    class Extended(Triple):
        def total(self):
            return self.a + self.b

    out = entry([], NamedTuple(Extended, [Constant(1), Constant(2), Nothing()]))()
    assert type(out) is Extended and out == (1, 2, None) and out.total() == 3
    out.note = "has a __dict__"
    assert out.note == "has a __dict__" and gc.is_tracked(out)


def test_result_dicts_are_independent_and_ordered():
    call = entry([], Dict(("b", 1, (2,)), [Constant(1), List([]), Nothing()]))
    first, second = call(), call()
    first["b"] = "changed"
    first["new"] = 1
    assert second == {"b": 1, 1: [], (2,): None} == call()
    assert list(second) == ["b", 1, (2,)]


def test_hundreds_of_leaves_use_the_heap():
    count = 3000
    numbers = list(range(count))
    call = entry([List([PyScalar("int")] * count)], List([Argument(i) for i in reversed(range(count))]))
    assert call(numbers) == numbers[::-1]
    assert call(numbers[:-1]) is MISS
    assert call([*numbers[:-1], "no"]) is MISS


# ---------------------------------------------------------------------------------------------------------------------- errors and status
def test_a_status_makes_the_call_a_miss_and_frees_its_results():
    status = [0]
    call = entry([VECTOR], Tuple([Array((1000,), "f8"), Array((), "f8"), Argument(0)]), lambda slots: status[0])
    x = np.zeros(4)
    assert call(x) is not MISS
    count = sys.getrefcount(x)
    for status[0] in (1, -1, 2**40):
        assert call(x) is MISS
    assert sys.getrefcount(x) == count


def test_a_python_error_of_the_program_is_raised():
    library = compile_module(
        "declare ptr @PyErr_NoMemory()\ndefine i64 @fail(ptr %slots) { %e = call ptr @PyErr_NoMemory()  ret i64 1 }", abi.symbols(), ["fail"]
    )
    call = compile_entry("fail", [VECTOR], VECTOR, library.address("fail"), [], MISS, keep=[library]).call
    x = np.zeros(4)
    count = sys.getrefcount(x)
    for _ in range(3):
        with pytest.raises(MemoryError):
            call(x)
    assert sys.getrefcount(x) == count


def test_no_memory_for_a_result_is_raised():
    call = entry([VECTOR], Tuple([VECTOR, Array((1 << 55,), "f8"), VECTOR]))
    with pytest.raises(MemoryError):
        call(np.zeros(4))


def test_an_error_in_a_key_comparison_is_raised():
    class Key:
        def __hash__(self):
            return 1

        def __eq__(self, other):
            raise ZeroDivisionError

    key = Key()
    call = entry([Dict((1,), [Nothing()])], Nothing())
    with pytest.raises(ZeroDivisionError):
        call({key: None})


def test_a_key_comparison_that_empties_the_containers():
    """Every object that is being walked stays alive, whatever the comparison of two keys does."""
    outer = []

    class Key:
        def __init__(self, number):
            self.number = number

        def __hash__(self):
            return 1

        def __eq__(self, other):
            for inner in list(outer):
                if isinstance(inner, dict):
                    inner.clear()
            outer.clear()
            gc.collect(0)
            return self.number == other.number

    inside = Dict((Key(1), Key(2)), [VECTOR, VECTOR])
    call = entry([List([VECTOR, inside, VECTOR])], Argument(0))
    for _ in range(20):
        outer[:] = [np.zeros(4), {Key(1): np.zeros(4), Key(2): np.zeros(4)}, np.zeros(4)]
        assert call(outer) is MISS


@pytest.mark.parametrize(
    ("arguments", "result", "error"),
    [
        ([Argument(0)], Nothing(), TypeError),
        ([Constant(0)], Nothing(), TypeError),
        ([], Static(0), TypeError),
        ([], PyScalar("int"), TypeError),
        ([PyScalar("int")], Argument(1), IndexError),
        ([PyScalar("int")], Argument(-1), IndexError),
        ([], SameAs(0), IndexError),
        ([Array((2,), "O")], Nothing(), TypeError),
        ([Array((2,), np.dtype("f8").newbyteorder("S"))], Nothing(), TypeError),
        ([], Array((2,), "M8[s]"), TypeError),
        ([NamedTuple(Pair, [Nothing()])], Nothing(), TypeError),
        ([], NamedTuple(tuple, [Nothing()]), TypeError),
        ([Dict(("a", "a"), [Nothing(), Nothing()])], Nothing(), TypeError),
        ([], Dict(("a",), []), TypeError),
    ],
    ids=repr,
)
def test_impossible_signatures(arguments, result, error):
    with pytest.raises(error):
        compile_entry("wrong", arguments, result, 0, [], MISS)


# ------------------------------------------------------------------------------------------------------------------------------- threads
def test_many_threads_share_an_entry(add_one):
    failures = []

    def work(seed):
        x = np.full(4, float(seed))
        for _ in range(3000):
            out = add_one(x)
            if out[0] != seed + 1 or add_one([]) is not MISS:
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_gil_is_free_during_the_program_where_that_was_asked_for():
    """A program that waits for another thread to write: it can only end when that thread runs."""
    library = compile_module(
        """
        define i64 @wait(ptr %slots) {
          %flag = load ptr, ptr %slots
          br label %look
        look:
          %value = load atomic i64, ptr %flag acquire, align 8
          %waiting = icmp eq i64 %value, 0
          br i1 %waiting, label %look, label %leave
        leave:
          ret i64 0
        }
        """,
        {},
        ["wait"],
    )
    flag = np.zeros(1, np.int64)
    call = compile_entry("wait", [Array((1,), "i8")], Argument(0), library.address("wait"), [], MISS, keep=[library], release_gil=True).call
    thread = threading.Timer(0.02, flag.__setitem__, (0, 1))
    thread.start()
    assert call(flag) is flag
    thread.join()


# ------------------------------------------------------------------------------------------------------------------------ the slow path
def test_run_calls_a_program_on_given_arrays():
    def program(slots):
        put(slots[2], "2d", values(slots[0], 1)[0] + values(slots[1], 1)[0], 0.0)
        return 3

    callback, address = native(program)
    out = np.ones(2)
    for release_gil in (False, True):
        assert run(address, [np.array(1.0)], [out], [np.array([2.0])], release_gil=release_gil) == 3
        np.testing.assert_array_equal(out, [3, 0])
    assert callback


def test_run_refuses_arrays_that_a_program_cannot_use():
    fine, frozen = np.zeros(2), np.zeros(2)
    frozen.flags.writeable = False
    for wrong in (np.zeros(4)[::2], np.zeros(17, np.uint8)[1:].view("f8"), np.zeros(2, np.dtype("f8").newbyteorder("S"))):
        with pytest.raises(ValueError, match="array 1"):
            run(0, [fine, wrong], [fine])
    with pytest.raises(ValueError, match="output 0 .* read-only"):
        run(0, [frozen], [frozen])


# --------------------------------------------------------------------------------------------------------------------------------- cost
@pytest.mark.slow
def test_a_call_costs_less_than_numpys_own(add_one):
    x = np.arange(4.0)
    ours, theirs = (min(timeit.repeat(call, number=20_000, repeat=15)) for call in (lambda: add_one(x), lambda: x + 1.0))
    assert ours < 0.6 * theirs


# ---------------------------------------------------------------------------------------------------------------- an unknown interpreter
def test_a_different_layout_switches_the_entry_off_and_says_so_once(monkeypatch):
    monkeypatch.setitem(abi.LAYOUT, "PyTupleObject", {"items": 16})
    problem = abi._problem()
    assert "PyTupleObject.items" in problem
    monkeypatch.setattr(abi, "PROBLEM", problem)
    abi._warn.cache_clear()
    with pytest.warns(RuntimeWarning, match="native entry is off.*PyTupleObject"):
        made = compile_entry("off", [Nothing()], Nothing(), 0, [], MISS)
    assert made.call(None) is MISS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile_entry("off", [Nothing()], Nothing(), 0, [], MISS)


def test_this_interpreter_is_known():
    assert abi.PROBLEM is None and abi.supported()
