"""Random trees of containers through the native entry: what goes in comes back, and only its own spec takes it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracejit.lowering.cpu.specs import Argument, Array, Constant, Dict, List, NamedTuple, Nothing, PyScalar, Static, Tuple

from .entries import MISS, VECTOR, Pair, entry

numbers = st.sampled_from(
    [
        (PyScalar("int"), 5), (PyScalar("float"), 0.25), (PyScalar("bool"), True), (PyScalar("complex"), 2j), (VECTOR, np.zeros(4)),
        (Array((), "f8"), np.float64(2)), (Array((0, 2), "i4"), np.zeros((0, 2), "i4")), (Nothing(), None), (Static("s"), "s"),
    ]
)  # fmt: skip


def _containers(children):
    many = st.lists(children, max_size=4)
    keys = st.lists(st.sampled_from(["a", "b", 3, (4,), 5.5]), unique=True, max_size=4)
    keyed = keys.flatmap(lambda ks: st.tuples(st.just(ks), st.tuples(*[children] * len(ks))))
    return st.one_of(
        many.map(lambda items: (Tuple([s for s, _ in items]), tuple(v for _, v in items))),
        many.map(lambda items: (List([s for s, _ in items]), [v for _, v in items])),
        keyed.map(lambda made: (Dict(made[0], [s for s, _ in made[1]]), {k: v for k, (_, v) in zip(made[0], made[1])})),
        st.tuples(children, children).map(lambda two: (NamedTuple(Pair, [two[0][0], two[1][0]]), Pair(two[0][1], two[1][1]))),
    )


trees = st.recursive(numbers, _containers, max_leaves=12)


def returned(spec, count):
    """The result spec that gives back an argument, leaf by leaf."""
    match spec:
        case Array() | PyScalar():
            return Argument(next(count))
        case Static(value):
            return Constant(value)
        case Nothing():
            return spec
        case Dict(keys, children):
            return Dict(keys, [returned(child, count) for child in children])
        case NamedTuple(cls, children):
            return NamedTuple(cls, [returned(child, count) for child in children])
    return type(spec)([returned(child, count) for child in spec.children])


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    return a is b


@settings(max_examples=150, deadline=None)
@given(st.lists(trees, max_size=3))
def test_any_tree_comes_back_as_it_went_in(made):
    specs, given_arguments = [spec for spec, _ in made], tuple(value for _, value in made)
    count = iter(range(1000))
    call = entry(specs, Tuple([returned(spec, count) for spec in specs]))
    assert same(call(*given_arguments), given_arguments)


@settings(max_examples=150, deadline=None)
@given(trees, trees)
def test_a_tree_is_taken_only_by_its_own_spec(one, other):
    call = entry([one[0]], Constant("taken"))
    expected = "taken" if _equal_up_to_key_order(one[0], other[0]) else MISS
    assert call(other[1]) is expected


def _equal_up_to_key_order(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, Dict):
        right = dict(zip(b.keys, b.children))
        return set(a.keys) == set(b.keys) and all(_equal_up_to_key_order(child, right[key]) for key, child in zip(a.keys, a.children))
    if isinstance(a, Tuple | List | NamedTuple):
        return len(a.children) == len(b.children) and all(map(_equal_up_to_key_order, a.children, b.children))
    return a == b
