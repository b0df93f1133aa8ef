"""Large results: recycled, bounded, and ordinary arrays to whoever gets them."""
import gc
import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest

from tracejit.lowering.cpu.entry import compile_entry, pool
from tracejit.lowering.cpu.llvm import compile_module
from tracejit.lowering.cpu.pool import BLOCKS, LARGE, LIMIT
from tracejit.lowering.cpu.specs import Array, Tuple

MISS = object()


def maker(result):
    library = compile_module("define i64 @nothing(ptr %slots) { ret i64 0 }", {}, ["nothing"])
    return compile_entry("maker", [], result, library.address("nothing"), [], MISS, keep=[library]).call


@pytest.fixture(autouse=True)
def empty_pool():
    pool().clear()
    yield
    pool().limit = LIMIT
    pool().clear()


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("count", [LARGE // 8, LARGE // 8 + 1, 1 << 20])
def test_a_dead_result_gives_its_memory_to_the_next(count):
    make = maker(Array((count,), "f8"))
    first = make()
    where, view = address(first), first[3:]
    assert where % 64 == 0
    second = make()
    assert address(second) != where
    del first
    assert pool().held == 0  # the view still needs it
    del view
    assert pool().held >= 8 * count
    third = make()
    assert address(third) == where and pool().held == 0


def test_sizes_nearby_share_blocks_and_waste_little():
    first = maker(Array((1000, 1000), "f8"))()
    where = address(first)
    del first
    assert pool().held <= 8e6 * 1.125
    assert address(maker(Array((999, 999), "f8"))()) == where
    assert address(maker(Array((500, 1000), "f8"))()) != where


def test_small_results_do_not_come_from_the_pool():
    make = maker(Array((LARGE - 1,), "u1"))
    fresh = pool().fresh
    make()
    assert pool().fresh == fresh and pool().held == 0


def test_a_large_result_is_an_ordinary_array():
    x = maker(Array((300, 200), "f8"))()
    assert x.flags.owndata and x.flags.writeable and x.flags.c_contiguous and x.flags.aligned and x.base is None
    x[:] = 1.0
    assert x.sum() == 60_000


@pytest.mark.parametrize("count", [10, 3000, 50_000, 2_000_000])
def test_resize_keeps_contents(count):
    x = maker(Array((20_000,), "f8"))()
    x[:] = np.arange(20_000)
    x.resize(count, refcheck=False)
    kept = min(count, 20_000)
    np.testing.assert_array_equal(x[:kept], np.arange(kept))
    assert not x[kept:].any()
    del x
    y = maker(Array((count,), "f8"))()
    y[:] = 2.0  # whatever block this is, it is large enough
    assert y.sum() == 2.0 * count


def test_the_limit_bounds_what_is_kept():
    make = maker(Tuple([Array((1 << 17,), "f8")] * 6))
    pool().limit = 3 << 20
    make()
    assert 2 << 20 <= pool().held <= 3 << 20
    pool().limit = 1 << 20
    assert pool().held == 1 << 20
    maker(Array((1 << 20,), "f8"))()  # alone over the limit: freed at once, and pushes nothing out
    assert pool().held == 1 << 20
    pool().limit = 0
    make()
    assert pool().held == 0
    with pytest.raises(ValueError, match="-1"):
        pool().limit = -1


def test_the_oldest_block_goes_first():
    old, new = maker(Array((1 << 17,), "f8")), maker(Array((1 << 18,), "f8"))
    pool().limit = 4 << 20
    old()
    new()
    maker(Tuple([Array((1 << 16,), "f8")] * 4))()
    assert pool().held == 4 << 20
    reused = pool().reused
    new()
    assert pool().reused == reused + 1
    fresh = pool().fresh
    old()
    assert pool().fresh == fresh + 1


def test_more_results_than_there_is_room_for_blocks():
    make = maker(Tuple([Array((LARGE,), "u1")] * (BLOCKS + 50)))
    for _ in range(3):
        out = make()
        assert len({address(x) for x in out}) == BLOCKS + 50
        for x in out:
            x[:] = 1
        del out, x
    assert pool().held == BLOCKS * LARGE


def test_results_never_overlap_while_they_live():
    rng = np.random.default_rng(0)
    makers = [maker(Array((int(count),), "u1")) for count in rng.integers(LARGE, 4 * LARGE, 12)]
    alive = {}
    for step in range(3000):
        place = int(rng.integers(20))
        if place in alive:
            array, mark = alive.pop(place)
            assert (array == mark).all()
            del array
        else:
            array = makers[int(rng.integers(len(makers)))]()
            array[:] = step % 251
            alive[place] = (array, step % 251)
            del array
    assert pool().reused > 500


def test_tracemalloc_sees_large_results():
    make = maker(Array((1 << 20,), "u1"))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        x = make()
        assert tracemalloc.get_traced_memory()[0] - before >= 1 << 20
        del x
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 1 << 16
    finally:
        tracemalloc.stop()


def test_large_results_may_outlive_the_interpreter_state_that_made_them():
    program = """
        import sys, types
        import numpy as np
        from tracejit.lowering.cpu.entry import compile_entry
        from tracejit.lowering.cpu.llvm import compile_module
        from tracejit.lowering.cpu.specs import Array
        library = compile_module("define i64 @nothing(ptr %slots) { ret i64 0 }", {}, ["nothing"])
        entry = compile_entry("f", [], Array((1 << 18,), "f8"), library.address("nothing"), [], None, keep=[library])
        class Late:
            def __init__(self): self.kept = [entry.call() for _ in range(5)]
            def __del__(self): self.kept.clear()
        sys.late = Late()
        np.late = Late()
        print("done")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


def test_the_limit_comes_from_the_environment():
    program = "from tracejit.lowering.cpu.entry import pool; print(pool().limit)"
    environment = {"TRACEJIT_POOL_BYTES": "1000", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout.strip() == "1000", done.stderr
