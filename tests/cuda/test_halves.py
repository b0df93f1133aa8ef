"""What the host computes of a graph that a device runs."""

import numpy as np

import tracejit as tj
from tracejit.interpret import replay
from tracejit.lowering.cuda.halves import halves


def split(f, on_host, wanted, *args, without=("mersenne_words",)):
    graph = tj.trace(f)(*args)
    found = halves(graph, on_host, wanted, lambda op: op.name in without)
    if found is None:
        return None
    made = replay(found.host, [args[i] for i in found.host_inputs])
    rest = iter(replay(found.device, [*(args[i] for i in found.device_inputs), *made[len(found.host_outputs) :]]))
    of_host = dict(zip(found.host_outputs, made))
    both = [of_host[k] if k in of_host else next(rest) for k in range(len(graph.outputs))]
    for got, want in zip(both, replay(graph, args), strict=True):
        np.testing.assert_array_equal(got, want)
    return found


def names(graph):
    return [node.op.name for node in graph.nodes]


def test_a_counter_stays_on_the_host():
    found = split(lambda step, w: (step + 1, w * np.sqrt(step + 1), w + 2), {0}, {0}, np.float32(3), np.ones(4, np.float32))
    assert names(found.host) == ["add"] and found.host_outputs == (0,) and found.host_inputs == (0,) and found.device_inputs == (1,)
    assert len(found.device.inputs) == 2 and len(found.device.outputs) == 2  # with the new value, which it reads


def test_what_nobody_wants_there_goes_to_the_device():
    assert split(lambda step, w: (step + 1, w * step), {0}, set(), np.float32(3), np.ones(4, np.float32)) is None
    assert split(lambda step, w: (step + w, w), {0}, {0}, np.float32(3), np.ones(4, np.float32)) is None  # it depends on the device
    assert split(lambda step, w: (step, w), {0}, {0}, np.float32(3), np.ones(4, np.float32)) is None


def test_what_has_no_kernel_is_computed_in_front():
    found = split(lambda x, w: w + np.sort(x * 2), {0}, set(), np.arange(3.0), np.ones(3), without=("sort",))
    assert names(found.host) == ["multiply", "sort"] and names(found.device) == ["add"]
    assert split(lambda x, w: x + np.sort(w), {0}, set(), np.arange(3.0), np.ones(3), without=("sort",)) is None


def test_effects_stay_in_their_order():
    assert split(lambda step, w: (tj.debug.print("{}", w) or step + 1, w), {0}, {0}, np.float32(3), np.ones(4, np.float32)) is None
