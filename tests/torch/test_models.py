"""Models: names and sizes of torchvision's, values and gradients of real torch's for the same weights, and weights from files."""

import itertools
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tracejit import torch
from tracejit.torch import models, nn

SIZES = {"resnet18": 11689512, "resnet34": 21797672, "resnet50": 25557032, "vit_b_16": 86567656}


@pytest.mark.parametrize("name", ["resnet18", pytest.param("resnet34", marks=pytest.mark.slow), pytest.param("resnet50", marks=pytest.mark.slow),
                                  pytest.param("vit_b_16", marks=pytest.mark.slow)])  # fmt: skip
def test_sizes_are_torchvisions(name):
    assert sum(p.numel() for p in getattr(models, name)().parameters()) == SIZES[name]


def small_resnet(block=models.BasicBlock, **options):
    return models.ResNet(block, [1, 1, 1, 1], num_classes=4, **options)


def test_names_are_torchvisions():
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = ["conv1.weight", *(f"bn1.{n}" for n in norm)]
    for layer, blocks in enumerate((2, 2, 2, 2), 1):
        for i in range(blocks):
            at = f"layer{layer}.{i}"
            names += [f"{at}.conv1.weight", *(f"{at}.bn1.{n}" for n in norm), f"{at}.conv2.weight", *(f"{at}.bn2.{n}" for n in norm)]
            if layer > 1 and i == 0:
                names += [f"{at}.downsample.0.weight", *(f"{at}.downsample.1.{n}" for n in norm)]
    assert list(models.resnet18().state_dict()) == [*names, "fc.weight", "fc.bias"]
    deep = small_resnet(models.Bottleneck).state_dict()
    assert "layer1.0.conv3.weight" in deep and deep["layer1.0.downsample.0.weight"].shape == (256, 64, 1, 1)
    at = "encoder.layers.encoder_layer_0"
    assert list(models.vit_small(num_layers=1).state_dict()) == [
        "class_token", "conv_proj.weight", "conv_proj.bias", "encoder.pos_embedding", f"{at}.ln_1.weight", f"{at}.ln_1.bias",
        f"{at}.self_attention.in_proj_weight", f"{at}.self_attention.in_proj_bias", f"{at}.self_attention.out_proj.weight",
        f"{at}.self_attention.out_proj.bias", f"{at}.ln_2.weight", f"{at}.ln_2.bias", f"{at}.mlp.0.weight", f"{at}.mlp.0.bias",
        f"{at}.mlp.3.weight", f"{at}.mlp.3.bias", "encoder.ln.weight", "encoder.ln.bias", "heads.head.weight", "heads.head.bias",
    ]  # fmt: skip
    assert list(models.LSTMLanguageModel(5, 4, 3).state_dict()) == [
        "encoder.weight", "rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.bias_hh_l0", "decoder.weight", "decoder.bias",
    ]  # fmt: skip


# -- the same networks made of torch's own layers
def real_resnet(real, ours):
    """A ResNet of basic blocks as a function of torch's functional layers and the weights of ours."""
    f = real.nn.functional
    state = {k: real.from_numpy(v.detach().numpy().copy()) for k, v in ours.state_dict().items()}
    for name, p in state.items():
        if "running" not in name and "num_batches" not in name:
            p.requires_grad_()

    def norm(x, at):
        return f.batch_norm(x, state[f"{at}.running_mean"], state[f"{at}.running_var"], state[f"{at}.weight"], state[f"{at}.bias"], training=True)

    def forward(x):
        x = f.max_pool2d(f.relu(norm(f.conv2d(x, state["conv1.weight"], stride=2, padding=3), "bn1")), 3, 2, 1)
        for layer in (1, 2, 3, 4):
            for i in itertools.count():
                at, stride = f"layer{layer}.{i}", 2 if layer > 1 and i == 0 else 1
                if f"{at}.conv1.weight" not in state:
                    break
                y = f.relu(norm(f.conv2d(x, state[f"{at}.conv1.weight"], stride=stride, padding=1), f"{at}.bn1"))
                y = norm(f.conv2d(y, state[f"{at}.conv2.weight"], padding=1), f"{at}.bn2")
                if f"{at}.downsample.0.weight" in state:
                    x = norm(f.conv2d(x, state[f"{at}.downsample.0.weight"], stride=stride), f"{at}.downsample.1")
                x = f.relu(x + y)
        return f.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"])

    return forward, state


def test_resnet_forward_backward_and_step_are_torchs():
    real = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = small_resnet().double()
    forward, state = real_resnet(real, model)
    names = [name for name, _ in model.named_parameters()]
    images = np.random.default_rng(0).random((2, 3, 32, 32))
    ours, theirs = torch.from_numpy(images), real.from_numpy(images)
    first = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    second = real.optim.SGD([state[name] for name in names], lr=1e-2, momentum=0.9)
    a, b = model(ours), forward(theirs)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-8)
    (a**2).sum().backward()
    (b**2).sum().backward()
    for name, p in model.named_parameters():
        expected = state[name].grad.numpy()
        np.testing.assert_allclose(p.grad.numpy(), expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max(), err_msg=name)
    first.step()
    second.step()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.detach().numpy(), state[name].detach().numpy(), rtol=1e-7, atol=1e-9, err_msg=name)
    for name in ("bn1.running_mean", "layer2.0.bn1.running_var"):
        np.testing.assert_allclose(model.state_dict()[name].numpy(), state[name].numpy(), rtol=1e-8)
    assert model.bn1.num_batches_tracked.item() == 1


def test_resnet_initialisation():
    torch.manual_seed(0)
    model = small_resnet(zero_init_residual=True)
    weight = model.layer2[0].conv1.weight.detach().numpy()
    assert weight.std() == pytest.approx(np.sqrt(2 / (128 * 9)), rel=0.02)  # He's for the fan out
    assert not model.layer1[0].bn2.weight.detach().numpy().any() and model.layer1[0].bn1.weight.detach().numpy().all()
    grouped = models.ResNet(models.Bottleneck, [1, 1, 1, 1], groups=2, width_per_group=4, norm_layer=lambda n: nn.GroupNorm(2, n), num_classes=3)
    assert grouped.layer1[0].conv2.weight.shape == (8, 4, 3, 3) and grouped(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    with pytest.raises(ValueError, match="BasicBlock"):
        small_resnet(groups=2)


def test_vit_is_torchs():
    real = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = models.VisionTransformer(16, 8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=3)
    nn.init.normal_(model.heads.head.weight)
    state = {k: real.from_numpy(v.detach().numpy().copy()) for k, v in model.state_dict().items()}
    f = real.nn.functional

    def forward(x):
        x = f.conv2d(x, state["conv_proj.weight"], state["conv_proj.bias"], stride=8).flatten(2).permute(0, 2, 1)
        x = real.cat([state["class_token"].expand(len(x), -1, -1), x], 1) + state["encoder.pos_embedding"]
        for i in range(2):
            at = f"encoder.layers.encoder_layer_{i}"
            y = f.layer_norm(x, (8,), state[f"{at}.ln_1.weight"], state[f"{at}.ln_1.bias"], 1e-6)
            q, k, v = f.linear(y, state[f"{at}.self_attention.in_proj_weight"], state[f"{at}.self_attention.in_proj_bias"]).chunk(3, -1)
            q, k, v = (t.unflatten(-1, (2, 4)).transpose(1, 2) for t in (q, k, v))
            y = f.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            x = x + f.linear(y, state[f"{at}.self_attention.out_proj.weight"], state[f"{at}.self_attention.out_proj.bias"])
            y = f.layer_norm(x, (8,), state[f"{at}.ln_2.weight"], state[f"{at}.ln_2.bias"], 1e-6)
            y = f.gelu(f.linear(y, state[f"{at}.mlp.0.weight"], state[f"{at}.mlp.0.bias"]))
            x = x + f.linear(y, state[f"{at}.mlp.3.weight"], state[f"{at}.mlp.3.bias"])
        x = f.layer_norm(x, (8,), state["encoder.ln.weight"], state["encoder.ln.bias"], 1e-6)
        return f.linear(x[:, 0], state["heads.head.weight"], state["heads.head.bias"])

    images = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)
    np.testing.assert_allclose(model(torch.from_numpy(images)).detach().numpy(), forward(real.from_numpy(images)).numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="expected 16 x 16, got 8 x 8"):
        model(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="indivisible"):
        models.vit_small(image_size=30)


def test_vit_takes_torchvisions_old_names():
    model, other = (models.vit_small(num_layers=1, hidden_dim=16, mlp_dim=16) for _ in range(2))
    old = {k.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2."): v for k, v in model.state_dict().items()}
    other.load_state_dict(old)
    assert (other.encoder.layers.encoder_layer_0.mlp[3].weight == model.encoder.layers.encoder_layer_0.mlp[3].weight).all()


# -- the language model
def test_language_model_learns_a_sequence():
    torch.manual_seed(0)
    model = models.LSTMLanguageModel(6, 16, 16, nlayers=2, tie_weights=True)
    assert model.decoder.weight is model.encoder.weight
    tokens = torch.arange(25).remainder(6).reshape(-1, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(80):
        optimizer.zero_grad()
        logits, _ = model(tokens[:-1], model.init_hidden(1))
        loss = nn.functional.cross_entropy(logits.reshape(-1, 6), tokens[1:].reshape(-1))
        loss.backward()
        optimizer.step()
    model.eval()
    assert loss.item() < 0.5
    assert model.generate(torch.tensor([0, 1, 2]), 6, temperature=0).tolist() == [3, 4, 5, 0, 1, 2]
    g = torch.Generator().manual_seed(0)
    assert len(model.generate(torch.tensor([0]), 4, generator=g)) == 4


def test_language_model_batch_first_and_misuse():
    first = models.LSTMLanguageModel(5, 4, 3)
    second = models.LSTMLanguageModel(5, 4, 3, batch_first=True)
    second.load_state_dict(first.state_dict())
    tokens = torch.tensor([[0, 1], [2, 3], [4, 0]])
    np.testing.assert_allclose(first(tokens)[0].detach().numpy(), second(tokens.t())[0].detach().numpy().swapaxes(0, 1), rtol=1e-5)
    with pytest.raises(ValueError, match="nhid=3 and ninp=4"):
        models.LSTMLanguageModel(5, 4, 3, tie_weights=True)


# -- weights
def test_weights_from_files(tmp_path):
    torch.manual_seed(0)
    model = models.resnet18(num_classes=4)
    torch.save(model.state_dict(), tmp_path / "w.pth")
    torch.save({"epoch": 3, "state_dict": model.state_dict()}, tmp_path / "nested.pt")
    paths = ["w.pth", "nested.pt"]
    if pytest.importorskip("safetensors"):
        torch.serialization.save_safetensors(model.state_dict(), tmp_path / "w.safetensors")
        paths.append("w.safetensors")
    for name in paths:
        again = models.resnet18(weights=tmp_path / name, num_classes=4)
        for (key, a), b in zip(model.state_dict().items(), again.state_dict().values(), strict=True):
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy(), err_msg=f"{name} {key}")


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("make", [
    small_resnet,
    lambda: small_resnet(models.Bottleneck),
    pytest.param(lambda: models.resnet34(num_classes=4), marks=pytest.mark.slow),
    pytest.param(lambda: models.resnet50(num_classes=4), marks=pytest.mark.slow),
    lambda: models.vit_small(image_size=8, patch_size=4, num_layers=2, hidden_dim=16, mlp_dim=16, num_heads=2),
    lambda: models.LSTMLanguageModel(7, 4, 4, nlayers=2, tie_weights=True),
], ids=["basic", "bottleneck", "resnet34", "resnet50", "vit", "lstm"])  # fmt: skip
def test_weights_of_torch(make, ending, tmp_path):
    """Files that torch itself wrote."""
    real = pytest.importorskip("torch")
    model, path = make(), tmp_path / f"w.{ending}"
    theirs = {k: real.randn(v.shape) if v.dtype.is_floating_point else real.tensor(7) for k, v in model.state_dict().items()}
    if "decoder.weight" in theirs:
        theirs["decoder.weight"] = theirs["encoder.weight"].clone()  # tied
    if ending == "pth":
        real.save(theirs, path)
    else:
        pytest.importorskip("safetensors.torch").save_file(theirs, path)
    models.load_weights(model, path)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.detach().numpy(), theirs[key].numpy())


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_recorded_weights_of_torch(ending):
    """Files that PyTorch 2.13 wrote, and what its layers computed of them."""
    path = Path(__file__).with_name("checkpoints") / f"language_model.{ending}"
    model = models.LSTMLanguageModel(5, 4, 3, nlayers=2, weights=path)
    logits, _ = model(torch.tensor([[0], [3], [4]]))
    expected = [-0.1861356496810913, -0.5116748809814453, 0.34318074584007263, -0.2841663360595703, -0.26340508460998535]
    np.testing.assert_allclose(logits[-1, 0].tolist(), expected, rtol=1e-5)


def test_hostile_and_damaged_weights_change_nothing(tmp_path):
    model = models.LSTMLanguageModel(5, 4, 3, nlayers=2)
    before = {k: v.tolist() for k, v in model.state_dict().items()}
    good = Path(__file__).with_name("checkpoints") / "language_model.pth"
    (tmp_path / "short.pth").write_bytes(good.read_bytes()[:-500])
    (tmp_path / "short.safetensors").write_bytes(good.with_suffix(".safetensors").read_bytes()[:-50])
    (tmp_path / "plain.pth").write_bytes(b"cos\nsystem\n(S'exit 3'\ntR.")
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(tmp_path / "evil.pth", "w") as new:
        for name in old.namelist():
            new.writestr(name, b"cos\nsystem\n(S'exit 3'\ntR." if name.endswith("data.pkl") else old.read(name))
    for name, kind in (("short.pth", RuntimeError), ("short.safetensors", RuntimeError), ("evil.pth", pickle.UnpicklingError),
                       ("plain.pth", (RuntimeError, pickle.UnpicklingError))):  # fmt: skip
        with pytest.raises(kind):
            models.load_weights(model, tmp_path / name)
    assert {k: v.tolist() for k, v in model.state_dict().items()} == before


def test_what_to_give_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"pretrained=True needs a file of weights.*weights='resnet18\.pth'"):
        models.resnet18(pretrained=True)
    for name in ("DEFAULT", "IMAGENET1K_V1"):
        with pytest.raises(ValueError, match="local file only"):
            models.vit_small(weights=name)
    with pytest.raises(FileNotFoundError, match="there is no file of weights"):
        models.LSTMLanguageModel(3, 2, 2, weights=tmp_path / "none.pth")
    torch.save({"step": 3}, tmp_path / "other.pt")
    with pytest.raises(RuntimeError, match=r"holds a dictionary of \['step'\].*state_dict"):
        models.load_weights(nn.Linear(1, 1), tmp_path / "other.pt")
    model = nn.Linear(2, 1)
    before = model.weight.tolist()
    torch.save({"weight": torch.ones(1, 2)}, tmp_path / "part.pt")
    with pytest.raises(RuntimeError, match="bias"):
        models.load_weights(model, tmp_path / "part.pt")
    assert model.weight.tolist() == before
