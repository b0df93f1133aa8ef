"""What the numbers were measured on: processor, cores, operating system, versions and date."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

from benchmarks.systems import SYSTEMS


def cpu_model() -> str:
    """The processor's name as the kernel gives it, with its widest vector extension where that is known."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    flags = fields.get("flags", "").split()
    vectors = next((name for name in ("avx512f", "avx2", "avx") if name in flags), None)
    model = fields.get("model name", platform.machine())
    return f"{model} ({vectors})" if vectors else model


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """The versions of all distributions that a compared system consists of; absent ones are left out."""
    names = sorted({name for system in SYSTEMS.values() for name in system.distributions})
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def describe() -> dict[str, object]:
    return {
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "load_average_at_start": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": versions(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
