"""Arrays on their way to a device and back, devices, streams, and arrays of other libraries."""

import copy
import pickle

import numpy as np
import pytest

import tracejit as tj
from tracejit.cuda.backend import backend

SIMULATED = backend().simulated


def test_put_and_get_are_inverse():
    tree = {"w": np.arange(6.0).reshape(2, 3), "n": None, "k": (np.float32(2), 3, True)}
    there = tj.device_put(tree)
    assert all(backend().is_device_array(x) for x in tj.tree.leaves(there))
    back = tj.device_get(there)
    np.testing.assert_array_equal(back["w"], tree["w"])
    assert back["k"] == (np.float32(2), 3, True) and [type(x) for x in back["k"]] == [np.float32, np.int64, np.bool_]
    assert tj.device_put(there["w"]) is there["w"]
    assert tj.device_put(tree, "cpu")["w"] is tree["w"]


def test_put_copies():
    x = np.zeros(3)
    y = tj.device_put(x)
    x[0] = 1
    np.testing.assert_array_equal(y.get(), np.zeros(3))


def test_put_refuses_text():
    with pytest.raises(TypeError, match="booleans and numbers"):
        tj.device_put(np.array(["a"]))


def test_devices():
    assert tj.devices("cpu") == [tj.cuda.Device("cpu")]
    assert tj.devices()[0] == tj.cuda.Device("cpu") and tj.devices()[1:] == tj.devices("cuda")
    assert str(tj.cuda.current_device()) == "cuda:0" and tj.cuda.is_available() and tj.cuda.device_count() == len(tj.devices("cuda"))
    assert len(tj.cuda.current_device().properties["capability"]) == 2
    for wrong in ("gpu", "cuda:x", "cpu:1"):
        with pytest.raises(ValueError, match="a device is"):
            tj.device_put(np.zeros(1), wrong)
    with pytest.raises(ValueError, match="kind is"):
        tj.devices("gpu")


@pytest.mark.skipif(tj.cuda.device_count() < 2, reason="there is one device")
def test_the_current_device():
    with tj.cuda.device(1):
        x = tj.device_put(np.ones(2))
    assert backend().device_of(x) == 1 and backend().device_of(tj.device_put(x, "cuda:0")) == 0
    assert backend().device_of(tj.jit(lambda x: x + 1)(x)) == 1


def test_streams_and_events():
    f = tj.jit(lambda x: x * 2.0)
    x = tj.device_put(np.ones(3))
    s, begin = tj.cuda.Stream(), tj.cuda.Event(timing=True)
    with tj.stream(s) as entered:
        assert entered.handle is s.handle
        begin.record()
        y = f(x)
        end = s.record(tj.cuda.Event(timing=True))
    assert begin.elapsed(end) >= 0
    end.synchronize()
    assert end.done
    tj.cuda.Stream().wait(end)
    s.synchronize()
    tj.cuda.synchronize()
    np.testing.assert_array_equal(tj.device_get(y), [2, 2, 2])
    with pytest.raises(tj.cuda.CudaError, match="a stream is needed"):
        with tj.stream(None):
            pass


def test_memory():
    assert set(tj.cuda.memory()) == {"free", "total", "used", "held"}
    tj.cuda.empty_cache()
    pinned = tj.cuda.pinned((2, 3), np.float32)
    assert pinned.shape == (2, 3) and pinned.dtype == np.float32
    pinned[...] = 1
    np.testing.assert_array_equal(tj.device_get(tj.device_put(pinned)), pinned)


class Foreign:
    """An array of another library on the device."""

    def __init__(self, array):
        self.array = array

    @property
    def __cuda_array_interface__(self):
        return self.array.__cuda_array_interface__


def test_foreign_arrays_are_taken_without_copy():
    memory = tj.device_put(np.arange(4.0))
    x = Foreign(memory)
    f = tj.jit(lambda x: x * 2.0)

    @tj.jit
    def increase(x):
        x += 1
        return np.sum(x)

    for turn in range(3):
        np.testing.assert_array_equal(tj.device_get(f(x)), 2 * (np.arange(4.0) + turn))
        assert float(increase(x)) == np.sum(np.arange(4.0) + turn + 1)
        np.testing.assert_array_equal(memory.get(), np.arange(4.0) + turn + 1)
    assert tj.device_put(x).__cuda_array_interface__["data"] == memory.__cuda_array_interface__["data"]
    gradient = tj.grad(lambda x: np.sum(x**2))(x)
    np.testing.assert_array_equal(gradient.get(), 2 * memory.get())


def test_arrays_of_numba():
    cuda = pytest.importorskip("numba.cuda")
    try:
        x = cuda.to_device(np.arange(3.0))
    except Exception as error:
        pytest.skip(f"Numba has no device here: {error}")
    np.testing.assert_array_equal(tj.device_get(tj.jit(np.negative)(x)), [-0.0, -1, -2])


def test_arrays_on_a_device_are_no_numpy_arrays():
    x = tj.device_put(np.arange(3.0))
    with pytest.raises(TypeError, match="get"):
        np.asarray(x)
    with pytest.raises(TypeError, match="Unsupported type"):
        x + np.ones(3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(x)).get(), x.get())
    np.testing.assert_array_equal(copy.deepcopy(x).get(), x.get())


@pytest.mark.skipif(not SIMULATED, reason="it would need all of a GPU's memory")
def test_memory_that_does_not_suffice():
    backend().limit = 1000
    try:
        with pytest.raises(tj.cuda.DeviceMemoryError, match="exhausted"):
            tj.jit(lambda x: np.outer(x, x))(tj.device_put(np.ones(100)))
    finally:
        backend().limit = None
