"""Swing a pendulum up with a motor too weak to lift it at once, by the iterative linear-quadratic regulator (Li and Todorov 2004).

    python examples/pendulum_ilqr.py

Dynamics are linearised and costs expanded by `vmap` of `jacfwd` and `hessian`, the backward pass is a `scan`, the line search a `vmap` over lengths,
and the iteration a `while_loop`: the whole optimiser is one compiled function. Writes `pendulum_ilqr.png` to examples/output, or to `--output`.
"""
import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np

import tracejit as tj

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # after the choice of a backend that needs no display

STEP, STEPS = 0.05, 120
STRONGEST = 3.0  # torque of the motor; gravity pulls with up to 9.81
LENGTHS = 0.6 ** np.arange(10.0)


def dynamics(state, control):
    """A step of Kutta's method; the angle is 0 hanging down and pi standing up."""
    def slope(s):
        torque = STRONGEST * np.tanh(control[0] / STRONGEST)
        return np.stack([s[1], -9.81 * np.sin(s[0]) - 0.1 * s[1] + torque])

    k1 = slope(state)
    k2 = slope(state + STEP / 2 * k1)
    k3 = slope(state + STEP / 2 * k2)
    return state + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + slope(state + STEP * k3))


def running_cost(state, control):
    return STEP * (0.05 * control @ control + 0.01 * state[1] ** 2)


def final_cost(state):
    return 200 * (state[0] - np.pi) ** 2 + 20 * state[1] ** 2


def rollout(first, states, controls, gains, shifts, length):
    """States, controls and cost of the trajectory with feedback around a known one."""
    def turn(state, at):
        old_state, old_control, gain, shift = at
        control = old_control + length * shift + gain @ (state - old_state)
        return dynamics(state, control), (state, control, running_cost(state, control))

    last, (new_states, new_controls, costs) = tj.scan(turn, first, (states[:-1], controls, gains, shifts))
    return np.concatenate([new_states, last[None]]), new_controls, np.sum(costs) + final_cost(last)


def backward(states, controls, damping):
    """Gains and shifts of the controls that are best for the quadratic model, and the decrease that it promises."""
    def join(f):
        return lambda z: f(z[:2], z[2:])

    z = np.concatenate([states[:-1], controls], axis=1)
    jacobians = tj.vmap(tj.jacfwd(join(dynamics)))(z)
    gradients, hessians = tj.vmap(tj.grad(join(running_cost)))(z), tj.vmap(tj.hessian(join(running_cost)))(z)

    def turn(value, at):
        slope, curvature = value
        jacobian, gradient, hessian = at
        q = gradient + jacobian.T @ slope
        quadratic = hessian + jacobian.T @ (curvature @ jacobian)
        q_uu = quadratic[2:, 2:] + damping * np.eye(1)
        gain, shift = -quadratic[2:, :2] / q_uu, -q[2:] / q_uu[0]
        slope = q[:2] + gain.T @ (quadratic[2:, 2:] @ shift + q[2:]) + quadratic[2:, :2].T @ shift
        curvature = quadratic[:2, :2] + gain.T @ quadratic[2:, 2:] @ gain + gain.T @ quadratic[2:, :2] + quadratic[2:, :2].T @ gain
        return (slope, (curvature + curvature.T) / 2), (gain, shift, -(q[2:] @ shift) / 2)

    end = tj.grad(final_cost)(states[-1]), tj.hessian(final_cost)(states[-1])
    _, (gains, shifts, decreases) = tj.scan(turn, end, (jacobians, gradients, hessians), reverse=True)
    return gains, shifts, np.sum(decreases)


def optimise(first, controls, turns):
    """States, controls, the cost after each iteration, and how many there were."""
    still = np.zeros((STEPS, 1, 2)), np.zeros((STEPS, 1))
    states, controls, cost = rollout(first, np.zeros((STEPS + 1, 2)), controls, *still, 0.0)

    def turn(at):
        i, states, controls, cost, damping, history, _ = at
        gains, shifts, promised = backward(states, controls, damping)
        tried = tj.vmap(lambda length: rollout(first, states, controls, gains, shifts, length))(LENGTHS)
        best = np.argmin(np.where(np.isnan(tried[2]), np.inf, tried[2]))
        new_states, new_controls, new_cost = (x[best] for x in tried)
        better = new_cost < cost
        damping = np.clip(np.where(better, damping / 3, damping * 4), 1e-8, 1e8)
        settled = (promised < 1e-8 * cost) | (damping >= 1e8)
        states, controls, cost = (np.where(better, a, b) for a, b in ((new_states, states), (new_controls, controls), (new_cost, cost)))
        return i + 1, states, controls, cost, damping, np.where(np.arange(turns) == i, cost, history), settled

    begin = 0, states, controls, cost, 1.0, np.full(turns, np.nan), np.bool_(False)
    count, states, controls, _, _, history, _ = tj.while_loop(lambda at: (at[0] < turns) & ~at[6], turn, begin)
    return states, controls, history, count


def plot(states, controls, history, path):
    t = np.arange(STEPS + 1) * STEP
    fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    axes[0].plot(t, states[:, 0] / np.pi, label="angle / pi")
    axes[0].plot(t[:-1], np.tanh(controls[:, 0] / STRONGEST), label="torque / strongest")
    axes[0].axhline(1.0, color="grey", linewidth=0.8, linestyle="--")
    axes[0].set(xlabel="time in s", title="Swing-up", ylim=(-1.0, 1.45))
    axes[0].legend(ncols=2, loc="upper center")
    for k in range(0, STEPS + 1, 3):
        x, y = np.sin(states[k, 0]), -np.cos(states[k, 0])
        axes[1].plot([0, x], [0, y], color=plt.cm.viridis(k / STEPS), linewidth=1)
        axes[1].plot(x, y, "o", color=plt.cm.viridis(k / STEPS), markersize=4)
    axes[1].set(aspect="equal", xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), title="Pendulum, from dark to light")
    axes[2].semilogy(np.arange(1, len(history) + 1), history)
    axes[2].set(xlabel="iteration", ylabel="cost", title="Convergence")
    axes[2].grid(alpha=0.3)
    fig.savefig(path, dpi=150)
    plt.close(fig)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=300)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    options = parser.parse_args(argv)

    solve = tj.jit(lambda first, controls: optimise(first, controls, options.turns))
    controls = 0.1 * np.random.default_rng(0).standard_normal((STEPS, 1))
    begin = time.perf_counter()
    solve(np.zeros(2), controls)
    compiled = time.perf_counter()
    states, controls, history, count = solve(np.zeros(2), controls)
    seconds = time.perf_counter() - compiled
    print(f"first call {compiled - begin:.2f} s, then {seconds * 1e3:.0f} ms for {count} iterations")
    print(f"cost {history[0]:.1f} after the first, {np.nanmin(history):.3f} in the end")
    print(f"at the end: {abs(states[-1, 0] - np.pi):.1e} from upright, angular velocity {states[-1, 1]:.1e}")
    options.output.mkdir(parents=True, exist_ok=True)
    plot(states, controls, history[:count], options.output / "pendulum_ilqr.png")
    print(f"plot in {options.output / 'pendulum_ilqr.png'}")
    return states[-1]


if __name__ == "__main__":
    main()
