"""Tutorials of PyTorch, every cell of them, with only the imports changed. What they print is in seeds/, as PyTorch 2.13 prints it.

ResNet-18 has seeded weights there in place of downloaded ones. Numbers that went through long sums, in an order that is each library's own, are
compared as numbers (`CLOSE`); everything else, random numbers included, character by character.
"""

from __future__ import annotations

import doctest
import importlib
import re
import warnings
from pathlib import Path

import pytest

import tracejit.torch
from tracejit.torch.models import resnet

TUTORIALS = sorted(Path(__file__).with_name("seeds").glob("*.txt"))
CLOSE = doctest.register_optionflag("CLOSE")
_NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]\d+)?")


class Checker(doctest.OutputChecker):
    """Texts with `CLOSE` agree if they do without their numbers and spaces, and each number to 1e-4 of itself, or to 1e-4."""

    def check_output(self, want, got, optionflags):
        if not optionflags & CLOSE:
            return super().check_output(want, got, optionflags)
        if "".join(_NUMBER.sub("#", want).split()) != "".join(_NUMBER.sub("#", got).split()):
            return False
        pairs = zip(map(float, _NUMBER.findall(want)), map(float, _NUMBER.findall(got)))
        return all(abs(a - b) <= 1e-4 + 1e-4 * abs(a) for a, b in pairs)


def replay(text, name, given=None):
    test = doctest.DocTestParser().get_doctest(text, given or {}, name, name, 0)
    return doctest.DocTestRunner(Checker(), optionflags=doctest.ELLIPSIS).run(test)


def cells(text):
    """The numbers of the cells that the headings of a transcript name."""
    numbers = []
    for first, joint, last in re.findall(r"^Cells? (\d+)(?: (and|to) (\d+))?", text, flags=re.M):
        numbers += range(int(first), int(last if joint else first) + 1)
    return numbers


@pytest.mark.parametrize(("path", "count"), list(zip(TUTORIALS, (7, 12, 11, 18, 14), strict=True)), ids=lambda p: getattr(p, "stem", ""))
def test_no_cell_is_left_out(path, count):
    assert cells(path.read_text()) == list(range(1, count + 1))


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda p: p.stem)
def test_tutorial(path):
    ours = path.read_text()
    for theirs, own in (("import torch\n", "import tracejit.torch as torch\n"), ("import torch.nn as nn\n", "import tracejit.torch.nn as nn\n"),
                        ("from torchvision.models", "from tracejit.torch.models")):  # fmt: skip
        ours = ours.replace(theirs, own)
    try:
        assert replay(ours, path.stem).failed == 0
    finally:
        tracejit.torch.set_printoptions(profile="default")


def torchs_resnet18(real):
    """This library's source of ResNet-18 on PyTorch's layers."""
    source = Path(resnet.__file__).read_text().replace("from .. import nn\n", "from torch import nn\n")
    source = source.replace("from ..tensor import Tensor\n", "from torch import Tensor\n")
    source = source.replace("from .weights import with_weights\n", "with_weights = lambda model, weights, pretrained: model\n")
    space = {"__name__": "resnet_of_torch"}
    exec(source, space)
    assert isinstance(model := space["resnet18"](num_classes=2), real.nn.Module) and isinstance(model.fc, real.nn.Linear)
    return space["resnet18"]


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda p: p.stem)
def test_transcript_is_that_of_torch(path):
    """There `zero_grad` lets gradients be None since version 2.0, and tutorials that print zeros after it were written before."""
    pytest.importorskip("torch")
    real = importlib.import_module("torch")
    text = path.read_text().replace("optimizer.zero_grad()", "optimizer.zero_grad(set_to_none=False)")
    text = text.replace(">>> from torchvision.models import resnet18\n", "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert replay(text, path.stem, {"resnet18": torchs_resnet18(real)}).failed == 0
