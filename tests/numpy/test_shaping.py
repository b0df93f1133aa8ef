"""Shape, joining, padding, picking and diagonals, over shapes with empty and 0-d arrays, negative axes and wrong arguments."""

import numpy as np
import pytest

import tracejit.numpy as tnp

SHAPES = [(), (4,), (3, 4), (2, 3, 4), (0, 3), (1, 3, 1)]
ARRAYS = [np.random.default_rng(0).standard_normal(s) for s in SHAPES]

CALLS = {
    "reshape": [
        lambda v: np.reshape(v, -1),
        lambda v: np.reshape(v, (2, -1)),
        lambda v: v.reshape(-1, 2),
        lambda v: np.reshape(v, (4, -1), order="F"),
        lambda v: v.reshape(5),
        lambda v: v.reshape(-1, -1),
        lambda v: v.reshape((-1,) + v.shape),
    ],
    "ravel": [np.ravel, lambda v: v.flatten("F"), lambda v: v.ravel()],
    "transpose": [
        np.transpose,
        lambda v: v.T,
        lambda v: np.transpose(v, (1, 0)),
        lambda v: v.transpose(0, -1),
        lambda v: np.transpose(v, (0, 0)),
        lambda v: v.mT,
        lambda v: np.permute_dims(v, (2, 0, 1)),
    ],
    "axes": [
        lambda v: np.swapaxes(v, 0, -1),
        lambda v: np.moveaxis(v, 0, -1),
        lambda v: np.moveaxis(v, (0, 1), (-1, 0)),
        lambda v: np.moveaxis(v, 0, (0, 1)),
        lambda v: np.rollaxis(v, 1),
        lambda v: np.rollaxis(v, 0, 2),
        lambda v: v.swapaxes(1, 5),
    ],
    "squeeze": [
        np.squeeze,
        lambda v: np.squeeze(v, 0),
        lambda v: v.squeeze((0, -1)),
        lambda v: np.expand_dims(v, 0),
        lambda v: np.expand_dims(v, (0, -1)),
        lambda v: np.expand_dims(v, (0, 0)),
    ],
    "broadcast": [
        lambda v: np.broadcast_to(v, (2, *v.shape)),
        lambda v: np.broadcast_to(v, (5,)),
        lambda v: np.broadcast_arrays(v, np.ones((3, 1))),
        np.atleast_1d,
        np.atleast_2d,
        np.atleast_3d,
        lambda v: np.atleast_1d(v, v),
    ],
    "flip": [
        np.flip,
        lambda v: np.flip(v, -1),
        lambda v: np.flip(v, (0, 1)),
        np.fliplr,
        np.flipud,
        np.rot90,
        lambda v: np.rot90(v, 2),
        lambda v: np.rot90(v, -1, (1, 0)),
        lambda v: np.rot90(v, 1, (0, 0)),
    ],
    "concatenate": [
        lambda v: np.concatenate([v, v]),
        lambda v: np.concatenate([v, v], axis=-1),
        lambda v: np.concatenate([v, v], axis=None),
        lambda v: np.concatenate([v, np.ones((1, 4))]),
        lambda v: np.concatenate([v, v], dtype=np.float32),
        lambda v: np.concatenate([v, v], dtype=int),
        lambda v: np.concatenate([v, v], 7),
        lambda v: np.concat([v, v > 0]),
    ],
    "stack": [
        lambda v: np.stack([v, v]),
        lambda v: np.stack([v, v], axis=-1),
        lambda v: np.stack([v, v], axis=9),
        lambda v: np.stack([v, v.T]),
        lambda v: np.vstack([v, v]),
        lambda v: np.hstack([v, v]),
        lambda v: np.dstack([v, v]),
        lambda v: np.column_stack([v, v]),
        lambda v: np.block([[v, v], [v, v]]),
        lambda v: np.append(v, 1),
        lambda v: np.append(v, v, 0),
    ],
    "split": [
        lambda v: np.split(v, 2),
        lambda v: np.split(v, [1, 2], -1),
        lambda v: np.array_split(v, 3),
        lambda v: np.hsplit(v, 2),
        lambda v: np.vsplit(v, [1]),
        lambda v: np.dsplit(v, 2),
        lambda v: np.array_split(v, 0),
        lambda v: np.array_split(v, [3, 1, -1]),
    ],
    "repeat": [
        lambda v: np.tile(v, 2),
        lambda v: np.tile(v, (2, 1, 3)),
        lambda v: np.repeat(v, 2),
        lambda v: np.repeat(v, 3, -1),
        lambda v: np.repeat(v, [1, 0, 2], 0),
        lambda v: v.repeat(2, 0),
        lambda v: np.repeat(v, [1, 2], 0),
    ],
    "pad": [
        lambda v: np.pad(v, 1),
        lambda v: np.pad(v, (1, 2), constant_values=3),
        lambda v: np.pad(v, 2, mode="edge"),
        lambda v: np.pad(v, 2, mode="reflect"),
        lambda v: np.pad(v, (0, 3), mode="symmetric"),
        lambda v: np.pad(v, 5, mode="wrap"),
        lambda v: np.pad(v, 1, constant_values=(1, 2)),
        lambda v: np.pad(v, -1),
        lambda v: np.pad(v, 1.5),
        lambda v: np.pad(v, {-1: (1, 2)}),
    ],
    "take": [
        lambda v: np.take(v, 0),
        lambda v: np.take(v, [[0, 1], [-1, 0]], axis=-1),
        lambda v: np.take(v, [7, -9], 0, mode="wrap"),
        lambda v: v.take([9, -1], 0, mode="clip"),
        lambda v: np.take(v, [50]),
        lambda v: np.take_along_axis(v, np.argsort(v, -1), -1),
        lambda v: np.take(v, []),
        lambda v: np.compress([True, False, True], v, 0),
        lambda v: v.compress([1, 0, 1], -1),
        lambda v: np.choose([[0], [1]], [v, -v]),
        lambda v: np.choose(3, [v, -v], mode="wrap"),
    ],
    "roll": [
        lambda v: np.roll(v, 1),
        lambda v: np.roll(v, -2, 0),
        lambda v: np.roll(v, (1, 2), (0, 1)),
        lambda v: np.roll(v, 10, -1),
        lambda v: np.delete(v, 1, 0),
        lambda v: np.delete(v, [0, -1]),
        lambda v: np.insert(v, 1, 5.0),
        lambda v: np.insert(v, 1, v[0], 0),
        lambda v: np.insert(v, [0, 2], 7.0, -1),
    ],
    "diagonal": [
        np.diagonal,
        lambda v: np.diagonal(v, 1),
        lambda v: v.diagonal(-1, -1, 0),
        lambda v: np.diagonal(v, 9),
        np.diag,
        lambda v: np.diag(v, -2),
        lambda v: np.diag(v, 1),
        np.diagflat,
        np.trace,
        lambda v: v.trace(1),
        lambda v: np.diagonal(v, 0, 1, 1),
        np.tril,
        np.triu,
        lambda v: np.tril(v, -1),
        lambda v: np.triu(v, 2),
    ],
    "like": [
        np.zeros_like,
        np.ones_like,
        lambda v: np.full_like(v, 2),
        lambda v: np.zeros_like(v, dtype=int),
        lambda v: np.ones_like(v, shape=(2, 2)),
        lambda v: np.full_like(v, 2.5, dtype=np.int8),
        lambda v: np.copy(v),
        lambda v: v.copy(),
        lambda v: np.astype(v, np.int32),
        lambda v: v.astype(bool),
        lambda v: v.astype(int, casting="safe"),
        lambda v: v.astype(np.complex64),
    ],
    "known": [
        lambda v: np.shape(v),
        lambda v: np.ndim(v),
        lambda v: np.size(v),
        lambda v: np.size(v, 0),
        lambda v: np.size(v, (0, 1)),
        lambda v: v.nbytes,
        len,
    ],
    "meshgrid": [
        lambda v: np.meshgrid(v, [1, 2]),
        lambda v: np.meshgrid(v, v, indexing="ij"),
        lambda v: np.meshgrid(v, [1.0, 2], [3], sparse=True),
        lambda v: np.meshgrid(v, indexing="xx"),
    ],
}
CALLS["split"] += [np.unstack, lambda v: np.unstack(v, axis=-1)]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("x", ARRAYS, ids=lambda x: str(x.shape))
def test_agrees_with_numpy(agrees, name, x):
    for call in CALLS[name]:
        agrees(call, x)


def test_lists_of_traced_values(agrees):
    x = np.arange(3.0)
    agrees(lambda v: tnp.array([v[0], 1, v[1] * 2]), x)
    agrees(lambda v: tnp.array([[v[0], 1], [v[1], 2j]]), x)
    agrees(lambda v: tnp.asarray([v, v]), x)
    agrees(lambda v: tnp.array([v, [1, 2]]), x)
    agrees(lambda v: tnp.array(v, dtype=np.float32, ndmin=3), x)
    agrees(lambda v: tnp.full((2, 3), v), x)
    agrees(lambda v: np.concatenate([[v[0], v[1]], v]), x)


def test_traced_shift(agrees):
    agrees(lambda v, k: np.roll(v, k) if isinstance(v, np.ndarray) else np.roll(v, k), np.arange(6.0).reshape(2, 3), np.int64(-4))
    agrees(lambda v, k: np.roll(v, k, axis=1), np.arange(6.0).reshape(2, 3), np.int64(2))


def test_linspace(agrees):
    a, b = np.array([0.0, 2.0]), np.array([1.0, -3.0])
    for call in (
        lambda x, y: np.linspace(x, y, 5),
        lambda x, y: np.linspace(x, y, 5, endpoint=False),
        lambda x, y: np.linspace(x, y, 5, axis=-1),
        lambda x, y: np.linspace(x, 3, 1),
        lambda x, y: np.linspace(x[0], y[0], 4, dtype=int),
        lambda x, y: np.linspace(x, y, 3, retstep=True),
        lambda x, y: np.linspace(x, y, -1),
        lambda x, y: np.linspace(x, y, 0),
    ):
        agrees(call, a, b)


def test_result_type():
    from tracejit.ir import array_type
    from tracejit.trace import Trace

    trace = Trace("test")
    single, weak = trace.input(array_type(np.float32(1))), trace.input(array_type(1.0))
    assert np.result_type(single, weak) == np.float32
    assert np.result_type(single, np.float64) == np.float64
    assert np.result_type(weak, np.int8) == np.float64
    assert np.can_cast(single, np.float64) and np.iscomplexobj(single * 1j)


def test_names_are_numpys():
    for name in tnp.__all__:
        assert hasattr(tnp, name)
    assert tnp.sin is np.sin and tnp.array([1, 2]).tolist() == [1, 2]
