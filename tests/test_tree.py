"""tracejit.tree: walking, rebuilding, paths, ravel, registered classes, and errors that name the first difference."""
import dataclasses
import pickle
import re
from collections import OrderedDict, defaultdict, deque, namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracejit import tree

Point = namedtuple("Point", "x y")


@tree.register_dataclass(meta_fields=("activation",))
@dataclasses.dataclass(frozen=True)
class Layer:
    weight: object
    bias: object
    activation: str = "relu"

    def __post_init__(self):
        if self.weight is None:
            raise AssertionError("ran while rebuilding")


@tree.register_dataclass
@dataclasses.dataclass(slots=True)
class Slotted:
    value: object
    count: object = dataclasses.field(default=0, init=False)


dtypes = st.sampled_from([np.float32, np.float64, np.int32, np.complex64, np.bool_])
shapes = st.sampled_from([(), (0,), (3,), (2, 2)])
arrays = st.builds(lambda shape, dtype: np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype), shapes, dtypes)
trees = st.recursive(
    arrays | st.none(),
    lambda children: st.lists(children, max_size=3)
    | st.lists(children, max_size=3).map(tuple)
    | st.dictionaries(st.sampled_from(["w", "b", "a"]), children, max_size=3)
    | st.builds(Point, children, children)
    | st.builds(Slotted, children),
    max_leaves=6,
)


# ------------------------------------------------------------------------------------------------------------- flatten and rebuild
@given(trees)
@settings(deadline=None, max_examples=60)
def test_unflatten_inverts_flatten(x):
    items, structure = tree.flatten(x)
    rebuilt = tree.unflatten(structure, items)
    assert tree.structure(rebuilt) == structure == tree.structure(x)
    assert all(a is b for a, b in zip(tree.leaves(rebuilt), items, strict=True))
    assert pickle.loads(pickle.dumps(structure)) == structure


def test_none_has_no_leaves_and_stays():
    assert tree.leaves({"a": None, "b": 1}) == [1]
    assert tree.map(lambda x: x + 1, {"a": None, "b": 1}) == {"a": None, "b": 2}


def test_results_keep_the_order_of_the_keys_of_the_input():
    a, b = {"w": 1, "b": 2}, {"b": 2, "w": 1}
    assert tree.structure(a) == tree.structure(b)
    assert list(tree.map(lambda x: x, a)) == ["w", "b"]
    assert list(tree.map(lambda x: x, b)) == ["b", "w"]
    assert tree.map(lambda x, y: (x, y), a, b) == {"w": (1, 1), "b": (2, 2)}


@pytest.mark.parametrize("container", [OrderedDict(b=1, a=2), defaultdict(int, b=1, a=2), deque([1, 2], maxlen=4), Point(1, 2)])
def test_kinds_of_container_survive(container):
    doubled = tree.map(lambda x: 2 * x, container)
    assert type(doubled) is type(container)
    assert sorted(tree.leaves(doubled)) == [2, 4]


def test_is_leaf_stops_the_walk():
    stop = lambda node: isinstance(node, Point)
    assert tree.leaves([Point(1, 2), 3], is_leaf=stop) == [Point(1, 2), 3]
    assert tree.map(lambda p: p.x, [Point(1, 2)], is_leaf=stop) == [1]
    assert tree.paths([Point(1, 2), 3], is_leaf=stop) == ["[0]", "[1]"]


def test_leaves_and_containers():
    assert all(map(tree.is_leaf, [1.0, np.ones(2), "text", {1}]))
    assert not any(map(tree.is_leaf, [None, (), [], {}, Point(1, 2), Layer(1, 2)]))


def test_map_takes_subtrees_at_leaves():
    assert tree.map(lambda axis, x: (axis, x), {"w": 0}, {"w": [1, 2]}) == {"w": (0, [1, 2])}


def test_map_does_not_relabel_errors_of_its_function():
    def fail(x, y):
        raise ValueError("mine")
    with pytest.raises(ValueError, match="^mine$"):
        tree.map(fail, [1], [2])


def test_wrong_number_of_leaves():
    with pytest.raises(ValueError):
        tree.unflatten(tree.structure([1, 2]), [1])


# ----------------------------------------------------------------------------------------------------------------- paths
def test_paths_read_like_code():
    params = {"w": [Layer(1, 2)], 'quo"te': (3,), "p": Point(4, 5)}
    assert dict(tree.leaves_with_path(params)) == {'["w"][0].weight': 1, '["w"][0].bias': 2, '["quo\\"te"][0]': 3, '["p"].x': 4, '["p"].y': 5}
    for path, leaf in tree.leaves_with_path(params):
        assert eval(f"params{path}", {"params": params}) == leaf
    assert tree.paths(1.0) == [""]


# ------------------------------------------------------------------------------------------------------------ differences
@pytest.mark.parametrize(("a", "b", "message"), [
    ({"layers": [1, (2, 3)]}, {"layers": [1, [2, 3, 4]]}, 'grads["layers"][1]: expected tuple of length 2 as in params, got list of length 3'),
    ({"layers": [1, (2, 3)]}, {"layers": [1, (2,)]}, 'grads["layers"][1]: expected tuple of length 2 as in params, got tuple of length 1'),
    ({"a": 1, "b": 2}, {"a": 1, "c": 2}, "grads: expected dict with keys 'a', 'b' as in params, got dict with keys 'a', 'c'"),
    ([np.zeros((2, 3), np.float32)], [(1, 2)], "grads[0]: expected a leaf (float32[2,3]) as in params, got tuple of length 2"),
    ([(1, 2)], [1.5], "grads[0]: expected tuple of length 2 as in params, got a leaf (float)"),
    ([1], [None], "grads[0]: expected a leaf (int) as in params, got None"),
    ([Layer(1, 2)], [Layer(1, 2, "tanh")], "grads[0]: expected Layer with ('relu',) as in params, got Layer with ('tanh',)"),
    ([Layer(1, (2, 3))], [Layer(1, {})], "grads[0].bias: expected tuple of length 2 as in params, got empty dict"),
    (Point(1, 2), (1, 2), "grads: expected Point as in params, got tuple of length 2"),
    ({"a": 1}, OrderedDict(a=1), "grads: expected dict with keys 'a' as in params, got OrderedDict with keys 'a'"),
])
def test_check_same_structure_names_the_first_difference(a, b, message):
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        tree.check_same_structure("params", a, "grads", b)


@given(trees, trees)
@settings(deadline=None, max_examples=60)
def test_check_same_structure_agrees_with_equality(a, b):
    if tree.structure(a) == tree.structure(b):
        tree.check_same_structure("a", a, "b", b)
    else:
        with pytest.raises(ValueError, match=r"^b.*: expected .* as in a, got "):
            tree.check_same_structure("a", a, "b", b)


def test_map_names_the_first_difference():
    with pytest.raises(ValueError, match=re.escape('trees[2]["w"][1]: expected tuple of length 1 as in trees[0], got a leaf (int)')):
        tree.map(lambda *x: x, {"w": [1, (2,)]}, {"w": [1, (2,)]}, {"w": [1, 2]})


# ----------------------------------------------------------------------------------------------------------------- ravel
@given(trees)
@settings(deadline=None, max_examples=60)
def test_unravel_inverts_ravel(x):
    flat, unravel = tree.ravel(x)
    assert flat.shape == (unravel.size,)
    back = unravel(flat)
    tree.check_same_structure("x", x, "back", back)
    for a, b in zip(tree.leaves(x), tree.leaves(back), strict=True):
        assert np.asarray(a).dtype == b.dtype or isinstance(a, int)  # a Python scalar is weak
        assert not np.shares_memory(a, b)
        np.testing.assert_array_equal(a, b)


def test_ravel_promotes_as_numpy_does():
    flat, unravel = tree.ravel({"a": np.ones(2, np.float32), "b": np.ones((1, 1), np.int16), "s": 2.0})
    assert flat.dtype == np.float32
    assert [x.dtype for x in tree.leaves(unravel(flat))] == [np.float32, np.int16, np.float32]
    assert tree.ravel({"a": np.ones(1, np.float32), "s": np.float64(2.0)})[0].dtype == np.float64
    assert tree.ravel([])[0].dtype == np.float64


def test_unravel_is_a_value():
    _, first = tree.ravel([np.ones(2), 1.0])
    _, second = tree.ravel([np.zeros(2), 5.0])
    assert first == second and hash(first) == hash(second) and pickle.loads(pickle.dumps(first)) == first


def test_unravel_checks_the_shape():
    _, unravel = tree.ravel([np.ones((2, 2))])
    with pytest.raises(ValueError, match=re.escape("expected an array of shape (4,), got shape (2, 2)")):
        unravel(np.ones((2, 2)))


@pytest.mark.parametrize(("leaf", "found"), [("text", "str"), (np.array([None]), "ndarray of dtype object")])
def test_ravel_refuses_what_is_no_number(leaf, found):
    with pytest.raises(TypeError, match=re.escape(f'tree["a"][0] is {found}, not an array of numbers')):
        tree.ravel({"a": [leaf]})


# ------------------------------------------------------------------------------------------------------------ new kinds of node
def test_dataclass_is_rebuilt_without_running_its_init():
    layer = tree.map(lambda x: None, Layer(1, 2))
    assert (layer.weight, layer.bias, layer.activation) == (None, None, "relu")
    assert tree.map(lambda x: x + 1, Slotted(1)) == tree.map(lambda x: x, tree.unflatten(tree.structure(Slotted(0)), [2, 1]))


def test_meta_fields_belong_to_the_structure():
    assert tree.structure(Layer(1, 2, "relu")) != tree.structure(Layer(1, 2, "tanh"))
    with pytest.raises(TypeError, match=r"Layer.activation belongs to the structure and must be hashable, got list"):
        tree.leaves(Layer(1, 2, ["relu"]))


def test_register_dataclass_refuses():
    class Plain:
        pass
    with pytest.raises(TypeError, match="not a dataclass"):
        tree.register_dataclass(Plain)
    with pytest.raises(ValueError, match="has no field 'activatoin'; its fields are weight, bias, activation"):
        tree.register_dataclass(Layer, meta_fields=["activatoin"])
    with pytest.raises(ValueError, match="already registered"):
        tree.register_dataclass(Layer)


def test_register_node():
    class Interval:
        def __init__(self, low, high):
            self.low, self.high = low, high
    tree.register_node(Interval, lambda x: ((x.low, x.high), None, ("low", "high")), lambda _, children: Interval(*children))
    assert tree.leaves_with_path({"range": Interval(0, 1)}) == [('["range"].low', 0), ('["range"].high', 1)]
    assert tree.map(lambda x: x + 1, Interval(0, 1)).high == 2
