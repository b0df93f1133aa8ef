"""`device=` of the functions that make tensors: their results are brought there."""

from __future__ import annotations

from ..dispatch import FUNCTIONS
from ..resident import creation
from ..tensor import Tensor

_NEW = """arange as_tensor asarray bartlett_window blackman_window empty empty_strided eye full hamming_window hann_window kaiser_window linspace
    logspace normal ones rand randint randn randperm scalar_tensor tensor tril_indices triu_indices zeros""".split()
_LIKE = "empty_like full_like ones_like rand_like randint_like randn_like zeros_like".split()
_OF_TENSORS = "new_empty new_full new_ones new_tensor new_zeros".split()


def enter() -> None:
    """Let all of them take it. To be called when they have been entered."""
    for name in (*_NEW, *_LIKE):
        if name in FUNCTIONS:
            FUNCTIONS[name] = creation(FUNCTIONS[name], like=name in _LIKE)
    for name in _OF_TENSORS:
        setattr(Tensor, name, creation(getattr(Tensor, name), like=True))
