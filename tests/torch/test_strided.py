"""`as_strided` of tensors that do not lie in one piece, or in another order, beside torch's."""

import numpy as np
import pytest

import tracejit.torch as ours

from .semantics import as_real


def views(torch):
    x = torch.arange(12.0).reshape(3, 4)
    order = np.arange(12.0).reshape(3, 4)
    sources = {
        "transposed": x.t(),
        "part of a transposed": x.t()[1:],
        "in the order of a transposed": x.t() + 0,
        "permuted": x.reshape(2, 3, 2).permute(2, 0, 1) * 2,
        "clone of a transposed": x.t().clone(),
        "of another dtype": x.t().double(),
        "detached": x.t().detach(),
        "transposed in NumPy": torch.from_numpy(order.T),
        "in Fortran's order": torch.from_numpy(np.asfortranarray(order)),
        "every second": torch.from_numpy(order.reshape(-1)[::2]),
        "from the third on": torch.from_numpy(order.reshape(-1)[2:]),
        "expanded": x[:, :1].expand(3, 5),
    }
    for name, t in sources.items():
        for shape, steps, offset in [((2, 2), (2, 2), None), ((2, 2), (2, 4), 2), ((3,), (2,), 0), ((0, 2), (1, 2), None)]:
            yield f"{name} {shape} {steps} {offset}", t.as_strided(shape, steps, offset).clone()
    yield "with a step", x[::2, ::2].as_strided((2, 2), (2, 1)).clone()


def gradients(torch):
    def of(f):
        a = torch.arange(12.0).reshape(3, 4).requires_grad_()
        out = f(a)
        (g,) = torch.autograd.grad((out * torch.arange(1.0 + out.numel())[1:].reshape(out.shape)).sum(), a, create_graph=True)
        return g

    yield "transposed", of(lambda a: a.t().as_strided((4, 3), (1, 2)))
    yield "in the order of a transposed", of(lambda a: (a.t() * 2).as_strided((4, 3), (1, 2)))
    yield "a part", of(lambda a: a[1:, 1:].as_strided((2, 2), (1, 1)))
    made = torch.arange(12.0).reshape(3, 4).t() + 0
    made.as_strided((2, 2), (1, 4)).add_(10)
    yield "written through", made


def test_views_as_torch():
    as_real(lambda torch: dict(views(torch)))


def test_gradients_as_torch():
    as_real(lambda torch: dict(gradients(torch)))


def test_compiled():
    x = ours.arange(12.0).reshape(3, 4).t() + 0  # lies in another order
    f = lambda: x.as_strided((2, 3), (3, 1)) * 2
    assert ours.compile(f)().tolist() == f().tolist() == [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]


def test_beyond_the_memory():
    x = ours.arange(12.0).reshape(3, 4).t() + 0
    for shape, steps, offset in [((13,), (1,), 0), ((2,), (1,), 11)]:
        with pytest.raises(RuntimeError, match="reach beyond the 12 elements"):
            x.as_strided(shape, steps, offset)
