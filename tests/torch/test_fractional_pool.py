"""Fractional maximum pooling beside torch's: drawn windows, values, indices, gradients."""

import pytest

import tracejit.torch as ours

from .semantics import as_real


def pooled(torch):
    F = torch.nn.functional
    torch.manual_seed(0)
    image, volume = torch.randn(2, 3, 10, 7, requires_grad=True), torch.randn(2, 1, 6, 7, 8, requires_grad=True)
    cases = {
        "2d": lambda: F.fractional_max_pool2d(image, 2, output_size=(5, 4), return_indices=True),
        "2d ratio": lambda: F.fractional_max_pool2d(image, (3, 2), output_ratio=(0.6, 0.5), return_indices=True),
        "2d to one": lambda: F.fractional_max_pool2d(image, 3, output_size=1, return_indices=True),
        "2d without a batch": lambda: F.fractional_max_pool2d(image[0], 2, output_size=5, return_indices=True),
        "3d": lambda: F.fractional_max_pool3d(volume, 2, output_size=(3, 4, 5), return_indices=True),
        "3d ratio": lambda: F.fractional_max_pool3d(volume, (2, 3, 2), output_ratio=0.5, return_indices=True),
        "given": lambda: F.fractional_max_pool2d(image, 2, 4, return_indices=True, _random_samples=torch.full((2, 3, 2), 0.25)),
    }
    for name, f in cases.items():
        torch.manual_seed(1)
        made, at = f()
        yield name, (made, at, torch.autograd.grad(made.square().sum(), volume if name.startswith("3d") else image))
    net = torch.nn.FractionalMaxPool2d(2, output_ratio=0.5)
    torch.manual_seed(2)
    yield "module", (net(image), repr(net), torch.nn.FractionalMaxPool3d(2, output_size=3)(volume))


def test_as_torch():
    as_real(lambda torch: dict(pooled(torch)))


def test_compiled():
    x = ours.arange(100.0).reshape(1, 1, 10, 10)
    f = lambda x: ours.nn.functional.fractional_max_pool2d(x, 2, 5)
    g = ours.compile(f)
    for _ in range(3):
        ours.manual_seed(0)
        wanted = f(x)
        ours.manual_seed(0)
        assert g(x).tolist() == wanted.tolist()


def test_misuse():
    nn = ours.nn
    for arguments, what in [((), "either an output size"), ((3, 0.5), "only one of"), ((None, 1.5), "between 0 and 1")]:
        with pytest.raises(ValueError, match=what):
            nn.FractionalMaxPool2d(2, *arguments)
    with pytest.raises(RuntimeError, match="too large relative to the input"):
        nn.functional.fractional_max_pool2d(ours.ones(1, 4, 4), 3, 4)
