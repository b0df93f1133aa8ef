"""Cells: arrays that traced functions read and write by reference. Every transform leaves in them what the plain function would."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.errors import LeakedTracerError
from tracejit.trace.cells import Cell


def total() -> Cell:
    return Cell(np.zeros(2))


def add(cell: Cell, x) -> None:
    cell.array[0] += x
    cell.array[1] += 1.0


def both(make, *calls):
    """Results and cell after the calls, of the plain function and of the transformed one: `make(cell)` gives the two."""
    found = []
    for which in (0, 1):
        cell = total()
        f = make(cell)[which]
        found.append(([f(*args) for args in calls], cell.array.copy()))
    for plain, other in zip(found[0][0], found[1][0]):
        np.testing.assert_allclose(other, plain)
    np.testing.assert_allclose(found[1][1], found[0][1])
    return found[1][1]


def running(cell: Cell):
    def f(x):
        add(cell, x)
        return cell.array[0] * x

    return f


def test_jit_advances_a_cell_at_every_call():
    def make(cell):
        return running(cell), tj.jit(running(cell))

    assert list(both(make, (1.0,), (2.0,), (3.0,), (4.0,), (np.float64(5.0),), (6.0,))) == [21.0, 6.0]


def test_jit_inside_jit_and_plain_arguments_inside():
    def make(cell):
        inner = tj.jit(running(cell))
        inner(1.0), inner(1.0), inner(1.0)  # its native entry exists

        def outer(x):
            return inner(x) + inner(2.0)

        return outer, tj.jit(outer)

    both(make, (1.0,), (2.0,), (3.0,), (4.0,))


def test_a_cell_that_is_only_read_is_read_at_each_call():
    cell = total()
    f = tj.jit(lambda x: cell.array[0] + x)
    for i in range(4):
        assert f(1.0) == i + 1.0
        cell.array[0] += 1.0


def test_grad_advances_the_cell_once():
    def make(cell):
        def slope(x):
            add(cell, 3.0)
            return 2 * x * cell.array[0]

        def f(x):
            add(cell, 3.0)
            return x * x * cell.array[0]

        return slope, tj.jit(tj.grad(f))

    both(make, (1.0,), (2.0,), (5.0,))

    def bare(cell):
        return make(cell)[0], tj.grad(lambda x: [add(cell, 3.0), x * x * cell.array[0]][1])

    both(bare, (1.0,), (2.0,))

    def around(cell):
        inner = tj.jit(lambda x: [add(cell, 3.0), x * x * cell.array[0]][1])
        return make(cell)[0], tj.grad(inner)

    both(around, (1.0,), (2.0,), (4.0,))


def test_a_differentiated_value_cannot_be_left_in_a_cell():
    cell = total()
    with pytest.raises((LeakedTracerError, TypeError)):
        tj.grad(lambda x: [add(cell, x), x][1])(1.0)


@pytest.mark.parametrize("compiled", [False, True])
def test_scan_carries_cells(compiled):
    def make(cell):
        def plain(xs):
            ys = []
            for x in xs:
                add(cell, x)
                ys.append(cell.array[0] * 1.0)
            return np.array([sum(ys), *ys])

        def f(xs):
            def turn(s, x):
                add(cell, x)
                return s + cell.array[0], cell.array[0]

            s, ys = tj.scan(turn, 0.0, xs)
            return np.concatenate([s[None], ys])

        return plain, tj.jit(f) if compiled else f

    both(make, (np.arange(4.0),), (np.arange(4.0),), (np.arange(4.0),))


def test_while_loop_carries_cells_and_its_condition_may_read_them():
    def make(cell):
        def plain(x):
            while cell.array[0] < x:
                add(cell, 1.5)
            return cell.array[0] * 1.0

        def f(x):
            return tj.while_loop(lambda s: cell.array[0] < x, lambda s: [add(cell, 1.5), s + 1][1], 0) * 0 + cell.array[0]

        return plain, tj.jit(f)

    both(make, (4.0,), (2.0,), (9.0,))


def test_fori_loop_in_reverse_mode():
    def make(cell):
        def body(i, s):
            add(cell, 1.0)
            return s * cell.array[0]

        def plain(x):
            slope = 1.0
            for i in range(3):
                slope = body(i, slope)
            return slope

        return plain, tj.jit(tj.grad(lambda x: tj.fori_loop(0, 3, body, x)))

    both(make, (1.0,), (1.0,))

    def with_bound(cell):
        def f(x):
            return tj.while_loop(lambda s: s[0] < 3, lambda s: [add(cell, 1.0), (s[0] + 1, s[1] * cell.array[0])][1], (0, x), max_steps=5)[1]

        return make(cell)[0], tj.jit(tj.grad(f))

    both(with_bound, (1.0,), (1.0,))


def test_only_the_branch_that_is_taken_changes_the_cell():
    def make(cell):
        other = total()

        def once(x):
            add(cell, x)
            return cell.array[0] + 0.0

        def never(x):
            return x + other.array[0]

        def thrice(x):
            add(other, 1.0)
            add(cell, 2 * x)
            return x * other.array[0]

        branches = [once, never, thrice]
        return lambda i, x: branches[i](x), tj.jit(lambda i, x: tj.switch(i, branches, x))

    both(make, (0, 1.0), (1, 2.0), (2, 3.0), (0, 4.0), (2, 5.0))


def test_vmap_needs_a_rule_for_what_the_examples_share():
    cell = total()
    with pytest.raises(TypeError, match="all examples share"):
        tj.vmap(running(cell))(np.arange(3.0))
    assert list(tj.vmap(lambda x: x + cell.array[1])(np.arange(3.0))) == [0.0, 1.0, 2.0]


def test_a_condition_must_not_change_a_cell():
    cell = total()
    with pytest.raises(TypeError, match="condition"):
        tj.while_loop(lambda s: [add(cell, 1.0), s < 3][1], lambda s: s + 1, 0)


def test_a_cell_made_inside_begins_anew_at_each_call_and_does_not_leave():
    kept = []

    def f(x):
        cell = Cell(np.zeros(2))
        kept.append(cell)
        add(cell, x)
        tj.scan(lambda s, y: [add(cell, y), (s, None)][1], 0, np.arange(3.0))
        return cell.array

    g = tj.jit(f)
    for _ in range(3):
        assert list(g(1.0)) == [4.0, 4.0] == list(f(1.0))
    with pytest.raises(LeakedTracerError):
        kept[0].array


def test_graph_and_shapes_leave_cells_alone():
    cell = total()
    assert tj.eval_shape(running(cell), 1.0).shape == ()
    tj.trace(running(cell))(1.0)
    assert list(cell.array) == [0.0, 0.0]
