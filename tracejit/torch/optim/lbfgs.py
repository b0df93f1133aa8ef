"""L-BFGS: quasi-Newton steps from a limited memory of past ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import at_user_line
from ...trace.constants import active_traces
from ..modes import DecidesByValues, enable_grad, no_grad, state
from ..tensor import Tensor, wrap
from .line_search import Point, strong_wolfe
from .optimizer import Optimizer, check, check_options, scalar


class LBFGS(Optimizer):
    """L-BFGS (Nocedal and Wright 2006, algorithm 7.5), with steps of length lr or with `line_search_fn="strong_wolfe"`.

    One call of `step` makes up to `max_iter` iterations and `max_eval` evaluations (5/4 of it by default), which need a closure; there is one group.
    It decides by values, so a compiled function that makes such a step runs as it is, with the closure compiled.

    >>> from tracejit import torch
    >>> x = torch.tensor([-1.2, 1.0], requires_grad=True)
    >>> optimizer = torch.optim.LBFGS([x], max_iter=50, line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> loss = optimizer.step(closure)
    >>> bool(((x - 1).abs() < 1e-3).all())
    True
    """

    not_compiled = ("state",)  # compiled closures do not read it, and it is another one after each step

    def __init__(self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100, line_search_fn=None):
        check_options(lr)
        check("line_search_fn, only 'strong_wolfe' is supported", line_search_fn, line_search_fn in (None, "strong_wolfe"))
        super().__init__(
            params,
            {
                "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval, "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change, "history_size": history_size, "line_search_fn": line_search_fn,
            },
        )  # fmt: skip

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """The parameters: there is one group."""
        if self.param_groups:
            raise ValueError(at_user_line("LBFGS doesn't support per-parameter options (parameter groups)"))
        super().add_param_group(param_group)

    # -- all parameters as one vector
    def _gradient(self) -> np.ndarray:
        parts = []
        for p in self.param_groups[0]["params"]:
            parts.append(_flat(np.zeros(p.shape, p._data.dtype) if p._grad is None else p._grad._array))
        return np.concatenate(parts)

    def _contents(self) -> list[np.ndarray]:
        return [p._array.copy() for p in self.param_groups[0]["params"]]

    def _move(self, start: list[np.ndarray], t: Any, direction: np.ndarray) -> None:
        """Let the parameters be `start` + t * direction."""
        at = 0
        for p, x in zip(self.param_groups[0]["params"], start):
            n = x.size * (2 if x.dtype.kind == "c" else 1)
            part = direction[at : at + n]
            moved = _flat(x) + np.asarray(t, part.dtype) * part
            p._array[...] = (moved.view(x.dtype) if x.dtype.kind == "c" else moved).reshape(x.shape)
            p._storage.version += 1
            at += n

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make up to `max_iter` iterations.

        closure: clears the gradients, computes the loss and its gradients, returns the loss. Returns the loss before the first iteration.
        """
        if closure is None:
            raise TypeError(at_user_line("LBFGS evaluates the loss several times a step: give step a closure that computes it and its gradients"))
        if active_traces():
            raise DecidesByValues(at_user_line("LBFGS decides by values, so a step cannot be traced: compile the closure instead"))
        with no_grad():
            return self._iterate(closure if state.closures is None else state.closures(closure))

    def _iterate(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        memory = _Memory(self.state[group["params"][0]], group["history_size"])

        def evaluate() -> tuple[float, np.ndarray]:
            with enable_grad():
                value = float(closure())
            return value, self._gradient()

        with enable_grad():
            first_loss = closure()
        loss, gradient, evaluations = float(first_loss), self._gradient(), 1
        memory.evaluations += 1
        lr, change = scalar(group["lr"]), group["tolerance_change"]
        done = np.abs(gradient).max(initial=0.0) <= group["tolerance_grad"]
        iteration = 0
        while not done and iteration < group["max_iter"]:
            iteration += 1
            direction = memory.direction(gradient)
            slope, loss_before, start = gradient.dot(direction), loss, self._contents()
            t = lr * min(1.0, 1.0 / np.abs(gradient).sum()) if memory.iterations == 1 else lr
            memory.remember(gradient, direction, t, loss)
            if slope > -change:
                break
            made = 0
            if group["line_search_fn"] is not None:

                def along(t: Any, start=start, direction=direction) -> tuple[float, np.ndarray]:
                    self._move(start, t, direction)
                    return evaluate()

                here = Point(0, loss, gradient.copy(), slope)
                found, made = strong_wolfe(along, here, direction, t, change, group["max_eval"] - evaluations)
                t, loss, gradient = found.t, found.value, found.gradient
                memory.length = t
                self._move(start, t, direction)
            else:
                self._move(start, t, direction)
                if iteration != group["max_iter"]:
                    (loss, gradient), made = evaluate(), 1
            evaluations += made
            memory.evaluations += made
            done = (
                evaluations >= group["max_eval"]
                or np.abs(gradient).max() <= group["tolerance_grad"]
                or np.abs(direction * t).max() <= change
                or abs(loss - loss_before) < change
            )
        memory.store()
        return first_loss


class _Memory:
    """The state of an LBFGS optimizer as arrays, under torch's names; `store` gives it back."""

    def __init__(self, state: dict[str, Any], size: int):
        self.state, self.size = state, size
        self.evaluations, self.iterations = state.get("func_evals", 0), state.get("n_iter", 0)
        self.last_direction, self.length = _array(state.get("d")), _array(state.get("t"))
        self.changes = [_array(y) for y in state.get("old_dirs") or []]  # of the gradient
        self.steps = [_array(s) for s in state.get("old_stps") or []]
        self.inverses = [_array(r) for r in state.get("ro") or []]  # 1 / (change . step)
        self.scale = _array(state.get("H_diag", 1))
        self.last_gradient, self.last_loss = _array(state.get("prev_flat_grad")), state.get("prev_loss")

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """The direction of the next step: the two-loop recursion (algorithm 7.4) applied to the gradient."""
        self.iterations += 1
        if self.iterations == 1:
            return -gradient
        change, step = gradient - self.last_gradient, self.last_direction * np.asarray(self.length, gradient.dtype)
        product = change.dot(step)
        if product > 1e-10:  # otherwise the approximation would cease to be positive definite
            if len(self.changes) == self.size:
                del self.changes[0], self.steps[0], self.inverses[0]
            self.changes.append(change)
            self.steps.append(step)
            self.inverses.append(1.0 / product)
            self.scale = product / change.dot(change)
        q, weights = -gradient, []
        for y, s, r in zip(reversed(self.changes), reversed(self.steps), reversed(self.inverses)):
            weights.append(s.dot(q) * r)
            q -= weights[-1] * y
        q = q * self.scale
        for y, s, r, weight in zip(self.changes, self.steps, self.inverses, reversed(weights)):
            q += s * (weight - y.dot(q) * r)
        return q

    def remember(self, gradient: np.ndarray, direction: np.ndarray, length: Any, loss: float) -> None:
        """What the next iteration compares with."""
        self.last_gradient, self.last_direction, self.length, self.last_loss = gradient.copy(), direction, length, loss

    def store(self) -> None:
        """Write into the optimizer's state."""
        self.state.update(func_evals=self.evaluations, n_iter=self.iterations)
        if self.last_direction is None:
            return
        self.state.update(
            d=wrap(self.last_direction), t=float(self.length), old_dirs=[wrap(y) for y in self.changes], old_stps=[wrap(s) for s in self.steps],
            ro=[wrap(r) for r in self.inverses], H_diag=wrap(self.scale), prev_flat_grad=wrap(self.last_gradient), prev_loss=self.last_loss,
        )  # fmt: skip


def _array(value: Any) -> Any:
    return value._data[()] if isinstance(value, Tensor) else value


def _flat(x: np.ndarray) -> np.ndarray:
    """The entries as a vector; of complex ones the real and imaginary parts."""
    flat = np.ascontiguousarray(x).reshape(-1)
    return flat.view(flat.real.dtype) if x.dtype.kind == "c" else flat
