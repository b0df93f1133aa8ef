"""A chain of 200 Hamiltonian Monte Carlo transitions, 10 leapfrog steps each, on a logistic regression of 20 weights and 500 examples.

The random numbers are arguments, so that every system walks the same chain.
"""

import numpy as np

from benchmarks.task import Data, Prepared, Task

EXAMPLES, WEIGHTS = 500, 20
TRANSITIONS, LEAPS, STEP = 200, 10, 0.03


def make_data() -> Data:
    random = np.random.default_rng(0)
    features = random.standard_normal((EXAMPLES, WEIGHTS))
    truth = random.standard_normal(WEIGHTS)
    return {
        "features": features,
        "signs": np.where(random.uniform(size=EXAMPLES) < 1.0 / (1.0 + np.exp(-features @ truth)), 1.0, -1.0),
        "momenta": random.standard_normal((TRANSITIONS, WEIGHTS)),
        "log_uniforms": np.log(random.uniform(size=TRANSITIONS)),
    }


def tracejit(data: Data) -> Prepared:
    import tracejit as tj

    @tj.jit
    def chain(features, signs, momenta, log_uniforms):
        def potential(weights):
            return np.sum(np.logaddexp(0.0, -signs * (features @ weights))) + 0.5 * weights @ weights

        slope = tj.grad(potential)

        def energy(weights, momentum):
            return potential(weights) + 0.5 * momentum @ momentum

        def leap(_, state):
            weights, momentum = state
            weights = weights + STEP * momentum
            return weights, momentum - STEP * slope(weights)

        def transition(weights, drawn):
            momentum, log_uniform = drawn
            half = momentum - 0.5 * STEP * slope(weights)
            proposal, last = tj.fori_loop(0, LEAPS, leap, (weights, half))
            last = last + 0.5 * STEP * slope(proposal)
            weights = np.where(log_uniform < energy(weights, momentum) - energy(proposal, last), proposal, weights)
            return weights, weights

        return tj.scan(transition, np.zeros(WEIGHTS), (momenta, log_uniforms))[1]

    return Prepared(chain, tuple(data.values()))


def jax(data: Data) -> Prepared:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    @jax.jit
    def chain(features, signs, momenta, log_uniforms):
        def potential(weights):
            return jnp.sum(jnp.logaddexp(0.0, -signs * (features @ weights))) + 0.5 * weights @ weights

        slope = jax.grad(potential)

        def energy(weights, momentum):
            return potential(weights) + 0.5 * momentum @ momentum

        def leap(_, state):
            weights, momentum = state
            weights = weights + STEP * momentum
            return weights, momentum - STEP * slope(weights)

        def transition(weights, drawn):
            momentum, log_uniform = drawn
            half = momentum - 0.5 * STEP * slope(weights)
            proposal, last = jax.lax.fori_loop(0, LEAPS, leap, (weights, half))
            last = last + 0.5 * STEP * slope(proposal)
            weights = jnp.where(log_uniform < energy(weights, momentum) - energy(proposal, last), proposal, weights)
            return weights, weights

        return jax.lax.scan(transition, jnp.zeros(WEIGHTS), (momenta, log_uniforms))[1]

    return Prepared(chain, jax.device_put(tuple(data.values())), wait=jax.block_until_ready)


def numpy(data: Data) -> Prepared:
    def chain(features, signs, momenta, log_uniforms):
        def potential(weights):
            return np.sum(np.logaddexp(0.0, -signs * (features @ weights))) + 0.5 * weights @ weights

        def slope(weights):
            return weights - (signs / (1.0 + np.exp(signs * (features @ weights)))) @ features

        weights, samples = np.zeros(WEIGHTS), []
        for momentum, log_uniform in zip(momenta, log_uniforms, strict=True):
            proposal, last = weights, momentum - 0.5 * STEP * slope(weights)
            for _ in range(LEAPS):
                proposal = proposal + STEP * last
                last = last - STEP * slope(proposal)
            last = last + 0.5 * STEP * slope(proposal)
            change = potential(weights) + 0.5 * momentum @ momentum - potential(proposal) - 0.5 * last @ last
            weights = proposal if log_uniform < change else weights
            samples.append(weights)
        return np.array(samples)

    return Prepared(chain, tuple(data.values()))


TASKS = (Task("hmc", "HMC chain, 200 transitions of 10 leaps, logistic regression 500x20, f64", make_data, tolerance=1e-8),)
