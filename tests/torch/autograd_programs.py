"""Programs that observe the engine, for torch and for this library. Each gives something to compare."""

from __future__ import annotations

import warnings


def plain(x):
    if isinstance(x, (tuple, list)):
        return [plain(y) for y in x]
    return x.detach().numpy().tolist() if hasattr(x, "detach") else x


def error_of(f):
    try:
        f()
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        return type(error).__name__, str(error)
    return None


def leaf(t, *values):
    return t.tensor(values, requires_grad=True)


# -- programs
def accumulates(t):
    x = leaf(t, 1.0, 2.0)
    (x * x).sum().backward()
    (x * 3).sum().backward()
    return x.grad


def limits_inputs(t):
    x, y = leaf(t, 2.0), leaf(t, 3.0)
    (x * y).sum().backward(inputs=[x])
    return x.grad, y.grad


def inputs_in_the_middle(t):
    x = leaf(t, 2.0)
    y = x * 3
    (y * y).sum().backward(inputs=[y])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return y.grad, x.grad


def grad_of_middle(t):
    x = leaf(t, 2.0)
    y = x * 3
    return t.autograd.grad((y * y * x).sum(), [y, x])


def unused(t):
    x, y = leaf(t, 2.0), leaf(t, 3.0)
    return t.autograd.grad((x * 2).sum(), [x, y], allow_unused=True), t.autograd.grad((x * 2).sum(), [x, y], materialize_grads=True)


def batched(t):
    x = leaf(t, 1.0, 2.0)
    return t.autograd.grad(x * x, x, t.eye(2), is_grads_batched=True)


def retains(t):
    x = leaf(t, 1.0, 2.0)
    y = x * x
    y.retain_grad()
    y.sum().backward()
    return y.grad, x.grad, y.retains_grad


def create_graph_accumulates(t):
    x = leaf(t, 3.0)
    (x**3).sum().backward(create_graph=True)
    g = x.grad
    (h,) = t.autograd.grad(g.sum(), x)
    x.grad = None
    return g, h


def view_then_write(t):
    x = leaf(t, 1.0, 2.0, 3.0, 4.0)
    y = x * 1
    a, b = y[:2], y.view(2, 2)
    a.mul_(b[1] * 2)
    out = (b * b).sum() + a.sum()
    out.backward()
    return x.grad, a, b, y


def write_base_then_read_view(t):
    x = leaf(t, 1.0, 2.0, 3.0, 4.0)
    y = x * 1
    part = y[1:3]
    y.mul_(x)
    (part * part).sum().backward()
    return x.grad, part


def setitem(t):
    x, v = leaf(t, 1.0, 2.0, 3.0), leaf(t, 5.0)
    y = x * 2
    y[1] = v[0] * 3
    y[:1] = 7.0
    (y * y).sum().backward()
    return x.grad, v.grad, y


def setitem_by_tensor(t):
    x, v = leaf(t, 1.0, 2.0, 3.0), leaf(t, 5.0, 6.0)
    y = x * 2
    y[t.tensor([0, 2])] = v * 3
    y[y > 17] = 1.0
    (y * y).sum().backward()
    return x.grad, v.grad, y


def write_into_fresh_buffer(t):
    x = leaf(t, 1.0, 2.0, 3.0)
    buffer = t.zeros(3)
    for i in range(3):
        buffer[i] = x[i] * (i + 1)
    buffer.sum().backward()
    return x.grad, buffer.requires_grad


def nested_views(t):
    x = leaf(t, 1.0, 2.0, 3.0, 4.0)
    y = (x * 1).reshape(2, 2)
    row = y[0]
    row[1:].add_(10)
    z = y.t()
    z[1, 1] = 0.0
    (y * y).sum().backward()
    return x.grad, y, z, row


def in_place_keeps_saved_copies(t):
    x = leaf(t, 0.5, 1.0)
    y = x * 1
    y.sin_().pow_(2).sigmoid_()
    y.sum().backward()
    return x.grad, y


def relu_in_place(t):
    x = leaf(t, -1.0, 2.0)
    y = t.relu_(x * 3)
    y.sum().backward()
    return x.grad


def detached_write_is_noticed(t):
    x = leaf(t, 1.0, 2.0)
    y = x.sin()
    z = y * y
    y.detach().add_(1)
    error = error_of(lambda: z.sum().backward())
    return error[0], "modified by an inplace operation" in error[1]


def versions(t):
    x = t.zeros(3)
    v = x[1:]
    v.add_(1)
    x.mul_(2)
    return x._version, v._version, x.detach()._version


def second_backward(t):
    x = leaf(t, 1.0)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    z = (x * x).sum()
    z.backward(retain_graph=True)
    z.backward()
    error = error_of(z.backward)
    return x.grad, error[0], error[1].startswith("Trying to backward through the graph a second time")


def modes(t):
    x = leaf(t, 1.0)
    with t.no_grad():
        a = (x * 2).requires_grad
        with t.enable_grad():
            b = (x * 2).requires_grad
        x.mul_(3)
    c = t.no_grad()(lambda: (x * 2).requires_grad)()
    with t.set_grad_enabled(False):
        d = (x * 2).requires_grad
    with t.inference_mode():
        y = t.ones(1)
    return a, b, c, d, x, y.is_inference(), t.is_grad_enabled(), error_of(lambda: x * y)[0]


def hooks(t):
    seen = []
    x = leaf(t, 1.0, 2.0)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(plain(g)))
    handle = x.register_hook(lambda g: g * 1000)
    handle.remove()
    x.register_post_accumulate_grad_hook(lambda p: seen.append(plain(p.grad)))
    (y * y).sum().backward()
    y.grad_fn.register_hook(lambda gi, go: None)
    return x.grad, seen


def node_hooks(t):
    x = leaf(t, 1.0, 2.0)
    y = x * 2
    y.grad_fn.register_prehook(lambda go: (go[0] * 2,))
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * 5, *gi[1:]))
    y.sum().backward()
    return x.grad


def multi_grad_hook(t):
    seen = []
    x, y = leaf(t, 1.0), leaf(t, 2.0)
    t.autograd.graph.register_multi_grad_hook([x, y], lambda grads: seen.append([plain(g) for g in grads]))
    (x * y).sum().backward()
    return seen


def function_of_the_user(t):
    class Scaled(t.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor, y):
            ctx.factor = factor
            ctx.save_for_backward(x, y)
            return x * y * factor, (x > 1)

        @staticmethod
        def backward(ctx, g, _):
            x, y = ctx.saved_tensors
            assert ctx.needs_input_grad == (True, False, True)
            return g * y * ctx.factor, None, g * x * ctx.factor

    x, y = leaf(t, 1.0, 2.0), leaf(t, 3.0, 4.0)
    out, mask = Scaled.apply(x, 2.0, y)
    out.sum().backward()
    return out, mask, mask.requires_grad, x.grad, y.grad, out.grad_fn.name()


def function_marks(t):
    class Doubled(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            x.mul_(2)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class Parts(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            a, b = x * 2, x * 3
            ctx.mark_non_differentiable(b)
            ctx.set_materialize_grads(False)
            return a, b

        @staticmethod
        def backward(ctx, g, none):
            return None if g is None else g * 2

    x = leaf(t, 1.0, 2.0)
    y = x * 1
    z = Doubled.apply(y)
    a, b = Parts.apply(z)
    a.sum().backward()
    return x.grad, y is z, b.requires_grad, y


def function_errors(t):
    class Wrong(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g, g

    class Shape(Wrong):
        @staticmethod
        def backward(ctx, g):
            return t.ones(7)

    class Once(Wrong):
        @staticmethod
        @t.autograd.function.once_differentiable
        def backward(ctx, g):
            return g * 2

    x = leaf(t, 1.0, 2.0, 3.0)
    first = error_of(lambda: Wrong.apply(x).sum().backward())
    second = error_of(lambda: Shape.apply(x).sum().backward())
    (g,) = t.autograd.grad((Once.apply(x) ** 2).sum(), x, create_graph=True)
    third = error_of(lambda: g.sum().backward())
    return "(expected 1, got 2)" in first[1], "got [7] but expected shape compatible with [3]" in second[1], "differentiate twice" in third[1], g


def saved_hooks(t):
    count = []

    def pack(x):
        count.append(tuple(x.shape))
        return x.numpy().copy() if not x.requires_grad else x.detach().numpy().copy()

    x = leaf(t, 1.0, 2.0)
    with t.autograd.graph.saved_tensors_hooks(pack, t.from_numpy):
        y = (x * x).exp().sum()
    y.backward()
    return x.grad, len(count) >= 2


def checkpoints(t):
    from importlib import import_module

    checkpoint = import_module(f"{t.__name__}.utils.checkpoint").checkpoint
    w, x = leaf(t, 0.5, -1.0), leaf(t, 1.0, 2.0)
    runs = []

    def block(x):
        runs.append(0)
        return (x * w).sin() * x

    checkpoint(block, checkpoint(block, x, use_reentrant=False), use_reentrant=False).sum().backward()
    return x.grad, w.grad, len(runs)


def functional(t):
    F = t.autograd.functional
    x, v = t.tensor([1.0, 2.0]), t.tensor([0.5, -1.0])

    def f(x):
        return (x**3).sum()

    def g(x, y):
        return x * y, x.sum()

    return (
        F.jacobian(g, (x, v)), F.hessian(f, x), F.vjp(g, (x, v), (v, t.tensor(2.0))), F.jvp(g, (x, v), (v, x)), F.hvp(f, x, v), F.vhp(f, x, v),
        F.jacobian(lambda x: x.exp(), x, create_graph=True).requires_grad,
    )  # fmt: skip


def transforms(t):
    func = t.func
    x, w = t.tensor([1.0, 2.0]), t.tensor([[1.0, 2.0], [3.0, 4.0]])

    def loss(x, w):
        return ((w @ x).sin() ** 2).sum()

    value, pull = func.vjp(lambda x: w @ x, x)
    return (
        func.grad(loss)(x, w), func.grad(loss, argnums=(0, 1))(x, w), func.grad_and_value(loss)(x, w), value, pull(x),
        func.jvp(lambda x: loss(x, w), (x,), (x,)), func.jacrev(loss, argnums=1)(x, w), func.jacfwd(lambda x: w @ x.exp())(x), func.hessian(loss)(x,
        w), func.vmap(loss, in_dims=(None, 0))(x, t.stack([w, w * 2])), func.vmap(func.grad(loss), in_dims=(0, None))(w, w),
        func.vmap(func.vmap(t.mul))(w, w), func.vmap(lambda r: r.sum(), in_dims=1)(w), func.vmap(lambda r: (r, r * 2), out_dims=(1, 0))(w),
        func.vmap(lambda a, b: a @ b, in_dims=(0, None))(t.stack([w, w]), w), func.vmap(lambda d: d["a"] * 2)({"a": w}),
        func.grad(lambda x: func.grad(lambda y: (y**3 * x).sum())(x).sum())(x),
    )  # fmt: skip


def gradient_through_vmap(t):
    w = leaf(t, 1.0, 2.0)
    out = t.func.vmap(lambda row: (row * w).sum())(t.tensor([[1.0, 2.0], [3.0, 4.0]]))
    out.sum().backward()
    return out, w.grad


def gradchecks(t):
    x = t.tensor([0.3, -0.7], dtype=t.float64, requires_grad=True)
    z = t.tensor([0.3 + 1j, -0.7 + 0.2j], dtype=t.complex128, requires_grad=True)

    class Bad(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            return g * 2

    check = t.autograd.gradcheck
    return (
        check(lambda x: x.sin() * x, (x,)), t.autograd.gradgradcheck(lambda x: x.sin() * x, (x,)), check(t.sin, (x,), fast_mode=True),
        check(lambda z: (z * z).abs(), (z,)), check(lambda z: z * z.conj(), (z,)), check(Bad.apply, (x,), raise_exception=False),
        "Jacobian mismatch" in error_of(lambda: check(Bad.apply, (x,)))[1],
    )  # fmt: skip


def anomaly(t):
    x = leaf(t, 0.0)
    with t.autograd.detect_anomaly():
        y = (x.sqrt() * 0).sum()
        return error_of(y.backward)[1].startswith("Function 'SqrtBackward0' returned nan values in its 0th output.")


def errors(t):
    x = leaf(t, 1.0, 2.0, 3.0)
    y = leaf(t, 1.0)
    found = [
        error_of(lambda: x.add_(1)), error_of(lambda: x[0].mul_(2)), error_of(lambda: t.ones(2, dtype=t.int64).requires_grad_()),
        error_of(lambda: (x * 2).backward()), error_of(lambda: t.ones(2).sum().backward()), error_of(lambda: x.numpy()),
        error_of(lambda: setattr(x * 2, "requires_grad", False)), error_of(lambda: t.autograd.grad((x * 2).sum(), [x, y])),
        error_of(lambda: (x * 2).backward(t.ones(2))), error_of(lambda: bool(x)), error_of(lambda: x.item()), error_of(lambda: x + t.ones(2)),
        error_of(lambda: t.ones(2, 3) @ t.ones(2, 3)), error_of(lambda: x[5]), error_of(lambda: x.sum(3)), error_of(lambda: x.view(2, 2)),
        error_of(lambda: t.ones(3, dtype=t.int64).mean()), error_of(lambda: x.detach().reshape(3, 1).expand(2, 2)),
        error_of(lambda: t.ones(2, dtype=t.int64).add_(1.5)), error_of(lambda: t.ones(2).add_(t.ones(2, 2))), error_of(lambda: t.cat([t.ones(2, 3),
        t.ones(3, 2)])), error_of(lambda: setattr(x, "grad", t.ones(2))), error_of(lambda: (x * 2).register_post_accumulate_grad_hook(print)),
        error_of(lambda: t.ones(2) - t.ones(2, dtype=t.bool) if False else t.ones(2, dtype=t.bool) - t.ones(2, dtype=t.bool)),
    ]  # fmt: skip
    return [None if e is None else e[0] for e in found]


def kinks(t):
    found = []
    for values, f in (
        ((0.0, 0.0), lambda x: x.norm()), ((0.0, -1.0, 4.0), lambda x: x.abs().sum()), ((0.0, -1.0), lambda x: x.relu().sum()),
        ((0.0, 4.0), lambda x: x.sqrt().sum()), ((0.0, 2.0), lambda x: x.sign().sum()), ((1.5, 2.0), lambda x: x.round().sum()),
        ((1.0, 1.0, 0.0), lambda x: x.max()), ((2.0, 1.0, 2.0), lambda x: x.amax()), ((1.0, 3.0), lambda x: x.median()),
        ((0.0, 1.0, 0.0), lambda x: x.prod()), ((0.0, 1.0, 2.0), lambda x: x.clamp(0, 1).sum()), ((1.0, 1.0), lambda x: x.std()),
        ((0.0, 1.0), lambda x: t.where(x > 0, x * 2, x).sum()), ((1.0, 1.0), lambda x: t.maximum(x, x * 1).sum()),
        ((0.0, 1.0, 2.0), lambda x: (x ** t.tensor([2.0, 0.0, -1.0])).sum()), ((1.0, 0.0), lambda x: t.max(x, 0).values),
    ):  # fmt: skip
        x = leaf(t, *values)
        f(x).backward()
        found.append(x.grad)
    return found


PROGRAMS = [
    kinks,
    accumulates, limits_inputs, inputs_in_the_middle, grad_of_middle, unused, batched, retains, create_graph_accumulates, view_then_write,
    write_base_then_read_view, setitem, setitem_by_tensor, write_into_fresh_buffer, nested_views, in_place_keeps_saved_copies, relu_in_place,
    detached_write_is_noticed, versions, second_backward, modes, hooks, node_hooks, multi_grad_hook, function_of_the_user, function_marks,
    function_errors, saved_hooks, checkpoints, functional, transforms, gradient_through_vmap, gradchecks, anomaly, errors,
]  # fmt: skip
