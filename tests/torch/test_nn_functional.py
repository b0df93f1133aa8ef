"""Functions of `nn.functional` beside torch's: grids, pairs, places of the largest elements, labels without times."""

import numpy as np
import pytest

import tracejit.torch as ours

from .semantics import as_real

F = ours.nn.functional


def sampled(n, mode, padding, corners):
    def run(torch):
        rng = np.random.default_rng(0)
        x = torch.tensor(rng.normal(size=(2, 3, *(5, 4, 6)[:n])), requires_grad=True)
        grid = torch.tensor(rng.normal(size=(2, *(3, 4, 2)[:n], n)), requires_grad=True)
        out = torch.nn.functional.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=corners)
        return out, torch.autograd.grad((out * torch.tensor(rng.normal(size=tuple(out.shape)))).sum(), (x, grid))

    return run


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_images_at_places(mode, padding, corners):
    as_real(sampled(2, mode, padding, corners), atol=1e-10)
    if mode == "bilinear":
        as_real(sampled(3, mode, padding, corners), atol=1e-10)


def others(torch):
    f, rng = torch.nn.functional, np.random.default_rng(1)

    def normal(*shape):
        return torch.tensor(rng.normal(size=shape), requires_grad=True)

    for size in ((2, 3, 4, 5), (2, 3, 3, 4, 5)):
        theta = normal(2, len(size) - 2, len(size) - 1)
        for corners in (False, True):
            out = f.affine_grid(theta, size, align_corners=corners)
            yield f"affine {size} {corners}", (out, torch.autograd.grad((out * out).sum(), theta))
    x = normal(5, 3)
    for p in (1.0, 2.0, 3.0):
        yield f"pairs {p}", torch.autograd.grad(f.pdist(x, p).pow(2).sum(), x)
    for name in ("elu_", "leaky_relu_", "selu_", "celu_", "hardtanh_"):
        written = normal(4) * 1
        yield name, (getattr(f, name)(written), written)
    image = normal(1, 2, 4, 4)
    yield "places", f.max_pool2d_with_indices(image, 2)
    yield "twice", f.fold(f.unfold(image, 3, padding=1), (4, 4), 3, padding=1) / image
    logs = f.log_softmax(normal(6, 4), 1)
    yield "one sequence", f.ctc_loss(logs, torch.tensor([1, 1, 2]), torch.tensor(6), torch.tensor(3))


def test_functions_as_torch():
    as_real(lambda torch: dict(others(torch)), atol=1e-10)


def test_labels_without_times():
    logs = F.log_softmax(ours.zeros(2, 1, 3), 2)  # all nine pairs are as likely, and three of them say "1": 11, 01, 10
    loss = F.ctc_loss(logs, ours.tensor([[1]]), (2,), (1,))
    assert loss.item() == pytest.approx(-np.log(3 / 9))
    assert F.ctc_loss(logs, ours.tensor([[1, 1]]), (2,), (2,)).item() == float("inf")
    leaf = ours.zeros(2, 1, 3, requires_grad=True)
    F.ctc_loss(F.log_softmax(leaf, 2), ours.tensor([[1, 1]]), (2,), (2,), zero_infinity=True).backward()
    assert not leaf.grad.any()


def test_misuse():
    with pytest.raises(RuntimeError, match="sliding blocks 4 \\* 4 = 16, but got 9"):
        F.fold(ours.ones(1, 4, 9), (5, 5), 2)
    with pytest.raises(RuntimeError, match="same batch size"):
        F.grid_sample(ours.ones(1, 1, 2, 2), ours.ones(2, 2, 2, 2))
    with pytest.raises(RuntimeError, match="at most 4, but got value 5"):
        F.ctc_loss(ours.zeros(4, 1, 3), ours.tensor([[1]]), (5,), (1,))
    with pytest.raises(ValueError, match="offsets\\[0\\] has to be 0"):
        F.embedding_bag(ours.tensor([0, 1]), ours.ones(3, 2), ours.tensor([1]))
    with pytest.raises(RuntimeError, match="invalid max index"):
        F.max_unpool2d(ours.ones(1, 1, 1, 1), ours.tensor([[[[7]]]]), 2)


def attentions(torch):
    attend, rng = torch.nn.functional.scaled_dot_product_attention, np.random.default_rng(0)

    def normal(*shape):
        return torch.tensor(rng.normal(size=shape), requires_grad=True)

    def both(*operands, **options):
        out = attend(*operands, **options)
        return out, torch.autograd.grad((out * out).sum(), operands)

    q, k, v = normal(2, 4, 5, 3), normal(2, 4, 6, 3), normal(2, 4, 6, 7)
    mask = torch.tensor(rng.random((5, 6)) > 0.4)
    nobody = mask.clone()
    nobody[2] = False
    yield "plain", both(q, k, v)
    yield "causal", both(q, k, v, is_causal=True)
    yield "scaled", both(q, k, v, scale=0.3)
    yield "masked", both(q, k, v, attn_mask=mask)
    yield "added", both(q, k, v, attn_mask=torch.tensor(rng.normal(size=(2, 1, 5, 6))))
    yield "a row without keys", both(q, k, v, attn_mask=nobody)
    yield "shared heads", both(q, normal(2, 2, 6, 3), normal(2, 2, 6, 7), enable_gqa=True)
    yield "matrices", both(normal(5, 3), normal(6, 3), normal(6, 7))
    yield "broadcast", both(normal(1, 4, 5, 3), normal(2, 1, 6, 3), v)
    for causal in (False, True):
        torch.manual_seed(0)
        yield f"dropout {causal}", both(q, k, v, dropout_p=0.5, is_causal=causal)


def test_attention_as_torch():
    as_real(lambda torch: dict(attentions(torch)), atol=1e-9)


def test_misuse_of_attention():
    x = ours.ones(1, 4, 2, 3)
    with pytest.raises(RuntimeError, match="should not be set when is_causal=True"):
        F.scaled_dot_product_attention(x, x, x, ours.ones(2, 2), is_causal=True)
    with pytest.raises(RuntimeError, match="to have the same dtype"):
        F.scaled_dot_product_attention(x, x.double(), x)
    with pytest.raises(RuntimeError, match="must divide the number of heads"):
        F.scaled_dot_product_attention(x, x[:, :3], x[:, :3], enable_gqa=True)
    with pytest.raises(RuntimeError, match="do not fit"):
        F.scaled_dot_product_attention(x, x[..., :2], x)
    with pytest.raises(TypeError, match="SDPBackend"), ours.nn.attention.sdpa_kernel("math"):
        pass
    masked = F.scaled_dot_product_attention(x, x, x, ours.zeros(2, 2, dtype=ours.bool))
    assert not masked.any()


@pytest.mark.parametrize("name", ["ctc", "grid", "bag", "attention"])
def test_compiled_functions_are_eager_functions(name):
    rng = np.random.default_rng(0)

    def normal(*shape):
        return ours.tensor(rng.normal(size=shape), dtype=ours.float32)

    labels = ours.tensor([[1, 2], [3, 3]])
    f, operands = {
        "ctc": (lambda x: F.ctc_loss(F.log_softmax(x, 2), labels, (6, 5), (2, 2)), (normal(6, 2, 4),)),
        "grid": (lambda x, g: F.grid_sample(x, g, align_corners=False), (normal(1, 2, 4, 4), normal(1, 3, 3, 2) * 0.5)),
        "bag": (lambda w: F.embedding_bag(ours.tensor([0, 1, 2, 1]), w, ours.tensor([0, 2]), mode="max"), (normal(3, 2),)),
        "attention": (lambda q, m: F.scaled_dot_product_attention(q, q, q, m > 0.5), (normal(1, 3, 4), normal(3, 3))),
    }[name]

    def step(*given):
        leaves = [t.detach().requires_grad_() for t in given]
        out = f(*leaves)
        return (out.detach(), *ours.autograd.grad(out.pow(2).sum(), leaves, allow_unused=True))

    compiled = ours.compile(step)
    for _ in range(3):
        for a, b in zip(compiled(*operands), step(*operands)):
            assert (a is None and b is None) or ours.allclose(a, b, atol=1e-5)
