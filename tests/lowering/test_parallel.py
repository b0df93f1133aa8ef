"""Chunks, threads and the memory that they share: results do not depend on how a nest is cut, in threads or in forked processes."""
import os
import threading

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.program import Program

rng = np.random.default_rng(0)


@pytest.fixture
def threads(request, monkeypatch):
    monkeypatch.setattr(tj.config, "threads", request.param)
    return request.param


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


FUNCTIONS = {
    "elementwise": lambda x: np.sin(x) * np.exp(x),
    "sum": lambda x: np.sum(np.sin(x) * x),
    "maximum": lambda x: np.max(np.cos(x) * x),
    "rows": softmax,
    "columns": lambda x: np.sum(np.tanh(x), 0),
    "all at once": lambda x: (np.sum(np.tanh(x), 0), np.sum(np.tanh(x)), np.tanh(x)),
    "gradient of rows": tj.grad(lambda x: np.sum(softmax(x) ** 2)),
    "running": lambda x: np.sum(x * x, 1),
}


@pytest.mark.parametrize("threads", [1, 2, 3], indirect=True)
@pytest.mark.parametrize("shape", [(611, 1027), (1024, 1024)], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_chunks_give_what_numpy_gives(name, shape, threads):
    x = rng.standard_normal(shape)
    got = tj.tree.leaves(tj.jit(FUNCTIONS[name])(x))
    want = tj.tree.leaves(FUNCTIONS[name](x))
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n", [300_000, 300_001, 299_999, 262_144])
@pytest.mark.parametrize("threads", [2], indirect=True)
def test_the_last_chunk_does_the_remainder(n, threads):
    x = rng.standard_normal(n)
    f = tj.jit(lambda x: (np.exp(np.sin(x)), np.sum(np.exp(np.sin(x)))))
    y, total = f(x)
    np.testing.assert_allclose(y, np.exp(np.sin(x)), rtol=1e-14)
    np.testing.assert_allclose(total, np.sum(np.exp(np.sin(x))), rtol=1e-12)
    assert any(getattr(item, "chunks", None) for item in Program(f.graph(x)).items)


def test_sums_do_not_depend_on_the_number_of_threads(monkeypatch):
    x = rng.standard_normal(1_000_000)
    results = []
    for count in (2, 3, 8):
        monkeypatch.setattr(tj.config, "threads", count)
        results.append(tj.jit(lambda x: np.sum(np.sin(x)))(x))
    assert len(set(results)) == 1


@pytest.mark.parametrize("threads", [2], indirect=True)
def test_python_threads_call_chunked_programs_at_once(threads):
    x = rng.standard_normal(400_000)
    f = tj.jit(lambda x: np.sum(np.exp(np.sin(x))))
    want = f(x)
    wrong = []

    def work():
        wrong.extend(got for got in (f(x) for _ in range(20)) if got != want)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("threads", [2], indirect=True)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_has_a_pool_of_its_own(threads):
    x = rng.standard_normal(400_000)
    f = tj.jit(lambda x: np.sum(np.exp(np.sin(x))))
    want = f(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if f(x) == want and tj.jit(lambda x: np.sum(np.cos(x)))(x) < np.inf else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_equal_layers_are_one_kernel():
    weights = [rng.standard_normal((16, 16)) for _ in range(6)]

    def network(weights, x):
        for w in weights:
            x = np.tanh(x @ w)
        return x

    f = tj.jit(network)
    x = rng.standard_normal((4, 16))
    np.testing.assert_allclose(f(weights, x), network(weights, x), rtol=1e-12)
    program = Program(f.graph(weights, x))
    assert len(program.kernels) <= 2 < sum(type(item).__name__ == "Nest" for item in program.items)


def test_a_value_is_computed_in_the_memory_of_the_one_it_replaces():
    w = rng.standard_normal((32, 32)) / 6
    f = tj.jit(lambda w: np.exp(np.tanh(w @ w) @ w) @ w)
    np.testing.assert_allclose(f(w), np.exp(np.tanh(w @ w) @ w) @ w, rtol=1e-12)
    assert Program(f.graph(w)).plan.arena_bytes == 2 * w.nbytes


class TestNativeLoops:
    def test_loops_of_native_bodies_are_native(self):
        f = tj.jit(lambda x: tj.fori_loop(0, 50, lambda i, s: s * 0.5 + np.sin(s), x))
        x = rng.standard_normal(5)
        want = x
        for _ in range(50):
            want = want * 0.5 + np.sin(want)
        np.testing.assert_allclose(f(x), want, rtol=1e-12)
        assert Program(f.graph(x)).host_ops == [] and "native loop" in f.kernels(x)

    @pytest.mark.parametrize("length", [1, 2, 3, 4])
    def test_the_last_turn_writes_the_results(self, length):
        f = tj.jit(lambda s: tj.scan(lambda s, _: ((s[1], s[0] + s[1]), s[0]), s, None, length))
        (a, b), seen = f((0.0, 1.0))
        numbers = [0.0, 1.0, 1.0, 2.0, 3.0, 5.0]
        assert (a, b) == (numbers[length], numbers[length + 1]) and seen.tolist() == numbers[:length]

    def test_a_while_loop_that_does_not_turn(self):
        assert tj.jit(lambda x: tj.while_loop(lambda x: x < 0.0, lambda x: x + 1.0, x))(3.0) == 3.0

    def test_an_index_out_of_range_in_a_body_raises(self):
        f = tj.jit(lambda x, i: tj.scan(lambda s, k: (s + x[k], None), 0.0, i)[0])
        assert f(np.arange(4.0), np.array([0, 3, -1])) == 6.0
        with pytest.raises(IndexError):
            f(np.arange(4.0), np.array([0, 4, 1]))

    def test_a_loop_and_its_linearization_are_one(self):
        f = tj.jit(tj.value_and_grad(lambda x: tj.scan(lambda s, _: (np.sin(s) * x, None), x, None, 20)[0]))
        f(0.7)
        assert f.kernels(0.7).count("= scan(") == 2
