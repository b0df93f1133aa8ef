"""`Module`: a function with parameters, which may contain other modules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from ... import dtypes
from ...devices import device as torch_device
from ...modes import no_grad
from ...tensor import Tensor
from ..parameter import Buffer, Parameter
from .calls import Hooked
from .state import Stateful


def indented(text: str, by: int = 2) -> str:
    """The text with all lines but the first one moved to the right."""
    return text.replace("\n", "\n" + " " * by)


class Module(Hooked, Stateful):
    """The base of all layers and networks: assign parameters and modules as attributes after `super().__init__()`, and define `forward`.

    >>> import tracejit.torch as torch
    >>> class Scale(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = torch.nn.Parameter(torch.tensor(2.0))
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(torch.ones(2))
    tensor([2., 2.], grad_fn=<MulBackward0>)
    """

    training: bool
    call_super_init = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        state = self.__dict__
        state["training"] = True
        for name in ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks",
                     "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks"):  # fmt: skip
            state[name] = OrderedDict()
        state["_non_persistent_buffers_set"] = set()
        state["_with_kwargs"], state["_always_called"] = set(), set()

    def forward(self, *input: Any) -> Any:
        """What the module computes: every subclass has its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    # -- attributes
    def __setattr__(self, name: str, value: Any) -> None:
        state = self.__dict__
        parameters, modules, buffers = state.get("_parameters"), state.get("_modules"), state.get("_buffers")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call: begin your __init__ with super().__init__()")
            self._forget(name, "_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if modules is None:
                raise AttributeError("cannot assign module before Module.__init__() call: begin your __init__ with super().__init__()")
            self._forget(name, "_modules")
            modules[name] = value
        elif isinstance(value, Buffer):
            if buffers is None:
                raise AttributeError("cannot assign buffers before Module.__init__() call: begin your __init__ with super().__init__()")
            self._forget(name, "_buffers")
            self.register_buffer(name, value, value.persistent)
        elif parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(f"cannot assign '{type(value).__name__}' object to parameter '{name}' (torch.nn.Parameter or None required)")
            parameters[name] = None
        elif modules is not None and name in modules:
            if value is not None:
                raise TypeError(f"cannot assign '{type(value).__name__}' object to child module '{name}' (torch.nn.Module or None required)")
            modules[name] = None
        elif buffers is not None and name in buffers:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(f"cannot assign '{type(value).__name__}' object to buffer '{name}' (torch.Tensor or None required)")
            buffers[name] = value
        else:
            object.__setattr__(self, name, value)

    def _forget(self, name: str, kept: str) -> None:
        """Make room for an attribute. In the table that it goes to it keeps its place, and so the order of parameters."""
        for table in ("_parameters", "_buffers", "_modules"):
            if table != kept:
                self.__dict__[table].pop(name, None)
        self.__dict__.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __getattr__(self, name: str) -> Any:
        state = self.__dict__
        for table in ("_parameters", "_buffers", "_modules"):
            found = state.get(table)
            if found is not None and name in found:
                return found[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        for table in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(table, ()):
                del self.__dict__[table][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        own = [*self.__dict__, *self._parameters, *self._modules, *self._buffers]
        return sorted({k for k in (*dir(type(self)), *own) if not k[0].isdigit()})

    def _check_name(self, kind: str, name: str) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call: begin your __init__ with super().__init__()")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and not any(name in self.__dict__[t] for t in ("_parameters", "_buffers", "_modules")):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or None for one that this module does without."""
        self._check_name("parameter", name)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"cannot assign '{type(param).__name__}' object to parameter '{name}' (torch.nn.Parameter or None required)")
        if param is not None and param.grad_fn is not None:
            raise ValueError(f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly.")
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but no parameter; `persistent`: part of `state_dict`."""
        self._check_name("buffer", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' (torch Tensor or None required)")
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module as the attribute `name`."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._check_name("module", name)
        self._modules[name] = module

    register_module = add_module

    # -- what it contains
    def _named(self, table: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[Any] = set()
        for path, module in self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]:
            for name, value in module.__dict__[table].items():
                if value is None or remove_duplicate and value in seen:
                    continue
                seen.add(value)
                yield f"{path}.{name}" if path else name, value

    def named_parameters(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Names and parameters, those of contained modules too if `recurse`; each parameter once if `remove_duplicate`."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Names and buffers."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Names and modules that are attributes of this one."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules that are attributes of this one."""
        return (module for _, module in self.named_children())

    def named_modules(self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """Paths and modules: this one, and all that it contains."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module, and all that it contains."""
        return (module for _, module in self.named_modules())

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "layers.0.weight". Raises `AttributeError` where there is none."""
        module: Module = self
        for name in target.split(".") if target else ():
            found = module._modules.get(name)
            if found is None:
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = found
        return module

    def _at(self, table: str, target: str, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if module.__dict__[table].get(name) is None:
            raise AttributeError(f"{type(module).__name__} has no {kind} `{name}`")
        return module.__dict__[table][name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path. Raises `AttributeError` where there is none."""
        return self._at("_parameters", target, "parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path. Raises `AttributeError` where there is none."""
        return self._at("_buffers", target, "buffer")

    # -- changing all of it
    def apply(self, fn: Callable[[Module], None]) -> Module:
        """Call `fn` on each contained module and then on this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Module:
        for module in self.children():
            module._apply(fn)
        for p in self._parameters.values():
            if p is not None:
                with no_grad():
                    made = fn(p)
                    gradient = None if p._grad is None else fn(p._grad)
                if made is not p:
                    p._grad = None
                    p.data = made
                    p._grad = gradient
        for name, b in self._buffers.items():
            if b is not None:
                self._buffers[name] = fn(b)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Convert floating-point parameters and buffers to a dtype, and bring all to a device, in place."""
        dtype = kwargs.get("dtype")
        for a in args:
            if isinstance(a, Tensor):
                dtype = a.dtype
            elif isinstance(a, dtypes.dtype):
                dtype = a
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}")
        others = [a for a in args if not isinstance(a, (Tensor, dtypes.dtype, bool))]
        device = kwargs.get("device", others[0] if others else None)

        def convert(t: Tensor) -> Tensor:
            if device is not None:
                t = t.to(device=device)
            return t.to(dtype) if dtype is not None and t._data.dtype.kind in "fc" else t

        return self._apply(convert)

    def type(self, dst_type: Any) -> Module:
        """Convert all parameters and buffers."""
        return self._apply(lambda t: t.type(dst_type))

    def _floating(self, method: str) -> Module:
        return self._apply(lambda t: getattr(t, method)() if t._data.dtype.kind == "f" else t)

    def float(self) -> Module:
        """Convert floating-point parameters and buffers to float32."""
        return self._floating("float")

    def double(self) -> Module:
        """Convert floating-point parameters and buffers to float64."""
        return self._floating("double")

    def half(self) -> Module:
        """Convert floating-point parameters and buffers to float16."""
        return self._floating("half")

    def cpu(self) -> Module:
        """Bring parameters and buffers to the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Module:
        """Bring parameters and buffers to a CUDA device, the current one if none is given."""
        return self.to("cuda" if device is None else torch_device(device))

    def train(self, mode: bool = True) -> Module:
        """Switch to training, or with `mode=False` to evaluation: dropout and batch normalisation differ."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Module:
        """Switch to evaluation."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Say of all parameters whether they are to be trained."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or make them zero."""
        for p in self.parameters():
            if p._grad is not None:
                if set_to_none:
                    p.grad = None
                else:
                    p.grad = p._grad.detach()
                    p.grad.zero_()

    def share_memory(self) -> Module:
        """Does nothing: threads share memory."""
        return self

    # -- text
    def extra_repr(self) -> str:
        """What stands between the brackets of `repr`, by subclasses."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(module))}" for name, module in self._modules.items()]
        if not lines and not children:
            return f"{self._get_name()}()"
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile `forward` in place."""
        from ...compiling import compile as compiled

        object.__setattr__(self, "forward", compiled(self.forward, *args, **kwargs))
