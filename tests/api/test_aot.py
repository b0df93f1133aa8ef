"""Compiling ahead of time, and what a program is said to cost."""

import numpy as np
import pytest

import tracejit as tj

S = tj.ShapeDtype


def test_shapes_and_arrays():
    f = tj.jit(lambda params, x, scale=2.0: {"y": np.tanh(x @ params["w"]) * scale, "n": np.sum(x)})
    w, x = np.ones((3, 4)), np.arange(6.0).reshape(2, 3)
    lowered = f.lower({"w": S((3, 4), np.float64)}, S((2, 3), np.float64))
    assert lowered.out_info == {"n": S((), np.dtype(float)), "y": S((2, 4), np.dtype(float))}
    assert "np.tanh" in lowered.as_text() and f.cache_info().misses == 0
    compiled = lowered.compile()
    for _ in range(4):
        got = compiled({"w": w}, x)
        np.testing.assert_allclose(got["y"], np.tanh(x @ w) * 2.0)
        assert got["n"] == 15.0
    other = f.lower({"w": w}, x, scale=3.0).compile()
    np.testing.assert_allclose(other({"w": w}, x, scale=3.0)["y"], np.tanh(x @ w) * 3.0)


def test_arguments_of_other_types():
    compiled = tj.jit(lambda x, n: x * n, static_argnums=1).lower(S((3,), np.float32), 2).compile()
    assert compiled(np.ones(3, np.float32)).dtype == np.float32
    with pytest.raises(TypeError, match=r"argument `x` of .* is float32\[4\], compiled for float32\[3\]"):
        compiled(np.ones(4, np.float32))
    with pytest.raises(TypeError, match="compiled for float32"):
        compiled(np.ones(3))
    with pytest.raises(TypeError, match="compiled for arguments"):
        compiled(np.ones(3, np.float32), np.ones(3, np.float32))


def test_branches_and_writes():
    def f(x):
        x[0] = 5.0
        return np.sum(x) if x[1] > 0 else np.prod(x)

    with pytest.raises(tj.TracerBoolError):
        tj.jit(f).lower(S((3,), np.float64))
    compiled = tj.jit(f).lower(np.ones(3)).compile()
    x = np.ones(3)
    for _ in range(4):
        assert compiled(x) == 7.0 and x[0] == 5.0
    with pytest.raises(ValueError, match="the condition at .*test_aot.py"):
        compiled(-np.ones(3))


def test_inside_transformations():
    compiled = tj.jit(lambda x: np.sum(x**3)).lower(S((2,), np.float64)).compile()
    np.testing.assert_allclose(tj.grad(compiled)(np.array([1.0, 2.0])), [3.0, 12.0])


def test_costs():
    n, m, k = 20, 30, 40
    cost = tj.jit(lambda a, b: np.exp(a @ b) + 1.0).lower(S((n, m), np.float64), S((m, k), np.float64)).compile().cost_analysis()
    assert cost.flops == 2 * n * m * k + n * k and cost.transcendentals == n * k and not cost.loops_counted_once
    assert cost.bytes_accessed >= 8 * (n * m + m * k + n * k)
    assert cost.arithmetic_intensity == (cost.flops + cost.transcendentals) / cost.bytes_accessed
    scan = tj.jit(lambda x: tj.fori_loop(0, 10, lambda i, c: c * 1.5 + x, x)).lower(S((7,), np.float64)).compile()
    assert scan.cost_analysis().flops >= 140
    loop = tj.jit(lambda x: tj.while_loop(lambda c: c < 100.0, lambda c: c * 2.0, x)).lower(S((), np.float64)).compile()
    assert loop.cost_analysis().loops_counted_once
    solve = tj.jit(np.linalg.solve).lower(S((50, 50), np.float64), S((50,), np.float64)).compile().cost_analysis()
    assert solve.flops == pytest.approx(2 * 50**3 / 3 + 2 * 50**2, rel=0.1)


def test_memory():
    captured = np.ones(100)
    f = tj.jit(lambda x: np.sort(np.cumsum(x * captured)) @ captured)
    memory = f.lower(S((100,), np.float64)).compile().memory_analysis()
    assert memory.argument_bytes == 800 and memory.captured_bytes == 800 and memory.output_bytes == 8 and memory.temporary_bytes >= 800
