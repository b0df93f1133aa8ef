"""Tutorials of PyTorch, cell by cell, with only the import changed: what they print is in seeds/."""

from __future__ import annotations

import doctest
import importlib
import re
import warnings
from pathlib import Path

import pytest

TUTORIALS = sorted(Path(__file__).with_name("seeds").glob("*.txt"))


def _run(text: str, name: str) -> doctest.TestResults:
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    return doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda p: p.stem)
def test_tutorial(path):
    text = path.read_text()
    if ".nn" in text:
        pytest.importorskip("tracejit.torch.nn")
        pytest.importorskip("tracejit.torch.optim")
    ours = re.sub(r"\bimport torch$", "import tracejit.torch as torch", text, flags=re.M).replace(
        "import torch.nn as nn", "import tracejit.torch.nn as nn"
    )
    assert _run(ours, path.stem).failed == 0


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda p: p.stem)
def test_transcript_is_that_of_torch(path):
    pytest.importorskip("torch")
    importlib.import_module("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert _run(path.read_text(), path.stem).failed == 0
