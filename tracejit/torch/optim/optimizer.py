"""`Optimizer`: parameter groups, state by parameter, and the loop that applies an update rule to every parameter that has a gradient.

A rule (`update`) is a function of arrays that writes in place: the parameter and whatever it remembers keep their memory, so a compiled training step
finds them by reference.  It is written in NumPy and works on arrays as on proxies; numbers that depend on the step come as Python floats when the
step count is known and as float64 proxies inside of a traced step.
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...errors import at_user_line
from ...trace import Tracer
from ...trace.constants import active_traces
from ..cleared import arrived, mark
from ..modes import enable_grad, no_grad
from ..nodes import Handle, Hooks
from ..storage import Place, here
from ..tensor import Tensor, wrap
from .native_step import NativeStep
from .pieces import State, views, whole_state, writable

SWITCHES = {"foreach": None, "capturable": False, "differentiable": False, "fused": None}
"""torch's choices among implementations. They are kept in the parameter groups, as there, and change nothing: there is one implementation."""


class Optimizer:
    """The base of all optimizers.

    params: tensors, `(name, tensor)` pairs, or dictionaries with the key "params" and options of their own.
    defaults: the options of groups that do not give them.
    Subclasses define `update`, or `step`.

    >>> from tracejit import torch
    >>> class Descent(torch.optim.Optimizer):
    ...     def update(self, x, gradient, state, group, step):
    ...         x -= group["lr"] * gradient
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Descent([x], {"lr": 0.5})
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([0., 0.], requires_grad=True)
    """

    counts_steps = True  # whether the state of a parameter has an entry "step"
    not_compiled = ("_native",)  # compiled functions do not read it
    elementwise = False  # whether `update` is a rule for single real numbers, to be applied to pieces of parameters (see pieces.py)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _announced(cls.step)

    def __init__(self, params: Iterable, defaults: dict[str, Any]):
        if isinstance(params, Tensor):
            raise TypeError(at_user_line("params argument given to the optimizer should be an iterable of Tensors or dicts: of one tensor, [x]"))
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._before_step, self._after_step = Hooks(), Hooks()
        self._opt_called = False  # schedulers ask
        self._stepping = False
        self._native = NativeStep()
        if defaults.get("differentiable"):
            raise ValueError(at_user_line("differentiable=True is not supported: write the update with functions of tensors, x = x - lr * g"))
        groups = list(params)
        if not groups:
            raise ValueError(at_user_line("optimizer got an empty parameter list"))
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    # -- groups
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize these parameters too, with these options.

        param_group: a dictionary with "params" and any options; the others are the defaults.
        Raises `TypeError` for what is no tensor or has no order, `ValueError` for a parameter that is no leaf or is in a group already.
        """
        if not isinstance(param_group, dict):
            raise TypeError(at_user_line(f"param_group must be a dict, but got {type(param_group)}"))
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(at_user_line("optimizer parameters need to be organized in ordered collections: use a list instead of a set"))
        listed = [params] if isinstance(params, Tensor) else list(params)
        names = [p[0] for p in listed if isinstance(p, tuple)]
        listed = [p[1] if isinstance(p, tuple) else p for p in listed]
        if names and len(names) != len(listed):
            raise ValueError(at_user_line("all optimizer params should be with/without names. Some param names are missing"))
        known = {id(p) for group in self.param_groups for p in group["params"]}
        for p in listed:
            if not isinstance(p, Tensor):
                raise TypeError(at_user_line(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}"))
            if not (p.is_leaf or p.retains_grad):
                raise ValueError(at_user_line("can't optimize a non-leaf Tensor: pass the tensors that it was computed from"))
            if id(p) in known:
                raise ValueError(at_user_line("some parameters appear in more than one parameter group"))
        if len({id(p) for p in listed}) < len(listed):
            warnings.warn(at_user_line("optimizer contains a parameter group with duplicate parameters, which are updated twice"), stacklevel=3)
        param_group["params"] = listed
        if names:
            param_group["param_names"] = names
        for name, default in self.defaults.items():
            param_group.setdefault(name, default)
        self.param_groups.append(param_group)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join(lines) + "\n)"

    # -- steps
    def zero_grad(self, set_to_none: bool | None = None) -> None:
        """Let there be no gradients, so that the next `backward` adds to nothing.

        set_to_none: whether every `p.grad` becomes None, or zeros in its own memory. By default they can be read as zeros, and `step` takes those
        into which nothing is written until then for None, as torch's: it does not move what a loss does not depend on.
        """
        place = here()
        for group in self.param_groups:
            for p in group["params"]:
                clear_gradient(p, set_to_none, place)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        closure: computes the loss and its gradients anew; its result is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        place = here()
        if self._native.run(self, place):
            return loss
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if arrived(p) is not None:
                        self._update(p, group)
                        p._storage.version += 1
                        p._storage.written_at = place
        return loss

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state.get(p)
        if not state:
            state = {"step": wrap(np.zeros((), np.float32))} if self.counts_steps else {}
            state.update(self.start(p._array, group))
            if state:
                self.state[p] = state
        self.change(p._array, p._grad._array, state, group)
        if state and p not in self.state:  # the rule has begun to remember something
            self.state[p] = state

    def change(self, array: Any, gradient: Any, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        """Apply the rule to one parameter: to its array, that of its gradient, and what is remembered of it, which exists."""
        x, gradient, step = writable(array), writable(gradient), 0.0
        if self.counts_steps:
            count = writable(state["step"]._array)
            count += 1
            step = number(count)
        self.advance(array, whole_state(state), group, step)
        for view in views(x, gradient, state) if self.elementwise else (None,):
            piece, slope = (x, gradient) if view is None else (view(x), view(gradient))
            self.update(piece, -slope if group.get("maximize") else slope, State(state, x.shape, view), group, step)

    def start(self, x: Any, group: dict[str, Any]) -> dict[str, Tensor]:
        """What is remembered of the parameter x before its first step."""
        return {}

    def advance(self, x: Any, state: State, group: dict[str, Any], step: Any) -> None:
        """Bring up to date what is remembered once for a parameter, before `update`, which an elementwise optimizer calls for each piece."""

    def update(self, x: Any, gradient: Any, state: State, group: dict[str, Any], step: Any) -> None:
        """Write the new value of the parameter into x.

        x, gradient: arrays of one dtype and shape; of a 0-d parameter, of one entry. step: counts from 1.
        state: what `start` gave, as arrays to be written into.
        """
        raise NotImplementedError(f"{type(self).__name__} defines neither `update` nor `step`")

    def register_step_pre_hook(self, hook: Callable) -> Handle:
        """Call `hook(optimizer, args, kwargs)` before every step; it may return new args and kwargs."""
        return Handle(self._before_step, hook)

    def register_step_post_hook(self, hook: Callable) -> Handle:
        """Call `hook(optimizer, args, kwargs)` after every step."""
        return Handle(self._after_step, hook)

    # -- checkpoints
    def state_dict(self) -> dict[str, Any]:
        """The state and the options, with parameters numbered through the groups: as torch's, which can be loaded by either."""
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
            groups.append({**{k: v for k, v in group.items() if k != "params"}, "params": [numbers[id(p)] for p in group["params"]]})
        state = {numbers[id(p)] if isinstance(p, Tensor) else p: dict(s) for p, s in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state and the options of a `state_dict`, of this library or of torch. What it holds is copied.

        Raises `ValueError` where its groups are not those of this optimizer, or a state does not fit its parameter; nothing is changed then.
        """
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(at_user_line(f"loaded state dict has a different number of parameter groups: {len(saved)} for {len(self.param_groups)}"))
        sizes = [(len(group["params"]), len(own["params"])) for group, own in zip(saved, self.param_groups)]
        if any(a != b for a, b in sizes):
            raise ValueError(
                at_user_line(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    + ", ".join(f"{a} parameters for {b}" for a, b in sizes)
                )
            )
        of = {n: p for group, own in zip(saved, self.param_groups) for n, p in zip(group["params"], own["params"])}
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for n, entries in state_dict["state"].items():
            p = of.get(n)
            state[n if p is None else p] = {name: _fitted(value, p, name) for name, value in entries.items()}
        for p, entries in state.items():
            for name, value in entries.items():
                entries[name] = _in_place_of(self.state.get(p, {}).get(name), value)
        self.state = state
        self._opt_called = True  # a state is that of an optimizer which has stepped
        for own, group in zip(self.param_groups, saved):
            options = {k: copy.deepcopy(v) for k, v in group.items() if k != "params"}
            for key in [k for k in own if k not in options and k not in ("params", "param_names") and k not in self.defaults]:
                del own[key]
            own.update(options)


def _announced(step: Callable) -> Callable:
    """A subclass's own `step`, with the hooks around it; they are called once where it calls that of its base."""

    @functools.wraps(step)
    def announced(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if self._stepping:
            return step(self, *args, **kwargs)
        for hook in list(self._before_step.values()):
            changed = hook(self, args, kwargs)
            if changed is not None:
                args, kwargs = changed
        self._opt_called = self._stepping = True
        try:
            result = step(self, *args, **kwargs)
        finally:
            self._stepping = False
        for hook in list(self._after_step.values()):
            hook(self, args, kwargs)
        return result

    return announced


Optimizer.step = _announced(Optimizer.step)


def clear_gradient(p: Tensor, set_to_none: bool | None, place: Place | None = None) -> None:
    """Let the gradient of p be zero, in its own memory, or None; by default zero, and none to an optimizer."""
    grad = p._grad
    if grad is None:
        return
    if set_to_none:
        p._grad = None
        return
    if grad.grad_fn is not None:
        grad = p._grad = grad.detach()
    elif grad.requires_grad:
        grad.requires_grad_(False)
    if type(grad._data) is np.ndarray and not active_traces():
        grad._data.fill(0)
        grad._storage.version += 1
        grad._storage.written_at = place
    else:
        with no_grad():
            grad.zero_()
    if set_to_none is None:
        mark(grad)


def like(x: Any, number: Any) -> Any:
    """A number that does not widen the dtype of the array x: of NumPy's scalars the Python number, of float64 proxies one of x's dtype."""
    return number.astype(x.dtype) if type(number) is Tracer else float(number)


def scalar(value: Any) -> Any:
    """An option that may be a tensor of one element, a learning rate say, as a number or proxy."""
    return number(value._array) if isinstance(value, Tensor) else value


def number(array: Any) -> Any:
    """An array of one entry as a Python number, a proxy as a 0-d one in float64."""
    return array.reshape(()).astype(np.float64) if type(array) is Tracer else array.item()


def check(name: str, value: Any, valid: bool) -> None:
    """Raise `ValueError` for an option that is not valid."""
    if not valid:
        raise ValueError(at_user_line(f"Invalid {name}: {value}"))


def check_options(lr: Any, eps: float = 0.0, weight_decay: float = 0.0, betas: tuple = ()) -> None:
    """Raise `ValueError` for options that most optimizers have and that are not valid."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(at_user_line("Tensor lr must be 1-element"))
    check("learning rate", lr, scalar(lr) >= 0.0)
    check("epsilon value", eps, eps >= 0.0)
    check("weight_decay value", weight_decay, weight_decay >= 0.0)
    for i, beta in enumerate(betas):
        check(f"beta parameter at index {i}", beta, 0.0 <= beta < 1.0)


def _fitted(value: Any, p: Tensor | None, name: str) -> Any:
    """A copy of an entry of a loaded state, in the dtype of its parameter; step counts keep theirs."""
    if isinstance(value, Tensor):
        array = np.array(value.detach().numpy())
        if p is not None and name != "step" and p.dtype.is_floating_point:
            array = array.astype(p.dtype.numpy, copy=False)
        if p is not None and name in _LIKE_PARAMETER and array.shape != p.shape:
            raise ValueError(at_user_line(f"loaded state {name!r} has the shape {array.shape}, and its parameter {tuple(p.shape)}"))
        return wrap(array)
    if isinstance(value, list | tuple):
        return type(value)(_fitted(v, p, name) for v in value)
    return copy.deepcopy(value)


def _in_place_of(old: Any, new: Any) -> Any:
    """The tensor of the old state with the new contents, where they fit: programs that were compiled for it stay valid."""
    if isinstance(old, Tensor) and isinstance(new, Tensor) and old._data.shape == new._data.shape and old._data.dtype == new._data.dtype:
        np.copyto(old._data, new._data)
        old._storage.version += 1
        return old
    return new


_LIKE_PARAMETER = frozenset(("momentum_buffer", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "square_avg", "grad_avg", "sum", "acc_delta"))
