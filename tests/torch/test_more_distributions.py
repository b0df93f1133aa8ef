"""Gamma numbers and what is made of them, counts, transformed and mixed distributions, beside torch's: samples of a seed, log-probabilities with
gradients, moments, entropies, divergences."""

import pytest

import tracejit.torch as ours

from .semantics import as_real


def made(torch, moved=False):
    """Distributions by name, with a value of each and the parameters to differentiate by; other parameters if `moved`."""
    d = torch.distributions
    by = 0.3 if moved else 0.0

    def leaf(*values):
        return torch.tensor(values, requires_grad=True)

    a, b, c = leaf(0.5 + by, 2.5), leaf(1.5, 0.7 + by), leaf(-0.5 + by, 1.0)
    p, logits, temperature = leaf(0.2 + by, 0.6), leaf([0.1 + by, -0.3, 1.0], [0.5, 0.2, -1.0]), torch.tensor(0.7)
    x, simplex = torch.tensor([0.3, 0.8]), torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    return {
        "Gamma": (d.Gamma(a, b), x, (a, b)),
        "Chi2": (d.Chi2(a), x, (a,)),
        "InverseGamma": (d.InverseGamma(a, b), x, (a, b)),
        "Beta": (d.Beta(a, b), x, (a, b)),
        "Dirichlet": (d.Dirichlet(logits.exp()), simplex, (logits,)),
        "StudentT": (d.StudentT(a + 2, c, b), x, (a, b, c)),
        "FisherSnedecor": (d.FisherSnedecor(a, b + 4), x, (a, b)),
        "Cauchy": (d.Cauchy(c, b), x, (b, c)),
        "HalfCauchy": (d.HalfCauchy(b), x, (b,)),
        "HalfNormal": (d.HalfNormal(b), x, (b,)),
        "Gumbel": (d.Gumbel(c, b), x, (b, c)),
        "Pareto": (d.Pareto(b, a + 1), x + 3, (a, b)),
        "Weibull": (d.Weibull(b, a), x, (a, b)),
        "Kumaraswamy": (d.Kumaraswamy(a, b), x, (a, b)),
        "Binomial": (d.Binomial(7, p), torch.tensor([0.0, 3.0]), (p,)),
        "Binomial logits": (d.Binomial(torch.tensor([7.0, 40.0]), logits=c), torch.tensor([7.0, 20.0]), (c,)),
        "NegativeBinomial": (d.NegativeBinomial(torch.tensor([3.0, 5.0]), p), torch.tensor([0.0, 3.0]), (p,)),
        "Multinomial": (d.Multinomial(4, logits=logits), torch.tensor([[1.0, 3.0, 0.0], [0.0, 0.0, 4.0]]), (logits,)),
        "Poisson": (d.Poisson(b * torch.tensor([1.0, 20.0])), torch.tensor([0.0, 3.0]), (b,)),
        "MixtureSameFamily": (d.MixtureSameFamily(d.Categorical(logits=c), d.Normal(c, b)), torch.tensor(0.3), (b, c)),
        "MixtureSameFamily of vectors": (
            d.MixtureSameFamily(d.Categorical(logits=c), d.Independent(d.Normal(logits.T[:2], 1.0), 1)), torch.tensor([0.3, 0.2]), (c, logits)),
        "RelaxedBernoulli": (d.RelaxedBernoulli(temperature, p), x, (p,)),
        "RelaxedOneHotCategorical": (d.RelaxedOneHotCategorical(temperature, logits=logits), simplex, (logits,)),
        "transformed": (d.TransformedDistribution(d.Normal(c, b), [d.TanhTransform(), d.AffineTransform(1.0, -2.0)]), x + 0.9, (b, c)),
        "stick breaking": (d.TransformedDistribution(d.Normal(logits[:, :2], 1.0), d.StickBreakingTransform()), simplex, (logits,)),
        "LogisticNormal": (d.LogisticNormal(logits[:, :2], b), simplex, (b, logits)),
        "OneHotCategoricalStraightThrough": (
            d.OneHotCategoricalStraightThrough(logits=logits), torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), (logits,)),
        "expanded": (d.TransformedDistribution(d.Normal(0.0, 1.0), d.AffineTransform(c, b)), x, (b, c)),
    }  # fmt: skip


WITHOUT_MOMENTS = ("Cauchy", "LogisticNormal", "Relaxed", "transformed", "stick", "expanded", "MixtureSameFamily of")
WITHOUT_ENTROPY = (
    "InverseGamma", "FisherSnedecor", "Negative", "Mixture", "Relaxed", "transformed", "stick", "expanded", "Poisson", "Binomial logits",
    "LogisticNormal",
)  # fmt: skip
OWN_SLOPES = ("Beta", "Dirichlet")  # which on average are torch's
NAMED = ("Transformed", "transformed", "stick", "expanded", "Relaxed", "Mixture", "InverseGamma", "OneHot")


def described(torch):
    for name, (d, value, parameters) in made(torch).items():
        log_prob = d.log_prob(value)
        slopes = torch.autograd.grad(log_prob.sum(), parameters, allow_unused=True, retain_graph=True)
        yield name, (list(d.batch_shape), list(d.event_shape), log_prob, slopes, d.has_rsample)
        if not name.startswith(NAMED):
            yield f"{name} shown", repr(d)
        if not name.startswith(WITHOUT_MOMENTS):
            yield f"{name} moments", (d.mean, d.variance)
        if not name.startswith(WITHOUT_ENTROPY):
            yield f"{name} entropy", d.entropy()
        torch.manual_seed(0)
        yield f"{name} samples", (d.sample(), d.sample((3,)), d.sample((20, 2)), torch.rand(2))
        if d.has_rsample and name not in OWN_SLOPES:
            torch.manual_seed(1)
            moving = d.rsample((4,))
            found = torch.autograd.grad(moving.pow(2).sum(), parameters, allow_unused=True, retain_graph=True)
            yield f"{name} differentiated", (moving, found)
    for name in ("Cauchy", "HalfCauchy", "HalfNormal", "Gumbel", "Weibull", "transformed"):
        d, value, _ = made(torch)[name]
        yield f"{name} cdf", (d.cdf(value), d.icdf(torch.tensor([0.2, 0.9])))



def test_distributions_as_torch():
    as_real(lambda torch: dict(described(torch)), rtol=2e-3, atol=1e-5)


def divergences(torch):
    d, other = torch.distributions, made(torch, True)
    for name, (p, _, parameters) in made(torch).items():
        if name in ("Gamma", "Chi2", "Beta", "Dirichlet", "Binomial", "Cauchy", "Gumbel", "HalfNormal", "Pareto"):
            kl = d.kl_divergence(p, other[name][0])
            yield name, (kl, torch.autograd.grad(kl.clamp(max=1e6).sum(), parameters, allow_unused=True, retain_graph=True))
    normal = d.Normal(torch.tensor([0.3, 0.1]), torch.tensor([1.5, 0.5]))
    for name in ("Gamma", "Beta", "Gumbel"):
        yield f"{name} to normal", d.kl_divergence(made(torch)[name][0], normal)
    yield "exponential", d.kl_divergence(d.Exponential(torch.tensor([1.0, 2.0])), made(torch)["Gamma"][0])


def test_divergences_as_torch():
    as_real(lambda torch: dict(divergences(torch)), rtol=1e-4, atol=1e-5)


def transformed(torch):
    d = torch.distributions
    x = torch.tensor([[0.3, -1.2, 2.0], [0.1, 0.5, -0.7]])
    power = d.PowerTransform(torch.tensor([2.0, 0.5, 3.0]))
    for name, t, given in [
        ("exp", d.ExpTransform(), x), ("power", power, x.abs()), ("sigmoid", d.SigmoidTransform(), x), ("softplus", d.SoftplusTransform(), x),
        ("tanh", d.TanhTransform(), x), ("affine", d.AffineTransform(torch.tensor(1.0), torch.tensor([-2.0, 0.5, 3.0])), x),
        ("vectors", d.AffineTransform(1.0, 2.0, event_dim=1), x), ("stick", d.StickBreakingTransform(), x),
        ("composed", d.ComposeTransform([d.AffineTransform(0.5, 2.0), d.TanhTransform(), d.ExpTransform()]), x),
        ("inverse", d.ExpTransform().inv, x.exp()), ("independent", d.IndependentTransform(d.ExpTransform(), 1), x),
    ]:  # fmt: skip
        y = t(given)
        yield name, (y, t.inv(y), t.log_abs_det_jacobian(given, y), list(t.forward_shape(x.shape)), list(t.inverse_shape(y.shape)), bool(t.bijective))
    yield "softmax", (d.SoftmaxTransform()(x), d.AbsTransform()(x))


def test_transforms_as_torch():
    as_real(lambda torch: dict(transformed(torch)), rtol=1e-4, atol=1e-5)


def test_counts_are_torchs():
    def drawn(torch):
        torch.manual_seed(3)
        rates = torch.tensor([0.0, 0.5, 9.9, 10.0, 1000.0]).expand(40, 5)
        counts = torch.tensor([0.0, 5.0, 30.0, 1000.0, 50.0]).expand(40, 5)
        return torch.poisson(rates), torch.binomial(counts, torch.tensor([0.5, 0.3, 0.9, 0.02, 0.5]).expand(40, 5)), torch.rand(3)

    as_real(lambda torch: {"drawn": drawn(torch)})


def test_gamma_numbers_are_differentiated_by_their_shape():
    """The mean of x is the shape, so the mean of its slope is one; of a beta number the mean is a / (a + b)."""
    d = ours.distributions
    ours.manual_seed(0)
    a = ours.tensor(2.5, dtype=ours.float64, requires_grad=True)
    (slope,) = ours.autograd.grad(d.Gamma(a.expand(4000), 1.0).rsample().mean(), a)
    assert abs(slope.item() - 1) < 0.05
    (slope,) = ours.autograd.grad(d.Beta(a.expand(4000), ours.tensor(1.5, dtype=ours.float64)).rsample().mean(), a)
    assert abs(slope.item() - 1.5 / 16) < 0.01


def test_compiled():
    d = ours.distributions
    f = lambda a, x: d.Gamma(a, 2.0, validate_args=False).log_prob(x).sum()
    a, x = ours.tensor([0.5, 2.0]), ours.tensor([1.0, 3.0])
    assert ours.compile(f)(a, x).item() == pytest.approx(f(a, x).item(), rel=1e-6)
    g = ours.compile(lambda a: d.Gamma(a, 2.0, validate_args=False).sample() * 2)  # drawn by rejection: runs as it is
    for _ in range(3):
        ours.manual_seed(0)
        wanted = d.Gamma(a, 2.0).sample() * 2
        ours.manual_seed(0)
        assert g(a).tolist() == wanted.tolist()


def test_misuse():
    d = ours.distributions
    with pytest.raises(ValueError, match="concentration .* GreaterThan"):
        d.Gamma(-1.0, 1.0)
    with pytest.raises(ValueError, match="within the support"):
        d.Beta(1.0, 1.0).log_prob(ours.tensor(2.0))
    with pytest.raises(ValueError, match="does not equal"):
        d.MixtureSameFamily(d.Categorical(ours.ones(3)), d.Normal(ours.zeros(2), 1.0))
    with pytest.raises(RuntimeError, match="by rejection"):
        ours.func.vmap(lambda a: d.Gamma(a, 1.0, validate_args=False).sample(), randomness="different")(ours.ones(3))
    with pytest.raises(NotImplementedError, match="one integer for the whole batch"):
        d.Multinomial(ours.tensor([1, 2]), ours.ones(3))
    with pytest.raises(ValueError, match="must be a Transform or list"):
        d.TransformedDistribution(d.Normal(0.0, 1.0), [1.0])
