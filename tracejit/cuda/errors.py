"""What goes wrong with a device, in one message each: what it was, and what to do or to install."""

from __future__ import annotations

from ..errors import TracejitError, at_user_line


class CudaError(TracejitError, RuntimeError):
    """CUDA cannot be used, or a device reported an error."""


class DeviceMemoryError(CudaError, MemoryError):
    """The memory of a device does not suffice."""


class DeviceError(TracejitError, ValueError):
    """Arrays of several devices meet in one operation or call."""


INSTALL = "pip install 'tracejit[cuda]'"


def missing_extra(error: ImportError) -> CudaError:
    """For a package of the extra that is not installed."""
    return CudaError(at_user_line(f"the CUDA target needs CuPy, and {error.name or 'it'} is not installed: {INSTALL} (for CUDA 12)"))


def other_libraries(error: ImportError) -> CudaError:
    """For libraries of CUDA that are missing, or those of another version than CuPy was built for."""
    return CudaError(
        at_user_line(
            f"a library of CUDA cannot be loaded: {error}. CuPy needs those of the version that it was built for, and finds others where they "
            f"are installed too, as by PyTorch: {INSTALL} for CUDA 12, or 'tracejit[cuda13]' for CUDA 13, whichever the other packages are for"
        )
    )


def set_too_late() -> CudaError:
    """For a simulator that was asked for after Numba had been imported."""
    return CudaError(
        at_user_line(
            "NUMBA_ENABLE_CUDASIM was set after Numba had been imported, which reads it once: set it before Python starts "
            "(`NUMBA_ENABLE_CUDASIM=1 python ...`)"
        )
    )


# Statuses of the CUDA runtime (cudaError...) and of the driver (CUDA_ERROR_...) that a user can do something about, as CuPy's messages have them.
_ADVICE = (
    (
        ("cudaErrorInsufficientDriver", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "cudaErrorSystemDriverMismatch"),
        "the NVIDIA driver is missing, or older than the CUDA runtime of CuPy: install a driver for CUDA 12 or later "
        "(https://www.nvidia.com/drivers), or a CuPy built for the driver's version; `nvidia-smi` shows it",
    ),
    (
        ("cudaErrorNoDevice", "CUDA_ERROR_NO_DEVICE", "cudaErrorDevicesUnavailable", "CUDA_ERROR_DEVICE_UNAVAILABLE"),
        "there is no CUDA device that this process may use: check `nvidia-smi` and the environment variable CUDA_VISIBLE_DEVICES",
    ),
    (
        ("cudaErrorNoKernelImageForDevice", "CUDA_ERROR_NO_BINARY_FOR_GPU", "cudaErrorUnsupportedPtxVersion", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
         "CUDA_ERROR_INVALID_PTX", "cudaErrorInvalidPtx"),
        "the kernel was compiled for another architecture than this device has, or by a newer compiler than its driver takes: update the driver, "
        f"and let the packages fit together ({INSTALL} --upgrade)",
    ),
    (
        ("cudaErrorIllegalAddress", "CUDA_ERROR_ILLEGAL_ADDRESS", "cudaErrorMisalignedAddress", "cudaErrorLaunchFailure", "CUDA_ERROR_LAUNCH_FAILED"),
        "a kernel read or wrote memory that is not its own; the process cannot use the device any more. This is a bug in tracejit, unless another "
        "library wrote there: `compute-sanitizer python ...` names the kernel",
    ),
    (
        ("cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY", "cudaErrorLaunchOutOfResources", "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"),
        "the device has not enough memory or registers left for a kernel: free arrays, or work on smaller ones",
    ),
)  # fmt: skip


def unavailable(error: Exception) -> CudaError:
    """For an error of CUDA, with what to do about it."""
    text = " ".join(str(error).split())
    for names, advice in _ADVICE:
        if any(name in text for name in names):
            return CudaError(at_user_line(f"{advice} ({text})"))
    return CudaError(at_user_line(f"CUDA reports an error: {text}"))


def out_of_memory(error: Exception, free: int | None = None, total: int | None = None) -> DeviceMemoryError:
    """For an allocation that did not succeed."""
    text = " ".join(str(error).split())
    room = "" if free is None or total is None else f" {free / 2**30:.2f} GiB of {total / 2**30:.2f} GiB are free."
    return DeviceMemoryError(
        at_user_line(
            f"the memory of the device is exhausted.{room} Work on smaller batches, recompute instead of storing (`tracejit.checkpoint`), delete "
            f"arrays, or give CuPy's cached blocks back (`tracejit.cuda.empty_cache()`). ({text})"
        )
    )


__all__ = [
    "INSTALL", "CudaError", "DeviceError", "DeviceMemoryError", "missing_extra", "other_libraries", "out_of_memory", "set_too_late", "unavailable",
]  # fmt: skip
