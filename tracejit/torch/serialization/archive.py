"""`torch.save` and `torch.load`: zip archives of a pickle and the storages that it refers to.

An archive holds `<name>/data.pkl`, a pickle in which a storage is a persistent id `("storage", type, key, location, number of elements)`; the bytes
of each at `<name>/data/<key>`; and `<name>/byteorder` and `<name>/version`.  Records are stored, not compressed, and begin at multiples of 64 bytes,
so that they can be mapped into memory.
"""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from typing import Any, BinaryIO

import numpy as np

from ...errors import at_user_line
from .. import dtypes
from ..devices import device
from ..sizes import Size
from ..tensor import Tensor
from . import unpickle
from .pickling import Call, Persistent, Writer
from .storages import NAMES, STORAGE_OF, Stored, item_size, kind_of

ALIGNMENT = 64
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled magic number that files before torch 1.6 begin with
_CPU_ONLY = "tensors are read into the memory of the CPU: leave `map_location` out, or give 'cpu'"


def load(f: Any, map_location: Any = None, pickle_module: None = None, *, weights_only: bool = True, mmap: bool | None = None) -> Any:
    """The object that `torch.save` wrote to a file: tensors, parameters and plain data, and nothing that could run code.

    f: a path, or a binary file that can seek. Reads what this library and torch 1.6 or later write; bfloat16 comes back as float32.
    map_location: the CPU, wherever the tensors were when they were saved; a dictionary from devices to it, and a function, which has nothing to
    decide, are torch's other forms. mmap: accepted, without effect.
    Raises `pickle.UnpicklingError` for a file that holds anything but data, `RuntimeError` for one that is damaged or of another format.

    >>> import io
    >>> from tracejit import torch
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2), "epoch": 3}, file)
    >>> torch.load(file)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    if not weights_only or pickle_module is not None:
        raise ValueError(
            at_user_line(
                "files are read with weights_only=True, since unpickling runs code that the file names. "
                "Save `model.state_dict()`, and load it into a model with `load_state_dict`"
            )
        )
    where = map_location.values() if isinstance(map_location, dict) else () if callable(map_location) else (map_location,)
    if any(str(place) not in ("cpu", "None") for place in where):
        raise RuntimeError(at_user_line(_CPU_ONLY))
    if isinstance(f, str | os.PathLike):
        with open(f, "rb") as file:
            return _load(file, os.fspath(f))
    f.seek(0)
    return _load(f, getattr(f, "name", "the file"))


def _load(file: BinaryIO, name: str) -> Any:
    start = file.read(16)
    if start.startswith(_LEGACY[:15]):
        raise RuntimeError(at_user_line(f"{name} has the format of torch before 1.6. Load it with torch and save it again with torch.save"))
    if not start.startswith(b"PK"):
        hint = "; it looks like a safetensors file: read it with `torch.serialization.load_safetensors`" if start[8:9] == b"{" else ""
        raise RuntimeError(at_user_line(f"{name} is no checkpoint: it is not a zip archive as `torch.save` writes it{hint}"))
    try:
        with zipfile.ZipFile(file) as archive:
            return _Archive(archive, name).load()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, struct.error) as error:
        raise RuntimeError(at_user_line(f"{name} is truncated or damaged ({error}). Copy or download it again")) from error


class _Archive:
    """A zip archive that is being read."""

    def __init__(self, archive: zipfile.ZipFile, name: str):
        self.archive, self.name = archive, name
        self.records: dict[str, zipfile.ZipInfo] = {}
        self.storages: dict[str, Stored] = {}
        for info in archive.infolist():
            record = info.filename.partition("/")[2]
            if record in self.records:
                raise self.damaged(f"has two records {record!r}")
            if info.compress_type != zipfile.ZIP_STORED:
                raise RuntimeError(at_user_line(f"{name} has compressed records. Pack it again without compression, as torch.save does"))
            self.records[record] = info
        file = archive.fp
        file.seek(0, os.SEEK_END)
        if sum(info.file_size for info in self.records.values()) > file.tell():
            raise self.damaged("states sizes beyond its own")
        if "data.pkl" not in self.records:
            raise self.damaged("has no record data.pkl")
        if "constants.pkl" in self.records:
            raise RuntimeError(at_user_line(f"{name} is a TorchScript program, not a checkpoint. Save its `state_dict()` with torch.save instead"))
        order = self.read("byteorder") if "byteorder" in self.records else b"little"
        if order not in (b"little", b"big"):
            raise self.damaged(f"has the byte order {order!r:.20}")
        self.swapped = (order == b"little") != (np.little_endian)

    def damaged(self, what: str) -> RuntimeError:
        return RuntimeError(at_user_line(f"{self.name} is damaged: it {what}"))

    def read(self, record: str) -> bytes:
        info = self.records.get(record)
        if info is None:
            raise self.damaged(f"has no record {record!r}")
        return self.archive.read(info)

    def storage(self, id: Any) -> Stored:
        if type(id) is not tuple or len(id) != 5 or id[0] != "storage" or type(id[2]) is not str or type(id[4]) is not int or id[4] < 0:
            raise unpickle.refuse(f"the file refers to {id!r:.80}")
        _, kind, key, _, count = id
        kind = kind_of(kind)
        found = self.storages.get(key)
        if found is None:
            data = self.read(f"data/{key}")
            if len(data) < count * item_size(kind):
                raise self.damaged(f"has {len(data)} bytes for {count} elements of {kind}")
            found = self.storages[key] = Stored(data[: count * item_size(kind)], kind, self.swapped)
        return found

    def load(self) -> Any:
        try:
            return unpickle.read(self.read("data.pkl"), NAMES, self.storage)
        except pickle.UnpicklingError as error:
            raise pickle.UnpicklingError(at_user_line(f"{self.name}: {error}")) from error


def save(obj: Any, f: Any, pickle_module: None = None, pickle_protocol: int = 2, _use_new_zipfile_serialization: bool = True) -> None:
    """Write tensors, parameters and plain data to a file that `load` and torch can read. Tensors that share memory share it when read again.

    f: a path, or a binary file. A file at the path is replaced only when the new one is complete.
    Raises `TypeError` for what is not data, a whole module for instance; nothing is written then.

    >>> import io
    >>> from tracejit import torch
    >>> torch.save(torch.arange(3), file := io.BytesIO())
    >>> torch.load(file)
    tensor([0, 1, 2])
    """
    contents = _Contents()
    try:
        pickled = Writer(contents.reduce).dump(obj)
    except TypeError as error:
        raise TypeError(at_user_line(str(error))) from error
    if not isinstance(f, str | os.PathLike):
        _write(f, "archive", pickled, contents)
        return
    path = os.fspath(f)
    with open(f"{path}.part", "wb") as file:
        _write(file, os.path.splitext(os.path.basename(path))[0] or "archive", pickled, contents)
    os.replace(f"{path}.part", path)


class _Contents:
    """The storages that an archive will hold, found while the object is pickled."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self.keys: dict[int, str] = {}

    def reduce(self, value: Any) -> Call | Persistent | None:
        if isinstance(value, Tensor):
            return self.tensor(value)
        if isinstance(value, dtypes.dtype):
            return Call(f"torch.{value.name}")
        if isinstance(value, Size):
            return Call("torch.Size", (tuple(value),))
        if isinstance(value, device):
            return Call("torch.device", ("cpu",))
        return None

    def tensor(self, t: Tensor) -> Call:
        array, requires_grad = t.detach().numpy(), t.requires_grad
        memory, offset, stride = _memory_of(array)
        typed = STORAGE_OF.get(array.dtype)
        key = self.keys.setdefault(id(memory), str(len(self.arrays)))
        if key == str(len(self.arrays)):
            self.arrays.append(memory)
        kind, count = (typed + "Storage", memory.size) if typed else ("storage.UntypedStorage", memory.nbytes)
        place = Persistent(("storage", Call(f"torch.{kind}"), key, "cpu", count)), offset, tuple(array.shape), stride
        hooks = Call("collections.OrderedDict", ())
        is_parameter = type(t) is not Tensor and isinstance(t, _parameter_type())
        flag = requires_grad and not is_parameter
        if typed:
            call = Call("torch._utils._rebuild_tensor_v2", (*place, flag, hooks))
        else:
            call = Call("torch._utils._rebuild_tensor_v3", (*place, flag, hooks, dtypes.of(array.dtype)))
        return Call("torch._utils._rebuild_parameter", (call, requires_grad, hooks)) if is_parameter else call


def _parameter_type() -> type:
    from ..nn import Parameter

    return Parameter


def _memory_of(array: np.ndarray) -> tuple[np.ndarray, int, tuple[int, ...]]:
    """The contiguous array whose memory an array lies in, at which of its elements the array begins, and its strides in elements."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    step = array.itemsize
    offset = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
    regular = all(s >= 0 and s % step == 0 for s in array.strides) and offset % step == 0
    if regular and owner.dtype == array.dtype and (owner.flags.c_contiguous or owner.flags.f_contiguous):
        return owner, offset // step, tuple(s // step for s in array.strides)
    copied = array.copy()
    return copied, 0, tuple(s // step for s in copied.strides)


def _write(file: BinaryIO, name: str, pickled: bytes, contents: _Contents) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        records: list[tuple[str, Any]] = [("data.pkl", pickled), (".format_version", b"1"), (".storage_alignment", b"%d" % ALIGNMENT)]
        records.append(("byteorder", b"little" if np.little_endian else b"big"))
        records += [(f"data/{i}", memory.reshape(-1, order="A").view(np.uint8).data) for i, memory in enumerate(contents.arrays)]
        records.append(("version", b"3\n"))
        for record, data in records:
            _add(archive, f"{name}/{record}", data)


def _add(archive: zipfile.ZipFile, name: str, data: Any) -> None:
    """Add a record that begins at a multiple of `ALIGNMENT`: the header before it is filled up with an extra field of zeros."""
    info = zipfile.ZipInfo(name)
    header = 30 + len(name.encode()) + 4
    padding = -(archive.fp.tell() + header) % ALIGNMENT
    info.extra = struct.pack("<HH", 0x4246, padding) + bytes(padding)
    archive.writestr(info, data)
