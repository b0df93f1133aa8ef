"""Weights of models, from files: safetensors and torch's checkpoints. Nothing is fetched from anywhere."""

from __future__ import annotations

import os
from typing import Any

from ...errors import at_user_line
from ..tensor import Tensor


def load_weights(model: Any, weights: str | os.PathLike) -> Any:
    """Load the weights of a module from a local file, and return the module.

    weights: a path to a safetensors file (ending in .safetensors) or to a checkpoint that `torch.save` wrote: of a state dict, or of a dictionary
    that holds one as "state_dict", "model" or "model_state_dict". Names and shapes have to be those of the module.
    Raises `FileNotFoundError` where there is no such file, and `RuntimeError` for weights that do not fit; the module is left as it was.

    >>> import os, tempfile
    >>> from tracejit import torch
    >>> from tracejit.torch.models import load_weights
    >>> path = os.path.join(tempfile.mkdtemp(), "linear.pt")
    >>> torch.save(torch.nn.Linear(2, 1).state_dict(), path)
    >>> load_weights(torch.nn.Linear(2, 1), path)
    Linear(in_features=2, out_features=1, bias=True)
    """
    path = os.fspath(weights)
    if not os.path.exists(path):
        raise FileNotFoundError(at_user_line(f"there is no file of weights {path!r}. {_WHAT_TO_GIVE}"))
    model.load_state_dict(_state_dict(path))
    return model


def _state_dict(path: str) -> dict[str, Tensor]:
    from ..serialization import load, load_safetensors

    if path.endswith(".safetensors"):
        return load_safetensors(path)
    found = load(path)
    for name in ("state_dict", "model", "model_state_dict"):
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not all(isinstance(t, Tensor) for t in found.values()):
        what = f"a dictionary of {sorted(map(str, found))[:6]}" if isinstance(found, dict) else f"a {type(found).__name__}"
        raise RuntimeError(at_user_line(f"{path} holds {what} and not the tensors of a model by name: save `model.state_dict()`"))
    return found


_WHAT_TO_GIVE = (
    "Weights come from a local file only: give its path, weights='resnet18.pth', of a checkpoint as torchvision has them "
    "(torch.save of a state dict) or of a safetensors file with the same names"
)


def with_weights(model: Any, weights: Any, pretrained: bool) -> Any:
    """A new model with the weights that its constructor was asked for; with its random ones, if for none."""
    if weights is None or weights is False:
        if pretrained:
            raise ValueError(at_user_line(f"pretrained=True needs a file of weights, since none are part of the library. {_WHAT_TO_GIVE}"))
        return model
    named = isinstance(weights, str) and (weights == "DEFAULT" or weights.startswith("IMAGENET1K"))
    if named or not isinstance(weights, str | os.PathLike):
        raise ValueError(at_user_line(f"weights={weights!r} names weights of torchvision, which are not part of the library. {_WHAT_TO_GIVE}"))
    return load_weights(model, weights)
