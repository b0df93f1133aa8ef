"""Indices as torch takes them: numbers and slices first, and then tensors, where NumPy takes numbers for tensors."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit.torch as ours

SHAPE = (2, 3, 4, 5)


def items(torch, rng):
    """A random index of a tensor of this shape."""
    made = []
    for n in SHAPE[: rng.integers(1, 5)]:
        kind = rng.integers(0, 8)
        if kind == 0:
            made.append(int(rng.integers(-n, n)))
        elif kind == 1:
            made.append(slice(int(rng.integers(0, n)), None, int(rng.integers(1, 3))))
        elif kind == 2:
            made.append(torch.tensor(rng.integers(-n, n, 2)))
        elif kind == 3:
            made.append(torch.tensor(rng.integers(-n, n, (2, 1))))
        elif kind == 4:
            made.append(torch.tensor(int(rng.integers(-n, n))))
        elif kind == 5:
            made.append([int(v) for v in rng.integers(0, n, 2)])
        elif kind == 6:
            made.append(torch.tensor(rng.integers(0, 2, n).astype(bool)))
        else:
            made.append(slice(None))
    extra = (None, Ellipsis, "nothing", "nothing")[rng.integers(0, 4)]
    if extra != "nothing":
        made.insert(int(rng.integers(0, len(made) + 1)), extra)
    return made


def read_and_write(index):
    """Functions of a tensor and of the tensors of the index."""

    def whole(tensors):
        rest = iter(tensors)
        return tuple(next(rest) if hasattr(i, "shape") else i for i in index)

    def read(x, *tensors):
        return x[whole(tensors)]

    def write(x, *tensors):
        made, old = x.clone(), x[whole(tensors)]
        made[whole(tensors)] = old.cumsum(0) if old.ndim else old + 1
        return made

    return read, write


def outcomes(torch, seed, compile):
    rng = np.random.default_rng(seed)
    x = torch.tensor(np.arange(120.0).reshape(SHAPE))
    for _ in range(60):
        index = items(torch, rng)
        tensors = [i for i in index if hasattr(i, "shape")]
        for f in map(compile, read_and_write(index)):
            try:
                yield str(index), f(x, *tensors).numpy()
            except (IndexError, RuntimeError):
                yield str(index), None


@pytest.mark.parametrize("compile", [lambda f: f, pytest.param(ours.compile, marks=pytest.mark.slow)], ids=["eager", "compiled"])
@pytest.mark.parametrize("seed", [0, 1])
def test_random_indices_are_torchs(seed, compile):
    torch = pytest.importorskip("torch")
    for (index, expected), (_, found) in zip(outcomes(torch, seed, lambda f: f), outcomes(ours, seed, compile)):
        assert (expected is None) == (found is None), index
        if expected is not None:
            assert expected.shape == found.shape and np.array_equal(expected, found), index


def test_numbers_beside_tensors():
    x = ours.arange(24).reshape(2, 3, 4)
    places = ours.tensor([0, 3])
    assert x[1, :, places].tolist() == [[12, 15], [16, 19], [20, 23]]
    assert x[:, 0, places].tolist() == [[0, 3], [12, 15]]
    y = x.clone()
    y[0, :, places] = ours.tensor([[-1, -2], [-3, -4], [-5, -6]])
    assert y[0].tolist() == [[-1, 1, 2, -2], [-3, 5, 6, -4], [-5, 9, 10, -6]]
    z = ours.zeros(2, 3, requires_grad=True)
    (z * 2)[0, ours.tensor([1, 1])].sum().backward()
    assert z.grad.tolist() == [[0.0, 4.0, 0.0], [0.0, 0.0, 0.0]]


def test_a_mask_behind_an_ellipsis_has_to_fit():
    with pytest.raises(IndexError, match="shape of the mask"):
        ours.zeros(2, 3)[..., ours.tensor([True, False])]


def test_places_that_a_compiled_function_counts():
    x, cache = ours.arange(24.0).reshape(2, 3, 4), ours.zeros(3, 4)
    places = ours.tensor([0, 3])

    @ours.compile
    def f(n, v):
        cache[n] = v
        cache[n, 0] += 1
        taken = x[1, :, places] * n
        return x[:, n], x[n % 2, :, places], x[places % 2, :, n], taken, ours.tensor([n, 1]), ours.tensor(n / 2), ours.full((2,), n)

    def eager(n):
        return x[:, n], x[n % 2, :, places], x[places % 2, :, n], x[1, :, places] * n, ours.tensor([n, 1]), ours.tensor(n / 2), ours.full((2,), n)

    for n in (0, 1, 2, 0, 1, 2):
        for a, b in zip(f(n, ours.ones(4) * n), eager(n), strict=True):
            assert a.dtype == b.dtype and a.tolist() == b.tolist()
    assert cache.tolist() == [[1.0, 0.0, 0.0, 0.0], [2.0, 1.0, 1.0, 1.0], [3.0, 2.0, 2.0, 2.0]]
    position = ours.compile(lambda n: x[0, :, n])
    assert [position(n).tolist() for n in (0, 1, 2, 3, -1, 2)] == [x[0, :, n].tolist() for n in (0, 1, 2, 3, -1, 2)]
    assert position.cache_info().currsize <= 4
    with pytest.raises(IndexError):
        position(7)


def test_masks_without_axes_beside_others_have_gradients():
    torch = pytest.importorskip("torch")

    def run(package, pick):
        x = package.arange(12.0).reshape(3, 4).requires_grad_()
        y = pick(x, package.tensor([0, 2]), package.tensor([True, False, True]))
        (y * y).sum().backward()
        return y.tolist(), x.grad.tolist()

    for pick in (
        lambda x, i, m: x[True, i], lambda x, i, m: x[i, True], lambda x, i, m: x[True, ...], lambda x, i, m: x[True, :, 1],
        lambda x, i, m: x[True, m], lambda x, i, m: x[None, True, i], lambda x, i, m: x[False, :, i], lambda x, i, m: x[..., True, 1],
    ):  # fmt: skip
        try:
            expected = run(torch, pick)
        except IndexError:
            with pytest.raises(IndexError):
                run(ours, pick)
        else:
            assert run(ours, pick) == expected
