"""The options of `autograd.functional`, hooks on saved tensors, edges, anomaly detection and checkpoints, beside torch's."""

import contextlib
import importlib
import io

import pytest

import tracejit.torch as ours

from .semantics import as_real, message


def functional(torch):
    f = torch.autograd.functional
    x, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, -1.0, 2.0])

    def product(a, b):
        return a * b * b

    def number(a, b):
        return (a * a * b * b).sum()

    for options in ({}, {"create_graph": True}, {"strict": True}):
        yield f"vjp {options}", f.vjp(product, (x, y), x, **options)
        yield f"jvp {options}", f.jvp(product, (x, y), (x, y), **options)
        yield f"jacobian {options}", f.jacobian(product, (x, y), **options)
        yield f"hessian {options}", f.hessian(number, (x, y), **options)
        yield f"vhp {options}", f.vhp(number, (x, y), (x, y), **options)
        yield f"hvp {options}", f.hvp(number, (x, y), (x, y), **options)
    yield "independent", f.hessian(lambda a: (a * 2).sum(), x)
    for vectorize in (False, True):
        leaf = x.clone().requires_grad_()
        rows = f.jacobian(lambda a: a**3, leaf, create_graph=True, vectorize=vectorize)
        yield f"connected {vectorize}", torch.autograd.grad(rows.sum(), leaf)
    yield (
        "refused",
        [
            message(call)[0]
            for call in (
                lambda: f.jacobian(lambda a, b: a * 2, (x, y), strict=True),
                lambda: f.jacobian(lambda a: torch.ones(2), x, strict=True),
                lambda: f.vjp(lambda a, b: a.sum(), (x, y), strict=True),
                lambda: f.hessian(lambda a: (a * 2).sum(), x, strict=True),
                lambda: f.vjp(lambda a: a * 2, x, torch.ones(2)),
                lambda: f.vjp(lambda a: a * 2, x),
                lambda: f.jacobian(lambda a: a, (x, 3)),
                lambda: f.jacobian(lambda a: 3, x),
                lambda: f.hessian(lambda a: a * 2, x),
            )
        ],
    )


def test_functional_as_torch():
    as_real(lambda torch: dict(functional(torch)))


def hooks(torch):
    graph = torch.autograd.graph
    a, b = torch.ones(3, requires_grad=True), torch.full((3,), 2.0, requires_grad=True)
    log = []

    def noted(what, t):
        log.append((what, tuple(t.shape)))
        return t

    with graph.saved_tensors_hooks(lambda t: noted("packed", t), lambda t: noted("unpacked", t)):
        out = (a * b).exp().sum()
    yield "noted", (torch.autograd.grad(out, (a, b)), log)
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t * 2):
        out = (a * a).sum()
    yield "doubled", torch.autograd.grad(out, a)
    with graph.save_on_cpu():
        half = a * 2
        out = (half * half).sum()
    yield "on the cpu", torch.autograd.grad(out, a)
    with graph.allow_mutation_on_saved_tensors():
        c = a.clone()
        out = (c**2).sum()
        c.sin_()
        yield "written into", torch.autograd.grad(out, a)
    made = a * 2
    edge = graph.get_gradient_edge(made)
    yield "edge", (torch.autograd.grad((made * made).sum(), edge), edge.output_nr, type(edge).__name__)
    seen = []
    c, d = a * 2, a * 3
    handle = graph.register_multi_grad_hook([c, d], lambda gradients: seen.append(len(gradients)))
    (c + d).sum().backward()
    handle.remove()
    yield "several", seen
    plain = torch.ones(2)
    graph.increment_version(plain)
    yield "version", plain._version

    def refused(pack, unpack):
        with graph.saved_tensors_hooks(pack, unpack):
            out = (a * a).sum()
        out.backward()

    yield "refused", [message(lambda: refused(lambda t: t.add_(1), lambda t: t))[0], message(lambda: refused(lambda t: t, lambda t: 3))[0]]


def test_hooks_as_torch():
    as_real(lambda torch: dict(hooks(torch)))


def test_hooks_on_saved_tensors_are_checked():
    x = ours.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="modifying its input in place"), ours.autograd.graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t):
        (x * 1).exp()
    with pytest.raises(RuntimeError, match="no hooks here"), ours.autograd.graph.disable_saved_tensors_hooks("no hooks here"):
        ours.autograd.graph.save_on_cpu().__enter__()


def checkpoints(torch, reentrant):
    checkpoint = importlib.import_module(f"{torch.__name__}.utils.checkpoint")
    runs, inputs = [], torch.ones(4, requires_grad=True)
    weight = torch.full((4,), 2.0, requires_grad=True)

    def f(a):
        runs.append(None)
        return torch.nn.functional.dropout(a * weight, 0.5).exp()

    torch.manual_seed(0)
    out = checkpoint.checkpoint(f, inputs, use_reentrant=reentrant)
    out.sum().backward()
    yield "dropout", (out, inputs.grad, weight.grad, len(runs), torch.rand(2))
    leaf = torch.ones(4, requires_grad=True)
    several = checkpoint.checkpoint(lambda a, k: ((a * k).exp(), 3, a.sin()), leaf, 2.0, use_reentrant=reentrant)
    (several[0].sum() + several[2].sum()).backward()
    yield "several", (several, leaf.grad)
    leaf = torch.ones(4, requires_grad=True)

    def inner(a):
        return checkpoint.checkpoint(lambda b: b.sin().exp(), a.exp(), use_reentrant=reentrant) * 2

    checkpoint.checkpoint(inner, leaf, use_reentrant=reentrant).sum().backward()
    yield "nested", leaf.grad
    leaf = torch.ones(4, requires_grad=True)
    out = checkpoint.checkpoint(lambda a: a.sin().exp(), leaf, use_reentrant=reentrant).sum()
    out.backward(retain_graph=True)
    out.backward()
    yield "twice", leaf.grad
    torch.manual_seed(0)
    leaf = torch.ones(8, requires_grad=True)
    options = {"use_reentrant": reentrant, "preserve_rng_state": False}
    checkpoint.checkpoint(lambda a: torch.nn.functional.dropout(a, 0.5).exp(), leaf, **options).sum().backward()
    yield "other numbers", leaf.grad
    if not reentrant:
        log = []

        @contextlib.contextmanager
        def context(name):
            log.append(name)
            yield

        leaf = torch.ones(4, requires_grad=True)
        contexts = (context("first"), context("second"))
        checkpoint.checkpoint(lambda a: a.sin().exp(), leaf, use_reentrant=False, context_fn=lambda: contexts).sum().backward()
        yield "contexts", log
        leaf = torch.ones(4, requires_grad=True)
        out = checkpoint.checkpoint(lambda a: a.exp() * a, leaf, use_reentrant=False)
        (g,) = torch.autograd.grad(out.sum(), leaf, create_graph=True)
        yield "second derivative", torch.autograd.grad(g.sum(), leaf)
        count = []

        def other(a):
            count.append(None)
            return a.sin().exp() if len(count) == 1 else a.sin()

        yield "refused", message(checkpoint.checkpoint(other, leaf, use_reentrant=False).sum().backward)[0]


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints_as_torch(reentrant):
    as_real(lambda torch: dict(checkpoints(torch, reentrant)))


def test_anomalies_name_both_lines():
    x = ours.zeros(2, requires_grad=True)
    text = io.StringIO()
    with contextlib.redirect_stderr(text), ours.autograd.detect_anomaly():
        out = (x.sqrt() * 0).sum()
        kind, said = message(lambda: out.backward())
    assert kind == "RuntimeError" and said.startswith("Function 'SqrtBackward0' returned nan values in its 0th output.")
    assert said.count("test_autograd_tools.py") == 2  # where it was recorded, and where the way back was called
    assert "x.sqrt()" in text.getvalue()
    with ours.autograd.detect_anomaly(check_nan=False):
        (x.sqrt() * 0).sum().backward()
    assert x.grad.isnan().all()
