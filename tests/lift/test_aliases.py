"""Arrays that variables share behind loops and branches: followed where that is known, and not written where it depends on values."""

import numpy as np
import pytest

import tracejit as tj

X = np.linspace(-1.0, 2.0, 6)
UNKNOWN = "shares? memory with `{}` depends on a traced condition"


def bound_on_one_side(x, c):
    u, v = x * 1, x * 2
    if c > 0:
        v = u
    v[0] = 5
    return u, v


def bound_in_a_loop_in_a_loop(x, c):
    v = x * 2
    w = v[1:]
    for i in range(6):
        while c > 3:
            v = x * i
            c -= 1
    v[1] = 7
    return v, w


def bound_in_a_branch_of_a_loop(x, c):
    u, v = x * 1, x * 2
    w = u[1:]
    for i in range(6):
        if x[i] > c:
            u = v
    w[0] = 5
    return u, v, w


def exchanged_beside_a_view(x, c):
    u, v = x * 1, x * 2
    w = u[1:]
    i = 0
    while i < 5 and c > 0.3:
        i += 1
        u, v = v, u
    v[1] = 5.0
    return u, v, w


def exchanged_with_two_names_of_one(x, c):
    w, q = x * 3, x * 2
    p = w
    i = 0
    while i < 5 and c > 0.3:
        i += 1
        w, q = q, w
        p, q = q, p
    q[0] = 5
    return w, p, q


def one_array_on_a_side(x, c):
    u, v = x * 1, x * 3
    if c > 0:
        u = v = x * 2
    u[0] = 5
    return u, v


def item_of_a_list(x, c):
    kept = [x * 1]
    v = x * 2
    if c > 0:
        v = kept[0]
    v[0] = 5
    return v, kept[0]


@pytest.mark.parametrize(
    "f, name",
    [(bound_on_one_side, "v"), (bound_in_a_loop_in_a_loop, "v"), (bound_in_a_branch_of_a_loop, "u"), (exchanged_beside_a_view, "v"),
     (exchanged_with_two_names_of_one, "q"), (one_array_on_a_side, "u"), (item_of_a_list, "v")],
)  # fmt: skip
def test_what_is_not_known_is_not_written(f, name):
    with pytest.raises(tj.TracejitError, match=UNKNOWN.format(name)):
        tj.jit(tj.lift(f))(X, 0.5)


def exchanged_on_a_condition(x, c):
    u, v = x * 1, x * 2
    for i in range(6):
        if x[i] > c:
            u, v = v, u
    v[0] = 5
    return u, v


def exchanged_in_a_while(x, c):
    u, v = x * 1, x * 2
    i = 0
    while i < 7 and c > 0.3:
        i += 1
        for _ in range(5):
            u, v = v, u
    v[0] = 5.0
    return u, v


def exchanged_five_times_beside_a_view(x, c):
    u, v, w = x * 1, x * 2, x * c
    part = u[1:]
    for _ in range(5):
        u, v, w = v, w, u
    v[1] = 5.0
    w[2] = 6.0
    return u, v, w, part


def one_array_on_both_sides(x, c):
    u, v = x * 1, x * 3
    if c > 0:
        u = v = x * 2
    else:
        u = v = x * 4
    u[0] = 5
    return u, v


def written_before_it_is_bound(x, c):
    u, w = x * 1, x * 3
    v = w
    if x[1] < 0.3:
        u[0] *= 5
    else:
        w[3] = 7
        if c < 0.3:
            v = x * 9
    return u, v, w


def bound_to_another_after_it_was_written(x, c):
    w = x * 3
    p = w
    i = 0
    while i < 6 and c > 0.2:
        i += 1
        p[1] *= 5
        p = x * 2
    return p, w


def written_when_the_other_is_gone(x, c):
    u, v = x * 1, x * 2
    if c > 0:
        v = u
    total = np.sum(v)
    v = x * 3
    u[0] = 5
    return u, v, total


@pytest.mark.parametrize(
    "f",
    [exchanged_on_a_condition, exchanged_in_a_while, exchanged_five_times_beside_a_view, one_array_on_both_sides, written_before_it_is_bound,
     bound_to_another_after_it_was_written, written_when_the_other_is_gone],
)  # fmt: skip
def test_what_is_known_is_as_in_numpy(f):
    compiled = tj.jit(tj.lift(f))
    for c in (0.5, -0.5, 1.7):
        for got, want in zip(compiled(X.copy(), c), f(X.copy(), c), strict=True):
            np.testing.assert_allclose(got, want)
