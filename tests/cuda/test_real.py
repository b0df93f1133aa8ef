"""The backend on a GPU, over a module that stands for CuPy: what it asks of the driver, and what its errors become."""

import sys
import types

import numpy as np
import pytest

from tracejit.cuda.errors import CudaError, DeviceMemoryError
from tracejit.cuda.real import Real

from . import fake_cupy


@pytest.fixture
def cupy(monkeypatch):
    made = fake_cupy.make()
    monkeypatch.setitem(sys.modules, "cupy", made)
    return made


@pytest.fixture
def assembled(monkeypatch):
    asked = []

    def assemble(source, name, parameters, cc):
        asked.append((source, name, parameters, cc))
        return types.SimpleNamespace(ptx=".version 8.0", cubin=b"cubin" if cc == (9, 0) else None, entry_name="_Z6kernel", seconds=0.25)

    monkeypatch.setattr("tracejit.lowering.cuda.assemble.assemble", assemble)
    monkeypatch.setattr("tracejit.lowering.cuda.assemble.disassembler", lambda: "nvdisasm")
    monkeypatch.setattr("tracejit.lowering.cuda.assemble.sass", lambda cubin: "IADD")
    return asked


SIGNATURE = ((np.dtype(np.float64), "pointer"), (np.dtype(np.int64), "value"))


def test_kernels_are_assembled_for_the_device_and_loaded(cupy, assembled):
    kernel = Real().load("source", "kernel", SIGNATURE)
    assert assembled == [("source", "kernel", SIGNATURE, (9, 0))] and cupy.driver.loaded == [b"cubin"]
    x = Real().empty((3,), np.dtype(np.float64))
    Real().launch(kernel, 4, 128, [x, np.int64(3)])
    ((name, grid, block, args),) = cupy.driver.launches
    assert (name, grid, block) == ("_Z6kernel", (4,), (128,)) and args[0] is x and type(args[1]) is np.int64
    assert [title for title, _ in Real().listings("source", "kernel", SIGNATURE)] == ["PTX, compiled in 0.25 s", "SASS"]


def test_kernels_are_compiled_before_they_are_loaded(cupy, assembled):
    real = Real()
    real.compile([("first", "kernel", SIGNATURE), ("second", "kernel", SIGNATURE)])
    assert sorted(source for source, *_ in assembled) == ["first", "second"] and not cupy.driver.loaded
    real.load("second", "kernel", SIGNATURE)
    assert len(assembled) == 2 and cupy.driver.loaded == [b"cubin"]


def test_without_a_disassembler_there_is_ptx(cupy, assembled, monkeypatch):
    monkeypatch.setattr("tracejit.lowering.cuda.assemble.disassembler", lambda: None)
    assert [title for title, _ in Real().listings("source", "kernel", SIGNATURE)] == ["PTX, compiled in 0.25 s"]


def test_without_machine_code_the_driver_gets_ptx(cupy, assembled, monkeypatch):
    monkeypatch.setattr(Real, "properties", lambda self, device: {"capability": (8, 0)})
    Real().load("source", "kernel", SIGNATURE)
    assert cupy.driver.loaded == [b".version 8.0"]


def test_a_driver_that_is_older_than_the_assembler_gets_ptx(cupy, assembled):
    cupy.driver.refused[b"cubin"] = "CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image is available for execution on the device"
    Real().load("source", "kernel", SIGNATURE)
    assert cupy.driver.loaded == [b".version 8.0"]
    cupy.driver.refused[b".version 8.0"] = "CUDA_ERROR_UNSUPPORTED_PTX_VERSION: the provided PTX was compiled with an unsupported toolchain"
    with pytest.raises(CudaError, match="update the driver"):
        Real().load("source", "kernel", SIGNATURE)
    cupy.driver.refused[b"cubin"] = "CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered"
    with pytest.raises(CudaError, match="compute-sanitizer"):
        Real().load("source", "kernel", SIGNATURE)


def test_flags_share_memory_that_stays(cupy):
    real = Real()
    flags = [real.flag("an index") for _ in range(1025)]
    assert len({f.argument for f in flags}) == 1025 and len(real._words) == 2
    flags[3].number[0] = 1
    assert [k for k, f in enumerate(flags) if f.take()] == [3]


def test_streams_of_other_libraries(cupy):
    class Stream:
        def __init__(self, **options):
            self.options = options

        @classmethod
        def from_external(cls, stream):
            return stream.__cuda_stream__()

    cupy.cuda.Stream = Stream
    assert Real().stream().options == {}
    assert Real().stream(types.SimpleNamespace(cuda_stream=17)) == (0, 17) and Real().stream(23) == (0, 23)
    own = Stream()
    assert Real().stream(own) is own


def test_properties_and_memory(cupy):
    real = Real()
    assert real.properties(0) == {"name": "Fake 9000", "capability": (9, 0), "memory": 4 << 30, "processors": 2}
    assert real.memory() == {"free": 1 << 30, "total": 4 << 30, "used": 8, "held": 16}
    real.empty_cache()
    assert cupy.driver.freed == 2 and real.device_count() == 1


def test_memory_that_does_not_suffice(cupy):
    real = Real()
    cupy.driver.fails_to_allocate = 1  # until the pool has given its blocks back
    assert real.empty((2,), np.dtype(np.float32)).shape == (2,) and cupy.driver.freed == 1
    cupy.driver.fails_to_allocate = 2
    with pytest.raises(DeviceMemoryError, match=r"exhausted. 1.00 GiB of 4.00 GiB are free.*smaller batches.*checkpoint.*empty_cache"):
        real.empty((2,), np.dtype(np.float32))
    assert issubclass(DeviceMemoryError, MemoryError) and issubclass(DeviceMemoryError, CudaError)


@pytest.mark.parametrize(
    "status, advice",
    (
        ("cudaErrorInsufficientDriver: CUDA driver version is insufficient", "driver is missing, or older than the CUDA runtime"),
        ("cudaErrorNoDevice: no CUDA-capable device is detected", "no CUDA device that this process may use.*CUDA_VISIBLE_DEVICES"),
        ("cudaErrorUnknown: unknown error", "CUDA reports an error: cudaErrorUnknown"),
    ),
)
def test_no_driver_or_device(cupy, status, advice):
    cupy.driver.error = fake_cupy.CUDARuntimeError(status)
    with pytest.raises(CudaError, match=advice) as found:
        Real()
    assert status in str(found.value)


def test_no_device_at_all(cupy):
    cupy.driver.devices = 0
    with pytest.raises(CudaError, match="no CUDA device"):
        Real()


@pytest.mark.parametrize(
    "status, advice",
    (
        ("CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image is available", "another architecture.*pip install"),
        ("CUDA_ERROR_UNSUPPORTED_PTX_VERSION: the provided PTX was compiled with an unsupported toolchain", "update the driver"),
        ("CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered", "compute-sanitizer"),
        ("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES: too many resources requested for launch", "memory or registers"),
    ),
)
def test_errors_of_launches(cupy, assembled, status, advice):
    kernel = Real().load("source", "kernel", SIGNATURE)
    cupy.driver.launch_error = fake_cupy.CUDADriverError(status)
    with pytest.raises(CudaError, match=advice):
        Real().launch(kernel, 1, 1, [])


def test_a_tensor_that_requires_a_gradient(cupy):
    class Tensor:
        @property
        def __cuda_array_interface__(self):
            raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad.")

        def __dlpack__(self, **options):
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")

    vars(cupy)["from_dlpack"] = lambda x: x.__dlpack__()
    vars(cupy)["asarray"] = lambda x: x.__cuda_array_interface__
    with pytest.raises(TypeError, match="cannot be used.*detach"):
        Real().adopt(Tensor())


def test_dlpack_without_copy(cupy):
    class Capsule:
        def __dlpack_device__(self):
            return 2, 0

        def __dlpack__(self, **options):
            return "memory"

    from tracejit import residence

    assert residence.is_foreign(Capsule())
    vars(cupy)["from_dlpack"] = lambda x: x.__dlpack__()
    assert Real().adopt(Capsule()) == "memory"


def test_a_device_that_is_not_there(cupy):
    with pytest.raises(CudaError, match="no device cuda:3: 1 found"):
        Real().on(3)
