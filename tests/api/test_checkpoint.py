"""`checkpoint`: equal derivatives, less kept, really computed again; and what `saved_residuals` tells of it."""

import numpy as np
import pytest

import tracejit as tj
from tracejit.lowering.prepare import prepare
from tracejit.lowering.program import Program

rng = np.random.default_rng(0)
POLICIES = tj.checkpoint_policies
N = 40
WEIGHTS = [rng.standard_normal((N, N)) / N**0.5 for _ in range(5)]
X = rng.standard_normal((60, N))


def layer(w, x):
    before = tj.checkpoint_name(x @ w, "before")
    return np.tanh(tj.checkpoint_name(np.exp(-(before**2)) * x, "after"))


def network(layer):
    def loss(weights, x):
        for w in weights:
            x = layer(w, x)
        return np.sum(x**2)

    return loss


def stacked(layer):
    return lambda weights, x: np.sum(tj.scan(lambda x, w: (layer(w, x), None), x, weights)[0] ** 2)


def close(got, want, tolerance=1e-11):
    for g, w in zip(tj.tree.leaves(got), tj.tree.leaves(want), strict=True):
        np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance)


def bytes_kept(f, *args):
    return sum(r.nbytes for r in tj.saved_residuals(f, *args))


def count(name, graph):
    """How often an operation stands in a compiled program."""
    return sum(n.op.name == name for n in prepare(graph).nodes)


WAYS = {
    "nothing": tj.checkpoint(layer),
    "remat": tj.remat(layer),
    "decorated": tj.checkpoint(policy=None)(layer),
    "dots": tj.checkpoint(layer, policy=POLICIES.dots_saveable),
    "dots without batches": tj.checkpoint(layer, policy=POLICIES.dots_with_no_batch_dims_saveable),
    "everything": tj.checkpoint(layer, policy=POLICIES.everything_saveable),
    "this name": tj.checkpoint(layer, policy=POLICIES.save_only_these_names("after")),
    "other names": tj.checkpoint(layer, policy=POLICIES.save_any_names_but_these("after")),
    "nested": tj.checkpoint(lambda w, x: tj.checkpoint(layer)(w, x)),
    "of jit": tj.checkpoint(tj.jit(layer), policy=POLICIES.save_only_these_names("after")),
    "under jit": tj.jit(tj.checkpoint(layer)),
}


@pytest.mark.parametrize("wrap", [lambda f: f, tj.jit], ids=["plain", "jit"])
@pytest.mark.parametrize("way", WAYS)
def test_gradients_are_equal(way, wrap):
    want = tj.grad(network(layer), argnums=(0, 1))(WEIGHTS, X)
    close(wrap(tj.grad(network(WAYS[way]), argnums=(0, 1)))(WEIGHTS, X), want)
    close(wrap(tj.grad(stacked(WAYS[way])))(np.stack(WEIGHTS), X), np.stack(want[0]))
    close(wrap(network(WAYS[way]))(WEIGHTS, X), network(layer)(WEIGHTS, X))


@pytest.mark.parametrize("way", ["nothing", "dots", "everything", "nested"])
def test_higher_orders_and_batches(way):
    w, x = WEIGHTS[0][:4, :4].copy(), X[:3, :4].copy()
    f, plain = (lambda w, layer=layer: np.sum(layer(w, layer(w, x)) ** 2) for layer in (WAYS[way], layer))
    close(tj.jit(tj.hessian(f))(w), tj.hessian(plain)(w))
    close(tj.hessian(f)(w), tj.hessian(plain)(w))
    close(tj.jit(tj.jacrev(tj.jacrev(f)))(w), tj.hessian(plain)(w))
    close(tj.jvp(f, (w,), (w,)), tj.jvp(plain, (w,), (w,)))
    stack = np.stack([w, 2 * w])
    close(tj.jit(tj.vmap(tj.grad(f)))(stack), np.stack([tj.grad(plain)(v) for v in stack]))
    close(tj.jit(tj.grad(lambda s: np.sum(tj.vmap(f)(s))))(stack), np.stack([tj.grad(plain)(v) for v in stack]))


class TestWhatIsKept:
    activation = X.nbytes

    def test_by_policy(self):
        def kept(way):
            return bytes_kept(network(WAYS.get(way, layer)), WEIGHTS, X)

        arguments = sum(w.nbytes for w in WEIGHTS) + X.nbytes
        assert kept("nothing") == kept("nested") == kept("under jit") == arguments + 5 * self.activation  # the states between, and 2x of the loss
        for way in ("dots", "dots without batches", "this name", "other names", "of jit"):
            assert kept(way) == kept("nothing") + 5 * self.activation, way
        assert kept("everything") == kept("plain") > kept("dots")

    def test_in_scan(self):
        def rows(way):
            return [r.shape for r in tj.saved_residuals(stacked(WAYS.get(way, layer)), np.stack(WEIGHTS), X) if r.shape[:2] == (5, 60)]

        assert len(rows("nothing")) == 1
        assert len(rows("dots")) == 2
        assert len(rows("plain")) >= 3

    def test_work_is_done_again_in_the_compiled_program(self):
        def graph(layer):
            return tj.trace(tj.grad(network(layer)))(WEIGHTS, X)

        plain = count("dot_general", graph(layer))
        assert count("dot_general", graph(WAYS["nothing"])) == count("dot_general", graph(WAYS["this name"])) == plain + 5
        assert count("dot_general", graph(WAYS["dots"])) == count("dot_general", graph(WAYS["everything"])) == plain
        again = Program(graph(WAYS["nothing"])).plan.arena_bytes
        assert again < 0.7 * Program(graph(layer)).plan.arena_bytes

    def test_a_scan_inside_is_run_again(self):
        def f(x):
            return np.sum(tj.checkpoint(lambda x: tj.scan(lambda h, _: (np.sin(h), None), x, None, 100)[0])(x))

        x = np.ones(50)
        assert bytes_kept(f, x) == x.nbytes
        assert count("scan", tj.trace(tj.value_and_grad(f))(x)) == 3  # forwards; forwards again; backwards
        close(tj.jit(tj.grad(f))(x), tj.grad(lambda x: np.sum(tj.scan(lambda h, _: (np.sin(h), None), x, None, 100)[0]))(x))

    def test_a_chain_of_elementwise_work(self):
        def block(x):
            for _ in range(6):
                x = np.sin(x) * np.exp(-x * x) + x
            return x

        def program(block):
            return Program(tj.trace(tj.grad(lambda x: np.sum(block(block(block(x))))))(np.ones(5000))).plan.arena_bytes

        assert program(tj.checkpoint(block)) <= program(block)


def test_static_arguments_and_keywords():
    f = tj.checkpoint(lambda n, x, scale=1.0: scale * x**n, static_argnums=0)
    assert tj.grad(lambda x: f(3, x, scale=2.0))(2.0) == tj.jit(tj.grad(lambda x: f(3, x, scale=2.0)))(2.0) == 24.0
    assert f(3, 2.0) == 8.0
    with pytest.raises(TypeError, match="static_argnums has 3"):
        tj.grad(tj.checkpoint(lambda x: x, static_argnums=3))(1.0)


def test_closed_over_values():
    w = rng.standard_normal(4)
    f = tj.grad(lambda a: np.sum(tj.checkpoint(lambda x: np.sin(x * a * w))(a + w)))
    close(tj.jit(f)(0.5), tj.grad(lambda a: np.sum(np.sin((a + w) * a * w)))(0.5))


def test_trees_and_several_policies():
    @tj.checkpoint(policy=lambda op, *types, **params: op.name == "cos")
    def f(p):
        return {"s": np.sin(p["x"]), "c": tj.checkpoint_name(np.cos(p["x"]), "c")}

    out = tj.grad(lambda p: np.sum(f(p)["s"] * f(p)["c"]))({"x": np.arange(3.0)})
    close(out["x"], np.cos(2 * np.arange(3.0)))
    either = POLICIES.save_from_both_policies(POLICIES.dots_saveable, POLICIES.save_only_these_names("after"))
    both = bytes_kept(network(tj.checkpoint(layer, policy=either)), WEIGHTS, X)
    assert both == bytes_kept(network(WAYS["nothing"]), WEIGHTS, X) + 10 * X.nbytes
    anything = tj.checkpoint(layer, policy=POLICIES.save_anything_except_these_names("before"))
    assert bytes_kept(network(anything), WEIGHTS, X) <= bytes_kept(network(layer), WEIGHTS, X)


def test_bad_input():
    with pytest.raises(TypeError, match="policy is a function"):
        tj.checkpoint(layer, policy="dots")
    with pytest.raises(TypeError, match="name is a string"):
        tj.checkpoint_name(1.0, 2)
    with pytest.raises(TypeError, match="expects a function"):
        tj.checkpoint(3.0)
    with pytest.raises(tj.TracerBoolError, match="vmap of"):
        tj.vmap(tj.checkpoint(lambda x: x if x > 0 else -x))(np.ones(2))


def branching(x):
    if x.sum() > 0:
        return np.sum(np.sin(x)) * x.sum()
    turns = 0
    while x.sum() < 10 and turns < 3:
        x = x * x + 1
        turns += 1
    return x.sum()


def test_python_branches_inside():
    inside = tj.checkpoint(branching)
    compiled = tj.jit(tj.grad(inside))
    for x in (np.array([1.0, 2.0]), np.array([-1.0, -2.0]), np.array([-5.0, -2.0]), np.array([2.0, 2.0])):
        want = tj.grad(branching)(x)
        for got in (tj.grad(inside)(x), compiled(x), tj.grad(tj.jit(inside))(x), tj.grad(tj.checkpoint(lambda x: inside(x)))(x)):
            np.testing.assert_allclose(got, want, rtol=1e-12)
        np.testing.assert_allclose(tj.hessian(inside)(x), tj.hessian(branching)(x), rtol=1e-12)


class TestReport:
    def test_lines_and_sizes(self, capsys):
        def f(x, w):
            y = np.exp(x)
            return np.sum(y * w)

        tj.print_saved_residuals(f, np.ones(4), np.ones(4, np.float32))
        lines = capsys.readouterr().out.splitlines()
        assert any(line.startswith("float64[4]  32 bytes  result of exp at test_checkpoint.py:") for line in lines), lines

    def test_of_types(self):
        (kept,) = tj.saved_residuals(lambda x: np.sum(np.sin(x)), tj.ShapeDtype((1000, 1000), np.float32))
        assert kept.nbytes == 4_000_000
        assert kept.origin == "result of cos"
        assert kept.source.filename.endswith("test_checkpoint.py")

    def test_of_names(self):
        named = [r for r in tj.saved_residuals(network(WAYS["this name"]), WEIGHTS[:1], X) if "after" in r.origin]
        assert [r.shape for r in named] == [X.shape]

    def test_of_loops(self):
        def f(x):
            y = tj.while_loop(lambda s: np.sum(s * s) < 100.0, lambda s: np.sin(s) + 1.2 * s, x)
            return tj.scan(lambda h, _: (np.sin(h), None), np.sum(y), None, 7)[0]

        kept = tj.saved_residuals(f, np.ones(3))
        assert [(r.nbytes, r.origin) for r in kept if r.per_turn] == [(24, "the tape of a while_loop")]
        assert [r.shape for r in kept if "7 turns of a scan" in r.origin] == [(7,)]
        assert "24 bytes per step: grows with the steps" in str(next(r for r in kept if r.per_turn))
