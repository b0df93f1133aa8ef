"""Files of tensors: torch's zip checkpoints, read without running anything that they name, and safetensors."""

from .archive import load, save
from .safetensors import load_safetensors, save_safetensors

__all__ = ["load", "load_safetensors", "save", "save_safetensors"]
