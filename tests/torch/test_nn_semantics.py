"""What modules do besides computing: registration, state, hooks, containers, initial values, clipping, and what is said of misuse."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections import OrderedDict

import numpy as np
import pytest

import tracejit.torch as torch
from tracejit.torch import nn
from tracejit.torch.nn import functional as F
from tracejit.torch.nn import init


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.rest = nn.ModuleList([nn.ReLU(), nn.Linear(4, 2)])
        self.scale = nn.Parameter(torch.ones(2))
        self.register_buffer("shift", torch.zeros(2))
        self.register_buffer("cache", torch.zeros(1), persistent=False)

    def forward(self, x):
        x = self.first(x)
        for module in self.rest:
            x = module(x)
        return x * self.scale + self.shift


KEYS = ["scale", "shift", "first.weight", "first.bias", "rest.1.weight", "rest.1.bias"]


def test_seeded_linear_has_torchs_numbers():
    torch.manual_seed(0)
    layer = nn.Linear(7, 4)
    np.testing.assert_allclose(layer.weight.detach().numpy()[0], [-0.0028, 0.2028, -0.3111, -0.2782, -0.1456, 0.1014, -0.0075], atol=5e-5)
    assert repr(nn.Parameter(torch.tensor([1.0]))) == "Parameter containing:\ntensor([1.], requires_grad=True)"


def test_what_a_module_contains():
    net = Net()
    assert list(net.state_dict()) == KEYS
    assert [name for name, _ in net.named_parameters()] == ["scale", "first.weight", "first.bias", "rest.1.weight", "rest.1.bias"]
    assert [name for name, _ in net.named_buffers()] == ["shift", "cache"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "rest", "rest.0", "rest.1"]
    assert [name for name, _ in net.named_children()] == ["first", "rest"]
    assert net.get_parameter("rest.1.bias") is net.rest[1].bias and net.get_submodule("rest.0") is net.rest[0]
    assert repr(net) == ("Net(\n  (first): Linear(in_features=3, out_features=4, bias=True)\n  (rest): ModuleList(\n    (0): ReLU()\n"
                         "    (1): Linear(in_features=4, out_features=2, bias=True)\n  )\n)")  # fmt: skip


def test_shared_parameters_count_once():
    net = Net()
    net.again = net.first
    assert len(list(net.parameters())) == 5 and "again.weight" in net.state_dict()
    assert len(list(net.named_parameters(remove_duplicate=False))) == 7


def test_attributes():
    net = Net()
    with pytest.raises(TypeError, match=r"cannot assign 'int' object to parameter 'scale' \(torch.nn.Parameter or None required\)"):
        net.scale = 3
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'nothing'"):
        _ = net.nothing
    with pytest.raises(KeyError, match="attribute 'forward' already exists"):
        net.register_buffer("forward", torch.zeros(1))
    net.scale = None
    assert "scale" not in net.state_dict()
    del net.first
    assert "first.weight" not in net.state_dict()

    class Forgets(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"cannot assign module before Module.__init__\(\) call"):
        Forgets()


def test_load_state_dict():
    net, other = Net(), Net()
    assert str(net.load_state_dict(other.state_dict())) == "<All keys matched successfully>"
    assert torch.equal(net.first.weight, other.first.weight) and net.first.weight is not other.first.weight
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = OrderedDict(Net().state_dict())
    state.pop("scale")
    state["more"] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r'for Net:\n\tMissing key\(s\) in state_dict: "scale". \n\tUnexpected key\(s\) in state_dict: "more"'):
        net.load_state_dict(state)
    state["first.bias"] = torch.zeros(5)
    with pytest.raises(RuntimeError, match=r"size mismatch for first.bias: copying a param with shape torch.Size\(\[5\]\) from"):
        net.load_state_dict(state, strict=False)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())  # nothing was changed
    state.pop("first.bias")
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["scale", "first.bias"] and result.unexpected_keys == ["more"]
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like"):
        net.load_state_dict([1])


def test_assign_puts_the_given_tensors_in_place():
    net = Net()
    given = {key: value.clone().double() for key, value in net.state_dict().items()}
    net.load_state_dict(given, assign=True)
    assert net.first.weight.dtype is torch.float64 and isinstance(net.first.weight, nn.Parameter)


def test_state_dict_shares_memory_and_keeps_no_history():
    net = Net()
    state = net.state_dict()
    assert not state["scale"].requires_grad
    state["scale"].fill_(7)
    assert net.scale.tolist() == [7.0, 7.0]
    assert net.state_dict(keep_vars=True)["scale"] is net.scale


def test_training_mode_and_dtypes():
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    assert all(m.training for m in net.modules()) and not any(m.training for m in net.eval().modules())
    x = torch.ones(3, 2)
    assert torch.equal(net(x), net(x))
    net.double()
    assert net[0].weight.dtype is torch.float64 and net[2].num_batches_tracked.dtype is torch.int64
    assert net.to(torch.float32)[2].running_var.dtype is torch.float32
    with pytest.raises(TypeError, match="nn.Module.to only accepts floating point or complex dtypes"):
        net.to(torch.int64)
    if not torch.cuda.is_available():
        with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
            net.cuda()


def test_converted_parameters_are_the_same_objects():
    layer = nn.Linear(2, 2)
    weight = layer.weight
    layer(torch.ones(1, 2)).sum().backward()
    layer.double()
    assert layer.weight is weight and weight.grad.dtype is torch.float64


def test_apply_and_requires_grad():
    net, seen = Net(), []
    net.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "ReLU", "Linear", "ModuleList", "Net"]
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_zero_grad():
    net = Net()
    net(torch.ones(1, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert net.scale.grad.tolist() == [0.0, 0.0]
    net.zero_grad()
    assert net.scale.grad is None


def test_copies_and_pickles():
    net = Net()
    for made in (copy.deepcopy(net), pickle.loads(pickle.dumps(nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.1))))):
        assert isinstance(next(made.parameters()), nn.Parameter)
    twin = copy.deepcopy(net)
    twin.scale.data.fill_(5)
    assert net.scale.tolist() == [1.0, 1.0] and torch.equal(net.first.weight, twin.first.weight)


def test_forward_hooks():
    layer, seen = nn.Linear(2, 2), []
    pre = layer.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    post = layer.register_forward_hook(lambda m, args, out: seen.append(args[0].tolist()) or out + 1)
    plain = layer.forward(torch.tensor([[2.0, 4.0]]))
    assert torch.equal(layer(torch.tensor([[1.0, 2.0]])), plain + 1) and seen == [[[2.0, 4.0]]]
    pre.remove()
    post.remove()
    assert torch.equal(layer(torch.tensor([[2.0, 4.0]])), plain)


def test_backward_hooks():
    layer, seen = nn.Linear(2, 2), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi[0].tolist(), go[0].tolist())) or (gi[0] * 2,))
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    x = torch.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    expected = (3 * layer.weight.detach()).sum(0)
    assert seen[0][1] == [[3.0, 3.0]]
    np.testing.assert_allclose(seen[0][0][0], expected.numpy(), rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy()[0], 2 * expected.numpy(), rtol=1e-6)
    np.testing.assert_allclose(layer.bias.grad.numpy(), [3.0, 3.0])


def test_sequential():
    net = nn.Sequential(OrderedDict(a=nn.Linear(1, 2), b=nn.ReLU()))
    assert net[0] is net.a and len(net[:1]) == 1 and len(net) == 2
    net.append(nn.Tanh())
    assert [name for name, _ in net.named_children()] == ["a", "b", "2"]
    with pytest.raises(IndexError, match="index 5 is out of range"):
        net[5]
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        nn.Sequential(3)


def test_lists_and_dictionaries():
    modules = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    modules.append(nn.ReLU())
    assert repr(modules) == "ModuleList(\n  (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)\n  (3): ReLU()\n)"
    del modules[0]
    assert len(modules) == 3 and list(modules.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    table = nn.ModuleDict({"x": nn.Linear(1, 1)})
    table["y"] = nn.ReLU()
    assert list(table) == ["x", "y"] and "x" in table and repr(table).startswith("ModuleDict(\n  (x): Linear(")
    parameters = nn.ParameterList([torch.zeros(2), torch.ones(1, 3)])
    assert [tuple(p.shape) for p in parameters] == [(2,), (1, 3)] and list(parameters.state_dict()) == ["0", "1"]
    assert "(1): Parameter containing: [torch.float32 of size 1x3]" in repr(parameters)
    named = nn.ParameterDict({"w": torch.zeros(2)})
    assert isinstance(named["w"], nn.Parameter) and list(named.state_dict()) == ["w"]


def test_containers_print_as_in_torch():
    real = pytest.importorskip("torch")
    for make in (lambda nn, t: nn.ParameterList([t.zeros(2), t.ones(1, 3)]), lambda nn, t: nn.ParameterDict({"w": t.zeros(2)}),
                 lambda nn, t: nn.ModuleDict({"x": nn.Linear(1, 1)}), lambda nn, t: nn.ModuleList()):  # fmt: skip
        assert repr(make(nn, torch)) == repr(make(real.nn, real))


@pytest.mark.parametrize("name, args", [
    ("uniform_", (-1.0, 2.0)), ("normal_", (1.0, 2.0)), ("constant_", (3.0,)), ("ones_", ()), ("zeros_", ()), ("eye_", ()), ("xavier_uniform_",
    (2.0,)), ("xavier_normal_", ()), ("kaiming_uniform_", ()), ("kaiming_normal_", (0.1, "fan_out")), ("trunc_normal_", ()),
    ("trunc_normal_", (0.0, 1.0, 1.5, 2.0)), ("orthogonal_", ()),
])  # fmt: skip
def test_initial_values_are_torchs(name, args):
    real = pytest.importorskip("torch")
    made = []
    for library in (torch, real):
        library.manual_seed(5)
        made.append(getattr(library.nn.init, name)(library.empty(6, 4), *args).numpy())
    np.testing.assert_allclose(made[0], made[1], rtol=2e-5, atol=2e-6)


def test_dirac_and_sparse():
    x = torch.randn(1, 3, 5)
    weight = init.dirac_(torch.empty(3, 3, 3))
    np.testing.assert_allclose(F.conv1d(x, weight, padding=1).numpy(), x.numpy())
    assert int((init.sparse_(torch.empty(10, 4), 0.3) == 0).sum()) == 12


def test_gain_and_fan():
    assert init.calculate_gain("relu") == pytest.approx(2**0.5) and init.calculate_gain("tanh") == pytest.approx(5 / 3)
    with pytest.raises(ValueError, match="Fan in and fan out can not be computed"):
        init.xavier_uniform_(torch.empty(3))
    with pytest.raises(ValueError, match="Mode fan_up not supported"):
        init.kaiming_normal_(torch.empty(3, 3), mode="fan_up")


def test_clipping():
    p, q = (nn.Parameter(torch.zeros(2)) for _ in range(2))
    p.grad, q.grad = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])
    assert float(nn.utils.clip_grad_norm_([p, q], 1.0)) == 5.0
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.0], rtol=1e-5)
    assert float(nn.utils.clip_grad_norm_([p, q], 10.0, norm_type=float("inf"))) == pytest.approx(0.8, rel=1e-5)
    nn.utils.clip_grad_value_([p, q], 0.5)
    assert q.grad.tolist() == [0.0, 0.5]
    q.grad.fill_(float("nan"))
    with pytest.raises(RuntimeError, match="is non-finite, so it cannot be clipped"):
        nn.utils.clip_grad_norm_([p, q], 1.0, error_if_nonfinite=True)


def test_parameters_as_a_vector():
    net = nn.Linear(2, 2)
    vector = nn.utils.parameters_to_vector(net.parameters())
    assert vector.shape == (6,)
    nn.utils.vector_to_parameters(torch.arange(6.0), net.parameters())
    assert net.weight.tolist() == [[0.0, 1.0], [2.0, 3.0]] and net.bias.tolist() == [4.0, 5.0]


def test_weight_norm_and_spectral_norm():
    x = torch.randn(3, 4)
    layer = nn.Linear(4, 5)
    want = layer(x)
    nn.utils.weight_norm(layer)
    np.testing.assert_allclose(layer(x).detach().numpy(), want.detach().numpy(), rtol=1e-5)
    layer(x).sum().backward()
    assert layer.weight_g.grad is not None and list(layer.state_dict()) == ["bias", "weight_g", "weight_v"]
    nn.utils.remove_weight_norm(layer)
    np.testing.assert_allclose(layer(x).detach().numpy(), want.detach().numpy(), rtol=1e-5)
    layer = nn.utils.spectral_norm(nn.Linear(4, 5), n_power_iterations=50)
    layer(x).sum().backward()
    assert np.linalg.svd(layer.weight.detach().numpy())[1][0] == pytest.approx(1.0, rel=1e-3) and layer.weight_orig.grad is not None


def test_dropout():
    torch.manual_seed(0)
    x = torch.ones(1000, requires_grad=True)
    y = nn.Dropout(0.25)(x)
    values = np.unique(y.detach().numpy())
    np.testing.assert_allclose(values, [0, 4 / 3], rtol=1e-6)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert 0.2 < float((y == 0).float().mean()) < 0.3
    whole = F.dropout2d(torch.ones(4, 8, 3, 3), 0.5)
    assert set(whole.mean((2, 3)).reshape(-1).tolist()) <= {0.0, 2.0}


def test_second_derivatives():
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64, requires_grad=True)
    w = torch.randn(4, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    f = lambda x, w: F.gelu(F.avg_pool2d(F.conv2d(x, w, stride=2, padding=1), 2))
    assert torch.autograd.gradgradcheck(f, (x, w), fast_mode=True)
    assert torch.autograd.gradcheck(lambda x: F.max_pool2d(x, 2), (x,))
    y = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda y: F.cross_entropy(F.layer_norm(y, (5,)), torch.tensor([0, 2, 4])), (y,))


def test_names_of_nodes():
    x = torch.randn(2, 3, requires_grad=True)
    assert nn.Linear(3, 2)(x).grad_fn.name() == "AddmmBackward0"
    assert F.mse_loss(x, torch.zeros(2, 3)).grad_fn.name() == "MseLossBackward0"
    assert F.l1_loss(x, torch.zeros(2, 3)).grad_fn.name() == "MeanBackward0"
    assert F.cross_entropy(x, torch.tensor([0, 1])).grad_fn.name() == "NllLossBackward0"
    assert F.gelu(x).grad_fn.name() == "GeluBackward0"
    image = torch.randn(1, 2, 4, 4, requires_grad=True)
    assert nn.Conv2d(2, 3, 3)(image).grad_fn.name() == "ConvolutionBackward0"
    assert F.max_pool2d(image, 2).grad_fn.name() == "MaxPool2DWithIndicesBackward0"


def test_cross_entropy_in_numbers():
    assert F.cross_entropy(torch.zeros(1, 4), torch.tensor([2])).item() == pytest.approx(np.log(4), rel=1e-6)
    assert F.nll_loss(torch.tensor([[-1.0, -2.0]]), torch.tensor([1])).item() == 2.0


@pytest.mark.parametrize("call, error, message", [
    (lambda: nn.Linear(3, 2)(torch.ones(2, 4)), RuntimeError, r"mat1 and mat2 shapes cannot be multiplied \(2x4 and 3x2\)"),
    (lambda: nn.Linear(3, 2)(torch.ones(2, 3, dtype=torch.float64)), RuntimeError, "same dtype"),
    (lambda: nn.Conv2d(3, 2, 3)(torch.ones(1, 4, 8, 8)), RuntimeError, r"expected input\[1, 4, 8, 8\] to have 3 channels, but got 4"),
    (lambda: nn.Conv2d(3, 2, 3)(torch.ones(1, 8)), RuntimeError, r"Expected 3D \(unbatched\) or 4D \(batched\) input to conv2d"),
    (lambda: nn.Conv2d(3, 2, 5)(torch.ones(1, 3, 4, 4)), RuntimeError, "Kernel size can't be greater than actual input size"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "in_channels must be divisible by groups"),
    (lambda: nn.BatchNorm2d(3)(torch.ones(2, 3)), ValueError, r"expected 4D input \(got 2D input\)"),
    (lambda: nn.BatchNorm1d(3)(torch.ones(1, 3)), ValueError, "Expected more than 1 value per channel when training"),
    (lambda: nn.LayerNorm(3)(torch.ones(2, 4)), RuntimeError, r"Given normalized_shape=\[3\], expected input with shape \[\*, 3\]"),
    (lambda: nn.Embedding(3, 2)(torch.tensor([3])), IndexError, "index out of range in self"),
    (lambda: nn.Embedding(3, 2)(torch.tensor([0.5])), RuntimeError, "Expected tensor for argument #1 'indices'"),
    (lambda: F.cross_entropy(torch.ones(2, 3), torch.tensor([0, 3])), IndexError, "Target 3 is out of bounds"),
    (lambda: F.cross_entropy(torch.ones(2, 3), torch.tensor([0, 1, 2])), ValueError, r"Expected input batch_size \(2\) to match target"),
    (lambda: F.binary_cross_entropy(torch.tensor([2.0]), torch.tensor([1.0])), RuntimeError, "between 0 and 1"),
    (lambda: nn.Dropout(1.5), ValueError, "dropout probability has to be between 0 and 1"),
    (lambda: nn.MaxPool2d(5)(torch.ones(1, 1, 3, 3)), RuntimeError, "no window"),
    (lambda: nn.LSTM(3, 4)(torch.ones(2, 5)), RuntimeError, r"input.size\(-1\) must be equal to input_size. Expected 3, got 5"),
    (lambda: nn.LSTM(3, 4)(torch.ones(2, 1, 3), (torch.zeros(1, 1, 5), torch.zeros(1, 1, 4))), RuntimeError, "Expected hidden size"),
    (lambda: nn.MultiheadAttention(5, 2), AssertionError, "embed_dim must be divisible by num_heads"),
    (lambda: nn.Module()(1), NotImplementedError, 'missing the required "forward" function'),
    (lambda: nn.ReLU(3, 4), TypeError, "too many positional arguments"),
    (lambda: nn.MSELoss(reduction="most")(torch.ones(1), torch.ones(1)), ValueError, "most is not a valid value for reduction"),
])  # fmt: skip
def test_misuse(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_broadcast_targets_are_warned_of():
    with pytest.warns(UserWarning, match="Using a target size"):
        F.mse_loss(torch.ones(3, 1), torch.ones(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.mse_loss(torch.ones(3), torch.ones(3))


@pytest.mark.parametrize("make, shape", [
    (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2)),
        (3, 1, 14, 14),
    ),
    (lambda: nn.Sequential(nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0), nn.GELU()), (5, 2, 4)),
])  # fmt: skip
def test_compiled_steps_are_eager_steps(make, shape):
    torch.manual_seed(0)
    eager, compiled, x = make(), make(), torch.randn(*shape)
    compiled.load_state_dict(eager.state_dict())

    def step_of(net):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = (net(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        return step

    plain, fast = step_of(eager), torch.compile(step_of(compiled))
    for _ in range(3):
        assert float(fast(x)) == pytest.approx(float(plain(x)), rel=1e-4)
    for (name, a), b in zip(eager.state_dict().items(), compiled.state_dict().values()):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-3, atol=1e-4, err_msg=name)


def test_a_compiled_lstm():
    torch.manual_seed(0)
    net, x = nn.LSTM(3, 4, bidirectional=True), torch.randn(6, 2, 3)
    want = net(x)[0]
    np.testing.assert_allclose(torch.compile(net)(x)[0].detach().numpy(), want.detach().numpy(), rtol=1e-5, atol=1e-6)
