"""Threads trace and run the same functions at once; an error in one leaves the others alone."""

from __future__ import annotations

import functools
import threading

import numpy as np
import pytest

import tracejit as tj

from .going_on import x3


def in_threads(count: int, work) -> list:
    """`work(i)` in so many threads at once; their results. An exception in one is raised here."""
    start, results, errors = threading.Barrier(count), [None] * count, []

    def run(i):
        try:
            start.wait()
            results[i] = work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    return results


def test_threads_trace_at_once():
    def work(i):
        def f(x):
            for k in range(6):
                x = np.sin(x) * (i + 1) / 4 + k
            return np.sum(x)

        out = []
        for n in range(1, 4):
            x = np.linspace(0.0, 1.0, n)
            out.append((f(x), tj.jit(f)(x), tj.grad(f)(x), tj.jit(tj.grad(f))(x)))
        return out

    for results in in_threads(4, work):
        for plain, compiled, gradient, compiled_gradient in results:
            np.testing.assert_allclose(compiled, plain, rtol=1e-9)
            np.testing.assert_allclose(compiled_gradient, gradient, rtol=1e-9)


def test_threads_share_a_compiled_function():
    f = tj.jit(lambda x, s: np.sort(np.sin(x) * s) + np.cumsum(x))  # host steps between native ones
    g = tj.jit(lambda x, s: np.sum(np.tanh(x) * s) + x)

    def work(i):
        rng = np.random.default_rng(i)
        for turn in range(100):
            x = rng.standard_normal(5 + (i + turn) % 3)
            np.testing.assert_allclose(f(x, 2.0), np.sort(np.sin(x) * 2.0) + np.cumsum(x), rtol=1e-12)
            np.testing.assert_allclose(g(x, i), np.sum(np.tanh(x) * i) + x, rtol=1e-12)

    in_threads(4, work)


def test_an_error_in_one_thread_leaves_the_others_alone():
    @functools.partial(tj.jit, static_argnums=1)
    def f(x, fail):
        if fail:
            raise KeyError("mine")
        return np.sin(x)

    def work(i):
        for _ in range(20):
            if i % 2:
                with pytest.raises(KeyError):
                    f(x3, True)
            else:
                np.testing.assert_allclose(f(x3, False), np.sin(x3), rtol=1e-14)

    in_threads(4, work)
