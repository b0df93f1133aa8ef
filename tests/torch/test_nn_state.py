"""Saving and loading of modules as programs in use extend it, and the order in which a module lists what it has."""

from __future__ import annotations

import pytest

import tracejit.torch as torch
from tracejit.torch import nn


class Renamed(nn.Linear):
    """A layer that was once saved under other names."""

    _version = 3

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        self.versions = [*getattr(self, "versions", []), local_metadata.get("version")]
        if prefix + "kernel" in state_dict:
            state_dict[prefix + "weight"] = state_dict.pop(prefix + "kernel")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "bias"] = destination[prefix + "bias"].clone()


def test_a_parameter_that_is_replaced_keeps_its_place():
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(torch.ones(2, 2))
    layer.register_buffer("b", torch.zeros(1))
    assert list(layer.state_dict()) == ["weight", "bias", "b"]
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    net.add_module("last", nn.ReLU())
    setattr(net, "0", nn.Linear(1, 3))
    assert [n for n, _ in net.named_children()] == ["0", "1", "last"]
    layer.bias = None
    layer.bias = nn.Parameter(torch.zeros(2))
    assert [n for n, _ in layer.named_parameters()] == ["weight", "bias"]


def test_subclasses_load_in_their_own_way():
    net = nn.Sequential(Renamed(2, 3), nn.ReLU())
    state = net.state_dict()
    old = {"0.kernel": torch.full((3, 2), 5.0), "0.bias": torch.ones(3)}
    assert str(net.load_state_dict(old)) == "<All keys matched successfully>"
    assert net[0].weight.tolist() == [[5.0, 5.0]] * 3 and state["0.bias"].tolist() != [1.0] * 3
    net.load_state_dict(state)
    assert net[0].versions == [None, 3]  # of a plain dictionary, and of a state with metadata
    with pytest.raises(RuntimeError, match="size mismatch for 0.bias"):
        net.load_state_dict({"0.kernel": torch.zeros(3, 2), "0.bias": torch.ones(4)})
    assert net[0].weight.tolist() == [[5.0, 5.0]] * 3
    net[0]._load_from_state_dict({"weight": torch.zeros(3, 2), "bias": torch.zeros(3)}, "", {}, True, [], [], [])
    assert net[0].weight.abs().sum() == 0


def test_batch_norm_of_the_time_when_batches_were_not_counted():
    net = nn.Sequential(nn.BatchNorm1d(2))
    state = net.state_dict()
    del state["0.num_batches_tracked"]
    with pytest.raises(RuntimeError, match="Missing key.*num_batches_tracked"):
        net.load_state_dict(state)
    assert net.load_state_dict(dict(state)).missing_keys == []


def test_keys_that_are_too_many_are_told_with_their_paths():
    net = nn.ModuleDict({"a": nn.Linear(1, 1)})
    one = torch.ones(1, 1)
    result = net.load_state_dict({"a.weight": one, "a.weight.x": one, "b.c": one, "top": one}, strict=False)
    assert sorted(result.unexpected_keys) == ["a.weight.x", "b.c", "top"] and result.missing_keys == ["a.bias"]


def test_hooks_know_whether_they_take_keyword_arguments_by_registration():
    seen = []

    def hook(*given):
        seen.append(len(given))

    layer = nn.Linear(1, 1)
    layer.register_forward_hook(hook)
    layer.register_forward_hook(hook, with_kwargs=True)
    handle = layer.register_forward_pre_hook(hook, with_kwargs=True)
    layer(torch.ones(1, 1))
    handle.remove()
    layer.register_forward_pre_hook(hook)
    layer(torch.ones(1, 1))
    assert seen == [3, 3, 4, 2, 3, 4]


def test_hooks_that_are_always_called():
    seen = []
    layer = nn.Linear(1, 1)
    layer.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(RuntimeError):
        layer(torch.ones(1, 5))
    assert seen == [None]


def test_a_state_dict_hook_may_give_another_dictionary():
    layer = nn.Linear(1, 1)
    layer.register_state_dict_post_hook(lambda m, state, prefix, metadata: {k.upper(): v for k, v in state.items()})
    assert list(layer.state_dict()) == ["WEIGHT", "BIAS"]


def test_a_list_of_parametrizations_takes_hooks():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    seen = []
    layer.parametrizations.weight.register_forward_hook(lambda *given: seen.append(1))
    layer(torch.ones(1, 2))
    assert seen
