"""CUDA: arrays that live on a GPU, and the way to it."""

from .errors import CudaError, DeviceError, DeviceMemoryError

__all__ = ["CudaError", "DeviceError", "DeviceMemoryError"]
