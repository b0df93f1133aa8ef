"""What a module keeps: `state_dict` gives it by its paths, `load_state_dict` takes it back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ...hooks import Handle
from ...inplace import overwrite
from ...modes import no_grad
from ...tensor import Tensor
from ..parameter import Parameter

_EXTRA = "_extra_state"
_FITTING = "fitting"  # in the metadata of a load: what has been found to fit, as (module, name, own, new); it is taken when all is known


class _IncompatibleKeys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    __str__ = __repr__


class Stateful:
    """The part of `Module` that saves and loads."""

    _version: int | None = 1

    # -- saving
    def state_dict(self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> OrderedDict[str, Tensor]:
        """Parameters and persistent buffers by their paths, detached unless `keep_vars`: they share the module's memory."""
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            made = hook(self, destination, prefix, local)
            destination = destination if made is None else made
        return destination

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        yield from ((name, p) for name, p in self._parameters.items() if p is not None)
        yield from ((name, b) for name, b in self._buffers.items() if b is not None and name not in self._non_persistent_buffers_set)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """What this module itself keeps, without those that it contains; subclasses may add to it."""
        for name, value in self._own_state():
            destination[prefix + name] = value if keep_vars else value.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + _EXTRA] = self.get_extra_state()

    def get_extra_state(self) -> Any:
        """More to save, by subclasses."""
        raise RuntimeError("Reached a code path in Module.get_extra_state() that should never be called.")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise RuntimeError("Reached a code path in Module.set_extra_state() that should never be called.")

    # -- loading
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> _IncompatibleKeys:
        """Copy values into parameters and buffers by their paths, or with `assign` put the given tensors in their place.

        Raises `RuntimeError` for shapes that do not fit, and if `strict` for keys that are missing or too many; then nothing has been changed.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        given = OrderedDict(state_dict)
        metadata = getattr(state_dict, "_metadata", None) or {}
        missing: list[str] = []
        unexpected: list[str] = []
        problems: list[str] = []
        fitting: list[tuple[Stateful, str, Tensor | None, Any]] = []
        for path, module in self.named_modules(remove_duplicate=False):
            prefix = f"{path}." if path else ""
            local = {**metadata.get(path, {}), "assign_to_params_buffers": assign, _FITTING: fitting}
            module._load_from_state_dict(given, prefix, local, True, missing, unexpected, problems)
        if strict and unexpected:
            problems.insert(0, f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. ")
        if strict and missing:
            problems.insert(0, f"Missing key(s) in state_dict: {_quoted(missing)}. ")
        if strict and (missing or unexpected):
            problems.append("strict=False loads the keys that are on both sides, and returns the others.")
        if problems:
            joined = "\n\t".join(problems)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{joined}")
        for module, name, own, new in fitting:
            module._take(name, own, new, assign)
        result = _IncompatibleKeys(missing, unexpected)
        for module in self.modules():
            for hook in module._load_state_dict_post_hooks.values():
                hook(module, result)
        return result

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], strict: bool, missing_keys: list[str],
        unexpected_keys: list[str], error_msgs: list[str],
    ) -> None:  # fmt: skip
        """Look up what this module itself keeps, without those that it contains. Subclasses may do things before, such as renaming the keys of older
        checkpoints (`local_metadata.get("version")`), and then call this one; values are copied when all modules have found theirs."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        fitting: list[tuple[Stateful, str, Tensor | None, Any]] = []
        own = dict(self._own_state())
        for name, value in own.items():
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            new = state_dict[key]
            if not isinstance(new, Tensor):
                error_msgs.append(
                    f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint but received {type(new)}'
                )
            elif new._data.shape != value._data.shape:
                error_msgs.append(
                    f"size mismatch for {key}: copying a param with shape {new.shape} from checkpoint, the shape in current model is {value.shape}."
                )
            else:
                fitting.append((self, name, value, new))
        extra = type(self).set_extra_state is not Stateful.set_extra_state
        if extra and prefix + _EXTRA in state_dict:
            fitting.append((self, _EXTRA, None, state_dict[prefix + _EXTRA]))
        elif extra:
            missing_keys.append(prefix + _EXTRA)
        for key in state_dict:
            if key.startswith(prefix):
                name, _, inner = key[len(prefix) :].partition(".")
                if not (inner and name in self._modules) and name + inner not in own and not (extra and name == _EXTRA):
                    unexpected_keys.append(key)
        if _FITTING in local_metadata:
            local_metadata[_FITTING].extend(fitting)
        else:  # called by hand
            for module, name, value, new in fitting:
                module._take(name, value, new, local_metadata.get("assign_to_params_buffers", False))

    def _take(self, name: str, own: Tensor | None, new: Any, assign: bool) -> None:
        if own is None:
            self.set_extra_state(new)
        elif not assign:
            with no_grad():
                overwrite(own, new.detach()._array.astype(own._data.dtype))
        elif name in self._parameters:
            self._parameters[name] = new if isinstance(new, Parameter) else Parameter(new, own.requires_grad)
        else:
            self._buffers[name] = new

    # -- hooks
    def register_state_dict_post_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after `state_dict`."""
        return self._add_hook("_state_dict_hooks", hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_state_dict_pre_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, prefix, keep_vars)` before `state_dict`."""
        return self._add_hook("_state_dict_pre_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, state_dict, prefix, ...)` before values are loaded: it may change the dict."""
        return self._add_hook("_load_state_dict_pre_hooks", hook)

    def _register_load_state_dict_pre_hook(self, hook: Callable, with_module: bool = False) -> Handle:
        return self.register_load_state_dict_pre_hook(hook if with_module else lambda module, *args: hook(*args))

    def register_load_state_dict_post_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, incompatible_keys)` after values were loaded."""
        return self._add_hook("_load_state_dict_post_hooks", hook)


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)
