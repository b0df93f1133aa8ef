"""Distributions beside torch's: samples of a seed, log-probabilities with gradients, entropies, divergences, misuse."""

import math

import pytest

import tracejit.torch as ours

from .semantics import as_real, message

D = ours.distributions


def made(torch, moved=False):
    """Distributions by name, with a value of each; other parameters if `moved`."""
    d = torch.distributions
    by = 0.3 if moved else 0.0

    def leaf(*values):
        return torch.tensor(values, requires_grad=True)

    a, b = leaf(0.5 + by, -1.0), leaf(1.5, 0.7 + by)
    p, logits = leaf(0.2 + by, 0.6), leaf([0.1 + by, -0.3, 1.0], [0.5, 0.2, -1.0])
    triangle = torch.tensor([[1.0 + by, 0.0], [0.5, 2.0]], requires_grad=True)
    x = torch.tensor([0.3, 1.2])
    return {
        "Normal": (d.Normal(a, b), x, (a, b)),
        "LogNormal": (d.LogNormal(a, b), x, (a, b)),
        "Uniform": (d.Uniform(a - 1 - by, a + 3), torch.tensor([0.6, 0.4]), (a,)),
        "Exponential": (d.Exponential(b), x, (b,)),
        "Laplace": (d.Laplace(a, b), x, (a, b)),
        "MultivariateNormal": (d.MultivariateNormal(a, scale_tril=triangle), x, (a, triangle)),
        "MultivariateNormal covariance": (d.MultivariateNormal(a, triangle @ triangle.T), x, (a, triangle)),
        "Bernoulli": (d.Bernoulli(p), torch.tensor([0.0, 1.0]), (p,)),
        "Bernoulli logits": (d.Bernoulli(logits=a), torch.tensor([0.0, 1.0]), (a,)),
        "Categorical": (d.Categorical(logits=logits), torch.tensor([2, 0]), (logits,)),
        "Categorical probs": (d.Categorical(probs=logits.exp()), torch.tensor([2, 0]), (logits,)),
        "OneHotCategorical": (d.OneHotCategorical(logits=logits), torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), (logits,)),
        "Geometric": (d.Geometric(p), torch.tensor([0.0, 3.0]), (p,)),
        "Poisson": (d.Poisson(b), torch.tensor([0.0, 3.0]), (b,)),
        "Independent": (d.Independent(d.Normal(a, b), 1), x, (a, b)),
    }


def described(torch):
    for name, (d, value, parameters) in made(torch).items():
        log_prob = d.log_prob(value)
        yield (
            name,
            (
                repr(d),
                list(d.batch_shape),
                list(d.event_shape),
                log_prob,
                torch.autograd.grad(log_prob.sum(), parameters, allow_unused=True, retain_graph=True),
            ),
        )
        if "Categorical" != name.split()[0]:
            yield f"{name} moments", (d.mean, d.variance)
        if name != "Poisson":
            yield f"{name} entropy", d.entropy()
            torch.manual_seed(0)
            yield f"{name} samples", (d.sample(), d.sample((3,)), d.sample((20, 2)))
        if d.has_rsample:
            torch.manual_seed(1)
            moving = d.rsample((4,))
            yield f"{name} differentiated", (moving, torch.autograd.grad(moving.pow(2).sum(), parameters, allow_unused=True, retain_graph=True))
    for name in ("Normal", "Uniform", "Exponential", "Laplace"):
        d, value, _ = made(torch)[name]
        yield f"{name} cdf", (d.cdf(value), d.icdf(torch.tensor([0.2, 0.9])))


def test_distributions_as_torch():
    as_real(lambda torch: dict(described(torch)), rtol=1e-5, atol=1e-6)


def divergences(torch):
    other = made(torch, True)
    for name, (p, _, parameters) in made(torch).items():
        kl = torch.distributions.kl_divergence(p, other[name][0])
        yield name, (kl, torch.autograd.grad(kl.sum(), parameters, allow_unused=True) if math.isfinite(kl.sum().item()) else None)


def test_divergences_as_torch():
    as_real(lambda torch: dict(divergences(torch)), rtol=1e-5, atol=1e-6)


def refused(torch):
    d = torch.distributions
    one = torch.tensor(1.0)
    for call in (
        lambda: d.Normal(0.0, -1.0),
        lambda: d.Normal(0.0, 1.0).log_prob(torch.tensor(float("nan"))),
        lambda: d.Bernoulli(torch.tensor(1.5)),
        lambda: d.Bernoulli(),
        lambda: d.Bernoulli(one, one),
        lambda: d.Categorical(one),
        lambda: d.Categorical(torch.ones(3)).log_prob(torch.tensor(3)),
        lambda: d.Uniform(1.0, 0.0),
        lambda: d.kl_divergence(d.Normal(0.0, 1.0), d.Bernoulli(one)),
        lambda: d.MultivariateNormal(torch.zeros(2), -torch.eye(2)),
        lambda: d.Bernoulli(one).rsample(),
        lambda: d.Independent(d.Normal(0.0, 1.0), 1),
    ):
        yield message(call)[0]


def test_misuse_as_torch():
    as_real(lambda torch: list(refused(torch)))
    with pytest.raises(ValueError, match="to satisfy the constraint GreaterThan"):
        D.Normal(0.0, -1.0)
    assert D.Normal(0.0, -1.0, validate_args=False).scale.item() == -1.0


def test_a_policy_gradient():
    logits = ours.zeros(2, requires_grad=True)
    choice = D.Categorical(logits=logits)
    (-choice.log_prob(ours.tensor(1)) * 2.0).backward()
    assert logits.grad.tolist() == [1.0, -1.0]
    assert choice.entropy().item() == pytest.approx(math.log(2))
