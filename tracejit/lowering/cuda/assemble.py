"""From the source of a kernel to code for a device: LLVM IR, PTX, and machine code where an assembler is at hand.

    kernel = assemble(source, "kernel", [(np.dtype("f4"), "pointer"), (np.dtype("i4"), "value")], cc=(9, 0))
    kernel.ptx, kernel.cubin, kernel.seconds

PTX comes from the NVPTX target of the LLVM that llvmlite carries, so no package of NVIDIA's is needed to compile.  The assembler is `ptxas`, of the
extras `cuda` and `cuda-compile` or of a CUDA toolkit; without it `cubin` is None, and the driver of a device assembles the PTX when it is loaded.

Measured for kernels of 30 to 400 instructions: 2 to 7 ms in the front end, 4 to 10 in LLVM (instruction selection most of it; LLVM's standard
pipeline would add as much again and saved no register), 15 to 60 in the assembler.  Both are kept on disk.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from ...config import config
from ...cuda.errors import CudaError
from ...errors import at_user_line
from .. import disk_cache
from ..cpu.llvm import LoweringError, simplify
from .front_end import Parameters, llvm_text

OLDEST = (7, 0)
# Architectures that every LLVM from 20 on knows. PTX for one of them runs on all later devices.
_ARCHITECTURES = ((7, 0), (7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0))

_PASSES = "1"
"""To be raised when `_ptx` makes other PTX of a text."""

_lock = threading.RLock()


@dataclasses.dataclass(frozen=True)
class Assembled:
    """A kernel of a compute capability: its source, `llvm` and `ptx` as texts, `cubin` as bytes or None where no assembler was found.
    `entry_name` is its name in both, `seconds` the time that it took to make them, and `cached` says whether they were found on disk."""

    source: str
    entry_name: str
    cc: tuple[int, int]
    llvm: str
    ptx: str
    cubin: bytes | None
    seconds: float
    cached: bool

    def sass(self) -> str:
        """The machine code as text. Raises `CudaError` where there is none, or no disassembler."""
        return sass(self.cubin)


def assemble_all(kernels: Sequence[tuple[str, str, Parameters]], cc: tuple[int, int]) -> list[Assembled]:
    """Compile kernels, each given as its source, name and parameters: one after the other by LLVM, side by side by `ptxas`, which takes the most of
    the time."""
    with ThreadPoolExecutor(max_workers=max(1, min(len(kernels), config.threads))) as pool:
        return list(pool.map(lambda kernel: assemble(*kernel, cc=cc), kernels))


def assemble(source: str, name: str, parameters: Parameters, cc: tuple[int, int] = (9, 0)) -> Assembled:
    """Compile the kernel `name` of a source for devices of a compute capability.

    `parameters` are as in `front_end.llvm_text`.  Raises `CudaError` for a device that is too old, and where llvmlite has no NVPTX target;
    `SourceError` and `LoweringError` are bugs.

    >>> import numpy as np
    >>> import numpy as np
    >>> kernel = assemble("def k(x):\\n    x[int32(cuda.grid(1))] = float32(1)\\n", "k", [(np.dtype("float32"), "pointer")])
    >>> ".visible .entry k(" in kernel.ptx, kernel.entry_name
    (True, 'k')
    """
    start = time.perf_counter()
    if tuple(cc) < OLDEST:
        raise CudaError(
            at_user_line(f"the device has compute capability {_dotted(cc)}, and the CUDA target needs {_dotted(OLDEST)} (Volta) or later")
        )
    text = llvm_text(source, name, parameters)
    fresh = []

    def make() -> bytes:
        fresh.append(True)
        return _packed(_ptx(text, cc), cc)

    key = ("cuda kernel", _PASSES, _versions(), _dotted(cc), tool("ptxas") or "", text)
    ptx, cubin = _unpacked(disk_cache.fetch(key, make))
    return Assembled(source, name, tuple(cc), text, ptx, cubin, time.perf_counter() - start, not fresh)


# -- PTX
def _ptx(text: str, cc: tuple[int, int]) -> str:
    import llvmlite.binding as llvm

    with _lock:
        machine = _machine(max(known for known in _ARCHITECTURES if known <= tuple(cc)))
        layout = f'target triple = "nvptx64-nvidia-cuda"\ntarget datalayout = "{machine.target_data}"\n'
        try:
            module = llvm.parse_assembly(layout + text, llvm.create_context())
            module.verify()
        except RuntimeError as error:
            raise LoweringError(f"LLVM rejected a kernel: {error}\n{text}") from error
        simplify(module, machine)
        return machine.emit_assembly(module)


@cache
def _machine(cc: tuple[int, int]):
    """The target machine for an architecture."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple("nvptx64-nvidia-cuda")
    except RuntimeError as error:
        raise CudaError(
            at_user_line("this llvmlite was built without LLVM's NVPTX target: install the one of PyPI (pip install --force-reinstall llvmlite)")
        ) from error
    return target.create_target_machine(cpu=f"sm_{_digits(cc)}", opt=3)


def _digits(cc: tuple[int, int]) -> str:
    return f"{cc[0]}{cc[1]}"


def _dotted(cc: tuple[int, int]) -> str:
    return f"{cc[0]}.{cc[1]}"


@cache
def _versions() -> str:
    import llvmlite
    import llvmlite.binding as llvm

    return "|".join([llvmlite.__version__, *map(str, llvm.llvm_version_info)])


# -- machine code
def machine_code(ptx: str, cc: tuple[int, int]) -> bytes | None:
    """The cubin of a PTX text; None where there is no `ptxas`, or one that does not know the device, whose driver then assembles the text.

    Raises `CudaError` where the text is refused.
    """
    if tool("ptxas") is None:
        return None
    try:
        return by_ptxas(ptx, cc)[0]
    except CudaError as error:
        if "is not defined for option 'gpu-name'" in str(error):
            return None
        raise


def by_ptxas(ptx: str, cc: tuple[int, int], options: Sequence[str] = ()) -> tuple[bytes, str]:
    """The cubin of a PTX text by `ptxas`, and what it says (of registers and spills with the option `-v`).

    Raises `CudaError` where it refuses, or is not installed.
    """
    program = tool("ptxas")
    if program is None:
        raise CudaError(at_user_line("ptxas was not found: pip install 'tracejit[cuda-compile]', or put the CUDA toolkit's bin on PATH"))
    with tempfile.TemporaryDirectory(prefix="tracejit-") as folder:
        source, target = os.path.join(folder, "kernel.ptx"), os.path.join(folder, "kernel.cubin")
        with open(source, "w") as file:
            file.write(ptx)
        done = subprocess.run([program, *options, f"-arch=sm_{_digits(cc)}", "-o", target, source], capture_output=True, text=True)
        if done.returncode:
            raise _refused(cc, done.stderr)
        with open(target, "rb") as file:
            return file.read(), done.stderr


def _refused(cc: tuple[int, int], log: str) -> CudaError:
    return CudaError(
        at_user_line(
            f"ptxas does not take a kernel for compute capability {_dotted(cc)}: {log.strip()} "
            "(one that is older than llvmlite may need to be upgraded: pip install --upgrade 'tracejit[cuda]')"
        )
    )


def disassembler() -> str | None:
    """The path of a program that prints machine code; none of NVIDIA's wheels has one, the CUDA toolkit has."""
    return tool("nvdisasm") or tool("cuobjdump")


def sass(cubin: bytes | None) -> str:
    """Machine code as text, by `nvdisasm` or `cuobjdump` of the CUDA toolkit. Raises `CudaError` where there is no code or no such program."""
    if cubin is None:
        raise CudaError(at_user_line("the kernel was not assembled here: pip install 'tracejit[cuda-compile]'"))
    program = disassembler()
    if program is None:
        raise CudaError(at_user_line("neither nvdisasm nor cuobjdump was found: install the CUDA toolkit and put its bin on PATH"))
    with tempfile.NamedTemporaryFile(prefix="tracejit-", suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        arguments = ["-c", file.name] if program.endswith("nvdisasm") else ["-sass", file.name]
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


@cache
def tool(name: str) -> str | None:
    """The path of a program of the CUDA toolkit: in one of NVIDIA's wheels, whose versions the extras choose, in CUDA_HOME, or on PATH."""
    folders = []
    found = importlib.util.find_spec("nvidia")
    for root in (found.submodule_search_locations or ()) if found else ():
        folders += [os.path.join(root, package, "bin") for package in sorted(os.listdir(root))]
    folders += [os.path.join(home, "bin") for home in (os.environ.get("CUDA_HOME"), "/usr/local/cuda") if home]
    return next((path for folder in folders if (path := shutil.which(name, path=folder))), None) or shutil.which(name)


# -- on disk
def _packed(ptx: str, cc: tuple[int, int]) -> bytes:
    text = ptx.encode()
    return len(text).to_bytes(8, "little") + text + (machine_code(ptx, cc) or b"")


def _unpacked(contents: bytes) -> tuple[str, bytes | None]:
    end = 8 + int.from_bytes(contents[:8], "little")
    return contents[8:end].decode(), contents[end:] or None


__all__ = ["OLDEST", "Assembled", "assemble", "assemble_all", "by_ptxas", "disassembler", "machine_code", "sass", "tool"]
