"""A user's own way back, ahead, and of many examples: `Function` with `backward`, `jvp`, `vmap` inside the transformations."""

import pytest

import tracejit.torch as ours

from .semantics import as_real


class Doubled(ours.autograd.Function):
    """The identity, with a gradient of two: what is used can be told."""

    @staticmethod
    def forward(ctx, x):
        return x * 1.0

    @staticmethod
    def backward(ctx, g):
        return 2.0 * g


def test_backward_is_used_inside_vmap():
    f = ours.func
    assert f.vmap(f.grad(lambda x: Doubled.apply(x) * 3))(ours.ones(3)).tolist() == [6.0, 6.0, 6.0]
    x = ours.ones(3, requires_grad=True)
    f.vmap(Doubled.apply)(x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_rules_at_kinks_are_used_inside_vmap():
    x = ours.zeros(2, requires_grad=True)
    ours.func.vmap(ours.relu)(x).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def products(torch):
    class Product(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x, y):
            return x * y * y, x + y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g, h):
            x, y = ctx.saved_tensors
            return g * y * y + h, 2 * g * x * y + h

        @staticmethod
        def jvp(ctx, a, b):
            x, y = ctx.saved_tensors
            return a * y * y + 2 * b * x * y, a + b

    class Exponential(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return torch.exp(x)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(output)

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

        @staticmethod
        def vmap(info, in_dims, x):
            sizes.add((info.batch_size, info.randomness))
            return Exponential.apply(x), in_dims[0]

    class Clipped(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x, limit):
            return x * 1

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.limit = inputs[1]

        @staticmethod
        def backward(ctx, g):
            return g.clamp(-ctx.limit, ctx.limit), None

    f, fw, double = torch.func, torch.autograd.forward_ad, torch.float64
    sizes = set()
    x, y, t = (torch.tensor(v, dtype=double) for v in ([1.0, 2.0], [3.0, 0.5], [1.0, -1.0]))
    with fw.dual_level():
        yield "forward", [fw.unpack_dual(r) for r in Product.apply(fw.make_dual(x, t), fw.make_dual(y, 2 * t))]
        leaf = fw.make_dual(x.clone().requires_grad_(), t)
        (g,) = torch.autograd.grad(Product.apply(leaf, fw.make_dual(y, 2 * t))[0].pow(2).sum(), leaf)
        yield "forward over reverse", fw.unpack_dual(g)
    yield "vmap", f.vmap(Product.apply)(x, y)
    yield "vmap of grad", f.vmap(f.grad(lambda x, y: Product.apply(x, y)[0].sin()))(x, y)
    yield "vmap of second", f.vmap(f.grad(f.grad(lambda x, y: Product.apply(x, y)[0].sin())), in_dims=(0, None))(x, y[0])
    a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
    first = torch.autograd.grad(f.vmap(Product.apply)(a, b)[0].sum(), (a, b), create_graph=True)
    yield "first and second", (first, torch.autograd.grad(first[1].pow(2).sum(), (a, b)))
    yield "jvp", f.jvp(lambda x, y: Product.apply(x, y), (x, y), (t, t))
    yield "jacfwd", f.jacfwd(lambda x: Product.apply(x, y)[0])(x)
    yield "jacrev", f.jacrev(lambda x: Product.apply(x, y)[0])(x)
    many = torch.ones(3, 2, dtype=double, requires_grad=True)
    out = f.vmap(Exponential.apply, in_dims=1)(many)
    (g,) = torch.autograd.grad(out.sum(), many, create_graph=True)
    yield "a vmap of its own", (out, g, torch.autograd.grad(g.sum(), many), sizes)
    a = x.clone().requires_grad_()
    yield "a backward that is not linear", torch.autograd.grad(f.vmap(lambda x: Clipped.apply(x, 0.5) * 3)(a).sum(), a)


def test_functions_as_torch():
    as_real(lambda torch: dict(products(torch)))


def test_misuse():
    class Both(Doubled):
        generate_vmap_rule = True

        @staticmethod
        def vmap(info, in_dims, x):
            return x, 0

    with pytest.raises(RuntimeError, match="both generate_vmap_rule=True and a vmap staticmethod"):
        Both.apply(ours.ones(2))
    with pytest.raises(NotImplementedError, match="You must implement the jvp function"):
        ours.func.jvp(Doubled.apply, (ours.ones(2),), (ours.ones(2),))


def draws(torch):
    f, nn = torch.func, torch.nn.functional
    x = torch.arange(12.0).reshape(3, 4)
    for how in ("same", "different"):
        torch.manual_seed(0)
        yield f"{how} rand", f.vmap(lambda v: v + torch.rand(4), randomness=how)(x)
        yield f"{how} randn", f.vmap(lambda v: torch.randn(5) * v.sum(), randomness=how)(x)
        yield f"{how} randperm", f.vmap(lambda v: v[torch.randperm(4)], randomness=how)(x)
        yield f"{how} randint", f.vmap(lambda v: torch.randint(0, 10, (2,)) + v[:2], randomness=how)(x)
        yield f"{how} dropout", f.vmap(nn.dropout, randomness=how)(x)
        nested = f.vmap(lambda v: f.vmap(lambda w: w * torch.rand(2), randomness=how)(v), randomness=how)
        yield f"{how} nested", nested(x)
    yield "bernoulli", f.vmap(lambda v: torch.bernoulli(v / 12), randomness="different")(x)


def test_random_numbers_as_torch():
    as_real(lambda torch: dict(draws(torch)))


def test_each_example_draws_or_all_draw_the_same():
    x, f = ours.zeros(3), ours.func
    same = f.vmap(lambda v: v + ours.rand(()), randomness="same")(x).tolist()
    different = f.vmap(lambda v: v + ours.rand(()), randomness="different")(x).tolist()
    assert len(set(same)) == 1 and len(set(different)) == 3
    with pytest.raises(RuntimeError, match="randomness error mode"):
        f.vmap(lambda v: v + ours.rand(()))(x)


def places(torch):
    f, x = torch.func, torch.arange(12.0).reshape(3, 4)

    def several(a, b):
        return a * 2, (b, a + b)

    tree = ({"p": 0, "q": 1},)
    yield f.vmap(lambda d: {"a": (d["p"] * 2, d["q"]), "b": d["q"].sum()}, in_dims=tree)({"p": x, "q": torch.ones(2, 3)})
    for chunk in (None, 2):
        yield f.vmap(several, in_dims=(0, 1), out_dims=(1, (0, -1)), chunk_size=chunk)(x, x.T.contiguous())


def test_dimensions_of_examples_as_torch():
    as_real(lambda torch: list(places(torch)))


def test_misuse_of_dimensions():
    x, f = ours.ones(2, 3), ours.func
    with pytest.raises(ValueError, match="out_dims has 2 entries"):
        f.vmap(lambda v: (v, v, v), out_dims=(0, 1))(x)
    with pytest.raises(ValueError, match="chunk_size should be None or greater than 0"):
        f.vmap(ours.sin, chunk_size=0)(x)
    with pytest.raises(ValueError, match="must only return Tensors"):
        f.vmap(lambda v: 3)(x)


@pytest.mark.parametrize("f", [lambda v: v * v.item(), lambda v: v if v > 0 else -v, lambda v: v + float(v)], ids=["item", "if", "float"])
def test_examples_have_no_values_to_decide_by(f):
    with pytest.raises(RuntimeError, match="vmap"):
        ours.func.vmap(f)(ours.ones(3))
