"""What an optimiser is: two pure functions, and how gradient transformations go in front of one.

Everything here and in the optimisers is plain NumPy on leaves, so `jit` compiles the update together with the loss that it follows. The rules that
every optimiser keeps:

- parameters and state keep their dtypes. Hyperparameters are Python floats, which NumPy treats as weak; what is computed from the step
  counter is float64 and is cast to the parameter's dtype first, or it would turn float32 parameters into float64;
- nothing is modified in place: `update` returns new parameters and a new state.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import residence, tree

Schedule = Callable[[Any], Any]
"""A learning rate as a function of the number of updates made before this one."""


class Optimizer(NamedTuple):
    """`init(params) -> state` and `update(grads, state, params) -> (new params, new state)`.

    Note that `update` returns the new parameters themselves, not differences to add.
    """
    init: Callable[[Any], Any]
    update: Callable[[Any, Any, Any], tuple[Any, Any]]


class GradientTransform(NamedTuple):
    """`init(params) -> state` and `update(grads, state, params) -> (new grads, new state)`: what `chain` puts in front of an optimiser."""
    init: Callable[[Any], Any]
    update: Callable[[Any, Any, Any], tuple[Any, Any]]


def chain(*steps: GradientTransform | Optimizer) -> Optimizer:
    """The optimiser that passes gradients through each transformation in turn, then to the optimiser, which comes last.

    Its state is the tuple of the steps' states.
    Raises TypeError unless every step but the last is a `GradientTransform` and the last is an `Optimizer`.

    >>> from tracejit.optim import clip_by_global_norm, sgd
    >>> opt = chain(clip_by_global_norm(1.0), sgd(0.5))
    >>> opt.update(np.array([30.0, 40.0]), opt.init(np.zeros(2)), np.zeros(2))[0]
    array([-0.3, -0.4])
    """
    *transforms, optimizer = steps or (None,)
    for position, step in enumerate(transforms):
        if not isinstance(step, GradientTransform):
            raise TypeError(f"chain: step {position} must be a GradientTransform, got {type(step).__name__}; the optimiser comes last")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"chain: the last step must be an Optimizer, got {type(optimizer).__name__}")

    def init(params: Any) -> tuple:
        return tuple(step.init(params) for step in steps)

    def update(grads: Any, state: tuple, params: Any) -> tuple[Any, tuple]:
        if len(state) != len(steps):
            raise ValueError(f"chain: the state has {len(state)} items for {len(steps)} steps")
        states = []
        for step, step_state in zip(transforms, state):
            grads, step_state = step.update(grads, step_state, params)
            states.append(step_state)
        params, last = optimizer.update(grads, state[-1], params)
        return params, (*states, last)

    return Optimizer(init, update)


# ----------------------------------------------------------------------------------------------------- what the optimisers share
def check_params(params: Any) -> None:
    """Raises TypeError unless every leaf is real floating-point.

    An integer would silently become a float; and for complex parameters the direction of descent depends on the convention for complex gradients.
    """
    for path, leaf in tree.leaves_with_path(params):
        if dtype_of(leaf).kind != "f":
            raise TypeError(f"params{path} has dtype {dtype_of(leaf)}: optimisers update real floating-point parameters; "
                            "keep counters and flags in a tree of their own, and a complex array as its real and imaginary parts")


def match_gradients(grads: Any, params: Any) -> Any:
    """The gradients in the dtypes of their parameters. Raises ValueError, with the path, where structures or shapes differ."""
    tree.check_same_structure("params", params, "grads", grads)
    for position, (param, grad) in enumerate(zip(tree.leaves(params), tree.leaves(grads))):
        if np.shape(grad) != np.shape(param):
            path = tree.paths(params)[position]
            raise ValueError(f"grads{path} has shape {np.shape(grad)}, params{path} has shape {np.shape(param)}")
    return tree.map(cast, grads, params)


def zeros_like(params: Any) -> Any:
    """A tree of zeros with the shapes and dtypes of the parameters, where these live."""

    def zeros(param: Any) -> Any:
        made = np.zeros(np.shape(param), dtype_of(param))
        device = residence.home(residence.adopted(param))
        return made if device is None else device.from_host(made)

    return tree.map(zeros, params)


def first_step() -> np.ndarray:
    """The step counter of a new state: an array, so that `jit` takes it as an argument like the rest of the state."""
    return np.zeros((), np.int64)


def value_at(rate: float | Schedule, step: Any) -> Any:
    """The learning rate for the update that follows `step` others."""
    return rate(step) if callable(rate) else rate


def cast(value: Any, param: Any) -> Any:
    """`value` in the dtype of `param`; a Python number is weak and stays as it is."""
    if not hasattr(value, "dtype") or value.dtype == dtype_of(param):
        return value
    return value.astype(dtype_of(param))


def dtype_of(x: Any) -> np.dtype:
    """The dtype of an array, a traced array or a Python number."""
    return x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype


def check_range(name: str, value: float, low: float, high: float = np.inf) -> None:
    """Raises ValueError unless `low <= value < high`, which NaN is not."""
    if not low <= value < high:
        raise ValueError(f"{name} must be in [{low}, {high}), got {value}")
