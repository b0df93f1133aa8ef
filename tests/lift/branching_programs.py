"""Functions with Python branches and loops, plain NumPy, with inputs that take every path.

Each is run plain, jitted and lifted: `PROGRAMS` has the functions with their arguments, of which those of floating dtype are differentiated.
"""

from __future__ import annotations

import numpy as np

PROGRAMS: list[tuple] = []


def program(*cases, statics=()):
    """Enter a function with the arguments of some calls. `statics` are positions of arguments that are no arrays."""

    def enter(f):
        PROGRAMS.append((f, cases, statics))
        return f

    return enter


def numbers(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def matrix(n: int, m: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, m))


# -- branches
@program((2.0,), (-3.0,), (0.0,))
def sign(x):
    if x > 0:
        return x * 1.0
    if x < 0:
        return -x
    return x * 0.0


@program((2.0, 3.0), (3.0, 2.0), (-1.0, 1.0))
def nested_branches(x, y):
    if x > 0:
        if x > y:
            z = x * y
        else:
            z = x - y
        z = z * 2
    elif y > 0:
        z = np.sin(y)
    else:
        z = x
    return z + x


@program((1.5,), (-1.5,))
def one_sided(x):
    y = x * x
    if x > 0:
        y = np.exp(x)
    return y + 1


@program((0.5,), (2.5,), (-1.0,))
def chained(x):
    return x**2 if 0 < x < 1 else (x**3 if not x < 0 else -x)


@program((0.5, 2.0), (-0.5, 2.0), (0.5, -2.0), (-0.5, -2.0))
def connected(x, y):
    if x > 0 and y > 0:
        return x * y
    if x > 0 or y > 0:
        return x + y
    return np.cos(x) * y


@program((numbers(4),), (-np.abs(numbers(4)),))
def branch_writes(x):
    out = np.zeros(4)
    if x.sum() > 0:
        out[0] = x[1]
        out[1:3] = x[:2] * 2
    else:
        out[:] = x
        out[3] = x[0] ** 2
    return out


@program((3, 1.0), (-3, 2.0))
def changes_kind(n, x):
    y = 0
    if n > 0:
        y = x * 2
    return y + n * x


@program((1.0, 2.0), (2.0, 1.0))
def swaps(a, b):
    if a > b:
        a, b = b, a
    return a - 2 * b


@program((2.0,), (0.5,), (-2.0,))
def returns_pair(x):
    if x > 1:
        return x, np.sin(x)
    elif x < 0:
        return -x, x * x
    return x * 3, x


@program((numbers(5), True), (numbers(5), False))
def known_branch(x, flag):
    if flag:
        return x * 2
    return x + 1


# -- counted loops
@program((np.linspace(-1, 1, 9),))
def sum_of_positive(x):
    s = 0
    for i in range(len(x)):
        if x[i] > 0:
            s += x[i] ** 2
    return s


@program((matrix(7, 3),))
def number_becomes_row(a):
    s = 0
    for i in range(a.shape[0]):
        s = s + a[i] * (i + 1)
    return s


@program((matrix(7, 3),))
def over_rows(a):
    total = 0.0
    for row in a:
        total += row[0] * row[1] - row.sum()
    return total


@program((matrix(6, 3),))
def over_rows_numbered(a):
    out = np.zeros(6)
    for i, row in enumerate(a):
        out[i] = row @ row + i
    return out


@program((numbers(8), numbers(8, 1)))
def in_pairs(x, y):
    s = 1.0
    for a, b in zip(x, y):
        s = s * 0.5 + a * b
    return s


@program((numbers(9),))
def backwards(x):
    y = x.copy()
    for i in range(len(x) - 2, -1, -1):
        y[i] += 0.5 * y[i + 1]
    for i in range(1, len(x), 2):
        y[i] *= 3
    return y


@program((numbers(20),))
def last_index(x):
    i = -1
    for i in range(2, len(x), 3):
        last = x[i] * 2
    return last + x[i] * i


@program((numbers(6),))
def rows_are_views(x):
    a = np.outer(x, x)
    for row in a:
        row[1:] += row[0]
    return a


@program((numbers(6), 1.0), (numbers(6), -1.0))
def branch_in_loop(x, c):
    best = x[0]
    where = 0
    for i in range(1, len(x)):
        if c * x[i] > c * best:
            best = x[i]
            where = i
    return best * (where + 1)


@program((np.array([1.0, 2.0, -1.0, 4.0, 5.0, 6.0]),), (np.abs(numbers(6)),), (-np.abs(numbers(6)),))
def breaks(x):
    s = 0.0
    for i in range(len(x)):
        if x[i] < 0:
            break
        s += np.sin(x[i])
    return s


@program((numbers(10),), (np.abs(numbers(10)),))
def continues(x):
    s = 0.0
    for v in x:
        if v < 0:
            continue
        s += v * v
    return s


@program((np.array([1.0, 3.0, 2.0, 7.0, 1.0, 2.0]), 2.5), (np.array([1.0, 3.0, 2.0, 7.0, 1.0, 2.0]), 99.0))
def returns_from_loop(x, level):
    for i in range(len(x)):
        if x[i] > level:
            return x[i] * i
    return level * 2


@program((np.array([1.0, 3.0, 2.0, 7.0, 1.0, 2.0]), 2.5), (np.array([1.0, 3.0, 2.0, 7.0, 1.0, 2.0]), 99.0))
def else_of_loop(x, level):
    y = x[0] * 1.0
    for v in x:
        y = y + v
        if v > level:
            break
    else:
        y = -y
    return y


@program((matrix(5, 6),), (np.abs(matrix(5, 6)),))
def jumps_in_nest(a):
    s = 0.0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            if a[i, j] < -1:
                break
            if a[i, j] < 0:
                continue
            s += a[i, j] * (i + 2 * j)
        s = s * 0.9
    return s


@program((numbers(12),))
def takes_turns(x):
    a, b = x[0], x[1]
    for i in range(10):
        a, b = b, 0.3 * a + b * x[i]
    return a - b


@program((numbers(8), 5), (numbers(8), 7), statics=(1,))
def exchanges_buffers(x, n):
    u = x.copy()
    new = x.copy()
    for _ in range(n):
        for i in range(1, len(u) - 1):
            new[i] = 0.5 * (u[i - 1] + u[i + 1])
        u, new = new, u
    return u, new


@program((numbers(8), np.zeros(8), 5), (numbers(8), np.zeros(8), 6), statics=(2,))
def writes_arguments(u, new, n):
    for _ in range(n):
        new[1:-1] = 0.5 * (u[:-2] + u[2:])
        u, new = new, u
    return u.sum()


@program((numbers(6),))
def dict_of_arrays(x):
    state = {"a": x, "b": x[0]}
    for i in range(6):
        state["a"] = state["a"] * 0.5 + state["b"]
        state["b"] = state["b"] + state["a"][i]
    return state["a"], state["b"]


@program((numbers(6),))
def tuple_state(x):
    state = (x[0], x)
    for _ in range(7):
        s, v = state
        state = (s + v[1], v * 0.9 + s)
    return state


@program((numbers(6),))
def grows_list(x):
    found = []
    for i in range(6):
        found.append(x[i] ** 2)
    return np.stack(found)


@program((numbers(6),))
def through_a_view(x):
    a = np.zeros((6, 6))
    diagonal = a[1:, :]
    for i in range(5):
        diagonal[i, i] = x[i]
        a[0, i] = diagonal[i, i] * 2
    return a


def bump(a, i, by):
    a[i] += by


@program((numbers(7),))
def writes_in_callee(x):
    a = x * 1.0
    for i in range(7):
        bump(a, i, i * x[0])
    return a


# -- while
@program((2.0,), (100.0,), (1.0,))
def newton(a):
    x = a
    while abs(x * x - a) > 1e-10:
        x = 0.5 * (x + a / x)
    return x


@program((2.0, 5), (2.0, 0), (3.0, 2))
def counts_down(x, n):
    y = 1.0
    while n > 0:
        y = y * x
        n -= 1
    return y


@program((10.0,), (3.0,))
def while_true(x):
    n = 0
    while True:
        x = x / 2
        n += 1
        if x < 1:
            break
    return x * n


@program((numbers(5), 3), (numbers(5), 0), (numbers(5), 5))
def traced_bound(x, n):
    s = 0.0
    for i in range(n):
        s += x[i] * i
    return s


@program((np.array([5.0, 4.0, 3.0, -1.0, 2.0]), 0.0), (np.array([5.0, 4.0, 3.0, 1.0, 2.0]), 0.0))
def guarded_index(x, level):
    i = 0
    while i < len(x) and x[i] > level:
        i += 1
    return x[i - 1] * i


@program((matrix(5, 5) + 5 * np.eye(5),))
def lu(a):
    a = a.copy()
    n = a.shape[0]
    for k in range(n):
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= a[i, k] * a[k, j]
    return a


@program((np.abs(matrix(6, 6)),))
def floyd_warshall(d):
    d = d.copy()
    n = d.shape[0]
    for k in range(n):
        for i in range(n):
            for j in range(n):
                if d[i, k] + d[k, j] < d[i, j]:
                    d[i, j] = d[i, k] + d[k, j]
    return d


@program((matrix(6, 6), 1e-2), (matrix(6, 6), 100.0))
def gauss_seidel_until(u, tol):
    u = u.copy()
    change = 2 * tol
    turns = 0
    while change > tol and turns < 50:
        change = 0.0
        for i in range(1, 5):
            for j in range(1, 5):
                new = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
                change += abs(new - u[i, j])
                u[i, j] = new
        turns += 1
    return u, change


@program((numbers(6), 1e-3), (numbers(6), 10.0))
def jacobi_until(u, tol):
    u, new = u.copy(), u.copy()
    err = 1.0
    while err > tol:
        new[1:-1] = 0.5 * (u[:-2] + u[2:])
        err = np.max(np.abs(new - u))
        u, new = new, u
    return u


@program((numbers(4),))
def closure_inside(x):
    scale = 2.0

    def step(s, v):
        if v > 0:
            return s + scale * v
        return s - v

    s = x[0]
    for v in np.concatenate([x, x]):
        s = step(s, v)
    return s


@program((0.3, 6), (0.9, 6))
def weights_from_plain_array(x, n):
    w = np.array([1.0, 0.5, 0.25, 0.125, 2.0, 4.0])
    names = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    s = 0.0
    for i in range(6):
        s += w[i] * x**2 + names[i]
    return s * n


@program((numbers(5),))
def shadowed(x):
    t = x  # a temporary of another shape in each loop
    for i in range(5):
        t = x[i] * 2
        x = x + t
    for i in range(5):
        t = x * i
        x = x - 0.1 * t
    return x
