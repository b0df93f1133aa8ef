"""Reading and writing of safetensors files, by the package `safetensors`, which checks headers, extents and bounds.

dtypes that NumPy has not: bfloat16 is read as float32, which holds every bfloat16 exactly.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import at_user_line
from ..tensor import Tensor, wrap
from .storages import elements

_KINDS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64",
}  # fmt: skip


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(at_user_line('safetensors files need the package safetensors: pip install "tracejit[weights]"')) from error


def load_safetensors(path: str | os.PathLike) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    Raises `RuntimeError` for a damaged file or a dtype that NumPy has not (the 8-bit floats), `ImportError` without the package `safetensors`.
    """
    package = _package("safetensors")
    with open(path, "rb") as file:
        data = file.read()
    try:
        entries = package.deserialize(data)
    except package.SafetensorError as error:
        raise RuntimeError(at_user_line(f"{os.fspath(path)} is no safetensors file, or is truncated or damaged ({error})")) from error
    tensors = {}
    for name, entry in entries:
        kind = _KINDS.get(entry["dtype"])
        if kind is None:
            raise RuntimeError(at_user_line(f"{os.fspath(path)}: {name!r} has the dtype {entry['dtype']}, which NumPy has not. Convert it first"))
        tensors[name] = wrap(elements(entry["data"], kind).reshape(entry["shape"]))
    return tensors


def save_safetensors(tensors: Mapping[str, Tensor], path: str | os.PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to a safetensors file.

    tensors: by name, a module's `state_dict()` for instance. Memory that several share is written for each of them.
    Raises `TypeError` for values that are no tensors, `ImportError` without the package `safetensors`.
    """
    package = _package("safetensors.numpy")
    arrays = {}
    for name, t in tensors.items():
        if not isinstance(t, Tensor):
            raise TypeError(at_user_line(f"safetensors files hold tensors by name, and {name!r} is a {type(t).__name__}"))
        arrays[name] = np.ascontiguousarray(t.detach().numpy()).reshape(t.shape)
    part = f"{os.fspath(path)}.part"
    package.save_file(arrays, part, metadata=dict(metadata) if metadata else None)
    os.replace(part, path)
