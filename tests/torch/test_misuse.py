"""What goes wrong in programs: the exception is of torch's type, its text says what was wrong and what to do, and nothing has changed by it."""

from __future__ import annotations

import importlib
import io
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tracejit import torch as ours


class Mistake(NamedTuple):
    """`make` gets the torch module, and gives the call that fails and what must not have changed afterwards: tensors, modules, optimizers."""

    make: Callable[[Any], tuple[Callable[[], Any], list]]
    wrong: str  # in the text: what is the matter
    remedy: str  # and what to do


MISTAKES: dict[str, Mistake] = {}


def mistake(wrong: str, remedy: str):
    def register(make):
        MISTAKES[make.__name__] = Mistake(make, wrong, remedy)
        return make

    return register


def state_of(thing: Any) -> Any:
    """Everything that a call could have changed of a tensor, a module or an optimizer."""
    if hasattr(thing, "param_groups"):
        return repr(thing), sorted((k, str(v)) for k, v in thing.state_dict()["state"].items())
    if hasattr(thing, "state_dict"):
        grads = [None if p.grad is None else p.grad.tolist() for p in thing.parameters()]
        return [(k, v.tolist(), v.dtype) for k, v in thing.state_dict().items()], grads, thing.training
    grad = thing.grad.tolist() if thing.is_leaf and thing.grad is not None else None
    made = None if thing.grad_fn is None else thing.grad_fn.name()
    return thing.tolist(), thing._version, thing.requires_grad, thing.is_leaf, grad, made


def random_state(torch: Any) -> Any:
    return torch.get_rng_state().tolist() if hasattr(torch.get_rng_state(), "tolist") else torch.get_rng_state()


# -- backward
@mistake("backward through the graph a second time", "Specify retain_graph=True")
def second_backward(t):
    x, w = t.tensor([3.0], requires_grad=True), t.tensor([2.0], requires_grad=True)
    loss = (x * x + 3 * w).sum()
    loss.backward()
    return loss.backward, [x, w, loss]


@mistake("backward through the graph a second time", "Specify retain_graph=True")
def second_grad(t):
    x = t.tensor([3.0], requires_grad=True)
    y = x.exp()
    t.autograd.grad(y, x)
    return lambda: t.autograd.grad(y, x), [x, y]


@mistake("grad can be implicitly created only for scalar outputs", r"\.sum\(\).*pass `gradient`")
def backward_of_a_vector(t):
    x = t.ones(3, requires_grad=True)
    y = x * 2
    return y.backward, [x, y]


@mistake(r"[Mm]ismatch in shape.*\[2\].*\[3\]", "Pass a gradient of the output's shape")
def gradient_of_another_shape(t):
    x = t.ones(3, requires_grad=True)
    y = x * 2
    return lambda: y.backward(t.ones(2)), [x, y]


@mistake("does not require grad and does not have a grad_fn", "requires_grad=True")
def backward_without_history(t):
    x = t.ones(3)
    return x.sum().backward, [x]


@mistake("does not require grad and does not have a grad_fn", "no_grad")
def backward_from_no_grad(t):
    x = t.ones(3, requires_grad=True)
    with t.no_grad():
        y = (x * 2).sum()
    return y.backward, [x, y]


@mistake("appears to not have been used in the graph", "allow_unused=True")
def gradient_by_what_was_not_used(t):
    x, z = t.ones(3, requires_grad=True), t.ones(3, requires_grad=True)
    y = (x + 1).sum()
    return lambda: t.autograd.grad(y, [x, z]), [x, z]


@mistake("can require gradients", r"Convert it first: x\.float\(\)")
def integer_requires_grad(t):
    x = t.tensor([1, 2])
    return lambda: x.requires_grad_(), [x]


@mistake("can require gradients", r"Convert it first: x\.float\(\)")
def integer_tensor_made_with_requires_grad(t):
    return lambda: t.tensor([1, 2], requires_grad=True), []


@mistake("can require gradients", r"Convert it first: x\.float\(\)")
def integer_requires_grad_assigned(t):
    x = t.tensor([True])

    def assign():
        x.requires_grad = True

    return assign, [x]


@mistake("leaf variables", "detach")
def requires_grad_of_a_result(t):
    y = t.ones(2, requires_grad=True) * 2
    return lambda: y.requires_grad_(False), [y]


@mistake("size", r"\[3\]|shape")
def assigned_gradient_of_another_shape(t):
    x = t.ones(3, requires_grad=True)

    def assign():
        x.grad = t.ones(2)

    return assign, [x]


# -- in place
@mistake("a leaf Variable that requires grad is being used in an in-place operation", "no_grad")
def in_place_on_a_leaf(t):
    x = t.ones(3, requires_grad=True)
    return lambda: x.add_(1), [x]


@mistake("leaf Variable that requires grad", "no_grad")
def item_assignment_to_a_leaf(t):
    x = t.ones(3, requires_grad=True)
    return lambda: x.__setitem__(0, 5.0), [x]


@mistake("a view of a leaf Variable that requires grad is being used in an in-place operation", "no_grad")
def in_place_on_a_view_of_a_leaf(t):
    x = t.ones(3, requires_grad=True)
    return lambda: x[:2].mul_(2), [x]


@mistake(r"modified by an inplace operation.*is at version 1; expected version 0", "in modified_saved_tensor.*out of place")
def modified_saved_tensor(t):
    x, w = t.ones(3, requires_grad=True), t.ones(3, requires_grad=True)
    y = x.exp()
    loss = y.sum() + (w * 3).sum()
    with t.no_grad():
        y.add_(1)
    return loss.backward, [x, y]


@mistake(r"modified by an inplace operation.*is at version 2; expected version 1", "in modified_parameter.*out of place")
def modified_parameter_between_forward_and_backward(t):
    layer, x = t.nn.Linear(3, 3), t.ones(2, 3, requires_grad=True)
    loss = layer(layer(x)).sum()
    with t.no_grad():
        layer.weight.mul_(2)
    return loss.backward, [layer, x]


@mistake("result type Float can't be cast to the desired output type Long", "out of place")
def in_place_result_of_another_dtype(t):
    x = t.tensor([1, 2])
    return lambda: x.mul_(0.5), [x]


@mistake(r"output with shape \[3\] doesn't match the broadcast shape \[2, 3\]", "out of place")
def in_place_result_of_another_shape(t):
    x = t.ones(3)
    return lambda: x.add_(t.ones(2, 3)), [x]


@mistake("Can't call numpy\\(\\) on Tensor that requires grad", r"Use tensor\.detach\(\)\.numpy\(\)")
def array_of_a_tracked_tensor(t):
    x = t.ones(3, requires_grad=True)
    return x.numpy, [x]


# -- shapes and dtypes
@mistake(r"size of tensor a \(3\) must match the size of tensor b \(4\) at non-singleton dimension 0", "match")
def shapes_that_do_not_broadcast(t):
    x, y = t.ones(3), t.ones(4)
    return lambda: x + y, [x, y]


@mistake(r"mat1 and mat2 shapes cannot be multiplied \(2x3 and 4x5\)", "should have 4 columns")
def matrices_that_do_not_fit(t):
    x, y = t.ones(2, 3), t.ones(4, 5)
    return lambda: x @ y, [x, y]


@mistake(r"shape '\[2, 5\]' is invalid for input of size 6", "size")
def view_of_another_size(t):
    x = t.ones(6)
    return lambda: x.view(2, 5), [x]


@mistake("view size is not compatible", r"reshape")
def view_of_strided_memory(t):
    x = t.ones(2, 3).t()
    return lambda: x.view(6), [x]


@mistake(r"Dimension out of range \(expected to be in range of \[-1, 0\], but got 1\)", "range")
def axis_that_is_not_there(t):
    x = t.ones(3)
    return lambda: x.sum(1), [x]


@mistake("index 5 is out of bounds for dimension 0 with size 3", "bounds")
def index_that_is_not_there(t):
    x = t.ones(3)
    return lambda: x[5], [x]


@mistake("Boolean value of Tensor with more than one value is ambiguous", "ambiguous")
def truth_of_several(t):
    x = t.ones(3)
    return lambda: bool(x), [x]


@mistake("only one element tensors can be converted to Python scalars", "index it, or use tolist")
def number_of_several(t):
    x = t.ones(3)
    return lambda: float(x), [x]


@mistake(r"mat1 and mat2 shapes cannot be multiplied \(2x4 and 3x2\)", "should have 3 columns.*in_features")
def linear_of_another_width(t):
    layer, x = t.nn.Linear(3, 2), t.ones(2, 4)
    return lambda: layer(x), [layer, x]


@mistake("same dtype, but got torch.float64 and torch.float32", r"x\.to\(torch\.float32\)")
def linear_of_another_dtype(t):
    layer, x = t.nn.Linear(3, 2), t.ones(2, 3, dtype=t.float64)
    return lambda: layer(x), [layer, x]


@mistake(r"expected input\[1, 4, 8, 8\] to have 3 channels, but got 4 channels", "channels")
def convolution_of_other_channels(t):
    layer, x = t.nn.Conv2d(3, 2, 3), t.ones(1, 4, 8, 8)
    return lambda: layer(x), [layer, x]


@mistake(r"Input type \(torch.float64\) and weight type \(torch.float32\) should be the same", r"x\.to\(torch\.float32\)")
def convolution_of_another_dtype(t):
    layer, x = t.nn.Conv2d(3, 2, 3), t.ones(1, 3, 8, 8, dtype=t.float64)
    return lambda: layer(x), [layer, x]


@mistake("Expected more than 1 value per channel when training", r"got input size|eval")
def batch_norm_of_one_example(t):
    layer = t.nn.BatchNorm1d(3)
    return lambda: layer(t.ones(1, 3)), [layer]


@mistake("expected 4D input", r"got 2D input")
def batch_norm_of_other_axes(t):
    layer = t.nn.BatchNorm2d(3)
    return lambda: layer(t.ones(2, 3)), [layer]


@mistake("should contain 4 elements not 3", "weight")
def batch_norm_of_other_channels(t):
    layer = t.nn.BatchNorm2d(3)
    return lambda: layer(t.ones(2, 4, 5, 5)), [layer]


def wide_input(name, wrong, remedy, make, *shape):
    """A layer of single precision and an input of double precision."""

    def mistaken(t):
        layer = make(t.nn)
        return lambda: layer(t.ones(shape, dtype=t.float64)), [layer]

    mistaken.__name__ = f"{name}_of_another_dtype"
    mistake(wrong, remedy)(mistaken)


MIXED = "mixed dtype: the input is torch.float64 and a parameter torch.float32", r"x\.to\(torch\.float32\).*module\.to\(torch\.float64\)"
wide_input("batch_norm", *MIXED, lambda nn: nn.BatchNorm2d(3), 2, 3, 4, 4)
wide_input("instance_norm", *MIXED, lambda nn: nn.InstanceNorm1d(3, affine=True), 2, 3, 4)
wide_input("layer_norm", *MIXED, lambda nn: nn.LayerNorm(3), 2, 3)
wide_input("group_norm", *MIXED, lambda nn: nn.GroupNorm(1, 3), 2, 3, 4)
wide_input("lstm", r"RNN input dtype \(torch.float64\)", r"input\.to\(torch\.float32\)", lambda nn: nn.LSTM(3, 4), 2, 1, 3)
wide_input("prelu", "Type promoting not supported", r"x\.to\(torch\.float32\)", lambda nn: nn.PReLU(), 2, 3)
wide_input("cell", "same dtype", r"x\.to\(torch\.float32\)", lambda nn: nn.GRUCell(3, 4), 2, 3)


@mistake(r"normalized_shape=\[3\]", r"expected input with shape \[\*, 3\]")
def layer_norm_of_another_width(t):
    layer = t.nn.LayerNorm(3)
    return lambda: layer(t.ones(2, 4)), [layer]


@mistake("Expected hidden|hidden", "got")
def lstm_with_another_state(t):
    layer = t.nn.LSTM(3, 4)
    return lambda: layer(t.ones(2, 1, 3), (t.zeros(1, 1, 5), t.zeros(1, 1, 4))), [layer]


@mistake("inconsistent hidden_size", r"got \[2, 5\], expected \[2, 4\]")
def cell_with_another_state(t):
    cell = t.nn.GRUCell(3, 4)
    return lambda: cell(t.ones(2, 3), t.zeros(2, 5)), [cell]


@mistake("embed|size|dimension|dim", "6|equal|expect")
def attention_of_another_width(t):
    layer = t.nn.MultiheadAttention(6, 2)
    x = t.ones(4, 1, 5)
    return lambda: layer(x, x, x), [layer]


@mistake("batch_size|batch size", r"2.*3|match")
def loss_of_another_batch(t):
    x = t.zeros(2, 3, requires_grad=True)
    return lambda: t.nn.functional.cross_entropy(x, t.tensor([0, 1, 2])), [x]


@mistake("between 0 and 1", "0 and 1")
def probabilities_above_one(t):
    x = t.tensor([2.0], requires_grad=True)
    return lambda: t.nn.functional.binary_cross_entropy(x, t.tensor([1.0])), [x]


@mistake("index out of range in self", "index")
def embedding_of_an_unknown_index(t):
    layer = t.nn.Embedding(3, 2)
    return lambda: layer(t.tensor([3])), [layer]


@mistake(r"input.size\(-1\) must be equal to input_size", "Expected 3, got 5")
def lstm_of_another_width(t):
    layer = t.nn.LSTM(3, 4)
    return lambda: layer(t.ones(2, 1, 5)), [layer]


@mistake("Target 3 is out of bounds", "bounds")
def class_that_is_not_there(t):
    x = t.zeros(2, 3, requires_grad=True)
    return lambda: t.nn.functional.cross_entropy(x, t.tensor([0, 3])), [x]


@mistake("(expected scalar type Long|Long|int64)", r"y\.long\(\)")
def classes_as_floats(t):
    x = t.zeros(2, 3, requires_grad=True)
    return lambda: t.nn.functional.nll_loss(x, t.tensor([0.0, 1.0])), [x]


# -- modules and their state
@mistake("cannot assign module before Module.__init__\\(\\) call", "__init__")
def module_without_super_init(t):
    class Forgetful(t.nn.Module):
        def __init__(self):
            self.layer = t.nn.ReLU()

    return Forgetful, []


@mistake(r"Missing key\(s\) in state_dict: .*bias", "strict=False")
def missing_keys(t):
    layer = t.nn.Linear(2, 1)
    return lambda: layer.load_state_dict({"weight": t.full((1, 2), 7.0)}), [layer]


@mistake(r"Unexpected key\(s\) in state_dict: .*more", "strict=False")
def unexpected_keys(t):
    layer = t.nn.Linear(2, 1)
    state = {"weight": t.full((1, 2), 7.0), "bias": t.ones(1), "more": t.ones(1)}
    return lambda: layer.load_state_dict(state), [layer]


@mistake(r"size mismatch for .*weight: copying a param with shape torch.Size\(\[1, 3\]\) from checkpoint", "current model is torch.Size")
def state_of_another_shape(t):
    net = t.nn.Sequential(t.nn.Linear(2, 1), t.nn.Linear(1, 1))
    state = {k: v + 1 for k, v in net.state_dict().items()}
    state["1.weight"] = t.ones(1, 3)
    return lambda: net.load_state_dict(state), [net]


@mistake("dict", "state")
def state_that_is_no_dictionary(t):
    layer = t.nn.Linear(2, 1)
    return lambda: layer.load_state_dict([1, 2]), [layer]


@mistake("doesn't match the size of optimizer's group", "group")
def state_of_another_optimizer(t):
    x = t.ones(3, requires_grad=True)
    optimizer = t.optim.Adam([x])
    other = t.optim.Adam([t.ones(3, requires_grad=True), t.ones(1, requires_grad=True)]).state_dict()
    return lambda: optimizer.load_state_dict(other), [optimizer, x]


@mistake("optimizer got an empty parameter list", "empty")
def optimizer_of_nothing(t):
    return lambda: t.optim.SGD([], lr=0.1), []


@mistake("can't optimize a non-leaf Tensor", "non-leaf")
def optimizer_of_a_result(t):
    y = t.ones(2, requires_grad=True) * 2
    return lambda: t.optim.SGD([y], lr=0.1), [y]


@mistake("Invalid learning rate: -1", "learning rate")
def negative_learning_rate(t):
    return lambda: t.optim.Adam([t.ones(2, requires_grad=True)], lr=-1), []


# -- checkpoints
def archive(t, value) -> bytes:
    out = io.BytesIO()
    t.save(value, out)
    return out.getvalue()


@mistake("truncated or damaged", "Copy or download it again")
def truncated_checkpoint(t):
    layer = t.nn.Linear(50, 50)
    file = tempfile.NamedTemporaryFile(suffix=".pt")
    file.write(archive(t, layer.state_dict())[:-100])
    file.flush()
    return lambda: layer.load_state_dict(t.load(file.name)), [layer]


def hostile_archive(t) -> bytes:
    """A checkpoint as `torch.save` makes it, with another pickle in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive(t, {"weight": t.ones(2)}))) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"cposix\nsystem\n(S'exit 3'\ntR." if name.endswith("data.pkl") else old.read(name))
    return out.getvalue()


@mistake("posix|system", "Only tensors.*are read.*Save `model.state_dict")
def hostile_checkpoint(t):
    layer = t.nn.Linear(2, 1)
    data = hostile_archive(t)
    return lambda: layer.load_state_dict(t.load(io.BytesIO(data))), [layer]


# -- and how they are tried
def tried(torch: Any, name: str) -> tuple[BaseException, list, list]:
    """The exception, and what things were before and are after it."""
    torch.manual_seed(0)
    call, things = MISTAKES[name].make(torch)
    before = [state_of(x) for x in things] + [random_state(torch)]
    with pytest.raises(Exception) as raised:
        call()
    return raised.value, before, [state_of(x) for x in things] + [random_state(torch)]


@pytest.mark.parametrize("name", MISTAKES)
def test_what_is_said_and_what_stays(name):
    error, before, after = tried(ours, name)
    assert after == before
    assert re.search(MISTAKES[name].wrong, str(error), flags=re.S)
    assert re.search(MISTAKES[name].remedy, str(error), flags=re.S)


@pytest.mark.parametrize("name", sorted(MISTAKES.keys() - {"truncated_checkpoint"}))  # torch seeks to a place before its beginning, an OSError
def test_type_is_torchs(name):
    pytest.importorskip("torch")
    error, _, _ = tried(ours, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        real, _, _ = tried(importlib.import_module("torch"), name)
    kind = next(k for k in type(real).__mro__ if k.__module__ in ("builtins", "_pickle", "pickle"))
    assert isinstance(error, kind), (type(error), real)
