"""Views: shared memory, writes through them, what their base becomes, and what is refused."""

import pytest

import tracejit.torch as ours

from .semantics import as_real

VIEWS = {
    "as_strided": lambda t, x: x.as_strided((2, 2), (4, 1), 1),
    "unfold": lambda t, x: x.unfold(1, 2, 2),
    "diagonal": lambda t, x: x.diagonal(),
    "diagonal above": lambda t, x: x.diagonal(1, 1, 0),
    "chunk": lambda t, x: x.chunk(2)[0],
    "split": lambda t, x: x.split([1, 3], 1)[1],
    "unbind": lambda t, x: x.unbind(0)[1],
    "tensor_split": lambda t, x: t.tensor_split(x, 2, 1)[1],
    "hsplit": lambda t, x: t.hsplit(x, 2)[1],
    "vsplit": lambda t, x: t.vsplit(x, [1])[1],
    "expand": lambda t, x: x.expand(1, 3, 4),
    "T": lambda t, x: x.T,
    "narrow": lambda t, x: x.narrow(0, 1, 2),
    "select": lambda t, x: x.select(1, 2),
    "flatten": lambda t, x: x.flatten(),
    "unflatten": lambda t, x: x.unflatten(1, (2, 2)),
    "unsqueeze": lambda t, x: x.unsqueeze(0),
    "slice of a diagonal": lambda t, x: x.diagonal()[1:],
    "transpose of strided": lambda t, x: x.as_strided((2, 2), (4, 1), 1).T[0],
}
TOGETHER = ("chunk", "split", "unbind")  # views that one call gives together


def grid(torch):
    return torch.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("name", VIEWS)
def test_a_write_reaches_the_base(name):
    def run(torch):
        x = grid(torch)
        view = VIEWS[name](torch, x)
        view.fill_(-1)
        view.mul_(2)
        return x, view, [s for s, n in zip(view.stride(), view.shape) if n > 1], view.storage_offset(), x._version

    as_real(run)


@pytest.mark.parametrize("name", [n for n in VIEWS if n not in TOGETHER])
def test_gradients_of_what_is_written_through_a_view(name):
    def run(torch):
        leaf = grid(torch).clone().requires_grad_()
        x = leaf * 1
        view = VIEWS[name](torch, x)
        weights = torch.ones(view.shape, requires_grad=True)
        view.mul_(weights * 3)
        total = (x * x).sum() + (view * 2).sum()
        first = torch.autograd.grad(total, (leaf, weights), create_graph=True)
        return first, torch.autograd.grad(first[0].pow(2).sum(), leaf), type(x.grad_fn).__name__, type(view.grad_fn).__name__

    as_real(run)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_of_a_leaf_is_not_written_into(name):
    x = grid(ours).clone().requires_grad_()
    view = VIEWS[name](ours, x)
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace" if name in TOGETHER else "a view of a leaf Variable"):
        view.mul_(2)
    with ours.no_grad():
        view.mul_(2)
    assert x._version == 1


@pytest.mark.parametrize("name", TOGETHER)
def test_views_that_come_together_are_not_written_into(name):
    x = grid(ours).clone().requires_grad_() * 1
    with pytest.raises(RuntimeError, match="function that returns multiple views"):
        VIEWS[name](ours, x).mul_(2)
    with pytest.raises(RuntimeError, match="function that returns multiple views"):
        VIEWS[name](ours, x)[:1].mul_(2)
    y = grid(ours)
    with pytest.raises(RuntimeError, match="function that returns multiple views"):
        VIEWS[name](ours, y).mul_(ours.ones((), requires_grad=True))
    assert y.tolist() == grid(ours).tolist()
    VIEWS[name](ours, y).mul_(0)  # nothing is recorded
    assert y.sum().item() < 66


def test_a_view_made_in_no_grad():
    def run(torch):
        x = torch.ones(3, requires_grad=True)
        with torch.no_grad():
            view = x[:2]
            made = x * 2
            arrays = view.numpy().tolist(), x.numpy().tolist()
        return arrays, view.requires_grad, view.grad_fn is None, view.is_leaf, made.requires_grad, view.detach().requires_grad

    as_real(run)
    x = ours.ones(3, requires_grad=True)
    with ours.no_grad():
        view = x[:2]
    with pytest.raises(RuntimeError, match="A view was created in no_grad mode"):
        view.mul_(2)
    with pytest.raises(RuntimeError, match="does not require grad"):  # torch gives no gradient to anybody, and says nothing
        (view * 3).sum().backward()


def test_a_view_as_a_leaf():
    base = ours.arange(4.0)
    leaf = base.view(2, 2).requires_grad_()
    assert leaf.is_leaf and leaf[0].grad_fn.name() == "SelectBackward0"
    base.mul_(2)
    (leaf * leaf).sum().backward()
    assert leaf.grad.tolist() == [[0.0, 4.0], [8.0, 12.0]]
    with pytest.raises(RuntimeError, match="a view of it is a leaf"):
        base.mul_(ours.ones(4, requires_grad=True))


def test_bytes_as_another_dtype():
    def run(torch):
        x = torch.tensor([1.0, 2.0, -1.0, 0.5])
        whole = x.view(torch.int32)
        half = x.view(torch.int16)
        double = x.view(torch.float64)
        whole[0] = 0
        y = torch.ones(2, requires_grad=True).view(torch.int32)
        return x, whole, half, double, y, y.requires_grad

    as_real(run)
    with pytest.raises(RuntimeError, match="must be divisible by 2"):
        ours.ones(3).view(ours.float64)


def test_parts_of_complex_numbers():
    def run(torch):
        leaf = torch.tensor([[1.0 + 2.0j, 3.0 - 1.0j]], requires_grad=True)
        x = leaf * 1
        parts = torch.view_as_real(x)
        parts[..., 0].mul_(3)
        x.imag.add_(1)
        back = torch.view_as_complex(torch.ones(2, 2, requires_grad=True) * 2)
        (g,) = torch.autograd.grad((x * x.conj()).real.sum() + back.abs().sum(), leaf)
        plain = torch.zeros(2, 2)
        torch.view_as_complex(plain)[0] = 1 + 2j
        return x, parts, g, back, plain

    as_real(run)


def test_windows_overlap():
    x = ours.arange(5.0)
    windows = x.unfold(0, 3, 1)
    assert windows.tolist() == [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]] and windows.stride() == (1, 1)
    windows[0, 1] = 9.0
    assert x[1].item() == windows[1, 0].item() == 9.0
    with pytest.raises(RuntimeError, match="refers to a single memory location"):
        windows.mul_(ours.ones((), requires_grad=True))
    with pytest.raises(RuntimeError, match="refers to a single memory location"):
        ours.ones(3, 1).expand(3, 2).mul_(2)


def test_distances_beyond_the_memory():
    with pytest.raises(RuntimeError, match="reach beyond the 4 elements"):
        ours.arange(4.0).as_strided((3, 2), (2, 1))
    part = ours.arange(10.0)[4:]
    assert part.as_strided((2,), (1,)).tolist() == [4.0, 5.0]  # from where the tensor begins
    assert part.as_strided((2,), (1,), 0).tolist() == [0.0, 1.0]  # from where the memory begins


def test_views_written_in_compiled_functions():
    @ours.compile
    def f(x, y):
        x = x * 1
        x.diagonal().mul_(y)
        x.as_strided((2,), (1,), 1).add_(10)
        x.unfold(0, 2, 2)[..., 0].add_(100)
        return x

    x, y = ours.arange(16.0).reshape(4, 4), ours.tensor(2.0)
    for _ in range(3):
        assert f(x, y)[0].tolist() == [100.0, 111.0, 112.0, 103.0]


def test_views_share_a_storage():
    x = ours.zeros(2, 3)
    assert x[1].untyped_storage().data_ptr() == x.untyped_storage().data_ptr() == x.data_ptr()
    assert x[1].untyped_storage().nbytes() == 24
    assert x.clone().untyped_storage().data_ptr() != x.data_ptr()


def test_a_write_that_is_refused_changes_nothing():
    x = ours.ones(2, 3, requires_grad=True)
    base = x * 1
    for write in (lambda v: v.copy_(ours.tensor(5.0)), lambda v: v.mul_(2), lambda v: v.add_(x)):
        with pytest.raises(RuntimeError, match="single memory location"):
            write(base.unsqueeze(0).expand(2, 2, 3)[1])
        assert (base == 1).all() and base._version == 0 and base.grad_fn.name() == "MulBackward0"
    base.sum().backward()
    assert (x.grad == 1).all()


def test_a_vector_of_numbers_is_written_through():
    x = ours.zeros(3)
    for number in x:
        number.add_(2)
    x.unbind()[1].mul_(5)
    assert x.tolist() == [2.0, 10.0, 2.0]
