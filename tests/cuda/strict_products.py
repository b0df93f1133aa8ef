"""A stand-in for cuBLASLt, as strict as it is: descriptions are what was set in them, and products are computed from addresses."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

WORKSPACE = 512
_DTYPES = {2: np.float16, 0: np.float32, 1: np.float64, 4: np.complex64, 5: np.complex128}
_COMPUTE = {2: {68}, 0: {68, 74, 75, 77}, 1: {70}, 4: {68, 77}, 5: {70}}
_SCALE = {2: 0, 0: 0, 1: 1, 4: 4, 5: 5}
_SIZES = {  # of the attributes, in bytes
    "cublasLtMatmulDescSetAttribute": {3: 4, 4: 4, 7: 4, 8: 8},
    "cublasLtMatrixLayoutSetAttribute": {5: 4, 6: 8},
    "cublasLtMatmulPreferenceSetAttribute": {1: 8, 5: 4, 6: 4, 7: 4, 8: 4},
}
INVALID, UNSUPPORTED = 7, 15


class StrictLt:
    """The functions of the library that are used. `is_in_use(address)` and `recording()` are the driver's."""

    def __init__(self, is_in_use: Callable[[int], bool], recording: Callable[[], list | None], relu_keeps_nan: bool = True):
        self.is_in_use, self.recording, self.relu_keeps_nan = is_in_use, recording, relu_keeps_nan
        self.made: dict[int, dict] = {}
        self.numbers = itertools.count(1)

    def _new(self, into: Any, **values: Any) -> int:
        number = next(self.numbers)
        self.made[number] = {"attributes": {}, **values}
        into._obj.value = number
        return 0

    def cublasLtCreate(self, into: Any) -> int:
        assert self.recording() is None
        return self._new(into)

    def cublasLtMatmulDescCreate(self, into: Any, compute: int, scale: int) -> int:
        return self._new(into, compute=compute, scale=scale)

    def cublasLtMatrixLayoutCreate(self, into: Any, dtype: int, rows: Any, columns: Any, step: Any) -> int:
        assert (type(rows), type(columns), type(step)) == (ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int64)
        return self._new(into, dtype=dtype, rows=rows.value, columns=columns.value, step=step.value) if step.value >= rows.value else INVALID

    def cublasLtMatmulPreferenceCreate(self, into: Any) -> int:
        return self._new(into)

    def __getattr__(self, name: str) -> Any:
        if name in _SIZES:
            return lambda of, attribute, value, size: self._set(_SIZES[name], of, attribute, value, size)
        if name.endswith("Destroy"):
            return lambda of: 0 if self.made.pop(of.value, None) is not None else INVALID
        raise AttributeError(name)

    def _set(self, sizes: dict[int, int], of: Any, attribute: int, value: Any, size: Any) -> int:
        if sizes[attribute] != size.value or ctypes.sizeof(value._obj) != size.value:
            return INVALID
        self.made[of.value]["attributes"][attribute] = value._obj.value
        return 0

    def cublasLtMatmulAlgoGetHeuristic(self, handle, operation, a, b, c, d, preference, wanted, found, count) -> int:
        assert wanted == 1 and ctypes.sizeof(found._obj) == 96
        asked = self.made[preference.value]["attributes"]
        dtype = self.made[a.value]["dtype"]
        if self.made[operation.value]["compute"] not in _COMPUTE[dtype] or self.made[operation.value]["scale"] != _SCALE[dtype]:
            return UNSUPPORTED
        if self.made[operation.value]["attributes"][7] != 1 and dtype not in (0, 2):
            return UNSUPPORTED
        found._obj.workspace = min(WORKSPACE, asked[1])
        found._obj.algorithm[0] = asked[5]
        count._obj.value = 1
        return 0

    def cublasLtMatmul(self, handle, operation, one, a, at_a, b, at_b, zero, c, at_c, d, at_d, algorithm, workspace, size, stream) -> int:
        settings = self.made[operation.value]["attributes"]
        alignment, addresses = algorithm._obj[0], [x.value for x in (a, b, d)]
        bias = settings.get(8) if settings[7] & 4 else None
        if any(x is None or x % alignment for x in [*addresses, *([bias] if settings[7] & 4 else [])]):
            return INVALID
        if size.value and (not workspace.value or workspace.value % 16 or not self._covers(workspace.value, size.value)):
            return INVALID
        x, y, out = (self._matrix(address, at) for address, at in ((a.value, at_a), (b.value, at_b), (d.value, at_d)))
        x, y = (np.swapaxes(m, -1, -2) if settings[k] else m for k, m in ((3, x), (4, y)))
        added = None if bias is None else self._numbers(bias, out.shape[-2], out.dtype)
        if x.shape[-1] != y.shape[-2] or (x.shape[-2], y.shape[-1]) != out.shape[-2:] or (one._obj[0], zero._obj[0]) != (1, 0):
            return INVALID

        def run() -> None:
            with np.errstate(all="ignore"):
                made = np.matmul(x, y, dtype=np.float32 if out.dtype == np.float16 else None)
                if added is not None:
                    made = made + added[:, None]
                if settings[7] & 2:
                    made = np.maximum(made, 0) if self.relu_keeps_nan else np.fmax(made, 0)
            out[...] = made

        if self.recording() is None:
            run()
        else:
            self.recording().append((run, [x for x in (*addresses, bias, workspace.value) if x]))
        return 0

    def _covers(self, address: int, size: int) -> bool:
        return self.is_in_use(address) and self.is_in_use(address + size - 1)

    def _numbers(self, address: int, count: int, dtype: np.dtype) -> np.ndarray:
        size = count * np.dtype(dtype).itemsize
        assert self._covers(address, size), "numbers beyond the memory in use"
        return np.frombuffer((ctypes.c_char * size).from_address(address), dtype)

    def _matrix(self, address: int, at: Any) -> np.ndarray:
        """A stack of matrices that are counted by columns."""
        how = self.made[at.value]
        dtype, rows, columns, step = np.dtype(_DTYPES[how["dtype"]]), how["rows"], how["columns"], how["step"]
        batch, apart = how["attributes"].get(5), how["attributes"].get(6, 0)
        last = (batch or 1) - 1
        numbers = self._numbers(address, last * apart + (columns - 1) * step + rows, dtype)
        shape, strides = (rows, columns), (1, step)
        if batch is not None:
            shape, strides = (batch, *shape), (apart, *strides)
        return np.lib.stride_tricks.as_strided(numbers, shape, tuple(s * dtype.itemsize for s in strides), writeable=True)
