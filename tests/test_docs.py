"""The pages are true: what they show runs and prints what they say, and what they link to is there."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@page
def test_sessions(page):
    """What stands behind `>>>`."""
    failed, _ = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert failed == 0


def blocks(page: Path) -> list[str]:
    return [block for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.M | re.S) if not block.startswith(">>>")]


@pytest.mark.parametrize("page", [*filter(blocks, PAGES)], ids=lambda page: page.stem)
def test_programs(page, tmp_path):
    """The Python blocks of a page, one after the other, as when they are pasted from the top. Those about GPUs run in the simulator."""
    program = tmp_path / "page.py"  # a file: `lift` reads the source
    program.write_text("\n".join(blocks(page)))
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"NUMBA_ENABLE_CUDASIM": "1"} if page.stem == "cuda" else {})
    subprocess.run([sys.executable, str(program)], cwd=tmp_path, check=True, timeout=120, env=environment)


@page
def test_links(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    named = re.findall(r"`((?:examples|benchmarks|docs|tests|tracejit)/[\w/.]+)`", page.read_text())
    named = [path for path in named if not path.startswith("examples/output")]  # what examples write
    missing = [path for path, start in [*((path, page.parent) for path in links), *((path, ROOT) for path in named)] if not (start / path).exists()]
    assert not missing
