"""Forward mode: dual numbers by hand, through views and writes, nested in each other and in the way back."""

import math

import pytest

import tracejit.torch as ours

from .semantics import as_real

fw = ours.autograd.forward_ad


def test_a_tangent_goes_through_functions():
    with fw.dual_level():
        x = fw.make_dual(ours.tensor([1.0, 2.0]), ours.tensor([1.0, -1.0]))
        primal, tangent = fw.unpack_dual((x * x).sum())
    assert primal.item() == 5.0 and tangent.item() == -2.0
    assert fw.unpack_dual(x).tangent is None  # the level is over


@pytest.mark.parametrize("grad", [True, False])
def test_no_grad_does_not_stop_tangents_and_detach_does(grad):
    with fw.dual_level(), ours.set_grad_enabled(grad):
        x = fw.make_dual(ours.tensor(3.0), ours.tensor(2.0))
        assert fw.unpack_dual(x * 2).tangent.item() == 4.0
        assert fw.unpack_dual(x.detach() * 2).tangent is None


def test_misuse_of_levels():
    x, t = ours.ones(2), ours.ones(2)
    with pytest.raises(RuntimeError, match="no level exists"):
        fw.make_dual(x, t)
    with pytest.raises(RuntimeError, match="not the last one"):
        fw.exit_dual_level()
    with fw.dual_level():
        with pytest.raises(RuntimeError, match="Nested forward mode"):
            fw.enter_dual_level()
        with pytest.raises(RuntimeError, match="different size"):
            fw.make_dual(x, ours.ones(3))
        with pytest.raises(ValueError, match="Expected primal to be floating point"):
            fw.make_dual(ours.arange(2), t)
        with pytest.raises(RuntimeError, match="already has a forward gradient"):
            fw.make_dual(fw.make_dual(x, t), t)


def duals(torch):
    fw = torch.autograd.forward_ad
    x, t = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 0.5, -1.0])
    found = {}
    with fw.dual_level():
        d = fw.make_dual(x, t)
        found["function"] = fw.unpack_dual((d.sin() * d + d.exp()).sum())
        written = d * 1
        part = written[1:]
        part.mul_(written[:-1].clone())
        found["written through a view"] = fw.unpack_dual(written), fw.unpack_dual(part)
        zeros = torch.zeros(3)
        before = zeros[:2]
        zeros[1:].copy_(d[1:])
        found["a view made before"] = fw.unpack_dual(zeros), fw.unpack_dual(before)
        constant = d * 1
        constant[0] = 7.0
        found["a constant"] = fw.unpack_dual(constant)
        found["two pieces"] = [fw.unpack_dual(p) for p in torch.split(d * 1, [1, 2])]
        found["a norm"] = fw.unpack_dual(torch.linalg.norm(d))
        found["relu"] = fw.unpack_dual(torch.relu(d - 2))
        leaf = x.clone().requires_grad_()
        inside = fw.make_dual(leaf, t)
        (g,) = torch.autograd.grad((inside**3).sum(), inside)
        found["forward over reverse"] = fw.unpack_dual(g)
        out = fw.unpack_dual((fw.make_dual(leaf, t) ** 3).sum()).tangent
        found["reverse over forward"] = torch.autograd.grad(out, leaf)
        (2 * (inside**2).sum()).backward()
        found["accumulated"] = leaf.grad
    return found


def test_dual_numbers_as_torch():
    as_real(duals)


def derivatives(torch):
    f = torch.func
    x = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64)
    y = torch.tensor([[0.1, 0.2, 0.4], [1.0, -0.5, 0.3]], dtype=torch.float64)
    a = torch.tensor([[1.0, 0.2, -0.3], [0.5, -1.0, 0.1], [0.2, 0.3, 0.9]], dtype=torch.float64)

    def several(x, y):
        if x.sum() > 100:  # a branch on a value
            return x
        v = torch.tanh(a @ x * x)
        w = v.clone()
        w[1:] *= x[:2]
        return {"a": w, "b": (y @ w).relu()}

    def number(x):
        return torch.sin(a @ x).prod() * x[0] + torch.logsumexp(x, 0)

    ones = torch.ones_like(x)
    yield "jacfwd", f.jacfwd(several, (0, 1))(x, y)
    yield "jacrev", f.jacrev(several, (0, 1))(x, y)
    yield "jacrev in chunks", f.jacrev(several, chunk_size=2)(x, y)
    yield "hessian", f.hessian(number)(x)
    yield "reverse twice", f.jacrev(f.jacrev(number))(x)
    yield "forward twice", f.jacfwd(f.jacfwd(number))(x)
    yield "reverse over forward", f.jacrev(f.jacfwd(number))(x)
    yield "third", f.jacfwd(f.hessian(number))(x)
    yield "jvp of grad", f.jvp(f.grad(number), (x,), (ones,))
    yield "grad of jvp", f.grad(lambda x: f.jvp(number, (x,), (x,))[1])(x)
    yield "vmap of hessian", f.vmap(f.hessian(number))(y)
    yield "vmap of jacfwd", f.vmap(f.jacfwd(number))(y)
    yield "vmap of jacrev", f.vmap(f.jacrev(number))(y)
    yield "perturbations apart", f.jvp(lambda x: x * f.jvp(lambda y: x + y, (x,), (ones,))[1], (x,), (ones,))
    yield "aux", f.jvp(lambda x: (x * 2, x * 3), (x,), (x,), has_aux=True)
    yield "vmap of vjp", f.vmap(lambda v: f.vjp(lambda x: a @ x * x, x)[1](v))(a)
    yield "empty", f.jacfwd(lambda x: x.sum())(torch.zeros(0, dtype=torch.float64))
    leaf = x.clone().requires_grad_()
    out = a @ leaf * leaf
    eye = torch.eye(3, dtype=torch.float64)
    yield "batched", torch.autograd.grad(out, leaf, eye, is_grads_batched=True, retain_graph=True)
    (rows,) = torch.autograd.grad(out, leaf, eye, is_grads_batched=True, create_graph=True)
    yield "batched, again", torch.autograd.grad(rows.sin().sum(), leaf)
    old = torch.autograd.functional
    for options in ({}, {"vectorize": True}, {"create_graph": True}, {"vectorize": True, "strategy": "forward-mode"}):
        yield f"jacobian {options}", old.jacobian(lambda x, y: (x * y.sum(), y @ x), (x, y), **options)
    for options in ({}, {"vectorize": True}, {"vectorize": True, "outer_jacobian_strategy": "forward-mode"}):
        yield f"hessian {options}", old.hessian(lambda x, y: (y @ x).pow(3).sum(), (x, y), **options)


def test_transformations_as_torch():
    as_real(lambda torch: dict(derivatives(torch)), atol=1e-10)


def test_derivatives_of_sine():
    f, x = ours.func, ours.tensor([0.0, 1.0], dtype=ours.float64)
    assert f.jacfwd(ours.sin)(x).tolist() == f.jacrev(ours.sin)(x).tolist() == [[1.0, 0.0], [0.0, math.cos(1.0)]]
    second = f.hessian(lambda x: ours.sin(x).sum())(x)
    assert second[1, 1].item() == pytest.approx(-math.sin(1.0)) and second[0, 0].item() == 0.0
    out, tangent = f.jvp(ours.sin, (x,), (ours.ones(2, dtype=ours.float64),))
    assert tangent.tolist() == [1.0, math.cos(1.0)] and not out.requires_grad and not tangent.requires_grad


def test_forward_mode_runs_the_function_once():
    calls = []

    def f(x):
        calls.append(float(x.sum()))  # a value: nothing is traced
        return x**2

    ours.func.jacfwd(f)(ours.arange(50.0))
    assert calls == [1225.0]


def test_misuse():
    f = ours.func
    with pytest.raises(RuntimeError, match="tangents have shapes"):
        f.jvp(ours.sin, (ours.ones(2),), (ours.ones(3),))
    with pytest.raises(RuntimeError, match="independent of the inputs"):
        f.jvp(lambda x: ours.ones(2), (ours.ones(2),), (ours.ones(2),), strict=True)
    with pytest.raises(ValueError, match="chunk_size"):
        f.jacrev(ours.sin, chunk_size=0)
    with pytest.raises(RuntimeError, match="floating or complex"):
        f.jacfwd(ours.abs)(ours.arange(3))
    with pytest.raises(RuntimeError, match="not supported together"):
        ours.autograd.functional.jacobian(ours.sin, ours.ones(2), strict=True, vectorize=True)
