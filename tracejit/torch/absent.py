"""What is said about names that torch has and this library has not: why, and what to use instead."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

_GPU = "tensors lie in the memory of the CPU, or on CUDA devices: device=\"cuda\""
_SPARSE = "there are no sparse tensors: use dense ones, or scipy.sparse outside of the graph"
_QUANTIZED = "there are no quantized tensors: use float32, or float16 to store them"
_GRAPHS = "torch.compile compiles functions; tracejit.jit and tracejit.export make programs of functions of NumPy arrays"
_MANY = "one process is used: compiled functions run on all its cores"

INSTEAD = {
    "bfloat16": "NumPy has no such dtype: use torch.float32, or torch.float16 for half the memory",
    "chalf": "NumPy has no such dtype: use torch.complex64",
    "complex32": "NumPy has no such dtype: use torch.complex64",
    "cond": "write `if`: torch.compile compiles both branches as they are taken; or torch.where",
    "distributed": _MANY,
    "export": _GRAPHS,
    "fx": _GRAPHS,
    "hub": "nothing is loaded from the network: torch.load and torch.nn.Module.load_state_dict read files",
    "monitor": "use Python's own logging",
    "mps": _GPU,
    "mtia": _GPU,
    "multiprocessing": _MANY,
    "nested": "pad sequences: torch.nn.utils.rnn.pad_sequence, or pack them: pack_sequence",
    "onnx": _GRAPHS,
    "overrides": "subclasses of Tensor do not intercept functions",
    "package": _GRAPHS,
    "profiler": "use cProfile; `f.kernels()` of a compiled function shows what runs",
    "quantization": _QUANTIZED,
    "sparse": _SPARSE,
    "tensorboard": "write values with Python's csv, or plot them with matplotlib",
    "xpu": _GPU,
    "DataParallel": _MANY,
    "SyncBatchNorm": f"{_MANY}: use BatchNorm1d, BatchNorm2d or BatchNorm3d",
    "DistributedSampler": _MANY,
    "SparseAdam": _SPARSE,
    "IterDataPipe": "use torch.utils.data.IterableDataset",
    "MapDataPipe": "use torch.utils.data.Dataset",
    "Stream": _GPU,
    "Event": _GPU,
    "ipu": _GPU,
}
_BEGINNINGS = {
    "sparse_": _SPARSE, "to_sparse": _SPARSE, "quantize": _QUANTIZED, "fake_quantize": _QUANTIZED, "q_": _QUANTIZED, "quint": _QUANTIZED,
    "qint": _QUANTIZED, "cudnn_": _GPU, "miopen_": _GPU, "float8": "NumPy has no such dtype: use torch.float16", "Script": _GRAPHS,
}  # fmt: skip


class Absent(AttributeError):
    """A name that is not there. What it says is made when it is read: programs ask for names that may not be there."""

    __module__, __qualname__ = "builtins", "AttributeError"  # as which it is shown

    def __init__(self, where: str, name: str, known: Iterable[str]):
        super().__init__(where, name)
        self._known = known

    def __str__(self) -> str:
        where, name = self.args
        text = f"{where} has no attribute {name!r}"
        reason = INSTEAD.get(name) or next((r for start, r in _BEGINNINGS.items() if name.startswith(start)), None)
        if reason is not None:
            return f"{text}: {reason}"
        close = [] if name.startswith("_") else difflib.get_close_matches(name, [k for k in self._known if not k.startswith("_")], 3)
        return f"{text}{': did you mean ' + ' or '.join(close) + '?' if close else ''}"


def explained(where: str, name: str, known: Iterable[str]) -> Absent:
    """The error for a name that `where`, a module or object, does not have: what to use instead, or names that are like it.

    >>> import tracejit.torch as torch
    >>> torch.sparse_coo_tensor
    Traceback (most recent call last):
    AttributeError: ...no sparse tensors: use dense ones, or scipy.sparse outside of the graph
    """
    return Absent(where, name, known)


def of_module(names: dict[str, Any]) -> Callable[[str], Any]:
    """The `__getattr__` of a module with these names."""

    def missing(name: str) -> Any:
        raise explained(f"module {names['__name__']!r}", name, names)

    return missing
