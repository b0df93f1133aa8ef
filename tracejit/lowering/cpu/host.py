"""What LLVM says of this machine: its triple, processor and features.

LLVM has to be loaded to be asked (30 ms), so the disk cache keeps the answer, under the machine's own description of its processor and which LLVM it
is that would answer.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from functools import cache
from typing import NamedTuple

from .. import disk_cache

_CHANGING = ("processor", "cpu MHz", "bogomips", "BogoMIPS", "core id", "apicid", "initial apicid", "physical id")  # from core to core, or in time


class Host(NamedTuple):
    """`processor` and `features` are LLVM's names, features as one text "+avx2,-avx512f,..."; `versions` are those of llvmlite and LLVM."""

    triple: str
    processor: str
    features: str
    versions: str

    def has(self, feature: str) -> bool:
        """Whether the processor has a feature.

        >>> Host("x86_64-unknown-linux-gnu", "znver4", "+sse2,+avx2,-sse4a", "0.45 20").has("sse4a")
        False
        """
        return f"+{feature}" in self.features.split(",")


@cache
def host() -> Host:
    """This machine.

    >>> host().has("no such feature")
    False
    """
    described = _description()
    if described is None:
        return _ask()
    return Host(*disk_cache.fetch(("host", described), lambda: "\n".join(_ask()).encode()).decode().split("\n"))


def _ask() -> Host:
    import llvmlite
    import llvmlite.binding as llvm

    versions = f"{llvmlite.__version__} {'.'.join(map(str, llvm.llvm_version_info))}"
    return Host(llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), versions)


def _description() -> str | None:
    """The kernel's description of the first processor, and the file that LLVM is in; None on systems that have no such description."""
    package = importlib.util.find_spec("llvmlite")
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            processor = lines.read(16384).partition("\n\n")[0]
        file = os.path.join(package.submodule_search_locations[0], "binding", "libllvmlite.so")
        found = os.stat(file)
    except (OSError, AttributeError, TypeError, IndexError):
        return None
    kept = [line for line in processor.splitlines() if not line.startswith(_CHANGING)]
    return "\n".join([platform.machine(), *kept, file, str(found.st_size), str(found.st_mtime_ns)])


__all__ = ["Host", "host"]
