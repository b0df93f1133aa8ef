"""The engine: programs observe the same in torch and here, and what it keeps is freed."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import tracejit.torch as ours

from .autograd_programs import PROGRAMS, plain


def close(a, b):
    if isinstance(a, list) and isinstance(b, list):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            close(x, y)
    elif isinstance(a, (float, complex)) and isinstance(b, (float, complex)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    else:
        assert a == b


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_as_torch(program, capsys):
    theirs = pytest.importorskip("torch")
    close(plain(program(ours)), plain(program(theirs)))


# -- only here
def test_a_graph_of_150000_nodes_is_gone_through_and_freed():
    x = ours.ones(2, requires_grad=True)
    y = x
    for _ in range(150_000):
        y = y + 1
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    del y


def test_what_was_saved_is_freed_by_backward():
    x = ours.ones(4, requires_grad=True)
    middle = x * 2
    out = (middle * middle).sum()
    array = weakref.ref(middle._storage)
    del middle
    assert array() is not None
    out.backward()
    gc.collect()
    assert array() is None


def test_a_dropped_graph_leaves_nothing():
    x = ours.ones(4, requires_grad=True)
    y = x.exp()
    node = weakref.ref(y.grad_fn)
    del y
    assert node() is None


def test_gradients_are_nobody_elses():
    x, y = ours.ones(2, requires_grad=True), ours.ones(2, requires_grad=True)
    given = ours.ones(2)
    (x + y).backward(given)
    x.grad.add_(1)
    assert y.grad.tolist() == [1.0, 1.0] and given.tolist() == [1.0, 1.0]


def test_in_place_error_names_the_lines():
    x = ours.ones(2, requires_grad=True)
    y = x * 1
    z = y * y
    y.zero_()
    with pytest.raises(RuntimeError, match=r"saved by MulBackward0 at .*test_autograd.py:\d+ .*last modified at .*test_autograd.py:\d+"):
        z.sum().backward()
